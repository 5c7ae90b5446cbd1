"""Charts: one model, two renderers, and colors that everybody can tell apart."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.report.chart_parts import MOST_ROWS, percent
from gandt.report.charts import Dot, Picture, Rect, Text, fit, text_width
from gandt.report.charts_svg import render_svg
from gandt.report.pdf_sheet import Sheet
from gandt.report.results.charts import confidence_chart, count_chart, histogram_chart
from gandt.report.results.facts import Agreed, Bin, Calibration, Confusion, Spread
from gandt.report.results.model import Source, WorkerRow
from gandt.report.results.style import DARK, LIGHT
from gandt.report.results.trust import (
    agreement_chart,
    calibration_chart,
    confusion_chart,
    interval_picture,
)

COUNTS: dict[str, dict[Source, int]] = {
    "cat": {"human": 100, "machine": 10},
    "dog": {"human": 1},
}
BOTH: tuple[Source, ...] = ("human", "machine")
WORKER = WorkerRow("w", 10, 0.8, 0.6, 0.9, 4, 0.75, True, (), None)
SPREAD = Spread(0.8, 0.7, 0.9, 12)
CALIBRATION = Calibration((Bin(10, 0.9, 0.8, 0.5, 0.95),), 10, 0.8, 0.9, 0.1)

PICTURES = {
    "counts": count_chart(["cat", "dog"], COUNTS, BOTH, 300),
    "log counts": count_chart(["cat", "dog"], COUNTS, BOTH, 300, log=True),
    "no counts": count_chart(["cat"], {}, ("human",), 300),
    "no log counts": count_chart(["cat"], {}, ("human",), 300, log=True),
    "confidence": confidence_chart(["cat"], {"cat": {"human": SPREAD}}, BOTH, 300),
    "histogram": histogram_chart({"human": ([0, 3], [1, 0]), "machine": ([0, 0], [0, 0])}, 300),
    "calibration": calibration_chart(CALIBRATION, 300),
    "agreement": agreement_chart([Agreed("cat", 0.8, 3)], {"cat": 0.5}, 300),
    "confusion": confusion_chart([Confusion("cat", "dog", 3, 0.2)], 300),
    "interval": interval_picture(WORKER),
}


def texts(picture: Picture) -> list[str]:
    return [mark.text for mark in picture.marks if isinstance(mark, Text)]


class TestForms:
    def test_bars_are_as_long_as_their_counts(self) -> None:
        bars = [mark for mark in PICTURES["counts"].marks if isinstance(mark, Rect)]
        assert [bar.color for bar in bars] == ["human", "machine", "human"]
        assert bars[1].width / bars[0].width == pytest.approx(0.1)
        assert len({bar.x for bar in bars}) == 1

    def test_on_a_log_scale_every_tenfold_is_a_step_of_the_same_length(self) -> None:
        dots = [m for m in PICTURES["log counts"].marks if isinstance(m, Dot)][2:]
        hundred, ten, one = (dot.x for dot in dots)
        assert hundred - ten == pytest.approx(ten - one)

    def test_every_count_stands_at_its_mark(self) -> None:
        for name in ("counts", "log counts"):
            said = {"100", "10", "1", "0", "cat", "dog", "human", "machine"}
            assert said <= set(texts(PICTURES[name]))

    def test_sources_differ_in_shape_as_well(self) -> None:
        shapes = {m.color: m.shape for m in PICTURES["log counts"].marks if isinstance(m, Dot)}
        assert shapes == {"human": "circle", "machine": "diamond"}

    def test_more_classes_than_fit_are_summed_up(self) -> None:
        names = [f"class {n}" for n in range(MOST_ROWS + 5)]
        picture = count_chart(names, {name: {"human": 1} for name in names}, ("human",), 300)
        assert "and 5 more classes" in texts(picture)
        assert f"class {MOST_ROWS}" not in texts(picture)

    def test_a_point_on_the_diagonal_means_what_it_says(self) -> None:
        even = Calibration((Bin(10, 0.5, 0.5, 0.2, 0.8),), 10, 0.5, 0.5, 0.0)
        picture = calibration_chart(even, 300)
        (dot,) = (mark for mark in picture.marks if isinstance(mark, Dot))
        (line,) = (m for m in picture.marks if getattr(m, "dashed", False))
        assert dot.x == pytest.approx((line.x1 + line.x2) / 2)  # type: ignore[union-attr]
        assert dot.y == pytest.approx((line.y1 + line.y2) / 2)  # type: ignore[union-attr]

    def test_an_unreliable_worker_looks_different(self) -> None:
        bad = WorkerRow("w", 10, 0.3, 0.2, 0.4, 0, None, False, (), None)
        assert {m.color for m in interval_picture(bad).marks if isinstance(m, Dot)} == {"bad"}
        unknown = WorkerRow("w", 0, None, None, None, 0, None, None, (), None)
        assert interval_picture(unknown).words == "accuracy unknown"

    @pytest.mark.parametrize("width", [160, 288, 500, 900])
    def test_marks_stay_within_the_picture(self, width: float) -> None:
        names = ["a", "W" * 80, "שלום עולם"]
        counts: dict[str, dict[Source, int]] = {name: {"human": 123_456} for name in names}
        spreads: dict[str, dict[Source, Spread]] = {name: {"human": SPREAD} for name in names}
        for picture in (
            count_chart(names, counts, BOTH, width),
            count_chart(names, counts, BOTH, width, log=True),
            confidence_chart(names, spreads, BOTH, width),
            agreement_chart([Agreed(name, 0.5, 2) for name in names], {}, width),
            calibration_chart(CALIBRATION, width),
        ):
            for mark in picture.marks:
                if isinstance(mark, Rect):
                    assert -1 <= mark.x <= mark.x + mark.width <= width + 1
                elif isinstance(mark, Dot):
                    assert -1 <= mark.x <= width + 8


class TestWords:
    def test_shares_are_whole_percents_but_never_falsely_all_or_none(self) -> None:
        shares = [percent(share).replace("\N{NO-BREAK SPACE}", " ") for share in (0, 0.001, 0.5)]
        assert shares == ["0 %", "< 1 %", "50 %"]
        assert percent(0.999).startswith(">")
        assert percent(1).startswith("100")

    @given(st.text(max_size=60), st.floats(5, 300))
    def test_a_cut_text_fits(self, text: str, width: float) -> None:
        short = fit(text, 11, width)
        assert text_width(short, 11) <= max(width, text_width("…", 11)) + 1e-9
        assert short == " ".join(text.split()) or short.endswith("…")


class TestRenderers:
    @pytest.mark.parametrize("name", PICTURES)
    def test_svg_is_well_formed_and_says_what_it_shows(self, name: str) -> None:
        root = ElementTree.fromstring(render_svg(PICTURES[name], "wide"))
        assert root.attrib["role"] == "img"
        assert root.attrib["aria-label"] == PICTURES[name].words
        shown = [element.text for element in root.iter("text")]
        assert shown == texts(PICTURES[name])

    def test_names_cannot_leave_the_svg(self) -> None:
        hostile = "</text><script>alert(1)</script>\"'"
        picture = count_chart([hostile], {hostile: {"human": 1}}, ("human",), 900)
        root = ElementTree.fromstring(render_svg(picture))
        assert not list(root.iter("script"))
        assert hostile in [element.text for element in root.iter("text")]

    def test_paper_shows_the_same_words(self, tmp_path: Path) -> None:
        path = tmp_path / "charts.pdf"
        sheet = Sheet(path, "charts")
        for picture in PICTURES.values():
            sheet.need(picture.height + 10)
            sheet.draw(picture, 40, sheet.y)
            sheet.y += picture.height + 10
        sheet.save()
        document = pypdfium2.PdfDocument(path)
        found = " ".join(page.get_textpage().get_text_range() for page in document)
        document.close()
        flat = re.sub(r"\s", "", found)
        for picture in PICTURES.values():
            for words in texts(picture):
                assert re.sub(r"\s", "", words) in flat


# ---------------------------------------------------------------------------------- colors

Matrix = npt.NDArray[np.float64]

# Machado, Oliveira and Fernandes (2009), severity 1.0, for linear RGB.
EYES: dict[str, Matrix] = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]
    ),
    "deutan": np.array(
        [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]
    ),
    "tritan": np.array(
        [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]
    ),
}


def linear(color: str) -> Matrix:
    channels = np.array([int(color[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def oklab(rgb: Matrix) -> Matrix:
    to_lms = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(to_lab) @ np.cbrt(np.array(to_lms) @ np.clip(rgb, 0, 1))


def contrast(one: str, other: str) -> float:
    light, dark = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))[::-1]
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_people_and_machines_can_be_told_apart_by_every_eye(
    colors: dict[str, str], eye: str
) -> None:
    human, machine = (oklab(EYES[eye] @ linear(colors[name])) for name in ("human", "machine"))
    assert np.linalg.norm(human - machine) >= 0.14


@pytest.mark.parametrize(("colors", "card"), [(LIGHT, "#ffffff"), (DARK, "#21211d")])
def test_marks_and_words_stand_out_from_the_card(colors: dict[str, str], card: str) -> None:
    for name in ("human", "machine", "gold", "unknown", "bad"):
        assert contrast(colors[name], card) >= 3, name
    for name in ("ink", "soft"):
        assert contrast(colors[name], card) >= 4.5, name
