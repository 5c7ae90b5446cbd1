"""Read what the folder of automatic labels says of itself: the promise, and the audit.

Reads `summary.json` (given as an object) and `audit.csv`, both labels of each image that people
checked. What is absent is not shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gandt import storage
from gandt.groundtruth.label_folder import METHOD
from gandt.report.chart_parts import percent
from gandt.report.results.model import Automatic, ClassPromise, Measured, Reply, Results
from gandt.tables import read_rows

__all__ = ["with_promise"]

_SAMPLE = "audit.csv"
_COLUMNS = ("task", "machine", "confidence", "people")


def with_promise(results: Results, summary: Mapping[str, object]) -> Results:
    """Add what is promised and measured, where the folder holds automatic labels.

    Raises
    ------
    StorageError
        Where the sample cannot be read.
    """
    if summary.get("method") != METHOD:
        return results
    automatic = _automatic(results.source, summary)
    return replace(results, automatic=automatic, replies=_wrong(results.source))


def _automatic(folder: str, summary: Mapping[str, object]) -> Automatic:
    promise, audit = _dict(summary.get("promise")), _dict(summary.get("audit"))
    refused = str(summary.get("refused") or "")
    found = Automatic(
        folder=folder,
        target=_number(promise.get("target")),
        promise=str(promise.get("sentence") or refused).rstrip("."),
        caution=tuple(str(promise[key]) for key in ("caution", "hidden") if promise.get(key)),
        classes=tuple(
            ClassPromise(
                name=str(each.get("name")),
                labels=_whole(each.get("labels")),
                threshold=_number(each.get("threshold")),
                right=_whole(each.get("right")),
                cases=_whole(each.get("cases")),
                reason=str(each.get("reason") or ""),
            )
            for each in map(_dict, _list(summary.get("thresholds")))
        ),
        labeled=_whole(summary.get("labeled")),
        copies=_whole(summary.get("copies")),
        rest=_whole(summary.get("rest")),
        sample=_whole(audit.get("images")),
    )
    if not _whole(audit.get("checked")):
        return found
    advice = f"{audit.get('advice') or ''}.".replace(folder, folder.rpartition("/")[2])
    sentences = (
        f"{sentence[:1].upper()}{sentence[1:]}"
        for sentence in (str(audit.get("sentence") or ""), *map(str, _list(audit.get("notes"))))
    )
    return replace(
        found,
        measured=(
            _measured("", audit),
            *(_measured(name, _dict(each)) for name, each in _dict(audit.get("classes")).items()),
        ),
        verdict=str(audit.get("verdict") or ""),
        said=(*filter(None, sentences), f"Next: {advice}"),
    )


def _measured(name: str, audit: Mapping[str, object]) -> Measured:
    low, high = _number(audit.get("low")), _number(audit.get("high"))
    return Measured(
        name=name,
        checked=_whole(audit.get("checked")),
        right=_whole(audit.get("right")),
        low=0.0 if low is None else low,
        high=1.0 if high is None else high,
    )


def _wrong(folder: str) -> dict[str, tuple[Reply, ...]]:
    """Both labels where people said something else, that of which the machine was surest first."""
    uri = f"{folder}/{_SAMPLE}"
    if not storage.exists(uri):
        return {}
    columns = read_rows(uri, _COLUMNS).columns
    rows = zip(*(columns.get(name) or () for name in _COLUMNS), strict=False)
    wrong = [
        (_number_of(sure), str(task), str(machine), str(people))
        for task, machine, sure, people in rows
        if people and people != machine
    ]
    return {
        task: (Reply("people", (people,)), Reply(f"machine, {percent(sure)}", (machine,)))
        for sure, task, machine, people in sorted(wrong, reverse=True)
    }


def _number_of(cell: object) -> float:
    try:
        return float(str(cell))
    except ValueError:
        return 0.0


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int:
    return int(_number(value) or 0)


def _number(value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None
