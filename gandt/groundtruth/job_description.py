"""What the service says about a job, as `gandt fetch` keeps it beside the job's files.

Reads `job.json`, the answer of `DescribeLabelingJob` (SageMaker API reference). A manifest that
went through several jobs holds the labels of all; this file says which are the job's own.
"""

from __future__ import annotations

import json

from gandt import storage
from gandt.errors import StorageError
from gandt.groundtruth.job_folder import JobFolder, job_root

__all__ = ["described_attribute", "own_attribute"]


def described_attribute(folder: JobFolder) -> str | None:
    """The label attribute of the job in a folder; None where nothing there says it."""
    uri = folder.description
    try:
        if uri is None:
            if storage.is_remote(folder.root):  # it would have been listed
                return None
            found = storage.find(folder.default_description)
            if found is None:
                return None
            uri = found.uri
        document = json.loads(storage.read_bytes(uri))
    except (StorageError, ValueError, RecursionError):
        return None  # another file of this name; it was nothing that had to be there
    name = document.get("LabelAttributeName") if isinstance(document, dict) else None
    return name if isinstance(name, str) and name else None


def own_attribute(manifest: str) -> str | None:
    """The label attribute of the job that wrote a manifest; None where nothing beside it says."""
    root = job_root(storage.normalize(manifest))
    return described_attribute(JobFolder(root)) if root else None
