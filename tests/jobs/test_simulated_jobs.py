"""Simulated workers: what a job writes is what its readers expect, for every kind of task."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from simulated_workers import Misbehavior, Worker, crew

from gandt.answers import Box, Mask, Span
from gandt.groundtruth.output import read_output
from gandt.groundtruth.responses import read_answers
from gandt.labeling.templates import bake, read_template
from gandt.labeling.widgets import widget_page

if TYPE_CHECKING:
    from aws_fixtures import Aws
    from aws_objects import AwsBucket
    from labeling_job import LabelingJob

GOOD = Misbehavior.none()
PERFECT = crew(5, accuracy=1.0)
LABELS = ["cat", "dog", 'a "b" & <c>']
SIZE = (64, 48)
STAMP = re.compile(r"\d{4}-\d\d-\d\d_\d\d:\d\d:\d\d\.json")
Lines = Sequence[dict[str, Any]]
Labeling = Callable[..., "LabelingJob"]


@pytest.fixture
def bucket(aws: Aws) -> AwsBucket:
    return aws.bucket()


@pytest.fixture
def images(bucket: AwsBucket, picture: Callable[..., bytes]) -> list[dict[str, Any]]:
    """Lines about six pictures, whose keys are not easy."""
    names = ("a.png", "b c.png", "é+%.png", "d.png", "e.png", "f.png")
    return [
        {"source-ref": bucket.put(f"in/{name}", picture((n, 0, 0), SIZE)), "gandt-rank": n}
        for n, name in enumerate(names)
    ]


@pytest.fixture
def label(aws: Aws, bucket: AwsBucket) -> Labeling:
    """Launch a job about these lines and let perfect workers finish it."""

    def run(
        code: str,
        lines: Lines,
        template: str | None,
        *,
        name: str = "Round-1",
        attribute: str = "label",
        labels: Sequence[str] = LABELS,
        top: dict[str, Any] | None = None,
        human: dict[str, Any] | None = None,
        **work: Any,
    ) -> LabelingJob:
        manifest = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        document = {
            "document-version": "2018-11-28",
            "labels": [{"label": x} for x in labels],
            "instructions": {"shortInstruction": "Mark.", "fullInstruction": "Mark all."},
        }
        page = template and bucket.put(f"{name}/page.liquid", template.encode())
        categories = bucket.put(f"{name}/categories.json", json.dumps(document).encode())
        request = aws.job_request(
            name,
            code,
            manifest=bucket.put(f"{name}/in.manifest", manifest.encode()),
            output=bucket.uri("output/"),
            categories=categories if code else None,
            template=page,
            attribute=attribute,
            **(human or {}),
        )
        aws.call("sagemaker", "create_labeling_job", **request | (top or {}))
        return aws.sagemaker.work(name, **{"workers": PERFECT, "misbehavior": GOOD} | work)

    return run


def output(job: LabelingJob) -> str:
    return f"{job.root}/manifests/output/output.manifest"


def lines_of(aws: Aws, job: LabelingJob) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (aws.objects.get(output(job)) or b"").splitlines()]


def references(lines: Lines) -> list[str]:
    return [str(line["source-ref"]) for line in lines]


@pytest.mark.parametrize(
    ("code", "task", "shape"),
    [
        ("ImageMultiClass", "image-classification", "single"),
        ("ImageMultiClassMultiLabel", "image-multi-select", "multi"),
    ],
)
def test_images_get_classes(
    images: Lines, label: Labeling, code: str, task: str, shape: str
) -> None:
    said = (
        [LABELS[n % 3] for n in range(6)]
        if shape == "single"
        else [LABELS[: n % 3 + 1] for n in range(6)]
    )
    truth = dict(zip(references(images), said, strict=True))
    job = label(code, images, widget_page(task), truth=truth)
    answers = read_answers([job.root])
    assert answers.kind == shape
    assert answers.oddities == ()
    assert Counter(answers.task) == dict.fromkeys(truth, 3)
    wanted = {uri: tuple(x) if shape == "multi" else x for uri, x in truth.items()}
    assert all(wanted[uri] == row for uri, row in zip(answers.task, answers.label, strict=True))
    assert answers.classes == tuple(LABELS)
    rows = read_output(output(job)).rows
    assert [row.reference for row in rows] == references(images)
    assert [row.status for row in rows] == ["labeled"] * 6
    assert [set(row.label if isinstance(row.label, tuple) else [row.label]) for row in rows] == [
        set(x if isinstance(x, list) else [x]) for x in said
    ]
    assert all(row.record["gandt-rank"] == n for n, row in enumerate(rows))


@pytest.mark.parametrize(
    ("code", "task", "shape"),
    [
        ("TextMultiClass", "text-classification", "single"),
        ("TextMultiClassMultiLabel", "text-multi-select", "multi"),
    ],
)
def test_texts_get_classes(label: Labeling, code: str, task: str, shape: str) -> None:
    texts = ["The food was <delicious>", "Zoë: “ok” 🎂", "{{ x }}"]
    said = [["cat"], ["dog"], ["cat"]]
    truth = {t: x if shape == "multi" else x[0] for t, x in zip(texts, said, strict=True)}
    job = label(code, [{"source": text} for text in texts], widget_page(task), truth=truth)
    answers = read_answers([job.root])
    assert answers.kind == shape
    assert set(answers.task) == set(texts)
    labels = [list(x) if isinstance(x, tuple) else [x] for x in answers.label]
    assert labels == [said[texts.index(text)] for text in answers.task]
    assert read_output(output(job)).counts == {"labeled": 3}


def test_boxes_are_drawn_and_averaged(aws: Aws, images: Lines, label: Labeling) -> None:
    one = {"label": "cat", "left": 10, "top": 8, "width": 20, "height": 16}
    two = {"label": "dog", "left": 40, "top": 20, "width": 12, "height": 20}
    truth = dict(zip(references(images), [[one], [one, two], [], [two], [one], [two]], strict=True))
    job = label("BoundingBox", images, widget_page("bounding-box"), truth=truth)
    answers = read_answers([job.root])
    assert answers.kind == "boxes"
    assert set(answers.image_sizes.values()) == {SIZE}
    for uri, boxes in zip(answers.task, answers.label, strict=True):
        assert boxes == tuple(Box(**box) for box in truth[uri])
    rows = read_output(output(job)).rows
    assert [len(row.label or ()) for row in rows] == [1, 2, 0, 1, 1, 1]  # type: ignore[arg-type]
    empty = lines_of(aws, job)[2]
    assert empty["label"]["annotations"] == []
    assert (empty["label-metadata"]["objects"], empty["label-metadata"]["class-map"]) == ([], {})


def test_boxes_of_different_workers_lie_close_to_the_truth(images: Lines, label: Labeling) -> None:
    box = {"label": "cat", "left": 16, "top": 12, "width": 32, "height": 24}
    truth = {uri: [box] for uri in references(images)}
    workers = crew(5, accuracy=0.93)
    job = label("BoundingBox", images, widget_page("bounding-box"), truth=truth, workers=workers)
    drawn = {boxes for boxes in read_answers([job.root]).label}
    assert len(drawn) > 3  # they differ
    for row in read_output(output(job)).rows:
        assert isinstance(row.label, tuple)
        for found in row.label:
            assert isinstance(found, Box)
            assert abs(found.left - 16) < 3
            assert abs(found.width - 32) < 4


def test_areas_are_painted(aws: Aws, images: Lines, label: Labeling) -> None:
    areas = np.zeros(SIZE[::-1], np.uint8)
    areas[10:30, 5:40] = 1
    areas[30:40, 20:60] = 3
    job = label(
        "SemanticSegmentation",
        images[:2],
        widget_page("semantic-segmentation"),
        attribute="label-ref",
        truth=dict.fromkeys(references(images), areas),
    )
    answers = read_answers([job.root])
    assert answers.kind == "mask"
    for mask in answers.label:
        assert isinstance(mask, Mask)
        names = np.array(mask.classes)[mask.pixels]
        assert (names[10:30, 5:40] == "cat").all()
        assert (names[30:40, 20:60] == LABELS[2]).all()
        assert (names == "BACKGROUND").sum() == (areas == 0).sum()
    row = read_output(output(job)).rows[0]
    assert row.mask_uri
    assert row.mask_uri.startswith(f"{job.root}/annotations/consolidated-annotation/output/0_")
    data = aws.objects.get(row.mask_uri)
    assert data
    assert data.startswith(b"\x89PNG")


def test_spans_are_marked(label: Labeling) -> None:
    text = "Zoë moved to Kraków on 3 May 2021. 🎂"
    spans = [
        {"label": "cat", "startOffset": 0, "endOffset": 3},
        {"label": "dog", "startOffset": 13, "endOffset": 19},
    ]
    job = label("NamedEntityRecognition", [{"source": text}], None, truth={text: spans})
    answers = read_answers([job.root])
    assert answers.kind == "spans"
    assert set(answers.label) == {(Span("cat", 0, 3), Span("dog", 13, 19))}
    (row,) = read_output(output(job)).rows
    assert isinstance(row.label, tuple)
    assert [(part.label, part.start) for part in row.label if isinstance(part, Span)] == [
        ("cat", 0),
        ("dog", 13),
    ]


def test_boxes_are_judged_and_repaired_by_later_jobs(
    aws: Aws, bucket: AwsBucket, images: Lines, label: Labeling
) -> None:
    box = {"label": "dog", "left": 10, "top": 8, "width": 20, "height": 16}
    better = box | {"left": 12}
    uris = references(images)
    first = label(
        "BoundingBox",
        images,
        widget_page("bounding-box"),
        attribute="boxes",
        truth={uri: [box] for uri in uris},
    )
    page = widget_page("verify-bounding-box", previous_attribute="boxes")
    talking = [Worker(w.id, 1.0, quirks=frozenset({"commenting"})) for w in PERFECT]
    second = label(
        "VerificationBoundingBox",
        lines_of(aws, first),
        page,
        name="Check",
        attribute="check",
        labels=["good", "bad"],
        truth=dict.fromkeys(uris, "bad"),
        workers=talking,
    )
    answers = read_answers([second.root], attribute="check")
    assert set(answers.label) == {"bad"}
    line = lines_of(aws, second)[0]
    assert line["check-metadata"]["type"] == "groundtruth/label-verification"
    assert line["check-metadata"]["worker-feedback"][0]["comment"]
    assert "boxes-metadata" in line
    third = label(
        "AdjustmentBoundingBox",
        lines_of(aws, second),
        widget_page("adjust-bounding-box", previous_attribute="boxes"),
        name="Repair",
        attribute="repaired",
        truth={uri: [better] for uri in uris[:3]},  # the others are left as they are
    )
    lines = lines_of(aws, third)
    states = [line["repaired-metadata"]["adjustment-status"] for line in lines]
    assert states == ["adjusted"] * 3 + ["unadjusted"] * 3
    lefts = [line["repaired"]["annotations"][0]["left"] for line in lines]
    assert lefts == [12, 12, 12, 10, 10, 10]


def test_areas_are_judged_and_repaired_by_later_jobs(
    aws: Aws, images: Lines, label: Labeling
) -> None:
    areas = np.zeros(SIZE[::-1], np.uint8)
    areas[10:30, 5:40] = 2
    truth = dict.fromkeys(references(images), areas)
    first = label(
        "SemanticSegmentation",
        images[:2],
        widget_page("semantic-segmentation"),
        attribute="areas-ref",
        truth=truth,
    )
    for code, task, attribute, said in (
        ("VerificationSemanticSegmentation", "verify-segmentation", "check", "dog"),
        ("AdjustmentSemanticSegmentation", "adjust-segmentation", "repaired-ref", areas),
    ):
        job = label(
            code,
            lines_of(aws, first),
            widget_page(task, previous_attribute="areas-ref"),
            name=task,
            attribute=attribute,
            truth=dict.fromkeys(references(images), said),
        )
        assert read_output(output(job), attribute=attribute).counts == {"labeled": 2}
        metadata = lines_of(aws, job)[0][f"{attribute}-metadata"]
        if attribute == "check":
            assert metadata["class-name"] == "dog"
        else:
            assert metadata["adjustment-status"] == "adjusted"


def tiles(images: Lines, **more: Any) -> list[dict[str, Any]]:
    """Two tasks of three images, dealt round-robin, as G&T writes them."""
    made = []
    for task in range(2):
        chosen = [
            {"source-ref": images[n]["source-ref"], "index": n} for n in (task, task + 2, task + 4)
        ]
        chosen[0] |= {"event_names": ["cat", "dog"], "other_category_label": "None of the above"}
        made.append({"source": json.dumps(chosen), **{k: f(chosen) for k, f in more.items()}})
    return made


TILE_TRUTH = [["cat"], ["dog"], ["cat", "dog"], ["None of the above"], ["cat"], ["dog"]]


def test_tiles_are_answered_on_the_page_alone(aws: Aws, images: Lines, label: Labeling) -> None:
    truth = dict(zip(references(images), TILE_TRUTH, strict=True))
    job = label("", tiles(images), read_template("tiles"), truth=truth)
    answers = read_answers([job.root])
    assert answers.kind == "multi"
    assert Counter(answers.task) == dict.fromkeys(truth, 3)
    assert all(
        tuple(truth[uri]) == row for uri, row in zip(answers.task, answers.label, strict=True)
    )
    line = lines_of(aws, job)[1]
    assert line["label"] == {}
    assert line["label-metadata"]["job-name"] == "round-1"
    reference = line["label-metadata"]["worker-response-ref"]
    assert len(json.loads(aws.objects.get(reference) or b"")["answers"]) == 3


def test_tiles_are_answered_by_way_of_our_lambda_functions(
    aws: Aws, images: Lines, label: Labeling
) -> None:
    """The URIs were rewritten for the job; the names in the pool are what counts."""
    pool = [f"/pool/{n}.png" for n in range(6)]
    names = dict(zip(references(images), pool, strict=True))
    truth = dict(zip(pool, TILE_TRUTH, strict=True))
    uris = {"gandt-pool-uris": lambda chosen: [names[tile["source-ref"]] for tile in chosen]}
    functions = [aws.lambdas.add(f"gandt-{step}LabelingFunction") for step in ("Pre", "Post")]
    human = {
        "PreHumanTaskLambdaArn": functions[0],
        "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": functions[1]},
    }
    page = read_template("tiles")
    job = label("", tiles(images, **uris), page, truth=truth, human=human)
    answers = read_answers([job.root])
    assert Counter(answers.task) == dict.fromkeys(truth, 3)
    assert all(
        tuple(truth[uri]) == row for uri, row in zip(answers.task, answers.label, strict=True)
    )
    before, after = (aws.lambdas.functions[arn].events for arn in functions)
    assert [set(event) for event in before] == [{"version", "labelingJobArn", "dataObject"}] * 2
    assert after[0]["payload"]["s3Uri"].startswith(f"{job.root}/annotations/consolidated-")
    line = lines_of(aws, job)[0]
    assert len(line["label"]["responses"]) == 3
    assert line["label-metadata"]["type"] == "groundtruth/custom"
    assert "worker-response-ref" not in line["label-metadata"]


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("image-classification", "dog"),
        ("image-multi-select", ["cat", "dog"]),
        ("bounding-box", [{"label": "cat", "left": 4, "top": 4, "width": 9, "height": 9}]),
    ],
)
def test_our_own_pages_are_filled_in(images: Lines, label: Labeling, page: str, said: Any) -> None:
    template = bake(read_template(page), labels=LABELS)
    job = label("", images, template, truth=dict.fromkeys(references(images), said))
    answers = read_answers([job.root])
    wanted = (
        said
        if isinstance(said, str)
        else tuple(Box(**part) if isinstance(part, dict) else part for part in said)
    )
    assert len(answers) == 18
    assert set(answers.label) == {wanted}


@pytest.mark.parametrize("page", ["text-classification", "text-spans"])
def test_our_own_pages_for_texts_are_filled_in(label: Labeling, page: str) -> None:
    said: Any = "cat"
    if page == "text-spans":
        said = [{"label": "cat", "startOffset": 2, "endOffset": 5}]
    template = bake(read_template(page), labels=LABELS)
    job = label("", [{"source": "a text"}], template, truth={"a text": said})
    assert set(read_answers([job.root]).label) == {
        "cat" if page == "text-classification" else (Span("cat", 2, 5),)
    }


def test_native_inputs_send_maps_of_ticks(images: Lines, label: Labeling) -> None:
    page = (
        '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script><crowd-form>'
        '<input type="radio" name="q" value="cat"><input type="radio" name="q" value="dog">'
        "</crowd-form>"
    )
    job = label("", images, page, truth=dict.fromkeys(references(images), "dog"))
    contents = [sent.content for o in job.outcomes.values() for sent in o.submissions]
    assert contents[0] == {"q": {"cat": False, "dog": True}}
    answers = read_answers([job.root])
    assert (answers.kind, set(answers.label)) == ("single", {"dog"})


def test_the_folder_is_laid_out_as_ground_truth_does(
    aws: Aws, bucket: AwsBucket, images: Lines, label: Labeling
) -> None:
    job = label(
        "ImageMultiClass",
        images,
        widget_page("image-classification"),
        misbehavior=Misbehavior(restamp=1.0, twice=1.0),
        human={"MaxConcurrentTaskCount": 4},
    )
    keys = [key.removeprefix("output/Round-1/") for key in bucket.keys("output/")]
    responses = [key.split("/") for key in keys if key.startswith("annotations/worker-response/")]
    assert {parts[2] for parts in responses} == {"iteration-1", "iteration-2"}
    assert sorted({parts[3] for parts in responses}) == ["0", "1", "2", "3", "4", "5"]
    assert len(responses) == 12  # two files each
    assert all(STAMP.fullmatch(parts[4]) for parts in responses)
    for folder in ("consolidation-request", "consolidation-response"):
        place = f"annotations/consolidated-annotation/{folder}/iteration-2/"
        (key,) = [key for key in keys if key.startswith(place)]
        assert STAMP.fullmatch(key.removeprefix(place))
    for key in (
        *("annotation-tool/data.json", "annotation-tool/template.liquid"),
        *("manifests/output/output.manifest", "annotations/intermediate/1/annotations.manifest"),
    ):
        assert key in keys
    assert any(key.startswith("temp/") for key in keys)
    request = next(key for key in keys if "/consolidation-request/iteration-1/" in key)
    entry = json.loads(bucket.get(f"output/Round-1/{request}"))[0]
    assert set(entry) == {"datasetObjectId", "dataObject", "annotations"}
    assert set(entry["dataObject"]) == {"s3Uri"}
    assert isinstance(entry["annotations"][0]["annotationData"]["content"], str)
    response = json.loads(bucket.get("output/Round-1/" + "/".join(responses[-1])))["answers"][0]
    assert set(response) == {
        *("acceptanceTime", "answerContent", "submissionTime", "timeSpentInSeconds"),
        *("workerId", "workerMetadata"),
    }
    answers = read_answers([job.root])
    assert len(answers) == 18  # what came twice counts once
    assert {oddity.kind for oddity in answers.oddities} == {"duplicate"}


@pytest.mark.parametrize(
    ("code", "task", "said", "keys"),
    [
        ("ImageMultiClass", "image-classification", "cat", {"class-name", "confidence"}),
        (
            "ImageMultiClassMultiLabel",
            "image-multi-select",
            ["cat"],
            {"class-map", "confidence-map"},
        ),
        ("BoundingBox", "bounding-box", [], {"objects", "class-map"}),
        ("", "image-classification", "cat", {"worker-response-ref"}),
    ],
)
def test_metadata_have_the_keys_of_real_jobs(
    aws: Aws, images: Lines, label: Labeling, code: str, task: str, said: Any, keys: set[str]
) -> None:
    page = widget_page(task)
    if not code:
        page = bake(read_template(task), labels=LABELS)
    truth = {uri: said for uri in references(images)}
    line = lines_of(aws, label(code, images[:1], page, truth=truth))[0]
    metadata = line["label-metadata"]
    assert set(metadata) == keys | {"type", "job-name", "human-annotated", "creation-date"}
    assert metadata["job-name"] == ("labeling-job/round-1" if code else "round-1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", metadata["creation-date"])


def test_workers_of_old_jobs_leave_no_times(aws: Aws, images: Lines, label: Labeling) -> None:
    old = crew(3, public=True, quirks=["legacy"])
    job = label("ImageMultiClass", images, widget_page("image-classification"), workers=old)
    answers = read_answers([job.root])
    assert len(answers) == 18
    assert all(when and "." not in when for when in answers.submitted_at)
    assert all(seconds is None for seconds in answers.seconds_spent)


def test_a_public_job_begins_with_ten_objects(
    aws: Aws, bucket: AwsBucket, label: Labeling, picture: Callable[..., bytes]
) -> None:
    lines = [{"source-ref": bucket.put(f"in/{n}.png", picture())} for n in range(14)]
    about = {"DataAttributes": {"ContentClassifiers": ["FreeOfPersonallyIdentifiableInformation"]}}
    where = {"S3DataSource": {"ManifestS3Uri": bucket.uri("Round-1/in.manifest")}}
    price = {"AmountInUsd": {"Dollars": 0, "Cents": 1, "TenthFractionsOfACent": 2}}
    job = label(
        "ImageMultiClass",
        lines,
        widget_page("image-classification"),
        top={"InputConfig": {"DataSource": where, **about}},
        human={"WorkteamArn": aws.public_team, "PublicWorkforceTaskPrice": price},
        workers=None,
    )
    assert Counter(outcome.iteration for outcome in job.outcomes.values()) == {1: 10, 2: 4}
    worker = job.outcomes[0].submissions[0].worker
    assert re.fullmatch(r"public\.us-east-1\.[A-Z2-7]{26}", worker)


def test_what_expires_has_failed_and_says_so(aws: Aws, images: Lines, label: Labeling) -> None:
    job = label("ImageMultiClass", images, widget_page("image-classification"), workers=[])
    assert job.status == "Completed"
    assert job.counters()["FailedNonRetryableError"] == 6
    line = lines_of(aws, job)[0]
    assert "label" not in line
    assert set(line["label-metadata"]) == {"retry-count", "failure-reason", "human-annotated"}
    assert read_output(output(job)).counts == {"failed": 6}


def test_some_workers_never_answer(images: Lines, label: Labeling) -> None:
    job = label(
        "ImageMultiClass",
        images,
        widget_page("image-classification"),
        misbehavior=Misbehavior(leave=1.0),
        workers=[*crew(3), Worker("private.us-east-1.0", quirks=frozenset({"silent"}))],
    )
    assert set(Counter(read_answers([job.root]).task).values()) == {2}
    alone = label(
        "ImageMultiClass",
        images,
        widget_page("image-classification"),
        name="Alone",
        workers=crew(1),
    )
    assert {row.confidence for row in read_output(output(alone)).rows} == {None}


def test_what_goes_wrong_by_default_is_a_little(
    bucket: AwsBucket, label: Labeling, picture: Callable[..., bytes]
) -> None:
    lines = [{"source-ref": bucket.put(f"in/{n}.png", picture())} for n in range(200)]
    page = widget_page("image-classification")
    job = label("ImageMultiClass", lines, page, misbehavior=None)
    sizes = Counter(len(set(s.worker for s in o.submissions)) for o in job.outcomes.values())
    assert 0 < sizes[0] < 10
    assert 0 < sizes[2] < 20
    assert sizes[3] > 170
    kinds = Counter(oddity.kind for oddity in read_answers([job.root]).oddities)
    assert kinds["duplicate"] > 0


@pytest.mark.parametrize(
    ("stop", "count"),
    [({"MaxHumanLabeledObjectCount": 4}, 4), ({"MaxPercentageOfInputDatasetLabeled": 50}, 3)],
)
def test_stopping_conditions_stop_the_job(
    aws: Aws, images: Lines, label: Labeling, stop: dict[str, int], count: int
) -> None:
    page = widget_page("image-classification")
    job = label("ImageMultiClass", images, page, top={"StoppingConditions": stop})
    assert job.status == "Stopped"
    assert job.counters()["HumanLabeled"] == count
    assert read_output(output(job)).counts == {"labeled": count, "unlabeled": 6 - count}


def test_a_chained_job_asks_only_about_what_has_no_label(
    aws: Aws, images: Lines, label: Labeling
) -> None:
    page = widget_page("image-classification")
    first = label("ImageMultiClass", images, page, objects=4)
    before = lines_of(aws, first)
    second = label("ImageMultiClass", before, page, name="Round-2", workers=crew(3))
    assert len(second.outcomes) == 2
    after = lines_of(aws, second)
    assert all("label-metadata" in line for line in after)
    kept = [n for n, line in enumerate(before) if "label" in line]
    assert [after[n] for n in kept] == [before[n] for n in kept]


def test_a_model_labels_what_people_leave(
    bucket: AwsBucket, label: Labeling, picture: Callable[..., bytes]
) -> None:
    data = picture()
    lines = [{"source-ref": bucket.put(f"in/{n}.png", data)} for n in range(1250)]
    algorithm = "labeling-job-algorithm-specification/image-classification"
    arn = f"arn:aws:sagemaker:us-east-1:027400017018:{algorithm}"
    truth = {uri: LABELS[n % 2] for n, uri in enumerate(references(lines))}
    job = label(
        "ImageMultiClass",
        lines,
        widget_page("image-classification"),
        truth=truth,
        top={"LabelingJobAlgorithmsConfig": {"LabelingJobAlgorithmSpecificationArn": arn}},
        human={"NumberOfHumanWorkersPerDataObject": 1},
    )
    assert job.status == "Completed"
    counters = job.counters()
    assert counters["HumanLabeled"] == 500
    assert counters["MachineLabeled"] == 750
    assert ":model/" in job.described()["LabelingJobOutput"]["FinalActiveLearningModelArn"]
    answers = read_answers([job.root])
    assert len(answers.machine) == 750
    assert all(truth[uri] == made[0] for uri, made in answers.machine.items())


def broken(images: Lines, aws: Aws, bucket: AwsBucket, picture: Callable[..., bytes]) -> Lines:
    closed = aws.bucket(cors=False)
    return [
        {"source-ref": bucket.uri("in/nothing.png")},
        {"source-ref": bucket.put("in/text.png", b"no picture")},
        {"source-ref": bucket.put("in/a.gif", picture(form="GIF"))},
        {"source-ref": closed.put("a.png", picture())},
        images[0],
    ]


def test_images_that_a_worker_cannot_see_fail(
    aws: Aws,
    bucket: AwsBucket,
    images: Lines,
    label: Labeling,
    picture: Callable[..., bytes],
) -> None:
    lines = broken(images, aws, bucket, picture)
    job = label("ImageMultiClass", lines, widget_page("image-classification"))
    reasons = [job.outcomes[n].failure for n in range(5)]
    for reason, said in zip(
        reasons, ("does not exist", "cannot be read", "is GIF", "expired"), strict=False
    ):
        assert reason
        assert said in reason
    assert reasons[4] is None


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<crowd-form>{% if %}", "cannot be rendered"),
        ("<p>nothing</p>", "no crowd-form"),
        (widget_page("bounding-box"), "has no <crowd-image-classifier"),
        (
            widget_page("image-classification").replace("| to_json | escape", ""),
            "is no JSON",
        ),
    ],
)
def test_a_page_that_does_not_work_fails_its_tasks(
    images: Lines, label: Labeling, page: str, said: str
) -> None:
    job = label("ImageMultiClass", images, page)
    failures = {outcome.failure for outcome in job.outcomes.values()}
    assert len(failures) == 1
    assert said in str(failures)


def test_a_function_that_fails_is_the_failure_of_its_objects(
    aws: Aws, images: Lines, label: Labeling
) -> None:
    def choosy(event: Any, context: object) -> object:
        number = event["dataObject"]["gandt-rank"]
        if number == 0:
            raise RuntimeError("no")
        if number == 1:
            return {}
        return {"taskInput": event["dataObject"], "isHumanAnnotationRequired": number != 2}

    pre = aws.lambdas.add("own-LabelingFunction", handler=choosy)
    page = bake(read_template("image-classification"), labels=LABELS)
    job = label("", images, page, human={"PreHumanTaskLambdaArn": pre})
    assert "failed: RuntimeError('no')" in str(job.outcomes[0].failure)
    assert "no taskInput" in str(job.outcomes[1].failure)
    assert job.passed == {2}
    assert job.status == "Completed"
    assert job.counters()["HumanLabeled"] == 3


def test_a_function_whose_name_the_role_does_not_cover_is_denied(
    aws: Aws, images: Lines, label: Labeling
) -> None:
    own = aws.lambdas.add("my-function", handler=lambda event, context: {})
    page = bake(read_template("image-classification"), labels=LABELS)
    config = {"AnnotationConsolidationLambdaArn": own}
    for human in ({"PreHumanTaskLambdaArn": own}, {"AnnotationConsolidationConfig": config}):
        job = label("", images, page, name=f"Round-{len(aws.sagemaker.jobs)}", human=human)
        assert len(job.outcomes) == len(images)
        assert all("AccessDenied" in str(outcome.failure) for outcome in job.outcomes.values())


def test_a_post_annotation_function_that_breaks_fails_the_batch(
    aws: Aws, images: Lines, label: Labeling
) -> None:
    def half(event: Any, context: object) -> object:
        return [
            {"datasetObjectId": "0", "consolidatedAnnotation": {"content": {"label": {"x": 1}}}}
        ]

    post = aws.lambdas.add("half-LabelingFunction", handler=half)
    config = {"AnnotationConsolidationLambdaArn": post}
    page = bake(read_template("image-classification"), labels=LABELS)
    job = label("", images, page, human={"AnnotationConsolidationConfig": config})
    assert lines_of(aws, job)[0]["label"] == {"x": 1}
    assert "left the object out" in str(job.outcomes[1].failure)
    assert job.counters()["FailedNonRetryableError"] == 5


@pytest.mark.parametrize(
    ("quirk", "kind"), [("stray", "unknown label"), ("empty", "empty"), ("twice", "duplicate")]
)
def test_odd_workers_are_told_by_the_reader(
    images: Lines, label: Labeling, quirk: str, kind: str
) -> None:
    odd = Worker("private.us-east-1.00000000000000ff", quirks=frozenset({quirk}))
    page = widget_page("image-classification")
    job = label("ImageMultiClass", images, page, workers=[*crew(2), odd])
    assert {oddity.kind for oddity in read_answers([job.root]).oddities} == {kind}


def test_workers_differ_in_accuracy_and_pace(
    bucket: AwsBucket, label: Labeling, picture: Callable[..., bytes]
) -> None:
    lines = [{"source-ref": bucket.put(f"in/{n}.png", picture())} for n in range(120)]
    truth = dict.fromkeys(references(lines), "cat")
    bad, good = Worker("private.us-east-1.bad", 0.4, 3.0), Worker("private.us-east-1.good", 1.0, 20)
    page = widget_page("image-classification")
    job = label(
        "ImageMultiClass",
        lines,
        page,
        truth=truth,
        workers=[bad, good],
        human={"NumberOfHumanWorkersPerDataObject": 2},
    )
    answers = read_answers([job.root])
    rows = list(zip(answers.worker, answers.label, answers.seconds_spent, strict=True))
    right = Counter(worker for worker, said, _ in rows if said == "cat")
    assert right[good.id] == 120
    assert 30 < right[bad.id] < 66
    spent = {w: np.median([s for x, _, s in rows if x == w and s]) for w in (bad.id, good.id)}
    assert spent[bad.id] < 5 < 13 < spent[good.id]
