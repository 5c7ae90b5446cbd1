"""A job's own `job.json` says which labels of a chained manifest are its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gandt.errors import ManifestError
from gandt.groundtruth.job_description import described_attribute, own_attribute
from gandt.groundtruth.job_folder import JobFolder, sort_files
from gandt.groundtruth.output import read_labels, read_output
from gandt.groundtruth.responses import read_answers

if TYPE_CHECKING:
    from conftest import Job

NewJob = Callable[..., "Job"]
CLASSIFICATION = {
    "type": "groundtruth/image-classification",
    "class-name": "old",
    "confidence": 0.9,
    "human-annotated": "yes",
    "creation-date": "2024-01-05T11:05:01.177000",
    "job-name": "labeling-job/earlier",
}
SINGLE = '"groundtruth/image-classification", "class-name": "new", "confidence": 0.8'
FAILED = {
    "retry-count": 1,
    "failure-reason": "ClientError: too long ago.",
    "human-annotated": "true",
}


def chained(new_job: NewJob, images: int = 3, earlier: dict[str, object] | None = None) -> Job:
    """A job about images that an earlier one labeled, or failed to label."""
    lines: list[dict[str, object]] = []
    for number in range(images):
        line: dict[str, object] = {"source-ref": f"s3://gt-demo/pool/{number}.jpg"}
        if earlier is not None:
            line["earlier-metadata"] = earlier
        else:
            line |= {"earlier": 0, "earlier-metadata": CLASSIFICATION}
        lines.append(line)
    return new_job(lines, "Chained", attribute="later")


def describe(job: Job, name: object = "later") -> None:
    job.put("job.json", {"LabelingJobName": "Chained", "LabelAttributeName": name})


class TestOutputManifests:
    def written(self, new_job: NewJob) -> tuple[Job, str]:
        job = chained(new_job)
        for number in range(2):
            job.answer(number, "ann", {"label": "new"})
        job.write()
        manifest = job.root / "manifests/output/output.manifest"
        text = manifest.read_text().replace('"groundtruth/custom"', SINGLE)
        manifest.write_text(text)
        return job, str(manifest)

    def test_the_attribute_of_the_job_is_read(self, new_job: NewJob) -> None:
        job, manifest = self.written(new_job)
        with pytest.raises(ManifestError, match="several jobs"):
            read_output(manifest)
        describe(job)
        assert read_output(manifest).attribute == "later"
        assert read_labels(manifest).attribute == "later"
        assert read_output(manifest, attribute="earlier").attribute == "earlier"

    def test_a_description_that_names_no_attribute_of_the_file_is_no_help(
        self, new_job: NewJob
    ) -> None:
        job, manifest = self.written(new_job)
        describe(job, "another")
        with pytest.raises(ManifestError, match="several jobs"):
            read_output(manifest)


class TestAnswers:
    def test_of_a_custom_job_in_a_chained_manifest(self, new_job: NewJob) -> None:
        """Both jobs left the answers in the manifest; only the job's own are read."""
        job = chained(new_job, 2)
        for line in job.lines:
            response = {"workerId": "old", "annotation": {"label": "before"}}
            line["earlier"] = {"responses": [response]}
            line["earlier-metadata"] = {"type": "groundtruth/custom", "job-name": "earlier"}
        for number in range(2):
            response = {"workerId": "ann", "annotation": {"label": "after"}}
            job.answer(number, "ann", {"label": "after"})
            job.labels[number] = {"responses": [response]}
        job.write(responses=False, requests=False)
        describe(job)
        for named in (job.uri, str(job.root.parent), f"{job.uri}/manifests/output/output.manifest"):
            answers = read_answers([named])
            assert (list(answers.label), list(answers.worker)) == (["after"] * 2, ["ann"] * 2)
        assert list(read_answers([job.uri], attribute="earlier").label) == ["before"] * 2

    def test_a_failure_of_an_earlier_job_is_none_of_this_one(self, new_job: NewJob) -> None:
        job = chained(new_job, 3, FAILED)
        job.answer(0, "ann", {"label": "new"}).failed[1] = "ClientError: Annotation tasks expired."
        job.write()
        describe(job)
        found = {(odd.kind, odd.where[-1], odd.reason) for odd in read_answers([job.uri]).oddities}
        assert {(kind, line) for kind, line, _ in found} == {("failed", "2"), ("unanswered", "3")}
        assert not any("too long ago" in reason for _, _, reason in found)

    def test_tasks_are_named_by_the_input_manifest_where_no_other_is(self, new_job: NewJob) -> None:
        job = new_job(
            [{"source-ref": f"s3://b/{n}", "gandt-pool-uri": f"/p/{n}"} for n in range(3)]
        )
        job.answer(1, "ann", {"label": "new"}).write(manifest=False, requests=False)
        lines = "".join(json.dumps(line) + "\n" for line in job.lines)
        job.put_text("manifests/input/input.manifest", lines)
        describe(job)
        answers = read_answers([job.uri])
        assert (list(answers.task), list(answers.tasks)) == (["/p/1"], ["/p/0", "/p/1", "/p/2"])

    def test_the_output_manifest_goes_before_the_input_manifest(self, new_job: NewJob) -> None:
        job = new_job(2)
        job.answer(0, "ann", {"label": "new"}).write()
        job.put_text("manifests/input/input.manifest", '{"source": "of another job"}\n')
        assert list(read_answers([job.uri]).tasks) == [
            f"s3://gt-demo/pool/{number}.jpg" for number in range(2)
        ]


class TestTheFile:
    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "{}", '{"LabelAttributeName": 3}', "[" * 100_000, "\ufeff{}"]
    )
    def test_another_file_of_this_name_says_nothing(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "job.json").write_text(text)
        assert described_attribute(JobFolder(str(tmp_path))) is None

    def test_it_is_found_beside_the_manifest_and_from_a_part_of_the_folder(
        self, new_job: NewJob
    ) -> None:
        job = chained(new_job).write()
        assert own_attribute(f"{job.uri}/manifests/output/output.manifest") is None
        describe(job)
        assert own_attribute(f"{job.uri}/manifests/output/output.manifest") == "later"
        assert own_attribute(f"{job.uri}/elsewhere.manifest") is None

    def test_it_belongs_to_its_job_alone_and_is_no_answer(self) -> None:
        found = sort_files(
            ["/r/A/annotation-tool/data.json", "/r/A/job.json", "/r/A/temp/job.json", "/r/job.json"]
        )
        assert found.jobs["/r/A"].description == "/r/A/job.json"
        assert found.loose == ["/r/job.json"]

    def test_an_input_manifest_makes_a_job(self) -> None:
        found = sort_files(["/r/A/manifests/input/input.manifest", "/r/A/job.json"])
        assert found.jobs["/r/A"].asked == "/r/A/manifests/input/input.manifest"
        assert found.loose == []


class TestCopies:
    """Files that a job names on S3 are read where they lie now, whatever became of the colons."""

    @pytest.mark.parametrize("mark", [":", "-", "_"])
    def test_responses_that_a_manifest_refers_to(self, new_job: NewJob, mark: str) -> None:
        job = new_job(1, mark=mark)
        stamp = "2024-03-05_09:15:00"
        job.answer(0, "ann", {"label": "cat"}, stamp=stamp)
        place = "annotations/worker-response/iteration-1/0"
        job.labels[0] = {"worker-response-ref": f"s3://gone/out/Event-1/{place}/{stamp}.json"}
        job.write(requests=False)
        answers = read_answers([f"{job.uri}/manifests/output/output.manifest"])
        assert (list(answers.label), list(answers.worker)) == (["cat"], ["ann"])

    @pytest.mark.parametrize("mark", [":", "-", "_"])
    def test_answers_that_lie_apart_from_their_request(self, new_job: NewJob, mark: str) -> None:
        job = new_job(1)
        job.answer(0, "ann", {"label": "cat"}).write(responses=False, large=(0,))
        (request,) = (job.root / "annotations/consolidated-annotation").rglob("*.json")
        apart = job.root / "annotations/worker-response/apart/0-0.txt"
        apart.rename(apart.with_name(f"09{mark}00.txt"))
        request.write_text(request.read_text().replace("0-0.txt", "09:00.txt"))
        assert list(read_answers([job.uri]).label) == ["cat"]
