"""Labels, answers and texts as words.

Texts with spans are cut into pieces that a page or a sheet of paper can set one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gandt.answers import Span
from gandt.report.results.model import Item, Reply

__all__ = ["Piece", "Pieces", "answer_words", "counted", "cut_text"]

_LONGEST = 700  # characters of a text that are shown


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, inside a span or outside of all."""

    text: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text in pieces, and what could not be marked in it."""

    pieces: tuple[Piece, ...]
    others: tuple[tuple[Span, str], ...]  # spans that overlap a marked one, or lie further on
    left_out: int  # characters at the end that are not shown


def cut_text(text: str, spans: Sequence[Span] = (), longest: int = _LONGEST) -> Pieces:
    """Cut a text at its spans, in order; of overlapping spans the earlier and longer is marked."""
    shown = text if len(text) <= longest else text[:longest]
    pieces: list[Piece] = []
    others: list[tuple[Span, str]] = []
    at = 0
    for span in sorted(spans, key=lambda s: (s.start, -s.end, s.label)):
        start, end = max(span.start, 0), min(span.end, len(text))
        if start < at or end > len(shown) or start >= end:
            others.append((span, text[start:end]))
            continue
        if start > at:
            pieces.append(Piece(shown[at:start]))
        pieces.append(Piece(shown[start:end], span))
        at = end
    if at < len(shown):
        pieces.append(Piece(shown[at:]))
    return Pieces(tuple(pieces), tuple(others), len(text) - len(shown))


def counted(item: Item) -> list[str]:
    """Name the classes of an item, and how many of each there are."""
    if not item.labels:
        return [item.classes[0]]
    names = [name for name, _ in item.labels]
    return [
        name if names.count(name) == 1 else f"{name} \N{MULTIPLICATION SIGN}{names.count(name)}"
        for name in dict.fromkeys(names)
    ]


def answer_words(reply: Reply, text: str | None = None) -> str:
    """Say an answer in a line."""
    if not reply.labels:
        return "(nothing)"
    if reply.spans and text is not None:
        return "; ".join(f"{s.label}: {text[s.start : s.end][:40]}" for s in reply.spans)
    names = list(reply.labels)
    return ", ".join(
        name if names.count(name) == 1 else f"{name} \N{MULTIPLICATION SIGN}{names.count(name)}"
        for name in dict.fromkeys(names)
    )
