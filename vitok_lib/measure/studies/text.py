"""Does text survive? The known lines of an image set are read before and after a tokenizer, by the height of a line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor

from vitok_lib.images.sets import ImageSet, opened, sized
from vitok_lib.images.text_pages import HEIGHTS
from vitok_lib.measure.common.context import ContextOptions
from vitok_lib.measure.quality.lines import SCORES, Lines, ReadLine, as_pixels, known_lines, mean_score, read_lines
from vitok_lib.measure.studies.image_study import ImageStudy, Quantity, Result, measure_images
from vitok_lib.metrics.pixel import from_uint8, to_uint8
from vitok_lib.metrics.signature import METRICS, signature_of
from vitok_lib.metrics.text.recogniser import Read, load_recogniser
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, Record, Value
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import checked, load
from vitok_lib.tokenizers.outputs import bits_of, check_finite, decoded, encoded
from vitok_lib.tokenizers.registry import find

BENCHMARK = "text-by-height"
"""Of image set ``text``; of another one its name follows."""


@dataclass
class _Reader:
    """A tokenizer with the recogniser, and the lines of each height that were ``drawn`` and that ``counted``."""

    tokenizer: Tokenizer
    read: Read
    lines: Lines
    drawn: Counter[int] = field(default_factory=Counter)
    counted: Counter[int] = field(default_factory=Counter)


def measure_text(
    config: RunConfig,
    *,
    images: str | Path | ImageSet = "text",
    resolution: int,
    samples: int | None = None,
    subset_seed: int | None = None,
    **context: Unpack[ContextOptions],
) -> Record:
    """Read the lines of each image before and after ``config``, and keep the record.

    A line counts where it is read rightly in the original. Of the lines that count the record has, for each height of
    :data:`vitok_lib.images.text_pages.HEIGHTS`, which stands for heights up to the next: the normalised edit distance
    (``ned_6`` …) and the share of lines that are read rightly (``exact-match_6`` …), means over the images of the mean
    over the lines of an image; how many lines were drawn (``drawn_6`` …) and how many counted (``lines_6`` …), of all
    images here and of each beside the record.

    Args:
        images, resolution, samples, subset_seed, context: as in
            :func:`vitok_lib.measure.studies.image_study.measure_images`; the set has to know its lines.

    Raises:
        RequestError: the request is wrong, the packages that read text are missing, or the results folder cannot be
            written.
    """
    image_set, side = sized(opened(images, subset_seed=subset_seed), resolution)
    lines = known_lines(image_set, side, "reading text")
    config = checked(config)
    study = ImageStudy(
        function="measure_text",
        benchmark=BENCHMARK if image_set.name == "text" else f"{BENCHMARK}-{image_set.name}",
        quantities={
            **{
                f"{name}_{height}": Quantity(METRICS[name].unit, METRICS[name].signature)
                for name in SCORES
                for height in HEIGHTS
            },
            "bpp": Quantity(METRICS["bpp"].unit, signature_of(METRICS["bpp"], find(config.name).family)),
        },
        load=lambda asked: _Reader(load(asked), load_recogniser(), lines),
        tokenizer=lambda reader: reader.tokenizer,
        measure=_measured,
        totals=_counts,
        left_out="have no text and were left out",
        nothing="no image has text",
    )
    return measure_images(study, config, images=image_set, resolution=side, samples=samples, **context)


@torch.no_grad()
def _measured(reader: _Reader, original: Tensor, name: str) -> Result | None:
    lines = reader.lines(name)
    if not lines:
        return None
    latent = encoded(reader.tokenizer, from_uint8(original))
    images = decoded(reader.tokenizer, latent, original.shape)
    check_finite(images)
    reconstruction = as_pixels(to_uint8(images)[0])
    by_height: dict[int, list[ReadLine]] = {}
    for found in read_lines(as_pixels(original[0]), reconstruction, lines, reader.read):
        heights = [height for height in HEIGHTS if height <= found.line.height]
        if heights:
            by_height.setdefault(heights[-1], []).append(found)
    result: Result = {"bpp": bits_of(reader.tokenizer, latent)[0] / (original.shape[2] * original.shape[3])}
    for height, held in by_height.items():
        reader.drawn[height] += len(held)
        counted = sum(each.counts for each in held)
        reader.counted[height] += counted
        result |= {f"drawn_{height}": len(held), f"lines_{height}": counted}
        result |= {f"{score}_{height}": mean_score(score, held) for score in SCORES}
    return result


def _counts(reader: _Reader) -> tuple[Value, ...]:
    return tuple(
        Value(quantity=f"{what}_{height}", value=counts[height], unit="lines", kind=Kind.MEASURED)
        for what, counts in (("drawn", reader.drawn), ("lines", reader.counted))
        for height in HEIGHTS
        if reader.drawn[height]
    )
