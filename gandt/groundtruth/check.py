"""The check of a manifest before anybody pays for it: every line, every limit, with a remedy.

Reads one manifest, local or on S3, line by line in bounded memory (beside the set of references
that finds repeats); writes nothing. Works on input manifests with images, texts or tiled tasks and
on augmented ones, which are another job's output. The rules follow the SageMaker developer guide
("Input Data", "Input Data Quotas", "Output Data") and what is known to fail in practice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from gandt import storage
from gandt.errors import ManifestError
from gandt.groundtruth.findings import FindingLog, ManifestReport
from gandt.groundtruth.json_lines import (
    MAX_ATTRIBUTE,
    MAX_LINE,
    MAX_OBJECTS,
    SOURCE,
    SOURCE_REF,
    TILES,
    UTF8_BOM,
    ParsedLine,
    StrictJson,
    decode_tiles,
    parse_line,
    parse_strictly,
)
from gandt.groundtruth.label_rules import LabelCheck
from gandt.groundtruth.reference_rules import TileIndexes, bucket_of, check_reference, check_tiles

__all__ = ["ManifestReport", "check_lines", "check_manifest"]

_ONE_PER_LINE = "write one JSON object on each line"


def check_manifest(uri: str, *, max_findings: int = 20) -> ManifestReport:
    """Check a manifest against every rule that a file alone can break.

    Whether the images exist, their size and their Region are not looked at.

    Parameters
    ----------
    max_findings
        How many findings of each kind are kept; all are counted.

    Raises
    ------
    StorageError
        Where the file cannot be read.
    """
    return check_lines(uri, storage.open_lines(uri), max_findings=max_findings)


def check_lines(uri: str, lines: Iterable[bytes], *, max_findings: int = 20) -> ManifestReport:
    """Check the lines of a manifest that may not be written yet; see `check_manifest`."""
    check = _Check(FindingLog(max_findings))
    blank: list[int] = []
    for number, raw in enumerate(lines, start=1):
        if number == 1:
            raw = check.first_line(raw)
        if raw.strip():
            for gap in blank:
                check.log.add(
                    "error", "blank-line", gap, None, "the line is blank", "take the line out"
                )
            blank.clear()
            check.line(number, raw)
        else:
            blank.append(number)
        if check.foreign:
            break
    return check.report(uri)


class _Check:
    """The state of one check: findings, and what has to be remembered between lines."""

    def __init__(self, log: FindingLog) -> None:
        self.log = log
        self.foreign = False  # not JSON Lines at all: more lines would only repeat it
        self.tasks = self.tiles = self.texts = self.images = 0
        self.buckets: Counter[str] = Counter()
        self.seen: dict[str, int] = {}  # reference → its first line
        self.indexes: TileIndexes = {}
        self.labels = LabelCheck(log)

    def first_line(self, raw: bytes) -> bytes:
        """Look for what concerns the whole file; returns the line without a byte-order mark."""
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in raw[:64]:
            self.give_up(
                "encoding", "the file is not UTF-8 but UTF-16 or binary", "save it as UTF-8"
            )
            return raw
        if raw.startswith(UTF8_BOM):
            self.log.add(
                "error",
                "byte-order-mark",
                1,
                None,
                "the file begins with a byte-order mark",
                "save it as UTF-8 without one",
            )
            raw = raw.removeprefix(UTF8_BOM)
        text = raw.strip()
        if text in (b"{", b"["):
            self.give_up(
                "not-json-lines",
                "the file is pretty-printed JSON, not JSON Lines",
                f"{_ONE_PER_LINE} (`jq -c . FILE` does it; `jq -c '.[]' FILE` for a list)",
            )
        elif text.startswith(b"["):
            self.give_up(
                "not-json-lines",
                "the file is a JSON list, not JSON Lines",
                f"{_ONE_PER_LINE} (`jq -c '.[]' FILE` does it)",
            )
        return raw

    def give_up(self, code: str, message: str, remedy: str) -> None:
        """Record that the file is something else than a manifest."""
        self.log.add("error", code, 0, None, message, remedy)
        self.foreign = True

    def line(self, number: int, raw: bytes) -> None:
        """Check one line that is not blank."""
        if self.foreign:
            return
        self.tasks += 1
        self.length(number, raw)
        try:
            parsed = parse_line(raw)
        except ManifestError as error:
            self.log.add("error", "not-json", number, None, f"the line {error}", _ONE_PER_LINE)
            return
        self.strictness(number, None, parsed)
        self.keys(number, parsed.record)
        self.source(number, parsed.record)
        self.labels.line(number, parsed.record)

    def strictness(self, number: int, place: str | None, parsed: ParsedLine | StrictJson) -> None:
        """Report what lenient parsers let pass."""
        for name in parsed.repeated:
            self.log.add(
                "error",
                "repeated-key",
                number,
                f"{place}.{name}" if place else name,
                "the name stands twice in one object",
                "keep one of the two",
            )
        for text in parsed.non_finite:
            self.log.add(
                "error",
                "not-finite",
                number,
                place,
                f"{text[:40]} is not a number that JSON knows",
                "write null, or leave the key out",
            )

    def length(self, number: int, raw: bytes) -> None:
        """Check the length of a line, in characters and in bytes."""
        if len(raw) <= MAX_LINE:
            return
        characters = len(raw.decode(errors="replace"))
        too_long = characters > MAX_LINE
        self.log.add(
            "error" if too_long else "warning",
            "long-line",
            number,
            None,
            f"the line has {characters:,} characters ({len(raw):,} bytes) where {MAX_LINE:,} "
            "are allowed" + ("" if too_long else ", and Lambdas may count bytes"),
            "put fewer images in a task, or leave keys out",
        )

    def keys(self, number: int, record: dict[str, object]) -> None:
        """Check the names and lengths of a line's attributes."""
        for key, value in record.items():
            if key.startswith("$"):
                self.log.add(
                    "error",
                    "dollar-name",
                    number,
                    key,
                    "the name begins with $, which Ground Truth refuses",
                    "rename it",
                )
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            if _is_broken(key) or _is_broken(text):
                self.log.add(
                    "error",
                    "surrogate",
                    number,
                    ascii(key)[1:-1],
                    "the text holds half of a character (a lone surrogate)",
                    "write the file's name as it is, in UTF-8",
                )
            size = len(text.encode(errors="surrogatepass"))
            if size > MAX_ATTRIBUTE:
                too_long = len(text) > MAX_ATTRIBUTE
                self.log.add(
                    "error" if too_long else "warning",
                    "long-attribute",
                    number,
                    key,
                    f"the value has {len(text):,} characters ({size:,} bytes) where "
                    f"{MAX_ATTRIBUTE:,} characters are allowed",
                    "put fewer images in a task, or shorten it",
                )

    def source(self, number: int, record: dict[str, object]) -> None:
        """Check what the task is about."""
        present = [key for key in (SOURCE_REF, SOURCE) if key in record]
        if len(present) != 1:
            what = "both `source` and `source-ref`" if present else "no `source-ref` or `source`"
            self.log.add(
                "error", "source", number, None, f"the line has {what}", "give exactly one of them"
            )
        for key in present:
            value = record[key]
            if not isinstance(value, str):
                self.log.add(
                    "error",
                    "source-type",
                    number,
                    key,
                    "the value is not a string",
                    "write a list or object as JSON text inside the string",
                )
            elif key == SOURCE_REF:
                check_reference(self.log, number, key, value)
                self.count_images(number, [value], repeats_matter=True)
            else:
                self.text(number, value)
                self.tiles_key(number, value, record)

    def text(self, number: int, value: str) -> None:
        """Check a `source`: a tiled task, or a text to be labeled."""
        tiles = decode_tiles(value)
        if tiles is not None:
            self.tiles += 1
            self.strictness(number, SOURCE, parse_strictly(value))
            references = check_tiles(self.log, number, tiles, self.indexes)
            self.count_images(number, references, repeats_matter=False)
            return
        self.texts += 1
        if not value.strip():
            self.log.add("error", "empty", number, SOURCE, "the text is empty", "give a text")
        elif f'"{SOURCE_REF}"' in value or value.strip() == "[]":
            self.log.add(
                "error",
                "tile",
                number,
                SOURCE,
                "it looks like a tiled task but is not a JSON list with images in it",
                "write it with json.dumps of a list of objects",
            )

    def tiles_key(self, number: int, value: str, record: dict[str, object]) -> None:
        """Check that pages with and without a Lambda would show the same images."""
        tiles = decode_tiles(value)
        if tiles is not None and record.get(TILES, tiles) != tiles:
            self.log.add(
                "warning",
                "tiles-key",
                number,
                TILES,
                "the value is not the list that `source` holds, so a page without a "
                "pre-annotation Lambda would show something else",
                "write the decoded list there, or leave the key out",
            )

    def count_images(self, number: int, uris: list[str], *, repeats_matter: bool) -> None:
        """Count images by bucket, and find those asked about before."""
        self.images += len(uris)
        for uri in uris:
            self.buckets[bucket_of(uri) or ""] += 1
            first = self.seen.setdefault(uri, number)
            # Within tiled tasks a repeat is legal, and decoys are made of it.
            if first != number and repeats_matter:
                self.log.add(
                    "warning",
                    "repeat",
                    number,
                    SOURCE_REF,
                    f"{uri} stands on line {first} too, and would be paid for twice",
                    "take one of them out, unless it is meant",
                )

    def report(self, uri: str) -> ManifestReport:
        """Say what the whole file is like, and sum up."""
        self.labels.finish()
        if not self.tasks and not self.foreign:
            self.log.add("error", "empty", 0, None, "the file holds no task", "select some images")
        if self.tasks > MAX_OBJECTS:
            self.log.add(
                "warning",
                "many-objects",
                0,
                None,
                f"the file holds {self.tasks:,} tasks and a job takes {MAX_OBJECTS:,}",
                "split it, unless the account's quota was raised",
            )
        if self.texts and self.texts < self.tasks and self.images:
            self.log.add(
                "warning",
                "mixed",
                0,
                None,
                f"the file asks about texts ({self.texts:,} lines) and about images",
                "write one manifest for each kind of task",
            )
        labels = sorted(self.labels.classes.items())
        return ManifestReport(
            uri=uri,
            tasks=self.tasks,
            images=self.images,
            tiles=self.tiles,
            texts=self.texts,
            buckets=tuple(sorted(self.buckets.items())),
            labels=tuple((name, tuple(sorted(counts.items()))) for name, counts in labels),
            labeled=tuple(sorted(self.labels.labeled.items())),
            failed=tuple(sorted(self.labels.failed.items())),
            findings=tuple(sorted(self.log.kept, key=lambda finding: finding.line)),
            errors=self.log.total("error"),
            warnings=self.log.total("warning"),
            kinds=self.log.kinds(),
        )


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
