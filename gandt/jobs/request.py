"""The request of CreateLabelingJob, and the file of label categories: pure functions of settings.

The same settings give the same request; nothing is looked up, no clock is read. What a user left
open gets the default here; what a user said goes into the request as said, so that `rules` can
judge it, or is refused here where the request has no place for it. Nothing that was asked for is
dropped silently. Facts: the SageMaker service model, and of the developer guide the pages "Create a
Labeling Job (API)" and "Labeling category configuration file with label category and frame
attributes reference".
"""

from __future__ import annotations

import html
import itertools
import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from gandt.errors import JobError, UsageError
from gandt.jobs.names import legal_name, resolve_names
from gandt.jobs.plan import Documents, Names
from gandt.jobs.regions import (
    algorithm,
    builtin_lambda,
    human_task_ui,
    own_lambda,
    workforce,
)
from gandt.jobs.settings import JobSettings
from gandt.jobs.tasks import TaskType

__all__ = ["build_request", "categories_json", "contradictions", "price_of", "resolve_names"]

LONGEST_DESCRIPTION = 255

# How long tasks wait for people, in seconds: as long as the workforce allows. The public one's own
# default of 6 hours lets the last objects of larger jobs expire.
_AVAILABILITY = {"public": 43_200, "private": 2_592_000, "vendor": 2_592_000}


def categories_json(settings: JobSettings, task: TaskType) -> bytes | None:
    """Write the label category configuration file; None for a custom job without labels.

    The order of the labels is their numbering in the results.

    Raises
    ------
    UsageError
        Where the words cannot be written as UTF-8.
    """
    if not settings.labels:
        return None
    content: dict[str, Any] = {
        "document-version": "2018-11-28",
        "labels": [{"label": label} for label in settings.labels],
    }
    if task.data == "frames":
        content["annotationType"] = "BoundingBox"
    if task.data in ("frames", "points") and task.prior:
        content["auditLabelAttributeName"] = settings.previous_attribute
    if task.human_task_ui is not None:
        # AWS's own page takes its words from this file; it has no other place for them.
        short = settings.question or _sentence(task)
        content["instructions"] = {
            "shortInstruction": _paragraphs(short),
            "fullInstruction": _paragraphs(settings.instructions or short),
        }
    if task.code == "NamedEntityRecognition":
        names = _short_names(settings.labels)
        content["labels"] = [
            {"label": label, "shortDisplayName": name}
            for label, name in zip(settings.labels, names, strict=True)
        ]
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            "--labels, --question or --instructions hold bytes that are not UTF-8: write them in "
            "UTF-8, or put them into a TOML file."
        ) from error


def contradictions(settings: JobSettings, task: TaskType) -> tuple[str, ...]:
    """List what was asked for and has no place in the request, or lacks its other half."""
    found = []
    if not settings.automated:
        for option, value in (
            ("--initial-model", settings.initial_model),
            ("--volume-kms-key", settings.volume_kms_key),
            ("--subnet", settings.subnets),
            ("--security-group", settings.security_groups),
        ):
            if value:
                found.append(
                    f"{option} is about automated labeling: add --automated, or leave it out."
                )
    elif bool(settings.subnets) != bool(settings.security_groups):
        given, lacking = ("--subnet", "--security-group")
        if not settings.subnets:
            given, lacking = lacking, given
        found.append(f"a VPC needs both: add {lacking} to {given}.")
    if task.prior and not settings.previous_attribute:
        found.append(
            f"--task {task.name} needs the label attribute of the earlier job: give "
            "--previous-attribute."
        )
    if settings.previous_attribute and not task.prior and not task.custom:
        found.append(
            f"--previous-attribute is about labels of an earlier job, which --task {task.name} "
            "does not look at: leave it out, or choose a verify or adjust task."
        )
    return tuple(found)


def build_request(
    settings: JobSettings, task: TaskType, names: Names, documents: Documents
) -> dict[str, Any]:
    """Build the parameters of `create_labeling_job`.

    Raises
    ------
    UsageError
        Where settings contradict each other, or the price is no amount of money.
    JobError
        Where the Region has no built-in functions, or a document is missing.
    """
    wrong = contradictions(settings, task)
    if wrong:
        raise UsageError(" ".join(wrong))
    if documents.categories is None and task.fewest_labels:
        raise JobError(f"--task {task.name} needs labels: give --labels.")
    source: dict[str, Any] = {"DataSource": {"S3DataSource": {"ManifestS3Uri": documents.manifest}}}
    classifiers = [
        name
        for name, stated in (
            ("FreeOfPersonallyIdentifiableInformation", settings.no_personal_data),
            ("FreeOfAdultContent", settings.no_adult_content),
        )
        if stated
    ]
    if classifiers:
        source["DataAttributes"] = {"ContentClassifiers": classifiers}
    request: dict[str, Any] = {
        "LabelingJobName": names.job,
        "LabelAttributeName": names.attribute,
        "InputConfig": source,
        "OutputConfig": _present(S3OutputPath=documents.output, KmsKeyId=settings.kms_key),
        "RoleArn": settings.role,
        "HumanTaskConfig": _human_task(settings, task, names, documents),
    }
    if documents.categories is not None:
        request["LabelCategoryConfigS3Uri"] = documents.categories
    stop = _present(
        MaxHumanLabeledObjectCount=settings.max_objects,
        MaxPercentageOfInputDatasetLabeled=settings.max_percent,
    )
    if stop:
        request["StoppingConditions"] = stop
    if settings.automated:
        request["LabelingJobAlgorithmsConfig"] = _automation(settings, task, names.region)
    if settings.tags:
        request["Tags"] = [
            {"Key": key, "Value": value} for key, value in sorted(settings.tags.items())
        ]
    return request


def price_of(text: str) -> Decimal:
    """Read a price in USD, exactly.

    Raises
    ------
    UsageError
        Where it is no amount of whole tenths of a cent.
    """
    try:
        price = Decimal(text.strip().removeprefix("$"))
        if not price.is_finite() or price < 0 or price != round(price, 3):
            raise InvalidOperation
    except InvalidOperation as error:
        raise UsageError(
            f"--price {text!r} is no price: write USD with at most three decimals, as 0.036."
        ) from error
    return price


def _human_task(
    settings: JobSettings, task: TaskType, names: Names, documents: Documents
) -> dict[str, Any]:
    people = workforce(names.workteam) or "private"
    config: dict[str, Any] = {
        "WorkteamArn": names.workteam,
        "UiConfig": _page(task, names, documents),
    }
    before, after = settings.pre_lambda, settings.post_lambda
    where, account = names.region, names.account
    if before is not None:
        config["PreHumanTaskLambdaArn"] = own_lambda(before, where, account)
    elif not task.custom:
        config["PreHumanTaskLambdaArn"] = builtin_lambda(task, where, "PRE")
    config["TaskKeywords"] = list(settings.keywords or _keywords(task))
    config["TaskTitle"] = settings.title or _title(settings, task)
    config["TaskDescription"] = settings.description or _description(settings, task)
    config["NumberOfHumanWorkersPerDataObject"] = (
        task.workers if settings.workers is None else settings.workers
    )
    config["TaskTimeLimitInSeconds"] = (
        task.seconds if settings.task_seconds is None else settings.task_seconds
    )
    config["TaskAvailabilityLifetimeInSeconds"] = (
        _AVAILABILITY[people]
        if settings.availability_seconds is None
        else settings.availability_seconds
    )
    if settings.max_concurrent is not None:
        config["MaxConcurrentTaskCount"] = settings.max_concurrent
    consolidation = None
    if after is not None:
        consolidation = own_lambda(after, where, account)
    elif not task.custom:
        consolidation = builtin_lambda(task, where, "ACS")
    if consolidation is not None:
        config["AnnotationConsolidationConfig"] = {
            "AnnotationConsolidationLambdaArn": consolidation
        }
    if settings.price is not None:
        tenths = int(price_of(settings.price) * 1000)
        config["PublicWorkforceTaskPrice"] = {
            "AmountInUsd": {
                "Dollars": tenths // 1000,
                "Cents": tenths % 1000 // 10,
                "TenthFractionsOfACent": tenths % 10,
            }
        }
    return config


def _page(task: TaskType, names: Names, documents: Documents) -> dict[str, str]:
    if task.human_task_ui is not None:
        return {"HumanTaskUiArn": human_task_ui(task, names.region)}
    if documents.template is None:
        raise JobError(f"--task {task.name} needs a page for the workers: give --template.")
    return {"UiTemplateS3Uri": documents.template}


def _automation(settings: JobSettings, task: TaskType, region: str) -> dict[str, Any]:
    resources: dict[str, Any] = _present(VolumeKmsKeyId=settings.volume_kms_key)
    if settings.subnets:
        resources["VpcConfig"] = {
            "SecurityGroupIds": list(settings.security_groups),
            "Subnets": list(settings.subnets),
        }
    return _present(
        LabelingJobAlgorithmSpecificationArn=algorithm(task, region),
        InitialActiveLearningModelArn=settings.initial_model,
        LabelingJobResourceConfig=resources or None,
    )


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


# ---- words


def _sentence(task: TaskType) -> str:
    if task.custom:
        return "Answer the questions on the page"
    return task.says[0].upper() + task.says[1:]


def _title(settings: JobSettings, task: TaskType) -> str:
    question = " ".join((settings.question or "").split())
    # Of a page of one's own, the question says more than we can. Titles hold no emoji.
    if task.custom and question and len(question) <= 128 and max(question) <= "\ufffd":
        return question
    return _sentence(task)


def _description(settings: JobSettings, task: TaskType) -> str:
    labels = [" ".join(label.split()) for label in settings.labels]
    question = " ".join((settings.question or "").split())
    texts = [f"{_sentence(task)}."]
    if labels:
        texts = [f"{_sentence(task)}: {', '.join(labels)}.", *texts]
    if question:
        texts = [f"{question} {text}" for text in texts] + [question, *texts]
    return next(text for text in texts if len(text) <= LONGEST_DESCRIPTION)


def _keywords(task: TaskType) -> tuple[str, ...]:
    if task.custom:
        return ("labeling",)
    first = () if task.data in ("frames", "points") else (task.data,)
    words = dict.fromkeys([*first, *task.name.split("-"), "labeling"])
    return tuple(words)[:5]


def _paragraphs(text: str) -> str:
    """Turn plain words into the HTML that AWS's own pages take."""
    parts = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    return "".join(f"<p>{html.escape(part, quote=False)}</p>" for part in parts if part)


def _short_names(labels: tuple[str, ...]) -> list[str]:
    """Give each label a short name of its own: three letters, more where others have those."""
    names: dict[str, None] = {}  # in order
    for label in labels:
        letters = re.sub(r"[^a-z0-9]", "", legal_name(label, 256).lower()) or "tag"
        tries = itertools.chain(
            (letters[:3], letters[:4]),
            (letters[:2] + letter for letter in letters[2:]),
            (f"{letters[:2]}{number}" for number in itertools.count(2)),
        )
        names[next(name for name in tries if name not in names)] = None
    return list(names)
