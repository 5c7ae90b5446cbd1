"""`gandt label`: people answer a manifest's tasks in the browser, on this machine."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Annotated

import typer

from gandt.cli.output import note
from gandt.errors import ManifestError, UsageError
from gandt.words import count

if TYPE_CHECKING:
    import socket

    from gandt.labeling.queue import Queue
    from gandt.labeling.queue_values import Summary

__all__ = ["LABEL_EXAMPLE", "has_screen", "label", "listed"]

LABEL_EXAMPLE = "gandt label selection.manifest --labels cat,dog,Other --out round1.answers"

UNUSABLE = frozenset({"liquid", "no-form", "forms", "own-form", "no-fields"})
ONLY_AWS = frozenset({"no-script", "too-long"})  # of no concern where our own server shows it
SHOWN = 3  # missing images and reasons, before the rest is only counted


def label(
    manifest: Annotated[
        str, typer.Argument(help="Manifest to label, local or s3://.")
    ] = "selection.manifest",
    labels: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated, the one for everything else last.",
            show_default="as the tasks offer them",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            help="Folder for the answers, on this machine.", show_default="MANIFEST.answers"
        ),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            help="A page by its name (gandt template list), or the path of a template.",
            show_default="what fits the tasks",
        ),
    ] = None,
    examples: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Seeds to show in the instructions, as seeds/: the first three of each class.",
            show_default=False,
        ),
    ] = None,
    workers_per_task: Annotated[
        int, typer.Option(min=1, max=100, help="How many people answer each task.")
    ] = 1,
    people: Annotated[
        str | None,
        typer.Option(
            help="Names with commas between: each gets a link of their own, and nobody else "
            "comes in.",
            show_default="whoever says a name",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to serve on; 0.0.0.0 lets others in, with --people.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; 0 for any.", show_default="8484, or the next"),
    ] = None,
    lease: Annotated[
        float,
        typer.Option(min=0.02, help="Minutes for which a task is kept for whoever has it."),
    ] = 15.0,
    review: Annotated[
        bool,
        typer.Option(
            "--review",
            help="Show finished labels by class, to be corrected; a reviewer's correction decides.",
        ),
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    json: Annotated[
        bool, typer.Option("--json", help="Print the links, and in the end the result, as JSON.")
    ] = False,
) -> None:
    """Label a manifest in the browser, alone or with several people.

    Every answer is on the disk before the page says so. Ctrl-C stops; the same command goes on.
    """
    from gandt.cli.examples import read_examples
    from gandt.labeling.queue_open import QueueOptions, open_queue
    from gandt.serving.service.desk.app import Desk, desk_app
    from gandt.serving.service.run import PORT, bind, is_loopback, own_names, serve

    names = listed(people, "--people")
    if len({name.casefold() for name in names}) < len(names):
        raise UsageError(f"--people {people} names somebody twice: each person has one link.")
    if not names and not is_loopback(host):
        raise UsageError(
            f"--host {host} lets others in, so say who may come: --people ann,ben makes a link for "
            "each."
        )
    if names and len(names) < workers_per_task:
        raise UsageError(
            f"--workers-per-task {workers_per_task} wants more people than --people names "
            f"({len(names)}), so that no task could ever be finished: name more, or want fewer."
        )
    folder = out or f"{manifest.rstrip('/').rpartition('/')[2].removesuffix('.manifest')}.answers"
    options = QueueOptions(
        labels=tuple(listed(labels, "--labels")),
        template=template,
        workers=workers_per_task,
        lease=60 * lease,
        examples=(lambda offered: read_examples(examples, offered)) if examples else None,
    )
    following = _following(manifest, folder)
    queue = open_queue(manifest, folder, options)
    try:
        desk = Desk(queue, [queue.join(name) for name in names], review=review)
        _check(desk.shelf.missing(), desk.shelf.unshown(), queue)
        usual = queue.remembered("port")
        bound = bind(host, port, usual=int(usual) if usual else PORT)
        queue.remember("port", str(bound.getsockname()[1]))
        links = _links(queue, names, host, bound, review)

        def opened() -> None:
            _announce(queue, links, json, host)
            if browser and len(links) == 1 and has_screen():
                import webbrowser

                webbrowser.open(next(iter(links.values())))

        serve(desk_app(desk, names={*own_names(), host}), bound, on_ready=opened)
        summary = queue.summary()
        problems = [f"{task.title}: {why} ({who})" for task, who, why in queue.problems()]
    finally:
        queue.close()
    if json:
        typer.echo(json_module.dumps({"event": "closed", **summary.as_json()}, ensure_ascii=False))
        return
    for name, value in _lines(summary, problems, folder, following):
        typer.echo(f"{name:<10}{value}")


def _following(manifest: str, folder: str) -> str:
    """The command that makes labels of the answers.

    What a round asks again is counted together with what it was answered before; its folder holds
    that (`answers.parquet`), wherever the answers came from.
    """
    import shlex

    from gandt import storage

    base = folder.rstrip("/").removesuffix(".answers")
    asked, target = [folder], f"{base}/" if base != folder.rstrip("/") else "round/"
    before, slash, name = manifest.rpartition("/")
    before = f"{before}/" if slash else "./"
    if name == "relabel.manifest" and storage.exists(f"{before}answers.parquet"):
        asked, target = [before, folder], before
    return shlex.join(["gandt", "aggregate", *asked, "--out", target])


def listed(text: str | None, option: str) -> list[str]:
    """Names with commas between.

    Raises
    ------
    UsageError
        One is empty.
    """
    if text is None:
        return []
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UsageError(f"{option} {text!r} holds an empty name: write {option} a,b,c.")
    return names


def _links(
    queue: Queue, names: list[str], host: str, bound: socket.socket, review: bool
) -> dict[str, str]:
    from gandt.serving.service.run import public_host

    start = f"http://{public_host(host)}:{bound.getsockname()[1]}"
    if not names:
        return {"": f"{start}/review" if review else f"{start}/"}
    joined = {person.name: person for person in map(queue.join, names)}
    return {name: f"{start}/enter/{person.token}" for name, person in joined.items()}


def has_screen() -> bool:
    """Tell whether a browser would open beside the terminal and not in it."""
    import os
    import sys

    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in screens)


def _check(missing: list[str], unshown: list[str], queue: Queue) -> None:
    """Say what will not go well, before anybody sits down."""
    from gandt.labeling.check import check_template

    for images, what in (
        (missing, "cannot be found"),
        (unshown, "of the kind TIFF, which browsers do not show"),
    ):
        listed = ", ".join(images[:SHOWN]) + (", …" if len(images) > SHOWN else "")
        if images:
            note(f"gandt: {count(len(images), 'image')} {what} ({listed}); the page says so.")
    tasks = list(queue.tasks.values())[:SHOWN]
    lines = [(task.number + 1, task.record) for task in tasks]
    for finding in check_template(queue.template, lines, labels=queue.labels):
        if finding.code in UNUSABLE:
            raise ManifestError(
                f"Nothing could be answered on the page {queue.page}: {finding.message}; "
                f"{finding.remedy}."
            )
        if finding.code not in ONLY_AWS:
            note(f"gandt: {finding}")


def _announce(queue: Queue, links: dict[str, str], json: bool, host: str) -> None:
    from gandt.serving.service.run import is_loopback

    if not is_loopback(host):
        note("note: links and answers travel unencrypted; use it in a network that you trust.")
    if json:
        people = {name: link for name, link in links.items() if name}
        event = {"event": "serving", "url": links.get(""), "people": people}
        event["folder"] = str(queue.folder)
        typer.echo(json_module.dumps(event, ensure_ascii=False))
        return
    tasks = count(len(queue.tasks), "task")
    workers = "" if queue.workers == 1 else f", {queue.workers} people each"
    typer.echo(f"tasks     {tasks}{workers}, on the page {queue.page}")
    if queue.labels:
        origin = f" ({queue.labels_origin})" if queue.labels_origin else ""
        typer.echo(f"labels    {', '.join(queue.labels)}{origin}")
    done = queue.summary().answers
    if done:
        typer.echo(f"answers   {done:,} so far; it goes on where it stopped")
    for name, link in links.items():
        typer.echo(f"{name or 'open':<10}{link}")
    note("Ctrl-C stops it; everything is saved as it comes.")


def _lines(
    summary: Summary, problems: list[str], folder: str, following: str
) -> list[tuple[str, str]]:
    people = count(summary.active, "person", "people")
    lines = [
        ("answers", f"{summary.answers:,} ({summary.new:,} new) by {people}"),
        ("finished", f"{summary.finished:,} of {count(summary.tasks, 'task')}"),
    ]
    if problems:
        lines.append(("skipped", f"{len(problems):,}; all in {folder.rstrip('/')}/skipped.csv"))
        lines += [("", problem) for problem in problems[:SHOWN]]
    if summary.missing:
        missing = count(summary.missing, "answer")
        lines.append(("missing", f"{missing}; run the same command to go on"))
    if summary.answers:
        lines.append(("next", following))
    return lines
