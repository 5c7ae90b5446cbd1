"""Twenty images at a glance: several labels each, none of them, cannot tell, and undo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gandt.groundtruth.tiles import TaskExamples, Tile, tile_lines

pytestmark = pytest.mark.browser

NONE = "None of the above"


def record(pictures: list[str], count: int = 4, **first: object) -> dict[str, object]:
    tiles: list[dict[str, object]] = [
        {"source-ref": pictures[number % len(pictures)], "index": number * 5}
        for number in range(count)
    ]
    tiles[0] |= {
        "event_names": ["Birthday Party", "Wedding"],
        "positive_examples": pictures[:2],
        "negative_examples": pictures[2:3],
        "other_category_label": NONE,
        **first,
    }
    return {"source": json.dumps(tiles)}


def values(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in answer.items() if name != "problem"}


def test_keys_alone(desk: Any, pictures: list[str], read: Any) -> None:
    line = record(pictures)
    desk.open("tiles", line)
    desk.keys("1", desk.RIGHT, "1", "2", desk.RIGHT, "0")
    desk.keys(desk.ENTER)  # the next one without an answer
    desk.keys("2", desk.ENTER)
    assert values(desk.answer) == {
        "labels-0": ["Birthday Party"],
        "labels-5": ["Birthday Party", "Wedding"],
        "labels-10": [NONE],
        "labels-15": ["Wedding"],
    }
    answers = read(line, desk.answer)
    assert answers.kind == "multi"
    assert dict(zip(answers.task, answers.label, strict=True)) == {
        pictures[0]: ("Birthday Party",),
        pictures[1]: ("Birthday Party", "Wedding"),
        pictures[2]: (NONE,),
        pictures[3]: ("Wedding",),
    }
    assert answers.oddities == ()


def test_the_mouse_alone(desk: Any, pictures: list[str]) -> None:
    desk.open("tiles", record(pictures))
    desk.button("Wedding", ".gt-tile:nth-child(2)").click()
    desk.button("Birthday Party", ".gt-tile:nth-child(2)").click()
    desk.button(NONE, ".gt-tile:nth-child(2)").click()  # takes the place of both
    desk.button("Wedding", ".gt-tile:nth-child(1)").click()
    desk.button(f"Mark the rest “{NONE}”").click()
    desk.click("#gt-submit")
    assert values(desk.answer) == {
        "labels-0": ["Wedding"],
        "labels-5": [NONE],
        "labels-10": [NONE],
        "labels-15": [NONE],
    }


def test_an_image_without_an_answer_holds_the_task_back(desk: Any, pictures: list[str]) -> None:
    desk.open("tiles", record(pictures))
    desk.keys("1", desk.RIGHT, desk.RIGHT, "1")
    desk.click("#gt-submit")
    assert desk.answers == []
    assert "2 images have no answer yet (2, 4)" in desk.alert
    assert desk.js(
        "const box = document.getElementById('gt-alert').getBoundingClientRect();"
        "return box.top >= 0 && box.bottom <= innerHeight"
    )
    focused = desk.js("return document.activeElement.getAttribute('aria-label')")
    assert focused == "Image 2 of 4: no answer yet"


def test_cannot_tell_is_no_vote_and_is_reported(desk: Any, pictures: list[str], read: Any) -> None:
    line = record(pictures)
    desk.open("tiles", line)
    desk.keys("1", "-")
    desk.button(f"Mark the rest “{NONE}”").click()
    desk.click("#gt-submit")
    assert json.loads(desk.answer["problem"]) == [{"index": 0, "problem": "Cannot tell"}]
    answers = read(line, desk.answer)
    assert pictures[0] not in list(answers.task)
    assert [oddity.kind for oddity in answers.oddities] == ["empty", "unanswered"]


def test_a_broken_image_reports_itself(desk: Any, pictures: list[str]) -> None:
    desk.open("tiles", record([*pictures[:1], "/nowhere.jpg"], 2))
    desk.wait("document.querySelector('.gt-tile:nth-child(2).done .gt-broken')")
    desk.keys("1", desk.ENTER)
    assert values(desk.answer) == {"labels-0": ["Birthday Party"], "labels-5": []}
    assert json.loads(desk.answer["problem"]) == [
        {"index": 5, "problem": "The image does not load"}
    ]


def test_undo_takes_back_one_step_after_another(desk: Any, pictures: list[str]) -> None:
    desk.open("tiles", record(pictures))
    fields = "return [...document.querySelectorAll('[name^=labels-]')].map((f) => f.value)"
    desk.keys("1", "2")
    desk.button(f"Mark the rest “{NONE}”").click()
    assert desk.js(fields) == ['["Birthday Party","Wedding"]', *[json.dumps([NONE])] * 3]
    desk.chord(desk.CONTROL, "z")
    assert desk.js(fields) == ['["Birthday Party","Wedding"]', "[]", "[]", "[]"]
    desk.keys(desk.BACKSPACE)
    assert desk.js(fields) == ['["Birthday Party"]', "[]", "[]", "[]"]
    desk.click("#gt-undo")
    assert desk.js(fields) == ["[]"] * 4
    assert not desk.find("#gt-undo").is_enabled()


def test_arrows_follow_the_rows_as_they_are_shown(desk: Any, pictures: list[str]) -> None:
    desk.open("tiles", record(pictures, 12))
    top = "return document.activeElement.offsetTop"
    desk.keys(desk.RIGHT)
    first = desk.js(top)
    desk.keys(desk.DOWN)
    assert desk.js(top) > first
    desk.keys(desk.UP)
    assert desk.js(top) == first


def test_labels_can_be_given_in_the_enlarged_view(desk: Any, pictures: list[str]) -> None:
    desk.open("tiles", record(pictures))
    desk.keys(desk.SPACE, "2", desk.RIGHT, "0")
    desk.button("Wedding", "dialog").click()
    desk.keys(desk.ESCAPE)
    desk.keys("1")  # the keys go to the image that was enlarged last
    desk.button(f"Mark the rest “{NONE}”").click()
    desk.click("#gt-submit")
    assert values(desk.answer)["labels-0"] == ["Wedding"]
    assert values(desk.answer)["labels-5"] == ["Birthday Party", "Wedding"]


def test_the_examples_of_the_task_are_shown(desk: Any, pictures: list[str]) -> None:
    desk.open("tiles", record(pictures))
    sections = {
        s.text: len(s.find_elements("css selector", "img"))
        for s in desk.all(".gt-examples section")
    }
    assert sections == {"Good examples": 2, "Not wanted": 1}


def test_without_a_lambda_the_list_comes_from_a_key_of_the_line(
    desk: Any, pictures: list[str]
) -> None:
    line = record(pictures)
    line["tiles"] = json.loads(str(line["source"]))
    desk.open("tiles", line, pre_annotation=False)
    desk.button(f"Mark the rest “{NONE}”").click()
    desk.keys(desk.ENTER)
    assert set(values(desk.answer)) == {"labels-0", "labels-5", "labels-10", "labels-15"}


def test_without_a_lambda_the_text_is_enough_where_images_need_no_signature(
    desk: Any, pictures: list[str]
) -> None:
    line = record([Path(picture).as_uri() for picture in pictures])
    desk.open("tiles", line, pre_annotation=False)
    desk.button(f"Mark the rest “{NONE}”").click()
    desk.click("#gt-submit")
    assert set(values(desk.answer)) == {"labels-0", "labels-5", "labels-10", "labels-15"}


def test_without_a_lambda_a_page_without_images_says_why(desk: Any) -> None:
    desk.open("tiles", record(["s3://bucket/a.jpg"], 2), pre_annotation=False)
    assert "pre-annotation Lambda" in desk.alert
    desk.keys(desk.ENTER)
    assert desk.answers == []


def test_twenty_photos_of_a_real_manifest(desk: Any, read: Any, data_folder: Path) -> None:
    """From our own tiles to our own reader, without a hand on the mouse."""
    photos = [
        str(next(iter(sorted(folder.iterdir()))))
        for folder in sorted((data_folder / "clothing" / "pool").iterdir())
    ]
    shown = TaskExamples(positive=tuple(photos[:3]), negative=(photos[5],), other_label="Other")
    tiles = [Tile(number, photo, photo) for number, photo in enumerate(photos)]
    (text,), dropped = tile_lines(tiles, ["Dress", "Hat"], 20, shown)
    desk.open("tiles", json.loads(text))
    desk.wait("[...document.images].every((image) => image.complete && image.naturalWidth)")
    keys = {"Dress": ("1",), "Hat": ("2",), "Body": ("1", "2")}
    for photo in photos:
        desk.keys(*keys.get(Path(photo).parent.name, ("0",)), desk.ENTER)  # the last one submits
    answers = read(json.loads(text), desk.answer)
    names = {"1": "Dress", "2": "Hat", "0": "Other"}
    wanted = {p: tuple(names[k] for k in keys.get(Path(p).parent.name, ("0",))) for p in photos}
    assert dict(zip(answers.task, answers.label, strict=True)) == wanted
    assert (answers.oddities, dropped) == ((), ())
