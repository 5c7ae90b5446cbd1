"""What is wrong with a worker page, before anybody is paid for looking at it.

The template is rendered with the lines of the manifest, and what comes out is read as HTML, for
much of what goes wrong (a variable that is empty, an image address without a signature) shows only
there. The limits and rules are those of the SageMaker developer guide, "Creating Custom Labeling
Workflows". Pure functions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from liquid import Environment, Undefined
from liquid.exceptions import LiquidError

from gandt.groundtruth.findings import Finding, Severity
from gandt.groundtruth.json_lines import SOURCE, SOURCE_REF, decode_tiles
from gandt.labeling.render import CROWD_SCRIPT, environment, explain, task_input
from gandt.labeling.templates import baked_labels

__all__ = ["MAX_TEMPLATE", "check_template"]

MAX_TEMPLATE = 128_000  # characters
_GRANTED = "https://granted.invalid/"
_TEXT_FIELDS = frozenset(
    {"textarea", "select", "crowd-input", "crowd-text-area", "crowd-slider", "crowd-toggle-button"}
)
_WIDGETS = re.compile(
    r"crowd-(checkbox|radio-button|bounding-box|polygon|polyline|keypoint|semantic-segmentation|"
    r"instance-segmentation|line|(image-)?classifier(-multi-select)?|entity-annotation)"
)
_TICKS = frozenset({"radio", "checkbox"})
_NO_FIELDS = frozenset({"submit", "button", "reset", "image", "file"})
_LOADERS = {"script": "src", "link": "href", "img": "src", "iframe": "src"}
_OWN_FORM = "crowd-entity-annotation"  # brings a form and a button of its own
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
        Names that the pre-annotation Lambda offers where the line brings none.
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
    for number, record in given or [(0, {})]:
        if given:
            found += _check_line(template, number, record, labels, pre_annotation)
        task = task_input(record, labels=labels, pre_annotation=pre_annotation)
        recorder.line = number
        page = env.from_string(template).render(task={"input": task})
        if number == (given[0][0] if given else 0):
            found += _check_html(page)
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

        return environment(lambda uri: _GRANTED + uri, undefined=Missing)

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
        line = template.count("\n", 0, spans[0].start) + 1
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


def _check_line(
    template: str,
    number: int,
    record: Mapping[str, object],
    labels: Sequence[str],
    pre_annotation: bool,
) -> list[Finding]:
    """What our own pages need of a line and cannot say themselves."""
    baked = baked_labels(template)
    if baked is None:
        return []
    found = []
    source = record.get(SOURCE)
    tiles = decode_tiles(source) if isinstance(source, str) and SOURCE_REF not in record else None
    listed = record.get("tiles")
    offered = tiles or (listed if isinstance(listed, list) else None) or [None]
    first = offered[0]
    from_tiles = isinstance(first, Mapping) and bool(first.get("event_names"))
    if tiles is not None and not pre_annotation and not isinstance(listed, list):
        found.append(
            _finding(
                "error",
                "tiles",
                "Liquid cannot decode the tiles in `source`, so the page would show no image",
                "give the job the pre-annotation Lambda, or put the same list under the key "
                "`tiles` of each line",
                line=number,
                key=SOURCE,
            )
        )
    handed_on = bool(labels) and pre_annotation
    if not baked and not record.get("labels") and not from_tiles and not handed_on:
        found.append(
            _finding(
                "error",
                "no-labels",
                "the page has no labels to offer",
                "bake them into it (--labels cat,dog), or write a list `labels` into each line",
            )
        )
    return found


# ------------------------------------------------------------------------------------------ HTML


@dataclass(slots=True)
class _Page(HTMLParser):
    forms: int = 0
    script: bool = False
    fields: Counter[str] = field(default_factory=Counter)  # text fields by name
    ticks: set[str] = field(default_factory=set)
    nameless: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    nested_own_form: bool = False
    own_form: bool = False
    bare: list[str] = field(default_factory=list)  # S3 addresses that no browser can load
    hosts: set[str] = field(default_factory=set)
    _depth: int = 0

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "crowd-form":
            self.forms += 1
            self._depth += 1
        elif tag == _OWN_FORM:
            self.own_form = True
            self.nested_own_form = self.nested_own_form or self._depth > 0
        if tag == "script" and found.get("src") == CROWD_SCRIPT:
            self.script = True
        address = found.get(_LOADERS.get(tag, ""), "")
        if re.match(r"(https?:)?//", address) and not address.startswith(_GRANTED):
            host = re.sub(r"^(https?:)?//", "", address).split("/")[0]
            if tag != "img" and host != "assets.crowd.aws":
                self.hosts.add(host)
        for name in ("src", "image-src", "href"):
            if found.get(name, "").startswith("s3://"):
                self.bare.append(found[name])
        self._field(tag, found)

    def _field(self, tag: str, found: Mapping[str, str]) -> None:
        kind = found.get("type", "text").lower()
        if tag == "input" and kind in _NO_FIELDS:
            return
        is_text = tag in _TEXT_FIELDS or (tag == "input" and kind not in _TICKS)
        if not is_text and tag != "input" and not _WIDGETS.fullmatch(tag):
            return
        name = found.get("name", "")
        said = f"<{tag}>" if tag != "input" else f'<input type="{kind}">'
        if not name:
            if not (tag == "crowd-radio-button" or (tag == "input" and self._depth == 0)):
                self.nameless.append(said)
        elif self._depth == 0 and tag != _OWN_FORM:
            self.outside.append(f"{said} named {name!r}")
        elif is_text:
            self.fields[name] += 1
        else:
            self.ticks.add(name)

    def handle_endtag(self, tag: str) -> None:
        if tag == "crowd-form" and self._depth:
            self._depth -= 1


def _check_html(page: str) -> list[Finding]:
    seen = _Page()
    seen.feed(page)
    seen.close()
    found = []

    def error(code: str, message: str, remedy: str) -> None:
        found.append(_finding("error", code, message, remedy))

    def warning(code: str, message: str, remedy: str) -> None:
        found.append(_finding("warning", code, message, remedy))

    if not seen.script:
        error(
            "no-script",
            "the template does not load the crowd elements",
            f'add <script src="{CROWD_SCRIPT}"></script>',
        )
    if seen.forms == 0 and not seen.own_form:
        error(
            "no-form",
            "there is no <crowd-form>, so nothing could be submitted",
            "put all fields inside one <crowd-form>",
        )
    elif seen.forms > 1:
        error(
            "forms",
            f"there are {seen.forms} <crowd-form> where Ground Truth sends one",
            "put all fields inside one <crowd-form>",
        )
    if seen.nested_own_form:
        error(
            "own-form",
            f"<{_OWN_FORM}> stands inside a <crowd-form> though it brings its own",
            "take the <crowd-form> away from around it",
        )
    if seen.forms and not seen.fields and not seen.ticks and not seen.own_form:
        error(
            "no-fields",
            "the form has no field with a name, so answers would be empty",
            "give each field a name",
        )
    for said, times in Counter(seen.nameless).items():
        many = f"{times} fields {said} have" if times > 1 else f"the field {said} has"
        error("no-name", f"{many} no name, so what it holds would be lost", "give it a name")
    for said in dict.fromkeys(seen.outside):
        error(
            "outside",
            f"the field {said} stands outside the <crowd-form>, so it would be lost",
            "move it inside",
        )
    for name, times in seen.fields.items():
        if times > 1:
            warning(
                "same-name",
                f"{times} fields are named {name!r}, and only the last would be stored",
                "give each a name of its own",
            )
    for address in dict.fromkeys(seen.bare[:3]):
        error(
            "no-access",
            f"the address {address} reaches the page as it is, and no browser can load it",
            "write {{ … | grant_read_access }}",
        )
    for host in sorted(seen.hosts):
        warning(
            "foreign-host",
            f"the page loads code from {host}; when that host fails, paid work stops",
            "copy what it loads into the template",
        )
    return found
