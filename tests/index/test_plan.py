"""The plan of a search index follows from the pool's size, the memory and the recall wanted."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gandt.errors import UsageError
from gandt.index.plan import (
    CODES,
    coarse_lists,
    format_bytes,
    parse_bytes,
    plan_code,
    plan_index,
)

GB = 1 << 30
rows_drawn = st.integers(1, 500_000_000)
dimensions = st.sampled_from([64, 100, 384, 512, 768, 1280, 4096])
memories = st.integers(1 << 24, 1 << 42)


def code_of(plan):
    if plan.kind == "exact":
        return -1
    name = plan.factory.split(",")[1]
    return next(i for i, code in enumerate(("SQ8", "SQ4", "RaBitQ", "PQ")) if name.startswith(code))


def planned(rows, dimension, memory, **options):
    try:
        return plan_index(rows, dimension, memory_bytes=memory, **options)
    except UsageError:
        return None


@pytest.mark.parametrize(
    ("rows", "memory", "factory"),
    [
        (100_000, 4 * GB, ""),
        (1_000_000, 4 * GB, ""),
        (10_000_000, 8 * GB, "IVF16384,SQ8"),
        (10_000_000, 4 * GB, "IVF16384,SQ4"),
        (10_000_000, 2 * GB, "IVF8192,RaBitQ"),
        (10_000_000, GB // 2 + GB // 8, "IVF4096,PQ64x4fs"),
        (100_000_000, 16 * GB, "IVF32768_HNSW32,RaBitQ"),
        (100_000_000, 8 * GB, "IVF32768_HNSW32,PQ64x4fs"),
    ],
)
def test_plans_worked_out_by_hand(rows, memory, factory):
    plan = plan_index(rows, 512, memory_bytes=memory)
    assert plan.factory == factory
    assert plan.kind == ("ivf" if factory else "exact")
    assert plan.why.endswith(".")


def test_a_plan_that_does_not_fit_names_the_memory_that_would():
    with pytest.raises(UsageError, match=r"--memory \d+M") as caught:
        plan_index(100_000_000, 512, memory_bytes=2 * GB)
    needed = str(caught.value).split("--memory ")[1].split(",")[0]
    assert plan_index(100_000_000, 512, memory_bytes=parse_bytes(needed)).kind == "ivf"


@given(rows=rows_drawn, dimension=dimensions, memory=memories)
def test_a_plan_keeps_to_the_memory_allowed(rows, dimension, memory):
    plan = planned(rows, dimension, memory)
    assume(plan is not None)
    assert plan.memory_bytes <= memory
    assert plan.training_rows <= rows
    assert 1 <= max(plan.nprobe, 1) <= max(plan.lists, 1)


@given(rows=rows_drawn, dimension=dimensions, memory=memories, more=memories)
def test_more_memory_never_gives_coarser_codes_or_fewer_lists(rows, dimension, memory, more):
    low = planned(rows, dimension, min(memory, more))
    high = planned(rows, dimension, max(memory, more))
    if low is not None:
        assert high is not None
        assert code_of(high) <= code_of(low)
        assert high.lists >= low.lists


@given(rows=rows_drawn, more=rows_drawn, dimension=dimensions, memory=memories)
def test_more_rows_never_give_finer_codes_or_fewer_lists(rows, more, dimension, memory):
    low = planned(min(rows, more), dimension, memory)
    high = planned(max(rows, more), dimension, memory)
    if high is not None:
        assert low is not None
        assert code_of(high) >= code_of(low)
        assert high.lists >= low.lists
        assert high.disk_bytes >= low.disk_bytes or code_of(high) != code_of(low)


@given(rows=st.integers(3_000_000, 10**8), a=st.floats(0.5, 1), b=st.floats(0.5, 1))
def test_a_higher_recall_never_looks_into_fewer_lists(rows, a, b):
    low, high = (
        plan_code(rows, 512, "sq8", recall=recall).nprobe for recall in (min(a, b), max(a, b))
    )
    assert low <= high


def test_codes_are_listed_from_large_to_small():
    sizes = [plan_code(10**7, 512, code).disk_bytes for code in CODES]
    assert sizes == sorted(sizes, reverse=True)


def test_no_list_is_trained_on_fewer_points_than_faiss_asks_for():
    for rows in (40, 1000, 20_000, 3_000_000):
        assert 39 * coarse_lists(rows, 512, 1 << 40) <= rows


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4G", 4 * GB),
        ("512MB", 512 << 20),
        ("1.5 GiB", 3 * GB // 2),
        ("64k", 1 << 16),
        ("123", 123),
        ("2T", 2 << 40),
    ],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "0", "4X", "four", "1e9", "4 G B", "0.1"])
def test_what_is_no_size_is_refused_by_name(text):
    with pytest.raises(UsageError, match="4G"):
        parse_bytes(text)


def test_sizes_are_shown_as_people_read_them():
    assert [format_bytes(size) for size in (5, 2048, 4 * GB, 3 << 40)] == [
        "5 bytes",
        "2.0 KB",
        "4.0 GB",
        "3.0 TB",
    ]


@pytest.mark.parametrize(
    "numbers",
    [
        {"rows": -1},
        {"dimension": 0},
        {"memory_bytes": 0},
        {"recall": 0.0},
        {"recall": 1.1},
        {"cores": 0},
    ],
)
def test_impossible_numbers_are_refused(numbers):
    with pytest.raises(UsageError):
        plan_index(**{"rows": 10, "dimension": 8, "memory_bytes": GB, **numbers})
