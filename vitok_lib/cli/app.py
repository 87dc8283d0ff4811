"""The ``vitok`` command. Heavy imports happen inside the commands, so that help answers at once."""

from __future__ import annotations

import atexit
import gc
import sys
from typing import NoReturn

import typer

from vitok_lib.cli.check import check_command, conform_command, list_command
from vitok_lib.cli.eval import eval_command, merge_command
from vitok_lib.cli.export import export_command
from vitok_lib.cli.interrupts import interruptible
from vitok_lib.cli.latents import latents_command
from vitok_lib.cli.plan import plan_command
from vitok_lib.cli.run import join_parameters, report_command, run_command
from vitok_lib.cli.speed import speed_command
from vitok_lib.cli.streams import usable_streams
from vitok_lib.errors import RequestError, UnsupportedError

app = typer.Typer(
    help="Measure visual tokenizers and build the report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("list")(list_command)
app.command("eval")(eval_command)
app.command("latents")(latents_command)
app.command("merge")(merge_command)
app.command("plan")(plan_command)
app.command("speed")(speed_command)
app.command("conform")(conform_command)
app.command("run")(run_command)
app.command("report")(report_command)
app.command("export")(export_command)
app.command("check")(check_command)


def main() -> NoReturn:
    """The entry point: a user's mistake is one sentence and status 2, never a traceback."""
    atexit.register(gc.freeze)  # else all of torch is searched for garbage before the process ends: half a second
    with usable_streams(), interruptible():
        try:
            app(args=join_parameters(sys.argv[1:]), standalone_mode=True)
        except RequestError as error:
            typer.echo(f"vitok: {error.line}", err=True)
            sys.exit(2)
        except UnsupportedError as error:
            typer.echo(f"vitok: {error}", err=True)
            sys.exit(2)
    sys.exit(0)
