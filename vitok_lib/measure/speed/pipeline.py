"""From files to a metric: what an evaluation of images takes, stage by stage and as a whole.

Every stage is timed by itself, with all of its work done before the next begins: means over the images, which differ
in size, so that the stages add up, as medians would not. The whole is timed apart, with as many threads that load ahead
and with the metrics that an evaluation takes unless others are asked for. Images are decoded and prepared as in a first
evaluation, past the cache of prepared images; the files are in the system's memory. Images that code draws are written
as PNG files first, so that loading means the same for every set. Times alone are kept, and no value of a metric.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from vitok_lib.cost.chain import STAGES, Part, bottleneck, parts
from vitok_lib.errors import RequestError
from vitok_lib.images.ahead import load_ahead
from vitok_lib.images.drawn import DrawnSet
from vitok_lib.images.manifest import ManifestEntry
from vitok_lib.images.prepare import ImageError
from vitok_lib.images.sets import ImageSet, open_image_set
from vitok_lib.measure.quality.metric_suite import Pixels, as_tensor
from vitok_lib.measure.quality.request import DEFAULT_METRICS
from vitok_lib.measure.quality.runner import workers_for
from vitok_lib.measure.speed.timer import Clock
from vitok_lib.metrics.pixel import ImageMetrics, from_uint8, image_metrics, to_uint8
from vitok_lib.metrics.signature import find_metric
from vitok_lib.records.schema import Kind, Value
from vitok_lib.tokenizers.interface import Latent, Tokenizer
from vitok_lib.tokenizers.outputs import check_finite, decoded, encoded


@dataclass(frozen=True)
class Chain:
    """Mean milliseconds an image: ``stages`` each alone, and ``total`` with ``workers`` threads that load ahead."""

    stages: dict[str, float]
    total: float
    images: int
    workers: int

    @property
    def device(self) -> float:
        """Encoding and decoding of these very images, which a latency at one size does not tell."""
        return self.stages["encode"] + self.stages["decode"]

    @property
    def bound(self) -> Part | None:
        """What the whole waits for; None where it takes another time than the stages explain."""
        return bottleneck(parts(self.stages, self.workers), self.total)

    def values(self, signature: str) -> list[Value]:
        """As a record keeps them; ``signature`` names the images."""

        def value(quantity: str, number: float, unit: str, kind: Kind = Kind.MEASURED) -> Value:
            return Value(quantity=quantity, value=number, unit=unit, kind=kind, n=self.images, signature=signature)

        return [
            value("end_to_end_latency", self.total, "ms"),
            value("end_to_end_throughput", 1e3 / self.total, "img/s", Kind.DERIVED),
            *(value(f"stage_{stage}", taken, "ms") for stage, taken in self.stages.items()),
            value("device_latency", self.device, "ms", Kind.DERIVED),
            value("preparing_threads", self.workers, "count"),
        ]


@dataclass(frozen=True)
class ChainRequest:
    """The images that go from file to metrics, and the metrics of each image.

    Raises:
        RequestError: there is no such metric, or it is none of single images.
    """

    image_set: ImageSet
    metrics: tuple[str, ...] = DEFAULT_METRICS

    def __post_init__(self) -> None:
        if not self.metrics:
            raise RequestError(f"metrics must be one or more; leave them out for {','.join(DEFAULT_METRICS)}")
        for name in self.metrics:
            if find_metric(name).scope != "image":
                raise RequestError(
                    f"metric '{name}' is no metric of single images, such as {','.join(DEFAULT_METRICS)}"
                )

    def signature(self, batch: int) -> str:
        """Of the values of a chain with ``batch`` images of one size at a time."""
        files = f"{self.image_set.name}:png" if isinstance(self.image_set, DrawnSet) else self.image_set.name
        return f"end-to-end|{files}|mean|batch:{batch}|{'+'.join(self.metrics)}|v3"


@torch.no_grad()
def measure_chain(
    tokenizer: Tokenizer, asked: ChainRequest, resolution: int, *, count: int, batch: int, clock: Clock
) -> Chain:
    """Take the first ``count`` images of the set through ``tokenizer``, ``batch`` of one size at a time.

    They are loaded once before, and a batch of each size goes through the tokenizer, so that it is compiled.

    Raises:
        ImageError: an image cannot be read.
        Exception: whatever the tokenizer raises.
    """
    metrics = image_metrics(asked.metrics, clock.device)
    with _as_files(asked.image_set, resolution, count, workers_for(clock.device)) as image_set:
        entries = image_set.manifest(resolution, count).entries
        with _without_cache():
            return _measured(_Stages(tokenizer, clock, metrics), image_set, entries, resolution, batch)


def _measured(
    chain: _Stages, image_set: ImageSet, entries: Sequence[ManifestEntry], resolution: int, batch: int
) -> Chain:
    seen = set()
    for pixels in _batches(image_set, entries, resolution, batch, workers=0):
        if (shape := (len(pixels), *pixels[0].shape)) not in seen:
            seen.add(shape)
            chain.go_through(pixels)

    taken = dict.fromkeys(STAGES, 0.0)
    loading = _batches(image_set, entries, resolution, batch, workers=0)

    def following() -> list[Pixels] | None:
        return next(loading, None)

    while True:
        loaded, milliseconds = chain.clock.time(following)
        if loaded is None:
            break
        for stage, spent in {"load": milliseconds, **chain.go_through(loaded)}.items():
            taken[stage] += spent / len(entries)

    began = time.perf_counter()
    workers = workers_for(chain.clock.device)
    for pixels in _batches(image_set, entries, resolution, batch, workers):
        chain.go_through(pixels)
    total = (time.perf_counter() - began) * 1e3 / len(entries)
    return Chain(taken, total, len(entries), workers)


@contextmanager
def _as_files(image_set: ImageSet, resolution: int, count: int, threads: int) -> Iterator[ImageSet]:
    """``image_set``, or PNG files of its first ``count`` images where code draws them."""
    if not isinstance(image_set, DrawnSet):
        yield image_set
        return

    def write(name: str) -> None:
        # The fastest level: photographs are noisy, and files of them are no smaller at a higher one.
        Image.fromarray(image_set.load(name, resolution)).save(Path(folder) / f"{name}.png", compress_level=1)

    with tempfile.TemporaryDirectory() as folder:
        with ThreadPoolExecutor(threads) as executor:
            list(executor.map(write, image_set.names()[:count]))
        yield open_image_set(folder)


@contextmanager
def _without_cache() -> Iterator[None]:
    """Neither read nor write prepared images."""
    names = ("VITOK_CACHE", "VITOK_CACHE_GIB")
    before = {name: os.environ.get(name) for name in names}
    with tempfile.TemporaryDirectory() as empty:
        os.environ.update(zip(names, (empty, "0"), strict=True))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@dataclass(frozen=True)
class _Stages:
    tokenizer: Tokenizer
    clock: Clock
    metrics: ImageMetrics

    def go_through(self, pixels: Sequence[Pixels]) -> dict[str, float]:
        """Milliseconds that each stage after loading takes for this batch."""
        taken = {}
        originals, taken["copy"] = self.clock.time(lambda: as_tensor(pixels).to(self.clock.device))
        latent, taken["encode"] = self.clock.time(lambda: self._encoded(originals))
        images, taken["decode"] = self.clock.time(lambda: decoded(self.tokenizer, latent, originals.shape))
        check_finite(images)
        _, taken["metric"] = self.clock.time(lambda: self._compared(originals, images))
        return taken

    def _encoded(self, originals: Tensor) -> Latent:
        return encoded(self.tokenizer, from_uint8(originals))

    def _compared(self, originals: Tensor, images: Tensor) -> list[dict[str, float]]:
        reconstructions = to_uint8(images).to(originals.device)
        return [self.metrics(*pair) for pair in zip(originals, reconstructions, strict=True)]


def _batches(
    image_set: ImageSet, entries: Sequence[ManifestEntry], resolution: int, batch: int, workers: int
) -> Iterator[list[Pixels]]:
    """Images of one size that follow one another, at most ``batch`` of them."""
    held: list[Pixels] = []
    with closing(load_ahead(image_set, entries, resolution, workers)) as loaded:
        for _, pixels in loaded:
            if isinstance(pixels, ImageError):
                raise pixels
            if held and (len(held) == batch or held[0].shape != pixels.shape):
                yield held
                held = []
            held.append(pixels)
    if held:
        yield held
