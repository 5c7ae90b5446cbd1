"""The errors of G&T: one tree, one sentence each.

::

    GandtError
    ├── UsageError          the call itself is wrong (exit code 2)
    ├── StorageError        a path or URI cannot be read, listed or written
    │   ├── MissingObject   there is none (storage)
    │   ├── PassingFailure  busy or cut off; trying again later may help (storage)
    │   └── ServiceFailure  credentials or endpoint: nothing else will work either (storage)
    ├── PoolError           a source of images cannot be understood
    │   └── BadImage        one image cannot become pixels; collected, never fatal by itself
    │       └── Unavailable its bytes could not be had this time; tried again next time (pool)
    ├── ModelError          a model cannot be named, loaded or run
    │   └── MissingExtra    a package that this needs is not installed
    ├── IndexFolderError    an index folder is missing, damaged, locked or of another format
    │   └── ModelMismatch   two models would mix in one index
    ├── SeedError           the seeds cannot be used
    ├── ManifestError       a manifest breaks the contract of Ground Truth
    ├── AnswerError         workers' answers cannot be read or made into labels
    │   └── LeftOut         one answer does not count; collected as an oddity (groundtruth)
    └── JobError            a labeling job cannot be created, watched or fetched
        └── AwsError        AWS refused a call, or was not reached (aws)

Those with a room in brackets are defined there. A message is one sentence that holds the thing, the
place and the next step.
"""

__all__ = [
    "AnswerError",
    "BadImage",
    "GandtError",
    "IndexFolderError",
    "JobError",
    "ManifestError",
    "MissingExtra",
    "ModelError",
    "ModelMismatch",
    "PoolError",
    "SeedError",
    "StorageError",
    "UsageError",
]


class GandtError(Exception):
    """Base of everything that G&T raises on purpose; the command line prints it as one line."""

    exit_code = 1


class UsageError(GandtError):
    """The call is wrong in itself: an unknown option value, or options that exclude each other."""

    exit_code = 2


class StorageError(GandtError):
    """A path or URI cannot be read, listed or written."""


class PoolError(GandtError):
    """A source of images cannot be understood as one."""


class BadImage(PoolError):
    """One image cannot become pixels: it is truncated, foreign, empty or too large.

    Collected per image and written to the index's `rejected/`; never fatal by itself.
    """


class ModelError(GandtError):
    """A model cannot be named, loaded or run."""


class MissingExtra(ModelError):
    """An optional package is needed; the message names the extra that installs it."""


class IndexFolderError(GandtError):
    """An index folder is missing, damaged, locked by another writer, or of another format."""


class ModelMismatch(IndexFolderError):
    """The vectors of an index come from another model than the one asked for."""


class SeedError(GandtError):
    """The labeled examples cannot be used: none readable, no class, or nothing to aim at."""


class ManifestError(GandtError):
    """A manifest breaks the contract of SageMaker Ground Truth."""


class AnswerError(GandtError):
    """Workers' answers cannot be read, or cannot be made into labels."""


class JobError(GandtError):
    """A labeling job of SageMaker Ground Truth cannot be created, watched, stopped or fetched."""
