"""Time diversity: 1,000 picks from 100,000 candidates of 512 dimensions; target 20 s on two cores.

Prints one line per rule: seconds and memory beyond the vectors. The vectors are random and unit
length; the cost does not depend on what they are.

    python scripts/bench/diversity.py
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from gandt.selection.diversity import k_center, marginal_relevance
from gandt.selection.spaces import unit
from gandt.types import IntArray


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--picks", type=int, default=1_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    shape = options.candidates, options.dimensions
    vectors = unit(rng.standard_normal(shape, dtype=np.float32))
    relevance = rng.random(options.candidates, dtype=np.float32)
    rules: dict[str, Callable[[], IntArray]] = {
        "marginal relevance": lambda: marginal_relevance(relevance, vectors, options.picks),
        "k-center": lambda: k_center(vectors, options.picks),
    }
    for name, pick in rules.items():
        tracemalloc.start()
        started = time.perf_counter()
        picked = pick()
        seconds = time.perf_counter() - started
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        print(
            f"{name}: {len(np.unique(picked)):,} picks from {shape[0]:,} x {shape[1]} in "
            f"{seconds:.1f} s, {peak / 2**20:.1f} MiB beyond the vectors"
        )


if __name__ == "__main__":
    main()
