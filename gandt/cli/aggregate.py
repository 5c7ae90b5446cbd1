"""`gandt aggregate`: what the workers said becomes labels with an honest confidence."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gandt.cli.output import note, print_json
from gandt.errors import UsageError
from gandt.words import count

if TYPE_CHECKING:
    from gandt.answers import Answers, Oddity
    from gandt.consolidation.consolidate import Outcome

__all__ = ["AGGREGATE_EXAMPLE", "aggregate"]

AGGREGATE_EXAMPLE = "gandt aggregate round1.answers --gold gold.csv --out round1/"

SHOWN = 5  # flagged workers and oddities of a kind, before the rest is only counted


def aggregate(
    answers: Annotated[
        list[str],
        typer.Argument(
            help="Job output folders, worker responses, CSV, JSON Lines or Parquet tables with "
            "task, worker and label; local or s3://.",
            show_default=False,
        ),
    ],
    out: Annotated[str, typer.Option(help="Folder to write, local or s3://.")] = "round/",
    method: Annotated[
        str,
        typer.Option(help="auto, majority, weighted, one-coin, dawid-skene or agreement."),
    ] = "auto",
    gold: Annotated[
        str | None,
        typer.Option(help="Table of known answers: task, label.", show_default=False),
    ] = None,
    previous: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Earlier jobs or rounds, which tell how reliable their workers are.",
            show_default=False,
        ),
    ] = None,
    include_previous: Annotated[
        bool, typer.Option("--include-previous", help="Count the answers of --previous as well.")
    ] = False,
    index: Annotated[
        str | None,
        typer.Option(
            help="Index of the pool, local or s3://; what its vectors say is one more worker.",
            show_default=False,
        ),
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Labels below are asked again.")
    ] = 0.8,
    min_answers: Annotated[
        int, typer.Option(min=1, help="Labels of fewer answers are asked again.")
    ] = 1,
    manifest: Annotated[
        str | None,
        typer.Option(
            help="The job's input manifest, where the answers do not bring it.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="Comma-separated, in the order of their numbers.", show_default=False),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="single, multi, boxes, spans or mask.", show_default="as found"),
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(help="Form field that holds the answer.", show_default="the only one"),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=NAME",
            help="Where a table names its columns otherwise, as task=image_url.",
            show_default=False,
        ),
    ] = None,
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
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail where anything in the answers is odd.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Turn the answers of several workers into one label per task.

    Writes labels and workers as tables, an output manifest, and a manifest of what to ask again.
    """
    from gandt.answers import KINDS
    from gandt.consolidation.consolidate import ConsolidateOptions, consolidate

    if kind is not None and kind not in KINDS:
        raise UsageError(f"--kind {kind}: use one of {', '.join(KINDS)}.")
    outcome = consolidate(
        answers,
        out,
        ConsolidateOptions(
            method=method,
            kind=kind,
            gold=gold,
            previous=tuple(previous or ()),
            include_previous=include_previous,
            index=index,
            manifest=manifest,
            form_field=field,
            classes=tuple(name.strip() for name in classes.split(",")) if classes else (),
            columns=_columns(column or []),
            attribute=attribute,
            write_attribute=write_attribute,
            min_confidence=min_confidence,
            min_answers=min_answers,
            strict=strict,
        ),
        now=datetime.now(timezone.utc),
    )
    if json:
        print_json({"out": out, **outcome.summary()})
        return
    for name, value in _lines(outcome, out):
        typer.echo(f"{name:<12} {value}")
    for line in outcome.notes:
        note(f"note: {line}")


def _columns(pairs: list[str]) -> dict[str, str]:
    """Parse `WHAT=NAME`."""
    columns = {}
    for pair in pairs:
        what, equals, name = pair.partition("=")
        if not (equals and what.strip() and name.strip()):
            raise UsageError(f"--column {pair!r}: write WHAT=NAME, as task=image_url.")
        columns[what.strip()] = name.strip()
    return columns


def _lines(outcome: Outcome, out: str) -> list[tuple[str, str]]:
    consensus, answers = outcome.consensus, outcome.answers
    tasks = consensus.labels.num_rows
    certain = tasks - outcome.relabel
    asked = tasks - len(answers.machine)  # of people
    folder = out.rstrip("/")
    share = f" ({certain / tasks:.0%})" if tasks else ""
    ties = sum(bool(tie) for tie in consensus.labels["tied"])
    tied = f", {count(ties, 'tie')} among them" if ties else ""
    lines = [
        ("tasks", f"{tasks:,}"),
        (
            "answers",
            f"{len(answers):,} from {count(consensus.workers.num_rows, 'worker')}"
            + (f", {len(answers) / asked:.1f} a task" if asked else ""),
        ),
        *_machine(answers),
        ("method", consensus.method),
        ("certain", f"{certain:,}{share}; {outcome.relabel:,} to ask again{tied}"),
    ]
    if consensus.alpha == consensus.alpha:  # not NaN
        lines.append(("agreement", f"Krippendorff's alpha {consensus.alpha:.2f}"))
    lines += _labels(outcome)
    if consensus.gold.get("tasks"):
        lines.append(("gold", _gold(consensus.gold)))
    lines += _disagreements(outcome)
    lines += _flagged(outcome)
    lines += _oddities(answers.oddities)
    if answers.oddities:
        lines.append(("", f"all {len(answers.oddities):,} in {folder}/oddities.csv"))
    lines.append(("labels", f"{folder}/labels.csv, {folder}/output.manifest"))
    if outcome.relabel:
        lines.append(("ask again", f"{folder}/relabel.manifest"))
    return lines


def _machine(answers: Answers) -> list[tuple[str, str]]:
    number = len(answers.machine)
    return [("automatic", f"{count(number, 'task')} labeled by the job itself")] if number else []


def _labels(outcome: Outcome) -> list[tuple[str, str]]:
    from collections import Counter

    consensus = outcome.consensus
    if consensus.kind == "mask":
        return []
    counts: Counter[str] = Counter()
    for label in consensus.labels["label"]:
        if isinstance(label, str):
            counts[label] += 1
        else:
            counts.update(part if isinstance(part, str) else part.label for part in label or ())
    noun = {"boxes": "boxes", "spans": "spans"}.get(consensus.kind, "labels")
    common = ", ".join(f"{name} {number:,}" for name, number in counts.most_common(8))
    more = count(len(counts) - 8, "more class", "more classes")
    return [(noun, (common or "none") + (f" and {more}" if len(counts) > 8 else ""))]


def _gold(gold: dict[str, float]) -> str:
    tasks = int(gold["tasks"])
    text = f"{count(tasks, 'known answer')}"
    if gold.get("accuracy") is not None:
        text += f", of which the workers alone give {gold['accuracy']:.1%}"
    return text


def _disagreements(outcome: Outcome) -> list[tuple[str, str]]:
    labels = outcome.consensus.labels
    rows = outcome.disagreements()
    if not rows:
        return []
    lines = [("model", f"differs from the people on {count(len(rows), 'task')}; the surest first")]
    for row in rows[:SHOWN]:
        people, model = (
            f"{labels[f'{who}_label'][row]} {labels[f'{who}_confidence'][row]:.2f}"
            for who in ("plain", "model")
        )
        lines.append(("", f"{labels['task'][row]}: people {people}, model {model}"))
    if len(rows) > SHOWN:
        lines.append(("", f"… and {len(rows) - SHOWN:,} more; model_label in labels.csv"))
    return lines


def _flagged(outcome: Outcome) -> list[tuple[str, str]]:
    rows = [row for row in outcome.consensus.workers.rows() if row["flags"]]
    if not rows:
        return [("flagged", "no worker")]
    lines = [("flagged", count(len(rows), "worker"))]
    lines += [("", f"{row['worker']}: {'; '.join(row['flags'])}") for row in rows[:SHOWN]]
    if len(rows) > SHOWN:
        lines.append(("", f"… and {len(rows) - SHOWN:,} more in workers.csv"))
    return lines


def _oddities(oddities: tuple[Oddity, ...]) -> list[tuple[str, str]]:
    by_kind: dict[str, list[Oddity]] = {}
    for oddity in oddities:
        by_kind.setdefault(oddity.kind, []).append(oddity)
    lines = []
    here = f"{Path.cwd()}/"
    for kind, found in by_kind.items():
        first = f"{found[0].where}: {found[0].reason}".replace(here, "")
        lines.append(("odd", f"{len(found):,} {kind}; first: {first}"))
    return lines
