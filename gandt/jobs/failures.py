"""Why jobs and objects failed, in plain words, and what to do about it.

Pure functions of the service's own words: `FailureReason` of a job, and `failure-reason` in the
metadata of an object. The service documents no list of them; what stands here are texts of real
jobs, and the causes that the developer guide and AWS's support pages name ("CORS Requirement for
Input Image Data", "Automate Data Labeling", "How can I troubleshoot Amazon SageMaker Ground Truth
labeling errors?"). A text that fits none is handed on as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Explained", "explain_job", "explain_object", "summarize"]


@dataclass(frozen=True, slots=True)
class Explained:
    """A failure in our words."""

    cause: str  # a clause with no period
    remedy: str  # what to do, a clause with no period
    said: str  # the service's words, on one line


@dataclass(frozen=True, slots=True)
class _Known:
    pattern: re.Pattern[str]
    cause: str
    remedy: str


def _known(pattern: str, cause: str, remedy: str) -> _Known:
    return _Known(re.compile(pattern, re.IGNORECASE), cause, remedy)


# Names of buckets and functions may hold any word, as "model" or "template".
_URI = re.compile(r"(?:s3|https?)://\S+")
_ARN = re.compile(r"arn:aws[\w-]*:([\w-]+):\S*")  # the service's name is left

_EXPIRED = _known(
    r"tasks? (?:has |have )?expired",
    "nobody submitted an answer before the task expired",
    "give workers more time (--availability), see whether the page works for them "
    "(`gandt template render`) and shows its images (CORS of the bucket), pay a public team more "
    "(--price); then launch a job from the output manifest with the same attribute, which asks "
    "only about what has no label",
)

# The first that fits counts, so what is particular stands before what is general.
_OF_OBJECTS = (
    _EXPIRED,
    _known(
        r"declin",
        "as many workers declined the task as were asked for",
        "ask the workers why: instructions that are unclear, or an image that does not load, are "
        "the usual reasons",
    ),
    _known(
        r"pre-?(?:human|annotation|labeling)\S*.*lambda|lambda.*pre-?(?:human|annotation)",
        "the pre-annotation function failed for it",
        "read the function's own log in CloudWatch; a time limit of 3 s, Lambda's default, is too "
        "short for images",
    ),
    _known(
        r"lambda|consolidat|post-?(?:human|annotation)",
        "the function that makes a label of the answers failed for it",
        "the answers themselves are kept: `gandt aggregate` makes labels of them without it",
    ),
    _known(
        r"(?:access ?denied|forbidden|403|permission)",
        "the job's role may not read it",
        "give the role s3:GetObject on the bucket of the images, and kms:Decrypt where they are "
        "encrypted",
    ),
    _known(
        r"no ?such ?key|not ?found|does not exist|404",
        "there is no such object on S3",
        "check the key in the manifest: it is written as it is, not URL-encoded",
    ),
    _known(
        r"too large|size|exceed|pixels",
        "the image is too large",
        "make it smaller than 40 MB and 100 million pixels, less with automated labeling",
    ),
    _known(
        r"format|corrupt|decode|unsupported|invalid image|cannot be read|unable to read",
        "the image cannot be read",
        "send JPEG or PNG; `gandt embed` lists broken images",
    ),
)

_OF_JOBS = (
    _EXPIRED,
    _known(
        r"personally ?identifiable|\bPII\b",
        "a public team may only see data that is declared free of personal data",
        "launch again with --no-personal-data if that is true, else with a private team "
        "(`gandt teams`)",
    ),
    _known(
        r"adult ?content",
        "the job declares nothing about adult content",
        "launch again with --no-adult-content if that is true",
    ),
    _known(
        r"price|amount ?in ?usd|reward",
        "the price of a task is none of those that the public workforce allows",
        "launch again with another --price; `gandt launch` lists those allowed",
    ),
    _known(
        r"\bcors\b",
        "the bucket does not let browsers show its images",
        "launch again with --set-cors, which adds the rule to each bucket that holds images",
    ),
    _known(
        r"pass ?role",
        "the role may not be handed on",
        "allow iam:PassRole on the role: to yourself for creating jobs, and, for automated "
        "labeling, to the role itself",
    ),
    _known(
        r"assume.{0,20}role|trust|role .{0,120}(?:not exist|invalid|cannot be assumed)",
        "Ground Truth cannot act in the role",
        "let the role trust sagemaker.amazonaws.com (sts:AssumeRole), and check its ARN",
    ),
    _known(
        r"lambda.*(?:access ?denied|not authorized|invok)|invok\w* the lambda"
        r"|(?:access ?denied|not authorized).*lambda",
        "a function of the job could not be run",
        "check that the function exists in the job's Region and that the role may invoke it "
        "(lambda:InvokeFunction; AWS's managed policy covers names with SageMaker in them); "
        '"Unhandled" means that the function itself failed: read its log in CloudWatch',
    ),
    _known(
        r"lambda|consolidation (?:function|request|response)",
        "a function of the job failed or gave an answer that Ground Truth does not take",
        "read the function's log in CloudWatch and /aws/sagemaker/LabelingJobs; the answers are "
        "kept, so `gandt fetch` and `gandt aggregate` make labels of them without it",
    ),
    _known(
        r"template|liquid|render|ui ?(?:config|template)",
        "the worker page cannot be shown",
        "check it with `gandt validate TEMPLATE --manifest MANIFEST`, then launch again",
    ),
    _known(
        r"kms",
        "a key of KMS may not be used",
        "give the role kms:Decrypt, kms:GenerateDataKey and kms:DescribeKey on the key",
    ),
    _known(
        r"10 ?(?:%|percent)|too many (?:\w+ ){0,3}(?:fail|error)"
        r"|annotations? .{0,60}fail|fail\w* .{0,60}annotat",
        "too many of the objects that people were to label failed; automated labeling gives up at "
        "10 %",
        "see why objects failed (`gandt fetch`, then the output manifest), cure that, and launch "
        "again, without --automated where there are few objects",
    ),
    _known(
        r"training|algorithm|model|active ?learning|inference",
        "automated labeling failed",
        "people's labels are kept: fetch them, and launch the rest without --automated; it needs "
        "1,250 objects at least, better 5,000",
    ),
    _known(
        r"30 days|expired",
        "the job ran out of time",
        "fetch what is there, and launch a job from the output manifest with the same attribute: "
        "it asks only about what has no label",
    ),
    _known(
        r"limit ?exceeded|quota|resource ?limit",
        "a quota of the account is used up",
        "wait for other jobs to end, or ask AWS Support for more",
    ),
    _known(
        r"manifest|json ?lines?|source-ref|data ?object",
        "the input manifest cannot be used",
        "check it with `gandt validate MANIFEST`",
    ),
    _known(
        r"category|categories|label ?config",
        "the label categories cannot be used",
        "launch again with --labels: names that differ, of at most 256 characters",
    ),
    _known(
        r"work ?team|work ?force",
        "the work team cannot be used",
        "look at `gandt teams`, and name one of them (--workteam)",
    ),
    _known(
        r"access ?denied|forbidden|not authorized|\b403\b|permission",
        "the job's role lacks a permission",
        "give the role s3:ListBucket on the buckets, s3:GetObject and s3:PutObject on what is in "
        "them; AWS's managed policy covers names with sagemaker or groundtruth in them only",
    ),
    _known(
        r"no ?such ?(?:key|bucket)|not ?found|does not exist|\b404\b|\b301\b|region",
        "a file or bucket of the job is missing, or lies in another Region",
        "check that manifest, template, images and functions exist in the job's own Region",
    ),
    _known(
        r"internal ?(?:server|service|error|failure)|service ?(?:error|unavailable)",
        "the service itself failed",
        "launch again; where it fails again, ask AWS Support with the ARN of the job",
    ),
)


def explain_job(reason: str) -> Explained:
    """Explain the `FailureReason` of a job.

    Examples
    --------
    >>> explain_job("ClientError: Access denied when invoking the Lambda function.").cause
    'a function of the job could not be run'
    """
    return _explain(
        reason,
        _OF_JOBS,
        "the job failed",
        "read the job's log in CloudWatch (/aws/sagemaker/LabelingJobs), cure the reason, and "
        "launch again; what people answered so far is kept",
    )


def explain_object(reason: str) -> Explained:
    """Explain the `failure-reason` of an object, as an output manifest has it.

    Examples
    --------
    >>> explain_object("ClientError: Annotation tasks expired.").cause
    'nobody submitted an answer before the task expired'
    """
    return _explain(
        reason,
        _OF_OBJECTS,
        "the object could not be labeled",
        "read the job's log in CloudWatch (/aws/sagemaker/LabelingJobs)",
    )


def summarize(reasons: Iterable[str]) -> list[tuple[int, Explained]]:
    """Explain the failures of many objects: each cause once, the most frequent first."""
    counts: Counter[str] = Counter()
    first: dict[str, Explained] = {}
    for reason in reasons:
        explained = explain_object(reason)
        counts[explained.cause] += 1
        first.setdefault(explained.cause, explained)
    return [(count, first[cause]) for cause, count in counts.most_common()]


def _explain(reason: str, table: tuple[_Known, ...], cause: str, remedy: str) -> Explained:
    said = " ".join(reason.split()).rstrip(".")
    words = _ARN.sub(r"\1", _URI.sub("", said))
    for known in table:
        if known.pattern.search(words):
            return Explained(known.cause, known.remedy, said)
    return Explained(cause, remedy, said)
