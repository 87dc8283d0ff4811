"""What becomes of an image that is encoded and decoded again and again, as an edited one is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from torch import Tensor

from vitok_lib.measure.studies.image_study import (
    ImageStudy,
    Quantity,
    Result,
    StudyOptions,
    measure_images,
    reconstructed,
)
from vitok_lib.metrics.colour import colour_differences
from vitok_lib.metrics.pixel import psnr, to_uint8
from vitok_lib.metrics.quantities import PASSES
from vitok_lib.metrics.signature import METRICS
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load

_COLOURS = ("ciede2000", "delta-l")


def measure_drift(config: RunConfig, **asked: Unpack[StudyOptions]) -> Record:
    """PSNR, CIEDE2000 and mean ΔL* against the original after each number of passes in ``PASSES``; keep the record.

    A pass encodes, decodes, clamps and rounds to 8 bits: what a user who saves an image, opens it and saves it again
    has. ``psnr_loss`` is the PSNR after one pass less that after the last, of the same image. The arguments
    are those of :func:`vitok_lib.measure.studies.image_study.measure_images`.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    return measure_images(_STUDY, config, **asked)


def _measured(tokenizer: Tokenizer, original: Tensor, name: str) -> Result:
    result: Result = {}
    for number, image in enumerate(_passes(tokenizer, original), 1):
        if number in PASSES:
            pair = original[0], image[0]
            found = {"psnr": psnr(*pair)} | colour_differences(*pair, _COLOURS)
            result |= {f"{of}_{number}": value for of, value in found.items()}
    return result | {"psnr_loss": result[f"psnr_{PASSES[0]}"] - result[f"psnr_{PASSES[-1]}"]}


def _passes(tokenizer: Tokenizer, image: Tensor) -> Iterator[Tensor]:
    for _ in range(PASSES[-1]):
        image = to_uint8(reconstructed(tokenizer, image)).to(image.device)
        yield image


_STUDY = ImageStudy(
    function="measure_drift",
    benchmark="drift",
    quantities={
        **{
            f"{of}_{number}": Quantity(METRICS[of].unit, f"{METRICS[of].signature}|passes:{number}")
            for of in ("psnr", *_COLOURS)
            for number in PASSES
        },
        "psnr_loss": Quantity("dB", f"{METRICS['psnr'].signature}|passes:{PASSES[0]}-to-{PASSES[-1]}"),
    },
    load=load,
    tokenizer=lambda tokenizer: tokenizer,
    measure=_measured,
)
