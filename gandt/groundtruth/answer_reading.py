"""What all readers of answers share: the box of votes, what the caller said, classes and names."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

from gandt.groundtruth.asked_tasks import AskedTask
from gandt.groundtruth.class_names import ClassNames
from gandt.groundtruth.json_lines import SOURCE_REF
from gandt.groundtruth.vote_box import VoteBox

__all__ = ["Reading"]

_class_names = functools.lru_cache(maxsize=256)(ClassNames)


@dataclasses.dataclass(slots=True)
class Reading:
    """One call of `read_answers` under way."""

    manifest: dict[int, AskedTask] | None = None  # that the caller named, by number of the line
    attribute: str | None = None
    field: str | None = None
    classes: tuple[str, ...] = ()  # that the caller named; they go before those of the files
    columns: Mapping[str, str] | None = None
    job: str | None = None
    box: VoteBox = dataclasses.field(default_factory=VoteBox)
    _met: dict[str, None] = dataclasses.field(
        default_factory=dict
    )  # classes that files name, in order
    _names: dict[str, str] | None = None  # the task that each name or reference means

    def known_classes(self) -> tuple[str, ...]:
        """The classes of all that was read, in order; none where nothing names any."""
        return self.classes or tuple(self._met)

    def class_names(self, classes: Sequence[str], other: str | None = None) -> ClassNames:
        """Look labels up among the classes that the caller named, else among these.

        `other` is the task's choice for what is of no class; it always stands.
        """
        if not self.classes:
            self._met.update(dict.fromkeys(classes))
            return _class_names(tuple(classes))
        return _class_names(self.classes if other is None else (*self.classes, other))

    def task_named(self, name: str) -> str | None:
        """The task of the caller's manifest that a name or reference means; None for none.

        Without a manifest every name is a task.
        """
        if self.manifest is None:
            return name
        if self._names is None:
            names: dict[str, str] = {}
            for task in self.manifest.values():
                reference = task.record.get(SOURCE_REF)
                references = task.references or ((reference,) if reference is not None else ())
                for known, other in zip(task.names, references, strict=False):
                    names.setdefault(str(other), known)
            for task in self.manifest.values():
                names.update((known, known) for known in task.names)
            self._names = names
        return self._names.get(name)
