"""Distances over random subsets: their means against independent simulations, and the record that holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import linalg  # type: ignore[import-untyped]  # ships no types

from tests.fakes.images import write_noise
from vitok_lib.errors import RequestError
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.studies.how_many import distances_at, measure_how_many
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record

CONFIG = RunConfig(name="jpeg:q=50")
DIMENSIONS, SHIFT, NOISE = 4, 0.6, 0.5
Features = NDArray[np.float64]


def _pairs(generator: np.random.Generator, n: int) -> tuple[Features, Features]:
    """Standard Gaussian features, and the same with noise and a shift of the mean."""
    originals = generator.normal(size=(n, DIMENSIONS))
    return originals, originals + SHIFT / np.sqrt(DIMENSIONS) + NOISE * generator.normal(size=(n, DIMENSIONS))


def _frechet(x: Features, y: Features) -> float:
    """The textbook formula, with a matrix square root."""
    first, second = np.cov(x.T), np.cov(y.T)
    root = linalg.sqrtm(first @ second).real
    return float(np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(first + second - 2 * root))


@pytest.fixture(scope="module")
def features() -> tuple[Features, Features]:
    return _pairs(np.random.default_rng(5), 20_000)


def _error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


@pytest.mark.parametrize("n", [8, 32])
def test_distances_over_subsets_have_mean_and_spread_of_independent_sets(
    n: int, features: tuple[Features, Features]
) -> None:
    drawn = distances_at(*features, n, 300, 0)["fd"]
    generator = np.random.default_rng(11)
    simulated = np.array([_frechet(*_pairs(generator, n)) for _ in range(300)])
    assert abs(drawn.mean() - simulated.mean()) < 4 * np.hypot(_error(drawn), _error(simulated))
    assert drawn.std(ddof=1) == pytest.approx(simulated.std(ddof=1), rel=0.3)


def test_the_bias_of_the_frechet_distance_falls_about_as_one_over_n_and_kid_has_none(
    features: tuple[Features, Features],
) -> None:
    truth = SHIFT**2 + DIMENSIONS * (np.sqrt(1 + NOISE**2) - 1) ** 2  # of the two Gaussians, in closed form
    found = {n: distances_at(*features, n, 600, 0) for n in (16, 32, 64)}
    bias = {n: drawn["fd"].mean() - truth for n, drawn in found.items()}
    assert bias[16] > bias[32] > bias[64] > 0
    for n in (16, 32):
        error = np.hypot(_error(found[n]["fd"]), 2 * _error(found[2 * n]["fd"]))
        assert abs(bias[n] - 2 * bias[2 * n]) < 4 * error + 0.15 * bias[n]
    for n in (16, 32):
        fewer, more = found[n]["kid"], found[64]["kid"]
        assert abs(fewer.mean() - more.mean()) < 4 * np.hypot(_error(fewer), _error(more))


def test_the_record_holds_the_draws_of_each_n_and_a_command_that_measures_the_same(tmp_path: Path) -> None:
    record = _measured(tmp_path, counts=(3, 4), draws=8)
    for metric in ("fd-random", "kid-random"):
        for n in (3, 4):
            value, spread = record.value(f"{metric}:n={n}"), record.value(f"{metric}-sd:n={n}")
            assert value is not None
            assert value.n == n
            assert value.interval is not None
            assert spread is not None
            assert 0 < spread.value < value.interval.high - value.interval.low
            assert value.interval.low < value.value < value.interval.high
    paired = record.value("paired-random")
    assert paired is not None
    assert paired.n == 8
    assert record.provenance is not None
    again = parse(record.provenance.command)
    assert (again.what, again.configs) == ("measure_how_many", (CONFIG,))
    assert (again.request["counts"], again.request["draws"], again.request["draw_seed"]) == ((3, 4), 8, 0)
    other = measure_how_many(CONFIG, images=tmp_path, resolution=32, counts=(3, 4), draws=9)
    assert other.value("fd-random:n=3") != record.value("fd-random:n=3"), "another number of draws is measured anew"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"counts": (5,)}, "give at most 4"),
        ({"counts": (2,)}, "3 or more"),
        ({"counts": ()}, "one or more"),
        ({"draws": 1}, r"draws \(=1\) must be 2 or more"),
        ({"extractor": "radom"}, "random"),
    ],
)
def test_a_wrong_request_is_one_sentence(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        _measured(tmp_path, **{"counts": (3,), **arguments})


def _measured(folder: Path, **arguments: Any) -> Record:
    write_noise(folder, [(24, 16)] * 8)
    return measure_how_many(CONFIG, images=folder, resolution=32, **arguments)
