"""The ``vitok`` command. Heavy imports happen inside the commands, so that help answers at once."""

from __future__ import annotations

import json
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import LOCAL

if TYPE_CHECKING:
    from vitok_lib.tokenizers.interface import Tokenizer

app = typer.Typer(
    help="Measure visual tokenizers and build the report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Listed(StrEnum):
    TOKENIZERS = "tokenizers"
    IMAGES = "images"
    METRICS = "metrics"
    PATHS = "paths"
    NOTEBOOKS = "notebooks"
    RECORDS = "records"


_PIPE_WIDTH = 10_000
_AT_ONCE = 1e-3  # seconds: a tokenizer for which no time is left still does its first image
_TOKENIZER_HELP = "A name of the registry, a ViTok variant, diffusers:OWNER/REPO, jpeg:q=75, or module:factory."
Window = Annotated[
    int | None, typer.Option(help="Sliding-window radius in tokens of a ViTok; default: full attention.")
]
PathName = Annotated[str | None, typer.Option(help="Of a ViTok, a named way to run it; see: vitok list paths.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command("list")
def list_command(
    what: Annotated[Listed, typer.Argument(help="What to list.")] = Listed.TOKENIZERS, as_json: AsJson = False
) -> None:
    """List what is known by name."""
    from vitok_lib.cli.listing import LISTS

    _print_rows(LISTS[what](), as_json)


@app.command("eval")
def eval_command(
    tokenizers: Annotated[list[str], typer.Argument(help=_TOKENIZER_HELP)],
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
    from vitok_lib.tokenizers.load import load_tokenizer
    from vitok_lib.tokenizers.presets import on_path

    running = {
        name: {"device": device, "dtype": dtype, "window": window} | on_path(path, name, device, dtype, window)
        for name in tokenizers
    }
    if not force and not fallbacks:
        for name in tokenizers:
            check_fits(predict(name, resolution, batch=batch, tiling=tiling, **_planned(running[name])))
    records = []
    began = time.monotonic()
    try:
        for name in tokenizers:
            tokenizer: Tokenizer = load_tokenizer(
                name,
                weights=weights,
                tiling=tiling,
                slicing=slicing,
                posterior=posterior,
                seed=seed,
                **running[name],
            )
            if path is not None:
                tokenizer.settings = tokenizer.settings.model_copy(update={"path": path})
            _print_choices(tokenizer)
            left = None if time_limit is None else max(time_limit - (time.monotonic() - began), _AT_ONCE)
            with _ProgressBar(f"{name} on {image_set.name} at {resolution} px") as bar:
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
    _print_rows([_as_row(record) for record in records], as_json)
    _end(records)


@app.command("plan")
def plan_command(
    tokenizers: Annotated[list[str], typer.Argument(help=_TOKENIZER_HELP)],
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
    from vitok_lib.tokenizers.presets import on_path

    check_resolution(resolution)
    plans = []
    for name in tokenizers:
        running = {"device": device, "dtype": dtype, "window": window} | on_path(path, name, device, dtype, window)
        plans.append(predict(name, resolution, batch=batch, tiling=tiling, **_planned(running)))
    _print_rows([as_row(plan) for plan in plans], as_json)
    if not force:
        for plan in plans:
            check_fits(plan)


@app.command("speed")
def speed_command(
    tokenizers: Annotated[list[str], typer.Argument(help=_TOKENIZER_HELP)],
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
    _print_rows([_as_speed_row(record) for record in records], as_json)
    _end(records)


@app.command("conform")
def conform_command(
    tokenizer: Annotated[str, typer.Argument(help=_TOKENIZER_HELP)],
    weights: Annotated[str, typer.Option(help="released, random, or a file or folder.")] = "released",
    device: Annotated[str, typer.Option(help="Such as cpu or cuda.")] = "cpu",
    as_json: AsJson = False,
) -> None:
    """Put a tokenizer, yours included, through the rules that every tokenizer must keep."""
    from vitok_lib.tokenizers.conformance import as_rows, check
    from vitok_lib.tokenizers.load import load_tokenizer

    findings = check(load_tokenizer(tokenizer, weights=weights, device=device))
    _print_rows(as_rows(findings), as_json)
    if not all(finding.passed for finding in findings):
        raise typer.Exit(1)


@app.command("run")
def run_command(
    notebook: Annotated[str | None, typer.Argument(help="A notebook's name; see: vitok list notebooks.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE or NAME VALUE; may be repeated.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Run every notebook of a profile: cpu or gpu.")] = None,
    output: Annotated[Path | None, typer.Option(help="Where the executed notebook goes; default: book/runs.")] = None,
    study: Annotated[
        str | None, typer.Option(help=f"Folder of results that the records go to; default: {LOCAL}.")
    ] = None,
) -> None:
    """Execute a notebook with parameters, or all notebooks of a profile."""
    from vitok_lib.notebooks import run_notebook, run_profile

    if (notebook is None) == (profile is None):
        raise RequestError("give either a notebook or --profile; vitok list notebooks shows the notebooks")
    if profile is not None:
        if parameter or output is not None:
            raise RequestError(f"profile '{profile}' has its own parameters and outputs; leave out -p and --output")
        _end_of_profile(run_profile(profile, study or LOCAL, lambda line: typer.echo(line, err=True)))
        return
    assert notebook is not None
    parameters = _pairs(parameter or []) | ({} if study is None else {"study": study})
    typer.echo(run_notebook(notebook, parameters, output))


@app.command("report")
def report_command(
    profile: Annotated[str, typer.Option(help="Which notebooks run first: cpu or gpu.")] = "cpu",
    study: Annotated[str, typer.Option(help="Folder of results that the records go to.")] = LOCAL,
) -> None:
    """Run a profile's notebooks, build the book and print the page to open."""
    from vitok_lib.notebooks import run_profile
    from vitok_lib.report.build import build_book

    failures = run_profile(profile, study, lambda line: typer.echo(line, err=True))
    typer.echo(f"The report: {build_book()}")
    _end_of_profile(failures)


@app.command("check")
def check_command(
    site: Annotated[Path | None, typer.Option(help="A built book; default: _build/html, where there is one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Audit every record, every claim and the built book: a sentence for each finding."""
    from vitok_lib.check.everything import check

    checked = check(site)
    if as_json:
        _print_rows([{"finding": finding} for finding in checked.findings], as_json)
    else:
        for finding in checked.findings:
            typer.echo(finding)
    typer.echo(f"vitok: {checked.summary}", err=True)
    if checked.findings:
        raise typer.Exit(1)


def main() -> NoReturn:
    """The entry point: a user's mistake is one sentence and status 2, never a traceback."""
    try:
        app(args=_join_parameters(sys.argv[1:]), standalone_mode=True)
    except RequestError as error:
        typer.echo(f"vitok: {error}", err=True)
        sys.exit(2)
    sys.exit(0)


def _join_parameters(arguments: list[str]) -> list[str]:
    """Accept papermill's ``-p NAME VALUE`` as well as ``-p NAME=VALUE``."""
    joined: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-p", "--parameter"):
            name = next(rest, "")
            joined += [argument, name if "=" in name else f"{name}={next(rest, '')}"]
        else:
            joined.append(argument)
    return joined


def _pairs(parameters: list[str]) -> dict[str, str]:
    pairs = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not name or not equals:
            raise RequestError(f"parameter '{parameter}' must read NAME=VALUE or NAME VALUE")
        pairs[name] = value
    return pairs


def _planned(running: dict[str, Any]) -> dict[str, Any]:
    """Of the arguments that a tokenizer is loaded with, those that change what it takes."""
    return {name: value for name, value in running.items() if name not in ("compile", "graphs")}


def _print_choices(tokenizer: Tokenizer) -> None:
    """What was chosen automatically, and why."""
    for setting, reason in getattr(tokenizer, "choices", {}).items():
        typer.echo(f"{tokenizer.spec.name}: {setting}: {reason}", err=True)


def _end(records: list[Record]) -> None:
    """Say how each record ended where there is something to say; status 1 where one did not end as ok."""
    for record in records:
        if record.outcome.detail:
            typer.echo(f"{record.tokenizer.name}: {record.outcome.status}: {record.outcome.detail}", err=True)
    if any(record.outcome.status is not OutcomeStatus.OK for record in records):
        raise typer.Exit(1)


def _end_of_profile(failures: list[str]) -> None:
    for failure in failures:
        typer.echo(f"vitok: {failure}", err=True)
    if failures:
        raise typer.Exit(1)


def _as_speed_row(record: Record) -> dict[str, str | int]:
    row: dict[str, str | int] = {
        "tokenizer": record.tokenizer.name,
        "path": record.settings.path or "",
        "outcome": record.outcome.status.value,
    }
    for value in record.values:
        interval = f" [{value.interval.low:.4g}, {value.interval.high:.4g}]" if value.interval else ""
        row[value.quantity] = f"{value.value:.4g} {value.unit}".strip() + interval
    return row


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


def _print_rows(rows: list[dict[str, str | int]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(row.get(column, "")) for column in columns))
    # A pipe has no width of its own, and nothing may be folded there.
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


class _ProgressBar:
    """A bar on stderr with rate and time left; silent where stderr is no terminal."""

    def __init__(self, title: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(desc=title, unit="image", disable=None, file=sys.stderr)

    def __enter__(self) -> _ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)
