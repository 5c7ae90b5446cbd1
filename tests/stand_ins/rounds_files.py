"""Pools and rounds on disk without a picture or a model: what the tests of rounds read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gandt.consolidation.consolidate import ConsolidateOptions, Outcome, consolidate
from gandt.index.folder import Index, open_index
from gandt.types import FloatArray

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def write_index(
    folder: Path,
    vectors: FloatArray,
    uris: Sequence[str],
    *,
    sha256: Sequence[str] | None = None,
    dead: Sequence[int] = (),
    shards: int = 1,
) -> Index:
    """An index of these vectors, as another tool would leave it."""
    (folder / "img_emb").mkdir(parents=True)
    (folder / "metadata").mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(uris)), shards)):
        columns = {"image_path": [uris[row] for row in rows]}
        if sha256 is not None:
            columns["sha256"] = [sha256[row] for row in rows]
        np.save(folder / "img_emb" / f"img_emb_{number:04d}.npy", vectors[rows].astype(np.float16))
        pq.write_table(pa.table(columns), folder / "metadata" / f"metadata_{number:04d}.parquet")
    np.save(folder / "dead.npy", np.array(sorted(dead), np.int64))
    return open_index(folder)


def names_in(manifest: Path) -> list[str]:
    """The images of a manifest, by the names that they have in the pool."""
    records = map(json.loads, manifest.read_text().splitlines())
    return [record.get("gandt-pool-uri") or record["source-ref"] for record in records]


def answer(
    manifest: Path,
    out: Path,
    truth: Mapping[str, str],
    *,
    accuracy: Sequence[float] = (1.0, 1.0, 1.0),
    skip: Sequence[str] = (),
    seed: int = 0,
) -> Outcome:
    """Have every image of a manifest answered by workers, and aggregate: a round's folder.

    Parameters
    ----------
    accuracy
        Of each worker; all answer everything.
    skip
        Images that nobody answers.
    """
    rng = np.random.default_rng(seed)
    classes = sorted(set(truth.values()))
    lines = ["task,worker,label"]
    for name in names_in(manifest):
        for worker, right in enumerate(accuracy if name not in skip else ()):
            wrong = [other for other in classes if other != truth[name]]
            label = truth[name] if rng.random() < right else str(rng.choice(wrong))
            lines.append(f"{name},w{worker},{label}")
    table = out.parent / f"{out.name}.answers.csv"
    table.write_text("\n".join(lines) + "\n")
    options = ConsolidateOptions(manifest=str(manifest), classes=tuple(classes))
    return consolidate([str(table)], str(out), options, now=NOON)


def job_line(
    name: str,
    label: str | None,
    *,
    attribute: str = "round1",
    confidence: float = 0.9,
    human: bool = True,
    **keys: object,
) -> dict[str, object]:
    """A line as a Ground Truth job writes it; without a label one that is still to be asked."""
    line: dict[str, object] = {"source-ref": name, **keys}
    if label is not None:
        line[attribute] = 0
        line[f"{attribute}-metadata"] = {
            "class-name": label,
            "confidence": confidence,
            "type": "groundtruth/image-classification",
            "human-annotated": "yes" if human else "no",
            "creation-date": "2026-03-01T12:00:00.000000",
            "job-name": f"labeling-job/{attribute}",
        }
    return line


def asked(
    number: int, why: str, labeled: int, unlabeled: int, sought: str = "cat"
) -> dict[str, object]:
    """What a round leaves on each line of its manifest."""
    return {
        "gandt-class": sought,
        "gandt-why": why,
        "gandt-round": number,
        "gandt-labeled": labeled,
        "gandt-unlabeled": unlabeled,
    }


def write_lines(path: Path, records: Sequence[Mapping[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path
