"""What working in parts does to an image, and what it takes: tiles of any tokenizer, and the chunks of a ViTok.

Tiles change the model: norms and attention see a tile and not the image. Chunks do not: a token goes through a block's
matrices by itself, so that all they may change is rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Unpack

from torch import Tensor

from vitok_lib.images.sets import ImageSet, opened, sized
from vitok_lib.measure.common.context import Context, ContextOptions, Log
from vitok_lib.measure.memory.probe import GIB, MemoryProbe, ProbeSpec
from vitok_lib.measure.speed.timer import Clock
from vitok_lib.measure.studies.image_study import ImageStudy, Quantity, Result, measure_images, reconstructed
from vitok_lib.measure.studies.seams import BAND
from vitok_lib.measure.studies.tiling_pairs import Pair, halves, in_parts, load_pair
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, Record, Value
from vitok_lib.tokenizers.load import checked

_PSNR = "psnr|rgb|u8|per-image-mean|v1"
_TIME = "latency|encode+decode|per-image-mean|in-turns|v1"
QUANTITIES = {
    "untiled_psnr": Quantity("dB", _PSNR),
    "tiled_psnr": Quantity("dB", _PSNR),
    "tiling_change": Quantity("dB", "psnr|rgb|u8|tiled-less-untiled|per-image-mean|v1"),
    "tiled_agreement": Quantity("dB", "psnr|rgb|u8|tiled-to-untiled|per-image-mean|v1"),
    "seam_error": Quantity("×", f"seam-error|rgb|u8|steps|band:{BAND}|tiled-to-untiled|per-image-mean|v1"),
    "tiled_step": Quantity("levels", f"colour-step|rgb|u8|band:{BAND}|to-original|per-image-mean|v1"),
    "untiled_step": Quantity("levels", f"colour-step|rgb|u8|band:{BAND}|to-original|per-image-mean|v1"),
    "max_difference": Quantity("", "max-difference|rgb|u8|tiled-to-untiled|v1", over="maximum"),
    "chunked_difference": Quantity("", "max-difference|rgb|chunked-to-whole|of-range|v1", over="maximum"),
    "whole_time": Quantity("ms", _TIME),
    "parts_time": Quantity("ms", _TIME),
    "parts_slowdown": Quantity("×", "latency|encode+decode|parts-to-whole|paired|per-image-mean|v1"),
}
PEAKS = ("whole_peak", "parts_peak")


@dataclass
class _Timed:
    """A pair on its way through the images; ``warm`` once an image has gone through both, which is not timed."""

    pair: Pair
    clock: Clock
    warm: bool = False

    def measure(self, original: Tensor, name: str) -> Result | None:
        pair = self.pair
        if not pair.cuts(*original.shape[2:]):
            return None
        calls = [partial(reconstructed, tokenizer, original) for tokenizer in (pair.whole, pair.parts)]
        if not self.warm:
            for call in calls:
                call()
            self.warm = True
        (whole, whole_time), (parts, parts_time) = (self.clock.time(call) for call in calls)
        times = {"whole_time": whole_time, "parts_time": parts_time, "parts_slowdown": parts_time / whole_time}
        return pair.compare(original[0], whole[0], parts[0]) | times


def measure_tiling(
    config: RunConfig,
    *,
    images: str | Path | ImageSet,
    resolution: int | str,
    peaks: bool = False,
    rule: str | None = None,
    samples: int | None = None,
    subset_seed: int | None = None,
    **context: Unpack[ContextOptions],
) -> Record:
    """Compare ``config`` in tiles, or in chunks, with the same tokenizer on whole images, and keep the record.

    Of tiles: PSNR of either against the original, their difference, and PSNR of one against the other, the error at
    seams and the step of colour between tiles (:mod:`vitok_lib.measure.studies.seams`), and the largest difference in
    8-bit levels. Of a ViTok's chunks: the largest difference, as a share of the images' range. Of both: milliseconds
    that encoding and decoding take, whole and in parts by turns, and their ratio, paired by image. Images of one part
    alone say nothing and are left out.

    Args:
        config: with a ``tile``, of any tokenizer with a latent grid; without, an auto-encoder in diffusers' tiles, or a
            ViTok, whose ``chunk`` is the tokens of a chunk, by default 256.
        peaks: measure also the peak memory of the model, in GiB, whole and in parts, on a square of ``resolution``
            pixels, as :func:`vitok_lib.measure.memory.peak.measure_memory` does: on a CPU in processes of their own.
        images, resolution, rule, samples, subset_seed, context: as in
            :func:`vitok_lib.measure.studies.image_study.measure_images`.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    image_set, side = sized(opened(images, rule=rule, subset_seed=subset_seed), resolution)
    config = in_parts(checked(config))
    counted = "allocated" if config.device.startswith("cuda") else "resident"
    memory = {name: Quantity("GiB", f"memory|encode+decode|peak-{counted}|batch:1|v1") for name in PEAKS}
    study = ImageStudy(
        function="measure_tiling",
        benchmark="tiling",
        quantities=QUANTITIES | (memory if peaks else {}),
        load=lambda asked: _Timed(load_pair(asked), Clock(asked.device)),
        tokenizer=lambda timed: timed.pair.parts,
        measure=lambda timed, original, name: timed.measure(original, name),
        totals=lambda timed: _peaks(config, side, memory, Context(**context).log) if peaks else (),
        left_out="are one part and were left out",
        nothing="no image has more than one part",
        of_machine=True,
        arguments={"peaks": peaks or None},
    )
    return measure_images(study, config, images=image_set, resolution=side, samples=samples, **context)


def _peaks(config: RunConfig, side: int, quantities: dict[str, Quantity], log: Log) -> tuple[Value, ...]:
    """The peak of the model, whole and in parts, on a square of ``side`` pixels; what does not fit has no value."""
    values = []
    for (name, quantity), half in zip(quantities.items(), halves(config), strict=True):
        probe = MemoryProbe(ProbeSpec(half))
        result = probe.attempt(side)
        probe.close()
        if result.model_peak is None:
            log(f"{config.name}: no {name}: {result.failure.detail if result.failure else 'not measured'}")
            continue
        peak = result.model_peak / GIB
        values.append(
            Value(quantity=name, value=peak, unit=quantity.unit, kind=Kind.MEASURED, signature=quantity.signature)
        )
    return tuple(values)
