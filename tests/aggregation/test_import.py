"""Importing the room costs little: it has to fit a notebook and a small Lambda layer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gandt import aggregation


def run(program: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=600,
    )
    return done.stdout


def loaded_by(program: str) -> set[str]:
    return {
        name.partition(".")[0]
        for name in run(f"{program}\nimport sys; print(*sys.modules)").split()
    }


HEAVY = {"pandas", "torch", "pyarrow", "boto3", "sklearn", "crowdkit", "cleanlab", "PIL"}


def test_importing_loads_numpy_alone() -> None:
    loaded = loaded_by("from gandt import aggregation")
    assert "numpy" in loaded
    assert not loaded & (HEAVY | {"scipy"})


def test_aggregating_loads_nothing_heavy_either() -> None:
    program = (
        "from gandt import aggregation\n"
        "table = {'task': [1, 1, 2, 2], 'worker': [1, 2, 1, 2], 'label': ['a', 'a', 'a', 'b']}\n"
        "found = aggregation.aggregate(table)\n"
        "sets = aggregation.aggregate({**table, 'label': [['a'], ['a', 'b'], ['b'], ['b']]})\n"
        "list(found.labels.rows()), list(found.workers.rows()), list(sets.workers.rows())"
    )
    assert not loaded_by(program) & HEAVY


def test_it_costs_little_more_than_numpy() -> None:
    program = "import time; import {}; print(time.process_time())"

    def seconds(module: str) -> float:
        return min(float(run(program.format(module))) for _ in range(5))

    assert seconds("gandt.aggregation") <= 2.5 * seconds("numpy")


def test_what_is_exported_is_there() -> None:
    for name in aggregation.__all__:
        assert getattr(aggregation, name) is not None
    assert callable(aggregation.aggregate)
    assert aggregation.__doc__ and "aggregate" in aggregation.__doc__
    with pytest.raises(AttributeError):
        aggregation.agregate  # noqa: B018
