"""Quality at equal rate, from step to step, and over few images."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.fakes.claims import evaluated, evidence
from tests.fakes.records import write_measured
from tests.fakes.released import write_released
from vitok_lib.report.claims.verdict import Verdict

CONFIRMED, REFUTED = Verdict.CONFIRMED, Verdict.REFUTED
NOT_COMPARABLE, NOT_MEASURED = Verdict.NOT_COMPARABLE, Verdict.NOT_MEASURED
DROP = "drop-by-few-images"
# The scatter that would be needed, by hand: 2.29 dB are 1.96 standard errors of a mean over 50 images.
NEEDED = 2.29 / 1.96 * math.sqrt(50)


@pytest.mark.parametrize(("f16", "verdict"), [(31.0, CONFIRMED), (28.0, REFUTED)])
def test_tokenizers_are_compared_at_equal_compression(results: Path, f16: float, verdict: Verdict) -> None:
    assert evaluated("f16-over-f32").verdict == NOT_MEASURED
    write_released(results, "5B-f16x64", "div8k-1024", {"psnr": [40.0, 41.0, 42.0]})
    assert evaluated("f16-over-f32").verdict == NOT_MEASURED, "12 : 1 against 24 : 1 says nothing"
    write_released(results, "5B-f32x128", "div8k-1024", {"psnr": [28.0, 29.0, 30.0]})
    write_released(results, "5B-f16x32", "div8k-1024", {"psnr": [f16 - 1.1, f16, f16 + 1.1]})
    assert evaluated("f16-over-f32").verdict == verdict


@pytest.mark.parametrize("f16", [[31.0], [25.0, 31.0, 37.0]], ids=["one-image", "interval-includes-zero"])
def test_a_difference_that_is_not_significant_settles_nothing(results: Path, f16: list[float]) -> None:
    for name, level in (("5B-f16x64", 40.0), ("5B-f32x128", 29.0)):
        write_released(results, name, "div8k-1024", {"psnr": [level] * len(f16)})
    write_released(results, "5B-f16x32", "div8k-1024", {"psnr": f16})
    assert evaluated("f16-over-f32").verdict not in (CONFIRMED, REFUTED)


@pytest.mark.parametrize(
    ("levels", "verdict"),
    [((34.0, 34.3), CONFIRMED), ((34.3, 34.0), REFUTED)],
)
def test_wider_windows_are_judged_on_the_same_images(
    results: Path, levels: tuple[float, ...], verdict: Verdict
) -> None:
    assert evaluated("wider-is-better").verdict == NOT_MEASURED
    for window, level in zip((64, 1024), levels, strict=True):
        samples = {"psnr": [level - 3, level, level + 3]}
        write_released(results, "5B-f16x64", "div8k-8192", samples, window=window)
    assert evaluated("wider-is-better").verdict == verdict


def test_the_needed_scatter_is_shown_and_nothing_else_stands_in_for_it(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", "div8k-4096", {"psnr": [28.0, 32.0] * 50})
    assert (evaluated(DROP).verdict, evaluated(DROP).basis) == (NOT_MEASURED, "nothing measured yet")
    assert f"{NEEDED:.2f} dB" in evidence(DROP)
    assert f"{NEEDED:.2f}" == "8.26"
    assert "over n = 50" in evidence(DROP)


def test_the_drop_at_8192_is_settled_by_pairs_where_there_are_some(results: Path) -> None:
    write_released(results, "5B-f16x64", "div8k-4096", {"psnr": [30.0, 36.0, 42.0]})
    write_released(results, "5B-f16x64", "div8k-8192", {"psnr": [28.0, 34.0, 40.1]}, window=1024)
    assert (evaluated(DROP).verdict, evaluated(DROP).basis) == (REFUTED, "measurement")
    write_released(results, "5B-f16x64", "div8k-8192", {"psnr": [30.1, 36.1, 42.1]}, window=1024)
    assert evaluated(DROP).verdict == CONFIRMED
