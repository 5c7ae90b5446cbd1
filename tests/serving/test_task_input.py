"""A page shows on this machine what it shows in a job: `task_input` gives what the Lambda gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gandt.errors import ManifestError
from gandt.labeling.render import task_input
from gandt.serving.lambdas.pre_annotation import handler

REFUSED = "refused"

# Values as they come from lines of JSON, halves of characters and numbers beyond JSON among them.
texts = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["a", "s3://b/1.jpg", "", "  ", "\ud83d", "[", "{x}", "null", "NaN", '"q"', "12"]
)
numbers = st.integers(-3, 3) | st.floats() | st.just(10**400)
scalars = st.none() | st.booleans() | numbers | texts
keys = st.sampled_from(
    ["source-ref", "index", "event_names", "other_category_label", "labels", "x", "gandt-x"]
)
values = st.recursive(
    scalars,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(keys, part, max_size=3),
    max_leaves=8,
)
tiles = st.lists(
    st.fixed_dictionaries(
        {"source-ref": texts | st.just("s3://b/1.jpg"), "index": st.integers(0, 5)},
        optional={
            "event_names": st.lists(texts, max_size=3) | values,
            "other_category_label": texts,
            "positive_examples": st.lists(texts, max_size=2),
        },
    ),
    max_size=3,
)
json_texts = st.builds(
    lambda value, ascii, blank: blank + json.dumps(value, ensure_ascii=ascii) + blank,
    tiles | values,
    st.booleans(),
    st.sampled_from(["", " ", "\n"]),
)
broken = st.builds(lambda text, cut: text[: max(0, len(text) - cut)], json_texts, st.integers(1, 4))
lines = st.fixed_dictionaries(
    {},
    optional={
        "source": texts | json_texts | broken | values,
        "source-ref": texts | values,
        "labels": st.lists(texts, max_size=3) | values,
        "tiles": tiles,
        "question": texts,
        "instructions": texts,
        "positive_examples": st.lists(texts, max_size=2),
        "gandt-gold": texts,
        "gandt-golds": st.lists(st.none() | texts, max_size=3),
        "gandt-pool-uri": texts,
        "taskObject": values,
        "x": values,
    },
)


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def in_a_job(line: dict[str, object]) -> object:
    try:
        return handler({"dataObject": line})["taskInput"]
    except ManifestError:
        return REFUSED


def here(line: dict[str, object]) -> object:
    try:
        return task_input(line)
    except ManifestError:
        return REFUSED


@given(line=lines)
@example({"source": json.dumps({"a": [1]})})
@example({"source": json.dumps([1, "b"])})
@example({"source": "12"})
@example({"source": '"text"'})
@example({"source": "[]"})
@example({"source": [{"source-ref": "s3://b/1.jpg", "index": 0}]})
@example({"source": json.dumps(deep(61))})
@example({"source": "[" * 100_000})
@example({"source": "[1e999]"})
@example({"source": '["\\ud83d"]'})
@example({"source": '{"source-ref": NaN}'})
@example({"source": "t", "x": deep(61)})
@example({"source": "t", "x": float("nan"), "question": "\ud83d"})
@example({"source": "t", "source-ref": "s3://b/1.jpg"})
@example({"source": "t", "source-ref": None})
def test_every_line_is_the_same_here_and_in_a_job(line: dict[str, object]) -> None:
    # As JSON, for NaN is no equal of itself.
    assert json.dumps(here(line)) == json.dumps(in_a_job(line))


@given(line=lines)
def test_what_the_line_held_is_left_as_it_was(line: dict[str, object]) -> None:
    before = repr(line)
    here(line)
    in_a_job(line)
    assert repr(line) == before


@pytest.mark.parametrize("size", [None, 20])
def test_what_select_writes_is_shown_without_a_word_of_what_is_known(size: int | None) -> None:
    line: dict[str, object] = {"source-ref": "s3://b/1.jpg", "gandt-gold": "cat"}
    if size is not None:
        shown = [{"source-ref": "s3://b/1.jpg", "index": 7, "event_names": ["cat"]}]
        line = {"source": json.dumps(shown), "tiles": shown, "gandt-golds": ["cat"]}
    assert here(line) == in_a_job(line)
    assert not any(key.startswith("gandt-") for key in task_input(line))
