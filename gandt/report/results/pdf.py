"""A results report as a PDF: the same story as the page, on paper.

Charts are vectors. The gallery is set 100 pictures to a page (or as asked for), each stored once,
as the small JPEG that it is. Masks are painted into their picture; boxes are lines over it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from gandt.report.charts import Picture
from gandt.report.gallery import Tiles
from gandt.report.pdf_sheet import LEFT, WIDTH, Sheet
from gandt.report.results.model import Results
from gandt.report.results.parts import Section
from gandt.report.results.pdf_pictures import PicturePages
from gandt.report.results.plan import Plan
from gandt.report.results.story import facts, headline, sections, title
from gandt.words import count

__all__ = ["write_pdf"]

_GAP = 6.0
_SCALE = 0.68  # of charts, whose type would be too large for paper
_NAMES_LISTED = 20  # of tasks without a label, by reason


def write_pdf(path: Path, results: Results, plan: Plan, tiles: Tiles) -> int:
    """Write the report; returns its number of pages."""
    sheet = Sheet(path, title(results))
    _front(sheet, results)
    for part in sections(results):
        _section(sheet, part)
    writer = PicturePages(sheet, results, plan, tiles)
    writer.examples()
    writer.disputed()
    writer.gallery()
    _passed(sheet, results)
    _oddities(sheet, results)
    if sheet.type.missing:
        sheet.y += 8
        sheet.paragraph(
            f"\N{LOZENGE} stands for {count(len(sheet.type.missing), 'character')} that no font "
            "at hand has; the HTML report shows them."
        )
    sheet.save()
    return sheet.pages


def _front(sheet: Sheet, results: Results) -> None:
    sheet.line(LEFT, sheet.y + 8, "G&T RESULTS", 8, bold=True, color="accent")
    sheet.y += 14
    for words in sheet.type.wrap(title(results), 24, WIDTH, 3):
        sheet.line(LEFT, sheet.y + 24, words, 24, bold=True)
        sheet.y += 28
    sheet.y += 10
    numbers = headline(results)
    step = WIDTH / max(len(numbers), 4)
    for n, (number, what) in enumerate(numbers):
        sheet.line(LEFT + n * step, sheet.y + 20, number, 20, bold=True)
        for k, words in enumerate(sheet.type.wrap(what, 8, step - 8, 2)):
            sheet.line(LEFT + n * step, sheet.y + 32 + 10 * k, words, 8, color="soft")
    sheet.y += 56
    step = WIDTH / 3
    rows = facts(results)
    for start in range(0, len(rows), 3):
        for n, (name, value) in enumerate(rows[start : start + 3]):
            sheet.line(LEFT + n * step, sheet.y + 8, name, 7.5, color="soft")
            sheet.line(LEFT + n * step, sheet.y + 19, value, 9.5, bold=True, within=step - 10)
        sheet.y += 28
    for note in results.notes:
        sheet.paragraph(note, 9, "ink")
    sheet.y += 4


def _section(sheet: Sheet, part: Section) -> None:
    half = (WIDTH - 18) / 2
    pictures = [(chart.title, chart.draw(half / _SCALE)) for chart in part.charts]
    first = max((picture.height * _SCALE + 20 for _, picture in pictures[:2]), default=60.0)
    sheet.heading(part.name, part.title, keep=min(first, 560) + 30)
    sheet.paragraph(part.words)
    for command in part.commands:
        sheet.paragraph(command, 8.5, "ink")
    for start in range(0, len(pictures), 2):
        row = pictures[start : start + 2]
        height = max(picture.height * _SCALE for _, picture in row)
        sheet.need(height + 20)
        for n, (words, picture) in enumerate(row):
            _chart(sheet, words, picture, LEFT + n * (half + 18))
        beside = part.grid if len(pictures) == 1 else None
        if beside and len(beside.rows) * 14 + 30 <= height:
            top = sheet.y
            sheet.y += 16
            sheet.table(beside, left=LEFT + half + 40)
            sheet.y = top
        elif beside:
            sheet.y += height + 24
            sheet.table(beside)
            return
        sheet.y += height + 24
    if part.grid and not pictures:
        sheet.table(part.grid)


def _chart(sheet: Sheet, words: str, picture: Picture, x: float) -> None:
    sheet.line(x, sheet.y + 9, words, 9, bold=True, color="soft")
    sheet.draw(picture, x, sheet.y + 16, _SCALE)


def _passed(sheet: Sheet, results: Results) -> None:
    if not results.passed:
        return
    sheet.heading("passed", "Without a label")
    sheet.paragraph("Tasks that came back with none, and why.")
    counts = Counter((p.status, p.reason) for p in results.passed)
    for (status, reason), number in counts.most_common():
        sheet.need(30)
        sheet.paragraph(f"{status}, {number:,}: {reason}", 8.5, "ink")
        tasks = [p.task for p in results.passed if (p.status, p.reason) == (status, reason)]
        for task in tasks[:_NAMES_LISTED]:
            sheet.need(11)
            sheet.line(LEFT + 10, sheet.y + 7, task, 7, color="soft", within=WIDTH - 10)
            sheet.y += 9.5
        if number > _NAMES_LISTED:
            sheet.paragraph(f"and {number - _NAMES_LISTED:,} more", 7)
        sheet.y += 4


def _oddities(sheet: Sheet, results: Results) -> None:
    if not results.oddities:
        return
    sheet.heading("oddities", "Oddities")
    sheet.paragraph(
        "What was read among the answers but does not count as it stands; oddities.csv has each."
    )
    for kind, number in sorted(results.oddities.items(), key=lambda pair: -pair[1]):
        sheet.need(14)
        sheet.line(LEFT + 40, sheet.y + 8, f"{number:,}", 8.5, bold=True, anchor="end")
        sheet.line(LEFT + 48, sheet.y + 8, kind, 8.5)
        sheet.y += 13
