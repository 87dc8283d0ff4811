"""What takes the time: a profile decides, FLOPs do not, and an absent layer takes none."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors import safe_open

from tests.fakes.claims import evaluated, evidence
from tests.fakes.released import machine_record, write_machine
from vitok_lib.errors import RequestError
from vitok_lib.report.claims.rules.bottleneck import weight_shapes
from vitok_lib.report.claims.verdict import Verdict
from vitok_lib.tokenizers.registry import SHIPPED

CONFIRMED, REFUTED = Verdict.CONFIRMED, Verdict.REFUTED
NOT_MEASURED = Verdict.NOT_MEASURED
ATTENTION = "bottleneck-not-attention"


def profile(results: Path, times: dict[str, float], window: int = 1024, preset: str = "reference") -> None:
    settings = {"window": window, "preset": preset}
    record = machine_record("5B-f16x64", "profile", 8192, times, settings=settings)
    write_machine(results, record, f"preset={preset},window={window}")


def test_the_work_of_the_decoder_is_that_of_its_linear_layers() -> None:
    # The shapes of the published architecture: qkv_proj, out_proj, fc1, fc2 of 40 blocks, then both ends.
    block = 3072 * 9216 + 3072 * 3072 + 3072 * 16416 + 8208 * 3072
    weights = 40 * block + 64 * 3072 + 3072 * 768
    assert f"{2 * weights * 262_144 / 1e15:.3f}" == "2.379"
    for claim in ("bottleneck-convolutions", "f16-slower-by-convolutions", "convolutions-to-profile"):
        assert (evaluated(claim).verdict, evaluated(claim).basis) == (REFUTED, "arithmetic")
        assert "162 linear layers; at 8,192 px they take 2.379 PFLOP" in evidence(claim)
    assert evaluated("decoder-work").verdict == REFUTED
    assert "linear layers 2.379 PFLOP, attention 0.2635 PFLOP" in evidence("decoder-work")
    assert evaluated("decoder-share").verdict == CONFIRMED
    assert "attention takes 9.966 % of the FLOPs" in evidence("bottleneck-not-attention")


@pytest.mark.parametrize("name", ["nano-f16x64", "nano-f32x64"])
def test_shapes_are_read_as_the_library_of_the_format_reads_them(name: str) -> None:
    path = SHIPPED / name / "decoder.safetensors"
    with safe_open(path, framework="numpy") as file:
        expected = {key: list(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    assert weight_shapes(path) == expected


def test_a_convolution_in_the_file_would_be_seen() -> None:
    shapes = weight_shapes(SHIPPED / "nano-kl-f8x16" / "diffusion_pytorch_model.safetensors")
    assert any(len(shape) == 4 for shape in shapes.values())
    with pytest.raises(RequestError, match="no file"):
        weight_shapes(SHIPPED / "none.safetensors")


def test_shares_of_operations_name_no_bottleneck() -> None:
    assert evaluated(ATTENTION).verdict == NOT_MEASURED
    assert "At window 1,024 attention takes 9.966 % of the FLOPs" in evidence(ATTENTION)
    assert "profile on a GPU of 5B-f16x64 at 8,192 px and window 1,024" in evidence(ATTENTION)


@pytest.mark.parametrize(
    ("linear", "attention", "verdict", "shares"),
    [
        (600.0, 300.0, CONFIRMED, ("attention take 30 % of the time", "linear layers take 60 % of the time")),
        (300.0, 600.0, REFUTED, ("attention take 60 % of the time",)),
        (400.0, 500.0, REFUTED, ("attention take 50 % of the time",)),
    ],
)
def test_a_profile_decides_by_what_takes_the_most_time(
    results: Path, linear: float, attention: float, verdict: Verdict, shares: tuple[str, ...]
) -> None:
    profile(results, {"time_linear": linear, "time_attention": attention, "time_other": 1000 - linear - attention})
    assert (evaluated(ATTENTION).verdict, evaluated(ATTENTION).basis) == (verdict, "measurement")
    for share in shares:
        assert share in evidence(ATTENTION)


def test_a_narrow_window_alone_can_only_refute(results: Path) -> None:
    profile(results, {"time_linear": 900.0, "time_attention": 100.0}, window=64)
    assert evaluated(ATTENTION).verdict == NOT_MEASURED
    profile(results, {"time_linear": 100.0, "time_attention": 900.0}, window=64)
    assert evaluated(ATTENTION).verdict == REFUTED


def test_the_published_maths_go_before_a_faster_path(results: Path) -> None:
    profile(results, {"time_linear": 100.0, "time_attention": 900.0}, preset="fp8")
    profile(results, {"time_linear": 900.0, "time_attention": 100.0})
    assert evaluated(ATTENTION).verdict == CONFIRMED


def test_what_is_not_there_is_no_bottleneck_with_a_profile_or_without(results: Path) -> None:
    for _ in range(2):
        assert evaluated("bottleneck-convolutions").verdict == REFUTED
        assert "takes no time" in evidence("bottleneck-convolutions")
        profile(results, {"time_linear": 900.0, "time_attention": 100.0})
    assert "convolutions take 0 % of the time" in evidence("bottleneck-convolutions")
