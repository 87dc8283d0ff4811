"""How latency grows with the image, against exponents worked out by hand: one shape, one commit, beside the count."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.fakes.machines import MARGIN, at_commit, write_machine
from tests.fakes.reading import intervals_in, numbers_in, text_of
from vitok_lib.records.schema import Kind
from vitok_lib.records.store import read_record, write_record
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings import window
from vitok_lib.report.page.content import Sentence

VITOK = "5B-f16x64"
LINEAR, PAIR = 2 * 4.995e9, 4 * 3072 * 44
"""Operations of one token in the matrices of this architecture, and of one pair of tokens in its attention."""


def growth() -> list[Sentence]:
    return window.growth_with_tokens(load())


def _write(root: Path, latencies: dict[int, float], *, path: str, window: int | None = 64) -> list[Path]:
    settings = {} if window is None else {"window": window}
    return [
        write_machine(root, "sliding-window", resolution, VITOK, {"latency": latency}, preset=path, **settings)
        for resolution, latency in latencies.items()
    ]


def _all_pairs(tokens: int) -> float:
    return tokens * LINEAR + tokens**2 * PAIR


def test_growth_is_the_exponent_between_the_two_largest_sizes_with_its_ends(results: Path) -> None:
    _write(results, {512: 77.0, 1024: 100.0, 2048: 1600.0}, path="dense")
    end = math.log((1 + MARGIN) / (1 - MARGIN)) / math.log(4)
    counted = math.log(_all_pairs(16384) / _all_pairs(4096)) / math.log(4)  # a mask computes every pair
    (sentence,) = growth()
    assert numbers_in(sentence, Kind.DERIVED) == pytest.approx([16.0, 2.0, counted], abs=0.005)
    assert intervals_in(sentence)[1] == f"[{2 - end:.2f}, {2 + end:.2f}]"
    assert "from 4,096 to 16,384 tokens (the two largest of 3 sizes)" in text_of(sentence)
    assert "above that of the FLOPs" in text_of(sentence)


@pytest.mark.parametrize(
    ("factor", "relation"), [(4.0, "not significantly different from"), (8.0, "above"), (2.0, "below")]
)
def test_a_windowed_kernel_is_held_against_a_count_that_is_linear(results: Path, factor: float, relation: str) -> None:
    _write(results, {1024: 100.0, 2048: 100.0 * factor}, path="reference")
    (sentence,) = growth()
    assert "(both of 2 sizes)" in text_of(sentence)
    assert f", {relation} that of the FLOPs" in text_of(sentence)
    assert numbers_in(sentence)[-1] == 1.0


def test_full_attention_is_held_against_the_count_of_all_pairs(results: Path) -> None:
    _write(results, {1024: 100.0, 2048: 100.0 * _all_pairs(16384) / _all_pairs(4096)}, path="reference", window=None)
    (sentence,) = growth()
    counted = math.log(_all_pairs(16384) / _all_pairs(4096)) / math.log(4)
    assert numbers_in(sentence)[1:] == pytest.approx([counted, counted], abs=0.005)
    assert "not significantly different from" in text_of(sentence)


def test_without_an_interval_an_exponent_is_not_held_against_the_count(results: Path) -> None:
    for file in _write(results, {1024: 100.0, 2048: 1600.0}, path="reference"):
        record = read_record(file)
        bare = record.values[0].model_copy(update={"interval": None})
        write_record(record.model_copy(update={"values": (bare,)}), file)
    (sentence,) = growth()
    assert numbers_in(sentence)[1:] == [2.0, 1.0]
    assert set(intervals_in(sentence)) == {None}
    assert "too few repetitions" in text_of(sentence)


def test_another_shape_or_another_commit_is_no_size_of_the_same_line(results: Path) -> None:
    _, later = _write(results, {1024: 100.0, 2048: 200.0}, path="reference")
    write_machine(
        results, "sliding-window", 2048, VITOK, {"latency": 150.0}, path="reference", window=64, size=(1366, 2048)
    )
    (sentence,) = growth()
    assert "from 4,096 to 16,384 tokens (both of 2 sizes)" in text_of(sentence)
    at_commit(later, "fedcba9876543210")
    assert growth() == []
