"""A manifest on this machine becomes one that Ground Truth can read: images by their S3 URIs.

Reads any manifest, streaming; returns its lines as objects. The name under which the pool knows an
image stays beside the new reference (`gandt-pool-uri`, `gandt-pool-uris` of tiles), so that
answers find their way back. All other keys, labels of earlier jobs among them, stay as they are.
The limits are those of `gandt.groundtruth.json_lines`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from gandt import storage
from gandt.errors import ManifestError
from gandt.groundtruth.json_lines import (
    MAX_ATTRIBUTE,
    MAX_LINE,
    POOL_URI,
    POOL_URIS,
    SOURCE,
    SOURCE_REF,
    TILES,
    decode_tiles,
    dump,
    fits,
    image_uris,
    read_objects,
)
from gandt.pool.sources import resolve

__all__ = ["manifest_bytes", "manifest_images", "rewrite_manifest"]

_EXAMPLES = ("positive_examples", "negative_examples")
# What a `source-ref` may name beside images: videos, lists of frames, point clouds.
_OTHER_FILES = frozenset(
    {
        *(".mp4", ".m4v", ".ogg", ".ogv", ".webm", ".mov", ".avi", ".mkv"),
        *(".json", ".jsonl", ".bin", ".txt", ".csv", ".pcd", ".ply"),
    }
)


def manifest_images(manifest_uri: str) -> list[str]:
    """List the images that a manifest names, and those that are shown beside them as examples.

    Each comes once, in the order of first mention; relative names are made absolute, by the
    folder of the manifest. Texts, videos, lists of frames and point clouds are no images.

    Raises
    ------
    ManifestError
        At the first line that is not a task.
    StorageError
        Where the manifest cannot be read.
    """
    manifest = storage.normalize(manifest_uri)
    folder = manifest.rpartition("/")[0]
    found: dict[str, None] = {}
    for _, record, tiles in _lines(manifest):
        for reference in _references(record, tiles):
            found[resolve(reference, folder)] = None
    return [uri for uri in found if PurePosixPath(uri).suffix.lower() not in _OTHER_FILES]


def rewrite_manifest(
    manifest_uri: str, to_s3: Mapping[str, str], *, tiles_key: bool
) -> tuple[dict[str, object], ...]:
    """Read a manifest with its images named as they lie on S3.

    Parameters
    ----------
    to_s3
        From the name of an image, as `manifest_images` gives it, to its S3 URI. Images that are
        not in it keep their reference.
    tiles_key
        Whether tiled tasks also get their decoded list under `tiles`, for pages of jobs that run
        without a Lambda, where nothing decodes `source`.

    Raises
    ------
    ManifestError
        At the first line that is not a task, or that would exceed the limits of Ground Truth.
    StorageError
        Where the manifest cannot be read.
    """
    manifest = storage.normalize(manifest_uri)
    rewriter = _Rewriter(manifest, to_s3)
    return tuple(
        rewriter.image(number, record)
        if tiles is None
        else rewriter.tiled(number, record, tiles, tiles_key)
        for number, record, tiles in _lines(manifest)
    )


def manifest_bytes(records: Iterable[Mapping[str, object]]) -> bytes:
    r"""Write the lines of a manifest: UTF-8, one object on each, `\n` after each.

    Raises
    ------
    ManifestError
        Where a line cannot be written, such as one that holds NaN.
    """
    lines = []
    for number, record in enumerate(records, start=1):
        try:
            lines.append(f"{dump(record)}\n")
        except ManifestError as error:
            raise ManifestError(f"Task {number} cannot be written: {error}") from error
    return "".join(lines).encode()


# --------------------------------------------------------------------------------------- lines


def _lines(uri: str) -> Iterator[tuple[int, dict[str, object], list[object] | None]]:
    """Stream number, object and, of tiled tasks, the decoded list."""
    for number, record in read_objects(uri):
        try:
            image_uris(record)
        except ManifestError as error:
            raise ManifestError(
                f"{uri}, line {number} {error}: repair the line or take it out."
            ) from error
        source = record.get(SOURCE)
        tiled = SOURCE_REF not in record and isinstance(source, str)
        yield number, record, decode_tiles(str(source)) if tiled else None


def _references(record: Mapping[str, object], tiles: list[object] | None) -> Iterator[str]:
    shown = [record] if isinstance(record.get(SOURCE_REF), str) else tiles or []
    for task in shown:
        if isinstance(task, dict):
            yield str(task[SOURCE_REF])
            for key in _EXAMPLES:
                examples = task.get(key)
                if isinstance(examples, list):
                    yield from (example for example in examples if isinstance(example, str))


class _Rewriter:
    """Puts S3 URIs in the place of references, and watches the limits."""

    def __init__(self, manifest: str, to_s3: Mapping[str, str]) -> None:
        self._manifest = manifest
        self._folder = manifest.rpartition("/")[0]
        self._to_s3 = to_s3

    def _moved(self, reference: str) -> str:
        return self._to_s3.get(resolve(reference, self._folder), reference)

    def image(self, number: int, record: dict[str, object]) -> dict[str, object]:
        reference = record.get(SOURCE_REF)
        if not isinstance(reference, str):
            return record
        written = self._shown(record)
        if written == record:
            return record
        name = record.get(POOL_URI)
        if written[SOURCE_REF] != reference and not (isinstance(name, str) and name):
            written[POOL_URI] = resolve(reference, self._folder)
        self._check(number, written, "take keys out of it that the job does not need")
        return written

    def tiled(
        self, number: int, record: dict[str, object], tiles: list[object], tiles_key: bool
    ) -> dict[str, object]:
        moved = [self._shown(tile) if isinstance(tile, dict) else tile for tile in tiles]
        written = dict(record)
        if moved != tiles:
            written[SOURCE] = dump(moved)
            if not _names(record.get(POOL_URIS), len(tiles)):
                names = [str(tile[SOURCE_REF]) for tile in tiles if isinstance(tile, dict)]
                written[POOL_URIS] = [resolve(name, self._folder) for name in names]
        if tiles_key and record.get(TILES, tiles) != tiles:
            raise ManifestError(
                f"{self._manifest}, line {number} has a key `{TILES}` of its own, where our page "
                "looks for the images of the task: rename the key, or give the job a "
                "pre-annotation Lambda."
            )
        if tiles_key or record.get(TILES) == tiles:
            written[TILES] = moved
            if not tiles_key and not _fits(written):
                del written[TILES]  # the Lambda reads `source`
        if written != record:
            self._check(number, written, self._smaller(written, len(tiles)))
        return written

    def _shown(self, task: dict[str, object]) -> dict[str, object]:
        """Rename an image and the examples beside it, of a line or of a tile."""
        moved = {**task, SOURCE_REF: self._moved(str(task[SOURCE_REF]))}
        for key in _EXAMPLES:
            examples = task.get(key)
            if isinstance(examples, list):
                moved[key] = [
                    self._moved(example) if isinstance(example, str) else example
                    for example in examples
                ]
        return moved

    def _check(self, number: int, record: Mapping[str, object], remedy: str) -> None:
        if _fits(record):
            return
        attribute, line = _longest(record), dump(record)
        raise ManifestError(
            f"{self._manifest}, line {number}, with its images on S3, takes "
            f"{len(line.encode()):,} bytes, of which one key {len(attribute):,} characters, where "
            f"Ground Truth allows {MAX_LINE:,} and {MAX_ATTRIBUTE:,}: {remedy}."
        )

    def _smaller(self, record: Mapping[str, object], count: int) -> str:
        share = min(MAX_ATTRIBUTE / len(_longest(record)), MAX_LINE / len(dump(record).encode()))
        fitting = int(count * share)
        if count == 1 or fitting < 1:
            return "use shorter class names, or fewer examples"
        return (
            f"its task has {count} images, so make the manifest anew with a smaller --group-size "
            f"({min(fitting, count - 1)}, perhaps)"
        )


def _fits(record: Mapping[str, object]) -> bool:
    return fits(_longest(record), dump(record))


def _longest(record: Mapping[str, object]) -> str:
    """Give the longest value of a line, as text."""
    return max((v if isinstance(v, str) else dump(v) for v in record.values()), key=len)


def _names(value: object, count: int) -> bool:
    """Whether this lists the names of all images of a task."""
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(name, str) and name for name in value)
    )
