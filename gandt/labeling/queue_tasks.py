"""The tasks of a manifest as a queue hands them out, and the page and labels that fit them.

Reads a manifest that lies on this machine. Every line has to be understood, for a line that nobody
could answer would be missed only in the end. A task that carries its known answer (`gandt-gold`, or
`gandt-golds` for each image of a tiled task) is a decoy: it looks like any other, so what the
pages get to see leaves those keys out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from gandt import storage
from gandt.errors import ManifestError, UsageError
from gandt.groundtruth.asked_tasks import AskedTask, read_asked
from gandt.groundtruth.json_lines import SOURCE, SOURCE_REF, TILES, decode_tiles
from gandt.groundtruth.manifest import RESERVED_PREFIX
from gandt.labeling.render import task_input
from gandt.labeling.templates import baked_labels

__all__ = [
    "QueueTask",
    "fitting_labels",
    "fitting_page",
    "page_input",
    "read_tasks",
    "shown_images",
]

Subject = Literal["image", "text", "tiles"]
PAGE_OF: dict[Subject, str] = {
    "image": "image-classification",
    "text": "text-classification",
    "tiles": "tiles",
}
_CLASS = "gandt-class"  # our own key: the class that a line was chosen for
_OTHER = "Other"  # offered beside them, for what is none of them
_EXAMPLES = ("positive_examples", "negative_examples")


@dataclass(frozen=True, slots=True)
class QueueTask:
    """One object of the manifest, as a task to hand out."""

    number: int  # of its line, from 0: its object id
    subject: Subject
    asked: AskedTask
    decoys: tuple[str, ...]  # names of what its known answers are about, by position; else ""

    @property
    def is_decoy(self) -> bool:
        """Whether all of it is known, so that it can be kept for when a decoy is due."""
        return bool(self.decoys) and all(self.decoys)

    @property
    def record(self) -> dict[str, object]:
        """The line of the manifest."""
        return self.asked.record

    @property
    def title(self) -> str:
        """What to call it in a message: the image's name, or the beginning of the text."""
        name = self.asked.names[0]
        more = len(self.asked.names) - 1
        short = name if len(name) <= 80 else name[:79] + "…"
        return f"{short} and {more} more" if more else short


def read_tasks(uri: str, shown: str | None = None) -> tuple[QueueTask, ...]:
    """Read every task of a manifest.

    Parameters
    ----------
    uri
        The manifest.
    shown
        What messages call it, where it is a copy.

    Raises
    ------
    ManifestError
        Where a line cannot be understood, or there is none.
    StorageError
        Where the file cannot be read.
    """
    name = shown or uri

    def refuse(kind: str, where: str, reason: str) -> None:
        line = where.rpartition(":")[2]
        raise ManifestError(
            f"{name}, line {line}: {reason} Correct it first; `gandt validate` lists every problem."
        )

    tasks = tuple(_task(number, asked) for number, asked in read_asked(uri, refuse).items())
    if not tasks:
        raise ManifestError(f"{name} holds no task: write one with `gandt select`.")
    return tasks


def _task(number: int, asked: AskedTask) -> QueueTask:
    if asked.text is not None:
        subject: Subject = "text"
    else:
        subject = "image" if asked.indexes is None else "tiles"
    golds = asked.golds
    known = tuple(
        name if position < len(golds) and golds[position] is not None else ""
        for position, name in enumerate(asked.names)
    )
    return QueueTask(number, subject, asked, known if any(known) else ())


def fitting_page(tasks: Iterable[QueueTask], shown: str) -> str:
    """Name the page for a manifest's tasks.

    Raises
    ------
    ManifestError
        Where they are of several kinds, so that no single page fits.
    """
    first: dict[Subject, QueueTask] = {}
    for task in tasks:
        first.setdefault(task.subject, task)
    if len(first) > 1:
        (one, a), (other, b) = list(first.items())[:2]
        raise ManifestError(
            f"{shown} asks about different things (line {a.number + 1}: {one}, line "
            f"{b.number + 1}: {other}): label one manifest of each kind."
        )
    return PAGE_OF[next(iter(first))]


def fitting_labels(
    tasks: Sequence[QueueTask], given: Sequence[str], template: str, shown: str
) -> tuple[tuple[str, ...], str]:
    """Decide which labels are offered, and say in words where they come from.

    Those that were given; else those that the tasks or the page bring; else the classes that the
    images were chosen for.

    Returns
    -------
    labels, origin
        No labels where the page is of a kind that brings everything itself. `origin` is "" where
        they were given.

    Raises
    ------
    UsageError
        Where a label is empty or there twice, where the tasks offer others than those given, or
        where there are none though the page has a place for them.
    """
    names = tuple(name.strip() for name in given)
    for name in names:
        if not name:
            raise UsageError("A label is empty: name each (--labels cat,dog,Other).")
        if names.count(name) > 1:
            raise UsageError(f"The label {name!r} is there twice: name each once (--labels).")
    offered = tuple(dict.fromkeys(name for task in tasks for name in _own_labels(task)))
    if names:
        if offered and set(offered) != set(names):
            raise UsageError(
                f"The tasks of {shown} offer labels of their own ({', '.join(offered)}), which "
                "are not those of --labels: leave the option out, or select again with other "
                "classes."
            )
        return offered or names, ""
    if offered:
        return offered, "as the tasks offer them"
    baked = baked_labels(template)
    if baked:
        return baked, "as the page offers them"
    if baked is None and "labels" not in template:
        return (), ""  # a page of somebody else's, with choices of its own
    classes = tuple(
        dict.fromkeys(
            chosen.strip()
            for task in tasks
            if isinstance(chosen := task.record.get(_CLASS), str) and chosen.strip()
        )
    )
    if classes:
        offered = tuple(dict.fromkeys((*classes, _OTHER)))
        return offered, "the classes that the images were chosen for; --labels names others"
    if baked is None:
        return (), ""
    raise UsageError(
        f"The page needs labels to offer, and {shown} names none: give them, the one for "
        "everything else last (--labels cat,dog,Other)."
    )


def _own_labels(task: QueueTask) -> tuple[str, ...]:
    if task.asked.classes:
        return task.asked.classes
    listed = task.record.get("labels")
    names = [
        entry.get("label") if isinstance(entry, dict) else entry
        for entry in (listed if isinstance(listed, list) else ())
    ]
    return tuple(name for name in names if isinstance(name, str) and name.strip())


def page_input(
    task: QueueTask,
    labels: Sequence[str],
    *,
    hidden: Sequence[int] = (),
    ours: bool = True,
) -> dict[str, object]:
    """What the page finds under `task.input`; nothing in it tells a decoy from another task.

    Parameters
    ----------
    hidden
        Positions of the tiles that are not shown.
    ours
        Whether it is one of our own pages. Others get the line of the manifest beside what a
        pre-annotation Lambda gives, since they may be written for either.
    """
    record = {k: v for k, v in task.record.items() if not k.startswith(RESERVED_PREFIX)}
    found: dict[str, object] = task_input(record, labels=labels)
    if task.subject == "tiles":
        tiles = decode_tiles(str(record[SOURCE])) or []
        first = tiles[0] if isinstance(tiles[0], dict) else {}
        shared: dict[str, object] = {
            k: v for k, v in first.items() if k not in (SOURCE_REF, "index")
        }
        kept = [
            dict[str, object]({SOURCE_REF: reference, "index": index})
            for position, (reference, index) in enumerate(
                zip(task.asked.references, task.asked.indexes or (), strict=True)
            )
            if position not in hidden
        ]
        if kept:
            kept[0] = kept[0] | shared
        found["taskObject"] = kept
        for values in (found, record):  # it names the files, those that are not shown too
            values.pop(SOURCE, None)
            values.pop(TILES, None)
        record[TILES] = kept
    return found if ours else {**record, **found, "manifestLine": record}


def shown_images(tasks: Iterable[QueueTask]) -> tuple[str, ...]:
    """Name every image that a page could show: those asked about, and the examples.

    Raises
    ------
    ManifestError
        Where one lies neither on this machine nor on S3.
    """
    found: dict[str, None] = {}
    for task in tasks:
        images = [] if task.subject == "text" else list(task.asked.references or _reference(task))
        for image in (*images, *_examples(task)):
            if "://" in image and not storage.is_remote(image) and not image.startswith("file://"):
                raise ManifestError(
                    f"{task.asked.where} names {image}, which lies neither on this machine nor "
                    "on S3: download it, and name the file."
                )
            found[image] = None
    return tuple(found)


def _reference(task: QueueTask) -> tuple[str, ...]:
    reference = task.record.get(SOURCE_REF)
    return (reference,) if isinstance(reference, str) else ()


def _examples(task: QueueTask) -> list[str]:
    holders: list[object] = [task.record]
    if task.subject == "tiles":
        holders += decode_tiles(str(task.record[SOURCE])) or []
    found: list[str] = []
    for holder in holders:
        for key in _EXAMPLES:
            listed = holder.get(key) if isinstance(holder, dict) else None
            for entry in listed if isinstance(listed, list) else ():
                uri = entry.get(SOURCE_REF) if isinstance(entry, dict) else entry
                if isinstance(uri, str) and uri:
                    found.append(uri)
    return found
