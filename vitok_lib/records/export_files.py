"""Tables of exported values as files: Markdown for a model card, CSV for programs, YAML for the Hugging Face hub.

The YAML is that of ``.eval_results/*.yaml`` in a model's repository: a list of ``dataset: {id, task_id}``, ``value``,
``date`` and ``notes`` (https://huggingface.co/docs/hub/eval-results; huggingface/hub-docs, docs/hub/eval-results.md at
064c754). ``huggingface_hub`` writes and reads it. It has no field for a protocol, which ``notes`` holds therefore.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from vitok_lib.errors import RequestError, unknown
from vitok_lib.records.export import Row, Table

Cells = dict[str, str]
"""One row as text, by the names of :class:`Row`; empty where there is nothing to say."""

TITLES = {
    "tokenizer": "tokenizer",
    "metric": "metric",
    "unit": "unit",
    "evidence": "evidence",
    "value": "value",
    "mean": "mean",
    "p5": "5th percentile",
    "median": "median",
    "p95": "95th percentile",
    "n": "n",
    "images": "images",
    "size": "size rule",
    "signature": "signature",
    "machine": "machine",
}
"""The columns of a Markdown table, by the names of :class:`Row`."""
COLUMNS = tuple(field.name for field in fields(Row))
_NUMBERS = ("value", "mean", "p5", "median", "p95", "n")
_NOTES = ("tokenizer", "metric", "unit", "evidence", "mean", "p5", "median", "p95", "n", "images", "size", "signature")
_SEPARATOR = "; "
_NARROWEST = 3  # dashes of a column, which some readers of Markdown ask for


def markdown(tables: Sequence[Table]) -> str:
    """One table a protocol, columns padded to one width, numbers with five digits."""
    return "\n".join(_markdown_table(table) for table in tables)


def _markdown_table(table: Table) -> str:
    lines = [list(TITLES.values()), *([_cell(getattr(row, name)) for name in TITLES] for row in table)]
    widths = [max(_NARROWEST, *(len(line[column]) for line in lines)) for column in range(len(TITLES))]
    right = [name in _NUMBERS for name in TITLES]
    rule = ["-" * (width - 1) + ":" if flush else "-" * width for width, flush in zip(widths, right, strict=True)]
    padded = [
        [f"{text:{'>' if flush else '<'}{width}}" for text, width, flush in zip(line, widths, right, strict=True)]
        for line in lines
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in (padded[0], rule, *padded[1:]))


def _cell(value: float | int | str | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}"
    return str(value).replace("|", r"\|")


def csv_text(tables: Sequence[Table]) -> str:
    """One row a value with all its digits; the column ``table`` counts the protocols."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["table", *COLUMNS])
    for number, table in enumerate(tables, 1):
        for row in table:
            cells = [getattr(row, name) for name in COLUMNS]
            writer.writerow([number, *("" if cell is None else cell for cell in cells)])
    return file.getvalue()


def hub_eval(tables: Sequence[Table], dataset: str | None) -> str:
    """The metrics of one tokenizer over one set of images; a task is a case and a metric, ``photos-512-psnr``.

    Costs are not of a data set and are not in it.

    Raises:
        RequestError: no data set is named, nothing is over a set of images, or there are several tokenizers or sets.
    """
    if dataset is None or not re.fullmatch(r"[\w.-]+/[\w.-]+", dataset):
        raise RequestError(
            f"format hub-eval needs the hub's data set of these images, as --dataset OWNER/NAME, not '{dataset or ''}'"
        )
    rows = [row for table in tables for row in table if not row.machine and row.signature]
    if not rows:
        raise RequestError("nothing exported is a metric of images, which format hub-eval is for; choose csv")
    for noun, names in (
        ("tokenizer", {row.tokenizer for row in rows}),
        ("set of images", {row.images for row in rows}),
    ):
        if len(names) > 1:
            raise RequestError(
                f"format hub-eval holds one {noun}, not {len(names)}: {_SEPARATOR.join(sorted(names))}; name one, with "
                "its settings as in NAME@window=64, or NAME@ for none, and one set as --images NAME"
            )
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    entries = [
        EvalResultEntry(
            dataset_id=dataset,
            task_id=f"{row.case}-{row.metric}",
            value=row.value,
            date=row.date,
            notes=_SEPARATOR.join(f"{name}={text}" for name in _NOTES if (text := _plain(getattr(row, name)))),
        )
        for row in rows
    ]
    return str(yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True, width=1000))


def _plain(value: float | int | str | None) -> str:
    return "" if value is None else str(value).replace(_SEPARATOR, ", ")


FORMATS = ("hub-eval", "markdown", "csv")


def as_text(form: str, tables: Sequence[Table], dataset: str | None = None) -> str:
    """The tables in one of ``FORMATS``; ``dataset`` is the hub's, ``OWNER/NAME``, and for hub-eval alone.

    Raises:
        RequestError: the format is unknown, or cannot hold these tables.
    """
    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    if form == "hub-eval":
        return hub_eval(tables, dataset)
    if dataset is not None:
        raise RequestError(f"a data set of the hub (='{dataset}') is for format hub-eval alone, not for {form}")
    return markdown(tables) if form == "markdown" else csv_text(tables)


def write(text: str, path: Path) -> None:
    """Write an export to a file in a folder that exists.

    Raises:
        RequestError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RequestError(
            f"cannot write '{path}': {error.strerror or error}; give --output a file in a folder that can be written",
            code="cannot-write",
        ) from error


def read(path: Path) -> dict[str, list[Cells]]:
    """The tables of an exported file with the rows of each as text, by what a sentence calls them.

    Raises:
        RequestError: the file cannot be read, its suffix is none of an export, or it holds no row of one.
    """
    readers = {".md": _read_markdown, ".csv": _read_csv, ".yaml": _read_yaml, ".yml": _read_yaml}
    if path.suffix not in readers:
        raise unknown("suffix of an export", path.suffix, readers)
    try:
        tables = readers[path.suffix](path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"cannot read '{path}': {error.strerror or error}; name a file of vitok export") from error
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        raise RequestError(f"'{path}' is no export that can be read ({error}); write it with vitok export") from error
    if not tables:
        raise RequestError(f"'{path}' holds no table of an export; write it with vitok export")
    return tables


def _read_markdown(text: str) -> dict[str, list[Cells]]:
    """Other text and other tables of a model card are passed over."""
    tables: dict[str, list[Cells]] = {}
    names = {title: name for name, title in TITLES.items()}
    heads: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())][1:-1]
        if not cells:
            heads = []
        elif cells == list(TITLES.values()):
            heads = [names[cell] for cell in cells]
            tables[f"table {len(tables) + 1}"] = []
        elif heads and not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            tables[f"table {len(tables)}"].append(dict(zip(heads, cells, strict=True)))
    return tables


def _read_csv(text: str) -> dict[str, list[Cells]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    missing = {"table", *COLUMNS} - set(reader.fieldnames or ())
    if missing:
        raise ValueError(f"it has no column {', '.join(sorted(missing))}")
    tables: dict[str, list[Cells]] = {}
    for row in reader:
        if None in row or None in row.values():  # as DictReader has it for a row of another width
            raise ValueError(f"line {reader.line_num} has more or fewer cells than the first")
        tables.setdefault(f"table {row['table']}", []).append(row)
    return tables


def _read_yaml(text: str) -> dict[str, list[Cells]]:
    import yaml
    from huggingface_hub import parse_eval_result_entries

    try:
        held = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    tables: dict[str, list[Cells]] = {}
    for entry in parse_eval_result_entries(held or []):
        parts = (part.partition("=") for part in (entry.notes or "").split(_SEPARATOR))
        cells = dict.fromkeys(COLUMNS, "") | {name: text for name, _, text in parts if name in COLUMNS}
        cells["dataset"] = entry.dataset_id
        case = entry.task_id.removesuffix(f"-{cells['metric']}")
        tables.setdefault(f"data set '{entry.dataset_id}', case '{case}'", []).append(cells)
    return tables
