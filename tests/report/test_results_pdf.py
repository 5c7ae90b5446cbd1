"""The PDF tells the same story on paper."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pypdfium2
import pytest

from gandt.answers import Mask
from gandt.report.pdf_type import Type
from gandt.report.results.write import ReportSummary, write_report

Make = Callable[..., Path]
MakeRow = Callable[..., dict[str, object]]
MakePhoto = Callable[..., str]


@contextmanager
def opened(path: Path) -> Iterator[pypdfium2.PdfDocument]:
    document = pypdfium2.PdfDocument(path)
    try:
        yield document
    finally:
        document.close()


def words_of(path: Path) -> list[str]:
    """The text of each page, its white space made even."""
    with opened(path) as document:
        return [" ".join(p.get_textpage().get_text_range().split()) for p in document]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., tuple[Path, ReportSummary]]:
    def run(source: Path, **options: object) -> tuple[Path, ReportSummary]:
        out = tmp_path / "report.pdf"
        return out, write_report(str(source), str(out), format="pdf", **options)  # type: ignore[arg-type]

    return run


Write = Callable[..., tuple[Path, ReportSummary]]


def test_it_says_what_the_page_says(write: Write, pets: Path) -> None:
    path, summary = write(pets)
    pages = words_of(path)
    text = " ".join(pages)
    assert len(pages) == summary.pages
    for words in (
        "G&T RESULTS round1 5",
        "Labels by class",
        "Confidence",
        "Krippendorff's alpha is 0.250",
        "Commonest wrong answers",
        "not reliable; Right on 4 of 10 gold tasks.",
        "Most disputed",
        "tied: cat = dog",
        "there is no such file",
        "it is not an image of a known format",
        "unlabeled, 1: no answer counts",
        "duplicate",
    ):
        assert words in text, words


def test_every_page_has_its_number_and_the_total(write: Write, pets: Path) -> None:
    path, summary = write(pets)
    for number, text in enumerate(words_of(path), start=1):
        assert f"page {number} of {summary.pages}" in text


def test_its_parts_are_in_the_outline(write: Write, pets: Path) -> None:
    path, _ = write(pets)
    with opened(path) as document:
        titles = [entry.get_title() for entry in document.get_toc()]
    assert titles[:4] == ["Labels by class", "Confidence", "Agreement", "Workers"]
    assert "cat, human" in titles


def test_every_picture_is_in_the_file_once_and_as_it_came(write: Write, pets: Path) -> None:
    path, summary = write(pets)
    data = path.read_bytes()
    assert data.count(b"/DCTDecode") == summary.pictures == 3
    assert data.count(b"\xff\xd8\xff") == 3


def test_the_gallery_has_a_hundred_pictures_to_a_page(
    write: Write, make_round: Make, make_label: MakeRow, make_photo: MakePhoto, tmp_path: Path
) -> None:
    photos = [make_photo(tmp_path / f"{n:03d}.jpg", (24, 18)) for n in range(230)]
    labels = [make_label(p, "x", confidence=(n + 1) / 1000) for n, p in enumerate(photos)]
    path, _ = write(make_round(labels), examples=0)
    counts = [len(re.findall(r"\b\d{3}\.jpg", text)) for text in words_of(path)]
    assert [count for count in counts if count] == [100, 100, 30]


def test_the_same_source_gives_the_same_bytes(write: Write, pets: Path) -> None:
    first = write(pets)[0].read_bytes()
    assert write(pets)[0].read_bytes() == first


def test_boxes_are_lines_and_masks_are_painted(
    write: Write, make_round: Make, make_label: MakeRow, make_photo: MakePhoto, tmp_path: Path
) -> None:
    box = {"label": "dog", "left": 10, "top": 10, "width": 60, "height": 40, "confidence": 0.8}
    photo = make_photo(tmp_path / "1.jpg")
    for kind, label in (
        ("boxes", json.dumps([box])),
        ("mask", json.dumps(Mask(np.ones((60, 80), np.uint8), ("BACKGROUND", "dog")).as_json())),
    ):
        folder = make_round([make_label(photo, label)], summary={"kind": kind}, name=kind)
        path, _ = write(folder)
        with opened(path) as document:
            picture = np.asarray(document[1].render(scale=2).to_pil().convert("RGB"), int)
        # The first color of the palette, pure as a line and blended as a mask, is warm.
        warm = (picture[:, :, 0] - picture[:, :, 2] > 60).sum()
        assert warm > 200


class TestType:
    def test_latin_text_needs_no_font_of_its_own(self) -> None:
        assert [font for font, _ in Type()._runs("Café “x”, 5 €", False)] == ["Helvetica"]

    def test_every_text_can_be_set(self) -> None:
        type_ = Type()
        for text in (
            "Łódź čaj",
            "Кошка",
            "שלום",
            "مرحبا",
            "猫とねこ",
            "고양이",
            "🐈‍⬛",
            "",
            "\ud83d",
        ):
            assert type_.width(text, 10) >= 0
            assert type_.fit(text, 10, 20) is not None

    def test_what_no_font_has_is_marked_and_counted(self) -> None:
        type_ = Type()
        assert type_._runs("\U0001f408", False) == [("GT-Vera", "\N{LOZENGE}")]
        assert type_.missing == {"\U0001f408"}

    def test_right_to_left_words_are_turned_around(self) -> None:
        shown = "".join(part for _, part in Type()._runs("id שלום", False))
        assert shown.startswith("id ")
        if "\N{LOZENGE}" not in shown:  # no font of this machine has Hebrew
            assert shown == "id " + "שלום"[::-1]

    def test_lines_break_at_words_and_within_words_too_long(self) -> None:
        type_ = Type()
        lines = type_.wrap("one two " + "x" * 200, 10, 100)
        assert lines[0] == "one two"
        assert all(type_.width(line, 10) <= 100 for line in lines)
        assert "".join(lines[1:]) == "x" * 200
        assert len(type_.wrap("word " * 500, 10, 100, 3)) == 3

    def test_a_cut_line_fits(self) -> None:
        type_ = Type()
        assert type_.fit("short", 10, 100) == "short"
        assert type_.width(type_.fit("long " * 50, 10, 100), 10) <= 100


@pytest.mark.parametrize("name", ["Кошка/猫", "</script>", "🎂 שלום", "a" * 400])
def test_names_of_every_script_are_no_obstacle(
    write: Write, make_round: Make, make_label: MakeRow, name: str
) -> None:
    path, _ = write(make_round([make_label(f"text about {name}", name)]))
    assert words_of(path)
