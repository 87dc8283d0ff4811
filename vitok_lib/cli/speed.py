"""``vitok speed``: timings of tokenizers against each other."""

from __future__ import annotations

from typing import Annotated

import typer

from vitok_lib.cli.options import TOKENIZER_HELP, AsJson, Window
from vitok_lib.cli.output import end, print_rows
from vitok_lib.records.schema import Record
from vitok_lib.records.store import LOCAL


def speed_command(
    tokenizers: Annotated[list[str], typer.Argument(help=TOKENIZER_HELP)],
    resolution: Annotated[int, typer.Option(help="Longest side in pixels.")],
    path: Annotated[str, typer.Option(help="Ways to run a ViTok, by commas; see: vitok list paths.")] = "reference",
    window: Window = None,
    size: Annotated[str | None, typer.Option(help="HEIGHTxWIDTH in pixels; default: a square.")] = None,
    batch: Annotated[int, typer.Option(help="Images that go through together.")] = 1,
    dtype: Annotated[str, typer.Option(help="Of parameters and activations.")] = "float32",
    device: Annotated[str, typer.Option(help="Such as cpu or cuda.")] = "cpu",
    weights: Annotated[str, typer.Option(help="released, random, or a file or folder.")] = "released",
    images: Annotated[str | None, typer.Option(help="Take images of this set from file to metric too.")] = None,
    seconds: Annotated[float, typer.Option(help="Each is timed for at least so long.")] = 2.0,
    iterations: Annotated[int, typer.Option(help="Each is timed at least so often.")] = 10,
    study: Annotated[str, typer.Option(help="Folder of results that the records go to.")] = LOCAL,
    again: Annotated[bool, typer.Option("--again", help="Measure also what is recorded.")] = False,
    as_json: AsJson = False,
) -> None:
    """Time tokenizers side by side on random images; the first one is what the others are compared to."""
    from vitok_lib.images.prepare import parse_size

    height, width = (resolution, resolution) if size is None else parse_size(size)
    # torch takes a second to import: a request that is wrong is told before.
    from vitok_lib.measure.speed.benchmark import Contender, measure_speed

    options = {} if window is None else {"window": window}
    contenders = [Contender(name, way.strip(), options) for name in tokenizers for way in path.split(",")]
    records = measure_speed(
        contenders,
        resolution=resolution,
        height=height,
        width=width,
        batch=batch,
        device=device,
        dtype=dtype,
        weights=weights,
        seconds=seconds,
        iterations=iterations,
        end_to_end=images is not None,
        image_set=images,
        study=study,
        again=again,
        progress=lambda words: typer.echo(words, err=True),
    )
    print_rows([_as_row(record) for record in records], as_json)
    end(records)


def _as_row(record: Record) -> dict[str, str | int]:
    row: dict[str, str | int] = {
        "tokenizer": record.tokenizer.name,
        "path": record.settings.preset or "",
        "outcome": record.outcome.status.value,
    }
    for value in record.values:
        interval = f" [{value.interval.low:.4g}, {value.interval.high:.4g}]" if value.interval else ""
        row[value.quantity] = f"{value.value:.4g} {value.unit}".strip() + interval
    return row
