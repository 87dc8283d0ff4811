"""Rate–distortion curves: the points of each record of the benchmark ``rate``, and how two curves differ.

A record holds ``bpp:<point>``, ``psnr:<point>`` and ``ssimulacra2:<point>`` for each quantiser of a latent, or each
quality of a codec; a curve is that of the rate and one of the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import RequestError, unknown
from vitok_lib.metrics.bjontegaard import Curve, curve_of, log_rate_difference, quality_difference
from vitok_lib.metrics.quantities import RATE_QUALITIES, UNQUANTISED
from vitok_lib.metrics.statistics import leaves_out, mean_interval
from vitok_lib.records.schema import Interval, OutcomeStatus
from vitok_lib.report.data.paired import interval_of
from vitok_lib.report.data.record_view import Entry, natural, of_case


@dataclass(frozen=True)
class RateCurve:
    """The ``points`` of one record, without that of the unquantised latent, by a ``quality`` of ``RATE_QUALITIES``."""

    entry: Entry
    points: tuple[str, ...]
    quality: str = RATE_QUALITIES[0]

    @property
    def name(self) -> str:
        return self.entry.title

    def means(self) -> list[tuple[str, float, float]]:
        """Each point with its mean bits per pixel and its mean quality, by growing rate."""
        rates, qualities = (
            [self.entry.value(f"{of}:{point}").value for point in self.points] for of in ("bpp", self.quality)
        )
        return sorted(zip(self.points, rates, qualities, strict=True), key=lambda point: point[1])

    def of_kind(self, kind: str) -> RateCurve:
        """The points of one kind, such as ``common``."""
        return replace(self, points=tuple(point for point in self.points if point.partition("=")[0] == kind))

    def single(self, quantity: str, point: str) -> NDArray[np.float64]:
        """``[images]``: the values of single images at a point, in the order of the set."""
        return self.entry.per_image[f"{quantity}:{point}"].to_numpy(np.float64)

    @cached_property
    def by_image(self) -> list[Curve]:
        """The curve of each image, in the order of the set."""
        rates, qualities = (np.stack([self.single(of, point) for point in self.points]) for of in ("bpp", self.quality))
        whole = np.isfinite(qualities)  # an image can be too small for a metric
        columns = zip(rates.T, qualities.T, whole.T, strict=True)
        return [curve_of(rate[finite], quality[finite]) for rate, quality, finite in columns]


@dataclass(frozen=True)
class Bjontegaard:
    """The mean over ``n`` of ``images`` images of one difference of two curves; the others' curves share no part.

    There is no interval for fewer than two images.
    """

    mean: float
    interval: Interval | None
    n: int
    images: int

    @property
    def clear(self) -> bool:
        """Whether there is an interval and it leaves out zero: the difference is significant."""
        return self.interval is not None and leaves_out(0, self.interval.low, self.interval.high)


def curves(entries: Sequence[Entry], case: str, quality: str = RATE_QUALITIES[0]) -> list[RateCurve]:
    """The curves of ``case`` that share their images with the most others, learned tokenizers first, then by name.

    Raises:
        RequestError: there is no record of ``case`` that ended well and holds ``quality``.
    """
    if quality not in RATE_QUALITIES:
        raise unknown("quality of a rate–distortion curve", quality, RATE_QUALITIES)
    ended = [entry for entry in of_case(entries, case) if entry.record.outcome.status == OutcomeStatus.OK]
    held = [entry for entry in ended if any(value.quantity.startswith(f"{quality}:") for value in entry.record.values)]
    if not held:
        raise RequestError(f"no record of '{case}' ended well and holds '{quality}', so there is no curve to show")
    images = [(entry.record.images.manifest_sha256, entry.record.images.rule) for entry in held]
    most = max(images, key=images.count)
    chosen = [entry for entry, own in zip(held, images, strict=True) if own == most]
    chosen.sort(key=lambda entry: (entry.record.tokenizer.family == "codec", natural(entry.title)))
    return [RateCurve(entry, _points(entry), quality) for entry in chosen]


def _points(entry: Entry) -> tuple[str, ...]:
    held = [value.quantity.partition(":") for value in entry.record.values]
    return tuple(point for quantity, _, point in held if quantity == "bpp" and point != UNQUANTISED)


def bd_rate(curve: RateCurve, baseline: RateCurve, comparisons: int = 1) -> Bjontegaard | None:
    """How many percent more rate ``curve`` takes than ``baseline`` at equal quality; None where no image has one.

    The mean over images is that of ln(rate / rate of ``baseline``), and so the ratio's geometric mean.
    """
    return _difference(curve, baseline, log_rate_difference, comparisons, lambda log: 100 * math.expm1(log))


def bd_quality(curve: RateCurve, baseline: RateCurve, comparisons: int = 1) -> Bjontegaard | None:
    """The mean difference of quality at equal rate in its unit, paired by image; None where no image has one."""
    return _difference(curve, baseline, quality_difference, comparisons, float)


def _difference(
    curve: RateCurve,
    baseline: RateCurve,
    difference: Callable[[Curve, Curve], float | None],
    comparisons: int,
    shown: Callable[[float], float],
) -> Bjontegaard | None:
    """The mean of ``difference`` over images; ``shown``, which is monotone, gives it and its interval their unit."""
    pairs = list(zip(curve.by_image, baseline.by_image, strict=True))
    found = [value for one, other in pairs if (value := difference(one, other)) is not None]
    if not found:
        return None
    bounds = mean_interval(found, comparisons=comparisons)
    interval = interval_of((shown(bounds[0]), shown(bounds[1])) if bounds else None, comparisons)
    return Bjontegaard(shown(float(np.mean(found))), interval, len(found), len(pairs))
