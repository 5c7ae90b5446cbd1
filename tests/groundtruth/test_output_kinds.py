"""Every kind of label is read from what jobs really write; whatever is wrong costs one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.answers import Box, Span
from gandt.errors import ManifestError
from gandt.groundtruth.check import check_manifest
from gandt.groundtruth.output import OutputRow, read_labels, read_output

GOLDEN = Path(__file__).parent / "golden"
SAMPLES = sorted(GOLDEN.glob("output.*.manifest"))


def read(name: str, attribute: str | None = None) -> tuple[OutputRow, ...]:
    return read_output(str(GOLDEN / f"output.{name}.manifest"), attribute=attribute).rows


def written(folder: Path, *records: object) -> str:
    path = folder / "output.manifest"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return str(path)


def one(folder: Path, label: object, source: str | None = None, **metadata: object) -> OutputRow:
    """Read one line with one label, of which `metadata` has what matters."""
    place = {"source-ref": "s3://gt-demo/a.jpg"} if source is None else {"source": source}
    line = {**place, "it": label, "it-metadata": metadata}
    return read_output(written(folder, line), attribute="it").rows[0]


def boxes(**box: object) -> dict[str, object]:
    side = {"class_id": 0, "left": 1, "top": 2, "width": 3, "height": 4}
    size = {"width": 10, "height": 8, "depth": 3}
    return {"image_size": [size], "annotations": [{**side, **box}]}


class TestClasses:
    def test_one_class_with_who_said_it_and_when(self) -> None:
        first, second, failed, single, unlabeled = read("classification")
        assert (first.task, first.reference) == ("s3://gt-demo/pool/a.jpg",) * 2
        assert (first.kind, first.label, first.confidence) == ("single", "Birthday", 0.82)
        assert (first.human, second.human) == (True, False)
        assert (first.created, first.job) == (
            "2024-03-05T10:05:00.120431",
            "labeling-job/event-1",
        )
        assert first.record["pool-id"] == 17
        assert (single.label, single.confidence) == ("Wedding", None)  # 0 means one worker
        assert (failed.status, failed.label, failed.human) == ("failed", None, None)
        assert failed.reason == "ClientError: Annotation tasks expired."
        assert (unlabeled.status, unlabeled.kind) == ("unlabeled", "single")

    def test_lines_are_counted_by_status(self) -> None:
        reading = read_output(str(GOLDEN / "output.classification.manifest"))
        assert reading.attribute == "event"
        assert reading.counts == {"failed": 1, "labeled": 3, "unlabeled": 1}

    def test_several_classes_keep_the_confidence_of_those_not_likely(self) -> None:
        sure, alone, doubtful, nothing = read("multilabel")
        assert (sure.label, sure.confidence) == (("Cat",), 0.95)
        assert sure.confidences == {"Cat": 0.95, "Dog": 0.41}
        assert (alone.label, alone.confidence, alone.confidences) == (("Cat", "Dog"), None, {})
        assert (doubtful.status, doubtful.label) == ("empty", ())
        assert doubtful.confidences == {"Dog": 0.33}
        assert (nothing.status, nothing.label) == ("empty", ())
        assert nothing.reason == "no worker chose any class"

    def test_texts_are_classified_as_images_are(self) -> None:
        assert [row.label for row in read("texts", "mood")][1] == "positive"
        topics = read("texts", "topics")[2]
        assert (topics.task, topics.reference) == ("The food was delicious", None)
        assert topics.label == ("food",)

    def test_a_verification_says_whether_boxes_were_good(self) -> None:
        row = read("others", "boxes-check")[0]
        assert (row.kind, row.label, row.confidence) == ("single", "bad", 0.93)
        assert row.metadata["worker-feedback"] == [{"comment": "The box cuts off the tail."}]

    def test_the_name_in_the_pool_is_the_task(self, tmp_path: Path) -> None:
        line = {"source-ref": "s3://b/a.jpg", "gandt-pool-uri": "/photos/a.jpg", "it": "Cat"}
        row = read_output(written(tmp_path, line), attribute="it").rows[0]
        assert (row.task, row.reference) == ("/photos/a.jpg", "s3://b/a.jpg")


class TestBoxes:
    def test_boxes_have_class_names_and_their_own_confidence(self) -> None:
        row, empty, _ = read("others", "boxes")
        assert row.kind == "boxes"
        assert row.label == (Box("Dog", 101.33333333333333, 119.0, 199.0, 153.0, 0.88),)
        assert (row.confidence, row.image_size) == (0.88, (800, 600))
        assert (empty.status, empty.label) == ("labeled", ())  # nothing there is a statement

    def test_adjusted_boxes_stand_beside_those_before(self) -> None:
        before, after = (read("adjusted", name)[0] for name in ("boxes", "boxes-adjusted"))
        assert [row.label[0].left for row in (before, after)] == [101, 99]  # type: ignore[union-attr,index]
        assert after.metadata["adjustment-status"] == "adjusted"
        assert after.confidence is None

    def test_an_index_may_be_a_text(self, tmp_path: Path) -> None:
        row = one(tmp_path, boxes(class_id="0"), **{"class-map": {"0": "Dog"}})
        assert row.label == (Box("Dog", 1, 2, 3, 4),)

    def test_boxes_are_cut_at_the_border(self, tmp_path: Path) -> None:
        names = {"class-map": {"0": "Dog"}}
        row = one(tmp_path, boxes(left=-0.25, top=6, width=2, height=2.125), **names)
        assert row.label == (Box("Dog", 0, 6, 1.75, 2),)

    def test_a_box_outside_the_image_stays_where_it_is(self, tmp_path: Path) -> None:
        row = one(tmp_path, boxes(left=12), **{"class-map": {"0": "Dog"}})
        assert row.label == (Box("Dog", 12, 2, 3, 4),)

    def test_without_an_entry_for_each_box_no_confidence_is_known(self, tmp_path: Path) -> None:
        objects = [{"confidence": 0.9}, {"confidence": 0.1}]
        row = one(tmp_path, boxes(), objects=objects, **{"class-map": {"0": "Dog"}})
        assert (row.status, row.confidence) == ("labeled", None)
        assert "`objects` do not fit" in row.reason

    @pytest.mark.parametrize(
        ("label", "names", "words"),
        [
            (boxes(class_id=7), {"0": "Dog"}, "no name for the class 7"),
            (boxes(left=None), {"0": "Dog"}, "annotations[0].left is None"),
            (boxes(width=-1), {"0": "Dog"}, "negative length"),
            (boxes(top=10**400), {"0": "Dog"}, "not a number"),
            ({"annotations": [3]}, {"0": "Dog"}, "annotations[0].left"),
        ],
    )
    def test_a_box_out_of_shape_makes_the_line_unreadable(
        self, tmp_path: Path, label: object, names: object, words: str
    ) -> None:
        row = one(tmp_path, label, **{"class-map": names})
        assert (row.status, row.label) == ("unreadable", None)
        assert words in row.reason


class TestSpans:
    def test_spans_are_of_the_text(self) -> None:
        row = read("texts", "entities")[0]
        assert row.kind == "spans"
        assert row.label == (Span("Person", 0, 3, 0.92), Span("Place", 13, 19, 0.64))
        assert [row.task[span.start : span.end] for span in row.label] == ["Zoë", "Kraków"]  # type: ignore[union-attr]
        assert row.confidence == pytest.approx(0.78)

    def test_offsets_that_only_utf16_can_have_are_converted(self, tmp_path: Path) -> None:
        entities = [
            {"label": "Party", "startOffset": 0, "endOffset": 2},
            {"label": "Place", "startOffset": 3, "endOffset": 5},
        ]
        row = one(tmp_path, {"annotations": {"entities": entities}}, "🎂 Ub")
        assert row.label == (Span("Party", 0, 1), Span("Place", 2, 4))
        assert "UTF-16" in row.reason

    @pytest.mark.parametrize(
        "entity",
        [
            {"label": "Place", "startOffset": 0, "endOffset": 9},
            {"label": "Place", "startOffset": 3, "endOffset": 2},
            {"label": "Place", "startOffset": -1, "endOffset": 2},
            {"label": "Place", "startOffset": "0", "endOffset": 2},
            {"label": "Place", "startOffset": True, "endOffset": 2},
            {"label": "", "startOffset": 0, "endOffset": 2},
            "Place",
        ],
    )
    def test_offsets_that_no_text_has_make_the_line_unreadable(
        self, tmp_path: Path, entity: object
    ) -> None:
        row = one(tmp_path, {"annotations": {"entities": [entity]}}, "Graz")
        assert (row.status, row.label) == ("unreadable", None)


class TestOtherKinds:
    def test_a_mask_is_named_not_opened(self) -> None:
        row = read("others", "parts-ref")[2]
        assert (row.kind, row.status, row.label) == ("mask", "labeled", None)
        assert row.mask_uri == "s3://gt-demo/out/0_2024-03-05T10:05:00.018770.png"
        assert row.confidence == 0.78638
        assert sorted(row.metadata["internal-color-map"]) == ["0", "1"]  # type: ignore[call-overload]

    def test_a_custom_job_has_no_label_that_could_be_understood(self) -> None:
        reading = read_output(str(GOLDEN / "output.tiles.manifest"))
        row = reading.rows[0]
        assert reading.kind == row.kind == "custom"
        assert (row.status, row.label, row.reference) == ("labeled", None, None)
        assert row.task == "s3://gt-demo/pool/a.jpg, s3://gt-demo/pool/c d.jpg"
        assert row.record["tiles"]

    def test_the_spelling_of_the_guide_is_read_too(self, tmp_path: Path) -> None:
        row = one(
            tmp_path,
            {},
            type="groundTruth/custom",
            job_name="tiles",
            creation_date="2024-03-05T10:05:00",
        )
        assert (row.status, row.job, row.created) == ("labeled", "tiles", "2024-03-05T10:05:00")

    def test_the_images_of_a_tiled_task_are_joined(self, tmp_path: Path) -> None:
        tiles = json.dumps([{"source-ref": "s3://b/a.jpg", "index": 0}, {"source-ref": "s3://b/b"}])
        line: dict[str, object] = {"source": tiles, "it": {}, "it-metadata": {}}
        names = ["/p/a.jpg", "/p/b"]
        uri = written(tmp_path, line, {**line, "gandt-pool-uris": names})
        first, second = read_output(uri, attribute="it").rows
        assert first.task == "s3://b/a.jpg, s3://b/b"
        assert second.task == "/p/a.jpg, /p/b"

    def test_a_kind_that_is_not_known_is_unreadable(self, tmp_path: Path) -> None:
        row = one(tmp_path, "s3://b/SeqLabel.json", type="groundtruth/video-object-tracking")
        assert (row.status, row.mask_uri) == ("unreadable", None)
        assert "video-object-tracking" in row.reason

    @pytest.mark.parametrize(
        ("label", "metadata", "kind"),
        [
            ("Cat", {}, "single"),
            (3, {"class-name": "Cat"}, "single"),
            ([3], {"class-map": {"3": "Cat"}}, "multi"),
            (boxes(), {"class-map": {"0": "Dog"}}, "boxes"),
            ({"annotations": {"entities": []}}, {}, "spans"),
            ("s3://b/m.png", {"internal-color-map": {}}, "mask"),
            ({"responses": []}, {}, "custom"),
        ],
    )
    def test_labels_without_a_type_are_known_by_their_shape(
        self, tmp_path: Path, label: object, metadata: dict[str, object], kind: str
    ) -> None:
        row = one(tmp_path, label, **metadata)
        assert (row.kind, row.status) == (kind, "labeled")


class TestChoosing:
    def test_several_attributes_have_to_be_told_apart(self) -> None:
        with pytest.raises(ManifestError, match=r"several jobs \(boxes, boxes-adjusted\)"):
            read("adjusted")

    def test_an_attribute_that_is_not_there_is_an_error(self) -> None:
        with pytest.raises(ManifestError, match=r"no label attribute 'x'.*\(boxes, boxes-adj"):
            read("adjusted", "x")

    def test_a_file_without_labels_is_an_error(self) -> None:
        with pytest.raises(ManifestError, match="has no labels in it"):
            read_output(str(GOLDEN / "images.manifest"))

    def test_boxes_are_no_classes_of_images(self) -> None:
        reading = read_labels(str(GOLDEN / "output.others.manifest"), attribute="boxes")
        assert reading.counts == {"unlabeled": 1, "unreadable": 2}
        assert reading.passed[0].reason == "the label is no class (boxes)"


# --------------------------------------------------------- any damage costs its line, no more

values = st.sampled_from(
    [None, True, -1, 0, 1, 7.5, 10**400, "", "0", "x", "\ud83c", [], [None], {}, {"0": 0}, [[1]]]
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place inside a JSON value."""
    found = [path]
    pairs: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    for key, inner in pairs:
        found += places(inner, (*path, key))
    return found


def _names(row: OutputRow) -> list[str]:
    if isinstance(row.label, tuple):
        return [part if isinstance(part, str) else part.label for part in row.label]
    return [row.label] if isinstance(row.label, str) else []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@settings(max_examples=400)
@given(data=st.data())
def test_damage_anywhere_is_a_row_with_a_reason_or_one_error(
    folder: Path, data: st.DataObject
) -> None:
    sample = data.draw(st.sampled_from(SAMPLES))
    lines = sample.read_text().splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    record = json.loads(lines[number])
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(record)[1:]))
        inner = record
        for step in path[:-1]:
            inner = inner[step]
        if data.draw(st.booleans()):
            inner[path[-1]] = json.loads(json.dumps(data.draw(values)))
        else:
            del inner[path[-1]]
        if not record:
            break
    lines[number] = json.dumps(record)
    uri = folder / "output.manifest"
    uri.write_text("".join(f"{line}\n" for line in lines))
    check_manifest(str(uri))
    attributes = {key.removesuffix("-metadata") for key in record if key.endswith("-metadata")}
    for attribute in [None, *sorted(attributes)]:
        try:
            reading = read_output(str(uri), attribute=attribute)
            labels = read_labels(str(uri), attribute=attribute)
        except ManifestError as error:
            assert str(uri) in str(error)
            continue
        assert len(reading.rows) == labels.lines == len(lines)
        for row in reading.rows:
            assert row.status == "labeled" or row.reason
            (row.task + row.reason + (row.reference or "") + (row.job or "")).encode()
            json.dumps(_names(row), ensure_ascii=False).encode()
            assert row.confidence is None or 0 < row.confidence <= 1


@settings(max_examples=200)
@given(data=st.data())
def test_bytes_cut_or_changed_give_a_reading_or_one_error(
    folder: Path, data: st.DataObject
) -> None:
    raw = bytearray(data.draw(st.sampled_from(SAMPLES)).read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        del raw[place:]
    else:
        raw[place] = data.draw(st.integers(0, 255))
    uri = folder / "changed.manifest"
    uri.write_bytes(raw)
    check_manifest(str(uri))
    try:
        reading = read_output(str(uri))
    except ManifestError as error:
        assert str(uri) in str(error)
    else:
        assert reading.rows
