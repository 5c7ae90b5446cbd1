"""The pages of the service: one frame and one look for all of them.

Liquid fills them as it fills worker pages, so every value is escaped unless it is our own code. The
files lie beside this module, and in the folder of the application that they belong to.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources

from markupsafe import Markup

from gandt.labeling.render import environment

__all__ = ["asset", "fill", "shell"]


@functools.cache
def asset(name: str) -> str:
    """The text of a file of the service, as `desk/bar.css`."""
    return (resources.files("gandt.serving.service") / name).read_text(encoding="utf-8")


def fill(name: str, values: Mapping[str, object]) -> str:
    """Fill a file with values."""
    return environment(str).from_string(asset(name)).render(**values)


def shell(name: str, title: str, nonce: str, values: Mapping[str, object], css: str = "") -> str:
    """Make a page in the frame of the service.

    Parameters
    ----------
    name
        Its file, as `desk/rest.html`.
    css
        The name of one more style sheet.
    """
    told = {key: _told(value) for key, value in values.items()}
    body = fill(name, {**told, "title": title, "nonce": nonce})
    style = asset("theme.css") + asset("shell.css") + (asset(css) if css else "")
    return fill(
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
