"""The scripts of benchmarks/: the page matches the result files; results are stored and resumed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


def run_of(seed, accuracy, **more):
    return {
        "seed": seed,
        "settings": {},
        "data": "CIFAR-10",
        "date": "2026-11-24",
        "python": "3.11.7",
        "versions": {"imgclf": "0.1.0"},
        "processor": "a processor",
        "cores": 2,
        "load_average": [0.1, 0.2, 0.3],
        "test_accuracy": accuracy,
        "seconds": 100.0 + seed,
        "seconds_with_evaluations": 120.0,
        "seconds_to_first_step": 9.0,
        "images_per_second": 1000.0,
        "peak_memory_mb": 900,
        "curve": [[50.0, accuracy - 0.1], [100.0 + seed, accuracy]],
        **more,
    }


def test_the_committed_page_matches_the_result_files():
    done = subprocess.run(
        [sys.executable, FOLDER / "page.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_page_lists_each_run_with_mean_and_spread(tmp_path):
    from page import page
    from result_files import read
    from run import store

    for seed, accuracy in ((0, 0.90), (1, 0.92)):
        store("fast", run_of(seed, accuracy), "CIFAR-10", tmp_path)
    text = page(read(tmp_path))
    assert "| imgclf fast | 2 | 91.0% ± 1.41% | – | 100 ± 1 | 9.0 | 1,000 | 900 |" in text
    assert "| imgclf fast | 0 | 90.00% | 100.0 | 120.0 | 900 MB | 0.1 | 2026-11-24 |" in text
    assert "| imgclf fast | 1 | 92.00% | 101.0 | 120.0 | 900 MB | 0.1 | 2026-11-24 |" in text
    assert "`fast`," not in text.split("## Not measured yet")[1]


def test_the_page_shows_the_time_to_the_accuracy_of_a_peer(tmp_path):
    from page import page
    from result_files import read
    from run import store

    store("quick", run_of(0, 0.75, seconds=20.0, curve=[[20.0, 0.75]]), "CIFAR-10", tmp_path)
    for seed, seconds in enumerate((100.0, 120.0)):
        curve = [[seconds / 2, 0.8], [seconds, 0.9]]
        store("fast", run_of(seed, 0.9, seconds=seconds, curve=curve), "CIFAR-10", tmp_path)
    for peer, accuracy, seconds in (
        ("keras-convnet", 0.7, 200.0),
        ("keras-tutorial", 0.8, 44.0),
        ("airbench-muon", 0.93, 500.0),
    ):
        store(peer, run_of(0, accuracy, seconds=seconds), "CIFAR-10", tmp_path)
    text = page(read(tmp_path))
    assert "| Keras, example convnet | 70.0% | 200 | imgclf quick | 20 | 10.0 |" in text
    assert "| Keras, the tutorial's network | 80.0% | 44 | imgclf fast | 55 | 0.8 |" in text
    assert "| airbench94 (Muon), PyTorch | 93.0% | 500 | none | – | – |" in text
    assert "Why airbench94 is faster" not in text
    store("airbench-muon", run_of(0, 0.9, seconds=50.0), "CIFAR-10", tmp_path)
    text = page(read(tmp_path))
    assert "| airbench94 (Muon), PyTorch | 90.0% | 50 | imgclf fast | 110 | 0.5 |" in text
    assert "Why airbench94 is faster" in text


def test_the_title_of_a_variant_starts_with_that_of_its_row():
    from result_files import title

    assert title("fast-float32") == "imgclf fast, float32"
    assert title("accurate-long") == "imgclf accurate, epochs × 3"
    assert title("of-no-row") == "of-no-row"


def test_the_page_shows_the_effect_of_each_variant(tmp_path):
    from page import page
    from result_files import read
    from run import store

    shortened = {"preset": "fast", "epochs_times": 0.5, "images": 5000}
    store("ablation-few", run_of(0, 0.90, settings=shortened), "CIFAR-10", tmp_path)
    without = run_of(0, 0.88, settings={**shortened, "variant": "no flips"})
    store("ablation-few", without, "CIFAR-10", tmp_path)
    text = page(read(tmp_path))
    assert "## Ablation of `fast`, epochs × 0.5, 5,000 training and test images\n" in text
    assert "| no flips | 88.00% | -2.00 points | 100 | 88.00% |" in text


def test_runs_on_another_processor_have_their_own_section(tmp_path):
    from page import on_another_processor
    from result_files import read
    from run import store

    store("quick", run_of(0, 0.75, seconds=40.0, instructions="avx2"), "CIFAR-10", tmp_path)
    store("seed2017", run_of(0, 0.68, seconds=800.0, instructions="avx2"), "CIFAR-10", tmp_path)
    text = on_another_processor(read(tmp_path))
    assert text.startswith("## Another processor: avx2\n\na processor, avx2, 2 cores:\n\n| row |")
    assert "A whole run of `seed2017` takes 20.0 times as long as one of `quick`." in text
    assert "\n### All runs\n" in text
    assert text.count("\n## ") == 0


def test_searches_are_compared_with_other_tools(tmp_path):
    from page import page
    from result_files import read
    from run import store

    ours = {"trials": [{}] * 12, "overrun": -0.026, "overhead": 0.004}
    retrained = {"winner_trained_anew": {"test_accuracy": 0.907, "seconds": 308.4}}
    tutorial = {"seed2017": {"test_accuracy": 0.681, "seconds": 323.0}}
    nothing = {"winner_trained_anew": None, "seed2017": {"seconds": 0.0}}
    store("search-20", run_of(0, 0.867, **ours, **retrained, **tutorial), "CIFAR-10", tmp_path)
    store("search-20-random", run_of(0, 0.864, **ours, **nothing), "CIFAR-10", tmp_path)
    store("autokeras", run_of(0, 0.711, trials=1), "CIFAR-10", tmp_path)
    text = page(read(tmp_path)).split("## A search within a time")[1]
    assert (
        "| imgclf search, 20 minutes | 0 | 12 | 86.7% | 90.7% in 308 s | 68.1% in 323 s "
        "| +22.6 points | -2.6% | 0.4% |\n"
        "| random search over the same space | 0 | 12 | 86.4% | – | – | – | -2.6% | 0.4% |\n"
        "| AutoKeras | 0 | 1 | 71.1% | – | – | – | – | – |\n"
    ) in text


def test_gradients_on_small_maps_are_compared_round_by_round(tmp_path):
    from page import on_another_processor
    from result_files import read
    from run import store

    rounds = {"tensorflow": [100.0, 50.0, 80.0], "products": [110.0, 75.0, 96.0]}
    run = run_of(0, 0.0, instructions="amx_bf16", rounds=rounds)
    del run["test_accuracy"]  # such a row trains nothing
    store("small-maps-fast", run, "CIFAR-10", tmp_path)
    text = on_another_processor(read(tmp_path))
    line = "| imgclf fast | 80 | 96 | 1.20 (1.10 to 1.50) | 3 | 2026-11-24 |"
    assert "\n### Gradients on small maps\n" in text
    assert line in text
    assert "with TTA" not in text  # no table of accuracies without one


def test_the_page_shows_the_cost_of_an_evaluation():
    from page import page

    row = {"median_seconds": 2.5, "times_of_prediction": 1.08, "range": [1.05, 1.1], "rounds": 5}
    machine = {"processor": "a processor", "cores": 2, "date": "2026-11-26"}
    text = page({}, evaluated={**machine, "presets": {"quick": {"evaluate": row}}})
    assert "a processor, 2 cores, on 2026-11-26." in text
    assert "| `quick` | evaluate | 2.50 | 1.08 (1.05 to 1.10) |" in text


def test_a_run_with_the_same_seed_replaces_the_older_one(tmp_path):
    from run import store

    for accuracy in (0.1, 0.2):
        store("row", run_of(3, accuracy), "CIFAR-10", tmp_path)
    runs = json.loads((tmp_path / "row.json").read_text())["runs"]
    assert [run["test_accuracy"] for run in runs] == [0.2]


def test_an_ablation_finds_its_finished_runs(tmp_path):
    from ablation import finished
    from run import store

    path = tmp_path / "ablation-fast.json"
    assert finished(path) == set()
    store("ablation-fast", run_of(0, 0.9), "CIFAR-10", tmp_path)
    store("ablation-fast", run_of(1, 0.9, settings={"variant": "no flips"}), "CIFAR-10", tmp_path)
    assert finished(path) == {(None, 0), ("no flips", 1)}


def test_variants_that_would_not_change_a_preset_are_recognised():
    from variants import VARIANTS

    from imgclf import Augmentation, Recipe, conv_maxpool, flatten, residual

    recipe = Recipe(label_smoothing=0.1, augmentation=Augmentation(flip=True))
    blocks = [conv_maxpool(8, normalization="batch"), residual([conv_maxpool(8)]), flatten()]
    fitting = {name for name, change in VARIANTS.items() if change.changes_anything(recipe, blocks)}
    assert {"no flips", "no label smoothing", "no way around"} <= fitting
    assert fitting.isdisjoint({"no shifts", "flips at random, not alternating"})
    assert VARIANTS["no way around"].blocks(blocks) == [blocks[0], conv_maxpool(8), flatten()]


def test_averaging_over_views_is_exact_if_all_views_agree(rng):
    from views import averaged_accuracy

    images = np.repeat(rng.integers(0, 256, (20, 1, 1, 3)), 8, axis=1).repeat(8, axis=2)
    labels = images[:, 0, 0].argmax(axis=1)
    assert averaged_accuracy(lambda view: view.mean(axis=(1, 2)), images, labels) == 1.0
    assert averaged_accuracy(lambda view: -view.mean(axis=(1, 2)), images, labels) < 1.0


def test_the_peers_read_the_archive_as_imgclf_does(tiny_cifar10):
    from cifar10 import load

    import imgclf

    ours = imgclf.load_cifar10(archive=tiny_cifar10, validation=None)
    theirs = load(str(tiny_cifar10))
    assert np.array_equal(ours.train.images, theirs.train_images)
    assert np.array_equal(ours.test.labels, theirs.test_labels)


def test_the_plot_is_reproducible(tmp_path):
    from curves import draw

    rows = {"fast": [run_of(0, 0.9), run_of(1, 0.91)], "keras-convnet": [run_of(0, 0.9)]}
    draw(rows, tmp_path / "a.svg")
    draw(rows, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_row_without_its_interpreter_states_the_reason():
    from run import ROWS, why_not

    assert why_not(ROWS["airbench-muon"], {"imgclf": sys.executable}) == (
        "no interpreter was given: --python torch=…/bin/python"
    )
    assert why_not(ROWS["airbench-muon"], {"torch": "/nowhere/python"}).startswith("[Errno 2]")


def test_each_variant_of_fast_changes_the_network_or_recipe_and_fits():
    from variants import VARIANTS

    import imgclf

    preset = imgclf.presets.get_preset("fast")
    recipe, blocks = preset.base_recipe, preset.blocks((32, 32, 3))
    for name, variant in VARIANTS.items():
        assert variant.changes_anything(recipe, blocks), name
        recipe.replace(**variant.recipe_changes(recipe))
        changed = variant.blocks(blocks) if variant.blocks else blocks
        imgclf.describe(changed, (32, 32, 3), 10)


def test_presets_and_readme_state_the_measured_accuracies():
    from result_files import mean, read

    import imgclf

    readme = (FOLDER.parent / "README.md").read_text()
    rows = read(FOLDER / "results")
    for name, preset in imgclf.presets.PRESETS.items():
        accuracy = f"{mean(rows[name], 'test_accuracy'):.1%}"
        assert accuracy in preset.measured
        assert f"{len(rows[name])} run" in preset.measured
        assert name == "seed2017" or accuracy in readme
    for name in ("winner_trained_anew", "seed2017"):
        trainings = [run[name] for run in rows["search-20"]]
        assert f"reaches {mean(trainings, 'test_accuracy'):.1%}" in " ".join(readme.split())


def test_the_check_of_messy_photos_counts_found_and_missed_faults(tmp_path, rng, capsys):
    from messy_photos import check, write
    from photo_making import scene

    import imgclf

    images = np.stack([np.asarray(scene(rng, (32, 32))) for _ in range(400)])
    split = imgclf.Split(images, np.arange(400) % 2, ["cat", "dog"])
    write(tmp_path / "messy", split, 400, seed=0)
    assert check(tmp_path / "messy") == 0
    printed = capsys.readouterr().out
    for line in (
        "broken        planted    4  found    4",
        "two-labels    planted    2  found    2",
    ):
        assert f"{line}  others    0\n" in printed

    (tmp_path / "messy" / "cat" / "extra.jpg").touch()
    assert check(tmp_path / "messy") == 1
    assert "  not planted: cat/extra.jpg\n" in capsys.readouterr().out
    (tmp_path / "messy" / "cat" / "extra.jpg").unlink()
    next((tmp_path / "messy").rglob("broken0000.*")).unlink()
    assert check(tmp_path / "messy") == 1
    assert "found    3  others    0\n  missed: " in capsys.readouterr().out
