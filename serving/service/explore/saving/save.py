"""What was explored becomes the files that commands read: seeds, candidates, images set aside.

Writes, all of one save and all at once (`file_set`), into one folder:

- `<name>.seeds.csv`: `image_path,label`, which `gandt select --seeds` reads back to the same
  seeds; uploaded images lie in `<name>.uploads/` under the SHA-256 of their bytes;
- `<name>.set-aside.csv`: the images that were not to be chosen, for `--exclude`;
- `<name>.manifest`, `<name>.selection.csv`, `<name>.selection.parquet`: byte for byte what
  `gandt select` writes for these seeds and options. Candidates are chosen here, by the function
  that the command uses, and never taken from a request.

Texts cannot stand in a table of images. The command that does the same again (`Saved.again`) has
them as `--prompt`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gandt import storage
from gandt.errors import UsageError
from gandt.groundtruth.manifest import write_manifest
from gandt.report.selection_table import write_selection_table
from gandt.selection.seeds import embed_seeds
from gandt.selection.select import SelectOptions, select_candidates
from gandt.serving.service.explore.engine import Engine, Ref, UnusableRef
from gandt.serving.service.explore.saving.commands import can_be_said, label_command, select_command
from gandt.serving.service.explore.saving.file_set import (
    UPLOADS,
    BadName,
    FileExists,
    check_free,
    file_set,
)
from gandt.serving.service.explore.saving.seeds import (
    NamedSeeds,
    can_be_listed,
    name_seeds,
    write_table,
)
from gandt.types import IntArray, Selection
from gandt.words import count

__all__ = ["BadName", "FileExists", "SaveRequest", "Saved", "SavedFile", "save_round"]

HEADER = ("image_path", "label")
SHOWN = 3  # names, before the rest is only counted


@dataclass(frozen=True, slots=True)
class SaveRequest:
    """What to save, and under which name."""

    name: str
    replace: bool  # whether files of an earlier save of this name give way
    seeds: Mapping[str, Sequence[Ref]]
    options: SelectOptions
    other: str = "Other"
    exclude: Sequence[Ref] = ()


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file that was written, and what it is for."""

    path: str  # absolute
    about: str


@dataclass(frozen=True, slots=True)
class Saved:
    """What was written."""

    files: tuple[SavedFile, ...]
    candidates: int
    next: str  # the command that comes next
    again: str  # the command that writes the same manifest and table again
    notes: tuple[str, ...] = ()  # what a person should know, one sentence each


def save_round(engine: Engine, folder: Path, request: SaveRequest) -> Saved:
    """Write the seeds and the candidates of a round.

    Parameters
    ----------
    folder
        Where the files go; it has to be there. Nothing is written outside of it.

    Raises
    ------
    FileExists
        Some of the files are there, and `request.replace` is false.
    NoSuchImage, UnusableRef
        A seed is none: of no image of the pool, no image at all, or a text where the model embeds
        none.
    SeedError
        There is no class to look for.
    BadName
        The name is not allowed.
    UsageError
        A class could not be read back from a table, or no image is left.
    ModelError, ModelMismatch
        The model that uploads and texts need cannot be had.
    StorageError
        The folder cannot be written to.
    """
    place, name = Path(storage.normalize(folder)), request.name
    check_free(place, name, replace=request.replace)
    # Whatever is wrong with a seed is said of that seed, and a model loaded before others wait.
    engine.vectors([ref for group in request.seeds.values() for ref in group])
    seeds = name_seeds(engine, request.seeds, f"{name}{UPLOADS}")
    left_out = _left_out(engine, request.exclude)
    with file_set(place, name, replace=request.replace) as staging:
        for path, data in seeds.uploads.items():
            storage.write_bytes(staging / path, data)
        selection = _select(engine, seeds, request, left_out, place, staging)
        files, notes = _write(engine, seeds, name, left_out, staging, selection)
    there = [file.name for file in files]
    again = select_command(
        *(engine.index.uri, place, name, request.options),
        seeds=next((file for file in there if file.endswith(".seeds.csv")), None),
        exclude=next((file for file in there if file.endswith(".set-aside.csv")), None),
        prompts=seeds.prompts,
        other=request.other,
    )
    return Saved(
        files=tuple(SavedFile(str(place / file.name), file.about) for file in files),
        candidates=len(selection),
        next=label_command(place, name, selection.classes, request.other),
        again=again,
        notes=(*selection.notes, *notes),
    )


def _left_out(engine: Engine, refs: Sequence[Ref]) -> IntArray:
    """Rows that must not be chosen: what is not in the pool cannot be, and is passed over."""
    for ref in refs:
        if ref.text is not None:
            raise UnusableRef("a text cannot be excluded; name images.", ref)
    index = engine.index
    ids = [ref.id for ref in refs if ref.id is not None and 0 <= ref.id < index.rows]
    uris = [ref.uri for ref in refs if ref.uri is not None]
    hashes = [hashlib.sha256(ref.image).hexdigest() for ref in refs if ref.image is not None]
    rows = np.array(ids, dtype=np.int64)
    for column, values in (("image_path", uris), ("sha256", hashes)):
        if values:
            rows = np.union1d(rows, index.find(column, values))
    return np.setdiff1d(rows, index.dead)


def _select(
    engine: Engine,
    named: NamedSeeds,
    request: SaveRequest,
    left_out: IntArray,
    folder: Path,
    staging: Path,
) -> Selection:
    """Choose as `gandt select` does.

    The engine's own `select` would do but for two things: the last bits of an upload's vector may
    depend on what is in the same batch, and of an image that was changed since it was embedded the
    files name what it is now.
    """
    card = engine.index.card
    seeds, unreadable = embed_seeds(
        named.items(staging),
        named.prompts,
        engine.index,
        engine.model,
        other=request.other,
        exact=card is not None and card.decoding == "exact",
    )
    start = f"{staging}/"  # where uploads lie for a moment
    lasting = [
        tuple(f"{folder}/{uri[len(start) :]}" if uri.startswith(start) else uri for uri in group)
        for group in seeds.uris
    ]
    seeds = replace(seeds, uris=tuple(lasting))
    selection = select_candidates(
        engine.index, seeds, request.options, left_out, memory=engine.memory
    )
    if unreadable:
        uri, reason = unreadable[0]
        number = count(len(unreadable), "seed")
        note = f"{number} left out as unreadable; first: {uri}: {reason}."
        selection = selection.with_notes(note)
    if not len(selection):
        raise UsageError(f"no image was chosen, so nothing is saved: {' '.join(selection.notes)}")
    return selection


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    about: str


def _write(
    engine: Engine,
    seeds: NamedSeeds,
    name: str,
    left_out: IntArray,
    staging: Path,
    selection: Selection,
) -> tuple[list[_File], list[str]]:
    """Write everything but uploads; what the files are, and notes."""
    files, notes = [], _notes_on(seeds, name)
    rows = seeds.rows()
    if rows:
        files.append(_File(f"{name}.seeds.csv", _about_seeds(rows)))
        write_table(staging / files[-1].name, (HEADER, *rows))
    if seeds.uploads:
        number = count(len(seeds.uploads), "uploaded seed")
        files.append(_File(f"{name}{UPLOADS}", f"{number}, which the table names"))
    uris = engine.index.uris(left_out)
    listed = [uri for uri in uris if can_be_listed(uri)]
    if listed:
        about = f"{count(len(listed), 'image')} set aside, for gandt select --exclude"
        files.append(_File(f"{name}.set-aside.csv", about))
        write_table(staging / files[-1].name, (HEADER[:1], *((uri,) for uri in listed)))
    if lost := [uri for uri in uris if not can_be_listed(uri)]:
        notes.append(_not_listed(count(len(lost), "image"), lost, f"{name}.set-aside.csv"))
    summary = write_manifest(str(staging / f"{name}.manifest"), selection)
    tasks = count(summary.tasks, "task")
    files.append(_File(f"{name}.manifest", f"{tasks}, for gandt label and gandt launch"))
    write_selection_table(staging / f"{name}.selection.csv", selection)
    files.append(_File(f"{name}.selection.csv", "why each image was chosen"))
    files.append(_File(f"{name}.selection.parquet", "the same for machines"))
    return files, notes


def _about_seeds(rows: Sequence[tuple[str, str]]) -> str:
    classes = len({label for _, label in rows})
    number = f"{count(len(rows), 'seed')} of {count(classes, 'class', 'classes')}"
    return f"{number}, for gandt select --seeds"


def _notes_on(seeds: NamedSeeds, name: str) -> list[str]:
    notes = []
    if seeds.prompts:
        notes.append(
            f"{count(len(seeds.prompts), 'text')} cannot stand in a table of images; the command "
            "that selects the same again gives them as --prompt."
        )
    for prompt in seeds.prompts:
        if not can_be_said(prompt):
            notes.append(f"no --prompt can say {prompt.text!r} of the class {prompt.label!r}.")
    if lost := seeds.unlisted:
        notes.append(_not_listed(count(len(lost), "seed"), lost, f"{name}.seeds.csv"))
    return notes


def _not_listed(number: str, uris: Sequence[str], table: str) -> str:
    shown = ", ".join(uris[:SHOWN]) + (", …" if len(uris) > SHOWN else "")
    return (
        f"{number} not in {table}, whose names have to be absolute paths or s3:// URIs to be found "
        f"again: {shown}."
    )
