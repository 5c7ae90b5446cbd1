"""Maps of pools as files, so that each is computed once.

One `.npz` per map: `rows` int64, `xy` uint16, and a line of JSON with the rest. Its name follows
from the shards of the index, its dead rows and the method: a pool that changed gets a new map.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np

from gandt import storage
from gandt.errors import UsageError
from gandt.index.folder import Index
from gandt.report.pool_map import PoolMap, check_method

__all__ = ["load_map", "map_name", "save_map"]

_EDITION = 1  # of the way maps are made; another one makes all of them anew
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile)
_KEPT = 16  # files: two megabytes each at most


def map_name(index: Index, method: str) -> str:
    """The name of the file that holds the map of an index as it is now."""
    shards = []
    for shard in index.shards:
        status = shard.vectors.stat()
        shards.append([shard.number, shard.rows, status.st_size, status.st_mtime_ns])
    dead = hashlib.sha256(np.ascontiguousarray(index.dead, np.int64).tobytes()).hexdigest()
    what = json.dumps([_EDITION, method, index.uri, index.dimension, shards, dead])
    return f"{hashlib.sha256(what.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.npz"


def save_map(path: Path, made: PoolMap) -> None:
    """Write a map; of the maps beside it those written longest ago go.

    Raises
    ------
    StorageError
        It cannot be written.
    """
    facts = {
        "method": made.method,
        "explained": made.explained,
        "total": made.total,
        "about": made.about,
    }
    stream = io.BytesIO()
    np.savez(stream, rows=made.rows, xy=made.xy, facts=np.array(json.dumps(facts)))
    storage.write_bytes(path, stream.getvalue())
    with contextlib.suppress(OSError):
        dated = sorted((other.stat().st_mtime, other) for other in path.parent.glob("*.npz"))
        for _, other in dated[:-_KEPT]:
            other.unlink(missing_ok=True)


def load_map(path: Path) -> PoolMap | None:
    """Read a map; None where there is none, or the file is damaged."""
    try:
        # From memory: of a damaged archive numpy would leave the file open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            rows, xy, facts = file["rows"], file["xy"], json.loads(str(file["facts"]))
        if rows.dtype != np.int64 or xy.dtype != np.uint16 or xy.shape != (len(rows), 2):
            return None
        explained = facts["explained"]
        return PoolMap(
            rows,
            xy,
            check_method(facts["method"]),
            None if explained is None else (float(explained[0]), float(explained[1])),
            int(facts["total"]),
            str(facts["about"]),
        )
    except (*_DAMAGE, OSError, UsageError):
        return None
