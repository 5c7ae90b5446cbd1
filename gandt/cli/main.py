"""The `gandt` program: one command a job, each parsed here and done by one call.

Results go to standard output (`--json` for machines), progress and notes to standard error. Exit
code 0 is success, 2 a usage error, 1 a failed run, 130 an interrupt. Nothing heavy is imported
before a command needs it, so `gandt --help` answers at once.
"""

from __future__ import annotations

import os
import sys

import typer

from gandt._version import __version__
from gandt.cli.embed import embed
from gandt.cli.inspect import info, validate
from gandt.cli.select import select
from gandt.errors import GandtError

__all__ = ["app", "main"]

app = typer.Typer(
    name="gandt",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gandt {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and leave."
    ),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Find the few images worth labeling in a large pool.

    A whole run, in the current directory:

        gandt embed photos/

        gandt select --seeds seeds/
    """
    if debug:
        os.environ["GANDT_DEBUG"] = "1"


app.command()(embed)
app.command()(select)
app.command()(info)
app.command()(validate)


def main() -> None:
    """Run the program and turn our errors into one sentence and an exit code."""
    try:
        app()
    except GandtError as error:
        if os.environ.get("GANDT_DEBUG"):
            raise
        typer.echo(f"gandt: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo(
            "gandt: stopped. What was committed is kept; run the same command to go on.", err=True
        )
        sys.exit(130)
    except BrokenPipeError:  # `gandt info | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
