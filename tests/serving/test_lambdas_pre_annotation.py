"""What the worker's page gets for a line of the manifest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.errors import ManifestError
from gandt.labeling.render import task_input
from gandt.serving.lambdas.pre_annotation import handler

TILES = [
    {
        "source-ref": "s3://gt-demo/pool/a.jpg",
        "index": 0,
        "event_names": ["Birthday Party", "Wedding"],
        "other_category_label": "None of the above",
        "positive_examples": ["s3://gt-demo/ex/p.jpg"],
        "negative_examples": [],
    },
    {"source-ref": "s3://gt-demo/pool/c d.jpg", "index": 2},
    {"source-ref": "s3://gt-demo/pool/é.jpg", "index": 4},
]


def event(**line: object) -> dict[str, object]:
    arn = "arn:aws:sagemaker:eu-west-1:111122223333:labeling-job/event-tiles-1"
    return {"version": "2018-10-16", "labelingJobArn": arn, "dataObject": line}


def shown(**line: object) -> dict[str, object]:
    answer = handler(event(**line), None)
    assert set(answer) == {"taskInput", "isHumanAnnotationRequired"}
    assert answer["isHumanAnnotationRequired"] is True
    task = answer["taskInput"]
    assert isinstance(task, dict)
    json.dumps(task, allow_nan=False, ensure_ascii=False).encode()
    return task


def test_an_image_is_its_uri_and_the_rest_of_the_line_goes_with_it() -> None:
    assert shown(**{"source-ref": "s3://gt-demo/pool/a.jpg", "pool-id": 17}) == {
        "source-ref": "s3://gt-demo/pool/a.jpg",
        "pool-id": 17,
        "taskObject": "s3://gt-demo/pool/a.jpg",
    }


def test_tiles_are_decoded_and_the_first_one_says_what_to_choose_from() -> None:
    task = shown(source=json.dumps(TILES))
    assert task["taskObject"] == TILES
    assert task["labels"] == ["Birthday Party", "Wedding", "None of the above"]


def test_labels_of_the_line_go_before_those_of_the_tiles() -> None:
    assert shown(source=json.dumps(TILES), labels=["A", "B"])["labels"] == ["A", "B"]


def test_an_object_in_json_text_is_decoded() -> None:
    source = {"question": "Is it red?", "images": ["s3://b/1.jpg"]}
    assert shown(source=json.dumps(source))["taskObject"] == source


@pytest.mark.parametrize(
    "text", ["A text.", "[1] According to Kant …", "{x} is a set", "12", '"q"']
)
def test_a_text_stays_a_text(text: str) -> None:
    assert shown(source=text)["taskObject"] == text


@pytest.mark.parametrize("version", ["2018-10-06", "2018-10-16", "2031-01-01", 7, None])
def test_the_version_does_not_matter(version: object) -> None:
    asked = event(source="A text.") | {"version": version}
    assert handler(asked) == handler(event(source="A text."))


def test_an_event_of_nothing_but_the_line_is_enough() -> None:
    assert handler({"dataObject": {"source": "A text."}}) == handler(event(source="A text."))


def test_known_answers_stay_behind() -> None:
    line = {"source-ref": "s3://b/1.jpg", "gandt-gold": "cat", "gandt-pool-uri": "/home/1.jpg"}
    assert set(shown(**line)) == {"source-ref", "taskObject"}


def test_earlier_labels_go_with_the_line_for_pages_that_show_them() -> None:
    boxes = {"annotations": [{"class_id": 0, "left": 1, "top": 2, "width": 3, "height": 4}]}
    assert shown(**{"source-ref": "s3://b/1.jpg", "boxes": boxes})["boxes"] == boxes


@pytest.mark.parametrize(
    "line",
    [
        {"source-ref": "s3://gt-demo/pool/a.jpg", "labels": ["cat", "dog"]},
        {"source": "A text.", "question": "Which?"},
        {"source": json.dumps(TILES), "instructions": "Look twice.", "labels": ["A"]},
        {"source-ref": "s3://b/1.jpg", "positive_examples": ["s3://b/p.jpg"]},
    ],
)
def test_the_page_gets_all_that_its_preview_here_gets(line: dict[str, object]) -> None:
    assert task_input(line).items() <= shown(**line).items()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({}, "neither source nor source-ref"),
        ({"source": None, "text": "x"}, "neither source nor source-ref"),
        ({"source": "  "}, "source is empty"),
        ({"source": 12}, "must be text"),
        ({"source-ref": ""}, "must be the URI of an image"),
        ({"source-ref": ["s3://b/1.jpg"]}, "must be the URI of an image"),
        ({"source": "[]"}, "empty list"),
        ({"source": json.dumps(TILES)[:-9]}, "looks like a tiled task but is not valid JSON"),
        ({"source": '[{"source-ref": "s3://b/1.jpg", "index": NaN}]'}, "NaN is no JSON"),
        ({"source": '[{"source-ref": "s3://b/\\ud83d.jpg"}]'}, "is not valid JSON"),
        (
            {"source": '[{"source-ref": "s3://b/1.jpg"}, {"index": 2}]'},
            "Tile 2 of 2 names no image",
        ),
        ({"source-ref": "s3://b/\ud83d.jpg"}, "half of a character"),
    ],
)
def test_a_line_that_cannot_be_shown_says_why(line: dict[str, object], says: str) -> None:
    with pytest.raises(ManifestError, match=says):
        handler(event(**line))


@pytest.mark.parametrize("wrong", [None, [], "text", {}, {"dataObject": None}, {"dataObject": "x"}])
def test_an_event_of_another_step_is_refused(wrong: object) -> None:
    with pytest.raises(ManifestError, match="no dataObject"):
        handler(wrong)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3),
    max_leaves=8,
)


@given(
    line=st.dictionaries(
        st.sampled_from(["source", "source-ref", "labels", "index", "gandt-gold", "x"]),
        json_values | json_values.map(json.dumps),
    )
)
def test_every_line_is_shown_or_refused_with_a_reason(line: dict[str, object]) -> None:
    try:
        task = shown(**line)
    except ManifestError as error:
        assert str(error)
    else:
        assert task["taskObject"] not in (None, "", [])
