"""Simple consolidation of the built-in tasks, in the shapes of Ground Truth's output manifest.

The shapes are exact; the methods are plain: majority, mean of boxes that overlap, spans and pixels
that more than half of the workers marked. A single worker's confidence is 0, as the service has it.
"""

from __future__ import annotations

import base64
import io
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from labeling_job import Outcome
from PIL import Image
from simulated_workers import COLORS, WorkerTask

if TYPE_CHECKING:
    from job_output import Output

Labeled = tuple[object, dict[str, Any]]  # label and its metadata

TYPES = {
    "ImageMultiClass": "image-classification",
    "ImageMultiClassMultiLabel": "image-classification-multilabel",
    "TextMultiClass": "text-classification",
    "TextMultiClassMultiLabel": "text-classification-multilabel",
    "BoundingBox": "object-detection",
    "AdjustmentBoundingBox": "object-detection",
    "SemanticSegmentation": "semantic-segmentation",
    "AdjustmentSemanticSegmentation": "semantic-segmentation",
    "NamedEntityRecognition": "text-span",
    "VideoMultiClass": "video-classification",
    "VerificationBoundingBox": "label-verification",
    "VerificationSemanticSegmentation": "label-verification",
}
_ALIKE = 0.5  # intersection over union of boxes that mean the same


def of_people(output: Output, number: int, outcome: Outcome) -> Labeled:
    """Make one label of the answers of several workers, each worker's first."""
    first: dict[str, dict[str, Any]] = {}
    for sent in outcome.submissions:
        first.setdefault(sent.worker, next(iter(sent.content.values())))
    answers = list(first.values())
    code, labels = output.job.code, output.job.labels
    if code in ("ImageMultiClass", "TextMultiClass", "VideoMultiClass") or code.startswith(
        "Verification"
    ):
        return _single(answers, labels)
    if code.endswith("MultiLabel"):
        return _multi(answers, labels)
    if code.endswith("BoundingBox"):
        return _adjusted(code, answers, _boxes(answers, labels))
    if code == "NamedEntityRecognition":
        return _spans(answers, output.job.categories["labels"])
    return _adjusted(code, answers, _mask(output, number, answers))


def of_model(output: Output, number: int, task: WorkerTask) -> Labeled:
    """What a model says: mostly the truth."""
    sure = 0.97
    if task.code in ("ImageMultiClass", "TextMultiClass"):
        name = task.truth if task.known else task.labels[0]
        return task.labels.index(name), {"class-name": name, "confidence": sure}
    if task.code == "BoundingBox":
        properties = {"width": task.size[0], "height": task.size[1]}
        boxes = list(task.truth or ()) if task.known else []
        answers = [{"boundingBoxes": boxes, "inputImageProperties": properties}]
        label, metadata = _boxes(answers, task.labels)
        return label, {**metadata, "objects": [{"confidence": sure} for _ in boxes]}
    areas = np.zeros((task.size[1], task.size[0]), np.uint8)
    if task.known and task.truth is not None:
        areas = np.array(task.truth, np.uint8)
    return _painted(output, number, areas, sure)


def _share(count: int, total: int) -> float:
    return 0 if total == 1 else round(0.95 * count / total, 2)


def _single(answers: Sequence[dict[str, Any]], labels: list[str]) -> Labeled:
    counts = Counter(answer["label"] for answer in answers)
    name, count = counts.most_common(1)[0]
    index = labels.index(name) if name in labels else len(labels)
    metadata = {"class-name": name, "confidence": _share(count, len(answers))}
    comments = [answer["workerComment"] for answer in answers if "workerComment" in answer]
    if comments:
        metadata["worker-feedback"] = [{"comment": comment} for comment in comments]
    return index, metadata


def _multi(answers: Sequence[dict[str, Any]], labels: list[str]) -> Labeled:
    counts = Counter(name for answer in answers for name in set(answer["labels"]))
    chosen = [name for name, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    chosen = [name for name in chosen if name in labels]
    total = len(answers)
    return (
        [labels.index(name) for name in chosen],
        {
            "class-map": {str(labels.index(name)): name for name in chosen},
            "confidence-map": {
                str(labels.index(name)): _share(counts[name], total) for name in chosen
            },
        },
    )


def overlap(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Intersection over union of two boxes."""
    across = min(one["left"] + one["width"], other["left"] + other["width"]) - max(
        one["left"], other["left"]
    )
    down = min(one["top"] + one["height"], other["top"] + other["height"]) - max(
        one["top"], other["top"]
    )
    shared = max(0.0, across) * max(0.0, down)
    both = one["width"] * one["height"] + other["width"] * other["height"] - shared
    return float(shared / both) if both else 0.0


def _boxes(answers: Sequence[dict[str, Any]], labels: list[str]) -> Labeled:
    groups: list[list[dict[str, Any]]] = []
    for answer in answers:
        for box in answer["boundingBoxes"]:
            for group in groups:
                if group[0]["label"] == box["label"] and overlap(group[0], box) >= _ALIKE:
                    group.append(box)
                    break
            else:
                groups.append([box])
    kept = [
        group for group in groups if 2 * len(group) > len(answers) and group[0]["label"] in labels
    ]
    total = len(answers)
    size = answers[0]["inputImageProperties"]
    found = []
    for group in kept:
        means: dict[str, Any] = {"class_id": labels.index(group[0]["label"])}
        for key in ("left", "top", "width", "height"):
            mean = sum(box[key] for box in group) / len(group)
            means[key] = mean if total > 1 else group[0][key]
        found.append(means)
    names = sorted({box["class_id"] for box in found})
    return (
        {
            "image_size": [{"width": size["width"], "height": size["height"], "depth": 3}],
            "annotations": found,
        },
        {
            "objects": [{"confidence": _share(len(group), total)} for group in kept],
            "class-map": {str(index): labels[index] for index in names},
        },
    )


def _adjusted(code: str, answers: Sequence[dict[str, Any]], labeled: Labeled) -> Labeled:
    if not code.startswith("Adjustment"):
        return labeled
    changed = any(answer.get("initialValueModified") for answer in answers)
    label, metadata = labeled
    return label, {**metadata, "adjustment-status": "adjusted" if changed else "unadjusted"}


def _spans(answers: Sequence[dict[str, Any]], labels: list[dict[str, Any]]) -> Labeled:
    counts = Counter(
        (span["startOffset"], span["endOffset"], span["label"])
        for answer in answers
        for span in answer["entities"]
    )
    total = len(answers)
    kept = sorted(span for span, count in counts.items() if 2 * count > total)
    entities = [
        {"label": label, "startOffset": start, "endOffset": end} for start, end, label in kept
    ]
    confidences = [{"confidence": _share(counts[span], total)} for span in kept]
    return {"annotations": {"labels": labels, "entities": entities}}, {"entities": confidences}


def _mask(output: Output, number: int, answers: Sequence[dict[str, Any]]) -> Labeled:
    votes: dict[int, Any] = defaultdict(lambda: 0)
    labels = output.job.labels
    for answer in answers:
        data = base64.b64decode(answer["labeledImage"]["pngImageData"])
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        for index, label in enumerate(labels, 1):
            color = answer["labelMappings"][label]["color"]
            wanted = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
            votes[index] = votes[index] + (pixels == wanted).all(axis=2)
    stack = np.stack([votes[index] for index in range(1, len(labels) + 1)])
    areas = np.where(stack.max(axis=0) * 2 > len(answers), stack.argmax(axis=0) + 1, 0)
    return _painted(output, number, areas.astype(np.uint8), 0 if len(answers) == 1 else 0.78638)


def _painted(output: Output, number: int, areas: Any, confidence: float) -> Labeled:
    """Write a mask as a picture with a palette; the label is its URI."""
    labels = output.job.labels
    colors = ["#ffffff", *(COLORS[index % len(COLORS)] for index in range(len(labels)))]
    picture = Image.fromarray(areas, "P")
    picture.putpalette(
        [int(color[place : place + 2], 16) for color in colors for place in (1, 3, 5)]
    )
    file = io.BytesIO()
    picture.save(file, "PNG")
    when = output.job.clock.strftime("%Y-%m-%dT%H:%M:%S.%f")
    folder = "annotations/consolidated-annotation/output"
    uri = output.put(f"{folder}/{number}_{when}.png", file.getvalue())
    present = sorted(int(index) for index in np.unique(areas))
    mapping = {
        str(index): {
            "class-name": "BACKGROUND" if index == 0 else labels[index - 1],
            "hex-color": colors[index],
            "confidence": confidence,
        }
        for index in sorted({0, *present})
    }
    return uri, {"internal-color-map": mapping}
