"""An imgclf preset, through the public API."""

from __future__ import annotations

import ast
import dataclasses
import math
from typing import Any

from recorder import Recorder, arguments

import imgclf


def main() -> None:
    options = _options()
    recorder = Recorder(options)
    tail = "per-batch-tail" if options.tutorial_split else None
    data = imgclf.load_cifar10(archive=options.archive, validation=tail)
    # The tutorial's validation images are left out: validating would take time.
    data = dataclasses.replace(
        data,
        train=data.train[: options.images],
        validation=None,
        test=data.test[: options.images],
    )
    clf = _classifier(options, data)

    from keras_curve import Curve  # imports Keras, which imgclf has to configure first

    def evaluate() -> float:
        return float((clf.predict_proba(data.test).argmax(axis=1) == data.test.labels).mean())

    curve = Curve(recorder, evaluate)
    clf.fit(data, callbacks=[curve], verbose=0)
    with recorder.evaluating():
        evaluation = clf.evaluate(data.test)
    recorder.point(evaluation.accuracy)
    recorder.finish(
        images=curve.images(clf.recipe.batch_size, len(data.train) * clf.recipe.epochs),
        test_accuracy_interval=[round(end, 4) for end in evaluation.accuracy_interval],
        test_accuracy_averaged=_averaged(clf, data.test) if options.averaged else None,
        recipe=clf.recipe.to_dict(),
        dtype_policy=clf.model.layers[len(clf.model.layers) // 2].dtype_policy.name,
        parameters=clf.model.count_params(),
        macs=imgclf.describe(clf).macs,
    )


def _options() -> Any:
    parser = arguments(__doc__)
    parser.add_argument("preset")
    parser.add_argument(
        "--change", nargs="*", default=[], metavar="FIELD=VALUE", help="of the Recipe"
    )
    parser.add_argument("--epochs", type=int, help="instead of the preset's")
    parser.add_argument("--epochs-times", type=float, help="a multiple of the preset's")
    parser.add_argument("--variant", help="one of variants.py")
    parser.add_argument("--tutorial-split", action="store_true", help="45,000 training images")
    parser.add_argument("--averaged", action="store_true", help="also with test-time augmentation")
    return parser.parse_args()


def _classifier(options: Any, data: imgclf.Dataset) -> imgclf.Classifier:
    presets = imgclf.presets.PRESETS
    preset = imgclf.presets.get_preset(options.preset)
    changes: dict[str, Any] = {"seed": options.seed}
    if options.epochs:
        changes["epochs"] = options.epochs
    if options.epochs_times:
        changes["epochs"] = math.ceil(preset.recipe(data).epochs * options.epochs_times)
    for change in options.change:
        field, _, value = change.partition("=")
        changes[field] = _value(value)
    if options.variant:
        from variants import VARIANTS

        variant = VARIANTS[options.variant]
        changes |= variant.recipe_changes(preset.recipe(data))
        if variant.blocks:
            make, change = preset.make_blocks, variant.blocks
            presets[options.preset] = dataclasses.replace(
                preset, make_blocks=lambda shape: change(make(shape))
            )
    return imgclf.Classifier.from_preset(options.preset, data, **changes)


def _value(text: str) -> Any:
    """`0.1`, `None` and `{'flip': False}` as in Python; anything else is a string."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def _averaged(clf: imgclf.Classifier, test: imgclf.Split) -> float:
    from views import averaged_accuracy

    return averaged_accuracy(clf.predict_proba, test.images, test.labels)


if __name__ == "__main__":
    main()
