"""`imgclf demo`: the whole path on images that come with scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli.outputs import write_figure
from imgclf.cli.quiet import load_tensorflow

if TYPE_CHECKING:
    from imgclf.data.dataset import Dataset

__all__ = ["demo"]

# Test images shown at the end, evenly spread over the split.
_SHOWN = 5

_NEXT = """\
What to do next:
  imgclf train cifar10                      60,000 photos of ten kinds; downloads 170 MB
  imgclf train photos/                      photos of your own: a folder for each class
  python -c "import imgclf; help(imgclf)"   the same from Python; the guides are in docs/"""


@click.command()
@click.option("--out", default="imgclf-demo", show_default=True, help="Folder for the files.")
@click.option("--epochs", type=click.IntRange(min=1), help="The preset's own if left out.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def demo(out: str, epochs: int | None, seed: int) -> None:
    """Train on scanned digits, evaluate, draw, save, load and predict: no network needed.

    The images are the 1,797 scans of 8×8 pixels that come with scikit-learn.
    """
    import imgclf

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    data = imgclf.load_digits()
    click.echo(repr(data))
    load_tensorflow()
    changes: dict[str, Any] = {"seed": seed} | ({"epochs": epochs} if epochs else {})
    classifier = imgclf.Classifier.from_preset("fast", data, **changes)
    classifier.fit(data)

    evaluation = classifier.evaluate(data.test)
    click.echo(f"\nOn the test images: {str(evaluation).splitlines()[0]}\n")
    figures = {
        "confusion.png": evaluation.plot_confusion(),
        "mistakes.png": evaluation.plot_mistakes(),
        "predictions.png": evaluation.plot_predictions(n=4, seed=seed),
    }
    written = [write_figure(folder / name, figure) for name, figure in figures.items()]
    model = folder / "digits.keras"
    classifier.save(model)
    _predict_again(model, data)

    click.echo("\nWritten:")
    for path in [*written, model]:
        click.echo(f"  {path}")
    click.echo(f"\n{_NEXT}")


def _predict_again(model: Path, data: Dataset) -> None:
    """Shows that the file alone is enough: loads it and predicts a few test images."""
    import imgclf

    assert data.test is not None  # noqa: S101 - load_digits() sets images aside
    chosen = data.test[:: len(data.test) // _SHOWN][:_SHOWN]
    click.echo(f"Loaded {model} again; it says of {_SHOWN} test images:")
    predictions = imgclf.load(model).predict(chosen)
    for label, prediction in zip(chosen.labels, predictions, strict=True):
        name, probability = prediction
        click.echo(f"  {name} ({probability:.1%}), in truth {data.class_names[label]}")
