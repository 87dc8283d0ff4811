"""What a narrower window, or fewer blocks, cost a ViTok: against itself with full attention and every block.

Every variation sees the same images as the whole model, so that differences are paired by image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from torch import Tensor

from vitok_lib.errors import RequestError, unknown
from vitok_lib.measure.studies.image_study import (
    ImageStudy,
    Quantity,
    Result,
    StudyOptions,
    measure_images,
    reconstructed,
)
from vitok_lib.metrics.pixel import psnr, to_uint8
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import checked, load
from vitok_lib.tokenizers.vitok.checkpoint import ViTok

BENCHMARKS = {"window": "window-quality", "blocks": "truncated-depth"}
"""The first part of the name of the records' folder, by the setting that varies."""
USUAL = {
    "window": ("4", "12", "40", "144", "2d:1", "2d:2", "2d:4", "2d:8"),
    "blocks": ("2/3", "2/2", "2/1", "2/0", "1/4", "0/4", "0/0"),
}
"""The choices that a record's name leaves out."""
WHOLE = "whole_psnr"
_PSNR, _PAIRED = "psnr|rgb|u8|per-image-mean|v1", "psnr|rgb|u8|minus-whole|paired|per-image-mean|v1"


def measure_variations(
    config: RunConfig,
    *,
    setting: str,
    choices: Sequence[str],
    **asked: Unpack[StudyOptions],
) -> Record:
    """PSNR of a ViTok as it is and with each of ``choices`` of a setting, and the paired difference of each to it.

    The record holds ``whole_psnr`` and, of each choice such as 64, ``difference@window=64``: its PSNR minus that of the
    whole, the mean over images with the interval of a paired difference. Windows share one set of weights and the
    kernel ``bands``; each number of blocks has weights of its own.

    Args:
        config: what does not vary.
        setting: ``window`` or ``blocks``.
        choices: its values, as text: ``64`` or ``2d:8``, ``1/2``.
        asked: as in :func:`vitok_lib.measure.studies.image_study.measure_images`.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    if setting not in BENCHMARKS:
        raise unknown("setting to vary", setting, BENCHMARKS)
    if not choices or len(set(choices)) < len(choices):
        raise RequestError(f"choices (={list(choices)}) must be one or more values of {setting}, each once")
    if getattr(config, setting) is not None:
        raise RequestError(
            f"{setting} (={getattr(config, setting)!r}) is what varies; leave it out of the configuration"
        )
    if setting == "window" and config.attention is not None:
        raise RequestError(f"attention (='{config.attention}') is 'bands' here, which knows every window; leave it out")
    varied = {choice: checked(config.replace(**{setting: choice})) for choice in choices}
    quantities = {WHOLE: Quantity("dB", _PSNR)}
    for choice in choices:
        quantities[f"difference@{setting}={choice}"] = Quantity("dB", f"{_PAIRED}|{setting}={choice}")

    def loaded(config: RunConfig) -> dict[str, Tokenizer]:
        """The whole model and, by its choice, each variation of it."""
        if setting == "window":
            banded = load(config.replace(window=0, attention="bands"))
            assert isinstance(banded, ViTok)  # as anything else has no window
            return {WHOLE: banded.within(None), **{name: banded.within(each.window) for name, each in varied.items()}}
        return {WHOLE: load(config), **{name: load(each) for name, each in varied.items()}}

    def measured(tokenizers: dict[str, Tokenizer], original: Tensor, name: str) -> Result:
        result: dict[str, Any] = {}
        for choice, tokenizer in tokenizers.items():
            value = psnr(original[0], to_uint8(reconstructed(tokenizer, original))[0])
            if choice == WHOLE:
                result[WHOLE] = value
                continue
            result[f"difference@{setting}={choice}"] = value - result[WHOLE]
        return result

    return measure_images(
        ImageStudy(
            function="measure_variations",
            benchmark=BENCHMARKS[setting],
            quantities=quantities,
            load=loaded,
            tokenizer=lambda tokenizers: tokenizers[WHOLE],
            measure=measured,
            arguments={"setting": setting, "choices": list(choices)},
            usual={"choices": USUAL[setting]},
        ),
        config,
        **asked,
    )
