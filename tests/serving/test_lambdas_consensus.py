"""Properties of the light consensus, and that it reads answers as `gandt aggregate` does."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.errors import AnswerError
from gandt.groundtruth.answer_content import decode_content
from gandt.groundtruth.answer_labels import read_label
from gandt.groundtruth.class_names import ClassNames
from gandt.groundtruth.label_values import LeftOut
from gandt.groundtruth.responses import read_answers
from gandt.serving.lambdas.consensus import consensus
from gandt.serving.lambdas.reliability import parse, weights
from gandt.serving.lambdas.votes import NoVote, read_vote, spell

WORKERS = [f"w{number}" for number in range(6)]
names = st.sampled_from(["a", "b", "c", "d"])
labels = st.lists(names, max_size=3)
single = names.map(lambda name: {"category": {"label": name}})
several = labels.map(lambda chosen: {"category": json.dumps({"labels": chosen})})
tiles = st.dictionaries(
    st.sampled_from(["labels-0", "labels-3", "labels-11"]), labels.map(json.dumps), min_size=1
)
tables = st.none() | st.fixed_dictionaries(
    {"workers": st.dictionaries(st.sampled_from(WORKERS), st.floats(0, 1))}
).map(parse)


def responses(*annotations: object) -> list[dict[str, object]]:
    return [
        {"workerId": worker, "annotation": annotation}
        for worker, annotation in zip(WORKERS, annotations, strict=False)
    ]


@given(st.lists(single | several | tiles, max_size=6), tables, st.randoms())
def test_the_order_of_workers_does_not_matter(annotations, table, random) -> None:  # type: ignore[no-untyped-def]
    given_order = responses(*annotations)
    shuffled = random.sample(given_order, len(given_order))
    first, second = (consensus(r, reliability=table) for r in (given_order, shuffled))
    first.pop("leftOut", None)
    second.pop("leftOut", None)
    assert first == second


@given(st.lists(single, min_size=1, max_size=6), tables)
def test_one_label_has_a_share_of_the_votes_or_is_a_tie(annotations, table) -> None:  # type: ignore[no-untyped-def]
    found = consensus(responses(*annotations), reliability=table)
    assert 0 < found["confidence"] <= 1
    assert found["votes"] == len(annotations)
    assert (found["label"] is None) == (len(found.get("tie", [])) > 1)


def test_one_more_agreeing_vote_never_lowers_the_confidence() -> None:
    votes: list[object] = [{"label": "a"}, {"label": "b"}]
    before = 0.0
    for _ in range(4):
        confidence = consensus(responses(*votes))["confidence"]
        assert isinstance(confidence, float)
        assert confidence >= before
        before = confidence
        votes.append({"label": "a"})


def test_weights_are_log_odds() -> None:
    table = {"w0": 0.9, "w1": 0.5, "w2": 1.0, "": 0.5}
    found = weights(["w0", "w1", "w2", "new"], table, 2)
    assert found == {
        "w0": pytest.approx(2.1972, abs=1e-4),
        "w1": 0,
        "w2": pytest.approx(4.5951, abs=1e-4),
        "new": 0,
    }
    # Of four classes, one who is right half of the time knows something.
    assert weights(["w1"], table, 4) == {"w1": pytest.approx(1.0986, abs=1e-4)}


def test_a_table_without_default_takes_the_mean() -> None:
    assert parse({"workers": {"x": 0.5, "y": 0.75}}) == {"x": 0.5, "y": 0.75, "": 0.625}
    assert parse({"workers": {}}) == {}


@settings(max_examples=60)
@given(st.lists(st.lists(single | several, max_size=3), min_size=1, max_size=4))
def test_it_counts_the_votes_that_gandt_aggregate_counts(objects) -> None:  # type: ignore[no-untyped-def]
    lines = [
        {
            "source-ref": f"s3://pool/{number}.jpg",
            "job": {"responses": responses(*annotations)},
            "job-metadata": {"type": "groundtruth/custom"},
        }
        for number, annotations in enumerate(objects)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "output.manifest"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        try:
            counted = list(read_answers([str(path)]).task)
        except AnswerError:
            counted = []
    found = [consensus(responses(*annotations)) for annotations in objects]
    expected = [counted.count(f"s3://pool/{number}.jpg") for number in range(len(objects))]
    assert [label.get("votes", 0) for label in found] == expected


contents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from(["", "a", "B ", '["a"]', "{}"]),
    lambda part: (
        st.lists(part, max_size=2)
        | st.dictionaries(
            st.sampled_from(["label", "labels", "category", "note", "x", "crowd-x", "labels-1"]),
            part,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@settings(max_examples=400)
@given(st.dictionaries(st.sampled_from(["category", "crowd-y", "note", "z"]), contents))
def test_it_finds_the_label_where_the_reader_finds_it(content: dict[str, object]) -> None:
    try:
        read = decode_content(content)
        expected = (
            None
            if read.tiles is not None or read.shape in ("boxes", "spans", "mask")
            else read_label(read.shape, read.value, ClassNames())[0]
        )
    except LeftOut:
        with pytest.raises(NoVote):
            _ = read_vote(content)
        return
    if expected is None:
        return
    vote = read_vote(content)
    assert vote is not None
    (found,) = vote.labels.values()
    assert found == ((expected,) if isinstance(expected, str) else expected)


@given(st.lists(st.sampled_from(["Cat", "cat", "Dog ", "A & B", "Ü"]), max_size=4), st.text())
def test_names_are_spelled_as_the_reader_spells_them(classes: list[str], text: str) -> None:
    for candidate in (text, *classes, "cat", "DOG", "a &amp; b", "none", " Ü\t"):
        assert spell(candidate, classes) == ClassNames(classes).find(candidate)


@given(
    st.recursive(
        st.none() | st.floats() | st.text(), lambda p: st.lists(p) | st.dictionaries(st.text(), p)
    )
)
def test_any_annotation_is_a_vote_or_none_or_has_a_reason(annotation: object) -> None:
    found = consensus(responses(annotation))
    if not found:
        assert read_vote(annotation) is None  # boxes or the like
    assert {"leftOut", "votes", "tiles"} & set(found) or not found
