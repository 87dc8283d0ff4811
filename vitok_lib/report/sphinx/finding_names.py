"""The findings by the name that pages use: which sentences each stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from vitok_lib.errors import unknown
from vitok_lib.report.claims.judge import evaluate_claims
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.findings import (
    colour,
    contradictions,
    depth,
    flops,
    memory,
    planning,
    quality,
    rate,
    speed,
    summary,
    variations,
    window,
)
from vitok_lib.report.findings.best_reconstruction import best_reconstruction
from vitok_lib.report.findings.corrections import corrections
from vitok_lib.report.findings.fastest import fastest
from vitok_lib.report.findings.latents import latents_measured
from vitok_lib.report.findings.padding import paddings
from vitok_lib.report.findings.text import smallest_height
from vitok_lib.report.findings.what_fits import what_fits
from vitok_lib.report.page.content import Sentence
from vitok_lib.report.sphinx.request import Request


def _of_cases(
    make: Callable[[Sequence[Entry], str, str], list[Sentence]],
) -> Callable[[Request], list[Sentence]]:
    return lambda request: [
        sentence for case in request.cases for sentence in make(request.entries, case, request.quantity)
    ]


def _by_case(make: Callable[[Sequence[Entry], str], list[Sentence]]) -> Callable[[Request], list[Sentence]]:
    return lambda request: [sentence for case in request.cases for sentence in make(request.entries, case)]


def _of_entries(make: Callable[[Sequence[Entry]], list[Sentence]]) -> Callable[[Request], list[Sentence]]:
    return lambda request: make(request.entries)


FINDINGS: Mapping[str, Callable[[Request], list[Sentence]]] = {
    "best": _of_cases(quality.best_measured),
    "baseline": _of_cases(quality.distance_to_baseline),
    "published": _of_cases(quality.published_bests),
    "bias": _of_cases(quality.bias_with_n),
    "colour-shifts": _by_case(colour.shifts),
    "patch-grid": _by_case(colour.grids),
    "drift": _by_case(colour.drifts),
    "counts": _of_entries(quality.value_counts),
    "against-codec": _by_case(rate.against_codec),
    "estimates": lambda request: quality.estimates_met_by_figures(request.entries, request.quantity),
    "text": _by_case(smallest_height),
    "latents": _by_case(latents_measured),
    "padding": _by_case(paddings),
    "images-needed": _of_cases(planning.images_to_tell_apart),
    "told-apart": _by_case(planning.distances_told_apart),
    "best-reconstruction": _of_entries(best_reconstruction),
    "what-fits": _of_entries(what_fits),
    "fastest": _of_entries(fastest),
    "corrections": lambda request: corrections(evaluate_claims(request.entries)),
    "claims": lambda request: [summary.claims_counted(evaluate_claims(request.entries))],
    "outcomes": _of_entries(summary.outcomes_counted),
    **{
        name: _of_entries(make)
        for name, make in (
            window.FINDINGS | speed.FINDINGS | memory.FINDINGS | variations.FINDINGS | depth.FINDINGS
        ).items()
    },
    "patches": lambda request: speed.patches_measured(request.entries, *request.pair()),
    "patches-flops": lambda request: flops.patches_compared(*request.pair(), request.sizes()),
    "equal-flops": lambda request: flops.where_attention_equals_linear(request.words("tokenizers")),
    "contradictions": _of_entries(contradictions.contradictions),
    "one-row": lambda request: [
        *contradictions.one_row_under_two_names([entry for entry in request.entries if entry.published])
    ],
    "published-flops": _of_entries(flops.published_flops),
}


def findings(request: Request) -> list[Sentence]:
    """The sentences of one finding or of several."""
    for name in request.names:
        if name not in FINDINGS:
            raise unknown("findings", name, FINDINGS)
    return [sentence for name in request.names for sentence in FINDINGS[name](request)]
