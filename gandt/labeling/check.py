"""What is wrong with a worker page, before anybody is paid for looking at it.

The template is rendered with the lines of the manifest, and what comes out is read as HTML, for
much of what goes wrong (a variable that is empty, an image address without a signature) shows only
there. The limits and rules are those of the SageMaker developer guide, "Creating Custom Labeling
Workflows". Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from liquid import Environment, Undefined
from liquid.exceptions import LiquidError

from gandt.errors import ManifestError
from gandt.groundtruth.findings import Finding, Severity
from gandt.groundtruth.json_lines import SOURCE, SOURCE_REF, decode_tiles
from gandt.labeling.page_html import GRANTED, check_html
from gandt.labeling.render import environment, explain, task_input
from gandt.labeling.templates import baked_labels
from gandt.labeling.widget_html import EARLIER, check_widgets
from gandt.labeling.widgets import WIDGETS, builtin_input, previous_attribute, widget_task

__all__ = ["MAX_TEMPLATE", "check_template"]

MAX_TEMPLATE = 128_000  # characters
_TILE = re.compile(r'class="gt-tile-data" hidden data-index="\d')
_SOME_LABELS = ("one label", "another label")  # of a built-in task, where nobody says its own
# Filters of python-liquid that are not in the Liquid that Ground Truth documents.
_ONLY_HERE = frozenset(
    {
        *("base64_decode", "base64_encode", "base64_url_safe_decode", "base64_url_safe_encode"),
        *("find", "find_index", "has", "reject", "squish", "sum"),
    }
)


def check_template(
    template: str,
    lines: Iterable[tuple[int, Mapping[str, object]]] = (),
    *,
    labels: Sequence[str] = (),
    pre_annotation: bool = True,
) -> tuple[Finding, ...]:
    """Find what would make a page fail, show nothing, or store nothing.

    Parameters
    ----------
    template
        Its text.
    lines
        Number, from 1, and object of each line of the manifest to try it with.
    labels
        Names that the pre-annotation Lambda offers where the line brings none. A page of
        `widgets` is sure to get some from its job, so it is tried with two of its own where
        none are given.
    pre_annotation
        Whether the job has a pre-annotation Lambda; see `render.task_input`.

    Returns
    -------
    findings
        Errors first. The numbers of lines are those of the template where the finding is about
        it alone, and of the manifest where the message says so.
    """
    found: list[Finding] = []
    if len(template) > MAX_TEMPLATE:
        found.append(
            _finding(
                "error",
                "too-long",
                f"the template has {len(template):,} characters and Ground Truth takes "
                f"{MAX_TEMPLATE:,}",
                "take out what is not needed, or load scripts and styles from your own bucket",
            )
        )
    recorder = _Recorder()
    env = recorder.environment()
    found += _check_liquid(template, env)
    if any(finding.severity == "error" and finding.code == "liquid" for finding in found):
        return tuple(found)
    given = list(lines)
    builtin = widget_task(template) if pre_annotation else None
    earlier = "initial-value" in template or "overlay" in template
    for number, record in given or [(0, {})]:
        if builtin is None:
            try:
                task = task_input(record, labels=labels, pre_annotation=pre_annotation)
            except ManifestError as error:
                task = dict(record)
                found += [_refused(number, error)] if given else []
        else:
            prior = WIDGETS[builtin].earlier is not None
            task = builtin_input(record, labels or _SOME_LABELS, prior=prior)
        recorder.line = number
        page = env.from_string(template).render(task={"input": task})
        first = number == (given[0][0] if given else 0)
        if given:
            found += _check_task(template, page, number, record)
            found += _check_builtin(template, number, record)
        if first:
            found += check_html(page)
        if first or earlier:
            seen = check_widgets(page, labels_known=bool(labels) or builtin is None)
            found += [
                finding if finding.code != EARLIER else replace(finding, line=number)
                for finding in seen
                if first or finding.code == EARLIER
            ]
    if given:
        found += recorder.findings(len(given))
    unique = {(f.code, f.key, f.message): f for f in reversed(found)}
    return tuple(
        sorted(
            reversed(unique.values()),
            key=lambda finding: (finding.severity != "error", finding.line),
        )
    )


def _finding(
    severity: Severity,
    code: str,
    message: str,
    remedy: str,
    *,
    line: int = 0,
    key: str | None = None,
) -> Finding:
    return Finding(line, key, severity, code, message, remedy)


def _refused(number: int, error: ManifestError) -> Finding:
    reason = str(error).rstrip(".")
    return _finding(
        "error",
        "refused",
        f"the pre-annotation Lambda cannot show this line of the manifest ({reason})",
        "correct the line (`gandt validate` lists all that is wrong), or take it out",
        line=number,
    )


# ---------------------------------------------------------------------------------------- Liquid


class _Recorder:
    """Notes which variables came out empty, by line of the manifest."""

    def __init__(self) -> None:
        self.line = 0
        self.missing: dict[str, list[int]] = {}

    def environment(self) -> Environment:
        recorder = self

        class Missing(Undefined):
            """A variable that the task does not have; a test of it, as by `if`, is no use of it."""

            __slots__ = ()

            def _use(self) -> None:
                hint = (self.hint or f"{self.name} is undefined").removesuffix(" is undefined")
                lines = recorder.missing.setdefault(hint.strip("'"), [])
                if not lines or lines[-1] != recorder.line:
                    lines.append(recorder.line)

            def __str__(self) -> str:
                self._use()
                return ""

            def __len__(self) -> int:
                self._use()
                return 0

        return environment(lambda uri: GRANTED + uri, undefined=Missing)

    def findings(self, lines: int) -> list[Finding]:
        return [
            _finding(
                "error" if len(where) == lines else "warning",
                "missing-variable",
                f"`{name}` is on "
                + (
                    f"none of the {lines:,} lines tried"
                    if len(where) == lines
                    else f"{lines - len(where):,} of the {lines:,} lines tried, "
                    f"and first missing on line {where[0]} of the manifest"
                ),
                "write it into the manifest (or have the pre-annotation Lambda give it), or put "
                "what uses it inside {% if … %}",
                key=name,
            )
            for name, where in self.missing.items()
        ]


def _check_liquid(template: str, env: Environment) -> list[Finding]:
    try:
        parsed = env.from_string(template)
    except LiquidError as error:
        return [
            _finding(
                "error",
                "liquid",
                f"Liquid does not understand it ({explain(error)})",
                "correct the tag; close every {% if %} and {% for %}, and use no includes, for "
                "the template must be one file",
            )
        ]
    found = []
    for name, spans in parsed.analyze().filters.items():
        line = template.count("\n", 0, spans[0].index) + 1
        if name not in env.filters:
            found.append(
                _finding(
                    "error",
                    "liquid",
                    f"the filter `{name}` on line {line} of the template does not exist",
                    "use a filter of Liquid, or to_json, grant_read_access, escape_once or "
                    "skip_autoescape",
                    line=line,
                )
            )
        elif name in _ONLY_HERE:
            found.append(
                _finding(
                    "warning",
                    "filter",
                    f"the filter `{name}` on line {line} of the template is not one that Ground "
                    "Truth documents",
                    "do it in the pre-annotation Lambda or in a script",
                    line=line,
                )
            )
    return found


def _check_builtin(template: str, number: int, record: Mapping[str, object]) -> list[Finding]:
    """What a page of `widgets` needs of a line; its widget would only show nothing."""
    task = widget_task(template)
    if task is None:
        return []
    line = record.get("manifestLine", record)  # the input of the page may be given for the line
    if not isinstance(line, Mapping):
        return []
    found = []
    widget = WIDGETS[task]
    key = SOURCE if widget.data == "text" else SOURCE_REF
    if not line.get(key) and not record.get("taskObject"):
        what = {"image": "an image", "text": "a text", "video": "a video clip"}[widget.data]
        found.append(
            _finding(
                "error",
                "no-subject",
                f"the page asks about {what} and this line of the manifest has no `{key}`",
                "take the task that fits the manifest",
                line=number,
                key=key,
            )
        )
    name = previous_attribute(template)
    if name is not None and name not in line:
        found.append(
            _finding(
                "error",
                "no-earlier-labels",
                f"this line of the manifest has no labels {name!r} to look at",
                "leave the lines out that the earlier job did not label, or name another attribute",
                line=number,
                key=name,
            )
        )
    return found


def _check_task(
    template: str, page: str, number: int, record: Mapping[str, object]
) -> list[Finding]:
    """What our own pages need of a task; they can say so only to the worker."""
    baked = baked_labels(template)
    if baked is None:
        return []
    found = []

    def error(code: str, key: str | None, message: str, remedy: str) -> None:
        found.append(_finding("error", code, message, remedy, line=number, key=key))

    for place, what, key in (("image", "an image", SOURCE_REF), ("text", "a text", SOURCE)):
        if f"hidden data-{place}=" in page and not record.get(key):
            error(
                "no-subject",
                key,
                f"the page asks about {what} and this line of the manifest has no `{key}`",
                "take the page that fits the manifest (gandt template list)",
            )
    if 'hidden data-source="' in page and not _TILE.search(page):
        source = record.get(SOURCE)
        tiled = isinstance(source, str) and decode_tiles(source) is not None
        error(
            "tiles",
            SOURCE,
            "Liquid cannot decode the tiles in `source`, so the page would show no image"
            if tiled
            else "the page shows tiles and this line of the manifest has none",
            "give the job the pre-annotation Lambda, or put the same list under the key `tiles` "
            "of each line"
            if tiled
            else "take the page that fits the manifest (gandt template list), or write tiled tasks "
            "(--group-size of `gandt select` and `gandt manifest`)",
        )
    if not baked and ' data-labels="' not in page:
        error(
            "no-labels",
            None,
            "the page has no labels to offer",
            "bake them into it (--labels cat,dog), or write a list `labels` into each line",
        )
    return found
