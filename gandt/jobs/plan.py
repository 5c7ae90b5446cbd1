"""What a launch is going to do: the nouns that its steps hand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from gandt.jobs.settings import JobSettings
from gandt.jobs.tasks import TaskType

__all__ = ["Check", "Cost", "Documents", "ImageFacts", "JobPlan", "Names"]


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of one image without decoding it."""

    uri: str  # as the manifest has it: a path or s3://
    size: int = 0  # bytes
    sha256: str | None = None  # of a local file; S3 objects are not read whole
    format: str | None = None  # Pillow's name: "JPEG", "PNG"
    width: int = 0  # pixels, as stored
    height: int = 0
    orientation: int = 1  # EXIF; other than 1 means that viewers turn or mirror it
    problem: str | None = None  # why it cannot be read, as the end of a sentence


@dataclass(frozen=True, slots=True)
class Names:
    """Names that a job gets where the user gave none."""

    job: str
    attribute: str
    region: str
    account: str | None  # None where the credentials could not be asked
    workteam: str  # ARN


@dataclass(frozen=True, slots=True)
class Documents:
    """Where the job's files lie on S3."""

    manifest: str
    output: str  # S3OutputPath; the job adds its name
    categories: str | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """An estimate in USD, each part with the words that explain it."""

    parts: tuple[tuple[str, Decimal | None], ...]  # None: real, but not known here
    total: Decimal

    # What is not in the total, in words; empty where nothing is missing.
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at before a job is created."""

    name: str  # what was looked at: "CORS of s3://bucket"
    status: Literal["ok", "warning", "error", "skipped"]
    message: str  # what was found, or why it was skipped
    fix: str = ""  # what to do next; never empty for warnings and errors


@dataclass(frozen=True, slots=True)
class JobPlan:
    """Everything decided; nothing uploaded, nothing created."""

    settings: JobSettings
    task: TaskType
    names: Names
    documents: Documents
    records: tuple[dict[str, object], ...]  # lines of the manifest, as they will be uploaded
    images: tuple[ImageFacts, ...]  # every image that the lines name, each once
    uploads: Mapping[str, str]  # local path to S3 URI, of images
    contents: Mapping[str, bytes]  # S3 URI to bytes, of documents
    template: str | None  # text of the page, where it is not AWS's own
    request: Mapping[str, Any]  # of CreateLabelingJob
    cost: Cost
    notes: tuple[str, ...] = field(default=())

    @property
    def to_label(self) -> int:
        """Objects that are asked about: those without a label under the job's attribute."""
        return sum(self.names.attribute not in record for record in self.records)
