"""Worker pages as the service shows them: Liquid filled with a task, and the form that is in them.

Written apart from `gandt.labeling.render`, from the developer guide's list of filters, so that the
two check each other. `read_form` finds what a worker could fill in: widgets, hidden fields that a
script fills, and native inputs.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any

from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidError
from markupsafe import Markup

SCRIPT = "https://assets.crowd.aws/crowd-html-elements.js"
_CHOICES = ("categories", "labels")  # attributes of widgets that hold their labels


def sign(uri: object) -> str:
    """What `grant_read_access` gives: an address that a browser can load for a while."""
    bucket, _, key = str(uri).removeprefix("s3://").partition("/")
    return f"https://{bucket}.s3.amazonaws.com/{key}?X-Amz-Signature=0" if key else ""


@lru_cache(maxsize=32)
def parse(template: str) -> BoundTemplate:
    """Parse a template; raises what Liquid raises."""
    environment = Environment(autoescape=True)
    for name in ("include", "render"):
        environment.tags.pop(name, None)
    environment.filters.update(
        grant_read_access=sign,
        to_json=lambda value: json.dumps(value, default=str),
        skip_autoescape=lambda value: Markup(str(value)),
        escape_once=lambda value: Markup(html.escape(html.unescape(str(value)))),
    )
    return environment.from_string(template)


def check_page(template: str, task: str) -> tuple[str, list[tuple[str, str]]]:
    """Render a template with the JSON text of a task; returns the page, and what is wrong."""
    try:
        given = json.loads(task)
    except ValueError as error:
        return "", [("InvalidInput", f"The task's input is no JSON: {error}")]
    return fill(template, given)


def fill(template: str, given: object) -> tuple[str, list[tuple[str, str]]]:
    """Render a template with `task.input`; returns the page, and codes and messages of errors."""
    try:
        page = parse(template).render(task={"input": given})
    except LiquidError as error:
        return "", [("TemplateRenderingError", str(error).splitlines()[0])]
    except (TypeError, ValueError) as error:
        return "", [("TemplateRenderingError", repr(error))]
    errors = []
    if "<crowd-form" not in page and "<crowd-entity-annotation" not in page:
        errors.append(("MissingRequiredElement", "The template has no crowd-form element."))
    if SCRIPT not in page:
        errors.append(("MissingRequiredElement", f"The template does not load {SCRIPT}."))
    return page, errors


@dataclass
class Form:
    """What can be filled in on a page."""

    widgets: dict[str, str] = field(default_factory=dict)  # name to element
    choices: dict[str, list[str]] = field(default_factory=dict)  # name to labels
    hidden: dict[str, str] = field(default_factory=dict)  # name to value at the beginning
    natives: dict[str, list[str]] = field(default_factory=dict)  # name to values
    exclusive: set[str] = field(default_factory=set)  # names of radio buttons
    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)  # of one of our own pages
    multi: bool = False  # likewise
    decodes: bool = False  # whether its script makes the fields of the tiles, from `source`
    initial: dict[str, Any] = field(default_factory=dict)  # name to what a widget begins with
    trouble: str | None = None


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.form = Form()
        self._settings: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = {name: value or "" for name, value in attrs}
        name = about.get("name")
        form = self.form
        if about.get("id") == "gt-settings":
            self._settings = []
        if about.get("id") == "gt-task":
            form.decodes = bool(about.get("data-source"))
            if "data-labels" in about:  # those of the task go before those of the page
                form.labels = json.loads(about["data-labels"])
        if tag in ("textarea", "crowd-text-area", "crowd-input") and name:
            form.texts.append(name)
        elif tag in ("crowd-checkbox", "crowd-radio-button") and name:
            form.natives.setdefault(name, []).append(about.get("value", "on"))
            if tag == "crowd-radio-button":
                form.exclusive.add(name)
        elif tag == "input" and name:
            self._input(name, about)
        elif tag.startswith("crowd-") and name:
            form.widgets[name] = tag
            for attribute in (*_CHOICES, "initial-value", "overlay"):
                if attribute in about:
                    self._value(name, attribute, about[attribute])

    def _value(self, name: str, attribute: str, text: str) -> None:
        try:
            found = json.loads(text)
        except ValueError:
            self.form.trouble = f"the {attribute} of {name} is no JSON: {text[:80]}"
            return
        if attribute in _CHOICES:
            self.form.choices[name] = [
                str(item["label"] if isinstance(item, dict) else item) for item in found
            ]
        else:
            self.form.initial[name] = found

    def _input(self, name: str, about: dict[str, str]) -> None:
        kind = about.get("type", "text")
        if kind == "hidden":
            self.form.hidden[name] = about.get("value", "")
        elif kind in ("radio", "checkbox"):
            self.form.natives.setdefault(name, []).append(about.get("value", "on"))
            if kind == "radio":
                self.form.exclusive.add(name)
        elif kind not in ("submit", "button", "reset"):
            self.form.texts.append(name)

    def handle_data(self, data: str) -> None:
        if self._settings is not None:
            self._settings.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._settings is not None:
            settings: dict[str, Any] = json.loads("".join(self._settings))
            self.form.labels = self.form.labels or list(settings.get("labels", ()))
            self._settings = None


def read_form(page: str) -> Form:
    """Find what a worker can fill in on a page."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    ours = re.search(r"const PAGE = (\{.*?\});", page)
    if ours is not None:
        reader.form.multi = bool(json.loads(ours[1]).get("multi"))
    return reader.form
