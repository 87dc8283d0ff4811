"""Numerical error of a configuration: relative root mean square error of reconstructions against exact ones.

The exact ones come from the same tokenizer with the same weights, in the reference preset, in float64 on a CPU and in
float32 without TF32 on a GPU, where float64 would take hours. The image is small, not square, with a count of tokens
that is no multiple of anything and a last row and column that are cut: what is wrong at an edge shows in the last row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from vitok_lib.measure.common.random_images import noise
from vitok_lib.records.config import RunConfig
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load
from vitok_lib.tokenizers.presets import REFERENCE
from vitok_lib.tokenizers.registry import CONVOLUTIONAL

EXACT_FAMILIES = ("vitok", *CONVOLUTIONAL)
"""Whose arithmetic has a dtype, so that an exact one can be had."""

GPU_GRID, CPU_GRID = (61, 67), (13, 17)
"""Rows and columns of tokens, primes; on a GPU enough for a window of 1024 tokens to leave something out."""
_MATHS = ("weights", "seed", "revision", "window", "blocks", "tiling", "tile", "slicing", "posterior")
_STRIP_VALUES = 2**22  # compared at a time, which bounds the memory


def small_size(stride: int, device: str) -> tuple[int, int]:
    """Height and width in pixels of the small image; its last tokens hold half a stride of it."""
    rows, columns = GPU_GRID if device.startswith("cuda") else CPU_GRID
    return rows * stride - stride // 2, columns * stride - stride // 2


def small_image(stride: int, device: str) -> Tensor:
    """The image ``[1, 3, H, W]``; the same on every call."""
    return next(noise(1, *small_size(stride, device), device))


def exact_config(config: RunConfig, device: str) -> RunConfig:
    """The configuration of exact arithmetic for ``config``: its weights and its maths, on ``device``."""
    # Random weights are drawn in a dtype, so that only float32 ones are the weights that were measured.
    maths = {name: getattr(config, name) for name in _MATHS}
    return RunConfig(name=config.name, device=device, preset=REFERENCE, **maths)


@torch.no_grad()
def exact_reconstruction(exact: RunConfig, image: Tensor) -> Tensor:
    """The reconstruction of ``image`` with the configuration ``exact``, from :func:`exact_config`."""
    tokenizer, on_gpu = load(exact), exact.device.startswith("cuda")
    if not on_gpu:
        _widen(tokenizer)
    with _without_tf32():
        return tokenizer.reconstruct(image if on_gpu else image.double())


def _widen(tokenizer: Tokenizer) -> None:
    for part in vars(tokenizer).values():
        if isinstance(part, nn.Module):
            nn.Module.to(part, torch.float64)


@contextmanager
def _without_tf32() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def relative_error(found: Tensor, exact: Tensor) -> float:
    """‖found − exact‖ / ‖exact‖ of two tensors of one shape, summed in float64."""
    difference, size = 0.0, 0.0
    for x, y in zip(found.flatten().split(_STRIP_VALUES), exact.flatten().split(_STRIP_VALUES), strict=True):
        wide = y.to(x.device, torch.float64)
        difference += float((x.double() - wide).square_().sum())
        size += float(wide.square_().sum())
    return float((difference / size) ** 0.5) if size else float(difference > 0)


def last_row(images: Tensor, stride: int) -> Tensor:
    """The pixels of the last row of tokens of ``[B, 3, H, W]``."""
    height = images.shape[2]
    return images[:, :, (height - 1) // stride * stride :]
