"""One map of a pool, made by a process of its own.

The compiled loops of UMAP's packages keep the interpreter to themselves for seconds at a time; in
the process that answers requests nothing would be answered meanwhile. Called as a module with the
index folder, the method and the file to write; ends when its standard input does, so that it never
outlives who started it, killed or not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from gandt.errors import GandtError
from gandt.index.folder import Index
from gandt.report.pool_map import make_map
from gandt.serving.service.explore.pool_map.files import save_map

__all__ = ["MapFailed", "make_apart"]

_LAST_WORDS = 2000  # characters


class MapFailed(GandtError):
    """A map of the pool could not be made."""


def make_apart(index: Index, method: str, path: Path) -> None:
    """Have another process make a map and write it to a file; returns when it is there.

    Raises
    ------
    MapFailed
        With what that process said last.
    """
    command = [sys.executable, "-m", __name__, str(index.folder), method, str(path)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C is for whoever waits
    )
    with process:
        assert process.stderr is not None
        said = process.stderr.read().decode("utf-8", "replace").strip()
    if process.returncode:
        last = said[-_LAST_WORDS:].splitlines()[-1:] or [f"it ended with {process.returncode}"]
        raise MapFailed(f"The map of the pool could not be made: {last[0]}")


def _end_with_input() -> None:
    # Not by `sys.stdin`, whose lock must be free when the interpreter ends.
    while os.read(0, 1024):
        pass
    os._exit(1)


def main(folder: str, method: str, path: str) -> None:
    """Make a map and write it."""
    if hasattr(os, "nice"):
        os.nice(5)  # whoever explores meanwhile comes first
    threading.Thread(target=_end_with_input, daemon=True).start()
    save_map(Path(path), make_map(Index(Path(folder)), method))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except GandtError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
