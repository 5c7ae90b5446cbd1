"""How `gandt launch` says what it is going to do, and what its checks found."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import typer

from gandt.cli.output import duration, note, size
from gandt.jobs.plan import Check, JobPlan
from gandt.words import count

__all__ = ["plan_as_json", "show_plan"]


def show_plan(plan: JobPlan, checks: Sequence[Check]) -> None:
    """Print the plan, and what a person should look at, each with its remedy."""
    settings, human = plan.settings, plan.request["HumanTaskConfig"]
    people = human["NumberOfHumanWorkersPerDataObject"]
    rows = [
        ("job", f"{plan.names.job}: {plan.task.says}, in {plan.names.region}"),
        ("labels", ", ".join(settings.labels) or "none; the page brings its own"),
        ("objects", _objects(plan)),
        (
            "people",
            f"{people} to an object, team {plan.names.workteam.rpartition('/')[2]}, "
            f"{_limit(human['TaskTimeLimitInSeconds'])} for a task",
        ),
        ("answers", f"{plan.to_label * people:,} at most"),
        ("attribute", plan.names.attribute),
        ("results", f"{plan.documents.output}/{plan.names.job}/"),
    ]
    for words, amount in plan.cost.parts:
        rows.append(("cost", f"{_money(amount)} {words}"))
    rows.append(("in all", f"about {_money(plan.cost.total)}"))
    for words in plan.cost.without:
        rows.append(("", f"without {words}"))
    for name, text in rows:
        typer.echo(f"{name:<13} {text}")
    fine = sum(check.status == "ok" for check in checks)
    typer.echo(f"{'checks':<13} {fine} fine" + _others(checks))
    for line in plan.notes:
        note(f"note: {line}")
    for status in ("skipped", "warning", "error"):
        for check in checks:
            if check.status == status:
                word = "not checked" if status == "skipped" else status
                note(f"{word}: {check.name}: {check.message}")
                if check.fix:
                    note(f"    fix: {check.fix}")


def _limit(seconds: int) -> str:
    return duration(seconds).replace(" 00 s", "").replace(" h 00 min", " h")


def _objects(plan: JobPlan) -> str:
    there = len(plan.images) - len(plan.uploads)
    text = count(len(plan.records), "object")
    if plan.to_label < len(plan.records):
        text += f", {plan.to_label:,} of them to label,"
    if plan.images:
        text += f" with {count(len(plan.images), 'image')}"
        sizes = {facts.uri: facts.size for facts in plan.images}
        sending = sum(sizes[uri] for uri in plan.uploads)
        if plan.uploads:
            text += f": {len(plan.uploads):,} from this machine ({size(sending)})"
            text += f", {there:,} on S3" if there else ""
        else:
            text += ", all on S3"
    return text


def _others(checks: Sequence[Check]) -> str:
    words = {"skipped": "not checked", "warning": "to look at", "error": "failed"}
    found = {status: sum(check.status == status for check in checks) for status in words}
    return "".join(f", {number} {words[status]}" for status, number in found.items() if number)


def _money(amount: Decimal | None) -> str:
    return "?" if amount is None else f"${amount:,.2f}"


def plan_as_json(plan: JobPlan, checks: Sequence[Check], dry_run: bool) -> dict[str, object]:
    """Say the same for machines, with the request itself."""
    return {
        "job": plan.names.job,
        "region": plan.names.region,
        "attribute": plan.names.attribute,
        "objects": len(plan.records),
        "to_label": plan.to_label,
        "images": len(plan.images),
        "to_upload": len(plan.uploads),
        "cost": {
            "parts": [
                {"what": words, "usd": None if amount is None else str(amount)}
                for words, amount in plan.cost.parts
            ],
            "total_usd": str(plan.cost.total),
            "without": list(plan.cost.without),
        },
        "checks": [
            {"name": c.name, "status": c.status, "message": c.message, "fix": c.fix} for c in checks
        ],
        "notes": list(plan.notes),
        "dry_run": dry_run,
        "request": dict(plan.request),
    }
