"""Verdicts follow the records: each rule is given invented ones and flips; arithmetic is held against known numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from tests.fakes.claims import CLAIMS, evaluated, evidence
from tests.fakes.released import machine_record, write_machine, write_released
from vitok_lib.errors import RequestError
from vitok_lib.published.study import read_csv, write_published
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus
from vitok_lib.report.claims.judge import evaluate_claims
from vitok_lib.report.claims.rules.bottleneck import weight_shapes
from vitok_lib.report.claims.rules.compare import Compare
from vitok_lib.report.claims.rules.operand import Operand
from vitok_lib.report.claims.verdict import Claim, EvaluatedClaim, Verdict
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import Number
from vitok_lib.tokenizers.registry import SHIPPED

CONFIRMED, REFUTED = Verdict.CONFIRMED, Verdict.REFUTED
NOT_COMPARABLE, NOT_MEASURED = Verdict.NOT_COMPARABLE, Verdict.NOT_MEASURED


@pytest.fixture(autouse=True)
def _published(results: Path) -> None:
    write_published()


@pytest.mark.parametrize(
    ("level", "verdict"), [(33.99, CONFIRMED), (34.05, CONFIRMED), (33.0, REFUTED), (35.5, REFUTED)]
)
def test_a_measured_mean_confirms_or_refutes_the_printed_one(results: Path, level: float, verdict: Verdict) -> None:
    assert evaluated("psnr-f16x64-1024").verdict == NOT_MEASURED
    write_released(results, "5B-f16x64", "div8k-1024", {"psnr": [level - 0.05, level, level + 0.05] * 500})
    assert evaluated("psnr-f16x64-1024").verdict == verdict
    assert evaluated("psnr-f16x64-1024").basis == "measurement"


def test_few_images_that_reach_the_printed_mean_settle_nothing(results: Path) -> None:
    for psnr in ([30.0, 38.0], [30.0, 36.0]):  # a mean that agrees by luck, and one that does not
        write_released(results, "5B-f16x64", "div8k-1024", {"psnr": psnr})
        assert evaluated("psnr-f16x64-1024").verdict == NOT_MEASURED
    write_released(results, "5B-f16x64", "div8k-1024", {"psnr": [25.0, 26.0, 27.0]})
    assert evaluated("psnr-f16x64-1024").verdict == REFUTED


def test_a_record_that_goes_takes_its_verdict_with_it(results: Path) -> None:
    path = write_released(results, "5B-f16x64", "div8k-1024", {"psnr": [33.99] * 1500})
    assert evaluated("psnr-f16x64-1024").verdict == CONFIRMED
    path.unlink()
    assert evaluated("psnr-f16x64-1024").verdict == NOT_MEASURED


def test_random_weights_say_nothing_of_quality(results: Path) -> None:
    record = machine_record("5B-f16x64", "div8k", 1024, {"psnr": 33.99})
    write_machine(results, record)
    assert evaluated("psnr-f16x64-1024").verdict == NOT_MEASURED


def test_what_another_source_printed_later_is_shown_and_decides_nothing() -> None:
    assert "the PSNR of 5B-f16x32 on div8k-1024 as 30.98 dB" in evidence("psnr-f16x32-1024")
    assert evaluated("psnr-f16x32-1024").verdict == NOT_MEASURED


@pytest.mark.parametrize(("lead", "verdict"), [(2.5, CONFIRMED), (1.0, REFUTED), (-1.0, REFUTED)])
def test_a_lead_is_that_of_our_two_measurements(results: Path, lead: float, verdict: Verdict) -> None:
    assert evaluated("psnr-lead").verdict == NOT_MEASURED
    flux = [28.0, 30.0, 35.0] * 500
    write_released(results, "flux", "div8k-1024", {"psnr": flux})
    assert evaluated("psnr-lead").verdict == NOT_MEASURED, "one side alone is no lead"
    write_released(results, "5B-f16x64", "div8k-1024", {"psnr": [value + lead for value in flux]})
    assert evaluated("psnr-lead").verdict == verdict


def test_a_lead_over_other_images_is_not_comparable(results: Path) -> None:
    write_released(results, "flux", "div8k-1024", {"psnr": [31.45] * 1500}, manifest="1" * 64)
    write_released(results, "5B-f16x64", "div8k-1024", {"psnr": [33.99] * 1500}, manifest="2" * 64)
    assert evaluated("psnr-lead").verdict == NOT_COMPARABLE


def test_a_lead_that_the_tables_contradict_is_refuted_without_a_measurement() -> None:
    claim = CLAIMS["psnr-lead"].model_copy(update={"published": 5.2})
    (found,) = evaluate_claims(load(), [claim])
    assert (found.verdict, found.basis) == (REFUTED, "the document itself")


@pytest.mark.parametrize(("f16", "verdict"), [(31.0, CONFIRMED), (28.0, REFUTED)])
def test_tokenizers_are_compared_at_equal_compression(results: Path, f16: float, verdict: Verdict) -> None:
    assert evaluated("f16-over-f32").verdict == NOT_COMPARABLE
    write_released(results, "5B-f16x64", "div8k-1024", {"psnr": [40.0, 41.0, 42.0]})
    assert evaluated("f16-over-f32").verdict == NOT_COMPARABLE, "12 : 1 against 24 : 1 says nothing"
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
    [((34.0, 34.1, 34.2, 34.3), CONFIRMED), ((34.3, 34.2, 34.1, 34.0), REFUTED), ((34.0, 34.9, 34.2, 34.3), REFUTED)],
)
def test_wider_windows_are_judged_on_the_same_images(
    results: Path, levels: tuple[float, ...], verdict: Verdict
) -> None:
    assert evaluated("wider-is-better").verdict == NOT_COMPARABLE, "the document mixes n = 50 and n = 100"
    for window, level in zip((64, 256, 512, 1024), levels, strict=True):
        samples = {"psnr": [level - 3, level, level + 3]}
        write_released(results, "5B-f16x64", "div8k-8192", samples, window=window)
    assert evaluated("wider-is-better").verdict == verdict


@pytest.mark.parametrize(("narrow", "verdict"), [(5500.0, CONFIRMED), (3000.0, REFUTED), (6000.0, REFUTED)])
def test_a_speed_up_is_the_ratio_of_two_times_of_one_run(results: Path, narrow: float, verdict: Verdict) -> None:
    for window, latency in ((1024, 6100.0), (64, narrow)):
        settings = {"window": window}
        record = machine_record("5B-f16x64", "sliding-window", 8192, {"latency": latency}, settings=settings)
        write_machine(results, record, f"window={window}")
    assert evaluated("speedup-w64").verdict == verdict
    assert evaluated("speedup-w512").verdict == NOT_MEASURED


def test_times_of_two_machines_or_paths_make_no_ratio(results: Path) -> None:
    other = machine_record("5B-f16x64", "speed", 8192, {}).provenance
    assert other is not None
    for window, changed in ((1024, {}), (64, {"preset": "fast"})):
        settings = {"window": window, **changed}
        record = machine_record("5B-f16x64", "sliding-window", 8192, {"latency": 5000.0}, settings=settings)
        write_machine(results, record, f"window={window}")
    assert evaluated("speedup-w64").verdict == NOT_MEASURED


def test_a_time_on_a_cpu_is_none_of_the_claims(results: Path) -> None:
    for window in (1024, 64):
        settings = {"window": window, "device": "cpu"}
        record = machine_record("5B-f16x64", "sliding-window", 8192, {"latency": 5000.0}, settings=settings)
        write_machine(results, record, f"window={window}")
    assert evaluated("speedup-w64").verdict == NOT_MEASURED


@pytest.mark.parametrize(("compiled", "verdict"), [(6000.0, CONFIRMED), (4700.0, REFUTED)])
def test_compile_modes(results: Path, compiled: float, verdict: Verdict) -> None:
    for mode, path, latency in ((None, "reference", 6050.0), ("max-autotune", "compiled", compiled)):
        settings = {"compile": mode, "preset": path, "window": 1024}
        record = machine_record("5B-f16x64", "compile-modes", 8192, {"latency": latency}, settings=settings)
        write_machine(results, record, f"compile={mode}")
    assert evaluated("compile-negligible").verdict == verdict
    assert evaluated("max-autotune").verdict == NOT_MEASURED


@pytest.mark.parametrize(("f32", "verdict"), [(1500.0, CONFIRMED), (5000.0, REFUTED)])
def test_f16_against_f32(results: Path, f32: float, verdict: Verdict) -> None:
    for name, latency in (("5B-f16x64", 6100.0), ("5B-f32x64", f32)):
        values = {"latency": latency, "throughput": 1000 / latency}
        write_machine(results, machine_record(name, "speed", 8192, values, settings={"window": 1024}))
    assert evaluated("f16-slower").verdict == verdict


@pytest.mark.parametrize(("peak", "verdict"), [(33.0, CONFIRMED), (20.0, REFUTED)])
def test_memory_is_that_of_one_image(results: Path, peak: float, verdict: Verdict) -> None:
    values = {"evaluation_peak": peak, "model_peak": peak / 2}
    for batch, held in ((4, {"evaluation_peak": 33.7}), (1, values)):
        settings = {"window": 1024, "batch": batch}
        write_machine(results, machine_record("5B-f16x64", "memory", 8192, held, settings=settings), f"batch={batch}")
    assert evaluated("memory-f16x64-8192").verdict == verdict


def oom(name: str, resolution: int, **settings: Any) -> Any:
    return machine_record(name, "memory", resolution, {}, outcome=Outcome(status=OutcomeStatus.OOM), settings=settings)


def test_running_out_of_memory_is_confirmed_by_all_and_refuted_by_one(results: Path) -> None:
    write_machine(results, oom("flux", 4096))
    assert evaluated("flux-at-4096").verdict == CONFIRMED
    assert evaluated("baselines-from-4096").verdict == NOT_MEASURED, "nobody tried SD"
    write_machine(results, oom("sd", 4096))
    assert evaluated("baselines-from-4096").verdict == CONFIRMED
    tiled = machine_record("sd", "memory", 8192, {"model_peak": 9.0}, settings={"tiling": True})
    write_machine(results, tiled, "tiling")
    assert evaluated("baselines-from-4096").verdict == REFUTED
    assert evaluated("sd-at-4096").verdict == REFUTED, "what fits at 8192 px fits at 4096"
    assert evaluated("flux-at-4096").verdict == CONFIRMED


def test_a_smaller_card_that_was_emulated_says_nothing(results: Path) -> None:
    write_machine(results, oom("flux", 4096, memory_limit_gib=24.0), "limit=24GiB")
    assert evaluated("flux-at-4096").verdict == NOT_MEASURED


def test_the_largest_size_that_fits_shows_what_goes_through(results: Path) -> None:
    write_machine(results, machine_record("flux", "capacity", 16384, {"largest_resolution": 3000.0}))
    assert evaluated("flux-at-4096").verdict == NOT_MEASURED
    write_machine(results, machine_record("flux", "capacity", 16384, {"largest_resolution": 6000.0}))
    assert evaluated("flux-at-4096").verdict == REFUTED
    assert evaluated("flux-at-8192").verdict == NOT_MEASURED


def test_vitok_at_8192(results: Path) -> None:
    assert evaluated("vitok-at-8192").verdict == NOT_MEASURED
    write_machine(results, oom("5B-f16x64", 8192))
    assert evaluated("vitok-at-8192").verdict == REFUTED
    write_machine(results, machine_record("5B-f16x64", "speed", 8192, {"latency": 5000.0}, settings={"window": 64}))
    assert evaluated("vitok-at-8192").verdict == CONFIRMED


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


def test_the_ideal_speed_ups_follow_from_the_architecture() -> None:
    for claim, ideal in {"speedup-w512": "1.052×", "speedup-w256": "1.081×", "speedup-w64": "1.103×"}.items():
        assert f"ratio of their FLOPs is {ideal}" in evidence(claim)
        assert evaluated(claim).verdict == NOT_MEASURED, "an ideal ratio is no measured one"


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


@pytest.mark.parametrize(
    ("name", "verdict", "words"),
    [
        ("psnr-4096-against-flux-1024", NOT_COMPARABLE, "4,096 px and 1,024 px"),
        ("fid-8192-against-4096", NOT_COMPARABLE, "a rank of at most 49"),
        ("fid-f16-against-f32-8192", NOT_COMPARABLE, "n = 50 and n = 1,500"),
        ("native-resolution", REFUTED, "at 1,024 px, 2,048 px, 4,096 px, 8,192 px"),
        ("every-n-1500", REFUTED, "(n = 50)"),
        ("f32-completed", REFUTED, "figures of 5B-f32x128 as estimates"),
        ("throughput-of-models-1024", NOT_COMPARABLE, "ratio is 6.66×"),
        ("memory-falls", NOT_COMPARABLE, "4,096 at the first resolution and 65,536 at the second"),
        ("memory-float8", REFUTED, "fall by 4.652 GiB"),
        ("tokens-f16", CONFIRMED, "262,144"),
        ("facts-flux", CONFIRMED, "16 values"),
    ],
)
def test_what_arithmetic_and_the_document_itself_decide(name: str, verdict: Verdict, words: str) -> None:
    assert evaluated(name).verdict == verdict
    assert words in evidence(name).replace(" tokens", "")


def test_a_document_that_did_not_contradict_itself_would_confirm_nothing(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_csv()
    for row in rows:
        if row["resolution"] == "8192" and row["samples"]:
            row["samples"] = "1500"
        if row["kind"] == "estimated":
            row["kind"] = "measured"
    monkeypatch.setattr("vitok_lib.published.study.read_csv", lambda: rows)
    write_published()
    for name in ("every-n-1500", "f32-completed", "fid-f16-against-f32-8192"):
        assert evaluated(name).verdict == NOT_MEASURED


def test_a_published_number_carries_no_verdict() -> None:
    claim, quoted = CLAIMS["psnr-lead"], Number("33.99 dB", Kind.PUBLISHED, "published")
    for verdict in (CONFIRMED, REFUTED):
        with pytest.raises(ValueError, match="no measured or derived number"):
            EvaluatedClaim(claim, verdict, (("It is ", quoted, "."),))
    EvaluatedClaim(claim, CONFIRMED, (("It is ", Number("33.99 dB", Kind.MEASURED, "measured"), "."),))
    with pytest.raises(ValueError, match="a contradiction refutes"):
        EvaluatedClaim(claim, CONFIRMED, (("It is ", quoted, "."),), contradiction=True)


def test_a_claim_that_misquotes_the_document_is_named() -> None:
    claim = CLAIMS["psnr-f16x64-1024"].model_copy(update={"published": 33.98})
    with pytest.raises(RequestError, match=r"claim 'psnr-f16x64-1024' quotes 33\.98 .* holds 33\.99"):
        evaluate_claims(load(), [claim])


def test_a_rule_that_asks_for_what_the_document_does_not_print_is_named() -> None:
    rule = Compare(name="compare", of=Operand(tokenizer="5B-f16x64", quantity="psnr", case="div8k-512"))
    claim = Claim(id="a", where="b", statement="c", rule=rule)
    with pytest.raises(RequestError, match="prints no 'psnr' of 5B-f16x64 in 'div8k-512'"):
        evaluate_claims(load(), [claim])
