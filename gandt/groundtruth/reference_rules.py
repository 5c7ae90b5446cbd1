"""What a reference to an image must be: rules for one URI and for one tiled task.

Pure functions that add to a `FindingLog`; `check` calls them for each line. The limits come from
the SageMaker developer guide and the S3 user guide (bucket names, keys of at most 1,024 bytes);
the tiled task is described in `manifest`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from gandt.groundtruth.findings import FindingLog
from gandt.groundtruth.json_lines import NONE_OF_THE_ABOVE, SOURCE, SOURCE_REF
from gandt.groundtruth.uri_map import is_bucket_name

__all__ = ["TileIndexes", "bucket_of", "check_reference", "check_tiles"]

_S3 = "s3://"
_MAX_KEY = 1024  # bytes
_BUILT_IN = (".jpg", ".jpeg", ".png")
_CROWD = (*_BUILT_IN, ".apng", ".bmp", ".gif", ".ico", ".svg")  # crowd-image-classifier's list
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_OTHER_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
TileIndexes = dict[int, tuple[int, object]]  # index → (its line, its image)
_TASK_KEYS = ("event_names", "positive_examples", "negative_examples", "other_category_label")


def bucket_of(uri: str) -> str | None:
    """Name of the bucket of an S3 URI; None for anything else."""
    return uri.removeprefix(_S3).partition("/")[0] if uri.startswith(_S3) else None


def check_reference(log: FindingLog, line: int, key: str, uri: str, *, tile: bool = False) -> None:
    """Check one reference to an image."""
    if not uri.strip():
        log.add("error", "empty", line, key, "the reference is empty", "name an image")
        return
    if uri != uri.strip():
        log.add(
            "warning",
            "blanks",
            line,
            key,
            f"{uri!r} begins or ends with a blank",
            "make sure that the file's name does so too",
        )
    if uri.startswith(_S3):
        _check_s3(log, line, key, uri)
    elif uri.startswith("/"):
        log.add(
            "warning",
            "local-path",
            line,
            key,
            f"{uri} is a local path: fine for labeling on this machine, unknown to Ground Truth",
            "for a Ground Truth job rewrite it with --uri-map",
        )
    elif _OTHER_SCHEME.match(uri):
        scheme = uri.partition("://")[0]
        log.add(
            "error",
            "scheme",
            line,
            key,
            f"{uri} begins with {scheme}://, which Ground Truth does not read",
            "write it as s3://bucket/key",
        )
    else:
        log.add(
            "error",
            "relative",
            line,
            key,
            f"{uri!r} is neither an S3 URI nor an absolute path",
            "write it as s3://bucket/key",
        )
    _check_spelling(log, line, key, uri)
    allowed = _CROWD if tile else _BUILT_IN
    if not uri.lower().endswith(allowed) and not uri.endswith("/"):
        log.add(
            "warning",
            "suffix",
            line,
            key,
            f"{uri} does not end in {', '.join(allowed)}, the formats that "
            + ("image widgets show" if tile else "built-in image tasks take"),
            "convert the image, unless a custom template can show it",
        )


def _check_s3(log: FindingLog, line: int, key: str, uri: str) -> None:
    bucket, _, name = uri.removeprefix(_S3).partition("/")
    if not is_bucket_name(bucket):
        log.add(
            "error",
            "bucket",
            line,
            key,
            f"{uri} names the bucket {bucket!r}, which S3 would refuse",
            "a bucket name is 3 to 63 lower-case letters, digits, dots and hyphens",
        )
    if not name or name.endswith("/"):
        log.add(
            "error",
            "no-object",
            line,
            key,
            f"{uri} names a folder, not an object",
            "name one image on each line",
        )
    if len(name.encode(errors="replace")) > _MAX_KEY:
        log.add(
            "error",
            "long-key",
            line,
            key,
            f"{uri[:80]}… has a key of more than {_MAX_KEY:,} bytes, which no S3 object has",
            "give the object a shorter key",
        )


def _check_spelling(log: FindingLog, line: int, key: str, uri: str) -> None:
    if _PERCENT.search(uri):
        log.add(
            "warning",
            "percent",
            line,
            key,
            f"{uri} looks URL-encoded, and a manifest takes keys as they are",
            "decode it, unless the object's key really holds a percent sign",
        )
    if not unicodedata.is_normalized("NFC", uri):
        log.add(
            "warning",
            "decomposed",
            line,
            key,
            f"{uri} holds accents as characters of their own (as macOS writes them), and S3 "
            "tells the two spellings apart",
            "make sure that the object's key holds the same code points",
        )
    if ".tar#" in uri:
        log.add(
            "warning",
            "shard-member",
            line,
            key,
            f"{uri} is a member of a tar shard, and Ground Truth reads whole objects",
            "upload the images one by one and rewrite the shard's name with --uri-map",
        )


def check_tiles(log: FindingLog, line: int, tiles: list[object], indexes: TileIndexes) -> list[str]:
    """Check the decoded text of one tiled task; returns the references of its images.

    `indexes` maps the indexes seen so far to their place, and grows. The same image may come again
    under its index, in another task.
    """
    references: list[str] = []
    for position, tile in enumerate(tiles):
        place = f"{SOURCE}[{position}]"
        if not isinstance(tile, dict):
            log.add(
                "error",
                "tile",
                line,
                place,
                "the element is not an object",
                f'write {{"{SOURCE_REF}": …, "index": …}}',
            )
            continue
        reference = tile.get(SOURCE_REF)
        if isinstance(reference, str):
            references.append(reference)
            check_reference(log, line, f"{place}.{SOURCE_REF}", reference, tile=True)
        else:
            log.add(
                "error",
                "tile",
                line,
                f"{place}.{SOURCE_REF}",
                f"the element has no `{SOURCE_REF}` that is a string",
                "name the image",
            )
        _check_index(log, line, f"{place}.index", tile, indexes)
        if position == 0:
            _check_task(log, line, place, tile)
    return references


def _check_index(
    log: FindingLog, line: int, key: str, tile: Mapping[str, object], indexes: TileIndexes
) -> None:
    index = tile.get("index")
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        log.add(
            "error",
            "tile-index",
            line,
            key,
            f"the index is {index!r}" if index is not None else "the index is missing",
            "give the image's place in the whole list, from 0",
        )
        return
    reference = tile.get(SOURCE_REF)
    if index not in indexes:
        indexes[index] = (line, reference)
    elif indexes[index][0] == line or indexes[index][1] != reference:
        log.add(
            "error",
            "tile-index",
            line,
            key,
            f"the index {index} stands on line {indexes[index][0]} for another image or answer, so "
            "answers cannot be told apart",
            "give each image its own index",
        )


def _check_task(log: FindingLog, line: int, place: str, first: Mapping[str, object]) -> None:
    missing = [name for name in _TASK_KEYS if name not in first]
    if missing:
        log.add(
            "warning",
            "task-keys",
            line,
            place,
            f"the first image carries no {', '.join(missing)}",
            "a template of tiled tasks shows its choices and examples from there",
        )
    names = _names(first.get("event_names"))
    if "event_names" in first and not names:
        log.add(
            "error",
            "event-names",
            line,
            f"{place}.event_names",
            "the choices are not a list of different, non-empty names",
            "list each class once",
        )
    for name in ("positive_examples", "negative_examples"):
        examples = first.get(name, [])
        if not isinstance(examples, list):
            examples = [None]
        for position, uri in enumerate(examples):
            if isinstance(uri, str):
                check_reference(log, line, f"{place}.{name}[{position}]", uri, tile=True)
            else:
                log.add(
                    "error",
                    "examples",
                    line,
                    f"{place}.{name}",
                    "the examples are not a list of references",
                    "list the URIs of images, or none",
                )
    other = first.get("other_category_label", NONE_OF_THE_ABOVE)
    if not isinstance(other, str) or not other.strip() or other in names:
        log.add(
            "error",
            "other-label",
            line,
            f"{place}.other_category_label",
            "the name of the choice for images of no class is empty or the name of a class",
            f'give it a name of its own, such as "{NONE_OF_THE_ABOVE}"',
        )


def _names(value: object) -> tuple[str, ...]:
    """Read a list of different, non-empty names; nothing where it is not one."""
    if not isinstance(value, list):
        return ()
    names = tuple(name for name in value if isinstance(name, str) and name.strip())
    return names if len(set(names)) == len(value) else ()
