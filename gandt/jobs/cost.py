"""What a job will cost, as far as that can be known before it runs.

The fee per labeled object is Ground Truth's list price as of September 2024: $0.08 for the first
50,000 objects of a month, $0.04 up to a million, $0.02 beyond. Its two ends are quoted by Huyen,
"AI Engineering" (2024), from AWS's page "Amazon SageMaker Ground Truth pricing", and the same three
steps in descriptions of Amazon Augmented AI, which is billed alike; the page's own table was not
at hand, prices change, and it decides. In its words an object costs the fee whoever labels it,
people or a model; vendors set their own prices; a team of one's own costs nothing more. The public
workforce is paid per worker and object ("PublicWorkforceTaskPrice"). Money is decimal throughout:
binary fractions lose tenths of cents.
"""

from __future__ import annotations

from decimal import Decimal

from gandt.jobs.plan import Cost
from gandt.jobs.regions import workforce
from gandt.jobs.request import price_of
from gandt.jobs.settings import JobSettings
from gandt.jobs.tasks import TaskType

__all__ = ["FEES", "estimate", "object_fee"]

# Objects a month up to which a price holds, and USD an object; None: all others.
FEES: tuple[tuple[int | None, Decimal], ...] = (
    (50_000, Decimal("0.08")),
    (1_000_000, Decimal("0.04")),
    (None, Decimal("0.02")),
)


def object_fee(objects: int) -> Decimal:
    """Give Ground Truth's fee in USD, as if these objects were the first of the month."""
    fee, before = Decimal(0), 0
    for until, price in FEES:
        last = objects if until is None else min(objects, until)
        fee += max(0, last - before) * price
        before = max(before, last)
    return fee


def estimate(settings: JobSettings, task: TaskType, objects: int, there: int = 0) -> Cost:
    """Estimate the cost of a job over so many lines of the manifest, in USD.

    Stopping conditions are taken into account: the estimate is of as much as they let happen. So
    are the lines (`there`) that have a label under the job's attribute already, which it leaves.

    Raises
    ------
    UsageError
        Where the price is no amount of money.
    """
    labeled = objects
    if settings.max_percent is not None:
        labeled = min(labeled, -(-objects * settings.max_percent // 100))
    labeled = min(labeled, objects - there)
    by_people = labeled if settings.max_objects is None else min(labeled, settings.max_objects)
    if not settings.automated:
        labeled = by_people
    parts: list[tuple[str, Decimal | None]] = []
    without: list[str] = []
    if task.data in ("frames", "points"):
        # A line is a whole sequence here, and AWS counts its frames.
        parts.append(("fee of Ground Truth, by the frames of the sequences", None))
        without.append("the fee of Ground Truth, which counts frames, not lines of the manifest")
    else:
        fee = object_fee(labeled)
        parts.append((f"fee of Ground Truth for {_objects(labeled)}, at its list price", fee))
    parts.append(_people(settings, task, by_people, without))
    if settings.automated:
        parts.append(("training and inference of automated labeling, by the hour", None))
        without.append(
            "the instances of automated labeling; in return, people get only what the model is not "
            "sure of"
        )
    without.append("what S3, Lambda and KMS charge for storage and calls")
    total = sum((amount for _, amount in parts if amount is not None), Decimal(0))
    return Cost(parts=tuple(parts), total=total, without=tuple(without))


def _people(
    settings: JobSettings, task: TaskType, objects: int, without: list[str]
) -> tuple[str, Decimal | None]:
    workers = task.workers if settings.workers is None else settings.workers
    answers = objects * workers
    each = f"{_objects(objects)} x {workers} {'worker' if workers == 1 else 'workers'}"
    at_most = "at most " if settings.automated else ""
    kind = workforce(settings.workteam)
    if kind == "public":
        if settings.price is None:
            without.append("the public workforce, whose --price is not given")
            return f"public workforce, {at_most}{each}", None
        price = price_of(settings.price)
        return f"public workforce, {at_most}{each} x ${price}", answers * price
    if kind == "vendor":
        without.append("the vendor, who sets the price (AWS Marketplace)")
        return f"vendor, {at_most}{answers:,} answers ({each})", None
    without.append("the time of your own team")
    return f"your team's time, {at_most}{answers:,} answers ({each})", None


def _objects(number: int) -> str:
    return f"{number:,} object{'s' * (number != 1)}"
