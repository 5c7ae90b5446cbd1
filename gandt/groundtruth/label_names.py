"""Label attributes by name: which a line has, which one is meant, which names are allowed.

A labeling job adds `<attribute>` and `<attribute>-metadata` to each line of its manifest; chained
jobs add several such pairs. Pure functions. The rules for names are those of `CreateLabelingJob`
(`LabelAttributeName`, `LabelingJobName`) and, for finding labels, those of files that jobs wrote:
the user's own keys may end in `-metadata` too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from gandt.answers import Kind
from gandt.errors import ManifestError, UsageError
from gandt.groundtruth.json_lines import SOURCE, SOURCE_REF
from gandt.groundtruth.manifest import RESERVED_PREFIX
from gandt.groundtruth.output_values import label_type

__all__ = [
    "MASK",
    "METADATA",
    "attribute_types",
    "check_attribute",
    "check_job_name",
    "default_attribute",
    "is_attribute",
    "label_attributes",
    "only_attribute",
]

METADATA = "-metadata"
MASK = "-ref"  # the end of the name of an attribute that refers to files, as masks do
FALLBACK = "labels"

_ATTRIBUTE = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,126}")
_MAX_JOB_NAME = 63
_SPELLING = "letters and digits of ASCII, and hyphens between them"


def label_attributes(record: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    """Find the label attributes of a line, with their metadata.

    A key is one only if `<key>-metadata` is an object with a `type` that begins `groundtruth/`
    (any case) or with a `failure-reason`; other keys may end in `-metadata` too.
    """
    found: dict[str, Mapping[str, object]] = {}
    for key, metadata in record.items():
        name = key.removesuffix(METADATA)
        if name == key or not name or not isinstance(metadata, dict):
            continue
        if label_type(metadata).startswith("groundtruth/") or "failure-reason" in metadata:
            found[name] = metadata
    return found


def attribute_types(records: Iterable[Mapping[str, object]]) -> dict[str, tuple[str, ...]]:
    """Find the types of each label attribute, in lower case; none where all its lines failed."""
    types: dict[str, set[str]] = {}
    for record in records:
        for name, metadata in label_attributes(record).items():
            types.setdefault(name, set()).add(label_type(metadata))
    return {name: tuple(sorted(found - {""})) for name, found in sorted(types.items())}


def only_attribute(uri: str, names: Sequence[str]) -> str:
    """Choose the attribute that must be meant.

    Raises
    ------
    ManifestError
        Where there is none or more than one.
    """
    if not names:
        raise ManifestError(
            f"{uri} has no labels in it: name the output manifest of a finished labeling job, or "
            "the label attribute if its metadata name no type."
        )
    if len(names) > 1:
        raise ManifestError(
            f"{uri} holds the labels of several jobs ({', '.join(names)}): say which "
            "attribute to read."
        )
    return names[0]


def is_attribute(name: str) -> bool:
    """Whether the characters of a name are those of a label attribute."""
    return _ATTRIBUTE.fullmatch(name) is not None


def check_attribute(name: str, kind: Kind) -> None:
    """Refuse a name that no labeling job of this kind could have for its labels.

    Raises
    ------
    UsageError
        With the rule that it breaks.
    """
    if not is_attribute(name):
        rule = f"use 1 to 127 {_SPELLING}"
    elif name.endswith(METADATA):
        rule = f"a name may not end in {METADATA}, which belongs to the metadata"
    elif name in (SOURCE, SOURCE_REF):
        rule = "that key holds what the task is about"
    elif name.startswith(RESERVED_PREFIX):
        rule = f"names that begin with {RESERVED_PREFIX} are our own"
    elif kind == "mask" and not name.endswith(MASK):
        rule = f"for masks it must end in {MASK}, as in {name}{MASK}"
    elif kind != "mask" and name.endswith(MASK):
        rule = f"only for masks it may end in {MASK}"
    else:
        return
    raise UsageError(f"The label attribute {name!r} is not possible: {rule}.")


def check_job_name(name: str) -> None:
    """Refuse a name that no labeling job could have.

    Raises
    ------
    UsageError
        With the rule that it breaks.
    """
    if len(name) > _MAX_JOB_NAME or not is_attribute(name):
        raise UsageError(
            f"The job name {name!r} is not possible: use 1 to {_MAX_JOB_NAME} {_SPELLING}."
        )


def default_attribute(name: str, *, kind: Kind = "single") -> str:
    """Make a label attribute of the name of a folder or job.

    Accents are dropped, everything else that a name may not hold becomes a hyphen, and what it may
    not begin or end with is cut off; it is short enough for the name of a job as well.

    Examples
    --------
    >>> default_attribute("/data/Round_1/")
    'Round-1'
    >>> default_attribute("s3://bucket/masks", kind="mask")
    'masks-ref'
    """
    last = name.rstrip("/").rpartition("/")[2]
    plain = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-zA-Z0-9]+", "-", plain)
    limit = _MAX_JOB_NAME - len(MASK)
    previous = None
    while words != previous:  # what one step cuts off may bare what another has to
        previous = words
        words = words.strip("-")[:limit].removeprefix(RESERVED_PREFIX)
        words = words.removesuffix(METADATA).removesuffix(MASK)
    if words in ("", SOURCE, RESERVED_PREFIX.rstrip("-")):
        words = FALLBACK
    return f"{words}{MASK}" if kind == "mask" else words
