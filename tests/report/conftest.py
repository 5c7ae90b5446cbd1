"""Small folders of rounds as `gandt aggregate` writes them, with photos to go with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

Row = dict[str, Any]
MakeRound = Callable[..., Path]


def photo(path: Path, size: tuple[int, int] = (80, 60), seed: int = 0) -> str:
    """Write a JPEG whose content tells it apart from others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, *path.name.encode()])
    pixels = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST).save(path, quality=90)
    return str(path)


def label_row(task: str, label: object, **more: object) -> Row:
    """One row of `labels.parquet`, its nested values as JSON text."""
    row: Row = {
        "task": task,
        "label": label,
        "confidence": 0.9,
        "votes": 3,
        "agreement": 1.0,
        "certain": True,
        "source": "human",
        "tied": [],
    }
    return {**row, **more}


def worker_row(worker: str, **more: object) -> Row:
    """One row of `workers.parquet`."""
    row: Row = {
        "worker": worker,
        "answers": 10,
        "accuracy": 0.8,
        "accuracy_low": 0.6,
        "accuracy_high": 0.9,
        "gold_answers": 0,
        "gold_accuracy": float("nan"),
        "reliable": True,
        "flags": [],
        "median_seconds": 4.0,
        "confusion": "{}",
    }
    return {**row, **more}


@pytest.fixture
def make_photo() -> Callable[..., str]:
    return photo


@pytest.fixture
def make_label() -> Callable[..., Row]:
    return label_row


@pytest.fixture
def make_worker() -> Callable[..., Row]:
    return worker_row


@pytest.fixture
def make_round(tmp_path: Path) -> MakeRound:
    """Write the folder of a round; what is not given is not written."""

    def write(
        labels: Sequence[Row],
        *,
        workers: Sequence[Row] = (),
        answers: Sequence[Row] = (),
        summary: Row | None = None,
        lines: Sequence[Row] = (),
        name: str = "round1",
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        for stem, rows in (("labels", labels), ("workers", workers), ("answers", answers)):
            if rows:
                pq.write_table(pa.Table.from_pylist(list(rows)), folder / f"{stem}.parquet")
        if summary is not None:
            (folder / "summary.json").write_text(json.dumps(summary))
        if lines:
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (folder / "output.manifest").write_text(text)
        return folder

    return write


@pytest.fixture
def pets(tmp_path: Path, make_round: MakeRound) -> Path:
    """Six photos of cats and dogs: four labeled by people, one by machine, one by nobody.

    Two of them have the same file name in two folders, one is missing, one is no image.
    """
    pool = tmp_path / "pool"
    cats = [photo(pool / "a" / "1.jpg"), photo(pool / "b" / "1.jpg", seed=1)]
    dog = photo(pool / "dog.jpg")
    missing, broken = str(pool / "gone.jpg"), str(pool / "broken.jpg")
    Path(broken).write_bytes(b"not an image")
    nobody = photo(pool / "nobody.jpg")
    labels = [
        label_row(cats[0], "cat", confidence=0.95),
        label_row(cats[1], "cat", confidence=0.55, agreement=2 / 3, certain=False),
        label_row(dog, "dog", confidence=0.7, agreement=0.5, votes=2, tied=["cat", "dog"]),
        label_row(missing, "dog", confidence=0.85),
        label_row(broken, "dog", source="machine", votes=0, agreement=None, confidence=0.99),
        label_row(nobody, None, confidence=None, votes=0, agreement=None, certain=False),
    ]
    votes = [
        (cats[0], "w1", "cat"),
        (cats[0], "w2", "cat"),
        (cats[0], "w3", "cat"),
        (cats[1], "w1", "cat"),
        (cats[1], "w2", "cat"),
        (cats[1], "w3", "dog"),
        (dog, "w1", "dog"),
        (dog, "w3", "cat"),
        (missing, "w1", "dog"),
        (missing, "w2", "dog"),
        (missing, "w3", "dog"),
    ]
    answers = [{"task": t, "worker": w, "label": v, "seconds_spent": 3.5} for t, w, v in votes]
    workers = [
        worker_row("w1", accuracy=0.95, gold_answers=4, gold_accuracy=0.75),
        worker_row("w2"),
        worker_row("w3", accuracy=0.4, reliable=False, flags=["Right on 4 of 10 gold tasks."]),
    ]
    summary = {
        "schema": 1,
        "kind": "single",
        "method": "dawid-skene",
        "classes": ["cat", "dog", "bird"],
        "alpha": 0.25,
        "gold": {},
        "oddities": {"duplicate": 2},
        "notes": ["One worker is not reliable."],
        "attribute": "pets",
    }
    return make_round(labels, workers=workers, answers=answers, summary=summary)
