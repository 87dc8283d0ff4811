"""``vitok plan``: what an evaluation would take."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vitok_lib.cli.options import TOKENIZER_HELP, AsJson, configured
from vitok_lib.cli.output import print_rows
from vitok_lib.records.config import RunConfig


@configured
def plan_command(
    tokenizers: Annotated[list[str], typer.Argument(help=TOKENIZER_HELP)],
    resolution: Annotated[int, typer.Option(help="Side of a square image in pixels.")],
    *,
    options: dict[str, Any],
    force: Annotated[bool, typer.Option("--force", help="End with 0 also where something does not fit.")] = False,
    as_json: AsJson = False,
) -> None:
    """Predict memory, FLOPs and least time before anything is loaded; status 2 where something does not fit."""
    from vitok_lib.images.sets import check_resolution
    from vitok_lib.measure.predict.plan import as_row, check_fits, predict
    from vitok_lib.tokenizers.presets import resolve

    check_resolution(resolution)
    configs = [RunConfig(name=name, **options) for name in tokenizers]
    plans = [predict(config.name, resolution, **planned(resolve(config))) for config in configs]
    print_rows([as_row(plan) for plan in plans], as_json)
    if not force:
        for plan in plans:
            check_fits(plan)


def planned(config: RunConfig) -> dict[str, Any]:
    """The settings that change what a tokenizer takes."""
    named = ("device", "dtype", "window", "batch", "tiling", "precision", "attention", "folded", "chunk")
    return {name: getattr(config, name) for name in named}
