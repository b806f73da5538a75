"""A small classifier with each layer that imgclf knows to be harmless, as Keras would save it."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers as kl
from keras import ops

Make = Callable[[], keras.Model]

# All classifiers are for images of this size; its 192 values are given another shape within.
IMAGE = (8, 8, 3)
SEQUENCE, VIDEO = (48, 4), (4, 4, 4, 3)

# The settings of layers, by the shape that they take.
_SETTINGS: dict[tuple[int, ...], str] = {
    IMAGE: """
        ActivityRegularization AlphaDropout:rate=0.1 AutoContrast AveragePooling2D:pool_size=2
        BatchNormalization CenterCrop:height=4,width=4 ContrastLimitedAdaptiveHistogramEqualization
        Conv2D:filters=2,kernel_size=3 Conv2DTranspose:filters=2,kernel_size=3 Cropping2D
        DepthwiseConv2D:kernel_size=3 Dropout:rate=0.1 ELU Flatten GaussianDropout:rate=0.1
        GaussianNoise:stddev=0.1 GlobalAveragePooling2D GlobalMaxPooling2D
        GroupNormalization:groups=3 Identity LayerNormalization LeakyReLU MaxPooling2D Normalization
        PReLU Permute:dims=(2,1,3) RMSNormalization RandAugment RandomBrightness:factor=0.1
        AugMix RandomColorDegeneration:factor=0.1 RandomColorJitter RandomContrast:factor=0.1
        RandomCrop:height=8,width=8 RandomElasticTransform RandomErasing:factor=0.1 RandomFlip
        RandomGaussianBlur RandomGrayscale RandomHue:factor=0.1 RandomInvert RandomPerspective
        RandomPosterization:factor=4 RandomRotation:factor=0.1 RandomSaturation:factor=0.1
        RandomSharpness:factor=0.1 RandomShear RandomTranslation:height_factor=0.1,width_factor=0.1
        RandomZoom:height_factor=0.1 ReLU Rescaling:scale=2.0 Reshape:target_shape=(4,-1)
        Resizing:height=4,width=4 SeparableConv2D:filters=2,kernel_size=3 Softmax Solarization
        SpatialDropout2D:rate=0.1 UnitNormalization UpSampling2D ZeroPadding2D
        AdaptiveAveragePooling2D:output_size=2 AdaptiveMaxPooling2D:output_size=2
        Activation:activation='gelu' EinsumDense:equation='abcd,de->abce',output_shape=(8,8,2)
    """,
    SEQUENCE: """
        AdaptiveAveragePooling1D:output_size=2 AdaptiveMaxPooling1D:output_size=2
        AveragePooling1D:pool_size=2 Conv1D:filters=2,kernel_size=3
        Conv1DTranspose:filters=2,kernel_size=3 Cropping1D DepthwiseConv1D:kernel_size=3
        Dense:units=2 GRU:units=2 GlobalAveragePooling1D GlobalMaxPooling1D LSTM:units=2
        MaxPooling1D SeparableConv1D:filters=2,kernel_size=3 SimpleRNN:units=2
        SpatialDropout1D:rate=0.1 UpSampling1D ZeroPadding1D
    """,
    (192,): """
        RepeatVector:n=3 Embedding:input_dim=256,output_dim=3
        ReversibleEmbedding:input_dim=256,output_dim=3
    """,
    VIDEO: """
        AdaptiveAveragePooling3D:output_size=2 AdaptiveMaxPooling3D:output_size=2
        AveragePooling3D:pool_size=2 Conv3D:filters=2,kernel_size=2
        Conv3DTranspose:filters=2,kernel_size=2 Cropping3D ConvLSTM2D:filters=2,kernel_size=3
        GlobalAveragePooling3D GlobalMaxPooling3D MaxPooling3D SpatialDropout3D:rate=0.1
        UpSampling3D ZeroPadding3D
    """,
    (4, 16, 3): "ConvLSTM1D:filters=2,kernel_size=3",
    (2, 4, 4, 3, 2): "ConvLSTM3D:filters=1,kernel_size=2",
}


def classifier(
    *inner: keras.Layer, shape: tuple[int, ...] = IMAGE, last: keras.Layer | None = None
) -> keras.Model:
    """A classifier of images whose layers within take another shape."""
    start = [] if shape == IMAGE else [kl.Reshape(shape)]
    end = last or kl.Dense(2, activation="softmax")
    return keras.Sequential([keras.Input(IMAGE), *start, *inner, kl.Flatten(), end])


Layers = Callable[[keras.KerasTensor], keras.KerasTensor]


def graph(*makers: Layers) -> keras.Model:
    """A classifier that joins what functions such as `lambda x: x + 1` make of the images."""
    inputs = keras.Input(IMAGE)
    flat = [kl.Flatten()(make(inputs)) for make in makers]
    joined = kl.Concatenate()(flat) if len(flat) > 1 else flat[0]
    return keras.Model(inputs, kl.Dense(2, activation="softmax")(joined))


def layer_samples() -> dict[str, Layers]:
    """By the name of the layer: a function that calls a new one on a tensor of images."""
    samples: dict[str, Layers] = {}
    for shape, text in _SETTINGS.items():
        for word in text.split():
            name, _, settings = word.partition(":")
            samples[name] = lambda x, name=name, settings=settings, shape=shape: getattr(kl, name)(
                **eval(f"dict({settings})")
            )(reshaped(x, shape))
    return samples | _composed() | _merged()


def reshaped(x: keras.KerasTensor, shape: tuple[int, ...]) -> keras.KerasTensor:
    return x if shape == IMAGE else kl.Reshape(shape)(x)


def _composed() -> dict[str, Layers]:
    cells = [kl.LSTMCell, kl.GRUCell, kl.SimpleRNNCell]
    return {
        "Bidirectional": lambda x: kl.Bidirectional(kl.LSTM(2))(reshaped(x, SEQUENCE)),
        "Masking": lambda x: kl.LSTM(2)(kl.Masking()(reshaped(x, SEQUENCE))),
        "Pipeline": lambda x: kl.Pipeline([kl.Rescaling(2.0), kl.Conv2D(2, 3)])(reshaped(x, IMAGE)),
        "TimeDistributed": lambda x: kl.TimeDistributed(kl.Dense(2))(reshaped(x, SEQUENCE)),
        "SpectralNormalization": lambda x: kl.SpectralNormalization(kl.Conv2D(2, 3))(
            reshaped(x, IMAGE)
        ),
        "RNN": lambda x: kl.RNN([cell(2) for cell in cells])(reshaped(x, SEQUENCE)),
    }


def _merged() -> dict[str, Layers]:
    merging: dict[str, Callable[[], keras.Layer]] = {
        name: getattr(kl, name)
        for name in ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
    }
    merging["Dot"] = lambda: kl.Dot(axes=3)
    attending = {"Attention": kl.Attention, "AdditiveAttention": kl.AdditiveAttention}
    with_heads = {
        "MultiHeadAttention": lambda: kl.MultiHeadAttention(2, 2),
        "GroupQueryAttention": lambda: kl.GroupQueryAttention(2, 2, 1),
    }
    return (
        {name: lambda x, make=make: make()([x, kl.ReLU()(x)]) for name, make in merging.items()}
        | {name: lambda x, make=make: make()(_pair(x)) for name, make in attending.items()}
        | {name: lambda x, make=make: make()(*_pair(x)) for name, make in with_heads.items()}
    )


def _pair(x: keras.KerasTensor) -> list[keras.KerasTensor]:
    return [kl.Reshape((8, 24))(x)] * 2


def other_samples() -> dict[str, Make]:
    """What people save besides layers: quantised models, LoRA, operations, models in models."""
    return {
        **{
            f"quantised to {mode}": lambda mode=mode: _quantised(mode)
            for mode in ("int8", "int4", "float8")
        },
        "LoRA": lambda: _with_lora(kl.Dense(16)),
        "LoRA of a convolution": lambda: _with_lora(kl.Conv2D(4, 3)),
        "LoRA, then quantised": lambda: _quantised("int8", _with_lora(kl.Dense(16))),
        "casting, resizing, padding": lambda: graph(
            lambda x: ops.pad(
                ops.image.resize(ops.cast(x, "float32") / 255.0, (5, 5)),
                [[0, 0], [1, 1], [1, 1], [0, 0]],
            )
        ),
        "other operations": lambda: graph(_operations),
        "video of a model": lambda: classifier(
            kl.TimeDistributed(
                keras.Sequential([keras.Input((4, 4, 3)), kl.Conv2D(2, 3), kl.Flatten()])
            ),
            kl.Bidirectional(kl.LSTM(3, return_sequences=True)),
            kl.GRU(2),
            shape=VIDEO,
        ),
        # keras#4160 and #6481: layers that are called in turns, many times
        "shared layers in turns": lambda: graph(_in_turns),
        # keras#19326: one model that is called twice, and models on what it gives
        "shared models": lambda: graph(_shared_models),
        "given means": lambda: classifier(
            kl.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0]),
            kl.Normalization(axis=(1, 2, 3), mean=0.5, variance=2.0),
        ),
    }


def many_layers(number: int) -> keras.Model:
    """A model of convolutions in a row, each with what usually follows it."""
    blocks = [
        one
        for _ in range(number)
        for one in (kl.Conv2D(2, 3, padding="same"), kl.BatchNormalization(), kl.ReLU())
    ]
    return classifier(*blocks)


def _quantised(mode: str, model: keras.Model | None = None) -> keras.Model:
    model = model or classifier(kl.Conv2D(2, 3), kl.Flatten(), kl.Dense(16, activation="relu"))
    model.quantize(mode, filters=lambda layer: isinstance(layer, (kl.Dense, keras.Model)))
    return model


def _with_lora(layer: keras.Layer) -> keras.Model:
    model = classifier(kl.Flatten(), layer) if isinstance(layer, kl.Dense) else classifier(layer)
    layer.enable_lora(2)
    for weight in layer.trainable_weights[-2:]:
        weight.assign(ops.ones(weight.shape) / 10)
    return model


def _operations(x: keras.KerasTensor) -> keras.KerasTensor:
    x = ops.where(ops.greater(x, 3.0), x, ops.zeros_like(x))
    x = ops.concatenate([ops.flip(x, axis=1), ops.roll(x, 2, axis=2)], axis=-1)
    x = x - ops.mean(x, axis=(1, 2), keepdims=True) + ops.std(x, axis=-1, keepdims=True)
    x = ops.image.rgb_to_grayscale(x[..., :3]) + ops.swapaxes(x, 1, 2)
    x = ops.clip(ops.abs(x), 0.0, 9.0) * ops.sin(x) + ops.logsumexp(x, axis=-1, keepdims=True)
    return ops.einsum("abcd->acbd", ops.take(x, ops.array([0, 2, 5]), axis=3))


def _in_turns(x: keras.KerasTensor) -> keras.KerasTensor:
    layers = kl.Conv2D(3, 3, padding="same"), kl.LayerNormalization(), kl.ReLU(), kl.Add()
    for _ in range(30):
        *inner, add = layers
        y = x
        for layer in inner:
            y = layer(y)
        x = add([x, y])
    return x


def _shared_models(x: keras.KerasTensor) -> keras.KerasTensor:
    shared = keras.Sequential([keras.Input(IMAGE), kl.Conv2D(2, 3), kl.BatchNormalization()])
    images = keras.Input((6, 6, 2))
    split = keras.Model(images, kl.GlobalMaxPooling2D()(kl.Conv2D(2, 3)(images)))
    return kl.Concatenate()([split(shared(x)), split(shared(kl.Rescaling(2.0)(x)))])
