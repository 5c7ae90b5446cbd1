"""How much of the labels a map of the pool keeps together.

    python scripts/bench/pool_map.py [--work FOLDER]

For every image, the share of its ten nearest neighbors that have its label: in all dimensions of
the vectors, on the map of principal axes, and on the UMAP where umap-learn is installed (the extra
`map`). Chance is what a shuffled map would show.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import numpy as np
from quality_pools import POOLS, data_folder, load_pool
from scipy.spatial import cKDTree

import gandt
from gandt.report.pool_map import make_map
from gandt.types import IntArray

MODEL = "efficientnet-lite0"
NEIGHBORS = 10


def agreement(neighbors: IntArray, labels: IntArray) -> float:
    """Share of `(n, k)` neighbors that have the label of their image."""
    return float((labels[neighbors] == labels[:, None]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("bench-work"))
    work = parser.parse_args().work
    maps = ("pca", "umap") if importlib.util.find_spec("umap") else ("pca",)
    print(f"| set | chance | {' | '.join(maps)} | all dimensions |")
    print("| --- " * (3 + len(maps)) + "|")
    for name in POOLS:
        pool = load_pool(name, data_folder(), work, MODEL)
        _, labels = np.unique(pool.labels, return_inverse=True)
        cosines = pool.vectors @ pool.vectors.T
        np.fill_diagonal(cosines, -2)
        whole = np.argpartition(-cosines, NEIGHBORS, axis=1)[:, :NEIGHBORS]
        shares = [float(np.square(np.bincount(labels) / len(labels)).sum())]
        index = gandt.open_index(work / f"{name}.{MODEL}.index")
        for method in maps:
            places = make_map(index, method).xy.astype(np.float64)
            # Two images may share a place, so that an image need not be its own first neighbor.
            _, near = cKDTree(places).query(places, NEIGHBORS + 1)
            own = near == np.arange(len(places))[:, None]
            own[~own.any(axis=1), -1] = True
            shares.append(agreement(near[~own].reshape(len(places), NEIGHBORS), labels))
        shares.append(agreement(whole, labels))
        print(f"| {name} | {' | '.join(f'{share:.3f}' for share in shares)} |", flush=True)


if __name__ == "__main__":
    main()
