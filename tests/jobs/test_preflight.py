"""What a plan alone gets wrong: every check in every state, each with its fix."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.jobs.plan import Check, JobPlan
from gandt.jobs.preflight.checks import check_offline
from gandt.jobs.preflight.references import image_buckets, references
from gandt.jobs.preflight.words import command, listed
from gandt.labeling.templates import signed_source

sys.path.append(str(Path(__file__).parent))
from preflight_plans import (
    ACCOUNT,
    BUCKET,
    assert_well_said,
    facts,
    image_line,
    make_plan,
    named,
    one,
    shown,
    tile_line,
    with_request,
)

BOXES = {
    "boxes": {
        "image_size": [{"width": 640, "height": 480, "depth": 3}],
        "annotations": [{"class_id": 0, "left": 1, "top": 2, "width": 3, "height": 4}],
    },
    "boxes-metadata": {
        "type": "groundtruth/object-detection",
        "job-name": "labeling-job/boxes",
        "human-annotated": "yes",
        "creation-date": "2024-01-07T18:09:52.624174",
        "objects": [{"confidence": 0.9}],
        "class-map": {"0": "cat"},
    },
}
CLASS = {
    "round1": 0,
    "round1-metadata": {
        "type": "groundtruth/image-classification",
        "class-name": "cat",
        "confidence": 0.9,
        "human-annotated": "yes",
        "creation-date": "2024-01-07T18:09:52.624174",
        "job-name": "labeling-job/round1",
    },
}


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


def adjusting(**settings: object) -> JobPlan:
    given: dict[str, object] = {
        "records": [image_line(number, **BOXES) for number in (1, 2, 3)],
        "previous_attribute": "boxes",
    }
    return make_plan("adjust-bounding-box", **{**given, **settings})  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------- all well


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(make_plan, id="images"),
        pytest.param(lambda: make_plan("semantic-segmentation"), id="masks"),
        pytest.param(
            lambda: make_plan("text-classification", records=[{"source": "a text"}]), id="texts"
        ),
        pytest.param(
            lambda: make_plan("text-spans", records=[{"source": "a text"}]), id="AWS page"
        ),
        pytest.param(tiles, id="tiles"),
        pytest.param(adjusting, id="adjustment"),
    ],
)
def test_a_good_plan_has_nothing_to_repair(plan: Callable[[], JobPlan]) -> None:
    checks = checked(plan())
    assert [shown(check) for check in checks if check.status != "ok"] == []
    assert len(checks) >= 8


# ------------------------------------------------------------------------------------------- lines


def test_a_broken_line_is_named_with_its_remedy() -> None:
    plan = make_plan(records=[image_line(1), {**image_line(2), "source": "and a text"}])
    check = one(checked(plan), "manifest")
    assert shown(check) == (
        "error: manifest: line 2: the line has both `source` and `source-ref`\n"
        "    fix: give exactly one of them"
    )


def test_many_broken_lines_are_one_finding_with_their_number() -> None:
    uri = "s3://pets-groundtruth/groundtruth/images/a b%20c.jpg"
    plan = make_plan(records=[{"source-ref": f"{uri}?{number}.jpg"} for number in range(30)])
    check = only_problem(plan)
    assert (check.name, check.status) == ("manifest", "warning")
    assert check.message.endswith("(and 29 more cases like it)")
    assert check.fix.endswith("`gandt validate round1.manifest` lists them")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"note": "x" * 20_001}, "20,000 characters are allowed"),
        ({f"note{n}": "x" * 15_000 for n in range(8)}, "100,000 are allowed"),
        ({"note": "é" * 15_000}, "(30,000 bytes)"),
        ({"$note": 1}, "begins with $"),
    ],
)
def test_limits_of_a_line_are_in_characters_and_bytes(
    record: dict[str, object], words: str
) -> None:
    assert words in only_problem(make_plan(records=[image_line(1, **record)])).message


def test_a_repeated_image_would_be_paid_for_twice() -> None:
    check = only_problem(make_plan(records=[image_line(1), image_line(2), image_line(1)]))
    assert check.status == "warning"
    assert "stands on line 1 too, and would be paid for twice" in check.message


@pytest.mark.parametrize(
    ("task", "objects", "status"),
    [
        ("semantic-segmentation", 20_000, "ok"),
        ("semantic-segmentation", 20_001, "error"),
        ("image-classification", 20_001, "ok"),
        ("image-classification", 100_000, "ok"),
        ("image-classification", 100_001, "warning"),
    ],
)
def test_a_job_takes_so_many_objects(task: str, objects: int, status: str) -> None:
    line = make_plan(task, records=[image_line(1)])
    # The lines themselves are checked elsewhere; here only their number matters.
    many = replace(line, records=line.records * objects)
    check = one(checked(many), "number of objects")
    assert check.status == status
    if status != "ok":
        most = 20_000 if "segmentation" in task else 100_000
        assert f"`split -l {most} -d round1.manifest part-`" in check.fix


def test_a_manifest_on_s3_is_split_on_its_way() -> None:
    plan = make_plan(records=[image_line(1)], manifest="s3://b/my round.manifest")
    check = one(checked(replace(plan, records=plan.records * 100_001)), "number of objects")
    assert "(`aws s3 cp 's3://b/my round.manifest' - | split -l 100000 -d - part-`)" in check.fix


# -------------------------------------------------------------------------------------------- kind


@pytest.mark.parametrize(
    ("task", "record", "message", "fix"),
    [
        (
            "image-classification",
            {"source": "a text"},
            "image-classification needs a file in `source-ref`, and line 1 holds a text",
            "take a task for texts, such as `--task text-classification`",
        ),
        (
            "text-classification",
            image_line(1),
            "text-classification needs a text in `source`, and line 1 holds an image",
            "take a task for images, such as `--task image-classification`",
        ),
        (
            "image-classification",
            tile_line(1),
            "image-classification needs a file in `source-ref`, and line 1 holds a tiled task",
            "only a page of ours shows tiles: take `--template tiles` in place of --task",
        ),
        (
            "text-multi-select",
            tile_line(1),
            "text-multi-select needs a text in `source`, and line 1 holds a tiled task",
            "only a page of ours shows tiles: take `--template tiles` in place of --task",
        ),
    ],
)
def test_objects_must_be_what_the_task_shows(
    task: str, record: dict[str, object], message: str, fix: str
) -> None:
    check = one(checked(make_plan(task, records=[record], images=[])), "kind of objects")
    assert (check.status, check.message, check.fix) == ("error", message, fix)


def test_one_page_cannot_show_everything() -> None:
    plan = tiles(records=[tile_line(0), image_line(7)])
    check = one(checked(plan), "kind of objects")
    assert check.status == "warning"
    assert "mixes tiled tasks and images" in check.message


def test_clips_need_no_suffix_of_images() -> None:
    plan = make_plan(
        "video-classification", records=[{"source-ref": "s3://groundtruth-clips/a.mp4"}], images=[]
    )
    assert [shown(check) for check in checked(plan) if check.status != "ok"] == []


def test_files_that_stayed_behind_are_named() -> None:
    plan = make_plan(records=[image_line(1), {"source-ref": "/photos/x.jpg"}])
    check = only_problem(plan)
    assert shown(check) == (
        "error: files on S3: 1 file would not be on S3: /photos/x.jpg\n"
        "    fix: name them in the manifest by absolute paths that exist, or as s3://bucket/key"
    )


def test_a_file_that_cannot_be_read_is_reported_once() -> None:
    bad = facts("/photos/x.jpg", problem="is empty", format=None)
    plan = make_plan(records=[{"source-ref": "/photos/x.jpg"}], images=[bad])
    check = only_problem(plan)
    assert shown(check) == (
        "error: image files: 1 image of 1 cannot be read: /photos/x.jpg (is empty)\n"
        "    fix: repair or replace these files, or take their lines out of the manifest"
    )


# --------------------------------------------------------------------------------- automated, prior


@pytest.mark.parametrize(
    ("objects", "status"), [(1_249, "error"), (1_250, "warning"), (4_999, "warning"), (5_000, "ok")]
)
def test_automated_labeling_wants_many_objects(objects: int, status: str) -> None:
    plan = make_plan(automated=True, records=[image_line(n) for n in range(objects)], images=[])
    check = one(checked(plan), "automated labeling")
    assert check.status == status
    if objects == 4_999:
        assert check.fix == "leave --automated out, or select 1 more"


def test_adjusting_needs_the_labels_of_every_line() -> None:
    plan = adjusting(records=[image_line(1, **BOXES), image_line(2), image_line(3)])
    check = one(checked(plan), "earlier labels")
    assert check.status == "error"
    assert check.message == ("2 lines of 3 (the first is line 2) lack boxes or boxes-metadata")
    assert check.fix == (
        "take these lines out of the manifest; the manifest holds labels under: boxes"
    )


def test_labels_without_their_metadata_cannot_be_adjusted() -> None:
    plan = adjusting(records=[image_line(1, **BOXES), image_line(2, boxes=BOXES["boxes"])])
    check = one(checked(plan), "earlier labels")
    assert check.message == "1 line of 2 (the first is line 2) lacks boxes or boxes-metadata"


def test_adjusting_a_manifest_without_labels_says_where_they_are() -> None:
    check = one(checked(adjusting(records=[image_line(1)])), "earlier labels")
    assert "the manifest holds no labels at all: launch the output manifest" in check.fix


def test_earlier_labels_are_neither_forgotten_nor_overwritten() -> None:
    plan = adjusting()
    unnamed = replace(plan, settings=replace(plan.settings, previous_attribute=None))
    check = one(checked(unnamed), "earlier labels")
    assert check.status == "error"
    assert check.fix == ("give --previous-attribute NAME; the manifest holds labels under: boxes")
    same = replace(plan, names=replace(plan.names, attribute="boxes"))
    check = one(checked(same), "earlier labels")
    assert check.fix == "give the new ones another name, as `--attribute boxes-checked`"


def test_labels_that_are_there_already_are_left_alone() -> None:
    some = make_plan(records=[image_line(1, **CLASS), image_line(2), image_line(3)])
    check = only_problem(some)
    assert check.status == "warning"
    assert check.message == (
        "1 of 3 lines have a label under round1 already; only the other 2 will be labeled"
    )
    every = make_plan(records=[image_line(1, **CLASS)])
    check = only_problem(every)
    assert check.status == "error"
    assert check.fix == "to label them anew, give another name: `--attribute round1-2`"


# ---------------------------------------------------------------------------------------- settings


def test_labels_are_judged_by_the_rules() -> None:
    check = only_problem(make_plan(labels=("cat", "dog ")))
    assert (check.name, check.status) == ("labels", "error")
    assert "'dog '" in check.message and check.fix == "remove it"


def test_the_request_is_judged_by_the_rules() -> None:
    check = only_problem(make_plan(workers=10))
    assert (check.name, check.status) == ("request", "error")
    assert "10" in check.message and "--workers" in check.fix


def test_the_public_workforce_is_warned_of_and_must_be_told_what_it_gets() -> None:
    checks = checked(make_plan(workteam="public"))
    assert shown(one(checks, "workforce")) == (
        "warning: workforce: Mechanical Turk's documentation announced its end for 2026-09-30\n"
        "    fix: use a private team (`gandt teams create NAME --description …`, then "
        "--workteam NAME)"
    )
    errors = "\n".join(shown(check) for check in checks if check.status == "error")
    assert "--no-personal-data" in errors
    assert "--price" in errors
    stated = make_plan(workteam="public", price="0.036", no_personal_data=True)
    assert only_problem(stated).name == "workforce"


def test_a_price_is_for_the_public_workforce_alone() -> None:
    check = only_problem(make_plan(price="0.036"))
    assert (check.name, check.status) == ("request", "error")
    assert "--price" in check.fix


def test_the_public_workforce_sees_no_vpc() -> None:
    plan = make_plan(
        automated=True,
        workteam="public",
        price="0.036",
        no_personal_data=True,
        subnets=("subnet-0123456789abcdef0",),
        security_groups=("sg-0123456789abcdef0",),
    )
    errors = [check for check in checked(plan) if check.status == "error"]
    assert any("VpcConfig" in check.message and "--subnet" in check.fix for check in errors)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("my-SageMaker-pre", "ok"),
        ("gandt-PreLabelingFunction", "ok"),
        ("GtRecipeX", "ok"),
        ("sagemaker_x", "ok"),
        ("my-pre", "warning"),
        ("SAGEMAKER-pre", "warning"),
    ],
)
def test_functions_bear_a_name_that_the_role_may_invoke(name: str, status: str) -> None:
    check = one(checked(tiles(pre_lambda=name)), f"name of --pre-lambda {name}")
    assert check.status == status
    if status == "warning":
        policy = json.loads(shlex.split(check.fix.split("`")[1])[-1])
        assert policy["Statement"][0]["Resource"] == (
            f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
        )
        assert "--role-name GroundTruthRole" in check.fix


def test_functions_of_aws_need_no_such_name() -> None:
    assert named(checked(make_plan()), "name of …") == []


@pytest.mark.parametrize(
    ("settings", "outside"),
    [
        ({}, None),
        ({"bucket": "pets", "prefix": "groundtruth"}, None),
        ({"bucket": "pets", "prefix": "labels"}, "s3://pets/labels/jobs"),
        ({"bucket": "sagemaker-pets", "prefix": "labels"}, None),
    ],
)
def test_the_managed_policy_covers_names_with_certain_words(
    settings: dict[str, str], outside: str | None
) -> None:
    check = one(checked(make_plan(**settings)), "names on S3")
    assert check.status == ("ok" if outside is None else "warning")
    assert outside is None or outside in check.message


def test_images_elsewhere_are_not_covered() -> None:
    plan = make_plan(records=[{"source-ref": "s3://holidays/2024/a.jpg"}])
    assert "s3://holidays/2024/a.jpg" in only_problem(plan).message


# -------------------------------------------------------------------------------------------- page


def test_a_page_that_asks_for_what_no_line_has_is_an_error() -> None:
    page = (
        '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script><crowd-form>'
        '<crowd-image-classifier name="c" src="{{ task.input.taskObject | grant_read_access }}" '
        'header="{{ task.input.headline }}" '
        'categories="{{ task.input.labels | to_json | escape }}"></crowd-image-classifier>'
        "</crowd-form>"
    )
    check = one(checked(make_plan(page=page)), "worker page")
    assert check.status == "error"
    assert "`task.input.headline` is on none of the 3 lines tried" in check.message


def test_a_page_without_a_lambda_sees_the_line_itself() -> None:
    plan = tiles(records=[{"source": tile_line(1)["source"]}])
    check = only_problem(plan)
    assert check.name == "worker page"
    assert "Liquid cannot decode the tiles" in check.message
    assert checked(tiles(records=plan.records, pre_lambda="PreLabelingFunction"))[-1].status == "ok"


def test_liquid_that_breaks_on_a_line_is_reported() -> None:
    page = "<crowd-form>{{ task.input.taskObject | divided_by: 0 }}</crowd-form>"
    check = one(checked(make_plan(page=page, template="mine.html")), "worker page")
    assert check.status == "error"
    assert "`gandt template render mine.html --manifest round1.manifest`" in check.fix


def test_a_page_may_not_be_too_long() -> None:
    long = tiles().template
    assert long is not None
    plan = tiles(page=long + f"<!-- {'x' * 128_000} -->")
    assert "Ground Truth takes 128,000" in only_problem(plan).message


def test_the_page_is_tried_with_lines_from_first_to_last() -> None:
    page = (
        '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script><crowd-form>'
        '<img src="{{ task.input.source-ref | grant_read_access }}" alt="">{{ task.input.hint }}'
        '<input name="a"></crowd-form>'
    )
    records = [image_line(n, hint="x") for n in range(1, 1000)] + [image_line(1000)]
    plan = make_plan("custom", records=records, images=[], page=page, template="mine.html")
    check = one(checked(plan), "worker page")
    assert check.status == "warning"
    assert "first missing on line 1000 of the manifest" in check.message


# ------------------------------------------------------------------------------------------ pieces


def test_all_that_browsers_load_counts() -> None:
    assert list(references(tile_line(1))) == [
        f"s3://{BUCKET}/groundtruth/images/001-2.jpg",
        f"s3://{BUCKET}/groundtruth/images/001-3.jpg",
        f"s3://{BUCKET}/groundtruth/images/good.jpg",
    ]
    mask = {"source-ref": "s3://a/x.jpg", "old-ref": "s3://masks/x.png"}
    assert list(references(mask, previous_attribute="old-ref")) == [
        "s3://a/x.jpg",
        "s3://masks/x.png",
    ]
    assert list(references({"source": "a text"})) == []
    source = signed_source("s3://examples/it's a cat.jpg")
    page = f'<img src="{source}">'
    assert image_buckets(make_plan(page=page)) == ("examples", BUCKET)
    plan = make_plan(records=[image_line(1, "zoo"), image_line(2, "art"), image_line(3, "zoo")])
    assert image_buckets(plan) == ("art", "zoo")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="`\0"))))
def test_commands_can_be_copied_whatever_they_name(words: list[str]) -> None:
    assert shlex.split(command("aws", *words)[1:-1]) == ["aws", *words]


@given(st.lists(st.text("abc", min_size=1, max_size=3)))
def test_long_lists_are_cut_and_counted(names: list[str]) -> None:
    text = listed(names)
    if len(names) <= 3:
        assert text == ", ".join(names)
    else:
        assert text == f"{', '.join(names[:3])} and {len(names) - 3:,} more"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["source", "source-ref", "tiles", "boxes", "boxes-metadata", "positive_examples", "round1"]
)


@given(st.lists(st.dictionaries(KEYS, JSON), min_size=1, max_size=4), st.sampled_from("abcd"))
def test_no_line_however_strange_makes_a_check_fail(
    records: list[dict[str, object]], which: str
) -> None:
    plans = {
        "a": make_plan,
        "b": lambda **more: make_plan("text-classification", **more),
        "c": tiles,
        "d": adjusting,
    }
    plan = plans[which](records=[image_line(1)], images=[])
    contents = "".join(json.dumps(record) + "\n" for record in records).encode()
    strange = replace(plan, records=tuple(records), contents={plan.documents.manifest: contents})
    assert_well_said(check_offline(strange))


@pytest.mark.parametrize("role", ["nonsense", "arn:", "arn:aws:iam::x:role"])
@pytest.mark.parametrize("function", ["arn:aws:lambda", "arn::", "arn:aws:lambda:::function:"])
def test_arns_that_are_none_are_refused_in_words(role: str, function: str) -> None:
    plan = tiles(role=role, pre_lambda=function)
    errors = [check.message for check in checked(plan) if check.status == "error"]
    assert any(message.startswith("RoleArn") for message in errors), errors
    assert any("PreHumanTaskLambdaArn" in message for message in errors), errors


def test_a_request_that_the_model_forbids_stops_no_other_check() -> None:
    plan = with_request(make_plan(), LabelingJobName="not_legal")
    assert [check.name for check in checked(plan) if check.status == "error"] == ["request"]


def test_tasks_that_offer_other_labels_than_the_job_are_told() -> None:
    plan = tiles(records=[tile_line(0), tile_line(1)], labels=("cat", "cow"))
    check = one(check_offline(plan), "labels of the tasks")
    assert check.status == "warning"
    assert "line 1 offers cat, dog, Other, and its page goes by that" in check.message
    assert check.fix.startswith("give `--labels cat,dog,Other`, or make")
    assert_well_said([check])
    assert named(check_offline(tiles()), "labels of the tasks") == []
    own = tiles(records=[tile_line(0)], labels=("Other", "cat", "dog", "None of the above"))
    assert named(check_offline(own), "labels of the tasks") == []
