"""The files of one round: labels, workers, answers, two manifests and a summary.

Writes, each file whole and in place of one of the same name::

    labels.csv   labels.parquet    what we believe, a row per task
    workers.csv  workers.parquet   how far each worker is to be trusted
    answers.parquet                what the workers said: the next round's `--previous`
    output.manifest                Ground Truth's augmented manifest: training, chaining, seeds
    relabel.manifest               the tasks that are not certain, to ask again
    masks/                         PNG files, where the answers are masks
    oddities.csv                   what was read but does not count as it stands, and why
    summary.json                   the numbers that the command prints; last

Until the last one has its place, the summary is marked (`gandt.groundtruth.label_folder`): a round
whose labels are read without their lines has lost how it was drawn.

CSV is for people and Parquet for machines; nested values (several labels, boxes, confusion) are
JSON text in both, but for lists of names in Parquet.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gandt import storage
from gandt.aggregation import Consensus
from gandt.aggregation.table import Table, as_json_text
from gandt.answers import Answers
from gandt.errors import AnswerError
from gandt.groundtruth.augment import LabeledTask, write_output_manifest, write_relabel_manifest
from gandt.groundtruth.label_folder import SUMMARY, UNFINISHED
from gandt.tables import format_csv

__all__ = ["ROUND_FILES", "write_round"]

ROUND_FILES = frozenset(
    {
        "labels.csv",
        "labels.parquet",
        "workers.csv",
        "workers.parquet",
        "answers.parquet",
        "output.manifest",
        "relabel.manifest",
        "masks",
        "oddities.csv",
        SUMMARY,
    }
)


def write_round(
    out: str,
    consensus: Consensus,
    answers: Answers,
    *,
    attribute: str,
    created: datetime,
    summary: Mapping[str, object],
) -> int:
    """Write the folder of a round.

    Parameters
    ----------
    out
        Folder, local or `s3://`; created where absent.
    attribute
        The label attribute of both manifests.
    created
        Stands in the manifest's metadata; UTC.
    summary
        What `summary.json` holds.

    Returns
    -------
    The number of tasks in `relabel.manifest`.

    Raises
    ------
    StorageError
        Where a file cannot be written.
    AnswerError
        Where a name is not valid Unicode.
    """
    folder = out.rstrip("/")
    try:
        tables = {}
        for name, table in (("labels", consensus.labels), ("workers", consensus.workers)):
            tables[f"{name}.csv"] = format_csv(_csv_rows(table)).encode()
            tables[f"{name}.parquet"] = _parquet(table.to_arrow())
        tables["answers.parquet"] = _parquet(answers.to_arrow())
        odd = [("kind", "where", "reason")]
        odd += [(oddity.kind, oddity.where, oddity.reason) for oddity in answers.oddities]
        tables["oddities.csv"] = format_csv(odd).encode()
    except UnicodeEncodeError as error:
        raise AnswerError(
            f"{folder} cannot hold the name {error.object[:80]!a}, which is not valid Unicode: "
            "rename the file or the label."
        ) from error
    # With all else, for who counts these answers again knows the classes from it alone.
    _write_summary(folder, {**summary, UNFINISHED: "round"})
    for name, data in tables.items():
        storage.write_bytes(f"{folder}/{name}", data)
    write_output_manifest(
        f"{folder}/output.manifest",
        _labeled(consensus.labels),
        kind=consensus.kind,
        attribute=attribute,
        job_name=attribute.removesuffix("-ref")[:63].rstrip("-"),  # the longest that a job may have
        classes=consensus.classes,
        created=created,
        lines=answers.lines,
        image_sizes=answers.image_sizes,
        mask_folder=f"{folder}/masks",
    )
    uncertain = [row["task"] for row in consensus.labels.rows() if not row["certain"]]
    write_relabel_manifest(
        f"{folder}/relabel.manifest",
        uncertain,
        lines=answers.lines,
        attribute=attribute,
        kind=consensus.kind,
    )
    _write_summary(folder, summary)
    return len(uncertain)


def _write_summary(folder: str, summary: Mapping[str, object]) -> None:
    text = json.dumps(summary, ensure_ascii=False, indent=2, allow_nan=False)
    storage.write_bytes(f"{folder}/{SUMMARY}", f"{text}\n".encode())


def _labeled(labels: Table) -> Iterator[LabeledTask]:
    for row in labels.rows():
        yield LabeledTask(
            task=row["task"],
            label=row["label"],
            confidence=row["confidence"],
            confidences=row.get("confidences") or {},
            source=row["source"],
            votes=row["votes"],
        )


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _csv_rows(table: Table) -> Iterator[Sequence[str]]:
    yield list(table)
    for row in table.rows():
        yield [_csv_value(value) for value in row.values()]


def _csv_value(value: Any) -> str:
    if value is None or value == () or value == {}:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4f}" if math.isfinite(value) else ""
    if isinstance(value, (str, int)):
        return str(value)
    return as_json_text(value)
