"""One label or several, for an image or a text: filled in by keys and by mouse, and read back."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.browser

LABELS = ["cat", "dog", "Something else"]
MANY = [f"Breed {number}" for number in range(40)] + ["Émeraude", "dog"]


def test_a_key_chooses_and_enter_submits(desk: Any, pictures: list[str], read: Any) -> None:
    record = {"source-ref": pictures[0]}
    desk.open("image-classification", record, labels=LABELS)
    desk.keys("2", desk.ENTER)
    assert desk.answer == {"category": '{"label":"dog"}', "problem": ""}
    answers = read(record, desk.answer, classes=LABELS)
    assert (answers.kind, list(answers.label), list(answers.task)) == (
        "single",
        ["dog"],
        [pictures[0]],
    )
    assert answers.oddities == ()


def test_a_click_chooses_another_and_the_button_submits(desk: Any, pictures: list[str]) -> None:
    desk.open("image-classification", {"source-ref": pictures[0]}, labels=LABELS)
    desk.button("cat").click()
    desk.button("Something else").click()
    desk.click("#gt-submit")
    assert json.loads(desk.answer["category"]) == {"label": "Something else"}


def test_tab_and_arrows_choose_as_among_radio_buttons(desk: Any, pictures: list[str]) -> None:
    desk.open("image-classification", {"source-ref": pictures[0]}, labels=LABELS)
    desk.js("document.querySelector('[role=radio]').focus()")
    desk.keys(desk.DOWN)
    assert desk.js("return document.activeElement.getAttribute('aria-checked')") == "true"
    desk.keys(desk.DOWN, desk.UP, desk.UP, desk.UP)  # round the end, too
    chosen = [b.text.split("\n")[0] for b in desk.all("[role=radio][aria-checked=true]")]
    assert chosen == ["Something else"]
    desk.keys(desk.ENTER)
    assert json.loads(desk.answer["category"]) == {"label": "Something else"}


def test_among_many_labels_a_search_finds_one_whatever_its_accents(
    desk: Any, pictures: list[str]
) -> None:
    desk.open("image-classification", {"source-ref": pictures[0]}, labels=MANY)
    desk.keys("/")
    desk.keys(*"emera")
    assert [b.text for b in desk.all("[role=radio]") if b.is_displayed()] == ["Émeraude"]
    desk.keys(desk.ENTER)
    assert len([b for b in desk.all("[role=radio]") if b.is_displayed()]) == len(MANY)
    desk.keys(desk.ENTER)
    assert json.loads(desk.answer["category"]) == {"label": "Émeraude"}


def test_letters_are_keys_of_the_labels_after_the_ninth(desk: Any, pictures: list[str]) -> None:
    desk.open("image-classification", {"source-ref": pictures[0]}, labels=MANY)
    desk.keys("b", desk.ENTER)
    assert json.loads(desk.answer["category"]) == {"label": "Breed 10"}


@pytest.mark.parametrize("name", ["image-classification", "image-multi-select"])
def test_nothing_is_submitted_empty(desk: Any, pictures: list[str], name: str) -> None:
    desk.open(name, {"source-ref": pictures[0]}, labels=LABELS)
    desk.keys(desk.ENTER)
    desk.click("#gt-submit")
    desk.js("document.querySelector('crowd-form').submit()")  # as Ground Truth's own button does
    assert desk.answers == []
    assert "before you submit" in desk.alert


def test_several_labels_by_keys_and_mouse(desk: Any, pictures: list[str], read: Any) -> None:
    record = {"source-ref": pictures[1]}
    desk.open("image-multi-select", record, labels=LABELS)
    desk.keys("3", "1", "3", "3")  # the third is taken away and given again
    desk.button("dog").click()
    desk.button("cat").click()
    desk.click("#gt-submit")
    assert json.loads(desk.answer["category"]) == {"labels": ["dog", "Something else"]}
    answers = read(record, desk.answer, classes=LABELS)
    assert (answers.kind, list(answers.label)) == ("multi", [("dog", "Something else")])


def test_none_of_them_is_said_in_words_and_excludes_the_rest(
    desk: Any, pictures: list[str], read: Any
) -> None:
    record = {"source-ref": pictures[1]}
    desk.open("image-multi-select", record, labels=LABELS)
    desk.keys("1", "0")
    assert json.loads(desk.js("return document.querySelector('[name=category]').value")) == {
        "labels": ["None of the above"]
    }
    desk.keys("2", "0", desk.ENTER)
    answers = read(record, desk.answer, classes=LABELS)
    assert list(answers.label) == [("None of the above",)]
    assert answers.oddities == ()


def test_a_text_keeps_its_lines_and_gets_a_label(desk: Any, read: Any) -> None:
    record = {"source": 'Two\r\nlines & "quotes" <b>\tЖ שלום 🎂'}
    desk.open("text-classification", record, labels=["good", "bad"])
    assert desk.js("return document.querySelector('.gt-text').textContent") == record["source"]
    desk.keys("1", desk.ENTER)
    answers = read(record, desk.answer, classes=["good", "bad"])
    assert (list(answers.task), list(answers.label)) == ([record["source"]], ["good"])


def test_a_broken_image_says_so_and_can_be_reported(
    desk: Any, pictures: list[str], read: Any
) -> None:
    record = {"source-ref": "/nowhere/at-all.jpg"}
    desk.open("image-classification", record, labels=LABELS)
    desk.wait("document.querySelector('.gt-broken')")
    assert "does not load" in desk.alert
    desk.click("#gt-report")
    desk.keys(desk.ENTER)
    assert desk.answer["problem"] == "The image does not load"
    # Beside an honest answer it is left out as empty, and is no label.
    answers = read(record, desk.answer, {"category": '{"label":"cat"}', "problem": ""})
    assert list(answers.label) == ["cat"]
    assert [oddity.kind for oddity in answers.oddities] == ["empty"]


def test_a_problem_takes_the_place_of_what_was_chosen(desk: Any, pictures: list[str]) -> None:
    desk.open("image-classification", {"source-ref": pictures[0]}, labels=LABELS)
    desk.keys("1")
    desk.click("#gt-report")
    desk.click("dialog input[value='I am not sure']")
    desk.find("#gt-details").send_keys("cat or 1 dog?")
    desk.click("#gt-send-problem")
    assert desk.answer == {"category": '{"label":""}', "problem": "I am not sure: cat or 1 dog?"}


def test_a_problem_needs_a_reason(desk: Any, pictures: list[str]) -> None:
    desk.open("image-classification", {"source-ref": pictures[0]}, labels=LABELS)
    desk.click("#gt-report")
    desk.keys(desk.ENTER)
    assert not desk.find("#gt-send-problem").is_enabled()
    assert desk.answers == []
    desk.keys(desk.SPACE, desk.DOWN, desk.ENTER)  # by keys alone
    assert desk.answer["problem"] == "It is too blurry, dark or small to tell"


def test_without_the_crowd_elements_the_page_says_that_it_cannot_send(
    desk: Any, pictures: list[str]
) -> None:
    desk.open("image-classification", {"source-ref": pictures[0]}, labels=LABELS, stand_in=False)
    desk.keys("1", desk.ENTER)
    assert "load it again" in desk.alert
    assert all("assets.crowd.aws" in message for message in desk.errors())


def test_going_back_from_a_problem_sends_nothing(desk: Any, pictures: list[str]) -> None:
    desk.open("image-classification", {"source-ref": pictures[0]}, labels=LABELS)
    desk.click("#gt-report")
    desk.keys(desk.ESCAPE)
    desk.keys("1", desk.ENTER)
    assert desk.answer == {"category": '{"label":"cat"}', "problem": ""}


def test_the_image_can_be_enlarged_and_keys_do_not_reach_through(
    desk: Any, pictures: list[str]
) -> None:
    desk.open("image-classification", {"source-ref": pictures[0]}, labels=LABELS)
    desk.keys(desk.SPACE)
    assert desk.find("dialog.gt-zoom").is_displayed()
    desk.keys("1", desk.ESCAPE)
    desk.wait("!document.querySelector('dialog.gt-zoom')")
    assert desk.all("[role=radio][aria-checked=true]") == []
