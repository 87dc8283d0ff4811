"""Where every number comes from: records with their provenance, machines, image sets, metrics, training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import vitok_lib
from vitok_lib.errors import RequestError
from vitok_lib.images.photographs import PHOTOGRAPHS
from vitok_lib.images.wallpapers import wallpapers
from vitok_lib.metrics.quantities import text_metric
from vitok_lib.metrics.signature import METRICS
from vitok_lib.published.sources import EVALUATION_CODE
from vitok_lib.records.schema import Host, Kind, OutcomeStatus, Source
from vitok_lib.report.data.formatting import number, outcome, places
from vitok_lib.report.data.groups import BENCHMARKS
from vitok_lib.report.data.record_view import Entry, natural
from vitok_lib.report.page.content import Code, Head, Note, Number, Part, RecordFile, Sentence, Table, WebLink
from vitok_lib.report.page.labels import in_order, name_of
from vitok_lib.report.page.templates import listed

SHORT_HASH = 12


def machines(entries: Sequence[Entry]) -> list[Host]:
    """The machines that measured, in the order of their first record."""
    hosts = {
        entry.record.provenance.host.model_dump_json(): entry.record.provenance.host
        for entry in entries
        if entry.record.provenance
    }
    return list(hosts.values())


def machine_table(entries: Sequence[Entry]) -> Table:
    """Every machine that measured, numbered as the other tables name it."""
    rows: list[list[Sentence]] = []
    for index, host in enumerate(machines(entries), start=1):
        gpu = ", ".join(
            filter(None, (host.gpu, host.driver and f"driver {host.driver}", host.cuda and f"CUDA {host.cuda}"))
        )
        packages = ", ".join(f"{name} {version}" for name, version in sorted(host.packages.items()))
        rows.append(
            [
                (_machine(index),),
                (host.cpu,),
                (str(host.cores),),
                (f"{host.memory_gib:.1f}",),
                (gpu or Note("none"),),
                (host.platform,),
                (f"Python {host.python}; {packages}".rstrip("; "),),
            ]
        )
    heads = ("Machine", "CPU", "Cores", "Memory, GiB", "GPU", "Platform", "Software")
    return Table(heads=[[Head(text) for text in heads]], rows=rows)


def _machine(index: int) -> str:
    return f"M{index}"


def run_tables(entries: Sequence[Entry]) -> list[tuple[str, str, Table]]:
    """Every record, a table for each study and case: the study, the case, the table."""
    hosts = [host.model_dump_json() for host in machines(entries)]
    tables: dict[tuple[str, str], list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: natural(entry.case)):
        tables.setdefault((entry.study, entry.case), []).append(entry)
    studies = list(dict.fromkeys(entry.study for entry in entries))
    return [
        (study, case, _run_table(sorted(held, key=lambda entry: natural(entry.stem)), hosts))
        for (study, case), held in sorted(tables.items(), key=lambda item: studies.index(item[0][0]))
    ]


def _run_table(held: Sequence[Entry], hosts: Sequence[str]) -> Table:
    measured = any(not entry.published for entry in held)
    heads = ["Record", "Values"]
    heads += ["Command", "Started, UTC", "Seconds", "Machine", "Commit"] if measured else ["Source"]
    rows = [[(RecordFile(entry.name),), _values(entry), *_origin(entry, hosts, measured)] for entry in held]
    return Table([[Head(text) for text in heads]], rows, anchors=[entry.anchor for entry in held])


def _values(entry: Entry) -> Sentence:
    parts: list[Part] = []
    for value in entry.record.values:
        parts += [", " if parts else "", f"{name_of(value.quantity)} ", number(entry, value, unit=True)]
    if entry.record.outcome.status != OutcomeStatus.OK:
        parts += [", " if parts else "", outcome(entry)]
        parts += [Note(f" {entry.record.outcome.detail}")] if entry.record.outcome.detail else []
    for name, why in sorted(entry.record.choices.items()):
        parts += [", " if parts else "", f"{name} chosen: {why}"]
    return tuple(parts)


def _origin(entry: Entry, hosts: Sequence[str], measured: bool) -> list[Sentence]:
    provenance, source = entry.record.provenance, entry.record.source
    if provenance is None:
        printed = listed(places([entry]) or [source.title if source else ""])
        return [printed, *[() for _ in range(4 if measured else 0)]]
    commit = provenance.commit[:SHORT_HASH] if provenance.commit else "unknown"
    return [
        (Code(provenance.command),),
        (provenance.started.strftime("%Y-%m-%d %H:%M:%S"),),
        (f"{provenance.seconds:.1f}",),
        (_machine(hosts.index(provenance.host.model_dump_json()) + 1),),
        (Code(commit), Note(" with changes")) if provenance.dirty else (Code(commit),),
    ]


def source_list(entries: Sequence[Entry]) -> list[Sentence]:
    """Who published the figures that are not ours: where each can be read, when it was, and what is missing."""
    sources = {entry.record.source.name: entry.record.source for entry in entries if entry.record.source}
    return [
        (
            Code(name),
            f": {source.title}, ",
            *_address(source),
            f"; dated {source.dated:%Y-%m-%d}" if source.dated else "; its date is not known",
            f"; read {source.read:%Y-%m-%d}. " if source.read else ". ",
            source.note or "",
        )
        for name, source in sorted(sources.items())
    ]


def _address(source: Source) -> Sentence:
    """Links to the page and to the file at its commit, or the statement that there is no address."""
    of_file = source.file_url is not None and (source.url or "").startswith(source.file_url)
    parts: list[Part] = [WebLink("page", source.url)] if source.url and not of_file else []
    if source.file_url and source.commit:
        text = f"{source.file} at {source.commit[:SHORT_HASH]}"
        parts += [", " if parts else "", WebLink(text, source.file_url)]
    return (*parts, *([source.without_address] if source.without_address else []))


def code_list() -> list[Sentence]:
    """What the public evaluation code does, with file and lines."""
    return [
        (statement.text.removesuffix("."), " (", *listed([WebLink(*place) for place in statement.places], ", "), ").")
        for statement in EVALUATION_CODE.values()
    ]


def image_set_table(entries: Sequence[Entry]) -> Table:
    """The image sets that were measured on, with count, rule and the hash of the manifest."""
    rows: dict[str, list[Sentence]] = {}
    studies: dict[str, list[str]] = {}
    for entry in sorted(entries, key=lambda entry: natural(entry.case)):
        images = entry.record.images
        if entry.measured and entry.record.benchmark not in BENCHMARKS:  # speed and memory are measured on noise
            digest = images.manifest_sha256
            count = "unknown" if images.count is None else f"{images.count:,}"
            shown: Part = Code(digest[:SHORT_HASH]) if digest else Note("none")
            row: list[Sentence] = [
                (entry.case,),
                (images.description,),
                (count,),
                (images.rule,),
                (shown,),
            ]
            key = repr(row)
            rows.setdefault(key, row)
            if entry.study not in studies.setdefault(key, []):
                studies[key].append(entry.study)
    heads = ("Case", "Images", "Count", "Size rule", "Manifest, SHA-256", "Studies")
    return Table([[Head(text) for text in heads]], [[*row, (", ".join(studies[key]),)] for key, row in rows.items()])


def signature_list(entries: Sequence[Entry]) -> list[Sentence]:
    """The metric signatures of all measured values, each with its studies and the formula's paper or standard.

    Those of the points of one curve, such as ``psnr:step=0.5``, differ in the point alone and are one; so are those of
    one quantity with several settings, such as ``difference@window=4``, and of text by the height of its lines.
    """
    found: dict[str, dict[str, set[str]]] = {}
    for entry in entries:
        for value in entry.record.values:
            if value.signature:
                base, _, setting = value.quantity.partition("@")
                base, _, point = base.partition(":")
                quantity = text_metric(base) or base
                signature = value.signature.replace(f"|{point}|", "|POINT|")
                signature = signature.replace(f"|{setting}", "|SETTING") if setting else signature
                found.setdefault(quantity, {}).setdefault(signature, set()).add(entry.study)
    return [
        (
            f"{name_of(quantity)}: ",
            Code(signature),
            Note(f" (study {', '.join(sorted(studies))})"),
            f" – {METRICS[quantity].source}." if quantity in METRICS else "",
        )
        for quantity in in_order(found)
        for signature, studies in sorted(found[quantity].items())
    ]


def photograph_table() -> Table:
    """The photographs: what each shows, where it comes from, its licence, and which side of the split it is on."""
    rows: list[list[Sentence]] = [
        [
            (photograph.name,),
            (photograph.subject,),
            (photograph.source,),
            (photograph.package,),
            (photograph.licence,),
            ("held out" if photograph.held_out else "training",),
        ]
        for photograph in PHOTOGRAPHS
    ]
    heads = ("Photograph", "Subject", "Source", "Shipped by", "Licence", "Use")
    return Table([[Head(text) for text in heads]], rows)


def wallpaper_table() -> Table:
    """The packaged photographs: what each shows, its size, package, author and licence, and its use."""
    rows: list[list[Sentence]] = [
        [
            (each.name,),
            (each.subject,),
            (f"{each.width} × {each.height}",),
            (f"{each.package} {each.version}",),
            (each.author,),
            (each.licence,),
            ("held out" if each.use == "evaluate" else "training",),
        ]
        for each in wallpapers()
    ]
    heads = ("Photograph", "Subject", "Size, px", "Package", "Author", "Licence", "Use")
    return Table([[Head(text) for text in heads]], rows)


SIMULATED_COUNTS = (5, 6, 8, 24, 100)
"""The numbers of images that have a column in the table of simulations."""


def simulation_table() -> Table:
    """What the intervals of this report cover in simulation: a row for each quantity, distribution and method.

    Raises:
        RequestError: the file that the simulation wrote is not there, or lacks a field.
    """
    path = Path(vitok_lib.__file__).parent / "metrics" / "coverage.json"
    try:
        simulated = json.loads(path.read_text(encoding="utf-8"))
        command = simulated["command"]
        others = {row["of"] for row in simulated["rows"] if row["n"] not in SIMULATED_COUNTS}
        repetitions = [row["repetitions"] for row in simulated["rows"]]
        by_row: dict[tuple[str, str, str], dict[int | None, Number]] = {}
        for row in simulated["rows"]:
            n, of = row["n"], row["of"]
            tip = f"measured: share of {row['repetitions']:,} simulated samples, {command}"
            lead = (f"{of}, n = {n:,}" if of in others else of, row["values"], row["method"])
            column = None if of in others else n
            by_row.setdefault(lead, {})[column] = Number(f"{row['share']:.3f}", Kind.MEASURED, tip)
    except (OSError, ValueError, KeyError) as error:
        raise RequestError(f"simulation '{path}' cannot be read: {error!r}; run benchmarks/coverage.py") from error
    columns = (*SIMULATED_COUNTS, None)
    rows: list[list[Sentence]] = []
    for lead, by_n in by_row.items():
        rows.append([*((text,) for text in lead), *((by_n[n],) if n in by_n else () for n in columns)])
    heads = ("Simulated", "Values", "Method", *(f"n = {n}" for n in SIMULATED_COUNTS), "n of the row")
    level = simulated["level"]
    note: Sentence = (
        f"The share of {min(repetitions):,} to {max(repetitions):,} simulated samples (",
        Code(command),
        f") whose interval holds what is named; at least {level:g} is right. Of a false difference it is the share of "
        f"tables of equal tokenizers that show a significant one; at most {1 - level:.2g} is right. Where a method is "
        "not shown, the report gives no interval.",
    )
    return Table([[Head(text) for text in heads]], rows, notes=[note])


def training_files() -> list[Path]:
    """The training records next to the weights of the tokenizers made here."""
    return sorted((Path(vitok_lib.__file__).parent / "weights").glob("*/training.json"))


def training_table(files: Sequence[Path]) -> Table:
    """How each tokenizer of this project was made.

    Raises:
        RequestError: a training record is not JSON or lacks a field.
    """
    rows: list[list[Sentence]] = []
    for path in files:
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            name, command, hashes = record["name"], record["command"], record["sha256"]
        except (ValueError, KeyError) as error:
            raise RequestError(f"training record '{path}' cannot be read: {error!r}") from error
        steps, seconds = record.get("steps"), record.get("seconds")
        digests: list[Part] = []
        for file, digest in hashes.items():
            digests += [" " if digests else "", f"{file} ", Code(digest[:SHORT_HASH])]
        rows.append(
            [
                (name,),
                (Code(command),),
                _measured(steps, "steps", path),
                _measured(seconds, "seconds", path),
                tuple(digests),
            ]
        )
    heads = ("Tokenizer", "Command", "Steps", "Seconds", "Weights, SHA-256")
    return Table([[Head(text) for text in heads]], rows)


def _measured(value: float | None, what: str, path: Path) -> Sentence:
    if value is None:
        return (Note("–"),)
    return (Number(f"{value:,.0f}", Kind.MEASURED, f"measured: {what} of training, {path.parent.name}/{path.name}"),)
