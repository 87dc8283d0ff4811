"""The one layout of latents: a grid of rows and columns of positions, each with its channels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.images.sets import ImageSet, load_image
from vitok_lib.measure.common.outcomes import is_out_of_memory
from vitok_lib.measure.quality.metric_suite import as_tensor
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


def latents_of(
    tokenizer: Tokenizer, image_set: ImageSet, names: Iterable[str], resolution: int, device: str
) -> Iterator[Latent]:
    """The latents of the images called ``names``, one at a time, for what has to be known before each is measured.

    An image that cannot be read or encoded is passed over: its own measurement says why. Out of memory is raised.
    """
    for name in names:
        try:
            latent = latent_of(tokenizer, as_tensor([load_image(image_set, name, resolution)]).to(device))
        except RequestError:
            raise
        except Exception as error:  # a model raises what it likes
            if is_out_of_memory(error):
                raise
            continue
        yield latent
