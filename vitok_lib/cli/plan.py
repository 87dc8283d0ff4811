"""``vitok plan``: what an evaluation would take."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vitok_lib.cli.options import TOKENIZER_HELP, AsJson, PathName, Window
from vitok_lib.cli.output import print_rows
from vitok_lib.records.config import RunConfig


def plan_command(
    tokenizers: Annotated[list[str], typer.Argument(help=TOKENIZER_HELP)],
    resolution: Annotated[int, typer.Option(help="Side of a square image in pixels.")],
    path: PathName = None,
    window: Window = None,
    tiling: Annotated[bool, typer.Option("--tiling", help="Convolutional auto-encoders: overlapping tiles.")] = False,
    batch: Annotated[int, typer.Option(help="Images that go through together.")] = 1,
    dtype: Annotated[str, typer.Option(help="Of parameters and activations.")] = "float32",
    device: Annotated[str, typer.Option(help="Such as cpu or cuda.")] = "cpu",
    force: Annotated[bool, typer.Option("--force", help="Do not refuse what does not fit.")] = False,
    as_json: AsJson = False,
) -> None:
    """Predict memory, work and least time before anything is loaded, and refuse what does not fit."""
    from vitok_lib.images.sets import check_resolution
    from vitok_lib.measure.predict.plan import as_row, check_fits, predict
    from vitok_lib.tokenizers.presets import resolve

    check_resolution(resolution)
    plans = []
    for name in tokenizers:
        config = RunConfig(name=name, preset=path, device=device, dtype=dtype, window=window, tiling=tiling)
        plans.append(predict(name, resolution, batch=batch, **planned(resolve(config))))
    print_rows([as_row(plan) for plan in plans], as_json)
    if not force:
        for plan in plans:
            check_fits(plan)


def planned(config: RunConfig) -> dict[str, Any]:
    """The settings that change what a tokenizer takes."""
    named = ("device", "dtype", "window", "tiling", "precision", "attention", "folded", "chunk")
    return {name: getattr(config, name) for name in named}
