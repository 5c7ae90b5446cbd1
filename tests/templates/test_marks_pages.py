"""Boxes in an image and pieces of a text: made, changed and deleted by mouse and by keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gandt.answers import Box, Span

pytestmark = pytest.mark.browser

ANIMALS = ["cat", "dog"]
KINDS = ["Person", "Place", "Date"]


def draw(desk: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the image between places given as shares of its sides."""
    area = desk.js("return document.querySelector('.gt-stage').getBoundingClientRect().toJSON()")
    width, height = area["width"], area["height"]
    desk.drag(
        ".gt-stage",
        (round(start[0] * width), round(start[1] * height)),
        (round(end[0] * width), round(end[1] * height)),
    )


def boxes(desk: Any) -> list[dict[str, Any]]:
    return list(
        json.loads(desk.js("return document.querySelector('[name=boundingBox]').value"))[
            "boundingBoxes"
        ]
    )


@pytest.fixture
def drawing(desk: Any, pictures: list[str]) -> Any:
    desk.open("bounding-box", {"source-ref": pictures[0]}, labels=ANIMALS)  # 400 x 300
    desk.wait("document.querySelector('.gt-stage img')")
    return desk


class TestBoxes:
    def test_drawn_by_mouse(self, drawing: Any, pictures: list[str], read: Any) -> None:
        drawing.keys("2")
        draw(drawing, (0.1, 0.2), (0.5, 0.6))
        drawing.click("#gt-submit")
        (box,) = json.loads(drawing.answer["boundingBox"])["boundingBoxes"]
        assert box == pytest.approx(
            {"label": "dog", "left": 40, "top": 60, "width": 160, "height": 120}, abs=1
        )
        answers = read({"source-ref": pictures[0]}, drawing.answer, classes=ANIMALS)
        assert answers.kind == "boxes"
        assert list(answers.label) == [(Box(**box),)]
        assert answers.image_sizes == {pictures[0]: (400, 300)}
        assert answers.oddities == ()

    def test_made_by_keys(self, drawing: Any) -> None:
        drawing.keys(drawing.SPACE, "1")
        assert boxes(drawing) == [
            {"label": "cat", "left": 150, "top": 113, "width": 100, "height": 75}
        ]
        drawing.keys(drawing.LEFT, drawing.UP, drawing.UP)  # a hundredth of the longer side each
        drawing.chord(drawing.SHIFT, drawing.RIGHT, drawing.DOWN)
        drawing.chord(drawing.ALT, drawing.RIGHT)
        assert boxes(drawing) == [
            {"label": "cat", "left": 147, "top": 105, "width": 104, "height": 79}
        ]
        drawing.keys(drawing.ENTER)
        assert len(drawing.answers) == 1

    def test_moved_and_resized_by_mouse(self, drawing: Any) -> None:
        drawing.keys("1")
        draw(drawing, (0.2, 0.2), (0.4, 0.4))
        draw(drawing, (0.3, 0.3), (0.5, 0.6))  # it is selected: this moves it
        assert boxes(drawing)[0] == pytest.approx(
            {"label": "cat", "left": 160, "top": 150, "width": 80, "height": 60}, abs=1
        )
        draw(drawing, (0.6, 0.7), (0.8, 0.9))  # its corner
        assert boxes(drawing)[0] == pytest.approx(
            {"label": "cat", "left": 160, "top": 150, "width": 160, "height": 120}, abs=2
        )

    def test_a_box_within_another_can_be_drawn(self, drawing: Any) -> None:
        drawing.keys("1")
        draw(drawing, (0.1, 0.1), (0.9, 0.9))
        drawing.keys(drawing.ESCAPE, "2")
        draw(drawing, (0.3, 0.3), (0.5, 0.5))
        assert [box["label"] for box in boxes(drawing)] == ["cat", "dog"]

    def test_a_box_stays_in_the_image(self, drawing: Any) -> None:
        drawing.keys("1")
        draw(drawing, (0.8, 0.8), (1.1, 1.1))
        (box,) = boxes(drawing)
        assert (box["left"] + box["width"], box["top"] + box["height"]) == (400, 300)
        drawing.keys(*[drawing.RIGHT] * 3)
        assert boxes(drawing) == [box]

    def test_deleted_and_undone(self, drawing: Any) -> None:
        drawing.keys(drawing.SPACE, "1")
        before = boxes(drawing)
        drawing.keys(drawing.DELETE)
        assert drawing.all(".gt-box") == []
        drawing.chord(drawing.CONTROL, "z")
        assert boxes(drawing) == before
        drawing.button("Delete cat").click()
        assert drawing.all(".gt-box") == []

    def test_a_box_without_a_label_holds_the_task_back(self, drawing: Any) -> None:
        draw(drawing, (0.1, 0.1), (0.5, 0.5))
        drawing.click("#gt-submit")
        assert drawing.answers == []
        assert "no label" in drawing.alert
        drawing.button("dog").click()
        drawing.click("#gt-submit")
        assert json.loads(drawing.answer["boundingBox"])["boundingBoxes"][0]["label"] == "dog"

    def test_nothing_to_mark_has_to_be_said(
        self, drawing: Any, pictures: list[str], read: Any
    ) -> None:
        drawing.keys(drawing.ENTER)
        assert drawing.answers == []
        drawing.keys("0", drawing.ENTER)
        answers = read({"source-ref": pictures[0]}, drawing.answer)
        assert (answers.kind, list(answers.label)) == ("boxes", [()])

    def test_drawn_and_moved_with_a_finger(self, desk: Any, pictures: list[str]) -> None:
        desk.size(320, 640, touch=True)
        desk.open("bounding-box", {"source-ref": pictures[0]}, labels=ANIMALS)
        desk.wait("document.querySelector('.gt-stage img')")
        area = desk.js(
            "return document.querySelector('.gt-stage').getBoundingClientRect().toJSON()"
        )

        def place(across: float, down: float) -> tuple[float, float]:
            return area["left"] + across * area["width"], area["top"] + down * area["height"]

        desk.touch(place(0.25, 0.25), place(0.4, 0.4), place(0.5, 0.5))
        desk.button("dog").click()
        wanted = {"label": "dog", "left": 100, "top": 75, "width": 100, "height": 75}
        assert boxes(desk)[0] == pytest.approx(wanted, abs=2)
        desk.js("scrollTo(0, 0)")
        desk.touch(place(0.375, 0.375), place(0.5, 0.5), place(0.625, 0.375))
        assert boxes(desk)[0] == pytest.approx({**wanted, "left": 200}, abs=2)

    def test_a_broken_image_is_not_one_without_boxes(self, desk: Any, read: Any) -> None:
        record = {"source-ref": "/nowhere.jpg"}
        desk.open("bounding-box", record, labels=ANIMALS)
        desk.wait("document.querySelector('.gt-broken')")
        desk.keys("0", desk.ENTER)
        assert desk.answers == []
        desk.click("#gt-report")
        desk.click("#gt-send-problem")
        empty = {"boundingBox": '{"boundingBoxes": []}', "problem": ""}
        answers = read(record, desk.answer, empty)
        assert [oddity.kind for oddity in answers.oddities] == ["empty"]
        assert list(answers.label) == [()]

    def test_enlarging_changes_no_coordinate(self, drawing: Any) -> None:
        drawing.keys(drawing.SPACE, "1")
        before = boxes(drawing)
        drawing.keys("+", "+")
        assert boxes(drawing) == before
        drawing.size(500, 900)
        assert boxes(drawing) == before


TEXT = "Zoë 👩‍🔬 Müller\r\nmet 東京 on 7 May."


@pytest.fixture
def marking(desk: Any) -> Any:
    desk.open("text-spans", {"source": TEXT}, labels=KINDS)
    return desk


def pieces(answer: dict[str, Any]) -> list[tuple[str, str]]:
    found = json.loads(answer["entities"])["entities"]
    return [(one["label"], TEXT[one["startOffset"] : one["endOffset"]]) for one in found]


def mark(desk: Any, piece: str) -> None:
    """Select a piece of the text as a mouse does, and let the button go."""
    desk.js(
        """
        const [piece] = arguments, box = document.querySelector(".gt-text");
        const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
        const at = box.textContent.indexOf(piece);
        const place = (wanted) => {
          walker.currentNode = box;
          for (let node, seen = 0; (node = walker.nextNode()); seen += node.data.length)
            if (wanted <= seen + node.data.length) return [node, wanted - seen];
        };
        getSelection().setBaseAndExtent(...place(at), ...place(at + piece.length));
        box.dispatchEvent(new MouseEvent("mouseup", { bubbles: true }));
        """,
        piece,
    )
    desk.wait("document.querySelector('.gt-pending')")


class TestSpans:
    def test_marked_by_mouse_counted_in_code_points(self, marking: Any, read: Any) -> None:
        for piece, label in (("7 May", "Date"), ("東京", "Place"), ("Müller", "Person")):
            mark(marking, piece)
            marking.button(label).click()
        marking.click("#gt-submit")
        assert pieces(marking.answer) == [
            ("Person", "Müller"),
            ("Place", "東京"),
            ("Date", "7 May"),
        ]
        answers = read({"source": TEXT}, marking.answer, classes=KINDS)
        assert answers.kind == "spans"
        start = TEXT.index("東京")
        assert Span("Place", start, start + 2) in answers.label[0]
        assert answers.oddities == ()

    def test_marked_by_keys(self, marking: Any) -> None:
        marking.keys(marking.RIGHT)  # Zoë
        marking.chord(marking.SHIFT, marking.RIGHT, marking.RIGHT)  # … Müller
        marking.keys("1", marking.RIGHT, marking.RIGHT)
        marking.keys("2", marking.ENTER)
        assert pieces(marking.answer) == [("Person", "Zoë 👩‍🔬 Müller"), ("Place", "東京")]

    def test_ends_are_moved_by_visible_characters(self, marking: Any) -> None:
        marking.keys(marking.RIGHT, ".", ".", "1", marking.ENTER)  # a blank, then the whole emoji
        assert pieces(marking.answer) == [("Person", "Zoë 👩‍🔬")]

    def test_blanks_at_the_ends_are_left_out(self, marking: Any) -> None:
        mark(marking, " 東京 ")
        marking.keys("2", marking.ENTER)
        assert pieces(marking.answer) == [("Place", "東京")]

    def test_half_an_emoji_cannot_be_marked(self, marking: Any) -> None:
        mark(marking, "Zoë 👩")
        marking.keys("1", marking.ENTER)
        assert pieces(marking.answer) == [("Person", "Zoë 👩‍🔬")]

    def test_pieces_may_lie_within_each_other(self, marking: Any) -> None:
        mark(marking, "on 7 May")
        marking.keys("2")
        mark(marking, "7 May")
        marking.keys("3", marking.ENTER)
        assert pieces(marking.answer) == [("Place", "on 7 May"), ("Date", "7 May")]

    def test_changed_deleted_and_undone(self, marking: Any) -> None:
        mark(marking, "Müller")
        marking.keys("2")
        marking.button("Place: Müller").click()
        marking.keys("1")
        assert marking.find(".gt-marks").text.startswith("Person: Müller")
        marking.keys(marking.DELETE)
        assert marking.all(".gt-seg") == []
        marking.click("#gt-undo")
        marking.click("#gt-undo")
        assert marking.find(".gt-marks").text.startswith("Place: Müller")

    def test_nothing_to_mark_has_to_be_said(self, marking: Any, read: Any) -> None:
        marking.keys(marking.ENTER)
        assert marking.answers == []
        marking.keys("0", marking.ENTER)
        answers = read({"source": TEXT}, marking.answer)
        assert (answers.kind, list(answers.label)) == ("spans", [()])
