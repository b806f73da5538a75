import pytest

import imgclf
from imgclf import Recipe, conv, errors, global_pool
from imgclf.training.speed.precision import dtype_policy, has_fast_bfloat16


def test_bfloat16_is_read_off_the_processor(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nflags : fpu avx512f avx512_bf16\n")
    assert has_fast_bfloat16(cpuinfo)
    cpuinfo.write_text("processor : 0\nflags : fpu avx2\n")
    assert not has_fast_bfloat16(cpuinfo)


def test_where_nothing_is_listed_both_are_timed_once(tmp_path):
    first = has_fast_bfloat16(tmp_path / "none")
    assert first in (True, False)
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nFeatures : fp asimd bf16\n")  # as Linux on ARM says it
    assert has_fast_bfloat16(cpuinfo) is first


def test_a_given_precision_is_taken_as_it_is():
    assert dtype_policy("float32") == "float32"
    assert dtype_policy("bfloat16") == "mixed_bfloat16"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_says_in_its_first_line_what_it_computes_in(precision, capsys):
    data = imgclf.load_digits()
    recipe = Recipe(epochs=1, precision=precision)
    clf = imgclf.Classifier.from_blocks([conv(4), global_pool()], data, recipe)
    clf.fit(data, verbose=2)
    first = capsys.readouterr().err.splitlines()[0]
    assert first == f"1 × 10 steps of 128 images, computing in {precision}"
    dtypes = {layer.compute_dtype for layer in clf.model.layers}
    assert precision in dtypes


def test_an_unknown_precision_is_refused():
    with pytest.raises(errors.ArgumentError, match="`precision` must be one of"):
        Recipe(precision="float8")
