"""Named spans of a text from several workers to one set of spans, each with a confidence.

Takes `Answers` of kind "spans", gives a `Consensus` whose labels are tuples of `Span`. Spans that
share a character are grouped (`matching`), what exists and what it is called is decided by what
each worker tends to see and to name (`detection`), and the ends by `span_ends`. Grouping by Jaccard
index, ends by mode or median and the name by vote are what Ground Truth documents; the workers'
rates are ours, and ties are not broken at random.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gandt.aggregation.consensus import Consensus
from gandt.aggregation.shapes.answers import Corners, Crowd
from gandt.aggregation.shapes.consensus import Placed, ShapeKind, aggregate_shapes
from gandt.aggregation.shapes.detection import Detection
from gandt.aggregation.shapes.matching import Rule
from gandt.aggregation.shapes.overlap import Floats
from gandt.aggregation.shapes.sites import Places
from gandt.aggregation.shapes.span_ends import settle_ends
from gandt.aggregation.shapes.workers import Words
from gandt.answers import Answers, Span
from gandt.errors import AnswerError, UsageError

__all__ = ["aggregate_spans"]

_ANY = 1e-9  # an overlap of more than nothing


def aggregate_spans(
    answers: Answers,
    *,
    gold: Mapping[str, tuple[Span, ...]] | None = None,
    previous: Answers | None = None,
    jaccard: float = 0.0,
    keep: float = 0.5,
    min_share: float = 0.0,
    min_confidence: float = 0.8,
    min_answers: int = 1,
) -> Consensus:
    """Make one set of spans per text out of those of several workers.

    An answer without spans says that there is nothing to mark, and counts as such. The confidence
    of a span is the probability that something of its class is there and that both ends are
    exactly right; that of a text is the least sure decision about it.

    Between equally probable names the one that comes first in the label categories is shown, and
    the others are listed in `tied`.

    Parameters
    ----------
    answers
        Of kind "spans". Spans of no length or with a negative offset are left out and noted.
    gold
        True spans of some texts (none: `()`): shown as they are, and what workers are rated by.
        Those that the answers carry if None.
    previous
        Answers of earlier jobs, to rate workers by; their texts are not shown.
    jaccard
        From this overlap on, spans can be one; any shared character if 0.
    keep
        Spans that are less likely than this to be of something are left out.
    min_share
        Spans that a smaller share of the text's workers marked are left out too.
    min_confidence, min_answers
        What a text needs to be certain.

    Raises
    ------
    AnswerError
        Where answers are not of kind "spans".
    UsageError
        Where an option is out of its range.

    Examples
    --------
    >>> name = Span("Person", 0, 3)
    >>> answers = Answers("spans", ["Ann."] * 3, ["x", "y", "z"], [(name,), (name,), ()])
    >>> [(span.label, span.start, span.end) for span in aggregate_spans(answers).labels["label"][0]]
    [('Person', 0, 3)]
    """
    if not 0 <= jaccard <= 1:
        raise UsageError(f"jaccard is {jaccard}: give an overlap from 0 to 1.")
    least = max(jaccard, _ANY)
    return aggregate_shapes(
        answers,
        _SPANS,
        Rule(least, least),
        gold=gold,
        previous=previous,
        min_confidence=min_confidence,
        min_answers=min_answers,
        keep=keep,
        min_share=min_share,
    )


def _read(part: object) -> Corners | None:
    if not isinstance(part, Span):
        raise AnswerError(
            f"A label holds {type(part).__name__} where a Span is expected: read these answers "
            "with the reader of their kind."
        )
    if part.start < 0 or part.end <= part.start:
        return None
    return part.label, (float(part.start),), (float(part.end - part.start),)


def _place(crowd: Crowd, places: Places, model: Detection) -> Placed:
    shapes, count = crowd.shapes, len(places.sites)
    real = 1 - model.posterior[places.site, 0]
    starts, ends = (
        settle_ends(
            side[:, 0].astype(np.int64),
            places.site,
            shapes.worker,
            real,
            count,
            places.sites.workers,
        )
        for side in (shapes.low, shapes.high)
    )
    start, end = starts.offset, ends.offset
    # Ends are chosen apart from starts; where they cross, the site's first span is shown.
    crossed = np.flatnonzero((end <= start)[places.site])
    if len(crossed):
        position = crossed[np.lexsort((shapes.high[crossed, 0], shapes.low[crossed, 0]))][::-1]
        start[places.site[position]] = shapes.low[position, 0]
        end[places.site[position]] = shapes.high[position, 0]
    return Placed(
        start[:, None].astype(np.float64),
        (end - start)[:, None].astype(np.float64),
        starts.sure * ends.sure,
        starts.own * ends.own,
    )


def _write(label: str, low: Floats, size: Floats, confidence: float) -> Span:
    start = int(low[0])
    return Span(label, start, start + int(size[0]), confidence)


_SPANS = ShapeKind("spans", Words("span", "spans"), 1, True, _read, _place, _write)
