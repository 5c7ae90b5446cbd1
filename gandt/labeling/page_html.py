"""The HTML of a rendered worker page, read for what Ground Truth would lose or not load.

Its form sends the named fields inside `<crowd-form>` and nothing else. Pure functions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

from gandt.groundtruth.findings import Finding
from gandt.labeling.render import CROWD_SCRIPT

__all__ = ["GRANTED", "check_html"]

GRANTED = "https://granted.invalid/"  # before each address that grant_read_access gave
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
        if re.match(r"(https?:)?//", address) and not address.startswith(GRANTED):
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


def check_html(page: str) -> list[Finding]:
    """Find fields that would be lost, and addresses that no browser of a worker can load.

    Parameters
    ----------
    page
        The rendered page, its granted addresses beginning with `GRANTED`.
    """
    seen = _Page()
    seen.feed(page)
    seen.close()
    found = []

    def error(code: str, message: str, remedy: str) -> None:
        found.append(Finding(0, None, "error", code, message, remedy))

    def warning(code: str, message: str, remedy: str) -> None:
        found.append(Finding(0, None, "warning", code, message, remedy))

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
