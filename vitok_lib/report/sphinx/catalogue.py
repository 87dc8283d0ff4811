"""The directives by the name that pages use: a table of what each shows and which options it has.

The pages that use them are the examples; :mod:`vitok_lib.report.sphinx.extension` lists them in one line each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from docutils import nodes

from vitok_lib.errors import RequestError, unknown
from vitok_lib.report.data import paired
from vitok_lib.report.data.groups import CAPACITY, COMPILE, MEMORY, PROFILE, ROOFLINE, SPEED, WINDOWS
from vitok_lib.report.data.record_view import Entry, of_case
from vitok_lib.report.data.variations import SETTINGS as VARIED
from vitok_lib.report.page.content import Code, Sentence, Table
from vitok_lib.report.page.templates import sentences
from vitok_lib.report.sphinx.directives import Content, Missing, Picture, Spec, Titled, Wide
from vitok_lib.report.sphinx.finding_names import findings
from vitok_lib.report.sphinx.request import Request
from vitok_lib.report.sphinx.scaling_directive import scaling_out
from vitok_lib.report.tables import by_image, runs
from vitok_lib.report.tables.best import best_table
from vitok_lib.report.tables.coverage import coverage_table
from vitok_lib.report.tables.depth import depth_tables
from vitok_lib.report.tables.distances_by_n import distances_by_n_table
from vitok_lib.report.tables.images_needed import images_needed_table
from vitok_lib.report.tables.latent_scales import latent_scale_table
from vitok_lib.report.tables.machine.fits import fits_table, memory_sizes_table
from vitok_lib.report.tables.machine.flops import flops_table
from vitok_lib.report.tables.machine.memory import capacity_tables
from vitok_lib.report.tables.machine.passes import passes_table
from vitok_lib.report.tables.machine.roofline import roofline_tables
from vitok_lib.report.tables.machine.speed import machine_tables, profile_tables, published_window_tables, window_tables
from vitok_lib.report.tables.machine.worked_example import worked_example
from vitok_lib.report.tables.measured_where import measured_where
from vitok_lib.report.tables.quality import quality_table
from vitok_lib.report.tables.rate_curves import bjontegaard_table, quantiser_table, true_rate_table
from vitok_lib.report.tables.released import released_table
from vitok_lib.report.tables.size_rules import size_rule_table
from vitok_lib.report.tables.text import ground_table, script_table, text_pairs_table, text_table
from vitok_lib.report.tables.variations import variation_tables
from vitok_lib.report.tables.versus import versus_table
from vitok_lib.tokenizers.registry import RELEASED

say = sentences("tables")

PUBLISHED_WINDOWS = "published-windows"
NOTEBOOKS = {
    WINDOWS: "sliding_window",
    ROOFLINE: "work_and_roofline",
    COMPILE: "compile_modes",
    CAPACITY: MEMORY,
    **dict.fromkeys(VARIED, "variations"),
}
"""The notebook that measures a benchmark, where its name differs."""


def quality_of_case(request: Request) -> list[Content]:
    """The table of a case; ``:tokenizers:`` names those whose record must be there."""
    case = request.arguments[0]
    held = {entry.record.tokenizer.name for entry in of_case(request.entries, case)}
    missing = [name for name in request.words("tokenizers") if name not in held]
    if missing:
        raise RequestError(f"no record of {', '.join(missing)} for '{case}'")
    return [quality_table(request.entries, case, request.words("quantities", "psnr ssim"))]


def versus(request: Request) -> list[Content]:
    """Two tokenizers; the notes are printed also where there is no row."""
    first, second = request.names
    data = versus_table(request.entries, first, second)
    if data.rows:
        return [Wide(data)]
    return [say("nothing_compared", first=first, second=second), *data.notes]


def reference(request: Request) -> list[Content]:
    """Where numbers come from: a table, or a list where the texts are too long for columns."""
    known: dict[str, Callable[[], Table]] = {
        "machines": lambda: runs.machine_table(request.entries),
        "image sets": lambda: runs.image_set_table(request.entries),
        "photographs": runs.photograph_table,
        "wallpapers": runs.wallpaper_table,
        "latent scales": latent_scale_table,
        "training": lambda: runs.training_table(runs.training_files()),
        "simulated intervals": runs.simulation_table,
    }
    lists: dict[str, Callable[[], list[Sentence]]] = {
        "signatures": lambda: runs.signature_list(request.entries),
        "sources": lambda: runs.source_list(request.entries),
        "evaluation code": runs.code_list,
    }
    name = request.arguments[0]
    if name not in known | lists:
        raise unknown("reference table", name, [*known, *lists])
    if name in lists:
        return [*lists[name]()]
    data = known[name]()
    return [data if data.rows else nodes.paragraph("", f"There are no {name} to list yet.")]


OWN_TABLES: Mapping[str, Callable[[Sequence[Entry]], Sequence[tuple[object, Table]]]] = {
    WINDOWS: window_tables,
    ROOFLINE: roofline_tables,
    PROFILE: profile_tables,
    CAPACITY: capacity_tables,
    PUBLISHED_WINDOWS: published_window_tables,
}
"""What a page gets that asks for one of these and names no quantities."""


def machines(request: Request) -> list[Content]:
    """A table a machine; ``:tokenizers:`` names those whose record must be there."""
    quantities, tokenizers, where = request.words("quantities"), request.words("tokenizers"), request.where()
    found: Sequence[tuple[object, Table]]
    if quantities:
        found = machine_tables(request.entries, request.names, quantities, where=where, tokenizers=tokenizers)
    elif len(request.names) != 1 or request.names[0] not in OWN_TABLES:
        raise RequestError(f"table '{request.arguments[0]}' needs ':quantities:'; without: {', '.join(OWN_TABLES)}")
    elif where or tokenizers:
        raise RequestError(f"table '{request.arguments[0]}' takes ':where:' and ':tokenizers:' with ':quantities:'")
    else:
        found = OWN_TABLES[request.names[0]](request.entries)
    shown = [Titled(_capital(str(title)), data) for title, data in found]
    return [*shown] if shown else [Missing(how_to_measure(request.names))]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:] if text.startswith("study ") else text


def how_to_measure(benchmarks: Sequence[str]) -> Sentence:
    """What a page prints where nothing was measured, or published."""
    if PUBLISHED_WINDOWS in benchmarks:
        return say("not_published")
    notebooks = dict.fromkeys(NOTEBOOKS.get(benchmark, benchmark) for benchmark in benchmarks)
    commands = [Code(f"vitok run {notebook}") for notebook in notebooks]
    return say("not_measured", commands=commands, device=Code("-p device cuda"))


def figure(request: Request) -> list[Content]:
    """A figure, or one a machine. Matplotlib is imported here, since not every page has figures."""
    from vitok_lib.report.figures import by_image, frontier, quality, speed
    from vitok_lib.report.figures.latents import latent_spectra
    from vitok_lib.report.figures.released import released
    from vitok_lib.report.figures.text import by_height

    name, entries, quantity = request.arguments[0], request.entries, request.quantity
    if name in quality.FIGURES:
        drawing = quality.FIGURES[name](entries, request.cases, quantity)
        return [Picture("-".join([name, *request.cases, quantity]), drawing)]
    if name == "released":
        return [Picture(name, released(entries))]
    if name == "text":
        case, score = request.required("cases", "text-by-height-512")[0], request.options.get("quantity", "ned")
        return [Picture(f"{name}-{case}-{score}", by_height(entries, case, score))]
    if name == "latent-spectra":
        (case,) = request.cases
        return [Picture(f"{name}-{case}", latent_spectra(entries, case))]
    if name == "by-resolution":
        benchmark = request.required("benchmark", "div8k")[0]
        return [Picture(f"{name}-{benchmark}-{quantity}", quality.by_resolution(entries, benchmark, quantity))]
    if name == "paired":
        drawing = by_image.paired_images(entries, request.cases, quantity, request.pair())
        return [Picture("-".join([name, *request.cases, *request.pair(), quantity]), drawing)]
    if name == "by-tokens":
        benchmarks, quantity = request.required("benchmarks", "speed"), request.options.get("quantity", "latency")
        found = speed.by_tokens(entries, benchmarks, quantity, request.where())
        return _of_machines("-".join([name, *benchmarks, quantity]), benchmarks, found)
    if name == "quality":
        found = [pair for case in request.cases for pair in frontier.quality_and_speed(entries, case, quantity)]
        return _of_machines("-".join([name, *request.cases]), [SPEED], found)
    alone: dict[str, tuple[str, Callable[[Sequence[Entry]], speed.Drawings]]] = {
        "roofline": (ROOFLINE, speed.rates_under_peaks),
        "time": (PROFILE, speed.time_by_operation),
        "memory-frontier": (MEMORY, frontier.memory_frontier),
    }
    if name not in alone:
        raise unknown(
            "figure",
            name,
            [
                *quality.FIGURES,
                "released",
                "text",
                "latent-spectra",
                "by-resolution",
                "paired",
                "by-tokens",
                "quality",
                *alone,
            ],
        )
    benchmark, make = alone[name]
    return _of_machines(name, [benchmark], make(entries))


def _of_machines(name: str, benchmarks: Sequence[str], found: Iterable[tuple[object, object]]) -> list[Content]:
    pictures = [Picture(f"{name}-{index}-{machine.slug}", drawing) for index, (machine, drawing) in enumerate(found)]  # type: ignore[attr-defined,arg-type]
    return [*pictures] if pictures else [Missing(how_to_measure(benchmarks))]


def every_run(request: Request) -> list[Content]:
    """Every record, a section for each study and case, an anchor for each record."""
    return [Titled(f"{study}: {case}", data, section=True) for study, case, data in runs.run_tables(request.entries)]


def best(request: Request) -> list[Content]:
    """Released models are left out: they are compared on the summary, and never ranked with small tokenizers."""
    entries = [entry for entry in request.entries if entry.record.tokenizer.name not in RELEASED]
    benchmarks = request.required("benchmarks", "div8k photos")
    return [Wide(best_table(entries, benchmarks, request.words("quantities", "psnr")))]


def pairs(request: Request) -> list[Content]:
    """All pairs of equal rate, or the values of each image where images are too few for tests."""
    case, quantity = request.arguments[0], request.quantity
    found = paired.all_pairs(request.entries, case, quantity)
    images = found.differences[0].n
    if images >= paired.LEAST_FOR_PAIRS:
        return [by_image.pairs_table(found)]
    from vitok_lib.report.figures.by_image import by_image as draw

    few = say("too_few_images", images=images, least=paired.LEAST_FOR_PAIRS)
    return [few, Picture(f"by-image-{case}-{quantity}", draw(request.entries, [case], quantity))]


def fits(request: Request) -> list[Content]:
    """Which memory holds each model, in short; with ``:memory-sizes:`` how it fits in each."""
    name, resolutions = request.arguments[0], request.sizes("1024 2048 4096 8192")
    every = "memory-sizes" in request.options
    return [(memory_sizes_table if every else fits_table)(request.entries, name, resolutions)]


def variation(request: Request) -> list[Content]:
    """What a window, or fewer blocks, cost in PSNR: a table a record."""
    benchmark = request.arguments[0]
    shown = [Titled(title, data) for title, data in variation_tables(request.entries, benchmark)]
    return [*shown] if shown else [Missing(how_to_measure([benchmark]))]


def depths(request: Request) -> list[Content]:
    """Encoder and decoder depth at one training budget: a table a grid."""
    shown = [Titled(title, data) for title, data in depth_tables(request.entries)]
    return (
        [*shown] if shown else [Missing(say("not_trained", command=Code("python -m vitok_lib.train.grid 2/2 2/4 4/2")))]
    )


def scripts(request: Request) -> list[Content]:
    """``exact-match`` of several cases, unless ``:quantity:`` says otherwise, by script and height of lines."""
    return [Wide(script_table(request.entries, request.names, request.options.get("quantity", "exact-match")))]


def _of_text(make: Callable[[Sequence[Entry], str, str], Table]) -> Callable[[Request], list[Content]]:
    """A table of a case by height of lines, of ``exact-match`` unless ``:quantity:`` says otherwise."""
    return lambda request: [
        Wide(make(request.entries, request.arguments[0], request.options.get("quantity", "exact-match")))
    ]


def bjontegaard(request: Request) -> list[Content]:
    """BD-rate of a case to a codec at equal ``:quantity:``, PSNR unless it says otherwise, and the reverse."""
    case, baseline = request.names
    return [bjontegaard_table(request.entries, case, baseline, request.quantity)]


def example(request: Request) -> list[Content]:
    """How the numbers of what fits come about, for one ViTok on ``:gpu:``; a table for each of ``:resolutions:``."""
    gpu = " ".join(request.required("gpu", "RTX 4090"))
    return [worked_example(request.entries, request.arguments[0], size, gpu) for size in request.sizes()]


DIRECTIVES: Mapping[str, Spec] = {
    "findings": Spec(findings, 1, ("cases", "quantity", "tokenizers", "resolutions")),
    "quality-table": Spec(quality_of_case, 1, ("quantities", "tokenizers")),
    "image-table": Spec(
        lambda request: [by_image.image_table(request.entries, request.arguments[0], request.quantity)],
        1,
        ("quantity",),
    ),
    "baseline-table": Spec(
        lambda request: [by_image.baseline_table(request.entries, request.cases, request.quantity)],
        options=("cases", "quantity"),
    ),
    "images-needed-table": Spec(
        lambda request: [images_needed_table(request.entries, request.arguments[0], request.quantity)], 1, ("quantity",)
    ),
    "distances-by-n-table": Spec(lambda request: [distances_by_n_table(request.entries, request.arguments[0])], 1),
    "pairs-table": Spec(pairs, 1, ("quantity",)),
    "true-rate-table": Spec(lambda request: [true_rate_table(request.entries, request.arguments[0])], 1),
    "quantiser-table": Spec(lambda request: [quantiser_table(request.entries, request.arguments[0])], 1),
    "bjontegaard-table": Spec(bjontegaard, 2, ("quantity",)),
    "result-figure": Spec(figure, 1, ("cases", "benchmark", "benchmarks", "quantity", "tokenizers", "where")),
    "machine-table": Spec(machines, 1, ("quantities", "where", "tokenizers")),
    "flops-table": Spec(
        lambda request: [flops_table(request.names, request.sizes(), request.windows())],
        1,
        ("resolutions", "windows"),
    ),
    "passes-table": Spec(lambda request: [passes_table(request.arguments[0], request.sizes()[0])], 1, ("resolutions",)),
    "text-table": Spec(_of_text(text_table), 1, ("quantity",)),
    "text-ground-table": Spec(_of_text(ground_table), 1, ("quantity",)),
    "text-script-table": Spec(scripts, 1, ("quantity",)),
    "text-pairs-table": Spec(_of_text(text_pairs_table), 1, ("quantity",)),
    "worked-example": Spec(example, 1, ("resolutions", "gpu")),
    "fits-table": Spec(fits, 1, ("resolutions", "memory-sizes")),
    "size-rules-table": Spec(
        lambda request: [size_rule_table(request.entries, request.names, request.quantity)], 1, ("quantity",)
    ),
    "best-table": Spec(best, options=("benchmarks", "quantities")),
    "released-table": Spec(lambda request: [released_table(request.entries)]),
    "measured-where": Spec(lambda request: [Wide(measured_where(request.entries))]),
    "coverage-table": Spec(lambda request: [coverage_table(request.entries)]),
    "versus-table": Spec(versus, 2),
    "scaling": Spec(scaling_out, 2, ("gpu", "gpus", "cores")),
    "variation-table": Spec(variation, 1),
    "depth-table": Spec(depths),
    "run-list": Spec(every_run),
    "reference-table": Spec(reference, 1),
}
