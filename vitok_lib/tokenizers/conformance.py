"""The rules that every tokenizer keeps, and a check of any tokenizer against them, a user's own included."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from vitok_lib.errors import RequestError, error_text
from vitok_lib.tokenizers.codecs import Bitstreams
from vitok_lib.tokenizers.interface import Latent, Tokenizer
from vitok_lib.tokenizers.outputs import decoded, encoded, reconstructed

LARGEST = 16.0
"""No output of images in [-1, 1] is larger: untrained networks overshoot to about 5, 8-bit values reach 255."""
HALF_A_LEVEL = 1 / 255
_STRIDE = 16  # pixels, of a tokenizer that declares none


@dataclass(frozen=True)
class Finding:
    """Whether a tokenizer keeps a rule; ``detail`` is one sentence with the numbers."""

    rule: str
    passed: bool
    detail: str


def check(tokenizer: Tokenizer) -> list[Finding]:
    """Put ``tokenizer`` through every rule, in the order of :data:`RULES`, on small made-up images.

    ======================  ==========================================================================================
    output                  finite and at most :data:`LARGEST`, also for black, white and noise
    sizes                   any height and width come back: 1 × 1, one row, one column, no multiple of the stride
    batch                   images together give what they give one by one
    repeatable              the same latent and image each time, bit for bit
    inputs kept             neither the images nor the latent are written to
    reconstruct             equals decode of encode
    latent alone            decode needs nothing but the latent, of a codec nothing but ``lengths`` bytes a stream
    dtype and device        latent and image are where and the image is what the settings say
    grid                    the latent has the declared downsampling and channels
    compression ratio       is that of the latent's values
    bits                    are one number an image, of a codec 8 for each byte of its stream
    ======================  ==========================================================================================

    Where rules speak of equal images, the largest difference is at most half a level of 8 bits, or √ε of an output
    dtype coarser than that, times the largest value if it is above 1. All but ``sizes`` use images of 2 × 3 strides.
    A rule in which the tokenizer raises is broken.
    """
    with torch.no_grad():
        return [_found(rule, judge, tokenizer) for rule, judge in RULES.items()]


def as_rows(findings: list[Finding]) -> list[dict[str, str | int]]:
    """The findings as lines of a table."""
    return [
        {"rule": finding.rule, "result": "kept" if finding.passed else "BROKEN", "detail": finding.detail}
        for finding in findings
    ]


Verdict = tuple[bool, str]


def _found(rule: str, judge: Callable[[Tokenizer], Verdict], tokenizer: Tokenizer) -> Finding:
    try:
        return Finding(rule, *judge(tokenizer))
    except Exception as error:  # a third party's code raises what it likes
        return Finding(rule, False, _broken(error))


def _output(tokenizer: Tokenizer) -> Verdict:
    picture = _images(tokenizer)
    noise = torch.rand(picture.shape, generator=torch.Generator().manual_seed(1)).to(picture) * 2 - 1
    images = (picture, torch.full_like(picture, -1), torch.ones_like(picture), noise)
    largest = max(_largest(reconstructed(tokenizer, image)) for image in images)
    finite = "finite" if math.isfinite(largest) else "not finite"
    return largest <= LARGEST, f"outputs are {finite}, the largest {largest:.3g} (at most {LARGEST:g})"


def _sizes(tokenizer: Tokenizer) -> Verdict:
    stride = tokenizer.spec.downsampling or _STRIDE
    sizes = [(1, 1), (1, stride + 1), (stride + 3, 1), (2 * stride - 1, stride + 1), (37, 53)]
    faults = []
    for height, width in sizes:
        try:
            latent = encoded(tokenizer, _images(tokenizer, 1, height, width))
            found = [list(tokenizer.decode(latent).shape), [1, 3, latent.height, latent.width]]
        except Exception as error:  # named with the size that it happens at
            faults.append(f"{height} × {width}: {_broken(error)}")
            continue
        faults += [f"{height} × {width} gave {shape}" for shape in found if shape != [1, 3, height, width]][:1]
    tried = ", ".join(f"{height} × {width}" for height, width in sizes)
    return not faults, "; ".join(faults) or f"{tried} px came back with their size"


def _batch(tokenizer: Tokenizer) -> Verdict:
    images = _images(tokenizer, 3)
    alone = torch.cat([reconstructed(tokenizer, image[None].clone()) for image in images])
    return _equal("three images together and one by one", reconstructed(tokenizer, images), alone)


def _repeatable(tokenizer: Tokenizer) -> Verdict:
    first, second = (encoded(tokenizer, _images(tokenizer)) for _ in range(2))
    of_latents = _difference(first.values, second.values)
    shape = _images(tokenizer).shape
    of_images = _difference(decoded(tokenizer, first, shape), decoded(tokenizer, second, shape))
    return of_latents == of_images == 0, f"two runs differ by {of_latents:.3g} (latent) and {of_images:.3g} (image)"


def _inputs_kept(tokenizer: Tokenizer) -> Verdict:
    original = _images(tokenizer)
    images = original.clone()
    latent = encoded(tokenizer, images)
    values = latent.values.clone()
    decoded(tokenizer, latent, images.shape)
    reconstructed(tokenizer, images)
    written = {"the images": (original, images), "the latent": (values, latent.values)}
    changed = {name: _difference(*pair) for name, pair in written.items() if _difference(*pair) != 0}
    faults = [f"{name} changed by {by:.3g}" for name, by in changed.items()]
    return not changed, " and ".join(faults) or "images and latent are as they were"


def _reconstruct(tokenizer: Tokenizer) -> Verdict:
    images = _images(tokenizer)
    both = decoded(tokenizer, encoded(tokenizer, images), images.shape)
    return _equal("reconstruct and decode of encode", reconstructed(tokenizer, _images(tokenizer)), both)


def _latent_alone(tokenizer: Tokenizer) -> Verdict:
    images = _images(tokenizer)
    latent = encoded(tokenizer, images)
    copy = _copy(latent)
    first = decoded(tokenizer, latent, images.shape)
    encoded(tokenizer, 1 - _images(tokenizer, 2).abs())  # whatever is remembered besides the latent is of these now
    return _equal("a latent decoded at once and its copy after other images", first, tokenizer.decode(copy))


def _dtype_and_device(tokenizer: Tokenizer) -> Verdict:
    given = _images(tokenizer)
    latent = encoded(tokenizer, given)
    images = decoded(tokenizer, latent, given.shape)
    device, dtype = _device(tokenizer), tokenizer.settings.dtype
    name = str(images.dtype).removeprefix("torch.")
    right = dtype in (None, name) and latent.values.device == images.device == device
    declared = f"{dtype or 'any floating dtype'} on {device}"
    return right, f"image {name} on {images.device}, latent on {latent.values.device}; the settings say {declared}"


def _grid(tokenizer: Tokenizer) -> Verdict:
    stride, channels = tokenizer.spec.downsampling, tokenizer.spec.latent_channels
    if stride is None or channels is None:
        return True, "no downsampling and channels are declared"
    images = _images(tokenizer, 2)
    shape, declared = list(encoded(tokenizer, images).values.shape), [2, 2, 3, channels]
    size = f"2 images of {images.shape[2]} × {images.shape[3]} px"
    return shape == declared, f"the latent of {size} is {shape}, declared {declared}"


def _compression_ratio(tokenizer: Tokenizer) -> Verdict:
    declared = tokenizer.spec.compression_ratio
    if declared is None:
        return True, "no ratio is declared"
    images = _images(tokenizer)
    true = images.numel() / encoded(tokenizer, images).values.numel()
    return math.isclose(true, declared), f"{true:g} pixel values for each latent value, declared {declared:g}"


def _bits(tokenizer: Tokenizer) -> Verdict:
    latent = encoded(tokenizer, _images(tokenizer, 2))
    bits = list(latent.bits)
    if not isinstance(latent, Bitstreams):
        right = len(bits) == 2 and all(isinstance(number, int) and number > 0 for number in bits)
        return right, f"2 images take {bits} bits"
    streams = [8 * len(stream) for stream in latent.streams]
    return bits == streams, f"2 images take {bits} bits, their streams {streams}"


RULES: dict[str, Callable[[Tokenizer], Verdict]] = {
    "output": _output,
    "sizes": _sizes,
    "batch": _batch,
    "repeatable": _repeatable,
    "inputs kept": _inputs_kept,
    "reconstruct": _reconstruct,
    "latent alone": _latent_alone,
    "dtype and device": _dtype_and_device,
    "grid": _grid,
    "compression ratio": _compression_ratio,
    "bits": _bits,
}


def _images(tokenizer: Tokenizer, count: int = 1, height: int | None = None, width: int | None = None) -> Tensor:
    """Smooth colours with some noise, ``[count, 3, height, width]``, 2 × 3 strides unless given; always the same."""
    stride = tokenizer.spec.downsampling or _STRIDE
    size = (height or 2 * stride, width or 3 * stride)
    generator = torch.Generator().manual_seed(0)
    smooth = F.interpolate(torch.rand(count, 3, 5, 7, generator=generator), size, mode="bilinear")
    noise = torch.rand(count, 3, *size, generator=generator)
    return (1.8 * smooth + 0.2 * noise - 1).to(_device(tokenizer))


def _device(tokenizer: Tokenizer) -> torch.device:
    return torch.empty(0, device=tokenizer.settings.device or "cpu").device  # "cuda" becomes "cuda:0"


def _copy(latent: Latent) -> Latent:
    """``latent`` in memory of its own; of a codec its streams and nothing else."""
    if isinstance(latent, Bitstreams):
        return Bitstreams.of(latent.streams, height=0, width=0)
    return replace(latent, values=latent.values.clone())


def _equal(what: str, x: Tensor, y: Tensor) -> Verdict:
    if x.shape != y.shape:
        return False, f"{what} are {list(x.shape)} and {list(y.shape)}"
    tolerance = max(HALF_A_LEVEL, math.sqrt(torch.finfo(x.dtype).eps)) * max(1.0, _largest(x))
    difference = _difference(x, y)
    return difference <= tolerance, f"{what} differ by {difference:.3g} (tolerance {tolerance:.3g})"


def _difference(x: Tensor, y: Tensor) -> float:
    """The largest difference; two values that are no numbers are equal, one of them alone is infinitely far."""
    if x.shape != y.shape:
        return math.inf
    same = (x == y) | (x.isnan() & y.isnan())
    return _largest(torch.where(same, 0.0, x.double() - y.double()))


def _largest(values: Tensor) -> float:
    """The largest absolute value; infinite where one is no number."""
    return values.double().abs().nan_to_num(nan=math.inf, posinf=math.inf).max().item()


def _broken(error: Exception) -> str:
    return str(error) if isinstance(error, RequestError) else f"raised {type(error).__name__}: {error_text(error)}"
