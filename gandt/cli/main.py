"""The `gandt` program: one command a job, each parsed here and done by one call.

Results go to standard output (`--json` for machines), progress and notes to standard error. Exit
code 0 is success, 2 a usage error, 1 a failed run, 130 an interrupt. Nothing heavy is imported
before a command needs it, so `gandt --help` answers at once.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable

import typer

from gandt._version import __version__
from gandt.cli.aggregate import AGGREGATE_EXAMPLE, aggregate
from gandt.cli.autolabel import AUTOLABEL_EXAMPLE, autolabel
from gandt.cli.embed import EMBED_EXAMPLE, embed
from gandt.cli.inspect import INFO_EXAMPLE, VALIDATE_EXAMPLE, info, validate
from gandt.cli.jobs import (
    FETCH_EXAMPLE,
    STATUS_EXAMPLE,
    STOP_EXAMPLE,
    WAIT_EXAMPLE,
    fetch,
    status,
    stop,
    wait,
)
from gandt.cli.label import LABEL_EXAMPLE, label
from gandt.cli.launch import LAUNCH_EXAMPLE, launch
from gandt.cli.manifest import MANIFEST_EXAMPLE, manifest
from gandt.cli.next import NEXT_EXAMPLE, next_
from gandt.cli.report import REPORT_EXAMPLE, report
from gandt.cli.select import SELECT_EXAMPLE, select
from gandt.cli.serve import SERVE_EXAMPLE, serve
from gandt.cli.simulate import SIMULATE_EXAMPLE, simulate
from gandt.cli.teams import teams
from gandt.cli.template import template
from gandt.errors import GandtError

__all__ = ["app", "main"]

app = typer.Typer(
    name="gandt",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # loading rich's Markdown and tracebacks takes longer than all the rest
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
    """Find the few images worth labeling in a large pool, and make labels of the answers.

    A whole round, in the current directory:

        gandt embed photos/

        gandt select --seeds seeds/

        gandt label --out answers/

        gandt aggregate answers/ --out round1/

        gandt next --labels round1/ --seeds seeds/
    """
    if debug:
        os.environ["GANDT_DEBUG"] = "1"


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """Say after Ctrl-C what was kept; typer itself would leave without a word."""

    @functools.wraps(command)
    def run(*args: object, **kwargs: object) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            typer.echo(
                "gandt: stopped. What was committed is kept; run the same command to go on.",
                err=True,
            )
            raise typer.Exit(130) from None

    return run


for _command, _example in (
    (embed, EMBED_EXAMPLE),
    (select, SELECT_EXAMPLE),
    (serve, SERVE_EXAMPLE),
    (manifest, MANIFEST_EXAMPLE),
    (label, LABEL_EXAMPLE),
    (launch, LAUNCH_EXAMPLE),
    (status, STATUS_EXAMPLE),
    (wait, WAIT_EXAMPLE),
    (stop, STOP_EXAMPLE),
    (fetch, FETCH_EXAMPLE),
    (aggregate, AGGREGATE_EXAMPLE),
    (report, REPORT_EXAMPLE),
    (next_, NEXT_EXAMPLE),
    (autolabel, AUTOLABEL_EXAMPLE),
    (simulate, SIMULATE_EXAMPLE),
    (info, INFO_EXAMPLE),
    (validate, VALIDATE_EXAMPLE),
):
    # \b keeps the lines as they are, so that an example can be copied.
    app.command(
        _command.__name__.strip("_"),  # `next` is a name of Python's own
        epilog=f"\b\nExample:\n  {_example}",
    )(_interruptible(_command))

app.add_typer(teams)
app.add_typer(template)


def main() -> None:
    """Run the program and turn our errors into one sentence and an exit code."""
    try:
        app()
    except GandtError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:  # a full disk, a folder that may not be written
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}; make room or give access, and run it again.", 1)


def _fail(sentence: str, exit_code: int) -> None:
    if os.environ.get("GANDT_DEBUG"):
        raise
    typer.echo(f"gandt: {sentence}", err=True)
    sys.exit(exit_code)
