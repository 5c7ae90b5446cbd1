"""How many threads numpy's linear algebra has in a command."""

from __future__ import annotations

import os

__all__ = ["one_blas_thread"]


def one_blas_thread() -> None:
    """Keep it to one, unless the person has said otherwise; call it before numpy is imported.

    Rounds fit many small probes. With a thread for each core, OpenBLAS spends its time in waiting:
    a rehearsal took fourteen times as long on two busy cores. Searches have threads of their own.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
