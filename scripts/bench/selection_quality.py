"""Measure how well each strategy finds a class from a few seeds, on labeled image sets.

For each pool, number of seeds and repeat: draw seeds per class, let a strategy rank all other
images, and compute average precision (AP) and precision among the first 50 and 100 (P@50, P@100),
averaged over classes and repeats. "Alone": only the class's own seeds are known. "All": every class
has seeds, all of which leave the ranking. Beside G&T's strategies stand random order, plain
max-cosine and a plain logistic probe, the last two always with the class's own seeds only. A last
table has one mislabeled seed in five. File and folder names are hidden from the tool.

    python scripts/bench/selection_quality.py --data ../shared/data --seeds 1,5,20 --repeats 3
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from quality_pools import POOLS, Pool, data_folder, load_pool

from gandt.selection.context import Context
from gandt.selection.graph import NEIGHBORS, candidate_neighbors
from gandt.selection.spaces import Moments, moments
from gandt.selection.strategies import STRATEGIES
from gandt.types import FloatArray, IntArray, Neighbors

Figures = tuple[float, float, float]  # AP, P@50, P@100
Key = tuple[str, str, str, int]  # table, strategy, pool, seeds per class
BASELINES = ("random", "max-cosine", "plain logistic")
SPARE = 3  # times the neighbors are listed, so that 20 remain when seeds leave the pool


def figures(scores: FloatArray, relevant: npt.NDArray[np.bool_]) -> Figures:
    """AP, P@50 and P@100 of one ranking; ties by the lower row."""
    found = relevant[np.argsort(-scores, kind="stable")]
    places = np.flatnonzero(found)
    precision = (np.arange(len(places)) + 1) / (places + 1)
    return float(precision.mean()), float(found[:50].mean()), float(found[:100].mean())


def plain_logistic(context: Context) -> FloatArray:
    """Seeds against 200 random rows, C = 1, both sides of equal weight: nothing of G&T's own.

    The textbook fit in all dimensions, apart from `probe`, so that it checks that one too.
    """
    from scipy.optimize import minimize

    rng = np.random.default_rng(context.random_seed)
    size = min(200, len(context.background))
    sampled = context.background[rng.choice(len(context.background), size, replace=False)]
    result = []
    for seeds in context.seeds:
        negatives = sampled[(sampled @ seeds.T).max(axis=1) < 1 - 1e-5].astype(np.float64)
        rows = np.concatenate([seeds.astype(np.float64), negatives])
        sign = np.concatenate([np.ones(len(seeds)), -np.ones(len(negatives))])
        side = np.where(sign > 0, len(seeds), len(negatives))
        weight = len(rows) / 2 / side

        def loss(
            w: npt.NDArray[np.float64],
            rows: npt.NDArray[np.float64] = rows,
            sign: npt.NDArray[np.float64] = sign,
            weight: npt.NDArray[np.float64] = weight,
        ) -> tuple[float, npt.NDArray[np.float64]]:
            margin = sign * (rows @ w[:-1] + w[-1])
            slope = -sign * weight / (1 + np.exp(margin))
            value = weight @ np.logaddexp(0, -margin) + w[:-1] @ w[:-1] / 2
            return value, np.append(rows.T @ slope + w[:-1], slope.sum())

        fitted = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B")
        result.append(context.candidates @ fitted.x[:-1].astype(np.float32))
    return np.stack(result)


def random_order(context: Context) -> FloatArray:
    """A score that knows nothing."""
    rng = np.random.default_rng(context.random_seed + 1)
    return rng.random((len(context.targets), len(context.candidates)), dtype=np.float32)


def rules() -> dict[str, Callable[[Context], FloatArray]]:
    """Baselines first, then every strategy."""
    return {
        "random": random_order,
        "max-cosine": STRATEGIES["nearest"],
        "plain logistic": plain_logistic,
        **STRATEGIES,
    }


def without(listed: Neighbors, kept: npt.NDArray[np.bool_]) -> Neighbors:
    """Neighbor lists of the kept rows among themselves, cut to 20."""
    renumbered = np.where(kept, np.cumsum(kept) - 1, -1)
    ids = renumbered[listed.ids[kept]]
    order = np.argsort(ids < 0, axis=1, kind="stable")[:, :NEIGHBORS]
    ids = np.take_along_axis(ids, order, axis=1)
    scores = np.take_along_axis(listed.scores[kept], order, axis=1)
    return Neighbors(ids, np.where(ids < 0, -np.inf, scores).astype(np.float32))


def ask(
    pool: Pool,
    drawn: Mapping[str, IntArray],
    shared: tuple[Moments, Neighbors],
    repeat: int,
) -> tuple[Context, npt.NDArray[np.bool_]]:
    """Make the context of some classes' seeds, and tell which rows remain to be ranked."""
    kept = np.ones(len(pool.labels), np.bool_)
    kept[np.concatenate(list(drawn.values()))] = False
    candidates = np.ascontiguousarray(pool.vectors[kept])
    context = Context(
        candidates=candidates,
        background=pool.vectors,
        targets=tuple(drawn),
        seeds=tuple(pool.vectors[rows] for rows in drawn.values()),
        contrast=np.empty((0, pool.vectors.shape[1]), np.float32),
        random_seed=repeat,
        pool_moments=shared[0],
        neighbors=without(shared[1], kept),
    )
    return context, kept


def measure(
    pool: Pool, counts: Iterable[int], repeats: int, chosen: Iterable[str]
) -> dict[Key, list[Figures]]:
    """All figures of one pool, one entry per class and repeat."""
    pool_moments = moments(pool.vectors)
    shared = pool_moments, candidate_neighbors(pool.vectors, pool_moments, SPARE * NEIGHBORS)
    results: dict[Key, list[Figures]] = defaultdict(list)
    named = {name: rule for name, rule in rules().items() if name in chosen}

    def record(table: str, count: int, drawn: Mapping[str, IntArray], repeat: int) -> None:
        context, kept = ask(pool, drawn, shared, repeat)
        for name, rule in named.items():
            scores = rule(context)
            for row, target in enumerate(context.targets):
                relevant = pool.labels[kept] == target
                results[table, name, pool.name, count].append(figures(scores[row], relevant))

    for count in counts:
        for repeat in range(repeats):
            drawn = pool.draw(count, repeat)
            for target, rows in drawn.items():
                record("alone", count, {target: rows}, repeat)
            record("all", count, drawn, repeat)
            if count == 5:
                spoiled = pool.mislabel(drawn, repeat)
                for target, rows in spoiled.items():
                    record("wrong", count, {target: rows}, repeat)
                record("wrong, all", count, spoiled, repeat)
    return results


def markdown(
    title: str, table: str, results: Mapping[Key, list[Figures]], counts: Iterable[int]
) -> str:
    """One table: a row per strategy, a column per pool and number of seeds."""
    pools = [name for name in POOLS if any(key[2] == name for key in results)]
    columns = [
        (p, k)
        for p in pools
        for k in counts
        if any(key[0] == table and key[2:] == (p, k) for key in results)
    ]
    names = dict.fromkeys(key[1] for key in results)
    lines = [f"**{title}** (AP / P@50 / P@100)", ""]
    lines.append("| strategy | " + " | ".join(f"{p} {k}" for p, k in columns) + " |")
    lines.append("|---" * (len(columns) + 1) + "|")
    for name in names:
        cells = []
        for p, k in columns:
            mean = np.mean(results[table, name, p, k], axis=0)
            cells.append(" / ".join(f"{value:.3f}" for value in mean))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder(), help="the image sets")
    parser.add_argument("--pools", default=",".join(POOLS))
    parser.add_argument("--seeds", default="1,5,20", help="seeds per class")
    parser.add_argument("--repeats", type=int, default=3, help="redraws of the seeds")
    parser.add_argument("--strategies", default="", help="only these, and the baselines")
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "gandt-selection-quality",
        help="where copies and indexes are kept between runs",
    )
    options = parser.parse_args()
    counts = [int(count) for count in options.seeds.split(",")]
    chosen = [*BASELINES, *(options.strategies.split(",") if options.strategies else STRATEGIES)]

    started = time.perf_counter()
    results: dict[Key, list[Figures]] = {}
    for name in options.pools.split(","):
        pool = load_pool(name, options.data, options.work, options.model)
        results.update(measure(pool, counts, options.repeats, chosen))
    seconds = time.perf_counter() - started
    print(
        f"{options.model}; {options.repeats} redraws of the seeds; column: pool and seeds per "
        f"class; {seconds:.0f} s\n"
    )
    titles = {
        "alone": "Each class alone",
        "all": "All classes have seeds",
        "wrong": "One of five seeds mislabeled, each class alone",
        "wrong, all": "One of five seeds mislabeled, all classes have seeds",
    }
    for table, title in titles.items():
        if any(key[0] == table for key in results):
            print(markdown(title, table, results, counts) + "\n")


if __name__ == "__main__":
    main()
