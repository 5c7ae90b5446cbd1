"""Threads that compute give way to the one that answers.

One thread of a service answers everybody and wants a core for a millisecond at a time; selections
want all of them for seconds. To the system both are alike, and beside two selections on two cores
the one that answers mostly waited for a core. Niceness tells them apart: five steps are a third of
the share beside whoever wants the same core, and all of it beside nobody. With ten, other work on
the machine left the selections a third of what they did before, and answers were no quicker.
"""

from __future__ import annotations

import os
import sys
import threading

__all__ = ["STEPS", "give_way"]

STEPS = 5


def give_way() -> None:
    """Let others have a core first; once in a thread that computes, before it starts any other.

    Does nothing where threads have no niceness of their own: only those of Linux have.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        nice = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, nice + STEPS)
