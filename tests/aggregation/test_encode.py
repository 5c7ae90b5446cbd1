"""Tables from outside become codes: every kind of column, what is left out, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.aggregation.encode import Encoded, _order, encode
from gandt.aggregation.factorize import factorize
from gandt.answers import Answers, Box
from gandt.errors import AnswerError

pd = pytest.importorskip("pandas")

TABLE = {
    "task": ["b", "a", "b", "a", "c"],
    "worker": ["x", "x", "y", "z", "y"],
    "label": ["dog", "cat", "cat", "cat", "dog"],
}


def rows(data: Encoded) -> list[tuple[str, str, str]]:
    """The answers that were kept, by name, sorted."""
    return sorted(
        (data.tasks[task], data.workers[worker], data.classes[label])
        for task, worker, label in zip(data.task, data.worker, data.label, strict=True)
    )


def test_a_table_worked_by_hand() -> None:
    data = encode(TABLE)
    assert data.tasks.tolist() == ["b", "a", "c"]
    assert data.workers.tolist() == ["x", "y", "z"]
    assert data.classes == ("cat", "dog")
    assert data.start.tolist() == [0, 2, 4, 5]
    assert data.worker.tolist() == [0, 1, 0, 2, 1]
    assert data.label.tolist() == [1, 0, 0, 0, 1]
    assert data.task.tolist() == [0, 0, 1, 1, 2]
    assert data.shape == (3, 3, 2)
    assert (data.duplicates, data.empty, data.unknown) == (0, 0, 0)


def chunked(values: list[str]) -> pa.ChunkedArray:
    return pa.chunked_array([values[:2], values[2:3], values[3:]])


def dictionary(values: list[str]) -> pa.Array:
    """Dictionary-encoded, with an unused entry and another order than that of appearance."""
    names = ["unused", *sorted(set(values), reverse=True)]
    return pa.DictionaryArray.from_arrays([names.index(value) for value in values], names)


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame(TABLE),
        pd.DataFrame(TABLE).astype("category"),
        pd.DataFrame(TABLE).astype("string"),
        pd.DataFrame(TABLE).astype(object).set_axis([9, 9, 2, 1, 0]),
        pa.table(TABLE),
        pa.table({name: chunked(values) for name, values in TABLE.items()}),
        pa.table({name: dictionary(values) for name, values in TABLE.items()}),
        pa.table({name: chunked(values).dictionary_encode() for name, values in TABLE.items()}),
        {name: np.array(values) for name, values in TABLE.items()},
        {name: np.array(values, object) for name, values in TABLE.items()},
        {name: tuple(values) for name, values in TABLE.items()},
        {name: np.array(values, "S") for name, values in TABLE.items()},
        Answers("single", TABLE["task"], TABLE["worker"], TABLE["label"]),
    ],
    ids=lambda table: type(table).__name__,
)
def test_every_kind_of_table_gives_the_same_codes(table: object) -> None:
    data, expected = encode(table), encode(TABLE)
    for name in ("tasks", "workers", "start", "worker", "label"):
        assert getattr(data, name).tolist() == getattr(expected, name).tolist(), name
    assert data.classes == expected.classes


@pytest.mark.parametrize(
    "column",
    [
        [7, 3, 7, 10],
        np.array([7, 3, 7, 10]),
        np.array([7, 3, 7, 10], np.uint8),
        np.array([7.0, 3.0, 7.0, 10.0]),
        pd.Series([7, 3, 7, 10]),
        pd.Series([7, 3, 7, 10], dtype="Int64"),
        pa.array([7, 3, 7, 10]),
        pa.chunked_array([[7], [3, 7, 10]]),
        ["7", 3, 7.0, "10"],
    ],
    ids=str,
)
def test_numbers_become_text(column: object) -> None:
    codes, names = factorize(column, "task")
    assert names == ["7", "3", "10"]
    assert codes.tolist() == [0, 1, 0, 2]
    assert codes.dtype == np.int32


@pytest.mark.parametrize(
    "column",
    [
        np.array([2**63 + 5, 2**63 + 1, 2**63 + 5], np.uint64),
        np.array([2**64 - 1, 3, 2**64 - 1], np.uint64),
        np.array([-(2**63), 2**63 - 1, -(2**63)], np.int64),
        np.array([-128, 127, -128], np.int8),
        np.array([True, False, True]),
    ],
    ids=str,
)
def test_the_widest_integers_are_kept_apart(column: np.ndarray) -> None:
    codes, names = factorize(column, "task")
    assert codes.tolist() == [0, 1, 0]
    assert names == [str(column.tolist()[0]), str(column.tolist()[1])]


MISSING = [None, float("nan"), "", "  ", pd.NA, pd.NaT, np.nan]


@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_an_answer_without_a_label_is_counted_and_no_vote(missing: object) -> None:
    table = {"task": ["a", "a", "b"], "worker": ["x", "y", "x"], "label": ["cat", missing, "cat"]}
    for shown in (table, pd.DataFrame(table)):
        data = encode(shown)
        assert rows(data) == [("a", "x", "cat"), ("b", "x", "cat")]
        assert data.empty == 1
        assert data.workers.tolist() == ["x", "y"], "who gave only an empty answer is still known"


def test_nulls_of_arrow_are_empty_answers() -> None:
    for label in (
        pa.array(["cat", None, "dog"]),
        pa.array(["cat", None, "dog"]).dictionary_encode(),
    ):
        data = encode(pa.table({"task": ["a", "b", "c"], "worker": [1, 1, 1], "label": label}))
        assert (data.empty, data.classes, data.start.tolist()) == (1, ("cat", "dog"), [0, 1, 1, 2])


@pytest.mark.parametrize("missing", MISSING, ids=repr)
@pytest.mark.parametrize("name", ["task", "worker"])
def test_a_row_without_task_or_worker_is_refused_by_its_number(name: str, missing: object) -> None:
    table = {**TABLE, name: [*TABLE[name][:3], missing, TABLE[name][4]]}
    with pytest.raises(AnswerError, match=f"row 3 of the answers has no {name}"):
        encode(table)


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(AnswerError, match="no column 'worker'; their columns are 'task', 'label'"):
        encode({"task": ["a"], "label": ["cat"]})
    with pytest.raises(AnswerError, match=r"'task' or 'worker' or 'label'; .* are 'image'"):
        encode(pd.DataFrame({"image": ["a"]}))
    with pytest.raises(AnswerError, match="none"):
        encode({})


@pytest.mark.parametrize("answers", [[("a", "x", "cat")], "answers.csv", None, 7], ids=repr)
def test_what_is_no_table_is_refused(answers: object) -> None:
    with pytest.raises(AnswerError, match="give a DataFrame, an Arrow table or a dict"):
        encode(answers)


def test_columns_must_be_columns_of_one_length() -> None:
    with pytest.raises(AnswerError, match="differ in length: task 1, worker 2, label 1"):
        encode({"task": ["a"], "worker": ["x", "y"], "label": ["cat"]})
    with pytest.raises(AnswerError, match="column 'worker' is a str"):
        encode({"task": ["a"], "worker": "x", "label": ["cat"]})
    with pytest.raises(AnswerError, match="2 dimensions"):
        encode({"task": ["a"], "worker": ["x"], "label": np.array([["cat"]])})


@pytest.mark.parametrize("label", [["cat"], ("cat",), {"cat": 1}, frozenset(["cat"])], ids=repr)
def test_nested_labels_are_refused(label: object) -> None:
    column = np.empty(1, object)
    column[0] = label
    for labels in ([label], column, pd.Series(column)):
        with pytest.raises(AnswerError, match="kind 'multi'"):
            encode({"task": ["a"], "worker": ["x"], "label": labels})
    with pytest.raises(AnswerError, match="kind 'multi'"):
        encode(pa.table({"task": ["a"], "worker": ["x"], "label": [["cat"]]}))


def test_answers_of_another_kind_are_refused() -> None:
    boxes = Answers("boxes", ["a"], ["x"], [(Box("cat", 0, 0, 1, 1),)])
    with pytest.raises(AnswerError, match="of kind 'boxes'"):
        encode(boxes)


def test_of_two_answers_of_a_worker_the_first_row_is_kept() -> None:
    data = encode({"task": list("abaa"), "worker": list("xxxx"), "label": ["1", "1", "2", "3"]})
    assert rows(data) == [("a", "x", "1"), ("b", "x", "1")]
    assert data.duplicates == 2


def test_an_empty_first_answer_does_not_hide_the_second() -> None:
    data = encode({"task": ["a", "a"], "worker": ["x", "x"], "label": [None, "cat"]})
    assert (rows(data), data.duplicates, data.empty) == ([("a", "x", "cat")], 0, 1)


NOON = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
ELEVEN = datetime(2024, 5, 1, 11, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "times",
    [
        ["2024-05-01T12:00:00Z", "2024-05-01T11:00:00Z"],
        ["2024-05-01T12:00:00+00:00", "2024-05-01T13:00:00+02:00"],
        ["2024-05-01T12:00:00", "2024-05-01T11:00:00.250"],
        [NOON, ELEVEN],
        [200.5, 100],
        [None, "2024-05-01T11:00:00Z"],
        ["yesterday", "2024-05-01T11:00:00Z"],
        [float("nan"), 3.0],
        np.array(["2024-05-01T12:00", "2024-05-01T11:00"], "datetime64[s]"),
        np.array(["NaT", "2024-05-01T11:00"], "datetime64[ns]"),
        pd.Series([NOON, ELEVEN]),
        pd.Series([pd.NaT, pd.Timestamp(ELEVEN)]),
        pa.array([NOON, ELEVEN]),
    ],
    ids=lambda times: f"{type(times).__name__} of {list(times)}",
)
def test_where_times_are_known_the_earliest_answer_is_kept(times: object) -> None:
    table = {
        "task": ["a", "a"],
        "worker": ["x", "x"],
        "label": ["late", "early"],
        "submitted_at": times,
    }
    data = encode(table)
    assert (rows(data), data.duplicates) == ([("a", "x", "early")], 1)


def test_equal_or_unknown_times_leave_the_first_row() -> None:
    for times in ([None, None], ["?", "?"], ["2024-05-01", "2024-05-01"]):
        table = {"task": "aa", "worker": "xx", "label": "12", "submitted_at": times}
        data = encode({name: list(column) for name, column in table.items()})
        assert rows(data) == [("a", "x", "1")]


def test_rows_that_do_not_count_do_not_shift_the_times() -> None:
    table = {
        "task": ["q", "a", "a"],
        "worker": ["x", "x", "x"],
        "label": [None, "late", "early"],
        "submitted_at": [1.0, 3.0, 2.0],
    }
    assert rows(encode(table)) == [("a", "x", "early")]


def test_classes_are_sorted_whole_numbers_by_value() -> None:
    table = {"task": list("abcd"), "worker": list("xxxx"), "label": ["10", "9", "-1", "9"]}
    assert encode(table).classes == ("-1", "9", "10")
    table["label"] = ["b", "10", "9", "a"]
    assert encode(table).classes == ("10", "9", "a", "b")


def test_named_classes_fix_the_order_and_leave_out_other_labels() -> None:
    data = encode(TABLE, classes=["fish", "dog", "fish"])
    assert data.classes == ("fish", "dog")
    assert rows(data) == [("b", "x", "dog"), ("c", "y", "dog")]
    assert (data.unknown, data.empty) == (3, 0)
    assert data.start.tolist() == [0, 1, 1, 2]


def test_classes_of_a_job_come_first_and_hide_no_label() -> None:
    answers = Answers(
        "single", TABLE["task"], TABLE["worker"], TABLE["label"], classes=("fish", "dog")
    )
    assert encode(answers).classes == ("fish", "dog", "cat")


def test_tasks_that_were_asked_about_come_first_answered_or_not() -> None:
    data = encode(TABLE, tasks=["q", "c", "q"])
    assert data.tasks.tolist() == ["q", "c", "b", "a"]
    assert data.start.tolist() == [0, 0, 1, 3, 5]
    assert rows(data) == rows(encode(TABLE))
    asked = Answers("single", TABLE["task"], TABLE["worker"], TABLE["label"], tasks=("q", "c"))
    assert encode(asked).tasks.tolist() == ["q", "c", "b", "a"]


def test_seconds_follow_their_answers() -> None:
    table = {**TABLE, "seconds_spent": [1.5, 2, None, 4, 5]}
    for shown in (table, pd.DataFrame(table), pa.table(table)):
        seconds = encode(shown).seconds
        assert seconds is not None
        np.testing.assert_array_equal(seconds, [1.5, np.nan, 2, 4, 5])
    with pytest.raises(AnswerError, match="'seconds_spent' holds something that is no number"):
        encode({**TABLE, "seconds_spent": ["quick", 2, 3, 4, 5]})
    assert encode(TABLE).seconds is None


def test_no_answers_at_all() -> None:
    data = encode({"task": [], "worker": [], "label": []}, tasks=["a"], classes=["cat"])
    assert data.shape == (1, 0, 1)
    assert data.start.tolist() == [0, 0]
    data = encode(pa.table({"task": pa.array([], "str"), "worker": [], "label": []}))
    assert data.shape == (0, 0, 0)


def test_codes_too_large_to_sort_as_one_number_sort_all_the_same() -> None:
    largest = 2**31 - 1
    task = np.array([largest, 5, largest, 5], np.int32)
    worker = np.array([largest - 1, 1, 3, 1], np.int32)
    order, duplicates = _order(task, worker, largest, None, None)
    assert order is not None
    assert order.tolist() == [1, 2, 0]
    assert duplicates == 1


Row = st.tuples(st.integers(0, 5), st.integers(0, 4), st.sampled_from(["a", "b", None]))


@given(st.lists(Row, max_size=40, unique_by=lambda row: row[:2]), st.randoms())
def test_the_order_of_rows_changes_nothing_but_the_order(answers, random) -> None:
    def table(rows):
        columns = zip(*rows, strict=True) if rows else ([], [], [])
        return dict(zip(("task", "worker", "label"), map(list, columns), strict=True))

    shuffled = random.sample(answers, len(answers))
    data, other = encode(table(answers)), encode(table(shuffled))
    assert rows(data) == rows(other)
    assert (data.classes, data.empty) == (other.classes, other.empty)
    assert sorted(data.tasks) == sorted(other.tasks)
    assert len(data.label) + data.empty == len(answers)
    assert data.start[0] == 0
    assert data.start[-1] == len(data.label)
    assert (np.diff(data.start) >= 0).all()


def test_reading_answers_imports_neither_pandas_nor_scipy() -> None:
    script = (
        "import sys; from gandt.aggregation.single import aggregate_single;"
        "from gandt.aggregation.encode import encode;"
        "encode({'task': ['a'], 'worker': ['x'], 'label': ['cat']});"
        "print(sorted({'pandas', 'pyarrow', 'scipy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=600
    )
    assert done.stdout.strip() == "[]"
