"""Input manifests: a selection becomes tasks, and a manifest becomes a list of images.

Writes the JSON Lines that a labeling job starts from. Two shapes exist:

- One image on a line, `{"source-ref": "s3://…", …}`, for Ground Truth's built-in image tasks.
- Tiled tasks for custom templates, `{"source": "<JSON text>"}`: one worker sees up to `group_size`
  images at once. The text is a list of `{"source-ref", "index"}`; its first element also carries
  `event_names`, `positive_examples`, `negative_examples` and `other_category_label`. `index` is
  the image's place in the whole selection, so it is also the row of the selection table.

Beside `source-ref`, a line carries what Ground Truth passes through to the output manifest
unchanged: `gandt-class`, `gandt-rank`, `gandt-score`, `gandt-why`, and `gandt-pool-uri` where the
reference was rewritten. The prefix keeps them apart from a job's label attribute (which must
therefore not begin with `gandt-`) and from the user's own keys; hyphens and lower case are Ground
Truth's own habit; none begins with `$`, which it refuses. Workers do not see them: the class is a
machine's guess and would bias them.

The tiled shape is that of the original G&T, so that its templates and answers go on to work.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gandt import storage
from gandt.errors import ManifestError, UsageError
from gandt.groundtruth.json_lines import (
    MAX_ATTRIBUTE,
    MAX_LINE,
    NONE_OF_THE_ABOVE,
    SOURCE,
    SOURCE_REF,
    UTF8_BOM,
    dump,
    image_uris,
    parse_line,
    read_objects,
)
from gandt.groundtruth.uri_map import UriMap
from gandt.types import Candidate, SeedSet, Selection

__all__ = [
    "RESERVED_PREFIX",
    "ManifestSummary",
    "TaskExamples",
    "is_manifest",
    "read_source_refs",
    "write_manifest",
]

RESERVED_PREFIX = "gandt-"  # of our own keys in a line
_SNIFF = 1 << 19  # bytes: more than the longest legal line takes


@dataclass(frozen=True, slots=True)
class TaskExamples:
    """Pictures that show a worker what is wanted, and the name of the choice "nothing of that"."""

    positive: tuple[str, ...] = ()  # URIs
    negative: tuple[str, ...] = ()  # URIs
    other_label: str = NONE_OF_THE_ABOVE

    @classmethod
    def from_seeds(cls, seeds: SeedSet, per_class: int = 3) -> TaskExamples:
        """Take the first seeds of each class; those of the contrast class show what is not wanted.

        Seeds that are texts have nothing to show and are passed over.
        """
        chosen = {
            name: tuple(uri for uri in uris if _is_uri(uri))[:per_class]
            for name, uris in zip(seeds.classes, seeds.uris, strict=True)
        }
        return cls(
            positive=tuple(uri for name in seeds.targets for uri in chosen[name]),
            negative=chosen.get(seeds.other, ()) if seeds.other else (),
            other_label=seeds.other or NONE_OF_THE_ABOVE,
        )


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
        lines, dropped = _tile_lines(references, selection.classes, group_size, mapped)
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
        record["gandt-pool-uri"] = candidate.uri
    line = dump(record)
    if not _fits(reference, line):
        raise ManifestError(
            f"The reference {reference[:80]}… is longer than the {MAX_ATTRIBUTE:,} characters "
            "that a manifest allows: give the file a shorter name."
        )
    return line


def _short(value: float) -> float | None:
    """Six significant digits, as far as float32 goes; JSON has no NaN, so that becomes null."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _tile_lines(
    references: Sequence[str], classes: Sequence[str], group_size: int, examples: TaskExamples
) -> tuple[list[str], tuple[str, ...]]:
    if examples.other_label in classes:
        raise ManifestError(
            f"The class {examples.other_label!r} has the name of the choice for images of no "
            "class: rename one of them."
        )

    def build(size: int, shown: TaskExamples) -> list[tuple[str, str]]:
        return [
            _tile_line(task, classes, shown)
            for task in _round_robin(list(enumerate(references)), size)
        ]

    positive, negative = list(examples.positive), list(examples.negative)
    dropped: list[str] = []
    while True:
        # Every task shows the same examples, or workers would not judge alike.
        shown = TaskExamples(tuple(positive), tuple(negative), examples.other_label)
        lines = build(group_size, shown)
        if all(_fits(text, line) for text, line in lines):
            return [line for _, line in lines], tuple(dropped)
        if not positive and not negative:
            break
        dropped.append(positive.pop() if len(positive) >= len(negative) else negative.pop())
    longest = max(len(text) for text, _ in lines)
    fitting = next(
        (
            size
            for size in range(group_size - 1, 0, -1)
            if all(_fits(text, line) for text, line in build(size, shown))
        ),
        None,
    )
    advice = f"use --group-size {fitting}" if fitting else "use shorter file or class names"
    raise ManifestError(
        f"A task of {group_size} images takes {longest:,} characters where Ground Truth allows "
        f"{MAX_ATTRIBUTE:,} (and {MAX_LINE:,} bytes a line): {advice}."
    )


def _round_robin(images: list[tuple[int, str]], group_size: int) -> Iterator[list[tuple[int, str]]]:
    tasks = math.ceil(len(images) / group_size)
    return (images[first::tasks] for first in range(tasks))


def _tile_line(
    images: list[tuple[int, str]], classes: Sequence[str], examples: TaskExamples
) -> tuple[str, str]:
    """Build one task; returns the text of its `source` and the whole line."""
    tiles: list[dict[str, object]] = [
        {SOURCE_REF: reference, "index": index} for index, reference in images
    ]
    tiles[0] |= {
        "event_names": list(classes),
        "positive_examples": list(examples.positive),
        "negative_examples": list(examples.negative),
        "other_category_label": examples.other_label,
    }
    text = dump(tiles)
    return text, dump({SOURCE: text})


def _fits(attribute: str, line: str) -> bool:
    return len(attribute) <= MAX_ATTRIBUTE and len(line.encode()) <= MAX_LINE


def _is_uri(text: str) -> bool:
    return text.startswith("/") or "://" in text


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
            raise ManifestError(
                f"{uri}, line {number} {error}: repair the line or take it out."
            ) from error
        if uris is None:
            raise ManifestError(
                f"{uri}, line {number} asks about a text, not an image: name a manifest whose "
                f"lines hold `{SOURCE_REF}`."
            )
        yield from uris
