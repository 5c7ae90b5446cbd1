"""A labeling job at work: the manifest is read, tasks are shown, answers gathered, batches closed.

Follows the developer guide: a job without a pre-annotation function shows the line itself, a
function's failure is that object's, a public job begins with ten objects, the next batch waits for
the whole of this one, one answer is enough for a label, and an object without any has failed.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from aws_account import Lambda
from aws_objects import Objects
from aws_rules import AUTOMATED, is_public
from input_manifest import Broken, read_manifest
from job_output import Output
from labeling_job import LabelingJob, Outcome, Submission
from shown_tasks import EXPIRED, NotNeeded, Shown
from simulated_workers import (
    Misbehavior,
    Truth,
    Unanswerable,
    Worker,
    WorkerTask,
    answer,
    crew,
)

_HUMAN_SHARE = 0.4  # with automated labeling


def start(job: LabelingJob, objects: Objects) -> None:
    """Read the manifest of a new job: it is in progress then, or it has failed."""
    with job.lock:
        if job.status != "Initializing":
            return
        source = job.request["InputConfig"]["DataSource"].get("S3DataSource")
        try:
            if source is not None:
                job.lines = read_manifest(job, source["ManifestS3Uri"], objects)
            if not job.may("s3:PutObject", f"{job.root}/manifests/output/output.manifest"):
                raise Broken(f"Access denied: the role {job.role.arn} may not write {job.root}.")
        except Broken as error:
            job.fail(f"ClientError: {error}")
            return
        categories = job.request.get("LabelCategoryConfigS3Uri")
        if categories is not None:
            job.categories = json.loads(objects.get(categories) or b"{}")
        template = job.human["UiConfig"].get("UiTemplateS3Uri")
        if template is not None:
            job.template = (objects.get(template) or b"").decode()
        job.asked = [
            number
            for number, line in enumerate(job.lines)
            if f"{job.attribute}-metadata" not in line or job.attribute not in line
        ]
        job.change("InProgress")
        Output(job, objects).begin()


def go_on(job: LabelingJob, objects: Objects) -> None:
    """Go on by one state, as the service does while nobody looks."""
    with job.lock:
        working = job.thread is not None and job.thread.is_alive()
        if job.status == "Initializing":
            start(job, objects)
        elif job.status == "Stopping" and not working:
            finish(job, objects, "Stopped")


def finish(job: LabelingJob, objects: Objects, status: str) -> None:
    """End a job."""
    with job.lock:
        Output(job, objects).manifest()
        job.change(status)


def crew_of(job: LabelingJob, workers: Sequence[Worker] | None) -> list[Worker]:
    """Who works at a job: those named, or people of the kind that it asks for."""
    if workers is not None:
        return list(workers)
    size = max(5, job.human["NumberOfHumanWorkersPerDataObject"])
    return crew(size, region=job.region, public=is_public(job.request))


class Run:
    """Work at one job by one crew."""

    def __init__(
        self,
        job: LabelingJob,
        objects: Objects,
        functions: Lambda,
        workers: Sequence[Worker],
        truth: Truth | None,
        seed: int,
        misbehavior: Misbehavior,
    ) -> None:
        self.job = job
        self.objects = objects
        self.functions = functions
        self.shown = Shown(job, objects, functions, truth)
        self.workers = [worker for worker in workers if "silent" not in worker.quirks]
        self.rng = random.Random(f"{seed} {job.name} {job.iterations}")
        self.misbehavior = misbehavior
        self.output = Output(job, objects)

    def until(self, objects: int | None, most: int | None = None) -> None:
        """Go on until so many more objects are through, or all are; then the job is over."""
        job = self.job
        left = self._humans() if objects is None else min(objects, self._humans())
        while left > 0 and job.status == "InProgress":
            left -= self._batch(min(left, most or left))
        with job.lock:
            if job.status == "Stopping":
                finish(job, self.objects, "Stopped")
            elif job.status == "InProgress":
                self._settle(objects is None)

    def in_background(self, objects: int | None, seconds: float, steps: int) -> None:
        """The same in a thread, in steps that can be watched."""
        count = self._humans() if objects is None else min(objects, self._humans())
        most = max(1, -(-count // steps))

        def go() -> None:
            try:
                done = 0
                while done < count and self.job.status == "InProgress":
                    time.sleep(seconds / steps)
                    self.until(min(most, count - done), most)
                    done += most
                self.until(0 if objects is not None else None)
            except BaseException as error:  # comes out in `join`
                self.job.trouble = error

        self.job.thread = threading.Thread(target=go, daemon=True)
        self.job.thread.start()

    def _humans(self) -> int:
        """How many more objects people are to be asked about."""
        job = self.job
        left = len(job.open())
        if job.automated:
            done = len(job.outcomes)
            left = min(left, max(0, round(len(job.asked) * _HUMAN_SHARE) - done))
        return left

    def _stop_reached(self) -> bool:
        stop = self.job.request.get("StoppingConditions", {})
        counters = self.job.counters()
        share = 100 * counters["TotalLabeled"] / max(1, len(self.job.asked))
        return bool(
            counters["HumanLabeled"] >= stop.get("MaxHumanLabeledObjectCount", 10**9)
            or share >= stop.get("MaxPercentageOfInputDatasetLabeled", 101)
        )

    def _allowed(self) -> int:
        """How many objects the stopping conditions still let people label."""
        job = self.job
        stop = job.request.get("StoppingConditions", {})
        counters = job.counters()
        allowed = stop.get("MaxHumanLabeledObjectCount", 10**9) - counters["HumanLabeled"]
        if "MaxPercentageOfInputDatasetLabeled" in stop:
            most = -(-len(job.asked) * stop["MaxPercentageOfInputDatasetLabeled"] // 100)
            allowed = min(allowed, most - counters["TotalLabeled"])
        return max(1, int(allowed))

    def _settle(self, everything: bool) -> None:
        job = self.job
        if self._stop_reached() and job.open():
            finish(job, self.objects, "Stopped")
            return
        if job.automated and everything and not self._humans():
            failed = job.counters()["FailedNonRetryableError"]
            if failed > 0.1 * len(job.outcomes):
                job.fail("ClientError: More than 10% of the objects could not be labeled.")
                return
            self.output.machine(self._machine_labels())
        finish(job, self.objects, "Completed" if not job.open() else job.status)

    def _machine_labels(self) -> dict[int, WorkerTask]:
        assert self.job.code in AUTOMATED
        return {number: self.shown.task(number) for number in self.job.open()}

    def _batch(self, most: int) -> int:
        """One iteration: as many objects as go out at the same time, at most so many."""
        job = self.job
        size = job.human.get("MaxConcurrentTaskCount", 1000)
        if job.iterations == 0 and is_public(job.request):
            size = 10
        with job.lock:
            chosen = job.open()
            # Workers see objects in no order; the next ones are always the same.
            random.Random(job.name).shuffle(chosen)
            chosen = chosen[: min(most, size, self._allowed())]
            job.iterations += 1
            outcomes = {}
            for number in chosen:
                found = self._object(number)
                if found is not None:
                    outcomes[number] = found
            self.output.batch(outcomes, self.functions)
            job.outcomes.update(outcomes)
            self.output.manifest()
            job.change(job.status)
            if self._stop_reached() and job.status == "InProgress" and job.open():
                job.change("Stopping")
        return max(1, len(chosen))

    def _object(self, number: int) -> Outcome | None:
        job, chance, rng = self.job, self.misbehavior, self.rng
        outcome = Outcome(job.iterations)
        try:
            task = self.shown.task(number)
        except Broken as error:
            outcome.failure = f"ClientError: {error}"
            return outcome
        except NotNeeded:
            job.passed.add(number)
            return None
        wanted = min(job.human["NumberOfHumanWorkersPerDataObject"], len(self.workers))
        crew = rng.sample(self.workers, wanted)
        if not crew or rng.random() < chance.expire:
            outcome.failure = f"ClientError: {EXPIRED}"
            return outcome
        if len(crew) > 1 and rng.random() < chance.leave:
            crew.pop()
        for worker in crew:
            try:
                content = answer(task, worker, rng)
            except Unanswerable as error:
                outcome.failure = f"ClientError: {EXPIRED} ({error})"
                return outcome
            sent = self._sent(worker, content)
            outcome.submissions.append(sent)
            if "twice" in worker.quirks or rng.random() < chance.twice:
                again = timedelta(seconds=rng.uniform(1, 5))
                outcome.submissions.append(
                    Submission(
                        sent.worker,
                        content,
                        sent.accepted,
                        sent.submitted + again,
                        sent.legacy,
                        sent.private,
                    )
                )
        outcome.metadata["restamp"] = rng.random() < chance.restamp
        return outcome

    def _sent(self, worker: Worker, content: dict[str, Any]) -> Submission:
        seconds = 2.0 if "hasty" in worker.quirks else worker.seconds * self.rng.uniform(0.7, 1.5)
        accepted = self.job.clock + timedelta(seconds=self.rng.uniform(0, 2))
        submitted = accepted + timedelta(seconds=seconds)
        self.job.clock = accepted
        private = worker.id.startswith("private.")
        return Submission(
            worker.id, content, accepted, submitted, "legacy" in worker.quirks, private
        )
