"""Configurations at sizes of their own, in one run."""

from __future__ import annotations

import pytest

from tests.measure.speed.fake_machine import (
    MILLISECONDS,
    NAME,
    QUICK,
    FakeMachine,
    FakeTokenizer,
    configs,
    values_of,
)
from vitok_lib.cost.flops import vitok_flops
from vitok_lib.errors import RequestError
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.speed.benchmark import measure_speed
from vitok_lib.records.store import read_record, results_root
from vitok_lib.tokenizers.vitok.variant import parse_variant


def test_another_size_is_compared_with_the_same_preset_at_the_size_of_the_run(machine: FakeMachine) -> None:
    *_, low = measure_speed(configs("reference", "folded", "folded"), **QUICK, sizes=[None, None, (16, 32)])
    ratio = low.value("relative_time")
    assert ratio is not None
    assert ratio.value == 1, "the folded preset takes as long at any size here, and the reference longer"
    assert "to:w32_d2_h2_8x6@preset=folded,window=3,weights=random0 at 32x32 px" in (ratio.signature or "")


def test_two_sizes_compare_in_one_run(machine: FakeMachine) -> None:
    def by_area(tokenizer: FakeTokenizer, stage_name: str) -> None:
        extra = machine.inputs[-1].shape[2] / 32 - 1
        machine.now += extra * MILLISECONDS[tokenizer.preset][("encode", "decode").index(stage_name)]

    machine.trouble = by_area
    folded, sizes = configs("folded", "folded", "folded"), [None, (16, 32), (64, 64)]
    square, low, large = measure_speed(folded, **QUICK, sizes=sizes)
    assert [values_of(record)["latency"] for record in (square, low, large)] == [20, 10, 40]
    assert values_of(square)["speedup"] == 1
    assert [values_of(record)["relative_time"] for record in (low, large)] == [0.5, 2]
    assert not {"speedup", "error_reference"} & (set(values_of(low)) | set(values_of(large)))
    assert {record.outcome.detail for record in (square, low, large)} == {None}
    assert (low.resolution, low.images.rule, large.resolution) == (32, "16x32 px as drawn", 64)
    stem = "w32_d2_h2_8x6@preset=folded,window=3,weights=random0"
    ratio = large.value("relative_time")
    assert ratio is not None
    assert ratio.signature == f"relative-time|per-round ratio|median|to:{stem} at 32x32 px|v1"
    assert read_record(results_root() / "local" / "speed-64" / f"{stem}.json") == large
    assert values_of(large)["work"] == vitok_flops(parse_variant(NAME), 64, 64, window=3).total / 1e12

    assert large.provenance is not None
    repeated = parse(large.provenance.command)
    assert repeated.configs == tuple(folded)
    assert repeated.request == QUICK | {"sizes": sizes}

    machine.log.clear()
    assert measure_speed(folded, **QUICK, sizes=sizes) == [square, low, large]
    assert not machine.log


@pytest.mark.parametrize(
    ("sizes", "message"),
    [([None], "must be one for each of 2"), ([None, (0, 32)], "resolution must be between")],
)
def test_a_wrong_size_is_refused(machine: FakeMachine, sizes: list[tuple[int, int] | None], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        measure_speed(configs("reference", "folded"), **QUICK, sizes=sizes)
    assert not machine.loaded
