"""What a job will cost, to the tenth of a cent, and what nobody can know before."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.errors import UsageError
from gandt.jobs.cost import estimate, object_fee
from gandt.jobs.plan import Cost
from gandt.jobs.settings import JobSettings
from gandt.jobs.tasks import TASKS

VENDOR = "arn:aws:sagemaker:eu-west-1:111122223333:workteam/vendor-crowd/abc"


def cost(objects: int, task: str = "image-classification", **more: Any) -> Cost:
    made = JobSettings(
        manifest="round1.manifest",
        task=task,
        bucket="my-pool",
        role="arn:aws:iam::111122223333:role/GroundTruth",
        **({"workteam": "cat-people"} | more),
    )
    return estimate(made, TASKS[task], objects)


@pytest.mark.parametrize(
    ("objects", "fee"),
    [
        (0, "0"),
        (1, "0.08"),
        (500, "40"),
        (50_000, "4000"),
        (50_001, "4000.04"),
        (1_000_000, "42000"),
        (1_000_001, "42000.02"),
        (2_000_000, "62000"),
    ],
)
def test_the_fee_falls_in_two_steps(objects: int, fee: str) -> None:
    assert object_fee(objects) == Decimal(fee)


def test_a_public_job_by_hand() -> None:
    found = cost(1000, workteam="public", price="0.036", workers=3)
    assert [amount for _, amount in found.parts] == [Decimal("80.00"), Decimal("108.000")]
    assert found.total == Decimal("188")
    assert found.parts[1][0] == "public workforce, 1,000 objects x 3 workers x $0.036"
    assert found.without == ("what S3, Lambda and KMS charge for storage and calls",)


def test_prices_that_binary_fractions_lose() -> None:
    found = cost(100_000, workteam="public", price="0.012", workers=9)
    assert found.parts[1][1] == Decimal("10800")


def test_a_team_of_ones_own_is_counted_in_answers() -> None:
    found = cost(200, "bounding-box")
    assert found.parts[1] == ("your team's time, 1,000 answers (200 objects x 5 workers)", None)
    assert found.total == Decimal("16.00")
    assert "the time of your own team" in found.without


def test_a_vendor_sets_the_price() -> None:
    found = cost(10, workteam=VENDOR)
    assert found.parts[1][1] is None
    assert any("vendor, who sets the price" in words for words in found.without)


def test_a_public_price_that_is_missing_is_not_free() -> None:
    found = cost(10, workteam="public")
    assert found.parts[1] == ("public workforce, 10 objects x 3 workers", None)
    assert any("--price is not given" in words for words in found.without)


def test_a_price_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="--price"):
        cost(10, workteam="public", price="cheap")


@pytest.mark.parametrize(
    ("more", "objects"),
    [
        ({"max_objects": 100}, 100),
        ({"max_objects": 5000}, 1000),
        ({"max_percent": 25}, 250),
        ({"max_percent": 33, "max_objects": 400}, 330),
        ({"max_percent": 1}, 10),
    ],
)
def test_stopping_conditions_cap_the_cost(more: dict[str, Any], objects: int) -> None:
    found = cost(1000, workteam="public", price="0.012", workers=1, **more)
    assert found.total == object_fee(objects) + objects * Decimal("0.012")


def test_one_object_is_never_rounded_away() -> None:
    assert cost(3, max_percent=1).total == Decimal("0.08")


def test_automated_labeling_pays_the_fee_for_all_and_people_for_some() -> None:
    found = cost(10_000, workteam="public", price="0.012", automated=True, max_objects=2_000)
    fee, people, machines = found.parts
    assert fee[1] == Decimal("800")  # also for what the model labels
    assert people[1] == Decimal("72")
    assert "at most 2,000 objects" in people[0]
    assert machines[1] is None
    assert any("instances of automated labeling" in words for words in found.without)


def test_frames_are_counted_by_aws_not_by_lines() -> None:
    found = cost(10, "video-tracking")
    assert found.parts[0][1] is None
    assert found.total == 0
    assert any("counts frames" in words for words in found.without)


@given(
    st.integers(1, 2_000_000),
    st.integers(1, 9),
    st.sampled_from(["0.012", "0.036", "1.200"]),
    st.none() | st.integers(1, 100),
    st.none() | st.integers(1, 100_000),
)
def test_the_total_is_the_sum_and_never_falls_with_more_objects(
    objects: int, workers: int, price: str, percent: int | None, most: int | None
) -> None:
    more: dict[str, Any] = {
        "workteam": "public",
        "price": price,
        "workers": workers,
        "max_percent": percent,
        "max_objects": most,
    }
    found = cost(objects, **more)
    assert found.total == sum(amount for _, amount in found.parts if amount is not None)
    assert Decimal("0.08") <= found.total <= cost(objects + 1, **more).total
