"""From a user's settings to a running job: plan, upload, create.

`plan_job` reads the manifest and looks at every image, and decides everything; nothing has happened
then, and `preflight` can judge it. `upload` sends what is missing, and `create` starts the job. All
names on S3 follow from the contents, so that the three can be repeated after any failure: what is
there is not sent again, and a job that was created in the meantime is recognized.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gandt import aws, storage
from gandt.aws import AwsError
from gandt.errors import JobError, ManifestError, UsageError
from gandt.groundtruth.json_lines import read_objects
from gandt.jobs.cost import estimate
from gandt.jobs.images import inspect_images
from gandt.jobs.job_state import is_running_as
from gandt.jobs.plan import Documents, JobPlan, Names
from gandt.jobs.request import build_request, categories_json, resolve_names
from gandt.jobs.rewrite import manifest_bytes, manifest_images, rewrite_manifest
from gandt.jobs.settings import JobSettings
from gandt.jobs.tasks import TaskType, task_type
from gandt.jobs.upload import Uploaded, document_uri, image_uri, send
from gandt.labeling.templates import PAGES, Example, bake, read_template
from gandt.labeling.widgets import WIDGETS, earlier_attribute, widget_page

__all__ = ["Created", "Progress", "create", "plan_job", "upload"]

Progress = Callable[[int, int], None]  # done, of


@dataclass(frozen=True, slots=True)
class Created:
    """The job that runs now."""

    name: str
    arn: str
    before: bool  # whether an earlier try, that was cut off, had created it already


def plan_job(
    settings: JobSettings,
    *,
    examples: Sequence[Example] = (),
    on_progress: Progress | None = None,
) -> JobPlan:
    """Decide everything about a job without changing anything.

    Parameters
    ----------
    examples
        Pictures for the page's instructions; local ones are uploaded.
    on_progress
        Called as images are looked at.

    Raises
    ------
    UsageError
        Where settings exclude each other or a name is not allowed.
    ManifestError, StorageError
        Where the manifest or the template cannot be used.
    JobError
        Where AWS is needed to complete a name and cannot be asked.
    """
    task = task_type(settings.task)
    settings, names = _names(settings, task)
    manifest = storage.normalize(settings.manifest)
    if task.prior and settings.previous_attribute is None and task.name in WIDGETS:
        first = next(read_objects(manifest), (0, {}))[1]
        settings = replace(settings, previous_attribute=earlier_attribute(task.name, first))
    masks = _masks(manifest, settings.previous_attribute) if task.prior else []
    named = manifest_images(manifest) if task.data in ("image", "any") else []
    named += [*masks, *(example.uri for example in examples)]
    images = tuple(inspect_images(list(dict.fromkeys(named)), on_progress))
    to_s3 = {
        facts.uri: image_uri(facts, settings.bucket, settings.prefix)
        for facts in images
        if facts.sha256 is not None and facts.problem is None
    }
    shown = [replace(example, uri=to_s3.get(example.uri, example.uri)) for example in examples]
    template = page_text(settings, task, shown)
    records = rewrite_manifest(
        manifest, to_s3, tiles_key=task.custom and settings.pre_lambda is None
    )
    if not records:
        raise ManifestError(f"{manifest} holds no task: choose candidates with `gandt select`.")
    for record in records if masks else ():
        mask = record.get(str(settings.previous_attribute))
        if mask in to_s3:
            record[str(settings.previous_attribute)] = to_s3[str(mask)]
    documents, contents = _documents(settings, task, names, records, template)
    labeled = sum(names.attribute in record for record in records)
    return JobPlan(
        settings=settings,
        task=task,
        names=names,
        documents=documents,
        records=records,
        images=images,
        uploads=to_s3,
        contents=contents,
        template=template,
        request=build_request(settings, task, names, documents),
        cost=estimate(settings, task, len(records), labeled),
    )


def _masks(manifest: str, attribute: str | None) -> list[str]:
    """Masks of an earlier round that lie on this machine, where the page could not show them."""
    if attribute is None or not attribute.endswith("-ref"):
        return []
    values = (record.get(attribute) for _, record in read_objects(manifest))
    return [mask for mask in values if isinstance(mask, str) and not storage.is_remote(mask)]


def _names(settings: JobSettings, task: TaskType) -> tuple[JobSettings, Names]:
    """Complete what the user left to us: Region, account, names and ARNs."""
    region = aws.region(settings.region)
    account = _account(settings.role)
    if account is None:
        try:
            account = str(aws.call("sts", "get_caller_identity", region)["Account"])
        except AwsError as error:
            raise JobError(
                f"the account of --role {settings.role} cannot be found out: {error} Or give the "
                "role's whole ARN."
            ) from error
        settings = replace(settings, role=f"arn:aws:iam::{account}:role/{settings.role}")
    return settings, resolve_names(settings, task, region=region, account=account)


def _account(role: str) -> str | None:
    parts = role.split(":")
    return parts[4] if role.startswith("arn:") and len(parts) > 5 and parts[4] else None


def page_text(
    settings: JobSettings, task: TaskType, examples: Sequence[Example] = ()
) -> str | None:
    """Make the page that workers get; None where it is AWS's own.

    Raises
    ------
    UsageError
        Where the page does not go with the task.
    """
    if task.human_task_ui is not None:
        if settings.template is not None:
            raise UsageError(
                f"--task {task.name} has a page of AWS's own: leave --template out, or say "
                "--task custom."
            )
        return None
    if not task.custom:
        if settings.template in PAGES:
            raise UsageError(
                f"--task {task.name} is consolidated by Ground Truth, which does not understand "
                f"the answers of our page {settings.template!r}: leave --task out to have it as a "
                "custom job, or leave --template out."
            )
        if settings.template is not None:
            return read_template(settings.template)
        if task.name not in WIDGETS:
            raise UsageError(f"--task {task.name} needs a page of yours (--template FILE).")
        return widget_page(
            task.name,
            question=settings.question,
            instructions=settings.instructions,
            examples=examples,
            previous_attribute=settings.previous_attribute,
        )
    if settings.template is None:
        raise UsageError(
            f"a custom job needs a page: give --template one of {', '.join(PAGES)}, or a file."
        )
    text = read_template(settings.template)
    if settings.template not in PAGES:
        return text
    return bake(
        text,
        labels=list(settings.labels),
        question=settings.question,
        instructions=settings.instructions,
        examples=examples,
    )


def _documents(
    settings: JobSettings,
    task: TaskType,
    names: Names,
    records: tuple[dict[str, object], ...],
    template: str | None,
) -> tuple[Documents, dict[str, bytes]]:
    contents: dict[str, bytes] = {}

    def put(kind: str, content: bytes, suffix: str) -> str:
        uri = document_uri(kind, content, suffix, settings.bucket, settings.prefix)
        contents[uri] = content
        return uri

    categories = categories_json(settings, task)
    prefix = settings.prefix.strip("/")
    documents = Documents(
        manifest=put("manifests", manifest_bytes(records), ".manifest"),
        output=f"s3://{settings.bucket}/{prefix + '/' if prefix else ''}jobs",
        categories=None if categories is None else put("categories", categories, ".json"),
        template=None if template is None else put("templates", template.encode(), ".liquid.html"),
    )
    return documents, contents


def upload(
    plan: JobPlan, *, on_progress: Callable[[int, int, int], None] | None = None
) -> Uploaded:
    """Send the images and documents that are not on S3 yet.

    Raises
    ------
    StorageError
        Where something could not be sent; what was, is not sent again by the next try.
    """
    return send(plan.uploads, plan.contents, on_progress)


def create(plan: JobPlan) -> Created:
    """Start the job.

    Raises
    ------
    JobError
        Where AWS refuses, with what to do about it.
    """
    where, name = plan.names.region, plan.names.job
    try:
        answer = aws.call("sagemaker", "create_labeling_job", where, **plan.request)
    except AwsError as error:
        if error.code == "ResourceInUse":
            return _created_before(plan, error)
        if error.denied:
            raise JobError(
                f"AWS refuses to create the job ({error.said or error.code}). Either your identity "
                "lacks sagemaker:CreateLabelingJob or iam:PassRole, or the account has no access "
                "to Ground Truth, which takes no new customers: then label on this machine, with "
                f"`gandt label {plan.settings.manifest}`."
            ) from error
        if error.code == "ResourceLimitExceeded":
            raise JobError(
                f"the account may run no more labeling jobs at once ({error.said}): wait for one "
                "(`gandt status`), stop one, or ask AWS for a higher quota."
            ) from error
        raise
    return Created(name, str(answer["LabelingJobArn"]), before=False)


def _created_before(plan: JobPlan, error: AwsError) -> Created:
    """Recognize the job of an earlier try that was cut off before it could say so."""
    where, name = plan.names.region, plan.names.job
    found = aws.call("sagemaker", "describe_labeling_job", where, LabelingJobName=name)
    if is_running_as(found, plan.request):
        return Created(name, str(found["LabelingJobArn"]), before=True)
    raise JobError(
        f"a job named {found['LabelingJobName']} exists already in {where} (names are compared "
        f"without case): choose another with --name, as {name[:60]}-2."
    ) from error
