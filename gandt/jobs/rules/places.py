"""Rules about where the parts of a job lie: functions, pages, algorithms, keys and files.

From the developer guide: "HumanTaskConfig", "AnnotationConsolidationConfig", "UiConfig", "Automate
Data Labeling". Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gandt.errors import JobError
from gandt.jobs.regions import ACCOUNTS, ALGORITHM_ACCOUNT, PUBLIC_ACCOUNT, parse_arn
from gandt.jobs.rules.asked import Asked

__all__ = ["PLACE_RULES"]


def _automated(asked: Asked) -> Iterator[str]:
    if not asked.automation:
        return
    task = asked.task
    text = asked.automation["LabelingJobAlgorithmSpecificationArn"]
    if task.algorithm is None:
        yield (
            f"LabelingJobAlgorithmsConfig is not offered for --task {task.name}, only for image "
            "and text classification with one label, bounding boxes and segmentation: leave "
            "--automated out."
        )
        return
    if asked.streaming:
        yield (
            "LabelingJobAlgorithmsConfig does not go with SnsDataSource: leave --automated out, or "
            "give the data as a manifest."
        )
    wanted = f"labeling-job-algorithm-specification/{task.algorithm}"
    if not text.endswith(f":{ALGORITHM_ACCOUNT}:{wanted}"):
        yield (
            f"LabelingJobAlgorithmSpecificationArn {text} is not the algorithm of --task "
            f"{task.name}, {wanted}: give --automated, which knows its ARN."
        )


def _functions(asked: Asked) -> Iterator[str]:
    task = asked.task
    for field, kind, setting in (
        ("PreHumanTaskLambdaArn", "PRE", "--pre-lambda"),
        ("AnnotationConsolidationLambdaArn", "ACS", "--post-lambda"),
    ):
        text = asked.functions.get(field)
        if text is None:
            if not task.custom:
                yield (
                    f"{field} is missing, and --task {task.name} cannot work without: leave "
                    f"{setting} out, so that AWS's own is taken."
                )
            continue
        arn = parse_arn(text)
        function = arn.resource.removeprefix("function:").partition(":")[0]
        if arn.account in ACCOUNTS.values():
            if arn.account != ACCOUNTS.get(arn.region):
                yield (
                    f"{field} {text} names the account of another Region: leave {setting} out, so "
                    "that the Region's own function is taken."
                )
            elif function != f"{kind}-{task.code}":
                # The service tells the type of a job by these functions.
                yield (
                    f"{field} {text} is not the function of --task {task.name}, "
                    f"{kind}-{task.code}: leave {setting} out, or give the --task it is for."
                )


def _page(asked: Asked) -> Iterator[str]:
    page, task = asked.human["UiConfig"], asked.task
    if len(page) != 1:
        yield (
            "UiConfig must have one of UiTemplateS3Uri and HumanTaskUiArn: give --template for a "
            "custom job, and leave it out where AWS has a page of its own."
        )
    elif task.human_task_ui is None and "HumanTaskUiArn" in page:
        yield (
            f"HumanTaskUiArn is not for --task {task.name}, whose page is a template in S3: give "
            "--template, or leave --task to what the page is for."
        )
    elif task.human_task_ui is not None:
        text = page.get("HumanTaskUiArn", "")
        wanted = f":{PUBLIC_ACCOUNT}:human-task-ui/{task.human_task_ui}"
        if not text.endswith(wanted):
            yield (
                f"UiConfig must name AWS's own page for --task {task.name}, the HumanTaskUiArn "
                f"that ends in {wanted}: leave --template out."
            )


def _regions(asked: Asked) -> Iterator[str]:
    request, human = asked.request, asked.human
    output = request["OutputConfig"]
    resources = asked.automation.get("LabelingJobResourceConfig", {})
    sns = request["InputConfig"]["DataSource"].get("SnsDataSource", {})
    arns = {
        **{name: (arn, _LAMBDA_OPTIONS[name]) for name, arn in asked.functions.items()},
        "HumanTaskUiArn": (human["UiConfig"].get("HumanTaskUiArn"), "--region"),
        "KmsKeyId": (output.get("KmsKeyId"), "--kms-key"),
        "VolumeKmsKeyId": (resources.get("VolumeKmsKeyId"), "--volume-kms-key"),
        "LabelingJobAlgorithmSpecificationArn": (
            asked.automation.get("LabelingJobAlgorithmSpecificationArn"),
            "--region",
        ),
        "InitialActiveLearningModelArn": (
            asked.automation.get("InitialActiveLearningModelArn"),
            "--initial-model",
        ),
        "SnsDataSource.SnsTopicArn": (sns.get("SnsTopicArn"), "--region"),
        "OutputConfig.SnsTopicArn": (output.get("SnsTopicArn"), "--region"),
    }
    for name, (text, setting) in arns.items():
        # Ids and aliases of keys are of the job's Region anyway.
        if text is None or not text.startswith("arn:"):
            continue
        try:
            arn = parse_arn(text)
        except JobError as error:
            yield f"{name}: {error}"
            continue
        if arn.region != asked.team.region:
            yield (
                f"{name} {text} is in {arn.region or 'no Region'}, while the work team is in "
                f"{asked.team.region}, and all of a job must be in one Region: correct {setting} "
                "or --workteam."
            )


_LAMBDA_OPTIONS = {
    "PreHumanTaskLambdaArn": "--pre-lambda",
    "AnnotationConsolidationLambdaArn": "--post-lambda",
}


def _accounts(asked: Asked) -> Iterator[str]:
    role = parse_arn(asked.request["RoleArn"])
    if asked.people == "private" and role.account != asked.team.account:
        yield (
            f"RoleArn is of account {role.account}, and the private team of {asked.team.account}: "
            "give --role and --workteam of the same account."
        )


def _places(asked: Asked) -> Iterator[str]:
    request = asked.request
    source = request["InputConfig"]["DataSource"]
    manifest = source.get("S3DataSource", {}).get("ManifestS3Uri")
    if not source:
        yield "DataSource is empty: give a manifest, or an SNS topic for a streaming job."
    output = request["OutputConfig"]["S3OutputPath"]
    objects = {
        "ManifestS3Uri": manifest,
        "LabelCategoryConfigS3Uri": request.get("LabelCategoryConfigS3Uri"),
        "UiTemplateS3Uri": asked.human["UiConfig"].get("UiTemplateS3Uri"),
    }
    for name, uri in {**objects, "S3OutputPath": output}.items():
        bucket, _, key = (uri or "").partition("://")[2].partition("/")
        if uri is None or uri.startswith("https:"):
            continue
        if not _BUCKET.fullmatch(bucket) or ".." in bucket:
            yield (
                f"{name} {uri} names the bucket {bucket!r}, which S3 does not allow (3 to 63 small "
                "letters, digits, hyphens and dots): correct --bucket."
            )
        if name != "S3OutputPath" and (not key or key.endswith("/")):
            yield f"{name} {uri} names no object: give the whole URI of a file."
    if manifest is not None:
        inside = f"{output.rstrip('/')}/".startswith(f"{manifest}/")
        folder = manifest.rpartition("/")[0]
        if inside or (asked.streaming and output.rstrip("/") == folder):
            yield (
                f"S3OutputPath {output} is where the input lies ({manifest}), and results would "
                "come back as input: give another --prefix."
            )
    if asked.task.fewest_labels and "LabelCategoryConfigS3Uri" not in request:
        yield (
            f"LabelCategoryConfigS3Uri is missing, and --task {asked.task.name} cannot work "
            "without: give --labels."
        )


_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


PLACE_RULES = (_automated, _functions, _page, _regions, _accounts, _places)
