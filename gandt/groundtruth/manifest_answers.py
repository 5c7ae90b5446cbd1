"""Answers that a custom job left in its output manifest.

Its label is what the post-annotation function returned. G&T's returns every worker's answer,
`{"responses": [{"workerId", "annotation"}]}`; without such a function the label is `{}` and the
metadata name the worker-response file (`worker-response-ref`).
"""

from __future__ import annotations

from collections.abc import Iterator

from gandt import storage
from gandt.errors import AnswerError
from gandt.groundtruth.answer_files import (
    Submission,
    load_json,
    read_many,
    response_submissions,
)
from gandt.groundtruth.answer_reading import Reading
from gandt.groundtruth.asked_tasks import AskedTask, read_asked
from gandt.groundtruth.job_copies import copy_of
from gandt.groundtruth.job_folder import JobFolder
from gandt.groundtruth.label_values import LeftOut, brief
from gandt.groundtruth.output import label_attributes
from gandt.groundtruth.submissions import Sheet, enter

__all__ = ["read_manifest_answers"]

_REFERENCE = "worker-response-ref"
_RESPONSES = "responses"


def read_manifest_answers(reading: Reading, uri: str, folder: JobFolder | None) -> None:
    """Read the answers in an output manifest.

    Parameters
    ----------
    folder
        The job's folder as it lies here, if the manifest lies in one: files that the manifest
        names are looked for in it first.

    Raises
    ------
    AnswerError
        Where several attributes hold answers and nobody said which is meant.
    StorageError
        Where the manifest cannot be read.
    """
    note = reading.box.note
    asked = read_asked(uri, note)
    attribute = _attribute(reading, uri, asked)
    if attribute is None:
        if folder is not None and folder.description is not None:  # fetched, and all that there was
            text = (
                f"Nobody has answered a task of job {folder.name} yet, or all of them expired: see "
                f"`gandt status {folder.name}`, and fetch again when people have answered."
            )
        else:
            text = (
                "It is a manifest with no workers' answers in it: name the output folder of the "
                "job."
            )
        note("unreadable", uri, text)
        return
    referred: list[tuple[AskedTask, str]] = []
    for task in asked.values():
        reading.box.ask(task)
        label = task.record.get(attribute)
        responses = label.get(_RESPONSES) if isinstance(label, dict) else None
        if isinstance(responses, list):
            sheet = _sheet(reading, task, attribute, folder)
            for response in responses:
                _enter_response(reading, response, sheet, task.where)
        elif (reference := _reference(task.record, attribute)) is not None:
            referred.append((task, copy_of(reference, folder)))
    fetched = read_many(place for _, place in referred)
    for (task, _), (place, data) in zip(referred, fetched, strict=True):
        try:
            for submission in response_submissions(load_json(data), place, note):
                enter(reading.box, submission, _sheet(reading, task, attribute, folder))
        except LeftOut as error:
            note(error.kind, place, f"Task {brief(task.names[0])} ({task.where}): {error}")


def _attribute(reading: Reading, uri: str, asked: dict[int, AskedTask]) -> str | None:
    """The label attribute whose labels are workers' answers."""
    found: dict[str, None] = {}
    for task in asked.values():
        record = task.record
        for name in label_attributes(record) if reading.attribute is None else [reading.attribute]:
            label = record.get(name)
            inside = isinstance(label, dict) and isinstance(label.get(_RESPONSES), list)
            if inside or _reference(record, name) is not None:
                found[name] = None
    if len(found) > 1:
        raise AnswerError(
            f"{uri} holds the answers of several jobs ({', '.join(found)}): say which label "
            "attribute is meant (--attribute)."
        )
    return next(iter(found), None)


def _reference(record: dict[str, object], attribute: str) -> str | None:
    # The service names it in the metadata, our post-annotation Lambda in the label.
    for holder in (record.get(attribute), record.get(f"{attribute}-metadata")):
        value = holder.get(_REFERENCE) if isinstance(holder, dict) else None
        if isinstance(value, str) and storage.is_remote(value):
            return value
    return None


def _sheet(reading: Reading, task: AskedTask, attribute: str, folder: JobFolder | None) -> Sheet:
    metadata = task.record.get(f"{attribute}-metadata")
    stated = metadata.get("job-name") if isinstance(metadata, dict) else None
    job = folder.name if folder is not None else None
    if job is None and isinstance(stated, str):
        job = stated.removeprefix("labeling-job/")
    job = job or reading.job
    names = reading.class_names(task.classes, task.other)
    return Sheet(task.names[0], names, task, job, reading.field)


def _enter_response(reading: Reading, response: object, sheet: Sheet, where: str) -> None:
    for submission in _submission(response, where):
        enter(reading.box, submission, sheet)
        return
    reading.box.note("unreadable", where, f"{brief(response)} is no answer of a worker.")


def _submission(response: object, where: str) -> Iterator[Submission]:
    if not isinstance(response, dict):
        return
    data = response.get("annotationData")
    contents = (
        response.get("annotation"),
        response.get("answerContent"),
        data.get("content") if isinstance(data, dict) else None,
    )
    content = next((content for content in contents if content is not None), None)
    if content is not None:
        yield Submission(
            response.get("workerId"),
            content,
            where,
            response.get("submissionTime"),
            response.get("timeSpentInSeconds"),
        )
