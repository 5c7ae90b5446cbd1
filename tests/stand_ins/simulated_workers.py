"""People who answer labeling tasks, well or badly, in the exact content that their page sends.

A `Worker` knows the truth of a task and errs by chance: another class, a box beside the place, a
span forgotten. What is sent depends on the page: widgets send objects under their names, our own
pages JSON text in hidden fields, tiles one such text for each image, native inputs maps of ticks.
"""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from liquid_pages import Form
from PIL import Image

Content = dict[str, Any]
Truth = Mapping[str, Any] | Callable[[Mapping[str, Any]], Any]
COLORS = ("#2ca02c", "#1f77b4", "#ff7f0e", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#bcbd22")
_UNKNOWN = object()

# What a worker may be beside inaccurate:
#   silent          never sends anything
#   hasty           two seconds for everything
#   careless        always the first label
#   empty           sends the form as it came
#   stray           labels that are on no list
#   twice           sends everything twice
#   legacy          of the days before times of acceptance and identities
#   commenting      says why, where the page asks
QUIRKS = frozenset(
    {"silent", "hasty", "careless", "empty", "stray", "twice", "legacy", "commenting"}
)


class Unanswerable(Exception):
    """The page has nothing that could be filled in or chosen."""


@dataclass(frozen=True)
class Worker:
    """Somebody who answers."""

    id: str
    accuracy: float = 0.9
    seconds: float = 8.0  # usual for a task
    quirks: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        assert self.quirks <= QUIRKS, f"unknown quirks: {self.quirks - QUIRKS}"


def crew(
    size: int = 5,
    *,
    accuracy: float = 0.9,
    region: str = "us-east-1",
    public: bool = False,
    quirks: Iterable[str] = (),
) -> list[Worker]:
    """Hire so many workers, always the same ones."""
    rng = random.Random(size)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    made = []
    for number in range(size):
        rng.seed(number)
        name = "".join(rng.choices(letters, k=26)) if public else f"{rng.getrandbits(64):016x}"
        kind = "public" if public else "private"
        seconds = 6.0 + number
        made.append(Worker(f"{kind}.{region}.{name}", accuracy, seconds, frozenset(quirks)))
    return made


@dataclass(frozen=True)
class Misbehavior:
    """Shares of objects to which something happens."""

    expire: float = 0.0  # nobody answers in time
    leave: float = 0.0  # one of the workers never sends it
    twice: float = 0.0  # a worker's answer is there twice
    restamp: float = 0.0  # answers come in two files

    @classmethod
    def little(cls) -> Misbehavior:
        return cls(expire=0.01, leave=0.04, twice=0.03, restamp=0.03)

    @classmethod
    def none(cls) -> Misbehavior:
        return cls()


@dataclass
class WorkerTask:
    """One object in front of a worker."""

    code: str  # of the built-in task, or PassThrough
    line: Mapping[str, Any]  # of the manifest
    input: Mapping[str, Any]  # `task.input`
    labels: list[str]
    form: Form
    truth: Any = _UNKNOWN
    size: tuple[int, int] = (800, 600)  # of the image, pixels
    tiles: list[tuple[str, Any]] = field(default_factory=list)  # field and truth

    @property
    def known(self) -> bool:
        return self.truth is not _UNKNOWN

    @property
    def prior(self) -> Any:
        """What the page's widget begins with: labels that are repaired."""
        return next(iter(self.form.initial.values()), None)


def find_truth(truth: Truth | None, line: Mapping[str, Any]) -> Any:
    """Look up the right answer to a line, by its name in the pool, its URI or its text."""
    if truth is None:
        return _UNKNOWN
    if callable(truth):
        return truth(line)
    for key in ("gandt-pool-uri", "source-ref", "source"):
        if line.get(key) in truth:
            return truth[line[key]]
    return _UNKNOWN


def tile_truths(truth: Truth | None, line: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Fields of a tiled task, each with the right answer to its image."""
    try:
        tiles = json.loads(line.get("source", ""))
    except ValueError:
        return []
    if not isinstance(tiles, list):
        return []
    names = line.get("gandt-pool-uris") or [None] * len(tiles)
    return [
        (
            f"labels-{tile['index']}",
            find_truth(truth, {"source-ref": tile["source-ref"], "gandt-pool-uri": name}),
        )
        for tile, name in zip(tiles, names, strict=True)
    ]


def answer(task: WorkerTask, worker: Worker, rng: random.Random) -> Content:
    """What this worker sends for this task.

    Raises
    ------
    Unanswerable
        Where the page gives no way to answer.
    """
    if task.tiles:
        fields = {
            name: json.dumps(_several(task, worker, rng, truth)) for name, truth in task.tiles
        }
        return {**fields, "problem": ""}
    form = task.form
    for name, element in form.widgets.items():
        found = _widget(element, task, worker, rng)
        if found is not None:
            return {name: found}
    if form.hidden:
        return _own_page(task, worker, rng)
    if form.natives or form.texts:
        return _native(task, worker, rng)
    raise Unanswerable("there is nothing on the page that could be filled in")


def _widget(element: str, task: WorkerTask, worker: Worker, rng: random.Random) -> Any:
    if element in ("crowd-image-classifier", "crowd-classifier"):
        found: Content = {"label": _one(task, worker, rng, task.truth)}
        if task.code.startswith("Verification") and "commenting" in worker.quirks:
            found["workerComment"] = "The outline cuts something off."
        return found
    if element in ("crowd-image-classifier-multi-select", "crowd-classifier-multi-select"):
        return {"labels": _several(task, worker, rng, task.truth)}
    if element == "crowd-bounding-box":
        return _boxes(task, worker, rng)
    if element == "crowd-semantic-segmentation":
        return _mask(task, worker, rng)
    if element == "crowd-entity-annotation":
        return _spans(task, worker, rng)
    return None


def _own_page(task: WorkerTask, worker: Worker, rng: random.Random) -> Content:
    content: Content = dict(task.form.hidden)
    if "empty" in worker.quirks:
        return content
    if "category" in content:
        if task.form.multi:
            content["category"] = json.dumps({"labels": _several(task, worker, rng, task.truth)})
        else:
            content["category"] = json.dumps({"label": _one(task, worker, rng, task.truth)})
    elif "boundingBox" in content:
        content["boundingBox"] = json.dumps(_boxes(task, worker, rng))
    elif "entities" in content:
        content["entities"] = json.dumps(_spans(task, worker, rng))
    else:
        raise Unanswerable(f"nobody knows how to fill in {sorted(content)}")
    return content


def _native(task: WorkerTask, worker: Worker, rng: random.Random) -> Content:
    content: Content = {}
    for name, values in task.form.natives.items():
        if name in task.form.exclusive:
            chosen = {_one(task, worker, rng, task.truth, values)}
        else:
            truth = [task.truth] if isinstance(task.truth, str) else task.truth
            chosen = set(_several(task, worker, rng, truth, values))
        content[name] = {value: value in chosen for value in values}
    if task.form.texts and not content:
        content[task.form.texts[0]] = str(task.truth if task.known else "something")
    return content


def _one(
    task: WorkerTask,
    worker: Worker,
    rng: random.Random,
    truth: Any,
    labels: Sequence[str] | None = None,
) -> str:
    labels = task.labels if labels is None else labels
    if not labels:
        raise Unanswerable("the page offers no labels")
    if "empty" in worker.quirks:
        return ""
    if "stray" in worker.quirks:
        return "none of these labels"
    if "careless" in worker.quirks:
        return labels[0]
    if truth is _UNKNOWN or truth is None:
        return rng.choice(labels)
    others = [label for label in labels if label != truth]
    if others and rng.random() >= worker.accuracy:
        return rng.choice(others)
    return str(truth)


def _several(
    task: WorkerTask,
    worker: Worker,
    rng: random.Random,
    truth: Any,
    labels: Sequence[str] | None = None,
) -> list[str]:
    labels = task.labels if labels is None else labels
    if not labels:
        raise Unanswerable("the page offers no labels")
    if "empty" in worker.quirks:
        return []
    if "stray" in worker.quirks:
        return ["none of these labels"]
    if "careless" in worker.quirks:
        return [labels[0]]
    if truth is _UNKNOWN or truth is None:
        return [rng.choice(labels)]
    wanted = [truth] if isinstance(truth, str) else list(truth)
    if rng.random() >= worker.accuracy:
        wanted = [rng.choice([label for label in labels if label not in wanted] or list(labels))]
    return wanted


def _boxes(task: WorkerTask, worker: Worker, rng: random.Random) -> Content:
    width, height = task.size
    wanted = list(task.truth or ()) if task.known else []
    if not task.known and task.prior is None:
        wanted = [_any_box(task, rng)]
    boxes = []
    for box in [] if "empty" in worker.quirks else wanted:
        if rng.random() >= worker.accuracy:
            continue
        spread = (1 - worker.accuracy) * 0.2
        left, top, wide, high = (
            round(float(box[name]) + rng.gauss(0, spread) * float(box[size]))
            for name, size in (
                *(("left", "width"), ("top", "height")),
                *(("width", "width"), ("height", "height")),
            )
        )
        left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
        boxes.append(
            {
                "label": "none of these labels" if "stray" in worker.quirks else box["label"],
                "left": left,
                "top": top,
                "width": max(1, min(wide, width - left)),
                "height": max(1, min(high, height - top)),
            }
        )
    found: Content = {
        "boundingBoxes": boxes,
        "inputImageProperties": {"width": width, "height": height},
    }
    if task.code.startswith("Adjustment"):
        if not task.known:
            found["boundingBoxes"] = boxes = list(task.prior or ())
        found["initialValueModified"] = boxes != list(task.prior or ())
    return found


def _any_box(task: WorkerTask, rng: random.Random) -> Content:
    width, height = task.size
    return {
        "label": rng.choice(task.labels),
        "left": width // 4,
        "top": height // 4,
        "width": width // 2,
        "height": height // 2,
    }


def _spans(task: WorkerTask, worker: Worker, rng: random.Random) -> Content:
    wanted = list(task.truth or ()) if task.known else []
    if "empty" in worker.quirks:
        wanted = []
    kept = [dict(span) for span in wanted if rng.random() < worker.accuracy]
    return {"entities": sorted(kept, key=lambda span: span["startOffset"])}


def _mask(task: WorkerTask, worker: Worker, rng: random.Random) -> Content:
    """Paint: the truth is an array (height, width) of 0 for nothing and 1, 2 … for the labels."""
    width, height = task.size
    areas = np.zeros((height, width), np.uint8)
    if task.known and task.truth is not None and "empty" not in worker.quirks:
        areas = np.array(task.truth, np.uint8)
        if rng.random() >= worker.accuracy:  # too far to the right
            areas = np.roll(areas, max(1, width // 20), axis=1)
    palette = np.full((len(task.labels) + 1, 3), 255, np.uint8)
    mappings = {}
    for number, label in enumerate(task.labels, 1):
        color = COLORS[(number - 1) % len(COLORS)]
        palette[number] = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
        mappings[label] = {"color": color}
    file = io.BytesIO()
    Image.fromarray(palette[areas]).save(file, "PNG")
    found: Content = {
        "inputImageProperties": {"width": areas.shape[1], "height": areas.shape[0]},
        "labelMappings": mappings,
        "labeledImage": {"pngImageData": base64.b64encode(file.getvalue()).decode()},
    }
    if task.code.startswith("Adjustment"):
        found["initialValueModified"] = task.known
    return found
