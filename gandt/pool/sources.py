"""What the user names as a pool, as one stream of images.

Takes any mixture of folders, files, wildcards, lists, tables, Ground Truth manifests, tar shards
and `s3://` prefixes, and yields each image once, in the same order every time, without holding the
pool in memory. Nothing is left out silently: what could not be listed is in `Pool.problems`, files
that are no images are counted in `Pool.ignored`, and a listed image that does not exist is yielded
all the same, so that it ends up among the rejected ones.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from gandt import storage
from gandt.errors import BadImage, PoolError, StorageError
from gandt.groundtruth.manifest import is_manifest, read_source_refs
from gandt.pool import tar
from gandt.pool.globs import has_wildcards, matching_folders, matching_objects
from gandt.pool.shards import Directory, with_directories
from gandt.storage import MissingObject, ServiceFailure, StoredObject
from gandt.tables import TABLE_SUFFIXES, find_column, read_list, read_rows
from gandt.types import Item

__all__ = [
    "IMAGE_SUFFIXES",
    "PATH_COLUMNS",
    "Pool",
    "Unavailable",
    "find_items",
    "open_pool",
    "read_item",
    "resolve",
]

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"}
)
PATH_COLUMNS = (
    *("image_path", "uri", "path", "file", "filename", "image", "url", "source-ref"),
    *("file_path", "file_name", "filepath", "image_uri", "image_url", "img_path", "key", "task"),
)

_TEXT_LISTS = frozenset({".txt", ".lst"})
_MAX_BYTES = 1 << 30  # of one image file; a larger one is no photo and would fill the memory
_LOOKUPS = 512  # entries of a list that are looked up together
_CONNECTIONS = 32
_MISSING = -1  # the size of what a list names and nobody can find

Kind = Literal["folder", "glob", "list", "tar", "file"]


class Unavailable(BadImage):
    """An image on S3 cannot be had this time: gone, denied, or S3 too busy; try it again later."""


@dataclass(frozen=True, slots=True)
class _Source:
    kind: Kind
    uri: str


class Pool:
    """The images of all sources; iterate over it to list them, as often as you like.

    Attributes
    ----------
    problems : list of (str, str)
        After an iteration: what could not be listed, and why.
    ignored : Counter of str
        After an iteration: by suffix, how many files in folders were taken for no images.
    """

    def __init__(self, sources: Sequence[_Source], column: str | None = None) -> None:
        self._sources = tuple(sources)
        self._column = column
        self._whole: list[str] = []  # what begins with one of these is listed whole
        self._unlisted: list[str] = []
        self._directories: dict[str, dict[str, tar.Member]] = {}
        self._reading_directory = threading.Lock()
        self.problems: list[tuple[str, str]] = []
        self.ignored: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Item]:
        """Yield each image once; where sources overlap, the first one counts.

        Raises
        ------
        PoolError
            At the end, where there was not one image.
        StorageError, ManifestError, UsageError
            Where a list or table cannot be understood.
        """
        self.problems, self.ignored = [], Counter()
        self._whole, self._unlisted, self._directories = [], [], {}
        # One folder never lists a name twice; a set of all names would be most of the memory.
        alone = len(self._sources) == 1 and self._sources[0].kind in {"folder", "tar"}
        seen: set[str] = set()
        total = 0
        for source in self._sources:
            found = 0
            for item in self._items(source):
                found += 1
                if alone:
                    yield item
                elif item.uri not in seen:
                    seen.add(item.uri)
                    yield item
            total += found
            if found == 0:
                self.problems.append((source.uri, "it holds no images"))
        if total == 0:
            raise PoolError(self._emptiness())

    def covers(self, uri: str) -> bool:
        """Whether the last iteration would have listed this image if it existed.

        True for what lies in a folder, prefix or tar that was listed whole: absence then means
        that the image is gone. False for what only a list or a wildcard named, and below
        anything that could not be listed.
        """
        return uri.startswith(tuple(self._whole)) and not any(
            uri == gap or uri.startswith((f"{gap}/", f"{gap}#")) for gap in self._unlisted
        )

    def _emptiness(self) -> str:
        names = ", ".join(source.uri for source in self._sources)
        text = f"There are no images in {names}"
        if self.ignored:
            counts = (f"{count} {suffix}" for suffix, count in self.ignored.most_common(5))
            text += f" (other files: {', '.join(counts)})"
        if any(reason != "it holds no images" for _, reason in self.problems):
            uri, reason = next(p for p in self.problems if p[1] != "it holds no images")
            text += f"; {uri} could not be listed: {reason}"
        return f"{text}: name a folder or list of JPEG, PNG, WebP, TIFF, BMP or GIF files."

    def _gap(self, uri: str, reason: str) -> None:
        self.problems.append((uri, reason))
        self._unlisted.append(uri)

    # ---------------------------------------------------------------------- kinds of source

    def _items(self, source: _Source) -> Iterator[Item]:
        if source.kind == "folder":
            yield from self._folder(source.uri)
        elif source.kind == "glob":
            yield from self._glob(source.uri)
        elif source.kind == "list":
            yield from self._entries(source.uri)
        elif source.kind == "tar":
            yield from self._shard(storage.stat(source.uri), None)
        else:
            yield _item(storage.stat(source.uri))

    def _folder(self, uri: str) -> Iterator[Item]:
        self._whole.append(uri.rstrip("/") + "/")
        for found, directory in with_directories(storage.list_folder(uri, self._gap)):
            yield from self._filtered(found, directory)

    def _filtered(self, found: StoredObject, directory: Future[Directory] | None) -> Iterator[Item]:
        """Take a file that nobody named by itself for what its suffix says."""
        suffix = PurePosixPath(found.uri).suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            yield _item(found)
        elif suffix == ".tar":
            yield from self._shard(found, directory)
        else:
            if found.uri.lower().endswith(tar.COMPRESSED_SUFFIXES):
                self._gap(found.uri, "compressed tar files cannot be read by range; unpack it")
            self.ignored[suffix or "(no suffix)"] += 1

    def _glob(self, pattern: str) -> Iterator[Item]:
        # "*.dat" says what is wanted; "photos/*" wants the images among whatever is there.
        suffix = PurePosixPath(pattern).suffix
        named = bool(suffix) and not has_wildcards(suffix)
        for folder in matching_folders(pattern):
            yield from self._folder(folder)
        for found, directory in with_directories(matching_objects(pattern, self._gap)):
            if named and _kind_of_file(found.uri) == "tar":
                yield from self._shard(found, directory)
            elif named:
                yield from self._items(_Source(_kind_of_file(found.uri), found.uri))
            else:
                yield from self._filtered(found, directory)

    def _shard(self, shard: StoredObject, directory: Future[Directory] | None) -> Iterator[Item]:
        if not shard.uri.startswith(tuple(self._whole)):
            self._whole.append(shard.uri + "#")
        try:
            for member in tar.members(shard) if directory is None else directory.result():
                suffix = PurePosixPath(member.name).suffix.lower()
                if suffix in IMAGE_SUFFIXES:
                    yield _member_item(shard, member)
                else:
                    self.ignored[suffix or "(no suffix)"] += 1
        except StorageError as error:
            self._gap(shard.uri, str(error))

    def _entries(self, listing: str) -> Iterator[Item]:
        """Yield what a list names, in its order, whether it exists or not."""
        names = self._names(listing)
        with ThreadPoolExecutor(_CONNECTIONS) as workers:
            while batch := list(itertools.islice(names, _LOOKUPS)):
                # On a disk a look-up is quicker than its way to a thread and back.
                remote = any(map(storage.is_remote, batch))
                yield from itertools.chain.from_iterable(
                    workers.map(self._entry, batch) if remote else map(self._entry, batch)
                )

    def _entry(self, uri: str) -> list[Item]:
        parts = tar.split_uri(uri)
        try:
            if (found := storage.find(uri)) is not None:
                if PurePosixPath(uri).suffix.lower() == ".tar":
                    return list(self._shard(found, None))
                return [_item(found)]
            if parts is not None and (shard := storage.find(parts[0])) is not None:
                member = self._directory(shard).get(parts[1])
                if member is not None:
                    return [_member_item(shard, member)]
        except ServiceFailure:
            raise
        except StorageError:  # reading it will fail for the same reason
            pass
        return [Item(uri, _MISSING, "")]

    def _directory(self, shard: StoredObject) -> dict[str, tar.Member]:
        with self._reading_directory:  # once, whichever thread comes first
            if shard.uri not in self._directories:
                self._directories[shard.uri] = {m.name: m for m in tar.members(shard)}
            return self._directories[shard.uri]

    def _names(self, listing: str) -> Iterator[str]:
        suffix = PurePosixPath(listing).suffix.lower()
        folder = listing.rsplit("/", 1)[0]
        if suffix in _TEXT_LISTS:
            for entry in read_list(listing, PATH_COLUMNS):
                yield resolve(entry, folder)
        elif self._column is None and suffix in {".jsonl", ".manifest"} and is_manifest(listing):
            for entry in read_source_refs(listing):
                yield resolve(entry, folder)
        else:
            candidates = PATH_COLUMNS if self._column is None else (self._column,)
            table = read_rows(listing, candidates)
            cells = table.columns[find_column(table, candidates, "image paths")]
            for cell in cells:
                if cell is not None:
                    yield resolve(cell, folder)
            if empty := cells.count(None):
                self.problems.append((listing, f"{empty} of its rows name no image"))


def open_pool(sources: Sequence[str | os.PathLike[str]], *, column: str | None = None) -> Pool:
    """Understand the sources of a pool; listing them begins with the iteration.

    Parameters
    ----------
    sources
        Folders (searched to any depth for images and tar shards), single files, patterns with
        wildcards, `.txt` lists, CSV, TSV, JSON Lines or Parquet tables, Ground Truth manifests,
        `.tar` shards, and `s3://` URIs of any of these. Relative names in a list are relative to
        the folder of the list.
    column
        The column of tables that holds the images; guessed where None.

    Raises
    ------
    PoolError
        Where a source does not exist or is of no known kind, or there is none.
    """
    if not sources:
        raise PoolError("No source of images is named: give a folder, file, list or s3:// prefix.")
    return Pool([_understand(source) for source in sources], column)


def find_items(uris: Iterable[str]) -> dict[str, Item]:
    """Look up images by URI, members of tar shards included.

    What does not exist gets a size of -1; reading it raises `BadImage` with the reason.
    """
    pool = Pool([])
    names = list(uris)
    if not any(map(storage.is_remote, names)):
        return {uri: pool._entry(uri)[0] for uri in names}
    with ThreadPoolExecutor(_CONNECTIONS) as workers:
        return {
            uri: entry[0] for uri, entry in zip(names, workers.map(pool._entry, names), strict=True)
        }


def read_item(item: Item) -> bytes:
    """Fetch the bytes of one image.

    Raises
    ------
    BadImage
        Where they cannot be had, with the reason; `Unavailable` where another try may go well.
    ServiceFailure
        Where S3 gives nothing at all, for want of credentials or connection.
    """
    if item.uri.startswith(("http://", "https://")):
        raise BadImage("a web address: download it first")
    if item.size > _MAX_BYTES:
        raise BadImage(f"too large for an image: {item.size} bytes")
    try:
        if item.container is not None:
            data = storage.read_bytes(item.container, offset=item.offset, size=item.size)
            if len(data) != item.size:
                raise BadImage("its tar shard has become shorter since it was listed")
            return data
        if item.size == _MISSING:
            _look_again(item.uri)
        return storage.read_bytes(item.uri)
    except ServiceFailure:
        raise
    except MissingObject as error:
        raise Unavailable("it was deleted after the pool was listed; run again") from error
    except StorageError as error:
        remote = storage.is_remote(item.container or item.uri)
        raise (Unavailable if remote else BadImage)(str(error)) from error


def _look_again(uri: str) -> None:
    """Say what is wrong with what a list names and could not be found, unless it is there now."""
    found = storage.find(uri)
    if found is not None:
        if found.size > _MAX_BYTES:
            raise BadImage(f"too large for an image: {found.size} bytes")
        return
    parts = tar.split_uri(uri)
    if parts is not None and storage.find(parts[0]) is not None:
        raise BadImage("its tar shard is damaged or has no such member")
    raise BadImage("a folder, not an image" if storage.is_folder(uri) else "no such file")


def _understand(source: str | os.PathLike[str]) -> _Source:
    text = os.fspath(source)
    if text.startswith(("http://", "https://")):
        raise PoolError(f"{text} is a web address: download it, and name the file or folder.")
    uri = storage.normalize(text)
    try:
        # On S3 a lone key costs one request; a prefix is tried only where there is no such key.
        if storage.find(uri) is not None:
            if uri.lower().endswith(tar.COMPRESSED_SUFFIXES):
                raise PoolError(
                    f"{uri} is compressed, so images cannot be read by range: unpack it."
                )
            return _Source(_kind_of_file(uri), uri)
        if storage.is_folder(uri):
            return _Source("folder", uri)
    except StorageError as error:
        raise PoolError(str(error)) from error
    if has_wildcards(uri):
        return _Source("glob", uri)
    where = "on S3" if storage.is_remote(uri) else "on this machine"
    raise PoolError(f"There is no file or folder {uri} {where}: check the name.")


def _kind_of_file(uri: str) -> Kind:
    suffix = PurePosixPath(uri).suffix.lower()
    if suffix == ".tar":
        return "tar"
    return "list" if suffix in _TEXT_LISTS | TABLE_SUFFIXES else "file"


def resolve(entry: str, folder: str) -> str:
    """Make a name from a list absolute; a relative one is relative to the folder of the list.

    Both folder and list may lie on S3. Addresses of other kinds stay as they are.
    """
    if entry.startswith(("/", "~", "file://")) or storage.is_remote(entry):
        return storage.normalize(entry)
    if "://" in entry:
        return entry
    if storage.is_remote(folder):
        bucket, _, prefix = folder.removeprefix("s3://").partition("/")
        steps = prefix.split("/") if prefix else []
        while entry.startswith(("./", "../")):
            step, _, entry = entry.partition("/")
            steps = steps[:-1] if step == ".." else steps
        return f"s3://{'/'.join((bucket, *steps, entry))}"
    return storage.normalize(f"{folder}/{entry}")


def _item(found: StoredObject) -> Item:
    return Item(found.uri, found.size, found.version)


def _member_item(shard: StoredObject, member: tar.Member) -> Item:
    uri = f"{shard.uri}#{member.name}"
    return Item(uri, member.size, shard.version, shard.uri, member.offset)
