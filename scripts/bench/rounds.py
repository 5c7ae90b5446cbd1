"""Measure rounds: finding a rare class, growing pools, automatic labels, and when to stop.

Labeled image sets are embedded under neutral names (`quality_pools`); the labels are hidden from
what is measured. Everything was tuned on clothing; the tables with `held-out` in their names are of
sets that nothing was tuned on: cats_dogs, and textile_defects with a defect that no whole-image
vector shows.

- `find`: classes thinned to be rare, 5 seeds, the truth told; recall at some shares labeled, beside
  random order, the one-shot nearest neighbor, a full scan with the same probe and uncertainty
  sampling of scikit-activeml.
- `scale`: the time of a round and the share of the pool ever scored, from 10,000 to 1,000,000
  vectors jittered from the real ones. Its times mean something on a quiet machine only.
- `automatic`: promise kept and coverage over redraws, beside MAPIE and scikit-learn.
- `unknown`: classes that nobody labeled, and what the guard does about them.
- `stop`: the 60th miss in a row, what was left then, and what had been said of it.
- `learn`: what to ask next, new or again, with noisy answers; beside cleanlab's ActiveLab and
  strategies of scikit-activeml.

    pip install scikit-activeml mapie  # rows of others; without them these are left out
    OMP_NUM_THREADS=1 python scripts/bench/rounds.py --data ../shared/data --tables find,stop
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from quality_pools import POOLS, Pool, data_folder, load_pool
from rounds_automatic import automatic_held_out, automatic_tuned, unknown
from rounds_find import find_held_out, find_tuned, stop_held_out, stop_tuned
from rounds_learn import learn
from rounds_plots import growth_pictures, write
from rounds_pools import held_out_hunts, jittered, tuned_hunts

from gandt.active.simulate import SimOptions, simulate
from gandt.index.ann import AnnIndex

SHARE = 0.01  # positives of a pool that grows


def scale(pool: Pool, sizes: Sequence[int], work: Path, plots: Path | None) -> list[str]:
    """Time of a round and share of the pool ever scored, as the pool grows; labels stay 1,200."""
    lines = [
        "| images | search | seconds per round, median (most) | ever scored | found | of the most "
        "possible |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    scored, medians = [], []
    for size in sizes:
        store, truth, name, search = jittered(pool, size, SHARE, work)
        options = SimOptions(rounds=12, budget=100, targets=(name,), workers=0, measure=False)
        history = simulate(store, search, truth, (name, "Other"), options)
        seconds = [played.seconds for played in history[1:]]
        kind = "approximate" if isinstance(search, AnnIndex) else "exact"
        last = history[-1]
        most = min(last.labels, int((truth == 0).sum()) - options.seeds)
        scored.append(last.scored)
        medians.append(float(np.median(seconds)))
        lines.append(
            f"| {store.rows:,} | {kind} | {np.median(seconds):.2f} ({max(seconds):.2f}) | "
            f"{last.scored:.1%} | {last.found[0]:,} | {last.found[0] / most:.2f} |"
        )
        print(lines[-1], flush=True)
    for name, picture in growth_pictures(sizes, scored, medians).items():
        write(plots, name, picture)
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder(), help="the image sets")
    parser.add_argument("--tables", help="names with commas between; default: all")
    parser.add_argument(
        "--redraws", type=int, default=2, help="of find, stop and learn; held out: ten times those"
    )
    parser.add_argument(
        "--draws", type=int, default=20, help="of automatic labels; held out: five times those"
    )
    parser.add_argument("--plots", type=Path, help="folder that pictures are written to")
    parser.add_argument("--sizes", default="10000,12000,30000,100000,300000,1000000")
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "gandt-selection-quality",
        help="where copies and indexes are kept between runs",
    )
    options = parser.parse_args()
    pools = {name: load_pool(name, options.data, options.work, options.model) for name in POOLS}
    clothing, animals, weaves = (
        pools[name] for name in ("clothing", "cats_dogs", "textile_defects")
    )
    tuned, held_out = tuned_hunts(clothing), held_out_hunts(pools)
    sizes = [int(size) for size in options.sizes.split(",")]
    promised = [(animals, 0.95), (animals, 0.99), (weaves, 0.95), (weaves, 0.90)]
    answered = [
        (clothing, 0.85, options.redraws),
        (animals, 0.85, 2 * options.redraws),
        (animals, 0.70, 2 * options.redraws),
    ]
    plots, redraws, draws = options.plots, options.redraws, options.draws
    tables: dict[str, Callable[[], list[str]]] = {
        "find": lambda: find_tuned(tuned, redraws, plots),
        "find-held-out": lambda: find_held_out(held_out, 10 * redraws),
        "scale": lambda: scale(clothing, sizes, options.work, plots),
        "automatic": lambda: automatic_tuned(clothing, draws, plots),
        "automatic-held-out": lambda: automatic_held_out(promised, 5 * draws),
        "unknown": lambda: unknown(clothing, animals, weaves),
        "stop": lambda: stop_tuned(tuned, redraws, plots),
        "stop-held-out": lambda: stop_held_out(held_out, 10 * redraws),
        "learn": lambda: learn(answered, plots),
    }
    wanted = options.tables.split(",") if options.tables else list(tables)
    for name in wanted:
        started = time.perf_counter()
        lines = tables[name]()
        print(f"\n**{name}** ({time.perf_counter() - started:.0f} s)\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
