"""Measure what a probe on embeddings adds to the answers, beside CROWDLAB with the same one.

Real images, embedded by G&T; simulated workers whose truth is known, with 1, 2 and 3 answers per
task. Three crowds of 30 workers:

* `mixed`: 60 % honest (80-92 % right), 25 % sloppy (50-70 %), 15 % spammers (random, or always the
  same class); errors go more often to similar classes.
* `good`: 88-97 % right.
* `same errors`: hard images are hard for everybody, and wrong answers are what a probe that was fit
  to the truth would confuse the image with. The worst case for a model as a rater: it errs with
  the workers.

Compared: the plain consensus (`auto`), the probe alone (fit to the plain consensus, out of fold),
the consensus with the probe as one more rater, and cleanlab's CROWDLAB (which needs two answers
somewhere, so it has no row for one). Each cell: accuracy, mean recall of the classes, log-loss,
expected calibration error; means over repeats. cleanlab gives the confidence of its label alone;
its whole distribution is rebuilt from the weights that it returns, and checked against it. A last
table feeds useless predictions: random vectors, random numbers, and the probe's with the classes
swapped.

    python scripts/bench/model_rater.py --data ../shared/data --tasks 150,600,1500 --repeats 4
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from quality_pools import POOLS, Pool, data_folder, load_pool

from gandt.active.probe import out_of_fold, predict_from_index
from gandt.aggregation.confidence import expected_calibration_error, log_loss
from gandt.aggregation.encode import Encoded, encode
from gandt.aggregation.model_rater import Predictions, apply_model
from gandt.aggregation.single import aggregate_single
from gandt.types import FloatArray

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Chances = Callable[[int, int], Floats]  # worker, task -> (k,) probability of each answer
Crowd = Callable[[FloatArray, Codes, int, np.random.Generator], Chances]
WORKERS = 30
METHODS = ("plain", "probe alone", "with the model", "CROWDLAB")
SEED = 4711


def mixed(vectors: FloatArray, truth: Codes, k: int, rng: np.random.Generator) -> Chances:
    """Honest, sloppy and spamming workers; errors drawn to similar classes."""
    similar = similarity(vectors, truth, k)
    kinds = rng.permutation(["honest"] * 18 + ["sloppy"] * 7 + ["spammer"] * 5)
    tables = np.empty((WORKERS, k, k))
    for worker, kind in enumerate(kinds):
        if kind == "spammer":
            tables[worker] = 1 / k if rng.random() < 0.5 else np.eye(k)[rng.integers(k)]
        else:
            right = rng.uniform(0.8, 0.92) if kind == "honest" else rng.uniform(0.5, 0.7)
            anything = (1 - np.eye(k)) / (k - 1)
            tables[worker] = right * np.eye(k) + (1 - right) * (0.6 * similar + 0.4 * anything)
    return lambda worker, task: tables[worker, truth[task]]


def good(vectors: FloatArray, truth: Codes, k: int, rng: np.random.Generator) -> Chances:
    """Workers who are nearly always right."""
    right = rng.uniform(0.88, 0.97, WORKERS)
    anything = (1 - np.eye(k)) / (k - 1)
    return lambda worker, task: (
        right[worker] * np.eye(k)[truth[task]] + (1 - right[worker]) * anything[truth[task]]
    )


def same_errors(vectors: FloatArray, truth: Codes, k: int, rng: np.random.Generator) -> Chances:
    """Workers who err where, and as, a probe does."""
    each = np.arange(len(truth))
    believed = out_of_fold(vectors, np.eye(k)[truth])
    hardness = (1 - believed[each, truth]).argsort().argsort() / len(truth)
    wrong = believed.copy()
    wrong[each, truth] = 1e-6
    wrong /= wrong.sum(axis=1, keepdims=True)
    skill = rng.uniform(0.7, 0.95, WORKERS)

    def chances(worker: int, task: int) -> Floats:
        slip = (1 - skill[worker]) * 2 * hardness[task]
        return (1 - slip) * np.eye(k)[truth[task]] + slip * wrong[task]

    return chances


def similarity(vectors: FloatArray, truth: Codes, k: int) -> Floats:
    """(k, k) how likely a class is taken for another, from the distances of their means."""
    means = np.stack(
        [vectors[truth == c].mean(axis=0) if (truth == c).any() else vectors[0] for c in range(k)]
    ).astype(np.float64)
    means -= means.mean(axis=0)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    close = np.exp(4 * means @ means.T)
    np.fill_diagonal(close, 0)
    return np.asarray(close / close.sum(axis=1, keepdims=True))


CROWDS: dict[str, Crowd] = {"mixed": mixed, "good": good, "same errors": same_errors}


def answers(
    chances: Chances, tasks: list[str], classes: tuple[str, ...], count: int, seed: list[int]
) -> Encoded:
    """`count` answers to each task, by different workers."""
    rng = np.random.default_rng(seed)
    table: dict[str, list[str]] = {"task": [], "worker": [], "label": []}
    for row, task in enumerate(tasks):
        for worker in rng.choice(WORKERS, count, replace=False).tolist():
            likely = chances(worker, row)
            table["task"].append(task)
            table["worker"].append(f"w{worker:02d}")
            table["label"].append(classes[rng.choice(len(classes), p=likely / likely.sum())])
    return encode(table, classes=classes, tasks=tasks)


def crowdlab(data: Encoded, predictions: Floats) -> Floats:
    """The whole distribution of CROWDLAB, (n, k)."""
    from cleanlab.multiannotator import get_label_quality_multiannotator

    n, k = predictions.shape
    used = np.unique(data.worker)
    given = np.full((n, len(used)), np.nan)
    given[data.task, np.searchsorted(used, data.worker)] = data.label
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = get_label_quality_multiannotator(
            given,
            predictions,
            verbose=False,
            return_detailed_quality=False,
            return_weights=True,
        )
    # Each answer is a distribution around itself, as sure as answers agree with the consensus.
    shown = result["label_quality"]
    likely = float(shown["annotator_agreement"][shown["num_annotations"] != 1].mean())
    weights = result["annotator_weight"]
    total = np.full((n, 1), result["model_weight"], np.float64)
    summed = predictions * result["model_weight"]
    for worker, weight in enumerate(weights):
        rows = np.flatnonzero(~np.isnan(given[:, worker]))
        summed[rows] += weight * (1 - likely) / (k - 1)
        chosen = given[rows, worker].astype(int)
        summed[rows, chosen] += weight * (likely - (1 - likely) / (k - 1))
        total[rows] += weight
    rebuilt = summed / total
    picked = rebuilt[np.arange(n), shown["consensus_label"].to_numpy(int)]
    if np.abs(picked - shown["consensus_quality_score"].to_numpy()).max() > 1e-6:
        raise RuntimeError("cleanlab counts differently from what is rebuilt here")
    return np.asarray(rebuilt)


def figures(probabilities: npt.NDArray[np.floating], truth: Codes) -> Floats:
    """Accuracy, mean recall of the classes, log-loss, expected calibration error."""
    shown = probabilities.argmax(axis=1)
    recall = np.mean([(shown[truth == c] == c).mean() for c in np.unique(truth)])
    return np.array(
        [
            (shown == truth).mean(),
            recall,
            log_loss(probabilities, truth),
            expected_calibration_error(probabilities, truth),
        ]
    )


def draw(pool: Pool, size: int, seed: list[int]) -> tuple[FloatArray, Codes, tuple[str, ...]]:
    """`size` random images, their vectors and true classes; a source's leftovers are not drawn."""
    scored = pool.labels
    # What is normal is no target of a search, but a class here, and the commonest.
    every = sorted(set(scored.tolist()))
    names = every if pool.name == "textile_defects" else sorted(pool.classes)
    rows = np.flatnonzero(np.isin(scored, names))
    rows = np.random.default_rng(seed).choice(rows, min(size, len(rows)), replace=False)
    return pool.vectors[rows], np.searchsorted(names, scored[rows]), tuple(map(str, names))


Key = tuple[str, str, int]  # crowd, pool, answers


def compare(pools: list[Pool], sizes: list[int], repeats: int) -> dict[Key, dict[str, Floats]]:
    """Mean figures of each method, by crowd, pool and answers per task."""
    found: dict[Key, dict[str, list[Floats]]] = defaultdict(lambda: defaultdict(list))
    for crowd, simulate in CROWDS.items():
        for pool in pools:
            for size in sizes:
                for repeat in range(repeats):
                    vectors, truth, classes = draw(pool, size, [SEED, size, repeat])
                    if len(truth) < size:
                        continue
                    tasks = [f"{row:06d}" for row in range(size)]
                    rng = np.random.default_rng([SEED, size, repeat, 1])
                    chances = simulate(vectors, truth, len(classes), rng)
                    for count in (1, 2, 3):
                        data = answers(chances, tasks, classes, count, [SEED, repeat, count])
                        plain = aggregate_single(data)
                        predicted = predict_from_index(vectors, plain.probabilities)
                        single, _, _ = apply_model(
                            data, plain, Predictions(tasks, classes, predicted)
                        )
                        here = found[crowd, pool.name, count]
                        here["plain"].append(figures(plain.probabilities, truth))
                        here["probe alone"].append(figures(predicted, truth))
                        here["with the model"].append(figures(single.probabilities, truth))
                        if count > 1:
                            here["CROWDLAB"].append(figures(crowdlab(data, predicted), truth))
    return _means(found)


def useless(pools: list[Pool], size: int, repeats: int) -> dict[Key, dict[str, Floats]]:
    """Mean figures with models that know nothing, for the crowd `mixed`."""
    found: dict[Key, dict[str, list[Floats]]] = defaultdict(lambda: defaultdict(list))
    for pool in pools:
        for repeat in range(repeats):
            vectors, truth, classes = draw(pool, size, [SEED, size, repeat])
            tasks = [f"{row:06d}" for row in range(len(truth))]
            rng = np.random.default_rng([SEED, size, repeat, 1])
            chances = mixed(vectors, truth, len(classes), rng)
            for count in (1, 2, 3):
                data = answers(chances, tasks, classes, count, [SEED, repeat, count])
                plain = aggregate_single(data)
                noise = rng.normal(size=vectors.shape).astype(np.float32)
                noise /= np.linalg.norm(noise, axis=1, keepdims=True)
                models = {
                    "random vectors": predict_from_index(noise, plain.probabilities),
                    "random numbers": rng.dirichlet(np.full(len(classes), 0.3), len(truth)),
                    "classes swapped": np.roll(
                        predict_from_index(vectors, plain.probabilities), 1, axis=1
                    ),
                }
                for kind, predicted in models.items():
                    single, _, _ = apply_model(data, plain, Predictions(tasks, classes, predicted))
                    here = found[kind, pool.name, count]
                    here["plain"].append(figures(plain.probabilities, truth))
                    here["with the model"].append(figures(single.probabilities, truth))
                    if count > 1:
                        here["CROWDLAB"].append(figures(crowdlab(data, predicted), truth))
    return _means(found)


def _means(found: dict[Key, dict[str, list[Floats]]]) -> dict[Key, dict[str, Floats]]:
    return {
        key: {name: np.mean(values, axis=0) for name, values in methods.items()}
        for key, methods in found.items()
    }


def show(title: str, first: str, found: dict[Key, dict[str, Floats]]) -> None:
    methods = [m for m in METHODS if any(m in row for row in found.values())]
    print(f"\n{title}\n")
    print(f"| {first} | images | answers | {' | '.join(methods)} |")
    print("|---" * (3 + len(methods)) + "|")
    for (crowd, pool, count), row in found.items():
        cells = [
            f"{row[m][0]:.3f} / {row[m][1]:.3f} / {row[m][2]:.2f} / {row[m][3]:.3f}"
            if m in row
            else "-"
            for m in methods
        ]
        print(f"| {crowd} | {pool} | {count} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=data_folder(), help="the labeled image sets")
    parser.add_argument("--work", type=Path, help="where indexes are kept; default: nowhere")
    parser.add_argument("--tasks", default="150,600", help="numbers of images, by comma")
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--model", default="efficientnet-lite0")
    options = parser.parse_args()
    sizes = [int(size) for size in options.tasks.split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        pools = [load_pool(name, options.data, work, options.model) for name in POOLS]
    meaning = "accuracy / mean recall / log-loss / calibration error"
    show(
        f"A probe as one more rater: {meaning}; {options.tasks} images, {options.repeats} repeats",
        "crowd",
        compare(pools, sizes, options.repeats),
    )
    show(
        f"Useless models, crowd `mixed`: {meaning}; {sizes[0]} images",
        "model",
        useless(pools, sizes[0], options.repeats),
    )


if __name__ == "__main__":
    main()
