"""From the results of single images to the values of a record."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vitok_lib.measure.quality.metric_suite import IDENTICAL, PATCHES, takes_patches, unpacked
from vitok_lib.metrics.frechet import at_counts, counts_for
from vitok_lib.metrics.quantities import interval_over_images, method_of
from vitok_lib.metrics.sets import set_estimate
from vitok_lib.metrics.signature import METRICS, Metric
from vitok_lib.records.schema import Interval, Kind, Outcome, Record, Value

if TYPE_CHECKING:
    import pandas as pd

_KEPT_ELSEWHERE = ("features", "status", IDENTICAL)

Results = Sequence[Mapping[str, Any]]


def originals_said(results: dict[str, dict[str, Any]], outcome: Outcome) -> tuple[dict[str, dict[str, Any]], Outcome]:
    """The results and the outcome of a folder; where all files are the originals, PSNR is infinite and that is said.

    A single image equal to its original keeps the 100 dB of any other tokenizer.
    """
    whole = [result for result in results.values() if "error" not in result]
    if not whole or not all(result.get(IDENTICAL, False) for result in whole):
        return results, outcome
    sentence = "the reconstructions are identical to the originals, which is probably a mistake"
    detail = "; ".join(filter(None, (outcome.detail, sentence)))
    infinite = {name: result | ({"psnr": math.inf} if "psnr" in result else {}) for name, result in results.items()}
    return infinite, outcome.model_copy(update={"detail": detail})


def per_image_table(results: Mapping[str, Mapping[str, Any]], digests: Mapping[str, str]) -> pd.DataFrame:
    """One row an image, in order: its name, the sha256 of its content, its size, its values, or its error."""
    import pandas as pd  # here, since a shard makes no table and pandas takes half a second

    return pd.DataFrame(
        {"image": name, "sha256": digests[name]}
        | {key: value for key, value in result.items() if key not in _KEPT_ELSEWHERE}
        for name, result in results.items()
    )


def values_of(
    metrics: Sequence[Metric], signatures: Sequence[str], results: Results
) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
    """The value of each metric over the images that have one, and the distances over their first n for smaller n."""
    values: list[Value] = []
    smaller: list[Value] = []
    whole = [result for result in results if "error" not in result]
    for metric, signature in zip(metrics, signatures, strict=True):
        if metric.scope != "set":
            values += _mean(metric, signature, whole)
            continue
        kept = f"{metric.extractor}/{PATCHES}" if takes_patches(metric) else metric.extractor
        held = [result["features"][kept] for result in whole]
        if not held:
            continue
        originals, reconstructions = (np.stack([unpacked(pair[side]) for pair in held]) for side in (0, 1))
        if not takes_patches(metric):
            originals, reconstructions = originals[:, 0], reconstructions[:, 0]
        values += _distance(metric, signature, originals, reconstructions)
        if metric.statistic == "fd":
            smaller += _at_smaller_counts(metric, signature, originals, reconstructions)
    return tuple(values), tuple(smaller)


def gaps(record: Record, asked: Collection[str]) -> dict[str, str]:
    """Each metric ``asked`` for that has no value, or one on some images alone: its n, and why."""
    done = record.outcome.done or 0
    found = {}
    for metric in (METRICS[name] for name in asked if done):
        value = record.value(metric.name)
        why = f"; it needs {metric.needs}" if metric.needs else ""
        if value is None:
            found[metric.name] = f"no value at n = {done}{why}"
        elif metric.scope in ("image", "text") and value.n is not None and value.n < done:
            found[metric.name] = f"a value at n = {value.n} of {done}{why}"
    return found


def _mean(metric: Metric, signature: str, results: Results) -> list[Value]:
    column = np.array([result[metric.name] for result in results], np.float64)
    column = column[~np.isnan(column)]
    if column.size == 0:
        return []
    mean = math.fsum(column) / column.size
    return [_value(metric, signature, mean, column.size, interval_of_mean(column, metric.name))]


def interval_of_mean(column: NDArray[np.float64], quantity: str) -> Interval | None:
    """The interval of the mean over images, as a record keeps it; None for one image, or a value that is not finite."""
    ends = interval_over_images(quantity, column) if np.isfinite(column).all() else None
    return Interval(low=ends[0], high=ends[1], method=f"{method_of(quantity)} over images") if ends else None


def _distance(
    metric: Metric, signature: str, originals: NDArray[np.float32], reconstructions: NDArray[np.float32]
) -> list[Value]:
    assert metric.statistic is not None
    estimate = set_estimate(metric.statistic, originals, reconstructions)
    if estimate is None:
        return []
    interval = None
    if estimate.low is not None and estimate.high is not None:
        interval = Interval(low=estimate.low, high=estimate.high, method=estimate.method)
    return [_value(metric, signature, estimate.value, estimate.n, interval)]


def _at_smaller_counts(
    metric: Metric, signature: str, originals: NDArray[np.float32], reconstructions: NDArray[np.float32]
) -> list[Value]:
    distances = at_counts(originals, reconstructions, counts_for(len(originals)))
    return [_value(metric, signature, distance, count) for count, distance in distances.items()]


def _value(metric: Metric, signature: str, value: float, n: int, interval: Interval | None = None) -> Value:
    return Value(
        quantity=metric.name,
        value=value,
        unit=metric.unit,
        kind=Kind.MEASURED,
        n=n,
        interval=interval,
        signature=signature,
    )
