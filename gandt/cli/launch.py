"""`gandt launch`: a manifest becomes a running labeling job, after every check and a question."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gandt.cli.output import note, print_json, show_counter, size
from gandt.errors import JobError, UsageError
from gandt.words import count

if TYPE_CHECKING:
    from gandt.jobs.plan import JobPlan

__all__ = ["LAUNCH_EXAMPLE", "launch"]

LAUNCH_EXAMPLE = (
    "gandt launch round1.manifest --task image-classification --labels cat,dog,Other \\\n"
    "    --bucket my-bucket --workteam cat-people \\\n"
    "    --role arn:aws:iam::123456789012:role/GroundTruth"
)

# Options by what they are about, as --help lists them.
_JOB, _PAGE, _PEOPLE = "The job", "What people see", "People and money"
_STORE, _AUTO, _RUN = "Where things lie", "Ground Truth's own machinery", "This run"


def _text(panel: str, text: str, **more: Any) -> Any:
    return typer.Option(help=text, show_default=False, rich_help_panel=panel, **more)


def launch(
    manifest: Annotated[
        str,
        typer.Argument(
            metavar="MANIFEST|JOB.toml",
            help="A manifest, local or s3://, or a TOML file with these options as keys.",
            show_default=False,
        ),
    ],
    task: Annotated[
        str | None,
        _text(
            _JOB,
            "Kind of task, as image-classification, bounding-box, text-spans or custom; an unknown "
            "one lists them all.",
        ),
    ] = None,
    labels: Annotated[
        str | None, _text(_JOB, "Labels with commas between, or @FILE with one on each line.")
    ] = None,
    name: Annotated[str | None, _text(_JOB, "Name of the job; else after the manifest.")] = None,
    attribute: Annotated[
        str | None, _text(_JOB, "Label attribute in the output manifest; else the job's name.")
    ] = None,
    previous_attribute: Annotated[
        str | None, _text(_JOB, "Label attribute that a verify or adjust task is about.")
    ] = None,
    tag: Annotated[list[str] | None, _text(_JOB, "Tag of the job.", metavar="KEY=VALUE")] = None,
    template: Annotated[
        str | None,
        _text(_PAGE, "One of our pages, or a file; without --task it makes a custom job."),
    ] = None,
    question: Annotated[str | None, _text(_PAGE, "Question above the task.")] = None,
    instructions: Annotated[str | None, _text(_PAGE, "Words of instruction.")] = None,
    examples: Annotated[
        list[str] | None,
        _text(_PAGE, "Seeds to show in the instructions, as seeds/.", metavar="PATH"),
    ] = None,
    title: Annotated[str | None, _text(_PAGE, "Title in the workers' list.")] = None,
    description: Annotated[str | None, _text(_PAGE, "Description in the workers' list.")] = None,
    keywords: Annotated[
        str | None, _text(_PAGE, "Up to five, with commas between; public workforce.")
    ] = None,
    workteam: Annotated[
        str | None, _text(_PEOPLE, "ARN, name of a private team (`gandt teams`), or public.")
    ] = None,
    workers: Annotated[
        int | None, _text(_PEOPLE, "People to an object, 1 to 9; else 3, for boxes 5.")
    ] = None,
    task_time: Annotated[
        str | None, _text(_PEOPLE, "Time for a task once it is taken, as 5m.")
    ] = None,
    availability: Annotated[
        str | None, _text(_PEOPLE, "Time that tasks wait for people, as 10d.")
    ] = None,
    max_concurrent: Annotated[int | None, _text(_PEOPLE, "Tasks out at the same time.")] = None,
    max_objects: Annotated[
        int | None, _text(_PEOPLE, "Stop when people have labeled so many objects.")
    ] = None,
    max_percent: Annotated[
        int | None, _text(_PEOPLE, "Stop when this share of the objects is labeled.")
    ] = None,
    price: Annotated[
        str | None, _text(_PEOPLE, "USD a task and worker, as 0.036; public workforce.")
    ] = None,
    no_personal_data: Annotated[
        bool,
        typer.Option(
            "--no-personal-data",
            help="State that the data hold nothing personal or confidential; public workforce.",
            rich_help_panel=_PEOPLE,
        ),
    ] = False,
    no_adult_content: Annotated[
        bool,
        typer.Option(
            "--no-adult-content",
            help="State that the data hold no adult content; public workforce.",
            rich_help_panel=_PEOPLE,
        ),
    ] = False,
    bucket: Annotated[
        str | None, _text(_STORE, "Bucket for images, documents and results.")
    ] = None,
    prefix: Annotated[
        str | None, _text(_STORE, "Prefix in the bucket; groundtruth unless said.")
    ] = None,
    region: Annotated[
        str | None, _text(_STORE, "AWS Region; else that of your AWS settings.")
    ] = None,
    role: Annotated[
        str | None, _text(_STORE, "ARN or name of the role that the job takes on.")
    ] = None,
    kms_key: Annotated[str | None, _text(_STORE, "KMS key that encrypts the output.")] = None,
    set_cors: Annotated[
        bool,
        typer.Option(
            "--set-cors",
            help="Add the CORS rule that workers' browsers need to buckets that lack it.",
            rich_help_panel=_STORE,
        ),
    ] = False,
    automated: Annotated[
        bool,
        typer.Option(
            "--automated", help="Have Ground Truth label easy objects.", rich_help_panel=_AUTO
        ),
    ] = False,
    initial_model: Annotated[
        str | None, _text(_AUTO, "ARN of the model that an earlier automated job ended with.")
    ] = None,
    volume_kms_key: Annotated[
        str | None, _text(_AUTO, "KMS key of the disks of automated labeling.")
    ] = None,
    subnet: Annotated[
        list[str] | None, _text(_AUTO, "Subnet of automated labeling, in your VPC.")
    ] = None,
    security_group: Annotated[
        list[str] | None, _text(_AUTO, "Security group of automated labeling.")
    ] = None,
    own_lambdas: Annotated[
        bool | None,
        typer.Option(
            "--lambda/--no-lambda",
            help="Custom jobs: with the functions of our stack, or with none (the default).",
            show_default=False,
            rich_help_panel=_AUTO,
        ),
    ] = None,
    pre_lambda: Annotated[
        str | None, _text(_AUTO, "Pre-annotation function of your own, name or ARN.")
    ] = None,
    post_lambda: Annotated[
        str | None, _text(_AUTO, "Post-annotation function of your own, name or ARN.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.", rich_help_panel=_RUN)] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only plan and check; with --json, print the request.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON.", rich_help_panel=_RUN)
    ] = False,
) -> None:
    """Create a Ground Truth job: check, ask, upload, create.

    Images on this machine are uploaded under names made of their contents, so that a second try
    sends only what is missing. Nothing is sent or created before every check has passed.
    """
    from gandt.cli.examples import read_examples
    from gandt.cli.launch_output import plan_as_json, show_plan
    from gandt.jobs.job_file import (
        make_settings,
        parse_duration,
        read_job_file,
        split_labels,
    )
    from gandt.jobs.launch import create, plan_job, upload
    from gandt.jobs.preflight.checks import check_offline, check_online

    given: dict[str, Any] = {"manifest": manifest}
    if manifest.endswith(".toml"):
        given = read_job_file(manifest)
    options: dict[str, Any] = {
        "task": task,
        "labels": None if labels is None else split_labels(labels),
        "name": name,
        "attribute": attribute,
        "previous_attribute": previous_attribute,
        "template": template,
        "question": question,
        "instructions": instructions,
        "examples": tuple(examples) if examples else None,
        "title": title,
        "description": description,
        "keywords": _list(keywords),
        "workteam": workteam,
        "workers": workers,
        "task_seconds": None if task_time is None else parse_duration(task_time, "--task-time"),
        "availability_seconds": (
            None if availability is None else parse_duration(availability, "--availability")
        ),
        "max_concurrent": max_concurrent,
        "max_objects": max_objects,
        "max_percent": max_percent,
        "price": price,
        "no_personal_data": no_personal_data or None,
        "no_adult_content": no_adult_content or None,
        "bucket": bucket,
        "prefix": prefix,
        "region": region,
        "role": role,
        "kms_key": kms_key,
        "automated": automated or None,
        "initial_model": initial_model,
        "volume_kms_key": volume_kms_key,
        "subnets": tuple(subnet) if subnet else None,
        "security_groups": tuple(security_group) if security_group else None,
        "pre_lambda": pre_lambda,
        "post_lambda": post_lambda,
        "tags": _tags(tag),
    }
    given |= {key: value for key, value in options.items() if value is not None}
    if own_lambdas:
        given.setdefault("pre_lambda", "gandt-PreLabelingFunction")
        given.setdefault("post_lambda", "gandt-PostLabelingFunction")
    if "template" in given:
        given.setdefault("task", "custom")
    settings = make_settings(given)

    with show_counter("images looked at", quiet=json) as looked:
        plan = plan_job(
            settings,
            examples=read_examples(settings.examples, settings.labels),
            on_progress=looked,
        )
    checks = [*check_offline(plan)]
    # What the files alone get wrong is said without asking AWS twenty questions first.
    if not any(check.status == "error" for check in checks):
        checks += check_online(plan, set_cors=set_cors)
    failed = [check for check in checks if check.status == "error"]
    if not json:
        show_plan(plan, checks)
    if failed:
        if json:
            print_json(plan_as_json(plan, checks, dry_run))
        raise JobError(f"{count(len(failed), 'check')} failed; nothing was uploaded or created.")
    if dry_run:
        if json:
            print_json(plan_as_json(plan, checks, dry_run))
        else:
            typer.echo("dry run       nothing was uploaded or created")
        return
    if not yes:
        _ask(plan)
    if set_cors:
        from gandt.jobs.cors import add_missing_cors

        for changed in add_missing_cors(plan):
            note(f"gandt: added a CORS rule to s3://{changed}")
    with show_counter("files sent", quiet=json) as sent:
        uploaded = upload(plan, on_progress=lambda done, of, _: sent(done, of))
    created = create(plan)
    if json:
        print_json(
            {
                **plan_as_json(plan, checks, dry_run),
                "arn": created.arn,
                "uploaded": uploaded.sent,
                "uploaded_bytes": uploaded.bytes,
                "there": uploaded.there,
            }
        )
        return
    typer.echo(
        f"uploaded      {count(uploaded.sent, 'file')} ({size(uploaded.bytes)}), "
        f"{uploaded.there:,} there already"
    )
    before = " (an earlier try had created it)" if created.before else ""
    typer.echo(f"created       {created.arn}{before}")
    typer.echo(f"next          gandt wait {created.name}")
    typer.echo(f"              gandt fetch {created.name} --out answers/")


def _list(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def _tags(texts: list[str] | None) -> dict[str, str] | None:
    if not texts:
        return None
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--tag {text!r} is no pair: write KEY=VALUE.")
        found[key] = value
    return found


def _ask(plan: JobPlan) -> None:
    if not sys.stdin.isatty():
        raise UsageError("there is nobody to ask here whether to go on: give --yes.")
    if not typer.confirm(f"Create the job {plan.names.job}?", err=True):
        raise JobError("nothing was uploaded or created, as you said.")
