"""Pages of crowd elements, for the task types that Ground Truth itself knows.

Its consolidation functions, its automated labeling and its verification read the answers of its
own widgets only, each under one name; our other pages are for custom jobs. The pages lie in
`gandt.templates` as `widget-<task>.liquid.html`; words and the name of the earlier label are
written into them here, the rest is the task's. Elements, attributes and names are those of the
SageMaker developer guide, "Crowd HTML Elements Reference" and the page of each task type. Reads
the files of the package, nothing else.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from gandt.errors import UsageError
from gandt.groundtruth.json_lines import SOURCE, SOURCE_REF
from gandt.groundtruth.label_names import METADATA, label_attributes
from gandt.groundtruth.output_values import label_type
from gandt.labeling.templates import Example, signed_source

__all__ = [
    "PREFIX",
    "WIDGETS",
    "Widget",
    "builtin_input",
    "earlier_attribute",
    "previous_attribute",
    "widget_page",
    "widget_task",
]

PREFIX = "widget-"  # before the task, in names of pages and files

_BOXES, _MASK = "groundtruth/object-detection", "groundtruth/semantic-segmentation"
_PLACE = re.compile(r"@@([a-z]+)@@")
_MARK = re.compile(r'<meta name="gandt-task" content="([a-z-]+)">')
_PREVIOUS = re.compile(r"assign earlier = task\.input\.manifestLine\['([^']+)'\]")
_NOT_IN_LIQUID = re.compile(r"""['"{}%\\\x00-\x1f]""")
_MAX_ATTRIBUTE = 127


@dataclass(frozen=True, slots=True)
class Widget:
    """The page of one task type."""

    says: str  # what it asks, for lists
    question: str  # above the task, unless the user says
    title: str  # of the instructions
    steps: tuple[str, ...]  # the instructions, unless the user says
    data: Literal["image", "text", "video"] = "image"
    earlier: str | None = None  # type of the label that it judges or repairs


_BOX_STEPS = (
    "Choose a label, then draw a box around each thing that it names.",
    "Draw close to the thing: nothing of it outside, little else inside.",
    "Draw one box for each thing, even where things overlap.",
    "Where nothing is to be found, submit without a box.",
)
_AREA_STEPS = (
    "Choose a label, then paint everything that it names.",
    "Follow the outline closely.",
    "Leave unpainted what no label names.",
)
_JUDGE_STEPS = (
    "Look at what was marked before.",
    "Choose the answer that fits all of it together.",
    "Where something is wrong, add a comment that says what.",
)

# By the task's name, as in `gandt.jobs.tasks`.
WIDGETS = {
    "image-classification": Widget(
        "one label for an image",
        "Which label fits this image best?",
        "How to choose",
        ("Look at the whole image.", "Choose the one label that fits it best."),
    ),
    "image-multi-select": Widget(
        "any number of labels for an image",
        "Which labels fit this image? Choose all that do.",
        "How to choose",
        ("Look at the whole image.", "Choose every label that fits, and at least one."),
    ),
    "bounding-box": Widget(
        "labeled boxes in an image",
        "Draw a box around everything that one of the labels names.",
        "How to draw boxes",
        _BOX_STEPS,
    ),
    "semantic-segmentation": Widget(
        "labeled areas of an image",
        "Paint everything that one of the labels names.",
        "How to paint areas",
        _AREA_STEPS,
    ),
    "text-classification": Widget(
        "one label for a text",
        "Which label fits this text best?",
        "How to choose",
        ("Read the whole text.", "Choose the one label that fits it best."),
        "text",
    ),
    "text-multi-select": Widget(
        "any number of labels for a text",
        "Which labels fit this text? Choose all that do.",
        "How to choose",
        ("Read the whole text.", "Choose every label that fits, and at least one."),
        "text",
    ),
    "verify-bounding-box": Widget(
        "a judgment of the boxes of an earlier job",
        "How good are the boxes in this image?",
        "How to judge boxes",
        _JUDGE_STEPS,
        earlier=_BOXES,
    ),
    "verify-segmentation": Widget(
        "a judgment of the areas of an earlier job",
        "How good are the painted areas of this image?",
        "How to judge areas",
        _JUDGE_STEPS,
        earlier=_MASK,
    ),
    "adjust-bounding-box": Widget(
        "the boxes of an earlier job, repaired",
        "Correct the boxes: move, add or remove what is wrong.",
        "How to correct boxes",
        ("Look at the boxes that are there, and leave as it is what is right.", *_BOX_STEPS[1:]),
        earlier=_BOXES,
    ),
    "adjust-segmentation": Widget(
        "the areas of an earlier job, repaired",
        "Correct the painted areas where they are wrong.",
        "How to correct areas",
        ("Look at the areas that are there, and leave as it is what is right.", *_AREA_STEPS[1:]),
        earlier=_MASK,
    ),
    "video-classification": Widget(
        "one label for a video clip",
        "Which label fits this clip best?",
        "How to choose",
        ("Watch the whole clip.", "Choose the one label that fits it best."),
        "video",
    ),
}


def widget_page(
    task: str,
    *,
    question: str | None = None,
    instructions: str | None = None,
    examples: Sequence[Example] = (),
    previous_attribute: str | None = None,
) -> str:
    """Make the template for a task type of Ground Truth.

    Parameters
    ----------
    task
        A name in `WIDGETS`.
    question
        Above the task; None: a plain one.
    instructions
        Beside it, as plain text; an empty line begins a paragraph. None: a few sentences on how.
    examples
        Shown below the instructions, good ones first.
    previous_attribute
        The label attribute that is judged or repaired, where the task does so.

    Raises
    ------
    UsageError
        Where there is no page for the task, or the attribute is missing, needless, or no name
        that a template can hold.
    """
    widget = WIDGETS.get(task)
    if widget is None:
        raise UsageError(
            f"There is no page for the task {task!r}: it is none of {', '.join(WIDGETS)}."
        )
    _check_previous(task, widget, previous_attribute)
    given = _paragraphs(instructions or "")
    steps = "\n".join(f"<li>{_text(step)}</li>" for step in widget.steps)
    shown = _examples(examples)
    words = given or [f"<p>{_text(step)}</p>" for step in widget.steps]
    values = {
        "header": _text(question if question is not None else widget.question),
        "title": _text(widget.title),
        "short": "\n".join([*words, *shown]),
        "full": "\n".join([*given, f"<ol>\n{steps}\n</ol>", *shown]),
        "previous": previous_attribute or "",
    }
    file = resources.files("gandt.templates") / f"{PREFIX}{task}.liquid.html"
    return _PLACE.sub(lambda found: values[found[1]], file.read_text(encoding="utf-8"))


def widget_task(template: str) -> str | None:
    """Tell which task a page was made for; None where it is none of these pages."""
    found = _MARK.search(template)
    return found[1] if found and found[1] in WIDGETS else None


def previous_attribute(template: str) -> str | None:
    """Tell which earlier label one of these pages is about; None where it is about none."""
    found = _PREVIOUS.search(template)
    return found[1] if found and widget_task(template) else None


def builtin_input(
    record: Mapping[str, object], labels: Sequence[str] = (), *, prior: bool = False
) -> dict[str, object]:
    """What a template finds under `task.input` in a job with Ground Truth's own functions.

    Parameters
    ----------
    record
        The line of the manifest.
    labels
        Names of the label category file.
    prior
        Whether the task judges or repairs earlier labels: then the whole line comes along.
    """
    found: dict[str, object] = {"taskObject": record.get(SOURCE_REF, record.get(SOURCE))}
    if labels:
        found["labels"] = list(labels)
    return found | ({"manifestLine": dict(record)} if prior else {})


def earlier_attribute(task: str, record: Mapping[str, object]) -> str | None:
    """Find the label of a line that the task would judge or repair; None where it has none.

    Raises
    ------
    UsageError
        Where there are several.
    """
    widget = WIDGETS.get(task)
    if widget is None or widget.earlier is None:
        return None
    names = [
        name
        for name, metadata in label_attributes(record).items()
        if name in record and label_type(metadata) == widget.earlier
    ]
    if len(names) > 1:
        raise UsageError(
            f"The line has several labels that {task} could be about ({', '.join(names)}): name "
            "one of them (--previous-attribute of `gandt launch`, --attribute of `gandt template`)."
        )
    return names[0] if names else None


def _check_previous(task: str, widget: Widget, name: str | None) -> None:
    if widget.earlier is None:
        if name is not None:
            raise UsageError(
                f"The task {task!r} looks at no earlier labels: leave the attribute {name!r} out."
            )
        return
    if not name:
        raise UsageError(
            f"The task {task!r} is about the labels of an earlier job: name their attribute, the "
            "key that they have in the manifest (--previous-attribute of `gandt launch`, "
            "--attribute of `gandt template`)."
        )
    if _NOT_IN_LIQUID.search(name) or len(name) > _MAX_ATTRIBUTE or name.endswith(METADATA):
        raise UsageError(
            f"{name!r} cannot be the attribute of earlier labels in a template: name the key that "
            "holds the labels, of letters, digits and hyphens."
        )


def _text(words: str) -> str:
    """Escape for HTML, and so that Liquid finds no mark of its own in it."""
    return html.escape(words).replace("{", "&#123;").replace("}", "&#125;")


def _paragraphs(words: str) -> list[str]:
    blocks = re.split(r"\n[ \t]*\n+", words.replace("\r\n", "\n").strip())
    return [
        f'<p dir="auto">{_text(block).replace(chr(10), "<br>")}</p>' for block in blocks if block
    ]


def _examples(examples: Sequence[Example]) -> list[str]:
    found = []
    for good, heading in ((True, "Good examples"), (False, "Bad examples")):
        chosen = [example for example in examples if example.good == good]
        if chosen:
            found += [f"<h3>{heading}</h3>", *(_example(example) for example in chosen)]
    return found


def _example(example: Example) -> str:
    caption = f"<br>{_text(example.label)}" if example.label else ""
    image = f'<img src="{signed_source(example.uri)}" alt="" width="100%">'
    return f'<p dir="auto">{image}{caption}</p>'
