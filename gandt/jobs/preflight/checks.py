"""Every check before a labeling job costs anything, each with its fix.

`check_offline` looks at what the plan holds; `check_online` asks AWS, many questions at once, and
changes nothing there. A question that the caller may not ask becomes a check that was skipped, with
what to look at by hand; no check raises for what it looks at.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

from gandt.errors import JobError
from gandt.jobs.plan import Check, JobPlan
from gandt.jobs.preflight.access import ask_caller, check_account, check_name
from gandt.jobs.preflight.buckets import check_bucket, check_cors
from gandt.jobs.preflight.caller import check_caller
from gandt.jobs.preflight.data import check_data
from gandt.jobs.preflight.images import check_images
from gandt.jobs.preflight.page import check_page, check_rendering
from gandt.jobs.preflight.parts import check_function, check_key, check_team
from gandt.jobs.preflight.references import image_buckets
from gandt.jobs.preflight.request import check_settings, own_functions
from gandt.jobs.preflight.role import check_permissions, check_trust, needs
from gandt.jobs.preflight.words import skipped

__all__ = ["Progress", "check_offline", "check_online"]

Progress = Callable[[int, int], None]  # done, of
_AT_ONCE = 8
_Question = tuple[str, Callable[[], list[Check]]]  # what it is about, and how it is asked


def check_offline(plan: JobPlan) -> list[Check]:
    """Check all that the files and the settings alone can break.

    Returns
    -------
    checks
        In the order of data, images, settings, page.
    """
    return [
        *check_data(plan),
        *check_images(plan),
        *check_settings(plan),
        *check_page(plan),
    ]


def check_online(
    plan: JobPlan, *, set_cors: bool = False, on_progress: Progress | None = None
) -> list[Check]:
    """Check what AWS knows: account, names, buckets, role, team, functions, keys, the page.

    Parameters
    ----------
    set_cors
        Whether missing CORS rules will be added (`cors.add_missing_cors`), so that their absence
        is no error.
    on_progress
        Called as questions are answered, from the thread of the caller.

    Returns
    -------
    checks
        In the order of the questions, whatever comes back first.
    """
    caller, checks = ask_caller(plan)
    if caller is None:
        return [
            *checks,
            skipped(
                "everything that AWS knows",
                "nothing can be asked without credentials",
                "run it again when the credentials work",
            ),
        ]
    images = image_buckets(plan)
    questions: list[_Question] = [
        ("Ground Truth", lambda: check_account(plan)),
        ("job name", lambda: check_name(plan)),
        ("your permissions", lambda: check_caller(plan, caller)),
        ("role", lambda: check_trust(plan)),
        *((f"role may {n.what}", _bind(check_permissions, plan, n)) for n in needs(plan)),
        *(
            (f"bucket s3://{bucket}", _bind(check_bucket, plan, bucket))
            for bucket in dict.fromkeys((plan.settings.bucket, *images))
        ),
        *(
            (f"CORS of s3://{bucket}", _bind(check_cors, plan, bucket, set_cors))
            for bucket in images
        ),
        ("work team", lambda: check_team(plan)),
        *(
            (option, _bind(check_function, plan, option, arn))
            for option, arn in own_functions(plan).items()
        ),
        *(
            (f"key of {option}", _bind(check_key, plan, option, key))
            for option, key in (
                ("--kms-key", plan.settings.kms_key),
                ("--volume-kms-key", plan.settings.volume_kms_key),
            )
            if key is not None
        ),
        ("worker page, rendered by AWS", lambda: check_rendering(plan)),
    ]
    return checks + _ask(questions, on_progress)


def _bind(function: Callable[..., list[Check]], *values: object) -> Callable[[], list[Check]]:
    return lambda: function(*values)


def _ask(questions: list[_Question], on_progress: Progress | None) -> list[Check]:
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="preflight") as pool:
        futures = [pool.submit(_answer, *question) for question in questions]
        for done, _ in enumerate(as_completed(futures), start=1):
            if on_progress is not None:
                on_progress(done, len(futures))
        return [check for future in futures for check in future.result()]


def _answer(name: str, ask: Callable[[], list[Check]]) -> list[Check]:
    try:
        return ask()
    except JobError as problem:
        return [skipped(name, str(problem).rstrip("."), "look at it in the AWS console")]
