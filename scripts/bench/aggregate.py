"""Consolidating single labels: accuracy, calibration, speed and memory beside peers.

    python scripts/bench/aggregate.py [--parts accuracy speed growth import] [--quick]

The peers are crowd-kit and cleanlab.

*Accuracy*: the public sets `bluebirds`, `dogs`, `music` and `product` from `$GANDT_DATA/crowd` (or
the folder `shared/data` beside the checkout), with all answers and with 3 random ones per task,
the mean over draws that are the same for every method. A tie counts in part. Log-loss clips at
1e-6, the calibration error has 15 bins of equal width. cleanlab has no classifier here: its
predicted probabilities are the vote shares, and what its score leaves is spread over the other
classes. A method that takes longer than `--limit` seconds on a set is left out there.

*Speed*: full Dawid-Skene on made-up answers, 3 to 5 per task, 10 classes, 2,000 workers whose
skills differ. Each run has a process and a thread of its own; CPU seconds from the table to the
labels, peak memory of the whole process. *Import*: CPU seconds beyond those of a bare interpreter.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Table = dict[str, npt.NDArray[Any]]

SETS = ("bluebirds", "dogs", "music", "product")
OURS = ("auto", "majority", "weighted", "one-coin", "dawid-skene")
PEERS = (
    "MajorityVote",
    "Wawa",
    "ZeroBasedSkill",
    "DawidSkene",
    "OneCoinDawidSkene",
    "GLAD",
    "MACE",
    "MMSR",
    "cleanlab",
)
WORKERS, CLASSES = 2_000, 10
USED = {
    "gandt": ("gandt.aggregation.single", "scipy.sparse"),
    "crowd-kit": ("pandas", "crowdkit.aggregation"),
    "cleanlab": ("pandas", "cleanlab.multiannotator"),
}
IMPORTS = {
    "numpy": "import numpy",
    "gandt.aggregation": "from gandt import aggregation",
    "numpy and pandas": "import numpy, pandas",
    "crowdkit.aggregation": "import crowdkit.aggregation",
    "cleanlab.multiannotator": "import cleanlab.multiannotator",
}


# Accuracy


def read_set(name: str) -> tuple[Table, npt.NDArray[np.int64], int]:
    """Answers, truth by task and the number of classes; ids are whole numbers from 0."""
    data = Path(os.environ.get("GANDT_DATA", Path(__file__).resolve().parents[3] / "shared/data"))
    answers, gold = (
        np.loadtxt(data / "crowd" / name / f"{file}.csv", np.int64, delimiter=",", skiprows=1)
        for file in ("answers", "gold")
    )
    truth = np.full(answers[:, 0].max() + 1, -1)
    truth[gold[:, 0]] = gold[:, 1]
    table = dict(zip(("task", "worker", "label"), answers.T, strict=True))
    return table, truth, int(max(truth.max(), answers[:, 2].max())) + 1


def draw(table: Table, per_task: int, seed: int) -> Table:
    """So many random answers of each task; all of them for 0."""
    if not per_task:
        return table
    order = np.lexsort((np.random.default_rng(seed).random(len(table["task"])), table["task"]))
    task = table["task"][order]
    first = np.searchsorted(task, task)
    kept = np.sort(order[np.arange(len(task)) - first < per_task])
    return {name: column[kept] for name, column in table.items()}


def score(shown: Floats, truth: npt.NDArray[np.int64]) -> tuple[float, float, float]:
    """Accuracy with ties split evenly, log-loss and calibration error of rows of probabilities."""
    from gandt.aggregation.confidence import expected_calibration_error, log_loss

    top = shown >= shown.max(axis=1, keepdims=True) * (1 - 1e-6)
    right = top[np.arange(len(truth)), truth] / top.sum(axis=1)
    return float(right.mean()), log_loss(shown, truth), expected_calibration_error(shown, truth)


def ours(method: str, table: Table, classes: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    from gandt.aggregation.encode import encode
    from gandt.aggregation.single import aggregate_single

    data = encode(table, classes=[str(code) for code in range(classes)])
    shown = aggregate_single(data, method=method).probabilities  # type: ignore[arg-type]
    return shown.astype(np.float64), data.tasks.astype(np.int64)


def crowd_kit(method: str, table: Table, classes: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    import crowdkit.aggregation
    import pandas as pd

    options: dict[str, Any] = {"random_state": 0} if method in ("MACE", "MMSR") else {}
    model = getattr(crowdkit.aggregation, method)(**options)
    frame = pd.DataFrame(table)
    if method == "MMSR":  # gives labels alone
        labels = model.fit_predict(frame)
        return np.eye(classes)[labels.to_numpy()], labels.index.to_numpy()
    shown = model.fit_predict_proba(frame).reindex(columns=range(classes)).fillna(0)
    return shown.to_numpy(), shown.index.to_numpy()


def cleanlab(method: str, table: Table, classes: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    import pandas as pd
    from cleanlab.multiannotator import get_label_quality_multiannotator

    wide = pd.DataFrame(table).pivot(index="task", columns="worker", values="label")
    shares = np.stack([(wide == code).sum(axis=1) for code in range(classes)], axis=1)
    result = get_label_quality_multiannotator(
        wide, shares / shares.sum(axis=1, keepdims=True), verbose=False
    )["label_quality"]
    score = result["consensus_quality_score"].to_numpy()[:, None]
    shown = np.repeat((1 - score) / (classes - 1), classes, axis=1)
    shown[np.arange(len(shown)), result["consensus_label"].to_numpy()] = score[:, 0]
    return shown, wide.index.to_numpy()


def accuracy_of(who: str, method: str, name: str, draws: int) -> Iterator[dict[str, object]]:
    """Yield scores with all answers, then of each draw of 3."""
    table, truth, classes = read_set(name)
    solve = {"gandt": ours, "crowd-kit": crowd_kit, "cleanlab": cleanlab}[who]
    for module in USED[who]:  # imported before the clock starts
        importlib.import_module(module)
    for per_task, seed in [(0, 0), *((3, seed) for seed in range(draws))]:
        if per_task and name == "product":  # has 3 per task
            return
        started = time.process_time()
        shown, tasks = solve(method, draw(table, per_task, seed), classes)
        seconds = time.process_time() - started
        yield {"per_task": per_task, "seconds": seconds, "scores": score(shown, truth[tasks])}


def accuracy(draws: int, limit: float) -> None:
    methods = [("gandt", method) for method in OURS]
    methods += [("cleanlab" if m == "cleanlab" else "crowd-kit", m) for m in PEERS]
    found: dict[tuple[str, str, str], tuple[list[dict[str, Any]], str]] = {}
    for name in SETS:
        for who, method in methods:
            found[who, method, name] = child(
                ["accuracy", who, method, name, str(draws)],
                limit if name == "product" else limit * (draws + 1),
            )
    for per_task in (0, 3):
        sets = [name for name in SETS if not per_task or name != "product"]
        title = "all answers" if not per_task else f"3 answers per task, mean of {draws} draws"
        print(f"\nAccuracy / log-loss / calibration error; {title}\n")
        print(f"| method | {' | '.join(sets)} | CPU s |\n|---|{'---|' * (len(sets) + 1)}")
        for who, method in methods:
            cells, spent = [], 0.0
            for name in sets:
                lines, why = found[who, method, name]
                scores = [line["scores"] for line in lines if line["per_task"] == per_task]
                spent += sum(line["seconds"] for line in lines if line["per_task"] == per_task)
                mean = np.mean(scores, axis=0) if scores else []
                cells.append(" / ".join(f"{value:.3f}" for value in mean) or why)
            shown = method if who == "cleanlab" else f"{who} {method}"
            print(f"| {shown} | {' | '.join(cells)} | {spent:.2f} |", flush=True)


# A class that is rare


def rare_crowd(tasks: int, share: float, seed: int) -> tuple[Table, npt.NDArray[np.int64]]:
    """Five workers, one of whom guesses, three answers a task; class 1 is rare."""
    rng = np.random.default_rng([seed, tasks, round(1000 * share)])
    truth = (rng.random(tasks) < share).astype(np.int64)
    skill = np.append(np.clip(rng.normal(0.88, 0.04, 4), 0.6, 0.99), 0.5)
    worker = np.concatenate([rng.permutation(5)[:3] for _ in range(tasks)])
    task = np.repeat(np.arange(tasks), 3)
    wrong = rng.random(len(task)) > skill[worker]
    return {"task": task, "worker": worker, "label": truth[task] ^ wrong}, truth


def rare(draws: int) -> None:
    """Print what is right where hardly any task is of a class, as in rounds that look for it."""
    warnings.simplefilter("ignore")
    shares, sizes = (0.0, 0.02, 0.1), (60, 500)
    cases = [(size, share) for size in sizes for share in shares]
    print(f"\nAccuracy where class 1 is rare; mean of {draws} crowds\n")
    print(f"| method | {' | '.join(f'{n} tasks, {share:.0%}' for n, share in cases)} |")
    print(f"|---|{'---|' * len(cases)}")
    solvers = {"gandt": ours, "crowd-kit": crowd_kit, "cleanlab": cleanlab}
    peers = ("DawidSkene", "OneCoinDawidSkene", "GLAD", "MACE", "cleanlab")
    methods = [("gandt", method) for method in ("auto", "majority")]
    methods += [("cleanlab" if m == "cleanlab" else "crowd-kit", m) for m in peers]
    for who, method in methods:
        cells = []
        for case in cases:
            right = []
            for seed in range(draws):
                table, truth = rare_crowd(*case, seed)
                shown, tasks = solvers[who](method, table, 2)
                right.append(score(shown, truth[tasks])[0])
            cells.append(f"{np.mean(right):.3f}")
        shown_name = method if who == "cleanlab" else f"{who} {method}"
        print(f"| {shown_name} | {' | '.join(cells)} |", flush=True)


# Speed


def made_up(tasks: int) -> tuple[Table, npt.NDArray[np.int32]]:
    """Answers and the truth by task; 32-bit columns, so that memory is the method's own."""
    rng = np.random.default_rng(0)
    size = rng.integers(3, 6, tasks, dtype=np.int32)
    task = np.repeat(np.arange(tasks, dtype=np.int32), size)
    # Steps from a random worker on, so that nobody answers a task twice.
    worker = np.arange(len(task), dtype=np.int32)
    worker -= np.repeat(np.cumsum(size, dtype=np.int32) - size, size)
    worker *= np.repeat(rng.integers(1, WORKERS // 5, tasks, dtype=np.int32), size)
    worker += np.repeat(rng.integers(0, WORKERS, tasks, dtype=np.int32), size)
    worker %= WORKERS
    truth = rng.integers(0, CLASSES, tasks, dtype=np.int32)
    skill = rng.beta(8, 3, WORKERS).astype(np.float32)
    right = rng.random(len(task), dtype=np.float32) < skill[worker]
    label = truth[task]
    label += rng.integers(1, CLASSES, len(task), dtype=np.int32) * ~right
    label %= CLASSES
    return {"task": task, "worker": worker, "label": label}, truth


def speed_of(who: str, tasks: int) -> Iterator[dict[str, object]]:
    """Yield CPU seconds, peak memory, steps and accuracy of one run."""
    table, truth = made_up(tasks)
    answers = len(table["task"])
    solve: Callable[[Any], dict[str, Any]]
    given: Any = table
    if who == "crowd-kit":
        import pandas as pd
        from crowdkit.aggregation import DawidSkene

        given = pd.DataFrame(table)

        def solve(given: Any) -> dict[str, Any]:
            model = DawidSkene(100).fit(given)
            right = (model.labels_.sort_index().to_numpy() == truth).mean()
            return {"steps": len(model.loss_history_), "accuracy": right, "read": 0.0}

    else:
        import scipy.sparse  # noqa: F401  (loaded when first used; imports have a table of their own)

        from gandt.aggregation.confidence import choose
        from gandt.aggregation.encode import encode
        from gandt.aggregation.single import aggregate_single

        if who == "gandt, DataFrame":
            import pandas as pd

            given = pd.DataFrame(table)

        def solve(given: Any) -> dict[str, Any]:
            started = time.process_time()
            data = encode(given)
            read = time.process_time() - started
            result = aggregate_single(data, method="dawid-skene")
            names = np.array([int(name) for name in data.classes])
            right = (names[choose(result.probabilities)] == truth).mean()
            return {"steps": result.iterations, "accuracy": right, "read": read}

    del table
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    found = solve(given)
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {**found, "accuracy": float(found["accuracy"])}
    yield {**found, "answers": answers, "seconds": seconds, "peak": peak, "before": before}


def speed(runs: list[tuple[str, int]], title: str, limit: float) -> None:
    print(f"\n{title}\n")
    print(
        "| who | tasks | answers | CPU s | of it reading | steps | peak MB | of it data | right |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for who, tasks in runs:
        lines, why = child(["speed", who, str(tasks)], limit)
        if not lines:
            print(f"| {who} | {tasks:,} | {why} |", flush=True)
            continue
        r = lines[0]
        print(
            f"| {who} | {tasks:,} | {r['answers']:,} | {r['seconds']:.2f} | {r['read']:.2f} | "
            f"{r['steps']} | {r['peak'] / 1024:,.0f} | {r['before'] / 1024:,.0f} | "
            f"{r['accuracy']:.4f} |",
            flush=True,
        )


def imports(rounds: int) -> None:
    def seconds(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, env=one_thread())
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    codes = {"": "pass", **IMPORTS}
    spent: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(rounds + 1):
        for name, code in codes.items():
            spent[name].append(seconds(code))
    cost = {name: statistics.median(times[1:]) for name, times in spent.items()}  # first: cold
    print("\nImport, CPU s beyond a bare interpreter\n")
    print("| module | CPU s | times numpy |\n|---|---|---|")
    for name in IMPORTS:
        own, numpy = cost[name] - cost[""], cost["numpy"] - cost[""]
        print(f"| {name} | {own:.3f} | {own / numpy:.1f} |", flush=True)


# Processes


def one_thread() -> dict[str, str]:
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(threads, "1")}


def child(arguments: list[str], limit: float) -> tuple[list[dict[str, Any]], str]:
    """Lines that a run of this script in a process of its own gives, and why there are no more."""
    command = [sys.executable, __file__, "--child", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, env=one_thread()
        )
        output, why = done.stdout, "-"
        if done.returncode:
            why = done.stderr.strip().split("\n")[-1][:60] or f"exit code {done.returncode}"
    except subprocess.TimeoutExpired as error:
        partial: Any = error.stdout or b""
        output = partial if isinstance(partial, str) else partial.decode()
        why = f"> {limit:.0f} s"
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")], why


def run_child(arguments: list[str]) -> None:
    warnings.simplefilter("ignore")
    part, *rest = arguments
    if part == "accuracy":
        lines = accuracy_of(rest[0], rest[1], rest[2], int(rest[3]))
    else:
        lines = speed_of(rest[0], int(rest[1]))
    for line in lines:
        print(json.dumps(line), flush=True)


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts = ("accuracy", "rare", "speed", "growth", "import")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--draws", type=int, default=5, help="random draws of 3 answers per task")
    parser.add_argument("--limit", type=float, default=90, help="seconds per method, set and draw")
    parser.add_argument("--quick", action="store_true", help="one draw, a tenth of the size")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run_child(options.child)
        return
    draws, limit = (1, 15) if options.quick else (options.draws, options.limit)
    scale = 10 if options.quick else 1
    if "accuracy" in options.parts:
        accuracy(draws, limit)
    if "rare" in options.parts:
        rare(2 * draws)
    if "speed" in options.parts:
        who = ("gandt, arrays", "gandt, DataFrame", "crowd-kit")
        speed([(name, 1_000_000 // scale) for name in who], "Full Dawid-Skene", 600)
    if "growth" in options.parts:
        sizes = [25_000, 250_000] if options.quick else [25_000, 250_000, 2_500_000]
        speed([("gandt, arrays", size) for size in sizes], "Growth", 600)
    if "import" in options.parts:
        imports(3 if options.quick else 7)


if __name__ == "__main__":
    main()
