"""The one layout of latents: a grid of rows and columns of positions, each with its channels."""

from __future__ import annotations

import torch
from torch import Tensor

from vitok_lib.errors import UnsupportedError
from vitok_lib.metrics.pixel import from_uint8
from vitok_lib.tokenizers.interface import Latent, Tokenizer
from vitok_lib.tokenizers.outputs import encoded

_AXES = 4


@torch.no_grad()
def latent_of(tokenizer: Tokenizer, originals: Tensor) -> Latent:
    """The latent of 8-bit images ``[B, 3, H, W]``: finite numbers ``[B, rows, columns, C]``, which every family gives.

    Raises:
        RequestError: encode gives no latent.
        UnsupportedError: the latent is a codec's stream, or a third party's without rows and columns.
        ValueError: a value is not finite.
    """
    latent = encoded(tokenizer, from_uint8(originals))
    values = latent.values
    if values.ndim != _AXES or not values.is_floating_point():
        raise UnsupportedError(
            f"the latent of '{tokenizer.spec.name}' is {str(values.dtype).removeprefix('torch.')} "
            f"{list(values.shape)}; this needs floating numbers [B, rows, columns, channels]"
        )
    if not bool(values.isfinite().all()):
        raise ValueError("the latent holds values that are no finite numbers")
    return latent
