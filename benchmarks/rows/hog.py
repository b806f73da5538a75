"""scikit-learn without a network: histograms of oriented gradients, then a classifier.

`kernel` approximates a support vector machine with a Gaussian kernel (Nyström) on the descriptors;
`boosting` is `HistGradientBoostingClassifier` on their principal components.
"""

from __future__ import annotations

from typing import Any

import cifar10
import numpy as np
from recorder import Recorder, arguments


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--classifier", choices=("kernel", "boosting"), default="kernel")
    parser.add_argument("--components", type=int, default=3000, help="of the kernel's map")
    options = parser.parse_args()
    recorder = Recorder(options)
    data = cifar10.load(options.archive, options.images)
    train = descriptors(data.train_images)
    model = classifier(options)
    model.fit(train, data.train_labels)
    with recorder.evaluating():
        accuracy = model.score(descriptors(data.test_images), data.test_labels)
    recorder.point(accuracy)
    recorder.finish()


def descriptors(images: np.ndarray) -> np.ndarray:
    """(N, features) float32: HOG of the strongest colour channel, and 4×4 mean colours."""
    from joblib import Parallel, delayed

    blocks = np.array_split(images, max(1, len(images) // 500))
    rows = Parallel(n_jobs=-1)(delayed(_describe)(block) for block in blocks)
    colours = images.reshape(-1, 4, 8, 4, 8, 3).mean(axis=(2, 4)) / 255
    return np.concatenate([np.concatenate(rows), colours.reshape(len(images), -1)], axis=1)


def _describe(images: np.ndarray) -> np.ndarray:
    from skimage.feature import hog

    settings = {
        "orientations": 9,
        "pixels_per_cell": (4, 4),
        "cells_per_block": (2, 2),
        "channel_axis": -1,
    }
    return np.stack([hog(image, **settings) for image in images]).astype(np.float32)


def classifier(options: Any) -> Any:
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    reduced = PCA(n_components=150, random_state=options.seed)
    if options.classifier == "boosting":
        from sklearn.ensemble import HistGradientBoostingClassifier

        return make_pipeline(reduced, HistGradientBoostingClassifier(random_state=options.seed))
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import RidgeClassifier

    return make_pipeline(
        reduced,
        StandardScaler(),
        Nystroem(gamma=0.003, n_components=options.components, random_state=options.seed),
        RidgeClassifier(alpha=0.1),
    )


if __name__ == "__main__":
    main()
