"""What commands print: rows on stdout, a progress bar and how each record ended on stderr."""

from __future__ import annotations

import json
import sys

import typer

from vitok_lib.records.schema import OutcomeStatus, Record

_PIPE_WIDTH = 10_000


def print_rows(rows: list[dict[str, str | int]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    if not rows:
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(row.get(column, "")) for column in columns))
    # A pipe has no width of its own, and nothing may be folded there.
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


def as_row(record: Record) -> dict[str, str | int]:
    """What a table shows of a record: its outcome, and each value with its unit and its interval."""
    row: dict[str, str | int] = {
        "tokenizer": record.tokenizer.name,
        "images": record.images.name,
        "resolution": record.resolution,
        "outcome": record.outcome.status.value,
    }
    if record.outcome.done is not None:
        row["n"] = record.outcome.done
    for value in record.values:
        row[value.quantity] = f"{value.value:.4g} {value.unit}".strip()
        if value.interval is not None:
            row[f"{value.quantity} 95 %"] = f"{value.interval.low:.4g} to {value.interval.high:.4g}"
    return row


def log(sentence: str) -> None:
    """What is done now, on stderr."""
    typer.echo(sentence, err=True)


def end(records: list[Record]) -> None:
    """Say how each record ended where there is something to say; status 1 where one did not end as ok."""
    for record in records:
        if record.outcome.detail:
            typer.echo(f"{record.tokenizer.name}: {record.outcome.status}: {record.outcome.detail}", err=True)
    if any(record.outcome.status is not OutcomeStatus.OK for record in records):
        raise typer.Exit(1)


class ProgressBar:
    """A bar on stderr with rate and time left; silent where stderr is no terminal."""

    def __init__(self, title: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(desc=title, unit="image", disable=None, file=sys.stderr)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)
