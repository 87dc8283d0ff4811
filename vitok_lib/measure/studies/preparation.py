"""What one CPU core takes for an image before and beside a GPU: decoding and resizing it, and a codec."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vitok_lib.cost.study_time import PREPARATION, PREPARED_SIDES, TIMED_AT
from vitok_lib.images.prepare import prepare
from vitok_lib.measure.studies.image_study import (
    ImageStudy,
    Quantity,
    Result,
    StudyOptions,
    measure_images,
    reconstructed,
)
from vitok_lib.metrics.pixel import to_uint8
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load

SOURCE = (5461, 8192)
"""Height and width in pixels of the files that are prepared: 3:2, at the longest side of DIV8K."""
_SIGNATURE = "cpu-time|one-thread|v1"


def measure_preparation(config: RunConfig, **asked: Unpack[StudyOptions]) -> Record:
    """Seconds that one thread takes for each image, mean over ``images``; keep the record.

    Each image is laid next to its mirror images until it fills :data:`SOURCE`, which keeps the detail of its pixels,
    and becomes a PNG in memory. ``prepare_1024``: reading that file as 8-bit RGB and resizing it to 1024 px;
    ``codec_1024``: encoding and decoding it at 1024 px. Seconds are those of the clock, so that what else the machine
    does adds to them.

    Args:
        config: of a codec, which runs on the CPU.
        asked: as in :func:`vitok_lib.measure.studies.image_study.measure_images`.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    return measure_images(_STUDY, config, **asked)


def _measure(tokenizer: Tokenizer, original: Tensor, _: str) -> Result:
    file = _png(mirrored(original[0].permute(1, 2, 0).cpu().numpy()))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        result: Result = {"source_file": len(file) / 1e6}
        for side in PREPARED_SIDES:
            result[f"prepare_{side}"] = _seconds(lambda side=side: _prepared(file, side))  # type: ignore[misc]
        pixels = torch.from_numpy(_prepared(file, TIMED_AT)).permute(2, 0, 1)
        result[f"codec_{TIMED_AT}"] = _seconds(lambda: to_uint8(reconstructed(tokenizer, pixels[None])))
    finally:
        torch.set_num_threads(threads)
    return result


def mirrored(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``image``, ``[H, W, 3]``, cut to :data:`SOURCE` after its mirror images were laid right of it and below."""
    missing = [max(0, wanted - held) for wanted, held in zip(SOURCE, image.shape, strict=False)]
    filled = np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    return filled[: SOURCE[0], : SOURCE[1]]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _prepared(file: bytes, side: int) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(file)) as image:
        return prepare(image, side)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


_STUDY = ImageStudy(
    function="measure_preparation",
    benchmark=PREPARATION,
    quantities={
        "source_file": Quantity("MB", "png|8192x5461|v1"),
        **{f"prepare_{side}": Quantity("s", f"{_SIGNATURE}|png-8192x5461|lanczos") for side in PREPARED_SIDES},
        f"codec_{TIMED_AT}": Quantity("s", f"{_SIGNATURE}|encode+decode"),
    },
    load=load,
    tokenizer=lambda tokenizer: tokenizer,
    measure=_measure,
    of_machine=True,
)
