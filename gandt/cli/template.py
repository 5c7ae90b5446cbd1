"""`gandt template`: the worker pages that come with G&T, shown with real data or made ready.

There are two kinds: our own, for custom jobs, and pages of crowd elements, for the task types that
Ground Truth knows; the names of these begin with `widget-`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from gandt.cli.examples import read_examples
from gandt.cli.output import note
from gandt.errors import ManifestError, UsageError
from gandt.words import count

if TYPE_CHECKING:
    from gandt.labeling.templates import Example

__all__ = ["TEMPLATE_EXAMPLE", "template"]

TEMPLATE_EXAMPLE = (
    "gandt template render image-classification --manifest selection.manifest \\\n"
    "    --labels cat,dog --out page.html"
)

template = typer.Typer(
    name="template",
    no_args_is_help=True,
    help="Worker pages: list, preview with real data, make ready.",
    epilog=f"\b\nExample:\n  {TEMPLATE_EXAMPLE}",
)

Labels = Annotated[
    str | None, typer.Option(help="Labels to offer, with commas between.", show_default=False)
]
Question = Annotated[
    str | None, typer.Option(help="Question above the task.", show_default="the page's own")
]
Instructions = Annotated[str | None, typer.Option(help="Words of instruction.", show_default=False)]
Examples = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATH",
        help="Seeds to show in the instructions, as seeds/: the first three of each class.",
        show_default=False,
    ),
]
Attribute = Annotated[
    str | None,
    typer.Option(
        help="Label attribute that a page widget-verify-… or widget-adjust-… is about.",
        show_default="the only one of the line",
    ),
]
Out = Annotated[str | None, typer.Option(help="File to write.", show_default="standard output")]
Name = Annotated[
    str, typer.Argument(help="A page by its name, or the path of a template.", show_default=False)
]


class _Words(NamedTuple):
    """What a page says beside its labels."""

    question: str | None
    instructions: str | None
    examples: tuple[Example, ...]


@template.command("list", epilog="\b\nExample:\n  gandt template list")
def list_pages() -> None:
    """List the pages and what each asks."""
    from gandt.labeling.templates import PAGES
    from gandt.labeling.widgets import PREFIX, WIDGETS

    kinds = {
        "Our own pages, for custom jobs and for gandt label": PAGES,
        "Pages of crowd elements, for the task types of Ground Truth": {
            f"{PREFIX}{task}": widget.says for task, widget in WIDGETS.items()
        },
    }
    width = max(len(name) for pages in kinds.values() for name in pages) + 2
    for number, (heading, pages) in enumerate(kinds.items()):
        typer.echo(f"{chr(10) if number else ''}{heading}:")
        for name, asks in pages.items():
            typer.echo(f"  {name:<{width}}{asks}")


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
    examples: Examples = None,
    attribute: Attribute = None,
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
    from gandt.labeling.check import check_template
    from gandt.labeling.preview import show_image
    from gandt.labeling.render import render_page, task_input
    from gandt.labeling.widgets import WIDGETS, builtin_input, earlier_attribute

    record = _record(manifest, line)
    names = _names(labels)
    words = _Words(question, instructions, read_examples(examples or [], names))
    task = _widget(name)
    if task is None:
        text = _own_page(name, names, words, attribute)
        given = task_input(record, pre_annotation=pre_annotation)
        offered: list[str] = []  # they are in the page
    else:
        prior = WIDGETS[task].earlier is not None
        attribute = attribute or earlier_attribute(task, record)
        text = _widget_page(task, words, attribute)
        given = builtin_input(record, names, prior=prior)
        offered = names
        if not names:
            note(
                "gandt: there is nothing to choose from: say which labels the job offers (--labels)"
            )
    page = render_page(text, given, grant_read_access=show_image, stand_in=True)
    findings = check_template(text, [(line, record)], labels=offered, pre_annotation=pre_annotation)
    for finding in findings:
        note(f"gandt: {finding}")
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
    examples: Examples = None,
    attribute: Attribute = None,
) -> None:
    """Write a page: the file that a job of Ground Truth takes, labels baked in where it has place.

    The pages of crowd elements have none: Ground Truth hands them the labels of the job.
    """
    names = _names(labels)
    words = _Words(question, instructions, read_examples(examples or [], names))
    local = sum(not example.uri.startswith("s3://") for example in words.examples)
    if local:
        note(
            f"gandt: {count(local, 'example')} on this machine, where workers of a job cannot see "
            "them: `gandt launch --examples` uploads them"
        )
    task = _widget(name)
    if task is None:
        text = _own_page(name, names, words, attribute)
    elif labels is not None:
        raise UsageError(
            f"{name} takes its labels from the job: leave --labels out here, and give them to "
            "`gandt launch`."
        )
    else:
        text = _widget_page(task, words, attribute)
    _write(text, out)


def _widget(name: str) -> str | None:
    """Tell which task of Ground Truth a page is for; None for our own pages and for files."""
    from gandt.labeling.widgets import PREFIX, WIDGETS

    task = name.removeprefix(PREFIX)
    return task if name != task and task in WIDGETS else None


def _widget_page(task: str, words: _Words, attribute: str | None) -> str:
    from gandt.labeling.widgets import WIDGETS, widget_page

    if WIDGETS[task].earlier is not None and attribute is None:
        raise UsageError(
            f"widget-{task} is about the labels of an earlier job: name their attribute "
            "(--attribute), the key that they have in the manifest."
        )
    return widget_page(
        task,
        question=words.question,
        instructions=words.instructions,
        examples=words.examples,
        previous_attribute=attribute,
    )


def _own_page(name: str, labels: list[str], words: _Words, attribute: str | None) -> str:
    from gandt.labeling.templates import bake, read_template

    if attribute is not None:
        raise UsageError(f"{name} looks at no earlier labels: leave --attribute out.")
    return bake(
        read_template(name),
        labels=labels,
        question=words.question,
        instructions=words.instructions,
        examples=words.examples,
    )


def _names(labels: str | None) -> list[str]:
    return [label.strip() for label in labels.split(",")] if labels is not None else []


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


def _write(text: str, out: str | None) -> None:
    from gandt import storage

    if out is None:
        typer.echo(text, nl=False)
        return
    uri = storage.normalize(out)
    storage.write_bytes(uri, text.encode())
    typer.echo(f"page      {out}")
