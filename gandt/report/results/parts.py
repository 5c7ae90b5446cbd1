"""The nouns of a results report's story: sections, charts and tables, in plain text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gandt.report.charts import Picture

__all__ = ["Cell", "Chart", "Grid", "Section"]

Cell = str | Picture


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: names of columns, which of them hold numbers, and rows."""

    columns: tuple[str, ...]
    numeric: frozenset[int]  # columns set flush right
    rows: tuple[tuple[Cell, ...], ...]
    marked: frozenset[int] = frozenset()  # rows that deserve a second look


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that is drawn as wide as its place, and the same numbers as a table."""

    title: str
    draw: Callable[[float], Picture]
    grid: Grid | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of the report."""

    name: str  # within the page
    title: str
    words: str
    charts: tuple[Chart, ...] = ()
    grid: Grid | None = None
    commands: tuple[str, ...] = ()  # to type
