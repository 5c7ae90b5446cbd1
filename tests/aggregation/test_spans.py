"""Spans of several workers become one set of spans: grouped, named, and cut where most cut."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.aggregation.consensus import LABEL_COLUMNS, WORKER_COLUMNS, Consensus
from gandt.aggregation.shapes.span_ends import settle_ends
from gandt.aggregation.shapes.spans import aggregate_spans
from gandt.answers import Answers, Box, Span
from gandt.errors import AnswerError, UsageError

ANN, PARIS = Span("Person", 0, 3), Span("Place", 13, 18)
Row = tuple[str, str, tuple[Span, ...]]


def answers(*rows: Row) -> Answers:
    task, worker, label = zip(*rows, strict=True) if rows else ((), (), ())
    return Answers("spans", task, worker, label, classes=("Person", "Place", "Date"))


def shown(consensus: Consensus) -> dict[str, tuple[Span, ...]]:
    return dict(zip(consensus.labels["task"], consensus.labels["label"], strict=True))


def bare(spans: tuple[Span, ...]) -> list[tuple[str, int, int]]:
    return sorted((span.label, span.start, span.end) for span in spans)


def one(*drawn: Span) -> Span:
    found = aggregate_spans(
        answers(*(("t", f"w{place}", (span,)) for place, span in enumerate(drawn)))
    )
    (span,) = shown(found)["t"]
    return span


def test_spans_that_share_a_character_are_one() -> None:
    found = aggregate_spans(
        answers(("t", "x", (ANN, PARIS)), ("t", "y", (ANN, PARIS)), ("t", "z", (ANN,)))
    )
    assert bare(shown(found)["t"]) == bare((ANN, PARIS))
    assert tuple(found.labels) == LABEL_COLUMNS
    assert tuple(found.workers) == WORKER_COLUMNS
    assert found.labels["agreement"][0] == pytest.approx((1 + 1 + 2 / 3) / 3)


def test_ends_are_those_that_most_chose() -> None:
    best = one(Span("Place", 13, 18), Span("Place", 13, 19), Span("Place", 13, 18))
    assert (best.start, best.end) == (13, 18)


def test_ends_are_the_median_where_all_differ() -> None:
    best = one(Span("Place", 10, 20), Span("Place", 12, 23), Span("Place", 17, 30))
    assert (best.start, best.end) == (12, 23)
    assert best.confidence is not None
    assert best.confidence < 0.5


def test_names_go_by_vote_and_ties_by_the_order_of_categories() -> None:
    date = Span("Date", 13, 18)
    assert one(PARIS, date, PARIS).label == "Place"
    tie = aggregate_spans(answers(("t", "x", (date,)), ("t", "y", (PARIS,))))
    assert shown(tie)["t"][0].label == "Place"
    assert tie.labels["tied"] == [("Place", "Date")]


def test_a_worker_of_two_short_spans_fills_one_place_of_a_long_one() -> None:
    long, short, rest = Span("Place", 0, 13), Span("Place", 0, 8), Span("Place", 9, 13)
    found = aggregate_spans(
        answers(("t", "x", (long,)), ("t", "y", (long,)), ("t", "z", (short, rest)))
    )
    assert bare(shown(found)["t"]) == bare((long,))


def test_ends_that_nobody_agrees_on_make_a_text_uncertain() -> None:
    sure = aggregate_spans(answers(*(("t", worker, (PARIS,)) for worker in "xyz")))
    loose = aggregate_spans(
        answers(*(("t", worker, (Span("Place", 13, 18 + n),)) for n, worker in enumerate("xyz")))
    )
    assert sure.labels["certain"][0]
    assert not loose.labels["certain"][0]
    assert sure.labels["agreement"].tolist() == [1.0]
    assert loose.labels["agreement"].tolist() == [pytest.approx(1 / 3)]


def test_an_empty_answer_is_an_answer() -> None:
    found = aggregate_spans(answers(("t", "x", ()), ("t", "y", ()), ("t", "z", (PARIS,))))
    assert shown(found)["t"] == ()
    assert found.labels["votes"].tolist() == [3]


def test_spans_of_no_length_are_left_out_and_noted() -> None:
    odd = (Span("Place", 5, 5), Span("Place", 7, 6), Span("Place", -2, 4))
    found = aggregate_spans(answers(("t", "x", (*odd, ANN)), ("t", "y", (ANN,))))
    assert bare(shown(found)["t"]) == bare((ANN,))
    assert found.notes == ("3 shapes are left out: no size, or no place to be drawn at.",)


def test_workers_who_miss_the_ends_are_rated_lower() -> None:
    rows: list[Row] = []
    for number in range(30):
        rows += [(f"{number}", worker, (ANN, PARIS)) for worker in "abc"]
        rows.append((f"{number}", "sloppy", (ANN, Span("Place", 13, 20 + number % 3))))
    found = aggregate_spans(answers(*rows))
    accuracy = dict(zip(found.workers["worker"], found.workers["accuracy"], strict=True))
    assert accuracy["a"] > 0.95
    assert accuracy["sloppy"] == pytest.approx(0.5, abs=0.1)


def test_gold_needs_both_ends() -> None:
    gold = {"t": (PARIS,)}
    near = Span("Place", 13, 17)
    found = aggregate_spans(
        answers(("t", "x", (PARIS,)), ("t", "y", (near,)), ("t", "z", (near,))), gold=gold
    )
    assert bare(shown(found)["t"]) == bare((PARIS,))
    assert found.labels["source"] == ["gold"]
    assert found.workers["gold_accuracy"].tolist() == [1, 0, 0]
    assert found.gold["accuracy"] == 0  # the answers alone would have been wrong


def test_exact_workers_are_believed_over_two_who_slip() -> None:
    site = np.repeat(np.arange(31), 3)
    worker = np.tile([0, 1, 2], 31)
    offset = np.tile([10, 10, 10], 31)
    offset[1:90:6] = 12  # worker 1 slips on every other site, worker 2 on the ones between
    offset[5:90:6] = 8
    offset[90:] = [10, 12, 12]
    ends = settle_ends(offset, site, worker, np.ones(93), 31, 3)
    assert ends.offset[:30].tolist() == [10] * 30
    assert ends.own[0] > 0.9


def test_ends_that_cross_fall_back_to_a_span_that_was_drawn() -> None:
    rows = [Span("Place", 0, 3), Span("Place", 2, 9), Span("Place", 8, 20)]
    best = one(*rows, *[Span("Place", 2, 9)] * 2)
    assert best.start < best.end


def test_the_answers_of_a_job_are_read() -> None:
    golden = Path(__file__).parents[1] / "groundtruth" / "golden" / "answers"
    sample = golden / "worker-response.ner.json"
    rows = []
    for answer in json.loads(sample.read_text())["answers"]:
        entities = answer["answerContent"]["crowd-entity-annotation"]["entities"]
        spans = (Span(e["label"], e["startOffset"], e["endOffset"]) for e in entities)
        rows.append(("text", answer["workerId"], tuple(spans)))
    found = aggregate_spans(answers(*rows))
    assert found.labels["votes"].tolist() == [2]
    assert not found.labels["certain"][0]  # one marks three things and one none


def test_wrong_answers_and_options_are_refused() -> None:
    with pytest.raises(AnswerError, match="Box where a Span is expected"):
        aggregate_spans(Answers("spans", ["t"], ["x"], [(Box("cat", 1, 1, 1, 1),)]))
    with pytest.raises(UsageError, match="jaccard is 2"):
        aggregate_spans(answers(), jaccard=2)


some_spans = st.lists(
    st.builds(
        lambda label, start, length: Span(label, start, start + length),
        st.sampled_from(["Person", "Place"]),
        st.integers(0, 30),
        st.integers(1, 12),
    ),
    max_size=4,
)
some_answers = st.lists(
    st.tuples(st.sampled_from("tu"), st.sampled_from("vwxyz"), some_spans),
    min_size=1,
    max_size=9,
    unique_by=lambda row: row[:2],
)


@settings(max_examples=80)
@given(some_answers, st.permutations("vwxyz"), st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_workers_change_nothing(
    drawn: list[tuple[str, str, list[Span]]], names: list[str], random: object
) -> None:
    rows = [(task, worker, tuple(spans)) for task, worker, spans in drawn]
    renamed = dict(zip("vwxyz", names, strict=True))
    other = [(task, renamed[worker], spans) for task, worker, spans in rows]
    random.shuffle(other)  # type: ignore[attr-defined]
    first, second = aggregate_spans(answers(*rows)), aggregate_spans(answers(*other))
    a, b = shown(first), shown(second)
    assert {task: bare(spans) for task, spans in a.items()} == {t: bare(s) for t, s in b.items()}
    for task in a:
        sure = [sorted(span.confidence or 0 for span in spans) for spans in (a[task], b[task])]
        assert sure[0] == pytest.approx(sure[1], abs=1e-6)
        assert all(0 <= value <= 1 for value in sure[0])
        assert all(0 <= span.start < span.end for span in a[task])


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=5, unique_by=lambda p: p[0]),
    st.integers(2, 5),
)
def test_identical_answers_come_back(places: list[tuple[int, int]], workers: int) -> None:
    spans = tuple(Span("Place", 10 * start, 10 * start + length) for start, length in places)
    found = aggregate_spans(answers(*(("t", f"w{number}", spans) for number in range(workers))))
    assert bare(shown(found)["t"]) == bare(spans)
    assert found.labels["agreement"].tolist() == [1.0]
