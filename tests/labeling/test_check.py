"""What is found in a template before a job starts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gandt.groundtruth.findings import Finding
from gandt.labeling.check import MAX_TEMPLATE, check_template
from gandt.labeling.templates import PAGES, bake, read_template

CROWD = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>'
GOOD = CROWD + '<crowd-form><input type="hidden" name="a"></crowd-form>'
IMAGE = {"source-ref": "s3://b/1.jpg"}
TILES = json.dumps([{"source-ref": "s3://b/1.jpg", "index": 0, "event_names": ["a", "b"]}])


def codes(template: str, *records: dict[str, object], **settings: Any) -> list[str]:
    return [f.code for f in find(template, *records, **settings)]


def find(template: str, *records: dict[str, object], **settings: Any) -> tuple[Finding, ...]:
    return check_template(template, list(enumerate(records, start=1)), **settings)


def line_for(name: str) -> dict[str, object]:
    if name == "tiles":
        return {"source": TILES, "tiles": json.loads(TILES)}
    return {"source": "words"} if name.startswith("text") else dict(IMAGE)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("pre_annotation", [True, False])
def test_our_own_pages_are_clean(name: str, pre_annotation: bool) -> None:
    page = bake(read_template(name), labels=["a", "b"])
    assert find(page, line_for(name), pre_annotation=pre_annotation) == ()


def test_a_finding_is_a_sentence_with_a_remedy() -> None:
    (found,) = find(CROWD + '<crowd-form><input></crowd-form><input name="b">')[:1]
    assert str(found) == (
        "file: error: the form has no field with a name, so answers would be empty; "
        "give each field a name."
    )


class TestForm:
    def test_the_crowd_elements_have_to_be_loaded(self) -> None:
        assert codes(GOOD.replace(CROWD, "")) == ["no-script"]

    def test_there_has_to_be_one_form(self) -> None:
        assert codes(CROWD + "<p>x</p>") == ["no-form"]
        assert codes(GOOD + '<crowd-form><input name="b"></crowd-form>') == ["forms"]

    def test_fields_without_a_name_are_lost(self) -> None:
        lost = '<input type="text"><crowd-input></crowd-input><textarea></textarea>'
        page = GOOD.replace("</crowd-form>", lost + "</crowd-form>")
        assert codes(page) == ["no-name"] * 3
        assert codes(GOOD.replace("</crowd-form>", '<input type="submit"></crowd-form>')) == []

    def test_fields_outside_the_form_are_lost(self) -> None:
        assert codes(GOOD + '<select name="b"></select>') == ["outside"]
        assert codes(GOOD + '<crowd-checkbox name="b"></crowd-checkbox>') == ["outside"]

    def test_of_two_fields_of_one_name_one_is_lost(self) -> None:
        (found,) = find(
            GOOD.replace("</crowd-form>", '<textarea name="a"></textarea></crowd-form>')
        )
        assert (found.severity, found.code) == ("warning", "same-name")

    def test_radio_buttons_share_their_name(self) -> None:
        radios = '<input type="radio" name="b" value="1"><input type="radio" name="b" value="2">'
        assert codes(GOOD.replace("</crowd-form>", radios + "</crowd-form>")) == []

    def test_the_entity_widget_brings_its_own_form(self) -> None:
        widget = '<crowd-entity-annotation name="e"></crowd-entity-annotation>'
        assert codes(CROWD + widget) == []
        assert codes(GOOD.replace("</crowd-form>", widget + "</crowd-form>")) == ["own-form"]

    def test_code_of_other_hosts_is_warned_about(self) -> None:
        (found,) = find(GOOD + '<script src="//cdn.example/j.js"></script>')
        assert "cdn.example" in found.message
        assert found.severity == "warning"


class TestVariables:
    def test_one_that_no_line_has_is_an_error(self) -> None:
        (found,) = find(GOOD + "{{ task.input.nmae }}", IMAGE, IMAGE, pre_annotation=False)
        assert (found.severity, found.key) == ("error", "task.input.nmae")
        assert "none of the 2 lines" in found.message

    def test_one_that_some_lines_lack_is_a_warning(self) -> None:
        page = GOOD + "{% for x in task.input.more %}{{ x }}{% endfor %}"
        (found,) = find(page, {**IMAGE, "more": [1]}, IMAGE, IMAGE, pre_annotation=False)
        assert found.severity == "warning"
        assert "1 of the 3 lines tried, and first missing on line 2" in found.message

    def test_to_ask_whether_it_is_there_is_no_use_of_it(self) -> None:
        page = GOOD + "{% if task.input.more %}{{ task.input.more }}{% endif %}"
        assert codes(page, IMAGE, pre_annotation=False) == []
        assert codes(GOOD + "{{ task.input.more | default: 'x' }}", IMAGE) == []

    def test_without_a_manifest_nothing_is_said_about_them(self) -> None:
        assert codes(GOOD + "{{ task.input.anything }}") == []

    def test_an_image_needs_read_access(self) -> None:
        image = '<img src="{{ task.input.source-ref }}">'
        assert codes(GOOD + image, IMAGE, pre_annotation=False) == ["no-access"]
        granted = image.replace(" }}", " | grant_read_access }}")
        assert codes(GOOD + granted, IMAGE, pre_annotation=False) == []

    def test_what_the_line_holds_is_also_in_what_the_lambda_gives(self) -> None:
        page = GOOD + "{{ task.input.source-ref | grant_read_access }}"
        assert codes(page, IMAGE) == codes(page, IMAGE, pre_annotation=False) == []

    def test_our_own_notes_are_not_in_what_the_lambda_gives(self) -> None:
        page = GOOD + "{{ task.input.gandt-gold }}"
        assert codes(page, {**IMAGE, "gandt-gold": "cat"}) == ["missing-variable"]

    def test_a_line_that_the_lambda_refuses_is_an_error(self) -> None:
        (found, *_) = find(GOOD, IMAGE, {"source": "  "})
        assert (found.severity, found.code, found.line) == ("error", "refused", 2)
        assert "source is empty" in found.message


class TestLiquid:
    @pytest.mark.parametrize(
        "text", ["{% if x %}", "{% include 'a' %}", "{{ x | nope }}", "{{ 'a }}"]
    )
    def test_what_cannot_be_rendered(self, text: str) -> None:
        assert codes(GOOD + "\n" + text, IMAGE) == ["liquid"]

    def test_a_filter_that_only_works_here(self) -> None:
        (found,) = find(GOOD + "\n{{ task.input.taskObject | squish }}", IMAGE)
        assert (found.severity, found.code, found.line) == ("warning", "filter", 2)

    def test_the_length_is_counted_in_characters(self) -> None:
        filler = "é" * (MAX_TEMPLATE - len(GOOD))
        assert codes(GOOD + filler) == []
        assert codes(GOOD + filler + "x") == ["too-long"]


class TestOurPages:
    def test_a_page_without_labels(self) -> None:
        page = read_template("image-classification")
        assert codes(page, IMAGE) == ["no-labels"]
        assert codes(page, IMAGE, labels=["a"]) == []
        assert codes(page, IMAGE, labels=["a"], pre_annotation=False) == ["no-labels"]
        assert codes(page, {**IMAGE, "labels": ["a"]}, pre_annotation=False) == []

    def test_a_page_for_another_kind_of_manifest(self) -> None:
        for name, record in (("bounding-box", {"source": "x"}), ("text-spans", dict(IMAGE))):
            page = bake(read_template(name), labels=["a"])
            assert codes(page, record) == ["no-subject"]
        assert "tiles" in codes(bake(read_template("tiles"), labels=["a"]), IMAGE)

    def test_tiles_without_a_lambda_need_a_list(self) -> None:
        found = find(read_template("tiles"), {"source": TILES}, pre_annotation=False)
        assert [f.code for f in found] == ["tiles", "no-labels"]
        assert "key `tiles`" in found[0].remedy
