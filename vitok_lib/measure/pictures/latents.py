"""Pictures of latents: the three leading principal components as colours."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from vitok_lib.errors import UnsupportedError
from vitok_lib.measure.latents.grids import latent_of
from vitok_lib.measure.latents.moments import Moments, total
from vitok_lib.measure.latents.spectrum import leading_components
from vitok_lib.measure.quality.metric_suite import Pixels, as_tensor
from vitok_lib.metrics.signature import STREAMS
from vitok_lib.tokenizers.interface import Tokenizer


@torch.no_grad()
def latent_pictures(tokenizer: Tokenizer, originals: Sequence[Pixels]) -> list[Pixels]:
    """A picture ``[rows, columns, 3]`` of the latent of each of ``originals``, 8-bit ``[H, W, 3]``.

    The components are those of all these images together, so that one colour means one thing in all pictures of a
    tokenizer, and another in those of another one.

    Returns:
        Nothing where a latent is no grid of finite numbers, as of a codec.
    """
    if tokenizer.spec.family in STREAMS:
        return []
    try:
        latents = [latent_of(tokenizer, as_tensor([original])) for original in originals]
    except (UnsupportedError, ValueError):
        return []
    grids = [latent.values[0].cpu().to(torch.float64).numpy() for latent in latents]
    if not grids:
        return []
    moments = total([Moments.of(grid.reshape(-1, grid.shape[-1])) for grid in grids])
    return [leading_components(grid, moments) for grid in grids]
