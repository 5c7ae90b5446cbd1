"""What the summary of a folder of labels says to who reads it: whole or not, refuted.

`gandt aggregate` and `gandt autolabel` replace the files of their folders one after another. Before
the first of them they mark `summary.json`, and the last is a summary without the mark: so who reads
the folder sees that a run was stopped in between, and that its files are of two runs. What an audit
of automatic labels found stands there as well: labels that it refuted are not to be used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gandt import storage
from gandt.errors import StorageError

__all__ = ["METHOD", "SUMMARY", "UNFINISHED", "refuse_unfinished", "refuted", "unfinished"]

SUMMARY = "summary.json"
METHOD = "autolabel"  # in the summary: tells the folder from that of a round
UNFINISHED = "unfinished"  # the mark: what was stopped, "round", or of METHOD "labels" or "audit"


def unfinished(folder: str, summary: Mapping[str, object]) -> str:
    """Say in a sentence that a run was stopped, and what to do; "" where the folder is whole."""
    stopped = summary.get(UNFINISHED)
    if stopped == "round":
        return (
            f"{folder} is not whole, for `gandt aggregate` was stopped while it wrote its files: "
            f"run it again, with --out {folder}."
        )
    if not stopped or summary.get("method") != METHOD:
        return ""
    if stopped == "audit":
        return (
            f"{folder} is not whole, for `gandt autolabel --audited` was stopped while it wrote "
            f"its files: run it again, with --out {folder}."
        )
    return (
        f"{folder} is not whole, for `gandt autolabel` was stopped while it wrote its files: run "
        f"it again, with --out {folder} and without this folder among its --labels."
    )


def refuse_unfinished(folder: str) -> None:
    """Refuse to read a folder whose files are of two runs; any other folder may be read.

    Raises
    ------
    StorageError
        It is such a folder, or the summary cannot be read.
    """
    said = unfinished(folder, _summary(folder))
    if said:
        raise StorageError(said)


def refuted(folder: str) -> bool:
    """Whether an audit refuted the automatic labels of a folder; False for any other folder.

    Raises
    ------
    StorageError
        The summary cannot be read.
    """
    summary = _summary(folder)
    audit = summary.get("audit") if summary.get("method") == METHOD else None
    return isinstance(audit, dict) and audit.get("verdict") == "refuted"


def _summary(folder: str) -> dict[str, Any]:
    """Read it; empty where there is none, or where it is somebody else's or damaged."""
    uri = f"{folder}/{SUMMARY}"
    try:
        if storage.find(uri) is None:
            return {}
    except storage.ServiceFailure:
        raise
    except StorageError:
        if not storage.is_remote(uri):
            raise
        return {}  # who may read but not list is denied what is not there
    try:
        summary = json.loads(storage.read_bytes(uri))
    except (ValueError, RecursionError):
        return {}  # whoever needs it says so
    return summary if isinstance(summary, dict) else {}
