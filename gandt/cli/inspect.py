"""`gandt info` and `gandt validate`: say what an index, a manifest or a job's answers hold."""

from __future__ import annotations

from typing import Annotated

import typer

from gandt.cli.output import note, print_json
from gandt.words import count

__all__ = ["INFO_EXAMPLE", "VALIDATE_EXAMPLE", "info", "validate"]

INFO_EXAMPLE = "gandt info pool.index --rejected"
VALIDATE_EXAMPLE = "gandt validate selection.manifest"

SHOWN_REJECTED = 10
ANSWER_SUFFIXES = (".json", ".csv", ".tsv", ".parquet")


def info(
    index: Annotated[str, typer.Argument(help="Index folder, local or s3://.")] = "pool.index",
    rejected: Annotated[
        bool, typer.Option("--rejected", help="List every rejected image and its reason.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Say what an index holds: images, model, rejects, search."""
    from gandt.index.describe import describe

    facts = describe(index)
    if json:
        print_json(facts.as_json())
        return
    for name, value in facts.lines():
        typer.echo(f"{name:<10} {value}")
    shown = facts.rejected if rejected else facts.rejected[:SHOWN_REJECTED]
    for record in shown:
        typer.echo(f"  {record.uri}: {record.reason}")
    if len(facts.rejected) > len(shown):
        note(f"  … and {len(facts.rejected) - len(shown):,} more; --rejected lists all")


def validate(
    file: Annotated[
        str,
        typer.Argument(
            help="A manifest, the answers of a job (folder, JSON or table), or a template (HTML); "
            "local or s3://.",
            show_default=False,
        ),
    ],
    manifest: Annotated[
        str | None,
        typer.Option(help="Manifest to try a template with.", show_default=False),
    ] = None,
    max_findings: Annotated[int, typer.Option(min=1, help="Findings to print of each kind.")] = 3,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail as errors do.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Check a manifest, the answers of a job, or a template.

    A manifest is held against every limit of SageMaker Ground Truth; line, key and remedy of each
    finding are named. Of answers, what is odd is listed. A template is tried with the lines of a
    manifest. Exit code 1 where a job would refuse or fail.
    """
    from dataclasses import asdict

    from gandt.groundtruth.check import check_manifest

    if file.lower().endswith((".html", ".liquid")):
        _validate_template(file, manifest, strict, json)
        return
    if _holds_answers(file):
        _validate_answers(file, max_findings, strict, json)
        return
    report = check_manifest(file, max_findings=max_findings)
    failed = not report.ok or (strict and report.warnings > 0)
    if json:
        print_json({**asdict(report), "ok": not failed})
    else:
        for finding in report.findings:
            typer.echo(str(finding))
        hidden = report.errors + report.warnings - len(report.findings)
        if hidden:
            typer.echo(f"… and {hidden:,} more of the same kinds (--max-findings)")
        for line in report.describe():
            typer.echo(line)
    if failed:
        raise typer.Exit(1)


def _validate_template(file: str, manifest: str | None, strict: bool, json: bool) -> None:
    from dataclasses import asdict

    from gandt import storage
    from gandt.groundtruth.json_lines import read_objects
    from gandt.labeling.check import check_template
    from gandt.labeling.templates import read_template

    lines = read_objects(storage.normalize(manifest)) if manifest else ()
    findings = check_template(read_template(file), lines)
    errors = sum(finding.severity == "error" for finding in findings)
    failed = errors > 0 or (strict and bool(findings))
    if json:
        print_json({"findings": [asdict(finding) for finding in findings], "ok": not failed})
    else:
        for finding in findings:
            typer.echo(str(finding))
        warnings = len(findings) - errors
        verdict = f"{count(errors, 'error')}, {count(warnings, 'warning')}"
        typer.echo(verdict if findings else "no problem found")
    if failed:
        raise typer.Exit(1)


def _holds_answers(file: str) -> bool:
    from gandt import storage

    return file.lower().endswith(ANSWER_SUFFIXES) or storage.is_folder(file)


def _validate_answers(file: str, max_findings: int, strict: bool, json: bool) -> None:
    from collections import Counter

    from gandt import storage
    from gandt.groundtruth.responses import read_answers

    answers = read_answers([storage.normalize(file)])
    kinds = Counter(oddity.kind for oddity in answers.oddities)
    facts = {
        "kind": answers.kind,
        "tasks": len(set(answers.tasks) | set(answers.task)),
        "answers": len(answers),
        "workers": len(set(answers.worker)),
    }
    if json:
        odd = [{"kind": o.kind, "where": o.where, "reason": o.reason} for o in answers.oddities]
        print_json({**facts, "oddities": odd, "ok": not (strict and odd)})
    else:
        for name, value in facts.items():
            typer.echo(f"{name:<10} {value:,}" if isinstance(value, int) else f"{name:<10} {value}")
        for kind, number in kinds.items():
            typer.echo(f"{kind:<10} {number:,}")
            for oddity in [o for o in answers.oddities if o.kind == kind][:max_findings]:
                typer.echo(f"  {oddity.where}: {oddity.reason}")
            if number > max_findings:
                note(f"  … and {number - max_findings:,} more (--max-findings)")
        typer.echo("nothing odd" if not kinds else f"{kinds.total():,} oddities")
    if strict and kinds:
        raise typer.Exit(1)
