"""The check of photos on what people's disks, and hostile people, hold."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import zlib

import pytest
from photo_making import scene, write_scenes
from PIL import Image

import imgclf


@pytest.fixture
def photos(tmp_path, rng):
    for name in ("cat", "dog"):
        write_scenes(tmp_path / "photos" / name, rng)
    return tmp_path / "photos"


def reasons(found):
    return {photo.name: photo.reason for photo in found.photos if photo.reason is not None}


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_pipes_and_loops_of_links_end(photos):
    os.mkfifo(photos / "cat" / "pipe.jpg")
    (photos / "cat" / "loop").symlink_to(photos / "cat")
    (photos / "dog" / "self.jpg").symlink_to(photos / "dog" / "self.jpg")
    (photos / "dog" / "gone.jpg").symlink_to(photos / "nowhere.jpg")

    found = imgclf.inspect(photos)

    assert set(reasons(found)) == {"cat/pipe.jpg", "dog/self.jpg", "dog/gone.jpg"}
    assert reasons(found)["cat/pipe.jpg"] == "is not a regular file."
    assert len(found.usable) == 48


def test_names_that_are_no_text_and_control_characters_are_escaped_everywhere(
    photos, tmp_path, rng
):
    Image.new("RGB", (48, 48)).save(photos / "cat" / os.fsdecode(b"\xff.png"))
    Image.new("RGB", (48, 48)).save(photos / "dog" / "\x1b[2J\n.png")
    (photos / "\x1b[31mred").mkdir()
    exif = Image.Exif()
    exif[0x010F] = "\x1b[2J" + "x" * 10_000
    scene(rng).save(photos / "cat" / "x.jpg", exif=exif)

    found = imgclf.inspect(photos)
    found.save(tmp_path / "out")

    shown = str(found)
    assert "\x1b" not in shown
    cameras = [photo.facts.camera for photo in found.usable if photo.facts.camera]
    assert cameras == ["\\x1b[2J" + "x" * 56]
    assert "cat/\\udcff.png" in shown
    assert "dog/\\x1b[2J\\n.png" in shown
    for name in ("findings.json", "files.csv", "exclude.csv"):
        assert b"\x1b" not in (tmp_path / "out" / name).read_bytes()
    assert [row["path"] for row in rows(tmp_path / "out" / "exclude.csv")] == [
        "cat/\\udcff.png",
        "dog/\\x1b[2J\\n.png",
    ]


def test_no_cell_is_a_formula(tmp_path, rng):
    root = tmp_path / "photos"
    for name in ("=1+2", "+cat", "-dog", "@bird"):
        write_scenes(root / name, rng, 2)
        (root / name / "empty.jpg").touch()
        exif = Image.Exif()
        exif[0x010F] = "=cmd()"
        scene(rng).save(root / name / "x.jpg", exif=exif)

    imgclf.inspect(root).save(tmp_path / "out")

    for table in ("files.csv", "exclude.csv"):
        found = rows(tmp_path / "out" / table)
        assert found
        for row in found:
            assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())
            assert (root / row["path"]).exists()
    cells = {row["class"]: row["camera"] for row in rows(tmp_path / "out" / "files.csv")}
    assert cells["'=1+2"] == "'=cmd()"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_what_may_not_be_read_is_told(photos):
    (photos / "cat" / "00.png").chmod(0)
    (photos / "dog" / "more").mkdir(mode=0)

    found = imgclf.inspect(photos)

    assert reasons(found) == {"cat/00.png": "cannot be read (Permission denied)."}
    assert "unreadable-folder" in {one.kind for one in found.findings}
    (photos / "dog" / "more").chmod(0o755)


def png_claiming(width, height):
    def chunk(kind, data):
        return (
            len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        )

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    rows = zlib.compress(bytes(1000), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + b"\x01\0\0\0\0")
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


BOUNDED = """
import resource, sys
import imgclf.inspection.photo_inspection, imagehash, scipy.ndimage, PIL.Image, sklearn.tree
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)
for photo in imgclf.inspect(sys.argv[1]).photos:
    if photo.reason:
        print(photo.name, photo.reason)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
def test_bombs_are_refused_before_they_are_decoded(photos):
    (photos / "cat" / "bomb.png").write_bytes(png_claiming(14_000, 14_000))
    (photos / "dog" / "line.png").write_bytes(png_claiming(100_000, 100_000))

    done = subprocess.run(
        [sys.executable, "-c", BOUNDED, photos], capture_output=True, text=True, check=True
    )

    told = "has more than 89,478,485 pixels, the most that is allowed."
    assert done.stdout.splitlines() == [f"cat/bomb.png {told}", f"dog/line.png {told}"]


def test_a_header_that_lies_and_exif_that_is_rubbish(photos, rng):
    scene(rng).save(photos / "cat" / "exif.jpg", exif=b"Exif\0\0MM\0*\0\0\xff\xff\xff\xff")
    (photos / "dog" / "lie.png").write_bytes(png_claiming(5000, 5000))

    found = imgclf.inspect(photos)

    assert reasons(found)["dog/lie.png"].startswith("damaged image (")
    assert set(reasons(found)) <= {"dog/lie.png", "cat/exif.jpg"}


def test_a_file_that_goes_while_it_is_checked_is_not_a_crash(photos):
    from imgclf.data.sources.folder import scan_folder
    from imgclf.inspection.photo import measure_all

    files = scan_folder(photos).files
    (photos / "cat" / "00.png").unlink()

    measured = measure_all(files, photos)

    assert measured[0].reason == "there is no such file."
    assert sum(photo.reason is None for photo in measured) == 47


def test_a_full_disk_leaves_no_half_written_file(photos, tmp_path, monkeypatch):
    from imgclf.files import atomic

    (photos / "cat" / "empty.jpg").touch()
    found = imgclf.inspect(photos)
    found.save(tmp_path / "out")
    before = (tmp_path / "out" / "files.csv").read_bytes()

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "_sync", full)
    with pytest.raises(OSError, match="No space left"):
        found.save(tmp_path / "out")
    assert (tmp_path / "out" / "files.csv").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "exclude.csv",
        "files.csv",
        "findings.json",
    ]


def test_heic_images_are_inspected_where_the_extra_is_installed(tmp_path, rng):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    root = tmp_path / "photos"
    for name in ("cat", "dog"):
        write_scenes(root / name, rng)
    scene(rng, (64, 64)).save(root / "cat" / "phone.heic", "HEIF")
    scene(rng, (64, 64)).save(root / "dog" / "phone.jpg", "HEIF")

    found = imgclf.inspect(root)

    assert len(found.usable) == len(found.photos)
    misnamed = next(finding for finding in found.findings if finding.kind == "misnamed")
    assert [str(group[0]) for group in misnamed.groups] == ["dog/phone.jpg: is HEIF"]
