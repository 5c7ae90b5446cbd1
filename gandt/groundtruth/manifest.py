"""Input manifests: a selection becomes tasks, and a manifest becomes a list of images.

Writes the JSON Lines that a labeling job starts from. Two shapes exist:

- One image on a line, `{"source-ref": "s3://…", …}`, for Ground Truth's built-in image tasks.
- Tiled tasks for custom templates, `{"source": "<JSON text>"}`; see `gandt.groundtruth.tiles`.

Beside `source-ref`, a line carries what Ground Truth passes through to the output manifest
unchanged: `gandt-class`, `gandt-rank`, `gandt-score`, `gandt-why`, and `gandt-pool-uri` where the
reference was rewritten (`gandt-pool-uris`, a list, with tiled tasks). The prefix keeps them apart
from a job's label attribute (which must therefore not begin with `gandt-`) and from the user's own
keys; hyphens and lower case are Ground Truth's own habit; none begins with `$`, which it refuses.
Workers do not see them: the class is a machine's guess and would bias them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from gandt import storage
from gandt.errors import ManifestError, UsageError
from gandt.groundtruth.json_lines import (
    MAX_ATTRIBUTE,
    POOL_URI,
    POOL_URIS,
    SOURCE,
    SOURCE_REF,
    UTF8_BOM,
    dump,
    fits,
    image_uris,
    parse_line,
    read_objects,
)
from gandt.groundtruth.tiles import TaskExamples, Tile, tile_lines
from gandt.groundtruth.uri_map import UriMap
from gandt.types import Candidate, Selection

__all__ = [
    "RESERVED_PREFIX",
    "ManifestSummary",
    "TaskExamples",
    "is_manifest",
    "read_every_name",
    "read_source_refs",
    "write_manifest",
]

RESERVED_PREFIX = "gandt-"  # of our own keys in a line
_SNIFF = 1 << 19  # bytes: more than the longest legal line takes


@dataclass(frozen=True, slots=True)
class ManifestSummary:
    """What was written, and what a person should look at before paying for it."""

    destination: str
    tasks: int  # lines
    images: int
    group_size: int | None  # largest number of images in a task; None for one image on a line
    rewritten: int  # references that a rule of the URI map changed
    unmapped: tuple[str, ...]  # references that no rule fits though rules were given; kept as is
    dropped_examples: tuple[str, ...]  # example pictures left out so that tasks keep the limits


def write_manifest(
    destination: str,
    selection: Selection,
    *,
    group_size: int | None = None,
    uri_map: UriMap | None = None,
    examples: TaskExamples | None = None,
) -> ManifestSummary:
    r"""Write a selection as the input manifest of a labeling job.

    The same selection gives the same bytes: UTF-8, one object on each line, `\n` after each.
    References are kept as they are, never URL-encoded.

    Parameters
    ----------
    destination
        Local path or `s3://` URI.
    group_size
        None writes one image on a line. A number writes tiled tasks of at most so many images;
        image *i* goes to task *i* mod *n*, *n* = ceil(images / group size), which spreads each
        class over all tasks.
    uri_map
        Rewrites the references, those of examples too.
    examples
        Example pictures of tiled tasks; of no effect without `group_size`. Where a task would
        exceed the 20,000 characters that Ground Truth allows, the last examples are left out.

    Raises
    ------
    UsageError
        Where `group_size` is less than 1.
    ManifestError
        Where the selection is empty, a task is too long even without examples, or a name cannot
        be written.
    StorageError
        Where the destination cannot be written.
    """
    if not selection.candidates:
        raise ManifestError(
            f"The selection is empty, so {destination} would hold no task: lower the bar "
            "(--min-similarity) or exclude less."
        )
    rewriter = _Rewriter(uri_map or UriMap())
    references = [rewriter(candidate.uri) for candidate in selection.candidates]
    dropped: tuple[str, ...] = ()
    if group_size is None:
        lines = [
            _image_line(candidate, reference)
            for candidate, reference in zip(selection.candidates, references, strict=True)
        ]
    elif group_size < 1:
        raise UsageError(f"--group-size {group_size} leaves no image in a task: give 1 or more.")
    else:
        examples = examples or TaskExamples()
        mapped = TaskExamples(
            tuple(rewriter(uri) for uri in examples.positive),
            tuple(rewriter(uri) for uri in examples.negative),
            examples.other_label,
        )
        tiles = [
            Tile(index, reference, candidate.uri)
            for index, (candidate, reference) in enumerate(
                zip(selection.candidates, references, strict=True)
            )
        ]
        lines, dropped = tile_lines(tiles, selection.classes, group_size, mapped)
    storage.write_bytes(destination, "".join(f"{line}\n" for line in lines).encode())
    return ManifestSummary(
        destination=destination,
        tasks=len(lines),
        images=len(references),
        group_size=group_size,
        rewritten=rewriter.rewritten,
        unmapped=tuple(dict.fromkeys(rewriter.unmapped)),
        dropped_examples=dropped,
    )


class _Rewriter:
    """Applies a URI map and remembers what it met."""

    def __init__(self, uri_map: UriMap) -> None:
        self.uri_map = uri_map
        self.rewritten = 0
        self.unmapped: list[str] = []

    def __call__(self, uri: str) -> str:
        mapped = self.uri_map.apply(uri)
        if mapped is None:
            if self.uri_map:
                self.unmapped.append(uri)
            return uri
        self.rewritten += mapped != uri
        return mapped


def _image_line(candidate: Candidate, reference: str) -> str:
    record: dict[str, object] = {
        SOURCE_REF: reference,
        "gandt-class": candidate.label,
        "gandt-rank": int(candidate.rank),
        "gandt-score": _short(candidate.score),
        "gandt-why": candidate.why,
    }
    if reference != candidate.uri:
        record[POOL_URI] = candidate.uri
    line = dump(record)
    if not fits(reference, line):
        raise ManifestError(
            f"The reference {reference[:80]}… is longer than the {MAX_ATTRIBUTE:,} characters "
            "that a manifest allows: give the file a shorter name."
        )
    return line


def _short(value: float) -> float | None:
    """Six significant digits, as far as float32 goes; JSON has no NaN, so that becomes null."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def is_manifest(uri: str) -> bool:
    """Tell whether a file is a manifest: by its suffix, or by the first object in it.

    Reads the first half megabyte at most.

    Raises
    ------
    StorageError
        Where the file cannot be read.
    """
    if uri.endswith(".manifest"):
        return True
    head = storage.read_bytes(uri, size=_SNIFF).removeprefix(UTF8_BOM).lstrip()
    if not head.startswith(b"{"):
        return False
    try:
        record = parse_line(head.partition(b"\n")[0]).record
    except ManifestError:
        return False
    return isinstance(record.get(SOURCE_REF), str) or isinstance(record.get(SOURCE), str)


def read_source_refs(uri: str) -> Iterator[str]:
    """Stream the images of any manifest, in its order; tiled tasks are unfolded.

    An image that stands on several lines comes as often.

    Raises
    ------
    ManifestError
        At the first line that names no image.
    StorageError
        Where the file cannot be read.
    """
    for number, record in read_objects(uri):
        try:
            uris = image_uris(record)
        except ManifestError as error:
            raise _unusable(uri, number, error) from error
        if uris is None:
            raise ManifestError(
                f"{uri}, line {number} asks about a text, not an image: name a manifest whose "
                f"lines hold `{SOURCE_REF}`."
            )
        yield from uris


def read_every_name(uri: str) -> Iterator[str]:
    """Stream all names of the images of a manifest: references, and names in the pool.

    Raises
    ------
    ManifestError
        At the first line that is not a task.
    StorageError
        Where the file cannot be read.
    """
    for number, record in read_objects(uri):
        try:
            yield from image_uris(record) or ()
        except ManifestError as error:
            raise _unusable(uri, number, error) from error
        in_pool = record.get(POOL_URIS, [record.get(POOL_URI)])
        for name in in_pool if isinstance(in_pool, list) else []:
            if isinstance(name, str):
                yield name


def _unusable(uri: str, number: int, error: ManifestError) -> ManifestError:
    return ManifestError(f"{uri}, line {number} {error}: repair the line or take it out.")
