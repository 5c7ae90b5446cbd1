"""`gandt autolabel`: the images that need no people, and a sample for people to check them by."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gandt.cli.output import note, print_json
from gandt.cli.threads import one_blas_thread
from gandt.errors import AnswerError, UsageError
from gandt.words import count

if TYPE_CHECKING:
    from gandt.rounds.automatic.audit import Audit
    from gandt.rounds.automatic.words import Automatic

__all__ = ["AUTOLABEL_EXAMPLE", "autolabel"]

AUTOLABEL_EXAMPLE = "gandt autolabel --labels round*/labels.csv --out auto/"

WIDTH = 12  # of the names before what is said
LONGEST_STEM = 57  # characters of a job's name before "-audit"
SHOWN = 5  # wrong labels of a class, before the rest is only counted


def autolabel(
    more: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="LABELS", help="More of --labels (or --audited).", show_default=False
        ),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Labels of the rounds so far: labels tables, output manifests, folders of rounds, "
            "as round*/labels.csv. May be given several times.",
            show_default=False,
        ),
    ] = None,
    index: Annotated[str, typer.Option(help="Index folder, local or s3://.")] = "pool.index",
    out: Annotated[str, typer.Option(help="Folder to write, local or s3://.")] = "auto/",
    audited: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Instead of --labels: what people said of audit.manifest; measures the automatic "
            "labels in --out. May be given several times.",
            show_default=False,
        ),
    ] = None,
    target_accuracy: Annotated[
        float,
        typer.Option(min=0, max=1, help="Promised share of automatic labels that are right."),
    ] = 0.95,
    confidence: Annotated[
        float, typer.Option(min=0, max=1, help="How sure the promise is.")
    ] = 0.95,
    each_class: Annotated[
        bool, typer.Option("--each-class", help="Promise it for each class, not for all together.")
    ] = False,
    certain: Annotated[
        float,
        typer.Option(min=0, max=1, help="Labels of this confidence on prove; all of them teach."),
    ] = 0.9,
    guard: Annotated[
        float,
        typer.Option(
            metavar="PERCENTILE",
            min=0,
            max=100,
            help="Keeps out what lies far from all that is labeled; 0 keeps out nothing.",
        ),
    ] = 20.0,
    audit: Annotated[int, typer.Option(min=0, help="Automatic labels that people check.")] = 100,
    copies: Annotated[
        bool,
        typer.Option("--copies/--no-copies", help="Near-copies of a labeled image have its label."),
    ] = True,
    seeds: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Seeds of the first selection. All teach; those of the pool prove. May be given "
            "several times.",
            show_default=False,
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Manifests, selections, labels tables or lists whose images are left out. May be "
            "given several times.",
            show_default=False,
        ),
    ] = None,
    other: Annotated[str, typer.Option(help="The class for everything else.")] = "Other",
    attribute: Annotated[
        str | None,
        typer.Option(
            help="Label attribute to read, of manifests with several.", show_default=False
        ),
    ] = None,
    write_attribute: Annotated[
        str | None,
        typer.Option(
            help="Label attribute of the output manifest.", show_default="named after --out"
        ),
    ] = None,
    uri_map: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FROM=TO",
            help="Rewrite references, as /local/photos=s3://bucket/photos.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Where the index does not say, or its model has moved.", show_default=False
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Where seeds are embedded.")] = "auto",
    random_seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Label automatically what is easy, and measure how well.

    Writes the automatic labels, a manifest of what is left to people, and a sample of the automatic
    labels for people to check; --audited measures by what they said. Exit code 1 where nothing can
    be promised, or where the audit refutes the promise.
    """
    one_blas_thread()
    from gandt.active.autolabel import AutoOptions

    now = datetime.now(timezone.utc)
    if audited:
        if labels:
            raise UsageError(
                "--audited measures the labels in --out and needs no --labels: give one of the two."
            )
        from gandt.rounds.automatic.audit import measure

        _say_measured(measure(out, [*audited, *(more or [])], now=now, attribute=attribute), json)
        return
    from gandt.rounds.automatic.automatic import Sources, label_automatically

    options = AutoOptions(
        target_accuracy=target_accuracy,
        confidence=confidence,
        each=each_class,
        certain=certain,
        percentile=guard,
        audit=audit,
        copies=copies,
        random_seed=random_seed,
    )
    sources = Sources(
        labels=(*(labels or ()), *(more or ())),
        seeds=tuple(seeds or ()),
        exclude=tuple(exclude or ()),
        other=other,
        attribute=attribute,
        model=model,
        device=device,
    )
    made = label_automatically(
        index,
        sources,
        out,
        options,
        now=now,
        write_attribute=write_attribute,
        uri_map=uri_map or (),
    )
    _say_labeled(made, json, other=other, launched=bool(uri_map))


def _say_labeled(made: Automatic, json: bool, *, other: str, launched: bool) -> None:
    """Say what was done; `launched`: whether the manifests are for jobs of Ground Truth."""
    if json:
        print_json({"out": None if made.refusal else made.folder, **made.summary()})
    else:
        for line in made.notes:
            note(f"note: {_here(line)}")
    if made.refusal:
        if made.made.refused:
            note(
                "note: images drawn uniformly prove the most (gandt next --uniform 1), once people "
                "are sure of them; where that does not help either, look at the labels themselves."
            )
        raise AnswerError(_here(made.refusal))
    if json:
        return
    for name, text in _lines(made):
        typer.echo(f"{name:<{WIDTH}} {_here(text)}")
    if len(made.made.audit):
        for said in filter(None, (made.caution(), made.hidden())):
            note(f"note: {said}")
        note("next:")
        for command in _following(made, other=other, launched=launched):
            note(f"  {shlex.join(command)}")


def _following(made: Automatic, *, other: str, launched: bool) -> Iterator[list[str]]:
    """Give the commands of the audit, whose files are named after the folder that it measures."""
    from gandt.groundtruth.label_names import default_attribute

    folder = _here(made.folder)
    here = folder.rpartition("/")[2] if "://" in folder else folder  # answers lie on this machine
    names = sorted(made.labeled.classes, key=lambda name: name == other)  # that one last
    manifest, offered = f"{folder}/audit.manifest", ["--labels", ",".join(names)]
    if launched:
        job = f"{default_attribute(folder)[:LONGEST_STEM].rstrip('-')}-audit"
        answers = f"answers/{job}"
        task = ["--task", "image-classification"]
        yield ["gandt", "launch", manifest, *task, *offered, "--name", job]
        yield ["gandt", "fetch", job, "--out", "answers/"]
    else:
        answers = f"{here}-audit.answers"
        yield ["gandt", "label", manifest, *offered, "--out", answers]
    yield ["gandt", "aggregate", answers, "--out", f"{here}-audit/"]
    yield ["gandt", "autolabel", "--audited", f"{here}-audit/", "--out", folder]


def _lines(made: Automatic) -> Iterator[tuple[str, str]]:
    done, folder, numbers = made.made, made.folder, made.by_class()
    yield "labeled", f"{count(len(made.labeled), 'image')} by people"
    if done.refused:
        yield "refused", done.refused
    for each in done.thresholds.classes if not done.refused else ():
        if each.refused:
            told = f"; {each.right:,} of its {count(each.cases, 'prediction')} right"
            yield each.name, f"refused: {each.reason}{told if each.cases else ''}"
        else:
            told = f"{each.right:,} of {count(each.cases, 'case')} right"
            yield (
                each.name,
                f"{count(numbers[each.name], 'label')}, from {each.threshold:.2f}; {told}",
            )
    if not done.refused:
        yield "promise", made.promise()
    if made.copies:
        yield "copies", f"{count(made.copies, 'label')} taken over from near-copies"
    whole = len(done.rows) + len(done.rest)
    share = f"{len(done.rows):,} of {count(whole, 'image')} ({len(done.rows) / whole:.0%})"
    yield "automatic", f"{share}: {folder}/labels.csv, {folder}/output.manifest"
    yield "to people", f"{count(len(done.rest), 'image')}: {folder}/rest.manifest"
    if len(done.audit):
        yield "to check", f"{count(len(done.audit), 'image')}: {folder}/audit.manifest"


def _say_measured(audit: Audit, json: bool) -> None:
    if json:
        print_json({"out": audit.folder, **audit.as_json()})
    else:
        typer.echo(audit.sentence)
        for each in audit.classes:
            typer.echo(
                f"{each.name:<{WIDTH}} {each.measured.right:,} of {each.measured.checked:,} right"
            )
            for wrong in each.wrong[:SHOWN]:
                people = wrong.people.label if wrong.people is not None else ""
                typer.echo(_here(f"  {wrong.task}: machine {wrong.machine}, people {people}"))
            if len(each.wrong) > SHOWN:
                typer.echo(_here(f"  … and {len(each.wrong) - SHOWN:,} more in {audit.table}"))
        for line in audit.notes:
            note(f"note: {_here(line)}")
        note(f"next: {_here(audit.advice)}.")
    if audit.verdict == "refuted":
        raise typer.Exit(1)


def _here(text: str) -> str:
    """Name files as the person does who stands in their folder."""
    return text.replace(f"{Path.cwd()}/", "")
