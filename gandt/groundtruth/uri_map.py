"""Rewriting of references: where the pool's files lie once they are uploaded.

An index made from `/local/photos` names local paths; a Ground Truth job needs the S3 URIs of the
same files. A rule `/local/photos=s3://bucket/photos` says how one becomes the other. Pure
functions of text; nothing is read or uploaded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gandt import storage
from gandt.errors import UsageError

__all__ = ["UriMap", "is_bucket_name"]

# An "=" may be part of a path (`dt=2024/`): the one that divides a rule stands before a full URI.
_DIVIDER = re.compile(r"=(?=s3://|/)")
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.))*[a-z0-9]")


def is_bucket_name(name: str) -> bool:
    """Whether S3 would take this as the name of a bucket."""
    return 3 <= len(name) <= 63 and _BUCKET.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class UriMap:
    """Rules `(prefix, replacement)`, the longest prefix first; no rules leave every URI as it is.

    A prefix ends where a name ends: `/photos` is a prefix of `/photos/a.jpg` and not of
    `/photos-2/a.jpg`. Where the prefix is a tar shard, its members `shard.tar#a.jpg` become
    `<replacement>/a.jpg`, for Ground Truth cannot look into a shard.
    """

    rules: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, texts: Sequence[str]) -> UriMap:
        """Read rules as a person writes them, such as `photos=s3://bucket/photos`.

        A local prefix may be relative to the current folder; a replacement is an S3 URI or an
        absolute path.

        Raises
        ------
        UsageError
            Where a rule cannot be understood or two rules are for the same prefix.
        """
        rules: dict[str, str] = {}
        for text in texts:
            prefix, replacement = _parse_rule(text)
            if rules.setdefault(prefix, replacement) != replacement:
                raise UsageError(
                    f"--uri-map has two rules for {prefix}, to {rules[prefix]} and to "
                    f"{replacement}: keep one of them."
                )
        return cls(tuple(sorted(rules.items(), key=lambda rule: (-len(rule[0]), rule[0]))))

    def __bool__(self) -> bool:
        return bool(self.rules)

    def apply(self, uri: str) -> str | None:
        """Rewrite a URI by the longest prefix that fits; None where no rule fits."""
        for prefix, replacement in self.rules:
            rest = uri.removeprefix(prefix)
            if rest == uri:
                continue
            if not rest:
                return replacement
            if rest.startswith("/"):
                return replacement.rstrip("/") + rest
            if prefix == "/":
                return f"{replacement.rstrip('/')}/{rest}"
            if rest.startswith("#") and prefix.endswith(".tar"):
                return f"{replacement.rstrip('/')}/{rest[1:]}"
        return None


def _parse_rule(text: str) -> tuple[str, str]:
    parts = _DIVIDER.split(text)
    if len(parts) != 2 or not parts[0].strip():
        reason = "more than one '=' before a full URI" if len(parts) > 2 else "no such pair"
        raise UsageError(
            f"--uri-map {text!r} holds {reason}: write PREFIX=REPLACEMENT, for example "
            "/local/photos=s3://bucket/photos."
        )
    prefix = _trim(storage.normalize(parts[0].strip()))
    replacement = _trim(parts[1].strip())
    for uri in (prefix, replacement):
        if storage.is_remote(uri):
            bucket = uri.removeprefix("s3://").partition("/")[0]
            if not is_bucket_name(bucket):
                raise UsageError(
                    f"--uri-map {text!r} names the bucket {bucket!r}, which S3 would refuse: "
                    "a bucket name is 3 to 63 lower-case letters, digits, dots and hyphens."
                )
    return prefix, replacement


def _trim(uri: str) -> str:
    return uri.rstrip("/") or "/"
