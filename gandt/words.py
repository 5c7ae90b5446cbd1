"""Numbers with their nouns, as sentences to people have them. Standard library only."""

from __future__ import annotations

__all__ = ["count"]


def count(number: int, noun: str, nouns: str | None = None) -> str:
    """Write `1 image`, `1,020 images`; `nouns` where the plural has no plain s."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"
