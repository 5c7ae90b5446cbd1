"""Answers of a queue, written as a labeling job of Ground Truth writes them.

Below the folder, as the developer guide has it ("Output Data")::

    annotations/worker-response/iteration-1/<object id>/<stamp>.json
    annotation-tool/data.json                                   the labels, in order
    annotation-tool/template.liquid                             the page
    manifests/output/output.manifest                            the manifest, byte for byte
    reviewed.csv                                                whose answers decide a task: ours
    skipped.csv                                                 for people: ours

so that whatever reads a finished job reads this too. The files of one object are a pure function of
its answers; each is put in its place whole. They are not flushed to the disk one by one: the
database of the queue is, and `repair` makes good what a power cut took. Stamps are written without
colons, which some file systems refuse.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from gandt.errors import StorageError
from gandt.labeling.queue_store import StoredAnswer
from gandt.tables import format_csv, shown_cell

__all__ = ["AnswersFolder", "response_bytes"]

_RESPONSES = Path("annotations", "worker-response", "iteration-1")


def response_bytes(answers: Sequence[StoredAnswer], names: Mapping[int, str]) -> bytes:
    """Make the worker-response file of one object.

    Parameters
    ----------
    answers
        In the order in which they came. One that was skipped on a page without a form for it has
        no content, and is left out.
    names
        Of people by their number; they become `workerId`.
    """
    entries = [
        {
            "acceptanceTime": _time(answer.accepted),
            "answerContent": answer.content,
            "submissionTime": _time(answer.submitted),
            "timeSpentInSeconds": round(answer.seconds, 3),
            "workerId": names[answer.person],
        }
        for answer in answers
        if answer.content
    ]
    return json.dumps({"answers": entries}, ensure_ascii=False).encode() if entries else b""


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _stamp(answers: Sequence[StoredAnswer]) -> str:
    moment = datetime.fromtimestamp(answers[0].accepted, timezone.utc)
    return moment.strftime("%Y-%m-%d_%H-%M-%S")


class AnswersFolder:
    """A job's folder that is being written.

    Raises
    ------
    StorageError
        Wherever something cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def manifest(self) -> Path:
        """The copy of the manifest."""
        return self.root / "manifests" / "output" / "output.manifest"

    def write_frame(self, manifest: bytes, labels: Sequence[str], template: str) -> None:
        """Write what does not change while answers come in; nothing where it is there."""
        self._put(self.manifest, manifest)
        tool = self.root / "annotation-tool"
        self._put(tool / "template.liquid", template.encode())
        if labels:
            listed = {
                "document-version": "2018-11-28",
                "labels": [{"label": label} for label in labels],
            }
            text = json.dumps(listed, ensure_ascii=False, indent=2) + "\n"
            self._put(tool / "data.json", text.encode())

    def responses(self, task: int) -> Path:
        """The folder of one object's answers."""
        return self.root / _RESPONSES / str(task)

    def write(self, task: int, answers: Sequence[StoredAnswer], names: Mapping[int, str]) -> bool:
        """Write the file of one object; whether anything had to change."""
        data = response_bytes(answers, names)
        folder = self.responses(task)
        place = folder / f"{_stamp(answers)}.json" if data else None
        changed = False
        for other in _json_files(folder):
            if other != place:  # of answers that are none any more
                with suppress(FileNotFoundError):
                    other.unlink()
                changed = True
        return (place is not None and self._put(place, data)) or changed

    def repair(
        self, answers: Iterable[tuple[int, Sequence[StoredAnswer]]], names: Mapping[int, str]
    ) -> int:
        """Make every object's file what the answers say; how many had to change."""
        changed = 0
        known = set()
        for task, given in answers:
            known.add(str(task))
            changed += self.write(task, given, names)
        responses = self.root / _RESPONSES
        for folder in responses.iterdir() if responses.is_dir() else ():
            if folder.name.isdecimal() and folder.name not in known and list(_json_files(folder)):
                changed += self.write(int(folder.name), (), names)
        return changed

    def write_reviewed(self, decided: Sequence[tuple[str, str]]) -> None:
        """List which tasks a reviewer decided, and who; `gandt aggregate` reads it."""
        self._table("reviewed.csv", ("task", "worker"), decided)

    def write_problems(self, problems: Sequence[tuple[str, str, str]]) -> None:
        """List who could not answer what, and why; for people, nothing reads it."""
        shown = [tuple(map(shown_cell, problem)) for problem in problems]
        self._table("skipped.csv", ("task", "worker", "reason"), shown)

    def _table(self, name: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        place = self.root / name
        if rows:
            self._put(place, format_csv([head, *rows]).encode())
        else:
            place.unlink(missing_ok=True)

    def _put(self, place: Path, data: bytes) -> bool:
        """Put a file in its place whole; whether it was another one before."""
        temporary = place.with_name(f".{place.name}.part")
        try:
            with suppress(FileNotFoundError, NotADirectoryError):
                if place.read_bytes() == data:
                    return False
            place.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(place)
        except OSError as error:
            raise StorageError(
                f"{place} cannot be written ({error.strerror or error}): make room or give access."
            ) from error
        return True


def _json_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if path.suffix == ".json" and path.name[0] != "."
    )
