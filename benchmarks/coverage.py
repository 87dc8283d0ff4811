"""What the intervals of this project cover at the n they are shown with, and how often equal tokenizers differ.

``python benchmarks/coverage.py [--quick]`` draws samples whose truth is known, takes an interval of each with the
functions that the report uses, and counts how often it holds the truth. The percentile bootstrap is simulated next to
Student's t for comparison. It prints a table, and writes ``vitok_lib/metrics/coverage.json``, which the page of methods
shows; ``--quick`` takes some seconds and writes nothing. One thread, fixed seeds: equal versions give equal numbers.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import vitok_lib.metrics
from vitok_lib.metrics.extrapolation import extrapolated, frechet_at_infinity
from vitok_lib.metrics.frechet import one_thread
from vitok_lib.metrics.kernel import kernel_distance
from vitok_lib.metrics.statistics import mean_interval, median_interval, paired_differences, share_interval

LEVEL = 0.95
COUNTS = (5, 6, 8, 24, 100)
TOKENIZERS = (2, 3, 5, 8, 11)
ROUNDS = (6, 8, 10, 20)
SIGMA = 0.5
DIMENSIONS = 32
IMAGES = {32: (24, 40, 48, 64, 96, 192), 128: (160, 192, 256, 384)}
"""For FD∞, by the number of dimensions."""
SLOWER = 5
"""How many times fewer repetitions the larger number of dimensions gets."""
GAIN, NOISE, SHIFT = 0.9, 0.3, 0.2
"""A reconstruction's features are GAIN · x + NOISE · N(SHIFT, 1) of those of its original, x."""

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]
MEANS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, shape: rng.normal(size=shape), 0.0),
    "t, 5 degrees of freedom": (lambda rng, shape: rng.standard_t(5, shape), 0.0),
    f"log-normal, σ = {SIGMA}": (lambda rng, shape: rng.lognormal(0, SIGMA, shape), float(np.exp(SIGMA**2 / 2))),
}
SHARES = (0.8, 0.98)
LINES, TOGETHER = 3, 0.3
"""Of a page, and the correlation of its lines."""
Row = dict[str, str | int | float]


def rows(quick: bool) -> Iterator[Row]:
    """One simulated share a row: ``of`` what, by which ``method``, over which ``values``, at which ``n``."""
    few = 20 if quick else 1
    yield from means(20_000 // few, 2_000 // few)
    yield from shares(20_000 // few)
    yield from families(2_000 // few, 200 // few)
    yield from medians(20_000 // few)
    yield from distances(2_000 // few, 300 // few)


def row(of: str, method: str, values: str, n: int, held: NDArray[np.bool_] | list[bool]) -> Row:
    return {
        "of": of,
        "method": method,
        "values": values,
        "n": n,
        "share": float(np.mean(held)),
        "repetitions": len(held),
    }


def means(repetitions: int, bootstraps: int) -> Iterator[Row]:
    """Share of intervals of a mean that hold it."""
    for values, (draw, mean) in MEANS.items():
        for n in COUNTS:
            samples = draw(np.random.default_rng([1, n]), (repetitions, n))
            yield row("mean", "Student's t", values, n, [holds(mean_interval(sample), mean) for sample in samples])
            weights = resampling(n, 2_000)
            ends = np.quantile(weights @ samples[:bootstraps].T, [0.025, 0.975], axis=0)
            yield row("mean", "percentile bootstrap", values, n, (ends[0] <= mean) & (mean <= ends[1]))


def shares(repetitions: int) -> Iterator[Row]:
    """Share of intervals that hold the share of lines read rightly, of pages whose lines are correlated."""
    for share in SHARES:
        scale, values = 1 / TOGETHER - 1, f"{LINES} lines a page, share {share:g}"
        for n in COUNTS:
            rng = np.random.default_rng([5, n])
            chance = rng.beta(share * scale, (1 - share) * scale, (repetitions, n))
            samples = rng.binomial(LINES, chance) / LINES
            for method, interval in (("Clopper & Pearson", share_interval), ("Student's t", mean_interval)):
                yield row("share", method, values, n, [holds(interval(sample), share) for sample in samples])


def families(tables: int, bootstraps: int) -> Iterator[Row]:
    """Share of tables of k equal tokenizers that hold a significant difference."""
    for k in TOKENIZERS:
        pairs = list(combinations(range(k), 2))
        for n in COUNTS:
            rng, of = np.random.default_rng([2, k, n]), f"false difference among {k} tokenizers"
            images = rng.normal(30, 4, (tables, n, 1))
            drawn = images + rng.normal(0, 0.5, (tables, n, k))
            false = [
                any(each.clear for each in paired_differences({str(i): table[:, i] for i in range(k)}))
                for table in drawn
            ]
            yield row(of, "Student's t", "normal", n, false)
            tail = (1 - LEVEL) / (2 * len(pairs))
            weights = resampling(n, max(10_000, round(20 / tail)))
            first, second = (list(side) for side in zip(*pairs, strict=True))
            false = []
            for table in drawn[:bootstraps]:
                low, high = np.quantile(weights @ (table[:, first] - table[:, second]), [tail, 1 - tail], axis=0)
                false.append(bool(np.any((low > 0) | (high < 0))))
            yield row(of, "percentile bootstrap", "normal", n, false)


def medians(repetitions: int) -> Iterator[Row]:
    """Share of intervals of the median of a run's rounds, or of the ratios of two, that hold it."""
    for n in ROUNDS:
        samples = np.random.default_rng([3, n]).lognormal(0, SIGMA, (repetitions, n))
        held = [holds(median_interval(sample.tolist()), 1.0) for sample in samples]
        yield row("median of rounds", "order statistics", f"log-normal, σ = {SIGMA}", n, held)


def distances(repetitions: int, extrapolations: int) -> Iterator[Row]:
    """Share of intervals of KID and of FD∞ that hold the distance of the two populations."""
    for decay, values in ((0, "normal, equal variances"), (1, "normal, variances 1/i")):
        scale = spread(DIMENSIONS, decay)
        truth = kernel_truth(scale)
        for n in COUNTS:
            held = []
            for seed in range(repetitions):
                found = kernel_distance(*features(n, scale, seed))
                assert found is not None
                held.append(holds((found.low, found.high), truth))
            yield row(f"KID, d = {DIMENSIONS}", "jackknife", values, n, held)
        for size, counts in IMAGES.items():
            scale = spread(size, decay)
            truth = float(np.sum(scale**2) * ((1 - np.hypot(GAIN, NOISE)) ** 2 + (NOISE * SHIFT) ** 2))
            for n in counts:
                held, shown = [], frechet_at_infinity(*features(n, scale, 0))
                for seed in range(extrapolations if size == DIMENSIONS else extrapolations // SLOWER):
                    value, margin = extrapolated(*features(n, scale, seed))
                    held.append(holds((value - margin, value + margin), truth))
                method = "jackknife" if shown is not None and shown.low is not None else "jackknife, not shown"
                yield row(f"FD∞, d = {size}", method, values, n, held)


def spread(size: int, decay: int) -> Array:
    """Standard deviations ``[d]`` of the dimensions: equal, or falling so that the variances are 1/i."""
    return np.asarray(np.arange(1, size + 1, dtype=np.float64) ** (-decay / 2))


def features(n: int, scale: Array, seed: int) -> tuple[Array, Array]:
    """Features ``[n, d]`` of originals and of their reconstructions."""
    rng = np.random.default_rng([4, n, seed])
    originals = rng.normal(size=(n, len(scale))) * scale
    return originals, GAIN * originals + NOISE * scale * rng.normal(SHIFT, 1, (n, len(scale)))


def kernel_truth(scale: Array) -> float:
    """The squared maximum mean discrepancy of the two populations, from their first three moments.

    With s = x·y/d the kernel is 1 + 3s + 3s² + s³, and the mean of sᵏ over x and y is the inner product of their k-th
    moments over dᵏ.
    """
    size = len(scale)
    moments = []
    for mean, deviation in ((np.zeros(size), scale), (NOISE * SHIFT * scale, np.hypot(GAIN, NOISE) * scale)):
        second = np.diag(deviation**2) + np.outer(mean, mean)
        third = np.einsum("i,j,k->ijk", mean, mean, mean)
        for axes in ("i,jk->ijk", "j,ik->ijk", "k,ij->ijk"):
            third += np.einsum(axes, mean, np.diag(deviation**2))
        moments.append((mean, second, third))
    weights = (3, 3, 1)
    return float(
        sum(w * np.sum((a - b) ** 2) / size**k for k, (w, a, b) in enumerate(zip(weights, *moments, strict=True), 1))
    )


def holds(ends: tuple[float | None, float | None] | None, truth: float) -> bool:
    assert ends is not None
    low, high = ends
    assert low is not None
    assert high is not None
    return low <= truth <= high


def resampling(n: int, resamples: int) -> Array:
    """How often each of ``n`` values is drawn, over ``n``: ``[resamples, n]``."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), resamples) / n


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a twentieth of the repetitions; nothing is written")
    options = parser.parse_args()
    started, found = time.perf_counter(), []
    with one_thread():
        for each in rows(options.quick):
            print(f"{each['of']:38} {each['method']:22} {each['values']:26} n = {each['n']:<4} {each['share']:.3f}")
            found.append(each)
    if not options.quick:
        command = "python benchmarks/coverage.py"
        target = Path(vitok_lib.metrics.__file__).with_name("coverage.json")
        text = json.dumps({"command": command, "level": LEVEL, "rows": found}, ensure_ascii=False, indent=1)
        target.write_text(text + "\n", encoding="utf-8")
        print(f"wrote {target}")
    print(json.dumps({"seconds": round(time.perf_counter() - started), "rows": len(found)}))


if __name__ == "__main__":
    main()
