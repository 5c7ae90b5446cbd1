"""A plan of a job that nothing is wrong with, for tests to break in one place."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gandt.groundtruth.json_lines import dump, image_uris
from gandt.jobs.plan import Check, Cost, Documents, ImageFacts, JobPlan
from gandt.jobs.preflight.checks import check_online
from gandt.jobs.request import build_request, resolve_names
from gandt.jobs.settings import JobSettings
from gandt.jobs.tasks import task_type
from gandt.labeling.templates import PAGES, bake, read_template
from gandt.labeling.widgets import widget_page

if TYPE_CHECKING:
    from aws_fixtures import Aws

ACCOUNT = "123456789012"
BUCKET = "pets-groundtruth"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/GroundTruthRole"
LABELS = ("cat", "dog", "Other")


def image_line(number: int, bucket: str = BUCKET, **more: object) -> dict[str, object]:
    return {"source-ref": f"s3://{bucket}/groundtruth/images/{number:06d}.jpg", **more}


def tile_line(number: int) -> dict[str, object]:
    tiles = [
        {"source-ref": f"s3://{BUCKET}/groundtruth/images/{number:03d}-{tile}.jpg", "index": tile}
        for tile in (number * 2, number * 2 + 1)
    ]
    tiles[0] |= {
        "event_names": list(LABELS),
        "positive_examples": [f"s3://{BUCKET}/groundtruth/images/good.jpg"],
        "negative_examples": [],
        "other_category_label": "None of the above",
    }
    return {"source": json.dumps(tiles), "tiles": tiles}


def facts(uri: str, **more: Any) -> ImageFacts:
    good: dict[str, Any] = {"size": 300_000, "format": "JPEG", "width": 640, "height": 480}
    return ImageFacts(uri, **(good | more))


def make_plan(
    task: str = "image-classification",
    *,
    records: Sequence[Mapping[str, object]] | None = None,
    images: Sequence[ImageFacts] | None = None,
    page: str | None = None,
    **settings: Any,
) -> JobPlan:
    """Plan a job of three good images, or of what is given; `page` is the text of its template."""
    kind = task_type(task)
    chosen = JobSettings(
        **{
            "manifest": "round1.manifest",
            "task": task,
            "bucket": BUCKET,
            "role": ROLE,
            "workteam": "cat-people",
            "labels": LABELS,
            "region": "us-east-1",
            **settings,
        }
    )
    if records is None:
        records = [image_line(number) for number in range(1, 4)]
    lines = tuple(dict(record) for record in records)
    if images is None and kind.data in ("image", "any"):
        images = [facts(uri) for record in lines for uri in image_uris(record) or ()]
    if page is None and kind.human_task_ui is None:
        if kind.custom:
            assert chosen.template in PAGES
            page = bake(read_template(chosen.template), labels=chosen.labels)
        else:
            page = widget_page(task, previous_attribute=chosen.previous_attribute)
    names = resolve_names(chosen, kind, region=chosen.region or "us-east-1", account=ACCOUNT)
    place = f"s3://{chosen.bucket}/{chosen.prefix}"
    documents = Documents(
        manifest=f"{place}/manifests/0123.manifest",
        output=f"{place}/jobs",
        categories=f"{place}/categories/0123.json" if chosen.labels else None,
        template=None if page is None else f"{place}/templates/0123.liquid.html",
    )
    contents = {documents.manifest: "".join(dump(line) + "\n" for line in lines).encode()}
    return JobPlan(
        settings=chosen,
        task=kind,
        names=names,
        documents=documents,
        records=lines,
        images=tuple(images or ()),
        uploads={},
        contents=contents,
        template=page,
        request=build_request(chosen, kind, names, documents),
        cost=Cost((), Decimal(0)),
    )


def with_request(plan: JobPlan, **fields: Any) -> JobPlan:
    """The plan with other fields in its request."""
    return replace(plan, request={**plan.request, **fields})


def named(checks: Sequence[Check], name: str) -> list[Check]:
    """The checks of this name; those that begin so, where it ends in an ellipsis."""
    if name.endswith("…"):
        return [check for check in checks if check.name.startswith(name[:-1])]
    return [check for check in checks if check.name == name]


def one(checks: Sequence[Check], name: str) -> Check:
    found = named(checks, name)
    assert len(found) == 1, [check.name for check in checks]
    return found[0]


def shown(check: Check) -> str:
    """As `gandt launch` prints it."""
    words = {"ok": "ok", "skipped": "not checked"}
    line = f"{words.get(check.status, check.status)}: {check.name}: {check.message}"
    return f"{line}\n    fix: {check.fix}" if check.fix else line


def assert_well_said(checks: Sequence[Check]) -> None:
    """Hold every check to the form that the program prints."""
    assert checks
    for check in checks:
        assert check.message and not check.message.endswith("."), shown(check)
        assert not check.fix.endswith("."), shown(check)
        assert "\n" not in check.message + check.fix, shown(check)
        assert (check.status == "ok") == (check.fix == ""), shown(check)
        assert check.fix.count("`") % 2 == 0, shown(check)


# ------------------------------------------------------------------------------ asked of an account


def fill_team(aws: Aws, *people: str) -> None:
    pool = aws.sagemaker.workforces["us-east-1"]
    assert pool is not None
    pool.users = {name: {"sub": name} for name in people}
    pool.groups["labelers"] = set(people)


def plan_for(*arguments: Any, **settings: Any) -> JobPlan:
    return make_plan(*arguments, **{"workteam": "labelers", **settings})


def plan_tiles(**settings: Any) -> JobPlan:
    records = [tile_line(number) for number in range(3)]
    return plan_for("custom", **{"records": records, "template": "tiles", **settings})


def asked(plan: JobPlan, **more: Any) -> list[Check]:
    checks = check_online(plan, **more)
    assert_well_said(checks)
    return checks


def only_problem(plan: JobPlan) -> Check:
    found = [check for check in asked(plan) if check.status != "ok"]
    assert len(found) == 1, [shown(check) for check in found]
    return found[0]


def command_in(text: str, number: int = 0) -> list[str]:
    """The command between backquotes, as a shell takes it apart."""
    return shlex.split(re.findall(r"`([^`]+)`", text)[number])
