"""How latency grows with the image, against exponents worked out by hand: one shape, one commit, beside the count."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.fakes.machines import GPU, MARGIN, at_commit, write_machine
from vitok_lib.records.store import read_record, write_record
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings import window as window_claims
from vitok_lib.report.page.content import plain

VITOK = "5B-f16x64"
LINEAR, PAIR = 2 * 4.995e9, 4 * 3072 * 44
"""Operations of one token in the matrices of this architecture, and of one pair of tokens in its attention."""


def told() -> list[str]:
    return [plain(sentence).replace("\N{NO-BREAK SPACE}", " ") for sentence in window_claims.growth_with_tokens(load())]


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
    assert told() == [
        f"On study h200, {GPU}, 5B-f16x64, radius 64, preset dense: from 4,096 to 16,384 tokens (the two largest of 3 "
        "sizes), 4 times as many, the latency grows by 16.00×, an exponent of 2.00 "
        f"[{2 - end:.2f}, {2 + end:.2f}], more than that of the operations, {counted:.2f}."
    ]


@pytest.mark.parametrize(("factor", "relation"), [(4.0, "not told apart from"), (8.0, "more than"), (2.0, "less than")])
def test_a_windowed_kernel_is_held_against_a_count_that_is_linear(results: Path, factor: float, relation: str) -> None:
    _write(results, {1024: 100.0, 2048: 100.0 * factor}, path="reference")
    (sentence,) = told()
    assert "(both of 2 sizes)" in sentence
    assert sentence.endswith(f", {relation} that of the operations, 1.00.")


def test_full_attention_is_held_against_the_count_of_all_pairs(results: Path) -> None:
    _write(results, {1024: 100.0, 2048: 100.0 * _all_pairs(16384) / _all_pairs(4096)}, path="reference", window=None)
    (sentence,) = told()
    counted = math.log(_all_pairs(16384) / _all_pairs(4096)) / math.log(4)
    assert f"an exponent of {counted:.2f} [" in sentence
    assert sentence.endswith(f"not told apart from that of the operations, {counted:.2f}.")


def test_without_an_interval_an_exponent_is_not_held_against_the_count(results: Path) -> None:
    for file in _write(results, {1024: 100.0, 2048: 1600.0}, path="reference"):
        record = read_record(file)
        bare = record.values[0].model_copy(update={"interval": None})
        write_record(record.model_copy(update={"values": (bare,)}), file)
    (sentence,) = told()
    assert sentence.endswith(
        "an exponent of 2.00; that of the operations is 1.00; too few repetitions for an interval."
    )


def test_another_shape_or_another_commit_is_no_size_of_the_same_line(results: Path) -> None:
    _, later = _write(results, {1024: 100.0, 2048: 200.0}, path="reference")
    write_machine(
        results, "sliding-window", 2048, VITOK, {"latency": 150.0}, path="reference", window=64, size=(1366, 2048)
    )
    (sentence,) = told()
    assert "from 4,096 to 16,384 tokens (both of 2 sizes)" in sentence
    at_commit(later, "fedcba9876543210")
    assert told() == []
