"""``vitok eval`` and ``vitok merge``: reconstruction quality, and one record of what shards of it measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitok_lib.cli.options import (
    Again,
    AsJson,
    Cluster,
    Gpus,
    Images,
    Metrics,
    Resolution,
    Results,
    Rule,
    Samples,
    Study,
    SubsetSeed,
    Tokenizers,
    configured,
    keep_results_at,
)
from vitok_lib.cli.output import ProgressBar, as_row, end, log, print_rows
from vitok_lib.errors import RequestError
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.records.store import LOCAL

if TYPE_CHECKING:
    from vitok_lib.measure.quality.runner import Engine

_AT_ONCE = 1e-3  # seconds: a tokenizer for which no time is left still does its first image


@configured
def eval_command(
    tokenizers: Tokenizers,
    images: Images,
    resolution: Resolution,
    *,
    options: dict[str, Any],
    rule: Rule = None,
    samples: Samples = None,
    subset_seed: SubsetSeed = None,
    metrics: Metrics = "psnr,ssim",
    study: Study = LOCAL,
    results: Results = None,
    time_limit: Annotated[
        float | None, typer.Option(help="Seconds for the whole command; what was measured by then is recorded.")
    ] = None,
    on_oom: Annotated[
        str, typer.Option(help="What may change after running out of memory: batch, tiling, or batch,tiling.")
    ] = "",
    workers: Annotated[
        int | None,
        typer.Option(
            help="Threads that prepare images ahead; left out: 2, beside a GPU one for each core up to 16. "
            "With --cluster, processes that measure."
        ),
    ] = None,
    cluster: Cluster = None,
    gpus: Gpus = None,
    shard: Annotated[
        str | None, typer.Option(help="Only a part of the images, such as 3/16; the last one makes the record.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Go on with what did not end as ok.")] = False,
    again: Again = False,
    force: Annotated[bool, typer.Option("--force", help="Try also what is predicted not to fit.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure reconstruction quality; what is already recorded is not done again."""
    from vitok_lib.images.sets import open_image_set, parse_resolution, sized
    from vitok_lib.measure.quality.shards import parse_shard
    from vitok_lib.metrics.signature import find_metric
    from vitok_lib.tokenizers.registry import FOLDER, find

    keep_results_at(results)
    if shard is not None:
        parse_shard(shard)
    if gpus is not None:
        if options["device"] == "cpu":
            raise RequestError(f"--gpus (={gpus}) needs --device cuda; on CPUs give --cluster local and --workers")
        cluster = cluster or "local"
    asked = parse_resolution(resolution)
    if time_limit is not None and not time_limit > 0:
        raise RequestError(f"time limit (={time_limit:g}) must be above 0 seconds, or left out")
    names = [find_metric(name.strip()).name for name in metrics.split(",")]
    fallbacks = [choice.strip() for choice in on_oom.split(",") if choice.strip()]
    for name in tokenizers:
        find(name)
    image_set, side = sized(open_image_set(images, rule=rule, subset_seed=subset_seed), asked, rule)
    # torch takes a second to import: a request that is wrong is refused before.
    from vitok_lib.measure.common.context import Context
    from vitok_lib.measure.quality.aggregate import gaps
    from vitok_lib.measure.quality.evaluate import evaluate, is_recorded

    context = Context(study=study, again=again)
    request: dict[str, Any] = {"images": image_set, "resolution": side, "samples": samples, "metrics": names}
    request["retry"] = retry
    configs = _configs(tokenizers, options)
    runnable = [config for config in configs if not config.name.startswith(FOLDER)]
    engine = None if cluster is None else _engine(cluster, gpus, workers)
    here = engine is None  # what fits into the memory of this machine says nothing of others
    for config in runnable if here and not (force or fallbacks) else ():
        if is_recorded(config, **request, time_limit=time_limit, context=context, shard=shard):
            continue
        _check_fits(config, side)
    records: list[Record] = []
    began = time.monotonic()
    for config in configs:
        spent = time.monotonic() - began if records else 0.0
        left = None if time_limit is None else max(time_limit - spent, _AT_ONCE)
        with ProgressBar(f"{config.name} on {image_set.name} at {side} px") as bar:
            record = evaluate(
                config,
                **request,
                time_limit=left,
                on_oom=fallbacks,
                workers=None if engine else workers,
                shard=shard,
                cluster=engine,
                study=study,
                again=again,
                progress=bar.update,
                log=log,
            )
        records.append(record)
    found = [gaps(record, names) for record in records]
    print_rows([_as_row(record, missing) for record, missing in zip(records, found, strict=True)], as_json)
    for record, missing in zip(records, found, strict=True):
        for metric, sentence in missing.items():
            log(f"{record.tokenizer.name}: {metric} has {sentence}")
    end(records)
    if any(record.value(metric) is None for record, missing in zip(records, found, strict=True) for metric in missing):
        raise typer.Exit(1)


@configured
def merge_command(
    tokenizers: Tokenizers,
    images: Images,
    resolution: Resolution,
    *,
    options: dict[str, Any],
    rule: Rule = None,
    samples: Samples = None,
    subset_seed: SubsetSeed = None,
    metrics: Metrics = "psnr,ssim",
    study: Study = LOCAL,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Make one record of the shards of an evaluation, with their options; the last shard does so by itself."""
    from vitok_lib.images.sets import open_image_set, parse_resolution, sized
    from vitok_lib.metrics.signature import find_metric
    from vitok_lib.tokenizers.registry import find

    keep_results_at(results)
    asked = parse_resolution(resolution)
    names = [find_metric(name.strip()).name for name in metrics.split(",")]
    for name in tokenizers:
        find(name)
    image_set, side = sized(open_image_set(images, rule=rule, subset_seed=subset_seed), asked, rule)
    from vitok_lib.measure.quality.merging import merge

    request: dict[str, Any] = {"images": image_set, "resolution": side, "samples": samples, "metrics": names}
    records = [merge(config, **request, study=study, log=log) for config in _configs(tokenizers, options)]
    print_rows([as_row(record) for record in records], as_json)
    end(records)


def _engine(cluster: str, gpus: int | None, workers: int | None) -> Engine:
    from vitok_lib.measure.cluster.engine import Cluster

    return Cluster(cluster, gpus, workers)


def _check_fits(config: RunConfig, side: int) -> None:
    # Imported here: an evaluation that is done, of which a cluster starts many, need not wait for it.
    from vitok_lib.measure.predict.plan import check_fits, plan_of

    plan = plan_of(config, side)
    if plan.fits is False:
        check_fits(plan, ", and --force tries it all the same")


def _configs(tokenizers: Sequence[str], options: dict[str, Any]) -> list[RunConfig]:
    """A configuration for each name; the streams are those of the one folder among them.

    Raises:
        RequestError: streams are given for several folders.
    """
    from vitok_lib.tokenizers.registry import FOLDER

    folders = [name for name in tokenizers if name.startswith(FOLDER)]
    if options["bytes"] is not None and len(folders) > 1:
        raise RequestError(
            f"--bytes (={options['bytes']}) holds the streams of one folder, and {len(folders)} are named "
            f"({', '.join(folders)}); evaluate each folder in a command of its own, next to any other tokenizers"
        )
    without = {**options, "bytes": None} if folders else options
    return [RunConfig(name=name, **(options if name in folders else without)) for name in tokenizers]


def _as_row(record: Record, missing: dict[str, str]) -> dict[str, str | int]:
    row = as_row(record)
    for metric, sentence in missing.items():
        row[metric if record.value(metric) is None else f"{metric} n"] = sentence
    return row
