"""Matrix products in 8-bit floats with a scale for each row, of the activations and of the weights alike.

Weights are rounded once, activations as they come: each row is divided by its largest magnitude over 448, so that an
outlier costs its own row alone (Micikevicius et al. 2022, E4M3). The product is torch's scaled matmul, which sums in
higher precision and multiplies the scales back.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vitok_lib.errors import RequestError

FLOAT8 = torch.float8_e4m3fn
LARGEST = torch.finfo(FLOAT8).max
"""448"""
MULTIPLE = 16
"""The kernels take matrices with sides of a multiple of this."""
_LEAST_SCALE = 1e-12  # of a row of zeros
_FIRST_CAPABILITY = (8, 9)  # of a GPU with 8-bit floats


def quantise_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """``[M, K]`` to 8-bit floats ``[M, K]`` and scales float32 ``[M, 1]`` with x ≈ values · scale."""
    x = x.float()
    scale = (x.abs().amax(dim=-1, keepdim=True) / LARGEST).clamp(min=_LEAST_SCALE)
    return (x / scale).clamp(-LARGEST, LARGEST).to(FLOAT8), scale


class Float8Linear(nn.Module):
    """A linear layer without bias whose product is taken in 8-bit floats; ``[…, K]`` to ``[…, N]``.

    Buffers: ``weight`` ``[N, K]`` in 8-bit floats, ``scale`` ``[1, N]``, by which each row of it was divided.
    """

    weight: Tensor
    scale: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        if weight.shape[0] % MULTIPLE or weight.shape[1] % MULTIPLE:
            raise RequestError(
                f"precision 'fp8' takes matrices whose sides are multiples of {MULTIPLE}, and one is "
                f"{weight.shape[0]} × {weight.shape[1]}; run this tokenizer without precision"
            )
        values, scale = quantise_rows(weight)
        self.register_buffer("weight", values)
        self.register_buffer("scale", scale.t().contiguous())

    def forward(self, x: Tensor) -> Tensor:
        return self.product(*quantise_rows(x.flatten(0, -2)), x.dtype).reshape(*x.shape[:-1], -1)

    def product(self, values: Tensor, scale: Tensor, dtype: torch.dtype, out: Tensor | None = None) -> Tensor:
        """Of rows that are quantised: ``[M, K]`` in 8-bit floats and ``[M, 1]`` to ``[M, N]`` in ``dtype``."""
        if out is not None and out.is_meta:  # where torch has no such product
            return out
        product: Tensor = torch._scaled_mm(
            values,
            self.weight.t(),
            scale_a=scale,
            scale_b=self.scale,
            out_dtype=dtype,
            use_fast_accum=values.is_cuda,
            **({} if out is None else {"out": out}),
        )
        return product


def check_float8(device: str, dtype: str) -> None:
    """Raise a RequestError where 8-bit floats cannot be used: too old a GPU, or a dtype that they do not give."""
    kind = torch.device(device)
    if kind.type == "cuda":
        capability = torch.cuda.get_device_capability(kind)
        if capability < _FIRST_CAPABILITY:
            name = torch.cuda.get_device_name(kind)
            raise RequestError(
                f"precision 'fp8' needs a GPU with 8-bit floats, which '{name}' lacks; leave it out",
                code="fp8-unsupported",
            )
    allowed = ("bfloat16",) if kind.type == "cuda" else ("bfloat16", "float32")
    if dtype not in allowed:
        raise RequestError(f"precision 'fp8' on {kind.type} takes dtype {' or '.join(allowed)}, not '{dtype}'")
