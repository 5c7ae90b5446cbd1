"""Pages of crowd elements for the task types that Ground Truth knows."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gandt import storage
from gandt.cli.template import template
from gandt.errors import UsageError
from gandt.groundtruth.findings import Finding
from gandt.jobs.tasks import TASKS
from gandt.labeling.check import MAX_TEMPLATE, check_template
from gandt.labeling.render import render_page, task_input
from gandt.labeling.templates import Example
from gandt.labeling.widget_html import read_loosely
from gandt.labeling.widgets import (
    WIDGETS,
    builtin_input,
    earlier_attribute,
    previous_attribute,
    widget_page,
    widget_task,
)

if TYPE_CHECKING:
    from s3_server import Bucket

CROWD = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>'
PRIOR = [task for task, widget in WIDGETS.items() if widget.earlier]

# What Ground Truth's own functions read: the element, and the name of its field.
FIELDS = {
    "image-classification": ("crowd-image-classifier", "crowd-image-classifier"),
    "image-multi-select": ("crowd-image-classifier-multi-select",) * 2,
    "bounding-box": ("crowd-bounding-box", "boundingBox"),
    "semantic-segmentation": ("crowd-semantic-segmentation", "crowd-semantic-segmentation"),
    "text-classification": ("crowd-classifier", "crowd-classifier"),
    "text-multi-select": ("crowd-classifier-multi-select", "crowd-classifier-multi-select"),
    "verify-bounding-box": ("crowd-image-classifier", "crowd-image-classifier"),
    "verify-segmentation": ("crowd-image-classifier", "crowd-image-classifier"),
    "adjust-bounding-box": ("crowd-bounding-box", "boundingBox"),
    "adjust-segmentation": ("crowd-semantic-segmentation", "crowd-semantic-segmentation"),
    "video-classification": ("crowd-classifier", "crowd-classifier"),
}

# A line as two finished jobs left it.
LABELED: dict[str, object] = {
    "source-ref": "s3://gt-demo/pool/a.jpg",
    "boxes": {
        "image_size": [{"width": 800, "height": 600, "depth": 3}],
        "annotations": [
            {"class_id": 5, "left": 101.33333333333333, "top": 119.0, "width": 199.0, "height": 9},
            {"class_id": 0, "left": 0, "top": 0, "width": 800, "height": 600},
        ],
    },
    "boxes-metadata": {
        "objects": [{"confidence": 0.88}, {"confidence": 0.5}],
        "class-map": {"5": "Dog", "0": "Cat"},
        "job-name": "labeling-job/boxes-1",
        "human-annotated": "yes",
        "creation-date": "2024-03-05T10:05:00.120431",
        "type": "groundtruth/object-detection",
    },
    "parts-ref": "s3://gt-demo/out/Parts-1/annotations/consolidated-annotation/output/0.png",
    "parts-ref-metadata": {
        "internal-color-map": {
            "0": {"class-name": "BACKGROUND", "hex-color": "#ffffff", "confidence": 0.78638},
            "1": {"class-name": "house", "hex-color": "#2ca02c", "confidence": 0.78638},
            "2": {"class-name": "sky", "hex-color": "#1f77b4", "confidence": 0.78638},
        },
        "job-name": "labeling-job/parts-1",
        "human-annotated": "yes",
        "creation-date": "2024-03-05T10:05:00.120431",
        "type": "groundtruth/semantic-segmentation",
    },
}
BOXES = [
    {"label": "Dog", "left": 101.33333333333333, "top": 119.0, "width": 199.0, "height": 9},
    {"label": "Cat", "left": 0, "top": 0, "width": 800, "height": 600},
]
COLORS = {"house": {"color": "#2ca02c"}, "sky": {"color": "#1f77b4"}}
MASK = "https://granted/s3://gt-demo/out/Parts-1/annotations/consolidated-annotation/output/0.png"


def line_for(task: str) -> dict[str, object]:
    if WIDGETS[task].data == "text":
        return {"source": "Some words."}
    return LABELED if task in PRIOR else {"source-ref": "s3://gt-demo/pool/a.jpg"}


def attribute_for(task: str) -> str | None:
    if task not in PRIOR:
        return None
    return "boxes" if "box" in task else "parts-ref"


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Elements()
    parser.feed(page)
    parser.close()
    return parser.found


def widget(page: str) -> dict[str, Any]:
    """The attributes of the page's widget."""
    ((_, attributes),) = [e for e in elements(page) if e[0].startswith("crowd-") and "name" in e[1]]
    return attributes


def render(
    task: str,
    record: dict[str, object] | None = None,
    labels: tuple[str, ...] = ("Cat", "Dog", "house", "sky"),
    **words: Any,
) -> str:
    page = widget_page(task, previous_attribute=attribute_for(task), **words)
    given = builtin_input(
        record if record is not None else line_for(task), labels, prior=task in PRIOR
    )
    return render_page(page, given, grant_read_access=lambda uri: f"https://granted/{uri}")


class TestPages:
    def test_every_task_of_ground_truth_has_a_page_but_those_with_one_of_aws(self) -> None:
        assert set(WIDGETS) == {
            name for name, task in TASKS.items() if not task.custom and task.human_task_ui is None
        }
        for name, found in WIDGETS.items():
            assert found.data == TASKS[name].data
            assert (found.earlier is not None) == TASKS[name].prior

    @pytest.mark.parametrize("task", WIDGETS)
    def test_the_answer_has_the_name_that_ground_truth_reads(self, task: str) -> None:
        element, name = FIELDS[task]
        found = [e for e in elements(render(task)) if e[0].startswith("crowd-")]
        assert [tag for tag, _ in found] == ["crowd-form", element]
        assert found[1][1]["name"] == name

    @pytest.mark.parametrize("task", WIDGETS)
    def test_the_page_shows_the_object_and_offers_the_labels(self, task: str) -> None:
        page = render(task)
        given = widget(page)
        offered = given.get("categories") or given.get("labels")
        assert json.loads(offered) == ["Cat", "Dog", "house", "sky"]
        if WIDGETS[task].data == "text":
            assert ">Some words.</div></classification-target>" in page
            assert ".gandt-text { white-space: pre-wrap;" in page
        elif WIDGETS[task].data == "video":
            (video,) = [found for tag, found in elements(page) if tag == "video"]
            assert video["src"] == "https://granted/s3://gt-demo/pool/a.jpg"
        else:
            assert given["src"] == "https://granted/s3://gt-demo/pool/a.jpg"

    @pytest.mark.parametrize("task", WIDGETS)
    def test_nothing_is_left_to_fill_in(self, task: str) -> None:
        page = widget_page(task, previous_attribute=attribute_for(task))
        assert "@@" not in page
        assert len(page) < MAX_TEMPLATE / 20
        assert widget_task(page) == task
        assert previous_attribute(page) == attribute_for(task)

    @pytest.mark.parametrize("task", WIDGETS)
    def test_the_check_finds_nothing(self, task: str) -> None:
        page = widget_page(task, previous_attribute=attribute_for(task))
        lines = [(1, line_for(task))]
        assert check_template(page, lines) == ()
        assert check_template(page, lines, labels=["Cat", "Dog", "house", "sky"]) == ()
        assert check_template(page) == ()

    def test_a_task_without_a_page(self) -> None:
        with pytest.raises(UsageError, match="no page for the task 'text-spans'"):
            widget_page("text-spans")

    def test_other_templates_are_of_no_task(self) -> None:
        assert widget_task("<p>x</p>") is None
        assert widget_task('<meta name="gandt-task" content="tiles">') is None


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)
HOSTILE = [
    "</script><script>alert(1)</script>",
    "{{ 7 | times: 6 }}{% assign x = 1 %}{{x}}",
    "\"><img src=x onerror='alert(1)'>",
    "&lt;b&gt; &amp; 'q' @@short@@ @@previous@@",
    "{% endraw %}{% comment %}",
]


class TestWords:
    @pytest.mark.parametrize("task", WIDGETS)
    @pytest.mark.parametrize("text", HOSTILE)
    def test_neither_liquid_nor_html_finds_anything_in_them(self, task: str, text: str) -> None:
        plain = [tag for tag, _ in elements(render(task, instructions="x\n\ny"))]
        page = render(task, question=text, instructions=f"{text}\n\n{text}")
        assert widget(page)["header"] == text
        assert [tag for tag, _ in elements(page)] == plain

    @given(WORDS)
    def test_a_question_comes_out_of_liquid_as_it_was(self, text: str) -> None:
        assert widget(render("bounding-box", question=text))["header"] == text

    @given(st.lists(WORDS, min_size=1), st.sampled_from(["image-multi-select", "bounding-box"]))
    def test_labels_come_out_of_liquid_as_they_were(self, labels: list[str], task: str) -> None:
        given = widget(render(task, labels=tuple(labels)))
        assert json.loads(given.get("categories") or given["labels"]) == labels

    def test_instructions_keep_their_lines_and_paragraphs(self) -> None:
        page = render("image-classification", instructions="Look.\r\nTwice.\n \n\nThen <choose>.\n")
        said = '<p dir="auto">Look.<br>Twice.</p>\n<p dir="auto">Then &lt;choose&gt;.</p>'
        assert page.count(said) == 2  # in short and in full
        assert "<li>Look at the whole image.</li>" in page

    def test_without_instructions_there_are_some(self) -> None:
        assert page_words("text-multi-select").count("at least one") == 2

    def test_examples_good_and_bad(self) -> None:
        examples = [
            Example("s3://b/it's.jpg", "dog {{x}}", good=False),
            Example('s3://b/a "b" é.jpg', "<cat>"),
        ]
        page = render("image-classification", examples=examples)
        short = page.split("<short-instructions>")[1].split("</short-instructions>")[0]
        assert short.index("Good examples") < short.index("&lt;cat&gt;") < short.index("Bad")
        pictures = [found["src"] for tag, found in elements(short) if tag == "img"]
        assert pictures == [
            'https://granted/s3://b/a "b" é.jpg',
            "https://granted/s3://b/it's.jpg",
        ]
        assert "dog &#123;&#123;x" in short

    def test_an_example_that_liquid_cannot_name(self) -> None:
        with pytest.raises(UsageError, match="rename it"):
            widget_page("image-classification", examples=[Example("s3://b/}}.jpg", "x")])


def page_words(task: str) -> str:
    return widget_page(task)


class TestEarlierLabels:
    def test_boxes_to_repair_are_those_of_the_line(self) -> None:
        assert json.loads(widget(render("adjust-bounding-box"))["initial-value"]) == BOXES

    def test_boxes_to_judge_are_laid_over_the_picture(self) -> None:
        page = render("verify-bounding-box", labels=("good", "bad"))
        assert json.loads(widget(page)["overlay"]) == {
            "boundingBox": {"labels": ["Dog", "Cat"], "value": BOXES}
        }
        assert json.loads(widget(page)["categories"]) == ["good", "bad"]
        assert "<worker-comment" in page

    def test_areas_to_repair_have_the_colors_of_the_mask(self) -> None:
        assert json.loads(widget(render("adjust-segmentation"))["initial-value"]) == {
            "src": MASK,
            "labelMappings": COLORS,
        }

    def test_areas_to_judge_are_laid_over_the_picture(self) -> None:
        overlay = json.loads(widget(render("verify-segmentation"))["overlay"])
        assert overlay == {
            "semanticSegmentation": {
                "src": MASK,
                "labels": ["house", "sky"],
                "labelMappings": COLORS,
            }
        }

    def test_an_image_without_anything_in_it_is_labeled_too(self) -> None:
        empty = LABELED | {
            "boxes": {"image_size": [{"width": 8, "height": 6, "depth": 3}], "annotations": []},
            "boxes-metadata": {
                "objects": [],
                "class-map": {},
                "type": "groundtruth/object-detection",
            },
            "parts-ref-metadata": {
                "internal-color-map": {"0": {"class-name": "BACKGROUND", "hex-color": "#ffffff"}},
                "type": "groundtruth/semantic-segmentation",
            },
        }
        adjust = widget(render("adjust-bounding-box", empty))
        assert json.loads(adjust["initial-value"]) == []
        verify = widget(render("verify-bounding-box", empty))
        assert json.loads(verify["overlay"]) == {"boundingBox": {"labels": [], "value": []}}
        mask = widget(render("adjust-segmentation", empty))
        assert json.loads(mask["initial-value"]) == {"src": MASK, "labelMappings": {}}

    @pytest.mark.parametrize("task", PRIOR)
    def test_a_line_that_the_earlier_job_left_out_shows_none(self, task: str) -> None:
        given = widget(render(task, {"source-ref": "s3://b/1.jpg"}))
        assert "initial-value" not in given
        assert "overlay" not in given

    def test_a_class_that_the_map_forgot_is_the_one_at_its_place(self) -> None:
        """The index of a class is its position among the labels of the job."""
        line = LABELED | {
            "boxes-metadata": {"class-map": {}, "type": "groundtruth/object-detection"}
        }
        labels = ("Cat", "b", "c", "d", "e", "Dog")
        given = widget(render("adjust-bounding-box", line, labels))
        assert [box["label"] for box in json.loads(given["initial-value"])] == ["Dog", "Cat"]

    @pytest.mark.parametrize("name", HOSTILE)
    def test_names_of_classes_stay_text(self, name: str) -> None:
        line = json.loads(json.dumps(LABELED))
        line["boxes-metadata"]["class-map"] = {"5": name, "0": "Cat"}
        line["parts-ref-metadata"]["internal-color-map"]["1"]["class-name"] = name
        boxes = json.loads(widget(render("adjust-bounding-box", line))["initial-value"])
        assert boxes[0]["label"] == name
        overlay = json.loads(widget(render("verify-bounding-box", line))["overlay"])
        assert overlay["boundingBox"]["labels"] == [name, "Cat"]
        areas = json.loads(widget(render("verify-segmentation", line))["overlay"])
        assert list(areas["semanticSegmentation"]["labelMappings"]) == [name, "sky"]
        assert len(elements(render("adjust-segmentation", line))) == len(
            elements(render("adjust-segmentation"))
        )

    def test_the_attribute_has_to_be_named(self) -> None:
        with pytest.raises(UsageError, match="labels of an earlier job: name their attribute"):
            widget_page("adjust-segmentation")
        with pytest.raises(UsageError, match="looks at no earlier labels"):
            widget_page("bounding-box", previous_attribute="boxes")

    @pytest.mark.parametrize(
        "name", ["a']", 'a"b', "a}}b", "a%}", "a{%", "a\nb", "a" * 128, "x-metadata"]
    )
    def test_the_attribute_has_to_be_one_that_liquid_can_name(self, name: str) -> None:
        with pytest.raises(UsageError, match="cannot be the attribute"):
            widget_page("verify-bounding-box", previous_attribute=name)

    def test_an_attribute_of_ones_own_making_may_have_other_signs(self) -> None:
        page = widget_page("adjust-bounding-box", previous_attribute="2nd_boxes v1.0")
        line = {"source-ref": "s3://b/1.jpg", "2nd_boxes v1.0": LABELED["boxes"]}
        line["2nd_boxes v1.0-metadata"] = LABELED["boxes-metadata"]
        rendered = render_page(page, builtin_input(line, prior=True), grant_read_access=str)
        assert json.loads(widget(rendered)["initial-value"]) == BOXES

    def test_the_attribute_of_a_line_is_found_by_its_type(self) -> None:
        assert earlier_attribute("adjust-bounding-box", LABELED) == "boxes"
        assert earlier_attribute("verify-segmentation", LABELED) == "parts-ref"
        assert earlier_attribute("verify-segmentation", {"source-ref": "s3://b/1.jpg"}) is None
        assert earlier_attribute("bounding-box", LABELED) is None

    def test_of_several_one_has_to_be_named(self) -> None:
        twice = LABELED | {"more": LABELED["boxes"], "more-metadata": LABELED["boxes-metadata"]}
        with pytest.raises(UsageError, match="boxes, more"):
            earlier_attribute("verify-bounding-box", twice)


class TestInput:
    def test_the_functions_of_aws_name_the_object_and_the_labels(self) -> None:
        line = {"source-ref": "s3://b/1.jpg", "labels": ["mine"], "question": "mine"}
        assert builtin_input(line, ["a"]) == {"taskObject": "s3://b/1.jpg", "labels": ["a"]}
        assert builtin_input({"source": "[1]"}) == {"taskObject": "[1]"}

    def test_for_earlier_labels_the_line_comes_along(self) -> None:
        assert builtin_input(LABELED, ["a"], prior=True)["manifestLine"] == LABELED


def find(template_text: str, *records: dict[str, object], **settings: Any) -> tuple[Finding, ...]:
    return check_template(template_text, list(enumerate(records, start=1)), **settings)


def codes(template_text: str, *records: dict[str, object], **settings: Any) -> list[str]:
    return [finding.code for finding in find(template_text, *records, **settings)]


def form(widget_html: str) -> str:
    return f"{CROWD}<crowd-form>{widget_html}</crowd-form>"


IMAGE: dict[str, object] = {"source-ref": "s3://b/1.jpg"}
PICTURE = 'src="{{ task.input.taskObject | grant_read_access }}"'


class TestCheck:
    def test_the_way_the_guide_writes_lists_is_fine(self) -> None:
        page = form(f"<crowd-image-classifier name=a {PICTURE} categories=\"['Cat', 'Dog',]\">")
        assert codes(page, IMAGE) == []

    def test_an_element_that_does_not_exist(self) -> None:
        page = form("<crowd-image-clasifier name=a></crowd-image-clasifier><input name=b>")
        (found,) = find(page, IMAGE)
        assert found.code == "unknown-element"
        assert "write <crowd-image-classifier>" in found.remedy

    @pytest.mark.parametrize("value", ["Cat, Dog", "[]", '{"a": 1}', "[1, 2]", "['a' 'b']"])
    def test_categories_that_are_no_list_of_names(self, value: str) -> None:
        page = form(f"<crowd-classifier name=a categories='{value.replace(chr(39), '&#39;')}'>")
        assert codes(page) == ["categories"]

    def test_no_categories_at_all(self) -> None:
        assert codes(form("<crowd-classifier name=a>")) == ["categories"]
        page = form(f"<crowd-bounding-box name=a {PICTURE} categories='[\"a\"]'>")
        assert "no `labels`" in find(page, IMAGE)[0].message

    def test_no_picture(self) -> None:
        assert codes(form("<crowd-bounding-box name=a labels='[\"a\"]'>")) == ["no-picture"]

    @pytest.mark.parametrize(("task", "warned"), [("image-classification", True),
                                                  ("bounding-box", True),
                                                  ("image-multi-select", False)])  # fmt: skip
    def test_more_labels_than_are_documented(self, task: str, warned: bool) -> None:
        labels = [str(number) for number in range(11)]
        found = find(widget_page(task), IMAGE, labels=labels)
        assert [(f.code, f.severity) for f in found] == [("many-categories", "warning")] * warned
        assert find(widget_page(task), IMAGE, labels=labels[:10]) == ()

    def test_a_widget_outside_the_form_or_without_a_name(self) -> None:
        tag = f"<crowd-image-classifier {PICTURE} categories='[\"a\"]'"
        assert codes(form("<input name=a>") + tag + " name=b>", IMAGE) == ["outside"]
        assert "no-name" in codes(form(tag + ">"), IMAGE)

    def test_a_picture_without_read_access(self) -> None:
        page = widget_page("image-classification").replace(" | grant_read_access", "")
        assert codes(page, IMAGE) == ["no-access"]
        mask = widget_page("adjust-segmentation", previous_attribute="parts-ref")
        mask = mask.replace("{{ earlier | grant_read_access }}", "{{ earlier }}")
        assert codes(mask, LABELED) == ["no-access"]

    def test_a_label_of_the_earlier_job_that_this_one_does_not_offer(self) -> None:
        page = widget_page("adjust-bounding-box", previous_attribute="boxes")
        (found,) = find(page, IMAGE | LABELED, labels=["Cat", "Cow"])
        assert (found.code, found.line) == ("earlier-labels", 1)
        assert "'Dog'" in found.message
        judged = widget_page("verify-bounding-box", previous_attribute="boxes")
        assert find(judged, LABELED, labels=["good", "bad"]) == ()

    def test_earlier_labels_are_looked_at_line_by_line(self) -> None:
        page = widget_page("adjust-segmentation", previous_attribute="parts-ref")
        other = json.loads(json.dumps(LABELED).replace('"sky"', '"sea"'))
        (found,) = find(page, LABELED, LABELED, other, labels=["house", "sky"])
        assert found.line == 3
        assert "'sea'" in found.message

    def test_a_class_without_a_name(self) -> None:
        page = widget_page("adjust-bounding-box", previous_attribute="boxes")
        line = LABELED | {
            "boxes-metadata": {"class-map": {}, "type": "groundtruth/object-detection"}
        }
        (found,) = find(page, line, labels=["Cat"])
        assert "class-map" in found.message

    def test_earlier_labels_that_are_no_json(self) -> None:
        tag = f"<crowd-bounding-box name=a {PICTURE} labels='[\"a\"]'"
        page = form(f"{tag} initial-value='[ a b ]'>")
        assert codes(page, IMAGE) == ["earlier-labels"]

    def test_a_line_without_earlier_labels(self) -> None:
        page = widget_page("adjust-bounding-box", previous_attribute="boxes")
        (found,) = find(page, LABELED, IMAGE)
        assert (found.code, found.line, found.key) == ("no-earlier-labels", 2, "boxes")

    def test_a_manifest_of_another_kind(self) -> None:
        assert codes(widget_page("bounding-box"), {"source": "x"}) == ["no-subject"]
        assert codes(widget_page("text-classification"), IMAGE) == ["no-subject"]

    def test_the_input_may_be_given_in_place_of_the_line(self) -> None:
        page = widget_page("adjust-bounding-box", previous_attribute="boxes")
        given = builtin_input(LABELED, ["Cat", "Dog"], prior=True)
        assert find(page, given, pre_annotation=False) == ()

    def test_a_custom_lambda_does_not_bring_the_line(self) -> None:
        page = widget_page("adjust-bounding-box", previous_attribute="boxes")
        assert "manifestLine" not in task_input(LABELED)
        assert "missing-variable" not in codes(page, LABELED)


class TestLooseJson:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ('["a"]', ["a"]),
            ("['a', 'it\\'s', \"x,]\",]", ["a", "it's", "x,]"]),
            ("[{label: 'a', left: 1.5, 'top': -2,},]", [{"label": "a", "left": 1.5, "top": -2}]),
            ("{ text: 'None: of\n these' }", {"text": "None: of\n these"}),
            ("{'src' : 'https://x/y?a=1&b=2', 'labelMappings': {\n}\n}",
             {"src": "https://x/y?a=1&b=2", "labelMappings": {}}),
        ],
    )  # fmt: skip
    def test_what_the_guide_prints_is_read(self, text: str, value: object) -> None:
        assert read_loosely(text) == value

    @given(st.recursive(WORDS | st.integers() | st.none(), st.lists))
    def test_json_is_read_as_it_is(self, value: object) -> None:
        assert read_loosely(json.dumps(value)) == value
        assert read_loosely(json.dumps(value, ensure_ascii=False)) == value

    @pytest.mark.parametrize("text", ["", "cat", "[a]", "['a' 'b']", "['a"])
    def test_what_is_neither(self, text: str) -> None:
        with pytest.raises(ValueError):
            read_loosely(text)


def run(*words: str) -> tuple[str, str]:
    result = CliRunner().invoke(template, words)
    if result.exception:
        raise result.exception
    return result.stdout, result.stderr


class TestCommand:
    @pytest.fixture
    def manifest(self, tmp_path: Path) -> str:
        path = tmp_path / "output.manifest"
        line = LABELED | {
            "source-ref": "https://x.example/a.jpg",
            "parts-ref": "https://x.example/m",
        }
        path.write_text(json.dumps(line) + "\n", encoding="utf-8")
        return str(path)

    def test_list_has_a_heading_for_them(self) -> None:
        out, _ = run("list")
        ours, theirs = out.split("\n\n")
        assert "task types of Ground Truth" in theirs.splitlines()[0]
        assert "tiles" in ours

    def test_render_shows_what_was_marked_before(self, manifest: str) -> None:
        out, said = run("render", "widget-adjust-bounding-box", "--manifest", manifest,
                        "--labels", "Cat,Dog")  # fmt: skip
        assert json.loads(widget(out)["initial-value"]) == BOXES
        assert said == ""
        assert "assets.crowd.aws" not in out
        assert 'customElements.define("crowd-form"' in out
        assert '"crowd-bounding-box": BoundingBox' in out

    def test_render_says_what_is_wrong(self, manifest: str) -> None:
        _, said = run("render", "widget-adjust-bounding-box", "--manifest", manifest,
                      "--labels", "Cat,Cow")  # fmt: skip
        assert "'Dog', which is none of the labels" in said
        _, said = run("render", "widget-bounding-box", "--manifest", manifest)
        assert "--labels" in said

    def test_render_writes_pictures_and_masks_on_s3_into_the_page(
        self, bucket: Bucket, tmp_path: Path
    ) -> None:
        for name in ("a b.png", "mask.png"):
            storage.write_bytes(f"s3://{bucket.name}/{name}", b"\x89PNG")
        line = LABELED | {
            "source-ref": f"s3://{bucket.name}/a b.png",
            "parts-ref": f"s3://{bucket.name}/mask.png",
        }
        path = tmp_path / "output.manifest"
        path.write_text(json.dumps(line) + "\n", encoding="utf-8")
        out, said = run("render", "widget-verify-segmentation", "--manifest", str(path),
                        "--labels", "good,bad")  # fmt: skip
        found = widget(out)
        assert said == ""
        assert found["src"] == "data:image/png;base64,iVBORw=="
        overlay = json.loads(found["overlay"])
        assert overlay["semanticSegmentation"]["src"] == "data:image/png;base64,iVBORw=="

    def test_save_writes_what_a_job_takes(self, tmp_path: Path) -> None:
        page = tmp_path / "page.liquid.html"
        run("save", "widget-verify-segmentation", "--attribute", "parts-ref",
            "--question", "Is {{ it }} right?", "--out", str(page))  # fmt: skip
        expected = widget_page(
            "verify-segmentation", previous_attribute="parts-ref", question="Is {{ it }} right?"
        )
        assert page.read_text(encoding="utf-8") == expected

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("save", "widget-bounding-box", "--labels", "a,b"), "takes its labels from the job"),
            (("save", "widget-verify-bounding-box"), "name their attribute .--attribute."),
            (("save", "tiles", "--attribute", "boxes"), "looks at no earlier labels"),
            (("save", "widget-text-classification", "--attribute", "boxes"), "no earlier labels"),
            (("save", "widget-tiles"), "neither a page of G&T"),
        ],
    )
    def test_a_wrong_call_says_what_is_right(self, words: tuple[str, ...], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            run(*words)
