"""Whatever shows an image can be predicted, and means the same however it comes."""

from __future__ import annotations

import collections
import contextlib
import io
import itertools
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from photo_making import make_image
from PIL import Image

import imgclf
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError, ImageError, ImgclfError

SIDE = 16


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("sources")
    rng = np.random.default_rng(0)
    for colour, name in enumerate(["blossom", "meadow"]):
        (root / "photos" / name).mkdir(parents=True)
        for number in range(10):
            make_image(rng, (40, 32), colour).save(root / "photos" / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def data(home):
    return imgclf.load_folder(home / "photos", image_size=SIDE)


@pytest.fixture(scope="module")
def clf(data):
    classifier = imgclf.Classifier.from_preset("quick", data, epochs=1)
    classifier.fit(data, verbose=0)
    return classifier


@pytest.fixture(scope="module")
def path(home):
    return home / "photos" / "meadow" / "3.png"


@pytest.fixture(scope="module")
def pixels(path):
    return np.asarray(Image.open(path))


class TorchTensor:
    """What imgclf asks of a PyTorch tensor, which is not installed where the tests run."""

    def __init__(self, array, dtype="torch.float32"):
        self.array, self.dtype, self.on_host = array, dtype, False

    def detach(self):
        return self

    def cpu(self):
        self.on_host = True
        return self

    def float(self):
        return TorchTensor(self.array.astype(np.float32)).cpu()

    def numpy(self):
        assert self.on_host, "a tensor on a GPU has no NumPy array"
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array


class JaxArray:
    """What imgclf asks of an array of JAX."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)


def tensorflow(array):
    import tensorflow as tf

    return tf.constant(array)


def bfloat16(array):
    import tensorflow as tf

    return tf.cast(tf.constant(array / 256), tf.bfloat16)


def closed_zip(path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.write(path, "x.png")
    return zipfile.Path(zipfile.ZipFile(file), "x.png")


# Each makes the same image of a path and of the pixels in it.
FORMS = {
    "text": lambda path, pixels: str(path),
    "path": lambda path, pixels: path,
    "bytes": lambda path, pixels: path.read_bytes(),
    "bytearray": lambda path, pixels: bytearray(path.read_bytes()),
    "memoryview": lambda path, pixels: memoryview(path.read_bytes()),
    "BytesIO": lambda path, pixels: io.BytesIO(path.read_bytes()),
    "file in a zip": lambda path, pixels: closed_zip(path),
    "PIL from a file": lambda path, pixels: Image.open(path),
    "PIL in memory": lambda path, pixels: Image.open(path).copy(),
    "PIL RGBA": lambda path, pixels: Image.open(path).convert("RGBA"),
    "uint8": lambda path, pixels: pixels,
    "read-only": lambda path, pixels: np.frombuffer(pixels.tobytes(), np.uint8).reshape(
        pixels.shape
    ),
    "strided": lambda path, pixels: np.repeat(pixels, 2, axis=1)[:, ::2],
    "int64": lambda path, pixels: pixels.astype(np.int64),
    "uint16": lambda path, pixels: pixels.astype(np.uint16) * 257,
    "float 0 to 1": lambda path, pixels: pixels / 255,
    "float16 0 to 255": lambda path, pixels: pixels.astype(np.float16),
    "float32 0 to 255": lambda path, pixels: pixels.astype(np.float32),
    "one of a batch": lambda path, pixels: pixels[np.newaxis],
    "RGBA array": lambda path, pixels: np.dstack([pixels, np.full(pixels.shape[:2], 255, "u1")]),
    "nested lists": lambda path, pixels: pixels.tolist(),
    "torch": lambda path, pixels: TorchTensor((pixels / 255).transpose(2, 0, 1)),
    "torch uint8": lambda path, pixels: TorchTensor(pixels.transpose(2, 0, 1)),
    "torch batch": lambda path, pixels: TorchTensor((pixels / 255).transpose(2, 0, 1)[np.newaxis]),
    "torch bfloat16": lambda path, pixels: TorchTensor(
        (pixels / 255).transpose(2, 0, 1), "torch.bfloat16"
    ),
    "torch with the channels last": lambda path, pixels: TorchTensor(pixels),
    "tensorflow": lambda path, pixels: tensorflow(pixels),
    "jax": lambda path, pixels: JaxArray(pixels),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_image_is_the_same_image(clf, path, pixels, form):
    expected = clf.predict_proba(path)

    def given():
        return FORMS[form](path, pixels)

    np.testing.assert_allclose(clf.predict_proba(given()), expected, atol=1e-5)
    np.testing.assert_allclose(clf.predict_proba([given(), given()]), [expected[0]] * 2, atol=1e-5)
    (one,) = clf.predict(given())
    assert one.probability_array == pytest.approx(expected[0], abs=1e-5)
    assert len(list(clf.predict_files(given()))) == 1


@pytest.mark.parametrize("form", FORMS)
def test_every_form_can_be_explained_and_has_neighbours(clf, data, path, pixels, form):
    given = FORMS[form](path, pixels)
    found = clf.nearest_neighbors(given, data.train, k=2)
    again = clf.nearest_neighbors(path, data.train, k=2)
    assert found.indices.tolist() == again.indices.tolist()
    if form in ("bytes", "torch", "uint16", "PIL from a file"):  # as slow as the rest is alike
        given = FORMS[form](path, pixels)
        np.testing.assert_allclose(
            clf.explain(given).heatmaps, clf.explain(path).heatmaps, atol=1e-3
        )


def test_bfloat16_has_fewer_levels_but_is_the_same_image(clf, path, pixels):
    found = clf.predict_proba(bfloat16(pixels))
    np.testing.assert_allclose(found, clf.predict_proba(path), atol=0.05)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(sorted(FORMS)), max_size=6), st.sampled_from(["list", "generator"]))
def test_any_mixture_is_answered_in_order(clf, path, pixels, forms, kind):
    mixture = [FORMS[form](path, pixels) for form in forms]
    answers = clf.predict_proba(mixture if kind == "list" else iter(mixture))
    assert answers.shape == (len(forms), 2)
    expected = clf.predict_proba(path)
    np.testing.assert_allclose(answers, np.repeat(expected, len(forms), axis=0), atol=1e-5)


def assert_same(found, expected):
    """How many images go through the network at a time may change the last bits."""
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_iterables_of_paths(clf, home, path):
    folder = path.parent
    expected = clf.predict_proba(sorted(folder.glob("*.png")))
    names = [str(one) for one in sorted(folder.glob("*.png"))]
    for source in (
        folder,
        (one for one in names),
        map(str, names),
        np.array(names),
        np.array(sorted(folder.glob("*.png")), dtype=object),
        collections.deque(names),
        tuple(names),
        iter(sorted(folder.glob("*.png"))),
    ):
        assert_same(clf.predict_proba(source), expected)
    assert len(clf.predict(folder.glob("*.png"))) == 10
    assert [one.source for one in clf.predict(map(str, names))] == names


def test_a_generator_is_read_as_its_answers_are_taken(clf, pixels):
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield pixels

    answers = clf.predict_files(endless(), batch_size=2)
    assert len(list(itertools.islice(answers, 4))) == 4
    answers.close()
    assert len(taken) < 200


def test_arrays_of_any_size(clf, rng):
    large = rng.integers(0, 256, (480, 640), dtype=np.uint8)
    as_pil = clf.predict_proba(Image.fromarray(large))
    assert_same(clf.predict_proba(large), as_pil)
    assert_same(clf.predict_proba(large[..., np.newaxis]), as_pil)
    stack = rng.integers(0, 256, (5, 30, 20, 3), dtype=np.uint8)
    one_by_one = np.concatenate([clf.predict_proba(image) for image in stack])
    assert_same(clf.predict_proba(stack), one_by_one)
    assert_same(clf.predict_proba(list(stack)), one_by_one)
    sizes = [stack[0], stack[1, :10], large]
    assert_same(clf.predict_proba(sizes), [clf.predict_proba(one)[0] for one in sizes])
    greys = rng.integers(0, 256, (7, SIDE, SIDE), dtype=np.uint8)
    assert clf.predict_proba(greys).shape == (7, 2)


def test_arrays_with_other_channels_are_as_by_path(clf, tmp_path, rng):
    """ultralytics/ultralytics#25150: RGBA and grey arrays crashed where the same file worked."""
    for channels in (1, 2, 4):
        pixels = rng.integers(0, 256, (30, 20, channels), dtype=np.uint8)
        Image.fromarray(pixels.squeeze()).save(tmp_path / f"{channels}.png")
        assert_same(clf.predict_proba(pixels), clf.predict_proba(tmp_path / f"{channels}.png"))


def test_a_mask_and_a_matrix_of_truths_are_black_and_white(clf):
    mask = np.eye(SIDE, dtype=bool)
    black_and_white = (mask * np.uint8(255)).astype(np.uint8)
    assert_same(clf.predict_proba(mask), clf.predict_proba(black_and_white))
    np.testing.assert_array_equal(
        clf.predict_proba(Image.fromarray(mask)), clf.predict_proba(black_and_white)
    )


@pytest.mark.parametrize(
    "empty",
    [[], (), np.array([]), np.empty((0, SIDE, SIDE, 3), np.uint8), np.empty((0, 9, 9, 3))],
    ids=["list", "tuple", "array", "batch", "other batch"],
)
def test_nothing_gives_an_empty_answer(clf, data, empty):
    assert clf.predict(empty) == []
    assert clf.predict_proba(empty).shape == (0, 2)
    assert list(clf.predict_files(empty)) == []
    explained = clf.explain(empty)
    assert explained.overlay().shape[0] == 0
    assert (len(explained), str(explained).startswith("grad-cam of 0 images")) == (0, True)
    assert clf.explain(empty, method="occlusion").to_dict()["images"] == []
    assert len(clf.nearest_neighbors(empty, data.train, k=3)) == 0


def test_nothing_of_a_split(clf, data):
    for nothing in (data.test[[]], data.test[np.array([])], data.test[:0]):
        assert len(nothing) == 0
        assert clf.predict(nothing) == []
    assert clf.predict(iter(())) == []


def test_an_open_file_is_left_where_it_was(clf, path):
    with path.open("rb") as file:
        file.read(7)
        first = clf.predict_proba(file)
        assert file.tell() == 7
        assert_same(clf.predict_proba(file), first)
    at_its_end = io.BytesIO()
    Image.open(path).save(at_its_end, "PNG")  # and no seek(0)
    assert_same(clf.predict_proba(at_its_end), first)


def test_a_stream_that_gives_little_at_a_time(clf, path):
    class Socket(io.RawIOBase):
        def __init__(self, content):
            self.content = content

        def read(self, size=-1):
            piece, self.content = self.content[:1000], self.content[1000:]
            return piece

    found = clf.predict_proba(Socket(path.read_bytes()))
    assert_same(found, clf.predict_proba(path))


def test_a_pil_image_is_not_changed(clf, path):
    image = Image.open(path)
    clf.predict(image)
    assert (image.size, image.mode) == ((40, 32), "RGB")
    np.testing.assert_array_equal(np.asarray(image), np.asarray(Image.open(path)))


def truncated(path):
    return Image.open(io.BytesIO(path.read_bytes()[:1500]))


def test_what_cannot_be_read_is_an_error_or_an_entry(clf, path, home):
    images = [path, truncated(path), b"no image", b"", home / "none.png", io.BytesIO(b"GIF89a")]
    skipped = []
    assert len(clf.predict(images, skipped=skipped)) == 1
    assert [str(name) for name, _ in skipped] == [
        *("source[1]", "source[2]", "source[3]", str(home / "none.png"), "source[5]")
    ]
    reasons = [reason for _, reason in skipped]
    assert reasons[0] == "damaged image (image file is truncated)."
    assert reasons[1] == "is not a JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF image."
    assert reasons[2] == "is empty (0 bytes)."
    assert reasons[3] == "there is no such file."
    with pytest.raises(ImageError) as caught:
        clf.predict(images[:2])
    assert str(caught.value) == (
        "`source[1]`: damaged image (image file is truncated). To continue without such files: "
        "predict(…, skipped=[])."
    )
    with pytest.raises(ImageError, match=r"^`source`: damaged image"):
        clf.explain(truncated(path))
    with pytest.raises(ImageError, match=r"^`source\[0\]`: damaged image \(.*\)\.$"):
        clf.explain([truncated(path)])


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        (
            "https://example.com/a/cat.jpg",
            ArgumentError,
            "`source` must be a file, not an address: download it first, or give its bytes. "
            "Received: https://example.com/a/cat.jpg",
        ),
        (
            ["s3://bucket/cat.jpg"],
            ArgumentError,
            "`source[0]` must be a file, not an address: download it first, or give its bytes. "
            "Received: s3://bucket/cat.jpg",
        ),
        (
            "data:image/png;base64,iVBOR",
            ArgumentError,
            "`source` is a text of 27 characters, which is no path. If it is an image in Base64, "
            "give base64.b64decode(…) of the part behind the comma.",
        ),
        (
            [None],
            ArgumentTypeError,
            "`source[0]` must be a path, the bytes of an image, an open file, a PIL image, an "
            "array or a tensor. Received: source[0]=None.",
        ),
        (
            np.zeros((3, 32, 40), np.uint8),
            DataError,
            "`source` must have its channels last, (N, height, width, channels) with 1 to 4 "
            "channels. Received: shape=(3, 32, 40). Its channels come first: give "
            "numpy.moveaxis(source, -3, -1).",
        ),
        (
            np.full((4, 4, 3), -1.5),
            DataError,
            "`source` must hold values from 0 to 255, or floats from 0 to 1. Received: values from "
            "-1.5 to -1.5. If they are standardised, undo that: the model does its own.",
        ),
        (
            np.full((4, 4, 3), 300),
            DataError,
            "`source` must hold values from 0 to 255, or floats from 0 to 1. Received: values from "
            "300 to 300. If white is 65535, give them as uint16.",
        ),
        (
            np.full((4, 4, 3), 200, np.uint16),
            DataError,
            "`source` is uint16, in which white is 65535, but has no value above 200. Give "
            "source.astype('uint8') if white is 255.",
        ),
        (
            np.full((4, 4, 3), np.nan),
            DataError,
            "`source` holds values that are not finite (NaN or infinity).",
        ),
        (
            np.full((4, 4, 3), 1j),
            DataError,
            "`source` must be real numbers, best as uint8 from 0 to 255. Received: "
            "dtype=complex128.",
        ),
        (
            np.zeros((2, 2, 2, 2, 2)),
            DataError,
            "`source` must have the shape (height, width), (height, width, channels) or (N, "
            "height, width, channels). Received: shape=(2, 2, 2, 2, 2).",
        ),
    ],
)
def test_what_is_no_image_is_refused_with_the_remedy(clf, data, source, kind, message):
    calls = (
        clf.predict,
        clf.predict_proba,
        clf.explain,
        lambda given: clf.nearest_neighbors(given, data.train),
    )
    for call in calls:
        with pytest.raises(kind) as caught:
            call(source)
        assert str(caught.value) == message


@pytest.mark.parametrize("source", [None, 3, 1.5, {}, {1, 2}, object(), type, lambda: 0])
def test_other_things_are_a_type_error(clf, source):
    with pytest.raises(ArgumentTypeError, match="`source` must be the path of an image or of a"):
        clf.predict(source)


def test_a_data_set_names_its_splits(clf, data):
    with pytest.raises(ArgumentTypeError, match=r"Give one of its splits, such as data\.test\.$"):
        clf.predict(data)


def test_a_file_opened_as_text_says_how_to_open_it(clf, path):
    with path.open() as file, pytest.raises(ArgumentTypeError) as caught:
        clf.predict(file)
    assert str(caught.value) == "`source` is open as text: use open(path, 'rb')."


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.recursive(
        st.one_of(
            st.none(),
            st.integers(-3, 300),
            st.floats(),
            st.text(max_size=8).filter(lambda text: "\0" not in text),
            st.binary(max_size=40),
        ),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=6,
    )
)
@example([3.4028235677973366e38])  # which float32 cannot hold
def test_whatever_comes_is_answered_or_refused_by_an_error_of_ours(clf, source):
    if isinstance(source, str) and source in ("", ".", ".."):
        return
    with contextlib.suppress(ImgclfError):
        clf.predict_proba(source)
