"""What padding and the aspect ratio change: the same pixels with and without padding, in crops of several shapes.

An image of sides that are no multiple of the stride is padded right and below: a ViTok by 0, mid-grey, and PCA and the
auto-encoders of diffusers by repeating the edge. None of them masks what it pads. Every change is paired by image and
taken over the same true pixels at the same places of the latent grid.
"""

from __future__ import annotations

import math
from typing import Unpack

import torch
import torch.nn.functional as F
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.measure.studies.image_study import ImageStudy, Quantity, Result, StudyOptions, measure_images
from vitok_lib.metrics.pixel import from_uint8, psnr, to_uint8
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load
from vitok_lib.tokenizers.outputs import check_finite, decoded, encoded

ASPECTS = {"aspect_3_2_change": 3 / 2, "aspect_16_9_change": 16 / 9, "aspect_4_1_change": 4.0}
"""The longer side of a crop over its shorter one, by the quantity that compares it with a square."""
FILLS = {"grey_change": "constant", "edge_change": "replicate", "reflection_change": "reflect"}
"""How an image is padded before the tokenizer sees it: the modes of ``torch.nn.functional.pad``, by quantity."""


def measure_padding(config: RunConfig, **asked: Unpack[StudyOptions]) -> Record:
    """What padding and the aspect ratio change in the PSNR of ``config``, in dB and paired by image; keep the record.

    An image is cut to multiples of the stride p, and then by another p/2 right and below, so that the last row and
    column of patches are half true pixels. What fills the other half is the image itself (``continued_psnr``), the
    tokenizer's own padding (``padding_change`` over all true pixels, ``border_change`` over those of the patches with
    padding), or a padding made before (:data:`FILLS`). ``inside_change`` is over the patches without padding, against
    the image cut to them. ``canvas_change`` compares the image on a square of grey, which attends, with the image by
    itself; a square image has none. Aspect ratios are those of crops of nearly equal area (:data:`ASPECTS`), over the
    centre that they share, against a square crop (``square_psnr``).

    Args:
        config: of any tokenizer with a latent grid of more than one pixel a position.
        asked: as in :func:`vitok_lib.measure.studies.image_study.measure_images`.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    return measure_images(_STUDY, config, **asked)


def aspect_crops(rows: int, columns: int) -> list[tuple[int, int, int, int]]:
    """Centred crops of a grid, the square first, then :data:`ASPECTS`: top, left, rows and columns in positions.

    Each has nearly as many positions as the square, and its longer side along the longer one of the grid.
    """
    if rows > columns:
        return [(top, left, high, wide) for left, top, wide, high in aspect_crops(columns, rows)]
    side = min(rows, columns // 2)  # the longest crop is twice as wide as the square
    crops = []
    for ratio in (1.0, *ASPECTS.values()):
        wide = round(side * math.sqrt(ratio))
        high = max(1, round(side * side / wide))
        crops.append(((rows - high) // 2, (columns - wide) // 2, high, wide))
    return crops


def _loaded(config: RunConfig) -> Tokenizer:
    tokenizer = load(config)
    if (tokenizer.spec.downsampling or 1) < 2:
        raise RequestError(
            f"tokenizer '{config.name}' has no latent grid of several pixels a position, and so nothing to pad; "
            "take a ViTok, PCA or an auto-encoder"
        )
    return tokenizer


def _measured(tokenizer: Tokenizer, original: Tensor, name: str) -> Result | None:
    stride = tokenizer.spec.downsampling
    assert stride is not None
    rows, columns = original.shape[2] // stride, original.shape[3] // stride
    if min(rows, columns) < 2:
        return None
    whole = original[:, :, : rows * stride, : columns * stride]
    return _padding(tokenizer, whole, stride) | _aspects(tokenizer, whole, stride)


def _padding(tokenizer: Tokenizer, whole: Tensor, stride: int) -> Result:
    margin, (height, width) = stride // 2, whole.shape[2:]
    image = from_uint8(whole)
    true, inside = whole[0, :, : height - margin, : width - margin], whole[0, :, : height - stride, : width - stride]
    cut = image[:, :, : height - margin, : width - margin]
    continued, own = _output(tokenizer, image), _output(tokenizer, cut)
    base = _over(true, continued)
    border = torch.ones(true.shape[1:], dtype=torch.bool, device=true.device)
    border[: inside.shape[1], : inside.shape[2]] = False
    by_border = [
        psnr(true[:, border], output[:, : true.shape[1], : true.shape[2]][:, border]) for output in (own, continued)
    ]
    result: Result = {
        "continued_psnr": base,
        "padding_change": _over(true, own) - base,
        "border_change": by_border[0] - by_border[1],
        "inside_change": _over(inside, own)
        - _over(inside, _output(tokenizer, image[:, :, : height - stride, : width - stride])),
    }
    for quantity, mode in FILLS.items():
        filled = F.pad(cut, (0, margin, 0, margin), mode=mode)
        result[quantity] = _over(true, _output(tokenizer, filled)) - base
    if height != width:
        side = max(height, width)
        canvas = F.pad(image, (0, side - width, 0, side - height))
        result["canvas_change"] = _over(whole[0], _output(tokenizer, canvas)) - _over(whole[0], continued)
    return result


def _aspects(tokenizer: Tokenizer, whole: Tensor, stride: int) -> Result:
    crops = aspect_crops(whole.shape[2] // stride, whole.shape[3] // stride)
    top, left = (max(crop[axis] for crop in crops) for axis in (0, 1))
    bottom, right = (min(crop[axis] + crop[axis + 2] for crop in crops) for axis in (0, 1))
    centre = whole[0, :, top * stride : bottom * stride, left * stride : right * stride]
    values = []
    for first, start, high, wide in crops:
        crop = whole[:, :, first * stride : (first + high) * stride, start * stride : (start + wide) * stride]
        output = _output(tokenizer, from_uint8(crop))
        values.append(_over(centre, output[:, (top - first) * stride :, (left - start) * stride :]))
    changes = {name: value - values[0] for name, value in zip(ASPECTS, values[1:], strict=True)}
    return {"square_psnr": values[0], **changes}


@torch.no_grad()
def _output(tokenizer: Tokenizer, images: Tensor) -> Tensor:
    """The reconstruction, 8-bit ``[3, H, W]``, of one image ``[1, 3, H, W]`` in [-1, 1]."""
    output = decoded(tokenizer, encoded(tokenizer, images), images.shape)
    check_finite(output)
    return to_uint8(output)[0]


def _over(original: Tensor, output: Tensor) -> float:
    """PSNR over the pixels of ``original``, which is the upper left part of ``output``."""
    return psnr(original, output[:, : original.shape[1], : original.shape[2]])


def _change(of: str) -> Quantity:
    return Quantity("dB", f"psnr|rgb|u8|{of}|paired|per-image-mean|v1")


_STUDY = ImageStudy(
    function="measure_padding",
    benchmark="padding",
    quantities={
        "continued_psnr": Quantity("dB", "psnr|rgb|u8|true-pixels|per-image-mean|v1"),
        "padding_change": _change("own-padding-minus-continued"),
        "border_change": _change("own-padding-minus-continued|patches-with-padding"),
        "inside_change": _change("own-padding-minus-cut|patches-without-padding"),
        **{name: _change(f"{mode}-padding-minus-continued") for name, mode in FILLS.items()},
        "canvas_change": _change("square-canvas-minus-none"),
        "square_psnr": Quantity("dB", "psnr|rgb|u8|square-crop|shared-centre|per-image-mean|v1"),
        **{name: _change(f"{name.removesuffix('_change')}-minus-square|shared-centre") for name in ASPECTS},
    },
    load=_loaded,
    tokenizer=lambda tokenizer: tokenizer,
    measure=_measured,
    left_out="have fewer than two patches a side and were left out",
    nothing="no image has two patches a side",
)
