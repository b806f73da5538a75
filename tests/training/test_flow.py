import numpy as np
import pytest

from imgclf import Augmentation, Split
from imgclf.training.loop import batches as flow


@pytest.fixture
def split():
    """Images that show their own number in one of two columns."""
    images = np.zeros((50, 2, 2, 1), np.uint8)
    images[:, :, 0, 0] = np.arange(50)[:, np.newaxis] + 1
    return Split(images, np.arange(50) % 2, ["a", "b"])


def epochs(split, flip, count, seed=0):
    """For each epoch, which images were mirrored, by their number."""
    batches = flow.shuffled(
        split,
        batch_size=10,
        seed=seed,
        epochs=range(3),
        augmentation=Augmentation(flip=flip),
        one_hot=False,
    )
    shown = np.concatenate([images.numpy() for images, _ in batches.take(5 * count)])
    mirrored = np.zeros((count, 50), bool)
    for place, image in enumerate(shown):
        mirrored[place // 50, image.max() - 1] = image[0, 0, 0] == 0
    return mirrored


def test_alternating_flips_show_each_image_both_ways_in_two_epochs(split):
    first, second, third = epochs(split, "alternate", 3)
    np.testing.assert_array_equal(first, ~second)
    np.testing.assert_array_equal(first, third)
    assert 10 < first.sum() < 40


def test_random_flips_do_not(split):
    first, second, _ = epochs(split, True, 3)
    assert (first == second).any()
    assert (first != second).any()


def test_another_seed_mirrors_others_first(split):
    assert not np.array_equal(
        epochs(split, "alternate", 1)[0], epochs(split, "alternate", 1, seed=1)[0]
    )


def test_without_flips_all_images_stay_as_they_are(split):
    assert not epochs(split, False, 2).any()
