"""Which files hold labels, and what each of them says of an image."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rounds_files import answer, asked, job_line, write_lines

from gandt.errors import GandtError, ManifestError, StorageError, UsageError
from gandt.groundtruth.manifest import write_manifest
from gandt.report.selection_table import write_selection_table
from gandt.rounds.known.labels import (
    Asked,
    LabelFile,
    LabelRow,
    find_label_files,
    read_label_file,
    read_worker_accuracy,
)
from gandt.types import Candidate, Selection

if TYPE_CHECKING:
    from s3_server import Bucket

TRUTH = {"/pool/1.jpg": "cat", "/pool/2.jpg": "dog", "/pool/3.jpg": "cat", "/pool/4.jpg": "cat"}
ROUND3 = asked(3, "find", 20, 980)


@pytest.fixture
def round3(tmp_path: Path) -> Path:
    """The folder of a round whose fourth image nobody answered."""
    lines = [job_line(name, None, **ROUND3) for name in TRUTH]
    manifest = write_lines(tmp_path / "round3.manifest", lines)
    answer(manifest, tmp_path / "round3", TRUTH, skip=["/pool/4.jpg"])
    return tmp_path / "round3"


def find(*labels: Path | str) -> list[str]:
    return find_label_files([str(label) for label in labels])


def read(path: Path | str, attribute: str | None = None) -> LabelFile:
    (location,) = find(path)
    return read_label_file(location, attribute=attribute)


def said(path: Path | str, attribute: str | None = None) -> list[tuple[str, str | None]]:
    return [(row.names[0], row.label) for row in read(path, attribute).rows]


def table(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# ------------------------------------------------------------------------------ which files


def test_the_folder_of_a_round_means_its_labels(round3: Path) -> None:
    assert find(round3, f"{round3}/") == [f"{round3}/labels.parquet"]
    (round3 / "labels.parquet").unlink()
    assert find(round3) == [f"{round3}/labels.csv"]
    (round3 / "labels.csv").unlink()
    assert find(round3) == [f"{round3}/output.manifest"]


def test_the_folder_of_a_job_means_its_output_manifest(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "job" / "manifests" / "output" / "output.manifest", [])
    assert find(tmp_path / "job") == [str(path)]


def test_files_come_in_the_order_given_each_once(tmp_path: Path) -> None:
    b, a = table(tmp_path / "b.csv", ""), table(tmp_path / "a.csv", "")
    assert find(b, a, b, tmp_path / "." / "b.csv") == [str(b), str(a)]


def test_a_pattern_means_all_that_fit_and_round_10_comes_after_round_2(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        table(tmp_path / f"round{number}" / "labels.csv", "")
    names = [f"{tmp_path}/round{number}/labels.csv" for number in (1, 2, 10)]
    assert find(tmp_path / "round*" / "labels.csv") == names
    assert find(tmp_path / "round?", tmp_path / "round*") == names
    assert find(tmp_path / "**" / "labels.csv") == names


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    path = table(tmp_path / "round[3]" / "labels.csv", "")
    assert find(path) == [str(path)]


def test_on_s3_all_of_this_is_the_same(bucket: Bucket) -> None:
    for name in ("round10/labels.csv", "round2/labels.csv", "round3/output.manifest"):
        bucket.put(f"jobs/{name}", b"")
    bucket.put("jobs/gt/manifests/output/output.manifest", b"")
    assert find(bucket.uri("jobs/round*/labels.csv"), bucket.uri("jobs/round3")) == [
        bucket.uri("jobs/round2/labels.csv"),
        bucket.uri("jobs/round10/labels.csv"),
        bucket.uri("jobs/round3/output.manifest"),
    ]
    gt = bucket.uri("jobs/gt/manifests/output/output.manifest")
    assert find(bucket.uri("jobs/gt/"), bucket.uri("jobs/gt")) == [gt]


def test_labels_that_may_be_read_but_not_listed_are_read(bucket: Bucket) -> None:
    """Without permission to list, S3 denies what is not there."""
    bucket.put("jobs/labels.csv", b"task,label\na.jpg,cat\n")
    for method in ("HEAD", "GET"):
        denied = {"status": "403 Forbidden", "code": "AccessDenied"}
        bucket.server.fail(method=method, path="jobs/summary.json", **denied)
    assert said(bucket.uri("jobs/labels.csv")) == [("a.jpg", "cat")]


@pytest.mark.parametrize("pattern", ["jobs/round*", "jobs/round*/"])
def test_a_pattern_finds_folders_on_s3_as_on_this_machine(bucket: Bucket, pattern: str) -> None:
    for name in ("round10/labels.csv", "round2/labels.csv", "round2/labels.parquet"):
        bucket.put(f"jobs/{name}", b"")
    bucket.put("jobs/round3/manifests/output/output.manifest", b"")
    assert find(bucket.uri(pattern)) == [
        bucket.uri("jobs/round2/labels.parquet"),
        bucket.uri("jobs/round3/manifests/output/output.manifest"),
        bucket.uri("jobs/round10/labels.csv"),
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "nothing.csv",
            r"--labels .*nothing\.csv: there is no such file or folder; name a round's",
        ),
        ("round*/labels.csv", r"--labels .*round\*/labels\.csv: no file has such a name; name a"),
        ("photos", r"--labels .*photos: the folder holds neither labels\.parquet nor output\.man"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(UsageError, match=message):
        find(tmp_path / name)


# --------------------------------------------------------------------------- rounds of ours


def test_a_round_says_label_confidence_answers_and_how_it_was_asked(round3: Path) -> None:
    first, second, third, fourth = read(round3).rows
    assert first.names == ("/pool/1.jpg",)
    assert [row.label for row in (first, second, third)] == ["cat", "dog", "cat"]
    assert (first.answers, first.source) == (3, "human")
    assert first.confidence is not None
    assert 0.8 < first.confidence <= 1
    assert first.asked == Asked(3, "find", "cat", 20, 980)
    assert (fourth.label, fourth.asked) == (None, first.asked)


@pytest.mark.parametrize("name", ["labels.csv", "output.manifest"])
def test_each_file_of_a_round_says_the_same(round3: Path, name: str) -> None:
    for row, other in zip(read(round3).rows, read(round3 / name).rows, strict=True):
        assert (row.names, row.label, row.answers) == (other.names, other.label, other.answers)
        assert (row.source, row.asked) == (other.source, other.asked)
        if row.label is not None:
            assert row.confidence == pytest.approx(other.confidence, abs=0.006)


def test_a_table_that_was_taken_out_of_its_folder_tells_no_round(
    round3: Path, tmp_path: Path
) -> None:
    moved = (round3 / "labels.csv").rename(tmp_path / "elsewhere.csv")
    assert {row.asked for row in read(moved).rows} == {None}


def test_an_image_that_was_asked_under_another_name_has_both(tmp_path: Path) -> None:
    """As `--uri-map` leaves it: the pool's name is the task, the reference is what was shown."""
    truth = {"/pool/1.jpg": "cat", "/pool/2.jpg": "dog"}
    lines = [
        job_line(
            f"s3://b/{number}.jpg", None, **{"gandt-pool-uri": f"/pool/{number}.jpg"}, **ROUND3
        )
        for number in (1, 2)
    ]
    manifest = write_lines(tmp_path / "round3.manifest", lines)
    answer(manifest, tmp_path / "round3", truth)
    for name in ("labels.csv", "labels.parquet", "output.manifest"):
        rows = read(tmp_path / "round3" / name).rows
        assert [row.names for row in rows] == [
            ("/pool/1.jpg", "s3://b/1.jpg"),
            ("/pool/2.jpg", "s3://b/2.jpg"),
        ]
        assert all(row.asked for row in rows)


@pytest.mark.parametrize("number", [0, -1, "3", None, True, 2.5, [3], 1e300])
def test_a_round_without_a_number_is_no_round(tmp_path: Path, number: object) -> None:
    lines = [job_line("/1.jpg", "cat", **{**ROUND3, "gandt-round": number})]
    assert read(write_lines(tmp_path / "o.manifest", lines)).rows[0].asked is None


def test_a_check_of_an_automatic_label_has_no_round(tmp_path: Path) -> None:
    lines = [job_line("/1.jpg", "cat", **{"gandt-why": why}) for why in ("audit", "auto")]
    audit, auto = read(write_lines(tmp_path / "audit" / "output.manifest", lines)).rows
    assert (audit.asked, auto.asked) == (Asked(0, "audit", "", -1, -1), None)
    path = table(tmp_path / "audit" / "labels.csv", "task,label\n/1.jpg,cat\n")
    assert read(path).rows[0].asked is not None


@pytest.mark.parametrize("number", [-1, "20", None, True, 2.5, {}])
def test_counts_that_are_none_are_not_said(tmp_path: Path, number: object) -> None:
    keys = {**ROUND3, "gandt-labeled": number, "gandt-unlabeled": number, "gandt-why": 7}
    (row,) = read(write_lines(tmp_path / "o.manifest", [job_line("/1.jpg", "cat", **keys)])).rows
    assert row.asked == Asked(3, "", "", -1, -1)


def test_only_what_was_sought_was_sought(tmp_path: Path) -> None:
    """Beside `find` the class is a hint."""
    lines = [
        job_line("/1.jpg", "cat", **asked(3, why, 1, 2, "dog"))
        for why in ("find", "learn", "uniform")
    ]
    rows = read(write_lines(tmp_path / "o.manifest", lines)).rows
    assert [row.asked.sought for row in rows if row.asked] == ["dog", "", ""]


# ------------------------------------------------------------------------------ any tables


def test_a_table_of_a_person_counts_as_certain_and_knows_its_folder(tmp_path: Path) -> None:
    path = table(tmp_path / "mine.csv", "File Name;Category\na/1.jpg;cat\n/pool/2.jpg;dog\n")
    assert read(path).rows == (
        LabelRow(("a/1.jpg", f"{tmp_path}/a/1.jpg"), "cat", 1.0, 1, "human", None),
        LabelRow(("/pool/2.jpg",), "dog", 1.0, 1, "human", None),
    )


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_tables_of_all_kinds_are_read(tmp_path: Path, suffix: str) -> None:
    rows = [
        {"image_path": "/1.jpg", "label": "cat", "confidence": 0.75, "votes": 4, "source": "human"},
        {"image_path": "/2.jpg", "label": "dog", "confidence": None, "votes": 0, "source": "gold"},
        {"image_path": "/3.jpg", "label": None, "confidence": None, "votes": 0, "source": "human"},
        {"image_path": "/4.jpg", "label": "7", "confidence": 0.9, "votes": 0, "source": "machine"},
        {"image_path": "/5.jpg", "label": "cat", "confidence": None, "votes": 1, "source": ""},
    ]
    path = tmp_path / f"labels.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == "jsonl":
        write_lines(path, rows)
    else:
        mark = "\t" if suffix == "tsv" else ","
        lines = [list(rows[0]), *([str(v or "") for v in row.values()] for row in rows)]
        table(path, "".join(mark.join(line) + "\n" for line in lines))
    assert read(path).rows == (
        LabelRow(("/1.jpg",), "cat", 0.75, 4, "human", None),
        LabelRow(("/2.jpg",), "dog", 1.0, 1, "gold", None),
        LabelRow(("/3.jpg",), None, None, 1, "human", None),
        LabelRow(("/4.jpg",), "7", 0.9, 1, "machine", None),
        LabelRow(("/5.jpg",), "cat", None, 1, "human", None),
    )


def test_rows_without_an_image_are_counted(tmp_path: Path) -> None:
    found = read(table(tmp_path / "mine.csv", "path,label\n/1.jpg,cat\n,dog\n,dog\n"))
    assert len(found.rows) == 1
    assert found.notes == (f"{tmp_path}/mine.csv: 2 rows name no image and are left out.",)


def test_an_image_that_a_table_names_twice_alike_counts_once(tmp_path: Path) -> None:
    text = "path,label\n/1.jpg,\n/1.jpg,cat\n/x/../1.jpg,cat\n/./1.jpg,\n"
    assert said(table(tmp_path / "mine.csv", text)) == [("/1.jpg", "cat")]


def test_a_class_may_look_like_a_list(tmp_path: Path) -> None:
    text = "path,label\n/1.jpg,[sic]\n/2.jpg,{a}\n"
    assert said(table(tmp_path / "mine.csv", text)) == [("/1.jpg", "[sic]"), ("/2.jpg", "{a}")]


REFUSED: list[tuple[str, str]] = [
    ("path,label\n/1.jpg,cat\n/1.jpg,dog\n", r"gives /1\.jpg two labels, cat and dog; rounds need"),
    ("path,label\na.jpg,cat\n./a.jpg,dog\n", r"gives \./a\.jpg two labels, cat and dog"),
    ('path,label\n/1.jpg,"[""a"", ""b""]"\n', r"holds lists of labels or boxes \(/1\.jpg: \[\"a"),
    ('path,label\n/1.jpg,"{""left"": 3}"\n', "holds lists of labels or boxes"),
    (  # of several labels none was chosen
        "task,label,confidence,confidences\n/1.jpg,,0.9,\n",
        "holds several labels per image, not one class",
    ),
    ("uri,class,rank,why\n/1.jpg,cat,1,auto\n", "is a selection, whose classes are guesses"),
    ("task,worker,label\n/1.jpg,w,cat\n", r"a row per answer of a worker, not labels: run `gandt "),
    ("worker,answers,accuracy\nw,3,0.5\n", "has no column of the path of an image"),
    ("path,verdict\n/1.jpg,cat\n", "has no column of its label"),
    ("path,label\n", "names no image, so it holds no labels"),
    ("", "has no column of"),
    (
        "path,label,confidence\n/1.jpg,cat,87\n",
        "row 1: confidence is '87', which is no number from",
    ),
    ("path,label,confidence\n/1.jpg,cat,high\n", "confidence is 'high', which is no number from 0"),
    ("path,label,confidence\n/1.jpg,cat,-0.1\n", "confidence is '-0.1', which is no number"),
    ("path,label,votes\n/1.jpg,cat,-1\n", "votes is '-1', which is no number of 0 or more"),
    ("path,label,votes\n/1.jpg,cat,inf\n", "votes is 'inf', which is no number of 0 or more"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_other_tables_are_refused_in_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = table(tmp_path / "mine.csv", text)
    with pytest.raises(UsageError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)


def test_other_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    Image.new("RGB", (3, 3)).save(tmp_path / "photo.png")
    for name in ("photo.png", "notes.txt", "nothing"):
        path = tmp_path / name
        if not path.exists():
            path.write_text("cat, dog")
        with pytest.raises(UsageError, match="is neither a table nor an output manifest; name a"):
            read(path)


def test_what_is_damaged_says_where(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not a readable Parquet file"):
        read(table(tmp_path / "labels.parquet", "no"))
    with pytest.raises(StorageError, match="line 2"):
        read(table(tmp_path / "labels.csv", 'path,label\n/1.jpg,"cat\n'))
    with pytest.raises(ManifestError, match="line 2 is not one complete JSON object"):
        read(table(tmp_path / "o.manifest", '{"source-ref": "/1.jpg"}\n{"source-\n'))
    # The traces of a round must not be lost without a word.
    table(tmp_path / "round" / "output.manifest", '{}\n{"source-ref": "/1.jpg", "gandt-round": 3')
    with pytest.raises(ManifestError, match=r"round/output\.manifest, line 2 is not one complete"):
        read(table(tmp_path / "round" / "labels.csv", "path,label\n/1.jpg,cat\n"))


def test_a_selection_of_ours_is_refused(tmp_path: Path) -> None:
    chosen = Selection((Candidate("/1.jpg", "cat", 1, 0.5, 0.5, "/s.jpg", "auto"),), ("cat",), "x")
    for path in write_selection_table(str(tmp_path / "round1.selection.csv"), chosen):
        with pytest.raises(UsageError, match="is a selection, whose classes are guesses"):
            read(path)


@pytest.mark.parametrize("group_size", [None, 2])
@pytest.mark.parametrize("name", ["round1.manifest", "round1.jsonl", "round1"])
def test_a_manifest_that_is_still_to_be_labeled_is_refused(
    tmp_path: Path, name: str, group_size: int | None
) -> None:
    picks = tuple(Candidate(f"/{n}.jpg", "cat", 1, 0.5, 0.5, "/s.jpg", "auto") for n in range(3))
    write_manifest(str(tmp_path / name), Selection(picks, ("cat",), "x"), group_size=group_size)
    with pytest.raises(UsageError, match="holds no labels, as the manifest of a job that is still"):
        read(tmp_path / name)


# -------------------------------------------------------------------------- output manifests


def test_a_manifest_of_ground_truth_is_read(tmp_path: Path) -> None:
    failed = {
        "source-ref": "s3://b/3.jpg",
        "round1-metadata": {
            "failure-reason": "ClientError: The image cannot be read.",
            "type": "groundtruth/image-classification",
            "human-annotated": "yes",
        },
    }
    lines = [
        job_line("s3://b/1.jpg", "cat", confidence=0.82),
        job_line("s3://b/2.jpg", "dog", confidence=0.97, human=False),
        failed,
        job_line("s3://b/4.jpg", None),
        job_line("s3://b/5.jpg", "cat", confidence=0.0),
        job_line("s3://b/6.jpg", "dog", **{"gandt-gold": "cat"}),
        {"source": "a text"},
    ]
    found = read(write_lines(tmp_path / "output.manifest", lines))
    assert [(row.label, row.confidence, row.source) for row in found.rows] == [
        ("cat", 0.82, "human"),
        ("dog", 0.97, "machine"),
        (None, None, "human"),
        (None, None, "human"),
        ("cat", None, "human"),  # of a single worker
        ("cat", 1.0, "gold"),
    ]
    where = f"{tmp_path}/output.manifest: 1 line without a label, as in:"
    assert found.notes == (
        f"{where} ClientError: The image cannot be read.",
        f"{where} it is about no image.",
    )


def two_jobs(path: Path) -> Path:
    line = {**job_line("/1.jpg", "cat"), **job_line("/1.jpg", "dog", attribute="round2")}
    return write_lines(path, [line])


def test_of_several_jobs_one_must_be_named(tmp_path: Path) -> None:
    path = two_jobs(tmp_path / "output.manifest")
    with pytest.raises(ManifestError, match=r"labels of several jobs \(round1, round2\)"):
        read(path)
    assert said(path, "round1") == [("/1.jpg", "cat")]
    assert said(path, "round2") == [("/1.jpg", "dog")]


def test_a_name_for_one_manifest_does_not_shut_out_another(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "output.manifest", [job_line("/1.jpg", "cat")])
    assert said(path, "round2") == [("/1.jpg", "cat")]


BOX = {"class_id": 0, "left": 1, "top": 1, "width": 5, "height": 5}
SIZE = {"width": 9, "height": 9, "depth": 3}
KINDS: dict[str, tuple[Any, dict[str, object]]] = {
    "image-classification-multilabel": (
        [0, 1],
        {"class-map": {"0": "a", "1": "b"}, "confidence-map": {"0": 0.9, "1": 0.9}},
    ),
    "object-detection": (
        {"annotations": [BOX], "image_size": [SIZE]},
        {"class-map": {"0": "a"}, "objects": [{"confidence": 0.9}]},
    ),
    "semantic-segmentation": ("s3://b/0.png", {"internal-color-map": {}}),
    "label-verification": (0, {"class-name": "good", "confidence": 0.9}),
    "custom": ({"annotationsFromAllWorkers": []}, {}),
}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("image-classification-multilabel", "holds several labels per image, not one class"),
        ("object-detection", "holds boxes, not one class of each image"),
        ("semantic-segmentation", "holds masks, not one class of each image"),
        ("label-verification", "holds verdicts on earlier labels, not one class"),
        ("custom", "is of a custom job, whose answers are not labels yet: run `gandt aggregate`"),
    ],
)
def test_labels_of_other_kinds_are_refused(tmp_path: Path, kind: str, message: str) -> None:
    label, metadata = KINDS[kind]
    name = "it-ref" if kind == "semantic-segmentation" else "it"
    common = {"type": f"groundtruth/{kind}", "human-annotated": "yes", "job-name": "labeling-job/x"}
    line = {"source-ref": "/1.jpg", name: label, f"{name}-metadata": {**metadata, **common}}
    with pytest.raises(UsageError, match=message):
        read(write_lines(tmp_path / "output.manifest", [line]))


def test_labels_of_texts_are_refused(tmp_path: Path) -> None:
    line = {**job_line("", "happy"), "source": "What a day!"}
    del line["source-ref"]
    with pytest.raises(UsageError, match=r"labels no image, it is about no image\."):
        read(write_lines(tmp_path / "output.manifest", [line]))


@pytest.mark.parametrize("write", [lambda path: write_lines(path, []), two_jobs])
def test_an_empty_manifest_and_a_wrong_name_are_said(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    with pytest.raises(GandtError, match=r"holds no labels|no label attribute 'other'"):
        read(write(tmp_path / "output.manifest"), "other" if write is two_jobs else None)


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    lines = [job_line("/1.jpg", "cat")]
    for name in ("out.jsonl", "output.manifest", "output", "part-0.json"):
        assert said(write_lines(tmp_path / name, lines)) == [("/1.jpg", "cat")]


def test_labels_are_read_from_s3(bucket: Bucket, round3: Path) -> None:
    for file in round3.iterdir():
        if file.is_file():
            bucket.put(f"jobs/round3/{file.name}", file.read_bytes())
    for name in ("", "/labels.csv", "/labels.parquet", "/output.manifest"):
        here, there = read(f"{round3}{name}"), read(bucket.uri(f"jobs/round3{name}"))
        assert here.rows == there.rows
    accuracy, _ = read_worker_accuracy(find(bucket.uri("jobs/round3")))
    assert accuracy == read_worker_accuracy(find(round3))[0]


# --------------------------------------------------------------------------------- workers


def workers(folder: Path, rows: str) -> str:
    table(folder / "workers.csv", f"worker,answers,accuracy\n{rows}")
    return str(folder / "labels.csv")


def test_workers_count_by_their_answers_over_all_rounds(tmp_path: Path) -> None:
    files = [workers(tmp_path / "a", "w,30,0.9\nv,10,0.7\n"), workers(tmp_path / "b", "w,60,0.8\n")]
    accuracy, notes = read_worker_accuracy([*files, files[0], str(tmp_path / "c" / "labels.csv")])
    assert accuracy == pytest.approx((30 * 0.9 + 10 * 0.7 + 60 * 0.8) / 100)
    assert notes == ()


def test_workers_of_whom_nothing_is_known_do_not_count(tmp_path: Path) -> None:
    file = workers(tmp_path / "a", "w,30,0.9\nv,10,\nu,,0.1\nt,0,0.1\n")
    assert read_worker_accuracy([file]) == (pytest.approx(0.9), ())
    assert read_worker_accuracy([workers(tmp_path / "b", "w,30,\n")]) == (None, ())
    assert read_worker_accuracy([str(tmp_path / "none" / "labels.csv")]) == (None, ())
    assert read_worker_accuracy([]) == (None, ())


def test_another_table_of_workers_is_a_note(tmp_path: Path) -> None:
    table(tmp_path / "workers.csv", "name,team\nAda,a\n")
    accuracy, notes = read_worker_accuracy([str(tmp_path / "labels.csv")])
    assert accuracy is None
    assert notes == (f"{tmp_path}/workers.csv has no columns answers and accuracy: not used.",)


def test_the_round_folder_says_how_good_its_workers_are(round3: Path) -> None:
    accuracy, _ = read_worker_accuracy(find(round3))
    stated = pq.read_table(round3 / "workers.parquet").to_pydict()
    weights, values = np.array(stated["answers"]), np.array(stated["accuracy"])
    assert accuracy == pytest.approx(float((weights * values).sum() / weights.sum()))
    assert json.loads((round3 / "summary.json").read_text())["workers"] == len(weights)
