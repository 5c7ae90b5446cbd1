"""`gandt info` and `gandt validate`: say what an index or a manifest holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gandt.cli.output import note, print_json

__all__ = ["INFO_EXAMPLE", "VALIDATE_EXAMPLE", "info", "validate"]

INFO_EXAMPLE = "gandt info pool.index --rejected"
VALIDATE_EXAMPLE = "gandt validate selection.manifest"

SHOWN_REJECTED = 10


def info(
    index: Annotated[Path, typer.Argument(help="Index folder.")] = Path("pool.index"),
    rejected: Annotated[
        bool, typer.Option("--rejected", help="List every rejected image and its reason.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Say what an index holds: images, model, rejected images, search."""
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
    file: Annotated[str, typer.Argument(help="A manifest, local or s3://.", show_default=False)],
    max_findings: Annotated[int, typer.Option(min=1, help="Findings to print of each kind.")] = 3,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail as errors do.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Check a manifest against every limit of SageMaker Ground Truth.

    Names line, key and remedy of each finding. Exit code 1 where a job would refuse or fail.
    """
    from dataclasses import asdict

    from gandt.groundtruth.check import check_manifest

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
