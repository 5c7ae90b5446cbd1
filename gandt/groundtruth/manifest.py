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

What else is to be known of every line, such as the number of a round, comes as `keys` and is passed
through in the same way. Rounds have `gandt-round`, `gandt-labeled` and `gandt-unlabeled`, how many
images of the pool were and were not labeled when the round was drawn.

Known images (`Selection.gold`) stand among the candidates; they have `gandt-gold`, the label, in
place of what the machine thought (`gandt-golds`, a list with null for the others, in tiled tasks).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gandt import storage
from gandt.errors import ManifestError, UsageError
from gandt.groundtruth.gold import deal_tasks, gold_wanted, known_label, line_places, tells
from gandt.groundtruth.json_lines import (
    GOLD,
    MAX_ATTRIBUTE,
    POOL_URI,
    POOL_URIS,
    SOURCE,
    SOURCE_REF,
    TILES,
    UTF8_BOM,
    WHY,
    dump,
    fits,
    image_uris,
    parse_line,
    read_objects,
)
from gandt.groundtruth.tiles import TaskExamples, Tile, tile_lines
from gandt.groundtruth.uri_map import UriMap
from gandt.types import Candidate, Gold, KnownImage, Selection

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
_CLASS, _RANK, _SCORE = "gandt-class", "gandt-rank", "gandt-score"
_OWN_KEYS = frozenset({_CLASS, _RANK, _SCORE, WHY, GOLD, POOL_URI})
_SNIFF = 1 << 19  # bytes: more than the longest legal line takes


@dataclass(frozen=True, slots=True)
class ManifestSummary:
    """What was written, and what a person should look at before paying for it."""

    destination: str
    tasks: int  # lines
    images: int  # asked, one that several tasks show as often
    group_size: int | None  # largest number of images in a task; None for one image on a line
    rewritten: int  # references that a rule of the URI map changed
    unmapped: tuple[str, ...]  # references that no rule fits though rules were given; kept as is
    dropped_examples: tuple[str, ...]  # example pictures left out so that tasks keep the limits
    known: tuple[tuple[str, object], ...] = ()  # planted images: name in the pool, label or labels
    known_asked: int = 0  # how many of `images` these are
    telling: tuple[str, ...] = ()  # references to planted images that give their label away
    tiles_key: bool = False  # whether tiled tasks also have their images under `tiles`


def write_manifest(
    destination: str,
    selection: Selection,
    *,
    group_size: int | None = None,
    uri_map: UriMap | None = None,
    examples: TaskExamples | None = None,
    tiles_key: bool = True,
    keys: Mapping[str, object] | None = None,
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
        class over all tasks. With known images, `gold.deal_tasks` decides.
    uri_map
        Rewrites the references, those of examples too.
    examples
        Example pictures of tiled tasks; of no effect without `group_size`. Where a task would
        exceed the 20,000 characters that Ground Truth allows, the last examples are left out.
    tiles_key
        Whether tiled tasks also have their images as a list, for pages that run without a
        pre-annotation Lambda; left out where a line would grow too long.
    keys
        More keys of every line, with values that JSON can hold; their names begin with `gandt-`.
        Tiled tasks have no place for them.

    Raises
    ------
    UsageError
        Where `group_size` is less than 1, or a key has no place or another name.
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
    if group_size is not None and group_size < 1:
        raise UsageError(f"--group-size {group_size} leaves no image in a task: give 1 or more.")
    more = dict(keys or {})
    _check_keys(more, tiled=group_size is not None)
    rewriter = _Rewriter(uri_map or UriMap())
    candidates = [(pick, rewriter(pick.uri)) for pick in selection.candidates]
    gold = selection.gold or Gold((), 0.0)
    known = [(image, rewriter(image.uri)) for image in gold.images]
    dropped: tuple[str, ...] = ()
    if group_size is None:
        labels = [known_label(image.labels, selection.classes, None) for image in gold.images]
        lines = _image_lines(candidates, known, labels, gold, more)
        asked = len(known)
    else:
        shown = rewriter.examples(examples or TaskExamples())
        labels = [
            known_label(image.labels, selection.classes, shown.other_label) for image in gold.images
        ]
        tiles = [
            Tile(index, reference, pick.uri) for index, (pick, reference) in enumerate(candidates)
        ]
        tiles += [
            Tile(len(tiles) + index, reference, image.uri, label)
            for index, ((image, reference), label) in enumerate(zip(known, labels, strict=True))
        ]
        deal = partial(_deal, len(candidates), gold) if known else None
        asked = sum(map(len, deal(group_size))) - len(candidates) if deal else 0
        lines, dropped = tile_lines(
            _renumbered(tiles, _rng(gold)) if known else tiles,
            selection.classes,
            group_size,
            shown,
            deal=deal,
            tiles_key=tiles_key,
        )
    storage.write_bytes(destination, "".join(f"{line}\n" for line in lines).encode())
    return ManifestSummary(
        destination=destination,
        tasks=len(lines),
        images=len(candidates) + asked,
        group_size=group_size,
        rewritten=rewriter.rewritten,
        unmapped=tuple(dict.fromkeys(rewriter.unmapped)),
        dropped_examples=dropped,
        known=tuple((image.uri, label) for image, label in zip(gold.images, labels, strict=True)),
        known_asked=asked,
        telling=tuple(reference for image, reference in known if tells(reference, image.labels)),
        tiles_key=group_size is not None and TILES in parse_line(lines[0].encode()).record,
    )


def _check_keys(keys: Mapping[str, object], *, tiled: bool) -> None:
    if tiled and keys:
        raise UsageError(
            f"tiled tasks cannot carry {', '.join(keys)}: write one image on a line, without "
            "--group-size."
        )
    for name in keys:
        if not name.startswith(RESERVED_PREFIX) or name in _OWN_KEYS:
            raise UsageError(
                f"{name} cannot be a further key of a manifest: take a name that begins with "
                f"{RESERVED_PREFIX} and is not {', '.join(sorted(_OWN_KEYS))}."
            )


def _rng(gold: Gold) -> np.random.Generator:
    return np.random.default_rng([gold.random_seed, 4])


def _deal(candidates: int, gold: Gold, group_size: int) -> list[list[int]]:
    wanted = gold_wanted(candidates, gold.share)
    return deal_tasks(candidates, len(gold.images), wanted, group_size, _rng(gold))


def _renumbered(tiles: list[Tile], rng: np.random.Generator) -> list[Tile]:
    """Draw the indexes, which pages hold: in order, they would tell the known from the others."""
    drawn = rng.permutation(len(tiles)).tolist()
    return [replace(tile, index=index) for tile, index in zip(tiles, drawn, strict=True)]


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

    def examples(self, examples: TaskExamples) -> TaskExamples:
        """The same examples by their new names."""
        return TaskExamples(
            tuple(map(self, examples.positive)),
            tuple(map(self, examples.negative)),
            examples.other_label,
        )


def _image_lines(
    candidates: Sequence[tuple[Candidate, str]],
    known: Sequence[tuple[KnownImage, str]],
    labels: Sequence[object],
    gold: Gold,
    more: Mapping[str, object],
) -> list[str]:
    lines = [_image_line(candidate, reference, more) for candidate, reference in candidates]
    places = line_places(len(lines), len(known), _rng(gold))
    for place, (image, reference), label in zip(places, known, labels, strict=True):
        record = {SOURCE_REF: reference, GOLD: label, **more}
        lines.insert(place, _line(record, reference, image.uri))
    return lines


def _image_line(candidate: Candidate, reference: str, more: Mapping[str, object]) -> str:
    record: dict[str, object] = {
        SOURCE_REF: reference,
        _CLASS: candidate.label,
        _RANK: int(candidate.rank),
        _SCORE: _short(candidate.score),
        WHY: candidate.why,
        **more,
    }
    return _line(record, reference, candidate.uri)


def _line(record: dict[str, object], reference: str, pool_uri: str) -> str:
    if reference != pool_uri:
        record[POOL_URI] = pool_uri
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
