"""Curves: at their places, named, and readable without the picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from gandt.report.charts import Dot, Line, Text
from gandt.report.curves import Curve, curve_chart, round_up, svg_file

OURS = Curve("ours", ((0, 0.0), (100, 0.5), (200, 1.0)), "human")
RANDOM = Curve("random", ((0, 0.0), (200, 0.99)), "unknown", "ring", dashed=True)


def test_points_are_where_the_axes_say() -> None:
    picture = curve_chart([OURS], title="Found", across="labels")
    lines = [mark for mark in picture.marks if isinstance(mark, Line) and mark.color == "human"]
    assert len(lines) == 2
    assert lines[0].x2 == pytest.approx((lines[0].x1 + lines[1].x2) / 2)
    assert lines[0].y2 == pytest.approx((lines[0].y1 + lines[1].y2) / 2)
    grid = [mark.y1 for mark in picture.marks if isinstance(mark, Line) and mark.color == "line"]
    assert lines[0].y1 == pytest.approx(max(grid))
    assert lines[1].y2 == pytest.approx(min(grid))


def test_ticks_say_where_they_are() -> None:
    chart = curve_chart([Curve("a", ((10, 1.0),), "ink")], title="", across="percent")
    said = {mark.text for mark in chart.marks if isinstance(mark, Text)}
    assert {"2.5", "5", "7.5", "10", "0.25"} <= said
    counted = curve_chart([Curve("a", ((6000, 37.0),), "ink")], title="", across="", shares=False)
    said = {mark.text for mark in counted.marks if isinstance(mark, Text)}
    assert {"1,500", "6,000", "10", "40"} <= said


def test_names_stand_apart_where_lines_end_together() -> None:
    picture = curve_chart([OURS, RANDOM], title="Found", across="labels")
    heights = [
        mark.y
        for mark in picture.marks
        if isinstance(mark, Text) and mark.text in ("ours", "random")
    ]
    assert abs(heights[0] - heights[1]) >= 13
    assert all(0 <= mark.x <= picture.width for mark in picture.marks if isinstance(mark, Dot))


def test_the_words_say_how_it_ends() -> None:
    picture = curve_chart([OURS, RANDOM], title="Found", across="labels")
    assert picture.words == "Found, over labels. ours: 1 at 200; random: 0.99 at 200."


def test_the_file_is_an_svg_of_its_own() -> None:
    root = ET.fromstring(svg_file(curve_chart([OURS, RANDOM], title="a < b", across="labels")))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["aria-label"].startswith("a < b")
    assert "prefers-color-scheme:dark" in "".join(root.itertext())


@pytest.mark.parametrize(
    ("value", "end"), [(0, 1), (1, 1), (7, 8), (10, 10), (11, 20), (540, 600), (2001, 2400)]
)
def test_axes_end_at_round_numbers(value: float, end: float) -> None:
    assert round_up(value) == pytest.approx(end)


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one point"):
        curve_chart([Curve("none", (), "ink")], title="", across="")
    with pytest.raises(ValueError, match="finite"):
        curve_chart([Curve("odd", ((0, float("nan")),), "ink")], title="", across="")
