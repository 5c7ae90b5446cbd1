"""`gandt report`: what came back of a labeling job, in pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from gandt.cli.output import note, print_json
from gandt.errors import UsageError
from gandt.words import count

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["REPORT_EXAMPLE", "report"]

REPORT_EXAMPLE = "gandt report round1/ --out round1.html"

FORMATS = ("html", "pdf")


def report(
    source: Annotated[
        str,
        typer.Argument(
            help="An output manifest, or a folder of `gandt aggregate` or `gandt autolabel`; local "
            "or s3://.",
            show_default=False,
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(help="File to write.", show_default="report.html or report.pdf"),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help="html or pdf.", show_default="by --out, else html"),
    ] = None,
    attribute: Annotated[
        str | None,
        typer.Option(help="Label attribute of manifests with several.", show_default=False),
    ] = None,
    gold: Annotated[
        str | None,
        typer.Option(help="Table of known answers: task, label.", show_default=False),
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Example images per class.")] = 12,
    random_seed: Annotated[int, typer.Option(min=0, help="Which examples; same seed, same.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Show what came back of a job, in pictures.

    Classes, confidence, agreement, workers, and every image; of automatic labels what is promised
    and what people found. One self-contained HTML page or a PDF.
    """
    from dataclasses import asdict

    from gandt.cli.page_name import check_page_name
    from gandt.report.results.write import write_report

    wanted = format or ("pdf" if out and out.lower().endswith(".pdf") else "html")
    if wanted not in FORMATS:
        raise UsageError(f"--format {wanted}: use one of {', '.join(FORMATS)}.")
    check_page_name("--out", out, pdf=wanted == "pdf")
    destination = out or f"report.{wanted}"
    summary = write_report(
        source,
        destination,
        format=cast("Literal['html', 'pdf']", wanted),
        attribute=attribute,
        gold=gold,
        examples=examples,
        seed=random_seed,
    )
    if json:
        print_json({"report": destination, **asdict(summary)})
        return
    passed = f", {summary.passed:,} without a label" if summary.passed else ""
    typer.echo(f"{destination}: {count(summary.labeled, 'label')}{passed}")
    for line in summary.notes:
        note(f"note: {line}")
