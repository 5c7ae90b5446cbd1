"""From answers on disk to the folder of a round."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from gandt.consolidation.consolidate import ConsolidateOptions, Outcome, consolidate
from gandt.errors import AnswerError, StorageError, UsageError
from gandt.report.results.source import read_results
from gandt.rounds.known.labels import find_label_files, read_label_file

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
OPTIONS = ConsolidateOptions()


def crowd(folder: Path, *, tasks: int = 400) -> tuple[Path, dict[str, str]]:
    """Answers of eight workers, five to a task, as a table; and the truth.

    Four are good, two take half of the hawks for falcons, one presses keys at random, and one
    always says falcon.
    """
    rng = np.random.default_rng(3)
    truth = {f"s3://birds/{n}.jpg": str(rng.choice(["falcon", "hawk"])) for n in range(tasks)}
    rows = ["task,worker,label"]
    for task, right in truth.items():
        for worker in rng.permutation(8)[:5]:
            draw = rng.random()
            wrong = "hawk" if right == "falcon" else "falcon"
            if worker < 4:
                label = right if draw < 0.85 else wrong
            elif worker < 6:
                label = "falcon" if right == "hawk" and draw < 0.5 else right
            else:
                label = "falcon" if worker == 7 or draw < 0.5 else "hawk"
            rows.append(f"{task},w{worker},{label}")
    path = folder / "answers.csv"
    path.write_text("\n".join(rows) + "\n")
    return path, truth


def run(source: Path, out: Path, options: ConsolidateOptions = OPTIONS) -> Outcome:
    return consolidate([str(source)], str(out), options, now=NOON)


def right(outcome: Outcome, truth: dict[str, str]) -> float:
    labels = outcome.consensus.labels
    pairs = zip(labels["task"], labels["label"], strict=True)
    return float(np.mean([truth[task] == label for task, label in pairs]))


def test_consensus_beats_majority_and_finds_who_presses_keys(tmp_path: Path) -> None:
    source, truth = crowd(tmp_path)
    outcome = run(source, tmp_path / "round1")
    majority = run(source, tmp_path / "plain", replace(OPTIONS, method="majority"))
    assert right(outcome, truth) > right(majority, truth) + 0.02
    flagged = {row["worker"] for row in outcome.consensus.workers.rows() if row["flags"]}
    assert flagged == {"w6", "w7"}


def test_the_confidence_means_what_it_says(tmp_path: Path) -> None:
    source, truth = crowd(tmp_path, tasks=1500)
    labels = run(source, tmp_path / "round1").consensus.labels
    hit = np.array([truth[t] == lb for t, lb in zip(labels["task"], labels["label"], strict=True)])
    # Workers who err independently, as simulated ones do, deserve a little more than they get.
    assert -0.1 < np.mean(labels["confidence"]) - hit.mean() < 0.03


def test_gold_rates_workers_and_is_a_label_of_its_own(tmp_path: Path) -> None:
    source, truth = crowd(tmp_path)
    known = list(truth)[:40]
    lines = [f"{task},{truth[task]}" for task in known]
    (tmp_path / "gold.csv").write_text("task,label\n" + "\n".join(lines) + "\n")
    outcome = run(source, tmp_path / "r", replace(OPTIONS, gold=str(tmp_path / "gold.csv")))
    assert Counter(outcome.consensus.labels["source"]) == {"human": 360, "gold": 40}
    assert outcome.consensus.gold["tasks"] == 40
    assert sum(row["gold_answers"] for row in outcome.consensus.workers.rows()) == 200


def test_the_summary_is_json_without_nan(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("task,worker,label\na.jpg,ann,cat\n")
    outcome = run(tmp_path / "one.csv", tmp_path / "r")
    saved = json.loads((tmp_path / "r" / "summary.json").read_text(), parse_constant=pytest.fail)
    assert saved == json.loads(json.dumps(outcome.summary()))
    assert saved["alpha"] is None and saved["tasks"] == 1


def test_the_manifest_carries_the_time_in_utc(tmp_path: Path) -> None:
    source, _ = crowd(tmp_path, tasks=10)
    run(source, tmp_path / "round1")
    line = json.loads((tmp_path / "round1" / "output.manifest").read_text().splitlines()[0])
    assert line["round1-metadata"]["creation-date"] == "2026-03-01T10:00:00.000000"


def test_the_same_answers_give_the_same_bytes(tmp_path: Path) -> None:
    source, _ = crowd(tmp_path, tasks=50)
    for name in ("a", "b"):
        run(source, tmp_path / name, replace(OPTIONS, write_attribute="bird"))
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_running_again_replaces_the_files(tmp_path: Path) -> None:
    source, _ = crowd(tmp_path, tasks=30)
    run(source, tmp_path / "r")
    source.write_text("task,worker,label\na.jpg,ann,cat\n")
    run(source, tmp_path / "r")
    assert pq.read_table(tmp_path / "r" / "labels.parquet").num_rows == 1


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    source, _ = crowd(tmp_path, tasks=5)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(UsageError, match=r"holds other files \(notes.txt\)"):
        run(source, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("multi", '["cat", "dog"]'),
        ("boxes", '[{"label": "cat", "left": 1, "top": 2, "width": 30, "height": 40}]'),
        ("spans", '[{"label": "cat", "startOffset": 1, "endOffset": 5}]'),
    ],
)
def test_every_kind_of_answer_makes_a_round(tmp_path: Path, kind: str, label: str) -> None:
    rows = [
        {"task": f"s3://pool/{n}.jpg", "worker": worker, "label": json.loads(label)}
        for n in range(6)
        for worker in ("ann", "ben", "cleo")
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "answers.jsonl").write_text(text)
    outcome = run(tmp_path / "answers.jsonl", tmp_path / "round1")
    assert outcome.consensus.kind == kind
    table = pq.read_table(tmp_path / "round1" / "labels.parquet").to_pylist()
    assert len(table) == 6 and all("cat" in str(row["label"]) for row in table)
    again = run(tmp_path / "round1", tmp_path / "round2")
    assert again.consensus.labels["label"] == outcome.consensus.labels["label"]


def test_nothing_to_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("task,worker,label\n")
    with pytest.raises(AnswerError, match=r"empty\.csv"):
        run(tmp_path / "empty.csv", tmp_path / "r")
    assert not (tmp_path / "r").exists()


def job_with_machine_labels(folder: Path) -> Path:
    """Two objects that a person answered, three that the job labeled by itself, one left."""
    lines = []
    for number in range(6):
        record: dict[str, object] = {"source-ref": f"s3://pets/{number}.jpg"}
        if number in (2, 3, 4):
            record["pet"] = number % 2
            record["pet-metadata"] = {
                "class-name": ["cat", "dog"][number % 2],
                "confidence": [0.97, 0.91, 0.42][number - 2],
                "type": "groundtruth/image-classification",
                "job-name": "labeling-job/pets",
                "human-annotated": "no",
                "creation-date": "2026-02-01T10:00:00.000000",
            }
        lines.append(json.dumps(record))
        if number < 2:
            place = folder / f"annotations/worker-response/iteration-1/{number}"
            place.mkdir(parents=True)
            content = {"crowd-image-classifier": {"label": "cat"}}
            answer = {"answerContent": content, "workerId": "ann", "submissionTime": "2026-02-01"}
            (place / "2026-02-01_10-00-00.json").write_text(json.dumps({"answers": [answer]}))
    output = folder / "manifests/output/output.manifest"
    output.parent.mkdir(parents=True)
    output.write_text("\n".join(lines) + "\n")
    return folder


def test_a_fetched_job_that_nobody_has_answered_yet_says_so(tmp_path: Path) -> None:
    output = tmp_path / "pets" / "manifests/output/output.manifest"
    output.parent.mkdir(parents=True)
    output.write_text('{"source-ref": "s3://pets/1.jpg"}\n')
    (tmp_path / "pets" / "job.json").write_text(json.dumps({"LabelAttributeName": "pet"}))
    with pytest.raises(AnswerError, match="Nobody has answered a task of job pets yet"):
        run(tmp_path / "pets", tmp_path / "round")


def chained_job(folder: Path) -> Path:
    """Two objects of an earlier job's manifest had no label yet; one of them got an answer."""
    lines = []
    for number in range(5):
        record: dict[str, object] = {"source-ref": f"s3://pets/{number}.jpg"}
        if number != 4:
            record["pet"] = 0
            record["pet-metadata"] = {
                "class-name": "cat",
                "confidence": 0.9,
                "type": "groundtruth/image-classification",
                "job-name": "labeling-job/pets-2" if number == 3 else "labeling-job/pets",
                "human-annotated": "yes",
                "creation-date": "2026-02-01T10:00:00.000000",
            }
        lines.append(json.dumps(record))
    place = folder / "annotations/worker-response/iteration-1/3"
    place.mkdir(parents=True)
    content = {"crowd-image-classifier": {"label": "cat"}}
    answer = {"answerContent": content, "workerId": "ann", "submissionTime": "2026-02-01"}
    (place / "2026-02-01_10-00-00.json").write_text(json.dumps({"answers": [answer]}))
    output = folder / "manifests/output/output.manifest"
    output.parent.mkdir(parents=True)
    output.write_text("\n".join(lines) + "\n")
    (folder / "job.json").write_text(json.dumps({"LabelAttributeName": "pet"}))
    return folder


def test_what_an_earlier_job_had_labeled_is_not_asked_again(tmp_path: Path) -> None:
    outcome = run(chained_job(tmp_path / "pets-2"), tmp_path / "round")
    assert list(outcome.consensus.labels["task"]) == ["s3://pets/3.jpg", "s3://pets/4.jpg"]
    kinds = [oddity.kind for oddity in outcome.answers.oddities]
    assert kinds == ["labeled before"] * 3 + ["unanswered"]
    assert "labeled by labeling-job/pets, and" in outcome.answers.oddities[0].reason
    relabel = (tmp_path / "round" / "relabel.manifest").read_text()
    assert "s3://pets/4.jpg" in relabel
    assert "s3://pets/0.jpg" not in relabel


def test_labels_that_the_job_gave_by_itself_are_kept_and_marked(tmp_path: Path) -> None:
    outcome = run(job_with_machine_labels(tmp_path / "pets"), tmp_path / "round")
    rows = {row["task"][-5:]: row for row in outcome.consensus.labels.rows()}
    machine = {name: row for name, row in rows.items() if row["source"] == "machine"}
    assert {name: (row["label"], row["confidence"]) for name, row in machine.items()} == {
        "2.jpg": ("cat", 0.97),
        "3.jpg": ("dog", 0.91),
        "4.jpg": ("cat", 0.42),
    }
    assert [row["certain"] for row in machine.values()] == [True, True, False]
    assert all(row["votes"] == 0 for row in machine.values())
    assert outcome.summary()["machine"] == 3
    assert [oddity.kind for oddity in outcome.answers.oddities] == ["unanswered"]  # 5.jpg
    output = (tmp_path / "round" / "output.manifest").read_text().splitlines()
    said = [json.loads(line).get("round-metadata", {}).get("human-annotated") for line in output]
    assert said == ["yes", "yes", "no", "no", "no", None]
    relabel = (tmp_path / "round" / "relabel.manifest").read_text().splitlines()
    again = {json.loads(line)["source-ref"] for line in relabel}
    assert {"s3://pets/4.jpg", "s3://pets/5.jpg"} <= again


# -------------------------------------------------------------------------------- when killed

# A program of `gandt aggregate` that the system kills when a file is about to take its place.
CHILD = """
import os, signal, sys
from datetime import datetime, timezone
from gandt.consolidation.consolidate import ConsolidateOptions, consolidate

place, times, source, out = sys.argv[1:]
left = int(times)

def renamed(event, arguments):
    global left
    if event == "os.rename" and os.fspath(arguments[1]) == f"{out}/{place}":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(renamed)
consolidate([source], out, ConsolidateOptions(), now=datetime.now(timezone.utc))
"""


@pytest.mark.parametrize(
    ("place", "times", "first"),
    [("labels.csv", 1, False), ("output.manifest", 1, True), ("summary.json", 2, True)],
)
def test_a_round_of_two_runs_is_read_by_nobody(
    tmp_path: Path, place: str, times: int, first: bool
) -> None:
    """Killed before the first of its files and in between; `first`: the folder is new."""
    source, out = tmp_path / "answers.csv", tmp_path / "round1"
    source.write_text("task,worker,label\na.jpg,ann,cat\nb.jpg,ann,dog\n")
    if not first:
        run(source, out)
    command = [sys.executable, "-c", CHILD, place, str(times), str(source), str(out)]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == -signal.SIGKILL
    said = "round1 is not whole, for `gandt aggregate` was stopped while it wrote its files"
    with pytest.raises(StorageError, match=said):
        read_label_file(find_label_files([str(out)])[0])
    with pytest.raises(StorageError, match=said):
        read_results(str(out))
    run(source, out)
    assert len(read_label_file(find_label_files([str(out)])[0]).rows) == 2
    assert len(read_results(str(out)).items) == 2


def test_a_stopped_round_that_is_counted_again_keeps_the_numbers_of_its_classes(
    tmp_path: Path,
) -> None:
    """What was not answered is known from the summary alone, whose place the mark takes."""
    source, out = tmp_path / "answers.csv", tmp_path / "round1"
    source.write_text("task,worker,label\ns3://pets/a.jpg,ann,cat\ns3://pets/b.jpg,ann,dog\n")
    run(source, out, replace(OPTIONS, classes=("zebra", "dog", "cat")))

    def numbers() -> list[int]:
        lines = (out / "output.manifest").read_text().splitlines()
        return [json.loads(line)["round1"] for line in lines]

    assert numbers() == [2, 1]
    command = [sys.executable, "-c", CHILD, "workers.csv", "1", str(out), str(out)]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == -signal.SIGKILL
    run(out, out)
    assert numbers() == [2, 1]


def test_a_name_that_cannot_be_written_leaves_the_round_as_it_was(tmp_path: Path) -> None:
    source, out = tmp_path / "answers.csv", tmp_path / "round1"
    source.write_text("task,worker,label\na.jpg,ann,cat\n")
    run(source, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    line = {"task": "a\ud800.jpg", "worker": "ann", "label": "cat"}
    (tmp_path / "answers.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(AnswerError, match="not valid Unicode"):
        run(tmp_path / "answers.jsonl", out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
