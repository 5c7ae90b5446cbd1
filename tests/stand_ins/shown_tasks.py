"""What a worker sees of one object: the task's input, the page, the image in it.

Follows the developer guide: built-in functions give `taskObject` and `labels`, a function of one's
own is invoked with the line (and its failure is the object's), without one the line itself is the
input. A page that does not render, an image that a browser cannot load, and a widget that is not
that of the task fail the object.
"""

from __future__ import annotations

import io
import json
from typing import Any

from aws_account import Lambda, NotInvoked
from aws_objects import Objects, split
from aws_rules import IMAGE, PRIOR
from input_manifest import Broken
from labeling_job import LabelingJob, Line
from liquid_pages import Form, fill, read_form
from PIL import Image
from simulated_workers import Truth, WorkerTask, find_truth, tile_truths

EXPIRED = (
    "Annotation tasks expired. Probable reasons: the task availability lifetime is too short, the "
    "reward is too low, the custom template is broken, the data is broken or too large, or all "
    "workers declined the task."
)
# The element that the consolidation of a task type reads, and its name.
WIDGETS = {
    "ImageMultiClass": ("crowd-image-classifier", "crowd-image-classifier"),
    "ImageMultiClassMultiLabel": (
        "crowd-image-classifier-multi-select",
        "crowd-image-classifier-multi-select",
    ),
    "BoundingBox": ("crowd-bounding-box", "boundingBox"),
    "AdjustmentBoundingBox": ("crowd-bounding-box", "boundingBox"),
    "SemanticSegmentation": ("crowd-semantic-segmentation", "crowd-semantic-segmentation"),
    "AdjustmentSemanticSegmentation": (
        "crowd-semantic-segmentation",
        "crowd-semantic-segmentation",
    ),
    "VerificationBoundingBox": ("crowd-image-classifier", "crowd-image-classifier"),
    "VerificationSemanticSegmentation": ("crowd-image-classifier", "crowd-image-classifier"),
    "TextMultiClass": ("crowd-classifier", "crowd-classifier"),
    "TextMultiClassMultiLabel": (
        "crowd-classifier-multi-select",
        "crowd-classifier-multi-select",
    ),
    "VideoMultiClass": ("crowd-classifier", "crowd-classifier"),
}
_SHOWN = (".jpg", ".jpeg", ".png")
_MOST_BYTES, _MOST_PIXELS = 40_000_000, 100_000_000


class NotNeeded(Exception):
    """The pre-annotation function wants no worker for this object."""


class Shown:
    """Makes tasks of the lines of a job."""

    def __init__(
        self,
        job: LabelingJob,
        objects: Objects,
        functions: Lambda,
        truth: Truth | None,
    ) -> None:
        self.job = job
        self.objects = objects
        self.functions = functions
        self.truth = truth

    def task(self, number: int) -> WorkerTask:
        """Show one object.

        Raises
        ------
        Broken
            Where it cannot be shown; that object has failed.
        NotNeeded
            Where nobody is to see it.
        """
        job = self.job
        line = job.lines[number]
        given = self._input(line)
        size = self._image(line)
        form = self._form(given)
        labels = job.labels
        for offered in form.choices.values():
            if job.code != "PassThrough" and sorted(offered) != sorted(labels):
                raise Broken(f"The page offers {offered}; the label categories are {labels}.")
            labels = labels or offered
        labels = labels or form.labels or list(given.get("labels") or ())
        tiles = []
        if job.code == "PassThrough" and "source" in line:
            found = tile_truths(self.truth, line)
            tiles = [pair for pair in found if pair[0] in form.hidden or form.decodes]
            if tiles and not labels:
                labels = _tile_labels(line)
        return WorkerTask(
            job.code, line, given, labels, form, find_truth(self.truth, line), size, tiles=tiles
        )

    def _form(self, given: dict[str, Any]) -> Form:
        job = self.job
        if job.template is None:
            if job.code != "NamedEntityRecognition":
                raise Broken("nobody here works at videos and point clouds")
            return Form(widgets={"crowd-entity-annotation": "crowd-entity-annotation"})
        page, errors = fill(job.template, given)
        if errors:
            raise Broken(f"The template cannot be rendered: {errors[0][1]}")
        form = read_form(page)
        if form.trouble is not None:
            raise Broken(f"The template cannot be used: {form.trouble}")
        element, name = WIDGETS.get(job.code, (None, None))
        if element is not None and form.widgets.get(str(name)) != element:
            raise Broken(f'The template has no <{element} name="{name}">.')
        return form

    def _input(self, line: Line) -> dict[str, Any]:
        """What the template finds under `task.input`."""
        job = self.job
        arn = job.human.get("PreHumanTaskLambdaArn")
        if arn is None or arn.endswith(":PRE-PassThrough"):
            return line
        if ":function:PRE-" in arn:
            given = {"taskObject": line.get("source-ref", line.get("source")), "labels": job.labels}
            return {**given, "manifestLine": line} if job.code in PRIOR else given
        event = {"version": "2018-10-16", "labelingJobArn": job.arn, "dataObject": line}
        try:
            said = self.functions.invoke(arn, job.region, job.role, event)
        except NotInvoked as error:
            raise Broken(f"Pre-annotation: {error}.") from error
        if not isinstance(said, dict) or not isinstance(said.get("taskInput"), dict):
            raise Broken("The pre-annotation Lambda function gave no taskInput.")
        if said.get("isHumanAnnotationRequired", True) in (False, "false"):
            raise NotNeeded
        found: dict[str, Any] = said["taskInput"]
        return found

    def _image(self, line: Line) -> tuple[int, int]:
        """Look at the image as the worker's browser would."""
        uri = line.get("source-ref")
        job = self.job
        if uri is None or job.code not in IMAGE | {"PassThrough"}:
            return 800, 600
        data = self.objects.get(uri)
        if data is None or not job.may("s3:GetObject", uri):
            raise Broken(f"The object {uri} does not exist or cannot be read.")
        if not self.objects.browsers_may_read(split(uri)[0]):
            raise Broken(EXPIRED)
        if job.code == "PassThrough" and not uri.lower().endswith(_SHOWN):
            return 800, 600
        try:
            with Image.open(io.BytesIO(data)) as image:
                size, form = image.size, image.format
        except OSError as error:
            raise Broken(f"The image {uri} cannot be read.") from error
        if job.code != "PassThrough" and form not in ("JPEG", "PNG"):
            raise Broken(f"The image {uri} is {form}, neither JPEG nor PNG.")
        if len(data) > _MOST_BYTES or size[0] * size[1] > _MOST_PIXELS:
            raise Broken(f"The image {uri} is too large.")
        return size


def _tile_labels(line: Line) -> list[str]:
    first = json.loads(line["source"])[0]
    other = first.get("other_category_label")
    return [*first.get("event_names", ()), *([other] if other else [])]
