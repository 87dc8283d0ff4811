"""``vitok run`` and ``vitok report``: notebooks with parameters, and the book that shows their records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitok_lib.cli.options import Cluster, Gpus, Study
from vitok_lib.errors import RequestError
from vitok_lib.records.store import LOCAL


def run_command(
    notebook: Annotated[str | None, typer.Argument(help="A notebook's name; see: vitok list notebooks.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE or NAME VALUE; may be repeated.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Run every notebook of a profile, such as cpu or released.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Where the executed notebook goes; default: book/runs.")] = None,
    study: Annotated[
        str | None, typer.Option(help=f"Folder of results that the records go to; default: {LOCAL}.")
    ] = None,
    cluster: Cluster = None,
    gpus: Gpus = None,
    workers: Annotated[int | None, typer.Option(help="With --cluster: processes that measure.")] = None,
) -> None:
    """Execute a notebook with parameters, or all notebooks of a profile."""
    from vitok_lib.notebooks import run_notebook, run_profile

    if gpus is not None or workers is not None:
        cluster = cluster or "local"
    asked = {"cluster": cluster, "gpus": gpus, "workers": workers}
    on_cluster = {name: value for name, value in asked.items() if value is not None}
    if (notebook is None) == (profile is None):
        raise RequestError("give either a notebook or --profile; vitok list notebooks shows the notebooks")
    if profile is not None:
        if parameter or output is not None:
            raise RequestError(f"profile '{profile}' has its own parameters and outputs; leave out -p and --output")
        _end_of_profile(run_profile(profile, study or LOCAL, lambda line: typer.echo(line, err=True), on_cluster))
        return
    assert notebook is not None
    parameters = _pairs(parameter or []) | on_cluster | ({} if study is None else {"study": study})
    typer.echo(run_notebook(notebook, parameters, output))


def report_command(
    profile: Annotated[str, typer.Option(help="The profile whose notebooks run first, such as cpu or gpu.")] = "cpu",
    study: Study = LOCAL,
) -> None:
    """Run a profile's notebooks, build the book and print the page to open."""
    from vitok_lib.notebooks import run_profile
    from vitok_lib.report.build import build_book

    failures = run_profile(profile, study, lambda line: typer.echo(line, err=True))
    typer.echo(f"The report: {build_book()}")
    _end_of_profile(failures)


def join_parameters(arguments: list[str]) -> list[str]:
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


def _end_of_profile(failures: list[str]) -> None:
    for failure in failures:
        typer.echo(f"vitok: {failure}", err=True)
    if failures:
        raise typer.Exit(1)
