"""A label that a training or the next job would stumble over is found, with its line and key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gandt.groundtruth.check import check_manifest
from gandt.groundtruth.findings import Finding, ManifestReport

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str, line: int) -> dict[str, object]:
    return json.loads((GOLDEN / f"output.{name}.manifest").read_text().splitlines()[line])  # type: ignore[no-any-return]


BOXES, EMPTY, MASK = (golden("others", line) for line in range(3))
SPANS = golden("texts", 0)
CLASS = golden("classification", 0)
ENTITIES = ("entities", "annotations", "entities")
GREEN = ("parts-ref-metadata", "internal-color-map", "1")
BOX = ("boxes", "annotations", 0)
OBJECTS = "boxes-metadata.objects"
PARTS = ("entities-metadata", "entities")
PERSON = "entities.annotations.entities[0]"


def check(folder: Path, *records: object) -> ManifestReport:
    path = folder / "output.manifest"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return check_manifest(str(path))


def changed(record: object, *path: str | int, to: object = ...) -> object:
    """Give a copy with one value changed, or taken out."""
    copy = json.loads(json.dumps(record))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    if to is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return copy


def only(report: ManifestReport) -> Finding:
    assert len(report.findings) == 1, [str(finding) for finding in report.findings]
    return report.findings[0]


@pytest.mark.parametrize(
    "path", sorted(GOLDEN.glob("output.*.manifest")), ids=lambda path: path.name
)
def test_what_jobs_write_has_no_error(path: Path) -> None:
    report = check_manifest(str(path))
    assert report.ok, [str(finding) for finding in report.findings]


ERRORS = [
    # boxes
    (changed(BOXES, "boxes-metadata", "objects", 0, "confidence", to=1.2), OBJECTS, "1.2"),
    (changed(BOXES, "boxes-metadata", "objects", 0, to={}), OBJECTS, "(missing)"),
    (changed(BOXES, "boxes-metadata", "objects"), OBJECTS, "each box (1"),
    (changed(EMPTY, "boxes-metadata", "objects", to=[{"confidence": 1}]), OBJECTS, "each box (0"),
    (changed(BOXES, *BOX, "width", to=-1), "boxes.annotations[0]", "negative"),
    (changed(BOXES, *BOX, "left", to=10**400), "boxes.annotations[0]", "lacks"),
    (changed(BOXES, *BOX, "class_id", to=7), "boxes.annotations[0]", "class 7 has no name"),
    (changed(BOXES, "boxes", "image_size", to=[{"width": 800}]), "boxes.image_size", "height"),
    (changed(BOXES, "boxes", "image_size", to=800), "boxes.image_size", "width and height"),
    # masks
    (changed(MASK, *GREEN, "hex-color", to="green"), ".".join(GREEN), "'green' is no color"),
    (changed(MASK, *GREEN, "hex-color", to="#FFFFFF"), ".".join(GREEN), "more than one class"),
    (changed(MASK, *GREEN, "confidence", to=-1), ".".join(GREEN), "-1"),
    # spans
    (changed(SPANS, "entities", to={"annotations": []}), "entities", "list of `entities`"),
    (changed(SPANS, *PARTS, 1), ".".join(PARTS), "each entity (2"),
    (changed(SPANS, *PARTS, 1, "confidence", to="1"), "entities-metadata.entities[1]", "'1'"),
    (changed(SPANS, *ENTITIES, 0, "label", to=""), PERSON, "no label"),
    (changed(SPANS, *ENTITIES, 0, "label", to="Pet"), PERSON, "'Pet' is none"),
    (changed(SPANS, *ENTITIES, 0, "endOffset", to=0), PERSON, "from 0 to 0"),
    (changed(SPANS, *ENTITIES, 0, "startOffset", to=True), PERSON, "from True"),
    (changed(SPANS, *ENTITIES, 0, "endOffset"), PERSON, "(missing)"),
    (changed(SPANS, *ENTITIES, 0, "endOffset", to=99), PERSON, "36 characters"),
    # classes
    (changed(CLASS, "event-metadata", "confidence"), "event-metadata.confidence", "(missing)"),
    (changed(CLASS, "event-metadata", "creation-date"), "event-metadata.creation-date", "no date"),
]


@pytest.mark.parametrize(("record", "key", "words"), ERRORS)
def test_a_label_out_of_shape_is_an_error(
    tmp_path: Path, record: object, key: str, words: str
) -> None:
    finding = only(check(tmp_path, record))
    assert (finding.line, finding.severity) == (1, "error")
    assert finding.key is not None
    assert finding.key.startswith(key)
    assert words in finding.message
    assert finding.remedy


WARNINGS = [
    (changed(BOXES, *BOX, "left", to=650), "boxes.annotations[0]", "800 by 600"),
    (changed(BOXES, *BOX, "top", to=-2), "boxes.annotations[0]", "beyond"),
    (changed(BOXES, "boxes", "image_size", to=[]), "boxes.image_size", "not known"),
    (changed(SPANS, *ENTITIES, 0, "endOffset", to=37), PERSON, "emoji"),
    (changed(MASK, "parts-ref", to="/masks/0.png"), "parts-ref", "local path"),
]


@pytest.mark.parametrize(("record", "key", "words"), WARNINGS)
def test_what_may_be_meant_is_a_warning(
    tmp_path: Path, record: object, key: str, words: str
) -> None:
    report = check(tmp_path, record)
    assert report.ok
    assert only(report).key == key
    assert words in only(report).message


def test_averaged_boxes_may_pass_the_border_by_a_rounding(tmp_path: Path) -> None:
    record = changed(BOXES, "boxes", "annotations", 0, "left", to=601.5)
    assert check(tmp_path, record).findings == ()


def test_labels_that_lost_their_metadata_are_found(tmp_path: Path) -> None:
    bare = changed(CLASS, "event-metadata")
    places = [f"s3://gt-demo/{number}.jpg" for number in range(3)]
    lines = zip((bare, CLASS, bare), places, strict=True)
    finding = only(check(tmp_path, *(changed(line, "source-ref", to=to) for line, to in lines)))
    assert (finding.line, finding.key, finding.severity) == (1, "event", "error")
    assert "no event-metadata beside it (2 lines are like that)" in finding.message


def test_other_keys_of_the_user_are_no_labels(tmp_path: Path) -> None:
    assert check(tmp_path, {"source-ref": "s3://gt-demo/a.jpg", "event": 1}).findings == ()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("event",), 3, "'Birthday' is class 3 here and 0 on line 1"),
        (("event-metadata", "class-name"), "Funeral", "class 0 is 'Funeral' here and 'Birthday'"),
    ],
)
def test_classes_are_numbered_in_one_way(
    tmp_path: Path, path: tuple[str, ...], value: object, words: str
) -> None:
    other = changed(changed(CLASS, *path, to=value), "source-ref", to="s3://gt-demo/b.jpg")
    finding = only(check(tmp_path, CLASS, other))
    assert (finding.line, finding.severity, finding.code) == (2, "warning", "class-index")
    assert words in finding.message


def test_two_attributes_have_their_own_numbers(tmp_path: Path) -> None:
    again = {
        "check": 0,
        "check-metadata": {**CLASS["event-metadata"], "class-name": "good"},  # type: ignore[dict-item]
    }
    assert check(tmp_path, CLASS | again).findings == ()


def test_custom_metadata_may_have_the_spelling_of_the_guide(tmp_path: Path) -> None:
    metadata = {
        "type": "groundTruth/custom",
        "job_name": "x",
        "human-annotated": "yes",
        "creation_date": "2024-03-05T10:05:00.120431",
    }
    line = {"source-ref": "s3://gt-demo/a.jpg", "it": {}, "it-metadata": metadata}
    assert check(tmp_path, line).findings == ()


def test_masks_under_another_name_than_jobs_give_are_a_warning(tmp_path: Path) -> None:
    text = json.dumps(MASK).replace("parts-ref", "parts")
    finding = only(check(tmp_path, json.loads(text)))
    assert (finding.severity, finding.code) == ("warning", "attribute-name")


def test_labeled_failed_and_other_lines_are_counted_by_attribute(tmp_path: Path) -> None:
    lines = [golden("classification", line) for line in range(5)] + [BOXES]
    report = check(tmp_path, *lines)
    assert dict(report.labeled) == {"event": 3, "boxes": 1, "boxes-check": 1}
    assert dict(report.failed) == {"event": 1}
    assert "'event': 3 labeled, 1 failed, 2 not labeled" in report.describe()
