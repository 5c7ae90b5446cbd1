"""A listing of files is sorted into jobs by where they lie, however much of the path was copied."""

from __future__ import annotations

import pytest

from gandt.groundtruth.job_folder import JobFolder, ResponseFile, job_root, sort_files

ROOT = "s3://bucket/out/Event-Pilot-1"
STAMP = "2024-03-05_09:15:00.json"


class TestPlaces:
    @pytest.mark.parametrize(
        "above", ["/annotations/worker-response", "/worker-response", ""], ids=str
    )
    def test_responses(self, above: str) -> None:
        uri = f"{ROOT}{above}/iteration-2/17/{STAMP}"
        found = sort_files([uri])
        assert list(found.jobs) == [ROOT]
        assert found.jobs[ROOT].responses == [ResponseFile(uri, "17", 2)]
        assert found.jobs[ROOT].name == "Event-Pilot-1"
        assert found.loose == []

    def test_all_that_counts_is_found(self) -> None:
        places = {
            "requests": f"{ROOT}/annotations/consolidated-annotation/consolidation-request/"
            f"iteration-1/{STAMP}",
            "intermediate": f"{ROOT}/annotations/intermediate/1/annotations.manifest",
            "manifest": f"{ROOT}/manifests/output/output.manifest",
            "categories": f"{ROOT}/annotation-tool/data.json",
        }
        ignored = [
            f"{ROOT}/annotations/consolidated-annotation/consolidation-response/iteration-1/"
            f"{STAMP}",
            f"{ROOT}/annotations/consolidated-annotation/output/0_2024.png",
            f"{ROOT}/annotation-tool/template.liquid",
            f"{ROOT}/annotations/intermediate/1/annotations.manifest-sample",
            f"{ROOT}/temp/x.json",
            f"{ROOT}/training/model.csv",
        ]
        found = sort_files([*places.values(), *ignored])
        job = found.jobs[ROOT]
        assert list(found.jobs) == [ROOT]
        assert job.requests == [places["requests"]]
        assert job.intermediate == [places["intermediate"]]
        assert (job.manifest, job.categories) == (places["manifest"], places["categories"])
        assert found.loose == []

    def test_ids_that_are_no_numbers_need_the_whole_path(self) -> None:
        whole = f"{ROOT}/annotations/worker-response/iteration-1/byo-key/{STAMP}"
        assert job_root(whole) == ROOT
        assert job_root(f"/photos/iteration-1/cats/{STAMP}") is None

    @pytest.mark.parametrize("uri", ["", "/", "a.json", "/a.json", "s3://b/a.json", "iteration-1"])
    def test_short_names_belong_to_no_job(self, uri: str) -> None:
        assert job_root(uri) is None

    def test_rounds_gold_and_loose_files(self) -> None:
        found = sort_files(
            ["/r/round1/answers.parquet", "/r/round1/labels.csv", "/r/gold.csv", "/r/more.csv"]
        )
        assert [finished.root for finished in found.rounds] == ["/r/round1"]
        assert (found.gold, found.loose) == (["/r/gold.csv"], ["/r/more.csv"])


class TestOrder:
    def test_ids_are_sorted_as_numbers_then_iterations_then_stamps(self) -> None:
        files = [
            ResponseFile("/2024-03-05_09:15:01.json", "10", 1),
            ResponseFile("/2024-03-05_09-15-00.json", "9", 2),
            ResponseFile("/2024-03-05_09:15:03.json", "9", 1),
            ResponseFile("/2024-03-05_09_15_02.json", "9", 1),
            ResponseFile("/x.json", "key", 1),
            ResponseFile("/x.json", "²", 1),
        ]
        ordered = sorted(files, key=lambda file: file.order)
        assert [file.object_id for file in ordered] == ["9", "9", "9", "10", "key", "²"]
        assert [file.uri[-7:-5] for file in ordered[:3]] == ["02", "03", "00"]


class TestCopies:
    def test_a_file_is_looked_for_where_the_job_lies_now(self) -> None:
        job = JobFolder("/copies/Event")
        there = "s3://b/out/Event/annotations/worker-response/iteration-1/0/x.json"
        assert job.here(there) == "/copies/Event/annotations/worker-response/iteration-1/0/x.json"
        assert job.here("s3://b/elsewhere/x.json") is None
