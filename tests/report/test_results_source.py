"""A report reads any output manifest and the folder of any round, and finds its images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gandt.answers import Box, Mask, Span
from gandt.errors import AnswerError, GandtError, ManifestError, StorageError, UsageError
from gandt.report.results.places import is_image_name, places
from gandt.report.results.source import read_results

Make = Callable[..., Path]
MakeRow = Callable[..., dict[str, object]]


def manifest(path: Path, *lines: dict[str, object]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def classified(
    reference: str, name: str, confidence: float, human: str = "yes"
) -> dict[str, object]:
    return {
        "source-ref": reference,
        "animal": 0,
        "animal-metadata": {
            "class-name": name,
            "confidence": confidence,
            "job-name": "labeling-job/pets-1",
            "human-annotated": human,
            "creation-date": "2024-03-05T10:05:00.120431",
            "type": "groundtruth/image-classification",
        },
    }


class TestManifest:
    def test_labels_by_people_and_machines(self, tmp_path: Path) -> None:
        uri = manifest(
            tmp_path / "output.manifest",
            classified("s3://b/1.jpg", "cat", 0.9),
            classified("s3://b/2.jpg", "dog", 0.7, "no"),
        )
        results = read_results(uri)
        assert [(i.labels, i.source) for i in results.items] == [
            ((("cat", 0.9),), "human"),
            ((("dog", 0.7),), "machine"),
        ]
        assert results.jobs == ("labeling-job/pets-1",)
        assert results.created == ("2024-03-05T10:05:00.120431",) * 2

    def test_a_confidence_of_zero_is_that_of_a_single_worker(self, tmp_path: Path) -> None:
        results = read_results(manifest(tmp_path / "m", classified("s3://b/1.jpg", "cat", 0)))
        assert results.items[0].labels == (("cat", None),)

    def test_what_has_no_label_is_kept_with_its_reason(self, tmp_path: Path) -> None:
        failed = {"failure-reason": "ClientError: Annotation tasks expired.", "retry-count": 1}
        results = read_results(
            manifest(
                tmp_path / "m",
                classified("s3://b/1.jpg", "cat", 0.9),
                {"source-ref": "s3://b/2.jpg", "animal-metadata": failed},
                {"source-ref": "s3://b/3.jpg"},
            )
        )
        assert [(p.task, p.status) for p in results.passed] == [
            ("s3://b/2.jpg", "failed"),
            ("s3://b/3.jpg", "unlabeled"),
        ]
        assert "expired" in results.passed[0].reason

    def test_texts_with_spans(self, tmp_path: Path) -> None:
        line = {
            "source": "Zoë moved to Kraków.",
            "who": {
                "annotations": {
                    "labels": [{"label": "Place"}],
                    "entities": [{"label": "Place", "startOffset": 13, "endOffset": 19}],
                }
            },
            "who-metadata": {"entities": [{"confidence": 0.64}], "type": "groundtruth/text-span"},
        }
        (item,) = read_results(manifest(tmp_path / "m", line)).items
        assert item.text == "Zoë moved to Kraków."
        assert item.spans == (Span("Place", 13, 19, 0.64),)
        assert item.labels == (("Place", 0.64),)

    def test_a_custom_job_is_told_to_aggregate_first(self, tmp_path: Path) -> None:
        line = {
            "source": "[]",
            "tiles": {"responses": []},
            "tiles-metadata": {"type": "groundtruth/custom", "human-annotated": "yes"},
        }
        results = read_results(manifest(tmp_path / "m", line))
        assert results.items == ()
        assert "gandt aggregate" in results.notes[0]

    def test_several_attributes_have_to_be_told_apart(self, tmp_path: Path) -> None:
        line = classified("s3://b/1.jpg", "cat", 0.9)
        line |= {"other": 0, "other-metadata": line["animal-metadata"]}
        uri = manifest(tmp_path / "m", line)
        with pytest.raises(ManifestError, match="animal"):
            read_results(uri)
        assert read_results(uri, attribute="other").attribute == "other"

    def test_the_output_folder_of_a_job_is_enough(self, tmp_path: Path) -> None:
        path = tmp_path / "job" / "manifests" / "output" / "output.manifest"
        manifest(path, classified("s3://b/1.jpg", "cat", 0.9))
        assert len(read_results(str(tmp_path / "job")).items) == 1

    def test_a_folder_with_neither_says_what_is_wanted(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match=r"labels\.parquet"):
            read_results(str(tmp_path))


class TestRound:
    def test_everything_of_the_folder_is_read(self, pets: Path) -> None:
        results = read_results(str(pets))
        assert (results.kind, results.method, results.alpha) == ("single", "dawid-skene", 0.25)
        assert len(results.items) == 5
        assert [p.status for p in results.passed] == ["unlabeled"]
        assert [w.worker for w in results.workers] == ["w1", "w2", "w3"]
        assert results.workers[1].gold_accuracy is None
        assert results.oddities == {"duplicate": 2}
        assert results.answers == 11

    def test_answers_are_kept_for_disputed_tasks_and_counted_for_all(self, pets: Path) -> None:
        results = read_results(str(pets))
        told = {Path(task).parent.name: replies for task, replies in results.replies.items()}
        assert set(told) == {"b", "pool"}
        assert [(r.worker, r.labels) for r in told["b"]] == [
            ("w1", ("cat",)),
            ("w2", ("cat",)),
            ("w3", ("dog",)),
        ]
        assert results.confusions["cat", "dog"] == 1
        assert results.confusions["dog", "cat"] == 1
        assert results.confusions["cat", "cat"] == 5

    def test_the_alpha_of_a_class_is_that_of_the_class_against_the_others(
        self, make_round: Make, make_label: MakeRow
    ) -> None:
        # Answers b, b and a, b. Krippendorff: 1 - (n - 1) * 2 differing pairs / (2 * 1 * 3) = 0.
        labels = [make_label("/1.jpg", "a"), make_label("/2.jpg", "a", agreement=0.5)]
        votes = [
            ("/1.jpg", "v", "b"),
            ("/1.jpg", "w", "b"),
            ("/2.jpg", "v", "a"),
            ("/2.jpg", "w", "b"),
        ]
        rows = [{"task": t, "worker": w, "label": v} for t, w, v in votes]
        results = read_results(str(make_round(labels, answers=rows)))
        assert results.class_alpha == pytest.approx({"a": 0.0, "b": 0.0}, abs=1e-12)

    def test_labels_alone_are_enough(self, make_round: Make, make_label: MakeRow) -> None:
        results = read_results(str(make_round([make_label("/1.jpg", "a")])))
        assert results.items[0].labels == (("a", 0.9),)
        assert results.workers == ()

    @pytest.mark.parametrize("as_text", [True, False])
    def test_nested_values_are_json_text_or_lists(
        self, make_round: Make, make_label: MakeRow, as_text: bool
    ) -> None:
        box = {"label": "dog", "left": 1.0, "top": 2.0, "width": 3.0, "height": 4.0}
        value = json.dumps([box]) if as_text else [box]
        folder = make_round(
            [make_label("/1.jpg", json.dumps([{**box, "confidence": 0.8}]), agreement=0.6)],
            answers=[{"task": "/1.jpg", "worker": "w", "label": value}],
            summary={"kind": "boxes"},
        )
        results = read_results(str(folder))
        assert results.items[0].boxes == (Box("dog", 1, 2, 3, 4, 0.8),)
        assert results.replies["/1.jpg"][0].boxes == (Box("dog", 1, 2, 3, 4),)

    def test_several_labels_have_a_confidence_each(
        self, make_round: Make, make_label: MakeRow
    ) -> None:
        shown = json.dumps({"cat": 0.9, "dog": 0.6, "bird": 0.1})
        row = make_label("/1.jpg", ["cat", "dog"], confidences=shown)
        (item,) = read_results(str(make_round([row], summary={"kind": "multi"}))).items
        assert item.labels == (("cat", 0.9), ("dog", 0.6))

    def test_masks_are_read_only_when_drawn(self, make_round: Make, make_label: MakeRow) -> None:
        pixels = np.zeros((4, 6), np.uint8)
        pixels[:2] = 2
        mask = Mask(pixels, ("BACKGROUND", "cat", "sky"))
        row = make_label("/1.jpg", json.dumps(mask.as_json()))
        (item,) = read_results(str(make_round([row], summary={"kind": "mask"}))).items
        assert item.mask is not None
        assert item.mask.classes == ("sky",)
        assert item.labels == (("sky", 0.9),)

    def test_where_images_are_comes_from_the_manifest(
        self, make_round: Make, make_label: MakeRow
    ) -> None:
        lines = [{"source-ref": "s3://b/copy.jpg", "gandt-pool-uri": "/pool/1.jpg"}]
        (item,) = read_results(str(make_round([make_label("/pool/1.jpg", "a")], lines=lines))).items
        assert item.places == ("/pool/1.jpg", "s3://b/copy.jpg")

    def test_ids_that_name_no_file_are_texts(self, make_round: Make, make_label: MakeRow) -> None:
        items = read_results(
            str(make_round([make_label("17", "a"), make_label("x.PNG", "a")]))
        ).items
        assert [item.text for item in items] == ["17", None]

    def test_what_is_no_table_is_named(self, make_round: Make, make_label: MakeRow) -> None:
        folder = make_round([make_label("/1.jpg", "a")])
        (folder / "workers.parquet").write_bytes(b"PAR1 but not really")
        with pytest.raises(AnswerError, match=r"workers\.parquet"):
            read_results(str(folder))

    @pytest.mark.parametrize("text", ["{", "[1]", '"x"', "[" * 100_000])
    def test_a_damaged_summary_is_an_error_of_ours_or_passed_over(
        self, make_round: Make, make_label: MakeRow, text: str
    ) -> None:
        folder = make_round([make_label("/1.jpg", "a")])
        (folder / "summary.json").write_text(text)
        try:
            assert read_results(str(folder)).items
        except GandtError as error:
            assert "summary.json" in str(error)


class TestGold:
    def test_tasks_are_matched_by_their_full_name(self, pets: Path, tmp_path: Path) -> None:
        # Two files are called 1.jpg; only the one in folder b has a known answer.
        gold = tmp_path / "gold.csv"
        gold.write_text(f"task,label\n{tmp_path}/pool/b/1.jpg,dog\n")
        known = [item.known for item in read_results(str(pets), gold=str(gold)).items]
        assert known == [None, ("dog",), None, None, None]

    def test_names_may_be_relative_to_the_gold_table(self, pets: Path, tmp_path: Path) -> None:
        gold = tmp_path / "gold.csv"
        gold.write_text("file,label\npool/a/1.jpg,cat\n")
        assert read_results(str(pets), gold=str(gold)).items[0].known == ("cat",)

    def test_gold_of_other_tasks_is_noted(self, pets: Path, tmp_path: Path) -> None:
        gold = tmp_path / "gold.csv"
        gold.write_text("task,label\nelsewhere,cat\n")
        assert "among the labeled ones" in read_results(str(pets), gold=str(gold)).notes[-1]

    def test_a_table_without_labels_is_a_wrong_call(self, pets: Path, tmp_path: Path) -> None:
        gold = tmp_path / "gold.csv"
        gold.write_text("task,weight\nx,1\n")
        with pytest.raises(UsageError, match="labels"):
            read_results(str(pets), gold=str(gold))


class TestPlaces:
    def test_relative_names_are_looked_for_beside_the_manifest(self) -> None:
        assert places(("a/1.jpg",), "/jobs/out") == ("/jobs/out/a/1.jpg", "/jobs/a/1.jpg")
        assert places(("a/1.jpg",), "s3://b/out") == ("s3://b/out/a/1.jpg", "s3://b/a/1.jpg")

    def test_full_names_are_kept(self) -> None:
        assert places(("/x.jpg", "s3://b/x.jpg", None), "/jobs") == ("/x.jpg", "s3://b/x.jpg")

    @pytest.mark.parametrize("name", ["/a/b", "s3://b/k", "photo.JPG", "a b/c.webp"])
    def test_names_of_images(self, name: str) -> None:
        assert is_image_name(name)

    @pytest.mark.parametrize("name", ["17", "The food was delicious.", "see s3://b/k", "a\n.jpg"])
    def test_texts_and_ids(self, name: str) -> None:
        assert not is_image_name(name)


def test_a_fetched_mask_is_read_here_though_the_manifest_names_s3(tmp_path: Path) -> None:
    job = tmp_path / "Areas"
    name = "annotations/consolidated-annotation/output/0_2026-01-05T09:00:00.png"
    here = job / name.replace(":", "-")
    here.parent.mkdir(parents=True)
    here.write_bytes(b"png")
    line: dict[str, object] = {
        "source-ref": "s3://b/1.jpg",
        "areas-ref": f"s3://out/jobs/Areas/{name}",
        "areas-ref-metadata": {
            "internal-color-map": {
                "0": {"class-name": "BACKGROUND", "hex-color": "#ffffff", "confidence": 0.9},
                "1": {"class-name": "leaf", "hex-color": "#2ca02c", "confidence": 0.9},
            },
            "type": "groundtruth/semantic-segmentation",
            "human-annotated": "yes",
            "job-name": "labeling-job/areas",
        },
    }
    results = read_results(manifest(job / "manifests" / "output" / "output.manifest", line))
    (item,) = results.items
    assert item.mask is not None and item.mask.uri == str(here)
