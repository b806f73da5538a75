"""Changes one thing at a time in a preset, and trains with three seeds.

    python benchmarks/ablation.py fast --archive cifar-10-python.tar.gz

Runs with existing results are skipped, so the script can be interrupted and restarted. The changes
are defined in `variants.py`; the results go to `results/ablation-PRESET.json`, or to the given
name. Arguments after `--` are passed on to `rows/preset.py`:

    python benchmarks/ablation.py fast --name fast-few --archive … -- --images 5000
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from run import RESULTS, Row, split_at_dashes, start, store


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset")
    parser.add_argument("--archive", required=True, type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", help="these variants")
    parser.add_argument("--name", help="of the results, instead of the preset's")
    parser.add_argument("--data-name", default="CIFAR-10", help="what the archive is")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of results")
    own, passed_on = split_at_dashes(sys.argv[1:])
    options = parser.parse_args(own)
    name = f"ablation-{options.name or options.preset}"
    done = finished(options.results / f"{name}.json")
    variants = options.only or fitting_variants(options.preset, options.archive)
    for seed in options.seeds:  # all variants once, then all of them again
        for variant in [None, *variants]:
            if (variant, seed) in done:
                continue
            print(f"== {variant or 'as it is'}, seed {seed}", flush=True)
            given = ["--variant", variant] if variant else []
            arguments = [options.preset, *given, "--seed", str(seed), *passed_on]
            run = start(Row("", "preset"), arguments, options.archive, {"imgclf": sys.executable})
            if run is None:
                print("failed")
            else:
                store(name, run, options.data_name, options.results)


def finished(path: Path) -> set[tuple[str | None, int]]:
    """(variant, seed) of the runs in the file."""
    runs = json.loads(path.read_text())["runs"] if path.exists() else []
    return {(run["settings"].get("variant"), run["seed"]) for run in runs}


def fitting_variants(preset_name: str, archive: Path) -> list[str]:
    """The variants that differ from the preset, on CIFAR-10."""
    from variants import VARIANTS

    import imgclf

    data = imgclf.load_cifar10(archive=archive, validation=None)
    preset = imgclf.presets.get_preset(preset_name)
    recipe, blocks = preset.recipe(data), preset.blocks(data.image_shape)
    return [name for name, variant in VARIANTS.items() if variant.changes_anything(recipe, blocks)]


if __name__ == "__main__":
    main()
