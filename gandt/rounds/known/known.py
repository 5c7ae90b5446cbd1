"""All that is known of a pool so far: labels of all rounds, seeds, and how each round was drawn.

Reads files of labels (`labels`), seeds, files of images to leave out, and the frontiers of earlier
rounds (`frontier_file`), and finds their images among the rows of an index. Writes nothing; nothing
but these files carries the state from round to round. `evidence` says what counts where files
differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gandt.active.frontier import Frontier
from gandt.active.labeled import Examples, Labeled
from gandt.errors import UsageError
from gandt.groundtruth.label_folder import refuted
from gandt.index.folder import Index
from gandt.rounds.known.evidence import Evidence, live_rows
from gandt.rounds.known.frontier_file import read_frontier
from gandt.rounds.known.labels import (
    LabelFile,
    find_label_files,
    read_label_file,
    read_worker_accuracy,
)
from gandt.selection.exclude import read_excluded
from gandt.selection.seeds import LabeledItem, embed_seeds, find_seeds
from gandt.types import Embedder, FloatArray, IntArray, SeedSet
from gandt.words import count

__all__ = ["WORKER_ACCURACY", "Known", "read_known"]

WORKER_ACCURACY = 0.85  # where no table of workers says it
MAX_PIXELS = 200_000_000

_Beside = tuple[str, str, FloatArray]  # class, URI and (d,) vector of a seed outside the pool


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What the next round, and automatic labels, start from."""

    labeled: Labeled  # people's labels of images of the pool, oldest round first
    examples: Examples | None  # seeds that are not of the pool
    example_uris: tuple[str, ...]  # where those came from, in their order
    left_out: IntArray  # sorted rows that are not to be asked: automatic labels, and excluded ones
    automatic: IntArray  # sorted rows with an automatic label, all among `left_out`
    checked: IntArray  # sorted labeled rows of which people checked an automatic label
    frontier: Frontier
    worker_accuracy: float  # mean share of right answers
    round: int  # number of the round that would come next
    notes: tuple[str, ...]  # what a person should know, one sentence each
    chosen: int = 0  # labels of images that were chosen to find a class, by rounds or a selection
    # Of the notes those on uniform draws that estimates leave out, and the images of each.
    lost: Mapping[str, int] = field(default_factory=dict)


def read_known(
    index: Index,
    labels: Sequence[str],
    *,
    seeds: Sequence[str] = (),
    exclude: Sequence[str] = (),
    other: str = "Other",
    attribute: str | None = None,
    anew: str = "",
    load: Callable[[], Embedder],
    exact: bool | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Known:
    """Read everything that earlier rounds left.

    Parameters
    ----------
    labels
        Files of labels, folders of rounds or jobs, and patterns of them; see
        `gandt.rounds.known.labels`. Uncertain labels count with their confidence.
    seeds
        Labeled examples, as `gandt.selection.seeds.find_seeds` takes them. Those that are images
        of the pool, by name or by bytes, are labels.
    exclude
        Manifests, selections, tables and folders whose images are not to be asked.
    other
        The contrast class; seeds alone must name another class as well.
    attribute
        The label attribute of output manifests that hold several.
    anew
        A folder whose automatic labels are decided anew: they count as none, as do those of a
        folder whose audit refuted them.
    load
        Called once, and only when a seed is not in the index yet.
    exact
        How seeds are decoded; by default as the images of the index were.

    Raises
    ------
    UsageError
        Nothing is labeled, a file is no file of labels, or none of its images is in the pool.
    SeedError, ManifestError, StorageError, IndexFolderError, ModelError
        A file, a seed or the model cannot be read.
    """
    if not labels and not seeds:
        raise UsageError(
            "nothing is labeled yet: give --labels the labels.csv of a round, or --seeds a folder "
            "with one folder of images per class."
        )
    locations = find_label_files(labels)
    files = [read_label_file(location, attribute=attribute) for location in locations]
    files, about_anew = _without_automatic(files, anew)
    accuracy, about_workers = read_worker_accuracy(locations)
    frontier, about_frontier = read_frontier(locations, index.rows)
    evidence = Evidence(index, WORKER_ACCURACY if accuracy is None else accuracy)
    evidence.notes += [note for file in files for note in file.notes]
    evidence.notes += [*about_workers, *about_frontier, *about_anew]
    beside: list[_Beside] = []
    classes: tuple[str, ...] = ()
    if seeds:
        if exact is None:
            exact = index.card is not None and index.card.decoding == "exact"
        found, unreadable = embed_seeds(
            _of_people(find_seeds(seeds, attribute=attribute)),
            (),
            index,
            load,
            other="" if labels else other,  # labels may bring the class that is looked for
            exact=exact,
            max_pixels=max_pixels,
        )
        evidence.notes += _on_unreadable(unreadable)
        beside = _add_seeds(evidence, found)
        classes = found.classes
    if files:
        evidence.add_files(files)
    excluded, about_excluded = _excluded(index, exclude)
    labeled = evidence.labeled(classes, excluded)
    if not len(labeled) and not beside:
        raise UsageError(
            "--labels: no image of the pool has a label that people gave; aggregate answers first, "
            "or give --seeds a folder with one folder of images per class."
        )
    automatic = np.setdiff1d(evidence.automatic, labeled.rows)
    return Known(
        labeled,
        _examples(beside, labeled.classes),
        tuple(uri for _, uri, _ in beside),
        np.union1d(automatic, np.setdiff1d(excluded, labeled.rows)),
        automatic,
        np.intersect1d(np.array(evidence.checked, np.int64), labeled.rows),
        frontier,
        evidence.accuracy,
        evidence.last_round + 1,
        (*evidence.notes, *about_excluded),
        len(evidence.chosen),
        evidence.lost,
    )


def _without_automatic(files: list[LabelFile], anew: str) -> tuple[list[LabelFile], list[str]]:
    """Leave out what a machine said in one folder, and in those whose audit refuted it."""
    kept = []
    dropped: dict[str, set[str]] = defaultdict(set)  # tasks by folder, whichever files tell them
    for file in files:
        folder = file.location.rpartition("/")[0]
        machine = {row.names[0] for row in file.rows if row.source == "machine"}
        if machine and (folder == anew or refuted(folder)):
            dropped[folder] |= machine
            file = replace(file, rows=tuple(row for row in file.rows if row.source != "machine"))
        kept.append(file)
    notes = []
    for folder, tasks in dropped.items():
        labels = f"{count(len(tasks), 'automatic label')} of {folder}"
        are, them = ("is", "it") if len(tasks) == 1 else ("are", "them")
        end = "decided anew" if folder == anew else f"not used: its audit refuted {them}"
        notes.append(f"{labels} {are} {end}.")
    return kept, notes


def _of_people(seeds: list[LabeledItem]) -> list[LabeledItem]:
    """Refuse seeds that a machine labeled: nobody would doubt them, and they prove nothing."""
    machine = [seed for seed in seeds if seed.machine]
    if machine:
        raise UsageError(
            f"--seeds holds {count(len(machine), 'automatic label')}, which nobody checked; "
            f"first: {machine[0].item.uri}. Give that file to --labels, which tells automatic "
            "labels from people's."
        )
    return seeds


def _on_unreadable(unreadable: Sequence[tuple[str, str]]) -> list[str]:
    if not unreadable:
        return []
    first, reason = unreadable[0]
    number = count(len(unreadable), "seed")
    return [f"{number} left out as unreadable; first: {first}: {reason}."]


def _add_seeds(evidence: Evidence, seeds: SeedSet) -> list[_Beside]:
    """Put seeds that are images of the pool among the labels; return the others."""
    flat = [
        (name, uri, sha256, vector)
        for name, uris, hashes, vectors in zip(
            seeds.classes, seeds.uris, seeds.sha256, seeds.vectors, strict=True
        )
        for uri, sha256, vector in zip(uris, hashes, vectors, strict=True)
    ]
    index = evidence.index
    by_name = live_rows(index, "image_path", [uri for _, uri, _, _ in flat])
    by_bytes = live_rows(index, "sha256", [sha256 for _, _, sha256, _ in flat])
    classes_of: dict[str, set[str]] = defaultdict(set)  # of a picture, whatever its name
    for name, uri, sha256, _ in flat:
        classes_of[sha256 or uri].add(name)
    several: dict[str, None] = {}
    beside: list[_Beside] = []
    in_pool: dict[int, str] = {}
    for name, uri, sha256, vector in flat:
        rows = {*by_name.get(uri, ()), *by_bytes.get(sha256, ())}
        if len(classes_of[sha256 or uri]) > 1:
            several[uri] = None
        elif rows:
            in_pool.update(dict.fromkeys(sorted(rows), name))
        else:
            beside.append((name, uri, vector))
    evidence.add_seeds(in_pool)
    # By their bytes alone: a file that was replaced under its name is another image.
    names = {sha256: name for name, _, sha256, _ in flat if sha256 and sha256 not in by_bytes}
    gone = np.intersect1d(index.find("sha256", sorted(names)), index.dead)
    of = index.values("sha256", gone)
    evidence.add_gone(
        (uri, names[sha256]) for uri, sha256 in zip(index.uris(gone), of, strict=True)
    )
    if several:
        evidence.notes.append(
            f"{count(len(several), 'seed')} left out that are of more than one class, for "
            f"rounds need one class of each image; first: {next(iter(several))}."
        )
    return beside


def _examples(beside: Sequence[_Beside], classes: Sequence[str]) -> Examples | None:
    if not beside:
        return None
    place = {name: code for code, name in enumerate(classes)}
    codes = [place[name] for name, _, _ in beside]
    return Examples(np.stack([vector for _, _, vector in beside]), np.eye(len(classes))[codes])


def _excluded(index: Index, files: Sequence[str]) -> tuple[IntArray, list[str]]:
    if not files:
        return np.empty(0, np.int64), []
    rows = np.setdiff1d(read_excluded(files).rows(index), index.dead)
    return rows, [] if len(rows) else ["no image that is to be excluded is in the pool."]
