"""How values are written, and which way they are better."""

from __future__ import annotations

import math

import pytest

from vitok_lib.metrics.signature import METRICS
from vitok_lib.records.schema import Interval
from vitok_lib.report.page.labels import (
    HIGHER_IS_BETTER,
    bracket,
    digits,
    in_order,
    memory_words,
    name_of,
    signed,
    three_digits,
    with_unit,
)


@pytest.mark.parametrize(
    ("quantity", "value", "text"),
    [
        ("psnr", 31.416, "31.42"),
        ("psnr", -0.004, "0.00"),
        ("ssim", 0.0004, "0.000"),
        ("throughput", 12345.678, "12,346"),
        ("latency", 0.9, "0.9"),
        ("fd-random", 0.0, "0"),
        ("kid-random", 0.001, "0.001"),
        ("kid-random", 0.000002718, "2.718·10⁻⁶"),
        ("kid-random", -0.00005, "−5·10⁻⁵"),
        ("kid-random", 0.00099999, "1·10⁻³"),
        ("psnr", math.inf, "∞"),
        ("psnr", math.nan, "undefined"),
    ],
)
def test_values_are_written_to_the_decimals_of_their_quantity_or_to_four_digits(
    quantity: str, value: float, text: str
) -> None:
    assert digits(quantity, value) == text


def test_bytes_are_written_in_the_largest_unit_with_a_whole_part() -> None:
    sizes = (1023, 1024, 3 * 2**19, 5 * 2**30, 2**40)
    assert [memory_words(size) for size in sizes] == ["1,023 bytes", "1.0 KiB", "1.5 MiB", "5.0 GiB", "1,024.0 GiB"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.7886, "0.789"),
        (5.66, "5.66"),
        (9.996, "10.0"),
        (99.96, "100"),
        (154.4, "154"),
        (999.96, "1,000"),
        (0.0123, "0.0123"),
        (0.0, "0.00"),
    ],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert three_digits(value) == text


def test_quantities_come_in_the_order_of_the_catalogue_and_unknown_ones_last() -> None:
    assert in_order(["kid", "zeta", "psnr", "fdd", "alpha", "psnr"]) == ["psnr", "kid", "fdd", "alpha", "zeta"]


def test_higher_is_better_of_similarity_and_lower_of_distance() -> None:
    assert {name for name, higher in HIGHER_IS_BETTER.items() if higher} == {
        "psnr",
        "ssim",
        "ms-ssim",
        "ssimulacra2",
        "exact-match",
    }
    assert {name for name in METRICS if name not in HIGHER_IS_BETTER} == {
        "bpp",
        "delta-l",
        "delta-a",
        "delta-b",
        "grid-error",
        "out-of-range",
        "fd-random",
        "fd-infinity-random",
        "kid-random",
        "paired-random",
        "patch-fd-random",
    }


@pytest.mark.parametrize(
    ("quantity", "ends", "neutral", "text"),
    [
        ("speedup", (1.0006, 1.3), None, "[1.0006, 1.30]"),
        ("speedup", (0.9, 0.99996), None, "[0.90, 0.99996]"),
        ("speedup", (1.0, 1.3), None, "[1.00, 1.30]"),
        ("psnr", (-0.0003, 2.0), 0.0, "[−0.0003, 2.00]"),
        ("psnr", (-0.0003, 2.0), None, "[0.00, 2.00]"),
    ],
)
def test_an_interval_shows_on_which_side_of_no_difference_it_ends(
    quantity: str, ends: tuple[float, float], neutral: float | None, text: str
) -> None:
    assert bracket(quantity, Interval(low=ends[0], high=ends[1], method="invented"), neutral) == text


@pytest.mark.parametrize(
    ("quantity", "name"),
    [
        ("difference@window=2d:1", "Change of PSNR, window 2d:1"),
        ("psnr_at_start@seed=0", "PSNR at the start, seed 0"),
        ("lines_8", "Lines that count, 8 px"),
        ("ned_8", "Edit distance of text, 8 px"),
    ],
)
def test_a_quantity_with_a_setting_is_named_with_it(quantity: str, name: str) -> None:
    assert name_of(quantity) == name


@pytest.mark.parametrize(("unit", "text"), [("count", "2"), ("×", "2×"), ("dB", "2 dB"), ("", "2")])
def test_a_unit_is_printed_as_it_is_read(unit: str, text: str) -> None:
    assert with_unit("2", unit) == text


def test_what_is_zero_in_print_has_no_sign() -> None:
    assert [signed("psnr", value) for value in (-0.004, 0.004, 0.006)] == ["0.00", "0.00", "+0.01"]
