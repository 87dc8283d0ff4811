"""``vitok plan``: what an evaluation would take, here or on a GPU that is somewhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from vitok_lib.cli.options import TOKENIZER_HELP, AsJson, configured
from vitok_lib.cli.output import log, print_rows
from vitok_lib.errors import RequestError
from vitok_lib.records.config import RunConfig


@configured
def plan_command(
    context: typer.Context,
    resolution: Annotated[int, typer.Option(help="Side of a square image in pixels.")],
    tokenizers: Annotated[
        list[str] | None,
        typer.Argument(help=f"{TOKENIZER_HELP} With --gpu or --memory the default is all released models."),
    ] = None,
    *,
    options: dict[str, Any],
    gpu: Annotated[str | None, typer.Option(help="Will it fit on this GPU, such as 'RTX 4090'?")] = None,
    memory: Annotated[str | None, typer.Option(help="Will it fit in this memory of a GPU, such as 24GiB?")] = None,
    force: Annotated[bool, typer.Option("--force", help="End with 0 also where something does not fit.")] = False,
    as_json: AsJson = False,
) -> None:
    """Predict memory, FLOPs and least time before anything is loaded; status 2 where something does not fit.

    With --gpu or --memory the answer is for that GPU: in bf16, a ViTok with a window above 65,536 tokens, an
    auto-encoder whole and in tiles. Whether something fits is then a column, and the status is 0.
    """
    from vitok_lib.images.prepare import check_resolution

    check_resolution(resolution)
    if gpu is None and memory is None:
        if not tokenizers:
            raise RequestError("name a tokenizer to plan, or a GPU to plan for: --gpu 'RTX 4090' or --memory 24GiB")
        _plan_here([RunConfig(name=name, **options) for name in tokenizers], resolution, force, as_json)
        return
    given = {
        name: value
        for name, value in options.items()
        if (source := context.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    }
    _plan_for(gpu, memory, tokenizers, resolution, given, as_json)


def _plan_here(configs: Sequence[RunConfig], resolution: int, force: bool, as_json: bool) -> None:
    """The plans for this machine."""
    from vitok_lib.measure.predict.fits import plan_of
    from vitok_lib.measure.predict.plan import as_row, check_fits

    plans = [plan_of(config, resolution) for config in configs]
    print_rows([as_row(plan) for plan in plans], as_json)
    if not force:
        for plan in plans:
            check_fits(plan)


def _plan_for(
    gpu: str | None,
    memory: str | None,
    tokenizers: Sequence[str] | None,
    resolution: int,
    given: dict[str, Any],
    as_json: bool,
) -> None:
    """The plans for a GPU that need not be here; ``given`` are the settings that the command line names."""
    from vitok_lib.cost.gpus import find_gpu, parse_memory

    if gpu is not None and memory is not None:
        raise RequestError(f"GPU '{gpu}' has a memory of its own; leave out --memory {memory}, or --gpu")
    if not str(given.get("device", "cuda")).startswith("cuda"):
        raise RequestError(f"the plan is for a GPU, and --device is '{given['device']}'; leave out one of the two")
    known = None if gpu is None else find_gpu(gpu)
    size = known.memory_bytes if known is not None else parse_memory(memory or "")

    from vitok_lib.measure.predict.fits import fits_on
    from vitok_lib.tokenizers.registry import RELEASED

    print_rows([fit.as_row() for fit in fits_on(tokenizers or RELEASED, resolution, size, known, given)], as_json)
    if known is not None:
        log(f"{known.name}: {known.memory_gb} GB of 10⁹ bytes; least time is a lower bound, at its data sheet's peaks")
    log("margin: what convolutions took beyond their prediction on one H100 at most; ViToks were not compared on a GPU")
