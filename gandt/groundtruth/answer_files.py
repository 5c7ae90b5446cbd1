"""The JSON files of a labeling job: worker responses, consolidation requests, class lists.

Reads them by URI through `gandt.storage`, many at a time where they lie on S3, and gives what they
hold as `Submission`s, untouched: `submissions` judges them. A worker-response file is one object
`{"answers": […]}`; a consolidation request is a list of objects with `datasetObjectId`,
`dataObject` and `annotations`, whose content is JSON text, or lies in a file of its own; an output
manifest of a custom job may hold `{"responses": […]}` (developer guide, "Output Data" and
"Processing with AWS Lambda"; the last shape is that of G&T's own post-annotation function).
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gandt import storage
from gandt.errors import StorageError
from gandt.groundtruth.asked_tasks import Note
from gandt.groundtruth.json_lines import UTF8_BOM
from gandt.groundtruth.label_values import LeftOut, brief, clean_text
from gandt.parallel import in_order
from gandt.storage import ServiceFailure

__all__ = [
    "Submission",
    "load_json",
    "read_classes",
    "read_many",
    "request_entries",
    "request_submissions",
    "response_submissions",
]

_THREADS = 32  # requests to S3 at the same time


@dataclass(frozen=True, slots=True)
class Submission:
    """What one worker sent for one object, as it was found."""

    worker: object
    content: object  # an object of fields, or its JSON text
    where: str
    submitted_at: object = None
    seconds: object = None


def read_many(uris: Iterable[str]) -> Iterator[tuple[str, bytes | StorageError]]:
    """Read files whole, in order; what cannot be read comes as its error.

    Local files are read one after the other, S3 objects by several threads. Once S3 refuses all
    service, the rest is not asked for.
    """
    iterator = iter(uris)
    first = next(iterator, None)
    if first is None:
        return
    uris = itertools.chain([first], iterator)
    if not storage.is_remote(first):
        for uri in uris:
            yield uri, _read(uri)
        return
    refused: list[ServiceFailure] = []

    def fetch(uri: str) -> tuple[str, bytes | StorageError]:
        if refused:
            return uri, refused[0]
        data = _read(uri)
        if isinstance(data, ServiceFailure):
            refused.append(data)
        return uri, data

    with contextlib.closing(in_order(fetch, uris, _THREADS)) as found:
        yield from found


def _read(uri: str) -> bytes | StorageError:
    try:
        return storage.read_bytes(uri)
    except StorageError as error:
        return error


def load_json(data: bytes | StorageError) -> object:
    """Decode one JSON document.

    Raises
    ------
    LeftOut
        Where it could not be read or is no JSON.
    """
    if isinstance(data, StorageError):
        raise LeftOut("unreadable", str(data))
    try:
        return json.loads(data.removeprefix(UTF8_BOM))
    except UnicodeDecodeError as error:
        raise LeftOut("unreadable", "It is not UTF-8 text.") from error
    except RecursionError as error:
        raise LeftOut("unreadable", "It is nested deeper than can be read.") from error
    except ValueError as error:
        raise LeftOut("unreadable", f"It is not valid JSON: {error}.") from error


def response_submissions(document: object, where: str, note: Note) -> Iterator[Submission]:
    """Give the answers in a worker-response file.

    Raises
    ------
    LeftOut
        Where it is no such file.
    """
    answers = document.get("answers") if isinstance(document, dict) else None
    if not isinstance(answers, list):
        raise LeftOut("unreadable", 'It holds no list of "answers".')
    for answer in answers:
        if not isinstance(answer, dict) or "answerContent" not in answer:
            note("unreadable", where, f"{brief(answer)} is no answer of a worker.")
            continue
        yield Submission(
            answer.get("workerId"),
            answer["answerContent"],
            where,
            answer.get("submissionTime"),
            answer.get("timeSpentInSeconds"),
        )


def request_entries(
    document: object, where: str, note: Note
) -> Iterator[tuple[str, dict[str, object]]]:
    """Give the objects in a consolidation request, with their ids ("" where there is none).

    Raises
    ------
    LeftOut
        Where it is no such file.
    """
    if not isinstance(document, list):
        raise LeftOut("unreadable", "It is not a list of objects with annotations.")
    if any(isinstance(entry, dict) and "consolidatedAnnotation" in entry for entry in document):
        raise LeftOut(
            "unreadable", "It is a consolidation response, which holds results and no answers."
        )
    for entry in document:
        if isinstance(entry, dict) and isinstance(entry.get("annotations"), list):
            try:
                yield clean_text(entry.get("datasetObjectId")), entry
                continue
            except LeftOut:
                pass
        note("unreadable", where, f"{brief(entry)} is no object with annotations.")


def request_submissions(
    entries: Iterable[tuple[str, dict[str, object]]],
    where: str,
    note: Note,
    place: Callable[[str], str],
) -> Iterator[tuple[str, dict[str, object], Submission]]:
    """Give the answers to the objects of a consolidation request.

    Large answers lie in files of their own (`annotationData.s3Uri`): those are read as well.

    Parameters
    ----------
    place
        Says where such a file lies now, for jobs that were copied.
    """
    kept = [
        (object_id, entry, annotation)
        for object_id, entry in entries
        for annotation in _list(entry["annotations"])
    ]
    apart = [place(uri) for *_, annotation in kept if (uri := _apart(annotation)) is not None]
    fetched = read_many(apart)
    for object_id, entry, annotation in kept:
        data = annotation.get("annotationData") if isinstance(annotation, dict) else None
        content = data.get("content") if isinstance(data, dict) else None
        at = where
        if _apart(annotation) is not None:
            at, raw = next(fetched)
            try:
                content = load_json(raw)
            except LeftOut as error:
                note(error.kind, at, f"An answer to object {brief(object_id)} is there. {error}")
                continue
        if content is None or not isinstance(annotation, dict):
            note("unreadable", at, f"{brief(annotation)} is no annotation with content.")
            continue
        yield object_id, entry, Submission(annotation.get("workerId"), content, at)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _apart(annotation: object) -> str | None:
    data = annotation.get("annotationData") if isinstance(annotation, dict) else None
    if not isinstance(data, dict) or data.get("content") is not None:
        return None
    uri = data.get("s3Uri")
    # Only objects on S3 are stored apart: a path here would read any file of this machine.
    return uri if isinstance(uri, str) and storage.is_remote(uri) else None


def read_classes(document: object) -> tuple[str, ...]:
    """Give the classes in a label category file, in order.

    Raises
    ------
    LeftOut
        Where it is no such file.
    """
    labels = document.get("labels") if isinstance(document, dict) else None
    if not isinstance(labels, list):
        raise LeftOut("unreadable", 'It holds no list of "labels".')
    names = (label.get("label") if isinstance(label, dict) else label for label in labels)
    texts = (clean_text(name) for name in names)
    return tuple(dict.fromkeys(text for text in texts if text))
