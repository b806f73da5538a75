"""The guard around the building of a network that is loaded holds for its own thread only."""

import threading

import keras
import numpy as np
import pytest

from imgclf.untrusted.building import building_within
from imgclf.untrusted.errors import UnsafeFileError


def in_a_thread(work):
    """What `work()` gives in a thread of its own, or the error that it raises."""
    results = []

    def run():
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    return results[0]


def ones(side):
    layer = keras.layers.Dense(side, kernel_initializer="ones")
    layer.build((None, side))
    return np.asarray(layer.kernel)


def test_another_thread_builds_what_it_likes_meanwhile():
    with building_within([]):
        kernel = in_a_thread(lambda: ones(20))
        huge = in_a_thread(lambda: keras.KerasTensor((10**6, 10**6)).shape)
    np.testing.assert_array_equal(kernel, np.ones((20, 20)))  # not zeros, as a load begins with
    assert huge == (10**6, 10**6)
    with (
        pytest.raises(UnsafeFileError, match="more than the 16,777,216 bytes"),
        building_within([]),
    ):
        ones(2100)


def test_a_second_load_waits_and_then_has_a_bound_of_its_own():
    add_weight = keras.layers.Layer.add_weight
    inside, leave = threading.Event(), threading.Event()

    def load():
        with building_within([]):
            inside.set()
            leave.wait(60)

    first = threading.Thread(target=load)
    first.start()
    assert inside.wait(60)
    second = threading.Thread(target=lambda: in_a_thread(load))
    inside.clear()
    second.start()
    assert not inside.wait(0.2)  # it has to wait
    leave.set()
    assert inside.wait(60)
    first.join(60)
    second.join(60)
    assert keras.layers.Layer.add_weight is add_weight  # Keras is as it was
