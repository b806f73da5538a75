"""Shows whether the predicted probabilities can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgclf.report.charts import chart
from imgclf.report.page import Section, render

if TYPE_CHECKING:
    from markupsafe import Markup

    from imgclf.evaluation.calibration.temperature import Calibration
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["calibration"]

# Differences below this are not worth a word.
_SMALL = 0.01


def calibration(
    evaluation: Evaluation,
    calibrated: Calibration | None = None,
    temperature: float = 1.0,
    num_validation: int | None = None,
) -> Section:
    """Shows the reliability diagram, and accuracy by coverage.

    Args:
        evaluation: of the classifier as it is.
        calibrated: what a temperature would change.
        temperature: of the classifier; 1 if it is not calibrated.
        num_validation: how many validation images there are, if `calibrated` is of a sample.
    """
    charts = [_reliability(evaluation, calibrated), _coverage(evaluation)]
    return Section(
        "calibration",
        "Calibration",
        render("charts.html", charts=charts),
        "Of the predictions with 80% confidence, 80% should be correct. The mean distance from "
        f"that is {evaluation.calibration_error:.1%} (expected calibration error, 15 bins)."
        + _about_temperature(calibrated, temperature, num_validation),
    )


def _reliability(evaluation: Evaluation, calibrated: Calibration | None) -> Markup:
    confidence = float(evaluation.confidences.mean())
    gap = confidence - evaluation.accuracy
    verdict = "well calibrated on average"
    if abs(gap) > _SMALL:
        verdict = "overconfident" if gap > 0 else "underconfident"
    caption = (
        f"Mean confidence {confidence:.1%}, accuracy {evaluation.accuracy:.1%}: {verdict}. "
        "Points below the dashed line are overconfident."
    )
    drawing = evaluation.plot_calibration()
    if calibrated is not None and calibrated.is_better:
        drawing = calibrated.plot()
    return chart(drawing, "Reliability diagram", caption=caption)


def _about_temperature(
    calibrated: Calibration | None, temperature: float, num_validation: int | None
) -> str:
    if temperature != 1.0:
        return f" The classifier is calibrated: its logits are divided by {temperature:.3f}."
    if calibrated is None:
        return ""
    before, after = calibrated.before.calibration_error, calibrated.after.calibration_error
    if not calibrated.is_better or before - after < _SMALL:
        return " A temperature fitted on the validation images would hardly change that."
    fitted_on = f"{calibrated.num_images:,}"
    if num_validation is not None and num_validation > calibrated.num_images:
        fitted_on = f"a random sample of {fitted_on} of {num_validation:,}"
    return (
        f" A temperature of {calibrated.temperature:.2f}, fitted on {fitted_on} validation images, "
        f"would reduce it to {after:.1%} and change no prediction: "
        "clf.calibrate(data.validation)."
    )


def _coverage(evaluation: Evaluation) -> Markup:
    curve = evaluation.coverage_curve()
    accuracy = curve.accuracy_at(0.5)
    return chart(
        curve.plot(),
        "Accuracy by coverage",
        caption="Accuracy if the least confident images are left unanswered: "
        f"{accuracy:.1%} on the more confident half, {evaluation.accuracy:.1%} on all images.",
    )
