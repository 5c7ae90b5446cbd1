"""Simulated workers who draw boxes, mark spans and paint masks over a known truth.

Workers differ in what they miss, invent, misname, and how loosely they draw; one in ten is
careless. Some things deceive several workers at once, and some edges are far off, as in real
answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.answers import BACKGROUND, Answers, Box, Kind, Mask, Span

NAMES = ("cat", "dog", "bird", "car")
Floats = npt.NDArray[np.float64]
Rng = np.random.Generator


@dataclass(frozen=True)
class Workers:
    """Rates of simulated workers, `(w,)` each."""

    found: Floats  # P(a thing is drawn)
    invented: Floats  # shapes per task that nobody else has a reason to draw
    deceived: Floats  # P(what only looks like a thing is drawn)
    named: Floats  # P(the right name)
    loose: Floats  # spread of edges, as a share of the side
    bias: Floats  # of painted edges, pixels outwards

    def __len__(self) -> int:
        return len(self.found)


def careless(number: int) -> bool:
    """Whether the worker of this number is one of the careless."""
    return number % 10 == 4


def hire(rng: Rng, workers: int) -> Workers:
    """Draw rates."""
    bad = np.array([careless(number) for number in range(workers)])
    return Workers(
        np.where(bad, 0.5, rng.beta(12, 2, workers)),
        np.where(bad, 0.8, rng.gamma(1.5, 0.06, workers)),
        np.where(bad, 0.5, rng.beta(2, 8, workers)),
        np.where(bad, 0.6, rng.beta(18, 1.5, workers)),
        np.where(bad, 0.15, rng.gamma(4, 0.012, workers)),
        np.where(bad, 3.0, rng.normal(0, 1.2, workers)),
    )


def ask(
    rng: Rng,
    kind: Kind,
    tasks: int,
    workers: int,
    per_task: int,
    simulate: Callable[[Rng, Workers], tuple[Any, Callable[[int], Any]]],
) -> tuple[Answers, dict[str, Any]]:
    """Ask some of the workers about each task; give answers and truth."""
    crowd = hire(rng, workers)
    rows = []
    truth = {}
    for number in range(tasks):
        task = f"{number:06d}"
        truth[task], answer = simulate(rng, crowd)
        for worker in rng.choice(workers, per_task, replace=False):
            rows.append((task, f"w{worker:03d}", answer(int(worker))))
    task_of, worker_of, label = zip(*rows, strict=True)
    return Answers(kind, task_of, worker_of, label, classes=NAMES), truth


def boxes(rng: Rng, crowd: Workers) -> tuple[tuple[Box, ...], Callable[[int], tuple[Box, ...]]]:
    """One image with boxes: the truth, and what a worker says."""
    real = _boxes(rng, int(rng.poisson(rng.gamma(1.5, 2.7))))
    traps = _boxes(rng, int(rng.poisson(0.4)))

    def answer(worker: int) -> tuple[Box, ...]:
        seen = [box for box in real if rng.random() < crowd.found[worker]]
        seen += [box for box in traps if rng.random() < crowd.deceived[worker]]
        drawn = [_drawn(rng, box, crowd, worker) for box in seen]
        return (*drawn, *_boxes(rng, int(rng.poisson(crowd.invented[worker]))))

    return tuple(real), answer


def _boxes(rng: Rng, count: int) -> list[Box]:
    found = []
    for _ in range(count):
        width, height = np.exp(rng.normal(4.2, 0.6, 2))
        left, top = rng.random(2) * (np.array([800, 600]) - np.minimum([width, height], 500))
        found.append(Box(str(rng.choice(NAMES)), left, top, width, height))
    return found


def _drawn(rng: Rng, box: Box, crowd: Workers, worker: int) -> Box:
    # Heavy tails: some edges are far off.
    move = rng.standard_t(3, 4) * crowd.loose[worker] * np.tile([box.width, box.height], 2)
    left, top = box.left + move[0], box.top + move[1]
    right = max(box.left + box.width + move[2], left + 1)
    bottom = max(box.top + box.height + move[3], top + 1)
    return Box(_name(rng, box.label, crowd, worker), left, top, right - left, bottom - top)


def _name(rng: Rng, name: str, crowd: Workers, worker: int) -> str:
    return name if rng.random() < crowd.named[worker] else str(rng.choice(NAMES))


def spans(rng: Rng, crowd: Workers) -> tuple[tuple[Span, ...], Callable[[int], tuple[Span, ...]]]:
    """One text with spans: the truth, and what a worker says; ends slip by a word now and then."""
    words = np.cumsum(rng.integers(2, 9, 60))
    places = sorted(rng.choice(np.arange(0, 56, 4), int(rng.integers(0, 7)), replace=False))
    real = tuple(
        Span(str(rng.choice(NAMES)), int(words[p]), int(words[p + rng.integers(1, 4)]) - 1)
        for p in places
    )

    def slip(offset: int, worker: int) -> int:
        miss = rng.random() < 3 * crowd.loose[worker]
        return offset + (int(rng.choice([-6, -5, -1, 1, 4, 7])) if miss else 0)

    def answer(worker: int) -> tuple[Span, ...]:
        found = []
        for span in real:
            if rng.random() < crowd.found[worker]:
                start, end = max(slip(span.start, worker), 0), slip(span.end, worker)
                name = _name(rng, span.label, crowd, worker)
                found.append(Span(name, start, max(end, start + 1)))
        for _ in range(int(rng.poisson(crowd.invented[worker]))):
            start = int(rng.choice(words[:-1]))
            found.append(Span(str(rng.choice(NAMES)), start, start + int(rng.integers(2, 9))))
        return tuple(found)

    return real, answer


def masks(rng: Rng, crowd: Workers) -> tuple[Mask, Callable[[int], Mask]]:
    """One image of 160 x 120 pixels to paint: the truth, and what a worker says."""
    classes = (BACKGROUND, *NAMES)
    things = [_blob(rng, rng.uniform(8, 28)) for _ in range(rng.poisson(2))]
    names = rng.integers(1, len(classes), len(things))

    def painted(worker: int | None) -> Mask:
        pixels = np.zeros((120, 160), np.uint8)
        for inside, name in zip(things, names, strict=True):
            if worker is None:
                pixels[inside > 0] = name
            elif rng.random() < crowd.found[worker]:
                label = _name(rng, classes[name], crowd, worker)
                rough = 20 * crowd.loose[worker] * _field(rng) + crowd.bias[worker]
                pixels[inside + rough > 0] = classes.index(label)
        if worker is not None and rng.random() < crowd.invented[worker]:
            pixels[_blob(rng, rng.uniform(5, 15)) > 0] = rng.integers(1, len(classes))
        return Mask(pixels, classes)

    return painted(None), painted


def _blob(rng: Rng, size: float) -> Floats:
    """Pixels to the edge of a round thing, positive inside."""
    row, column = np.mgrid[:120, :160]
    down, right = row - rng.random() * 120, column - rng.random() * 160
    angle = np.arctan2(down, right)
    waves = sum(
        rng.normal(0, 0.12) * np.sin(turn * angle + rng.random() * 6.3) for turn in (2, 3, 4)
    )
    return np.asarray(size * (1 + waves) - np.hypot(down, right))


def _field(rng: Rng) -> Floats:
    """Smooth noise of variance 1."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.standard_normal((120, 160)), 4)
    return np.asarray(field / field.std())
