"""The desk's own pages, and the bar above a worker page.

Liquid fills them as it fills worker pages, so every value is escaped unless it is our own code. The
files lie beside this module.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Mapping
from importlib import resources

from markupsafe import Markup

from gandt.labeling.render import environment

__all__ = ["put_bar", "shell"]

_BODY = re.compile(r"<body\b[^>]*>", re.I)
_DOCTYPE = re.compile(r"\s*<!doctype[^>]*>", re.I)


@functools.cache
def _file(name: str) -> str:
    return (resources.files("gandt.serving.service") / name).read_text(encoding="utf-8")


def _fill(name: str, values: Mapping[str, object]) -> str:
    return environment(str).from_string(_file(name)).render(**values)


def shell(name: str, title: str, nonce: str, values: Mapping[str, object], css: str = "") -> str:
    """Make one of the desk's own pages.

    Parameters
    ----------
    name
        Its file.
    css
        The name of one more style sheet.
    """
    told = {key: _told(value) for key, value in values.items()}
    body = _fill(name, {**told, "title": title, "nonce": nonce})
    style = _file("desk.css") + _file("shell.css") + (_file(css) if css else "")
    return _fill(
        "shell.html",
        {"title": title, "nonce": nonce, "css": Markup(style), "body": Markup(body)},
    )


def _told(value: object) -> object:
    """Nothing for what is empty, which Liquid would otherwise take for true."""
    if isinstance(value, list):
        return [_told(part) for part in value] or None
    if isinstance(value, dict):
        return {key: _told(part) for key, part in value.items()} or None
    return None if value == "" else value


def put_bar(page: str, desk: Mapping[str, object], nonce: str) -> str:
    """Put the bar at the beginning of a worker page, with what it has to know."""
    bar = _fill(
        "bar.html",
        {
            "desk": dict(desk),
            "nonce": html.escape(nonce),
            "css": Markup(_file("desk.css") + _file("bar.css")),
            "script": Markup(_file("bar.js")),
        },
    )
    found = _BODY.search(page) or _DOCTYPE.match(page)
    at = 0 if found is None else found.end()
    return page[:at] + "\n" + bar + page[at:]
