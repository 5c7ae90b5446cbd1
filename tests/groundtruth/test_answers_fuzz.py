"""Whatever a file holds, reading ends in a table, counted oddities, or one of our own errors."""

from __future__ import annotations

import base64
import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from gandt.answers import Answers
from gandt.errors import AnswerError
from gandt.groundtruth.responses import read_answers

WORKER = "private.eu-west-1.1f0c8a5b2d3e4f60"


def response(*contents: object) -> dict[str, object]:
    return {
        "answers": [
            {
                "acceptanceTime": "2024-03-05T09:12:01.114Z",
                "answerContent": content,
                "submissionTime": "2024-03-05T09:12:09.870Z",
                "timeSpentInSeconds": 8.412,
                "workerId": f"{WORKER}{number}",
            }
            for number, content in enumerate(contents)
        ]
    }


def png() -> str:
    """A picture of 2 x 2 pixels, two of them of the color of a house."""
    picture = Image.new("RGB", (2, 2), "#ffffff")
    picture.paste("#2ca02c", (0, 0, 2, 1))
    data = io.BytesIO()
    picture.save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


PNG = png()
BOX = {"label": "Dog", "left": 100, "top": 120, "width": 200, "height": 150}
TILES = json.dumps(
    [
        {"source-ref": "s3://b/a.jpg", "index": 0, "event_names": ["Party"]},
        {"source-ref": "s3://b/é.jpg", "index": 4},
    ]
)
TILE_ANSWER = {"labels-0": '["Party"]', "labels-4": '["None of the above"]'}
CONTENTS: list[object] = [
    {"crowd-image-classifier": {"label": "Cat"}},
    {"crowd-image-classifier-multi-select": {"labels": ["Cat", "Dog"]}},
    {
        "boundingBox": {
            "boundingBoxes": [BOX, {**BOX, "label": "Bone"}],
            "inputImageProperties": {"height": 600, "width": 800},
        }
    },
    {
        "crowd-entity-annotation": {
            "entities": [{"label": "Person", "startOffset": 0, "endOffset": 3}]
        }
    },
    {
        "crowd-semantic-segmentation": {
            "inputImageProperties": {"width": 2, "height": 2},
            "labelMappings": {"house": {"color": "#2ca02c"}},
            "labeledImage": {"pngImageData": PNG},
        }
    },
    {"quality": {"1": False, "3": True}, "note": "kid's café 🎂"},
    {"annotatedResult": {"labels-0": '["Party"]'}},
    TILE_ANSWER,
]
REQUEST = [
    {
        "datasetObjectId": "0",
        "dataObject": {"content": TILES},
        "annotations": [
            {"workerId": WORKER, "annotationData": {"content": json.dumps(TILE_ANSWER)}}
        ],
    },
    {
        "datasetObjectId": "1",
        "dataObject": {"s3Uri": "s3://b/1.jpg"},
        "annotations": [
            {"workerId": WORKER, "annotationData": {"content": json.dumps(CONTENTS[0])}}
        ],
    },
]
METADATA = {"type": "groundtruth/custom", "job-name": "party-1", "human-annotated": "yes"}
LINE = {
    "source": TILES,
    "gandt-pool-uris": ["/p/a.jpg", "/p/é.jpg"],
    "gandt-golds": [["Party"], None],
    "party": {"responses": [{"workerId": WORKER, "annotation": TILE_ANSWER}]},
    "party-metadata": METADATA,
}
ROW = {"task": "a", "worker": "w", "label": [BOX], "job": "j", "seconds_spent": 1.5}
CATEGORIES = {"labels": [{"label": "Cat"}, {"label": "Dog"}, {"label": "Party"}]}

STRANGE = st.one_of(
    st.sampled_from(
        [None, True, False, 0, -1, 1.5, 10**400, float("nan"), float("inf"), -0.0, 1e308]
    ),
    st.sampled_from(["", " ", "\ud800", "\x00", "[]", "{}", "[[[", '["x"]', "{'a': 1}", "NaN"]),
    st.sampled_from(["s3://", "s3:///", "../x", "/dev/null", "1e9999", "0", "-5", "²", "cat"]),
    st.sampled_from([[], {}, [[]], [{}], {"label": []}, {"labels": {}}, ["x", 1], {"": ""}]),
    st.text(max_size=6),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=6,
    ),
)


DEEDS = ("drop", "replace", "rename", "double", "wrap", "text")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, (dict, list)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            found.extend(places(part, (*path, key)))
    return found


@st.composite
def mutated(draw: st.DrawFn, original: Any) -> Any:
    """Drop, replace, rename, double or wrap one to four values of a document."""
    document = {"root": copy.deepcopy(original)}
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(places(document)))
        holder: Any = document
        for key in path[:-1]:
            holder = holder[key]
        key, deed = path[-1], draw(st.sampled_from(DEEDS))
        if path == ("root",) and deed in ("drop", "rename"):
            deed = "replace"
        if deed == "drop":
            del holder[key]
        elif deed == "rename" and isinstance(holder, dict):
            holder[draw(st.sampled_from(["", "labels-9", "label", "counts", "\udfff"]))] = (
                holder.pop(key)
            )
        elif deed == "double":
            holder[key] = [holder[key], holder[key]]
        elif deed == "wrap":
            holder[key] = {"label": holder[key]}
        elif deed == "text":
            holder[key] = json.dumps(holder[key])
        else:
            holder[key] = copy.deepcopy(draw(STRANGE))  # it may be changed in turn
    return document["root"]


def check(uri: Path, **options: Any) -> None:
    """Read, and see that what comes is whole."""
    try:
        answers = read_answers([str(uri)], **options)
    except AnswerError as error:
        str(error).encode()
        return
    assert len(answers.task) == len(answers.worker) == len(answers.label) > 0
    pairs = set(zip(answers.task, answers.worker, strict=True))
    assert len(pairs) == len(answers)
    assert set(answers.task) <= set(answers.tasks)
    assert len(set(answers.tasks)) == len(answers.tasks)
    assert set(answers.gold) <= set(answers.tasks)
    for oddity in answers.oddities:
        assert oddity.kind and oddity.where and oddity.reason
        oddity.reason.encode()
    with_types(answers)
    assert answers.to_arrow().num_rows == len(answers)
    json.dumps(answers.lines, ensure_ascii=False, allow_nan=False).encode()


def with_types(answers: Answers) -> None:
    for task, worker, label in zip(answers.task, answers.worker, answers.label, strict=True):
        assert isinstance(task, str) and task and isinstance(worker, str) and worker
        if answers.kind == "single":
            assert isinstance(label, str) and label
        elif answers.kind == "multi":
            assert isinstance(label, tuple) and all(isinstance(part, str) for part in label)


fuzz = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Text(str):
    """What is written as it stands."""


def put(folder: Path, place: str, document: object) -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, Text) else json.dumps(document))
    return path


@fuzz
@given(data=st.data())
def test_mutated_worker_responses(data: st.DataObject, tmp_path: Path) -> None:
    content = data.draw(st.sampled_from(CONTENTS))
    check(put(tmp_path, "a.json", data.draw(mutated(response(content, content, CONTENTS[0])))))


@fuzz
@given(data=st.data())
def test_mutated_answers_in_a_whole_job(data: st.DataObject, tmp_path: Path) -> None:
    content = data.draw(st.sampled_from(CONTENTS))
    documents = [response(content, content), REQUEST, LINE, CATEGORIES]
    chosen = data.draw(st.integers(0, 3))
    documents[chosen] = data.draw(mutated(documents[chosen]))  # type: ignore[call-overload]
    put(tmp_path, "J/annotations/worker-response/iteration-1/0/s.json", documents[0])
    request = "J/annotations/consolidated-annotation/consolidation-request/iteration-1/s.json"
    put(tmp_path, request, documents[1])
    put(tmp_path, "J/manifests/output/output.manifest", documents[2])
    put(tmp_path, "J/annotation-tool/data.json", documents[3])
    check(tmp_path / "J")


@fuzz
@given(document=mutated(REQUEST))
def test_mutated_consolidation_requests(document: object, tmp_path: Path) -> None:
    check(put(tmp_path, "r.json", document))


@fuzz
@given(lines=st.lists(mutated(LINE), min_size=1, max_size=3), clean=st.booleans())
def test_mutated_output_manifests(lines: list[object], clean: bool, tmp_path: Path) -> None:
    text = "".join(json.dumps(line) + "\n" for line in [*lines, *([LINE] if clean else [])])
    check(put(tmp_path, "output.manifest", Text(text)))


@fuzz
@given(rows=st.lists(mutated(ROW), min_size=1, max_size=3), clean=st.booleans())
def test_mutated_tables(rows: list[object], clean: bool, tmp_path: Path) -> None:
    text = "".join(json.dumps(row) + "\n" for row in [*([ROW] if clean else []), *rows])
    check(put(tmp_path, "a.jsonl", Text(text)))


@fuzz
@given(cells=st.lists(st.lists(st.text(max_size=8), min_size=3, max_size=4), max_size=4))
@example(cells=[["a", "w", '[{"label": "Dog"}]']])
@example(cells=[["a", "w", "['x', 1e999]"]])
def test_odd_csv(cells: list[list[str]], tmp_path: Path) -> None:
    body = "\n".join(",".join(row) for row in cells)
    path = tmp_path / "a.csv"
    path.write_bytes(f"task,worker,label\n{body}\n".encode("utf-8", "surrogatepass"))
    check(path)


@fuzz
@given(cut=st.floats(0, 1), flip=st.integers(0, 255), data=st.data())
def test_truncated_and_damaged_bytes(
    cut: float, flip: int, data: st.DataObject, tmp_path: Path
) -> None:
    name, document = data.draw(
        st.sampled_from(
            [("a.json", response(*CONTENTS[:2])), ("r.json", REQUEST), ("m.manifest", LINE)]
        )
    )
    raw = bytearray(json.dumps(document).encode())
    where = int(cut * (len(raw) - 1))
    if flip:
        raw[where] ^= flip
    else:
        raw = raw[:where]
    path = tmp_path / name
    path.write_bytes(bytes(raw))
    check(path)


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"answers": [{"workerId": "w", "answerContent": ' + '{"a":' * 5000 + "1" + "}" * 5000,
        '{"answers": [{"workerId": "w", "answerContent": {"a": ' + "[" * 900 + "]" * 900 + "}}]}",
        '{"answers": [{"workerId": "w", "answerContent": {"a": ' + "9" * 5000 + "}}]}",
        '{"answers": [{"workerId": "w", "answerContent": {"a": {"label": ' + "9" * 4000 + "}}}]}",
        '{"answers": NaN}',
        "\ufeff{}",
        "",
        "null",
    ],
    ids=range(9),
)
def test_documents_beyond_reason(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(content, encoding="utf-8")
    check(path)


@pytest.mark.parametrize("name", ["a.json", "a.manifest", "a.jsonl", "a.csv", "a.parquet", "a.png"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"\xff\xfea\x00", b"PAR1", b"{}", b"[]"])
def test_foreign_files(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    check(path)
    check(tmp_path)


@pytest.mark.parametrize("options", [{}, {"kind": "single"}, {"kind": "boxes"}, {"field": "note"}])
@pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
def test_every_content_under_every_option(
    content: object, options: dict[str, Any], tmp_path: Path
) -> None:
    check(put(tmp_path, "a.json", response(content)), **options)
