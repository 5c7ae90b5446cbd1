"""The output folder of a job becomes votes: whose they are, what they are about, what they say.

Answers are read from the worker responses, which hold times; from the consolidation requests where
an object or a worker is in no response; and from the output manifest where a custom job left them
there. Objects get their names from the job's output manifest, else from its input manifest where
that was fetched, else from the manifest that the caller names, else from the consolidation
requests, else from the job's intermediate manifest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from gandt import storage
from gandt.errors import ManifestError, StorageError, UsageError
from gandt.groundtruth.answer_files import (
    load_json,
    read_classes,
    read_many,
    request_entries,
    request_submissions,
    response_submissions,
)
from gandt.groundtruth.answer_reading import Reading
from gandt.groundtruth.asked_tasks import AskedTask, asked_task, read_asked
from gandt.groundtruth.job_copies import copy_of
from gandt.groundtruth.job_description import described_attribute
from gandt.groundtruth.job_folder import JobFolder, request_order
from gandt.groundtruth.json_lines import SOURCE, SOURCE_REF
from gandt.groundtruth.label_values import LeftOut, brief, clean_text
from gandt.groundtruth.manifest_answers import read_manifest_answers
from gandt.groundtruth.submissions import Sheet, enter
from gandt.storage import ServiceFailure
from gandt.tables import find_column, read_rows

__all__ = ["of_job", "read_job", "read_loose"]


@dataclass(slots=True)
class _Job:
    """What is known of a job while its answers are read."""

    folder: JobFolder
    name: str
    classes: tuple[str, ...]
    asked: dict[int, AskedTask] | None = None  # by number of the line; None where unknown
    by_request: dict[str, AskedTask] = field(default_factory=dict)  # by object id
    seen: set[tuple[str, str]] = field(default_factory=set)  # object and worker of each response
    unknown: set[str] = field(default_factory=set)  # object ids that were reported


def of_job(reading: Reading, folder: JobFolder) -> Reading:
    """Narrow a reading to the label attribute of a job, where its folder says which that is."""
    if reading.attribute is not None:
        return reading
    return replace(reading, attribute=described_attribute(folder))


def read_job(reading: Reading, folder: JobFolder, *, part: bool) -> None:
    """Read what a job's folder holds.

    Parameters
    ----------
    part
        Whether only a part of the job was named: then its other tasks are not asked about.
    """
    reading = of_job(reading, folder)
    own = _own_manifest(reading, folder)
    job = _Job(folder, folder.name or reading.job or "", _classes(reading, folder))
    if not folder.responses and not folder.requests:
        if own is None:
            reading.box.note("unreadable", folder.root, "The job's folder holds no answers.")
        else:
            read_manifest_answers(reading, own, folder)
        return
    _name_tasks(reading, job, own)
    if not part:
        for task in (job.asked or job.by_request or {}).values():
            reading.box.ask(task)
    _read_decisions(reading, job, part=part)
    _read_responses(reading, job)
    _read_requests(reading, job)


def read_loose(reading: Reading, uri: str) -> None:
    """Read a JSON file that lies in no job's folder.

    Raises
    ------
    LeftOut
        Where it holds no answers.
    """
    document = load_json(next(read_many([uri]))[1])
    note = reading.box.note
    job = _Job(JobFolder(uri.rpartition("/")[0]), reading.job or "", ())
    if isinstance(document, list):
        entries = list(request_entries(document, uri, note))
        job.asked = reading.manifest
        _name_by_requests(job, entries, uri)
        _enter_requests(reading, job, entries, uri)
        return
    only = reading.manifest if reading.manifest is not None and len(reading.manifest) == 1 else {}
    task = next(iter(only.values()), None)
    submissions = list(response_submissions(document, uri, note))
    if task is None and submissions:
        note(
            "unnamed",
            uri,
            "The file does not say what its answers are about, so the task has the file's name: "
            "read the whole folder of the job.",
        )
    sheet = _sheet(reading, job, task, uri)
    for submission in submissions:
        enter(reading.box, submission, sheet)


# ------------------------------------------------------------------------------ names of tasks


def _own_manifest(reading: Reading, folder: JobFolder) -> str | None:
    if folder.manifest is not None:
        return folder.manifest
    try:
        found = storage.find(folder.default_manifest)
    except StorageError as error:  # S3 says so of what is missing, too, where listing is forbidden
        reading.box.note("unreadable", folder.default_manifest, str(error))
        return None
    return None if found is None else found.uri


def _classes(reading: Reading, folder: JobFolder) -> tuple[str, ...]:
    uri = folder.categories
    try:
        if uri is None:
            found = storage.find(folder.default_categories)
            if found is None:
                return ()
            uri = found.uri
        return read_classes(load_json(next(read_many([uri]))[1]))
    except (LeftOut, StorageError) as error:
        place = uri or folder.default_categories
        reading.box.note("unreadable", place, f"{error} The classes are not known from it.")
        return ()


def _name_tasks(reading: Reading, job: _Job, own: str | None) -> None:
    """Find out what the objects of a job are called."""
    note = reading.box.note
    for uri in (own, job.folder.asked):
        try:
            job.asked = (read_asked(uri, note) or None) if uri is not None else None
        except StorageError as error:
            note("unreadable", str(uri), str(error))
        if job.asked is not None:
            if reading.attribute is not None:  # it tells the job's own failures from earlier ones
                job.asked = {
                    number: replace(task, attribute=reading.attribute)
                    for number, task in job.asked.items()
                }
            return
    job.asked = reading.manifest
    folder = job.folder
    requests = sorted(folder.requests, key=request_order)
    try:
        if not requests and storage.is_folder(folder.default_requests):
            requests = [file.uri for file in storage.list_folder(folder.default_requests)]
    except StorageError as error:
        note("unreadable", folder.default_requests, str(error))
    for uri, data in read_many(requests):
        try:
            _name_by_requests(job, request_entries(load_json(data), uri, _unheard), uri)
        except LeftOut:
            continue  # it is read once more for its answers, and reported then
    contradiction = _contradiction(job)
    if contradiction is not None:
        note("other manifest", job.folder.root, contradiction)
        job.asked = None
    if job.asked is None and not job.by_request:
        _name_by_intermediate(reading, job)
    if job.asked is None and not job.by_request:
        note(
            "unnamed",
            folder.root,
            f"No manifest of the job was found, so its tasks are named {job.name}/<object id>: "
            "name the manifest that it was made from (--manifest).",
        )


def _unheard(kind: str, where: str, reason: str) -> None:
    """For a first look at files that are read once more."""


def _name_by_requests(
    job: _Job,
    entries: Iterable[tuple[str, dict[str, object]]],
    where: str,
) -> None:
    for object_id, entry in entries:
        data = entry.get("dataObject")
        if not isinstance(data, dict):
            continue
        uri, text = data.get("s3Uri", data.get(SOURCE_REF)), data.get("content", data.get(SOURCE))
        record: dict[str, object] = {SOURCE_REF: uri} if isinstance(uri, str) else {SOURCE: text}
        try:
            clean_text(uri if isinstance(uri, str) else text)
            job.by_request.setdefault(object_id, asked_task(record, where))
        except (ManifestError, LeftOut):
            continue


def _contradiction(job: _Job) -> str | None:
    """Whether the manifest that the caller named is one of another job."""
    for object_id, task in job.by_request.items() if job.asked is not None else ():
        line = _by_line(job, object_id)
        if line is None:
            continue
        key = SOURCE_REF if SOURCE_REF in task.record else SOURCE
        if line.record.get(key) != task.record[key]:
            return (
                f"The manifest ({line.where}) is not that of job {job.name}: for its object "
                f"{object_id} the job's own files name {brief(task.names[0])}. They were believed."
            )
    return None


def _name_by_intermediate(reading: Reading, job: _Job) -> None:
    def turn(uri: str) -> tuple[int, str]:
        number = uri.split("/")[-2]
        return (int(number) if number.isdecimal() else 0), uri

    for uri in sorted(job.folder.intermediate, key=turn, reverse=True)[:1]:
        try:
            asked = read_asked(uri, reading.box.note)
        except StorageError as error:
            reading.box.note("unreadable", uri, str(error))
            continue
        ids = {file.object_id for file in job.folder.responses}
        if all(object_id.isdecimal() and int(object_id) in asked for object_id in ids):
            job.asked = asked
            reading.box.note(
                "unfinished",
                uri,
                f"The tasks of job {job.name} were named by this intermediate manifest, for there "
                "is no output manifest yet.",
            )


def _by_line(job: _Job, object_id: str) -> AskedTask | None:
    if job.asked is None or not (object_id.isdecimal() and len(object_id) < 10):
        return None
    return job.asked.get(int(object_id))


def _task(reading: Reading, job: _Job, object_id: str, where: str) -> AskedTask | None:
    """What an object is; where nothing knows it, that is reported once."""
    task = _by_line(job, object_id) or job.by_request.get(object_id)
    some_known = job.asked is not None or job.by_request
    if task is None and some_known and object_id not in job.unknown:
        job.unknown.add(object_id)
        reading.box.note(
            "unknown task",
            where,
            f"The manifest of job {job.name} has no object {brief(object_id)}; its answers "
            f"are kept under the name {job.name}/{brief(object_id)}.",
        )
    return task


def _sheet(reading: Reading, job: _Job, task: AskedTask | None, name: str) -> Sheet:
    offered = task.classes if task is not None and task.classes else job.classes
    names = reading.class_names(offered, None if task is None else task.other)
    return Sheet(name, names, task, job.name or None, reading.field)


# ------------------------------------------------------------------------------------- answers


def _read_decisions(reading: Reading, job: _Job, *, part: bool) -> None:
    """Read whose answers decide; where only a part was named, the list lies beside it."""
    uri = job.folder.reviewed
    try:
        if uri is None and (part or job.folder.below):
            found = storage.find(job.folder.default_reviewed)
            uri = None if found is None else found.uri
        if uri is None:
            return
        table = read_rows(uri, ("task", "worker"))
        columns = [table.columns[find_column(table, (name,), name)] for name in ("task", "worker")]
        for task, worker in zip(*columns, strict=True):
            reading.box.decide(clean_text(task), clean_text(worker), uri)
    except (LeftOut, StorageError, UsageError) as error:
        place = uri or job.folder.default_reviewed
        reading.box.note("unreadable", place, f"{error} What a reviewer said counts as any answer.")


def _read_responses(reading: Reading, job: _Job) -> None:
    note = reading.box.note
    files = sorted(job.folder.responses, key=lambda file: file.order)
    for file, (uri, data) in zip(files, read_many(file.uri for file in files), strict=True):
        if isinstance(data, ServiceFailure):
            raise data  # what is left would be no fair sample of the answers
        task = _task(reading, job, file.object_id, uri)
        name = f"{job.name}/{file.object_id}"
        if task is not None:
            reading.box.ask(task)
        sheet = _sheet(reading, job, task, name)
        try:
            for submission in response_submissions(load_json(data), uri, note):
                worker = enter(reading.box, submission, sheet)
                if worker is not None:
                    job.seen.add((file.object_id, worker))
        except LeftOut as error:
            note(error.kind, uri, f"Task {brief(name)}: {error}")


def _read_requests(reading: Reading, job: _Job) -> None:
    for uri, data in read_many(sorted(job.folder.requests, key=request_order)):
        if isinstance(data, ServiceFailure):
            raise data
        try:
            entries = list(request_entries(load_json(data), uri, reading.box.note))
        except LeftOut as error:
            reading.box.note(error.kind, uri, str(error))
            continue
        _name_by_requests(job, entries, uri)
        _enter_requests(reading, job, entries, uri)


def _enter_requests(
    reading: Reading, job: _Job, entries: list[tuple[str, dict[str, object]]], where: str
) -> None:
    """Enter the answers of those workers who are in no response of the object."""

    def place(uri: str) -> str:
        return copy_of(uri, job.folder)

    wanted = [
        (object_id, {**entry, "annotations": annotations})
        for object_id, entry in entries
        if (annotations := _not_seen(job, object_id, entry["annotations"]))
    ]
    note = reading.box.note
    for object_id, _, submission in request_submissions(wanted, where, note, place):
        task = _task(reading, job, object_id, where)
        if task is not None:
            reading.box.ask(task)
        name = f"{job.name or where}/{object_id}"
        enter(reading.box, submission, _sheet(reading, job, task, name))


def _not_seen(job: _Job, object_id: str, annotations: object) -> list[object]:
    if not isinstance(annotations, list):
        return []
    if not job.seen:
        return annotations
    return [
        annotation
        for annotation in annotations
        if not isinstance(annotation, dict)
        or (object_id, _worker(annotation.get("workerId"))) not in job.seen
    ]


def _worker(value: object) -> str:
    try:
        return clean_text(value)
    except LeftOut:
        return ""
