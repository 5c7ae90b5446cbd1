"""Put the worker pages together from their parts: `python scripts/build_pages.py [--check]`.

A Ground Truth template is one file, so what the pages share is copied into each. With `--check`
nothing is written, and the exit code is 1 where a page is not what its parts make.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

TEMPLATES = Path(__file__).parents[1] / "templates"
PLACEHOLDER = re.compile(r"@@([a-z.-]+)@@\n?")


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    question: str
    data: str  # the part that takes the task's values from Liquid
    fields: tuple[str, ...]  # hidden inputs that become the answer; `problem` is always one
    css: tuple[str, ...]
    scripts: tuple[str, ...]
    subject: str  # "image" or "text": which reasons there are for giving no answer
    multi: bool = False
    examples: bool = True  # of the task as a whole; tiles bring theirs in the first tile


PAGES = {
    "image-classification": Page(
        "Choose a label for the image",
        "Which label fits this image best?",
        "image-data.liquid.html",
        ("category",),
        ("choose.css",),
        ("choices.js", "choose.js"),
        "image",
    ),
    "image-multi-select": Page(
        "Choose every label that fits the image",
        "Which labels fit this image? Choose all that do.",
        "image-data.liquid.html",
        ("category",),
        ("choose.css",),
        ("choices.js", "choose.js"),
        "image",
        multi=True,
    ),
    "text-classification": Page(
        "Choose a label for the text",
        "Which label fits this text best?",
        "text-data.liquid.html",
        ("category",),
        ("choose.css",),
        ("choices.js", "choose.js"),
        "text",
    ),
    "tiles": Page(
        "Label many images at a glance",
        "Which labels fit each image?",
        "tiles-data.liquid.html",
        (),
        ("tiles.css",),
        ("tiles.js",),
        "image",
    ),
    "bounding-box": Page(
        "Draw boxes around things",
        "Draw a box around everything that one of the labels names.",
        "image-data.liquid.html",
        ("boundingBox",),
        ("choose.css", "marks.css", "boxes.css"),
        ("choices.js", "marks.js", "boxes.js"),
        "image",
    ),
    "text-spans": Page(
        "Mark words in the text",
        "Mark every piece of the text that one of the labels names.",
        "text-data.liquid.html",
        ("entities",),
        ("choose.css", "marks.css", "spans.css"),
        ("choices.js", "marks.js", "spans.js"),
        "text",
    ),
}


def build(name: str) -> str:
    """Make the text of one page."""
    page = PAGES[name]
    settings = {"name": name, "multi": page.multi, "subject": page.subject}
    values = {
        "name": name,
        "title": page.title,
        "question": page.question,
        "page": json.dumps(settings),
        "css": "".join(_part(part) for part in ("base.css", *page.css)).rstrip("\n"),
        "script": "".join(_part(part) for part in ("kit.js", *page.scripts)).rstrip("\n"),
        "data": _part(page.data).rstrip("\n"),
        "common": _part("common.liquid.html").rstrip("\n"),
        "examples": _part("examples.liquid.html").rstrip("\n"),
        "body": "",
        "fields": _fields(page),
    }

    def fill(text: str) -> str:
        def value(found: re.Match[str]) -> str:
            end = "\n" if found[0].endswith("\n") and values[found[1]] else ""
            return fill(values[found[1]]) + end

        return PLACEHOLDER.sub(value, text)

    return fill(_part("page.liquid.html"))


def _fields(page: Page) -> str:
    if not page.fields:
        return _part("tiles-fields.liquid.html").rstrip("\n")
    empty = json.dumps({"label": ""}).replace('"', "&quot;")
    inputs = [f'<input type="hidden" name="{name}" value="{empty}">' for name in page.fields]
    return "\n".join([*inputs, '<input type="hidden" name="problem" value="">'])


def _part(name: str) -> str:
    text = (TEMPLATES / "parts" / name).read_text(encoding="utf-8")
    if not name.endswith(".liquid.html") and re.search(r"\{\{|\{%", text):
        sys.exit(f"{name} holds {{{{ or {{%, which Liquid would take for its own: write it apart.")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, say what is stale")
    check = parser.parse_args().check
    stale = []
    for name in PAGES:
        path = TEMPLATES / f"{name}.liquid.html"
        text = build(name)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if stale:
        print(("not what the parts make: " if check else "wrote ") + ", ".join(stale))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
