"""``vitok export``: recorded values for a model card, a program or the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitok_lib.cli.output import log


def export_command(
    tokenizers: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names in the records, with settings as in NAME@window=64, or NAME@ for none; default: all."
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="hub-eval, markdown or csv.")] = "markdown",
    study: Annotated[str | None, typer.Option(help="Folder of results; default: all, by precedence.")] = None,
    images: Annotated[str | None, typer.Option(help="Image sets by name; several by commas.")] = None,
    resolution: Annotated[str | None, typer.Option(help="Pixels; several by commas.")] = None,
    dataset: Annotated[str | None, typer.Option(help="hub-eval: the hub's data set of these images.")] = None,
    output: Annotated[Path | None, typer.Option(help="The file to write; default: standard output.")] = None,
) -> None:
    """Measured and derived values with their distribution, protocol and machine; one protocol a table."""
    from vitok_lib.errors import RequestError
    from vitok_lib.records.export import export
    from vitok_lib.records.export_files import as_text, write

    sides = [side.strip() for side in resolution.split(",")] if resolution else []
    for side in sides:
        if not side.isdecimal():
            raise RequestError(f"resolution '{side}' must be a whole number of pixels, such as 512")
    exported = export(
        tokenizers or [],
        study=study,
        images=[name.strip() for name in images.split(",")] if images else [],
        resolutions=[int(side) for side in sides],
    )
    text = as_text(form, exported.tables, dataset)
    for sentence in exported.left_out:
        log(f"vitok: {sentence}")
    if output is None:
        typer.echo(text, nl=False)
    else:
        write(text, output)
