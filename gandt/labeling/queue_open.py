"""A folder for the answers to a manifest: made, or opened again and found to fit.

Reads the manifest (local or `s3://`) and the page; the folder lies on this machine. A lock file
keeps a second desk out, and is free again when the process ends, however it ends.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import filelock

from gandt import storage
from gandt.errors import AnswerError, UsageError
from gandt.labeling.answers_out import AnswersFolder
from gandt.labeling.queue import Queue
from gandt.labeling.queue_store import QueueStore
from gandt.labeling.queue_tasks import fitting_labels, fitting_page, read_tasks, shown_images
from gandt.labeling.templates import PAGES, Example, bake, read_template
from gandt.labeling.widgets import PREFIX, WIDGETS, widget_page

__all__ = ["QueueOptions", "open_queue"]

DATABASE, LOCK = "desk.sqlite", "desk.lock"


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """How a manifest is to be answered."""

    labels: tuple[str, ...] = ()  # empty: as the tasks or the page offer them
    template: str | None = None  # name of a page, or a file; None: what fits the tasks
    workers: int = 1  # answers wanted to each task
    lease: float = 900.0  # seconds for which a task is kept for the one who has it
    # Finds pictures for the instructions, once it is known which labels are offered.
    examples: Callable[[Sequence[str]], Sequence[Example]] | None = None


def open_queue(
    manifest: str,
    folder: str,
    options: QueueOptions,
    *,
    clock: Callable[[], float] = time.time,
) -> Queue:
    """Make a folder for the answers to a manifest, or open the one that was made before.

    Parameters
    ----------
    manifest
        Local or `s3://`.
    folder
        On this machine.

    Raises
    ------
    UsageError
        Where the folder is remote or holds other things, or options do not fit the manifest.
    AnswerError
        Where the folder was begun with another manifest, page or labels, or another desk has it
        open.
    ManifestError, StorageError
        Where the manifest cannot be understood or read, or the folder not written.
    """
    if storage.is_remote(folder):
        raise UsageError(
            f"--out {folder}: answers are kept on this machine, where each is safe before the page "
            "says so; name a local folder and copy it when you are done."
        )
    if options.workers < 1 or options.lease < 1:
        raise UsageError("A task needs one answer at least, and a lease of one second at least.")
    root = Path(storage.normalize(folder))
    source = storage.normalize(manifest)
    storage.stat(source)
    data = storage.read_bytes(source)
    tasks = read_tasks(source)
    shown_images(tasks)
    page = options.template or fitting_page(tasks, source)
    template = _read_page(page)
    labels, origin = fitting_labels(tasks, options.labels, template, source)
    examples = options.examples(labels) if options.examples else ()
    # What is shown as an example may change from day to day; it is no other page for that.
    shown = _with_examples(page, template, examples)
    _check_folder(root)
    root.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(root / LOCK, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise AnswerError(
            f"{root} is open in another `gandt label`: use its page, or stop it first."
        ) from None
    try:
        store = QueueStore(root / DATABASE)
        try:
            begun = {
                "manifest": hashlib.sha256(data).hexdigest(),
                "labels": json.dumps(labels, ensure_ascii=False),
                "page": page if _is_ours(page) else hashlib.sha256(template.encode()).hexdigest(),
            }
            _begin(store, begun, source, root)
            out = AnswersFolder(root)
            out.write_frame(data, labels, shown)
            return Queue(
                *(store, out, tasks, labels, page, shown),
                labels_origin=origin,
                workers=options.workers,
                lease=options.lease,
                examples=[example.uri for example in examples],
                clock=clock,
                on_close=lock.release,
            )
        except BaseException:
            store.close()
            raise
    except BaseException:
        lock.release()
        raise


def _is_ours(page: str) -> bool:
    return page in PAGES or (page.startswith(PREFIX) and page.removeprefix(PREFIX) in WIDGETS)


def _read_page(name: str) -> str:
    task = name.removeprefix(PREFIX)
    if name in PAGES or not _is_ours(name):
        return read_template(name)
    if WIDGETS[task].earlier is not None:
        raise UsageError(
            f"{name} is about the labels of an earlier job: write the page with `gandt template "
            f"save {name} --attribute NAME --out page.html`, then give that file (--template)."
        )
    return widget_page(task)


def _with_examples(page: str, template: str, examples: Sequence[Example]) -> str:
    task = page.removeprefix(PREFIX)
    if page != task and task in WIDGETS:
        return widget_page(task, examples=examples)
    return bake(template, examples=examples)


def _check_folder(root: Path) -> None:
    """Refuse to write among files that are not ours."""
    if root.exists() and not root.is_dir():
        raise UsageError(f"--out {root} is a file: name a folder, new or of an earlier desk.")
    if root.is_dir() and not (root / DATABASE).exists():
        others = [path.name for path in root.iterdir() if path.name != LOCK]
        if others:
            raise UsageError(
                f"--out {root} holds other files ({sorted(others)[0]}): name a new folder, or that "
                "of an earlier `gandt label`."
            )


def _begin(store: QueueStore, given: Mapping[str, str], source: str, root: Path) -> None:
    """Note in a new folder what it is for; refuse one that is for something else."""
    if store.setting("secret") is None:
        store.set(**given, source=source, secret=secrets.token_hex(32))
        return
    if store.setting("manifest") != given["manifest"]:
        raise AnswerError(
            f"{root} holds answers to another manifest than {source} is now: name another --out, "
            f"or the manifest as it was, which is kept in {root}/manifests/output/output.manifest."
        )
    kept = store.setting("labels") or "[]"
    if kept != given["labels"]:
        raise AnswerError(
            f"{root} was begun with the labels {', '.join(json.loads(kept)) or '(none)'}: give the "
            "same (--labels), or name another --out."
        )
    if store.setting("page") != given["page"]:
        raise AnswerError(
            f"{root} was begun with another page: give the same (--template), or name another "
            "--out."
        )
