"""Curves: at their places, named apart from each other, and readable without the picture."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gandt.report.charts import Dot, Line, Picture, Text
from gandt.report.curves import Curve, Flag, curve_chart, curve_rules, svg_file

OURS = Curve("ours", ((0, 0.0), (100, 0.5), (200, 1.0)), "human")
RANDOM = Curve("random", ((0, 0.0), (200, 0.99)), "unknown", "ring", dashed=True)


def texts(picture: Picture) -> dict[str, Text]:
    return {mark.text: mark for mark in picture.marks if isinstance(mark, Text)}


def test_points_are_where_the_axes_say() -> None:
    picture = curve_chart([OURS], title="Found", across="labels")
    lines = [mark for mark in picture.marks if isinstance(mark, Line) and mark.color == "human"]
    assert len(lines) == 2
    assert lines[0].x2 == pytest.approx((lines[0].x1 + lines[1].x2) / 2)
    assert lines[0].y2 == pytest.approx((lines[0].y1 + lines[1].y2) / 2)
    grid = [
        mark.y1
        for mark in picture.marks
        if isinstance(mark, Line) and mark.color == "line" and mark.y1 == mark.y2
    ]
    assert lines[0].y1 == pytest.approx(max(grid))
    assert lines[1].y2 == pytest.approx(min(grid))


def test_points_of_unrelated_cases_are_all_marked_and_not_joined() -> None:
    many = Curve("many", tuple((float(x), x / 42) for x in range(43)), "human", joined=False)
    picture = curve_chart([many], title="", across="")
    assert not [mark for mark in picture.marks if isinstance(mark, Line) and mark.color == "human"]
    assert sum(isinstance(mark, Dot) for mark in picture.marks) == 43 + 1  # and that of the name


def test_the_last_point_has_a_mark_however_many_there_are() -> None:
    many = Curve("many", tuple((float(x), x / 42) for x in range(43)), "human")
    picture = curve_chart([many], title="", across="")
    ends = max(mark.x2 for mark in picture.marks if isinstance(mark, Line) and mark.width == 2)
    dots = [mark for mark in picture.marks if isinstance(mark, Dot)]
    assert any(dot.x == pytest.approx(ends) for dot in dots)
    assert len(dots) < 14


@pytest.mark.parametrize(
    ("most", "shown"),
    [
        (0, ["0", "1"]),
        (2, ["0", "1", "2"]),
        (15, ["0", "5", "10", "15"]),
        (37, ["0", "10", "20", "30", "40"]),
        (540, ["0", "100", "200", "300", "400", "500", "600"]),
        (6000, ["0", "2,000", "4,000", "6,000"]),
    ],
)
def test_counts_go_up_in_whole_round_steps_from_zero(most: int, shown: list[str]) -> None:
    curve = Curve("a", ((3, float(most)),), "ink")
    chart = curve_chart([curve], title="", across="", shares=False)
    said = [mark.text for mark in chart.marks if isinstance(mark, Text) and mark.anchor == "end"]
    assert said == shown


def test_shares_go_up_to_one_and_across_ticks_may_be_broken() -> None:
    chart = curve_chart([Curve("a", ((1.2, 0.3),), "ink")], title="", across="percent")
    assert {"0.25", "0.75", "1"} <= set(texts(chart))
    assert {"0.5", "0"} <= set(texts(chart))


@example(ends=[0.0] * 8, width=336.0)
@example(ends=[1.0] * 8, width=680.0)
@given(
    ends=st.lists(st.floats(0, 1), min_size=1, max_size=8),
    width=st.sampled_from([336.0, 680.0]),
)
def test_names_never_touch_and_stay_within_the_picture(ends: list[float], width: float) -> None:
    curves = [
        Curve(f"name {n}", ((0, 0.0), (9, end)), "human", note=f"{end:.1%}")
        for n, end in enumerate(ends)
    ]
    picture = curve_chart(curves, title="What was found", across="labels", width=width)
    said = texts(picture)
    heights = sorted(said[curve.name].y for curve in curves)
    assert all(low >= high + 13 for high, low in itertools.pairwise(heights))
    assert heights[0] > 22  # below the title
    assert heights[-1] < picture.height - 30  # above the axis across
    assert all(0 <= mark.x <= width for mark in picture.marks if isinstance(mark, Text | Dot))


@given(st.lists(st.integers(0, 100), min_size=2, max_size=6, unique=True))
def test_names_stand_in_the_order_of_their_lines(ends: list[int]) -> None:
    curves = [Curve(f"{n}!", ((0, 0.0), (9, end / 100)), "human") for n, end in enumerate(ends)]
    said = texts(curve_chart(curves, title="", across=""))
    by_height = sorted(range(len(ends)), key=lambda n: said[f"{n}!"].y)
    assert [ends[n] for n in by_height] == sorted(ends, reverse=True)


def test_a_name_with_room_stands_at_the_end_of_its_line() -> None:
    curves = [OURS, Curve("half", ((0, 0.0), (200, 0.5)), "machine")]
    picture = curve_chart(curves, title="", across="")
    ends = [m for m in picture.marks if isinstance(m, Line) and m.color == "machine"]
    assert texts(picture)["half"].y == pytest.approx(ends[-1].y2 + 3.5)
    assert not [m for m in picture.marks if isinstance(m, Line) and m.color == "soft"]


def test_names_that_were_moved_are_led_to_their_lines() -> None:
    close = [Curve(f"at {y}", ((0, 0.0), (200, y)), "human") for y in (0.5, 0.51)]
    picture = curve_chart(close, title="", across="")
    leaders = [m for m in picture.marks if isinstance(m, Line) and m.color == "soft"]
    ends = [m for m in picture.marks if isinstance(m, Line) and m.color == "human"]
    assert sorted(m.y1 for m in leaders) == pytest.approx(sorted(m.y2 for m in ends))
    heights = sorted(mark.y - 3.5 for text, mark in texts(picture).items() if "at" in text)
    assert sorted(m.y2 for m in leaders) == pytest.approx(heights)
    # They part by as little as possible: both by the same.
    assert sum(heights) == pytest.approx(sum(m.y2 for m in ends))


def test_long_names_and_titles_fit_a_narrow_place() -> None:
    curve = Curve("a very long name of a very long class, and more", OURS.points, "human")
    title = "Share of the pool with the right label, where a probe labels the rest"
    picture = curve_chart([curve], title=title, across="labels", width=336)
    shown = [mark for mark in picture.marks if isinstance(mark, Text) and mark.full]
    assert [mark.full for mark in shown] == [curve.name]
    assert shown[0].text.endswith("…")
    lines = [mark.text for mark in picture.marks if isinstance(mark, Text) and mark.size == 12]
    assert " ".join(lines) == title
    assert len(lines) > 1


def test_what_happened_is_flagged_above_the_lines() -> None:
    flags = [Flag(150, "stop"), Flag(151, "stop again")]
    picture = curve_chart([OURS], title="Found", across="labels", flags=flags)
    lines = [mark for mark in picture.marks if isinstance(mark, Line) and mark.dashed]
    assert [mark.x1 == mark.x2 for mark in lines] == [True, True]
    top = min(mark.y1 for mark in picture.marks if isinstance(mark, Line) and not mark.dashed)
    assert 16 < texts(picture)["stop"].y < top
    assert texts(picture)["stop"].x == pytest.approx(lines[0].x1)
    assert "stop again" not in texts(picture)  # no room beside the other
    assert "stop again: at 151" in picture.words


def test_a_limit_is_a_line_without_marks() -> None:
    limit = Curve("all", ((0, 1.0), (200, 1.0)), "soft", dashed=True, marks=False)
    picture = curve_chart([limit], title="", across="")
    assert not [mark for mark in picture.marks if isinstance(mark, Dot)]


def test_the_words_say_how_it_ends() -> None:
    picture = curve_chart([OURS, RANDOM], title="Found", across="labels")
    assert picture.words == "Found, over labels. ours: 1 at 200; random: 0.99 at 200."


def test_the_file_is_an_svg_of_its_own() -> None:
    root = ET.fromstring(svg_file(curve_chart([OURS, RANDOM], title="a < b", across="labels")))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["aria-label"].startswith("a < b")
    assert "prefers-color-scheme:dark" in "".join(root.itertext())
    paper = root.find("{http://www.w3.org/2000/svg}rect")
    assert paper is not None
    assert [paper.attrib[name] for name in ("x", "y", "width", "height")] == root.attrib[
        "viewBox"
    ].split()


def test_rules_hold_within_a_page_alone() -> None:
    rules = curve_rules(".plot")
    assert ".plot .f-human{fill:#0072b2}" in rules
    assert rules.count(".f-human") == rules.count(".plot .f-human") == 2


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one point"):
        curve_chart([Curve("none", (), "ink")], title="", across="")
    with pytest.raises(ValueError, match="finite"):
        curve_chart([Curve("odd", ((0, float("nan")),), "ink")], title="", across="")
