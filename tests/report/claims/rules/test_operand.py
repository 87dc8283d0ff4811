"""What arithmetic on an architecture gives, and what takes the time: a profile decides, an absent layer takes none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.claims import CLAIMS, evaluated, evidence
from tests.fakes.released import machine_record, write_machine
from vitok_lib.report.claims.verdict import Verdict
from vitok_lib.report.page.content import plain

CONFIRMED, REFUTED = Verdict.CONFIRMED, Verdict.REFUTED
NOT_MEASURED = Verdict.NOT_MEASURED
ATTENTION = "bottleneck-not-attention"


def profile(results: Path, times: dict[str, float], window: int = 1024, preset: str = "reference") -> None:
    settings = {"window": window, "preset": preset}
    record = machine_record("5B-f16x64", "profile", 8192, times, settings=settings)
    write_machine(results, record, f"preset={preset},window={window}")


# The shapes of the published architecture: qkv_proj, out_proj, fc1, fc2 of 40 blocks, then both ends.
BLOCK = 3072 * 9216 + 3072 * 3072 + 3072 * 16416 + 8208 * 3072
DECODER = 40 * BLOCK + 64 * 3072 + 3072 * 768
TOKENS = 262_144
PAIRS = TOKENS * 2049 - 1024 * 1025


def test_the_work_of_the_decoder_is_that_of_its_linear_layers() -> None:
    assert f"{2 * DECODER * TOKENS / 1e15:.3f}" == "2.379"
    vectors = 40 * (2 * 3072 + 2 * 128) + 3072 + 768  # norms, scales and the biases of both ends
    for claim in ("bottleneck-convolutions", "f16-slower-by-convolutions", "convolutions-to-profile"):
        assert (evaluated(claim).verdict, evaluated(claim).basis) == (REFUTED, "arithmetic")
        assert f"162 linear layers with {DECODER:,} weights; at 8,192 px they take 2.379 PFLOP" in evidence(claim)
        assert f"other {vectors:,} parameters" in evidence(claim)
    assert "2.38 PFLOP is what its linear layers take" in plain(evaluated("bottleneck-convolutions").correction)


def test_no_file_of_ours_is_evidence_about_a_released_model() -> None:
    for name in CLAIMS:
        assert "nano" not in evidence(name), name


@pytest.mark.parametrize(("claim", "depth"), [("decoder-work", 40), ("encoder-work", 4)])
def test_what_the_printed_flops_leave_out_is_attention(claim: str, depth: int) -> None:
    linear = 2 * TOKENS * (depth * BLOCK + 64 * 3072 + 3072 * 768)
    attention = depth * 4 * 3072 * PAIRS
    found = evaluated(claim)
    assert found.verdict == REFUTED
    assert found.discrepancy is not None
    assert found.discrepancy.found == pytest.approx((linear + attention) / 1e15, rel=1e-12)
    share = 100 * attention / (linear + attention)
    assert f"right for the linear layers and leaves out attention, {share:.4g} %" in plain(found.correction)
    assert evaluated("decoder-share").verdict == CONFIRMED


def test_float8_can_only_lower_a_peak() -> None:
    found = evaluated("memory-float8")
    assert (found.verdict, found.basis) == (REFUTED, "arithmetic")
    assert found.discrepancy is not None
    assert found.discrepancy.claimed == pytest.approx(50.7 - 16.5)
    assert found.discrepancy.found < 0
    assert found.discrepancy.size > 1
    assert "falls by 4.652 GiB" in plain(found.correction)


def test_shares_of_operations_name_no_bottleneck() -> None:
    assert evaluated(ATTENTION).verdict == NOT_MEASURED
    assert "linear layers 2.619 PFLOP, attention 0.2898 PFLOP" in evidence(ATTENTION)


@pytest.mark.parametrize(
    ("linear", "attention", "verdict", "shares"),
    [
        (600.0, 300.0, CONFIRMED, ("attention: 30 % of the time", "linear layers: 60 % of the time")),
        (300.0, 600.0, REFUTED, ("attention: 60 % of the time",)),
        (400.0, 500.0, REFUTED, ("attention: 50 % of the time",)),
    ],
)
def test_a_profile_decides_by_what_takes_the_most_time(
    results: Path, linear: float, attention: float, verdict: Verdict, shares: tuple[str, ...]
) -> None:
    profile(results, {"time_linear": linear, "time_attention": attention, "time_other": 1000 - linear - attention})
    assert (evaluated(ATTENTION).verdict, evaluated(ATTENTION).basis) == (verdict, "measurement")
    for share in shares:
        assert share in evidence(ATTENTION)


def test_a_narrow_window_says_nothing_of_the_widest(results: Path) -> None:
    profile(results, {"time_linear": 900.0, "time_attention": 100.0}, window=64)
    assert evaluated(ATTENTION).verdict == NOT_MEASURED


def test_the_published_maths_go_before_a_faster_path(results: Path) -> None:
    profile(results, {"time_linear": 100.0, "time_attention": 900.0}, preset="fp8")
    profile(results, {"time_linear": 900.0, "time_attention": 100.0})
    assert evaluated(ATTENTION).verdict == CONFIRMED


def test_what_is_not_there_is_no_bottleneck_with_a_profile_or_without(results: Path) -> None:
    for _ in range(2):
        assert evaluated("bottleneck-convolutions").verdict == REFUTED
        profile(results, {"time_linear": 900.0, "time_attention": 100.0, "time_convolution": 0.0})
    assert "convolutions: 0 % of the time" in evidence("bottleneck-convolutions")
