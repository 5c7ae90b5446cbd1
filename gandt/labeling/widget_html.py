"""The crowd widgets of a rendered page: what they would not understand, not load, or not show.

Elements, their attributes and the documented numbers are those of the SageMaker developer guide,
"Crowd HTML Elements Reference". Attributes hold JSON, or what the guide prints in its place: single
quotes, bare keys, a comma at the end. Pure functions.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

from gandt.groundtruth.findings import Finding

__all__ = ["EARLIER", "check_widgets", "read_loosely"]

EARLIER = "earlier-labels"  # the code of findings about one line's labels, not about the page

# Widget: the attribute with its names, and how many of these are documented where a number is.
_CHOICES = {
    "crowd-image-classifier": ("categories", 10),
    "crowd-image-classifier-multi-select": ("categories", None),
    "crowd-classifier": ("categories", None),
    "crowd-classifier-multi-select": ("categories", None),
    "crowd-bounding-box": ("labels", 10),
    "crowd-semantic-segmentation": ("labels", None),
    "crowd-instance-segmentation": ("labels", None),
    "crowd-keypoint": ("labels", None),
    "crowd-line": ("labels", None),
    "crowd-polygon": ("labels", None),
    "crowd-polyline": ("labels", None),
}
_WITHOUT_PICTURE = frozenset({"crowd-classifier", "crowd-classifier-multi-select"})
_KNOWN = frozenset(
    {
        *_CHOICES,
        *("crowd-alert", "crowd-badge", "crowd-button", "crowd-card", "crowd-checkbox"),
        *(
            "crowd-entity-annotation",
            "crowd-fab",
            "crowd-form",
            "crowd-icon-button",
            "crowd-input",
            "crowd-instructions",
        ),
        *("crowd-modal", "crowd-radio-button", "crowd-radio-group", "crowd-slider", "crowd-tab"),
        *("crowd-tabs", "crowd-text-area", "crowd-toast", "crowd-toggle-button"),
        *("crowd-textract-analyze-document", "crowd-rekognition-detect-moderation-labels"),
    }
)
_LOOSE = re.compile(
    r'"(?:\\.|[^"\\])*"'  # text as JSON has it
    r"|'(?P<single>(?:\\.|[^'\\])*)'"
    r"|(?P<key>[A-Za-z_$][\w$-]*)(?=\s*:)"
    r"|(?P<last>,)(?=\s*[\]}])"
    r"|.",
    re.S,
)
_MOST_SHOWN = 60  # characters of a value in a message


def read_loosely(text: str) -> object:
    """Read JSON as the crowd elements do.

    Raises
    ------
    ValueError
        Where it is neither JSON nor its looser kind.
    """
    try:
        return json.loads(text)
    except ValueError:
        pass

    def strict(found: re.Match[str]) -> str:
        if found["single"] is not None:
            return json.dumps(re.sub(r"\\(.)", r"\1", found["single"]))
        if found["key"] is not None:
            return json.dumps(found["key"])
        return "" if found["last"] else found[0]

    return json.loads(_LOOSE.sub(strict, text))


def check_widgets(page: str, *, labels_known: bool = True) -> list[Finding]:
    """Find what the widgets of a page would trip over.

    Parameters
    ----------
    page
        The rendered page.
    labels_known
        Whether its labels are those of the job; where not, earlier labels are not held against
        them.
    """
    seen = _Widgets()
    seen.feed(page)
    seen.close()
    found = [_unknown(tag) for tag in dict.fromkeys(seen.unknown)]
    for tag, attributes in seen.widgets:
        found += _widget(tag, attributes, labels_known)
    return found


@dataclass(slots=True)
class _Widgets(HTMLParser):
    widgets: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _CHOICES:
            self.widgets.append((tag, dict(attrs)))
        elif tag.startswith("crowd-") and tag not in _KNOWN:
            self.unknown.append(tag)


def _unknown(tag: str) -> Finding:
    near = difflib.get_close_matches(tag, sorted(_KNOWN), n=1)
    meant = f"write <{near[0]}> if that is meant" if near else "take one of the reference"
    return _error(
        "unknown-element", f"<{tag}> is no crowd element, so it would show nothing", meant
    )


def _widget(
    tag: str, attributes: Mapping[str, str | None], labels_known: bool
) -> Iterator[Finding]:
    name, documented = _CHOICES[tag]
    if "src" not in attributes and tag not in _WITHOUT_PICTURE:
        yield _error(
            "no-picture",
            f"<{tag}> has no `src`, so there is nothing to look at",
            'write src="{{ task.input.taskObject | grant_read_access }}"',
        )
    labels: list[str] | None = None
    remedy = f'write {name}="{{{{ task.input.labels | to_json | escape }}}}"'
    given = attributes.get(name)
    if given is None:
        yield _error("categories", f"<{tag}> has no `{name}` to choose from", remedy)
    elif given.strip() not in ("null", ""):  # a variable that is missing is a finding of its own
        labels = _names(given)
        if not labels:
            yield _error(
                "categories",
                f"`{name}` of <{tag}> is {_brief(given)} and not a JSON list of names",
                remedy,
            )
        elif documented is not None and len(labels) > documented:
            yield Finding(
                0,
                None,
                "warning",
                "many-categories",
                f"<{tag}> is documented with at most {documented} `{name}` and gets {len(labels)}",
                "try the page with a job of one image first, or ask in two rounds",
            )
    for earlier in ("initial-value", "overlay"):
        text = attributes.get(earlier)
        if text is not None:
            yield from _earlier(tag, earlier, text, labels if labels_known else None)


def _names(text: str) -> list[str]:
    try:
        value = read_loosely(text)
    except ValueError:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return []
    return [str(item) for item in value]


def _earlier(tag: str, name: str, text: str, labels: list[str] | None) -> Iterator[Finding]:
    """Look at what was marked before, as a widget is given it to show."""
    try:
        value = read_loosely(text)
    except ValueError:
        yield _error(
            EARLIER,
            f"`{name}` of <{tag}> is {_brief(text)} and not JSON",
            "write each value with `| to_json | escape`, and a comma between two only",
        )
        return
    boxes, area = _parts(value)
    address = area.get("src")
    if isinstance(address, str) and address.startswith("s3://"):
        yield _error(
            "no-access",
            f"the address {address} reaches the page as it is, and no browser can load it",
            "write {{ … | grant_read_access }}",
        )
    if name != "initial-value":
        return  # an overlay is only looked at
    mappings = area.get("labelMappings")
    used = [box.get("label") for box in boxes if isinstance(box, dict)]
    used += list(mappings) if isinstance(mappings, dict) else []
    if any(not isinstance(label, str) for label in used):
        yield _error(
            EARLIER,
            "some earlier boxes are of a class whose name is not in the `class-map`",
            "give each class its name in the metadata of the earlier labels",
        )
    for label in dict.fromkeys(label for label in used if isinstance(label, str)):
        if labels and label not in labels:
            yield _error(
                EARLIER,
                f"the earlier labels hold {label!r}, which is none of the labels of this job",
                "offer all labels of the earlier job in this one; more may be added",
            )


def _parts(value: object) -> tuple[list[object], Mapping[str, object]]:
    """Find boxes and area, in the shape of an overlay or of an initial value."""
    if isinstance(value, list):
        return value, {}
    if not isinstance(value, dict):
        return [], {}
    boxes = value.get("boundingBox")
    found = boxes.get("value") if isinstance(boxes, dict) else None
    area = value.get("semanticSegmentation", value)
    return found if isinstance(found, list) else [], area if isinstance(area, dict) else {}


def _brief(text: str) -> str:
    joined = " ".join(text.split())
    return repr(joined if len(joined) <= _MOST_SHOWN else joined[: _MOST_SHOWN - 1] + "…")


def _error(code: str, message: str, remedy: str) -> Finding:
    return Finding(0, None, "error", code, message, remedy)
