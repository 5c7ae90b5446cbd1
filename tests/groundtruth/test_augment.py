"""What is written is what a Ground Truth job would have written, and reads back as the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from gandt import storage
from gandt.answers import BACKGROUND, Box, Kind, Mask, Span
from gandt.errors import ManifestError, UsageError
from gandt.groundtruth.augment import (
    LabeledTask,
    write_output_manifest,
    write_relabel_manifest,
)
from gandt.groundtruth.check import check_manifest
from gandt.groundtruth.mask_images import decode_output_mask
from gandt.groundtruth.output import LabeledImage, OutputRow, read_labels, read_output

GOLDEN = Path(__file__).parent / "golden"
MARCH = datetime(2024, 3, 5, 10, 5, 0, 120431)
A, B = "s3://gt-demo/pool/a.jpg", "s3://gt-demo/pool/b.jpg"

Lines = Mapping[str, Mapping[str, object]]
Record = dict[str, object]


def write(
    path: Path,
    *rows: LabeledTask,
    kind: Kind = "single",
    attribute: str = "event",
    job_name: str = "Event-1",
    classes: Sequence[str] = ("Birthday", "Wedding"),
    created: datetime = MARCH,
    lines: Lines | None = None,
    image_sizes: Mapping[str, tuple[int, int]] | None = None,
) -> list[Record]:
    """Write, check, and give the lines."""
    uri = path / "output.manifest"
    count = write_output_manifest(
        str(uri),
        rows,
        kind=kind,
        attribute=attribute,
        job_name=job_name,
        classes=classes,
        created=created,
        lines=lines or {},
        image_sizes=image_sizes or {},
        mask_folder=str(path / "masks"),
    )
    report = check_manifest(str(uri))
    assert report.ok or not rows, [str(finding) for finding in report.findings]
    records = [json.loads(line) for line in uri.read_text().splitlines()]
    assert count == len(records) == len(rows)
    return records


def back(path: Path, attribute: str = "event") -> tuple[OutputRow, ...]:
    return read_output(str(path / "output.manifest"), attribute=attribute).rows


def golden(name: str, line: int) -> Record:
    return json.loads((GOLDEN / f"output.{name}.manifest").read_text().splitlines()[line])  # type: ignore[no-any-return]


def same(written: object, expected: object) -> bool:
    """Equal, the order of keys included."""
    return json.dumps(written) == json.dumps(expected)


class TestAsAJobWouldWriteIt:
    """Each line equals, key by key and in their order, one that a job wrote."""

    def test_one_class(self, tmp_path: Path) -> None:
        expected = golden("classification", 0)
        line = {"source-ref": A, "pool-id": 17}
        row = LabeledTask(A, "Birthday", 0.8179, votes=3)
        assert same(write(tmp_path, row, lines={A: line})[0], expected)

    def test_an_automatic_label(self, tmp_path: Path) -> None:
        expected = golden("classification", 1) | {"event": 1}
        c = "s3://gt-demo/pool/c d.jpg"
        kept = ("source-ref", "source-ref-metadata", "annotator-metadata")
        line = {key: expected[key] for key in kept}
        row = LabeledTask(c, "Wedding", 0.97, source="machine")
        assert same(write(tmp_path, row, lines={c: line})[0], expected)

    def test_several_classes_the_likeliest_first(self, tmp_path: Path) -> None:
        classes = ("Dog", "1", "2", "3", "4", "5", "Cat", "8")
        row = LabeledTask(A, ("Cat",), 0.59, {"Dog": 0.41, "Cat": 0.95})
        written = write(
            tmp_path,
            row,
            kind="multi",
            classes=classes,
            attribute="animals",
            job_name="animals",
        )
        assert same(written[0], golden("multilabel", 0))

    def test_boxes_and_no_boxes(self, tmp_path: Path) -> None:
        written = write(
            tmp_path,
            LabeledTask(A, (Box("Dog", 101.33333333333333, 119.0, 199.0, 153.0, 0.8801),), 0.9),
            LabeledTask(B, (), 0.9),
            kind="boxes",
            attribute="boxes",
            job_name="Boxes-1",
            classes=["Dog", "Cat"],
            image_sizes={A: (800, 600), B: (800, 600)},
        )
        keys = ("source-ref", "boxes", "boxes-metadata")
        assert same(written[0], {key: golden("others", 0)[key] for key in keys})
        assert same(written[1], golden("others", 1))

    def test_spans_of_a_text(self, tmp_path: Path) -> None:
        expected = golden("texts", 0)
        text = str(expected["source"])
        spans = (Span("Person", 0, 3, 0.92), Span("Place", 13, 19, 0.64))
        written = write(
            tmp_path,
            LabeledTask(text, spans, 0.6),
            kind="spans",
            attribute="entities",
            job_name="entities-1",
            classes=["Person", "Place", "Date"],
        )
        for label in expected["entities"]["annotations"]["labels"]:  # type: ignore[index]
            del label["shortDisplayName"]  # known to the category file alone
        assert same(written[0], expected)

    def test_texts_with_one_class_and_with_several(self, tmp_path: Path) -> None:
        text = "The food was delicious"
        one = LabeledTask(text, "positive", 0.8)
        written = write(
            tmp_path, one, attribute="mood", job_name="mood-1", classes=["negative", "positive"]
        )
        assert same(written[0], golden("texts", 1))
        several = LabeledTask(text, ("food",), 0.5, {"service": 0.49, "food": 0.91})
        classes = ["0", "service", "2", "3", "4", "food"]
        written = write(
            tmp_path,
            several,
            kind="multi",
            attribute="topics",
            job_name="topics-1",
            classes=classes,
        )
        assert written[0] == golden("texts", 2)

    def test_a_mask(self, tmp_path: Path) -> None:
        pixels = np.zeros((4, 6), np.uint8)
        pixels[1:3, 2:5] = 1
        mask = Mask(pixels, (BACKGROUND, "house"), 0.786381)
        c = "s3://gt-demo/pool/c.jpg"
        written = write(
            tmp_path,
            LabeledTask(c, mask, 0.7),
            kind="mask",
            attribute="parts-ref",
            job_name="Parts-1",
            classes=["house"],
        )
        png = str(tmp_path / "masks" / "0.png")
        assert same(written[0], golden("others", 2) | {"parts-ref": png})
        row = back(tmp_path, "parts-ref")[0]
        assert (row.mask_uri, row.confidence) == (png, 0.78638)
        found = decode_output_mask(
            storage.read_bytes(png),
            row.metadata["internal-color-map"],  # type: ignore[arg-type]
        )
        assert np.array_equal(found.pixels, pixels)
        assert found.classes == mask.classes

    def test_the_time_is_utc_without_a_zone(self, tmp_path: Path) -> None:
        vienna = timezone(timedelta(hours=1))
        when = datetime(2024, 3, 5, 11, 5, 0, tzinfo=vienna)
        write(tmp_path, LabeledTask(A, "Wedding", 0.9), created=when)
        assert back(tmp_path)[0].created == "2024-03-05T10:05:00.000000"

    def test_the_same_labels_give_the_same_bytes(self, tmp_path: Path) -> None:
        rows = [LabeledTask(A, ("x", "y"), 0.7, {"y": 0.7, "x": 0.7}), LabeledTask(B, (), 0.9)]
        texts = []
        for _ in range(2):
            write(tmp_path, *rows, kind="multi", classes=["x", "y"])
            texts.append((tmp_path / "output.manifest").read_bytes())
        assert texts[0] == texts[1]
        assert json.loads(texts[0].splitlines()[0])["event"] == [0, 1]


class TestConfidence:
    @pytest.mark.parametrize(
        ("confidence", "written"),
        [
            (0.999, 0.99),
            (1.0, 1),
            (1.0000000001, 1),
            (0.001, 0.01),
            (0.0, 0),
            (None, 0),
            (float("nan"), 0),
            (0.125, 0.12),
        ],
    )
    def test_rounding_makes_nothing_certain_and_nothing_unknown(
        self, tmp_path: Path, confidence: float | None, written: float
    ) -> None:
        record = write(tmp_path, LabeledTask(A, "Wedding", confidence))[0]
        assert record["event-metadata"]["confidence"] == written  # type: ignore[index]
        assert back(tmp_path)[0].confidence == (written or None)

    def test_rounding_brings_no_class_in(self, tmp_path: Path) -> None:
        row = LabeledTask(A, (), 0.5, {"Wedding": 0.4999})
        write(tmp_path, row, kind="multi")
        found = back(tmp_path)[0]
        assert (found.status, found.label) == ("empty", ())
        assert found.confidences == {"Wedding": 0.49}

    def test_classes_of_which_nothing_is_known_all_count(self, tmp_path: Path) -> None:
        write(tmp_path, LabeledTask(A, ("Wedding", "Birthday"), None), kind="multi")
        found = back(tmp_path)[0]
        assert (found.label, found.confidences) == (("Birthday", "Wedding"), {})

    def test_a_class_that_surely_is_not_there_is_not_listed(self, tmp_path: Path) -> None:
        row = LabeledTask(A, ("Wedding",), 0.9, {"Birthday": 0.0, "Wedding": 0.9})
        assert write(tmp_path, row, kind="multi")[0]["event"] == [1]

    def test_a_known_answer_is_a_certain_one_of_people(self, tmp_path: Path) -> None:
        write(tmp_path, LabeledTask(A, "Wedding", 1.0, source="gold"))
        found = back(tmp_path)[0]
        assert (found.confidence, found.human) == (1.0, True)


class TestLines:
    def test_numbers_out_of_arrays_are_written(self, tmp_path: Path) -> None:
        sides = np.array([1.5, 2, 3, 4], np.float32)
        box = Box("Wedding", *sides, confidence=np.float32(0.75))  # type: ignore[arg-type]
        row = LabeledTask(A, (box,), np.float32(0.75))  # type: ignore[arg-type]
        write(tmp_path, row, kind="boxes", image_sizes={A: (9, 9)})
        assert back(tmp_path)[0].label == (Box("Wedding", 1.5, 2, 3, 4, 0.75),)

    def test_what_nobody_answered_keeps_its_line_alone(self, tmp_path: Path) -> None:
        line = golden("classification", 0)
        before = write(tmp_path, LabeledTask(A, None, 0.0), lines={A: line})
        assert same(before[0], {"source-ref": A, "pool-id": 17})

    def test_a_failed_object_that_has_answers_now_is_labeled(self, tmp_path: Path) -> None:
        line = golden("classification", 2)
        task = str(line["source-ref"])
        written = write(tmp_path, LabeledTask(task, "Wedding", 0.9), lines={task: line})
        assert back(tmp_path)[0].status == "labeled"
        assert "failure-reason" not in written[0]["event-metadata"]  # type: ignore[operator]

    def test_labels_of_earlier_jobs_stay(self, tmp_path: Path) -> None:
        line = golden("classification", 0)
        row = LabeledTask(A, "Wedding", 0.9)
        written = write(tmp_path, row, lines={A: line}, attribute="round2", job_name="round2")
        assert written[0] | line == written[0]
        assert [back(tmp_path, name)[0].label for name in ("event", "round2")] == [
            "Birthday",
            "Wedding",
        ]

    def test_the_size_of_an_image_is_taken_from_an_earlier_label(self, tmp_path: Path) -> None:
        line = golden("others", 0)
        row = LabeledTask(A, (Box("Dog", 1.0, 2.0, 3.0, 4.0),), 0.9)
        write(tmp_path, row, kind="boxes", lines={A: line}, attribute="again", classes=["Dog"])
        assert back(tmp_path, "again")[0].image_size == (800, 600)

    def test_the_name_in_the_pool_passes_through(self, tmp_path: Path) -> None:
        line = {"source-ref": A, "gandt-rank": 3, "gandt-pool-uri": "/photos/a.jpg"}
        row = LabeledTask("/photos/a.jpg", "Wedding", 0.9)
        written = write(tmp_path, row, lines={"/photos/a.jpg": line})
        assert written[0] | line == written[0]
        assert back(tmp_path)[0].task == "/photos/a.jpg"
        images = read_labels(str(tmp_path / "output.manifest")).images
        assert images == (LabeledImage("/photos/a.jpg", "Wedding", 0.9, True),)

    def test_an_image_of_a_tiled_task_gets_a_line_of_its_own(self, tmp_path: Path) -> None:
        tiles = [{"source-ref": A, "index": 0, "event_names": ["x"]}, {"source-ref": B, "index": 1}]
        line: Record = {
            "source": json.dumps(tiles),
            "gandt-pool-uris": ["/p/a.jpg", "/p/b.jpg"],
            "batch": 7,
            "tiles": {"responses": []},
            "tiles-metadata": {"type": "groundtruth/custom", "human-annotated": "yes"},
        }
        rows = [LabeledTask(task, "Wedding", 0.9) for task in ("/p/b.jpg", "/p/a.jpg")]
        written = write(tmp_path, *rows, lines=dict.fromkeys(("/p/a.jpg", "/p/b.jpg"), line))
        assert [record["source-ref"] for record in written] == [B, A]
        assert [row.task for row in back(tmp_path)] == ["/p/b.jpg", "/p/a.jpg"]
        assert list(written[0])[:3] == ["source-ref", "batch", "gandt-pool-uri"]
        assert "tiles" not in written[0]

    @pytest.mark.parametrize(
        "task",
        [
            A,
            "s3://bucket/no suffix at all",
            "/photos/a.jpg",
            "/photos/shard.tar#a.jpg",
            "/photos/IMG_0001",
        ],
    )
    def test_what_looks_like_an_image_is_one(self, tmp_path: Path, task: str) -> None:
        assert write(tmp_path, LabeledTask(task, "Wedding", 0.9))[0]["source-ref"] == task

    def test_a_relative_path_becomes_a_whole_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        written = write(tmp_path, LabeledTask("pool/a b.JPG", "Wedding", 0.9))
        assert written[0]["source-ref"] == str(tmp_path / "pool" / "a b.JPG")

    @pytest.mark.parametrize(
        "task",
        ["17", "a walk in the park", "/s what a day", "see https://t.co/a.jpg", "a.jpg\nb.jpg"],
    )
    def test_everything_else_is_a_text(self, tmp_path: Path, task: str) -> None:
        record = write(tmp_path, LabeledTask(task, "Wedding", 0.9))[0]
        assert record["source"] == task
        assert record["event-metadata"]["type"] == "groundtruth/text-classification"  # type: ignore[index]

    def test_no_rows_give_an_empty_file(self, tmp_path: Path) -> None:
        assert write(tmp_path) == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("attribute", "kind"),
        [
            ("", "single"),
            ("my_event", "single"),
            ("-event", "single"),
            ("é", "single"),
            ("e" * 128, "single"),
            ("event-metadata", "single"),
            ("source", "single"),
            ("source-ref", "mask"),
            ("gandt-event", "single"),
            ("event-ref", "boxes"),
            ("parts", "mask"),
        ],
    )
    def test_a_name_that_no_job_could_have(
        self, tmp_path: Path, attribute: str, kind: Kind
    ) -> None:
        with pytest.raises(UsageError, match="is not possible"):
            write(tmp_path, attribute=attribute, kind=kind)
        assert not (tmp_path / "output.manifest").exists()

    @pytest.mark.parametrize("name", ["", "my_job", "j" * 64, "job-"])
    def test_a_job_name_that_no_job_could_have(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(UsageError, match="job name"):
            write(tmp_path, job_name=name)

    @pytest.mark.parametrize(
        ("row", "kind"),
        [
            (LabeledTask(A, "Funeral", 0.9), "single"),
            (LabeledTask(A, ("Funeral",), 0.9), "multi"),
            (LabeledTask(A, ("Wedding",), 0.9, {"Wedding": 0.9, "Funeral": 0.1}), "multi"),
            (LabeledTask(A, (Box("Funeral", 0, 0, 1, 1),), 0.9), "boxes"),
            (LabeledTask("abc", (Span("Funeral", 0, 1),), 0.9), "spans"),
        ],
    )
    def test_a_class_that_is_not_listed(self, tmp_path: Path, row: LabeledTask, kind: Kind) -> None:
        with pytest.raises(UsageError, match="'Funeral', which is none of the 2 classes"):
            write(tmp_path, row, kind=kind)

    @pytest.mark.parametrize(
        ("label", "kind"),
        [
            (("Wedding",), "single"),
            ("Wedding", "multi"),
            ("Wedding", "boxes"),
            ((Span("Wedding", 0, 1),), "boxes"),
            ((Box("Wedding", 0, 0, 1, 1),), "spans"),
            ((Span("Wedding", 0, 1),), "multi"),
        ],
    )
    def test_a_label_of_another_kind(self, tmp_path: Path, label: object, kind: Kind) -> None:
        with pytest.raises(UsageError, match="is not"):
            write(tmp_path, LabeledTask(A, label, 0.9), kind=kind)  # type: ignore[arg-type]

    def test_a_class_is_no_mask(self, tmp_path: Path) -> None:
        row = LabeledTask(A, "Wedding", 0.9)
        with pytest.raises(UsageError, match="no mask"):
            write(tmp_path, row, kind="mask", attribute="parts-ref")

    def test_masks_need_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="mask_folder"):
            write_output_manifest(
                str(tmp_path / "output.manifest"),
                [],
                kind="mask",
                attribute="parts-ref",
                job_name="parts",
                classes=[],
                created=MARCH,
            )

    def test_a_key_of_the_user_is_not_overwritten(self, tmp_path: Path) -> None:
        line = {"source-ref": A, "event": "a note of mine"}
        with pytest.raises(UsageError, match="Choose another attribute"):
            write(tmp_path, LabeledTask(A, "Wedding", 0.9), lines={A: line})

    def test_numbers_that_json_does_not_know(self, tmp_path: Path) -> None:
        row = LabeledTask(A, (Box("Wedding", float("nan"), 0, 1, 1),), 0.9)
        with pytest.raises(ManifestError, match="NaN"):
            write(tmp_path, row, kind="boxes")


class TestRelabeling:
    def relabel(self, path: Path, *tasks: str, **options: object) -> list[Record]:
        uri = path / "relabel.manifest"
        assert write_relabel_manifest(str(uri), tasks, **options) == len(tasks)  # type: ignore[arg-type]
        return [json.loads(line) for line in uri.read_text().splitlines()]

    def test_the_label_of_this_round_goes_and_earlier_ones_stay(self, tmp_path: Path) -> None:
        line = golden("classification", 0)
        both = line | {"round2": 0, "round2-metadata": line["event-metadata"]}
        assert same(self.relabel(tmp_path, A, lines={A: both}, attribute="round2")[0], line)

    def test_without_a_name_the_lines_are_as_they_were(self, tmp_path: Path) -> None:
        line = golden("classification", 0)
        assert same(self.relabel(tmp_path, A, lines={A: line})[0], line)

    def test_tasks_keep_their_order_and_start_a_job(self, tmp_path: Path) -> None:
        tasks = (B, A)
        assert self.relabel(tmp_path, *tasks) == [{"source-ref": task} for task in tasks]
        assert check_manifest(str(tmp_path / "relabel.manifest")).findings == ()

    def test_tiles_come_back_as_single_images(self, tmp_path: Path) -> None:
        tiles = json.dumps([{"source-ref": A, "index": 0}, {"source-ref": B, "index": 1}])
        lines = {task: {"source": tiles} for task in (A, B)}
        assert self.relabel(tmp_path, B, lines=lines) == [{"source-ref": B}]

    def test_nothing_to_ask_again_empties_the_file(self, tmp_path: Path) -> None:
        self.relabel(tmp_path, A)
        assert self.relabel(tmp_path) == []
