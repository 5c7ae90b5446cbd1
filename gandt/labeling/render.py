"""Templates become pages: Liquid as SageMaker Ground Truth renders it, on this machine.

Every value is escaped unless the template says `skip_autoescape`; beside the filters of Liquid
there are those of the developer guide ("Create a custom worker task template"). Where Ground Truth
loads its crowd elements from the net, a page shown without it can hold our stand-in. Nothing is
read or written but the stand-in's own file.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence

from liquid import Environment, Undefined
from liquid.exceptions import LiquidError
from markupsafe import Markup

from gandt.errors import ManifestError
from gandt.labeling.templates import read_stand_in
from gandt.task_input import line_input

__all__ = ["CROWD_SCRIPT", "GrantReadAccess", "environment", "render_page", "task_input"]

CROWD_SCRIPT = "https://assets.crowd.aws/crowd-html-elements.js"
GrantReadAccess = Callable[[str], str]  # URI to what the worker's browser can load

_CROWD_TAG = re.compile(
    rf"""<script\b[^>]*\bsrc\s*=\s*["']{re.escape(CROWD_SCRIPT)}["'][^>]*>\s*</script>""", re.I
)
_OWN_CODE = re.compile(r"<(script|style)\b(?![^>]*\bnonce=)", re.I)
_WIDGET = re.compile(
    r"<crowd-((image-)?classifier(-multi-select)?|bounding-box|semantic-segmentation)[\s>]"
)


def task_input(
    record: Mapping[str, object],
    *,
    labels: Sequence[str] = (),
    pre_annotation: bool = True,
) -> dict[str, object]:
    """What a template finds under `task.input` for a line of a manifest.

    Parameters
    ----------
    record
        The line.
    labels
        Names to offer, where the line brings none; a job without a Lambda cannot hand them on.
    pre_annotation
        Whether our pre-annotation Lambda stands between: then it is what that gives, `taskObject`
        among it; see `line_input`. Without one, the line itself is the input.

    Raises
    ------
    ManifestError
        Where the Lambda would refuse the line, for it names nothing that could be shown.
    """
    if not pre_annotation:
        return dict(record)
    found = line_input(record)
    if labels and "labels" not in found:
        found["labels"] = list(labels)
    return found


def environment(
    grant_read_access: GrantReadAccess, *, undefined: type[Undefined] = Undefined
) -> Environment:
    """Make a Liquid environment that escapes and filters as Ground Truth does."""

    def to_json(value: object) -> str:
        """JSON that can also stand in a script; not marked safe, so it is escaped as text is."""
        if isinstance(value, Undefined):
            return str(value) or "null"
        text = json.dumps(value, ensure_ascii=False, default=str)
        return (
            text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
        )

    def grant(value: object) -> str:
        text = str(value)
        return grant_read_access(text) if text else ""

    def escape_once(value: object) -> Markup:
        return Markup(html.escape(html.unescape(str(value))))

    made = Environment(autoescape=True, undefined=undefined)
    for name in ("include", "render"):  # a template of Ground Truth is one file
        made.tags.pop(name, None)
    for name in ("safe", "escapejs"):  # of python-liquid alone
        made.filters.pop(name, None)
    made.filters.update(
        to_json=to_json,
        grant_read_access=grant,
        skip_autoescape=lambda value: Markup(str(value)),
        escape_once=escape_once,
    )
    return made


def render_page(
    template: str,
    task: Mapping[str, object],
    *,
    grant_read_access: GrantReadAccess,
    stand_in: bool = False,
    action: str | None = None,
    nonce: str | None = None,
) -> str:
    """Render a worker page for one task.

    Parameters
    ----------
    template
        Its text; see `gandt.labeling.templates`.
    task
        What the template finds under `task.input`; see `task_input`.
    grant_read_access
        Turns the URI of an image into an address that the worker's browser can load.
    stand_in
        Whether our stand-in takes the place of the crowd elements, so that the page needs no
        network.
    action
        Where the stand-in posts the answer; where None, it shows it.
    nonce
        Put on every script and style of the template, for a strict content security policy.

    Raises
    ------
    ManifestError
        Where the template is not Liquid that Ground Truth would take.
    """
    text = template
    if nonce is not None:
        text = _OWN_CODE.sub(rf'<\1 nonce="{html.escape(nonce)}"', text)
    try:
        page = environment(grant_read_access).from_string(text).render(task={"input": dict(task)})
    except LiquidError as error:
        raise ManifestError(f"The template cannot be rendered: {explain(error)}.") from error
    if action is not None:
        page = page.replace("<crowd-form", f'<crowd-form data-action="{html.escape(action)}"', 1)
    if stand_in:
        mark = "" if nonce is None else f' nonce="{html.escape(nonce)}"'
        script = (
            f"<script{mark}>\n{read_stand_in(widgets=_WIDGET.search(page) is not None)}</script>"
        )
        page = _CROWD_TAG.sub(lambda _: script, page)
    return page


def explain(error: LiquidError) -> str:
    """Say in one line what Liquid objects to, and where."""
    reason = str(error.args[0] if error.args else error).splitlines()[0]
    token = error.token
    if token is None or token.start_index < 0:
        return reason
    line = token.source.count("\n", 0, token.start_index) + 1
    return f"line {line}: {reason}"
