"""What a check finds: problems, each with its place and remedy, and numbers. Values only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from gandt.words import count

__all__ = ["Finding", "FindingLog", "LabelNotes", "ManifestReport", "Severity"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem. An error makes a job fail or misread; a warning may be what was meant."""

    line: int  # from 1; 0 where it concerns the whole file
    key: str | None  # the attribute, with the place inside it, such as "source[3].index"
    severity: Severity
    code: str  # stable name of the kind of problem, such as "not-json"
    message: str  # what is wrong
    remedy: str  # what to do

    def __str__(self) -> str:
        place = f"line {self.line}" if self.line else "file"
        key = f", {self.key}" if self.key else ""
        return f"{place}{key}: {self.severity}: {self.message}; {self.remedy}."


@dataclass(slots=True)
class FindingLog:
    """Collects findings: counts all, keeps the first few of each kind."""

    keep: int  # of each kind
    counts: Counter[tuple[Severity, str]] = field(default_factory=Counter)
    kept: list[Finding] = field(default_factory=list)

    def add(
        self,
        severity: Severity,
        code: str,
        line: int,
        key: str | None,
        message: str,
        remedy: str,
    ) -> None:
        """Record one problem."""
        self.counts[severity, code] += 1
        if self.counts[severity, code] <= self.keep:
            self.kept.append(Finding(line, key, severity, code, message, remedy))

    def total(self, severity: Severity) -> int:
        """Count the findings of this severity, those not kept included."""
        return sum(count for (kind, _), count in self.counts.items() if kind == severity)

    def kinds(self) -> tuple[tuple[str, int], ...]:
        """`(code, number of findings)`, by code."""
        codes: Counter[str] = Counter()
        for (_, code), number in self.counts.items():
            codes[code] += number
        return tuple(sorted(codes.items()))


@dataclass(frozen=True, slots=True)
class LabelNotes:
    """Where findings about the labels of one line go."""

    log: FindingLog
    line: int

    def error(self, key: str, message: str, remedy: str) -> None:
        """Report what a reader of the label would stumble over."""
        self.log.add("error", "label", self.line, key, message, remedy)

    def warning(self, key: str, message: str, remedy: str, *, code: str = "label") -> None:
        """Report what may be meant."""
        self.log.add("warning", code, self.line, key, message, remedy)


@dataclass(frozen=True, slots=True)
class ManifestReport:
    """What a manifest holds, in numbers, and what is wrong with it.

    `findings` are in the order of the lines; of each kind only the first few are kept, while
    `errors`, `warnings` and `kinds` count all.
    """

    uri: str
    tasks: int  # objects: lines that hold one
    images: int  # references, those within tiled tasks included
    tiles: int  # tiled tasks
    texts: int  # tasks about a text
    buckets: tuple[tuple[str, int], ...]  # (name, images in it), by name; "" for local files
    labels: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]  # (attribute, ((class, count), …))
    labeled: tuple[tuple[str, int], ...]  # (attribute, objects that have a label)
    failed: tuple[tuple[str, int], ...]  # (attribute, objects that its job failed on)
    findings: tuple[Finding, ...]
    errors: int
    warnings: int
    kinds: tuple[tuple[str, int], ...]  # (code, number of findings), by code

    @property
    def ok(self) -> bool:
        """Whether a job can start from it: no errors; warnings are for a person to judge."""
        return not self.errors

    def describe(self) -> tuple[str, ...]:
        """Say in words what the manifest holds, one line each."""
        counted = ((self.images, "image"), (self.tiles, "tiled task"), (self.texts, "text"))
        parts = [count(number, noun) for number, noun in counted if number]
        lines = [count(self.tasks, "task") + (f": {', '.join(parts)}" if parts else "")]
        for bucket, number in self.buckets:
            lines.append(
                f"{count(number, 'image')} in {f's3://{bucket}' if bucket else 'local folders'}"
            )
        for name, classes in self.labels:
            counts = ", ".join(f"{label} {count:,}" for label, count in classes)
            lines.append(f"labels of {name!r}: {counts or 'none of a class'}")
        labeled, failed = dict(self.labeled), dict(self.failed)
        for name in sorted({*labeled, *failed}):
            done, lost = labeled.get(name, 0), failed.get(name, 0)
            rest = self.tasks - done - lost
            lines.append(f"{name!r}: {done:,} labeled, {lost:,} failed, {rest:,} not labeled")
        verdict = f"{count(self.errors, 'error')}, {count(self.warnings, 'warning')}"
        return (*lines, verdict if self.errors or self.warnings else "no problem found")
