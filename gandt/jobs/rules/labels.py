"""What labels, and the words beside them in the category file, must keep to.

The limits are of the developer guide ("Label Category Quotas", "Label and label category attribute
quotas"). Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from gandt.jobs.settings import JobSettings
from gandt.jobs.tasks import TaskType

__all__ = ["check_labels"]


def check_labels(settings: JobSettings, task: TaskType) -> tuple[str, ...]:
    """List what is wrong with the labels, and with the words beside them in the category file."""
    labels = settings.labels
    found = list(_number_of_labels(len(labels), settings, task))
    longest = 16 if task.data in ("frames", "points") else 256
    seen: dict[str, str] = {}
    for label in labels:
        if not label.strip():
            found.append("--labels holds an empty name: give each label a name.")
            continue
        found += _label(label, longest)
        key = " ".join(unicodedata.normalize("NFKC", label).casefold().split())
        if key in seen:
            same = "is there twice" if seen[key] == label else f"looks like {seen[key]!r}"
            found.append(
                f"--labels: {label!r} {same}: give each label a name that nobody takes for another."
            )
        seen.setdefault(key, label)
    if task.data in ("frames", "points"):
        short = settings.question or ""
        # The shorter text stands in for the longer one, where only one is given.
        for name, text, most in (
            ("question", short, 254),
            ("instructions", settings.instructions or "", 2047),
        ):
            if len(text) > most:
                found.append(
                    f"--{name} has {len(text):,} characters, more than the {most:,} that the page "
                    f"for --task {task.name} shows: shorten it."
                )
    return tuple(dict.fromkeys(found))


def _number_of_labels(number: int, settings: JobSettings, task: TaskType) -> Iterator[str]:
    most = task.most_labels
    if settings.automated and task.most_labels_automated is not None:
        most = task.most_labels_automated
    how = " with --automated" if settings.automated else ""
    if number < task.fewest_labels:
        yield (
            f"--labels has {number}, fewer than the {task.fewest_labels} that --task {task.name} "
            "needs: name more, with commas between."
        )
    if most is not None and number > most:
        yield (
            f"--labels has {number}, more than the {most} that --task {task.name} may have{how}: "
            "name fewer, or make two jobs."
        )


def _label(label: str, longest: int) -> Iterator[str]:
    if label != label.strip():
        yield f"--labels: {label!r} begins or ends with a blank: remove it."
    if len(label) > longest:
        yield (
            f"--labels: {label[:30]!r}… has {len(label)} characters, more than {longest}: shorten "
            "it."
        )
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in label):
        yield (
            f"--labels: {label!r} holds a line break or another control character: write it on one "
            "line, in plain letters."
        )
