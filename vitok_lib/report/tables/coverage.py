"""What was measured on which machine, what others published, and what has not been measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from vitok_lib.metrics.signature import METRICS
from vitok_lib.records.schema import Kind, OutcomeStatus
from vitok_lib.records.studies import CPU, LOCAL
from vitok_lib.report.data import groups
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Head, Note, Number, Part, Sentence, Table
from vitok_lib.report.page.labels import PUBLISHED_FDD
from vitok_lib.report.page.templates import sentences

say = sentences("tables")

SETS = frozenset(
    (
        PUBLISHED_FDD,
        *(name for name, metric in METRICS.items() if metric.scope == "set" and metric.extractor != "random"),
    )
)
QUALITIES: dict[str, frozenset[str]] = {
    "quality: pixels": frozenset(("psnr", "ssim", "ms-ssim")),
    "quality: perceptual": frozenset(("ssimulacra2", "lpips", "dists")),
    "quality: sets of images": SETS,
}
COSTS: dict[str, frozenset[str]] = {
    "speed": frozenset(("latency", "throughput", "latency_max_autotune")),
    "memory": frozenset(("peak_memory",)),
}
"""What sources report next to the quality of a benchmark; here it is a measurement of its own."""
APART = {
    "latents-": "values of the latent",
    "how-many-": "distances by number of images",
    groups.SPEED: "speed of each preset",
    groups.WINDOWS: "speed by window",
    groups.COMPILE: "compile modes",
    groups.PRECISION: "precision",
    groups.ROOFLINE: "roofline of the machine",
    groups.PROFILE: "time by operation",
    groups.MEMORY: "memory",
    groups.CAPACITY: "largest image that fits",
    groups.TILING: "tiles and chunks",
    "rate": "rate with entropy coding",
    "drift": "repeated passes",
    "padding": "padding and aspect ratio",
    "text-by-height-": "text by height",
    "window-quality": "quality by window",
    "truncated-depth": "quality by blocks",
    "trained-depth": "quality by trained depth",
}
"""What benchmarks measure that are no image set, by name, or by its start up to a hyphen where a set or an extractor
may follow."""
STUDIES = {CPU: "Here, without a GPU", LOCAL: "Here, your own runs"}


@dataclass(frozen=True)
class Question:
    """A row: what is asked, of which benchmark, and which records answer it."""

    about: str
    benchmark: str
    answers: Callable[[Entry], bool]


def coverage_table(entries: Sequence[Entry]) -> Table:
    """A row a question and benchmark, a column an origin; a cell counts tokenizers at each resolution.

    A question that nobody answers has no row and is named below the table.

    The studies come in the order of ``entries``, as ``load`` gives them.
    """
    studies: dict[str, str] = {}
    for entry in entries:
        if entry.measured:
            studies.setdefault(entry.study, _title(entry))
    columns: list[tuple[str, Callable[[Entry], bool]]] = [
        (title, lambda entry, study=study: entry.measured and entry.study == study)  # type: ignore[misc]
        for study, title in studies.items()
    ]
    columns.append(("By others", lambda entry: entry.published))
    rows: list[list[Sentence]] = []
    nobody: list[str] = []
    for question in _questions(entries):
        answering = [
            entry for entry in entries if entry.record.benchmark == question.benchmark and question.answers(entry)
        ]
        if not answering:
            nobody.append(f"{question.about} ({question.benchmark})")
            continue
        cells = [_cell([entry for entry in answering if holds(entry)]) for _, holds in columns]
        rows.append([(question.about,), (question.benchmark,), *cells])
    notes = [say("coverage"), *([say("not_covered", questions=nobody)] if nobody else [])]
    heads = ("Question", "Benchmark", *(title for title, _ in columns))
    return Table(heads=[[Head(text) for text in heads]], rows=rows, notes=notes)


def _title(entry: Entry) -> str:
    """The heading of the column of an entry's study, which names its GPU."""
    if entry.study in STUDIES:
        return STUDIES[entry.study]
    gpu = entry.record.provenance.host.gpu if entry.record.provenance else None
    return f"Here, study {entry.study}" + (f" ({gpu})" if gpu else "")


def _questions(entries: Iterable[Entry]) -> list[Question]:
    """Every question of every benchmark of images, what most was published of first, then those of ``APART``."""
    held = [entry for entry in entries if entry.measured or entry.published]
    benchmarks = {entry.record.benchmark for entry in held}
    apart = {name: words for start, words in APART.items() for name in _named(start, benchmarks) or [start.rstrip("-")]}
    of_images = [entry for entry in held if entry.record.benchmark not in apart]
    printed = Counter(entry.record.benchmark for entry in of_images if entry.published)
    questions = []
    for benchmark in sorted({entry.record.benchmark for entry in of_images}, key=lambda name: (-printed[name], name)):
        asked = {**QUALITIES, **COSTS} if printed[benchmark] else QUALITIES
        of_it = [entry for entry in of_images if entry.record.benchmark == benchmark]
        questions += [Question(about, benchmark, _holds(quantities, of_it)) for about, quantities in asked.items()]
    return [*questions, *(Question(about, benchmark, lambda entry: True) for benchmark, about in apart.items())]


def _named(start: str, benchmarks: Iterable[str]) -> list[str]:
    """Those of ``benchmarks`` that a key of ``APART`` names, sorted."""
    return sorted(
        name for name in benchmarks if name == start or (start.endswith("-") and f"{name}-".startswith(start))
    )


def in_words(benchmarks: Collection[str]) -> str:
    """What ``benchmarks`` measure: quality with its image sets, then the rest in the order of ``APART``."""
    apart = {words: names for start, words in APART.items() if (names := _named(start, benchmarks))}
    sets = sorted(set(benchmarks).difference(*apart.values()))
    return ", ".join([*([f"quality on {', '.join(sets)}"] if sets else []), *apart])


def _holds(quantities: frozenset[str], entries: Iterable[Entry]) -> Callable[[Entry], bool]:
    """Whether an entry has one of ``quantities``, or ran out of memory where its origin has them of another entry."""

    def has(entry: Entry) -> bool:
        return any(value.quantity in quantities for value in entry.record.values)

    origins = {entry.origin for entry in entries if has(entry)}
    return lambda entry: has(entry) or (_oom(entry) and not entry.record.values and entry.origin in origins)


def _oom(entry: Entry) -> bool:
    return entry.record.outcome.status == OutcomeStatus.OOM


def _cell(answering: Sequence[Entry]) -> Sentence:
    if not answering:
        return (Note("–"),)
    by_resolution: dict[int, list[Entry]] = {}
    for entry in answering:
        by_resolution.setdefault(entry.record.resolution, []).append(entry)
    parts: list[Part] = []
    for resolution, held in sorted(by_resolution.items()):
        names = {entry.record.tokenizer.name for entry in held}
        ended = {entry.record.tokenizer.name for entry in held if _oom(entry)}
        tip = f"derived: tokenizers with a record at {resolution:,} px, counted: {', '.join(sorted(names))}"
        parts += [", " if parts else "", f"{resolution} px: ", Number(f"{len(names):,}", Kind.DERIVED, tip)]
        parts += [Note(f" ({len(ended)} OOM)")] if ended else []
    return tuple(parts)
