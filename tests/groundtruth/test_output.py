"""Labels are read from what jobs really write; nothing is lost without a count and a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gandt.errors import ManifestError, StorageError
from gandt.groundtruth.output import LabeledImage, read_labels

GOLDEN = Path(__file__).parent / "golden"
CLASSIFICATION = str(GOLDEN / "output.classification.manifest")
MULTILABEL = str(GOLDEN / "output.multilabel.manifest")


def written(folder: Path, *records: object) -> str:
    path = folder / "output.manifest"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return str(path)


def labeled(name: str, label: object, **metadata: object) -> dict[str, object]:
    common = {"type": "groundtruth/image-classification", "human-annotated": "yes"}
    return {
        "source-ref": "s3://gt-demo/a.jpg",
        name: label,
        f"{name}-metadata": {**common, **metadata},
    }


class TestSingleLabel:
    def test_classes_come_from_the_metadata_not_from_the_index(self) -> None:
        reading = read_labels(CLASSIFICATION)
        assert reading.attribute == "event"
        assert reading.images == (
            LabeledImage("s3://gt-demo/pool/a.jpg", "Birthday", 0.82, True),
            LabeledImage("s3://gt-demo/pool/c d.jpg", "Wedding", 0.97, False),
            LabeledImage("s3://gt-demo/pool/one.jpg", "Wedding", None, True),
        )

    def test_failed_and_unlabeled_lines_are_counted_with_their_reason(self) -> None:
        reading = read_labels(CLASSIFICATION)
        assert reading.lines == 5
        assert reading.counts == {"failed": 1, "unlabeled": 1}
        failed, unlabeled = reading.passed
        assert (failed.line, failed.uri) == (3, "s3://gt-demo/pool/é.jpg")
        assert failed.reason == "ClientError: Annotation tasks expired."
        assert (unlabeled.line, unlabeled.kind) == (5, "unlabeled")

    def test_an_index_without_class_name_is_unreadable_not_a_class(self, tmp_path: Path) -> None:
        uri = written(tmp_path, labeled("event", 1), labeled("event", "1"), labeled("event", 0))
        reading = read_labels(uri)
        assert not reading.images
        assert reading.counts == {"unreadable": 3}
        assert "no class-name for 1" in reading.passed[1].reason

    def test_a_label_that_is_a_name_needs_no_metadata(self, tmp_path: Path) -> None:
        uri = written(tmp_path, {"source-ref": "/photos/a.jpg", "event": "Wedding"})
        reading = read_labels(uri, attribute="event")
        assert reading.images == (LabeledImage("/photos/a.jpg", "Wedding", None, None),)

    @pytest.mark.parametrize("confidence", [2, -0.1, "high", True, [0.5]])
    def test_a_confidence_that_is_none_is_unreadable(
        self, tmp_path: Path, confidence: object
    ) -> None:
        line = labeled("event", 1, confidence=confidence, **{"class-name": "Wedding"})
        reading = read_labels(written(tmp_path, line))
        assert reading.counts == {"unreadable": 1}
        assert "from 0 to 1" in reading.passed[0].reason

    def test_a_label_without_image_is_unreadable(self, tmp_path: Path) -> None:
        line = labeled("event", 1, **{"class-name": "Wedding"})
        line["source"] = line.pop("source-ref")
        reading = read_labels(written(tmp_path, line))
        assert reading.counts == {"unreadable": 1}

    def test_metadata_without_label_or_reason_are_unreadable(self, tmp_path: Path) -> None:
        line = labeled("event", 1)
        del line["event"]
        assert read_labels(written(tmp_path, line)).counts == {"unreadable": 1}


class TestMultiLabel:
    def test_a_class_counts_from_half_confidence_on(self) -> None:
        reading = read_labels(MULTILABEL)
        assert reading.images[0] == LabeledImage("s3://gt-demo/pool/a.jpg", "Cat", 0.95, True)

    def test_zeros_mean_a_single_worker_whose_choices_all_count(self) -> None:
        single = [image for image in read_labels(MULTILABEL).images if image.uri.endswith("b.jpg")]
        assert [(image.label, image.confidence) for image in single] == [
            ("Cat", None),
            ("Dog", None),
        ]

    def test_images_left_with_no_class_are_counted(self) -> None:
        reading = read_labels(MULTILABEL)
        assert reading.counts == {"empty": 2}
        assert "the best is 0.33" in reading.passed[0].reason
        assert reading.passed[1].reason == "no worker chose any class"

    def test_an_index_that_the_class_map_lacks_is_unreadable(self, tmp_path: Path) -> None:
        line = labeled("animals", [7], **{"class-map": {"6": "Cat"}, "confidence-map": {"7": 0.9}})
        assert read_labels(written(tmp_path, line)).counts == {"unreadable": 1}


class TestFindingTheAttribute:
    def test_other_keys_that_end_in_metadata_are_none(self) -> None:
        assert read_labels(CLASSIFICATION).attribute == "event"

    def test_labels_of_several_jobs_have_to_be_told_apart(self, tmp_path: Path) -> None:
        names = {"class-name": "x"}
        uri = written(tmp_path, labeled("one", 0, **names) | labeled("two", 1, **names))
        with pytest.raises(ManifestError, match="several jobs \\(one, two\\)"):
            read_labels(uri)
        assert read_labels(uri, attribute="two").attribute == "two"

    def test_another_kind_of_label_beside_it_does_not_confuse(self, tmp_path: Path) -> None:
        boxes = labeled("boxes", {}, type="groundtruth/object-detection")
        uri = written(tmp_path, boxes | labeled("event", 0, **{"class-name": "x"}))
        assert read_labels(uri).attribute == "event"

    def test_an_attribute_that_is_not_there_is_an_error_that_names_those_that_are(self) -> None:
        with pytest.raises(ManifestError, match=r"no label attribute 'evnt'.*\(event\)"):
            read_labels(CLASSIFICATION, attribute="evnt")

    def test_a_manifest_without_labels_is_an_error(self) -> None:
        with pytest.raises(ManifestError, match="has no labels in it"):
            read_labels(str(GOLDEN / "images.manifest"))

    def test_answers_of_a_custom_job_are_sent_to_aggregation(self) -> None:
        with pytest.raises(ManifestError, match="gandt aggregate"):
            read_labels(str(GOLDEN / "output.tiles.manifest"))

    def test_labels_of_another_task_are_refused(self) -> None:
        with pytest.raises(ManifestError, match="groundtruth/object-detection"):
            read_labels(str(GOLDEN / "output.others.manifest"))

    def test_a_file_that_is_missing_is_a_storage_error(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError):
            read_labels(str(tmp_path / "none.manifest"))
