"""A job is described in our words, listed, waited for through every trouble, and stopped."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from simulated_workers import Misbehavior, crew

from gandt.aws import AwsError
from gandt.errors import JobError, UsageError
from gandt.jobs.follow import (
    Counters,
    JobState,
    Pace,
    StillRunning,
    describe,
    list_jobs,
    stop,
    wait,
)
from gandt.jobs.job_state import read_state
from gandt.jobs.tasks import TASKS

if TYPE_CHECKING:
    from aws_fixtures import Aws

REGION = "us-east-1"
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=timezone.utc)


def job(aws: Aws, name: str = "Round-1", images: int = 4, **more: Any) -> dict[str, str]:
    """Create a job; returns the truth."""
    bucket = aws.bucket()
    picture = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(picture, "PNG")
    uris = [bucket.put(f"pool/{number}.png", picture.getvalue()) for number in range(images)]
    truth = {uri: ("cat", "dog")[number % 2] for number, uri in enumerate(uris)}
    request = aws.image_job(name, ["cat", "dog"], truth, bucket=bucket)
    aws.call("sagemaker", "create_labeling_job", **request | more)
    return truth


def work(aws: Aws, truth: dict[str, str], objects: int | None = None, **more: Any) -> None:
    aws.sagemaker.work(
        "Round-1",
        truth=truth,
        objects=objects,
        **{"workers": crew(3), "misbehavior": Misbehavior()} | more,
    )


def answer(**more: Any) -> dict[str, Any]:
    """A description as boto3 gives it."""
    return {
        "LabelingJobName": "Round-1",
        "LabelingJobArn": f"arn:aws:sagemaker:{REGION}:123456789012:labeling-job/round-1",
        "LabelingJobStatus": "InProgress",
        "LabelCounters": {},
        "CreationTime": NOW,
        "LastModifiedTime": NOW,
        "JobReferenceCode": "r",
        "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": "s3://b/in.manifest"}}},
        "OutputConfig": {"S3OutputPath": "s3://b/out/"},
        "RoleArn": "arn:aws:iam::123456789012:role/GroundTruth",
        "HumanTaskConfig": {
            "WorkteamArn": "arn:aws:sagemaker:us-east-1:123456789012:workteam/private-crowd/t",
            "UiConfig": {"UiTemplateS3Uri": "s3://b/page.html"},
            "TaskTitle": "t",
            "TaskDescription": "d",
            "NumberOfHumanWorkersPerDataObject": 3,
            "TaskTimeLimitInSeconds": 300,
        },
        **more,
    }


class TestDescribing:
    def test_a_job_by_its_name_or_its_arn(self, aws: Aws) -> None:
        work(aws, job(aws), objects=3)
        state = describe("Round-1", REGION)
        assert state.name == "Round-1"
        assert (state.status, state.task, state.attribute) == (
            "InProgress",
            "image-classification",
            "label",
        )
        assert state.counters == Counters(labeled=3, human=3, unlabeled=1)
        assert (state.counters.total, state.counters.done, state.counters.share) == (4, 3, 0.75)
        assert state.output.endswith("/output/Round-1")
        assert state.output_manifest == f"{state.output}/manifests/output/output.manifest"
        assert state.input_manifest is not None
        assert state.input_manifest.endswith("/Round-1/input.manifest")
        assert (state.role, state.workteam, state.workers) == (aws.role, aws.team, 3)
        assert state.created.tzinfo is not None
        assert not state.finished
        assert describe(state.arn).name == "Round-1"

    @pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
    def test_the_task_is_known_by_its_function(self, task: Any) -> None:
        human = answer()["HumanTaskConfig"]
        arn = f"arn:aws:lambda:us-east-1:432418664414:function:PRE-{task.code}"
        state = read_state(answer(HumanTaskConfig={**human, "PreHumanTaskLambdaArn": arn}), REGION)
        assert state.task == task.name

    @pytest.mark.parametrize(
        "arn",
        [None, "arn:aws:lambda:us-east-1:123456789012:function:My-SageMaker-Pre:3"],
        ids=["none", "own"],
    )
    def test_other_functions_are_those_of_custom_jobs(self, arn: str | None) -> None:
        human = answer()["HumanTaskConfig"]
        more = {} if arn is None else {"PreHumanTaskLambdaArn": arn}
        assert read_state(answer(HumanTaskConfig={**human, **more}), REGION).task == "custom"

    def test_a_page_of_aws_names_the_task_where_no_function_does(self) -> None:
        human = dict(answer()["HumanTaskConfig"])
        human["UiConfig"] = {
            "HumanTaskUiArn": "arn:aws:sagemaker:us-east-1:394669845002:human-task-ui/"
            "NamedEntityRecognition"
        }
        assert read_state(answer(HumanTaskConfig=human), REGION).task == "text-spans"

    @pytest.mark.parametrize(
        ("path", "folder"),
        [
            ("s3://b/out", "s3://b/out/Round-1"),
            ("s3://b/out/", "s3://b/out/Round-1"),
            ("s3://b", "s3://b/Round-1"),
            ("https://s3.eu-west-1.amazonaws.com/b/o%20t", "s3://b/o t/Round-1"),
            ("https://b.s3.eu-west-1.amazonaws.com/out", "s3://b/out/Round-1"),
            ("https://b.s3-eu-west-1.amazonaws.com/out", "s3://b/out/Round-1"),
        ],
    )
    def test_the_folder_is_below_the_output_path_with_the_names_case(
        self, path: str, folder: str
    ) -> None:
        state = read_state(answer(OutputConfig={"S3OutputPath": path}), REGION)
        assert state.output == folder
        assert state.output_manifest == f"{folder}/manifests/output/output.manifest"

    def test_where_the_service_names_the_manifest_its_folder_is_believed(self) -> None:
        uri = "s3://b/out/labeling-job-Round-1/manifests/output/output.manifest"
        state = read_state(answer(LabelingJobOutput={"OutputDatasetS3Uri": uri}), REGION)
        assert state.output == "s3://b/out/labeling-job-Round-1"
        other = "s3://c/result.manifest"
        state = read_state(answer(LabelingJobOutput={"OutputDatasetS3Uri": other}), REGION)
        assert (state.output, state.output_manifest) == ("s3://b/out/Round-1", other)

    def test_a_job_that_is_fed_through_sns_has_no_input_manifest(self) -> None:
        source = {"DataSource": {"SnsDataSource": {"SnsTopicArn": "arn:aws:sns:x:1:t"}}}
        assert read_state(answer(InputConfig=source), REGION).input_manifest is None


class TestErrors:
    def test_a_name_that_is_nearly_one_is_set_right(self, aws: Aws) -> None:
        job(aws, "Event-Pilot-1")
        job(aws, "Other")
        with pytest.raises(JobError) as raised:
            describe("Event-Pilto-1", REGION)
        assert str(raised.value) == (
            "there is no labeling job Event-Pilto-1 in us-east-1; did you mean Event-Pilot-1?"
        )
        with pytest.raises(JobError, match=r"did you mean Event-Pilot-1\?"):
            describe("pilot", REGION)

    def test_a_job_of_another_region_is_not_here(self, aws: Aws) -> None:
        job(aws)
        with pytest.raises(JobError, match=r"no labeling job Round-1 in eu-west-1.*--region"):
            describe("Round-1", "eu-west-1")

    def test_no_suggestion_where_jobs_may_not_be_listed(self, aws: Aws) -> None:
        job(aws)
        aws.deny("sagemaker:ListLabelingJobs")
        with pytest.raises(JobError, match="there is no labeling job Round-2"):
            describe("Round-2", REGION)

    @pytest.mark.parametrize("name", ["", "a_b", "a.b", "-a", "a b", "x" * 64, "../x", "a\n"])
    def test_names_that_no_job_has(self, aws: Aws, name: str) -> None:
        with pytest.raises(UsageError, match="no labeling job is called"):
            describe(name, REGION)
        assert len(aws.log) == 0

    def test_an_arn_of_another_region_than_the_option(self, aws: Aws) -> None:
        job(aws)
        arn = aws.sagemaker.job("Round-1").arn
        with pytest.raises(UsageError, match="leave --region out"):
            describe(arn, "eu-west-1")

    def test_no_region_anywhere(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        with pytest.raises(UsageError, match="no AWS Region is set; give --region"):
            describe("Round-1")

    def test_a_permission_that_is_lacking_is_named(self, aws: Aws) -> None:
        job(aws)
        aws.deny("sagemaker:DescribeLabelingJob")
        with pytest.raises(AwsError, match="refuses sagemaker:DescribeLabelingJob") as raised:
            describe("Round-1", REGION)
        assert "gandt label" not in str(raised.value)

    def test_an_account_without_ground_truth_is_told_what_works_without(self, aws: Aws) -> None:
        aws.sagemaker.open = False
        for ask in (lambda: describe("Round-1", REGION), lambda: list_jobs(REGION)):
            with pytest.raises(AwsError, match="no new customers; `gandt label` works without it"):
                ask()


class TestListing:
    def test_the_newest_first_and_no_more_than_wanted(self, aws: Aws) -> None:
        for number in range(5):
            job(aws, f"Round-{number}", images=1)
        listed = list_jobs(REGION, limit=3)
        assert [entry.name for entry in listed] == ["Round-4", "Round-3", "Round-2"]
        assert (listed[0].task, listed[0].workteam) == ("image-classification", aws.team)
        assert list_jobs("eu-west-1") == []

    def test_by_a_part_of_the_name_and_by_status(self, aws: Aws) -> None:
        truth = job(aws)
        job(aws, "Other")
        work(aws, truth)
        assert [entry.name for entry in list_jobs(REGION, name_contains="roun")] == ["Round-1"]
        assert [entry.name for entry in list_jobs(REGION, status="completed")] == ["Round-1"]
        assert list_jobs(REGION, name_contains="Round", status="Failed") == []

    def test_page_after_page(self, aws: Aws) -> None:
        truth = job(aws, "Round-000", images=1)
        first = aws.sagemaker.job("Round-000")
        for number in range(1, 230):
            other = type(first)(
                {**first.request, "LabelingJobName": f"Round-{number:03d}"}, REGION, aws.account
            )
            aws.sagemaker._jobs[(REGION, other.name.lower())] = other
        assert truth
        listed = list_jobs(REGION, limit=215)
        assert len({entry.name for entry in listed}) == len(listed) == 215
        sizes = [call.request["MaxResults"] for call in aws.log.named("ListLabelingJobs")]
        assert sizes == [100, 100, 15]

    @pytest.mark.parametrize(
        ("wanted", "message"),
        [({"status": "Done"}, "--status 'Done' is none of"), ({"name_contains": "a_b"}, "'a_b'")],
    )
    def test_what_could_match_no_job(self, aws: Aws, wanted: dict[str, str], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            list_jobs(REGION, **wanted)


class TestWaiting:
    def test_until_it_is_completed(self, aws: Aws) -> None:
        work(aws, job(aws), over=0.6, steps=4)
        seen: list[JobState] = []
        state = wait("Round-1", REGION, every=0.1, on_state=seen.append)
        assert state.status == "Completed"
        done = [entry.counters.done for entry in seen]
        assert done == sorted(done)
        assert done[-1] == 4
        assert len(set(done)) > 2

    def test_until_it_failed_or_was_stopped(self, aws: Aws) -> None:
        job(aws)
        aws.sagemaker.job("Round-1").fail("ClientError: no")
        state = wait("Round-1", REGION)
        assert (state.status, state.failure) == ("Failed", "ClientError: no")

    def test_trouble_of_the_service_is_borne(
        self, aws: Aws, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gandt.aws._ATTEMPTS", 1)
        monkeypatch.setattr("gandt.aws._clients", {})
        work(aws, job(aws))
        aws.fail("DescribeLabelingJob", "ThrottlingException", times=2)
        aws.fail("DescribeLabelingJob", "InternalFailure", times=1)
        heard: list[str] = []
        state = wait("Round-1", REGION, every=0.01, on_trouble=heard.append)
        assert state.status == "Completed"
        assert len(heard) == 3
        assert "too busy" in heard[0]

    def test_a_connection_that_is_lost_comes_back(
        self, aws: Aws, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gandt.aws._ATTEMPTS", 1)
        work(aws, job(aws))
        heard: list[str] = []

        def back(reason: str) -> None:
            heard.append(reason)
            monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", aws.server.endpoint)
            monkeypatch.setattr("gandt.aws._clients", {})

        monkeypatch.setattr("gandt.aws._clients", {})
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", "http://127.0.0.1:9")
        assert wait("Round-1", REGION, every=0.01, on_trouble=back).status == "Completed"
        assert "check the network" in heard[0]

    def test_patience_has_an_end(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gandt.aws._ATTEMPTS", 1)
        monkeypatch.setattr("gandt.aws._clients", {})
        job(aws)
        aws.fail("DescribeLabelingJob", "ThrottlingException", times=None)
        with pytest.raises(AwsError, match="too busy"):
            wait("Round-1", REGION, every=0.01, patience=0.3)
        assert len(aws.log.named("DescribeLabelingJob")) > 1

    def test_patience_begins_anew_with_each_answer(
        self, aws: Aws, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gandt.aws._ATTEMPTS", 1)
        monkeypatch.setattr("gandt.aws._clients", {})
        work(aws, job(aws), objects=1)
        heard: list[str] = []

        def again(state: JobState) -> None:
            if len(heard) < 4:
                aws.fail("DescribeLabelingJob", "ThrottlingException")
            else:
                aws.sagemaker.job("Round-1").change("Stopped")

        state = wait(
            "Round-1", REGION, every=0.2, patience=0.5, on_state=again, on_trouble=heard.append
        )
        assert (state.status, len(heard)) == ("Stopped", 4)

    def test_a_refusal_is_no_passing_trouble(self, aws: Aws) -> None:
        job(aws)
        aws.deny("sagemaker:DescribeLabelingJob")
        with pytest.raises(AwsError, match="refuses"):
            wait("Round-1", REGION, every=0.01)
        assert len(aws.log.named("DescribeLabelingJob")) == 1

    def test_no_longer_than_allowed(self, aws: Aws) -> None:
        work(aws, job(aws), objects=1)
        with pytest.raises(StillRunning, match=r"1 of 4 objects done.*it goes on") as raised:
            wait("Round-1", REGION, every=0.05, timeout=0.2)
        assert raised.value.state is not None
        assert raised.value.state.status == "InProgress"


class TestStopping:
    def test_a_running_job_is_stopped_and_keeps_what_it_has(self, aws: Aws) -> None:
        work(aws, job(aws), objects=2)
        assert stop("Round-1", REGION).status == "Stopping"
        assert wait("Round-1", REGION, every=0.01).status == "Stopped"
        assert describe("Round-1", REGION).counters.labeled == 2

    def test_twice_is_as_once(self, aws: Aws) -> None:
        work(aws, job(aws), objects=2)
        aws.sagemaker.job("Round-1").change("Stopping")
        assert stop("Round-1", REGION).status in {"Stopping", "Stopped"}
        assert aws.log.named("StopLabelingJob") == []

    def test_a_finished_job_cannot_be_stopped(self, aws: Aws) -> None:
        work(aws, job(aws))
        with pytest.raises(JobError, match="is Completed already, so there is nothing to stop"):
            stop("Round-1", REGION)

    def test_a_job_that_ends_in_the_same_moment(self, aws: Aws) -> None:
        truth = job(aws)
        work(aws, truth, objects=2)
        aws.fail("StopLabelingJob", "ValidationException", "it is Completed", seconds=0.4)
        thread = threading.Timer(0.1, lambda: work(aws, truth))
        thread.start()
        assert stop("Round-1", REGION).status == "Completed"
        thread.join(120)

    def test_a_refusal_is_named(self, aws: Aws) -> None:
        job(aws)
        aws.deny("sagemaker:StopLabelingJob")
        with pytest.raises(AwsError, match="refuses sagemaker:StopLabelingJob"):
            stop("Round-1", REGION)


def seen(*looks: tuple[float, int], total: int = 100) -> Pace:
    """A pace after looks at (minutes after creation, objects done)."""
    pace = Pace()
    for minutes, done in looks:
        counters = Counters(labeled=done, human=done, unlabeled=total - done)
        state = read_state(answer(), REGION)
        state = type(state)(**{**_fields(state), "counters": counters})
        pace.see(state, NOW + timedelta(minutes=minutes))
    return pace


def _fields(state: JobState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in state.__slots__}


class TestPace:
    @pytest.mark.parametrize(
        ("looks", "rate", "left"),
        [
            ([(60, 20)], 20, 4 * 60),  # one look: since it was created
            ([(60, 20), (90, 40)], 40, 1.5 * 60),  # what was done between the looks
            ([(60, 40), (120, 40)], 20, 3 * 60),  # a pause: since it was created
            ([(10, 0), (30, 30), (60, 60), (120, 90)], 30, 20),  # the last hour alone
            ([(60, 100)], 100, 0),
        ],
    )
    def test_worked_by_hand(
        self, looks: Sequence[tuple[float, int]], rate: float, left: float
    ) -> None:
        pace = seen(*looks)
        assert pace.rate == pytest.approx(rate)
        assert pace.seconds_left == pytest.approx(left * 60)

    @pytest.mark.parametrize("looks", [[], [(5, 0)], [(0, 3)], [(-3, 3)]])
    def test_unknown_as_long_as_nothing_tells(self, looks: Sequence[tuple[float, int]]) -> None:
        pace = seen(*looks)
        assert pace.rate is None
        assert pace.seconds_left is None
