"""Post-annotation: the answers to a batch of objects become labels.

The label of an object keeps every answer as it came, in the shape that `gandt aggregate` reads from
the output manifest, next to a light consensus for whoever reads it at once::

    {"label": "Cat", "confidence": 0.67, "votes": 3,
     "responses": [{"workerId": …, "annotation": {…}}, …]}

One bad object is one bad label (`error`, and its answers as they came), never a lost batch. Lambda
refuses answers beyond 6 MB: the largest objects' answers then go to S3, into a file in the shape of
a worker response, which the label names in `worker-response-ref`.

Reads the payload, and the workers' reliability from the object named by `RELIABILITY_S3_URI`, else
from `reliability.json` beside this module; with neither, all votes weigh the same. Writes to
`gandt-answers/` beside the payload's folder, only where an answer is too large.
"""

from __future__ import annotations

import json
import logging
import os
import pkgutil
import re
from collections.abc import Mapping, Sequence

from gandt.errors import AnswerError, GandtError, StorageError
from gandt.json_text import brief, sendable, unpack
from gandt.serving.lambdas import reliability
from gandt.serving.lambdas.consensus import consensus
from gandt.serving.lambdas.payload import AnsweredObject, parse_uri, read_object, read_payload
from gandt.serving.lambdas.payload import write_object as _write

__all__ = ["MAX_RESPONSE", "handler"]

MAX_RESPONSE = 5_500_000  # bytes of the answer; Lambda's limit is 6,291,556
RELIABILITY_VARIABLE = "RELIABILITY_S3_URI"

_REQUESTS, _OWN_FOLDER = "/consolidation-request/", "/gandt-answers/"
_REFERENCE = "worker-response-ref"
_Label = dict[str, object]
_log = logging.getLogger(__name__)


def handler(event: object, context: object = None) -> list[dict[str, object]]:
    """Answer Ground Truth's request to consolidate a batch.

    Parameters
    ----------
    event
        `{"labelAttributeName", "payload": {"s3Uri"}, …}`; `labelCategories` may be null or
        missing, `version` is not looked at, `kmsKeyId` encrypts what is written.
    context
        Lambda's; not used.

    Returns
    -------
    labels
        `{"datasetObjectId", "consolidatedAnnotation": {"content": {<attribute>: label}}}` of each
        object.

    Raises
    ------
    AnswerError
        Where the event names no attribute or no payload, or the payload is no list in JSON.
    StorageError
        Where the payload cannot be read.
    """
    attribute, uri = _asked(event)
    settings = event if isinstance(event, dict) else {}
    objects, unnamed = read_payload(uri)
    for sentence in unnamed:
        _log.error("%s; it gets no label.", sentence)
    classes = _class_names(settings.get("labelCategories"))
    known = _reliability()
    labels = {found.id: _label(found, classes, known) for found in objects}
    key = settings.get("kmsKeyId")
    _make_fit(labels, attribute, uri, key if isinstance(key, str) and key else None)
    return [_entry(name, attribute, label) for name, label in labels.items()]


def _asked(event: object) -> tuple[str, str]:
    record = event if isinstance(event, dict) else {}
    attribute, payload = record.get("labelAttributeName"), record.get("payload")
    uri = payload.get("s3Uri") if isinstance(payload, dict) else payload
    if not isinstance(attribute, str) or not attribute:
        raise AnswerError(f"The event names no labelAttributeName: {brief(event)}")
    if not isinstance(uri, str):
        raise AnswerError(f"The event has no payload.s3Uri: {brief(event)}")
    parse_uri(uri)
    return attribute, uri


def _class_names(value: object) -> tuple[str, ...]:
    """The job's classes, given as names or as the objects of its category file."""
    listed = value if isinstance(value, list) else []
    names = (part.get("label") if isinstance(part, dict) else part for part in listed)
    return tuple(dict.fromkeys(n for n in names if isinstance(n, str) and n.strip()))


def _tile_classes(data: object) -> tuple[str, ...]:
    """What a tiled task offers in its first tile; none where it is not tiled or does not say."""
    content = data.get("content") if isinstance(data, dict) else None
    tiles = unpack(content) if isinstance(content, str) else content
    first = tiles[0] if isinstance(tiles, list) and tiles else None
    if not isinstance(first, dict):
        return ()
    names = _class_names(first.get("event_names"))
    return (*names, *_class_names([first.get("other_category_label")])) if names else ()


def _reliability() -> dict[str, float] | None:
    """The reliability of workers; where it cannot be read, the votes weigh the same."""
    uri = os.environ.get(RELIABILITY_VARIABLE, "").strip()
    try:
        if uri:
            data: bytes | None = read_object(uri)
        else:
            data = pkgutil.get_data(__package__ or "", "reliability.json")
        return None if data is None else reliability.parse(json.loads(data))
    except FileNotFoundError:
        return None
    except (GandtError, OSError, ValueError, RecursionError) as error:
        place = uri or "reliability.json"
        _log.error("The reliability of workers in %s is not used: %s", place, error)
        return None


def _label(
    found: AnsweredObject, classes: Sequence[str], known: Mapping[str, float] | None
) -> _Label:
    label: _Label = {}
    error = found.error
    try:
        offered = _tile_classes(found.data) or classes
        label = consensus(found.responses, classes=offered, reliability=known)
    except Exception as problem:  # of one object; the others of the batch shall not suffer
        _log.exception("Object %s could not be judged.", found.id)
        error = f"{type(problem).__name__}: {problem}"
    if error is not None:
        _log.error("Object %s: %s.", found.id, error)
        label = {**label, "error": sendable(error)}
    return {**label, "responses": found.responses}


def _entry(name: str, attribute: str, label: _Label) -> dict[str, object]:
    content = {attribute: label}
    return {"datasetObjectId": name, "consolidatedAnnotation": {"content": content}}


def _make_fit(labels: dict[str, _Label], attribute: str, uri: str, kms_key: str | None) -> None:
    """Move answers to S3, the largest first, until what is left fits into Lambda's answer.

    Where they cannot be written, the label names the payload, which holds them all, too.
    """
    sizes = {
        name: len(json.dumps(_entry(name, attribute, label))) + 2 for name, label in labels.items()
    }
    total = sum(sizes.values()) + 2
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        if total <= MAX_RESPONSE:
            return
        labels[name] = _moved(name, labels[name], uri, kms_key)
        total += len(json.dumps(_entry(name, attribute, labels[name]))) + 2 - sizes[name]


def _moved(name: str, label: _Label, uri: str, kms_key: str | None) -> _Label:
    responses = label.pop("responses")
    place = _place(uri, name)
    answers = [
        {"workerId": response["workerId"], "answerContent": response["annotation"]}
        for response in (responses if isinstance(responses, list) else [])
    ]
    try:
        _write(place, json.dumps({"answers": answers}).encode(), kms_key)
    except StorageError as error:
        _log.error("The answers to object %s stay in the payload alone: %s", name, error)
        return {**label, "consolidation-request-ref": uri}
    return {**label, _REFERENCE: place}


def _place(uri: str, name: str) -> str:
    folder, _, stem = uri.removesuffix(".json").rpartition("/")
    if _REQUESTS in f"{folder}/":
        folder = f"{folder}/".replace(_REQUESTS, _OWN_FOLDER, 1).rstrip("/")
    else:
        folder = f"{folder}{_OWN_FOLDER}".rstrip("/")
    # Injective, so that no two objects share a file.
    plain = re.sub(r"[^A-Za-z0-9-]", lambda found: f"_{ord(found[0]):x}_", name)
    return f"{folder}/{stem}/{plain}.json"
