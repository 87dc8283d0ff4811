"""What may carry a verdict: independent figures, the tokenizer's own scatter, time for a bottleneck, one protocol."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.claims import CLAIMS, evaluated, evidence
from tests.fakes.records import write_measured
from tests.fakes.released import machine_record, write_machine, write_released
from vitok_lib.published.study import read_csv, write_published
from vitok_lib.records.schema import Kind
from vitok_lib.report.claims.judge import evaluate_claims
from vitok_lib.report.claims.rules.compare import Compare
from vitok_lib.report.claims.verdict import Verdict, decide
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import Number, plain
from vitok_lib.report.sphinx.claim_directives import _rule as rule_sentence

CONFIRMED, REFUTED = Verdict.CONFIRMED, Verdict.REFUTED
NOT_COMPARABLE, NOT_MEASURED = Verdict.NOT_COMPARABLE, Verdict.NOT_MEASURED
BEST, DROP, ATTENTION = "state-of-the-art", "drop-by-few-images", "bottleneck-not-attention"


@pytest.fixture(autouse=True)
def _published(results: Path) -> None:
    write_published()


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[tuple[str, str], str]], None]:
    """Publishes the document with other values at 1024 px: by tokenizer and quantity of the CSV."""

    def write(values: dict[tuple[str, str], str]) -> None:
        rows = read_csv()
        for row in rows:
            if (row["source"], row["resolution"]) == ("evaluation-summary", "1024"):
                row["value"] = values.get((row["tokenizer"], row["quantity"]), row["value"])
        monkeypatch.setattr("vitok_lib.published.study.read_csv", lambda: rows)
        write_published()

    return write


Publish = Callable[[dict[tuple[str, str], str]], None]


@pytest.mark.parametrize("fdd", ["0.44", "0.0001", "9.0"])
def test_who_is_best_is_not_decided_by_a_distance_that_it_was_trained_with(publish: Publish, fdd: str) -> None:
    publish({("flux", "fdd"): fdd})
    assert evaluated(BEST).verdict == NOT_MEASURED
    assert "FDD ranks nothing here. FD, DINOv3 is not independent of 5B-f16x64" in evidence(BEST)
    assert "first on div8k-1024 by PSNR, SSIM, FID; that is no measurement" in evidence(BEST)
    assert "On div8k-2048, div8k-4096 it gives no other figure" in evidence(BEST)


@pytest.mark.parametrize(("quantity", "value"), [("psnr_db", "34.0"), ("ssim", "0.94"), ("fid", "0.34")])
def test_who_is_best_is_refuted_by_any_independent_column(publish: Publish, quantity: str, value: str) -> None:
    publish({("flux", quantity): value})
    assert (evaluated(BEST).verdict, evaluated(BEST).basis) == (REFUTED, "the document itself")


def test_an_estimate_that_lies_ahead_refutes_nothing(publish: Publish) -> None:
    publish({("5B-f16x32", "psnr_db"): "50.0"})
    assert evaluated(BEST).verdict == NOT_MEASURED


def test_the_two_claims_on_one_pair_of_dependent_figures_agree_that_they_decide_nothing() -> None:
    lead = evaluated("fdd-flux-1024")
    assert (lead.verdict, lead.basis) == (NOT_COMPARABLE, "figures that are not independent")
    assert "trained with" in evidence("fdd-flux-1024")
    assert "0.44" not in evidence(BEST)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_dependent_number_in_the_evidence_decides_nothing_whatever_the_rule(verdict: Verdict) -> None:
    dependent = Number("0.4", Kind.MEASURED, "measured", caveat="It was trained with it.")
    for number in (dependent, Number("3", Kind.MEASURED, "measured")):
        found = decide(CLAIMS[BEST], verdict, [("One is ", number, "."), ("Another is ", dependent, ".")])
        assert found.verdict == NOT_COMPARABLE
        assert found.evidence[-1] == ("It was trained with it.",)


def test_no_decided_claim_shows_a_dependent_number() -> None:
    for item in evaluate_claims(load()):
        if item.verdict in (CONFIRMED, REFUTED):
            assert not any(part.caveat for sentence in item.evidence for part in sentence if _is_number(part))


def _is_number(part: object) -> bool:
    return isinstance(part, Number)


# The scatter that would be needed, by hand: 2.29 dB are 1.96 standard errors of a mean over 50 images.
NEEDED = 2.29 / 1.96 * math.sqrt(50)


def scattered(deviation: float, n: int) -> list[float]:
    """Numbers with exactly this standard deviation around 36.67 dB."""
    drawn = np.random.default_rng(0).normal(size=n)
    values: list[float] = (36.67 + deviation * (drawn - drawn.mean()) / drawn.std(ddof=1)).tolist()
    return values


def test_the_needed_scatter_is_shown_and_nothing_else_stands_in_for_it(results: Path) -> None:
    for name, case in (("pca-f16x64", "photos-512"), ("nano-f16x64", "div8k-4096")):
        write_measured(results, "cpu", name, case, {"psnr": [28.0, 32.0] * 50})
    write_released(results, "flux", "div8k-4096", {"psnr": [28.0, 32.0] * 50})
    assert (evaluated(DROP).verdict, evaluated(DROP).basis) == (NOT_MEASURED, "nothing measured yet")
    assert f"{NEEDED:.2f} dB" in evidence(DROP)
    assert f"{NEEDED:.2f}" == "8.26"
    assert "1.96 standard errors" in evidence(DROP)
    assert "n = 50 images were drawn at random" in evidence(DROP)
    assert "same images of div8k-4096 and div8k-8192" in evidence(DROP)


@pytest.mark.parametrize(
    ("deviation", "n", "verdict"), [(8.2, 50, REFUTED), (8.3, 50, NOT_MEASURED), (3.0, 49, NOT_MEASURED)]
)
def test_its_own_scatter_over_enough_of_the_images_rules_chance_out(
    results: Path, deviation: float, n: int, verdict: Verdict
) -> None:
    write_released(results, "5B-f16x64", "div8k-4096", {"psnr": scattered(deviation, n)})
    assert evaluated(DROP).verdict == verdict
    if verdict == REFUTED:
        assert evaluated(DROP).basis == "measurement"
        assert f"Over its n = {n} images the standard deviation is {deviation:.2f} dB" in evidence(DROP)


def test_the_drop_at_8192_is_settled_by_pairs_where_there_are_some(results: Path) -> None:
    write_released(results, "5B-f16x64", "div8k-4096", {"psnr": [30.0, 36.0, 42.0]})
    write_released(results, "5B-f16x64", "div8k-8192", {"psnr": [28.0, 34.0, 40.1]}, window=1024)
    assert (evaluated(DROP).verdict, evaluated(DROP).basis) == (REFUTED, "measurement")
    write_released(results, "5B-f16x64", "div8k-8192", {"psnr": [30.1, 36.1, 42.1]}, window=1024)
    assert evaluated(DROP).verdict == CONFIRMED


def profile(results: Path, times: dict[str, float], window: int = 1024, preset: str = "reference") -> None:
    settings = {"window": window, "preset": preset}
    record = machine_record("5B-f16x64", "profile", 8192, times, settings=settings)
    write_machine(results, record, f"preset={preset},window={window}")


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


def test_an_absolute_time_is_held_to_no_other_and_has_no_tolerance(results: Path) -> None:
    for latency in (None, 7887.0, 10.0):
        if latency is not None:
            values, settings = {"latency": latency}, {"window": 1024}
            write_machine(results, machine_record("5B-f16x64", "speed", 8192, values, settings=settings))
        item = evaluated("latency-w1024")
        assert item.verdict == (NOT_MEASURED if latency is None else NOT_COMPARABLE)
        assert "names neither its machine nor its batch" in evidence("latency-w1024")
        assert "agrees within" not in plain(rule_sentence(item))


def test_a_tolerance_is_printed_where_a_number_is_held_to_the_published_one() -> None:
    assert "33.99 dB; another number agrees within 0.1 dB." in plain(rule_sentence(evaluated("psnr-f16x64-1024")))
    assert "agrees within" not in plain(rule_sentence(evaluated("fid-4096")))


def test_every_claim_on_fid_or_ssim_says_why_it_compares_with_none_of_ours() -> None:
    words = {"fid": "pixels from 0 to 1", "ssim": "unclamped"}
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
    for claim, words in {
        "fid-f16x64-1024": "the FID of 5B-f16x64 on div8k-1024 is 0.35 (n = 1,500)",  # at the printed n alone
        "ssim-f16x64-1024": "the SSIM of 5B-f16x64 on div8k-1024 is 0.932",
        "fid-lead": "the FID of flux on div8k-1024 is 0.35 (n = 1,500)",
        "ssim-lead": "the SSIM of flux on div8k-1024 is 0.932",
    }.items():
        assert evaluated(claim).verdict == NOT_COMPARABLE
        assert words in evidence(claim)


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
