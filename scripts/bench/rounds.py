"""Measure rounds: finding a rare class, growing pools, automatic labels, and when to stop.

Four tables on labeled image sets embedded under neutral names (`quality_pools`); the labels are
hidden from what is measured. `find`: each clothing class thinned to 1 % of the pool, 5 seeds, the
truth told; recall when 2, 5 and 10 % of the pool are labeled, beside random order, the one-shot
nearest neighbor and a full scan with the same probe. `scale`: the time of a round and the share of
the pool ever scored, from 10,000 to 1,000,000 vectors jittered from the real ones. `automatic`:
promise kept and coverage over redraws, and what a guard does about classes that nobody labeled.
`stop`: the 60th miss in a row, what was left then, and what had been said of it.

    OMP_NUM_THREADS=1 python scripts/bench/rounds.py --data ../shared/data --tables find,stop
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from quality_pools import Pool, data_folder, load_pool
from rounds_pools import jittered, names_of, thinned

from gandt.active.cross_fit import cross_fit
from gandt.active.estimates import upper_share
from gandt.active.guard import fit_guard
from gandt.active.simulate import Played, SimOptions, Strategy, simulate
from gandt.active.stop import DRY_RUN
from gandt.active.thresholds import choose_thresholds
from gandt.index.ann import AnnIndex, ExactIndex
from gandt.index.arrays import ArrayStore
from gandt.report.charts import Role, Shape
from gandt.report.curves import Curve, curve_chart, svg_file

MARKS = (0.02, 0.05, 0.10)  # of the pool labeled
SHARE = 0.01  # positives
BATCH = 0.005  # of the pool
ROWS: dict[Strategy, str] = {
    "random": "random order",
    "nearest": "one-shot nearest neighbor",
    "scan": "most likely positive, full scan",
    "rounds": "**gandt, neighbors and probe**",
}
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "no slice": ("gandt without the uniform 5 %", {"uniform": 0.0}),
    "learn": ("gandt, goal `learn` (entropy and distance)", {"mix": {"learn": 1.0}}),
}


def at_marks(history: tuple[Played, ...], pool: int) -> list[float]:
    """Recall at the first round that has labeled each share of the pool."""
    out = []
    for mark in MARKS:
        reached = [played for played in history if played.labels >= round(mark * pool)]
        out.append((reached[0] if reached else history[-1]).recall[0])
    return out


def find(pool: Pool, redraws: int, plots: Path | None) -> list[str]:
    """Recall of a rare class, the mean over classes and redraws."""
    curves: dict[Strategy, list[list[float]]] = {name: [] for name in ROWS}
    wide = {name for name in pool.classes if (pool.labels == name).sum() >= 60}
    recalls: dict[str, list[list[float]]] = {name: [] for name in (*ROWS, *OTHERS)}
    scored: list[float] = []
    for redraw in range(redraws):
        for name in sorted(wide):
            vectors, truth = thinned(pool, name, SHARE, redraw)
            store = ArrayStore(vectors)
            batch = round(BATCH * len(truth))
            plain = SimOptions(
                rounds=round(MARKS[-1] / BATCH),
                budget=batch,
                targets=(name,),
                workers=0,
                measure=False,
                random_seed=redraw,
            )
            for strategy in ROWS:
                options = replace(plain, strategy=strategy)
                history = simulate(store, ExactIndex(store), truth, (name, "Other"), options)
                recalls[strategy].append(at_marks(history, len(truth)))
                curves[strategy].append([played.recall[0] for played in history])
                if strategy == "rounds":
                    scored.append(history[-1].scored)
            for variant, (_, changes) in OTHERS.items():
                options = replace(plain, **changes)
                history = simulate(store, ExactIndex(store), truth, (name, "Other"), options)
                recalls[variant].append(at_marks(history, len(truth)))
    if plots is not None:
        plots.mkdir(parents=True, exist_ok=True)
        (plots / "rounds-find.svg").write_text(drawn_curves(curves), encoding="utf-8")
    lines = [
        f"{len(wide)} classes of {SHARE:.0%}, {redraws} redraws, batches of {BATCH:.1%}, 5 seeds; "
        f"gandt had scored {np.mean(scored):.0%} of the pool in the end.",
        "",
        "| recall at | 2 % | 5 % | 10 % labeled |",
        "| --- | --- | --- | --- |",
    ]
    for name, title in (*ROWS.items(), *((key, told) for key, (told, _) in OTHERS.items())):
        cells = " | ".join(f"{value:.2f}" for value in np.mean(recalls[name], axis=0))
        lines.append(f"| {title} | {cells} |")
    return lines


def drawn_curves(found: Mapping[Strategy, list[list[float]]]) -> str:
    """Draw the mean recall over the share of the pool that is labeled, in percent."""
    looks: dict[Strategy, tuple[str, Role, Shape, bool]] = {
        "rounds": ("gandt", "human", "circle", False),
        "scan": ("full scan", "gold", "square", True),
        "nearest": ("nearest neighbor", "machine", "diamond", False),
        "random": ("random", "unknown", "ring", False),
    }
    curves = []
    for strategy, (name, color, shape, dashed) in looks.items():
        mean = np.mean(found[strategy], axis=0)
        points = tuple((100 * BATCH * at, float(value)) for at, value in enumerate(mean))
        curves.append(Curve(name, points, color, shape, dashed))
    chart = curve_chart(
        curves,
        title="Share of a rare class (1 %) that was found",
        across="percent of the pool labeled",
    )
    return svg_file(chart)


def scale(pool: Pool, sizes: Iterable[int], work: Path) -> list[str]:
    """Time of a round and share of the pool ever scored, as the pool grows; labels stay 1,200."""
    lines = [
        "| images | search | seconds per round, median (most) | ever scored | recall |",
        "| --- | --- | --- | --- | --- |",
    ]
    for size in sizes:
        store, truth, name, search = jittered(pool, size, SHARE, work)
        options = SimOptions(rounds=12, budget=100, targets=(name,), workers=0, measure=False)
        history = simulate(store, search, truth, (name, "Other"), options)
        seconds = [played.seconds for played in history[1:]]
        kind = "approximate" if isinstance(search, AnnIndex) else "exact"
        last = history[-1]
        lines.append(
            f"| {store.rows:,} | {kind} | {np.median(seconds):.2f} ({max(seconds):.2f}) | "
            f"{last.scored:.1%} | {last.recall[0]:.2f} |"
        )
        print(lines[-1], flush=True)
    return lines


def automatic(pool: Pool, redraws: int) -> list[str]:
    """Promise kept, coverage and accuracy of automatic labels; unknown classes and the guard."""
    classes, codes = names_of(pool)
    lines = [
        "| labeled | thresholds | promise kept | coverage | accuracy, least |",
        "| --- | --- | --- | --- | --- |",
    ]
    for share in (0.2, 0.4):
        rules: dict[str, list[tuple[float, float]]] = {}
        for redraw in range(redraws):
            for name, (right, cover) in drawn_once(pool, codes, classes, share, redraw).items():
                rules.setdefault(name, []).append((right, cover))
        for name, seen in rules.items():
            right, cover = np.array(seen).T
            kept = int((right >= 0.95).sum())
            lines.append(
                f"| {share:.0%} | {name} | {kept} of {redraws} | {cover.mean():.2f} | "
                f"{right.mean():.3f}, {right.min():.3f} |"
            )
            print(lines[-1], flush=True)
    return lines


def drawn_once(
    pool: Pool, codes: npt.NDArray[np.int64], classes: tuple[str, ...], share: float, redraw: int
) -> dict[str, tuple[float, float]]:
    """Accuracy and coverage of each rule on one draw of labeled images; 1 where nothing is."""
    rng = np.random.default_rng([redraw, round(100 * share)])
    labeled = np.zeros(len(codes), np.bool_)
    labeled[rng.choice(len(codes), round(share * len(codes)), replace=False)] = True
    known = pool.vectors[labeled]
    fit = cross_fit(known, np.eye(len(classes))[codes[labeled]], classes, seed=redraw)
    rest, truth = pool.vectors[~labeled], codes[~labeled]
    predicted = fit.predict(rest)
    near = fit_guard(known).allows(rest)
    together = choose_thresholds(fit.out_of_fold, codes[labeled], classes).accept(predicted)
    alone = choose_thresholds(fit.out_of_fold, codes[labeled], classes, each=True)
    out = {}
    for name, given in (
        ("point estimate", hoped_for(fit.out_of_fold, codes[labeled], predicted)),
        ("**proven together**", together),
        ("proven together, with the guard", np.where(near, together, -1)),
        ("proven for each class", alone.accept(predicted)),
    ):
        made = given >= 0
        right = float((given == truth)[made].mean()) if made.any() else 1.0
        out[name] = (right, float(made.mean()))
    return out


def hoped_for(
    cases: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.float64],
) -> npt.NDArray[np.int64]:
    """Label by the lowest confidence above which the cases look 95 % right: no proof."""
    top, right = cases.max(axis=1), cases.argmax(axis=1) == labels
    order = np.argsort(-top, kind="stable")
    good = np.flatnonzero(np.cumsum(right[order]) >= 0.95 * (np.arange(len(order)) + 1))
    least = top[order[good[-1]]] if len(good) else np.inf
    return np.where(predicted.max(axis=1) >= least, predicted.argmax(axis=1), -1)


def unknown(pool: Pool) -> list[str]:
    """Hide a class from the labels: how much of it is labeled all the same; the guard's cost."""
    classes, codes = names_of(pool)
    lines = [
        "| class that nobody labeled | labeled wrongly | with the guard | coverage of the others | "
        "with the guard |",
        "| --- | --- | --- | --- | --- |",
    ]
    figures = []
    for name in ("Shoes", "Dress", "Hat", "Pants", "Shirt", "Shorts", "Skirt", "Outwear"):
        rng = np.random.default_rng([7, classes.index(name)])
        labeled = np.zeros(len(codes), np.bool_)
        labeled[rng.choice(len(codes), round(0.2 * len(codes)), replace=False)] = True
        hidden = codes == classes.index(name)
        teach = labeled & ~hidden
        fit = cross_fit(pool.vectors[teach], np.eye(len(classes))[codes[teach]], classes)
        rest = pool.vectors[~labeled]
        chosen = choose_thresholds(fit.out_of_fold, codes[teach], classes)
        given = chosen.accept(fit.predict(rest)) >= 0
        near = fit_guard(pool.vectors[teach]).allows(rest)
        strange = hidden[~labeled]
        row = [
            float(mask[part].mean())
            for part in (strange, ~strange)
            for mask in (given, given & near)
        ]
        figures.append(row)
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |")
        print(lines[-1], flush=True)
    means = " | ".join(f"{value:.2f}" for value in np.mean(figures, axis=0))
    return [*lines, f"| **mean** | {means} |"]


def stop(pool: Pool, redraws: int) -> list[str]:
    """What had been said when 60 chosen labels in a row missed, and what was left."""
    wide = sorted(name for name in pool.classes if (pool.labels == name).sum() >= 60)
    left, said, spent, recall = [], [], [], []
    for name, redraw in ((name, redraw) for redraw in range(redraws) for name in wide):
        vectors, truth = thinned(pool, name, SHARE, redraw)
        store = ArrayStore(vectors)
        options = SimOptions(
            rounds=60,
            budget=20,
            targets=(name,),
            workers=0,
            measure=False,
            until_stop=True,
            random_seed=redraw,
        )
        history = simulate(store, ExactIndex(store), truth, (name, "Other"), options)
        # The verdict came before the last round was labeled.
        before = history[-2]
        there = int((truth == 0).sum()) - 5
        left.append(there - int(before.found[0]))
        said.append(history[-1].upper_left[0])
        spent.append(before.labels / len(truth))
        recall.append(before.recall[0])
    held = np.array(left) <= np.array(said)
    lines = [
        f"{len(left)} rehearsals; stopped at {np.mean(spent):.1%} labeled with "
        f"{np.mean(recall):.0%} found; {np.mean(left):.1f} left on average, an estimated "
        f"{np.median(said):.0f} at most (median); the estimate held in {held.sum()} of {len(held)} "
        f"({DRY_RUN} misses in a row).",
        "",
        "| uniform labels without a hit | at most left (95 %) |",
        "| --- | --- |",
    ]
    return lines + [f"| {drawn} | {upper_share(drawn):.2%} |" for drawn in (200, 400, 600)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder(), help="the image sets")
    parser.add_argument("--tables", default="find,scale,automatic,unknown,stop")
    parser.add_argument("--redraws", type=int, default=2, help="of find and stop")
    parser.add_argument("--draws", type=int, default=20, help="of automatic labels")
    parser.add_argument("--plots", type=Path, help="folder that pictures are written to")
    parser.add_argument("--sizes", default="10000,12000,100000,1000000")
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "gandt-selection-quality",
        help="where copies and indexes are kept between runs",
    )
    options = parser.parse_args()
    pool = load_pool("clothing", options.data, options.work, options.model)
    sizes = [int(size) for size in options.sizes.split(",")]
    tables: dict[str, Callable[[], list[str]]] = {
        "find": lambda: find(pool, options.redraws, options.plots),
        "scale": lambda: scale(pool, sizes, options.work),
        "automatic": lambda: automatic(pool, options.draws),
        "unknown": lambda: unknown(pool),
        "stop": lambda: stop(pool, options.redraws),
    }
    for name in options.tables.split(","):
        started = time.perf_counter()
        lines = tables[name]()
        print(f"\n**{name}** ({time.perf_counter() - started:.0f} s)\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
