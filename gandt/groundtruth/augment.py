"""Labels become manifests again: what a Ground Truth job would have written, and what to ask next.

Writes two kinds of JSON Lines. An output manifest ("augmented manifest") holds each task with its
label, in the shape of Ground Truth's own jobs, so that it trains models in SageMaker, chains into
the next job, and is seeds for the next selection. A relabel manifest holds the tasks to ask again,
without the label of this round. Keys that the lines came with pass through, earlier labels among
them; a line is written as `gandt.groundtruth.manifest` writes its own. Masks become PNG files
beside the manifest (`mask_images`).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from gandt import storage
from gandt.answers import Kind, Mask
from gandt.errors import UsageError
from gandt.groundtruth.json_lines import SOURCE_REF, dump
from gandt.groundtruth.label_json import LabeledTask, LabelWriter
from gandt.groundtruth.label_names import (
    METADATA,
    check_attribute,
    check_job_name,
    default_attribute,
    label_attributes,
)
from gandt.groundtruth.task_lines import task_line

__all__ = [
    "LabeledTask",
    "default_attribute",
    "write_output_manifest",
    "write_relabel_manifest",
]

_NO_LINES: Mapping[str, Mapping[str, object]] = {}
_NO_SIZES: Mapping[str, tuple[int, int]] = {}


def write_output_manifest(
    uri: str,
    rows: Iterable[LabeledTask],
    *,
    kind: Kind,
    attribute: str,
    job_name: str,
    classes: Sequence[str],
    created: datetime,
    lines: Mapping[str, Mapping[str, object]] = _NO_LINES,
    image_sizes: Mapping[str, tuple[int, int]] = _NO_SIZES,
    mask_folder: str | None = None,
) -> int:
    """Write labels as the output manifest of a labeling job.

    The same labels give the same bytes. A task that nobody answered keeps its line, without the
    two keys of this label, so that a chained job asks about it.

    Parameters
    ----------
    uri
        Local path or `s3://` URI.
    attribute
        The label attribute; of masks it ends in `-ref`. See `default_attribute`.
    job_name
        Stands in the metadata, in lower case.
    classes
        The label categories: a class is written as its place in them.
    created
        A time without a zone is UTC.
    lines
        By task, its line in the manifest of the job; what is in it passes through. An image of a
        tiled task gets a line of its own. A task without a line is taken for an image where it
        looks like a path or URI, else for a text.
    image_sizes
        By task, width and height in pixels; for boxes. A size that an earlier label of the line
        gives is taken where this has none.
    mask_folder
        Where the PNG files of masks go, as `<row number>.png`; local or `s3://`.

    Returns
    -------
    Number of lines.

    Raises
    ------
    UsageError
        Where the attribute or the job could not have this name, the attribute is the name of
        another key of a line, a label is not of this kind or not in `classes`, or masks have no
        folder.
    ManifestError
        Where a name or a number cannot stand in a manifest.
    StorageError
        Where a file cannot be written.
    """
    check_attribute(attribute, kind)
    check_job_name(job_name)
    if kind == "mask" and mask_folder is None:
        raise UsageError("Masks are files of their own: name a mask_folder for them.")
    writer = LabelWriter(kind, classes, job_name=job_name, created=created)
    folder = storage.normalize(mask_folder).rstrip("/") if mask_folder is not None else ""
    written = io.BytesIO()
    count = 0
    for count, row in enumerate(rows, start=1):
        record = task_line(row.task, lines, kind)
        _take_out(record, attribute, uri)
        if row.label is not None:
            label, metadata = _label(
                writer, row, record, image_sizes.get(row.task), f"{folder}/{count - 1}.png"
            )
            text = SOURCE_REF not in record
            record[attribute] = label
            record[f"{attribute}{METADATA}"] = {**metadata, **writer.common(row, text=text)}
        written.write(f"{dump(record)}\n".encode())
    storage.write_bytes(uri, written.getvalue())
    return count


def write_relabel_manifest(
    uri: str,
    tasks: Iterable[str],
    *,
    lines: Mapping[str, Mapping[str, object]] = _NO_LINES,
    attribute: str | None = None,
    kind: Kind | None = None,
) -> int:
    """Write the input manifest of a job that asks about these tasks again, in their order.

    No task gives an empty file, so that what an earlier run left is not taken for this one's.

    Parameters
    ----------
    uri
        Local path or `s3://` URI.
    lines
        As for `write_output_manifest`; labels of earlier rounds stay in them.
    attribute
        The label of this round: it is taken out of the lines, for a job passes over what it finds
        labeled under its own attribute.
    kind
        Helps to tell images from texts where a task has no line.

    Returns
    -------
    Number of lines.

    Raises
    ------
    UsageError
        Where the attribute is the name of another key of a line.
    ManifestError
        Where a name cannot stand in a manifest.
    StorageError
        Where the file cannot be written.
    """
    records = [task_line(task, lines, kind) for task in tasks]
    for record in records:
        if attribute is not None:
            _take_out(record, attribute, uri)
    storage.write_bytes(uri, "".join(f"{dump(record)}\n" for record in records).encode())
    return len(records)


def _take_out(record: dict[str, object], attribute: str, uri: str) -> None:
    """Take an older label of the same name out of a line."""
    keys = (attribute, f"{attribute}{METADATA}")
    if attribute not in label_attributes(record) and any(key in record for key in keys):
        raise UsageError(
            f"{uri} cannot hold labels under {attribute!r}: its lines have a key of that name "
            "that is no label. Choose another attribute (--write-attribute)."
        )
    for key in keys:
        record.pop(key, None)


def _label(
    writer: LabelWriter,
    row: LabeledTask,
    record: Mapping[str, object],
    size: tuple[int, int] | None,
    mask_uri: str,
) -> tuple[object, dict[str, object]]:
    """Give a label and the metadata of its kind; a mask is written as a file on the way."""
    if writer.kind == "single":
        return writer.single(row)
    if writer.kind == "multi":
        return writer.multi(row)
    if writer.kind == "boxes":
        return writer.boxes(row, size, _earlier_size(record))
    if writer.kind == "spans":
        return writer.spans(row)
    if not isinstance(row.label, Mask):
        raise UsageError(
            f"The label of the task {row.task[:200]!r} is no mask (a {type(row.label).__name__}): "
            "write each kind of label to its own manifest."
        )
    from gandt.groundtruth.mask_images import encode_mask

    data, colors = encode_mask(row.label)
    storage.write_bytes(mask_uri, data)
    return writer.mask(row, mask_uri, colors)


def _earlier_size(record: Mapping[str, object]) -> object:
    for name in label_attributes(record):
        label = record.get(name)
        if isinstance(label, dict) and label.get("image_size"):
            return label["image_size"]
    return None
