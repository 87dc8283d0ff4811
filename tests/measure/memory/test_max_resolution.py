"""The search for the largest size against brute force, and the record of what bounds it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from vitok_lib.errors import RequestError
from vitok_lib.measure.common.outcomes import Failure
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.memory import max_resolution
from vitok_lib.measure.memory.max_resolution import Search, largest_fitting, measure_capacity
from vitok_lib.measure.memory.probe import MemoryProbe, ProbeSpec
from vitok_lib.measure.memory.worker import ProbeResult
from vitok_lib.measure.predict.plan import plan_of
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import read_records, results_root
from vitok_lib.tokenizers.registry import describe

TINY = "w32_d2_h2/8x6"
RANDOM = RunConfig(name=TINY, weights="random", chunk=0)
BYTES_A_PIXEL = 1024
PREDICTED = 304
ALLOCATING = '''
"""A tokenizer that holds so many bytes a pixel for a moment."""
import torch
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Settings, Weights
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec

class Allocating:
    spec = TokenizerSpec("allocating", "test", 1, 3, "a test")
    weights = Weights(source="none")
    settings = Settings(device="cpu", dtype="float32")
    def encode(self, images):
        torch.ones(images[0, 0].numel() * 256)
        return Latent(images.movedim(1, -1), images.shape[2], images.shape[3])
    def decode(self, latent):
        return latent.values.movedim(-1, 1)
    def reconstruct(self, images):
        return self.decode(self.encode(images))
'''


@pytest.mark.parametrize("most", [1, 2, 7, 40])
def test_the_search_finds_what_trying_all_finds_from_any_guess(most: int) -> None:
    for threshold in range(most + 1):
        for guess in (0, 1, most // 2, most, 10 * most):
            tried: list[int] = []

            def fits(count: int, threshold: int = threshold, tried: list[int] = tried) -> bool:
                tried.append(count)
                return count <= threshold

            expected = max((count for count in range(1, most + 1) if count <= threshold), default=0)
            assert largest_fitting(fits, guess, most) == expected
            assert len(set(tried)) == len(tried)
            assert len(tried) <= 2 * math.log2(most + 1) + 2


def test_a_good_guess_saves_tries() -> None:
    def tries(guess: int) -> int:
        tried: list[int] = []
        largest_fitting(lambda count: tried.append(count) or count <= 1000, guess, 10_000)
        return len(tried)

    assert tries(990) <= 8
    assert tries(990) < tries(1)


def test_a_size_that_would_take_too_long_is_not_tried() -> None:
    tried: list[int] = []

    def attempt(side: int, model_alone: bool) -> ProbeResult:
        tried.append(side)
        return ProbeResult(seconds=side**2 / 100**2)  # a second at 100 px

    search = Search(attempt, step=100, time_limit=10)
    assert search.largest(guess=100, upper=1000) == 300  # 9 s; 400 px would take 16
    assert max(tried) == 300
    assert search.results[400].failure == Failure(OutcomeStatus.TIMEOUT, "400 px would take longer than 10 s")


def _bounded_at(monkeypatch: pytest.MonkeyPatch, threshold: int, status: OutcomeStatus) -> list[int]:
    tried: list[int] = []

    def attempt(self: MemoryProbe, resolution: int, model_alone: bool = True) -> ProbeResult:
        tried.append(resolution)
        return ProbeResult() if resolution <= threshold else ProbeResult(Failure(status, "no more", 123))

    monkeypatch.setattr(MemoryProbe, "attempt", attempt)
    monkeypatch.setattr(max_resolution, "_predicted", lambda spec: PREDICTED)
    return tried


def _capacity(**options: object) -> Record:
    return measure_capacity(RANDOM, **{"largest": 500, "limit_gib": 0.01, **options})


def test_what_memory_bounds_is_ok_and_names_the_first_size_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = _bounded_at(monkeypatch, 250, OutcomeStatus.OOM)
    record = _capacity()
    assert record.outcome.status is OutcomeStatus.OK
    largest = record.value("largest_resolution")
    assert largest is not None
    assert (largest.value, largest.unit) == (248, "px")  # the last multiple of 8
    memory = record.outcome.memory
    assert memory is not None
    assert (memory.height, memory.width, memory.fit_height, memory.requested_bytes) == (256, 256, 248, 123)
    assert record.settings.memory_limit_gib == 0.01
    assert record.resolution == 496
    predicted = record.value("predicted_largest")
    assert predicted is not None
    assert predicted.value == tried[0] == PREDICTED
    assert read_records(benchmark="capacity") == [record]


def test_where_all_fits_the_upper_end_is_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    _bounded_at(monkeypatch, 10_000, OutcomeStatus.OOM)
    record = _capacity()
    largest = record.value("largest_resolution")
    assert largest is not None
    assert largest.value == record.resolution == 496
    assert record.outcome.memory is None


def test_where_nothing_fits_there_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    _bounded_at(monkeypatch, 0, OutcomeStatus.OOM)
    record = _capacity()
    assert record.outcome.status is OutcomeStatus.OOM
    assert record.value("largest_resolution") is None
    assert record.outcome.memory is not None
    assert record.outcome.memory.height == 8


@pytest.mark.parametrize("status", [OutcomeStatus.TIMEOUT, OutcomeStatus.ERROR])
def test_what_else_bounds_it_is_the_outcome(status: OutcomeStatus, monkeypatch: pytest.MonkeyPatch) -> None:
    _bounded_at(monkeypatch, 100, status)
    record = _capacity()
    largest = record.value("largest_resolution")
    assert record.outcome.status is status
    assert largest is not None
    assert largest.value == 96


def test_a_record_that_is_there_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = _bounded_at(monkeypatch, 250, OutcomeStatus.OOM)
    record = _capacity()
    count = len(tried)
    assert _capacity() == record
    assert len(tried) == count
    assert _capacity(limit_gib=0.02).settings.memory_limit_gib == 0.02
    _capacity(again=True)
    assert len(tried) > 2 * count


def test_a_search_in_other_steps_is_another_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    _bounded_at(monkeypatch, 150, OutcomeStatus.OOM)
    sides = {}
    for step in (None, 32, 8, 64):  # the stride is 8 px, and 448 px the upper end in steps of 32 as of 64
        largest = _capacity(step=step, largest=448).value("largest_resolution")
        assert largest is not None
        sides[step] = largest.value
    assert sides == {None: 144, 32: 128, 8: 144, 64: 128}
    assert len(list(results_root().rglob("*.json"))) == 3


def test_more_time_searches_again_where_less_ended_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _bounded_at(monkeypatch, 100, OutcomeStatus.TIMEOUT)
    ended = _capacity(time_limit=5.0)
    tried = _bounded_at(monkeypatch, 200, OutcomeStatus.OOM)
    assert _capacity(time_limit=5.0) == ended
    assert tried == []
    assert _capacity(time_limit=50.0).outcome.status is OutcomeStatus.OK
    assert tried


def test_the_command_asks_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    _bounded_at(monkeypatch, 250, OutcomeStatus.OOM)
    record = _capacity(step=16, time_limit=9.0)
    assert record.provenance is not None
    repeated = parse(record.provenance.command)
    assert (repeated.configs, record.requested) == ((RANDOM,), RANDOM)
    assert repeated.request == {"largest": 500, "limit_gib": 0.01, "step": 16, "time_limit": 9.0}
    assert measure_capacity(*repeated.configs, **repeated.request) == record


def test_the_prediction_is_that_of_the_plan_within_the_cap() -> None:
    spec = ProbeSpec(RunConfig(name="pca-f16x64"), limit_gib=0.1)
    side = max_resolution._predicted(spec)
    assert side is not None
    fits, next_one = (plan_of(RunConfig(name="pca-f16x64"), size).total_bytes for size in (side, side + 16))
    assert fits is not None
    assert next_one is not None
    assert fits <= 0.1 * 2**30 < next_one


def test_a_process_under_a_cap_finds_the_size_at_which_memory_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "allocating.py").write_text(ALLOCATING, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    # 256 px take 64 MiB and 512 px 256 MiB, beside some MiB of the evaluation itself.
    record = measure_capacity(RunConfig(name="allocating:Allocating"), largest=512, step=256, limit_gib=128 / 1024)
    largest = record.value("largest_resolution")
    assert record.outcome.status is OutcomeStatus.OK, record.outcome
    assert largest is not None
    assert largest.value == 256
    assert record.outcome.memory is not None
    assert record.outcome.memory.requested_bytes == 512**2 * BYTES_A_PIXEL
    assert record.value("predicted_largest") is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"largest": 0}, "resolution must be between 1 and 16384"),
        ({"largest": 7}, "largest (=7) must be at least one step of 8 pixels"),
        ({"step": 12}, "step (=12) must be a multiple of the 8 pixels"),
        ({"limit_gib": None}, "on a CPU the search would take all memory of this machine; give a limit"),
    ],
)
def test_a_wrong_request_is_one_sentence(options: dict[str, object], sentence: str) -> None:
    assert describe(TINY).downsampling == 8
    with pytest.raises(RequestError) as refused:
        _capacity(**options)
    assert sentence in str(refused.value)
