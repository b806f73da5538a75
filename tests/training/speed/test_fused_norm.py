import keras
import numpy as np
import pytest

from imgclf import batch_norm, build_classifier, conv, global_pool
from imgclf.training.speed.fused_norm import fused_batch_norm


def trained(norm, dtype, fused):
    """Weights after three steps of plain SGD, with or without the fused kernel."""
    keras.utils.set_random_seed(0)
    blocks = [conv(6, normalization=norm), conv(4, normalization=norm), global_pool()]
    model = build_classifier((8, 8, 3), 3, blocks, dtype=dtype)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    images, labels = rng.uniform(0, 255, (24, 8, 8, 3)).astype("float32"), rng.integers(0, 3, 24)
    if fused:
        with fused_batch_norm(model):
            model.fit(images, labels, epochs=3, batch_size=24, shuffle=False, verbose=0)
    else:
        model.fit(images, labels, epochs=3, batch_size=24, shuffle=False, verbose=0)
    return model, images


@pytest.mark.parametrize(
    "norm",
    [batch_norm(), batch_norm(scale=False, momentum=0.6), batch_norm(center=False, epsilon=1e-5)],
    ids=repr,
)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("mixed_bfloat16", 3e-2)])
def test_it_trains_as_the_layer_of_keras_does(norm, dtype, tolerance):
    ours, images = trained(norm, dtype, fused=True)
    theirs, _ = trained(norm, dtype, fused=False)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        ours.predict(images, verbose=0), theirs.predict(images, verbose=0), atol=tolerance
    )


def test_afterwards_the_layers_are_keras_own_again(tmp_path):
    model, _ = trained(batch_norm(), "float32", fused=True)
    norms = [layer for layer in model.layers if "norm" in layer.name]
    assert len(norms) == 2
    for layer in norms:
        assert type(layer) is keras.layers.BatchNormalization
        assert "call" not in vars(layer)
    model.save(tmp_path / "model.keras")
    keras.saving.load_model(tmp_path / "model.keras")


def test_an_error_in_training_gives_the_layers_back_too():
    model, _ = trained(batch_norm(), "float32", fused=False)
    with pytest.raises(ZeroDivisionError), fused_batch_norm(model):
        raise ZeroDivisionError
    assert not any("call" in vars(layer) for layer in model.layers)
