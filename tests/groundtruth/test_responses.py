"""What came back is read whole: every answer counts once, and what does not count is listed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gandt.answers import Answers, Box, Span
from gandt.errors import AnswerError, StorageError, UsageError
from gandt.groundtruth.answer_times import earlier
from gandt.groundtruth.responses import read_answers

if TYPE_CHECKING:
    from s3_server import Bucket

A, B, C = "private.eu-west-1.aaaa", "private.eu-west-1.bbbb", "private.eu-west-1.cccc"
A_SAMPLE = "private.eu-west-1.1f0c8a5b2d3e4f60"
SAMPLES = Path(__file__).parent / "golden" / "answers"
ONE = "crowd-image-classifier"


def chosen(label: str) -> dict[str, object]:
    return {ONE: {"label": label}}


def rows(answers: Answers) -> set[tuple[object, ...]]:
    return set(zip(answers.task, answers.worker, answers.label, strict=True))


def kinds(answers: Answers) -> Counter[str]:
    return Counter(oddity.kind for oddity in answers.oddities)


def upload(folder: Path, bucket: Bucket) -> None:
    for path in folder.rglob("*.*"):
        if path.is_file():
            bucket.put(path.relative_to(folder.parent).as_posix(), path.read_bytes())


def pool(number: int) -> str:
    return f"s3://gt-demo/pool/{number}.jpg"


def sample(name: str) -> str:
    return str(SAMPLES / name)


class TestSamples:
    """One file of each shape that Ground Truth writes."""

    def test_private_workers_have_times(self) -> None:
        answers = read_answers([sample("worker-response.image-classification.json")])
        assert list(answers.label) == ["Birthday", "Birthday", "Other"]
        assert answers.submitted_at[0] == "2024-03-05T09:12:09.870Z"
        assert answers.seconds_spent == [8.412, 11.3, 2.067]
        assert kinds(answers) == {"unnamed": 1}

    def test_old_public_jobs_tell_less(self) -> None:
        answers = read_answers([sample("worker-response.public-legacy.json")])
        assert list(answers.label) == ["Falcon", "Owl"]
        assert answers.submitted_at == ["2019-04-18T16:11:15Z", "2019-04-18T16:11:25Z"]
        assert answers.seconds_spent == []

    def test_several_labels(self) -> None:
        answers = read_answers([sample("worker-response.multi-select.json")])
        assert list(answers.label) == [("Cat", "Dog"), ("None of the above",)]

    def test_boxes_and_a_worker_who_saw_none(self) -> None:
        answers = read_answers([sample("worker-response.bounding-box.json")])
        dog = Box("Dog", 100, 120, 200, 150)
        assert list(answers.label) == [
            (dog, Box("Bone", 420, 300, 60, 40)),
            (Box("Dog", 104, 118, 198, 156),),
            (),
        ]
        assert list(answers.image_sizes.values()) == [(800, 600)]

    def test_spans_of_a_text(self) -> None:
        answers = read_answers([sample("worker-response.ner.json")])
        person = Span("Person", 0, 3)
        assert list(answers.label) == [(person, Span("Place", 13, 19), Span("Date", 23, 33)), ()]

    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            ("quality", ["3", "2"]),
            ("problems", [("blurry",), ()]),
            ("note", ["kid's café 🎂 — “ok”"]),
        ],
    )
    def test_plain_inputs_by_field(self, field: str, expected: list[object]) -> None:
        uri = sample("worker-response.native-inputs.json")
        assert list(read_answers([uri], field=field).label) == expected
        with pytest.raises(AnswerError, match=r"quality .*problems"):
            read_answers([uri])

    def test_tiles_are_the_same_in_response_and_request(self) -> None:
        manifest = sample("input.manifest.tiles.jsonl")
        response = read_answers(
            [sample("worker-response.tile-multiselect.json")], manifest=manifest
        )
        request = read_answers([sample("consolidation-request.tile-multiselect.json")])
        assert rows(response) == rows(request)
        assert len(response) == 8
        assert ("s3://gt-demo/pool/c d.jpg", A_SAMPLE, ("Birthday Party", "Wedding")) in rows(
            request
        )
        assert response.classes == ("Birthday Party", "Wedding", "None of the above")
        assert kinds(response) == kinds(request) == {"empty": 1}

    def test_requests_name_their_objects(self) -> None:
        answers = read_answers([sample("consolidation-request.image-classification.json")])
        assert Counter(answers.task) == {"s3://gt-demo/pool/a.jpg": 3, "s3://gt-demo/pool/b.jpg": 1}

    def test_a_custom_output_manifest_with_one_object_of_each_fate(self) -> None:
        answers = read_answers([sample("output.manifest.custom.jsonl")])
        assert rows(answers) == {
            ("s3://gt-demo/pool/a.jpg", A_SAMPLE, ("Birthday Party",)),
            ("s3://gt-demo/pool/c d.jpg", A_SAMPLE, ("Wedding",)),
            ("s3://gt-demo/pool/é.jpg", A_SAMPLE, ("None of the above",)),
        }
        assert kinds(answers)["unreadable"] == 1  # the response of the second lies on S3

    @pytest.mark.parametrize("name", ["consolidation-response.custom", "label-categories"])
    def test_other_files_of_a_job_are_no_answers(self, name: str) -> None:
        with pytest.raises(AnswerError, match="No answer could be read"):
            read_answers([sample(f"{name}.json")])


class TestAWholeJob:
    def test_every_answer_is_a_row_with_job_and_times(self, new_job: Callable) -> None:
        job = new_job(2, "Event-Pilot-1", classes=["Cat", "Dog"])
        job.answer(0, A, chosen("Cat"), at="2024-03-05T09:12:09.870Z", seconds=8.412)
        job.answer(0, B, chosen("Dog"), at="2024-03-05T09:14:41.555Z", seconds=11.3)
        job.answer(1, A, chosen("Dog"), at="2019-04-18T16:11:15Z", seconds=None)
        answers = read_answers([job.write().uri])
        assert answers.kind == "single"
        assert answers.columns() == {
            "task": [pool(0), pool(0), pool(1)],
            "worker": [A, B, A],
            "label": ["Cat", "Dog", "Dog"],
            "job": ["Event-Pilot-1"] * 3,
            "submitted_at": [
                "2024-03-05T09:12:09.870Z",
                "2024-03-05T09:14:41.555Z",
                "2019-04-18T16:11:15Z",
            ],
            "seconds_spent": [8.412, 11.3, None],
        }
        assert answers.tasks == [pool(0), pool(1)]
        assert answers.classes == ("Cat", "Dog")
        assert answers.oddities == ()

    @pytest.mark.parametrize(
        "inside", ["", "annotations", "annotations/worker-response", ".."], ids=str
    )
    def test_it_is_found_from_the_folders_around_its_answers(
        self, new_job: Callable, inside: str
    ) -> None:
        job = new_job(2, classes=["Cat"]).answer(0, A, chosen("Cat")).write()
        answers = read_answers([str(job.root / inside)])
        assert rows(answers) == {(pool(0), A, "Cat")}
        assert answers.classes == ("Cat",)
        assert kinds(answers) == {"unanswered": 1}

    def test_one_iteration_asks_nothing_about_the_others(self, new_job: Callable) -> None:
        job = new_job(2).answer(0, A, chosen("Cat"))
        job.answer(1, A, chosen("Dog"), iteration=2).write()
        answers = read_answers([f"{job.uri}/annotations/worker-response/iteration-2"])
        assert rows(answers) == {(pool(1), A, "Dog")}
        assert answers.oddities == ()

    @pytest.mark.parametrize("mark", [":", "_", "-"])
    def test_copies_may_have_lost_the_colons_of_stamps(self, new_job: Callable, mark: str) -> None:
        job = new_job(1, mark=mark).answer(0, A, chosen("Cat")).write()
        assert rows(read_answers([job.uri])) == {(pool(0), A, "Cat")}

    def test_object_ids_are_numbers_not_texts(self, new_job: Callable) -> None:
        job = new_job(12)
        for number in range(12):
            job.answer(number, A, chosen("Cat"))
        assert list(read_answers([job.write().uri]).task) == [pool(i) for i in range(12)]

    def test_iterations_and_retries_are_read_together(self, new_job: Callable) -> None:
        job = new_job(2).answer(0, A, chosen("Cat"))
        job.answer(0, B, chosen("Cat"), stamp="2024-03-05_10:00:00")
        job.answer(1, A, chosen("Dog"), iteration=2)
        assert len(read_answers([job.write().uri])) == 3

    def test_several_jobs_lie_side_by_side(self, new_job: Callable, tmp_path: Path) -> None:
        new_job(1, "Job-1").answer(0, A, chosen("Cat")).write()
        new_job([{"source-ref": "s3://other/0.jpg"}], "Job-2").answer(0, A, chosen("Dog")).write()
        answers = read_answers([str(tmp_path / "out")])
        assert rows(answers) == {(pool(0), A, "Cat"), ("s3://other/0.jpg", A, "Dog")}
        assert list(answers.job) == ["Job-1", "Job-2"]

    def test_equal_file_names_in_two_folders_stay_two_images(self, new_job: Callable) -> None:
        lines = [{"source-ref": "s3://b/cats/1.jpg"}, {"source-ref": "s3://b/dogs/1.jpg"}]
        job = new_job(lines).answer(0, A, chosen("Cat")).answer(1, A, chosen("Dog")).write()
        assert rows(read_answers([job.uri])) == {
            ("s3://b/cats/1.jpg", A, "Cat"),
            ("s3://b/dogs/1.jpg", A, "Dog"),
        }

    def test_an_image_has_its_name_in_the_pool(self, new_job: Callable) -> None:
        line = {"source-ref": pool(0), "gandt-pool-uri": "/photos/0.jpg", "pool-id": 17}
        answers = read_answers([new_job([line]).answer(0, A, chosen("Cat")).write().uri])
        assert list(answers.task) == ["/photos/0.jpg"]
        assert answers.lines["/photos/0.jpg"]["pool-id"] == 17

    def test_a_text_is_its_own_name(self, new_job: Callable) -> None:
        job = new_job([{"source": "The food was delicious"}])
        job.answer(0, A, {"crowd-classifier": {"label": "food"}}).write()
        assert rows(read_answers([job.uri])) == {("The food was delicious", A, "food")}

    def test_on_s3_it_reads_the_same(self, new_job: Callable, bucket: Bucket) -> None:
        job = new_job(130, classes=["Cat", "Dog"])
        for number in range(130):
            job.answer(number, A, chosen("Cat" if number % 3 else "Dog")).answer(
                number, B, chosen("Cat")
            )
        local = read_answers([job.write().uri])
        upload(job.root, bucket)
        there = read_answers([bucket.uri("Event-1")])
        assert there.columns() == local.columns()
        assert there.classes == local.classes
        assert there.oddities == local.oddities == ()
        assert 1 < bucket.server.most_at_once <= 32

    def test_credentials_that_expire_midway_stop_the_reading(
        self, new_job: Callable, bucket: Bucket
    ) -> None:
        job = new_job(3).answer(0, A, chosen("Cat")).answer(1, A, chosen("Cat")).write()
        upload(job.root, bucket)
        refused = {"status": "400 Bad Request", "code": "ExpiredToken"}
        bucket.server.fail(path="/iteration-1/1/", times=99, **refused)
        with pytest.raises(StorageError, match="ExpiredToken"):
            read_answers([bucket.uri("Event-1")])

    def test_an_object_that_cannot_be_read_is_listed(
        self, new_job: Callable, bucket: Bucket
    ) -> None:
        job = new_job(2).answer(0, A, chosen("Cat")).answer(1, A, chosen("Cat"))
        upload(job.write(requests=False).root, bucket)
        denied = {"status": "403 Forbidden", "code": "AccessDenied"}
        bucket.server.fail(path="/iteration-1/1/", times=99, **denied)
        answers = read_answers([bucket.uri("Event-1")])
        assert rows(answers) == {(pool(0), A, "Cat")}
        assert kinds(answers) == {"unreadable": 1, "unanswered": 1}


class TestDuplicates:
    def test_the_first_answer_by_time_counts(self, new_job: Callable) -> None:
        job = new_job(1).answer(0, A, chosen("Late"), at="2024-03-05T10:00:00Z")
        job.answer(0, A, chosen("First"), at="2024-03-05T09:59:59.5Z", stamp="2024-03-06_00:00:00")
        answers = read_answers([job.write().uri])
        assert list(answers.label) == ["First"]
        (oddity,) = answers.oddities
        assert oddity.kind == "duplicate"
        assert oddity.where.endswith("2024-03-05_09:15:00.json")
        assert A in oddity.reason and pool(0) in oddity.reason

    def test_without_times_the_first_that_was_read_counts(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("task,worker,label\nt,w,x\nt,w,y\nt,w,z\n")
        answers = read_answers([str(path)])
        assert list(answers.label) == ["x"]
        assert [o.where.rpartition(":")[2] for o in answers.oddities] == ["3", "4"]

    def test_responses_and_requests_of_a_job_are_one_set_of_answers(
        self, new_job: Callable
    ) -> None:
        job = new_job(1).answer(0, A, chosen("Cat")).answer(0, B, chosen("Dog"))
        answers = read_answers([job.write(responses=True, requests=True).uri])
        assert len(answers) == 2 and answers.oddities == ()

    def test_a_worker_who_is_only_in_the_request_counts_too(self, new_job: Callable) -> None:
        job = new_job(2).answer(0, A, chosen("Cat")).answer(0, B, chosen("Dog"))
        job.answer(1, A, chosen("Cat")).write(responses=False)
        partial = new_job(2).answer(0, A, chosen("Cat"), seconds=3.5)
        partial.write(requests=False, manifest=False)  # of the same folder
        answers = read_answers([job.uri])
        assert rows(answers) == {
            (pool(0), A, "Cat"),
            (pool(0), B, "Dog"),
            (pool(1), A, "Cat"),
        }
        assert answers.seconds_spent == [3.5, None, None]
        assert answers.oddities == ()

    def test_two_jobs_give_a_worker_one_vote_on_an_image(
        self, new_job: Callable, tmp_path: Path
    ) -> None:
        new_job(1, "Job-1").answer(0, A, chosen("Cat"), at="2024-03-06T00:00:00Z").write()
        new_job(1, "Job-2").answer(0, A, chosen("Dog"), at="2024-03-05T00:00:00Z").write()
        answers = read_answers([str(tmp_path / "out" / name) for name in ("Job-1", "Job-2")])
        assert rows(answers) == {(pool(0), A, "Dog")}
        assert kinds(answers) == {"duplicate": 1}

    def test_a_source_named_twice_is_read_once(self, new_job: Callable) -> None:
        job = new_job(1).answer(0, A, chosen("Cat")).write()
        answers = read_answers([job.uri, job.uri, f"{job.uri}/annotations"])
        assert len(answers) == 1 and answers.oddities == ()


class TestWhatIsMissing:
    def test_failed_and_unanswered_objects_stay_among_the_tasks(self, new_job: Callable) -> None:
        job = new_job(3, failed={1: "ClientError: Annotation tasks expired."})
        answers = read_answers([job.answer(0, A, chosen("Cat")).write().uri])
        assert answers.tasks == [pool(0), pool(1), pool(2)]
        failed, unanswered = answers.oddities
        assert (failed.kind, unanswered.kind) == ("failed", "unanswered")
        assert failed.where.endswith("output.manifest:2") and "expired" in failed.reason
        assert unanswered.where.endswith("output.manifest:3") and pool(2) in unanswered.reason

    def test_a_failed_object_that_has_answers_keeps_them(self, new_job: Callable) -> None:
        job = new_job(1, failed={0: "ClientError: the function failed."})
        answers = read_answers([job.answer(0, A, chosen("Cat")).write().uri])
        assert len(answers) == 1
        assert kinds(answers) == {"failed": 1}
        assert "count all the same" in answers.oddities[0].reason

    def test_automatic_labels_are_nobodys_answers(self, new_job: Callable) -> None:
        metadata = {"type": "groundtruth/image-classification", "human-annotated": "no"}
        lines = [
            {"source-ref": pool(0)},
            {"source-ref": pool(1), "event": 1, "event-metadata": metadata},
        ]
        answers = read_answers([new_job(lines).answer(0, A, chosen("Cat")).write().uri])
        assert "labeled automatically" in answers.oddities[0].reason

    def test_empty_choices_are_counted_and_are_no_votes(self, new_job: Callable) -> None:
        job = new_job(1).answer(0, A, {}).answer(0, B, {ONE: {"label": " "}})
        answers = read_answers([job.answer(0, C, chosen("Cat")).write().uri])
        assert len(answers) == 1
        assert kinds(answers) == {"empty": 2}

    def test_an_unreadable_file_is_listed_and_the_rest_read(self, new_job: Callable) -> None:
        job = new_job(2).answer(0, A, chosen("Cat")).write()
        job.put_text("annotations/worker-response/iteration-1/1/2024.json", '{"answers": [')
        answers = read_answers([job.uri])
        assert len(answers) == 1
        assert kinds(answers) == {"unreadable": 1, "unanswered": 1}

    def test_an_answer_without_a_worker_is_listed(self, new_job: Callable) -> None:
        job = new_job(1).answer(0, A, chosen("Cat")).answer(0, "", chosen("Dog")).write()
        answers = read_answers([job.uri])
        assert rows(answers) == {(pool(0), A, "Cat")}
        assert "workerId" in answers.oddities[0].reason

    def test_strict_reading_refuses_what_is_odd(self, new_job: Callable) -> None:
        job = new_job(2).answer(0, A, chosen("Cat")).write()
        with pytest.raises(AnswerError, match=r"1 unanswered.*output\.manifest:2"):
            read_answers([job.uri], strict=True)

    def test_strict_reading_accepts_what_is_clean(self, new_job: Callable) -> None:
        job = new_job(1).answer(0, A, chosen("Cat")).write()
        assert len(read_answers([job.uri], strict=True)) == 1

    def test_a_job_without_any_answer_is_an_error(self, new_job: Callable) -> None:
        with pytest.raises(AnswerError, match="no workers' answers"):
            read_answers([new_job(2).write().uri])

    def test_a_missing_path_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="There is no file"):
            read_answers([str(tmp_path / "nothing")])

    def test_nothing_named_is_a_wrong_call(self) -> None:
        with pytest.raises(UsageError):
            read_answers([])

    def test_an_unknown_kind_is_a_wrong_call(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="--kind"):
            read_answers([str(tmp_path)], kind="polygon")  # type: ignore[arg-type]

    def test_an_empty_folder_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(AnswerError, match="no file with answers"):
            read_answers([str(tmp_path)])


class TestNamesOfTasks:
    def test_without_output_manifest_the_named_one_is_used(
        self, new_job: Callable, tmp_path: Path
    ) -> None:
        job = new_job(2).answer(1, A, chosen("Cat")).write(manifest=False, requests=False)
        manifest = tmp_path / "in.manifest"
        manifest.write_text("".join(json.dumps(line) + "\n" for line in job.lines))
        answers = read_answers([job.uri], manifest=str(manifest))
        assert rows(answers) == {(pool(1), A, "Cat")}
        assert answers.tasks == [pool(0), pool(1)]

    def test_else_the_consolidation_requests_name_them(self, new_job: Callable) -> None:
        job = new_job(2).answer(1, A, chosen("Cat")).write(manifest=False)
        for folder in (job.uri, f"{job.uri}/annotations/worker-response"):
            answers = read_answers([folder])
            assert rows(answers) == {(pool(1), A, "Cat")}
            assert answers.seconds_spent == [8.4]
            assert answers.oddities == ()

    def test_else_an_intermediate_manifest_does(self, new_job: Callable) -> None:
        job = new_job(2).answer(1, A, chosen("Cat")).write(manifest=False, requests=False)
        lines = "".join(json.dumps(line) + "\n" for line in job.lines)
        job.put_text("annotations/intermediate/1/annotations.manifest", lines)
        answers = read_answers([job.uri])
        assert rows(answers) == {(pool(1), A, "Cat")}
        assert kinds(answers) == {"unfinished": 1, "unanswered": 1}

    def test_a_short_intermediate_manifest_names_nothing(self, new_job: Callable) -> None:
        job = new_job(2).answer(1, A, chosen("Cat")).write(manifest=False, requests=False)
        job.put("annotations/intermediate/1/annotations.manifest", job.lines[1])
        assert list(read_answers([job.uri]).task) == ["Event-1/1"]

    def test_else_they_are_numbered_and_that_is_said(self, new_job: Callable) -> None:
        job = new_job(2).answer(1, A, chosen("Cat")).write(manifest=False, requests=False)
        answers = read_answers([job.uri])
        assert rows(answers) == {("Event-1/1", A, "Cat")}
        (oddity,) = answers.oddities
        assert oddity.kind == "unnamed" and "--manifest" in oddity.reason

    def test_the_manifest_of_another_job_is_not_believed(
        self, new_job: Callable, tmp_path: Path
    ) -> None:
        job = new_job(1).answer(0, A, chosen("Cat")).write(manifest=False)
        other = tmp_path / "other.manifest"
        other.write_text('{"source-ref": "s3://gt-demo/wrong.jpg"}\n')
        answers = read_answers([job.uri], manifest=str(other))
        assert rows(answers) == {(pool(0), A, "Cat")}
        assert kinds(answers)["other manifest"] == 1

    def test_an_object_beyond_the_manifest_is_kept_and_listed(self, new_job: Callable) -> None:
        job = new_job(1).answer(0, A, chosen("Cat")).write(requests=False)
        job.put(
            "annotations/worker-response/iteration-1/7/x.json",
            {"answers": [{"workerId": A, "answerContent": chosen("Dog")}]},
        )
        answers = read_answers([job.uri])
        assert rows(answers) == {(pool(0), A, "Cat"), ("Event-1/7", A, "Dog")}
        assert kinds(answers) == {"unknown task": 1}

    def test_a_broken_line_of_the_manifest_costs_one_task(self, new_job: Callable) -> None:
        job = new_job(3)
        for number in range(3):
            job.answer(number, A, chosen("Cat"))
        path = job.write(requests=False).root / "manifests/output/output.manifest"
        lines = path.read_text().splitlines()
        path.write_text("\n".join([lines[0], "{broken", lines[2]]) + "\n")
        answers = read_answers([job.uri])
        assert set(answers.task) == {pool(0), "Event-1/1", pool(2)}
        assert kinds(answers) == {"unreadable": 1, "unknown task": 1}

    def test_a_single_response_in_its_job_knows_its_image(self, new_job: Callable) -> None:
        job = new_job(2).answer(1, A, chosen("Cat")).write()
        (path,) = job.root.glob("annotations/worker-response/*/1/*.json")
        answers = read_answers([str(path)])
        assert rows(answers) == {(pool(1), A, "Cat")}
        assert answers.job == ["Event-1"] and answers.oddities == ()

    def test_a_single_response_on_its_own_has_the_name_of_its_file(
        self, new_job: Callable, tmp_path: Path
    ) -> None:
        job = new_job(1).answer(0, A, chosen("Cat")).write()
        (path,) = job.root.glob("annotations/worker-response/*/0/*.json")
        loose = Path(shutil.copy(path, tmp_path / "answer.json"))
        answers = read_answers([str(loose)])
        assert rows(answers) == {(str(loose), A, "Cat")}
        assert kinds(answers) == {"unnamed": 1}


class TestRequests:
    def test_a_single_request_says_what_it_is_about(self, new_job: Callable) -> None:
        job = new_job(2).answer(0, A, chosen("Cat")).answer(1, B, chosen("Dog"))
        job.write(responses=False, manifest=False)
        (path,) = job.root.rglob("consolidation-request/*/*.json")
        answers = read_answers([str(path)])
        assert rows(answers) == {(pool(0), A, "Cat"), (pool(1), B, "Dog")}
        assert answers.job == ["Event-1", "Event-1"]

    def test_large_answers_are_fetched_from_where_they_lie(self, new_job: Callable) -> None:
        job = new_job(2).answer(0, A, chosen("Cat")).answer(1, B, chosen("Dog"))
        job.write(responses=False, large=(0, 1))
        assert rows(read_answers([job.uri])) == {(pool(0), A, "Cat"), (pool(1), B, "Dog")}

    def test_large_answers_on_s3_too(self, new_job: Callable, bucket: Bucket) -> None:
        job = new_job(1).answer(0, A, chosen("Cat")).write(responses=False, large=(0,))
        (path,) = job.root.rglob("consolidation-request/*/*.json")
        path.write_text(path.read_text().replace("s3://gt-demo/out/", bucket.uri()))
        upload(job.root, bucket)
        assert rows(read_answers([bucket.uri("Event-1/")])) == {(pool(0), A, "Cat")}

    def test_a_path_in_place_of_an_s3_uri_is_not_opened(
        self, new_job: Callable, tmp_path: Path
    ) -> None:
        secret = tmp_path / "secret.json"
        secret.write_text(json.dumps(chosen("Secret")))
        job = new_job(1).answer(0, A, chosen("Cat")).write(responses=False, large=(0,))
        (path,) = job.root.rglob("consolidation-request/*/*.json")
        entries = json.loads(path.read_text())
        entries[0]["annotations"][0]["annotationData"]["s3Uri"] = str(secret)
        path.write_text(json.dumps(entries))
        with pytest.raises(AnswerError, match="no annotation with content"):
            read_answers([job.uri])

    def test_results_are_told_from_answers(self, tmp_path: Path) -> None:
        path = tmp_path / "response.json"
        path.write_text('[{"datasetObjectId": "0", "consolidatedAnnotation": {"content": {}}}]')
        with pytest.raises(AnswerError, match="consolidation response"):
            read_answers([str(path)])


class TestOutputManifests:
    def line(self, number: int, label: object, **metadata: object) -> dict[str, object]:
        common = {"type": "groundtruth/custom", "job-name": "event-1", "human-annotated": "yes"}
        return {"source-ref": pool(number), "event": label, "event-metadata": common | metadata}

    def written(self, folder: Path, *lines: object) -> str:
        path = folder / "output.manifest"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return str(path)

    def test_responses_in_the_label_are_answers(self, tmp_path: Path) -> None:
        label = {"responses": [{"workerId": A, "annotation": chosen("Cat")}, {"annotation": 1}]}
        answers = read_answers([self.written(tmp_path, self.line(0, label))])
        assert rows(answers) == {(pool(0), A, "Cat")}
        assert answers.job == ["event-1"]
        assert kinds(answers) == {"unreadable": 1}

    def test_an_annotated_result_is_unwrapped(self, tmp_path: Path) -> None:
        wrapped = {"annotatedResult": {"quality": {"good": True, "bad": False}}}
        label = {"responses": [{"workerId": A, "annotation": wrapped}]}
        assert rows(read_answers([self.written(tmp_path, self.line(0, label))])) == {
            (pool(0), A, "good")
        }

    @pytest.mark.parametrize("holder", ["metadata", "label"])
    def test_a_reference_leads_to_the_response(self, new_job: Callable, holder: str) -> None:
        """The service puts it into the metadata, our Lambda handler into the label."""
        place = "annotations/worker-response/iteration-1/0/2024-03-05_09:15:00.json"
        job = new_job(1).answer(0, A, chosen("Cat")).write()
        named = {"worker-response-ref": f"s3://gt-demo/out/Event-1/{place}"}
        line = self.line(0, {}, **named) if holder == "metadata" else self.line(0, named)
        job.put("manifests/output/output.manifest", line)
        assert rows(read_answers([f"{job.uri}/manifests/output/output.manifest"])) == {
            (pool(0), A, "Cat")
        }

    def test_a_job_folder_with_nothing_else_is_read_from_it(self, new_job: Callable) -> None:
        label = {"responses": [{"workerId": A, "annotation": chosen("Cat")}]}
        job = new_job(1)
        job.put("manifests/output/output.manifest", self.line(0, label))
        assert rows(read_answers([job.uri])) == {(pool(0), A, "Cat")}

    def test_several_jobs_in_it_need_a_choice(self, tmp_path: Path) -> None:
        label = {"responses": [{"workerId": A, "annotation": chosen("Cat")}]}
        line = self.line(0, label)
        line |= {"again": {"responses": []}, "again-metadata": line["event-metadata"]}
        uri = self.written(tmp_path, line)
        with pytest.raises(AnswerError, match="event, again"):
            read_answers([uri])
        assert len(read_answers([uri], attribute="event")) == 1

    def test_labels_of_a_built_in_job_are_no_answers(self, tmp_path: Path) -> None:
        with pytest.raises(AnswerError, match="output folder of the job"):
            read_answers([self.written(tmp_path, self.line(0, 3))])


class TestTiles:
    def tiled(self, *images: str, **extra: object) -> dict[str, object]:
        tiles: list[dict[str, object]] = [
            {"source-ref": uri, "index": 5 * i} for i, uri in enumerate(images)
        ]
        tiles[0] |= {"event_names": ["Party", "Wedding"], "other_category_label": "Neither"}
        return {"source": json.dumps(tiles), **extra}

    def test_each_tile_is_a_task_of_several_labels(self, new_job: Callable) -> None:
        job = new_job([self.tiled("s3://b/x/a.jpg", "s3://b/y/a.jpg")])
        job.answer(0, A, {"labels-0": '["Party"]', "labels-5": ["Party", "Wedding"]}, seconds=50)
        job.answer(0, B, {"labels-0": '["Neither"]', "labels-5": "[]"})
        answers = read_answers([job.write().uri])
        assert answers.kind == "multi"
        assert answers.classes == ("Party", "Wedding", "Neither")
        assert rows(answers) == {
            ("s3://b/x/a.jpg", A, ("Party",)),
            ("s3://b/y/a.jpg", A, ("Party", "Wedding")),
            ("s3://b/x/a.jpg", B, ("Neither",)),
        }
        assert answers.seconds_spent[0] == 25
        assert answers.lines["s3://b/y/a.jpg"] == {"source-ref": "s3://b/y/a.jpg"}
        (oddity,) = answers.oddities
        assert oddity.kind == "empty" and "s3://b/y/a.jpg" in oddity.reason

    def test_names_in_the_pool_and_planted_answers_follow_the_tiles(
        self, new_job: Callable
    ) -> None:
        names = ["/photos/x.jpg", "/photos/y.jpg"]
        line = self.tiled(
            "s3://b/x.jpg",
            "s3://b/y.jpg",
            **{"gandt-pool-uris": names, "gandt-golds": [None, ["Wedding"]]},
        )
        job = new_job([line]).answer(0, A, {"labels-0": '["Party"]', "labels-5": '["Party"]'})
        answers = read_answers([job.write().uri])
        assert list(answers.task) == names
        assert answers.gold == {"/photos/y.jpg": ("Wedding",)}
        assert answers.lines["/photos/y.jpg"] == {
            "source-ref": "s3://b/y.jpg",
            "gandt-pool-uri": "/photos/y.jpg",
            "gandt-gold": ["Wedding"],
        }

    def test_one_label_each_on_request(self, new_job: Callable) -> None:
        job = new_job([self.tiled("s3://b/x.jpg", "s3://b/y.jpg")])
        job.answer(0, A, {"labels-0": '["Party"]', "labels-5": '["Party", "Wedding"]'})
        answers = read_answers([job.write().uri], kind="single")
        assert rows(answers) == {("s3://b/x.jpg", A, "Party")}
        assert kinds(answers) == {"several labels": 1, "unanswered": 1}

    def test_the_choice_for_no_class_stands_beside_classes_of_the_caller(
        self, new_job: Callable
    ) -> None:
        job = new_job([self.tiled("s3://b/x.jpg")]).answer(0, A, {"labels-0": '["Neither"]'})
        answers = read_answers([job.write().uri], classes=["Wedding", "Party"])
        assert list(answers.label) == [("Neither",)]
        assert answers.classes == ("Wedding", "Party", "Neither")

    def test_none_of_the_above_is_a_label(self, new_job: Callable) -> None:
        tiles = [{"source-ref": "s3://b/x.jpg", "index": 0, "event_names": ["Party"]}]
        job = new_job([{"source": json.dumps(tiles)}])
        job.answer(0, A, {"labels-0": '["None of the above"]'}).write()
        answers = read_answers([job.uri])
        assert list(answers.label) == [("None of the above",)]
        assert answers.classes == ("Party", "None of the above")

    def test_a_tile_that_the_task_does_not_have_is_listed(self, new_job: Callable) -> None:
        job = new_job([self.tiled("s3://b/x.jpg")])
        job.answer(0, A, {"labels-0": '["Party"]', "labels-9": '["Party"]'})
        answers = read_answers([job.write().uri])
        assert len(answers) == 1 and kinds(answers) == {"unknown task": 1}

    def test_an_image_twice_in_a_task_is_one_vote(self, new_job: Callable) -> None:
        job = new_job([self.tiled("s3://b/x.jpg", "s3://b/x.jpg")])
        job.answer(0, A, {"labels-0": '["Party"]', "labels-5": '["Wedding"]'})
        answers = read_answers([job.write().uri])
        assert list(answers.label) == [("Party",)]
        assert kinds(answers) == {"duplicate": 1}

    def test_without_a_manifest_tiles_are_numbered(self, new_job: Callable) -> None:
        job = new_job([self.tiled("s3://b/x.jpg", "s3://b/y.jpg")])
        job.answer(0, A, {"labels-0": '["Party"]', "labels-5": '["Wedding"]'})
        job.write(manifest=False, requests=False)
        assert list(read_answers([job.uri]).task) == ["Event-1/0/0", "Event-1/0/5"]


class TestClasses:
    def test_a_label_that_is_no_class_is_left_out_and_listed(self, new_job: Callable) -> None:
        job = new_job(1, classes=["Cat", "Dog"]).answer(0, A, chosen("Horse"))
        answers = read_answers([job.answer(0, B, chosen("Cat ")).write().uri])
        assert rows(answers) == {(pool(0), B, "Cat")}
        assert kinds(answers) == {"unknown label": 1}

    def test_entities_and_case_are_respelled_and_listed(self, new_job: Callable) -> None:
        job = new_job(1, classes=["Cats & dogs", "Fish"])
        job.answer(0, A, chosen("Cats &amp; dogs")).answer(0, B, chosen("FISH"))
        answers = read_answers([job.write().uri])
        assert list(answers.label) == ["Cats & dogs", "Fish"]
        assert kinds(answers) == {"spelling": 2}

    def test_classes_that_differ_by_case_alone_are_not_guessed(self, new_job: Callable) -> None:
        job = new_job(1, classes=["cat", "Cat"]).answer(0, A, chosen("CAT"))
        answers = read_answers([job.answer(0, B, chosen("Cat")).write().uri])
        assert list(answers.label) == ["Cat"] and kinds(answers) == {"unknown label": 1}

    def test_without_a_list_every_label_is_a_class(self, new_job: Callable) -> None:
        job = new_job(1).answer(0, A, chosen("Horse")).write()
        answers = read_answers([job.uri])
        assert list(answers.label) == ["Horse"] and answers.classes == ()

    def test_classes_of_the_caller_go_first(self, new_job: Callable) -> None:
        job = new_job(1, classes=["Cat"]).answer(0, A, chosen("Dog")).write()
        answers = read_answers([job.uri], classes=["Dog", "Cat"])
        assert list(answers.label) == ["Dog"] and answers.classes == ("Dog", "Cat")


class TestGold:
    def test_planted_answers_are_read_from_the_manifest(self, new_job: Callable) -> None:
        lines = [{"source-ref": pool(0), "gandt-gold": "Cat"}, {"source-ref": pool(1)}]
        answers = read_answers([new_job(lines).answer(0, A, chosen("Dog")).write().uri])
        assert answers.gold == {pool(0): "Cat"}

    def test_a_planted_answer_of_no_class_is_listed(self, new_job: Callable) -> None:
        lines = [{"source-ref": pool(0), "gandt-gold": "Horse"}]
        job = new_job(lines, classes=["Cat"]).answer(0, A, chosen("Cat")).write()
        answers = read_answers([job.uri])
        assert answers.gold == {} and kinds(answers) == {"bad gold": 1}

    def test_a_gold_table_beside_the_answers_counts(self, new_job: Callable) -> None:
        job = new_job(1).answer(0, A, chosen("Dog")).write()
        job.put_text("gold.csv", f"task,label\n{pool(0)},Cat\ns3://other/9.jpg,Dog\n")
        answers = read_answers([job.uri])
        assert answers.gold == {pool(0): "Cat"}
        assert kinds(answers) == {"unknown task": 1}


class TestKindsAndFields:
    def test_several_fields_need_a_choice(self, new_job: Callable) -> None:
        content = {
            "quality": {"1": False, "3": True},
            "problems": {"blurry": True, "dark": True},
            "note": "fine",
        }
        job = new_job(1).answer(0, A, content).write()
        with pytest.raises(AnswerError, match=r"quality \(ticks\), problems \(ticks\).*--field"):
            read_answers([job.uri])
        assert list(read_answers([job.uri], field="quality").label) == ["3"]
        assert list(read_answers([job.uri], field="problems").label) == [("blurry", "dark")]
        assert list(read_answers([job.uri], field="note").label) == ["fine"]

    def test_a_field_that_one_worker_left_out_does_not_change_the_question(
        self, new_job: Callable
    ) -> None:
        job = new_job(12)
        for number in range(11):
            job.answer(number, A, {"category": "Cat"})
        job.answer(11, A, {"remarks": "cannot see it"})
        answers = read_answers([job.write().uri])
        assert len(answers) == 11
        assert kinds(answers) == {"other field": 1, "unanswered": 1}

    def test_ticks_are_one_label_where_practically_everybody_ticked_one(
        self, new_job: Callable
    ) -> None:
        job = new_job(20)
        for number in range(19):
            job.answer(number, A, {"quality": {"good": number % 2 == 0, "bad": number % 2 == 1}})
        job.answer(19, A, {"quality": {"good": False, "bad": False}})
        answers = read_answers([job.write().uri])
        assert answers.kind == "single" and len(answers) == 19
        assert kinds(answers) == {"empty": 1, "unanswered": 1}

    @pytest.mark.parametrize(
        "ticked", [("blurry", "dark"), ()], ids=["one ticked two", "many ticked none"]
    )
    def test_ticks_are_several_labels_where_somebody_ticked_more_or_many_none(
        self, new_job: Callable, ticked: tuple[str, ...]
    ) -> None:
        job = new_job(2).answer(0, A, {"problems": {"blurry": True, "dark": False}})
        job.answer(1, A, {"problems": {"blurry": bool(ticked), "dark": bool(ticked)}})
        answers = read_answers([job.write().uri])
        assert answers.kind == "multi"
        assert list(answers.label) == [("blurry",), ticked]

    def test_answers_of_different_kinds_are_not_mixed(
        self, new_job: Callable, tmp_path: Path
    ) -> None:
        new_job(1, "Job-1").answer(0, A, chosen("Cat")).write()
        new_job(1, "Job-2").answer(0, B, {"boundingBox": {"boundingBoxes": []}}).write()
        with pytest.raises(AnswerError, match="1 labels, 1 boxes"):
            read_answers([str(tmp_path / "out")])
        answers = read_answers([str(tmp_path / "out")], kind="boxes")
        assert list(answers.label) == [()] and kinds(answers) == {"other kind": 1}

    def test_one_label_beside_lists_is_a_list_of_one(
        self, new_job: Callable, tmp_path: Path
    ) -> None:
        new_job(1, "Job-1").answer(0, A, chosen("Cat")).write()
        new_job(1, "Job-2").answer(0, B, {"tags": {"labels": ["Cat", "Dog"]}}).write()
        answers = read_answers([str(tmp_path / "out")])
        assert answers.kind == "multi"
        assert list(answers.label) == [("Cat",), ("Cat", "Dog")]

    def test_sizes_of_images_come_with_boxes(self, new_job: Callable) -> None:
        content = {
            "boundingBox": {
                "boundingBoxes": [
                    {"label": "Dog", "left": -2, "top": 10.5, "width": 102, "height": 20}
                ],
                "inputImageProperties": {"width": 80, "height": 60},
            }
        }
        answers = read_answers([new_job(1).answer(0, A, content).write().uri])
        assert answers.image_sizes == {pool(0): (80, 60)}
        (box,) = answers.label[0]  # type: ignore[misc]
        assert (box.left, box.top, box.width, box.height) == (0, 10.5, 80, 20)


class TestTimes:
    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("2024-03-05T09:12:09Z", "2024-03-05T09:12:09.870Z"),
            ("2024-03-05T09:12:09.87Z", "2024-03-05T09:12:09.8701234Z"),
            ("2024-03-05T11:30:00+02:00", "2024-03-05T09:31:00Z"),
            ("2024-03-05 09:12", "2024-03-05T09:12:01"),
            ("2024-03-05", "2024-03-05T00:00:01Z"),
            ("1709629929", "1709629930.5"),
        ],
    )
    def test_one_is_before_the_other(self, first: str, second: str) -> None:
        assert earlier(first, second) and not earlier(second, first)

    @pytest.mark.parametrize("text", [None, "", "yesterday", "2024-13-01", "2024-03-05T25:00"])
    def test_what_is_no_time_is_never_before(self, text: str | None) -> None:
        assert not earlier(text, "2024-03-05T09:12:09Z")
        assert not earlier("2024-03-05T09:12:09Z", text)
