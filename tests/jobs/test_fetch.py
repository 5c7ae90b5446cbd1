"""Answers come home whole, once, and as the reader wants them, whatever breaks off in between."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from simulated_workers import Misbehavior, crew

from gandt.errors import JobError, StorageError, UsageError
from gandt.groundtruth.responses import read_answers
from gandt.jobs.fetch import FetchProgress, fetch
from gandt.jobs.fetched_files import NOTES, local_name
from gandt.jobs.follow import describe
from gandt.storage import ServiceFailure

if TYPE_CHECKING:
    from aws_fixtures import Aws
    from aws_objects import AwsBucket

REGION = "us-east-1"
GOOD = Misbehavior()


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(file, "PNG")
    return file.getvalue()


class Round:
    """A job about so many images, that people have worked on."""

    def __init__(self, aws: Aws, images: int = 4, name: str = "Round-1", **more: object) -> None:
        self.aws, self.name = aws, name
        self.bucket: AwsBucket = aws.bucket()
        uris = [self.bucket.put(f"pool/{number}.png", picture()) for number in range(images)]
        self.truth = {uri: ("cat", "dog")[number % 2] for number, uri in enumerate(uris)}
        request = aws.image_job(name, ["cat", "dog"], self.truth, bucket=self.bucket)
        aws.call("sagemaker", "create_labeling_job", **request | more)

    def work(self, objects: int | None = None, **more: object) -> Round:
        more = {"workers": crew(3), "misbehavior": GOOD} | more
        self.aws.sagemaker.work(self.name, truth=self.truth, objects=objects, **more)
        return self

    @property
    def root(self) -> str:
        return f"output/{self.name}/"

    def wanted(self) -> list[str]:
        """What a fetch is to bring, by the keys below the job's folder."""
        wanted = (
            "annotation-tool/",
            "annotations/worker-response/",
            "annotations/consolidated-annotation/",
            "manifests/output/",
        )
        below = [key.removeprefix(self.root) for key in self.bucket.keys(self.root)]
        return [key for key in below if key.startswith(wanted)]


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything that a reader sees in a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def expected(round_: Round) -> dict[str, bytes]:
    found = {key.replace(":", "-"): round_.bucket.get(round_.root + key) for key in round_.wanted()}
    found["manifests/input/input.manifest"] = round_.bucket.get(f"{round_.name}/input.manifest")
    return found


def assert_whole(round_: Round, folder: Path) -> None:
    here = files_of(folder)
    here.pop("job.json")
    assert here == expected(round_)


class TestWhatComesHome:
    def test_the_layout_is_that_of_the_job_with_hyphens_for_colons(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        done = Round(aws).work()
        fetched = fetch(done.name, str(tmp_path / "answers"), REGION)
        folder = tmp_path / "answers" / "Round-1"
        assert fetched.folder == str(folder)
        assert_whole(done, folder)
        assert not any(":" in path for path in files_of(folder))
        assert fetched.new == len(expected(done)) == fetched.files
        assert fetched.bytes == sum(map(len, expected(done).values()))
        assert fetched.responses == 4
        assert not fetched.partial
        assert fetched.problems == fetched.notes == ()

    def test_scratch_and_training_stay_where_they_are(self, aws: Aws, tmp_path: Path) -> None:
        done = Round(aws).work()
        for key in (
            "temp/x.json",
            "training/model.tar.gz",
            "inference/1.json",
            "activelearning/1.json",
            "annotations/intermediate/1/annotations.manifest",
        ):
            done.bucket.put(done.root + key, b"{}")
        fetch(done.name, str(tmp_path), REGION)
        assert_whole(done, tmp_path / "Round-1")

    def test_job_json_is_the_services_answer_with_times_as_text(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        Round(aws).work()
        fetch("Round-1", str(tmp_path), REGION)
        known = json.loads((tmp_path / "Round-1" / "job.json").read_text())
        assert known["LabelAttributeName"] == "label"
        assert known["LabelingJobStatus"] == "Completed"
        assert known["CreationTime"].startswith("20")
        assert "ResponseMetadata" not in known

    def test_the_reader_finds_every_answer_and_the_class_names(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        done = Round(aws, images=5).work(misbehavior=Misbehavior(expire=0.3), seed=3)
        fetch("Round-1", str(tmp_path), REGION)
        from_s3 = read_answers([done.bucket.uri(done.root.rstrip("/"))])
        answers = read_answers([str(tmp_path)])
        assert list(answers.task) == list(from_s3.task)
        assert list(answers.label) == list(from_s3.label)
        assert list(answers.submitted_at) == list(from_s3.submitted_at)
        assert sorted(answers.tasks) == sorted(done.truth)
        assert answers.classes == ("cat", "dog")
        assert set(answers.job) == {"Round-1"}

    def test_a_job_that_runs_is_fetched_as_far_as_it_is_and_completed_later(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        running = Round(aws, images=6).work(objects=2)
        first = fetch("Round-1", str(tmp_path), REGION)
        assert first.partial
        assert first.responses == 2
        assert sorted(read_answers([str(tmp_path)]).tasks) == sorted(running.truth)
        running.work()
        second = fetch("Round-1", str(tmp_path), REGION)
        assert not second.partial
        assert second.known >= 2
        assert_whole(running, tmp_path / "Round-1")

    def test_a_job_that_nobody_has_begun_has_nothing_but_its_questions(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        Round(aws)
        fetched = fetch("Round-1", str(tmp_path), REGION)
        assert fetched.partial
        assert set(files_of(tmp_path / "Round-1")) <= {
            "job.json",
            "manifests/input/input.manifest",
            "manifests/output/output.manifest",
            "annotation-tool/data.json",
            "annotation-tool/template.liquid",
        }

    def test_why_objects_failed_is_said_in_plain_words(self, aws: Aws, tmp_path: Path) -> None:
        Round(aws).work(workers=[])
        fetched = fetch("Round-1", str(tmp_path), REGION)
        ((objects, explained),) = fetched.failed
        assert objects == 4
        assert explained.cause == "nobody submitted an answer before the task expired"

    def test_an_input_manifest_that_is_gone_is_no_obstacle(self, aws: Aws, tmp_path: Path) -> None:
        done = Round(aws).work()
        done.bucket.delete("Round-1/input.manifest")
        fetched = fetch("Round-1", str(tmp_path), REGION)
        assert fetched.new == len(done.wanted())
        (note,) = fetched.notes
        assert note.startswith("there is no manifest s3://")


class TestTheSecondTime:
    def test_nothing_is_transferred_when_nothing_changed(self, aws: Aws, tmp_path: Path) -> None:
        done = Round(aws).work()
        first = fetch("Round-1", str(tmp_path), REGION)
        before = files_of(tmp_path / "Round-1")
        aws.s3.reset()
        second = fetch("Round-1", str(tmp_path), REGION)
        assert (second.new, second.bytes, second.known) == (0, 0, first.new)
        assert aws.s3.requests["GET"] == 3  # listings
        assert files_of(tmp_path / "Round-1") == before
        assert_whole(done, tmp_path / "Round-1")

    def test_what_was_deleted_or_damaged_here_is_fetched_again(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        done = Round(aws).work()
        fetch("Round-1", str(tmp_path), REGION)
        responses = sorted((tmp_path / "Round-1/annotations/worker-response").rglob("*.json"))
        responses[0].unlink()
        responses[1].write_bytes(responses[1].read_bytes()[:10])
        assert fetch("Round-1", str(tmp_path), REGION).new == 2
        assert_whole(done, tmp_path / "Round-1")

    def test_what_changed_on_s3_is_fetched_again(self, aws: Aws, tmp_path: Path) -> None:
        done = Round(aws).work()
        fetch("Round-1", str(tmp_path), REGION)
        key = f"{done.root}manifests/output/output.manifest"
        done.bucket.put(key, done.bucket.get(key).replace(b"cat", b"dog"))  # of the same size
        assert fetch("Round-1", str(tmp_path), REGION).new == 1
        assert_whole(done, tmp_path / "Round-1")

    def test_what_s3_deleted_stays_here(self, aws: Aws, tmp_path: Path) -> None:
        done = Round(aws).work()
        fetch("Round-1", str(tmp_path), REGION)
        before = files_of(tmp_path / "Round-1")
        for key in done.bucket.keys(f"{done.root}annotations/worker-response/"):
            done.bucket.delete(key)
        assert fetch("Round-1", str(tmp_path), REGION).new == 0
        assert files_of(tmp_path / "Round-1") == before

    @pytest.mark.parametrize(
        "notes",
        [b"", b'{"key": "annotations/wor', b"\x00\xff\n[1]\n", b'{"key": 1, "path": 2}\n'],
        ids=["gone", "torn", "garbage", "short"],
    )
    def test_notes_that_are_lost_or_torn_cost_transfers_and_nothing_else(
        self, aws: Aws, tmp_path: Path, notes: bytes
    ) -> None:
        done = Round(aws).work()
        first = fetch("Round-1", str(tmp_path), REGION)
        (tmp_path / "Round-1" / NOTES).write_bytes(notes)
        assert fetch("Round-1", str(tmp_path), REGION).new == first.new
        assert_whole(done, tmp_path / "Round-1")
        assert fetch("Round-1", str(tmp_path), REGION).new == 0

    def test_each_line_of_the_notes_counts_though_the_last_is_torn(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        done = Round(aws).work()
        first = fetch("Round-1", str(tmp_path), REGION)
        notes = tmp_path / "Round-1" / NOTES
        notes.write_bytes(notes.read_bytes()[:-20])
        second = fetch("Round-1", str(tmp_path), REGION)
        assert (second.new, second.known) == (1, first.new - 1)
        assert_whole(done, tmp_path / "Round-1")


class TestKilled:
    def test_a_program_that_is_killed_again_and_again_ends_with_every_file_once(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        done = Round(aws).work()
        place = "annotations/worker-response/iteration-1"
        for number in range(300):
            body = json.dumps({"answers": [], "number": number}).encode()
            done.bucket.put(f"{done.root}{place}/{number}/2024-03-05_09:15:00.json", body)
        aws.s3.latency = 0.05
        folder = tmp_path / "answers" / "Round-1"
        program = [str(Path(sys.executable).parent / "gandt"), "fetch", "Round-1"]
        program += ["--out", str(tmp_path / "answers"), "--quiet"]
        for target, end in ((1, signal.SIGKILL), (80, signal.SIGINT), (160, signal.SIGKILL)):
            with subprocess.Popen(program, stderr=subprocess.PIPE) as process:
                try:
                    until(lambda target=target: count_files(folder) > target, process)
                    process.send_signal(end)
                    _, err = process.communicate(timeout=60)
                finally:
                    process.kill()
            assert process.returncode == (130 if end == signal.SIGINT else -end)
            assert b"Traceback" not in err
            partly = files_of(folder)
            wanted = expected(done)
            assert all(wanted[path] == data for path, data in partly.items() if path != "job.json")
        assert count_files(folder) < len(expected(done))
        last = fetch("Round-1", str(tmp_path / "answers"), REGION)
        assert last.files == len(expected(done))
        assert last.known > 100
        assert_whole(done, folder)
        assert not list(folder.rglob(".*.tmp*"))


def count_files(folder: Path) -> int:
    return sum(not path.name.startswith(".") for path in folder.rglob("*.json"))


def until(reached: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 60
    while not reached():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < limit
        time.sleep(0.005)


class TestTroubleOnTheWay:
    def test_a_busy_s3_is_asked_again(self, aws: Aws, tmp_path: Path) -> None:
        done = Round(aws).work()
        aws.s3.fail(times=3, status="503 Slow Down", code="SlowDown", path="output")
        fetched = fetch("Round-1", str(tmp_path), REGION)
        assert fetched.problems == ()
        assert_whole(done, tmp_path / "Round-1")

    @pytest.mark.parametrize("fault", [{"cut": 0.4}, {"reset": True}], ids=["cut", "reset"])
    def test_a_transfer_that_breaks_off_is_taken_up_where_it_broke(
        self, aws: Aws, tmp_path: Path, fault: dict[str, object]
    ) -> None:
        done = Round(aws).work()
        mask = f"{done.root}annotations/consolidated-annotation/output/0_2024.png"
        done.bucket.put(mask, os.urandom(3 << 20))
        aws.s3.fail(times=2, path="0_2024.png", **fault)
        fetched = fetch("Round-1", str(tmp_path), REGION)
        assert fetched.problems == ()
        assert_whole(done, tmp_path / "Round-1")

    def test_a_file_that_is_replaced_between_listing_and_reading_is_whole_then_new(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        done = Round(aws).work()
        key = f"{done.root}manifests/output/output.manifest"
        newer = done.bucket.get(key) * 2
        aws.s3.fail(path="output.manifest", before=lambda: done.bucket.put(key, newer))
        fetch("Round-1", str(tmp_path), REGION)
        assert_whole(done, tmp_path / "Round-1")
        assert (
            fetch("Round-1", str(tmp_path), REGION).new == 1
        )  # its version was not the listed one
        assert fetch("Round-1", str(tmp_path), REGION).new == 0

    def test_a_file_that_is_replaced_while_it_is_read_is_never_a_mixture(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        done = Round(aws).work()
        key = f"{done.root}annotations/consolidated-annotation/output/0_2024.png"
        done.bucket.put(key, b"old" * (1 << 20))
        aws.s3.fail(path="0_2024.png", cut=0.5)
        aws.s3.fail(path="0_2024.png", before=lambda: done.bucket.put(key, b"new" * (1 << 20)))
        fetched = fetch("Round-1", str(tmp_path), REGION)
        ((uri, reason),) = fetched.problems
        assert uri == done.bucket.uri(key)
        assert "was replaced while it was read" in reason
        assert not (tmp_path / "Round-1" / key.removeprefix(done.root)).exists()
        assert fetch("Round-1", str(tmp_path), REGION).problems == ()
        assert_whole(done, tmp_path / "Round-1")

    def test_a_file_that_is_deleted_between_listing_and_reading_is_none(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        done = Round(aws).work()
        key = done.bucket.keys(f"{done.root}annotations/worker-response/")[0]
        place = f"/{key.rpartition('/')[0]}/"
        aws.s3.fail(path=place, before=lambda: done.bucket.delete(key))
        fetched = fetch("Round-1", str(tmp_path), REGION)
        assert fetched.problems == ()
        assert fetched.notes == ("S3 lost 1 of the files while they were fetched",)
        assert_whole(done, tmp_path / "Round-1")

    def test_a_file_that_may_not_be_read_does_not_keep_the_others(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        done = Round(aws).work()
        key = done.bucket.keys(f"{done.root}annotations/worker-response/")[0]
        mark = key.rpartition("/")[0]
        aws.s3.fail(path=f"/{mark}/", status="403 Forbidden", code="AccessDenied")
        fetched = fetch("Round-1", str(tmp_path), REGION)
        ((uri, reason),) = fetched.problems
        assert uri == done.bucket.uri(key)
        assert "lacks the permission s3:GetObject" in reason
        assert fetched.new == len(expected(done)) - 1
        assert fetch("Round-1", str(tmp_path), REGION).new == 1
        assert_whole(done, tmp_path / "Round-1")

    def test_credentials_that_expire_end_it_at_once_and_the_next_run_goes_on(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        done = Round(aws).work()
        aws.s3.fail(
            times=1000, path="worker-response/iter", status="403 Forbidden", code="ExpiredToken"
        )
        with pytest.raises(ServiceFailure, match=r"credentials are refused \(ExpiredToken\)"):
            fetch("Round-1", str(tmp_path), REGION)
        aws.s3.reset()
        assert fetch("Round-1", str(tmp_path), REGION).problems == ()
        assert_whole(done, tmp_path / "Round-1")

    def test_a_folder_that_may_not_be_listed_is_an_error(self, aws: Aws, tmp_path: Path) -> None:
        Round(aws).work()
        aws.s3.fail(path="list-type=2", status="403 Forbidden", code="AccessDenied", times=9)
        with pytest.raises(StorageError, match="lacks the permission s3:ListBucket"):
            fetch("Round-1", str(tmp_path), REGION)

    def test_progress_is_told_as_it_goes(self, aws: Aws, tmp_path: Path) -> None:
        done = Round(aws).work()
        told: list[FetchProgress] = []
        fetch("Round-1", str(tmp_path), REGION, told.append)
        assert [progress.new for progress in told] == sorted(progress.new for progress in told)
        assert told[-1].complete
        assert told[-1].new == told[-1].listed == len(expected(done))

    def test_a_job_is_fetched_by_its_state_or_its_arn_as_well(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        done = Round(aws).work()
        state = describe("Round-1", REGION)
        fetch(state, str(tmp_path / "by-state"))
        assert_whole(done, tmp_path / "by-state" / "Round-1")
        fetch(state.arn, str(tmp_path / "by-arn"))
        assert_whole(done, tmp_path / "by-arn" / "Round-1")


class TestWhere:
    def test_requests_go_side_by_side(self, aws: Aws, tmp_path: Path) -> None:
        done = Round(aws).work()
        for number in range(100):
            key = f"annotations/worker-response/iteration-1/{number}/2024-03-05_09:15:00.json"
            done.bucket.put(done.root + key, b'{"answers": []}')
        aws.s3.latency = 0.05
        fetch("Round-1", str(tmp_path), REGION)
        assert aws.s3.most_at_once >= 16

    def test_s3_is_no_destination(self, aws: Aws) -> None:
        Round(aws).work()
        with pytest.raises(UsageError, match="fetch into a local folder"):
            fetch("Round-1", "s3://bucket/answers", REGION)

    def test_a_file_in_the_way_is_named(self, aws: Aws, tmp_path: Path) -> None:
        Round(aws).work()
        (tmp_path / "answers").write_text("mine")
        with pytest.raises(StorageError, match=r"answers.* cannot be written"):
            fetch("Round-1", str(tmp_path / "answers"), REGION)
        assert (tmp_path / "answers").read_text() == "mine"

    def test_a_disk_that_takes_no_more_ends_it_and_the_next_run_goes_on(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        done = Round(aws).work()
        large = f"{done.root}annotations/consolidated-annotation/output/0_2024.png"
        done.bucket.put(large, bytes(1 << 20))
        program = [str(Path(sys.executable).parent / "gandt"), "fetch", "Round-1"]
        program += ["--out", str(tmp_path), "--quiet"]
        half = 1 << 19

        def small_disk() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (half, half))

        full = subprocess.run(
            program, preexec_fn=small_disk, capture_output=True, text=True, check=False, timeout=600
        )
        assert full.returncode == 1
        assert "0_2024.png cannot be written: file too large" in full.stderr
        assert "Traceback" not in full.stderr
        fetch("Round-1", str(tmp_path), REGION)
        assert_whole(done, tmp_path / "Round-1")

    def test_two_fetches_do_not_share_a_folder(self, aws: Aws, tmp_path: Path) -> None:
        Round(aws).work()
        fetch("Round-1", str(tmp_path), REGION)
        with (
            filelock.FileLock(tmp_path / "Round-1" / ".fetch.lock"),
            pytest.raises(JobError, match="another `gandt fetch` is filling"),
        ):
            fetch("Round-1", str(tmp_path), REGION)

    def test_a_job_of_the_same_name_elsewhere_is_not_mixed_in(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        Round(aws).work()
        fetch("Round-1", str(tmp_path), REGION)
        known = tmp_path / "Round-1" / "job.json"
        known.write_text(known.read_text().replace("us-east-1:1234", "eu-west-1:1234"))
        before = files_of(tmp_path / "Round-1")
        with pytest.raises(JobError, match="another job of the same name"):
            fetch("Round-1", str(tmp_path), REGION)
        assert files_of(tmp_path / "Round-1") == before


class TestNames:
    def test_no_key_leads_out_of_the_folder(self, aws: Aws, tmp_path: Path) -> None:
        done = Round(aws).work()
        place = f"{done.root}annotations/worker-response/"
        for key in ("../../../../evil.json", "iteration-1//evil.json", "iteration-1/../evil.json"):
            done.bucket.put(place + key, b"evil")
        odd = "iteration-1/C:\\Windows\\evil.json"
        done.bucket.put(place + odd, b"odd")
        fetched = fetch("Round-1", str(tmp_path / "deep" / "answers"), REGION)
        here = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
        assert all(path.parts[:3] == ("deep", "answers", "Round-1") for path in here)
        assert [path.name for path in here if (tmp_path / path).read_bytes() == b"evil"] == []
        inside = "annotations/worker-response/iteration-1/C--Windows-evil.json"
        assert (tmp_path / "deep/answers/Round-1" / inside).read_bytes() == b"odd"
        assert [reason for _, reason in fetched.problems] == [
            "its name would lead out of the job's folder"
        ]

    def test_names_that_differ_by_a_colon_or_by_case_stay_apart(
        self, aws: Aws, tmp_path: Path
    ) -> None:
        done = Round(aws)
        place = f"{done.root}annotations/worker-response/iteration-1/0/"
        for name in ("a:b.json", "A-b.json"):
            done.bucket.put(place + name, name.encode())
        fetch("Round-1", str(tmp_path), REGION)
        folder = tmp_path / "Round-1/annotations/worker-response/iteration-1/0"
        assert {path.read_bytes() for path in folder.iterdir()} == {b"a:b.json", b"A-b.json"}
        done.bucket.put(place + "a-b.json", b"a-b.json")
        fetch("Round-1", str(tmp_path), REGION)
        assert {b"a:b.json", b"A-b.json", b"a-b.json"} == {
            path.read_bytes() for path in folder.iterdir()
        }
        assert fetch("Round-1", str(tmp_path), REGION).new == 0

    @given(st.text(max_size=80))
    def test_a_local_name_is_always_below(self, key: str) -> None:
        name = local_name(key)
        if name is None:
            return
        root = Path("/somewhere/answers")
        assert Path(os.path.normpath(root / name)).is_relative_to(root)
        assert not set(name) & set(':*?"<>|\\\0')
        assert name.count("/") == key.count("/")
