"""Loads model files in this process, and tells what each took: a child of the tests.

`python trying_hostile_models.py ORDINARY.keras FOLDER SECONDS MEBIBYTES` loads all files of a
folder, first without and then with trust, and writes a line of JSON for each. The process ends
itself after so many seconds of processor time, and can never take so much more memory.

Without arguments it makes the files itself, and prints a table of what they took with the imgclf
that is imported.
"""

import json
import os
import re
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import imgclf

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def memory(field: str) -> float:
    """Mebibytes: VmHWM is the peak since it was reset, VmRSS what is taken now."""
    return int(re.search(rf"{field}:\s+(\d+)", STATUS.read_text())[1]) / 1024


def limit(seconds: int, mebibytes: int) -> None:
    most = int((memory("VmData") + mebibytes) * 2**20)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def load(path: Path, *, trust: bool) -> str:
    try:
        imgclf.load(path, trust=trust)
    except imgclf.errors.ModelFileError as error:
        return str(error)
    except imgclf.errors.ArgumentError as error:  # a network, but no classifier
        return f"{path}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return "loaded"


def try_one(path: Path) -> dict[str, object]:
    CLEAR.write_text("5")
    before, start = memory("VmRSS"), time.process_time()
    result = load(path, trust=False)
    seconds, trusted = time.process_time() - start, None
    if "trust=True" in result:
        trusted = load(path, trust=True)
    return {
        "file": path.stem,
        "result": result,
        "trusted": trusted,
        "seconds": seconds,
        "all_seconds": time.process_time() - start,
        "mebibytes": memory("VmHWM") - before,
    }


def try_all(ordinary: Path, folder: Path, seconds: int, mebibytes: int) -> None:
    imgclf.load(ordinary)
    limit(seconds, mebibytes)
    for path in sorted(folder.iterdir()):
        print(json.dumps(try_one(path)), flush=True)


def table() -> None:
    import subprocess

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from hostile_networks import hostile_files
    from keras_samples import classifier

    with tempfile.TemporaryDirectory() as place:
        ordinary = Path(place) / "m.keras"
        classifier().save(ordinary)
        kinds: dict[str, dict[str, str]] = {}
        (Path(place) / "files").mkdir()
        for number, (kind, name, data) in enumerate(hostile_files(ordinary.read_bytes())):
            kinds.setdefault(kind, {})[str(number)] = name
            (Path(place) / "files" / f"{number}.keras").write_bytes(data)
        for kind, names in kinds.items():
            rows = []
            left = dict(names)
            while left:  # a file that kills its process does not stop the others
                batch = Path(place) / "batch"
                batch.mkdir()
                for number in left:
                    os.link(Path(place) / "files" / f"{number}.keras", batch / f"{number}.keras")
                command = [sys.executable, __file__, str(ordinary), str(batch), "1200", "4000"]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                rows += map(json.loads, filter(None, done.stdout.splitlines()))
                for row in rows:
                    left.pop(row["file"], None)
                if done.returncode:
                    killer = sorted(left)[0]
                    print("killed by", names[killer], done.returncode, done.stderr[-300:])
                    del left[killer]
                for path in batch.iterdir():
                    path.unlink()
                batch.rmdir()
            loaded = [row for row in rows if row["result"] == "loaded"]
            odd = [row for row in rows if ":" in row["result"].split("/")[0]]
            most, longest = (
                max(rows, key=lambda row, by=by: row[by]) for by in ("mebibytes", "seconds")
            )
            print(
                f"{kind}: {len(names)} tried, {len(rows) - len(loaded)} refused, {len(odd)} raw "
                f"errors; most memory {most['mebibytes']:,.0f} MiB ({names[most['file']]}), "
                f"longest {longest['seconds']:.1f} s ({names[longest['file']]}), all "
                f"{sum(row['all_seconds'] for row in rows):.0f} s",
                flush=True,
            )
            if "-v" in sys.argv:
                for row in rows:
                    print("   ", names[row["file"]], {**row, "file": 0})


if __name__ == "__main__":
    if len(sys.argv) > 2:
        try_all(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:5]))
    else:
        table()
