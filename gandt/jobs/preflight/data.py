"""What the lines of a manifest must be like for their job to start and to make sense.

Works on the lines as they will be uploaded. The limits are those of the developer guide ("Input
Data Quotas", "Automate Data Labeling", "Chaining Labeling Jobs", "Verify and Adjust Labels").
Pure functions.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from gandt.groundtruth.check import check_lines
from gandt.groundtruth.findings import Finding
from gandt.groundtruth.json_lines import MAX_OBJECTS, SOURCE, SOURCE_REF, decode_tiles, dump
from gandt.groundtruth.label_names import METADATA, label_attributes
from gandt.jobs.plan import Check, JobPlan
from gandt.jobs.preflight.references import references
from gandt.jobs.preflight.words import command, error, fine, listed, warning
from gandt.words import count

__all__ = ["check_data"]

_MOST_SEGMENTED = 20_000  # objects; a quota that is not raised
_SEGMENTATION = frozenset({"SemanticSegmentation", "AdjustmentSemanticSegmentation"})
_FEWEST_AUTOMATED, _ENOUGH_AUTOMATED = 1_250, 5_000

# Codes of findings that are reported here in other words, since more is known here.
_OURS = frozenset({"many-objects", "mixed", "local-path", "relative"})


def check_data(plan: JobPlan) -> list[Check]:
    """Check the lines of the job's manifest."""
    return [
        *_check_lines(plan),
        _check_count(plan),
        _check_kind(plan),
        _check_places(plan),
        *_check_offered(plan),
        *_check_automated(plan),
        *_check_earlier(plan),
        *_check_chaining(plan),
    ]


def _check_lines(plan: JobPlan) -> list[Check]:
    name = "manifest"
    uri = plan.documents.manifest
    lines: Iterable[bytes]
    if uri in plan.contents:
        lines = plan.contents[uri].split(b"\n")
    else:
        lines = (dump(record).encode() for record in plan.records)
    report = check_lines(uri, lines)
    ignored = _OURS if plan.task.data in ("image", "any") else _OURS | {"suffix"}
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in report.findings:
        if finding.code not in ignored:
            groups.setdefault((finding.severity, finding.code), []).append(finding)
    totals = dict(report.kinds)
    checks = []
    for (severity, code), findings in sorted(groups.items()):
        first = findings[0]
        # A code may come as error and as warning; then only what was kept is known of each.
        alone = sum(kind == code for _, kind in groups) == 1
        others = (totals[code] if alone else len(findings)) - 1
        where = f"line {first.line}: " if first.line else ""
        where += f"{first.key}: " if first.key else ""
        more = f" (and {count(others, 'more case')} like it)" if others else ""
        validate = command("gandt", "validate", plan.settings.manifest)
        checks.append(
            Check(
                name,
                "error" if severity == "error" else "warning",
                f"{where}{first.message}{more}",
                first.remedy + (f"; {validate} lists them" if others else ""),
            )
        )
    return checks or [fine(name, f"{count(report.tasks, 'line')}, and no rule broken")]


def _check_count(plan: JobPlan) -> Check:
    name, objects = "number of objects", len(plan.records)
    segmented = plan.task.code in _SEGMENTATION
    most = _MOST_SEGMENTED if segmented else MAX_OBJECTS
    if objects <= most:
        return fine(name, f"{objects:,} of at most {most:,}")
    split = _split(plan.settings.manifest, most)
    message = f"the manifest holds {objects:,} objects and a job of this kind takes {most:,}"
    if segmented:
        return error(name, message, f"launch it in parts: {split}")
    return warning(
        name, message, f"launch it in parts ({split}), unless AWS raised the quota of your account"
    )


def _split(manifest: str, lines: int) -> str:
    parts = ("split", "-l", str(lines), "-d")
    if not manifest.startswith("s3://"):
        return command(*parts, manifest, "part-")
    return f"{command('aws', 's3', 'cp', manifest, '-')[:-1]} | {command(*parts, '-', 'part-')[1:]}"


def _check_kind(plan: JobPlan) -> Check:
    """Look whether the objects are what the task shows to people."""
    name, data = "kind of objects", plan.task.data
    found: dict[str, int] = {}  # kind → its first line
    for number, record in enumerate(plan.records, start=1):
        found.setdefault(_kind_of(record), number)
    names = {"image": "images", "text": "texts", "tiles": "tiled tasks"}
    if data == "any":
        if len(found) > 1:
            kinds = " and ".join(names.get(kind, kind) for kind in found)
            return warning(
                name,
                f"the manifest mixes {kinds}, and one page has to show all of them",
                "write one manifest for each kind, unless the page can tell them apart",
            )
        return fine(name, "a page of your own shows them")
    wanted = "text" if data == "text" else "image"
    wrong = {kind: line for kind, line in found.items() if kind != wanted}
    if not wrong:
        return fine(name, f"{plan.task.name} asks about {names[wanted] if data in names else data}")
    kind, line = min(wrong.items(), key=lambda item: item[1])
    remedy = {
        "tiles": "only a page of ours shows tiles: take `--template tiles` in place of --task",
        "image": "take a task for images, such as `--task image-classification`",
        "text": "take a task for texts, such as `--task text-classification`",
    }
    shows = "a text in `source`" if wanted == "text" else "a file in `source-ref`"
    return error(
        name,
        f"{plan.task.name} needs {shows}, and line {line} holds "
        f"{ {'tiles': 'a tiled task', 'image': 'an image', 'text': 'a text'}[kind] }",
        remedy[kind],
    )


def _check_offered(plan: JobPlan) -> list[Check]:
    """Look whether tiled tasks offer the labels of the job: the page goes by the tasks."""
    wanted = plan.settings.labels
    if plan.settings.template != "tiles" or not wanted:
        return []
    for number, record in enumerate(plan.records, start=1):
        source = record.get(SOURCE)
        tiles = decode_tiles(source) if isinstance(source, str) else None
        first = tiles[0] if tiles else None
        names = first.get("event_names") if isinstance(first, dict) else None
        if not isinstance(first, dict) or not isinstance(names, list) or not names:
            continue
        none = first.get("other_category_label")
        if {*map(str, names)} - {none} != {*wanted} - {none}:
            offered = ",".join(map(str, names))
            return [
                warning(
                    "labels of the tasks",
                    f"the task on line {number} offers {listed(names)}, and its page goes by that "
                    f"and not by --labels ({listed(wanted)})",
                    f"give `--labels {shlex.quote(offered)}`, or make the manifest anew with the "
                    "labels that are meant",
                )
            ]
    return []


def _kind_of(record: Mapping[str, object]) -> str:
    if SOURCE_REF in record:
        return "image"
    source = record.get(SOURCE)
    return "tiles" if isinstance(source, str) and decode_tiles(source) is not None else "text"


def _check_places(plan: JobPlan) -> Check:
    """Look whether all files are where Ground Truth can read them."""
    name = "files on S3"
    broken = {facts.uri for facts in plan.images if facts.problem is not None}
    local = [
        uri
        for record in plan.records
        for uri in references(record, previous_attribute=plan.settings.previous_attribute)
        if not uri.startswith("s3://") and uri not in broken
    ]
    if not local:
        return fine(name, "every file is there, or will be uploaded")
    unique = list(dict.fromkeys(local))
    return error(
        name,
        f"{count(len(unique), 'file')} would not be on S3: {listed(unique)}",
        "name them in the manifest by absolute paths that exist, or as s3://bucket/key",
    )


def _check_automated(plan: JobPlan) -> list[Check]:
    if not plan.settings.automated:
        return []
    name, objects = "automated labeling", len(plan.records)
    if objects < _FEWEST_AUTOMATED:
        return [
            error(
                name,
                f"{objects:,} objects are too few: Ground Truth wants {_FEWEST_AUTOMATED:,} at "
                f"least and advises {_ENOUGH_AUTOMATED:,}",
                f"leave --automated out, or select {_FEWEST_AUTOMATED - objects:,} more or better "
                f"{_ENOUGH_AUTOMATED - objects:,}",
            )
        ]
    if objects < _ENOUGH_AUTOMATED:
        return [
            warning(
                name,
                f"{objects:,} objects are few: Ground Truth advises {_ENOUGH_AUTOMATED:,}, and "
                "with fewer may label little by itself though you pay for the training",
                f"leave --automated out, or select {_ENOUGH_AUTOMATED - objects:,} more",
            )
        ]
    return [fine(name, f"{objects:,} objects are enough")]


def _check_earlier(plan: JobPlan) -> list[Check]:
    """Look for the labels that a verification or adjustment is about."""
    name, previous = "earlier labels", plan.settings.previous_attribute
    if not plan.task.prior:
        return []
    there = sorted({name for record in plan.records for name in label_attributes(record)})
    hint = (
        f"the manifest holds labels under: {listed(there)}"
        if there
        else (
            "the manifest holds no labels at all: launch the output manifest of the earlier job, "
            "which `gandt fetch JOB` brings"
        )
    )
    if previous is None:
        return [
            error(
                name,
                f"{plan.task.name} is about the labels of an earlier job, and none are named",
                f"give --previous-attribute NAME; {hint}",
            )
        ]
    if previous == plan.names.attribute:
        return [
            error(
                name,
                f"the new labels would overwrite those they are about ({previous})",
                f"give the new ones another name, as `--attribute {_other(previous)}`",
            )
        ]
    lacking = [
        number
        for number, record in enumerate(plan.records, start=1)
        if previous not in record or f"{previous}{METADATA}" not in record
    ]
    if lacking:
        return [
            error(
                name,
                f"{count(len(lacking), 'line')} of {len(plan.records):,} (the first is line "
                f"{lacking[0]}) {'lacks' if len(lacking) == 1 else 'lack'} {previous} or "
                f"{previous}{METADATA}",
                f"take these lines out of the manifest; {hint}",
            )
        ]
    return [fine(name, f"every line holds {previous} and its metadata")]


def _other(attribute: str) -> str:
    stem = attribute.removesuffix("-ref")
    return f"{stem}-checked{attribute.removeprefix(stem)}"


def _check_chaining(plan: JobPlan) -> list[Check]:
    """Look for labels that are there already under the name of the new ones."""
    name, attribute, objects = "labels there already", plan.names.attribute, len(plan.records)
    labeled = sum(attribute in record for record in plan.records)
    if not labeled or attribute == plan.settings.previous_attribute:
        return []
    if labeled == objects:
        return [
            error(
                name,
                f"every line has a label under {attribute} already, so there is nothing to label",
                f"to label them anew, give another name: `--attribute {attribute}-2`"
                if not attribute.endswith("-ref")
                else "to label them anew, give another name: "
                f"`--attribute {attribute.removesuffix('-ref')}-2-ref`",
            )
        ]
    return [
        warning(
            name,
            f"{labeled:,} of {objects:,} lines have a label under {attribute} already; only the "
            f"other {objects - labeled:,} will be labeled",
            "nothing, if the job goes on with an earlier one; else give --attribute another name",
        )
    ]
