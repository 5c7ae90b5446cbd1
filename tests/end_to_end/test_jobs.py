"""A labeling job from files to labels, with the real program, S3 on loopback and simulated workers.

The service is the strict one of `aws_server`; images, manifests, results and S3 are real.
"""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from aws_fixtures import Aws
    from aws_objects import AwsBucket

COLORS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}
TEXTS = {
    "joy": ["what a day", "she smiled 😀 at Ann", 'we won, "really" won', "sun & sea"],
    "anger": ["never again", "he broke <b>it</b>", "stop!", "lies, all lies"],
}

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def gandt(tmp_path: Path) -> Program:
    """Run the program in the test's folder; says all it printed where the exit code is another."""

    def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(Path(sys.executable).parent / "gandt"), *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, str]:
    """`photos/` of 24 pictures under names of all sorts; the color of each, by path."""
    rng = np.random.default_rng(5)
    colors = {}
    for number in range(24):
        color = list(COLORS)[number % 3]
        path = tmp_path / "photos" / f"ü {number:02d}+50%{'.png' if number % 2 else '.jpg'}"
        path.parent.mkdir(exist_ok=True)
        noise = rng.integers(-25, 26, (60, 80, 3))
        pixels = np.clip(np.array(COLORS[color]) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path)
        colors[str(path)] = color
    return colors


def labels(folder: Path) -> dict[str, dict[str, str]]:
    """`labels.csv` of a round, by task."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        return {row["task"]: row for row in csv.DictReader(file)}


def options(aws: Aws, bucket: AwsBucket, *more: str) -> list[str]:
    return [
        *("--bucket", bucket.name, "--role", aws.role, "--workteam", "labelers", "--yes"),
        *more,
    ]


def from_launch_to_labels(
    gandt: Program, aws: Aws, tmp_path: Path, name: str, launch: list[str], **work: Any
) -> dict[str, dict[str, str]]:
    """Launch, let people work, wait, fetch, aggregate; gives the labels."""
    launched = gandt("launch", *launch)
    assert f"labeling-job/{name}" in launched.stdout
    aws.sagemaker.work(name, over=1.0, **work)
    assert "Completed" in gandt("wait", name).stdout
    gandt("fetch", name, "--out", f"{name}.answers")
    gandt("aggregate", f"{name}.answers", "--out", f"{name}.round")
    return labels(tmp_path / f"{name}.round")


def share_right(found: dict[str, dict[str, str]], truth: dict[str, str]) -> float:
    return float(np.mean([row["label"] == truth[task] for task, row in found.items()]))


@pytest.mark.slow
def test_image_classification(
    gandt: Program, aws: Aws, tmp_path: Path, photos: dict[str, str]
) -> None:
    bucket = aws.bucket(cors=False)
    gandt("manifest", "photos", "--out", "colors.manifest")
    wanted = ["colors.manifest", "--task", "image-classification", "--labels", "red,green,blue"]
    refused = gandt("launch", *wanted, *options(aws, bucket), code=1)
    assert "error: CORS" in refused.stderr and "--set-cors" in refused.stderr
    assert bucket.keys() == [] and not aws.sagemaker.jobs

    found = from_launch_to_labels(
        gandt, aws, tmp_path, "colors", [*wanted, *options(aws, bucket, "--set-cors")], truth=photos
    )
    assert set(found) == set(photos)  # by their names on this machine
    assert share_right(found, photos) > 0.9
    images = bucket.keys("groundtruth/images/")
    assert len(images) == 24
    assert Counter(key.rpartition(".")[2] for key in images) == {"jpg": 12, "png": 12}

    again = gandt("launch", *wanted, *options(aws, bucket, "--name", "colors-2"))
    assert "uploaded      0 files" in again.stdout
    taken = gandt("launch", *wanted, *options(aws, bucket, "--name", "Colors"), code=1)
    assert "--name" in taken.stderr


@pytest.mark.slow
@pytest.mark.parametrize("functions", [False, True])
def test_tiles(
    gandt: Program, aws: Aws, tmp_path: Path, photos: dict[str, str], functions: bool
) -> None:
    tiled = ("--group-size", "6", "--labels", "red,green,blue")
    gandt("manifest", "photos", *tiled, "--out", "grid.manifest")
    more = []
    if functions:
        aws.lambdas.add("gandt-PreLabelingFunction")
        aws.lambdas.add("gandt-PostLabelingFunction")
        more = ["--lambda"]
    launch = ["grid.manifest", "--template", "tiles", *options(aws, aws.bucket(), *more)]
    truth = {path: [color] for path, color in photos.items()}
    found = from_launch_to_labels(gandt, aws, tmp_path, "grid", launch, truth=truth)
    assert set(found) == set(photos)
    answered = {task: json.loads(row["label"]) for task, row in found.items() if row["label"]}
    assert len(answered) >= 12  # a tile that expires takes its images along
    assert np.mean([label == truth[task] for task, label in answered.items()]) > 0.8


@pytest.mark.slow
def test_boxes_and_their_repair_by_a_second_job(
    gandt: Program, aws: Aws, tmp_path: Path, photos: dict[str, str]
) -> None:
    bucket = aws.bucket()
    gandt("manifest", "photos", "--out", "things.manifest")
    box = {"left": 20, "top": 15, "width": 30, "height": 25}
    truth = {path: [{"label": "thing", **box}] for path in photos}
    launch = [
        "things.manifest",
        "--task",
        "bounding-box",
        "--labels",
        "thing",
        *options(aws, bucket),
    ]
    found = from_launch_to_labels(gandt, aws, tmp_path, "things", launch, truth=truth)
    assert set(found) == set(photos)
    for row in found.values():
        (only,) = json.loads(row["label"])
        assert only["label"] == "thing"
        assert all(abs(only[side] - box[side]) < 6 for side in box)

    launch = [
        *("things.round/output.manifest", "--task", "adjust-bounding-box", "--labels", "thing"),
        *("--previous-attribute", "things-round", "--name", "repaired"),
        *options(aws, bucket),
    ]
    found = from_launch_to_labels(gandt, aws, tmp_path, "repaired", launch, truth=truth)
    assert set(found) == set(photos)


@pytest.mark.slow
def test_masks_of_a_round_are_repaired_by_a_second_job(
    gandt: Program, aws: Aws, tmp_path: Path, photos: dict[str, str]
) -> None:
    bucket = aws.bucket()
    gandt("manifest", "photos", "--sample", "6", "--out", "areas.manifest")
    launch = ["areas.manifest", "--task", "semantic-segmentation", "--labels", "leaf,stem"]
    pixels = np.zeros((60, 80), np.uint8)
    pixels[10:40, 20:60] = 1
    truth = {path: pixels for path in photos}
    launch += options(aws, bucket)
    found = from_launch_to_labels(gandt, aws, tmp_path, "areas", launch, truth=truth)
    assert len(found) == 6

    launch = [
        *("areas.round/output.manifest", "--task", "adjust-segmentation", "--labels", "leaf,stem"),
        *("--previous-attribute", "areas-round-ref", "--name", "repaired"),
        *options(aws, bucket),
    ]
    found = from_launch_to_labels(gandt, aws, tmp_path, "repaired", launch, truth=truth)
    assert len(found) == 6


@pytest.mark.slow
@pytest.mark.parametrize("task", ["text-classification", "text-spans"])
def test_texts(gandt: Program, aws: Aws, tmp_path: Path, task: str) -> None:
    of = {text: label for label, texts in TEXTS.items() for text in texts}
    with (tmp_path / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text in of)])
    gandt("manifest", "--text", "texts.csv", "--out", "texts.manifest")
    launch = ["texts.manifest", "--task", task, "--labels", "joy,anger"]
    launch += options(aws, aws.bucket())
    truth: dict[str, Any] = dict(of)
    if task == "text-spans":
        truth = {
            text: [{"label": label, "startOffset": 0, "endOffset": 4}] for text, label in of.items()
        }
    found = from_launch_to_labels(gandt, aws, tmp_path, "texts", launch, truth=truth)
    assert set(found) == set(of)
    if task == "text-classification":
        assert share_right(found, of) > 0.8
    else:
        spans = [json.loads(row["label"]) for row in found.values()]
        assert np.mean([len(s) == 1 and s[0]["startOffset"] == 0 for s in spans]) > 0.7


@pytest.mark.slow
def test_a_killed_launch_goes_on_and_sends_nothing_twice(
    gandt: Program, aws: Aws, tmp_path: Path, photos: dict[str, str]
) -> None:
    bucket = aws.bucket()
    gandt("manifest", "photos", "--out", "colors.manifest")
    launch = ["launch", "colors.manifest", "--task", "image-classification"]
    launch += ["--labels", "red,green,blue", *options(aws, bucket)]
    aws.s3.latency = 0.15
    child = subprocess.Popen(
        [str(Path(sys.executable).parent / "gandt"), *launch],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(bucket.keys()) < 5 and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(timeout=120)
    aws.s3.latency = 0.0
    time.sleep(0.5)  # what was on its way arrives
    before = set(bucket.keys())
    assert 0 < len(before) < 27 and not aws.sagemaker.jobs

    aws.s3.requests.clear()
    done = gandt(*launch)
    assert len(bucket.keys("groundtruth/images/")) == 24
    assert aws.s3.requests["PUT"] == 27 - len(before)
    assert f"{len(before)} there already" in done.stdout
    assert list(aws.sagemaker.jobs) == ["colors"]


@pytest.mark.slow
def test_planted_answers_rate_the_people(
    gandt: Program, aws: Aws, tmp_path: Path, photos: dict[str, str]
) -> None:
    from simulated_workers import Worker

    # As `gandt select --gold` plants them; nothing but the manifest says which are known.
    known = dict(list(photos.items())[:9])
    lines = [
        {"source-ref": path, **({"gandt-gold": color} if path in known else {})}
        for path, color in photos.items()
    ]
    manifest = "".join(f"{json.dumps(line)}\n" for line in lines)
    (tmp_path / "colors.manifest").write_text(manifest, "utf-8")
    launch = ["colors.manifest", "--task", "image-classification", "--labels", "red,green,blue"]
    bucket = aws.bucket()
    launch += options(aws, bucket, "--workers", "4")
    people = [Worker(f"private.us-east-1.{name}", 0.95) for name in ("a", "b", "c")]
    people += [Worker("private.us-east-1.eve", 0.2)]
    gandt("launch", *launch)
    aws.sagemaker.work("colors", people, truth=photos)
    gandt("fetch", "colors", "--out", "answers")
    gandt("aggregate", "answers", "--out", "round")
    with (tmp_path / "round" / "workers.csv").open(newline="") as file:
        rated = {row["worker"][-3:]: row for row in csv.DictReader(file)}
    assert float(rated["eve"]["gold_accuracy"]) < 0.6 < float(rated["1.a"]["gold_accuracy"])
    assert {row["gold_answers"] for row in rated.values()} == {"9"}
    found = labels(tmp_path / "round")
    assert {task: row["label"] for task, row in found.items() if row["source"] == "gold"} == known
    assert Counter(row["source"] for row in found.values()) == {"gold": 9, "human": 15}
    # On S3 all have names made of their contents: none that tells.
    keys = {key.rpartition("/")[2] for key in bucket.keys("groundtruth/images/")}
    assert len(keys) == 24
    assert all(re.fullmatch(r"[0-9a-f]{64}\.(jpg|png)", key) for key in keys)
