"""Whole jobs on disk, laid out as Ground Truth lays them out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass
class Job:
    """A job in the making: what was asked, what workers sent, and what the service noted."""

    root: Path
    lines: list[dict[str, object]]
    attribute: str = "event"
    classes: list[str] | None = None
    mark: str = ":"  # between the parts of a stamp; copies may have another
    responses: dict[tuple[int, int, str], list[dict[str, object]]] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    labels: dict[int, object] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return str(self.root)

    def answer(
        self,
        number: int,
        worker: str,
        content: object,
        *,
        at: str = "2024-03-05T09:12:09.870Z",
        seconds: float | None = 8.4,
        iteration: int = 1,
        stamp: str = "2024-03-05_09:15:00",
    ) -> Job:
        answer: dict[str, object] = {
            "answerContent": content,
            "submissionTime": at,
            "workerId": worker,
        }
        if seconds is not None:
            answer |= {"acceptanceTime": at, "timeSpentInSeconds": seconds}
        self.responses.setdefault((number, iteration, stamp), []).append(answer)
        return self

    def write(
        self,
        *,
        responses: bool = True,
        requests: bool = True,
        manifest: bool = True,
        large: tuple[int, ...] = (),
    ) -> Job:
        """Write the job's files; answers to the objects in `large` lie apart from the request."""
        if self.classes is not None:
            document = {"labels": [{"label": name} for name in self.classes]}
            self.put("annotation-tool/data.json", document)
        self.put_text("annotation-tool/template.liquid", "<crowd-form></crowd-form>")
        batches: dict[int, dict[int, list[dict[str, object]]]] = {}
        for (number, iteration, stamp), answers in self.responses.items():
            if responses:
                place = f"annotations/worker-response/iteration-{iteration}/{number}"
                self.put(f"{place}/{stamp.replace(':', self.mark)}.json", {"answers": answers})
            batches.setdefault(iteration, {}).setdefault(number, []).extend(answers)
        for iteration, objects in batches.items() if requests else ():
            self._put_request(iteration, objects, large)
        if manifest:
            lines = [json.dumps(self._output_line(number)) for number in range(len(self.lines))]
            self.put_text("manifests/output/output.manifest", "\n".join(lines) + "\n")
        return self

    def _put_request(
        self, iteration: int, objects: dict[int, list[dict[str, object]]], large: tuple[int, ...]
    ) -> None:
        entries = []
        for number, answers in objects.items():
            line = self.lines[number]
            annotations = []
            for index, answer in enumerate(answers):
                data = {"content": json.dumps(answer["answerContent"])}
                if number in large:
                    apart = f"annotations/worker-response/apart/{number}-{index}.txt"
                    self.put(apart, answer["answerContent"])
                    data = {"s3Uri": f"s3://gt-demo/out/{self.root.name}/{apart}"}
                annotations.append({"workerId": answer["workerId"], "annotationData": data})
            about = {"s3Uri": line["source-ref"]} if "source-ref" in line else {}
            entries.append(
                {
                    "datasetObjectId": str(number),
                    "dataObject": about or {"content": line["source"]},
                    "annotations": annotations,
                }
            )
        place = f"annotations/consolidated-annotation/consolidation-request/iteration-{iteration}"
        self.put(f"{place}/2024-03-05_09{self.mark}20{self.mark}00.json", entries)

    def _output_line(self, number: int) -> dict[str, object]:
        line = dict(self.lines[number])
        metadata: dict[str, object] = {
            "type": "groundtruth/custom",
            "job-name": self.root.name.lower(),
            "human-annotated": "yes",
            "creation-date": "2024-03-05T11:05:01.177000",
        }
        if number in self.failed:
            metadata = {
                "retry-count": 1,
                "failure-reason": self.failed[number],
                "human-annotated": "true",
            }
            return line | {f"{self.attribute}-metadata": metadata}
        if not any(number == key[0] for key in self.responses):
            return line
        label = self.labels.get(number, 0)
        return line | {self.attribute: label, f"{self.attribute}-metadata": metadata}

    def put(self, place: str, document: object) -> Path:
        return self.put_text(place, json.dumps(document))

    def put_text(self, place: str, text: str) -> Path:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def new_job(tmp_path: Path) -> Callable[..., Job]:
    """Begin a job about so many images, or about lines of one's own."""

    def begin(
        images: int | list[dict[str, object]] = 3, name: str = "Event-1", **more: object
    ) -> Job:
        lines = images
        if isinstance(lines, int):
            lines = [{"source-ref": f"s3://gt-demo/pool/{i}.jpg"} for i in range(lines)]
        return Job(tmp_path / "out" / name, lines, **more)  # type: ignore[arg-type]

    return begin
