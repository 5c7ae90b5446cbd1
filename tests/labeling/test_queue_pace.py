"""How fast people answer, and how long the rest takes."""

from __future__ import annotations

import pytest

from gandt.labeling.queue_pace import Pace, time_left
from gandt.labeling.queue_values import Progress
from gandt.serving.service.desk.progress import progress_json, roughly


def test_the_pace_is_the_usual_gap_between_answers() -> None:
    pace = Pace()
    for moment in (0, 10, 20, 22, 32, 42):
        pace.answered(moment)
    assert pace.seconds == 10


def test_two_answers_tell_no_pace_yet() -> None:
    pace = Pace()
    pace.answered(0)
    pace.answered(5)
    assert pace.seconds is None


def test_a_pause_is_no_work() -> None:
    pace = Pace()
    for moment in (0, 4, 8, 5000, 5004):
        pace.answered(moment)
    assert pace.seconds == 4
    assert pace.at_work(5100)
    assert not pace.at_work(6000)


def test_time_left_is_ones_own_or_that_of_all_together() -> None:
    assert time_left(30, 1000, 10, [10]) == 300
    assert time_left(30, 40, 10, [10, 10, 10, 10]) == 100  # the others take most of it
    assert time_left(30, 40, None, [10]) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1, "1 min"),
        (89, "1 min"),
        (19 * 60, "19 min"),
        (52 * 60, "50 min"),
        (7200, "2 h"),
        (7900, "2 h 10 min"),
    ],
)
def test_a_span_of_time_is_said_as_one_guesses_it(seconds: float, said: str) -> None:
    assert roughly(seconds) == said


def test_the_bar_gets_numbers_and_few_words() -> None:
    now = Progress(
        done=12,
        skipped=1,
        left=28,
        seconds_each=6.0,
        seconds_left=168.0,
        answers=40,
        places=80,
        people=3,
        in_hand=2,
    )
    assert progress_json(now) == {
        "done": 12,
        "left": 28,
        "skipped": 1,
        "words": ["600 an hour", "about 3 min left", "all 3: 40 of 120"],
    }
