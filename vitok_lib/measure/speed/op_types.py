"""The types of work that time and operations are divided by, and the type of an operator or a kernel by its name.

On a CPU the operators of torch are what runs; on CUDA kernels are, whose names come from torch, cuBLAS, cuDNN, CUTLASS,
FlashAttention and Inductor, which names its Triton kernels after the operators that it fused.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

OperationType = Literal["linear", "attention", "convolution", "elementwise", "copy", "other"]
TYPES: tuple[OperationType, ...] = get_args(OperationType)

_OPERATORS: dict[OperationType, str] = {
    "linear": "linear matmul mm addmm bmm baddbmm mv addmv dot scaled_mm mkldnn_linear linear_pointwise",
    "attention": (
        "scaled_dot_product_attention scaled_dot_product_flash_attention "
        "scaled_dot_product_flash_attention_for_cpu scaled_dot_product_efficient_attention "
        "scaled_dot_product_cudnn_attention scaled_dot_product_attention_math flash_attention_forward "
        "efficient_attention_forward varlen_attn softmax safe_softmax"
    ),
    "convolution": (
        "conv1d conv2d conv3d conv_transpose2d convolution mkldnn_convolution convolution_pointwise "
        "cudnn_convolution thnn_conv2d slow_conv2d_forward slow_conv3d slow_conv3d_forward conv_depthwise2d"
    ),
    "elementwise": (
        "abs add addcmul amax clamp clamp_min cos div eq erf exp fused_rms_norm gelu ge group_norm gt "
        "hardtanh layer_norm le linalg_vector_norm logical_and lt masked_fill maximum mean minimum mul "
        "native_group_norm native_layer_norm ne neg pow reciprocal relu rms_norm round rsqrt sigmoid silu sin "
        "sqrt sub sum tanh var_mean where"
    ),
    "copy": (
        "cat clone constant_pad_nd contiguous copy fill flip gather index index_select pad pixel_shuffle "
        "pixel_unshuffle reflection_pad2d repeat repeat_interleave replication_pad2d replication_pad3d roll "
        "stack to to_copy upsample_nearest2d upsample_nearest_exact2d zero"
    ),
}
_TYPE_OF_OPERATOR = {name: kind for kind, names in _OPERATORS.items() for name in names.split()}

_KERNELS: tuple[tuple[OperationType, str], ...] = (
    # Inductor names a loop after all that went into it, a neighbouring matrix product or attention among them.
    ("elementwise", r"triton_(poi|red|per|mix|for)_|cpp_fused|^(residual_norm|position|gate)$"),
    ("attention", r"flash|fmha|sdpa|flex_attention|flex_decoding|softmax"),
    ("copy", r"nchwtonhwc|nhwctonchw|nhwcaddpadding"),
    ("convolution", r"conv(?!ert)|implicit|fprop|winograd|im2col|vol2col|scudnn"),
    ("linear", r"gemm|gemv|cutlass|cublas|nvjet|scaled_mm|splitk|triton_tem_|dot_kernel"),
    # A copy by torch is an elementwise kernel, too, so that copies come first.
    ("copy", r"copy|memcpy|memset|catarray|fillfunctor|_pad|gather|index_elementwise|index_select|upsample_nearest"),
    ("elementwise", r"elementwise|reduce|norm|moments|fusedparams|silu|gelu|quant"),
)
"""What is found first counts; names are compared in lower case."""


def type_of_operator(name: str) -> OperationType:
    """The type of an operator as the profiler names it on a CPU, such as ``aten::addmm`` or ``aten::add_``.

    What only views, allocates or dispatches, or is not known, is ``other``.
    """
    if "cpp_fused" in name:
        return "elementwise"
    return _TYPE_OF_OPERATOR.get(name.rpartition("::")[2].strip("_"), "other")


def type_of_kernel(name: str) -> OperationType:
    """The type of a CUDA kernel, or of a copy or fill of memory, as the profiler names it."""
    lowered = name.lower()
    return next((kind for kind, pattern in _KERNELS if re.search(pattern, lowered)), "other")
