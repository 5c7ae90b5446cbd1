"""Jobs from a TOML file: the same settings as on the command line, kept under version control.

::

    manifest = "round1.manifest"          # relative to this file
    task = "image-classification"
    labels = ["cat", "dog", "Other"]
    bucket = "my-groundtruth-bucket"
    role = "arn:aws:iam::123456789012:role/GroundTruth"
    workteam = "cat-people"
    task-time = "5m"

    [tags]
    project = "pets"
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import PurePosixPath
from typing import Any, TypeGuard

from gandt import storage
from gandt.errors import UsageError
from gandt.jobs.settings import JobSettings
from gandt.labeling.templates import PAGES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["make_settings", "parse_duration", "read_job_file", "split_labels"]

# Durations are written with a unit, so their options have names without one.
_DURATIONS = {"task_time": "task_seconds", "availability": "availability_seconds"}
_LISTS = {"labels", "keywords", "examples", "subnets", "security_groups"}
_PATHS = ("manifest", "template")
_MAY_BE_EMPTY = {"prefix", "question", "instructions", "title", "description"}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str | int, option: str) -> int:
    """Read `90`, `90s`, `5m`, `2h` or `10d` as seconds.

    Raises
    ------
    UsageError
        Where it is none of these.
    """
    found = re.fullmatch(r"(\d+)\s*([smhd]?)", str(text).strip())
    if found is None:
        raise UsageError(f"{option} {text!r} is no time: write 90s, 5m, 2h or 10d.")
    return int(found[1]) * _UNITS[found[2] or "s"]


def split_labels(text: str) -> tuple[str, ...]:
    """Read labels: names with commas between, or `@FILE` with one name on each line.

    Raises
    ------
    UsageError
        Where the file holds no name.
    StorageError
        Where it cannot be read.
    """
    if not text.startswith("@"):
        return tuple(name.strip() for name in text.split(",")) if text.strip() else ()
    lines = storage.open_lines(text[1:])
    names = tuple(line.decode("utf-8-sig").strip() for line in lines)
    names = tuple(name for name in names if name)
    if not names:
        raise UsageError(f"--labels {text}: the file holds no name; write one on each line.")
    return names


def read_job_file(path: str) -> dict[str, Any]:
    """Read the settings of a TOML file, as keywords of `JobSettings`.

    Raises
    ------
    UsageError
        Where it is no TOML, or a key is unknown or of the wrong type.
    StorageError
        Where it cannot be read.
    """
    uri = storage.normalize(path)
    try:
        read = tomllib.loads(storage.read_bytes(uri).decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}.") from error
    known = {field.name: field for field in fields(JobSettings)}
    found: dict[str, Any] = {}
    for key, value in read.items():
        name = key.replace("-", "_")
        if name in _DURATIONS:
            found[_DURATIONS[name]] = parse_duration(value, f"{path}: {key}")
            continue
        if name not in known or name in _DURATIONS.values():
            names = sorted({*_DURATIONS, *known} - set(_DURATIONS.values()))
            raise UsageError(f"{path}: there is no setting {key!r}; {_guess(name, names)}.")
        found[name] = _value(path, key, name, value, str(known[name].type))
    folder = uri.rpartition("/")[0]
    for name in _PATHS:
        if found.get(name) and found[name] not in PAGES:
            found[name] = _beside(folder, found[name])
    if "examples" in found:
        found["examples"] = tuple(_beside(folder, path) for path in found["examples"])
    return found


def _value(path: str, key: str, name: str, value: object, kind: str) -> Any:
    if name == "labels" and isinstance(value, str):
        return split_labels(value)
    if name in _LISTS and _is_texts(value):
        return tuple(value)
    if name == "tags" and _is_tags(value):
        return {tag: str(text) for tag, text in value.items()}
    if kind.startswith("str") and isinstance(value, str):
        return value
    if name == "price" and isinstance(value, float):
        # As a binary number 0.036 is not 0.036; its shortest decimal text is what was written.
        return f"{value:.3f}" if round(value, 3) == value else repr(value)
    if kind.startswith("int") and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == "bool" and isinstance(value, bool):
        return value
    wanted = {"labels": "a list of texts", "tags": "a table of texts"}.get(name)
    if wanted is None:
        wanted = (
            "a list of texts"
            if name in _LISTS
            else {"i": "a whole number", "b": "true or false"}.get(kind[0], "a text")
        )
    raise UsageError(f"{path}: {key} = {value!r} should be {wanted}.")


def _is_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_tags(value: object) -> TypeGuard[dict[str, str | int]]:
    return isinstance(value, dict) and all(
        isinstance(text, (str, int)) and not isinstance(text, bool) for text in value.values()
    )


def _beside(folder: str, path: str) -> str:
    absolute = storage.is_remote(path) or path.startswith("~") or PurePosixPath(path).is_absolute()
    return path if absolute else f"{folder}/{path}"


def _guess(name: str, known: Sequence[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1)
    if found:
        return f"did you mean {found[0].replace('_', '-')}"
    return f"there are {', '.join(known).replace('_', '-')}"


def make_settings(given: Mapping[str, Any]) -> JobSettings:
    """Make the settings of what file and options say together.

    Raises
    ------
    UsageError
        Naming every setting that is missing, or one that is there and empty.
    """
    needed = [
        field.name
        for field in fields(JobSettings)
        if field.default is MISSING and field.default_factory is MISSING
    ]
    missing = [name for name in needed if not given.get(name)]
    if missing:
        options = [name if name == "manifest" else f"--{name}" for name in missing]
        raise UsageError(f"a job needs {_listed(options)} too (options, or keys of a TOML file).")
    empty = [name for name, value in given.items() if value == "" and name not in _MAY_BE_EMPTY]
    if empty:
        # As of a shell variable that is not set; a job without the key would not be encrypted.
        option = empty[0].replace("_", "-")
        raise UsageError(f"--{option} is empty: leave it out, or say what it should be.")
    bucket = str(given["bucket"]).removeprefix("s3://").rstrip("/")
    return JobSettings(**{**given, "bucket": bucket})


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
