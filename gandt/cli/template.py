"""`gandt template`: the worker pages that come with G&T, shown with real data or made ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from gandt.cli.output import note
from gandt.errors import ManifestError, UsageError

__all__ = ["TEMPLATE_EXAMPLE", "template"]

TEMPLATE_EXAMPLE = "gandt template render tiles --manifest selection.manifest --out page.html"

template = typer.Typer(
    name="template",
    no_args_is_help=True,
    help="Worker pages: list, preview with real data, make ready.",
    epilog=f"\b\nExample:\n  {TEMPLATE_EXAMPLE}",
)

Labels = Annotated[
    str | None, typer.Option(help="Labels to bake in, with commas between.", show_default=False)
]
Question = Annotated[
    str | None, typer.Option(help="Question above the task.", show_default="the page's own")
]
Instructions = Annotated[str | None, typer.Option(help="Words of instruction.", show_default=False)]
Out = Annotated[str | None, typer.Option(help="File to write.", show_default="standard output")]
Name = Annotated[
    str, typer.Argument(help="A page by its name, or the path of a template.", show_default=False)
]


@template.command("list")
def list_pages() -> None:
    """List the pages and what each asks."""
    from gandt.labeling.templates import PAGES

    for name, question in PAGES.items():
        typer.echo(f"{name:<22}{question}")


@template.command("render", epilog=f"\b\nExample:\n  {TEMPLATE_EXAMPLE}")
def render(
    name: Name,
    manifest: Annotated[
        str, typer.Option(help="Manifest to take a task from; local or s3://.", show_default=False)
    ],
    line: Annotated[int, typer.Option(min=1, help="Line of the manifest.")] = 1,
    out: Out = None,
    labels: Labels = None,
    question: Question = None,
    instructions: Instructions = None,
    pre_annotation: Annotated[
        bool,
        typer.Option(
            "--lambda/--no-lambda", help="As in a job with a pre-annotation Lambda, or without."
        ),
    ] = True,
) -> None:
    """Show a page with a task of the manifest, in any browser and without Ground Truth.

    The crowd elements are replaced by a stand-in, which shows the answer in place of sending it.
    Pictures that no browser can reach (s3://) are written into the page.
    """
    from gandt.labeling.preview import show_image
    from gandt.labeling.render import render_page, task_input

    record = _record(manifest, line)
    text = _template(name, labels, question, instructions)
    page = render_page(
        text,
        task_input(record, pre_annotation=pre_annotation),
        grant_read_access=show_image,
        stand_in=True,
    )
    _warn(text, line, record, pre_annotation)
    _write(page, out)


@template.command(
    "save",
    epilog="\b\nExample:\n  gandt template save tiles --labels cat,dog --out tiles.liquid.html",
)
def save(
    name: Name,
    out: Out = None,
    labels: Labels = None,
    question: Question = None,
    instructions: Instructions = None,
) -> None:
    """Write a page with labels baked in: the file that a custom job of Ground Truth takes."""
    _write(_template(name, labels, question, instructions), out)


def _template(name: str, labels: str | None, question: str | None, instructions: str | None) -> str:
    from gandt.labeling.templates import bake, read_template

    names = [label.strip() for label in labels.split(",")] if labels is not None else []
    return bake(read_template(name), labels=names, question=question, instructions=instructions)


def _record(manifest: str, line: int) -> Mapping[str, object]:
    from gandt import storage
    from gandt.groundtruth.json_lines import read_objects

    uri = storage.normalize(manifest)
    last = 0
    for number, record in read_objects(uri):
        if number == line:
            return record
        last = number
        if number > line:
            break
    if last > line:
        raise ManifestError(f"{uri}, line {line} is empty: take another (--line).")
    raise UsageError(f"{uri} ends at line {last}: there is no line {line} (--line).")


def _warn(text: str, line: int, record: Mapping[str, object], pre_annotation: bool) -> None:
    from gandt.labeling.check import check_template

    for finding in check_template(text, [(line, record)], pre_annotation=pre_annotation):
        note(f"gandt: {finding}")


def _write(text: str, out: str | None) -> None:
    from gandt import storage

    if out is None:
        typer.echo(text, nl=False)
        return
    uri = storage.normalize(out)
    storage.write_bytes(uri, text.encode())
    typer.echo(f"page      {out}")
