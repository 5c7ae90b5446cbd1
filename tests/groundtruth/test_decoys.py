"""Known images stand among the others: counted, recognized by the readers, hidden from workers."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.groundtruth.answer_tables import read_gold
from gandt.groundtruth.asked_tasks import read_asked
from gandt.groundtruth.check import check_manifest
from gandt.groundtruth.gold import (
    MAX_TASKS,
    deal_tasks,
    gold_wanted,
    line_places,
    tells,
    write_gold_table,
)
from gandt.groundtruth.job_folder import sort_files
from gandt.groundtruth.manifest import (
    ManifestSummary,
    TaskExamples,
    is_manifest,
    read_every_name,
    read_source_refs,
    write_manifest,
)
from gandt.groundtruth.responses import read_answers
from gandt.groundtruth.task_lines import task_line
from gandt.groundtruth.uri_map import UriMap
from gandt.labeling.render import render_page, task_input
from gandt.labeling.templates import bake, read_template
from gandt.types import Candidate, Gold, KnownImage, Selection

CLASSES = ("Birthday", "Wedding")


def selection(
    candidates: int, known: int, *, share: float = 0.1, seed: int = 0, label: str = "Wedding"
) -> Selection:
    picks = tuple(
        Candidate(f"/p/{n}.jpg", CLASSES[n % 2], n + 1, 0.75, 0.8, "/s/w.jpg", "auto")
        for n in range(candidates)
    )
    images = tuple(KnownImage(f"/k/{n}.jpg", (label,)) for n in range(known))
    return Selection(picks, CLASSES, "auto", gold=Gold(images, share, seed))


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def tiles_of(record: dict[str, object]) -> list[dict[str, object]]:
    return json.loads(str(record["source"]))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "round1.manifest"


class TestHowMany:
    @pytest.mark.parametrize(
        ("candidates", "share", "wanted"),
        [(90, 0.1, 10), (500, 0.1, 56), (9, 0.1, 1), (2, 0.01, 1), (10, 0.5, 10), (10, 0.9, 90)],
    )
    def test_the_share_is_of_all_that_is_asked(
        self, candidates: int, share: float, wanted: int
    ) -> None:
        assert gold_wanted(candidates, share) == wanted


class TestPlacesOfLines:
    @given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 5))
    def test_each_equal_part_of_the_list_has_one(
        self, candidates: int, known: int, seed: int
    ) -> None:
        places = line_places(candidates, known, np.random.default_rng(seed))
        total = candidates + known
        assert len(places) == known
        for part, place in enumerate(places):
            assert total * part // known <= place < total * (part + 1) // known

    def test_their_distances_follow_no_rule(self) -> None:
        places = line_places(900, 100, np.random.default_rng(0))
        assert len(set(np.diff(places).tolist())) > 10


class TestDealing:
    @given(
        st.integers(1, 80), st.integers(1, 30), st.integers(1, 90), st.integers(1, 25),
        st.integers(0, 3),
    )  # fmt: skip
    def test_any_numbers(
        self, candidates: int, known: int, wanted: int, size: int, seed: int
    ) -> None:
        wanted = max(wanted, known)  # never more are drawn than wanted
        tasks = deal_tasks(candidates, known, wanted, size, np.random.default_rng(seed))
        shown = [image for task in tasks for image in task]
        counts = Counter(shown)
        assert all(counts[image] == 1 for image in range(candidates))
        planted = [counts[candidates + image] for image in range(known)]
        assert min(planted) >= 1
        assert max(planted) <= MAX_TASKS
        assert max(planted) - min(planted) <= 1
        assert sum(planted) <= wanted
        assert max(map(len, tasks)) <= size
        assert max(map(len, tasks)) - min(map(len, tasks)) <= 1
        each = [sum(image >= candidates for image in task) for task in tasks]
        assert max(each) - min(each) <= 1
        for task in tasks:
            assert len(set(task)) == len(task)
            own = [image for image in task if image < candidates]
            assert own == sorted(own)

    def test_enough_images_come_once_each(self) -> None:
        tasks = deal_tasks(90, 10, 10, 20, np.random.default_rng(0))
        assert [sum(image >= 90 for image in task) for task in tasks] == [2] * 5
        assert Counter(image for task in tasks for image in task).most_common(1)[0][1] == 1

    def test_too_few_come_again_in_other_tasks_and_with_others(self) -> None:
        tasks = deal_tasks(360, 16, 40, 20, np.random.default_rng(0))
        together = [frozenset(i for i in task if i >= 360) for task in tasks]
        assert {len(images) for images in together} == {2}
        assert len(set(together)) >= 16  # of 120 pairs, 20 were drawn

    def test_a_single_one_is_not_shown_for_ever(self) -> None:
        tasks = deal_tasks(1000, 1, 111, 20, np.random.default_rng(0))
        assert sum(1000 in task for task in tasks) == MAX_TASKS

    def test_one_task_shows_each_once(self) -> None:
        (task,) = deal_tasks(5, 2, 5, 20, np.random.default_rng(0))
        assert sorted(task) == list(range(7))

    def test_places_within_a_task_vary(self) -> None:
        tasks = deal_tasks(360, 40, 40, 20, np.random.default_rng(0))
        places = Counter(task.index(i) for task in tasks for i in task if i >= 360)
        assert len(places) > 12


class TestOneImageOnALine:
    def test_known_images_stand_among_the_candidates(self, out: Path) -> None:
        chosen = selection(18, 2)
        summary = write_manifest(str(out), chosen)
        lines = records(out)
        known = [line for line in lines if "gandt-gold" in line]
        assert known == [{"source-ref": f"/k/{n}.jpg", "gandt-gold": "Wedding"} for n in range(2)]
        assert (summary.images, summary.tasks, summary.known_asked) == (20, 20, 2)
        assert summary.known == (("/k/0.jpg", "Wedding"), ("/k/1.jpg", "Wedding"))
        rest = out.with_name("rest.manifest")
        write_manifest(str(rest), replace(chosen, gold=None))
        assert [line for line in lines if "gandt-gold" not in line] == records(rest)

    def test_several_labels_are_a_list(self, out: Path) -> None:
        chosen = selection(3, 1)
        gold = Gold((KnownImage("/k/0.jpg", CLASSES),), 0.25)
        write_manifest(str(out), replace(chosen, gold=gold))
        (line,) = (line for line in records(out) if "gandt-gold" in line)
        assert line["gandt-gold"] == list(CLASSES)

    def test_a_label_for_no_class_stays_as_it_is_called(self, out: Path) -> None:
        write_manifest(str(out), selection(3, 1, label="Other"))
        assert [r["gandt-gold"] for r in records(out) if "gandt-gold" in r] == ["Other"]

    def test_rewritten_references_keep_their_name_in_the_pool(self, out: Path) -> None:
        rules = UriMap.parse(["/k=s3://gt-demo/x", "/p=s3://gt-demo/p"])
        summary = write_manifest(str(out), selection(3, 1), uri_map=rules)
        (line,) = (line for line in records(out) if "gandt-gold" in line)
        assert line["source-ref"] == "s3://gt-demo/x/0.jpg"
        assert line["gandt-pool-uri"] == "/k/0.jpg"
        assert summary.known[0][0] == "/k/0.jpg"
        assert check_manifest(str(out)).findings == ()

    def test_the_seed_decides_the_places(self, out: Path) -> None:
        def places(seed: int) -> list[int]:
            write_manifest(str(out), selection(90, 10, seed=seed))
            return [n for n, line in enumerate(records(out)) if "gandt-gold" in line]

        assert places(0) == places(0) != places(1)


class TestTiles:
    def write(self, out: Path, chosen: Selection, size: int = 10) -> ManifestSummary:
        rules = UriMap.parse(["/k=s3://gt-demo/x", "/p=s3://gt-demo/p"])
        return write_manifest(str(out), chosen, group_size=size, uri_map=rules)

    def test_a_list_beside_the_source_names_the_known(self, out: Path) -> None:
        self.write(out, selection(45, 5))
        for record in records(out):
            tiles, golds = tiles_of(record), record["gandt-golds"]
            assert isinstance(golds, list)
            assert len(golds) == len(tiles)
            for tile, gold in zip(tiles, golds, strict=True):
                assert ("/x/" in str(tile["source-ref"])) == (gold is not None)
                assert gold in (None, "Wedding")

    def test_a_task_without_one_has_no_such_list(self, out: Path) -> None:
        self.write(out, selection(45, 1, share=0.02))
        assert sum("gandt-golds" in record for record in records(out)) == 1

    def test_neither_index_nor_order_tells_them_from_the_others(self, out: Path) -> None:
        self.write(out, selection(360, 40), 20)
        known, all_of_them = [], []
        for record in records(out):
            golds = record["gandt-golds"]
            assert isinstance(golds, list)
            for tile, gold in zip(tiles_of(record), golds, strict=True):
                assert set(tile) <= {
                    "source-ref", "index", "event_names", "positive_examples",
                    "negative_examples", "other_category_label",
                }  # fmt: skip
                all_of_them.append(tile["index"])
                if gold is not None:
                    known.append(tile["index"])
        assert sorted(map(str, all_of_them)) == sorted(map(str, range(400)))
        # Of 40 numbers drawn from 400 the mean is 200 ± 18.
        assert 140 < np.mean([int(str(index)) for index in known]) < 260

    def test_an_image_that_comes_again_keeps_its_index(self, out: Path) -> None:
        summary = self.write(out, selection(360, 8), 20)
        assert (len(summary.known), summary.known_asked, summary.images) == (8, 40, 400)
        indexes: dict[object, set[object]] = {}
        for record in records(out):
            for tile in tiles_of(record):
                indexes.setdefault(tile["source-ref"], set()).add(tile["index"])
        assert all(len(found) == 1 for found in indexes.values())
        assert len(indexes) == len(set.union(*indexes.values())) == 368
        report = check_manifest(str(out))
        assert (report.findings, report.images) == ((), 400)

    def test_no_class_is_named_as_the_workers_choose_it(self, out: Path) -> None:
        for label in ("Other", "None of the above"):
            write_manifest(
                str(out), selection(9, 1, label=label), group_size=5,
                examples=TaskExamples(other_label="Neither"),
            )  # fmt: skip
            (gold,) = (
                gold for r in records(out) for gold in r.get("gandt-golds", []) if gold is not None
            )
            assert gold == "Neither"

    def test_the_classes_that_workers_see_stay_the_same(self, out: Path) -> None:
        self.write(out, selection(9, 1, label="Other"))
        assert {str(tiles_of(record)[0]["event_names"]) for record in records(out)} == {
            str(list(CLASSES))
        }

    def test_a_group_too_large_is_refused_with_the_size_that_fits(self, out: Path) -> None:
        from gandt.errors import ManifestError

        chosen = selection(60, 6)
        long = tuple(
            replace(pick, uri=f"/p/{'x' * 990}/{pick.rank}.jpg") for pick in chosen.candidates
        )
        with pytest.raises(ManifestError, match=r"use --group-size \d+") as refused:
            write_manifest(str(out), replace(chosen, candidates=long), group_size=30)
        size = int(str(refused.value).split("--group-size ")[1].rstrip("."))
        write_manifest(str(out), replace(chosen, candidates=long), group_size=size)
        assert not [f for f in check_manifest(str(out)).findings if f.severity == "error"]


class TestTilesKey:
    def test_it_is_what_the_source_holds(self, out: Path) -> None:
        summary = write_manifest(str(out), selection(9, 1), group_size=5)
        assert summary.tiles_key
        for record in records(out):
            assert record["tiles"] == tiles_of(record)

    def test_it_can_be_left_out(self, out: Path) -> None:
        summary = write_manifest(str(out), selection(9, 1), group_size=5, tiles_key=False)
        assert not summary.tiles_key
        assert all("tiles" not in record for record in records(out))

    def test_one_image_on_a_line_has_none(self, out: Path) -> None:
        assert not write_manifest(str(out), selection(9, 1)).tiles_key
        assert all("tiles" not in record for record in records(out))

    def test_it_gives_way_where_lines_would_grow_too_long(self, out: Path) -> None:
        chosen = selection(20, 0)
        picks = tuple(
            replace(pick, uri=f"s3://bbb/{'写' * 850}/{pick.rank}.jpg")
            for pick in chosen.candidates
        )
        summary = write_manifest(str(out), replace(chosen, candidates=picks), group_size=20)
        assert not summary.tiles_key
        assert max(map(len, out.read_bytes().splitlines())) < 100_000

    def test_readers_pass_it_over(self, out: Path) -> None:
        with_key, without = out, out.with_name("without.manifest")
        write_manifest(str(with_key), selection(9, 1), group_size=5)
        write_manifest(str(without), selection(9, 1), group_size=5, tiles_key=False)
        assert is_manifest(str(with_key))
        for read in (read_source_refs, read_every_name):
            assert list(read(str(with_key))) == list(read(str(without)))
        one, two = (read_asked(str(path), pytest.fail) for path in (with_key, without))
        for key in ("names", "indexes", "references", "golds", "classes", "other"):
            assert [getattr(t, key) for t in one.values()] == [
                getattr(t, key) for t in two.values()
            ]
        names = one[0].names
        lines = {name: one[0].record for name in names}
        assert task_line(names[0], lines, None) == {"source-ref": names[0]}

    def test_one_that_differs_from_the_source_is_warned_of(self, out: Path) -> None:
        write_manifest(str(out), selection(9, 0), group_size=5)
        text = out.read_text()
        place = text.rindex("/p/")
        out.write_text(text[:place] + "/q/" + text[place + 3 :])
        report = check_manifest(str(out))
        assert dict(report.kinds)["tiles-key"] == 1
        assert report.ok


class TestPages:
    """Nothing in a page may depend on what is known."""

    @pytest.mark.parametrize("size", [None, 6])
    @pytest.mark.parametrize("pre_annotation", [True, False])
    def test_a_page_is_the_same_to_the_byte_without_our_notes(
        self, out: Path, size: int | None, pre_annotation: bool
    ) -> None:
        write_manifest(str(out), selection(18, 2, share=0.1), group_size=size)
        template = bake(
            read_template("image-classification" if size is None else "tiles"), labels=CLASSES
        )

        def page(record: dict[str, object]) -> str:
            task = task_input(record, pre_annotation=pre_annotation)
            return render_page(template, task, grant_read_access=str, stand_in=True)

        known = 0
        for record in records(out):
            known += any("gandt-gold" in key for key in record)
            bare = {key: value for key, value in record.items() if not key.startswith("gandt-")}
            shown = page(record)
            assert shown == page(bare)
            assert "gandt-" not in shown
        assert known == 2

    def test_the_page_of_tiles_shows_them_all_without_a_lambda(self, out: Path) -> None:
        write_manifest(str(out), selection(9, 1), group_size=5)
        for record in records(out):
            page = render_page(
                read_template("tiles"),
                task_input(record, pre_annotation=False),
                grant_read_access=str,
            )
            for tile in tiles_of(record):
                assert f'data-index="{tile["index"]}" data-src="{tile["source-ref"]}"' in page


class TestAnswers:
    """What `gandt aggregate` makes of them; `new_job` lays a finished job out on disk."""

    def lines(self, out: Path, known: int = 1) -> list[dict[str, object]]:
        write_manifest(str(out), selection(9, known, share=0.3), group_size=5)
        return records(out)

    def answer(
        self, job: Callable, number: int, line: dict[str, object], worker: str, label: str
    ) -> None:
        fields = {f"labels-{tile['index']}": json.dumps([label]) for tile in tiles_of(line)}
        job.answer(number, worker, fields)

    def test_an_image_planted_twice_is_no_double_answer(self, out: Path, new_job: Callable) -> None:
        lines = self.lines(out)
        job = new_job(lines)
        for number, line in enumerate(lines):
            self.answer(job, number, line, "anna", "Wedding")
        answers = read_answers([job.write().uri], strict=True)
        assert answers.gold == {"/k/0.jpg": ("Wedding",)}
        assert list(answers.task).count("/k/0.jpg") == 1
        assert sum("/k/0.jpg" in str(line["source"]) for line in lines) > 1

    def test_a_double_answer_to_one_task_still_is(self, out: Path, new_job: Callable) -> None:
        lines = self.lines(out)
        job = new_job(lines)
        for number, line in enumerate(lines):
            self.answer(job, number, line, "anna", "Wedding")
        self.answer(job, 0, lines[0], "anna", "Birthday")
        oddities = read_answers([job.write().uri]).oddities
        assert Counter(oddity.kind for oddity in oddities) == {"duplicate": len(tiles_of(lines[0]))}

    def test_the_line_of_a_known_tile_says_so_and_nothing_of_the_others(
        self, out: Path, new_job: Callable
    ) -> None:
        lines = self.lines(out)
        job = new_job(lines)
        self.answer(job, 0, lines[0], "anna", "Wedding")
        found = read_answers([job.write().uri]).lines
        assert found["/k/0.jpg"] == {"source-ref": "/k/0.jpg", "gandt-gold": "Wedding"}
        assert found["/p/0.jpg"] == {"source-ref": "/p/0.jpg"}


class TestTable:
    # A cell of a table that says "null" is empty, and one in brackets is a list.
    words = st.text(st.characters(exclude_categories=["Cs", "Cc"])).map(lambda t: f"a {t} z")

    @given(st.lists(st.tuples(words, words | st.lists(words, min_size=2, unique=True))))
    def test_what_is_written_is_read_as_gold(
        self, tmp_path_factory: pytest.TempPathFactory, known: list[tuple[str, object]]
    ) -> None:
        known = list(dict(known).items())
        path = tmp_path_factory.getbasetemp() / "round1.gold.csv"
        write_gold_table(str(path), known)
        expected = {
            task: tuple(label) if isinstance(label, list) else (label,) for task, label in known
        }
        assert read_gold(str(path), kind="multi") == expected

    def test_people_read_it_too(self, out: Path) -> None:
        path = out.with_name("round1.gold.csv")
        write_gold_table(str(path), [("/k/0.jpg", "Wedding"), ("/k/1.jpg", ["A", "B"])])
        with path.open(newline="") as file:
            assert list(csv.reader(file)) == [
                ["task", "label"], ["/k/0.jpg", "Wedding"], ["/k/1.jpg", '["A", "B"]'],
            ]  # fmt: skip

    def test_it_is_found_among_the_answers_whatever_the_round_is_called(self) -> None:
        found = sort_files(["/a/round1.gold.csv", "/a/gold.csv", "/a/marigold.csv"])
        assert found.gold == ["/a/round1.gold.csv", "/a/gold.csv"]
        assert found.loose == ["/a/marigold.csv"]


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("s3://b/gold/1.jpg", True),
        ("s3://b/x/Wedding/1.jpg", True),
        ("s3://b/x/WEDDING/1.jpg", True),
        ("s3://b/weddings/1.jpg", False),
        ("s3://b/images/0f3a.jpg", False),
        ("s3://gold/1.jpg", True),
        ("/home/gold/Wedding/1.jpg", False),  # uploaded under a name of its own
    ],
)
def test_an_address_that_gives_an_image_away_is_seen(reference: str, told: bool) -> None:
    assert tells(reference, ["Wedding"]) is told
