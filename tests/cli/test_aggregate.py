"""`gandt aggregate` and `gandt report`: the files of a round, and what is printed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

Say = Callable[..., tuple[str, str]]

FILES = {
    "answers.parquet",
    "labels.csv",
    "labels.parquet",
    "oddities.csv",
    "output.manifest",
    "relabel.manifest",
    "summary.json",
    "workers.csv",
    "workers.parquet",
}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def answers(project: Path) -> Path:
    """Three workers on six images of the pool; they differ on one, and one answer is empty."""
    lines = ["task,worker,label"]
    for number in range(6):
        said = ("red", "red", "blue") if number == 5 else ("red", "red", "red")
        pairs = zip(("ann", "ben", "cleo"), said, strict=True)
        lines += [f"{project}/pool/{number:03}.png,{worker},{label}" for worker, label in pairs]
    lines += [f"{project}/pool/000.png,dan,", f"{project}/pool/001.png,ann,blue"]
    path = project / "answers.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_round_is_a_folder_of_tables_and_manifests(say: Say, answers: Path) -> None:
    out, _ = say("aggregate", "answers.csv", "--out", "round1/", "--method", "majority")
    folder = answers.parent / "round1"
    assert {path.name for path in folder.iterdir()} == FILES
    labels = rows_of(folder / "labels.csv")
    assert [row["label"] for row in labels] == ["red"] * 6
    assert pq.read_table(folder / "labels.parquet").num_rows == 6
    assert {row["worker"] for row in rows_of(folder / "workers.csv")} >= {"ann", "ben", "cleo"}
    line = json.loads((folder / "output.manifest").read_text().splitlines()[0])
    assert line["source-ref"] == f"{answers.parent}/pool/000.png"
    assert line["round1-metadata"]["class-name"] == "red"
    assert out.splitlines()[0].split() == ["tasks", "6"]


def test_of_many_classes_the_commonest_are_named(say: Say, tmp_path: Path) -> None:
    rows = "".join(f"{number}.png,ann,kind-{number}\n" for number in range(9))
    (tmp_path / "many.csv").write_text(f"task,worker,label\n{rows}")
    out, _ = say("aggregate", "many.csv")
    (labels,) = (line for line in out.splitlines() if "kind-7" in line)
    assert labels.endswith("kind-7 1 and 1 more class")


def test_what_is_odd_is_counted_listed_and_said(say: Say, answers: Path) -> None:
    out, _ = say("aggregate", "answers.csv", "--out", "round1/")
    kinds = [row["kind"] for row in rows_of(answers.parent / "round1" / "oddities.csv")]
    assert sorted(kinds) == ["duplicate", "empty"]
    assert "1 duplicate" in out and "1 empty" in out


def test_strict_makes_it_an_error(say: Say, answers: Path) -> None:
    _, err = say("aggregate", "answers.csv", "--out", "round1/", "--strict", code=1)
    assert "answers.csv" in err and len(err.strip().splitlines()) == 1
    assert not (answers.parent / "round1").exists()


def test_what_is_not_certain_is_asked_again(say: Say, answers: Path) -> None:
    say("aggregate", "answers.csv", "--method", "majority", "--min-confidence", "0.8")
    again = (answers.parent / "round" / "relabel.manifest").read_text().splitlines()
    assert f"{answers.parent}/pool/005.png" in [json.loads(line)["source-ref"] for line in again]


def test_the_result_for_machines(say: Say, answers: Path) -> None:
    out, _ = say("aggregate", "answers.csv", "--json")
    result = json.loads(out)
    saved = json.loads((answers.parent / "round" / "summary.json").read_text())
    assert {key: result[key] for key in saved} == saved
    assert result["tasks"] == 6 and result["oddities"] == {"duplicate": 1, "empty": 1}


def test_gold_is_said_apart(say: Say, answers: Path) -> None:
    (answers.parent / "gold.csv").write_text(f"task,label\n{answers.parent}/pool/005.png,blue\n")
    out, _ = say("aggregate", "answers.csv", "--gold", "gold.csv")
    assert "1 known answer" in out
    labels = rows_of(answers.parent / "round" / "labels.csv")
    assert (labels[5]["label"], labels[5]["source"]) == ("blue", "gold")


def test_an_earlier_round_tells_about_its_workers(say: Say, answers: Path) -> None:
    say("aggregate", "answers.csv", "--out", "round1/")
    (answers.parent / "more.csv").write_text("task,worker,label\nx.png,ann,red\nx.png,cleo,blue\n")
    out, _ = say("aggregate", "more.csv", "--previous", "round1/", "--out", "round2/")
    assert out.splitlines()[0].split() == ["tasks", "1"]
    merged, _ = say(
        "aggregate", "more.csv", "--previous", "round1/", "--include-previous", "--out", "round2/"
    )
    assert merged.splitlines()[0].split() == ["tasks", "7"]


def test_a_finished_round_is_seeds_and_input_again(say: Say, answers: Path) -> None:
    say("aggregate", "answers.csv", "--out", "round1/")
    out, _ = say("select", "--seeds", "round1/", "--budget", "3")
    assert out.startswith("red")
    say("aggregate", "round1/", "--out", "again/")
    first, second = (
        (answers.parent / name / "labels.csv").read_text() for name in ("round1", "again")
    )
    assert first == second
    out, _ = say("validate", "round1/output.manifest")
    assert "0 errors, 6 warnings" in out  # local paths, which a job cannot read


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["aggregate", "nowhere.csv"], 1, "nowhere.csv"),
        (["aggregate", "answers.csv", "--kind", "boxy"], 2, "use one of single, multi"),
        (["aggregate", "answers.csv", "--method", "magic"], 2, "magic"),
        (["aggregate", "answers.csv", "--out", "pool/"], 2, "holds other files"),
        (["aggregate", "answers.csv", "--out", "answers.csv"], 2, "is a file"),
        (["aggregate", "answers.csv", "--index", "nowhere.index"], 1, "does not exist"),
        (["aggregate", "answers.csv", "--gold", "seeds.csv", "--strict"], 1, "answers.csv"),
        (["report", "nowhere.manifest"], 1, "nowhere.manifest"),
        (["report", "round", "--format", "docx"], 2, "use one of html, pdf"),
    ],
)
def test_a_wrong_call_is_one_sentence(
    say: Say, answers: Path, arguments: list[str], code: int, sentence: str
) -> None:
    _, err = say(*arguments, code=code)
    assert sentence in err and len(err.strip().splitlines()) == 1, err


def test_answers_are_validated(say: Say, answers: Path) -> None:
    out, _ = say("validate", "answers.csv")
    assert "duplicate" in out and "2 oddities" in out
    say("validate", "answers.csv", "--strict", code=1)


@pytest.mark.parametrize(
    ("source", "out", "more"),
    [
        ("round/output.manifest", "round/output.manifest", ()),
        ("round/", "round/labels.csv", ()),
        ("round/", "round.pdf", ("--format", "html")),
        ("round/", "round.html", ("--format", "pdf")),
    ],
)
def test_no_slip_puts_a_report_in_place_of_labels(
    say: Say, answers: Path, source: str, out: str, more: tuple[str, ...]
) -> None:
    say("aggregate", "answers.csv")
    path = answers.parent / out
    before = path.read_bytes() if path.exists() else None
    said, err = say("report", source, "--out", out, *more, code=2)
    what = "PDF: name a file that ends in .pdf" if "pdf" in more else "page: name a file that ends"
    assert err.startswith(f"gandt: --out {out} is no name of a {what}")
    assert said == ""
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_report_of_images_that_are_gone_says_so_once(say: Say, answers: Path) -> None:
    say("aggregate", "answers.csv")
    for number in range(4):
        (answers.parent / f"pool/{number:03}.png").rename(answers.parent / f"{number}.png")
    _, err = say("report", "round/")
    first = f"{answers.parent}/pool/000.png"
    assert err == f"note: 4 of 6 pictures left the pool or moved; first: {first}.\n"


@pytest.mark.parametrize("name", ["out.html", "out.pdf"])
def test_a_report_of_the_round(say: Say, answers: Path, name: str) -> None:
    say("aggregate", "answers.csv", "--out", "round1/")
    out, _ = say("report", "round1/", "--out", name)
    assert out.startswith(f"{name}: 6 labels")
    head = (answers.parent / name).read_bytes()[:15].lower()
    assert head.startswith(b"<!doctype html" if name.endswith("html") else b"%pdf-")


def test_where_the_index_differs_from_the_people_is_said(say: Say, project: Path) -> None:
    """All three take one red picture for another color; the vectors of the rest tell otherwise."""
    lines = ["task,worker,label"]
    for number in range(60):
        label = "red" if number % 3 == 0 and number != 30 else "other"
        lines += [f"{project}/pool/{number:03}.png,{who},{label}" for who in ("ann", "ben", "cleo")]
    (project / "said.csv").write_text("\n".join(lines) + "\n")
    out, err = say("aggregate", "said.csv", "--index", "pool.index", "--out", "r/")
    assert "differs from the people on 1 task" in out
    assert f"{project}/pool/030.png: people other" in out and "model red" in out
    assert "a probe on pool.index predicted 60 of 60 tasks" in err


def test_an_index_with_few_of_the_images_is_left_aside(say: Say, answers: Path) -> None:
    _, err = say("aggregate", "answers.csv", "--index", "pool.index")
    assert "pool.index holds 6 of the 6 labeled images, too few to learn from" in err
