"""Automatic labels as files: what Ground Truth would have written, or nothing and the reason."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
from clustered_pools import clusters, unit
from rounds_files import NOON, answer, asked, job_line, write_index, write_lines

from gandt.active.autolabel import AutoOptions
from gandt.errors import AnswerError, IndexFolderError, ManifestError, StorageError, UsageError
from gandt.groundtruth.check import check_manifest
from gandt.groundtruth.json_lines import read_objects
from gandt.index.folder import open_index
from gandt.report.results.source import read_results
from gandt.rounds.automatic.audit import measure
from gandt.rounds.automatic.automatic import Sources, label_automatically
from gandt.rounds.automatic.words import Automatic
from gandt.rounds.known.known import Known, read_known
from gandt.selection.seeds import find_seeds
from gandt.types import IntArray

if TYPE_CHECKING:
    from s3_server import Bucket

CLASSES = np.array(["cat", "dog", "Other"])
VECTORS, TRUTH = clusters((300, 300, 120), d=32, spread=0.6)
N = len(TRUTH)
URIS = [f"/pool/{row:04d}.jpg" for row in range(N)]
LABEL = dict(zip(URIS, CLASSES[TRUTH].tolist(), strict=True))
ROWS = np.random.default_rng(1).choice(N, 240, replace=False)
FILES = {
    *("labels.csv", "labels.parquet", "output.manifest", "rest.manifest"),
    *("audit.manifest", "audit.csv", "summary.json"),
}


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """An index of 720 images of three classes, and the labels of 240."""
    write_index(tmp_path / "pool.index", VECTORS, URIS)
    write_labels(tmp_path / "labels.csv", ROWS)
    return tmp_path


def write_labels(path: Path, rows: IntArray, wrong: float = 0.0) -> None:
    rng = np.random.default_rng(5)
    codes = np.where(rng.random(len(rows)) < wrong, (TRUTH[rows] + 1) % 3, TRUTH[rows])
    lines = [f"{URIS[row]},{CLASSES[code]}" for row, code in zip(rows, codes, strict=True)]
    path.write_text("task,label\n" + "".join(f"{line}\n" for line in lines))


def run(
    pool: Path,
    *labels: str,
    out: str = "auto",
    options: AutoOptions | None = None,
    exclude: tuple[str, ...] = (),
    uri_map: tuple[str, ...] = (),
    attribute: str | None = None,
    now: datetime = NOON,
) -> Automatic:
    sources = Sources(
        [str(pool / name) for name in labels or ("labels.csv",)],
        exclude=[str(pool / name) for name in exclude],
    )
    return label_automatically(
        str(pool / "pool.index"),
        sources,
        out if out.startswith("s3://") else str(pool / out),
        options or AutoOptions(),
        now=now,
        uri_map=uri_map,
        write_attribute=attribute,
    )


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def lines_of(path: Path) -> list[dict[str, object]]:
    return [record for _, record in read_objects(str(path))]


def names(path: Path) -> list[object]:
    return [record["source-ref"] for record in lines_of(path)]


# ------------------------------------------------------------------------------- what is written


def test_every_image_is_labeled_by_people_or_by_machine_or_left_to_people(pool: Path) -> None:
    made = run(pool)
    assert made.refusal == ""
    assert {path.name for path in (pool / "auto").iterdir()} == FILES
    rows = rows_of(pool / "auto")
    tasks = [row["task"] for row in rows]
    people = [URIS[row] for row in ROWS]
    assert sorted([*tasks, *people, *map(str, names(pool / "auto/rest.manifest"))]) == URIS
    assert len(rows) == len(made.made.rows) > 200
    probe = [row for row in rows if not row["original"]]
    assert np.mean([row["label"] == LABEL[row["task"]] for row in probe]) >= 0.95


def test_the_labels_are_a_table_as_that_of_a_round(pool: Path) -> None:
    run(pool)
    rows = [{"source-ref": uri} for uri in URIS[:9]]
    answer(write_lines(pool / "asked.manifest", rows), pool / "round1", LABEL)
    of_round = pq.read_schema(pool / "round1/labels.parquet")
    ours = pq.read_schema(pool / "auto/labels.parquet")
    assert ours.names == [*of_round.names, "original"]
    assert [ours.field(name).type for name in of_round.names] == of_round.types
    row = rows_of(pool / "auto")[0]
    table = pq.read_table(pool / "auto/labels.parquet").to_pylist()
    assert list(row) == ours.names
    assert len(table) == len(rows_of(pool / "auto"))
    first = table[0]
    assert (first["task"], first["label"]) == (row["task"], row["label"])
    assert row["confidence"] == f"{first['confidence']:.4f}"
    assert (row["votes"], row["agreement"], row["certain"]) == ("0", "", "true")
    assert (row["source"], row["tied"], row["original"]) == ("machine", "", "")
    assert (first["votes"], first["certain"], first["agreement"]) == (0, True, None)


def test_the_output_manifest_is_that_of_ground_truths_automated_labeling(pool: Path) -> None:
    run(pool, attribute="event")
    lines, rows = lines_of(pool / "auto/output.manifest"), rows_of(pool / "auto")
    assert [line["source-ref"] for line in lines] == [row["task"] for row in rows]
    for line, row in zip(lines, rows, strict=True):
        confidence = line["event-metadata"]["confidence"]  # type: ignore[index]
        assert line == {
            "source-ref": row["task"],
            "event": ["Other", "cat", "dog"].index(row["label"]),
            "event-metadata": {
                "confidence": confidence,
                "class-name": row["label"],
                "job-name": "labeling-job/event",
                "human-annotated": "no",
                "creation-date": "2026-03-01T12:00:00.000000",
                "type": "groundtruth/image-classification",
            },
        }
        assert confidence == pytest.approx(float(row["confidence"]), abs=0.0101)
        assert confidence < 1


def test_a_job_of_ground_truth_may_take_every_manifest_as_it_is(pool: Path) -> None:
    run(pool, uri_map=("/pool=s3://bucket/photos",))
    for name in ("output.manifest", "rest.manifest", "audit.manifest"):
        report = check_manifest(str(pool / "auto" / name))
        assert (report.errors, report.warnings) == (0, 0), report.findings
    line = lines_of(pool / "auto/rest.manifest")[0]
    assert {*line} == {"source-ref", "gandt-why", "gandt-round", "gandt-labeled", "gandt-pool-uri"}
    assert line["source-ref"] == str(line["gandt-pool-uri"]).replace("/pool", "s3://bucket/photos")
    assert rows_of(pool / "auto")[0]["task"].startswith("/pool/")


def test_references_that_no_rule_fits_are_counted(pool: Path) -> None:
    made = run(pool, uri_map=("/elsewhere=s3://bucket/photos",))
    left = len(made.made.rows) + len(made.made.rest)
    assert made.notes[-1] == (
        f"{left:,} references fit no --uri-map rule and stay as they are; first: "
        f"{rows_of(pool / 'auto')[0]['task']}."
    )


def test_the_audit_asks_and_does_not_tell(pool: Path) -> None:
    made = run(pool, options=AutoOptions(audit=60))
    lines = lines_of(pool / "auto/audit.manifest")
    assert len(lines) == 60
    assert all(set(line) == {"source-ref", "gandt-why"} for line in lines)
    assert {line["gandt-why"] for line in lines} == {"audit"}
    asked_for = [str(line["source-ref"]) for line in lines]
    assert asked_for != sorted(asked_for)  # its place tells nothing either
    assert sorted(asked_for) == [URIS[row] for row in made.made.audit]
    with (pool / "auto/audit.csv").open(newline="") as file:
        kept = list(csv.DictReader(file))
    label = {row["task"]: row["label"] for row in rows_of(pool / "auto")}
    assert [row["task"] for row in kept] == asked_for
    assert all(row["machine"] == label[row["task"]] for row in kept)
    assert {row["people"] for row in kept} == {""}


def test_the_same_labels_and_seed_give_the_same_bytes(pool: Path) -> None:
    run(pool, out="one/auto")
    run(pool, out="two/auto")
    for name in FILES:
        first, second = ((pool / each / "auto" / name).read_bytes() for each in ("one", "two"))
        assert first == second or name.endswith(".json"), name
    run(pool, out="three/auto", options=AutoOptions(random_seed=3))
    assert names(pool / "three/auto/audit.manifest") != names(pool / "two/auto/audit.manifest")


def test_the_summary_tells_how_each_class_was_proven(pool: Path) -> None:
    made = run(pool)
    summary = json.loads((pool / "auto/summary.json").read_text())
    assert summary["method"] == "autolabel"
    assert summary["tasks"] == len(made.made.rows) == summary["machine"]
    assert summary["rest"] == len(made.made.rest)
    assert [each["name"] for each in summary["thresholds"]] == ["Other", "cat", "dog"]
    assert sum(each["labels"] for each in summary["thresholds"]) + summary["copies"] == len(
        made.made.rows
    )
    for each in summary["thresholds"]:
        assert each["right"] <= each["cases"]
    assert summary["promise"]["target"] == 0.95
    assert 0.95 <= summary["promise"]["bound"] < 1


def test_an_earlier_run_is_replaced(pool: Path) -> None:
    run(pool, options=AutoOptions(audit=50))
    run(pool, options=AutoOptions(audit=0))
    assert (pool / "auto/audit.manifest").read_bytes() == b""
    assert (pool / "auto/audit.csv").read_text().count("\n") == 1


def test_labels_of_an_audit_that_are_replaced_are_told_of(pool: Path) -> None:
    run(pool)
    tasks = names(pool / "auto/audit.manifest")
    (pool / "said.csv").write_text(
        "task,label\n" + "".join(f"{task},{LABEL[str(task)]}\n" for task in tasks)
    )
    measure(str(pool / "auto"), [str(pool / "said.csv")], now=NOON)
    again = run(pool, "labels.csv", "said.csv")
    assert again.notes[-1].startswith(f"{pool}/auto held 100 labels that people gave in its audit")
    assert not {row["task"] for row in rows_of(pool / "auto")} & {*map(str, tasks)}
    assert not any("held" in note for note in run(pool).notes)


def test_a_folder_on_s3_holds_the_same(pool: Path, bucket: Bucket) -> None:
    run(pool)
    made = run(pool, out=f"s3://{bucket.name}/auto")
    assert made.folder == f"s3://{bucket.name}/auto"
    for name in FILES - {"summary.json"}:
        assert bucket.get(f"auto/{name}") == (pool / "auto" / name).read_bytes()


# ------------------------------------------------------------------------------ what reads it next


def test_the_next_round_leaves_automatic_labels_alone(pool: Path) -> None:
    made = run(pool)
    index = open_index(pool / "pool.index")
    for source in ("auto/labels.csv", "auto/output.manifest", "auto"):
        labels = [str(pool / "labels.csv"), str(pool / source)]
        known = read_known(index, labels, load=_no_model)
        assert known.automatic.tolist() == made.made.rows.tolist()
        assert sorted(known.labeled.rows.tolist()) == sorted(ROWS.tolist())


def _no_model() -> None:  # type: ignore[misc]
    raise AssertionError("no seed has to be embedded")


def test_they_can_be_seeds_and_a_report(pool: Path) -> None:
    made = run(pool)
    seeds = find_seeds([str(pool / "auto")])
    assert sorted(seed.item.uri for seed in seeds) == sorted(URIS[row] for row in made.made.rows)
    results = read_results(str(pool / "auto"))
    assert {item.source for item in results.items} == {"machine"}
    assert len(results.items) == len(made.made.rows)
    assert results.method == "autolabel"


# --------------------------------------------------------------------- what is left to people


@pytest.fixture
def rounds(pool: Path) -> list[str]:
    """Two rounds of 120 images, the first with 30 uniform draws and the second with 20."""
    for number, drawn in ((1, 30), (2, 20)):
        rows = ROWS[120 * (number - 1) : 120 * number]
        before = 120 * (number - 1)
        lines = [
            job_line(
                URIS[row],
                LABEL[URIS[row]],
                confidence=0.99,
                **asked(number, "uniform" if at < drawn else "learn", before, N - before),
            )
            for at, row in enumerate(rows)
        ]
        write_lines(pool / f"round{number}/output.manifest", lines)
    return ["round1", "round2"]


def known_of(pool: Path, *labels: str) -> Known:
    return read_known(
        open_index(pool / "pool.index"), [str(pool / name) for name in labels], load=_no_model
    )


def test_what_people_make_of_the_rest_is_a_round(pool: Path, rounds: list[str]) -> None:
    """It comes after the rounds that it was left by, and their uniform draws go on counting."""
    before = known_of(pool, *rounds)
    run(pool, *rounds)
    answer(pool / "auto/rest.manifest", pool / "rest", LABEL)
    for order in ((*rounds, "rest"), ("rest", *rounds)):
        after = known_of(pool, *order)
        assert (before.round, after.round) == (3, 4)
        assert after.notes == ()
        assert [len(part.rows) for part in after.labeled.slices] == [30, 20]
        assert [part.before for part in after.labeled.slices] == [0, 120]
        assert after.labeled.rows[:240].tolist() == before.labeled.rows.tolist()
        assert (after.labeled.sought[240:] == -1).all()  # nobody looked for a class in it


def test_the_rest_and_the_round_that_was_chosen_beside_it_do_not_disturb_each_other(
    pool: Path, rounds: list[str]
) -> None:
    """Both were made of the same labels, so the draw of the one knows nothing of the other."""
    run(pool, *rounds)
    answer(pool / "auto/rest.manifest", pool / "rest", LABEL)
    drawn = np.setdiff1d(np.arange(N), ROWS)[::40]
    lines = [
        job_line(URIS[row], LABEL[URIS[row]], **asked(3, "uniform", 240, N - 240)) for row in drawn
    ]
    write_lines(pool / "round3/output.manifest", lines)
    known = known_of(pool, *rounds, "round3", "rest")
    assert known.round == 4
    assert [part.before for part in known.labeled.slices] == [0, 120, 240]
    assert not any("draw" in note for note in known.notes)


def test_the_rest_counts_the_checks_that_it_rests_on(pool: Path, rounds: list[str]) -> None:
    """Labels of an audit have no round: they stand before the first one that counted them."""
    run(pool, *rounds)
    answer(pool / "auto/audit.manifest", pool / "checked", LABEL)
    made = run(pool, *rounds, "checked", out="second")
    assert {line["gandt-labeled"] for line in lines_of(pool / "second/rest.manifest")} == {340}
    answer(pool / "second/rest.manifest", pool / "rest", LABEL)
    known = known_of(pool, "rest", *rounds, "checked")
    assert known.labeled.rows[:340].tolist() == made.labeled.rows.tolist()
    assert [part.before for part in known.labeled.slices] == [0, 120]


def test_the_rest_of_the_first_labels_is_the_first_round_or_the_second(pool: Path) -> None:
    """Labels without a number stand for a round; examples of the pool, as seeds, for none."""
    run(pool)
    assert {line["gandt-round"] for line in lines_of(pool / "auto/rest.manifest")} == {2}
    sources = Sources([], seeds=[str(pool / "labels.csv")])
    label_automatically(
        str(pool / "pool.index"), sources, str(pool / "seeded"), AutoOptions(), now=NOON
    )
    assert {line["gandt-round"] for line in lines_of(pool / "seeded/rest.manifest")} == {1}


# ------------------------------------------------------------------------------------ refusals


def test_too_few_labels_promise_nothing_and_write_nothing(pool: Path) -> None:
    write_labels(pool / "few.csv", ROWS[:58])
    made = run(pool, "few.csv")
    assert "58 labeled images are certain where 59 without a mistake" in made.refusal
    assert not (pool / "auto").exists()


def test_labels_that_are_often_wrong_are_refused(pool: Path) -> None:
    write_labels(pool / "wrong.csv", ROWS, wrong=0.15)
    made = run(pool, "wrong.csv", options=AutoOptions(copies=False))
    assert "most confident predictions are wrong" in made.refusal
    assert not (pool / "auto").exists()


def test_a_refusal_leaves_an_earlier_folder_and_says_so(pool: Path) -> None:
    run(pool)
    before = {path: path.read_bytes() for path in (pool / "auto").iterdir()}
    write_labels(pool / "few.csv", ROWS[:20])
    made = run(pool, "few.csv")
    assert made.refusal.endswith(f"{pool}/auto is left as an earlier run made it.")
    assert {path: path.read_bytes() for path in (pool / "auto").iterdir()} == before


def test_a_refusal_of_classes_names_those_with_the_most_cases(pool: Path) -> None:
    write_labels(pool / "some.csv", ROWS[:100])
    made = run(pool, "some.csv", options=AutoOptions(each=True))
    assert "no class is proven on its own" in made.refusal
    assert "labeled images are certain where 59" in made.refusal


def test_where_nothing_is_left_that_is_said(pool: Path) -> None:
    write_labels(pool / "all.csv", np.arange(N))
    assert run(pool, "all.csv").refusal.startswith("Every image of the pool is labeled or left out")


def test_where_nothing_is_near_enough_that_is_said(pool: Path) -> None:
    write_labels(pool / "known.csv", np.flatnonzero(TRUTH < 2))  # and nobody labeled an Other
    made = run(pool, "known.csv", options=AutoOptions(percentile=50))
    assert made.refusal.startswith("Of 120 images that nobody labeled none is sure")
    assert "none is sure enough and near enough" in made.refusal
    assert not (pool / "auto").exists()


def test_copies_alone_are_written_and_said(tmp_path: Path) -> None:
    """A copy has the label of its original, as sure as that is, whatever the probe may promise."""
    noise = np.random.default_rng(0).normal(size=(3, 32)) * 0.002
    vectors = np.concatenate([VECTORS, unit(VECTORS[ROWS[:3]] + noise)])
    copies = [f"/pool/copy{number}.jpg" for number in range(3)]
    write_index(tmp_path / "pool.index", vectors, [*URIS, *copies])
    sure = [1.0, 0.75, 0.5, *[1.0] * 6]
    lines = [
        f"{URIS[row]},{LABEL[URIS[row]]},{each}\n" for row, each in zip(ROWS, sure, strict=False)
    ]
    (tmp_path / "labels.csv").write_text("task,label,confidence\n" + "".join(lines))
    made = run(tmp_path)
    assert (made.refusal, made.copies) == ("", 3)
    assert "the fewest that prove 95%" in made.made.refused
    rows = rows_of(tmp_path / "auto")
    assert [row["task"] for row in rows] == copies
    assert [row["original"] for row in rows] == [URIS[row] for row in ROWS[:3]]
    assert [row["label"] for row in rows] == [LABEL[URIS[row]] for row in ROWS[:3]]
    assert [row["confidence"] for row in rows] == ["1.0000", "0.7500", "0.5000"]
    assert [row["certain"] for row in rows] == ["true", "false", "false"]
    assert lines_of(tmp_path / "auto/audit.manifest") == []
    summary = json.loads((tmp_path / "auto/summary.json").read_text())
    assert summary["promise"] is None
    assert "the fewest that prove 95%" in summary["refused"]


def test_wrong_calls_are_refused_before_anything_is_read(pool: Path) -> None:
    with pytest.raises(UsageError, match="no labels to learn from: give --labels"):
        label_automatically(
            str(pool / "nothing"), Sources([]), str(pool / "auto"), AutoOptions(), now=NOON
        )
    with pytest.raises(UsageError, match="label attribute 'gandt-x' is not possible"):
        run(pool, attribute="gandt-x")
    with pytest.raises(UsageError, match="--uri-map 'x' holds no such pair"):
        run(pool, uri_map=("x",))
    with pytest.raises(IndexFolderError):
        label_automatically(
            str(pool / "nothing"),
            Sources([str(pool / "labels.csv")]),
            str(pool / "auto"),
            AutoOptions(),
            now=NOON,
        )
    assert not (pool / "auto").exists()


@pytest.mark.parametrize("name", ["workers.csv", "photo.jpg", "sub/summary.json"])
def test_a_folder_with_other_files_is_not_written_into(pool: Path, name: str) -> None:
    (pool / "auto" / name).parent.mkdir(parents=True)
    (pool / "auto" / name).write_text("mine")
    with pytest.raises(UsageError, match=f"holds other files \\({name}\\)"):
        run(pool)
    (pool / "file").write_text("mine")
    with pytest.raises(UsageError, match="is a file; name a folder"):
        run(pool, out="file")


def test_a_name_that_no_manifest_can_hold_leaves_nothing_half_written(pool: Path) -> None:
    run(pool)
    before = (pool / "auto/labels.csv").read_bytes()
    long = {row: f"/pool/{'x' * 20_000}{row}.jpg" for row in np.setdiff1d(np.arange(N), ROWS)}
    uris = [long.get(row, uri) for row, uri in enumerate(URIS)]
    write_index(pool / "long/pool.index", VECTORS, uris)
    sources = Sources([str(pool / "labels.csv")])
    with pytest.raises(ManifestError, match="longer than the 20,000 characters"):
        label_automatically(
            str(pool / "long/pool.index"), sources, str(pool / "auto"), AutoOptions(), now=NOON
        )
    assert (pool / "auto/labels.csv").read_bytes() == before
    assert {path.name for path in (pool / "auto").iterdir()} == FILES


def test_a_folder_that_may_not_be_written_is_said(pool: Path) -> None:
    (pool / "blocked").write_text("")
    with pytest.raises(StorageError, match="blocked"):
        run(pool, out="blocked/auto")


def test_a_damaged_summary_is_written_anew(pool: Path) -> None:
    """Whoever reads it says: run `gandt autolabel` again."""
    run(pool)
    before = (pool / "auto/summary.json").read_bytes()
    (pool / "auto/summary.json").write_text('{"x')
    auto = str(pool / "auto")
    for read in (lambda: measure(auto, [], now=NOON), lambda: read_results(auto)):
        with pytest.raises((StorageError, AnswerError), match="run `gandt autolabel` again"):
            read()
    run(pool)
    assert (pool / "auto/summary.json").read_bytes() == before


# ------------------------------------------------------------------------------- what is left out


def test_excluded_images_are_nowhere(pool: Path) -> None:
    out = np.setdiff1d(np.arange(N), ROWS)[:50]
    (pool / "out.csv").write_text("path\n" + "".join(f"{URIS[row]}\n" for row in out))
    run(pool, exclude=("out.csv",))
    seen = {*names(pool / "auto/rest.manifest"), *(row["task"] for row in rows_of(pool / "auto"))}
    assert not seen & {URIS[row] for row in out}


def test_automatic_labels_of_the_folder_itself_are_decided_anew(pool: Path) -> None:
    first = run(pool)
    again = run(pool, "labels.csv", "auto/labels.csv")
    assert again.made.rows.tolist() == first.made.rows.tolist()
    note = f"{len(first.made.rows):,} automatic labels of {pool}/auto are decided anew."
    assert note in again.notes


def test_uniform_draws_of_before_go_on_proving_what_is_decided_anew(pool: Path) -> None:
    """They were drawn from all that is to be labeled again, so none of them is left out."""
    _round(pool, "uniform", ROWS)
    first = run(pool, "round1")
    again = run(pool, "round1", "auto/labels.csv")
    assert (first.drawn, again.drawn) == (240, 240)
    assert again.promise() == first.promise()
    assert not any("draw of round" in note for note in again.notes)
    other = run(pool, "round1", "auto/labels.csv", out="other")
    assert other.drawn == 0
    assert any("drawn before the automatic labels were made" in note for note in other.notes)


def test_but_not_those_that_are_excluded(pool: Path) -> None:
    first = run(pool)
    out = [URIS[row] for row in first.made.rows[:30]]
    (pool / "out.csv").write_text("path\n" + "".join(f"{uri}\n" for uri in out))
    again = run(pool, "labels.csv", "auto/labels.csv", exclude=("out.csv",))
    tasks = {row["task"] for row in rows_of(pool / "auto")}
    assert not tasks & {*out}
    assert len(again.made.rows) == len(first.made.rows) - 30


def test_automatic_labels_of_another_folder_are_left_out(pool: Path) -> None:
    first = run(pool)
    second = run(pool, "labels.csv", "auto/labels.csv", out="other")
    assert not np.isin(second.made.rows, first.made.rows).any()
    assert not np.isin(second.made.rest, first.made.rows).any()


# -------------------------------------------------------------------------------- what is promised


def _round(pool: Path, why: str, rows: IntArray) -> None:
    lines = [
        job_line(URIS[row], LABEL[URIS[row]], confidence=0.99, **asked(1, why, 0, N))
        for row in rows
    ]
    write_lines(pool / "round1/output.manifest", lines)


def test_after_a_round_of_find_the_audit_decides(pool: Path) -> None:
    _round(pool, "find", ROWS)
    made = run(pool, "round1/output.manifest")
    assert made.promise() == (
        "95% of these labels are right, with 95% confidence, for images drawn as the labels were"
    )
    assert made.caution() == (
        "240 of the 240 labels were chosen to find a class, so they hold more of it than the pool "
        "does: the audit decides whether the promise is kept here."
    )


def test_what_a_selection_chose_was_chosen_as_well(pool: Path) -> None:
    """Of the labels of `gandt select`, of a uniform draw and of unknown origin, the first."""
    selected = {"gandt-class": "cat", "gandt-rank": 1, "gandt-score": 0.9, "gandt-why": "auto"}
    drawn = asked(2, "uniform", 120, N - 120)
    keys = [selected] * 119 + [{**selected, "gandt-gold": LABEL[URIS[ROWS[119]]]}]
    keys += [drawn] * 60 + [{}] * 60
    lines = [
        job_line(URIS[row], LABEL[URIS[row]], confidence=0.99, **more)
        for row, more in zip(ROWS, keys, strict=True)
    ]
    write_lines(pool / "round1/output.manifest", lines)
    made = run(pool, "round1/output.manifest")
    assert made.caution().startswith("119 of the 240 labels were chosen to find a class, so they")
    table = "".join(f"{URIS[row]},{LABEL[URIS[row]]}\n" for row in ROWS)
    (pool / "round1/labels.csv").write_text(f"task,label\n{table}")
    assert run(pool, "round1/labels.csv").chosen == 120  # which image was known, no line says here


def test_a_lost_uniform_draw_is_told_of_where_it_might_have_proven(pool: Path) -> None:
    for drawn, told in ((150, False), (220, True)):
        lines = [
            job_line(URIS[row], LABEL[URIS[row]], confidence=0.99, **keys)
            for at, row in enumerate(ROWS)
            for keys in [asked(1, "uniform", 7, N) if at < drawn else {}]
        ]
        write_lines(pool / "round1/output.manifest", lines)
        notes = run(pool, "round1/output.manifest").notes
        assert any("left out of estimates" in note for note in notes) == told


def test_uniform_draws_promise_for_the_pool(pool: Path) -> None:
    _round(pool, "uniform", ROWS)
    made = run(pool, "round1/output.manifest")
    assert made.drawn == 240
    assert made.promise().endswith("for images drawn as the 240 uniform ones were")
    assert "no single class that nobody labeled" in made.caution()


def test_a_class_that_the_allowed_mistakes_may_hide_is_named(pool: Path) -> None:
    """Where 5 % may be wrong, all images of a class of 4 % could be called something else."""
    rare = np.flatnonzero(TRUTH == 2)[:10]
    write_labels(pool / "rare.csv", np.concatenate([ROWS[TRUTH[ROWS] < 2], rare]))
    made = run(pool, "rare.csv")
    assert made.hidden() == (
        "The promise allows 5% of the labels to be wrong, and classes that are hardly more than "
        f"that may hide among them (of the labels: Other {10 / len(made.labeled):.1%}): find those "
        "first, with `gandt next`."
    )
    assert run(pool).hidden() == ""


def test_how_plain_labels_were_drawn_nobody_knows(pool: Path) -> None:
    made = run(pool, options=AutoOptions(target_accuracy=0.975, each=True))
    assert made.promise().startswith("97.5% of those of each class are right, with 95% confidence")
    assert made.caution().startswith("Where the labels were not drawn at random")
    whole = replace(made, options=AutoOptions(target_accuracy=0.9, confidence=0.99))
    assert whole.promise().startswith("90% of these labels are right, with 99% confidence")


def test_the_time_is_written_as_utc(pool: Path) -> None:
    run(pool, now=datetime(2026, 3, 1, 13, tzinfo=timezone.utc))
    metadata = lines_of(pool / "auto/output.manifest")[0]["auto-metadata"]
    assert isinstance(metadata, dict)
    assert metadata["creation-date"] == "2026-03-01T13:00:00.000000"
