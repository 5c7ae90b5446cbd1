"""Launching once more: over a job that runs, and over a manifest that is labeled in part."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gandt.errors import JobError, UsageError
from gandt.jobs.job_state import is_running_as
from gandt.jobs.launch import create, plan_job, upload
from gandt.jobs.preflight.checks import check_online
from gandt.jobs.settings import JobSettings
from gandt.labeling.widgets import earlier_attribute

sys.path.append(str(Path(__file__).parent))
from preflight_plans import one

if TYPE_CHECKING:
    from aws_fixtures import Aws


@pytest.fixture
def settings(aws: Aws, picture: Callable[..., bytes], tmp_path: Path) -> Callable[..., JobSettings]:
    """Settings of a job about three pictures, the first of which is labeled under `done`."""
    bucket = aws.bucket()
    lines: list[dict[str, object]] = [
        {"source-ref": bucket.put(f"{number}.png", picture((number, 0, 0)))} for number in range(3)
    ]
    lines[0] |= {"done": 0, "done-metadata": {"class-name": "cat"}}
    manifest = tmp_path / "pets.manifest"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def make(**more: Any) -> JobSettings:
        given: dict[str, Any] = {
            "manifest": str(manifest),
            "task": "image-classification",
            "labels": ("cat", "dog"),
            "bucket": bucket.name,
            "role": aws.role,
            "workteam": "labelers",
            "tags": {"b": "2", "a": "1"},
            **more,
        }
        return JobSettings(**given)

    return make


def test_a_second_try_recognizes_the_job_of_the_first(
    settings: Callable[..., JobSettings],
) -> None:
    plan = plan_job(settings())
    upload(plan)
    assert not create(plan).before
    assert create(plan).before
    assert one(check_online(plan), "job name").status == "ok"


@pytest.mark.parametrize(
    "other",
    [
        {"labels": ("cat", "dog", "cow")},
        {"workers": 5},
        {"max_objects": 2},
        {"question": "Which of them?"},
        {"tags": {"a": "3"}},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_job_that_asks_something_else_is_not_taken_for_this_one(
    settings: Callable[..., JobSettings], other: dict[str, Any]
) -> None:
    first, second = plan_job(settings()), plan_job(settings(**other))
    upload(first)
    create(first)
    upload(second)
    assert one(check_online(second), "job name").status == "error"
    with pytest.raises(JobError, match="a job named pets exists already"):
        create(second)


def test_what_the_service_adds_to_a_job_makes_no_other_of_it() -> None:
    request = {"HumanTaskConfig": {"TaskTitle": "a"}, "Tags": [{"Key": "a", "Value": "b"}]}
    found = {
        "LabelingJobStatus": "InProgress",
        "HumanTaskConfig": {"TaskTitle": "a", "MaxConcurrentTaskCount": 1000},
        "Tags": [{"Key": "team", "Value": "x"}, {"Key": "a", "Value": "b"}],
    }
    assert is_running_as(found, request)
    assert not is_running_as({**found, "LabelingJobStatus": "Completed"}, request)
    assert not is_running_as({**found, "Tags": []}, request)


def test_only_what_has_no_label_yet_is_counted_and_paid_for(
    settings: Callable[..., JobSettings],
) -> None:
    plan = plan_job(settings(attribute="done", workers=3))
    assert plan.to_label == 2
    assert str(plan.cost.total) == "0.16"
    assert plan.cost.parts[1][0] == "your team's time, 6 answers (2 objects x 3 workers)"
    assert plan_job(settings(attribute="anew")).to_label == 3


def test_several_earlier_labels_are_told_apart_by_an_option_that_each_command_has() -> None:
    metadata = {"type": "groundtruth/object-detection"}
    line = {"a": {}, "a-metadata": metadata, "b": {}, "b-metadata": metadata}
    with pytest.raises(UsageError, match=r"--previous-attribute of `gandt launch`"):
        earlier_attribute("adjust-bounding-box", line)
