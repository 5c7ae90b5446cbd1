"""One labeling job of a stand-in for SageMaker: its state, and how the service describes it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from aws_account import Role
from aws_objects import ACCOUNT
from aws_rules import task_code

Line = dict[str, Any]


@dataclass
class Submission:
    """What one worker sent for one object."""

    worker: str
    content: dict[str, Any]
    accepted: datetime
    submitted: datetime
    legacy: bool = False  # of an older job: no times but the last, no identity
    private: bool = True


@dataclass
class Outcome:
    """What became of one object: a label with its metadata, or a failure."""

    iteration: int
    submissions: list[Submission] = field(default_factory=list)
    label: object = None
    metadata: dict[str, Any] = field(default_factory=dict)
    failure: str | None = None
    machine: bool = False


class LabelingJob:
    """A job, from its request to its last line."""

    def __init__(
        self, request: Mapping[str, Any], region: str, role: Role, number: int = 0
    ) -> None:
        self.request = dict(request)
        self.name = str(request["LabelingJobName"])
        self.region = region
        self.role = role
        self.arn = f"arn:aws:sagemaker:{region}:{ACCOUNT}:labeling-job/{self.name.lower()}"
        self.reference = f"{number:032x}"
        self.status = "Initializing"
        self.failure: str | None = None
        self.created = self.modified = datetime.now(timezone.utc)
        self.clock = self.created  # of the simulated workers
        self.lines: list[Line] = []
        self.categories: dict[str, Any] = {}
        self.template: str | None = None
        self.outcomes: dict[int, Outcome] = {}  # by number of the line
        self.asked: list[int] = []  # numbers of the lines that this job is about
        self.passed: set[int] = set()  # lines that need no worker, as the Lambda function said
        self.iterations = 0
        self.lock = threading.RLock()
        self.thread: threading.Thread | None = None
        self.trouble: BaseException | None = None

    @property
    def code(self) -> str:
        return task_code(self.request)

    @property
    def attribute(self) -> str:
        return str(self.request["LabelAttributeName"])

    @property
    def human(self) -> dict[str, Any]:
        return dict(self.request["HumanTaskConfig"])

    @property
    def root(self) -> str:
        """The folder of its output; the name keeps its case there."""
        return f"{self.request['OutputConfig']['S3OutputPath'].rstrip('/')}/{self.name}"

    @property
    def labels(self) -> list[str]:
        return [entry["label"] for entry in self.categories.get("labels", ())]

    @property
    def over(self) -> bool:
        return self.status in ("Completed", "Failed", "Stopped")

    @property
    def automated(self) -> bool:
        return "LabelingJobAlgorithmsConfig" in self.request

    def may(self, action: str, uri: str) -> bool:
        """Whether the job's role may do this to an object of S3."""
        return self.role.allows(action, f"arn:aws:s3:::{uri.removeprefix('s3://')}")

    def open(self) -> list[int]:
        """Numbers of the lines that nothing has become of yet."""
        return [n for n in self.asked if n not in self.outcomes and n not in self.passed]

    def fail(self, reason: str) -> None:
        self.change("Failed")
        self.failure = reason

    def change(self, status: str) -> None:
        self.status = status
        self.modified = datetime.now(timezone.utc)

    def join(self) -> None:
        """Wait for what works in the background; its errors come out here."""
        if self.thread is not None:
            self.thread.join(60)
            assert not self.thread.is_alive(), f"the work at {self.name} does not end"
        trouble, self.trouble = self.trouble, None
        if trouble is not None:
            raise trouble

    def counters(self) -> dict[str, int]:
        done = self.outcomes.values()
        machine = sum(found.machine for found in done if found.failure is None)
        labeled = sum(found.failure is None for found in done)
        failed = len(self.outcomes) - labeled
        return {
            "TotalLabeled": labeled,
            "HumanLabeled": labeled - machine,
            "MachineLabeled": machine,
            "FailedNonRetryableError": failed,
            "Unlabeled": len(self.asked) - labeled - failed,
        }

    def _output(self) -> dict[str, Any]:
        if self.status == "Initializing":
            return {}
        output = {"OutputDatasetS3Uri": f"{self.root}/manifests/output/output.manifest"}
        if self.automated and self.status == "Completed":
            model = self.arn.replace(":labeling-job/", ":model/")
            output["FinalActiveLearningModelArn"] = f"{model}-final"
        return {"LabelingJobOutput": output}

    def described(self) -> dict[str, Any]:
        """What DescribeLabelingJob says."""
        with self.lock:
            optional = (
                *("LabelAttributeName", "LabelCategoryConfigS3Uri", "StoppingConditions"),
                *("LabelingJobAlgorithmsConfig", "Tags"),
            )
            human = {
                "TaskAvailabilityLifetimeInSeconds": 21_600
                if ":public-crowd/" in self.human["WorkteamArn"]
                else 2_592_000,
                "MaxConcurrentTaskCount": 1000,
                **self.human,
            }
            return {
                "LabelingJobStatus": self.status,
                "LabelCounters": self.counters(),
                "CreationTime": self.created,
                "LastModifiedTime": self.modified,
                "JobReferenceCode": self.reference,
                "LabelingJobName": self.name,
                "LabelingJobArn": self.arn,
                "InputConfig": self.request["InputConfig"],
                "OutputConfig": self.request["OutputConfig"],
                "RoleArn": self.request["RoleArn"],
                "HumanTaskConfig": human,
                **{key: self.request[key] for key in optional if key in self.request},
                **self._output(),
                **({"FailureReason": self.failure[:1024]} if self.failure else {}),
            }

    def summary(self) -> dict[str, Any]:
        """What ListLabelingJobs says."""
        with self.lock:
            consolidation = self.human.get("AnnotationConsolidationConfig", {})
            return {
                "LabelingJobName": self.name,
                "LabelingJobArn": self.arn,
                "CreationTime": self.created,
                "LastModifiedTime": self.modified,
                "LabelingJobStatus": self.status,
                "LabelCounters": self.counters(),
                "WorkteamArn": self.human["WorkteamArn"],
                "InputConfig": self.request["InputConfig"],
                **consolidation,
                **{key: self.human[key] for key in ("PreHumanTaskLambdaArn",) if key in self.human},
                **self._output(),
                **({"FailureReason": self.failure[:1024]} if self.failure else {}),
            }

    def for_team(self) -> dict[str, Any]:
        """What ListLabelingJobsForWorkteam says."""
        counters = self.counters()
        return {
            "LabelingJobName": self.name,
            "JobReferenceCode": self.reference,
            "WorkRequesterAccountId": self.arn.split(":")[4],
            "CreationTime": self.created,
            "LabelCounters": {
                "HumanLabeled": counters["HumanLabeled"],
                "PendingHuman": counters["Unlabeled"],
                "Total": len(self.asked),
            },
            "NumberOfHumanWorkersPerDataObject": self.human["NumberOfHumanWorkersPerDataObject"],
        }
