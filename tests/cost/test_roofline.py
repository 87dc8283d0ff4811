"""The least time, against tables worked out apart from the architecture and two rates, and against brute force."""

from __future__ import annotations

import pytest

from vitok_lib.cost.flops import SideFlops, SideTraffic, vitok_flops, vitok_traffic
from vitok_lib.cost.peak_rates import PeakRates
from vitok_lib.cost.roofline import bound, least_seconds, roofline
from vitok_lib.tokenizers.registry import find
from vitok_lib.tokenizers.vitok.variant import Variant, parse_variant

# Milliseconds of encoding and decoding, worked out apart from this code: operations of Td4-T and Ld4-Ld24 over 790
# TFLOP/s with full attention and with a window of 1024, and over 1300 TFLOP/s for matrices and 600 for attention with
# full attention and windows of 1024 and 256.
OPERATIONS_OVER_RATES = {
    ("5B-f16x64", 1024): (63.3, 56.8, 46.6, 38.1, 33.3),
    ("5B-f16x64", 2048): (391, 229, 368, 155, 133),
    ("5B-f16x64", 4096): (3768, 920, 4374, 624, 534),
    ("5B-f16x64", 8192): (50346, 3681, 63939, 2497, 2135),
    ("5B-f32x64", 1024): (13.7, 13.7, 8.84, 8.84, 8.3),
    ("5B-f32x64", 8192): (3770, 922, 4375, 625, 535),
    ("350M-f16x64", 1024): (6.11, 4.74, 5.44, 3.64, 2.62),
    ("350M-f16x64", 8192): (10212, 313, 13278, 245, 169),
}
ONE_RATE, TWO_RATES = PeakRates(790e12, 4.3e12), PeakRates(1300e12, 4.3e12, attention=600e12)
PLACES = ((None, ONE_RATE), (1024, ONE_RATE), (None, TWO_RATES), (1024, TWO_RATES), (256, TWO_RATES))


def _variant(name: str) -> Variant:
    return parse_variant(find(name).architecture)


@pytest.mark.parametrize(("name", "resolution"), OPERATIONS_OVER_RATES)
def test_where_arithmetic_bounds_the_least_time_is_operations_over_the_rate(name: str, resolution: int) -> None:
    for (window, rates), expected in zip(PLACES, OPERATIONS_OVER_RATES[name, resolution], strict=True):
        work = vitok_flops(_variant(name), resolution, resolution, window)
        seconds = sum(least_seconds(side, 0, rates) for side in (work.encoder, work.decoder))
        assert 1e3 * seconds == pytest.approx(expected, rel=0.006)


# Of 8192² pixels on 5B-f16x64 in bfloat16, 36 bytes of passes a value: 3315 ms of matrices at 790 TFLOP/s, 367 ms of
# attention within 1024 tokens, 297 ms of passes at 4.3 TB/s.
def test_the_parts_of_the_largest_model_are_those_worked_out_apart() -> None:
    variant = _variant("5B-f16x64")
    work, traffic = vitok_flops(variant, 8192, 8192, 1024), vitok_traffic(variant, 8192, 8192, "compiled")
    sides = [roofline(getattr(work, side), getattr(traffic, side), ONE_RATE) for side in ("encoder", "decoder")]
    parts = {part: 1e3 * sum(side.parts[part].seconds for side in sides) for part in sides[0].parts}
    assert parts == {
        "linear": pytest.approx(3315, abs=1),
        "attention": pytest.approx(367, abs=1),
        "elementwise": pytest.approx(297, abs=1),
    }
    assert 1e3 * sum(side.seconds for side in sides) == pytest.approx(3978, abs=2)
    assert [sides[1].parts[part].by for part in parts] == ["matmul", "attention", "copy"]


def test_a_narrow_window_is_bound_by_memory() -> None:
    """At 4.3 TB/s a block of 5B-f16x64 reads and writes 6.4 GB at 8192² in 1.5 ms, and computes for less than half."""
    variant = _variant("5B-f16x64")
    work, traffic = vitok_flops(variant, 8192, 8192, 64), vitok_traffic(variant, 8192, 8192, "fp8")
    narrow = roofline(work.decoder, traffic.decoder, TWO_RATES).attention
    assert narrow.by == "copy"
    assert 1e3 * narrow.seconds / 40 == pytest.approx(1.5, abs=0.01)
    assert narrow.intensity is not None
    assert narrow.intensity < TWO_RATES.ridge


@pytest.mark.parametrize("operations", [1, 10**6, 10**12])
@pytest.mark.parametrize("moved", [0, 1, 10**6, 10**12])
def test_a_bound_is_the_longer_of_two_times_and_the_ridge_divides_them(operations: int, moved: int) -> None:
    rates = PeakRates(matmul=3e12, copy=2e11)
    part = bound(operations, moved, rates)
    assert part.seconds == max(operations / 3e12, moved / 2e11)
    if moved == 0:
        assert (part.intensity, part.by) == (None, "matmul")
    else:
        assert part.intensity == operations / moved
        assert part.by == ("matmul" if part.intensity >= rates.ridge else "copy")


def test_parts_take_no_less_time_apart_than_together() -> None:
    work, traffic = SideFlops(10**12, 10**11), SideTraffic(10**10, 10**9, 10**9)
    apart = roofline(work, traffic, ONE_RATE)
    assert apart.seconds >= least_seconds(work, 0, ONE_RATE)
    assert apart.seconds == pytest.approx(traffic.total / ONE_RATE.copy)  # memory bounds all three
