"""Stand in for people: five simulated workers answer the demo's tasks, three to a task.

Writes the output folder of a Ground Truth job, as the service lays it out. Four of the workers are
right about nine times in ten; "eve" presses a key without looking, in two seconds, until she is
left out.
"""

import argparse
import csv
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

WORKERS = {"ann": 0.97, "ben": 0.93, "cleo": 0.9, "dan": 0.85, "eve": 0.5}  # share of right answers
PER_TASK = 3
CLASSES = ("defect", "Other")


def main(manifest: Path, truth: Path, out: Path, without: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    workers = [name for name in WORKERS if name not in without]
    with truth.open(newline="") as file:
        defects = {row["name"] for row in csv.DictReader(file) if row["label"] == "defect"}
    lines = manifest.read_text().splitlines()
    clock = datetime(2026, 1, 5, 9, tzinfo=timezone.utc)
    for number, line in enumerate(lines):
        name = json.loads(line)["source-ref"].rpartition("/")[2]
        right, wrong = CLASSES if name in defects else CLASSES[::-1]
        answers = []
        for worker in sorted(rng.permutation(workers)[:PER_TASK]):
            label = right if rng.random() < WORKERS[worker] else wrong
            seconds = 2.0 if worker == "eve" else round(float(rng.gamma(9, 1.0)), 1)
            clock += timedelta(seconds=seconds)
            answers.append(
                {
                    "answerContent": {"crowd-image-classifier": {"label": label}},
                    "submissionTime": f"{clock:%Y-%m-%dT%H:%M:%S}.000Z",
                    "timeSpentInSeconds": seconds,
                    "workerId": str(worker),
                }
            )
        folder = out / f"annotations/worker-response/iteration-1/{number}"
        folder.mkdir(parents=True)
        text = json.dumps({"answers": answers})
        (folder / f"{clock:%Y-%m-%d_%H-%M-%S}.json").write_text(text)
    categories = {"document-version": "2018-11-28", "labels": [{"label": n} for n in CLASSES]}
    for path, text in (
        ("manifests/output/output.manifest", "".join(f"{line}\n" for line in lines)),
        ("annotation-tool/data.json", json.dumps(categories)),
    ):
        (out / path).parent.mkdir(parents=True)
        (out / path).write_text(text)
    print(f"{out}: {len(lines) * PER_TASK} answers of {len(workers)} simulated workers")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("manifest", "truth", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--without", action="append", default=[], help="a worker who is not asked")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
