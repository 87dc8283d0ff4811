"""The values of a record that are of all latents of a set together, and its arrays with one number for each channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vitok_lib.measure.latents.moments import Array, Moments, total
from vitok_lib.measure.latents.spectrum import effective_rank, principal_axes
from vitok_lib.metrics.jackknife import METHOD, jackknife_interval
from vitok_lib.records.schema import Interval, Kind, Value

DEAD = 0.01
"""A channel is dead whose standard deviation is no more than this share of the root mean square over all channels."""
_DIGITS = 6  # significant ones of a number in an array


@dataclass(frozen=True)
class Scaling:
    """What ``encode`` has done to the raw latent of its network: (raw − shift) · scale, both ``[C]``."""

    shift: Array
    scale: Array


@dataclass(frozen=True)
class Implied:
    """Shift and scale that give raw values a mean of 0 and a deviation of 1: of all channels together, and of each."""

    shift: float
    scale: float
    shifts: Array
    scales: Array

    @classmethod
    def by(cls, moments: Moments, scaling: Scaling | None) -> Implied:
        """From the moments of the latent that ``encode`` gives; without ``scaling`` that is the raw one."""
        means, deviations = moments.mean, moments.std
        if scaling is not None:
            means, deviations = means / scaling.scale + scaling.shift, deviations / np.abs(scaling.scale)
        whole = np.sqrt(np.mean(deviations**2) + means.var())
        with np.errstate(divide="ignore"):
            return cls(float(means.mean()), float(np.divide(1, whole)), means, 1 / deviations)


Statistic = Callable[[Moments, Scaling | None], float]


def _live_spread(moments: Moments, scaling: Scaling | None) -> float:
    live = moments.std[~moments.dead(DEAD)]
    return float(live.max() / live.min()) if live.size else math.nan


def _kurtosis(moments: Moments, scaling: Scaling | None) -> float:
    live = moments.excess_kurtosis[~moments.dead(DEAD)]
    return float(live.mean()) if live.size else math.nan


_ALL = "all-channels|v1"
STATISTICS: Mapping[str, tuple[str, Statistic]] = {
    "latent_mean": (f"latent-mean|{_ALL}", lambda moments, scaling: moments.overall_mean),
    "latent_std": (f"latent-std|{_ALL}", lambda moments, scaling: moments.overall_std),
    "latent_kurtosis": (f"latent-excess-kurtosis|mean-over-live-channels|dead:{DEAD}|v1", _kurtosis),
    "std_spread": (f"latent-std|largest-to-smallest-live-channel|dead:{DEAD}|v1", _live_spread),
    "effective_rank": (
        "latent-covariance|exp-entropy|v1",
        lambda moments, scaling: effective_rank(principal_axes(moments.covariance)[0]),
    ),
    "implied_shift": (f"raw-latent-mean|{_ALL}", lambda moments, scaling: Implied.by(moments, scaling).shift),
    "implied_scale": (f"raw-latent-std|inverse|{_ALL}", lambda moments, scaling: Implied.by(moments, scaling).scale),
}
"""Of the latents of a set: the signature, and the statistic."""
POSITIVE = ("latent_std", "std_spread", "effective_rank", "implied_scale")


def pooled_values(groups: Sequence[Moments], images: int, scaling: Scaling | None) -> tuple[Value, ...]:
    """The values over all ``images``, whose latents' moments are in ``groups``, each of other images.

    Positions weigh alike, so that a large image weighs more than a small one.
    """
    whole = total(groups)
    rest = [total([*groups[:place], *groups[place + 1 :]]) for place in range(len(groups))] if len(groups) > 1 else []
    values = []
    for quantity, (signature, statistic) in STATISTICS.items():
        value = statistic(whole, scaling)
        if not math.isfinite(value):  # of a latent that never varies
            continue
        ends = _interval(quantity, value, [statistic(held, scaling) for held in rest])
        interval = Interval(low=ends[0], high=ends[1], method=f"{METHOD}, {len(rest)} groups") if ends else None
        values.append(_value(quantity, value, images, signature, interval))
    values.append(_value("dead_channels", float(whole.dead(DEAD).sum()), images, f"latent-std|up-to:{DEAD}-of-rms|v1"))
    return (*values, *_of_the_configuration(scaling))


def _interval(quantity: str, value: float, replicates: Sequence[float]) -> tuple[float, float] | None:
    """The jackknife's interval; of what is positive by its nature it is taken of the logarithm, and so is positive."""
    if quantity not in POSITIVE or min(value, *replicates, math.inf) <= 0:
        return jackknife_interval(value, replicates)
    ends = jackknife_interval(math.log(value), [math.log(replicate) for replicate in replicates])
    return None if ends is None else (math.exp(ends[0]), math.exp(ends[1]))


def arrays_of(moments: Moments, scaling: Scaling | None) -> dict[str, tuple[float, ...]]:
    """What a record keeps of each channel, in their order, and the eigenvalues, the largest first.

    Without ``scaling`` a channel's mean and the inverse of its deviation are the shift and the scale that they imply.
    """
    held = {
        "channel_mean": moments.mean,
        "channel_std": moments.std,
        "channel_kurtosis": moments.excess_kurtosis,
        "eigenvalues": principal_axes(moments.covariance)[0],
    }
    if scaling is not None:
        implied = Implied.by(moments, scaling)
        held |= {"config_shift": scaling.shift, "config_scale": scaling.scale}
        held |= {"implied_shift": implied.shifts, "implied_scale": implied.scales}
    return {name: rounded(values) for name, values in held.items()}


def rounded(values: Array) -> tuple[float, ...]:
    """To six significant digits, which a figure does not exhaust."""
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)


def _of_the_configuration(scaling: Scaling | None) -> Iterator[Value]:
    """Shift and scale of the configuration, where one number serves all channels."""
    if scaling is None:
        return
    for quantity, held in (("config_shift", scaling.shift), ("config_scale", scaling.scale)):
        if (held == held[0]).all():
            yield Value(quantity=quantity, value=float(held[0]), unit="", kind=Kind.DERIVED)


def _value(quantity: str, value: float, images: int, signature: str, interval: Interval | None = None) -> Value:
    return Value(
        quantity=quantity,
        value=value,
        unit="",
        kind=Kind.MEASURED,
        n=images,
        interval=interval,
        signature=signature,
    )
