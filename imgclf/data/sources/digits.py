"""The digits data set: 1,797 scans of handwritten digits, 8×8 pixels, without a download.

They are part of scikit-learn.

Source: the test part of E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI
Machine Learning Repository, 1998, as in `sklearn.datasets.load_digits`.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from imgclf.data.dataset import Dataset, SplitChoice
from imgclf.data.known_images import SplitLikeChoice
from imgclf.data.loading_code import records_code

__all__ = ["load_digits"]

# Values count the dark pixels in squares of 4×4: 0 to 16.
_DARKEST = 16


@records_code
def load_digits(
    validation: SplitChoice = 0.1,
    test: SplitChoice = 0.2,
    seed: int = 0,
    split_like: SplitLikeChoice = None,
) -> Dataset:
    """Loads the handwritten digits 0 to 9 that come with scikit-learn.

    Args:
        validation: the fraction of the images (0 to below 1) for validation, stratified by class;
            or None.
        test: the same for the test split.
        seed: decides which images are in which split.
        split_like: the run folder of a training whose splits are taken, as in
            `Dataset.from_arrays`.

    Returns:
        The data set: images (N, 8, 8, 1) uint8 from 0 (paper) to 255 (ink).

    Raises:
        ArgumentError: if `validation`, `test` or `seed` is not as above.

    Example:
        >>> data = load_digits()
        >>> data.image_shape, data.num_classes, len(data.train)
        ((8, 8, 1), 10, 1259)
    """
    from sklearn import datasets

    scans = datasets.load_digits()
    images = np.rint(scans.images * (255 / _DARKEST)).astype(np.uint8)
    names = [str(digit) for digit in range(10)]
    data = Dataset.from_arrays(
        images,
        scans.target,
        validation=validation,
        test=test,
        class_names=names,
        seed=seed,
        name="digits",
        split_like=split_like,
    )
    note = "A mirrored digit means something else: presets do not mirror these images."
    return dataclasses.replace(data, notes=(note,), flip_safe=False)
