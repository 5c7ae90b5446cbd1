"""`gandt autolabel` as a person types it: labels, sample, audit, and refusals of one sentence."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clustered_pools import clusters
from rounds_files import answer, names_in, write_index

if TYPE_CHECKING:
    from s3_server import Bucket

Say = Callable[..., tuple[str, str]]

CLASSES = np.array(["cat", "dog", "Other"])
VECTORS, TRUTH = clusters((300, 300, 120), d=32, spread=0.6)
N = len(TRUTH)


@pytest.fixture
def label(tmp_path: Path) -> dict[str, str]:
    """A pool of 720 images beside `labels1.csv` and `labels2.csv`, and the truth of all."""
    uris = [str(tmp_path / "pool" / f"{row:04d}.jpg") for row in range(N)]
    write_index(tmp_path / "pool.index", VECTORS, uris)
    truth = dict(zip(uris, CLASSES[TRUTH].tolist(), strict=True))
    rows = np.random.default_rng(1).choice(N, 240, replace=False)
    for number, part in enumerate(np.split(rows, [50]), 1):
        lines = "".join(f"{uris[row]},{truth[uris[row]]}\n" for row in part)
        (tmp_path / f"labels{number}.csv").write_text(f"task,label\n{lines}")
    return truth


def test_labels_may_come_as_the_shell_expands_them(
    say: Say, tmp_path: Path, label: dict[str, str]
) -> None:
    out, err = say("autolabel", "--labels", "labels1.csv", "labels2.csv", "--target-accuracy", 0.9)
    lines = dict(line.split(maxsplit=1) for line in out.splitlines() if line[:2] != "to")
    assert lines["labeled"] == "240 images by people"
    assert list(lines) == ["labeled", "Other", "cat", "dog", "promise", "automatic"]
    assert lines["promise"].startswith("90% of these labels are right, with 95% confidence")
    assert "auto/labels.csv, auto/output.manifest" in lines["automatic"]
    assert "of 480 images" in lines["automatic"]
    assert "to check     100 images: auto/audit.manifest\n" in out
    assert "auto/rest.manifest\n" in out
    assert str(tmp_path) not in out + err
    assert err.splitlines() == [
        "note: Where the labels were not drawn at random from the pool, the audit decides whether "
        "the promise is kept here.",
        "next:",
        "  gandt label auto/audit.manifest --labels cat,dog,Other --out auto-audit.answers",
        "  gandt aggregate auto-audit.answers --out auto-audit/",
        "  gandt autolabel --audited auto-audit/ --out auto",
    ]
    first = (tmp_path / "auto/labels.csv").read_bytes()
    say("autolabel", "labels1.csv", "labels2.csv", "--target-accuracy", 0.9)
    assert (tmp_path / "auto/labels.csv").read_bytes() == first


def test_the_options_are_those_of_the_library(
    say: Say, tmp_path: Path, label: dict[str, str]
) -> None:
    out, _ = say(
        *("autolabel", "labels2.csv", "--out", "made", "--confidence", 0.9, "--each-class"),
        *("--certain", 0.5, "--guard", 5, "--audit", 7, "--no-copies", "--random-seed", 3),
        *("--write-attribute", "animal", "--target-accuracy", 0.9, "--json"),
        *("--uri-map", f"{tmp_path}/pool=s3://bucket/photos"),
    )
    said = json.loads(out)
    kept = json.loads((tmp_path / "made/summary.json").read_text())
    assert said == {"out": str(tmp_path / "made"), **{k: said[k] for k in kept if k in said}}
    promise = said["promise"]
    assert (promise["target"], promise["confidence"], promise["certain"]) == (0.9, 0.9, 0.5)
    assert promise["each_class"] is True
    assert said["guard"]["percentile"] == 5
    assert (said["attribute"], said["copies"], said["audit"]["images"]) == ("animal", 0, 7)
    line = json.loads((tmp_path / "made/output.manifest").read_text().splitlines()[0])
    assert line["source-ref"].startswith("s3://bucket/photos/")
    assert line["animal-metadata"]["human-annotated"] == "no"


def test_references_on_s3_are_labeled_in_a_job(
    say: Say, tmp_path: Path, label: dict[str, str]
) -> None:
    rule = f"{tmp_path}/pool=s3://bucket/photos"
    _, err = say("autolabel", "labels1.csv", "labels2.csv", "--uri-map", rule)
    assert err.splitlines()[-5:] == [
        "next:",
        "  gandt launch auto/audit.manifest --task image-classification --labels cat,dog,Other "
        "--name auto-audit",
        "  gandt fetch auto-audit --out answers/",
        "  gandt aggregate answers/auto-audit --out auto-audit/",
        "  gandt autolabel --audited auto-audit/ --out auto",
    ]


@pytest.mark.parametrize(
    ("out", "names"),
    [
        ("auto", "auto-audit"),
        ("auto2/", "auto2-audit"),
        ("runs/a b", "'runs/a b-audit'"),
        ("s3://bucket/runs/auto", "auto-audit"),
    ],
)
def test_every_folder_has_an_audit_of_its_own_name(
    say: Say, label: dict[str, str], bucket: Bucket, out: str, names: str
) -> None:
    """Two folders of one directory are audited side by side; what people say lies on the disk."""
    _, err = say(
        *("autolabel", "labels1.csv", "labels2.csv"),
        *("--out", out.replace("//bucket/", f"//{bucket.name}/")),
    )
    bare = names.strip("'")
    label_, aggregate, audited = (shlex.split(line) for line in err.splitlines()[-3:])
    assert label_[-2:] == ["--out", f"{bare}.answers"]
    assert aggregate == ["gandt", "aggregate", f"{bare}.answers", "--out", f"{bare}/"]
    assert audited[2:4] == ["--audited", f"{bare}/"]


def test_the_name_of_a_job_is_one_that_it_may_have(
    say: Say, tmp_path: Path, label: dict[str, str]
) -> None:
    rule = f"{tmp_path}/pool=s3://bucket/photos"
    long = "Müll_" + "x" * 70
    _, err = say("autolabel", "labels1.csv", "labels2.csv", "--uri-map", rule, "--out", long)
    launch, fetch, aggregate, _ = (shlex.split(line) for line in err.splitlines()[-4:])
    name = launch[-1]
    assert re.fullmatch(r"Mull-x{52}-audit", name) and len(name) == 63
    assert fetch[2] == name
    assert aggregate[2:] == [f"answers/{name}", "--out", f"{long}-audit/"]


def test_a_refusal_is_one_sentence_and_writes_nothing(
    say: Say, tmp_path: Path, label: dict[str, str]
) -> None:
    out, err = say("autolabel", "labels1.csv", code=1)
    assert out == ""
    assert err.splitlines()[-1] == (
        "gandt: Nothing can be labeled automatically yet: 50 labeled images are certain where 59 "
        "without a mistake are the fewest that prove 95%. Label more images by hand."
    )
    assert "gandt next --uniform 1" in err
    assert not (tmp_path / "auto").exists()
    out, _ = say("autolabel", "labels1.csv", "--json", code=1)
    said = json.loads(out)
    assert said["out"] is None
    assert "50 labeled images are certain" in said["refused"]


def test_the_whole_way_through_an_audit(say: Say, tmp_path: Path, label: dict[str, str]) -> None:
    say("autolabel", "labels1.csv", "labels2.csv")
    answer(tmp_path / "auto/audit.manifest", tmp_path / "audit", label)
    out, err = say("autolabel", "--audited", "audit/")
    lines = out.splitlines()
    assert lines[0].endswith("% interval); 95% was promised: the promise is confirmed.")
    assert all(line.endswith("right") for line in lines[1:])
    assert err == "next: use auto/labels.csv.\n"
    with (tmp_path / "auto/labels.csv").open(newline="") as file:
        sources = [row["source"] for row in csv.DictReader(file)]
    assert sources.count("human") == 100
    out, err = say("validate", "auto/output.manifest")
    assert "0 errors" in out
    out, err = say("report", "auto/")
    assert "report.html" in out
    out, err = say(
        "next", "--labels", "labels1.csv", "labels2.csv", "auto/labels.csv", "--budget", 9
    )
    chosen = set(names_in(tmp_path / "round2.manifest"))
    with (tmp_path / "auto/labels.csv").open(newline="") as file:
        assert not chosen & {row["task"] for row in csv.DictReader(file)}


def test_a_refuted_promise_fails(say: Say, tmp_path: Path, label: dict[str, str]) -> None:
    say("autolabel", "labels1.csv", "labels2.csv")
    tasks = names_in(tmp_path / "auto/audit.manifest")
    wrong = [task for task in tasks if label[task] == "dog"][:30]
    lines = "".join(f"{task},{'cat' if task in wrong else label[task]}\n" for task in tasks)
    (tmp_path / "said.csv").write_text(f"task,label\n{lines}")
    out, err = say("autolabel", "--audited", "said.csv", code=1)
    assert "the promise is refuted" in out.splitlines()[0]
    shown = [line for line in out.splitlines() if line.startswith("  pool/")]
    assert len(shown) == 5
    assert all(line.endswith(": machine dog, people cat") for line in shown)
    assert f"  … and {len(wrong) - 5} more in auto/audit.csv" in out
    assert "next: do not use the machine's labels in auto: label more images by hand" in err
    out, _ = say("autolabel", "--audited", "said.csv", "--json", code=1)
    said = json.loads(out)
    assert (said["verdict"], said["checked"]) == ("refuted", 100)
    assert said["right"] == 100 - len(wrong)


def test_more_audited_files_may_follow(say: Say, tmp_path: Path, label: dict[str, str]) -> None:
    say("autolabel", "labels1.csv", "labels2.csv")
    tasks = names_in(tmp_path / "auto/audit.manifest")
    for number in (0, 1):
        lines = "".join(f"{task},{label[task]}\n" for task in tasks[number::2])
        (tmp_path / f"said{number}.csv").write_text(f"task,label\n{lines}")
    out, err = say("autolabel", "--audited", "said0.csv")
    assert "of 50 checked" in out
    assert "note: 50 of 100 images of the sample have no answer yet" in err
    out, err = say("autolabel", "--audited", "said0.csv", "said1.csv")
    assert "of 100 checked" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "There are no labels to learn from: give --labels"),
        (("--audited", "a", "--labels", "b"), "--audited measures the labels in --out and needs"),
        (("--audited", "labels1.csv"), "--out auto/ holds no automatic labels to be measured"),
        (
            ("labels1.csv", "--target-accuracy", 1),
            "The target accuracy 1.0 is no share between 0 and 1",
        ),
        (("labels1.csv", "--confidence", 0), "The confidence 0.0 is no share between 0 and 1"),
        (("nothing.csv",), "--labels nothing.csv: there is no"),
    ],
)
def test_wrong_calls_are_one_sentence(
    say: Say, tmp_path: Path, label: dict[str, str], arguments: tuple[object, ...], sentence: str
) -> None:
    out, err = say("autolabel", *arguments, code=2)
    assert out == ""
    assert err.startswith(f"gandt: {sentence}"), err
    assert err.count("\n") == 1
    assert not (tmp_path / "auto").exists()


@pytest.mark.parametrize(
    ("option", "value", "span"),
    [
        ("--target-accuracy", 1.5, "0<=x<=1"),
        ("--confidence", -0.1, "0<=x<=1"),
        ("--certain", 3, "0<=x<=1"),
        ("--guard", 101, "0<=x<=100"),
        ("--audit", -1, "x>=0"),
    ],
)
def test_the_help_tells_the_range_of_a_number(
    say: Say, label: dict[str, str], option: str, value: float, span: str
) -> None:
    _, err = say("autolabel", "labels1.csv", option, value, code=2)
    assert f"Invalid value for '{option}'" in err
    out, _ = say("autolabel", "--help")
    (told,) = re.findall(rf"^  {option} .*\n(?: {{8}}.*\n)*", out, re.MULTILINE)
    assert span in told


def test_the_help_tells_what_may_be_given_several_times(say: Say) -> None:
    out, _ = say("autolabel", "--help")
    for option in ("--labels", "--audited", "--seeds", "--exclude"):
        (told,) = re.findall(rf"^  {option} .*\n(?: {{8}}.*\n)*", out, re.MULTILINE)
        assert "May be given several times" in " ".join(told.split())
    options = re.findall(r"^  (--[a-z-]+)", out, re.MULTILINE)
    assert options[options.index("--out") + 1] == "--audited"
