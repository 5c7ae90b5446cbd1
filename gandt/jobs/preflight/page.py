"""Whether the page that workers get shows their tasks: looked at here, and rendered by AWS.

The first looks at the page as it comes out for lines from all over the manifest; the second asks
SageMaker's RenderUiTemplate, which needs the role and knows the crowd elements (developer guide,
"Creating Custom Labeling Workflows").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from liquid.exceptions import LiquidError

from gandt import aws
from gandt.aws import AwsError
from gandt.groundtruth.findings import Finding
from gandt.groundtruth.json_lines import dump
from gandt.jobs.plan import Check, JobPlan
from gandt.jobs.preflight.words import command, error, fine, not_asked, skipped
from gandt.labeling.check import check_template
from gandt.labeling.render import task_input
from gandt.labeling.widgets import builtin_input
from gandt.words import count

__all__ = ["check_page", "check_rendering"]

_LINES = 50  # of the manifest, that the page is tried with
_MOST_INPUT = 128_000  # characters that RenderUiTemplate takes


def check_page(plan: JobPlan) -> list[Check]:
    """Render the page with some lines and look at what comes out."""
    name = "worker page"
    if plan.template is None:
        return [fine(name, "AWS's own")]
    lines = [(number, plan.records[number - 1]) for number in _spread(plan)]
    try:
        found = _findings(plan, plan.template, lines)
    except (LiquidError, TypeError, ValueError) as problem:  # some filters let Python's through
        return [
            error(
                name,
                f"Liquid cannot fill it with a line of the manifest ({_one_line(problem)})",
                f"correct the template; {_preview(plan)}",
            )
        ]
    if not found:
        return [fine(name, f"shows what it should for {count(len(lines), 'line')} of the manifest")]
    return [
        Check(
            name,
            finding.severity,
            (f"line {finding.line}: " if finding.line and finding.key else "") + finding.message,
            finding.remedy,
        )
        for finding in found
    ]


def _findings(
    plan: JobPlan, template: str, lines: Sequence[tuple[int, Mapping[str, object]]]
) -> tuple[Finding, ...]:
    if plan.task.custom:
        return check_template(template, lines, pre_annotation=plan.settings.pre_lambda is not None)
    # What AWS's own functions hand on is no line of a manifest that the check knows.
    given = [(number, _input(plan, record)) for number, record in lines]
    return check_template(template, given, pre_annotation=False)


def check_rendering(plan: JobPlan) -> list[Check]:
    """Have AWS render the page for the first line."""
    name = "worker page, rendered by AWS"
    if plan.template is None or not plan.records:
        return []
    by_hand = _preview(plan)
    given = dump(_input(plan, plan.records[0]))
    if len(given) > _MOST_INPUT:
        return [skipped(name, "the first task is longer than RenderUiTemplate takes", by_hand)]
    try:
        answer = aws.call(
            "sagemaker",
            "render_ui_template",
            plan.names.region,
            UiTemplate={"Content": plan.template},
            Task={"Input": given},
            RoleArn=plan.settings.role,
        )
    except AwsError as failure:
        return [not_asked(name, failure, by_hand)]
    errors = answer.get("Errors") or []
    if not errors:
        return [fine(name, "without an error")]
    return [
        error(
            name,
            f"{problem.get('Code', 'error')}: {_one_line(problem.get('Message', ''))}",
            f"correct the template; {_preview(plan)}",
        )
        for problem in errors
    ]


def _input(plan: JobPlan, record: Mapping[str, object]) -> dict[str, object]:
    """Give what the page finds under `task.input` for a line."""
    if plan.task.custom:
        return task_input(record, pre_annotation=plan.settings.pre_lambda is not None)
    return builtin_input(record, plan.settings.labels, prior=plan.task.prior)


def _spread(plan: JobPlan) -> list[int]:
    """Choose lines from the first to the last, evenly; numbers from 1."""
    last = len(plan.records)
    if last <= _LINES:
        return list(range(1, last + 1))
    return [1 + step * (last - 1) // (_LINES - 1) for step in range(_LINES)]


def _preview(plan: JobPlan) -> str:
    """Say how a person can look at the page."""
    page, manifest = plan.settings.template, plan.settings.manifest
    if page is None:
        return "look at it in the preview of a job with a few lines of the manifest"
    shown = command("gandt", "template", "render", page, "--manifest", manifest)
    return f"look at it with {shown}"


def _one_line(value: object) -> str:
    return " ".join(str(value).split()).rstrip(".")
