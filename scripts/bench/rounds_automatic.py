"""Automatic labels under a promise: `automatic` and `unknown` of `rounds.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from quality_pools import Pool
from rounds_peers import calibrated, plain_logistic
from rounds_plots import OURS, Look, rules_picture, write
from rounds_pools import names_of

from gandt.active.cross_fit import cross_fit
from gandt.active.guard import fit_guard
from gandt.active.thresholds import choose_thresholds

__all__ = ["automatic_held_out", "automatic_tuned", "unknown"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

PLOTTED = (0.05, 0.1, 0.2, 0.3, 0.4)
TOLD = (0.2, 0.4)
TOGETHER = "proven together"
GUARDED = "**gandt: proven together, with the guard**"
EACH = "proven for each class"
POINT = "point estimate on the same cases"
NAIVE = "scikit-learn, its confidence at the promise or above"
SPLIT = "scikit-learn and MAPIE, half of the labels held out"
CASES = "MAPIE on the same cases"
ORDER = "MAPIE on the same cases, in one order"
BEST = "with hindsight: the most that the probe could"
SMALL_DRAWS = 10


@dataclass(frozen=True, slots=True)
class _Draw:
    """Images that people labeled, and the rest."""

    vectors: npt.NDArray[np.float32]
    codes: Codes
    rest: npt.NDArray[np.float32]
    truth: Codes


def _draw(pool: Pool, codes: Codes, share: float, redraw: int) -> _Draw:
    rng = np.random.default_rng([redraw, round(100 * share)])
    labeled = np.zeros(len(codes), np.bool_)
    labeled[rng.choice(len(codes), round(share * len(codes)), replace=False)] = True
    return _Draw(pool.vectors[labeled], codes[labeled], pool.vectors[~labeled], codes[~labeled])


def _rules(
    draw: _Draw, classes: tuple[str, ...], target: float, redraw: int, peers: bool
) -> dict[str, tuple[float, float]]:
    """Accuracy and coverage of each rule on one draw; an accuracy of 1 where nothing is labeled."""
    fit = cross_fit(draw.vectors, np.eye(len(classes))[draw.codes], classes, seed=redraw)
    cases, predicted = fit.out_of_fold, fit.predict(draw.rest)
    chosen = choose_thresholds(cases, draw.codes, classes, target=target)
    together = chosen.accept(predicted)
    near = fit_guard(draw.vectors, allowed=chosen.accept(cases) >= 0).allows(draw.rest)
    alone = choose_thresholds(cases, draw.codes, classes, target=target, each=True)
    given = {
        POINT: above(looks_right(cases, draw.codes, target), predicted),
        TOGETHER: together,
        GUARDED: np.where(near, together, -1),
        EACH: alone.accept(predicted),
        BEST: above(looks_right(predicted, draw.truth, target), predicted),
    }
    if peers:
        given |= _peers(draw, cases, predicted, target, redraw)
    out = {}
    for name, codes in given.items():
        made = codes >= 0
        right = float((codes == draw.truth)[made].mean()) if made.any() else 1.0
        out[name] = (right, float(made.mean()))
    return out


def _peers(
    draw: _Draw, cases: Floats, predicted: Floats, target: float, redraw: int
) -> dict[str, Codes]:
    model = plain_logistic().fit(draw.vectors, draw.codes)
    out = {NAIVE: above(target, _columns(model, draw.rest, predicted.shape[1]))}
    top, right = cases.max(axis=1), cases.argmax(axis=1) == draw.codes
    for name, in_order in ((CASES, False), (ORDER, True)):
        least = calibrated(top, right, target, in_order=in_order)
        if least is None:
            return out
        out[name] = above(least, predicted)
    half = np.random.default_rng([redraw, 5]).permutation(len(draw.codes))
    teach, prove = half[: len(half) // 2], half[len(half) // 2 :]
    model = plain_logistic().fit(draw.vectors[teach], draw.codes[teach])
    held = _columns(model, draw.vectors[prove], predicted.shape[1])
    least = calibrated(held.max(axis=1), held.argmax(axis=1) == draw.codes[prove], target)
    assert least is not None
    out[SPLIT] = above(least, _columns(model, draw.rest, predicted.shape[1]))
    return out


def _columns(model: object, rows: npt.NDArray[np.float32], k: int) -> Floats:
    """Predict with a column per class, also for classes that the model has not seen."""
    out = np.zeros((len(rows), k))
    out[:, model.classes_] = model.predict_proba(rows)  # type: ignore[attr-defined]
    return out


def above(least: float, predicted: Floats) -> Codes:
    """Label what is at least so sure."""
    return np.where(predicted.max(axis=1) >= least, predicted.argmax(axis=1), -1)


def looks_right(cases: Floats, labels: Codes, target: float) -> float:
    """Find the lowest confidence above which the cases look right often enough: no proof."""
    top, right = cases.max(axis=1), cases.argmax(axis=1) == labels
    order = np.argsort(-top, kind="stable")
    good = np.flatnonzero(np.cumsum(right[order]) >= target * (np.arange(len(order)) + 1))
    return float(top[order[good[-1]]]) if len(good) else np.inf


Seen = dict[str, npt.NDArray[np.float64]]  # rule -> (redraws, 2) accuracy and coverage


def _redraws(pool: Pool, share: float, target: float, redraws: int, peers: bool) -> Seen:
    classes, codes = names_of(pool)
    rules: dict[str, list[tuple[float, float]]] = {}
    for redraw in range(redraws):
        draw = _draw(pool, codes, share, redraw)
        for name, figures in _rules(draw, classes, target, redraw, peers).items():
            rules.setdefault(name, []).append(figures)
    return {name: np.array(figures) for name, figures in rules.items()}


def automatic_tuned(pool: Pool, redraws: int, plots: Path | None) -> list[str]:
    """Promise kept, coverage and accuracy on the pool that rounds were tuned on."""
    lines = [
        "| labeled | rule | promise of 95 % kept | coverage | accuracy, least |",
        "| --- | --- | --- | --- | --- |",
    ]
    by_share = {}
    for share in PLOTTED if plots else TOLD:
        by_share[share] = _redraws(pool, share, 0.95, redraws, peers=share in TOLD)
        for name, seen in by_share[share].items():
            if share in TOLD:
                right, cover = seen.T
                lines.append(
                    f"| {share:.0%} | {name} | {(right >= 0.95).sum()} of {redraws} | "
                    f"{cover.mean():.2f} | {right.mean():.3f}, {right.min():.3f} |"
                )
    if plots:
        _draw_plots(by_share, plots)
    return lines


def _draw_plots(by_share: Mapping[float, Seen], plots: Path) -> None:
    looks: dict[str, tuple[str, Look]] = {
        GUARDED: ("gandt", OURS),
        EACH: ("each class proven", ("gold", "square", True)),
        POINT: ("point estimate", ("machine", "diamond", False)),
    }
    shares = sorted(by_share)
    kept, covered = {}, {}
    for rule, (name, look) in looks.items():
        covered[name] = ([float(by_share[s][rule][:, 1].mean()) for s in shares], look)
        if rule != EACH:  # lies on the line of the first
            kept[name] = ([float((by_share[s][rule][:, 0] >= 0.95).mean()) for s in shares], look)
    title = "Share of redraws in which 95 % of the automatic labels were right"
    write(plots, "rounds-promise", rules_picture(shares, kept, title, limit=("promised", 0.95)))
    title = "Share of the other images that was labeled automatically (promise: 95 %)"
    write(plots, "rounds-coverage", rules_picture(shares, covered, title))


def automatic_held_out(settings: Sequence[tuple[Pool, float]], redraws: int) -> list[str]:
    """The same on pools that nothing was tuned on, and under other promises."""
    seen = {
        (pool.name, target, share): _redraws(pool, share, target, redraws, peers=True)
        for pool, target in settings
        for share in TOLD
    }
    heads = [f"{name}, {target:.0%} promised, {share:.0%} labeled" for name, target, share in seen]
    lines = [
        f"Promise kept of {redraws} redraws / coverage, mean / least accuracy.",
        "",
        f"| rule | {' | '.join(heads)} |",
        "| --- |" + " --- |" * len(heads),
    ]
    for rule in next(iter(seen.values())):
        cells = []
        for (_, target, _), rules in seen.items():
            right, cover = rules[rule].T
            least = f"{right[cover > 0].min():.3f}" if (cover > 0).any() else "none"
            cells.append(f"{(right >= target).sum()} / {cover.mean():.2f} / {least}")
        lines.append(f"| {rule} | {' | '.join(cells)} |")
    return lines


HIDDEN = ("Shoes", "Dress", "Hat", "Pants", "Shirt", "Shorts", "Skirt", "Outwear")
FEW = (  # garments that are easily told apart: nearly all of them may be labeled
    *(("Shoes", "Pants"), ("Shoes", "Hat"), ("Dress", "Pants"), ("Shirt", "Shorts")),
    *(("T-Shirt", "Pants"), ("Outwear", "Shorts"), ("Longsleeve", "Shoes"), ("Dress", "Shirt")),
    *(("T-Shirt", "Dress"), ("Shoes", "Pants", "T-Shirt"), ("Hat", "Dress", "Shorts")),
    ("Outwear", "Skirt", "Shoes"),
)


def unknown(garments: Pool, animals: Pool, weaves: Pool) -> list[str]:
    """Hide classes from the labels: how much of them is labeled all the same; the guard's cost."""
    lines = [
        "| nobody labeled | labeled wrongly | with the guard | coverage of the others | "
        "with the guard |",
        "| --- | --- | --- | --- | --- |",
    ]
    hidden = [_hidden(garments, (name,)) for name in HIDDEN]
    lines += [_unknown_row(name, row) for name, row in zip(HIDDEN, hidden, strict=True)]
    lines.append(_unknown_row("**mean**", np.mean(hidden, axis=0)))
    few = [_hidden(garments, sorted(set(garments.labels) - set(names))) for names in FEW]
    name = f"all other garments, of two or three (mean of {len(FEW)})"
    lines.append(_unknown_row(name, np.mean(few, axis=0)))
    both = Pool(
        "cats, dogs and textiles",
        np.concatenate([animals.vectors, weaves.vectors]),
        np.concatenate([animals.labels, weaves.labels]),
        (*animals.classes, *weaves.classes),
    )
    among = [(animals, garments), (weaves, garments), (garments, animals), (weaves, animals)]
    rows: list[tuple[Pool, tuple[str, ...], Pool | None]] = [
        *((pool, (), strange) for strange, pool in among),
        *((weaves, (name,), None) for name in weaves.classes),
        *((both, (name,), None) for name in animals.classes),
    ]
    for pool, names, strange in rows:
        # Of small pools one draw says little.
        draws = 1 if pool is garments else SMALL_DRAWS
        figures = [_hidden(pool, names, strange, draw) for draw in range(draws)]
        name = f"{strange.name if strange else names[0]} among {pool.name}"
        lines.append(_unknown_row(name, np.mean(figures, axis=0)))
    return lines


def _unknown_row(name: str, row: Sequence[float] | Floats) -> str:
    return f"| {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |"


def _hidden(
    pool: Pool, names: Sequence[str], strange: Pool | None = None, redraw: int = 0
) -> list[float]:
    """Share of the unknown and of the others that is labeled, each without and with the guard."""
    classes, codes = names_of(pool)
    hidden = np.isin(codes, [classes.index(name) for name in names])
    seed = classes.index(names[0]) if len(names) == 1 else 99
    rng = np.random.default_rng([7, seed, *([redraw] if redraw else [])])
    labeled = np.zeros(len(codes), np.bool_)
    labeled[rng.choice(len(codes), round(0.2 * len(codes)), replace=False)] = True
    teach = labeled & ~hidden
    fit = cross_fit(pool.vectors[teach], np.eye(len(classes))[codes[teach]], classes)
    chosen = choose_thresholds(fit.out_of_fold, codes[teach], classes)
    guard = fit_guard(pool.vectors[teach], allowed=chosen.accept(fit.out_of_fold) >= 0)
    row = []
    unknown = pool.vectors[~labeled & hidden] if strange is None else strange.vectors
    for rows in (unknown, pool.vectors[~labeled & ~hidden]):
        given = chosen.accept(fit.predict(rows)) >= 0
        row += [float(given.mean()), float((given & guard.allows(rows)).mean())]
    return row
