"""A claimed number against ours: each comparison is given invented records and flips."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.claims import CLAIMS, evaluated, evidence
from tests.fakes.machines import write_machine as timed
from tests.fakes.released import machine_record, write_machine, write_released
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.records.store import read_record, write_record
from vitok_lib.report.claims.judge import evaluate_claims
from vitok_lib.report.claims.rules.compare import Compare
from vitok_lib.report.claims.rules.operand import Operand
from vitok_lib.report.claims.verdict import Claim, Verdict
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import WebLink, plain
from vitok_lib.report.sphinx.claim_directives import _rule as rule_sentence

CONFIRMED, REFUTED = Verdict.CONFIRMED, Verdict.REFUTED
NOT_COMPARABLE, NOT_MEASURED = Verdict.NOT_COMPARABLE, Verdict.NOT_MEASURED
NOT_CHECKABLE = Verdict.NOT_CHECKABLE


@pytest.mark.parametrize(
    ("level", "verdict"), [(33.99, CONFIRMED), (34.05, CONFIRMED), (33.0, REFUTED), (35.5, REFUTED)]
)
def test_a_measured_mean_confirms_or_refutes_the_printed_one(results: Path, level: float, verdict: Verdict) -> None:
    assert evaluated("psnr-f16x64-1024").verdict == NOT_MEASURED
    write_released(results, "5B-f16x64", "div8k-1024", {"psnr": [level - 0.05, level, level + 0.05] * 500})
    assert evaluated("psnr-f16x64-1024").verdict == verdict
    assert evaluated("psnr-f16x64-1024").basis == "measurement"


def test_the_model_as_it_is_decides_and_no_run_in_fp8_that_takes_precedence(results: Path) -> None:
    path = write_released(results, "5B-f16x64", "div8k-1024", {"psnr": [33.99] * 1500})
    record = read_record(path)
    value = record.values[0].model_copy(update={"value": 20.0, "interval": None})
    settings = record.settings.model_copy(update={"preset": "fp8", "precision": "fp8"})
    other = record.model_copy(update={"values": (value,), "settings": settings, "samples": None})
    write_record(other, results / "local" / "div8k-1024" / "5B-f16x64@preset=fp8.json")
    assert evaluated("psnr-f16x64-1024").verdict == CONFIRMED
    path.unlink()
    assert evaluated("psnr-f16x64-1024").verdict == REFUTED


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


@pytest.mark.parametrize(("narrow", "verdict"), [(5500.0, CONFIRMED), (3000.0, REFUTED), (6000.0, REFUTED)])
def test_a_speed_up_is_the_ratio_of_two_times_of_one_run(results: Path, narrow: float, verdict: Verdict) -> None:
    for window, latency in ((1024, 6100.0), (64, narrow)):
        settings = {"window": window}
        record = machine_record("5B-f16x64", "sliding-window", 8192, {"latency": latency}, settings=settings)
        write_machine(results, record, f"window={window}")
    assert evaluated("speedup-w64").verdict == verdict
    assert evaluated("speedup-w512").verdict == NOT_MEASURED


@pytest.mark.parametrize(("margin", "verdict"), [(0.01, REFUTED), (0.1, NOT_MEASURED)])
def test_a_speed_up_that_noise_could_make_the_printed_one_refutes_nothing(
    results: Path, margin: float, verdict: Verdict
) -> None:
    options: dict[str, Any] = {"preset": "reference", "batch": 1, "margin": margin}
    wide = timed(results, "sliding-window", 8192, "5B-f16x64", {"latency": 6100.0}, window=1024, **options)
    values = {"latency": 5000.0, "speedup": 1.22}  # ± 0.012 or ± 0.122, in place of 1.11 ± 0.03
    timed(results, "sliding-window", 8192, "5B-f16x64", values, window=64, first=wide, **options)
    assert evaluated("speedup-w64").verdict == verdict


def test_times_of_two_runs_make_no_ratio(results: Path) -> None:
    for day, (window, latency) in enumerate(((1024, 6100.0), (64, 5000.0)), 1):
        started = datetime(2026, 1, day, tzinfo=UTC)
        options: dict[str, Any] = {"window": window, "preset": "reference", "batch": 1, "started": started}
        timed(results, "sliding-window", 8192, "5B-f16x64", {"latency": latency}, **options)
    assert evaluated("speedup-w64").verdict == NOT_MEASURED


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
    for mode, path, latency in (("default", "reference", 6050.0), ("max-autotune", "compiled", compiled)):
        settings = {"compile": mode, "preset": path, "window": 1024}
        record = machine_record("5B-f16x64", "compile-modes", 8192, {"latency": latency}, settings=settings)
        write_machine(results, record, f"compile={mode}")
    assert evaluated("max-autotune").verdict == verdict


@pytest.mark.parametrize(("f32", "verdict"), [(1500.0, CONFIRMED), (5000.0, REFUTED)])
def test_f16_against_f32(results: Path, f32: float, verdict: Verdict) -> None:
    for name, latency in (("5B-f16x64", 6100.0), ("5B-f32x64", f32)):
        values = {"latency": latency, "throughput": 1000 / latency}
        write_machine(results, machine_record(name, "speed", 8192, values, settings={"window": 1024}))
    assert evaluated("f16-slower").verdict == verdict


@pytest.mark.parametrize(("peak", "verdict"), [(33.0, CONFIRMED), (20.0, NOT_CHECKABLE), (40.0, REFUTED)])
def test_memory_of_one_image_is_the_least_of_any_batch(results: Path, peak: float, verdict: Verdict) -> None:
    values = {"evaluation_peak": peak, "model_peak": peak / 2}
    for batch, held in ((4, {"evaluation_peak": 33.7}), (1, values)):
        settings = {"window": 1024, "batch": batch}
        write_machine(results, machine_record("5B-f16x64", "memory", 8192, held, settings=settings), f"batch={batch}")
    assert evaluated("memory-f16x64-8192").verdict == verdict


def test_the_ideal_speed_ups_follow_from_the_architecture() -> None:
    for claim, ideal in {"speedup-w512": "1.052×", "speedup-w256": "1.081×", "speedup-w64": "1.103×"}.items():
        assert f"ratio of their FLOPs is {ideal}" in evidence(claim)
        assert evaluated(claim).verdict == NOT_MEASURED, "an ideal ratio is no measured one"


def test_a_claim_that_misquotes_the_document_is_named() -> None:
    claim = CLAIMS["psnr-f16x64-1024"].model_copy(update={"published": 33.98})
    with pytest.raises(RequestError, match=r"claim 'psnr-f16x64-1024' quotes 33\.98 .* holds 33\.99"):
        evaluate_claims(load(), [claim])


def test_a_rule_that_asks_for_what_the_document_does_not_print_is_named() -> None:
    rule = Compare(name="compare", of=Operand(tokenizer="5B-f16x64", quantity="psnr", case="div8k-512"))
    claim = Claim(id="a", where="b", statement="c", rule=rule)
    with pytest.raises(RequestError, match="prints no 'psnr' of 5B-f16x64 in 'div8k-512'"):
        evaluate_claims(load(), [claim])


def test_an_absolute_time_is_held_to_no_other_and_has_no_tolerance(results: Path) -> None:
    for latency in (None, 7887.0, 10.0):
        if latency is not None:
            values, settings = {"latency": latency}, {"window": 1024}
            write_machine(results, machine_record("5B-f16x64", "speed", 8192, values, settings=settings))
        item = evaluated("latency-w1024")
        assert item.verdict == NOT_CHECKABLE
        assert "names neither its machine nor its batch" in evidence("latency-w1024")
        assert "tolerance" not in plain(rule_sentence(item))


def test_chance_over_images_is_no_reason_where_a_machine_is_timed() -> None:
    assert "standard errors" in evidence("drop-by-few-images")
    assert "standard errors" not in evidence("f16-slower"), "a throughput is no mean over drawn images"


def test_what_n_counts_is_said(results: Path) -> None:
    throughput = {"throughput": 7.0}
    write_machine(results, machine_record("5B-f16x64", "speed", 1024, throughput, settings={"preset": "reference"}))
    assert "repetitions)" in evidence("throughput-f16x64-1024")
    assert "(n = 1,500 images)" in evidence("throughput-f16x64-1024"), "the document counts images"


def test_a_tolerance_is_printed_where_a_number_is_held_to_the_published_one() -> None:
    assert "33.99 dB, with a tolerance of 0.1 dB." in plain(rule_sentence(evaluated("psnr-f16x64-1024")))
    assert "tolerance" not in plain(rule_sentence(evaluated("fid-4096")))


def test_every_claim_on_fid_or_ssim_says_why_it_compares_with_none_of_ours() -> None:
    words = {"fid": "pixels from 0 to 1", "ssim": "rounded to 8 bits first"}
    found = dict.fromkeys(words, 0)
    for item in evaluate_claims(load()):
        rule = item.claim.rule
        quantity = rule.of.quantity if isinstance(rule, Compare) else getattr(rule, "quantity", None)
        if quantity in words:
            found[quantity] += 1
            assert item.verdict == NOT_COMPARABLE, item.claim.id
            assert words[quantity] in " ".join(map(plain, item.evidence)), item.claim.id
    assert all(found.values())


def test_our_fid_and_ssim_stand_beside_the_printed_ones_and_decide_nothing(results: Path) -> None:
    for name in ("flux", "5B-f16x64"):
        write_released(results, name, "div8k-1024", {"ssim": [0.932] * 1500}, distances={"fid": {50: 9.0, 1500: 0.35}})
    for claim, own in {
        "fid-f16x64-1024": r"FID of 5B-f16x64 .* on div8k-1024 is 0\.35 \(n = 1,500 images\)",  # at the printed n alone
        "ssim-f16x64-1024": r"SSIM of 5B-f16x64 .* on div8k-1024 is 0\.932",
        "fid-lead": r"FID of flux .* on div8k-1024 is 0\.35 \(n = 1,500 images\)",
        "ssim-lead": r"SSIM of flux .* on div8k-1024 is 0\.932",
    }.items():
        assert evaluated(claim).verdict == NOT_COMPARABLE
        assert re.search(own, evidence(claim))


def test_what_the_window_saves_against_full_attention_follows_from_the_architecture() -> None:
    # By hand: 44 blocks of width 3072, in each of which a pair of tokens costs 4·3072 operations; radius r leaves
    # N(2r + 1) − r(r + 1) pairs. Each side has an embedding and a head besides.
    tokens, block = 512 * 512, 3072 * 9216 + 3072 * 3072 + 3072 * 16416 + 8208 * 3072
    linear = 2 * tokens * (44 * block + 2 * (64 * 3072 + 3072 * 768))
    pairs = {"full": tokens**2, "window": tokens * 2049 - 1024 * 1025}
    work = {name: linear + 44 * 4 * 3072 * count for name, count in pairs.items()}
    assert f"{work['full'] / 1e15:.2f}" == "39.77"
    ratio = f"{work['full'] / work['window']:.2f}"
    assert ratio == "13.68"
    for claim in ("window-speed-summary", "speedup-w512", "speedup-w256", "speedup-w64"):
        assert f"Full attention would take 39.77 PFLOP, {ratio}× the FLOPs of window 1,024." in evidence(claim)


def test_a_predicted_peak_stands_for_one_that_was_not_measured(results: Path) -> None:
    for resolution, peak in ((1024, 9.6), (4096, 14.8)):
        record = machine_record("5B-f16x64", "fits", resolution, {"predicted_peak": peak})
        values = tuple(value.model_copy(update={"kind": Kind.DERIVED, "unit": "GiB"}) for value in record.values)
        write_machine(results, record.model_copy(update={"values": values}), study="derived")
    assert evaluated("memory-f16x64-1024").verdict == NOT_CHECKABLE
    assert "one image of 1,024 px takes 5B-f16x64 9.6 GiB" in evidence("memory-f16x64-1024")
    falls = evaluated("memory-falls")
    assert (falls.verdict, falls.basis) == (REFUTED, "arithmetic")
    assert falls.discrepancy is not None
    assert falls.discrepancy.found == pytest.approx(14.8 - 9.6)


def test_what_the_document_names_no_machine_for_cannot_be_checked() -> None:
    for claim in ("latency-w1024", "latency-w64", "throughput-f16x64-1024", "too-slow-for-1500"):
        assert (evaluated(claim).verdict, evaluated(claim).basis) == (NOT_CHECKABLE, "what the document leaves out")


def test_the_document_is_linked_at_the_line_that_prints_the_value() -> None:
    links = [part for line in evaluated("psnr-4096").evidence for part in line if isinstance(part, WebLink)]
    assert [link.url.rpartition("#")[2] for link in links] == ["L52"]
