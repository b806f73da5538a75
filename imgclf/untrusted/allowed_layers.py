"""The objects that a network from a stranger may consist of: parts of Keras that only compute.

Each is listed by the exact module and class that Keras writes. Everything else is unrecognized:
`Lambda` and wrappers of other frameworks run code, lookups read files, spectrograms compute their
filters while they are built.
"""

from __future__ import annotations

__all__ = ["ACTIVATIONS", "ALLOWED", "DTYPES", "MODELS", "UNUSUAL", "VALUES", "is_known_text"]


def _names(text: str) -> list[str]:
    return text.split()


# Models, by what Keras 3 writes for them.
MODELS = frozenset({("keras", "Sequential"), ("keras.src.models.functional", "Functional")})

_LAYERS = _names("""
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
    AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add
    AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D
    AveragePooling2D AveragePooling3D BatchNormalization Bidirectional CenterCrop Concatenate
    ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose
    Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D Dense
    DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding Equalization Flatten GRU
    GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
    GroupNormalization GroupQueryAttention Identity InputLayer LSTM LSTMCell LayerNormalization
    LeakyReLU Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum MultiHeadAttention
    Multiply Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness
    RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform
    RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert
    RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness
    RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing
    ReversibleEmbedding SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax
    Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization
    StackedRNNCells Subtract TimeDistributed UnitNormalization UpSampling1D UpSampling2D
    UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
""")
_INITIALIZERS = _names("""
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones
    Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
""")
_REGULARIZERS = ["L1", "L1L2", "L2", "OrthogonalRegularizer"]
_CONSTRAINTS = ["MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"]
# `x + y` and `keras.ops.relu(x)` in a functional model, by the module of Keras that they are in.
_OPERATIONS = {
    "core": _names("Cast SaturateCast Slice StopGradient Unstack"),
    "einops": _names("Rearrange"),
    "image": _names("""
        AffineTransform CropImages ExtractPatches GaussianBlur HSVToRGB PadImages RGBToGrayscale
        RGBToHSV Resize SobelEdges
    """),
    "linalg": _names("Norm"),
    "math": _names("Erf Logsumexp Rsqrt TopK"),
    "nn": _names("""
        AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm Celu Conv ConvTranspose
        DepthToSpace DepthwiseConv DotProductAttention Elu Gelu Glu HardShrink HardSigmoid HardSilu
        HardTanh LayerNorm LeakyRelu LogSigmoid LogSoftmax MaxPool Moments Normalize OneHot RMSNorm
        Relu Relu6 Selu SeparableConv Sigmoid Silu SoftShrink Softmax Softplus Softsign
        SpaceToDepth SparsePlus SparseSigmoid Sparsemax Squareplus TanhShrink Threshold
    """),
    "numpy": _names("""
        Abs Absolute Add All Amax Amin Any Append Arccos Arccosh Arcsin Arcsinh Arctan Arctan2
        Arctanh Argmax Argmin Argsort Average BroadcastTo Cbrt Ceil Clip Concatenate Cos Cosh
        CountNonzero Cross Cumprod Cumsum Diag Diagonal Diff Digitize Divide DivideNoNan Dot Einsum
        Equal Exp Exp2 ExpandDims Expm1 Flip Fliplr Flipud Floor FloorDivide FullLike GetItem
        Greater GreaterEqual Hstack Hypot Inner Isclose Isfinite Isinf Isnan Less LessEqual Log
        Log10 Log1p Log2 Logaddexp LogicalAnd LogicalNot LogicalOr LogicalXor Matmul Max Maximum
        Mean Median Min Minimum Mod Moveaxis Multiply NanToNum Negative NotEqual OnesLike Outer Pad
        Percentile Power Prod Quantile Ravel Reciprocal Repeat Reshape Roll Rot90 Round Sign Sin
        Sinc Sinh Sort Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take TakeAlongAxis
        Tan Tanh Tensordot Tile Trace Transpose Tril Triu TrueDivide Trunc Var Vdot Vstack Where
        ZerosLike
    """),
}
_POLICIES = _names("""
    DTypePolicy DTypePolicyMap FloatDTypePolicy Int4DTypePolicy QuantizedDTypePolicy
    QuantizedFloat8DTypePolicy
""")
_QUANTIZERS = _names("""
    AbsMaxQuantizer Float8QuantizationConfig Int4QuantizationConfig Int8QuantizationConfig
""")

ALLOWED = frozenset(
    MODELS
    | {("keras", "DTypePolicy"), ("keras", "FloatDTypePolicy")}
    | {("keras.dtype_policies", name) for name in _POLICIES}
    | {("keras.quantizers", name) for name in _QUANTIZERS}
    | {("keras.layers", name) for name in _LAYERS}
    | {("keras.initializers", name) for name in _INITIALIZERS}
    | {("keras.regularizers", name) for name in _REGULARIZERS}
    | {("keras.constraints", name) for name in _CONSTRAINTS}
    | {(f"keras.src.ops.{module}", name) for module, names in _OPERATIONS.items() for name in names}
    # Two layers of keras.applications that have no public name.
    | {
        ("keras.src.applications.convnext", "LayerScale"),
        ("keras.src.applications.inception_resnet_v2", "CustomScaleLayer"),
    }
)

# Plain values that Keras writes in the form of an object.
VALUES = frozenset({"__keras_tensor__", "__slice__", "__ellipsis__", "__numpy__", "__tensor__"})

# Settings of recurrent layers that take time or memory by the length of a sequence or a batch.
UNUSUAL = frozenset({"stateful", "unroll"})

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
    if key.endswith("activation"):
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
