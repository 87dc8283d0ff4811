"""``vitok speed``: timings of tokenizers against each other."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vitok_lib.cli.options import TOKENIZER_HELP, Again, AsJson, Study, configured
from vitok_lib.cli.output import end, log, print_rows
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.records.store import LOCAL


@configured
def speed_command(
    tokenizers: Annotated[list[str], typer.Argument(help=TOKENIZER_HELP)],
    resolution: Annotated[int, typer.Option(help="Longest side in pixels.")],
    *,
    options: dict[str, Any],
    size: Annotated[str | None, typer.Option(help="HEIGHTxWIDTH in pixels; default: a square.")] = None,
    images: Annotated[str | None, typer.Option(help="Take images of this set from file to metrics too.")] = None,
    metrics: Annotated[str, typer.Option(help="With --images: metrics of single images, by commas.")] = "psnr,ssim",
    seconds: Annotated[float, typer.Option(help="Minimum timing per configuration, in seconds.")] = 2.0,
    iterations: Annotated[int, typer.Option(help="Minimum rounds per configuration.")] = 10,
    study: Study = LOCAL,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Interleaved benchmark on random images; --preset takes several by commas, and the first is the baseline."""
    from vitok_lib.images.prepare import parse_size

    height, width = (resolution, resolution) if size is None else parse_size(size)
    # torch takes a second to import: a request that is wrong is refused before.
    from vitok_lib.measure.speed.benchmark import measure_speed
    from vitok_lib.tokenizers.presets import REFERENCE

    preset = options.pop("preset")
    presets = (REFERENCE if preset is None else preset).split(",")
    records = measure_speed(
        [RunConfig(name=name, preset=preset.strip(), **options) for name in tokenizers for preset in presets],
        resolution=resolution,
        height=height,
        width=width,
        seconds=seconds,
        iterations=iterations,
        image_set=images,
        metrics=[name.strip() for name in metrics.split(",")],
        study=study,
        again=again,
        log=log,
    )
    print_rows([_as_row(record) for record in records], as_json)
    end(records)


def _as_row(record: Record) -> dict[str, str | int]:
    row: dict[str, str | int] = {
        "tokenizer": record.tokenizer.name,
        "preset": record.settings.preset or "",
        "outcome": record.outcome.status.value,
    }
    for value in record.values:
        interval = f" [{value.interval.low:.4g}, {value.interval.high:.4g}]" if value.interval else ""
        row[value.quantity] = f"{value.value:.4g} {value.unit}".strip() + interval
    return row
