"""The output folder of a labeling job, file for file as Ground Truth writes it.

The places and shapes are those of the developer guide ("Output Data") and of files that owners of
real jobs published: stamps with colons, workers' answers as objects in their own files and as JSON
text in consolidation requests, masks as pictures of their own, an output manifest with two more
keys on every labeled line, and scratch files that nobody should read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import consolidation_methods
from aws_account import Lambda, NotInvoked
from aws_objects import Objects
from labeling_job import LabelingJob, Outcome, Submission
from simulated_workers import WorkerTask

_LARGE = 50_000  # characters of an answer that lies apart from the request


def stamp(when: datetime) -> str:
    return when.strftime("%Y-%m-%d_%H:%M:%S")


def dump(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


class Output:
    """Writes below `<S3OutputPath>/<LabelingJobName>/`."""

    def __init__(self, job: LabelingJob, objects: Objects) -> None:
        self.job = job
        self.objects = objects

    def put(self, place: str, data: bytes) -> str:
        uri = f"{self.job.root}/{place}"
        self.objects.put(uri, data)
        return uri

    def begin(self) -> None:
        """Write what lies there from the beginning."""
        job = self.job
        if job.categories:
            self.put("annotation-tool/data.json", dump(job.categories))
        if job.template is not None:
            self.put("annotation-tool/template.liquid", job.template.encode())
        self.put("temp/input-manifest-copy.tmp", b"")

    def batch(self, outcomes: dict[int, Outcome], functions: Lambda) -> None:
        """Write the answers of an iteration, and let them become labels."""
        job = self.job
        job.clock += timedelta(seconds=60)
        answered = {n: found for n, found in outcomes.items() if found.submissions}
        references = {n: self._responses(n, found) for n, found in answered.items()}
        when = stamp(job.clock)
        consolidated = "annotations/consolidated-annotation"
        function = job.human.get("AnnotationConsolidationConfig", {}).get(
            "AnnotationConsolidationLambdaArn"
        )
        if function is not None and answered:
            place = f"{consolidated}/consolidation-request/iteration-{job.iterations}/{when}.json"
            request = self.put(place, dump([self._entry(n, o) for n, o in answered.items()]))
            if ":function:ACS-" not in function:
                self._call(function, request, answered, functions)
            elif not function.endswith("ACS-PassThrough"):
                self._consolidate(answered)
            else:
                self._pass_through(answered, references)
            labels = [
                self._labeled(n, found) for n, found in answered.items() if found.failure is None
            ]
            place = place.replace("consolidation-request", "consolidation-response")
            self.put(place, dump(labels))
        else:
            self._pass_through(answered, references)
        for found in outcomes.values():
            found.metadata.pop("restamp", None)
        lines = [self._line(n, found) for n, found in sorted(outcomes.items())]
        folder = f"annotations/intermediate/{job.iterations}"
        self.put(f"{folder}/annotations.manifest", _lines(lines))
        self.put(f"{folder}/annotations.manifest-query.tmp", b"")
        self.put(f"{folder}/annotations.manifest-sample", _lines(lines[:1]))
        self.put(f"temp/iteration-{job.iterations}.tmp", b"scratch")

    def manifest(self) -> None:
        """Write the output manifest anew, of all that is known by now."""
        job = self.job
        lines = [
            self._line(n, job.outcomes[n]) if n in job.outcomes else line
            for n, line in enumerate(job.lines)
        ]
        self.put("manifests/output/output.manifest", _lines(lines))

    def machine(self, tasks: Mapping[int, WorkerTask]) -> None:
        """Let a model label what no worker saw."""
        for number, task in tasks.items():
            outcome = Outcome(self.job.iterations, machine=True)
            about = self._about("no")
            outcome.label, outcome.metadata = consolidation_methods.of_model(self, number, task)
            outcome.metadata |= about
            self.job.outcomes[number] = outcome
        for place in ("activelearning/1/", "inference/1/", "training/1/"):
            self.put(f"{place}scratch.json", b"{}")

    def _line(self, number: int, outcome: Outcome) -> dict[str, Any]:
        attribute = self.job.attribute
        line = dict(self.job.lines[number])
        if outcome.failure is not None:
            return line | {
                f"{attribute}-metadata": {
                    "retry-count": 1,
                    "failure-reason": outcome.failure,
                    "human-annotated": "true",
                }
            }
        return line | {attribute: outcome.label, f"{attribute}-metadata": outcome.metadata}

    def _responses(self, number: int, outcome: Outcome) -> str:
        """Write the workers' answers to one object; returns the URI of the last file."""
        folder = f"annotations/worker-response/iteration-{outcome.iteration}/{number}"
        answers = outcome.submissions
        last = max(sent.submitted for sent in answers)
        if outcome.metadata.get("restamp"):  # a first file, and a later one with all of it
            early = last - timedelta(seconds=30)
            some = answers[: max(1, len(answers) // 2)]
            self.put(f"{folder}/{stamp(early)}.json", self._answers(some))
        return self.put(f"{folder}/{stamp(last)}.json", self._answers(answers))

    def _answers(self, answers: Iterable[Submission]) -> bytes:
        return dump({"answers": [_answer(sent, self.job.region) for sent in answers]})

    def _entry(self, number: int, outcome: Outcome) -> dict[str, Any]:
        line = self.job.lines[number]
        if "source-ref" in line:
            data = {"s3Uri": line["source-ref"]}
        else:
            data = {"content": line["source"]}
        annotations = []
        for place, sent in enumerate(outcome.submissions):
            text = json.dumps(sent.content, separators=(",", ":"))
            held = {"content": text}
            if len(text) > _LARGE:
                apart = f"annotations/worker-response/apart/{number}-{place}.txt"
                held = {"s3Uri": self.put(apart, text.encode())}
            annotations.append({"workerId": sent.worker, "annotationData": held})
        return {"datasetObjectId": str(number), "dataObject": data, "annotations": annotations}

    def _labeled(self, number: int, outcome: Outcome) -> dict[str, Any]:
        attribute = self.job.attribute
        content = {attribute: outcome.label}
        if outcome.metadata.get("type") != "groundtruth/custom":
            content[f"{attribute}-metadata"] = {
                key: value for key, value in outcome.metadata.items() if key != "restamp"
            }
        return {"datasetObjectId": str(number), "consolidatedAnnotation": {"content": content}}

    def _about(self, human: str = "yes") -> dict[str, Any]:
        job = self.job
        kind = consolidation_methods.TYPES.get(job.code, "custom")
        name = job.name.lower()
        when = (job.clock + timedelta(microseconds=177_013)).strftime("%Y-%m-%dT%H:%M:%S.%f")
        return {
            "type": f"groundtruth/{kind}",
            "job-name": name if kind == "custom" else f"labeling-job/{name}",
            "human-annotated": human,
            "creation-date": when,
        }

    def _consolidate(self, answered: Mapping[int, Outcome]) -> None:
        for number, outcome in answered.items():
            outcome.label, metadata = consolidation_methods.of_people(self, number, outcome)
            outcome.metadata |= metadata | self._about()

    def _pass_through(self, answered: Mapping[int, Outcome], references: dict[int, str]) -> None:
        for number, outcome in answered.items():
            outcome.label = {}
            outcome.metadata |= {**self._about(), "worker-response-ref": references[number]}

    def _call(
        self, arn: str, request: str, answered: Mapping[int, Outcome], functions: Lambda
    ) -> None:
        """Hand a batch to the job's own function; what it leaves out has failed."""
        job = self.job
        event = {
            "version": "2018-10-06",
            "labelingJobArn": job.arn,
            "labelAttributeName": job.attribute,
            "labelCategories": job.labels or None,
            "roleArn": job.request["RoleArn"],
            "payload": {"s3Uri": request},
            "outputConfig": f"{job.root}/annotations",
            "maxHumanWorkersPerDataObject": job.human["NumberOfHumanWorkersPerDataObject"],
        }
        found: dict[str, Any] = {}
        reason = "Post-annotation: the Lambda function left the object out."
        try:
            found = {
                entry["datasetObjectId"]: entry["consolidatedAnnotation"]["content"]
                for entry in functions.invoke(arn, job.region, job.role, event)
            }
        except NotInvoked as error:
            reason = f"Post-annotation: {error}."
        except (KeyError, TypeError) as error:
            reason = f"Post-annotation: the Lambda function's answer is malformed: {error!r}."
        for number, outcome in answered.items():
            content = found.get(str(number), {})
            if job.attribute not in content:
                outcome.failure = f"ClientError: {reason}"
                continue
            outcome.label = content[job.attribute]
            outcome.metadata |= self._about()


def _answer(sent: Submission, region: str) -> dict[str, Any]:
    if sent.legacy:
        return {
            "answerContent": sent.content,
            "submissionTime": sent.submitted.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "workerId": sent.worker,
        }
    answer = {
        "acceptanceTime": _milliseconds(sent.accepted),
        "answerContent": sent.content,
        "submissionTime": _milliseconds(sent.submitted),
        "timeSpentInSeconds": round((sent.submitted - sent.accepted).total_seconds(), 3),
        "workerId": sent.worker,
    }
    if sent.private:
        number = sent.worker.rpartition(".")[2][:12]
        answer["workerMetadata"] = {
            "identityData": {
                "identityProviderType": "Cognito",
                "issuer": f"https://cognito-idp.{region}.amazonaws.com/{region}_Ab3dEf9hJ",
                "sub": f"6b1f0e21-4c3d-4a5b-9e8f-{number}",
            }
        }
    return answer


def _milliseconds(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"


def _lines(lines: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(dump(line) + b"\n" for line in lines)
