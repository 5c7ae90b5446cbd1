"""`gandt status`, `wait`, `stop`, `fetch` and `teams`, as people and scripts use them."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from simulated_workers import Misbehavior, crew

if TYPE_CHECKING:
    from aws_fixtures import Aws

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Say = Callable[..., tuple[str, str]]


def job(aws: Aws, name: str = "Round-1", images: int = 4) -> dict[str, str]:
    """Create a job; returns the truth."""
    bucket = aws.bucket()
    picture = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(picture, "PNG")
    uris = [bucket.put(f"pool/{number}.png", picture.getvalue()) for number in range(images)]
    truth = {uri: ("cat", "dog")[number % 2] for number, uri in enumerate(uris)}
    request = aws.image_job(name, ["cat", "dog"], truth, bucket=bucket)
    aws.call("sagemaker", "create_labeling_job", **request)
    return truth


def work(aws: Aws, truth: dict[str, str], objects: int | None = None, **more: Any) -> None:
    options = {"workers": crew(3), "misbehavior": Misbehavior()} | more
    aws.sagemaker.work("Round-1", truth=truth, objects=objects, **options)


def facts(text: str) -> dict[str, str]:
    """What aligned lines say."""
    return {line[:12].strip(): line[13:] for line in text.splitlines() if line[:12].strip()}


class TestStatus:
    def test_a_job_that_runs(self, aws: Aws, say: Say) -> None:
        work(aws, job(aws), objects=3)
        running = aws.sagemaker.job("Round-1")
        running.created = datetime.now(timezone.utc) - timedelta(hours=3)
        out, err = say("status", "Round-1")
        said = facts(out)
        assert said["job"] == "Round-1, image-classification"
        assert said["status"] == "InProgress for 3 h 00 min"
        assert said["progress"] == "[##################......] 3 of 4 objects (75%)"
        assert said["rate"] == "1 objects an hour, about 1 h 00 min left"
        assert said["team"] == "private-crowd/labelers, 3 workers an object"
        assert said["attribute"] == "label"
        assert said["next"] == "gandt wait Round-1"
        assert "failed" not in said
        assert err == ""

    def test_a_job_that_is_done_is_to_be_fetched(self, aws: Aws, say: Say) -> None:
        work(aws, job(aws))
        said = facts(say("status", "Round-1", "--region", "us-east-1")[0])
        assert said["progress"] == "[########################] 4 of 4 objects (100%)"
        assert said["next"] == "gandt fetch Round-1 --out answers/ --region us-east-1"

    def test_a_failure_is_explained(self, aws: Aws, say: Say) -> None:
        job(aws)
        aws.sagemaker.job("Round-1").fail("ClientError: CORS is not enabled on the bucket.")
        said = facts(say("status", "Round-1")[0])
        assert said["status"].startswith("Failed since ")
        assert said["failed"] == "the bucket does not let browsers show its images"
        assert said["remedy"].startswith("launch again with --set-cors")

    def test_a_failure_without_a_reason_is_not_passed_over(self, aws: Aws, say: Say) -> None:
        job(aws)
        aws.sagemaker.job("Round-1").fail("")
        said = facts(say("status", "Round-1")[0])
        assert said["failed"] == "AWS gives no reason"
        assert "/aws/sagemaker/LabelingJobs" in said["remedy"]

    def test_for_machines(self, aws: Aws, say: Say) -> None:
        work(aws, job(aws), workers=[])
        said = json.loads(say("status", "Round-1", "--json")[0])
        assert said["job"] == "Round-1"
        assert (said["objects"], said["done"], said["failed"]) == (4, 4, 4)
        assert said["failure"] is None
        assert said["output_manifest"].endswith("/Round-1/manifests/output/output.manifest")

    def test_the_latest_jobs(self, aws: Aws, say: Say) -> None:
        truth = job(aws)
        job(aws, "Another-longer-name", images=1)
        work(aws, truth)
        lines = say("status")[0].splitlines()
        assert [line.split()[:4] for line in lines] == [
            ["job", "status", "done", "task"],
            ["Another-longer-name", "Initializing", "0/0", "image-classification"],
            ["Round-1", "Completed", "4/4", "image-classification"],
        ]
        assert len({line.index(word) for line, word in zip(lines, STATUSES, strict=True)}) == 1
        out, err = say("status", "--limit", "1")
        assert len(out.splitlines()) == 2
        assert err == "There are older ones; --limit shows more.\n"
        assert "Round-1" not in say("status", "--contains", "Another")[0]
        assert "Another" not in say("status", "--status", "completed")[0]
        listed = json.loads(say("status", "--json")[0])["jobs"]
        assert [entry["job"] for entry in listed] == ["Another-longer-name", "Round-1"]

    def test_no_jobs(self, aws: Aws, say: Say) -> None:
        out, err = say("status")
        assert out == ""
        assert err == "No labeling job here; each Region has jobs of its own (--region).\n"


STATUSES = ("status", "Initializing", "Completed")


class TestErrors:
    @pytest.mark.parametrize("command", ["status", "wait", "stop", "fetch"])
    def test_no_such_job(self, aws: Aws, say: Say, command: str) -> None:
        job(aws)
        _, err = say(command, "Round-2", code=1)
        assert err == (
            "gandt: there is no labeling job Round-2 in us-east-1; did you mean Round-1?\n"
        )

    def test_another_region(self, aws: Aws, say: Say) -> None:
        job(aws)
        _, err = say("status", "Round-1", "--region", "eu-west-1", code=1)
        assert "no labeling job Round-1 in eu-west-1" in err
        assert "--region" in err

    def test_a_region_that_does_not_exist(self, aws: Aws, say: Say) -> None:
        _, err = say("status", "Round-1", "--region", "no where", code=1)
        assert err.startswith("gandt: sagemaker:DescribeLabelingJob in no where failed: ")

    def test_no_region(self, aws: Aws, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        _, err = say("status", code=2)
        assert err.startswith("gandt: no AWS Region is set; give --region")

    def test_no_credentials(self, aws: Aws, gandt: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        err = gandt("status", "Round-1", code=1).stderr
        assert "Unable to locate credentials; run `aws configure`, or set AWS_PROFILE." in err

    def test_denied(self, aws: Aws, say: Say) -> None:
        aws.deny("sagemaker:*")
        for command in (("status",), ("status", "Round-1"), ("teams",)):
            _, err = say(*command, code=1)
            assert "ask for the permission sagemaker:" in err
            assert "Traceback" not in err

    def test_no_access_to_ground_truth(self, aws: Aws, say: Say) -> None:
        aws.sagemaker.open = False
        _, err = say("status", code=1)
        assert "`gandt label` works without it" in err


class TestWait:
    def test_a_line_for_each_step_and_the_result_at_the_end(self, aws: Aws, say: Say) -> None:
        work(aws, job(aws), over=0.8, steps=4)
        out, err = say("wait", "Round-1", "--every", "0.1")
        assert facts(out)["status"].startswith("Completed since")
        assert facts(out)["next"] == "gandt fetch Round-1 --out answers/"
        steps = err.splitlines()
        assert len(steps) == len(set(steps)) >= 3
        assert steps[-1].endswith("UTC  Completed, 4 of 4 objects (100%)")

    def test_a_job_that_failed_is_an_error_with_its_reason(self, aws: Aws, say: Say) -> None:
        job(aws)
        aws.sagemaker.job("Round-1").fail("ClientError: More than 10% of the tasks failed.")
        out, err = say("wait", "Round-1", code=1)
        assert facts(out)["status"].startswith("Failed")
        assert "remedy" not in facts(out)  # said once, as the error
        assert "next" not in facts(out)  # there is nothing to fetch
        assert "gandt: job Round-1 failed: too many of the objects" in err
        assert "(ClientError: More than 10% of the tasks failed)" in err

    def test_a_job_that_was_stopped_is_an_error_as_well(self, aws: Aws, say: Say) -> None:
        work(aws, job(aws), objects=2)
        say("stop", "Round-1", "--yes")
        out, err = say("wait", "Round-1", "--every", "0.1", "--json", code=1)
        assert json.loads(out)["status"] == "Stopped"
        assert "gandt: job Round-1 was stopped with 2 of 4 objects (50%)" in err

    def test_no_longer_than_told(self, aws: Aws, say: Say) -> None:
        work(aws, job(aws), objects=1)
        _, err = say("wait", "Round-1", "--timeout", "1s", "--every", "0.3", code=1)
        assert (
            "gandt: job Round-1 is not finished after 1 s (InProgress, 1 of 4 objects done); it "
            "goes on: wait again, or fetch what is there with `gandt fetch Round-1`."
        ) in err

    @pytest.mark.parametrize("time_", ["soon", "-3", "0", "3 weeks"])
    def test_a_time_that_is_none(self, aws: Aws, say: Say, time_: str) -> None:
        job(aws)
        _, err = say("wait", "Round-1", f"--timeout={time_}", code=2)
        assert "write a time as 90s, 30m, 8h or 2d" in err

    def test_ctrl_c_ends_the_waiting_and_not_the_job(
        self, aws: Aws, program: Path, tmp_path: Path
    ) -> None:
        work(aws, job(aws), objects=1)
        waiting = [program, "wait", "Round-1", "--every", "0.2"]
        with subprocess.Popen(waiting, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                assert "1 of 4 objects" in process.stderr.readline()
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=30)
            finally:
                process.kill()
        assert process.returncode == 130
        assert "gandt: stopped waiting; job Round-1 goes on." in err
        assert "`gandt stop Round-1`" in err
        assert "Traceback" not in err
        assert aws.sagemaker.job("Round-1").status == "InProgress"


class TestStop:
    def test_without_a_terminal_it_has_to_be_meant(self, aws: Aws, gandt: Run) -> None:
        work(aws, job(aws), objects=1)
        err = gandt("stop", "Round-1", code=2).stderr
        assert "job Round-1 (1 of 4 objects (25%)) would be stopped for good: say --yes" in err
        assert aws.log.named("StopLabelingJob") == []

    def test_with_yes(self, aws: Aws, say: Say) -> None:
        work(aws, job(aws), objects=1)
        said = facts(say("stop", "Round-1", "--yes")[0])
        assert said["status"] == "Stopping"
        assert said["next"] == "gandt fetch Round-1 --out answers/"

    def test_a_finished_job(self, aws: Aws, say: Say) -> None:
        work(aws, job(aws))
        _, err = say("stop", "Round-1", code=1)
        assert "is Completed already, so there is nothing to stop" in err

    @pytest.mark.parametrize(("answer", "code", "stopped"), [("y", 0, True), ("n", 1, False)])
    def test_on_a_terminal_it_asks(
        self, aws: Aws, program: Path, answer: str, code: int, stopped: bool
    ) -> None:
        work(aws, job(aws), objects=1)
        shown, left = on_terminal([str(program), "stop", "Round-1"], "Stop it?", f"{answer}\n")
        assert "It cannot be started again." in shown
        assert left == code
        assert (aws.sagemaker.job("Round-1").status != "InProgress") is stopped
        if not stopped:
            assert "Nothing was stopped." in shown


def on_terminal(words: list[str], prompt: str, answer: str) -> tuple[str, int]:
    """Run a program on a terminal of its own; returns all that it showed, and its exit code."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown, limit = "", time.monotonic() + 60
    while process.poll() is None or select.select([controller], [], [], 0)[0]:
        assert time.monotonic() < limit, shown
        if not select.select([controller], [], [], 0.1)[0]:
            continue
        try:
            shown += os.read(controller, 4096).decode()
        except OSError:  # the other end is closed
            break
        if prompt in shown and answer:
            os.write(controller, answer.encode())
            answer = ""
    os.close(controller)
    return shown, process.wait(timeout=120)


def test_a_bar_is_shown_on_a_terminal(aws: Aws, program: Path) -> None:
    work(aws, job(aws), over=1.5, steps=4)
    shown, code = on_terminal([str(program), "wait", "Round-1", "--every", "0.2"], "\0", "")
    assert code == 0
    assert "━" in shown
    assert "of 4 objects" in shown
    assert "Completed since" in shown


class TestFetch:
    def test_then_aggregate(self, aws: Aws, say: Say, tmp_path: Path) -> None:
        work(aws, job(aws))
        said = facts(say("fetch", "Round-1", "--out", "answers/")[0])
        assert said["job"] == "Round-1, Completed, 4 of 4 objects (100%)"
        assert said["answers"] == "4 files of worker responses"
        assert said["folder"] == "answers/Round-1"
        assert said["next"] == "gandt aggregate answers/Round-1 --out Round-1/"
        words = said["next"].split()
        assert "tasks        4" in say(*words[1:])[0]
        assert (tmp_path / "Round-1" / "labels.csv").is_file()

    def test_the_second_time_nothing_is_new(self, aws: Aws, say: Say) -> None:
        work(aws, job(aws))
        first = json.loads(say("fetch", "Round-1", "--json")[0])
        second = json.loads(say("fetch", "Round-1", "--json")[0])
        assert first["known"] == second["new"] == second["bytes"] == 0
        assert first["new"] == second["known"] > 8
        assert not first["partial"]

    def test_a_job_that_runs_is_partial(self, aws: Aws, say: Say) -> None:
        work(aws, job(aws), objects=2)
        said = facts(say("fetch", "Round-1")[0])
        assert said["partial"] == "the job goes on; run the same command again for the rest"
        assert said["next"] == "gandt wait Round-1"

    def test_objects_that_failed_are_explained(self, aws: Aws, say: Say) -> None:
        work(aws, job(aws), workers=[])
        said = facts(say("fetch", "Round-1")[0])
        assert said["failed"] == "4 objects: nobody submitted an answer before the task expired"
        assert "--availability" in said["remedy"]
        assert max(map(len, say("fetch", "Round-1")[0].splitlines())) < 100

    def test_what_could_not_be_had_is_an_error_that_says_what_to_do(
        self, aws: Aws, say: Say
    ) -> None:
        work(aws, job(aws))
        aws.s3.fail(path="/data.json", status="403 Forbidden", code="AccessDenied")
        out, err = say("fetch", "Round-1", "--json", code=1)
        (problem,) = json.loads(out)["problems"]
        assert problem["uri"].endswith("/Round-1/annotation-tool/data.json")
        assert "gandt: 1 file could not be fetched, the first s3://" in err
        assert err.endswith("run the same command again.\n")

    def test_s3_is_no_destination(self, aws: Aws, say: Say) -> None:
        job(aws)
        _, err = say("fetch", "Round-1", "--out", "s3://bucket/x", code=2)
        assert "`gandt aggregate` reads them there" in err


class TestTeams:
    def test_a_list(self, aws: Aws, say: Say) -> None:
        aws.sagemaker.add_team("second")
        out, _ = say("teams", "--jobs")
        first, second = map(facts, out.split("\n\n"))
        assert (first["team"], second["team"]) == ("labelers", "second")
        assert first["portal"] == "https://ab12cd34ef.labeling.us-east-1.sagemaker.aws"
        assert first["arn"] == aws.team
        assert first["jobs"] == "0 jobs"
        listed = json.loads(say("teams", "--json")[0])["teams"]
        assert [team["name"] for team in listed] == ["labelers", "second"]

    def test_none(self, aws: Aws, say: Say) -> None:
        out, err = say("teams", "--region", "eu-west-1")
        assert out == ""
        assert "`gandt teams create NAME --description …` makes one" in err

    def test_a_new_one_with_its_people(self, aws: Aws, say: Say) -> None:
        command = ("teams", "create", "readers", "--description", "Radiologists")
        said = facts(say(*command, "--member", "ann@example.com")[0])
        assert said["team"] == "readers"
        assert said["invited"] == "ann@example.com"
        assert said["next"] == "gandt launch MANIFEST --workteam readers …"
        out, err = say(*command, "--member", "ann@example.com")
        assert facts(out)["added"] == "ann@example.com; they have an account already"
        assert err == "Team readers was there already.\n"
        made = json.loads(say(*command, "--json")[0])
        assert (made["before"], made["team"]["name"]) == (True, "readers")

    def test_no_workforce(self, aws: Aws, say: Say) -> None:
        _, err = say(
            *("teams", "create", "readers", "--description", "x", "--region", "eu-west-1"), code=1
        )
        assert err.startswith("gandt: there is no private workforce in eu-west-1 yet")
