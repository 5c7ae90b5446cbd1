"""A rehearsal on an index: what is played, what is written, and what is said of it."""

from __future__ import annotations

import csv
import html
import io
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from clustered_pools import clusters
from desk_browser import CHROMIUM, DRIVER, HOW, Person
from rounds_files import write_index

from gandt.active.simulate import Played, Strategy
from gandt.errors import UsageError
from gandt.report.charts import Line, Text
from gandt.rounds.rehearsal.files import check_folder, history_rows, write_rehearsal
from gandt.rounds.rehearsal.page import rehearsal_page
from gandt.rounds.rehearsal.plots import accuracy_plot, found_plot
from gandt.rounds.rehearsal.rehearsal import Progress, Rehearsal, RehearsalOptions, rehearse
from gandt.rounds.rehearsal.words import (
    conclusion,
    lines,
    milestones,
    standings,
    stop_sentence,
    summary,
)

SIZES = {"<rare>": 30, "common": 170, "usual": 200}
PLAIN = RehearsalOptions(
    targets=("<rare>",), rounds=4, budget=20, workers=0, target_accuracy=None, repeat=2
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pool.index` of 400 images, and `truth.csv`."""
    folder = tmp_path_factory.mktemp("rehearsal")
    vectors, which = clusters(tuple(SIZES.values()), spread=1.2)
    uris = [f"/photos/{number:03d}.jpg" for number in range(len(vectors))]
    write_index(folder / "pool.index", vectors, uris)
    names = list(SIZES)
    rows = "".join(f"{uri[-7:]},{names[code]}\n" for uri, code in zip(uris, which, strict=True))
    (folder / "truth.csv").write_text(f"name,label\n{rows}")
    return folder


def play(pool: Path, **changes: object) -> Rehearsal:
    options = replace(PLAIN, **changes)  # type: ignore[arg-type]
    return rehearse(str(pool / "pool.index"), str(pool / "truth.csv"), options)


@pytest.fixture(scope="module")
def told(pool: Path) -> Rehearsal:
    """The truth is told, until the verdict is to stop and beyond."""
    return play(
        pool,
        rounds=5,
        budget=30,
        beside=("random", "nearest", "scan"),
        target_accuracy=0.9,
    )


@pytest.fixture(scope="module")
def asked(pool: Path) -> Rehearsal:
    """Workers who err, some of them asked again, about two classes."""
    return play(
        pool,
        targets=("<rare>", "common"),
        workers=5,
        answers=2,
        mix={"find": 0.5, "learn": 0.5},
        repeat=1,
        beside=("random",),
    )


class TestPlay:
    def test_all_begin_from_the_same_seeds_and_spend_the_same(self, told: Rehearsal) -> None:
        assert list(told.games) == ["rounds", "scan", "nearest", "random"]
        for games in told.games.values():
            assert len(games) == 2
            assert [state.labels for state in games[0]] == [30 * n for n in range(6)]
        assert told.there == (25,)
        assert told.open == 395

    def test_ours_finds_more_than_chance(self, told: Rehearsal) -> None:
        ours, chance = told.means("rounds")[-1], told.means("random")[-1]
        assert ours.found[0] > 20 > chance.found[0]

    def test_draws_differ_and_means_are_theirs(self, told: Rehearsal) -> None:
        one, two = (game[2] for game in told.games["random"])
        reached = [[state.reached for state in game] for game in told.games["random"]]
        assert reached[0] != reached[1]
        assert told.means("random")[2].found[0] == (one.found[0] + two.found[0]) / 2
        assert told.means("random")[2].reached == pytest.approx((one.reached + two.reached) / 2)

    def test_a_stop_is_judged_by_what_was_known_before_it(self, told: Rehearsal) -> None:
        stop = told.stops()[0]
        assert stop is not None
        game = told.games["rounds"][0]
        assert game[stop.round + 1].stop
        assert not any(state.stop for state in game[: stop.round + 1])
        assert stop.labels == game[stop.round].labels
        assert stop.found[0] + stop.left[0] == 25
        assert stop.held == (stop.left[0] <= stop.at_most[0])

    def test_it_can_end_at_the_stop_and_others_spend_what_ours_did(
        self, pool: Path, told: Rehearsal
    ) -> None:
        ended = play(pool, rounds=5, budget=30, until_stop=True, beside=("random",))
        first = [len(game) for game in ended.games["rounds"]]
        assert first == [stop.round + 2 for stop in told.stops() if stop]
        assert [len(game) for game in ended.games["random"]] == first
        # A draw that ended stays as it was while another goes on.
        assert len(ended.means("rounds")) == max(first)

    def test_the_budget_is_a_hundredth_of_the_pool_but_no_less_than_ten(self, pool: Path) -> None:
        assert play(pool, budget=None, rounds=1, repeat=1, beside=()).budget == 10

    def test_classes_to_find_are_the_rarer_half_but_the_contrast_class(self, pool: Path) -> None:
        played = play(pool, targets=(), other="usual", rounds=1, repeat=1, beside=())
        assert played.targets == ("<rare>",)
        assert not played.notes
        played = play(pool, targets=(), other="usual", seeds=30, rounds=1, repeat=1, beside=())
        assert played.targets == ("common",)
        assert "'<rare>' has no more images than the 30 seeds" in played.notes[0]

    def test_a_pool_that_ends_is_said(self, pool: Path) -> None:
        played = play(pool, budget=300, repeat=1, beside=())
        assert played.notes == ("the pool was labeled to its end after 2 rounds.",)

    def test_progress_comes_after_every_round_and_ends_at_all(self, pool: Path) -> None:
        told: list[Progress] = []
        rehearse(
            str(pool / "pool.index"),
            str(pool / "truth.csv"),
            replace(PLAIN, rounds=2, beside=("nearest",)),
            on_progress=told.append,
        )
        assert [(step.strategy, step.draw, step.played.round) for step in told] == [
            (strategy, draw, number)
            for draw in (1, 2)
            for strategy in ("rounds", "nearest")
            for number in (0, 1, 2)
        ]
        done = [step.done for step in told]
        assert done == sorted(done)
        assert done[-1] == told[-1].total == 8

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"targets": ("bear",)}, "no class 'bear' among the true labels"),
            ({"seeds": 30}, "has 30 images, and 30 seeds leave none to find"),
            ({"seeds": 250, "targets": ()}, "No class has more images than the 250 seeds"),
        ],
    )
    def test_classes_that_do_not_serve_are_refused(
        self, pool: Path, changes: dict[str, object], said: str
    ) -> None:
        with pytest.raises(UsageError, match=said):
            play(pool, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"repeat": 0}, "repeat is 0"),
        ({"rounds": 0}, "rounds is 0"),
        ({"workers": 2, "answers": 3}, "as many workers"),
        ({"workers": 0, "answers": 3}, "there are none"),
        ({"target_accuracy": 1.0}, "cannot be kept"),
        ({"beside": ("luck",)}, "no strategy 'luck'"),
        ({"uniform": 1.5}, "uniform is 1.5"),
        ({"mix": {}}, "goal"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(
    changes: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        RehearsalOptions(**changes)  # type: ignore[arg-type]


def made(
    games: dict[Strategy, list[list[int]]],
    *,
    answers: int = 0,
    more: int = 0,
    automatic: tuple[int, ...] = (0, 0),
) -> Rehearsal:
    """A rehearsal of 10 images to find among 105, 5 of them seeds: what each draw had found.

    Rounds are of 10 images, with so many answers each where there are workers, and `more` to images
    asked again; `automatic` is of each draw.
    """

    def states(draw: int, found: list[int]) -> tuple[Played, ...]:
        return tuple(
            Played(
                number,
                10 * number,
                10 * number * max(answers, 1) + more * number,
                np.array([hits]),
                (hits / 10,),
                1.0,
                0.0,
                0.0,
                automatic[draw],
                1.0,
                False,
                1.0,
                (0.0,),
            )
            for number, hits in enumerate(found)
        )

    options = replace(
        PLAIN,
        workers=answers,
        answers=answers or None,
        target_accuracy=0.95,
        repeat=len(games["rounds"]),
    )
    played = {
        strategy: tuple(states(draw, found) for draw, found in enumerate(draws))
        for strategy, draws in games.items()
    }
    return Rehearsal(
        *("pool.index", "truth.csv", 105, ("Other", "<rare>"), (90, 15), ("<rare>",), (10,)),
        *(options, 10, played, 0.0, ()),
    )


class TestConclusion:
    def test_it_tells_what_all_took_and_what_others_had_by_then(self) -> None:
        played = made({"rounds": [[0, 4, 9, 10, 10]], "nearest": [[0, 2, 4, 5, 6]]})
        assert conclusion(played) == (
            "all 10 within 30 labels, where nearest neighbor found 5 and chance would find 3"
        )

    @pytest.mark.parametrize(
        ("found", "said"),
        [
            ([0, 4, 9, 9], "90% of 10 within 20 labels, where chance would find 2"),
            ([0, 8, 8, 8], "80% of 10 within 10 labels, where chance would find 1"),
            (
                [0, 5, 6, 7],
                "half of 10 within 10 labels, where chance would find 1; 7 within 30 labels",
            ),
            ([0, 0, 1, 2], "2 of 10 within 30 labels, where chance would find 3"),
        ],
    )
    def test_it_tells_the_most_that_was_reached(self, found: list[int], said: str) -> None:
        assert conclusion(made({"rounds": [found]})) == said

    def test_people_are_paid_by_the_answer(self) -> None:
        played = made({"rounds": [[0, 4, 10]]}, answers=3)
        assert conclusion(played).startswith("all 10 within 20 labels (60 answers), where")

    def test_others_may_have_come_to_the_end_of_the_pool_before(self) -> None:
        played = made({"rounds": [[0, 1, 2, 10]], "nearest": [[0, 3, 10]]})
        assert "where nearest neighbor found 10 and" in conclusion(played)

    def test_milestones_are_of_means_and_told_to_the_end_of_a_round(self) -> None:
        played = made(
            {
                "rounds": [[0, 4, 9, 10], [0, 6, 9, 10]],
                "nearest": [[0, 0, 5, 5], [0, 0, 4, 5]],
                "random": [[0, 9, 9, 9], [0, 9, 9, 9]],
            }
        )
        assert milestones(played) == [
            ["", "half", "80%", "90%", "all"],
            ["gandt", "10", "20", "20", "30"],
            ["nearest neighbor", "30", *["\N{EN DASH}"] * 3],
            ["chance", "50", "80", "90", "100"],
        ]

    def test_milestones_are_told_in_answers_where_images_were_asked_again(self) -> None:
        played = made({"rounds": [[0, 5, 10]]}, answers=3, more=2)
        assert milestones(played)[1:] == [
            ["gandt", "32", "64", "64", "64"],
            ["chance", "150", "240", "270", "300"],
        ]
        assert "chance would find 2.1" in conclusion(played)  # 64 answers, three an image

    def test_automatic_labels_of_some_draws_alone_are_no_mean(self) -> None:
        played = made({"rounds": [[0, 1], [0, 2]]}, automatic=(0, 898))
        assert standings(played)[1][4] == "0 to 898"


class TestWords:
    def test_a_terminal_gets_a_table_with_a_line_each(self, told: Rehearsal) -> None:
        said = list(lines(told))
        assert said[0] == (
            "sought       30 images are <rare>, 7.5% of 400: 5 are seeds, 25 to find"
        )
        assert "5 rounds of 30 images, the truth told; means of 2 draws" in said[1]
        rows = [line for line in said if re.match(r"gandt|full scan|nearest|random", line)]
        assert [row.split("   ")[0] for row in rows] == [
            "gandt",
            "full scan",
            "nearest neighbor",
            "random order",
        ]
        assert all("of 25" in row for row in rows)
        assert "answers" not in said[2] + said[4]

    def test_where_people_err_answers_and_their_labels_are_counted(self, asked: Rehearsal) -> None:
        said = list(lines(asked))
        assert "2 answers each by 5 workers who are right in 85%" in said[1]
        assert "goals find 0.5, learn 0.5" in said[1]
        assert "labels right" in said[4]

    def test_a_stop_is_told_with_what_was_left_and_what_was_expected(self, told: Rehearsal) -> None:
        text = stop_sentence(told)
        assert text.startswith("would have been said in 2 of 2 draws, after ")
        assert re.search(r"of 25 found: \d.* left, where \d.* were expected at most$", text)

    def test_no_stop_is_told_too(self, asked: Rehearsal) -> None:
        assert stop_sentence(asked) == "would not have been said within 4 rounds"

    def test_machines_get_plain_numbers(self, told: Rehearsal, asked: Rehearsal) -> None:
        whole = summary(told)
        assert whole["targets"] == {"<rare>": 25}
        assert whole["strategies"]["rounds"]["labels"] == 150
        assert whole["strategies"]["random"]["rounds"] == 5
        assert whole["stops"][0]["left"]["<rare>"] == 25 - whole["stops"][0]["found"]["<rare>"]
        assert summary(asked)["stops"] == [None]
        assert summary(asked)["strategies"]["rounds"]["automatic_right"] is None


class TestPlots:
    def test_the_line_of_random_order_is_what_is_expected(self, told: Rehearsal) -> None:
        picture = found_plot(told)
        assert "random order: 9.49 at 150" in picture.words  # 25 * 150 / 395
        said = {mark.text for mark in picture.marks if isinstance(mark, Text)}
        assert {"9.5 expected", "all 25", "gandt", "nearest neighbor", "full scan"} <= said
        assert "images labeled by people, seeds not counted (means of 2 draws)" in said

    def test_the_stop_is_marked_at_its_mean(self, told: Rehearsal) -> None:
        stops = [stop.labels for stop in told.stops() if stop]
        mean = sum(stops) / len(stops)
        assert f"gandt next says: stop: at {mean:,.0f}." in found_plot(told).words

    def test_where_images_are_asked_again_answers_are_what_is_spent(self, asked: Rehearsal) -> None:
        last = asked.means("rounds")[-1]
        assert last.answers != 2 * last.labels
        picture = found_plot(asked)
        assert f"at {last.answers:,.0f}" in picture.words
        assert "answers given by people" in picture.words
        expected = sum(asked.there) * last.answers / 2 / asked.open  # two answers an image
        assert f"random order: {expected:.2f} at" in picture.words
        assert "gandt next says" not in picture.words

    def test_accuracy_stands_beside_the_commonest_class_and_peoples_labels(
        self, told: Rehearsal, asked: Rehearsal
    ) -> None:
        words = accuracy_plot(asked).words
        assert "people's labels: 0." in words
        assert "all usual: 0.5 at" in words
        assert "people's labels" not in accuracy_plot(told).words

    def test_a_narrow_plot_says_less(self, told: Rehearsal) -> None:
        said = {m.text for m in found_plot(told, 336, 330, brief=True).marks if isinstance(m, Text)}
        assert {"gandt", "nearest", "random", "images labeled"} <= said
        assert not any("expected" in text or "…" in text for text in said)

    def test_axes_begin_at_zero(self, asked: Rehearsal) -> None:
        for picture in (found_plot(asked), accuracy_plot(asked)):
            zeros = [m for m in picture.marks if isinstance(m, Text) and m.text == "0"]
            assert len(zeros) == 2
            grid = [m for m in picture.marks if isinstance(m, Line) and m.color == "line"]
            assert min(m.x1 for m in grid) == pytest.approx(min(m.x for m in zeros) + 6)


class TestFiles:
    def test_all_files_are_written_and_the_same_seed_writes_the_same(
        self, pool: Path, asked: Rehearsal, tmp_path: Path
    ) -> None:
        written = write_rehearsal(f"{tmp_path}/one/", asked)
        assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
            "accuracy.svg",
            "found.svg",
            "history.csv",
            "simulation.html",
        ]
        assert written["page"] == f"{tmp_path}/one/simulation.html"
        again = rehearse(asked.index, asked.truth, asked.options)
        write_rehearsal(str(tmp_path / "two"), again)
        for path in (tmp_path / "one").iterdir():
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
        ET.parse(tmp_path / "one" / "found.svg")

    def test_history_has_a_row_per_strategy_draw_round_and_class(self, asked: Rehearsal) -> None:
        text = "\n".join(",".join(row) for row in history_rows(asked))
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len(rows) == 2 * 5 * 2
        last = rows[9]
        assert (last["strategy"], last["round"], last["class"]) == ("rounds", "4", "common")
        game = asked.games["rounds"][0]
        assert int(last["found"]) == game[-1].found[1]
        assert float(last["recall"]) == pytest.approx(game[-1].recall[1], abs=1e-4)
        assert last["stop"] == last["at_most_left"] == ""
        assert rows[0]["labels_right"] == ""
        # The verdict of a round is on the state that it judged, and never beyond the pool.
        limit = min(game[1].upper_left[0], asked.open)
        assert float(rows[0]["at_most_left"]) == pytest.approx(limit, abs=1e-4)

    def test_a_folder_that_cannot_be_is_said_at_once(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for out in (tmp_path / "file", tmp_path / "file" / "deeper" / "still"):
            with pytest.raises(UsageError, match=r"file is a file; name a folder"):
                check_folder(str(out))
        check_folder(str(tmp_path / "new"))


class _Links(HTMLParser):
    """What a page loads or points to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "action")]


class TestPage:
    def test_it_says_what_it_does_not_tell(self, told: Rehearsal, asked: Rehearsal) -> None:
        page = rehearsal_page(told)
        for words in ("Other classes.", "Other people.", "Other seeds.", "Other pools."):
            assert f"<b>{words}</b>" in page
        assert "Every answer was right at once" in page
        assert "Real ones confuse what looks alike" in rehearsal_page(asked)
        assert "This is one draw" in rehearsal_page(asked)
        assert "This is one draw" not in page

    def test_it_needs_nothing_else_and_bears_any_name(self, told: Rehearsal) -> None:
        page = rehearsal_page(told)
        links = _Links()
        links.feed(page)
        assert links.found == []
        assert "default-src 'none'" in page
        assert "&lt;rare&gt;" in page
        assert "<rare>" not in page

    def test_the_conclusion_stands_first_and_what_was_left_in_is_said(
        self, told: Rehearsal, asked: Rehearsal
    ) -> None:
        page = rehearsal_page(told)
        lead = page.index(f'<p class="lead">gandt found {html.escape(conclusion(told))}.</p>')
        assert lead < page.index("<dl") < page.index("Images labeled until so many of 25")
        assert "They were counted and left in" in page
        page = rehearsal_page(asked)
        assert "Answers given until so many of" in page
        assert "counted and left in" not in page
        assert "More --rounds would show where" in page

    def test_several_classes_are_told_apart(self, told: Rehearsal, asked: Rehearsal) -> None:
        assert "Found, by class" in rehearsal_page(asked)
        assert "Found, by class" not in rehearsal_page(told)

    @pytest.fixture
    def reader(self) -> Iterator[Person]:
        if not (CHROMIUM and DRIVER):
            pytest.skip(HOW)
        person = Person()
        yield person
        person.browser.quit()

    def test_in_a_browser_no_text_covers_another(
        self, told: Rehearsal, tmp_path: Path, reader: Person
    ) -> None:
        (tmp_path / "page.html").write_text(rehearsal_page(told))
        reader.open(f"file://{tmp_path}/page.html")
        for width in (1600, 1200, 420):
            reader.browser.set_window_size(width, 900)
            # The window follows a moment later.
            reader.wait("(innerWidth > 800) === (arguments[0] > 800)", width)
            boxes = reader.js(
                "return [...document.querySelectorAll('.plot svg')].filter(s => s.clientWidth)"
                ".map(s => [...s.querySelectorAll('text')].map(t => {"
                "const b = t.getBoundingClientRect();"
                "return [b.left, b.top + 2, b.right, b.bottom - 2, t.textContent]}))"
            )
            assert len(boxes) == 2
            for texts in boxes:
                assert len(texts) > 12
                for n, one in enumerate(texts):
                    for two in texts[n + 1 :]:
                        apart = one[2] <= two[0] or two[2] <= one[0]
                        apart = apart or one[3] <= two[1] or two[3] <= one[1]
                        assert apart, (width, one, two)
            assert reader.js("return document.documentElement.scrollWidth") <= width
        assert reader.faults() == []


def test_means_do_not_need_automatic_labels(told: Rehearsal) -> None:
    first, last = told.means("rounds")[0], told.means("rounds")[-1]
    assert math.isnan(first.automatic_right)
    states = [game[-1] for game in told.games["rounds"]]
    made = sum(state.automatic for state in states)
    assert made > 0
    right = sum(state.automatic * state.automatic_right for state in states if state.automatic)
    assert last.automatic_right == pytest.approx(right / made)
