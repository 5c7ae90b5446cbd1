"""A labeling job as the service describes it: where it stands, what it is, where it writes.

Pure functions of the answers of `DescribeLabelingJob` and `ListLabelingJobs` (fields and statuses
are those of SageMaker's API reference).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote, urlsplit

from gandt.jobs.tasks import CUSTOM, TASKS

__all__ = [
    "FINISHED",
    "STATUSES",
    "Counters",
    "JobState",
    "JobSummary",
    "is_running_as",
    "read_state",
    "read_summary",
]

STATUSES = ("Initializing", "InProgress", "Completed", "Failed", "Stopping", "Stopped")
FINISHED = frozenset({"Completed", "Failed", "Stopped"})

_BY_CODE = {task.code: task.name for task in TASKS.values()}
_OUTPUT_MANIFEST = "/manifests/output/output.manifest"


@dataclass(frozen=True, slots=True)
class Counters:
    """How many objects of a job are in which state."""

    labeled: int = 0  # by people and machine
    human: int = 0
    machine: int = 0  # by automated labeling
    failed: int = 0  # for good
    unlabeled: int = 0  # not yet

    @property
    def total(self) -> int:
        """All objects; 0 as long as the job has not counted them."""
        return self.labeled + self.failed + self.unlabeled

    @property
    def done(self) -> int:
        """Objects that nobody will work on any more."""
        return self.labeled + self.failed

    @property
    def share(self) -> float:
        """Share of the objects that are done, in [0, 1]."""
        return self.done / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job as a listing shows it."""

    name: str
    arn: str
    status: str
    counters: Counters
    created: datetime
    modified: datetime
    task: str  # name in `tasks.TASKS`
    workteam: str  # ARN
    failure: str | None = None  # in the service's words


@dataclass(frozen=True, slots=True)
class JobState:
    """A job as the service describes it at this moment."""

    name: str
    arn: str
    region: str
    status: str  # one of STATUSES
    counters: Counters
    created: datetime  # aware, UTC
    modified: datetime
    attribute: str | None  # label attribute
    task: str  # name in `tasks.TASKS`, "custom" where the functions are one's own
    automated: bool  # whether a model labels a part
    failure: str | None  # in the service's words; see `failures.explain_job`
    output: str  # s3:// folder of the job, with no slash at the end
    output_manifest: str  # s3://, where it is or will be
    input_manifest: str | None  # s3://; None for a job that is fed through SNS
    role: str  # ARN
    workteam: str  # ARN
    workers: int  # asked for an object
    raw: Mapping[str, Any]  # the service's answer

    @property
    def finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in FINISHED


def read_state(answer: Mapping[str, Any], where: str) -> JobState:
    """Read the answer of `DescribeLabelingJob` in a Region."""
    task = answer.get("HumanTaskConfig", {})
    raw = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    source = answer.get("InputConfig", {}).get("DataSource", {}).get("S3DataSource", {})
    output = _folder(answer)
    manifest = answer.get("LabelingJobOutput", {}).get("OutputDatasetS3Uri")
    return JobState(
        name=str(answer["LabelingJobName"]),
        arn=str(answer["LabelingJobArn"]),
        region=where,
        status=str(answer["LabelingJobStatus"]),
        counters=_counters(answer.get("LabelCounters", {})),
        created=_utc(answer["CreationTime"]),
        modified=_utc(answer["LastModifiedTime"]),
        attribute=answer.get("LabelAttributeName"),
        task=_task(task.get("PreHumanTaskLambdaArn"), task.get("UiConfig", {})),
        automated="LabelingJobAlgorithmsConfig" in answer,
        failure=answer.get("FailureReason") or None,
        output=output,
        output_manifest=_s3(manifest) if manifest else output + _OUTPUT_MANIFEST,
        input_manifest=_s3(source["ManifestS3Uri"]) if source.get("ManifestS3Uri") else None,
        role=str(answer.get("RoleArn", "")),
        workteam=str(task.get("WorkteamArn", "")),
        workers=int(task.get("NumberOfHumanWorkersPerDataObject", 0)),
        raw=raw,
    )


def read_summary(entry: Mapping[str, Any]) -> JobSummary:
    """Read one entry of the answer of `ListLabelingJobs`."""
    return JobSummary(
        name=str(entry["LabelingJobName"]),
        arn=str(entry["LabelingJobArn"]),
        status=str(entry["LabelingJobStatus"]),
        counters=_counters(entry.get("LabelCounters", {})),
        created=_utc(entry["CreationTime"]),
        modified=_utc(entry["LastModifiedTime"]),
        task=_task(entry.get("PreHumanTaskLambdaArn"), {}),
        workteam=str(entry.get("WorkteamArn", "")),
        failure=entry.get("FailureReason") or None,
    )


def is_running_as(answer: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether the job of a `DescribeLabelingJob` runs, and is all that a request asks for.

    The service may describe more than was asked for, such as defaults that it filled in.
    """
    running = answer.get("LabelingJobStatus") in ("Initializing", "InProgress")
    return running and _holds(answer, request)


def _holds(there: object, wanted: object) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(
            name in there and _holds(there[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list) and wanted and isinstance(wanted[0], Mapping):  # tags: no order
        return isinstance(there, list) and all(one in there for one in wanted)
    return there == wanted


def _counters(answer: Mapping[str, Any]) -> Counters:
    return Counters(
        labeled=int(answer.get("TotalLabeled", 0)),
        human=int(answer.get("HumanLabeled", 0)),
        machine=int(answer.get("MachineLabeled", 0)),
        failed=int(answer.get("FailedNonRetryableError", 0)),
        unlabeled=int(answer.get("Unlabeled", 0)),
    )


def _task(function: str | None, ui: Mapping[str, Any]) -> str:
    """The task by its pre-annotation function, which is AWS's own for all but custom jobs."""
    name = (function or "").rpartition(":function:")[2].partition(":")[0]
    if name.startswith("PRE-"):
        return _BY_CODE.get(name.removeprefix("PRE-"), CUSTOM.name)
    code = str(ui.get("HumanTaskUiArn", "")).rpartition("/")[2]
    return _BY_CODE.get(code, CUSTOM.name)


def _folder(answer: Mapping[str, Any]) -> str:
    """The job's own folder: where its manifest says, else below the output path."""
    # Names in the job's files are in lower case and sometimes prefixed; this folder's never is.
    manifest = answer.get("LabelingJobOutput", {}).get("OutputDatasetS3Uri")
    if manifest and manifest.endswith(_OUTPUT_MANIFEST):
        return _s3(manifest).removesuffix(_OUTPUT_MANIFEST)
    path = _s3(str(answer.get("OutputConfig", {}).get("S3OutputPath", "")))
    return f"{path.rstrip('/')}/{answer['LabelingJobName']}"


def _s3(uri: str) -> str:
    """Write an address of S3's that begins with https:// as s3://; the API takes both."""
    if not uri.startswith("https://"):
        return uri
    parts = urlsplit(uri)
    host, path = parts.netloc, unquote(parts.path)
    bucket = re.match(r"(.+?)\.s3[.-]", host)
    return f"s3://{bucket[1]}{path}" if bucket else f"s3:/{path}"


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc)
