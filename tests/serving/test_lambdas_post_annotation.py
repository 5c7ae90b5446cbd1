"""What becomes of the answers to a batch: a light label, and every answer as it came."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gandt.errors import AnswerError, StorageError
from gandt.groundtruth.output import read_output
from gandt.groundtruth.responses import read_answers
from gandt.serving.lambdas import payload, post_annotation

FOLDER = "out/Event Tiles-1/annotations/consolidated-annotation"
KEY = f"{FOLDER}/consolidation-request/iteration-1/2024-03-05_11:04:59.json"
ATTRIBUTE = "event-tiles"
ANN, BOB, CYD = (f"private.eu-west-1.{name}" for name in ("1f0c8a5b", "2a9b7c6d", "3c5d6e7f"))
TILES = [
    {
        "source-ref": "s3://pool/a.jpg",
        "index": 0,
        "event_names": ["Birthday Party", "Wedding"],
        "other_category_label": "None of the above",
    },
    {"source-ref": "s3://pool/c d.jpg", "index": 2},
    {"source-ref": "s3://pool/é.jpg", "index": 4},
]
Labels = dict[str, dict[str, Any]]
Consolidate = Callable[..., Labels]


@pytest.fixture(autouse=True)
def _own_client() -> Iterator[None]:
    """Each test makes its client from its own environment."""
    payload.client.cache_clear()
    yield
    payload.client.cache_clear()


def event(uri: str, **changes: object) -> dict[str, object]:
    made: dict[str, object] = {
        "version": "2018-10-06",
        "labelingJobArn": "arn:aws:sagemaker:eu-west-1:111122223333:labeling-job/event-tiles-1",
        "payload": {"s3Uri": uri},
        "labelAttributeName": ATTRIBUTE,
        "roleArn": "arn:aws:iam::111122223333:role/service-role/gt-execution",
        "outputConfig": "s3://out/Event Tiles-1/annotations",
        "maxHumanWorkersPerDataObject": 3,
    }
    return made | changes


def answer(worker: object, content: object) -> dict[str, object]:
    """An annotation of a payload; content that is no text is written as JSON."""
    text = content if isinstance(content, str) else json.dumps(content)
    return {"workerId": worker, "annotationData": {"content": text}}


def chose(worker: object, label: str) -> dict[str, object]:
    return answer(worker, {"crowd-image-classifier": {"label": label}})


def ticked(worker: object, *labels: str) -> dict[str, object]:
    return answer(worker, {"crowd-image-classifier-multi-select": {"labels": labels}})


def entry(name: object, *annotations: object, **data: object) -> dict[str, object]:
    """One object of a payload."""
    shown = data or {"s3Uri": f"s3://pool/{name}.jpg"}
    return {"datasetObjectId": name, "dataObject": shown, "annotations": list(annotations)}


@pytest.fixture
def consolidate(bucket: Any) -> Consolidate:
    """Store a payload, call the handler, and give the labels by object."""

    def call(entries: object, **changes: object) -> Labels:
        data = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
        uri = bucket.put(KEY, data)
        results = post_annotation.handler(event(uri, **changes), None)
        json.dumps(results, allow_nan=False, ensure_ascii=False).encode()  # as Lambda will
        labels: Labels = {}
        for result in results:
            assert set(result) == {"datasetObjectId", "consolidatedAnnotation"}
            content: Any = result["consolidatedAnnotation"]
            assert list(content) == ["content"]
            assert list(content["content"]) == [ATTRIBUTE]
            labels[str(result["datasetObjectId"])] = content["content"][ATTRIBUTE]
        assert len(labels) == len(results)
        return labels

    return call


def without_answers(label: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in label.items() if key != "responses"}


# ------------------------------------------------------------------------------- one label


def test_most_votes_win_and_every_answer_stays(consolidate: Consolidate) -> None:
    labels = consolidate(
        [entry("3", chose(ANN, "Birthday"), chose(BOB, "Birthday"), chose(CYD, "Other"))]
    )
    assert labels["3"] == {
        "label": "Birthday",
        "confidence": 0.6667,
        "votes": 3,
        "responses": [
            {"workerId": ANN, "annotation": {"crowd-image-classifier": {"label": "Birthday"}}},
            {"workerId": BOB, "annotation": {"crowd-image-classifier": {"label": "Birthday"}}},
            {"workerId": CYD, "annotation": {"crowd-image-classifier": {"label": "Other"}}},
        ],
    }


@pytest.mark.parametrize("order", [("b", "a"), ("a", "b")])
def test_a_tie_is_said_and_not_decided(consolidate: Consolidate, order: tuple[str, str]) -> None:
    first, second = order
    labels = consolidate([entry("0", chose(ANN, first), chose(BOB, second))])
    assert without_answers(labels["0"]) == {
        "label": None,
        "tie": ["a", "b"],
        "confidence": 0.5,
        "votes": 2,
    }


def test_a_second_answer_of_a_worker_is_kept_but_does_not_count(consolidate: Consolidate) -> None:
    label = consolidate([entry("0", chose(ANN, "a"), chose(ANN, "b"), chose(BOB, "a"))])["0"]
    assert (label["label"], label["votes"], len(label["responses"])) == ("a", 2, 3)
    (left_out,) = label["leftOut"]
    assert left_out["workerId"] == ANN
    assert "more than once" in left_out["reason"]


@pytest.mark.parametrize("empty", [{}, {"crowd-image-classifier": {"label": ""}}, "", "{}", "null"])
def test_an_empty_answer_is_no_vote(consolidate: Consolidate, empty: object) -> None:
    label = consolidate([entry("0", answer(ANN, empty), chose(BOB, "a"))])["0"]
    assert (label["label"], label["confidence"], label["votes"]) == ("a", 1.0, 1)
    assert [found["workerId"] for found in label["leftOut"]] == [ANN]
    assert len(label["responses"]) == 2


@pytest.mark.parametrize("categories", [["Cat & Co", "Dog"], [{"label": "Cat & Co"}, "Dog"]])
def test_labels_are_spelled_as_the_classes_and_others_do_not_count(
    consolidate: Consolidate, categories: list[object]
) -> None:
    label = consolidate(
        [entry("0", chose(ANN, " cat &amp; co"), chose(BOB, "Cat & Co"), chose(CYD, "Bird"))],
        labelCategories=categories,
    )["0"]
    assert (label["label"], label["votes"]) == ("Cat & Co", 2)
    assert label["leftOut"] == [{"workerId": CYD, "reason": "'Bird' is none of the classes"}]


@pytest.mark.parametrize("categories", [None, [], "A", [None, 3, ""], {}])
def test_without_classes_every_label_is_one(consolidate: Consolidate, categories: object) -> None:
    label = consolidate([entry("0", chose(ANN, "Bird"))], labelCategories=categories)["0"]
    assert label["label"] == "Bird"


@pytest.mark.parametrize(
    "content",
    [
        {"category": '{"label":"cat"}', "problem": ""},  # our pages
        {"category": "cat", "comment": "a nice one"},
        {"annotatedResult": {"label": "cat"}},
        {"annotatedResult": {"crowd-classifier": {"label": "cat"}}},
        {"crowd-classifier": {"label": "cat"}, "notes": "ok", "ready": True},
        {"label": "cat"},
    ],
)
def test_the_label_is_found_whatever_the_field_is_called(
    consolidate: Consolidate, content: object
) -> None:
    assert consolidate([entry("0", answer(ANN, content))])["0"]["label"] == "cat"


def test_no_field_is_guessed(consolidate: Consolidate) -> None:
    content = {"color": "red", "shape": "round"}
    label = consolidate([entry("0", answer(ANN, content))])["0"]
    assert "label" not in label
    assert "several fields" in label["leftOut"][0]["reason"]
    assert label["responses"] == [{"workerId": ANN, "annotation": content}]


# --------------------------------------------------------------------- several labels, tiles


def test_of_several_labels_each_needs_more_than_half(consolidate: Consolidate) -> None:
    label = consolidate([entry("0", ticked(ANN, "a", "b"), ticked(BOB, "a"), ticked(CYD, "c"))])
    assert without_answers(label["0"]) == {
        "labels": ["a"],
        "confidences": {"a": 0.6667, "b": 0.3333, "c": 0.3333},
        "votes": 3,
    }


def test_half_of_the_votes_for_a_label_is_a_tie(consolidate: Consolidate) -> None:
    label = consolidate([entry("0", ticked(ANN, "b", "a"), ticked(BOB, "b"))])["0"]
    assert (label["labels"], label["tie"]) == (["b"], ["a"])


def test_leaving_every_box_open_is_a_vote(consolidate: Consolidate) -> None:
    boxes = [{"x": {"a": True, "b": False}}, {"x": {"a": False, "b": False}}]
    label = consolidate([entry("0", *map(answer, (ANN, BOB), boxes))])["0"]
    assert (label["labels"], label["tie"], label["votes"]) == ([], ["a"], 2)


def test_tiles_are_voted_on_one_by_one(consolidate: Consolidate) -> None:
    def tiles(worker: str, *chosen: list[str]) -> dict[str, object]:
        fields = zip((0, 2, 4), chosen, strict=True)
        return answer(worker, {f"labels-{index}": json.dumps(names) for index, names in fields})

    label = consolidate(
        [
            entry(
                "0",
                tiles(ANN, ["Birthday Party"], ["Birthday Party", "Wedding"], ["Christmas"]),
                tiles(BOB, ["Birthday Party"], ["Wedding"], ["None of the above"]),
                tiles(CYD, [], ["Wedding"], ["Birthday Party"]),
                content=json.dumps(TILES),
            )
        ]
    )["0"]
    assert label["tiles"] == {
        "0": {"labels": ["Birthday Party"], "confidences": {"Birthday Party": 1.0}, "votes": 2},
        "2": {
            "labels": ["Wedding"],
            "confidences": {"Birthday Party": 0.3333, "Wedding": 1.0},
            "votes": 3,
        },
        "4": {
            "labels": [],
            "tie": ["Birthday Party", "None of the above"],
            "confidences": {"Birthday Party": 0.5, "None of the above": 0.5},
            "votes": 2,
        },
    }
    assert label["leftOut"] == [
        {"workerId": ANN, "reason": "image 4: 'Christmas' is none of the classes"}
    ]
    assert label["responses"][1]["annotation"]["labels-2"] == '["Wedding"]'


@pytest.mark.parametrize(
    "content",
    [
        {"boundingBox": {"boundingBoxes": [], "inputImageProperties": {"width": 8, "height": 6}}},
        {
            "crowd-entity-annotation": {
                "entities": [{"label": "a", "startOffset": 0, "endOffset": 2}]
            }
        },
        {"crowd-semantic-segmentation": {"labeledImage": {"pngImageData": "iVBORw0KGgo="}}},
    ],
)
def test_boxes_spans_and_masks_pass_through(consolidate: Consolidate, content: object) -> None:
    label = consolidate([entry("0", answer(ANN, content), answer(BOB, content))])["0"]
    assert label == {
        "responses": [{"workerId": name, "annotation": content} for name in (ANN, BOB)]
    }


# ------------------------------------------------------------------------------ reliability


def test_a_reliable_worker_outvotes_two_who_guess(
    consolidate: Consolidate, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {"schema": 1, "workers": {ANN: 0.95, BOB: 0.55, CYD: 0.55}}
    uri = bucket.put("round 1/reliability.json", json.dumps(table).encode())
    monkeypatch.setenv("RELIABILITY_S3_URI", uri)
    votes = [entry("0", chose(ANN, "a"), chose(BOB, "b"), chose(CYD, "b"))]
    label = consolidate(votes, labelCategories=["a", "b"])["0"]
    # log(.95 / .05) = 2.9444 against twice log(.55 / .45) = 0.2007
    assert (label["label"], label["confidence"]) == ("a", 0.88)


def test_workers_that_are_not_listed_have_the_default(
    consolidate: Consolidate, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {"workers": {ANN: 0.6}, "default": 0.9}
    uri = bucket.put("reliability.json", json.dumps(table).encode())
    monkeypatch.setenv("RELIABILITY_S3_URI", uri)
    assert consolidate([entry("0", chose(ANN, "a"), chose(BOB, "b"))])["0"]["label"] == "b"


def test_where_nobody_is_better_than_chance_all_weigh_the_same(
    consolidate: Consolidate, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = bucket.put("reliability.json", json.dumps({"workers": {ANN: 0.2, BOB: 0.5}}).encode())
    monkeypatch.setenv("RELIABILITY_S3_URI", uri)
    assert consolidate([entry("0", chose(ANN, "a"), chose(BOB, "b"))])["0"]["tie"] == ["a", "b"]


@pytest.mark.parametrize("data", [None, b"{", b"[]", b'{"workers": {"x": 7}}', b'{"workers": []}'])
def test_a_broken_table_costs_its_weights_and_no_answer(
    consolidate: Consolidate,
    bucket: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    data: bytes | None,
) -> None:
    if data is not None:
        bucket.put("reliability.json", data)
    monkeypatch.setenv("RELIABILITY_S3_URI", bucket.uri("reliability.json"))
    assert consolidate([entry("0", chose(ANN, "a"), chose(BOB, "b"))])["0"]["tie"] == ["a", "b"]
    assert "is not used" in caplog.text


# ----------------------------------------------------------------------------- what is broken


def test_answers_that_lie_apart_are_fetched(consolidate: Consolidate, bucket: Any) -> None:
    where = bucket.put("out/a b+c%20/é:1.json", b'{"crowd-image-classifier": {"label": "a"}}')
    apart = {"workerId": ANN, "annotationData": {"s3Uri": where}}
    missing = {"workerId": BOB, "annotationData": {"s3Uri": bucket.uri("out/none.json")}}
    label = consolidate([entry("0", apart, missing), entry("1", chose(CYD, "b"))])
    assert label["0"]["responses"][0] == {
        "workerId": ANN,
        "annotation": {"crowd-image-classifier": {"label": "a"}},
    }
    assert label["0"]["responses"][1]["annotation"] == {"s3Uri": bucket.uri("out/none.json")}
    assert "s3:GetObject" in label["0"]["responses"][1]["error"]
    assert (label["0"]["label"], label["0"]["votes"]) == ("a", 1)
    assert label["1"]["label"] == "b"


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        '{"crowd-image-classifier": {"label": "a"',
        '{"x": NaN}',
        '{"x": 1e999}',
        '{"x": "\\ud83d"}',
        '{"x": "\ud83d"}',
        "[" * 5000 + "]" * 5000,
        '{"x": ' + "9" * 5000 + "}",
    ],
)
def test_an_answer_that_cannot_be_decoded_stays_as_text(
    consolidate: Consolidate, content: str
) -> None:
    labels = consolidate([entry("0", answer(ANN, content), chose(BOB, "b")), entry("1")])
    kept = labels["0"]["responses"][0]["annotation"]
    assert kept == content.encode("utf-8", "backslashreplace").decode()
    assert labels["0"]["label"] == "b"
    assert labels["1"] == {"responses": []}


@pytest.mark.parametrize(
    "broken",
    [
        {"datasetObjectId": "0", "dataObject": {}},
        {"datasetObjectId": "0", "annotations": None},
        {"datasetObjectId": "0", "annotations": "text"},
        {"datasetObjectId": 0, "annotations": {"workerId": ANN}},
    ],
)
def test_an_object_without_annotations_fails_alone(
    consolidate: Consolidate, broken: object, caplog: pytest.LogCaptureFixture
) -> None:
    labels = consolidate([broken, entry("1", chose(ANN, "a"))])
    assert "no list of annotations" in labels["0"]["error"]
    assert labels["0"]["responses"] == []
    assert labels["1"]["label"] == "a"
    assert "Object 0: " in caplog.text


@pytest.mark.parametrize(
    "annotation",
    [
        None,
        "text",
        7,
        [],
        {},
        {"workerId": ANN},
        {"workerId": None, "annotationData": {"content": '{"label": "x"}'}},
        {"workerId": ["x"], "annotationData": {"content": '{"label": "x"}'}},
        {"workerId": ANN, "annotationData": "x"},
        {"workerId": ANN, "annotationData": {"content": {"boundingBox": None}}},
        {"workerId": ANN, "annotationData": {"content": 12}},
        {"workerId": ANN, "annotationData": {"s3Uri": "/etc/passwd"}},
        {"workerId": ANN, "annotationData": {"s3Uri": "s3://"}},
        {"workerId": ANN, "annotationData": {"content": None, "s3Uri": None}},
    ],
)
def test_a_broken_annotation_is_kept_and_does_not_count(
    consolidate: Consolidate, annotation: object
) -> None:
    label = consolidate([entry("0", annotation, chose(BOB, "b"))])["0"]
    assert (label["label"], label["votes"], len(label["responses"])) == ("b", 1, 2)
    assert len(label["leftOut"]) == 1


def test_an_entry_that_names_no_object_is_logged(
    consolidate: Consolidate, caplog: pytest.LogCaptureFixture
) -> None:
    labels = consolidate([None, {"annotations": []}, entry("1", chose(ANN, "a"))])
    assert list(labels) == ["1"]
    assert len([r for r in caplog.records if "names no object" in r.message]) == 2


def test_entries_of_the_same_object_are_one(consolidate: Consolidate) -> None:
    labels = consolidate([entry("7", chose(ANN, "a")), entry("7", chose(BOB, "a"))])
    assert (labels["7"]["votes"], len(labels["7"]["responses"])) == (2, 2)


def test_a_failure_of_our_own_costs_one_object_its_label(
    consolidate: Consolidate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = post_annotation.consensus

    def failing(responses: Any, **options: Any) -> dict[str, object]:
        if len(responses) == 2:
            raise ZeroDivisionError("two")
        return whole(responses, **options)

    monkeypatch.setattr(post_annotation, "consensus", failing)
    labels = consolidate(
        [entry("0", chose(ANN, "a"), chose(BOB, "a")), entry("1", chose(ANN, "a"))]
    )
    assert labels["0"]["error"] == "ZeroDivisionError: two"
    assert len(labels["0"]["responses"]) == 2
    assert labels["1"]["label"] == "a"
    assert "could not be judged" in caplog.text


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_a_payload_that_is_no_list_is_refused(consolidate: Consolidate, data: bytes) -> None:
    with pytest.raises(AnswerError, match="payload"):
        consolidate(data)


def test_a_byte_order_mark_does_no_harm(consolidate: Consolidate) -> None:
    data = b"\xef\xbb\xbf" + json.dumps([entry("0", chose(ANN, "a"))]).encode()
    assert consolidate(data)["0"]["label"] == "a"


def test_a_missing_payload_says_what_the_role_needs(bucket: Any) -> None:
    with pytest.raises(StorageError, match=r"2024-03-05_11:04:59.json cannot be read .*GetObject"):
        post_annotation.handler(event(bucket.uri(KEY)))


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": None},
        {"payload": {}},
        {"payload": {"s3Uri": "https://b/k"}},
        {"payload": {"s3Uri": "s3://bucket"}},
        {"labelAttributeName": None},
        {"labelAttributeName": ""},
    ],
)
def test_an_event_that_lacks_what_counts_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(AnswerError):
        post_annotation.handler(event("s3://b/k", **changes))


@pytest.mark.parametrize("wrong", [None, [], "text", {}, {"dataObject": {}}])
def test_an_event_of_another_step_is_refused(wrong: object) -> None:
    with pytest.raises(AnswerError, match="labelAttributeName"):
        post_annotation.handler(wrong)


# ------------------------------------------------------------------------------------ size


def large(name: str, size: int) -> dict[str, object]:
    return entry(name, answer(ANN, {"category": '{"label": "a"}', "note": "é" * (size // 6)}))


def test_an_answer_beyond_lambdas_limit_moves_its_largest_parts_to_s3(
    consolidate: Consolidate, bucket: Any, tmp_path: Path
) -> None:
    batch = [large("0", 1_000_000), large("1", 3_000_000), large("12", 2_500_000)]
    labels = consolidate(batch)
    assert [("responses" in label, label["label"]) for label in labels.values()] == [
        (True, "a"),
        (False, "a"),
        (True, "a"),
    ]
    place = bucket.uri(f"{FOLDER}/gandt-answers/iteration-1/2024-03-05_11:04:59/1.json")
    assert labels["1"]["worker-response-ref"] == place
    answers = read_answers([place])
    assert (list(answers.worker), list(answers.label)) == ([ANN], ["a"])
    stored = json.loads(bucket.get(place.removeprefix(bucket.uri())))
    (kept,) = stored["answers"]
    assert kept["answerContent"]["note"] == "é" * 500_000
    assert len(json.dumps(labels)) < post_annotation.MAX_RESPONSE


def test_what_is_written_is_encrypted_with_the_key_of_the_job(consolidate: Consolidate) -> None:
    key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd"
    labels = consolidate([large("0", 6_000_000)], kmsKeyId=key)
    bucket, name = payload.parse_uri(labels["0"]["worker-response-ref"])
    written = payload.client().head_object(Bucket=bucket, Key=name)
    assert (written["ServerSideEncryption"], written["SSEKMSKeyId"]) == ("aws:kms", key)


def test_where_s3_refuses_the_payload_itself_is_named(
    consolidate: Consolidate, bucket: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.server.fail(times=9, method="PUT", status="403 Forbidden", code="AccessDenied")
    labels = consolidate([large("0", 3_000_000), large("1", 3_100_000)])
    assert labels["1"]["consolidation-request-ref"] == bucket.uri(KEY)
    assert labels["1"]["label"] == "a"
    assert "s3:PutObject" in caplog.text


# --------------------------------------------------------------------- read by gandt aggregate


def manifest(folder: Path, labels: Labels, lines: dict[str, dict[str, object]]) -> str:
    """What Ground Truth makes of the handler's answer."""
    metadata = {
        "type": "groundtruth/custom",
        "job-name": "event-tiles-1",
        "human-annotated": "yes",
        "creation-date": "2024-03-05T11:05:01.177000",
    }
    written = [
        {**line, ATTRIBUTE: labels[name], f"{ATTRIBUTE}-metadata": metadata}
        for name, line in lines.items()
    ]
    path = folder / "output.manifest"
    path.write_text("".join(json.dumps(line) + "\n" for line in written), encoding="utf-8")
    return str(path)


def test_the_reader_finds_every_answer_in_the_output_manifest(
    consolidate: Consolidate, tmp_path: Path
) -> None:
    labels = consolidate(
        [
            entry("0", chose(ANN, "cat"), chose(BOB, "dog"), chose(CYD, "cat")),
            entry("1", chose(ANN, "dog"), answer(BOB, "no JSON"), chose(None, "cat")),
        ]
    )
    uri = manifest(
        tmp_path, labels, {name: {"source-ref": f"s3://pool/{name}.jpg"} for name in "01"}
    )
    answers = read_answers([uri])
    assert answers.kind == "single"
    found = list(zip(answers.task, answers.worker, answers.label, strict=True))
    assert found == [
        ("s3://pool/0.jpg", ANN, "cat"),
        ("s3://pool/0.jpg", BOB, "dog"),
        ("s3://pool/0.jpg", CYD, "cat"),
        ("s3://pool/1.jpg", ANN, "dog"),
    ]
    assert [oddity.kind for oddity in answers.oddities] == ["unreadable", "unreadable"]
    assert [row.status for row in read_output(uri).rows] == ["labeled", "labeled"]


def test_the_reader_finds_the_answers_to_each_tile(
    consolidate: Consolidate, tmp_path: Path
) -> None:
    content = {"labels-0": '["Wedding"]', "labels-2": "[]", "labels-4": '["Birthday Party"]'}
    source = json.dumps(TILES)
    labels = consolidate([entry("0", answer(ANN, content), content=source)])
    answers = read_answers([manifest(tmp_path, labels, {"0": {"source": source}})])
    assert answers.kind == "multi"
    assert dict(zip(answers.task, answers.label, strict=True)) == {
        "s3://pool/a.jpg": ("Wedding",),
        "s3://pool/é.jpg": ("Birthday Party",),
    }


def test_nothing_is_logged_about_a_good_batch(
    consolidate: Consolidate, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="gandt"):
        consolidate([entry("0", chose(ANN, "a"))])
    assert not caplog.records


# ---------------------------------------------------------------------------------- any payload

scalars = st.none() | st.booleans() | st.integers(-3, 99) | st.floats() | st.text(max_size=4)
anything = st.recursive(
    scalars,
    lambda part: (
        st.lists(part, max_size=2) | st.dictionaries(st.text(max_size=3), part, max_size=2)
    ),
    max_leaves=4,
)
contents = st.dictionaries(
    st.sampled_from(["category", "labels-0", "labels-1", "crowd-x", "annotatedResult"]),
    anything | st.fixed_dictionaries({"label": anything}) | anything.map(json.dumps),
    max_size=2,
).map(json.dumps)
annotations = anything | st.fixed_dictionaries(
    {
        "workerId": st.sampled_from([ANN, BOB, None]) | anything,
        "annotationData": anything | st.fixed_dictionaries({"content": contents | anything}),
    }
)
entries = anything | st.fixed_dictionaries(
    {
        "datasetObjectId": st.sampled_from(["0", "1", 2]) | anything,
        "dataObject": anything | st.fixed_dictionaries({"content": anything.map(json.dumps)}),
        "annotations": st.lists(annotations, max_size=3) | anything,
    }
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(entries, max_size=3), categories=anything)
def test_whatever_the_payload_holds_good_objects_get_their_label(
    consolidate: Consolidate, batch: list[object], categories: object
) -> None:
    good = entry("good", chose(ANN, "a"), chose(BOB, "a"))
    categories = [*categories, "a"] if isinstance(categories, list) else None
    labels = consolidate([*batch, good], labelCategories=categories)
    assert without_answers(labels["good"]) == {"label": "a", "confidence": 1.0, "votes": 2}
    for found in batch:
        if isinstance(found, dict) and found.get("datasetObjectId") in ("0", "1"):
            sent = found["annotations"]
            kept = labels[found["datasetObjectId"]]["responses"]
            assert len(kept) >= (len(sent) if isinstance(sent, list) else 0)
