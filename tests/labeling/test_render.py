"""Liquid as Ground Truth renders it."""

from __future__ import annotations

import json

import pytest

from gandt.errors import ManifestError
from gandt.labeling.render import render_page, task_input
from gandt.labeling.templates import PAGES, read_template

CROWD = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>'


def render(template: str, task: dict[str, object] | None = None) -> str:
    return render_page(template, task or {}, grant_read_access=lambda uri: f"https://x/{uri}?a&b")


class TestFilters:
    def test_every_value_is_escaped_unless_the_template_says_otherwise(self) -> None:
        task: dict[str, object] = {"a": "<b>&\"'"}
        assert render("{{ task.input.a }}", task) == "&lt;b&gt;&amp;&#34;&#39;"
        assert render("{{ task.input.a | escape }}", task) == "&lt;b&gt;&amp;&#34;&#39;"
        assert render("{{ task.input.a | skip_autoescape }}", task) == "<b>&\"'"

    def test_escape_once_leaves_what_is_escaped(self) -> None:
        assert render("{{ task.input.a | escape_once }}", {"a": "&lt;b&gt; & <i>"}) == (
            "&lt;b&gt; &amp; &lt;i&gt;"
        )

    def test_json_survives_an_attribute_and_a_script(self) -> None:
        labels = ['"</script>', "é\u2028", "a'b"]
        quoted = render("{{ task.input.labels | to_json | escape }}", {"labels": labels})
        assert '"' not in quoted
        bare = render("{{ task.input.labels | to_json | skip_autoescape }}", {"labels": labels})
        assert "</script>" not in bare
        assert json.loads(bare) == labels

    def test_json_of_what_is_missing_is_null(self) -> None:
        assert render("{{ task.input.labels | to_json }}") == "null"

    def test_read_access_is_granted_on_the_server(self) -> None:
        task: dict[str, object] = {"source-ref": 's3://b/a "b.jpg'}
        assert render("{{ task.input.source-ref | grant_read_access }}", task) == (
            "https://x/s3://b/a &#34;b.jpg?a&amp;b"
        )
        assert render("{{ task.input.nothing | grant_read_access }}") == ""

    @pytest.mark.parametrize(
        ("template", "reason"),
        [
            ("a\n{{ task | shout }}", "line 2: unknown filter 'shout'"),
            ("{% if task %}", "cannot be rendered"),
            ("{% include 'other' %}", "unexpected tag"),
            ("{{ task | safe }}", "unknown filter"),
        ],
    )
    def test_what_ground_truth_would_refuse_is_refused(self, template: str, reason: str) -> None:
        with pytest.raises(ManifestError, match=reason):
            render(template)


class TestPage:
    def test_the_stand_in_takes_the_place_of_the_crowd_elements(self) -> None:
        page = render_page(CROWD, {}, grant_read_access=str, stand_in=True)
        assert "crowd.aws" not in page
        assert "customElements.define" in page

    def test_a_label_cannot_forge_the_tag_that_is_replaced(self) -> None:
        page = render_page(
            "{{ task.input.a }}" + CROWD, {"a": CROWD}, grant_read_access=str, stand_in=True
        )
        assert page.count('customElements.define("crowd-form"') == 1

    def test_the_address_of_the_answer_is_escaped(self) -> None:
        page = render_page(
            CROWD + "<crowd-form>", {}, grant_read_access=str, stand_in=True, action='/a?b=1&c="2"'
        )
        assert page.endswith('<crowd-form data-action="/a?b=1&amp;c=&quot;2&quot;">')

    @pytest.mark.parametrize("name", PAGES)
    def test_a_nonce_is_on_every_script_and_style(self, name: str) -> None:
        page = render_page(
            read_template(name), {}, grant_read_access=str, stand_in=True, nonce="r4nd0m"
        )
        opened = page.count("<script") + page.count("<style")
        assert page.count(' nonce="r4nd0m"') == opened == 4
        assert " style=" not in page
        assert " onclick=" not in page


class TestTaskInput:
    TILES = json.dumps([{"source-ref": "s3://b/1.jpg", "index": 0, "event_names": ["a"]}])

    def test_without_a_lambda_the_line_is_the_input(self) -> None:
        record = {"source": self.TILES, "mine": 1}
        assert task_input(record, labels=["x"], pre_annotation=False) == record

    def test_a_lambda_names_the_subject_and_decodes_tiles(self) -> None:
        image = {"source-ref": "s3://b/1.jpg"}
        assert task_input(image) == {**image, "taskObject": "s3://b/1.jpg"}
        assert task_input({"source": "text"})["taskObject"] == "text"
        (tile,) = json.loads(self.TILES)
        found = task_input({"source": self.TILES})
        assert (found["taskObject"], found["labels"]) == ([tile], ["a"])

    def test_a_line_that_shows_nothing_is_refused_as_the_lambda_does(self) -> None:
        with pytest.raises(ManifestError, match="neither source nor source-ref"):
            task_input({"question": "What?"})

    def test_labels_of_the_line_win(self) -> None:
        assert task_input({"source": "t"}, labels=["a"])["labels"] == ["a"]
        assert task_input({"source": "t", "labels": ["b"]}, labels=["a"])["labels"] == ["b"]

    def test_the_machine_s_guess_stays_behind(self) -> None:
        """A worker who could see it would be biased."""
        record = {"source-ref": "s3://b/1.jpg", "gandt-class": "cat", "question": "What?"}
        assert task_input(record) == {
            "source-ref": "s3://b/1.jpg",
            "question": "What?",
            "taskObject": "s3://b/1.jpg",
        }
