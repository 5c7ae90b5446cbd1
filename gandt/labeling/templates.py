"""The worker pages that come with G&T, and what can be written into one before it is uploaded.

Reads the files of `gandt.templates`, or a template of the user's own, locally or on S3. A custom
job of Ground Truth has no list of categories for its page, so the labels can be baked in; where a
task brings labels of its own, those win.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from gandt import storage
from gandt.errors import StorageError, UsageError

__all__ = [
    "PAGES",
    "Example",
    "bake",
    "baked_labels",
    "read_stand_in",
    "read_template",
    "signed_source",
]

# Name of each page, and what it asks.
PAGES = {
    "image-classification": "one label for an image",
    "image-multi-select": "any number of labels for an image",
    "tiles": "labels for about twenty images at a glance",
    "text-classification": "one label for a text",
    "bounding-box": "labeled boxes in an image",
    "text-spans": "labeled pieces of a text",
}

_SUFFIX = ".liquid.html"
_SETTINGS = re.compile(r'(<script type="application/json" id="gt-settings">)(.*?)(</script>)', re.S)
# A label may hold Liquid's own marks or the end of the script; as escapes they are only text.
_ESCAPED = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&{}%\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class Example:
    """A picture that shows workers what a label means."""

    uri: str
    label: str
    good: bool = True  # False: it shows what is not wanted


def read_template(name: str) -> str:
    """Read one of our pages by its name, or any template by its path or URI.

    Raises
    ------
    UsageError
        Where it is neither.
    StorageError
        Where the file cannot be read.
    """
    if name in PAGES:
        file = resources.files("gandt.templates") / f"{name}{_SUFFIX}"
        return file.read_text(encoding="utf-8")
    uri = storage.normalize(name)
    if not storage.is_remote(uri) and storage.find(uri) is None:
        raise UsageError(
            f"{name!r} is neither a page of G&T ({', '.join(PAGES)}) nor a file: "
            "say one of these names, or the path of a template."
        )
    try:
        return storage.read_bytes(uri).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StorageError(
            f"{uri} is not UTF-8 text (byte {error.start + 1}): save the template as UTF-8."
        ) from error


def read_stand_in(*, widgets: bool = False) -> str:
    """Read the script that takes the place of the crowd elements outside Ground Truth.

    With `widgets`, also what takes the place of its widgets; our own pages need none.
    """
    names = ["crowd-stand-in.js"]
    if widgets:
        names += ["crowd-widgets-style.js", "crowd-widgets.js"]
    folder = resources.files("gandt.templates")
    return "".join((folder / name).read_text(encoding="utf-8") for name in names)


def bake(
    template: str,
    *,
    labels: Sequence[str] = (),
    question: str | None = None,
    instructions: str | None = None,
    examples: Sequence[Example] = (),
) -> str:
    """Write labels, words and examples into one of our pages; what is not given stays as it was.

    Raises
    ------
    UsageError
        Where the template has no place for them, or a label is empty or there twice.
    """
    if not labels and question is None and instructions is None and not examples:
        return template
    found = _SETTINGS.search(template)
    if found is None:
        raise UsageError(
            "The template has no place for labels, a question or instructions: write them into "
            "it yourself, or start from a page of G&T (gandt template list)."
        )
    names = _checked(labels)
    settings = dict(json.loads(found[2]))
    if names:
        settings["labels"] = names
    if question is not None:
        settings["question"] = question
    if instructions is not None:
        settings["instructions"] = instructions
    # The outermost braces are of the JSON itself; no value in it is an object.
    inner = ", ".join(
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False).translate(_ESCAPED)}"
        for key, value in settings.items()
    )
    text = f"{found[1]}{{{inner}}}{found[3]}" + "".join(map(_example_span, examples))
    return template[: found.start()] + text + template[found.end() :]


def _example_span(example: Example) -> str:
    label = json.dumps(example.label, ensure_ascii=False).translate(_ESCAPED)
    return (
        f'\n<span class="gt-example" hidden data-kind="{"good" if example.good else "bad"}" '
        f'data-src="{signed_source(example.uri)}" data-label="{html.escape(label)}"></span>'
    )


def signed_source(uri: str) -> str:
    """Write Liquid that gives a worker's browser access to an object named in the template itself.

    Raises
    ------
    UsageError
        Where the name holds both kinds of quotes, or the end of a Liquid tag: Liquid has no
        escapes.
    """
    quote = "'" if "'" not in uri else '"'
    if quote in uri or "}}" in uri or "%}" in uri:
        raise UsageError(
            f"the example {uri} cannot be named in a template: rename it without quotes and braces."
        )
    return f"{{{{ {quote}{uri}{quote} | grant_read_access }}}}"


def _checked(labels: Sequence[str]) -> list[str]:
    names = list(labels)
    if any(not name.strip() for name in names):
        raise UsageError("A label is empty: give each a name.")
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"The label {name!r} is there twice: name each once.")
    return names


def baked_labels(template: str) -> tuple[str, ...] | None:
    """Give the labels in one of our pages; None where the template has no place for them."""
    found = _SETTINGS.search(template)
    if found is None:
        return None
    try:
        labels = json.loads(found[2])["labels"]
    except (ValueError, KeyError, TypeError):
        return None
    return tuple(labels)
