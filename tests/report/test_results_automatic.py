"""What a report says of automatic labels: what is promised, and whether anybody checked it."""

from __future__ import annotations

import csv
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clustered_pools import clusters
from rounds_files import NOON, names_in, write_index

from gandt.active.autolabel import AutoOptions
from gandt.report.charts import Dot, Line, Picture, Text
from gandt.report.results.model import Measured
from gandt.report.results.promise import audit_chart
from gandt.report.results.source import read_results
from gandt.report.results.story import facts, headline, sections
from gandt.report.results.write import write_report
from gandt.rounds.automatic.audit import measure
from gandt.rounds.automatic.automatic import Sources, label_automatically
from gandt.types import IntArray

CLASSES = np.array(["cat", "dog", "Other"])
VECTORS, TRUTH = clusters((250, 250, 100), d=16, spread=0.5)
ROWS = np.random.default_rng(1).choice(len(TRUTH), 240, replace=False)
NBSP = "\N{NO-BREAK SPACE}"

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, make_photo: Callable[..., str]) -> Make:
    """Write a folder of automatic labels, those of people on the images that are named as such."""
    uris = [str(tmp_path / f"pool/{row:04d}.jpg") for row in range(len(TRUTH))]
    photo = Path(make_photo(Path(uris[0]))).read_bytes()
    for uri in uris:
        Path(uri).write_bytes(photo)
    label = dict(zip(uris, CLASSES[TRUTH].tolist(), strict=True))

    def write(*, wrong: int | None = None, rows: IntArray = ROWS, **options: float) -> Path:
        vectors = np.concatenate([VECTORS, VECTORS[rows[:2]]])
        names = [*uris, str(tmp_path / "pool/copy0.jpg"), str(tmp_path / "pool/copy1.jpg")]
        write_index(tmp_path / "pool.index", vectors, names)
        lines = "".join(f"{uris[row]},{label[uris[row]]}\n" for row in rows)
        (tmp_path / "labels.csv").write_text(f"task,label\n{lines}")
        label_automatically(
            str(tmp_path / "pool.index"),
            Sources([str(tmp_path / "labels.csv")]),
            str(tmp_path / "auto"),
            AutoOptions(**{"audit": 50, **options}),  # type: ignore[arg-type]
            now=NOON,
        )
        if wrong is not None:
            said = {name: label[name] for name in names_in(tmp_path / "auto/audit.manifest")}
            said |= dict.fromkeys([n for n in said if said[n] == "dog"][:wrong], "Other")
            lines = "".join(f"{name},{what}\n" for name, what in said.items())
            (tmp_path / "said.csv").write_text(f"task,label\n{lines}")
            measure(str(tmp_path / "auto"), [str(tmp_path / "said.csv")], now=NOON)
        return tmp_path / "auto"

    return write


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def page_of(folder: Path) -> str:
    write_report(str(folder), str(folder.parent / "page.html"))
    return (folder.parent / "page.html").read_text()


def words_in(page: str) -> str:
    main = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", main)).split())


# ----------------------------------------------------------------------------- what is promised


def test_the_promise_stands_first_with_its_caution(make: Make) -> None:
    folder = make()
    promise = summary(folder)["promise"]
    results = read_results(str(folder))
    part = sections(results)[0]
    assert part.title == "Promise"
    assert part.words.startswith(f"{promise['sentence']}. {promise['caution']} ")
    assert "2 labels were taken over from near-copies of labeled images" in part.words
    assert (f"95{NBSP}%", "promised to be right") in headline(results)
    assert not any(what == "certain" for _, what in headline(results))  # nobody is, of a machine
    assert ("Learned from", "240 labeled images") in facts(results)
    assert ("Left to people", f"{summary(folder)['rest']} images") in facts(results)
    assert "Where the labels were not drawn at random from the pool" in words_in(page_of(folder))


def test_every_class_has_its_threshold_and_its_number_of_labels(make: Make) -> None:
    folder = make()
    said = {each["name"]: each for each in summary(folder)["thresholds"]}
    grid = sections(read_results(str(folder)))[0].grid
    assert grid is not None
    assert grid.columns == ("class", "labels", "from", "cases right")
    assert {row[0] for row in grid.rows} == {"Other", "cat", "dog"}
    numbers = [int(str(row[1])) for row in grid.rows]
    assert numbers == sorted(numbers, reverse=True)
    for name, labels, least, right in grid.rows:
        each = said[str(name)]
        assert labels == str(each["labels"])
        assert least == f"{each['threshold']:.2f}"
        assert right == f"{each['right']} of {each['cases']}"


def test_of_a_class_that_is_given_to_nothing_it_says_why(make: Make) -> None:
    folder = make(each=True, target_accuracy=0.97)
    grid = sections(read_results(str(folder)))[0].grid
    assert grid is not None and grid.columns[-1] == "why none"
    refused = [row for row in grid.rows if row[2] == "\N{EN DASH}"]
    assert refused and all(row[-1] for row in refused)
    assert re.search(r"; \d+ of its \d+ predictions right$", str(refused[0][-1]))
    assert all(not row[-1] for row in grid.rows if row not in refused)


def test_copies_alone_are_promised_nothing(make: Make) -> None:
    folder = make(rows=ROWS[:40])
    results = read_results(str(folder))
    promise, audit = sections(results)[:2]
    assert promise.words.startswith("Nothing is promised. Nothing can be labeled automatically yet")
    assert promise.grid is None
    assert audit.words == "Nobody has checked these labels: all are copies of labels of people."
    assert not any("promised" in what for _, what in headline(results))


# ----------------------------------------------------------------------------- what was measured


def test_where_nobody_has_checked_them_it_says_so_and_what_to_run(make: Make) -> None:
    folder = make()
    results = read_results(str(folder))
    audit = sections(results)[1]
    assert audit.words.startswith(
        "Nobody has checked these labels yet. auto/audit.manifest holds a random sample of 50 "
    )
    assert audit.commands == (
        "gandt label auto/audit.manifest --labels cat,dog,Other --out auto-audit.answers",
        "gandt aggregate auto-audit.answers --out auto-audit/",
        "gandt autolabel --audited auto-audit/ --out auto",
    )
    assert headline(results)[-1] == ("0 of 50", "checked by people")
    assert all(command in words_in(page_of(folder)) for command in audit.commands)


def test_without_a_sample_it_says_how_to_draw_one(make: Make) -> None:
    audit = sections(read_results(str(make(audit=0))))[1]
    assert audit.words.endswith("run `gandt autolabel` again with --audit 100.")
    assert audit.commands == ()


@pytest.mark.parametrize(
    ("wrong", "title", "right"),
    [
        (0, "Audit: the promise is not proven yet", "100"),
        (8, "Audit: the promise is refuted", "84"),
    ],
)
def test_what_people_found_is_a_number_with_its_interval(
    make: Make, wrong: int, title: str, right: str
) -> None:
    folder = make(wrong=wrong)
    measured = summary(folder)["audit"]
    results = read_results(str(folder))
    audit = sections(results)[1]
    assert audit.title == title
    assert audit.words.startswith(measured["sentence"])
    assert audit.words.endswith(measured["advice"].replace(str(folder), "auto") + ".")
    number, what = headline(results)[-1]
    low, high = (f"{100 * measured[end]:.1f}" for end in ("low", "high"))
    assert number == f"{right}{NBSP}%"
    assert what == f"of 50 checked are right ({low}\N{EN DASH}{high}{NBSP}%)"
    assert f"({low}% to {high}%, 95% interval)" in audit.words  # no number is rounded twice
    grid = audit.charts[0].grid
    assert grid is not None
    assert grid.rows[0][:3] == ("all checked", str(50 - wrong), "50")
    assert {row[0] for row in grid.rows[1:]} == {"Other", "cat", "dog"}
    checked = [int(str(row[2])) for row in grid.rows[1:]]
    assert checked == sorted(checked, reverse=True)
    assert str(folder.parent) not in audit.words  # a page is read on other machines


def test_with_enough_checked_the_promise_is_confirmed(make: Make) -> None:
    audit = sections(read_results(str(make(wrong=0, audit=100))))[1]
    assert audit.title == "Audit: the promise is confirmed"


def test_images_on_which_people_differ_are_shown_with_both_labels(make: Make) -> None:
    folder = make(wrong=8)
    results = read_results(str(folder))
    with (folder / "audit.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["people"] != row["machine"]]
    rows.sort(key=lambda row: -float(row["confidence"]))
    assert [*results.replies] == [row["task"] for row in rows]  # the worst mistakes first
    for people, machine in results.replies.values():
        assert (people.labels, machine.labels) == (("Other",), ("dog",))
        assert people.worker == "people"
        assert re.fullmatch(rf"machine, (> )?\d+{NBSP}%".replace(" )", f"{NBSP})"), machine.worker)
    said = words_in(page_of(folder))
    assert "Where people said something else" in said
    assert "Other people dog machine, " in said
    assert "Where people said" not in words_in(page_of(make_agreed(folder)))


def make_agreed(folder: Path) -> Path:
    """The same folder, measured by people who say what the machine said."""
    tasks = [line.split(",") for line in (folder / "audit.csv").read_text().splitlines()[1:]]
    lines = "".join(f"{cells[0]},{cells[1]}\n" for cells in tasks)
    (folder.parent / "agreed.csv").write_text(f"task,label\n{lines}")
    measure(str(folder), [str(folder.parent / "agreed.csv")], now=NOON)
    return folder


@pytest.mark.parametrize("wrong", [None, 8])
def test_paper_says_the_same(make: Make, wrong: int | None) -> None:
    pdfium = pytest.importorskip("pypdfium2")
    folder = make(wrong=wrong)
    write_report(str(folder), str(folder.parent / "page.pdf"), format="pdf")
    with pdfium.PdfDocument(str(folder.parent / "page.pdf")) as document:
        pages = [page.get_textpage().get_text_range() for page in document]
    words = " ".join(" ".join(pages).split())
    for part in sections(read_results(str(folder)))[:2]:
        assert part.title in words
        assert part.words[:60] in words
        assert all(command in words for command in part.commands)
    assert ("Where people said something else" in words) == (wrong is not None)


# --------------------------------------------------------------------------------------- chart


def picture() -> Picture:
    measured = [
        Measured("", 100, 90, 0.82, 0.96),
        Measured("cat", 60, 60, 0.94, 1.0),
        Measured("dog", 40, 30, 0.6, 0.87),
    ]
    return audit_chart(measured, 0.95, 440)


def test_the_interval_lies_beside_the_promise() -> None:
    marks = picture().marks
    (goal,) = (mark for mark in marks if isinstance(mark, Line) and mark.dashed)
    spans = [mark for mark in marks if isinstance(mark, Line) and mark.width == 2.5]
    dots = [mark for mark in marks if isinstance(mark, Dot)]
    assert [span.x1 < goal.x1 < span.x2 for span in spans] == [True, True, False]
    assert [span.color for span in spans] == ["machine", "machine", "bad"]  # below all of it
    assert all(span.x1 < dot.x <= span.x2 for span, dot in zip(spans, dots, strict=True))
    assert dots[1].x == max(mark.x for mark in dots)


def test_its_axis_ends_at_all_and_begins_below_the_least() -> None:
    said = [mark.text for mark in picture().marks if isinstance(mark, Text)]
    ticks = [text for text in said if re.fullmatch(rf"\d+{NBSP}%", text)]
    assert ticks == [f"{share}{NBSP}%" for share in (60, 70, 80, 90, 100)]
    high = audit_chart([Measured("", 100, 100, 0.964, 1.0)], 0.95, 440)
    first = next(mark.text for mark in high.marks if isinstance(mark, Text))
    assert first == f"90{NBSP}%"


def test_it_is_told_to_who_cannot_see_it() -> None:
    assert picture().words == (
        f"Right, of those checked; 95{NBSP}% promised. "
        "all checked: 90 of 100, 95 % interval 0.820 to 0.960; "
        "cat: 60 of 60, 95 % interval 0.940 to 1.000; "
        "dog: 30 of 40, 95 % interval 0.600 to 0.870."
    )
