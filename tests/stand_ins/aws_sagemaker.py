"""SageMaker's labeling jobs, work teams and pages, as strict as the service and driven by tests.

A job is `Initializing` when it is created, reads its manifest when it is first looked at (or worked
on), is `InProgress` until simulated workers are through (`work`, see `job_run`), and then
`Completed`, `Failed` or `Stopped`. Answers hold what the service model says and nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import job_run
from aws_account import Iam, Lambda
from aws_objects import ACCOUNT, Objects
from aws_people import Cognito
from aws_rules import GROUND_TRUTH, check_job, is_public
from aws_server import Answer, Caller, moment, paged
from aws_shapes import Refused, invalid
from labeling_job import LabelingJob
from liquid_pages import check_page
from simulated_workers import Misbehavior, Truth, Worker
from work_teams import Teams

CLOSED = (
    "Amazon SageMaker Ground Truth is not available to this account: "
    "the service is no longer open to new customers."
)
_SORTED_BY = {
    "Name": lambda job: job.name.lower(),
    "CreationTime": lambda job: job.created,
    "Status": lambda job: job.status,
}


class SageMaker(Teams):
    """The service, as one account sees it."""

    def __init__(self, objects: Objects, iam: Iam, functions: Lambda, cognito: Cognito) -> None:
        super().__init__(cognito)
        self.objects = objects
        self.iam = iam
        self.functions = functions
        self.open = True  # False: the account has no access to Ground Truth
        self.most_at_once = 1000  # MaxConcurrentTaskCount without AWS Support
        self.most_jobs = 100  # running at the same time
        self._jobs: dict[tuple[str, str], LabelingJob] = {}
        self._lock = threading.RLock()

    # What tests drive.

    @property
    def jobs(self) -> dict[str, LabelingJob]:
        """All jobs by their names."""
        with self._lock:
            return {job.name: job for job in self._jobs.values()}

    def job(self, name: str) -> LabelingJob:
        return next(job for job in self.jobs.values() if job.name.lower() == name.lower())

    def start(self, name: str) -> LabelingJob:
        """Let a job read its manifest: then it is in progress, or it has failed."""
        job = self.job(name)
        job_run.start(job, self.objects)
        return job

    def work(
        self,
        name: str,
        workers: Sequence[Worker] | None = None,
        *,
        truth: Truth | None = None,
        objects: int | None = None,
        seed: int = 0,
        misbehavior: Misbehavior | None = None,
        over: float = 0.0,
        steps: int = 10,
    ) -> LabelingJob:
        """Let workers answer the next objects of a job, or all that are left.

        Parameters
        ----------
        workers
            Who works; by default a crew of five. With none, everything expires.
        truth
            The right answers, by the image's name in the pool, its URI, or the text; or a function
            of the manifest's line. Where there is none, workers guess.
        objects
            How many objects are asked about; None: all, and the job is completed.
        misbehavior
            What goes wrong; by default a little of everything.
        over
            Seconds that it takes, in a thread, in so many `steps`; `job.join()` waits for it.
        """
        job = self.start(name)
        run = job_run.Run(
            job,
            self.objects,
            self.functions,
            job_run.crew_of(job, workers),
            truth,
            seed,
            Misbehavior.little() if misbehavior is None else misbehavior,
        )
        if over:
            run.in_background(objects, over, steps)
        else:
            run.until(objects)
        return job

    def join(self) -> None:
        """Wait for everything that works in the background."""
        for job in self.jobs.values():
            job.join()

    # Operations.

    def CreateLabelingJob(self, request: Answer, caller: Caller) -> Answer:
        self._check_open()
        human = request["HumanTaskConfig"]
        check_job(request, caller.region, ACCOUNT, self.objects)
        role = self.iam.assumed(request["RoleArn"])
        if role is None:
            raise invalid(
                f"Could not assume role {request['RoleArn']}: it does not exist, or does not "
                "trust sagemaker.amazonaws.com."
            )
        for action, resource in (
            ("sagemaker:CreateLabelingJob", "*"),
            ("iam:PassRole", request["RoleArn"]),
        ):
            if not self.iam.caller.allows(action, resource):
                raise Refused(
                    "AccessDeniedException",
                    f"User: {self.iam.caller.name} is not authorized to perform: {action} on "
                    f"resource: {resource}",
                )
        if not is_public(request) and self.team(human["WorkteamArn"]) is None:
            raise invalid(f"The work team {human['WorkteamArn']} does not exist.")
        at_once = human.get("MaxConcurrentTaskCount", 1000)
        if at_once > self.most_at_once:
            raise Refused(
                "ResourceLimitExceeded",
                f"MaxConcurrentTaskCount {at_once} is above the account's limit of "
                f"{self.most_at_once}; ask AWS Support to raise it.",
            )
        with self._lock:
            key = caller.region, request["LabelingJobName"].lower()
            if key in self._jobs:
                raise Refused(
                    "ResourceInUse",
                    f"Labeling job name {request['LabelingJobName']} is already in use.",
                )
            running = [job for job in self._jobs.values() if not job.over]
            if len(running) >= self.most_jobs:
                raise Refused("ResourceLimitExceeded", "Too many labeling jobs are in progress.")
            job = LabelingJob(request, caller.region, role, len(self._jobs))
            self._jobs[key] = job
        return {"LabelingJobArn": job.arn}

    def DescribeLabelingJob(self, request: Answer, caller: Caller) -> Answer:
        self._check_open()
        job = self._find(request, caller)
        answer = job.described()
        job_run.go_on(job, self.objects)
        return answer

    def StopLabelingJob(self, request: Answer, caller: Caller) -> Answer:
        self._check_open()
        job = self._find(request, caller)
        if job.over:
            raise invalid(f"The labeling job {job.name} is {job.status} and cannot be stopped.")
        job_run.start(job, self.objects)
        if not job.over:
            job.change("Stopping")
        return {}

    def ListLabelingJobs(self, request: Answer, caller: Caller) -> Answer:
        self._check_open()
        jobs = [job for (region, _), job in self._jobs.items() if region == caller.region]
        wanted = [job for job in jobs if _passes(job, request)]
        wanted.sort(key=lambda job: job.name)
        wanted.sort(
            key=_SORTED_BY[request.get("SortBy", "CreationTime")],
            reverse=request.get("SortOrder", "Ascending") == "Descending",
        )
        page, token = paged(wanted, request)
        answer: Answer = {"LabelingJobSummaryList": [job.summary() for job in page]}
        return answer | token

    def ListLabelingJobsForWorkteam(self, request: Answer, caller: Caller) -> Answer:
        self._check_open()
        team = request["WorkteamArn"]
        wanted = [
            job
            for job in self._jobs.values()
            if job.request["HumanTaskConfig"]["WorkteamArn"] == team
            and request.get("JobReferenceCodeContains", "") in job.reference
        ]
        page, token = paged(wanted, request)
        answer: Answer = {"LabelingJobSummaryList": [job.for_team() for job in page]}
        return answer | token

    def RenderUiTemplate(self, request: Answer, caller: Caller) -> Answer:
        if self.iam.assumed(request["RoleArn"]) is None:
            raise invalid(f"Could not assume role {request['RoleArn']}.")
        if ("UiTemplate" in request) == ("HumanTaskUiArn" in request):
            raise invalid("Exactly one of UiTemplate and HumanTaskUiArn is needed.")
        if "HumanTaskUiArn" in request and f":{GROUND_TRUTH}:" not in request["HumanTaskUiArn"]:
            raise invalid(f"{request['HumanTaskUiArn']} does not exist.")
        template = request.get("UiTemplate", {}).get("Content", "<crowd-form></crowd-form>")
        page, errors = check_page(template, request["Task"]["Input"])
        found = [{"Code": code, "Message": message} for code, message in errors]
        return {"RenderedContent": page, "Errors": found}

    def _check_open(self) -> None:
        if not self.open:
            raise Refused("AccessDeniedException", CLOSED)

    def _find(self, request: Answer, caller: Caller) -> LabelingJob:
        job = self._jobs.get((caller.region, request["LabelingJobName"].lower()))
        if job is None:
            raise Refused(
                "ResourceNotFound",
                f"Could not find labeling job {request['LabelingJobName']}.",
            )
        return job


def _passes(job: LabelingJob, wanted: Mapping[str, Any]) -> bool:
    times = (("CreationTime", job.created), ("LastModifiedTime", job.modified))
    for name, when in times:
        if f"{name}After" in wanted and when <= moment(wanted[f"{name}After"]):
            return False
        if f"{name}Before" in wanted and when >= moment(wanted[f"{name}Before"]):
            return False
    if wanted.get("NameContains", "").lower() not in job.name.lower():
        return False
    return bool(wanted.get("StatusEquals", job.status) == job.status)
