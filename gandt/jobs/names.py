"""Names of a job that the user left open, and a look at those that they gave.

Job names follow the manifest's name and label attributes the job's, made legal. What a user wrote
is never changed: it is used, or refused with a name that would do. Facts: the SageMaker service
model ("CreateLabelingJob"). Pure.
"""

from __future__ import annotations

import re
import unicodedata

from gandt.errors import UsageError
from gandt.jobs.plan import Names
from gandt.jobs.regions import parse_arn, workteam_arn
from gandt.jobs.settings import JobSettings
from gandt.jobs.tasks import TaskType

__all__ = ["LONGEST_ATTRIBUTE", "LONGEST_JOB", "legal_name", "resolve_names"]

LONGEST_JOB, LONGEST_ATTRIBUTE = 63, 127


def resolve_names(
    settings: JobSettings, task: TaskType, *, region: str, account: str | None
) -> Names:
    """Give every name of the job: the user's own, or one made of the manifest's name.

    Raises
    ------
    UsageError
        Where a name that the user gave is not allowed, with one that is; where the team is in
        another Region than the job.
    JobError
        Where the team's ARN needs the account, and that is not known.
    """
    job = settings.name
    if job is None:
        job = _job_name(settings, task)
    elif not _is_legal(job, LONGEST_JOB):
        better = legal_name(job, LONGEST_JOB) or "labels-1"
        raise UsageError(
            f"--name {job!r} is not allowed, since a name has only letters, digits and hyphens "
            f"inside, {LONGEST_JOB} at most: write --name {better}."
        )
    attribute = settings.attribute
    if attribute is None:
        attribute = _attribute_name(job, settings.previous_attribute, task)
    else:
        _check_attribute(attribute, settings.previous_attribute, task)
    team = workteam_arn(settings.workteam, region, account)
    where = parse_arn(team).region
    if where != region:
        raise UsageError(
            f"--workteam {team} is in {where or 'no Region'}, and the job would be in {region}: "
            "give a team of that Region, or the team's --region and a bucket there."
        )
    return Names(job=job, attribute=attribute, region=region, account=account, workteam=team)


def _is_legal(name: str, longest: int) -> bool:
    return len(name) <= longest and bool(re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", name))


def legal_name(text: str, longest: int) -> str:
    """Keep what a name may hold, with hyphens for the rest; empty where nothing remains."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[^a-zA-Z0-9]+", "-", plain).strip("-")[:longest].rstrip("-")


_SUFFIXES = re.compile(r"(?<=.)(\.(manifest|jsonl|ndjson|json|txt|csv|gz))+$", re.IGNORECASE)


def _job_name(settings: JobSettings, task: TaskType) -> str:
    parts = [part for part in settings.manifest.split("/") if part]
    stem = _SUFFIXES.sub("", parts[-1] if parts else "")
    if parts[-3:] == ["manifests", "output", "output.manifest"] and len(parts) > 3:
        # A finished job's own results: say whose they are, and what happens to them now.
        stem = f"{legal_name(parts[-4], LONGEST_JOB - len(task.name) - 1)}-{task.name}"
    return legal_name(stem, LONGEST_JOB) or f"{task.name}-1"


def _attribute_name(job: str, previous: str | None, task: TaskType) -> str:
    name = re.sub(r"(-+(ref|metadata))+$", "", job)
    if name == "source":
        name = "source-label"
    ending = "-ref" if task.ref else ""
    if previous is not None and name + ending == previous:
        name = f"{name}-{task.name.partition('-')[0]}"
    return name + ending


def _check_attribute(name: str, previous: str | None, task: TaskType) -> None:
    wrong = None
    better = legal_name(name, 100)  # with room for what is added
    if not _is_legal(name, LONGEST_ATTRIBUTE):
        wrong = f"a name has only letters, digits and hyphens inside, {LONGEST_ATTRIBUTE} at most"
    elif name.endswith("-metadata"):
        wrong = "the ending -metadata belongs to Ground Truth"
    elif name in ("source", "source-ref"):
        wrong = "that key holds the data"
        better = "label"
    elif task.ref and not name.endswith("-ref"):
        wrong = f"--task {task.name} stores labels as files, whose attribute must end in -ref"
    elif not task.ref and name.endswith("-ref"):
        wrong = f"--task {task.name} must not have an attribute that ends in -ref"
    elif name == previous:
        wrong = "the labels of the earlier job are kept beside the new ones"
        better = f"{name.removesuffix('-ref')}-{task.name.partition('-')[0]}"
    if wrong is not None:
        better = _attribute_name(better or "label", previous, task)
        raise UsageError(
            f"--attribute {name!r} is not allowed, since {wrong}: write --attribute {better}."
        )
