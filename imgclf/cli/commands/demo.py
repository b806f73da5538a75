"""`imgclf demo`: trains, evaluates and predicts on images that come with scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgclf.cli.outputs import echo_written, write_figure
from imgclf.cli.path_types import OutputFolder
from imgclf.cli.quiet import load_tensorflow
from imgclf.typing import Axes, Figure

if TYPE_CHECKING:
    from imgclf.data.split import Split

__all__ = ["demo"]

# Test images predicted at the end, evenly spread over the split.
_SHOWN = 5

_NEXT = """\
What to do next:
  imgclf train cifar10                      60,000 images of ten classes; downloads 170 MB
  imgclf train photos/                      your own photos, a folder for each class
  python -c "import imgclf; help(imgclf)"   the same in Python"""


@click.command()
@click.option(
    "--out",
    type=OutputFolder(),
    default="imgclf-demo",
    show_default=True,
    help="Folder for the files.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Default: the preset's.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def demo(out: Path, epochs: int | None, seed: int) -> None:
    """Train, evaluate and predict on scanned digits.

    The images are the 1,797 scans of 8×8 pixels that come with scikit-learn: no network
    connection is needed.
    """
    import imgclf

    data = imgclf.load_digits()
    click.echo(repr(data))
    load_tensorflow()
    changes: dict[str, Any] = {"seed": seed} | ({"epochs": epochs} if epochs else {})
    classifier = imgclf.Classifier.from_preset("fast", data, **changes)
    classifier.fit(data)

    assert data.test is not None  # noqa: S101 - load_digits() has a test split
    evaluation = classifier.evaluate(data.test)
    click.echo(f"\nOn the test images: {str(evaluation).splitlines()[0]}\n")
    figures: dict[str, Axes | Figure] = {
        "confusion.png": evaluation.plot_confusion(),
        "mistakes.png": evaluation.plot_mistakes(),
        "predictions.png": evaluation.plot_predictions(n=4, seed=seed),
    }
    written = [write_figure(out / name, figure) for name, figure in figures.items()]
    model = out / "digits.keras"
    classifier.save(model)
    _predict_again(model, data.test)

    echo_written([*written, model])
    click.echo(f"\n{_NEXT}")


def _predict_again(model: Path, test: Split) -> None:
    """Loads the file and predicts a few test images."""
    import imgclf

    chosen = test[:: len(test) // _SHOWN][:_SHOWN]
    click.echo(f"Loaded {model}; predictions of {_SHOWN} test images:")
    predictions = imgclf.load(model).predict(chosen)
    for label, prediction in zip(chosen.labels, predictions, strict=True):
        name, probability = prediction
        click.echo(f"  {name} ({probability:.1%}), true class {test.class_names[label]}")
