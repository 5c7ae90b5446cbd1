"""G&T: find the few images worth labeling, and turn many answers into honest labels.

Three calls do the main job::

    import gandt

    gandt.embed("photos/", index="pool.index")
    index = gandt.open_index("pool.index")
    selection = gandt.select(index, seeds="seeds/", budget=500)

Everything heavy is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from gandt._version import __version__

if TYPE_CHECKING:
    from gandt.api import embed, open_index, select

__all__ = ["__version__", "embed", "open_index", "select"]


def __getattr__(name: str) -> object:
    if name in ("embed", "open_index", "select"):
        return getattr(importlib.import_module("gandt.api"), name)
    raise AttributeError(f"module 'gandt' has no attribute {name!r}")
