"""Many answers, one label, an honest confidence.

::

    from gandt import aggregation

    consensus = aggregation.aggregate(answers)      # a DataFrame, an Arrow table, a dict, Answers
    consensus.to_pandas()                           # task, label, confidence, certain, ...
    consensus.workers.to_pandas()                   # accuracy with an interval, flags, ...

Needs numpy and scipy; pandas and pyarrow are imported where a table of theirs is asked for, scipy
when the first answers are aggregated.
"""

from gandt.aggregation.aggregate import aggregate
from gandt.aggregation.consensus import LABEL_COLUMNS, WORKER_COLUMNS, Consensus
from gandt.aggregation.table import Table
from gandt.answers import Answers, Box, Mask, Span

__all__ = [
    "LABEL_COLUMNS",
    "WORKER_COLUMNS",
    "Answers",
    "Box",
    "Consensus",
    "Mask",
    "Span",
    "Table",
    "aggregate",
]
