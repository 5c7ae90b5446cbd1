"""Sheets of paper: a cursor that goes down a page and starts the next one.

A thin layer over reportlab's canvas, with the origin at the top left and in points; it knows
headings, paragraphs, tables, charts (`Picture`s as vectors) and pictures, each stored in the file
once as the JPEG that it came as. Files hold no time and no random number: the same calls give the
same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfdoc
from reportlab.pdfgen.canvas import Canvas

from gandt.report.charts import Dot, Line, Picture, Rect, Text
from gandt.report.pdf_type import Type
from gandt.report.results.parts import Cell, Grid
from gandt.report.results.style import LIGHT
from gandt.report.thumbnails import Thumbnail

__all__ = ["LEFT", "WIDTH", "Sheet"]

PAGE_WIDTH, PAGE_HEIGHT = A4
LEFT = 40.0
WIDTH = PAGE_WIDTH - 2 * LEFT
_TOP, _BOTTOM = 44.0, PAGE_HEIGHT - 52.0
_FAINT = 0.38
_TOTAL = "gandt-pages"  # the form that holds the number of pages, filled in at the end
_CELL_GAP = 12.0


class Sheet:
    """A PDF file being written from its top to its end."""

    def __init__(self, path: Path, title: str) -> None:
        self.type = Type()
        self.title = title
        self.y = _TOP
        self.pages = 1
        self._canvas = Canvas(str(path), pagesize=A4, invariant=1, pageCompression=1, lang="en")
        self._canvas.setTitle(title)
        self._canvas.setCreator("G&T")
        self._stored: set[str] = set()

    # ------------------------------------------------------------------------------- flow

    def need(self, height: float) -> bool:
        """Start a new page unless so much fits on this one; says whether it did."""
        if self.y + height <= _BOTTOM:
            return False
        self.new_page()
        return True

    def new_page(self) -> None:
        """Go to the top of the next page, unless this one is still empty."""
        if self.y == _TOP:
            return
        self._footer()
        self._canvas.showPage()
        self.pages += 1
        self.y = _TOP

    def save(self) -> None:
        """Finish the file."""
        self._footer()
        self._canvas.showPage()
        self._canvas.beginForm(_TOTAL, 0, -4, 60, 12)
        self._canvas.setFillColor(HexColor(LIGHT["soft"]))
        self.type.draw(self._canvas, 0, 0, f"of {self.pages}", 8)
        self._canvas.endForm()
        self._canvas.save()

    def mark(self, key: str, words: str, level: int = 0) -> None:
        """Make this place a target of the document's outline."""
        self._canvas.bookmarkHorizontal(key, 0, self._up(self.y))
        self._canvas.addOutlineEntry(words, key, level, closed=level > 0)

    def heading(self, key: str, words: str, *, keep: float = 60) -> None:
        """Set the title of a section, with at least `keep` points of room below it."""
        self.need(34 + keep)
        self.y += 14 if self.y > _TOP else 0
        self.mark(key, words)
        self.line(LEFT, self.y + 14, words, 15, bold=True)
        self.y += 22

    def paragraph(self, words: str, size: float = 9, color: str = "soft") -> None:
        """Set lines of text across the page."""
        for line in self.type.wrap(words, size, min(WIDTH, 440)):
            self.need(size * 1.4)
            self.line(LEFT, self.y + size, line, size, color=color)
            self.y += size * 1.4
        self.y += 4

    # ------------------------------------------------------------------------------ marks

    def line(
        self,
        x: float,
        baseline: float,
        words: str,
        size: float,
        *,
        bold: bool = False,
        color: str = "ink",
        anchor: str = "start",
        within: float | None = None,
    ) -> None:
        """Set one line of text; `within` cuts it at that width."""
        shown = words if within is None else self.type.fit(words, size, within, bold)
        if anchor != "start":
            wide = self.type.width(shown, size, bold)
            x -= wide if anchor == "end" else wide / 2
        self._canvas.setFillColor(_color(color))
        self.type.draw(self._canvas, x, self._up(baseline), shown, size, bold)

    def box(
        self,
        x: float,
        top: float,
        width: float,
        height: float,
        *,
        fill: str | None = None,
        stroke: str | None = None,
        thickness: float = 0.6,
        dashed: bool = False,
    ) -> None:
        """Draw a rectangle; colors are roles or hex."""
        canvas = self._canvas
        if fill:
            canvas.setFillColor(_color(fill))
        if stroke:
            canvas.setStrokeColor(_color(stroke))
            canvas.setLineWidth(thickness)
            canvas.setDash((2, 1.5) if dashed else ())
        canvas.rect(x, self._up(top + height), width, height, int(bool(stroke)), int(bool(fill)))
        if stroke:
            canvas.setDash(())

    def rule(self, x1: float, y: float, x2: float) -> None:
        """Draw a thin level line."""
        self._canvas.setStrokeColor(_color("line"))
        self._canvas.setLineWidth(0.5)
        self._canvas.line(x1, self._up(y), x2, self._up(y))

    def photo(
        self,
        name: str,
        picture: Thumbnail | None,
        x: float,
        top: float,
        width: float,
        height: float,
    ) -> None:
        """Place a picture by name; its JPEG goes into the file the first time."""
        if name not in self._stored and picture is not None:
            self._stored.add(name)
            self._store(name, picture)
        self._canvas.saveState()
        self._canvas.translate(x, self._up(top + height))
        self._canvas.scale(width, height)
        self._canvas.doForm(name)
        self._canvas.restoreState()

    def draw(self, picture: Picture, x: float, top: float, scale: float = 1.0) -> None:
        """Draw a chart as vectors."""
        canvas = self._canvas
        canvas.saveState()
        canvas.translate(x, self._up(top))
        canvas.scale(scale, scale)
        for mark in picture.marks:
            if isinstance(mark, Rect):
                canvas.setFillColor(_color(mark.color, _FAINT if mark.faint else 1.0))
                canvas.rect(mark.x, -mark.y - mark.height, mark.width, mark.height, 0, 1)
            elif isinstance(mark, Line):
                canvas.setStrokeColor(_color(mark.color))
                canvas.setLineWidth(mark.width * (0.6 if mark.color == "line" else 1))
                canvas.setDash((3, 3) if mark.dashed else ())
                canvas.line(mark.x1, -mark.y1, mark.x2, -mark.y2)
            elif isinstance(mark, Dot):
                self._dot(mark)
            else:
                self._text(mark)
        canvas.restoreState()

    # ----------------------------------------------------------------------------- tables

    def table(self, grid: Grid, size: float = 8, left: float = LEFT) -> None:
        """Set a table; its head is repeated on every page that it reaches."""
        widths = self._column_widths(grid, size, LEFT + WIDTH - left)
        self._table_head(grid, widths, size, left)
        for row, cells in enumerate(grid.rows):
            lines = [
                self.type.wrap(cell, size, widths[n], 6) if isinstance(cell, str) else []
                for n, cell in enumerate(cells)
            ]
            height = max(
                [len(wrapped) * size * 1.3 for wrapped in lines]
                + [cell.height * 0.8 for cell in cells if isinstance(cell, Picture)]
            )
            if self.need(height + 6):
                self._table_head(grid, widths, size, left)
            x = left
            for n, cell in enumerate(cells):
                if isinstance(cell, Picture):
                    self.draw(cell, x, self.y + 2, 0.8)
                for k, words in enumerate(lines[n]):
                    end = n in grid.numeric
                    last = n == len(cells) - 1
                    self.line(
                        x + widths[n] if end else x,
                        self.y + 3 + size * (0.85 + 1.3 * k),
                        words,
                        size,
                        bold=n == 0 and n not in grid.numeric,
                        color="bad" if row in grid.marked and last else "ink",
                        anchor="end" if end else "start",
                    )
                x += widths[n] + _CELL_GAP
            self.y += height + 5
            self.rule(left, self.y, x - _CELL_GAP)
        self.y += 8

    def _table_head(self, grid: Grid, widths: Sequence[float], size: float, left: float) -> None:
        self.need(3 * size)
        x = left
        for n, name in enumerate(grid.columns):
            end = n in grid.numeric
            at = x + widths[n] if end else x
            anchor = "end" if end else "start"
            self.line(at, self.y + size, name, size - 0.5, color="soft", anchor=anchor)
            x += widths[n] + _CELL_GAP
        self.y += size * 1.5
        self.rule(left, self.y, x - _CELL_GAP)

    def _column_widths(self, grid: Grid, size: float, room: float) -> list[float]:
        def wide(cell: Cell, bold: bool) -> float:
            if isinstance(cell, Picture):
                return cell.width * 0.8
            return self.type.width(cell, size, bold) + 1

        widths = [
            max([self.type.width(name, size) + 1, *(wide(row[n], n == 0) for row in grid.rows)])
            for n, name in enumerate(grid.columns)
        ]
        # Names and remarks give way, in turn, until the table fits.
        for n in (len(widths) - 1, 0, 1):
            over = sum(widths) + _CELL_GAP * (len(widths) - 1) - room
            if over > 0 and n < len(widths):
                widths[n] = max(min(widths[n], 70.0), widths[n] - over)
        return widths

    # ------------------------------------------------------------------------------ parts

    def _store(self, name: str, picture: Thumbnail) -> None:
        # As `Canvas.drawImage` does, but without decoding the JPEG or spelling it out in ASCII.
        image = pdfdoc.PDFImageXObject(name)
        image.streamContent = picture.jpeg
        image.width, image.height = picture.width, picture.height
        image.bitsPerComponent, image.colorSpace = 8, "DeviceRGB"
        image._filters = ("DCTDecode",)
        image.mask = None
        document = self._canvas._doc
        document.Reference(image, document.getXObjectName(name))
        document.addForm(name, image)

    def _dot(self, mark: Dot) -> None:
        canvas, x, y, r = self._canvas, mark.x, -mark.y, mark.radius
        canvas.setFillColor(_color(mark.color))
        if mark.shape == "diamond":
            r *= 1.2
            path = canvas.beginPath()
            path.moveTo(x, y - r)
            for corner in ((x + r, y), (x, y + r), (x - r, y)):
                path.lineTo(*corner)
            path.close()
            canvas.drawPath(path, 0, 1)
        elif mark.shape == "square":
            canvas.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r, 0, 1)
        elif mark.shape == "ring":
            canvas.setStrokeColor(_color(mark.color))
            canvas.setLineWidth(1.5)
            canvas.circle(x, y, r, 1, 0)
        else:
            canvas.circle(x, y, r, 0, 1)

    def _text(self, mark: Text) -> None:
        x = mark.x
        if mark.anchor != "start":
            wide = self.type.width(mark.text, mark.size, mark.bold)
            x -= wide if mark.anchor == "end" else wide / 2
        self._canvas.setFillColor(_color(mark.color))
        self.type.draw(self._canvas, x, -mark.y, mark.text, mark.size, mark.bold)

    def _footer(self) -> None:
        bottom = PAGE_HEIGHT - 26
        self.rule(LEFT, bottom - 13, LEFT + WIDTH)
        self.line(LEFT, bottom, self.title, 8, color="soft", within=WIDTH - 90)
        number = f"page {self.pages} "
        right = LEFT + WIDTH - 26
        self.line(right, bottom, number, 8, color="soft", anchor="end")
        self._canvas.saveState()
        self._canvas.translate(right, self._up(bottom))
        self._canvas.doForm(_TOTAL)
        self._canvas.restoreState()

    def _up(self, y: float) -> float:
        return float(PAGE_HEIGHT - y)


def _color(role: str, strength: float = 1.0) -> Color:
    found = HexColor(LIGHT.get(role, role))
    if strength == 1.0:
        return found
    return Color(*(1 - strength * (1 - part) for part in (found.red, found.green, found.blue)))
