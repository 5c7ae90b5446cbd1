"""What image files must be like: every check in every state, on facts and on real files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from gandt.jobs.launch import plan_job
from gandt.jobs.plan import Check, JobPlan
from gandt.jobs.preflight.checks import check_offline
from gandt.jobs.settings import JobSettings

sys.path.append(str(Path(__file__).parent))
from preflight_plans import (
    BUCKET,
    ROLE,
    assert_well_said,
    facts,
    make_plan,
    one,
    shown,
    tile_line,
)


def checked(plan: JobPlan) -> list[Check]:
    checks = check_offline(plan)
    assert_well_said(checks)
    return checks


def only_problem(plan: JobPlan) -> Check:
    found = [check for check in checked(plan) if check.status != "ok"]
    assert len(found) == 1, [shown(check) for check in found]
    return found[0]


def tiles(**settings: object) -> JobPlan:
    records = [tile_line(number) for number in range(3)]
    return make_plan("custom", **{"records": records, "template": "tiles", **settings})  # type: ignore[arg-type]


def test_images_that_cannot_be_read_are_counted_and_named() -> None:
    bad = [facts(f"/p/{n}.jpg", problem="ends too early", format=None) for n in range(5)]
    plan = make_plan(images=[*bad, facts("/p/good.jpg")])
    check = only_problem(plan)
    assert check.message == (
        "5 images of 6 cannot be read: /p/0.jpg (ends too early), /p/1.jpg (ends too early), "
        "/p/2.jpg (ends too early) and 2 more"
    )


@pytest.mark.parametrize(
    ("kind", "format", "status"),
    [
        (make_plan, "JPEG", "ok"),
        (make_plan, "PNG", "ok"),
        (make_plan, "MPO", "ok"),
        (make_plan, "WEBP", "error"),
        (make_plan, "GIF", "error"),
        (tiles, "GIF", "ok"),
        (tiles, "TIFF", "warning"),
    ],
)
def test_formats_are_those_that_widgets_show(
    kind: Callable[..., JobPlan], format: str, status: str
) -> None:
    plan = kind(images=[facts("/p/my cat.img", format=format)])
    check = one(checked(plan), "image formats")
    assert check.status == status
    if status != "ok":
        assert format in check.message
        assert "`mogrify -format jpg '/p/my cat.img'`" in check.fix


def test_files_of_more_than_40_mb_fail_in_the_job() -> None:
    good = facts("s3://b/a.jpg", size=40_000_000)
    assert one(checked(make_plan(images=[good])), "image file sizes").message == (
        "at most 40.0 MB of 40 MB"
    )
    check = only_problem(make_plan(images=[good, facts("s3://b/b.jpg", size=40_000_001)]))
    assert check.message == "1 image of more than 40 MB: s3://b/b.jpg"
    assert "`mogrify -resize 50% FILE`" in check.fix


@pytest.mark.parametrize(
    ("task", "automated", "size", "status"),
    [
        ("bounding-box", False, (10_000, 10_000), "ok"),
        ("bounding-box", False, (10_001, 10_000), "error"),
        ("bounding-box", True, (3840, 2160), "ok"),
        ("bounding-box", True, (3841, 2160), "error"),
        ("bounding-box", True, (2160, 3840), "warning"),
        ("semantic-segmentation", True, (1920, 1080), "ok"),
        ("semantic-segmentation", True, (1920, 1081), "error"),
        ("semantic-segmentation", True, (1080, 1920), "warning"),
    ],
)
def test_dimensions_have_limits(
    task: str, automated: bool, size: tuple[int, int], status: str
) -> None:
    image = facts("/p/a.jpg", width=size[0], height=size[1])
    plan = make_plan(task, automated=automated, images=[image])
    check = one(checked(plan), "image dimensions")
    assert check.status == status
    if status != "ok":
        assert f"/p/a.jpg with {size[0]} x {size[1]}" in check.message
        assert "/p/a.jpg`" in check.fix


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (lambda **more: make_plan("bounding-box", **more), "warning"),
        (lambda **more: make_plan("semantic-segmentation", **more), "warning"),
        (lambda **more: make_plan("image-classification", **more), "ok"),
        (tiles, "ok"),
        (lambda **more: make_plan("custom", template="bounding-box", **more), "warning"),
    ],
)
def test_turned_images_matter_where_answers_are_coordinates(
    kind: Callable[..., JobPlan], status: str
) -> None:
    check = one(checked(kind(images=[facts("/p/a.jpg", orientation=6)])), "image orientation")
    assert check.status == status
    assert "1 image turned or mirrored by EXIF data (/p/a.jpg)" in check.message
    if status == "warning":
        assert "`exiftran -ai /p/a.jpg`" in check.fix
        assert "`mogrify -auto-orient /p/a.jpg`" in check.fix


def test_real_files_are_seen_as_they_are(tmp_path: Path) -> None:
    upright = Image.new("RGB", (64, 48), "red")
    turned = Image.Exif()
    turned[0x0112] = 6
    upright.save(tmp_path / "a.jpg")
    Image.new("RGB", (64, 48), "blue").save(tmp_path / "b.jpg", exif=turned)
    Image.new("RGB", (64, 48), "green").save(tmp_path / "c.jpg", format="WEBP")
    (tmp_path / "d.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:30])
    lines = [
        json.dumps({"source-ref": str(tmp_path / name)})
        for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    ]
    (tmp_path / "round1.manifest").write_text("\n".join(lines))
    settings = JobSettings(
        manifest=str(tmp_path / "round1.manifest"),
        task="bounding-box",
        bucket=BUCKET,
        role=ROLE,
        workteam="cat-people",
        labels=("cat", "dog"),
        region="us-east-1",
    )
    checks = checked(plan_job(settings))
    found = {check.name: check for check in checks if check.status != "ok"}
    assert {name: check.status for name, check in found.items()} == {
        "manifest": "warning",  # on S3 it bears the suffix of what it is
        "image files": "error",
        "image formats": "error",
        "image orientation": "warning",
    }
    assert ".webp does not end in .jpg, .jpeg, .png" in found["manifest"].message
    assert f"{tmp_path}/d.jpg" in found["image files"].message
    assert f"{tmp_path}/c.jpg" in found["image formats"].message
    assert f"`exiftran -ai {tmp_path}/b.jpg`" in found["image orientation"].fix
