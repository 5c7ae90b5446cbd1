"""The files of a rehearsal.

Writes, each whole and in place of one of the same name::

    history.csv       a row per strategy, draw, round and class to find
    found.svg         what was spent against what was found
    accuracy.svg      what was spent against the accuracy reached over the pool
    simulation.html   a page with both, the table, how it was played and what it does not tell
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from gandt import storage
from gandt.errors import UsageError
from gandt.report.curves import svg_file
from gandt.rounds.rehearsal.page import rehearsal_page
from gandt.rounds.rehearsal.plots import accuracy_plot, found_plot
from gandt.rounds.rehearsal.rehearsal import Rehearsal
from gandt.tables import format_csv

__all__ = ["check_folder", "history_rows", "write_rehearsal"]

_FILES = {
    "history": "history.csv",
    "found": "found.svg",
    "accuracy": "accuracy.svg",
    "page": "simulation.html",
}
COLUMNS = (
    "strategy",
    "draw",
    "round",
    "labels",
    "answers",
    "class",
    "found",
    "there",
    "recall",
    "at_most_left",
    "labels_right",
    "pool_right",
    "automatic",
    "automatic_right",
    "scored",
    "stop",
)


def check_folder(out: str) -> None:
    """Tell before a long play that its files could not be written, or not among others.

    Raises
    ------
    UsageError
        There is a file of that name, or of one that the folder would lie in, or the folder holds
        files that are not ours.
    """
    folder = storage.normalize(out).rstrip("/")
    if not storage.is_remote(folder):
        for path in (Path(folder), *Path(folder).parents):
            if path.is_file():
                raise UsageError(f"--out {out}: {path} is a file; name a folder, new or old.")
    if not storage.is_folder(folder):
        return
    for entry in storage.list_folder(folder):
        name = entry.uri.removeprefix(f"{folder}/")
        if name not in _FILES.values():
            raise UsageError(
                f"--out {out} holds other files ({name}); name a new folder, or that of an "
                "earlier `gandt simulate`."
            )


def write_rehearsal(out: str, played: Rehearsal) -> dict[str, str]:
    """Write the files into a folder, local or `s3://`; returns what lies where.

    Raises
    ------
    StorageError
        A file cannot be written.
    """
    folder = out.rstrip("/") or "/"
    texts = {
        "history": format_csv(history_rows(played)),
        "found": svg_file(found_plot(played)),
        "accuracy": svg_file(accuracy_plot(played)),
        "page": rehearsal_page(played),
    }
    written = {what: f"{folder}/{name}" for what, name in _FILES.items()}
    for what, text in texts.items():
        storage.write_bytes(written[what], text.encode("utf-8", "backslashreplace"))
    return written


def history_rows(played: Rehearsal) -> Iterator[tuple[str, ...]]:
    """Give the cells of history.csv, the head first.

    `stop` says whether the verdict on the state of this row was to stop; `at_most_left` is the
    estimate for this state. Both are empty for the last round, after which nobody was asked.
    """
    yield COLUMNS
    for strategy, games in played.games.items():
        for draw, game in enumerate(games, start=1):
            for state, later in zip(game, [*game[1:], None], strict=True):
                for t, name in enumerate(played.targets):
                    judged = later is not None and strategy in ("rounds", "scan")
                    yield (
                        strategy,
                        str(draw),
                        str(state.round),
                        str(state.labels),
                        str(state.answers),
                        name,
                        str(int(state.found[t])),
                        str(played.there[t]),
                        _number(state.recall[t]),
                        _number(played.at_most(state, later)[t])
                        if later is not None and judged
                        else "",
                        _number(state.right) if state.labels else "",
                        _number(state.reached),
                        str(state.automatic),
                        _number(state.automatic_right),
                        _number(state.scored),
                        str(later.stop).lower() if later is not None and judged else "",
                    )


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else ""
