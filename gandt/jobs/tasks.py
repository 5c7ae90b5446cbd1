"""The kinds of labeling job, and what Ground Truth asks of each.

Facts only: names of the built-in Lambda functions, limits of categories, defaults. The sources are
the SageMaker service model and the developer guide ("Input Data Quotas", "Label Category Quotas",
"CreateLabelingJob", "Automate Data Labeling").
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from gandt.errors import UsageError

__all__ = ["CUSTOM", "TASKS", "Data", "TaskType", "task_type"]

Data = Literal["image", "text", "video", "frames", "points", "any"]


@dataclass(frozen=True, slots=True)
class TaskType:
    """One kind of job."""

    name: str  # as `--task` takes it
    code: str  # in the names of the built-in Lambda functions, PRE-<code> and ACS-<code>
    data: Data
    says: str  # what the people do, for lists and titles
    fewest_labels: int = 1
    most_labels: int | None = None
    most_labels_automated: int | None = None  # where automated labeling has a lower limit
    workers: int = 3  # to an object, unless the user says
    seconds: int = 300  # for a task, unless the user says
    ref: bool = False  # whether the label attribute must end in -ref; else it must not
    algorithm: str | None = None  # of automated labeling
    human_task_ui: str | None = None  # AWS's own page, where a template of one's own is not allowed
    prior: bool = False  # whether it judges or repairs the labels of an earlier job
    lowest_price: str = "0.012"  # USD a task, of the public workforce; "" where it has no access
    public: bool = True  # whether the public workforce may do it

    @property
    def custom(self) -> bool:
        """Whether the page and the consolidation are one's own."""
        return self.code == "PassThrough"


CUSTOM = TaskType("custom", "PassThrough", "any", "answer a page of your own", fewest_labels=0)


def _frames(name: str, code: str, says: str, *, prior: bool = False) -> TaskType:
    return TaskType(
        name,
        code,
        "frames",
        says,
        most_labels=30,
        workers=1,
        seconds=3600,
        ref=True,
        human_task_ui=code.removeprefix("Adjustment"),
        prior=prior,
        lowest_price="",
        public=False,
    )


def _points(name: str, code: str, says: str, *, ref: bool, prior: bool = False) -> TaskType:
    return TaskType(
        name,
        code,
        "points",
        says,
        most_labels=30,
        workers=1,
        seconds=3600,
        ref=ref,
        human_task_ui=code.removeprefix("Adjustment").removeprefix("3D"),
        prior=prior,
        lowest_price="",
        public=False,
    )


TASKS = {
    task.name: task
    for task in (
        TaskType(
            "image-classification",
            "ImageMultiClass",
            "image",
            "choose one label for an image",
            fewest_labels=2,
            algorithm="image-classification",
        ),
        TaskType(
            "image-multi-select",
            "ImageMultiClassMultiLabel",
            "image",
            "choose all labels that fit an image",
            fewest_labels=2,
            most_labels=50,
        ),
        TaskType(
            "bounding-box",
            "BoundingBox",
            "image",
            "draw boxes in an image",
            most_labels=50,
            workers=5,
            seconds=600,
            algorithm="object-detection",
            lowest_price="0.036",
        ),
        TaskType(
            "semantic-segmentation",
            "SemanticSegmentation",
            "image",
            "paint the areas of an image",
            most_labels_automated=20,
            seconds=1800,
            ref=True,
            algorithm="semantic-segmentation",
            lowest_price="0.840",
        ),
        TaskType(
            "text-classification",
            "TextMultiClass",
            "text",
            "choose one label for a text",
            fewest_labels=2,
            algorithm="text-classification",
        ),
        TaskType(
            "text-multi-select",
            "TextMultiClassMultiLabel",
            "text",
            "choose all labels that fit a text",
            fewest_labels=2,
            most_labels=50,
        ),
        TaskType(
            "text-spans",
            "NamedEntityRecognition",
            "text",
            "mark pieces of a text",
            human_task_ui="NamedEntityRecognition",
        ),
        TaskType(
            "verify-bounding-box",
            "VerificationBoundingBox",
            "image",
            "judge the boxes of an earlier job",
            fewest_labels=2,
            prior=True,
        ),
        TaskType(
            "verify-segmentation",
            "VerificationSemanticSegmentation",
            "image",
            "judge the areas of an earlier job",
            fewest_labels=2,
            prior=True,
        ),
        TaskType(
            "adjust-bounding-box",
            "AdjustmentBoundingBox",
            "image",
            "repair the boxes of an earlier job",
            most_labels=50,
            seconds=600,
            prior=True,
            lowest_price="0.036",
        ),
        TaskType(
            "adjust-segmentation",
            "AdjustmentSemanticSegmentation",
            "image",
            "repair the areas of an earlier job",
            seconds=1800,
            ref=True,
            prior=True,
            lowest_price="0.840",
        ),
        TaskType(
            "video-classification",
            "VideoMultiClass",
            "video",
            "choose one label for a video clip",
            fewest_labels=2,
            most_labels=30,
            seconds=600,
        ),
        _frames("video-boxes", "VideoObjectDetection", "draw boxes in the frames of a video"),
        _frames("video-tracking", "VideoObjectTracking", "follow objects through a video"),
        _frames(
            "adjust-video-boxes",
            "AdjustmentVideoObjectDetection",
            "repair the boxes of an earlier job",
            prior=True,
        ),
        _frames(
            "adjust-video-tracking",
            "AdjustmentVideoObjectTracking",
            "repair the tracks of an earlier job",
            prior=True,
        ),
        _points(
            "point-cloud-boxes",
            "3DPointCloudObjectDetection",
            "place cuboids in a point cloud",
            ref=False,
        ),
        _points(
            "point-cloud-tracking",
            "3DPointCloudObjectTracking",
            "follow objects through point clouds",
            ref=True,
        ),
        _points(
            "point-cloud-segmentation",
            "3DPointCloudSemanticSegmentation",
            "paint the points of a cloud",
            ref=True,
        ),
        _points(
            "adjust-point-cloud-boxes",
            "Adjustment3DPointCloudObjectDetection",
            "repair the cuboids of an earlier job",
            ref=False,
            prior=True,
        ),
        _points(
            "adjust-point-cloud-tracking",
            "Adjustment3DPointCloudObjectTracking",
            "repair the tracks of an earlier job",
            ref=True,
            prior=True,
        ),
        _points(
            "adjust-point-cloud-segmentation",
            "Adjustment3DPointCloudSemanticSegmentation",
            "repair the points of an earlier job",
            ref=True,
            prior=True,
        ),
        CUSTOM,
    )
}


def task_type(name: str) -> TaskType:
    """Look up a task by the name that `--task` takes.

    Raises
    ------
    UsageError
        Where there is none of this name.
    """
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, n=1)
        guess = f"did you mean {near[0]}? There are " if near else "there are "
        raise UsageError(f"--task {name!r} is no kind of task: {guess}{', '.join(TASKS)}.")
    return TASKS[name]
