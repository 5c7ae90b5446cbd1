"""What the settings of a job must be like: labels, request, people, names that roles accept.

Pure functions over the plan. The words that names must hold are those of the managed policy
AmazonSageMakerGroundTruthExecution (developer guide, "Create an Execution Role to Start a Labeling
Job").
"""

from __future__ import annotations

import re

from gandt.jobs.plan import Check, JobPlan
from gandt.jobs.preflight.references import first_in_buckets
from gandt.jobs.preflight.words import command, document, error, fine, listed, warning
from gandt.jobs.regions import workforce
from gandt.jobs.rules.check import check_labels, check_request
from gandt.words import count

__all__ = ["check_settings", "own_functions", "role_name"]

_FUNCTIONS = re.compile(r"GtRecipe|SageMaker|Sagemaker|sagemaker|LabelingFunction")
_PLACES = re.compile(r"GroundTruth|Groundtruth|groundtruth|SageMaker|Sagemaker|sagemaker")


def check_settings(plan: JobPlan) -> list[Check]:
    """Check labels, request, workforce, the Lambda functions' names and the names on S3."""
    return [
        *_check_labels(plan),
        *_check_request(plan),
        _check_workforce(plan),
        *_check_functions(plan),
        _check_places(plan),
    ]


def own_functions(plan: JobPlan) -> dict[str, str]:
    """Map the options that name a Lambda function of the user's to its ARN in the request."""
    human = plan.request["HumanTaskConfig"]
    found = {}
    if plan.settings.pre_lambda is not None:
        found["--pre-lambda"] = str(human["PreHumanTaskLambdaArn"])
    if plan.settings.post_lambda is not None:
        after = human["AnnotationConsolidationConfig"]["AnnotationConsolidationLambdaArn"]
        found["--post-lambda"] = str(after)
    return found


def role_name(arn: str) -> str:
    """Give the name that IAM's calls take, without the path of the ARN."""
    return arn.rpartition("/")[2]


def _check_labels(plan: JobPlan) -> list[Check]:
    name = "labels"
    wrong = check_labels(plan.settings, plan.task)
    if wrong:
        return [_said(name, sentence) for sentence in wrong]
    if not plan.settings.labels:
        return [fine(name, "the page or the manifest brings them")]
    return [fine(name, count(len(plan.settings.labels), "label"))]


def _check_request(plan: JobPlan) -> list[Check]:
    name = "request"
    wrong = check_request(plan.request, plan.task)
    if wrong:
        return [_said(name, sentence) for sentence in wrong]
    return [fine(name, "CreateLabelingJob takes it")]


def _said(name: str, sentence: str) -> Check:
    """Take a sentence apart: what is wrong, and behind the last colon what to do."""
    text = sentence.rstrip(".")
    for mark in (": ", "; "):
        message, found, fix = text.rpartition(mark)
        if found:
            return error(name, message, fix)
    return error(name, text, "correct it in the options of `gandt launch`")


def _check_workforce(plan: JobPlan) -> Check:
    # What a public job must state and pay is a matter of the request.
    name = "workforce"
    if workforce(plan.names.workteam) != "public":
        return fine(name, "not the public one")
    return warning(
        name,
        "Mechanical Turk's documentation announced its end for 2026-09-30",
        "use a private team (`gandt teams create NAME --description …`, then --workteam NAME)",
    )


def _check_functions(plan: JobPlan) -> list[Check]:
    checks = []
    for option, arn in own_functions(plan).items():
        function = arn.rpartition(":function:")[2].partition(":")[0]
        name = f"name of {option} {function}"
        if _FUNCTIONS.search(function):
            checks.append(fine(name, "the managed policy lets the role invoke it"))
            continue
        policy = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}],
        }
        allow = command(
            *("aws", "iam", "put-role-policy", "--role-name", role_name(plan.settings.role)),
            *("--policy-name", f"invoke-{function}", "--policy-document", document(policy)),
        )
        checks.append(
            warning(
                name,
                "the managed policy lets a role invoke only functions with SageMaker, GtRecipe or "
                "LabelingFunction in their name; with it alone every task fails",
                f"rename the function, or let the role invoke it: {allow}",
            )
        )
    return checks


def _check_places(plan: JobPlan) -> Check:
    """Look whether the managed policy covers all that the role reads and writes."""
    name = "names on S3"
    places = {plan.settings.bucket: plan.documents.manifest, **first_in_buckets(plan)}
    outside = [uri for uri in places.values() if not _PLACES.search(uri.removeprefix("s3://"))]
    if not _PLACES.search(plan.documents.output.removeprefix("s3://")):
        outside.insert(0, plan.documents.output)
    if not outside:
        return fine(name, "the managed policy covers them")
    return warning(
        name,
        f"the managed policy lets a role read and write only names with groundtruth or sagemaker "
        f"in them, and there is none in {listed(outside)}",
        "leave --prefix groundtruth as it is, or give the role a policy of its own for these "
        "places (the check of the role's permissions tells whether it has one)",
    )
