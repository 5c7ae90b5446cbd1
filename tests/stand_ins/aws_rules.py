"""What SageMaker refuses in a request for a labeling job, written down a second time.

The rules are those of the developer guide, beyond the service model (`aws_shapes`): names of label
attributes, the public workforce and its prices, Regions and accounts in ARNs, limits of time,
categories. Nothing here comes from `gandt.jobs`, so that the two check each other. A broken rule is
`Refused`, with the error's code and message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aws_objects import Objects, split
from aws_shapes import invalid

Request = Mapping[str, Any]

# Accounts of the built-in Lambda functions, of the workers' pages and of the algorithms.
BUILT_IN = {
    "us-east-1": "432418664414",
    "us-east-2": "266458841044",
    "us-west-2": "081040173940",
    "ca-central-1": "918755190332",
    "eu-west-1": "568282634449",
    "eu-west-2": "487402164563",
    "eu-central-1": "203001061592",
    "ap-northeast-1": "477331159723",
    "ap-northeast-2": "845288260483",
    "ap-south-1": "565803892007",
    "ap-southeast-1": "377565633583",
    "ap-southeast-2": "454466003867",
}
GROUND_TRUTH = "394669845002"  # pages and the public team
ALGORITHMS = "027400017018"

IMAGE = frozenset(
    {
        *("ImageMultiClass", "ImageMultiClassMultiLabel", "BoundingBox", "SemanticSegmentation"),
        *("VerificationBoundingBox", "VerificationSemanticSegmentation"),
        *("AdjustmentBoundingBox", "AdjustmentSemanticSegmentation"),
    }
)
TEXT = frozenset({"TextMultiClass", "TextMultiClassMultiLabel", "NamedEntityRecognition"})
FRAMES = frozenset(
    {
        *("VideoObjectDetection", "VideoObjectTracking"),
        *("AdjustmentVideoObjectDetection", "AdjustmentVideoObjectTracking"),
    }
)
POINTS = frozenset(
    f"{audit}3DPointCloud{what}"
    for audit in ("", "Adjustment")
    for what in ("ObjectDetection", "ObjectTracking", "SemanticSegmentation")
)
CODES = IMAGE | TEXT | FRAMES | POINTS | {"VideoMultiClass", "PassThrough"}
REF = (
    frozenset({"SemanticSegmentation", "AdjustmentSemanticSegmentation"})
    | FRAMES
    | frozenset(code for code in POINTS if not code.endswith("Detection"))
)
AUTOMATED = {
    "ImageMultiClass": "image-classification",
    "TextMultiClass": "text-classification",
    "BoundingBox": "object-detection",
    "SemanticSegmentation": "semantic-segmentation",
}
TWO_CLASSES = frozenset(
    {"ImageMultiClass", "ImageMultiClassMultiLabel", "TextMultiClass", "TextMultiClassMultiLabel"}
)
PRIOR = frozenset(code for code in CODES if code.startswith(("Verification", "Adjustment")))
_CHEAP = "0.012 0.024 0.036 0.048 0.060 0.072 0.120 0.240 0.360 0.480 0.600 0.720 0.840 0.960"
PRICES = tuple(Decimal(text) for text in f"{_CHEAP} 1.080 1.200".split())
_MOST = {  # categories
    "ImageMultiClassMultiLabel": 50,
    "TextMultiClassMultiLabel": 50,
    "BoundingBox": 50,
    "AdjustmentBoundingBox": 50,
    "VideoMultiClass": 30,
}
_DAY = 86_400
_ARN = re.compile(r"arn:aws[a-z-]*:([a-z0-9-]+):([a-z0-9-]*):(\d{12}):(.+)")
_LAMBDA = re.compile(r"function:([A-Za-z0-9_-]{1,64})(:[A-Za-z0-9_$-]+)?")


def task_code(request: Request) -> str:
    """Which built-in task a request is for, as its functions say; "PassThrough" for custom ones."""
    human = request["HumanTaskConfig"]
    after = human.get("AnnotationConsolidationConfig", {}).get("AnnotationConsolidationLambdaArn")
    for arn, prefix in ((human.get("PreHumanTaskLambdaArn"), "PRE-"), (after, "ACS-")):
        name = str(arn).rpartition(":function:")[2]
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return "PassThrough"


def is_public(request: Request) -> bool:
    return ":workteam/public-crowd/" in str(request["HumanTaskConfig"]["WorkteamArn"])


def check_job(request: Request, region: str, account: str, objects: Objects) -> None:
    """Refuse what only the documents forbid, looking at S3 where they say so."""
    check_words(request, region, account)
    check_places(request, task_code(request), region, objects)


def check_words(request: Request, region: str, account: str) -> None:
    """Refuse what can be seen in the request itself."""
    code = task_code(request)
    human = request["HumanTaskConfig"]
    check_attribute(request["LabelAttributeName"], code)
    check_functions(human, code, region, account)
    check_page(human, code, region)
    check_team(request, code, region, account)
    check_times(human, code, public=is_public(request))
    check_automation(request, code, region)
    check_sources(request)
    check_keys(request, region)
    if code != "PassThrough" and "LabelCategoryConfigS3Uri" not in request:
        raise invalid(f"LabelCategoryConfigS3Uri is required for task type {code}.")


def check_attribute(name: str, code: str) -> None:
    if name.endswith("-metadata") or name in ("source", "source-ref"):
        raise invalid(f"LabelAttributeName {name} is reserved: it must not end with -metadata.")
    if name.endswith("-ref") != (code in REF):
        must = "must" if code in REF else "must not"
        raise invalid(f"LabelAttributeName {name} {must} end with -ref for task type {code}.")


def _parts(arn: str, region: str) -> tuple[str, str]:
    found = _ARN.fullmatch(arn)
    if found is None:
        raise invalid(f"{arn} is not an ARN.")
    if found[2] != region:
        raise invalid(f"{arn} is in Region {found[2]}; the labeling job is in {region}.")
    return found[3], found[4]


def check_functions(human: Request, code: str, region: str, account: str) -> None:
    before = human.get("PreHumanTaskLambdaArn")
    after = human.get("AnnotationConsolidationConfig", {}).get("AnnotationConsolidationLambdaArn")
    for arn, prefix in ((before, "PRE-"), (after, "ACS-")):
        if arn is None:
            continue
        owner, resource = _parts(arn, region)
        found = _LAMBDA.fullmatch(resource)
        if found is None:
            raise invalid(f"{arn} does not name a Lambda function.")
        if found[1].startswith(("PRE-", "ACS-")) or owner in BUILT_IN.values():
            if BUILT_IN.get(region) != owner:
                raise invalid(f"{arn} is not the built-in function of Region {region}.")
            if not found[1].startswith(prefix) or found[1][4:] not in CODES or found[2]:
                raise invalid(f"There is no built-in function {found[1]} for this step.")
            if prefix == "ACS-" and found[1][4:] != code:
                raise invalid(f"{found[1]} does not consolidate tasks of type {code}.")
        elif owner != account:
            raise invalid(f"{arn} belongs to another account.")
    if code != "PassThrough" and (before is None or after is None):
        raise invalid(
            "PreHumanTaskLambdaArn and AnnotationConsolidationConfig are required for task type "
            f"{code}."
        )


def check_page(human: Request, code: str, region: str) -> None:
    page = human["UiConfig"]
    if len(page) != 1:
        raise invalid("UiConfig needs exactly one of UiTemplateS3Uri and HumanTaskUiArn.")
    own = code == "NamedEntityRecognition" or code in FRAMES | POINTS
    if own != ("HumanTaskUiArn" in page):
        wanted = "HumanTaskUiArn" if own else "UiTemplateS3Uri"
        raise invalid(f"Task type {code} needs UiConfig.{wanted}.")
    if own:
        owner, resource = _parts(page["HumanTaskUiArn"], region)
        name = code.removeprefix("Adjustment").removeprefix("3D")
        if owner != GROUND_TRUTH or resource != f"human-task-ui/{name}":
            raise invalid(f"{page['HumanTaskUiArn']} is not the page of task type {code}.")


def check_team(request: Request, code: str, region: str, account: str) -> None:
    human = request["HumanTaskConfig"]
    owner, resource = _parts(human["WorkteamArn"], region)
    price = human.get("PublicWorkforceTaskPrice")
    if not is_public(request):
        if owner != account:
            raise invalid(f"{human['WorkteamArn']} belongs to another account.")
        if price is not None:
            raise invalid("PublicWorkforceTaskPrice is for the public workforce only.")
        return
    if owner != GROUND_TRUTH or resource != "workteam/public-crowd/default":
        raise invalid(f"{human['WorkteamArn']} is not the public work team.")
    if code in FRAMES | POINTS:
        raise invalid(f"The public workforce cannot do tasks of type {code}.")
    data = request["InputConfig"].get("DataAttributes", {})
    if "FreeOfPersonallyIdentifiableInformation" not in data.get("ContentClassifiers", ()):
        raise invalid(
            "The public workforce needs the content classifier "
            "FreeOfPersonallyIdentifiableInformation."
        )
    resources = request.get("LabelingJobAlgorithmsConfig", {}).get("LabelingJobResourceConfig", {})
    if "VpcConfig" in resources:
        raise invalid("The public workforce cannot work in a VPC.")
    amount = (price or {}).get("AmountInUsd")
    if not amount:
        raise invalid("The public workforce needs PublicWorkforceTaskPrice.")
    check_price(amount, code)


def check_price(amount: Request, code: str) -> None:
    usd = (
        Decimal(amount.get("Dollars", 0))
        + Decimal(amount.get("Cents", 0)) / 100
        + Decimal(amount.get("TenthFractionsOfACent", 0)) / 1000
    )
    lowest = Decimal("0.012")
    if code.endswith("BoundingBox") and not code.startswith("Verification"):
        lowest = Decimal("0.036")
    elif code in ("SemanticSegmentation", "AdjustmentSemanticSegmentation"):
        lowest = Decimal("0.840")
    if usd not in [price for price in PRICES if price >= lowest]:
        raise invalid(f"PublicWorkforceTaskPrice ${usd:.3f} is not allowed for task type {code}.")


def check_times(human: Request, code: str, *, public: bool) -> None:
    longest = 30 * _DAY if code in FRAMES | POINTS else 28_800
    if human["TaskTimeLimitInSeconds"] > longest:
        raise invalid(f"TaskTimeLimitInSeconds must be at most {longest} for task type {code}.")
    longest = _DAY // 2 if public else 30 * _DAY
    waits = human.get("TaskAvailabilityLifetimeInSeconds", _DAY // 4 if public else longest)
    if waits > longest:
        raise invalid(f"TaskAvailabilityLifetimeInSeconds must be at most {longest}.")


def check_automation(request: Request, code: str, region: str) -> None:
    config = request.get("LabelingJobAlgorithmsConfig")
    if config is None:
        return
    if code not in AUTOMATED:
        raise invalid(f"Automated data labeling does not support task type {code}.")
    if "SnsDataSource" in request["InputConfig"]["DataSource"]:
        raise invalid("A streaming labeling job cannot use automated data labeling.")
    owner, resource = _parts(config["LabelingJobAlgorithmSpecificationArn"], region)
    wanted = f"labeling-job-algorithm-specification/{AUTOMATED[code]}"
    if owner != ALGORITHMS or resource != wanted:
        raise invalid(f"The algorithm for task type {code} is {wanted} of account {ALGORITHMS}.")
    if "InitialActiveLearningModelArn" in config:
        _parts(config["InitialActiveLearningModelArn"], region)


def check_sources(request: Request) -> None:
    sources = request["InputConfig"]["DataSource"]
    if not sources:
        raise invalid("InputConfig.DataSource needs S3DataSource or SnsDataSource.")
    keys = [tag["Key"] for tag in request.get("Tags", ())]
    if len(set(keys)) < len(keys):
        raise invalid("Tag keys must be unique.")
    if any(key.lower().startswith("aws:") for key in keys):
        raise invalid("Tag keys must not begin with aws:.")


def check_keys(request: Request, region: str) -> None:
    """Refuse keys and topics of another Region; a bare id or an alias is of this one."""
    resources = request.get("LabelingJobAlgorithmsConfig", {}).get("LabelingJobResourceConfig", {})
    source = request["InputConfig"]["DataSource"].get("SnsDataSource", {})
    output = request["OutputConfig"]
    for arn in (
        *(output.get("KmsKeyId", ""), resources.get("VolumeKmsKeyId", "")),
        *(output.get("SnsTopicArn", ""), source.get("SnsTopicArn", "")),
    ):
        if arn.startswith("arn:"):
            _parts(arn, region)


def check_places(request: Request, code: str, region: str, objects: Objects) -> None:
    """Refuse files that are missing, and buckets that are missing or in another Region."""
    places = {
        "OutputConfig.S3OutputPath": request["OutputConfig"]["S3OutputPath"],
        "LabelCategoryConfigS3Uri": request.get("LabelCategoryConfigS3Uri"),
        "UiTemplateS3Uri": request["HumanTaskConfig"]["UiConfig"].get("UiTemplateS3Uri"),
    }
    for field, uri in places.items():
        if uri is None:
            continue
        found = objects.region(split(uri)[0])
        if found is None:
            raise invalid(f"{field}: the bucket of {uri} does not exist.")
        if found != region:
            raise invalid(f"{field}: the bucket of {uri} is in {found}, the job in {region}.")
        if not field.startswith("Output") and objects.get(uri) is None:
            raise invalid(f"{field}: {uri} does not exist.")
    template = places["UiTemplateS3Uri"]
    if template is not None:
        text = (objects.get(template) or b"").decode("utf-8", "replace")
        if not 1 <= len(text) <= 128_000:
            raise invalid(f"The template has {len(text)} characters; 1 to 128000 are allowed.")
    categories = places["LabelCategoryConfigS3Uri"]
    if categories is not None:
        check_categories(
            objects.get(categories) or b"", code, "LabelingJobAlgorithmsConfig" in request
        )


def check_categories(data: bytes, code: str, automated: bool) -> None:
    try:
        document = json.loads(data.decode())
        names = [entry["label"] for entry in document["labels"]]
    except (ValueError, KeyError, TypeError) as error:
        raise invalid(f"The label category configuration cannot be read: {error!r}.") from error
    if not all(isinstance(name, str) and 1 <= len(name) <= 256 for name in names):
        raise invalid("A label category is text of 1 to 256 characters.")
    if document.get("document-version") != "2018-11-28":
        raise invalid("The label category configuration needs document-version 2018-11-28.")
    if len(set(names)) < len(names):
        raise invalid("Label categories must be unique.")
    fewest = 2 if code in TWO_CLASSES else 0 if code == "PassThrough" else 1
    most = _MOST.get(code, 30 if code in FRAMES | POINTS else None)
    if code == "SemanticSegmentation" and automated:
        most = 20
    if len(names) < fewest or (most is not None and len(names) > most):
        raise invalid(f"{len(names)} label categories; {fewest} to {most} fit task type {code}.")
    if code == "NamedEntityRecognition":
        words = document.get("instructions")
        wanted = ("shortInstruction", "fullInstruction")
        if not isinstance(words, dict) or not all(
            isinstance(words.get(key), str) for key in wanted
        ):
            raise invalid("NER needs instructions: {shortInstruction, fullInstruction}.")
