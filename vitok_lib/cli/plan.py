"""``vitok plan``: what an evaluation would take, here or on a GPU that is somewhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from vitok_lib.cli.options import TOKENIZER_HELP, AsJson, configured
from vitok_lib.cli.output import log, print_rows
from vitok_lib.errors import RequestError
from vitok_lib.records.config import RunConfig
from vitok_lib.records.store import check_study

GPUS, CORES_PER_GPU = "1,8,64", 16.0
"""Numbers of GPUs for which a whole study is planned, and the CPU cores of each, unless others are asked for."""


@configured
def plan_command(
    context: typer.Context,
    tokenizers: Annotated[
        list[str] | None,
        typer.Argument(help=f"{TOKENIZER_HELP} With --gpu, --memory or --study the default is all released models."),
    ] = None,
    *,
    options: dict[str, Any],
    resolution: Annotated[str | None, typer.Option(help="Side of a square image in pixels; several by commas.")] = None,
    profile: Annotated[str | None, typer.Option(help="How long does a whole profile take, such as released?")] = None,
    gpus: Annotated[
        str | None, typer.Option(help=f"With --profile: numbers of GPUs by commas; default: {GPUS}.")
    ] = None,
    cores_per_gpu: Annotated[
        float | None, typer.Option(help=f"With --profile: CPU cores for each GPU; default: {CORES_PER_GPU:g}.")
    ] = None,
    gpu: Annotated[str | None, typer.Option(help="Will it fit on this GPU, such as 'RTX 4090'?")] = None,
    memory: Annotated[str | None, typer.Option(help="Will it fit in this memory of a GPU, such as 24GiB?")] = None,
    study: Annotated[str | None, typer.Option(help="Keep the plans for a GPU as records of this study.")] = None,
    force: Annotated[bool, typer.Option("--force", help="End with 0 also where something does not fit.")] = False,
    as_json: AsJson = False,
) -> None:
    """Predict memory, FLOPs and least time before anything is loaded; status 2 where something does not fit.

    With --gpu, --memory or --study the answer is for a GPU: in bf16, a ViTok with full attention and above 65,536
    tokens also with a window, an auto-encoder whole and in tiles. Whether something fits is then a column, and the
    status is 0. With --profile the answer is for a whole study: hours and GPU-hours on several GPUs.
    """
    if profile is not None:
        if tokenizers or resolution is not None or memory is not None or study is not None:
            raise RequestError(
                f"profile '{profile}' names its tokenizers and resolutions; leave out tokenizers, --resolution, "
                "--memory and --study"
            )
        from vitok_lib.cli.plan_profile import plan_profile

        cores = CORES_PER_GPU if cores_per_gpu is None else cores_per_gpu
        plan_profile(profile, gpu or "H100", gpus or GPUS, cores, as_json)
        return
    if gpus is not None or cores_per_gpu is not None:
        raise RequestError("--gpus and --cores-per-gpu are of a whole study; add --profile, such as --profile released")
    if resolution is None:
        raise RequestError("give --resolution in pixels, such as 1024, or --profile released for a whole study")
    resolutions = _resolutions(resolution)
    if study is not None:
        check_study(study)
    if gpu is None and memory is None and study is None:
        if not tokenizers:
            raise RequestError("name a tokenizer to plan, or a GPU to plan for: --gpu 'RTX 4090' or --memory 24GiB")
        _plan_here([RunConfig(name=name, **options) for name in tokenizers], resolutions, force, as_json)
        return
    given = {
        name: value
        for name, value in options.items()
        if (source := context.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    }
    _plan_for(gpu, memory, study, tokenizers, resolutions, given, as_json)


def _resolutions(text: str) -> list[int]:
    """The sides that ``text`` lists, each once."""
    from vitok_lib.images.prepare import check_resolution

    sides = [side.strip() for side in text.split(",")]
    for side in sides:
        if not re.fullmatch(r"-?[0-9]{1,9}", side):
            raise RequestError(f"resolution '{text}' must be pixels, several by commas, such as 1024,4096")
        check_resolution(int(side))
    return list(dict.fromkeys(int(side) for side in sides))


def _plan_here(configs: Sequence[RunConfig], resolutions: Sequence[int], force: bool, as_json: bool) -> None:
    """The plans for this machine."""
    from vitok_lib.measure.predict.plan import as_row, check_fits, plan_of

    plans = [plan_of(config, resolution) for config in configs for resolution in resolutions]
    print_rows([as_row(plan) for plan in plans], as_json)
    if not force:
        for plan in plans:
            check_fits(plan)


def _plan_for(
    gpu: str | None,
    memory: str | None,
    study: str | None,
    tokenizers: Sequence[str] | None,
    resolutions: Sequence[int],
    given: dict[str, Any],
    as_json: bool,
) -> None:
    """The plans for a GPU that need not be here; ``given`` are the settings that the command line names."""
    from vitok_lib.cost.gpus import find_gpu, parse_memory

    if gpu is not None and memory is not None:
        raise RequestError(f"GPU '{gpu}' has a memory of its own; leave out --memory {memory}, or --gpu")
    if not str(given.get("device", "cuda")).startswith("cuda"):
        raise RequestError(f"the plan is for a GPU, and --device is '{given['device']}'; leave out --device")
    known = None if gpu is None else find_gpu(gpu)
    size = known.memory_bytes if known is not None else None if memory is None else parse_memory(memory)

    from vitok_lib.measure.predict.fits import fits_on, keep
    from vitok_lib.tokenizers.registry import RELEASED

    fits = fits_on(tokenizers or RELEASED, resolutions, size, known, given)
    kept = keep(fits, study) if study is not None else []
    print_rows([fit.as_row() for fit in fits], as_json)
    if kept:
        log(f"{len(kept):,} records in '{kept[0].parents[1]}'")
    if known is not None:
        log(f"{known.name}: {known.memory_gb} GB of 10⁹ bytes; least time is a lower bound, at its data sheet's peaks")
    log("margin: one H100 differed by less from the prediction, with flux, sd and ViToks of 350 M and 5 B parameters")
