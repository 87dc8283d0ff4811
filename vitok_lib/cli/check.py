"""``vitok list``, ``vitok conform`` and ``vitok check``: what is known, and whether it keeps its rules."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vitok_lib.cli.options import TOKENIZER_HELP, AsJson
from vitok_lib.cli.output import print_rows


class Listed(StrEnum):
    TOKENIZERS = "tokenizers"
    IMAGES = "images"
    METRICS = "metrics"
    PRESETS = "presets"
    NOTEBOOKS = "notebooks"
    RECORDS = "records"


def list_command(
    what: Annotated[Listed, typer.Argument(help="What to list.")] = Listed.TOKENIZERS, as_json: AsJson = False
) -> None:
    """List what is known by name."""
    from vitok_lib.cli.listing import LISTS

    print_rows(LISTS[what](), as_json)


def conform_command(
    tokenizer: Annotated[str, typer.Argument(help=TOKENIZER_HELP)],
    weights: Annotated[str, typer.Option(help="released, random, or a file or folder.")] = "released",
    device: Annotated[str, typer.Option(help="Such as cpu or cuda.")] = "cpu",
    as_json: AsJson = False,
) -> None:
    """Put a tokenizer, yours included, through the rules that every tokenizer must keep."""
    from vitok_lib.tokenizers.conformance import as_rows, check
    from vitok_lib.tokenizers.load import load_tokenizer
    from vitok_lib.tokenizers.registry import check_runs

    check_runs(tokenizer)
    findings = check(load_tokenizer(tokenizer, weights=weights, device=device))
    print_rows(as_rows(findings), as_json)
    if not all(finding.passed for finding in findings):
        raise typer.Exit(1)


def check_command(
    site: Annotated[Path | None, typer.Option(help="A built book; default: _build/html, where there is one.")] = None,
    export: Annotated[Path | None, typer.Option(help="Check this file of vitok export alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Audit every record, every claim and the built book: a sentence for each finding."""
    from vitok_lib.check.audit import Checked, check

    if export is None:
        checked = check(site)
    else:
        from vitok_lib.check.exports import audit_export

        checked = Checked([f"the export '{export}'"], audit_export(export))
    if as_json:
        print_rows([{"finding": finding} for finding in checked.findings], as_json)
    else:
        for finding in checked.findings:
            typer.echo(finding)
    typer.echo(f"vitok: {checked.summary}", err=True)
    if checked.findings:
        raise typer.Exit(1)
