"""The Fréchet distance without a matrix square root against the usual formula with one: time and error.

``python benchmarks/frechet.py [--quick]`` measures 50 and 1500 images of 2048 features whose true distance is known in
closed form, and what FD∞ of 1500 images takes: without an interval, and with one where features are a third of them.
It prints a table, and one JSON line last. ``--quick`` takes 512 features and 300 images, for a few seconds.
Both sides run on as many threads as their libraries take.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import sqrtm  # type: ignore[import-untyped]  # ships no types

from vitok_lib.metrics.extrapolation import frechet_at_infinity
from vitok_lib.metrics.frechet import frechet_distance

Features = NDArray[np.float64]
EXTRAPOLATED = {False: (768, 500), True: (100,)}
"""Dimensions of the features of FD∞, beside those of the distances, by whether a quick run is asked for."""


def features_of_known_distance(n: int, d: int, seed: int = 0) -> tuple[Features, Features, float]:
    """Two sets with the same principal axes: their distance is that of the axes' lengths and of the means."""
    rng = np.random.default_rng(seed)
    rank = min(n - 1, d)
    axes = np.linalg.qr(rng.normal(size=(d, rank)))[0]
    lengths = np.arange(1, rank + 1) ** -0.5
    others = lengths * rng.uniform(0.9, 1.1, rank)
    shift = rng.normal(0, 1e-3, d)
    sets = []
    for spread in (lengths, others):
        drawn = rng.normal(size=(n, rank))
        white = np.linalg.qr(drawn - drawn.mean(0))[0] * np.sqrt(n - 1)  # mean 0 and covariance 1, exactly
        sets.append(white * spread @ axes.T)
    distance = float(np.sum((lengths - others) ** 2) + np.sum(shift**2))
    return sets[0], sets[1] + shift, distance


def by_square_root(originals: Features, reconstructions: Features) -> float:
    """The formula as most implementations have it."""
    first, second = (np.cov(features, rowvar=False) for features in (originals, reconstructions))
    difference = originals.mean(0) - reconstructions.mean(0)
    root = sqrtm(first @ second)
    return float(difference @ difference + np.trace(first) + np.trace(second) - 2 * np.trace(root.real))


def timed(function: Callable[[Features, Features], float], *sets: Features) -> tuple[float, float]:
    """The value, and the seconds of the faster of runs that take a second together, at least one."""
    seconds: list[float] = []
    while not seconds or sum(seconds) < 1:
        started = time.perf_counter()
        value = function(*sets)
        seconds.append(time.perf_counter() - started)
    return value, min(seconds)


def measure(n: int, d: int) -> dict[str, float]:
    originals, reconstructions, truth = features_of_known_distance(n, d)
    ours, our_seconds = timed(frechet_distance, originals, reconstructions)
    theirs, their_seconds = timed(by_square_root, originals, reconstructions)
    return {
        "n": n,
        "d": d,
        "seconds": our_seconds,
        "sqrtm_seconds": their_seconds,
        "ratio": their_seconds / our_seconds,
        "relative_error": abs(ours - truth) / truth,
        "sqrtm_relative_error": abs(theirs - truth) / truth,
    }


def extrapolate(n: int, d: int) -> dict[str, float]:
    originals, reconstructions, _ = features_of_known_distance(n, d)
    started = time.perf_counter()
    estimate = frechet_at_infinity(originals, reconstructions)
    seconds = time.perf_counter() - started
    assert estimate is not None
    return {"n": n, "d": d, "seconds": seconds, "value": estimate.value, "interval": estimate.low is not None}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer images and features, a few seconds")
    quick = parser.parse_args().quick
    d, counts = (512, (50, 300)) if quick else (2048, (50, 1500))
    rows = [measure(n, d) for n in counts]
    print(f"{'n':>6} {'d':>6} {'ours, s':>9} {'sqrtm, s':>9} {'ratio':>7} {'error':>9} {'sqrtm error':>12}")
    for row in rows:
        print(
            f"{row['n']:6} {row['d']:6} {row['seconds']:9.4f} {row['sqrtm_seconds']:9.2f} {row['ratio']:7.0f} "
            f"{row['relative_error']:9.1e} {row['sqrtm_relative_error']:12.1e}"
        )
    infinity = [extrapolate(counts[-1], size) for size in (d, *EXTRAPOLATED[quick])]
    for row in infinity:
        interval = "with its interval" if row["interval"] else "no interval"
        print(f"extrapolated to infinity, n = {row['n']}, d = {row['d']}: {row['seconds']:.2f} s, {interval}")
    print(json.dumps({"distance": rows, "infinity": infinity}))


if __name__ == "__main__":
    main()
