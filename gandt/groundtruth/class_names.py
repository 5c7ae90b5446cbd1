"""The classes of a job, and which of them a worker's text means.

Names travel through HTML forms, where they lose blanks at their ends, come back with `&amp;` for
`&`, or were retyped when a template was edited midway. A text is taken for a class if it is one
exactly, without the blanks, with its HTML entities decoded, or, as the last resort, if exactly one
class equals it apart from upper and lower case.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from gandt.groundtruth.json_lines import NONE_OF_THE_ABOVE

__all__ = ["ClassNames"]

_NONE_OF_THEM = (NONE_OF_THE_ABOVE, "None")  # a choice beside the classes of a job with several


class ClassNames:
    """Looks texts up among the classes of a job; without classes every text is one."""

    def __init__(self, classes: Sequence[str] = ()) -> None:
        self.classes = tuple(dict.fromkeys(classes))
        self._known: dict[str, str | None] = {}
        for name in (*self.classes, *_NONE_OF_THEM) if self.classes else ():
            self._known.setdefault(name, name)
            self._known.setdefault(name.strip(), name)
        self._folded: dict[str, set[str]] = {}
        for known in set(self._known.values()):
            if known is not None:
                self._folded.setdefault(known.strip().casefold(), set()).add(known)

    def __bool__(self) -> bool:
        return bool(self.classes)

    def find(self, text: str) -> str | None:
        """Give the class that a text means; None where it means none of them."""
        if not self.classes:
            return text
        if text not in self._known:
            self._known[text] = self._look(text)
        return self._known[text]

    def _look(self, text: str) -> str | None:
        decoded = html.unescape(text).strip()
        if (exact := self._known.get(decoded)) is not None:
            return exact
        alike = self._folded.get(decoded.casefold(), set())
        return next(iter(alike)) if len(alike) == 1 else None
