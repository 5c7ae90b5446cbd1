"""Measure the consensus of boxes, spans and masks on simulated workers over a known truth.

Prints, per kind: the consensus beside each worker alone, the union of all and the plain majority;
how far confidences are off; how well workers are rated; then seconds for many images of boxes.

    python scripts/bench/shapes.py [--tasks 1000] [--timed 10000] [--seed 0]
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from shape_crowds import NAMES, Floats, ask, boxes, careless, masks, spans

from gandt.aggregation.consensus import Consensus
from gandt.aggregation.shapes.boxes import aggregate_boxes
from gandt.aggregation.shapes.masks import aggregate_masks
from gandt.aggregation.shapes.spans import aggregate_spans
from gandt.answers import Answers, Box, Kind, Mask, Span

Labels = Mapping[str, Any]


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = min(a.left + a.width, b.left + b.width) - max(a.left, b.left)
    height = min(a.top + a.height, b.top + b.height) - max(a.top, b.top)
    both = max(width, 0) * max(height, 0)
    return both / (a.width * a.height + b.width * b.height - both)


def box_hits(found: Sequence[Box], truth: Sequence[Box]) -> list[float]:
    """Overlap of each found box with a true one of its class, from 0.5 on; 0 where none is."""
    from scipy.optimize import linear_sum_assignment

    table = np.array([[overlap(a, b) * (a.label == b.label) for b in truth] for a in found])
    hits = [0.0] * len(found)
    if table.size:
        table[table < 0.5] = 0
        for row, column in zip(*linear_sum_assignment(table, maximize=True), strict=True):
            hits[row] = float(table[row, column])
    return hits


def span_hits(found: Sequence[Span], truth: Sequence[Span]) -> list[float]:
    """1 for each found span with class and both ends exactly right."""
    known = {(span.label, span.start, span.end) for span in truth}
    return [float((span.label, span.start, span.end) in known) for span in found]


def likeness(a: Mask, b: Mask) -> float:
    """Mean intersection over union of the classes in either, background aside; 1 if none."""
    values = []
    for code in range(1, len(a.classes)):
        mine, other = a.pixels == code, b.pixels == code
        if mine.any() or other.any():
            values.append((mine & other).sum() / (mine | other).sum())
    return float(np.mean(values)) if values else 1.0


def least_alike(a: Mask, b: Mask) -> float:
    """The least intersection over union of a class of `a`; 1 if there is none."""
    values = [1.0]
    for code in np.unique(a.pixels[a.pixels > 0]):
        mine, other = a.pixels == code, b.pixels == code
        values.append(float((mine & other).sum() / (mine | other).sum()))
    return min(values)


def f1(found: Labels, truth: Labels, hits: Callable[[Any, Any], list[float]]) -> float:
    """F1 score over all shapes."""
    right = sum(hit > 0 for task, shapes in found.items() for hit in hits(shapes, truth[task]))
    total = sum(len(shapes) + len(truth[task]) for task, shapes in found.items())
    return 2 * right / total


def calibration(confidence: Floats, right: Floats) -> str:
    """Mean confidence and share of right ones, calibration error in 10 bins, log loss."""
    bins = np.minimum((confidence * 10).astype(int), 9)
    gap = np.abs(np.bincount(bins, confidence, 10) - np.bincount(bins, right, 10)).sum()
    shown = np.clip(confidence, 1e-6, 1 - 1e-6)
    loss = -(right * np.log(shown) + (1 - right) * np.log(1 - shown)).mean()
    return (
        f"mean {confidence.mean():.3f}, right {right.mean():.3f}, "
        f"calibration error {gap / len(right):.3f}, log loss {loss:.3f}"
    )


def by_task(answers: Answers) -> dict[str, list[Any]]:
    """The answers to each task."""
    found: dict[str, list[Any]] = {}
    for task, label in zip(answers.task, answers.label, strict=True):
        found.setdefault(task, []).append(label)
    return found


def plain_boxes(answers: Answers, least: int) -> Labels:
    """Clusters by overlap with the first box, mean edges, most frequent name."""
    result: dict[str, list[Box]] = {}
    for task, rows in by_task(answers).items():
        clusters: list[list[Box]] = []
        for drawn in rows:
            free = list(range(len(clusters)))
            for box in drawn:
                best = max(free, key=lambda place: overlap(box, clusters[place][0]), default=-1)
                if best >= 0 and overlap(box, clusters[best][0]) >= 0.5:
                    clusters[best].append(box)
                    free.remove(best)
                else:
                    clusters.append([box])
        result[task] = [
            Box(most([box.label for box in cluster]), *edges)
            for cluster in clusters
            if len(cluster) >= least
            for edges in [np.mean([(b.left, b.top, b.width, b.height) for b in cluster], axis=0)]
        ]
    return result


def plain_spans(answers: Answers, least: int) -> Labels:
    """Spans that so many workers marked in exactly the same way."""
    return {
        task: [
            span
            for span in dict.fromkeys(s for row in rows for s in row)
            if sum(span in row for row in rows) >= least
        ]
        for task, rows in by_task(answers).items()
    }


def plain_masks(answers: Answers) -> Labels:
    """The most frequent class of each pixel, the first of equals."""
    result = {}
    for task, rows in by_task(answers).items():
        votes = np.stack([sum(m.pixels == code for m in rows) for code in range(len(NAMES) + 1)])
        result[task] = Mask(votes.argmax(0).astype(np.uint8), rows[0].classes)
    return result


def most(names: list[str]) -> str:
    """The most frequent name, the first by alphabet of equals."""
    return max(sorted(set(names)), key=names.count)


def alone(answers: Answers, score: Callable[[Labels], float]) -> dict[str, float]:
    """The score of each worker's own answers."""
    mine: dict[str, dict[str, Any]] = {}
    for task, worker, label in zip(answers.task, answers.worker, answers.label, strict=True):
        mine.setdefault(worker, {})[task] = label
    return {worker: score(labels) for worker, labels in mine.items()}


def report(
    what: str, scores: Mapping[str, float], single: dict[str, float], consensus: Consensus
) -> None:
    """Print a kind's table and how well its workers were rated."""
    real = np.array([single[worker] for worker in consensus.workers["worker"]])
    print(f"\n{what}")
    print(f"  a worker alone, mean / best  {real.mean():.3f} / {real.max():.3f}")
    for name, score in scores.items():
        print(f"  {name:28} {score:.3f}")
    rated = np.array(consensus.workers["accuracy"])
    order = np.corrcoef(np.argsort(np.argsort(real)), np.argsort(np.argsort(rated)))[0, 1]
    bad = [careless(int(worker[1:])) for worker in consensus.workers["worker"]]
    flagged = [bool(flags) for flags in consensus.workers["flags"]]
    caught = sum(map(min, zip(flagged, bad, strict=True)))
    print(
        f"  workers: rated {np.mean(rated - real):+.3f} from the truth, rank correlation "
        f"{order:.2f}; {caught} of {sum(bad)} careless flagged, {sum(flagged) - caught} others"
    )


def shapes(kind: Kind, tasks: int, workers: int, per_task: int, rng: np.random.Generator) -> None:
    """Measure boxes or spans."""
    parts: dict[str, tuple[Any, Any, Any, Any]] = {
        "boxes": (boxes, aggregate_boxes, box_hits, plain_boxes),
        "spans": (spans, aggregate_spans, span_hits, plain_spans),
    }
    simulate, aggregate, hits, plain = parts[kind]
    answers, truth = ask(rng, kind, tasks, workers, per_task, simulate)
    consensus = aggregate(answers)
    found = dict(zip(consensus.labels["task"], consensus.labels["label"], strict=True))
    scores = {
        "union of all": f1(plain(answers, 1), truth, hits),
        "plain majority": f1(plain(answers, per_task // 2 + 1), truth, hits),
        "consensus": f1(found, truth, hits),
    }
    single = alone(answers, lambda labels: f1(labels, truth, hits))
    report(
        f"{kind}: {tasks:,} tasks, {per_task} of {workers} workers each; F1",
        scores,
        single,
        consensus,
    )
    rows = [
        (t, s, h) for t in found for s, h in zip(found[t], hits(found[t], truth[t]), strict=True)
    ]
    sure = np.array([shape.confidence for _, shape, _ in rows])
    print("  a shape:", calibration(sure, np.array([float(hit > 0) for _, _, hit in rows])))
    right = np.array(
        [
            float(len(found[task]) == len(truth[task]) and all(hits(found[task], truth[task])))
            for task in found
        ]
    )
    print("  a task: ", calibration(np.array(consensus.labels["confidence"]), right))
    certain = np.array(consensus.labels["certain"])
    print(
        f"  certain tasks: {certain.mean():.3f}, wholly right of these {right[certain].mean():.3f}"
    )
    if kind == "boxes":
        for name, labels in (
            ("plain", plain_boxes(answers, per_task // 2 + 1)),
            ("consensus", found),
        ):
            values = [h for t in labels for h in box_hits(labels[t], truth[t]) if h]
            print(f"  mean overlap of right boxes, {name}: {np.mean(values):.3f}")


def painted(tasks: int, workers: int, per_task: int, rng: np.random.Generator) -> None:
    """Measure masks."""
    answers, truth = ask(rng, "mask", tasks, workers, per_task, masks)
    started = time.process_time()
    consensus = aggregate_masks(answers)
    seconds = time.process_time() - started
    found = dict(zip(consensus.labels["task"], consensus.labels["label"], strict=True))

    def score(labels: Labels) -> float:
        return float(np.mean([likeness(labels[task], truth[task]) for task in labels]))

    report(
        f"masks: {tasks:,} images, {per_task} of {workers} workers each; mean IoU",
        {"plain majority": score(plain_masks(answers)), "consensus": score(found)},
        alone(answers, score),
        consensus,
    )
    sure = np.array(consensus.labels["confidence"])
    real = np.array([least_alike(found[task], truth[task]) for task in found])
    labels: Sequence[Any] = answers.label
    megapixels = sum(mask.pixels.size for mask in labels) / 1e6
    print(
        f"  expected IoU of the least sure class {sure.mean():.3f}, real {real.mean():.3f}, "
        f"apart {np.abs(sure - real).mean():.3f}; {seconds / megapixels:.3f} CPU s a megapixel"
    )


def timed(tasks: int, rng: np.random.Generator) -> None:
    """Measure the time for many images with boxes."""
    answers, _ = ask(rng, "boxes", tasks, 50, 5, boxes)
    labels: Sequence[Any] = answers.label
    number = sum(len(label) for label in labels)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    aggregate_boxes(answers)
    seconds = time.process_time() - started
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"\n{tasks:,} images x 5 workers, {number:,} boxes: {seconds:.1f} CPU s, {more:.0f} MB more"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", type=int, default=1_000)
    parser.add_argument("--timed", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    for per_task, workers in ((5, 20), (3, 20), (2, 10)):
        shapes("boxes", options.tasks, workers, per_task, rng)
    for per_task, workers in ((5, 20), (3, 20)):
        shapes("spans", options.tasks, workers, per_task, rng)
    for per_task, workers in ((5, 12), (3, 12), (2, 6)):
        painted(max(options.tasks // 10, 10), workers, per_task, rng)
    timed(options.timed, rng)


if __name__ == "__main__":
    main()
