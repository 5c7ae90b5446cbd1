"""What a user says of a labeling job, before anything is looked up or uploaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["PUBLIC", "JobSettings"]

PUBLIC = "public"  # as `workteam`: the workforce of Mechanical Turk


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """One job, in the user's words; every field is an option of `gandt launch` and of its file.

    None means "as is usual": `gandt.jobs.tasks` and `gandt.jobs.request` know what that is.
    """

    manifest: str  # path or s3://
    task: str  # a name in `tasks.TASKS`
    bucket: str  # where images, documents and results go
    role: str  # ARN
    workteam: str  # ARN, name of a private team, or "public"
    labels: tuple[str, ...] = ()
    region: str | None = None
    name: str | None = None  # of the job; None: after the manifest
    attribute: str | None = None  # label attribute; None: after the job
    prefix: str = "groundtruth"  # in the bucket; the managed policy of the role asks for this word
    template: str | None = None  # name of one of our pages, or a file; for custom tasks
    question: str | None = None
    instructions: str | None = None
    examples: tuple[str, ...] = ()  # labeled sources whose first images are shown to workers
    title: str | None = None
    description: str | None = None
    keywords: tuple[str, ...] = ()
    workers: int | None = None  # to an object
    task_seconds: int | None = None  # that a worker has for a task
    availability_seconds: int | None = None  # that a task waits for workers
    max_concurrent: int | None = None
    max_objects: int | None = None  # stop after so many labeled by people
    max_percent: int | None = None  # stop after this share of the objects is labeled
    price: str | None = None  # USD a task, decimal text; public workforce only
    no_personal_data: bool = False  # stated by the user; the public workforce asks for it
    no_adult_content: bool = False
    automated: bool = False
    initial_model: str | None = None  # ARN, of an earlier job's automated labeling
    previous_attribute: str | None = None  # label attribute that is verified or adjusted
    pre_lambda: str | None = None  # ARN
    post_lambda: str | None = None  # ARN
    kms_key: str | None = None  # encrypts the output
    volume_kms_key: str | None = None  # encrypts the disks of automated labeling
    subnets: tuple[str, ...] = ()  # VPC of automated labeling
    security_groups: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
