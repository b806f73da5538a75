"""The objects that a network from a stranger may consist of: parts of Keras that only compute.

Each is listed by the exact module and class that Keras writes. Everything else is unrecognized:
`Lambda` and wrappers of other frameworks run code, lookups read files, recurrent layers can be
unrolled without end.
"""

from __future__ import annotations

__all__ = ["ACTIVATIONS", "ALLOWED", "DTYPES", "MODELS", "VALUES", "is_known_text"]


def _names(text: str) -> list[str]:
    return text.split()


# Models, by what Keras 3 writes for them.
MODELS = frozenset({("keras", "Sequential"), ("keras.src.models.functional", "Functional")})

_LAYERS = _names("""
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D Add AdditiveAttention AlphaDropout Attention
    AutoContrast Average AveragePooling1D AveragePooling2D BatchNormalization CenterCrop
    Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Cropping1D Cropping2D Dense
    DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding Equalization Flatten
    GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalMaxPooling1D GlobalMaxPooling2D GroupNormalization GroupQueryAttention Identity
    InputLayer LayerNormalization LeakyReLU MaxPooling1D MaxPooling2D Maximum Minimum
    MultiHeadAttention Multiply Normalization PReLU Permute RMSNormalization RandomBrightness
    RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomErasing RandomFlip
    RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective
    RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear
    RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing SeparableConv1D
    SeparableConv2D Softmax Solarization SpatialDropout1D SpatialDropout2D Subtract
    UnitNormalization UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D
""")
_INITIALIZERS = _names("""
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones
    Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
""")
_REGULARIZERS = ["L1", "L1L2", "L2", "OrthogonalRegularizer"]
_CONSTRAINTS = ["MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"]
_ARITHMETIC = _names("""
    Absolute Add Average Clip Concatenate Divide Exp ExpandDims GetItem Log Matmul Max Maximum Mean
    Min Minimum Moveaxis Multiply Negative Power Reciprocal Reshape Sqrt Square Squeeze Stack
    Subtract Sum Tanh Transpose TrueDivide
""")
_FUNCTIONS = _names("""
    AveragePool Celu Elu Gelu HardSigmoid HardSilu HardTanh LeakyRelu LogSoftmax MaxPool Relu Relu6
    Selu Sigmoid Silu Softmax Softplus Softsign
""")

ALLOWED = frozenset(
    MODELS
    | {("keras", "DTypePolicy"), ("keras", "FloatDTypePolicy")}
    | {("keras.layers", name) for name in _LAYERS}
    | {("keras.initializers", name) for name in _INITIALIZERS}
    | {("keras.regularizers", name) for name in _REGULARIZERS}
    | {("keras.constraints", name) for name in _CONSTRAINTS}
    # `x + y` and `keras.ops.relu(x)` in a functional model.
    | {("keras.src.ops.numpy", name) for name in _ARITHMETIC}
    | {("keras.src.ops.nn", name) for name in _FUNCTIONS}
    # Two layers of keras.applications that have no public name.
    | {
        ("keras.src.applications.convnext", "LayerScale"),
        ("keras.src.applications.inception_resnet_v2", "CustomScaleLayer"),
    }
)

# Plain values that Keras writes in the form of an object.
VALUES = frozenset({"__keras_tensor__", "__slice__", "__ellipsis__", "__numpy__", "__tensor__"})

ACTIVATIONS = frozenset(
    _names("""
        celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
        leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink
        softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh
        tanh_shrink threshold
    """)
)
DTYPES = frozenset(
    _names("""
        bfloat16 bool float16 float32 float64 int16 int32 int64 int8 mixed_bfloat16 mixed_float16
        uint16 uint32 uint64 uint8
    """)
)


def is_known_text(key: str, text: str) -> bool:
    """Whether a text may stand under this key of a layer's settings.

    Texts under most keys are names or modes, which Keras checks; some name what is to be built.
    """
    if key == "activation":
        return text in ACTIVATIONS
    if key == "dtype":
        return text in DTYPES
    plain = text.replace("_", "").lower()
    for ending, names in (
        ("_initializer", _INITIALIZERS),
        ("_regularizer", _REGULARIZERS),
        ("_constraint", _CONSTRAINTS),
    ):
        if key.endswith(ending):
            return plain in {name.lower() for name in names}
    return True
