"""What encode and decode must give, checked here for every measurement: a third party's code may give anything."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.interface import Latent, Tokenizer

_WAY_OUT = "'vitok conform' checks every rule"


class NonFiniteError(ValueError):
    """A reconstruction holds NaN or infinity: an outcome of its own, since no metric of it says anything."""


def encoded(tokenizer: Tokenizer, images: Tensor) -> Latent:
    """The latent of ``images`` ``[B, 3, H, W]``.

    Raises:
        RequestError: it is no latent of so many images.
    """
    latent = tokenizer.encode(images)
    check_latent(tokenizer, latent, images)
    return latent


def decoded(tokenizer: Tokenizer, latent: Latent, shape: torch.Size) -> Tensor:
    """The reconstruction of images of ``shape`` ``[B, 3, H, W]``, whose latent is given; its values may be any.

    Raises:
        RequestError: it is no floating tensor of that shape.
    """
    output = tokenizer.decode(latent)
    check_output(tokenizer, output, shape)
    return output


def reconstructed(tokenizer: Tokenizer, images: Tensor) -> Tensor:
    """What ``reconstruct`` makes of ``images``, as :func:`decoded`."""
    output = tokenizer.reconstruct(images)
    check_output(tokenizer, output, images.shape)
    return output


def check_latent(tokenizer: Tokenizer, latent: object, images: Tensor) -> None:
    """Raise a RequestError unless ``latent`` is one of as many images."""
    must = f"encode must give a vitok_lib.tokenizers.interface.Latent with a tensor [B, …] of values; {_WAY_OUT}"
    if not isinstance(latent, Latent) or not isinstance(latent.values, Tensor):
        given = f"a Latent with a {_type(latent.values)}" if isinstance(latent, Latent) else f"a {_type(latent)}"
        raise RequestError(f"tokenizer '{tokenizer.spec.name}' encoded images to {given}; {must}")
    if latent.values.ndim == 0 or len(latent.values) != len(images):
        raise RequestError(
            f"tokenizer '{tokenizer.spec.name}' encoded {len(images)} images to a latent "
            f"{list(latent.values.shape)}; {must}"
        )


def bits_of(tokenizer: Tokenizer, latent: Latent) -> tuple[int, ...]:
    """The bits of each image's latent.

    Raises:
        RequestError: they are not one number an image.
    """
    bits = tuple(latent.bits)
    if len(bits) != len(latent.values):
        raise RequestError(
            f"tokenizer '{tokenizer.spec.name}' gave bits {bits} for {len(latent.values)} images; "
            f"they must be one number an image; {_WAY_OUT}"
        )
    return bits


def check_output(tokenizer: Tokenizer, output: object, shape: torch.Size) -> None:
    """Raise a RequestError unless ``output`` can be the reconstruction of images of ``shape``."""
    if isinstance(output, Tensor) and output.is_floating_point() and output.shape == shape:
        return
    given = f"a {_type(output)}"
    if isinstance(output, Tensor):
        given = f"{str(output.dtype).removeprefix('torch.')} {list(output.shape)}"
    raise RequestError(
        f"tokenizer '{tokenizer.spec.name}' gave {given} for images {list(shape)}; decode must give floating "
        f"values, about -1 to 1, in the shape [B, 3, H, W] of the images; {_WAY_OUT}"
    )


def check_finite(output: Tensor) -> None:
    """Raise a NonFiniteError where a value is no finite number; takes no memory where all are."""
    fault = non_finite(output)
    if fault is not None:
        raise NonFiniteError(fault)


def non_finite(output: Tensor) -> str | None:
    """The sentence that says which share of the values of ``output`` is NaN or infinite; None where none is."""
    if all(math.isfinite(end) for end in torch.stack(output.aminmax()).tolist()):
        return None
    share = 1 - int(output.isfinite().sum()) / output.numel()
    dtype = str(output.dtype).removeprefix("torch.")
    return f"{100 * share:.3g} % of the values of the reconstruction ({dtype}) are not finite numbers"


def _type(value: object) -> str:
    return type(value).__name__
