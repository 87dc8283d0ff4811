"""``vitok eval``: reconstruction quality."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from vitok_lib.cli.options import TOKENIZER_HELP, AsJson, PathName, Window
from vitok_lib.cli.output import ProgressBar, end, print_rows
from vitok_lib.cli.plan import planned
from vitok_lib.errors import RequestError
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.records.store import LOCAL

if TYPE_CHECKING:
    from vitok_lib.tokenizers.interface import Tokenizer

_AT_ONCE = 1e-3  # seconds: a tokenizer for which no time is left still does its first image


def eval_command(
    tokenizers: Annotated[list[str], typer.Argument(help=TOKENIZER_HELP)],
    images: Annotated[str, typer.Option(help="An image set's name, a folder, an archive, or hub:OWNER/NAME.")],
    resolution: Annotated[int, typer.Option(help="Cap of the longest side in pixels.")],
    rule: Annotated[str | None, typer.Option(help="How images get their size: cap or centre-crop.")] = None,
    samples: Annotated[int | None, typer.Option(help="Only the first so many images.")] = None,
    subset_seed: Annotated[
        int | None, typer.Option(help="Take them in a seeded order; a smaller subset starts a larger one.")
    ] = None,
    metrics: Annotated[str, typer.Option(help="Names, separated by commas; see: vitok list metrics.")] = "psnr,ssim",
    path: PathName = None,
    window: Window = None,
    tiling: Annotated[bool, typer.Option("--tiling", help="Convolutional auto-encoders: overlapping tiles.")] = False,
    slicing: Annotated[bool, typer.Option("--slicing", help="Convolutional auto-encoders: image by image.")] = False,
    posterior: Annotated[str, typer.Option(help="Of a KL auto-encoder: mode or sample.")] = "mode",
    batch: Annotated[int, typer.Option(help="Images of one size that go through together.")] = 1,
    dtype: Annotated[str, typer.Option(help="Of parameters and activations.")] = "float32",
    device: Annotated[str, typer.Option(help="Such as cpu or cuda.")] = "cpu",
    weights: Annotated[str, typer.Option(help="released, random, or a file or folder.")] = "released",
    seed: Annotated[int, typer.Option(help="Of random weights and of a sampled posterior.")] = 0,
    study: Annotated[str, typer.Option(help="Folder of results that the records go to.")] = LOCAL,
    time_limit: Annotated[
        float | None, typer.Option(help="Seconds for the whole command; what was measured by then is recorded.")
    ] = None,
    on_oom: Annotated[
        str, typer.Option(help="What may change after running out of memory: batch, tiling, or batch,tiling.")
    ] = "",
    workers: Annotated[int, typer.Option(help="Threads that prepare images ahead.")] = 2,
    retry: Annotated[bool, typer.Option("--retry", help="Go on with what did not end as ok.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Try also what is predicted not to fit.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure reconstruction quality; what is already recorded is not done again."""
    from vitok_lib.images.sets import check_resolution, open_image_set
    from vitok_lib.metrics.signature import find_metric
    from vitok_lib.tokenizers.registry import find

    check_resolution(resolution)
    if time_limit is not None and not time_limit > 0:
        raise RequestError(f"time limit (={time_limit:g}) must be above 0 seconds, or left out")
    names = [find_metric(name.strip()).name for name in metrics.split(",")]
    fallbacks = [choice.strip() for choice in on_oom.split(",") if choice.strip()]
    for name in tokenizers:
        find(name)
    image_set = open_image_set(images, rule=rule, subset_seed=subset_seed)
    # torch takes a second to import: a request that is wrong is told before.
    from vitok_lib.measure.predict.plan import check_fits, predict
    from vitok_lib.measure.quality.evaluate import evaluate
    from vitok_lib.tokenizers.load import load
    from vitok_lib.tokenizers.presets import resolve

    configs = [
        RunConfig(
            name=name,
            weights=weights,
            preset=path,
            device=device,
            dtype=dtype,
            window=window,
            tiling=tiling,
            slicing=slicing,
            posterior=posterior,
            seed=seed,
        )
        for name in tokenizers
    ]
    if not force and not fallbacks:
        for config in configs:
            check_fits(predict(config.name, resolution, batch=batch, **planned(resolve(config))))
    records = []
    began = time.monotonic()
    try:
        for config in configs:
            tokenizer = load(config)
            _print_choices(tokenizer)
            left = None if time_limit is None else max(time_limit - (time.monotonic() - began), _AT_ONCE)
            with ProgressBar(f"{config.name} on {image_set.name} at {resolution} px") as bar:
                record = evaluate(
                    tokenizer,
                    images=image_set,
                    resolution=resolution,
                    samples=samples,
                    metrics=names,
                    batch=batch,
                    study=study,
                    retry=retry,
                    time_limit=left,
                    on_oom=fallbacks,
                    workers=workers,
                    progress=bar.update,
                )
            records.append(record)
    except KeyboardInterrupt:
        typer.echo("vitok: interrupted; what was measured is kept, the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    print_rows([_as_row(record) for record in records], as_json)
    end(records)


def _print_choices(tokenizer: Tokenizer) -> None:
    """What was chosen automatically, and why."""
    for setting, reason in getattr(tokenizer, "choices", {}).items():
        typer.echo(f"{tokenizer.spec.name}: {setting}: {reason}", err=True)


def _as_row(record: Record) -> dict[str, str | int]:
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
