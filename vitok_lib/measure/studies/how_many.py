"""How a distance between sets depends on the number of images: its mean and its spread over random subsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vitok_lib.errors import RequestError, unknown
from vitok_lib.images.sets import ImageSet, opened, sized
from vitok_lib.measure.common.context import ContextOptions
from vitok_lib.measure.studies.image_study import ImageStudy, Quantity, Result, measure_images, reconstructed
from vitok_lib.metrics.frechet import Features
from vitok_lib.metrics.kernel import MINIMUM_COUNT
from vitok_lib.metrics.networks.extractors import EXTRACTORS
from vitok_lib.metrics.networks.features import Extractor, load_extractor
from vitok_lib.metrics.pixel import to_uint8
from vitok_lib.metrics.sets import paired_distances, set_estimate
from vitok_lib.metrics.signature import METRICS, Metric
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Interval, Kind, Record, Value
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load

STATISTICS = ("fd", "kid")
COUNTS, DRAWS = (4, 8, 16, 32), 50
_QUANTILES = (0.025, 0.975)


@dataclass
class _Subject:
    """A tokenizer, the extractor, and the features ``[d]`` of each image and of its reconstruction so far."""

    tokenizer: Tokenizer
    extractor: Extractor
    originals: list[NDArray[np.float32]] = field(default_factory=list)
    reconstructions: list[NDArray[np.float32]] = field(default_factory=list)


def measure_how_many(
    config: RunConfig,
    *,
    images: str | Path | ImageSet,
    resolution: int | str,
    extractor: str = "random",
    counts: Sequence[int] = COUNTS,
    draws: int = DRAWS,
    draw_seed: int = 0,
    rule: str | None = None,
    samples: int | None = None,
    subset_seed: int | None = None,
    **context: Unpack[ContextOptions],
) -> Record:
    """Fréchet and kernel distance over random subsets of ``images``, at each of ``counts``, and keep the record.

    The features of the whole set are extracted once. At each n the record holds, such as ``fd-random:n=8``, the mean
    over the draws with the quantiles 2.5 % and 97.5 % of the draws, and ``fd-random-sd:n=8``, their standard deviation.
    A subset holds originals and their own reconstructions, as an evaluation of n images would.

    Draws from one set of N images share images, so that they differ less than independent sets do: by a factor of about
    √(1 − n/N) in the standard deviation. Hence n is at most N/2.

    Args:
        extractor: a name of :data:`vitok_lib.metrics.signature.EXTRACTORS`.
        counts: the n, each from 3 to half the number of images.
        draws: the number of subsets at each n, 2 or more.
        draw_seed: of the generator that draws them.
        images, resolution, rule, samples, subset_seed, context: as in
            :func:`vitok_lib.measure.studies.image_study.measure_images`.

    Raises:
        RequestError: the request is wrong, the extractor's weights are missing, or the results folder cannot be
            written.
    """
    if extractor not in EXTRACTORS:
        raise unknown("feature extractor", extractor, EXTRACTORS)
    if draws < 2:
        raise RequestError(f"draws (={draws}) must be 2 or more; one subset says nothing about the spread")
    image_set, side = sized(opened(images, rule=rule, subset_seed=subset_seed), resolution)
    total = len(image_set.manifest(side, samples).entries)
    _check_counts(counts, total)
    counts = tuple(sorted(counts))
    metrics = {statistic: _metric(extractor, statistic) for statistic in (*STATISTICS, "paired")}
    paired = metrics["paired"]
    quantities = {paired.name: Quantity(paired.unit, paired.signature)}
    for metric in (metrics[statistic] for statistic in STATISTICS):
        for n in counts:
            signature = f"{metric.signature}|n:{n}|draws:{draws}|seed:{draw_seed}"
            quantities[f"{metric.name}:n={n}"] = Quantity(metric.unit, f"{signature}|mean")
            quantities[f"{metric.name}-sd:n={n}"] = Quantity(metric.unit, f"{signature}|standard-deviation")

    def measured(subject: _Subject, original: Tensor, name: str) -> Result:
        reconstruction = to_uint8(reconstructed(subject.tokenizer, original)).to(original.device)
        before, after = (subject.extractor.features(images) for images in (original, reconstruction))
        subject.originals.append(before[0])
        subject.reconstructions.append(after[0])
        return {paired.name: float(paired_distances(before, after)[0])}

    def totals(subject: _Subject) -> tuple[Value, ...]:
        originals, reconstructions = np.stack(subject.originals), np.stack(subject.reconstructions)
        held = [n for n in counts if 2 * n <= len(originals)]  # fewer than asked for where images failed
        values: list[Value] = []
        for n in held:
            drawn = distances_at(originals, reconstructions, n, draws, draw_seed)
            for statistic in STATISTICS:
                values += _values(metrics[statistic].name, drawn[statistic], n, quantities)
        return tuple(values)

    return measure_images(
        ImageStudy(
            function="measure_how_many",
            benchmark=f"how-many-{extractor}",
            quantities=quantities,
            load=lambda config: _Subject(load(config), load_extractor(extractor, config.device)),
            tokenizer=lambda subject: subject.tokenizer,
            measure=measured,
            totals=totals,
            arguments={"extractor": extractor, "counts": counts, "draws": draws, "draw_seed": draw_seed},
            usual={"counts": COUNTS, "draws": DRAWS, "draw_seed": 0},
        ),
        config,
        images=image_set,
        resolution=side,
        samples=samples,
        **context,
    )


def distances_at(
    originals: Features, reconstructions: Features, n: int, draws: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    """FD and KID ``[draws]`` of ``n`` pairs drawn at random, without replacement, from sets ``[N, d]`` paired by row.

    Both distances take the same subsets.
    """
    generator = np.random.default_rng([seed, n])
    found: dict[str, list[float]] = {statistic: [] for statistic in STATISTICS}
    for _ in range(draws):
        rows = generator.choice(len(originals), n, replace=False)
        for statistic in STATISTICS:
            estimate = set_estimate(statistic, originals[rows], reconstructions[rows])
            assert estimate is not None  # n is large enough for both
            found[statistic].append(estimate.value)
    return {statistic: np.array(values) for statistic, values in found.items()}


def _check_counts(counts: Sequence[int], total: int) -> None:
    if not counts or len(set(counts)) < len(counts) or min(counts) < MINIMUM_COUNT:
        raise RequestError(
            f"counts (={list(counts)}) must be one or more numbers of images of {MINIMUM_COUNT} or more, each once"
        )
    if 2 * max(counts) > total:
        raise RequestError(
            f"counts (={list(counts)}) hold {max(counts)}, and random subsets of {total} images are too alike above "
            f"half of them; give at most {total // 2}, or more images"
        )


def _metric(extractor: str, statistic: str) -> Metric:
    return next(each for each in METRICS.values() if (each.extractor, each.statistic) == (extractor, statistic))


def _values(metric: str, drawn: NDArray[np.float64], n: int, quantities: dict[str, Quantity]) -> list[Value]:
    """The mean and the standard deviation of the distances ``[draws]`` at ``n``."""
    low, high = (float(end) for end in np.quantile(drawn, _QUANTILES))
    over = f"quantiles over {len(drawn)} random subsets of one set"
    found = []
    for name, number, interval in (
        (f"{metric}:n={n}", float(drawn.mean()), Interval(low=low, high=high, method=over)),
        (f"{metric}-sd:n={n}", float(drawn.std(ddof=1)), None),
    ):
        quantity = quantities[name]
        found.append(
            Value(
                quantity=name,
                value=number,
                unit=quantity.unit,
                kind=Kind.MEASURED,
                n=n,
                interval=interval,
                signature=quantity.signature,
            )
        )
    return found
