"""The parts of the PDF report that are pictures and texts: examples, disputes, the gallery."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from gandt.report.chart_parts import SHAPES
from gandt.report.charts import Dot, Picture
from gandt.report.contact_sheet_parts import number_text
from gandt.report.gallery import Tile, Tiles
from gandt.report.overlay import clip
from gandt.report.pdf_sheet import LEFT, WIDTH, Sheet
from gandt.report.results.facts import Group
from gandt.report.results.model import SOURCE_WORDS, Item, Reply, Results
from gandt.report.results.plan import Plan
from gandt.report.results.story import disputed_words
from gandt.report.results.text import answer_words, counted, cut_text
from gandt.report.thumbnails import Thumbnail
from gandt.words import count

__all__ = ["PicturePages"]

_GAP = 6.0


class PicturePages:
    """Sets the parts with pictures; knows which pictures the file holds already."""

    def __init__(self, sheet: Sheet, results: Results, plan: Plan, tiles: Tiles) -> None:
        self._sheet = sheet
        self._results = results
        self._plan = plan
        self._tiles = tiles
        self._held: dict[int, Tile] = {}  # with pictures of no bytes
        self._page = self._on_page = 0  # a page of the gallery, and how many items are on it

    def examples(self) -> None:
        """Set a few items of each class and source."""
        if not self._plan.examples:
            return
        self._sheet.heading("examples", "Examples", keep=150)
        self._sheet.paragraph("A few of each class, drawn at random.")
        totals = {(g.label, g.source): len(g.items) for g in self._plan.gallery}
        for group in self._plan.examples:
            total = totals[group.label, group.source]
            self._group_name(group, f"{len(group.items):,} of {total:,}", 100)
            self._rows(group.items, 6, group.label)

    def disputed(self) -> None:
        """Set the items that workers disagree on, with their answers."""
        if not self._plan.disputed:
            return
        if self._results.automatic is None:  # else there are few
            self._sheet.new_page()
        heading, said = disputed_words(self._results)
        self._sheet.heading("disputed", heading, keep=150)
        self._sheet.paragraph(said)
        columns = 3
        wide = (WIDTH - (columns - 1) * 12) / columns
        for start in range(0, len(self._plan.disputed), columns):
            row = self._plan.disputed[start : start + columns]
            replies = [self._results.replies.get(item.task, ())[:9] for item in row]
            side = 74.0
            text = row[0].text is not None
            height = max((len(r) * 9.5 + (66 if text else 34) for r in replies), default=side)
            height = max(height, 40.0 if text else side)
            self._sheet.need(height + 12)
            for n, (item, answers) in enumerate(zip(row, replies, strict=True)):
                self._argument(item, answers, LEFT + n * (wide + 12), wide, side)
            self._sheet.y += height + 12

    def gallery(self) -> None:
        """Set every item, by class and source."""
        if not self._plan.gallery:
            return
        self._sheet.new_page()
        self._sheet.heading("gallery", "Everything", keep=150)
        self._sheet.paragraph(
            f"All {count(len(self._results.items), 'item')}, by class and by who labeled them, "
            "the least certain first. A dashed frame: not certain."
        )
        columns = min(max(math.ceil(math.sqrt(self._plan.page_size)), 3), 16)
        size = self._plan.page_size
        for number, group in enumerate(self._plan.gallery):
            self._group_name(group, f"{len(group.items):,}", 60, key=f"group-{number}")
            self._rows(group.items, columns, group.label, size)

    def _group_name(self, group: Group, words: str, keep: float, key: str = "") -> None:
        sheet = self._sheet
        sheet.need(keep + 20)
        who = SOURCE_WORDS[group.source]
        if key:
            sheet.mark(key, f"{group.label}, {who}", 1)
        name = sheet.type.fit(group.label, 10.5, WIDTH * 0.6, True)
        sheet.line(LEFT, sheet.y + 12, name, 10.5, bold=True)
        x = LEFT + sheet.type.width(name, 10.5, True) + 12
        dot = Dot(3, 8.5, 3.4, group.source, SHAPES[group.source])
        sheet.draw(Picture(6, 12, who, [dot]), x, sheet.y)
        sheet.line(x + 10, sheet.y + 12, f"{who}  {words}", 8.5, color="soft")
        sheet.y += 19

    def _rows(
        self, items: Sequence[Item], columns: int, label: str, page_size: int = 1_000
    ) -> None:
        if items[0].text is not None:
            for start in range(0, len(items), 2):
                self._texts(items[start : start + 2], label)
            self._sheet.y += 4
            return
        gap = _GAP if columns <= 6 else 3.0
        side = (WIDTH - gap * (columns - 1)) / columns
        size = 7.0 if columns <= 6 else 5.0
        height = side + 2.4 * size + 4
        for start in range(0, len(items), columns):
            row = items[start : start + columns]
            if self._sheet.pages == self._page and self._on_page + len(row) > page_size:
                self._sheet.new_page()
            self._sheet.need(height)
            if self._sheet.pages != self._page:
                self._page, self._on_page = self._sheet.pages, 0
            self._on_page += len(row)
            for n, item in enumerate(row):
                self._cell(item, label, LEFT + n * (side + gap), side, size)
            self._sheet.y += height
        self._sheet.y += 4

    def _cell(self, item: Item, label: str, x: float, side: float, size: float) -> None:
        sheet = self._sheet
        self._photo(item, x, sheet.y, side)
        known = [c for name, c in item.labels if name == label and c is not None]
        sure = min(known) if known else item.confidence
        number = number_text(sure)[:4] if sure is not None else "\N{EN DASH}"
        sheet.line(x, sheet.y + side + size + 1, number, size, bold=True)
        if item.votes and side > 60:
            sheet.line(
                x + side,
                sheet.y + side + size + 1,
                count(item.votes, "vote"),
                size,
                color="soft",
                anchor="end",
            )
        name = item.name
        sheet.line(x, sheet.y + side + 2.1 * size + 1, name, size, color="soft", within=side)

    def _photo(
        self, item: Item, x: float, top: float, side: float, replies: Sequence[Reply] = ()
    ) -> None:
        sheet = self._sheet
        tile = self._tile(item)
        sheet.box(x, top, side, side, fill="mat")
        if tile.picture is None:
            size = 6.0 if side > 60 else 4.5
            most = int(side / (size * 1.25)) - 1
            for k, words in enumerate(sheet.type.wrap(tile.reason, size, side - 6, most)):
                sheet.line(x + 3, top + 4 + size * (1 + 1.25 * k), words, size, color="soft")
            return
        picture = tile.picture
        scale = side / max(picture.width, picture.height)
        wide, high = picture.width * scale, picture.height * scale
        left, above = x + (side - wide) / 2, top + (side - high) / 2
        first = picture if picture.jpeg else None
        sheet.photo(f"p{item.number}", first, left, above, wide, high)
        size_of = item.image_size or (picture.full_width, picture.full_height)
        scale = wide / size_of[0]
        for reply in replies:
            for box in reply.boxes:
                at = [part * scale for part in clip(box, *size_of)]
                frame = (left + at[0], above + at[1], at[2], at[3])
                sheet.box(*frame, stroke="#ffffff", thickness=0.5, dashed=True)
        for box in item.boxes:
            at = [part * scale for part in clip(box, *size_of)]
            frame = (left + at[0], above + at[1], at[2], at[3])
            sheet.box(*frame, stroke="#26241f", thickness=1.9)
            sheet.box(*frame, stroke=self._plan.colors.get(box.label, "#e3d5c0"), thickness=1.3)
        if item.certain is False:
            sheet.box(x, top, side, side, stroke="soft", dashed=True)

    def _tile(self, item: Item) -> Tile:
        if item.number in self._held:
            return self._held[item.number]
        tile = self._tiles.take(item)
        if tile.picture is not None and tile.mask is not None:
            tile = replace(tile, picture=_painted(tile.picture, tile.mask), mask=None)
        kept = tile.picture and replace(tile.picture, jpeg=b"")
        self._held[item.number] = replace(tile, picture=kept)
        return tile

    def _argument(
        self, item: Item, replies: Sequence[Reply], x: float, width: float, side: float
    ) -> None:
        sheet = self._sheet
        top = sheet.y
        right, room = x, width
        if item.text is None:
            self._photo(item, x, top, side, replies)
            right, room = x + side + 8, width - side - 8
        else:
            for k, words in enumerate(sheet.type.wrap(item.text[:600], 7.5, width, 3)):
                sheet.line(x, top + 8 + 9.5 * k, words, 7.5)
            top += 32
        said = ", ".join(counted(item))
        sheet.line(right, top + 8, said, 9, bold=True, within=room)
        sure = "" if item.confidence is None else f"confidence {item.confidence:.2f}"
        tied = f"tied: {' = '.join(item.tied)}" if item.tied else sure
        sheet.line(right, top + 19, tied, 7.5, color="soft", within=room)
        labels = {name for name, _ in item.labels}
        for k, reply in enumerate(replies):
            y = top + 32 + 9.5 * k
            agrees = set(reply.labels) == labels
            words = answer_words(reply, item.text)
            who = sheet.type.fit(reply.worker.rpartition(".")[2] or reply.worker, 7, room * 0.5)
            wide = sheet.type.width(who, 7)
            sheet.line(right, y, words, 7.5, bold=agrees, within=room - wide - 6)
            sheet.line(right + room, y, who, 7, color="soft", anchor="end")

    def _texts(self, items: Sequence[Item], label: str) -> None:
        sheet = self._sheet
        wide = (WIDTH - 18) / 2
        blocks = [_TextBlock(sheet, item, wide - 12, self._plan.colors) for item in items]
        height = max(block.height for block in blocks) + 24
        sheet.need(height + 6)
        for n, (item, block) in enumerate(zip(items, blocks, strict=True)):
            x = LEFT + n * (wide + 18)
            frame = "soft" if item.certain is False else "line"
            sheet.box(x, sheet.y, wide, height, stroke=frame, dashed=item.certain is False)
            block.draw(x + 6, sheet.y + 5)
            known = [c for name, c in item.labels if name == label and c is not None]
            sure = min(known) if known else item.confidence
            words = number_text(sure)[:4] if sure is not None else "\N{EN DASH}"
            base = sheet.y + height - 6
            sheet.line(x + 6, base, words, 7.5, bold=True)
            said = ", ".join(counted(item))
            sheet.line(x + 30, base, said, 7.5, color="soft", within=wide - 36)
        sheet.y += height + 6


class _TextBlock:
    """A text with its spans on colored ground, broken into lines."""

    def __init__(self, sheet: Sheet, item: Item, width: float, colors: dict[str, str]) -> None:
        self._sheet = sheet
        self._words: list[tuple[float, int, str, str | None]] = []  # x, line, word, color
        cut = cut_text(item.text or "", item.spans)
        x, line = 0.0, 0
        space = sheet.type.width(" ", 8)
        for piece in cut.pieces:
            color = colors.get(piece.span.label, "#e3d5c0") if piece.span else None
            words = piece.text.split()
            if piece.span:
                words = [*words, f"[{piece.span.label}]"]
            for n, word in enumerate(words):
                shown = sheet.type.fit(word, 8, width)
                wide = sheet.type.width(shown, 8)
                joined = n == 0 and not piece.text[:1].isspace() and piece.span is None
                gap = 0.0 if x == 0 or joined else space
                if x + gap + wide > width:
                    x, line, gap = 0.0, line + 1, 0.0
                self._words.append((x + gap, line, shown, color))
                x += gap + wide
        if cut.left_out:
            line += 1
            self._words.append((0.0, line, f"… {count(cut.left_out, 'more character')}", None))
        self.height = 11.0 * (line + 1) + 2

    def draw(self, x: float, top: float) -> None:
        for at, line, word, color in self._words:
            y = top + 11 * line
            if color is not None:
                wide = self._sheet.type.width(word, 8)
                self._sheet.box(x + at - 1, y, wide + 2, 10, fill=color)
            self._sheet.line(x + at, y + 8, word, 8)


def _painted(picture: Thumbnail, mask: bytes) -> Thumbnail:
    with Image.open(io.BytesIO(picture.jpeg)) as photo, Image.open(io.BytesIO(mask)) as layer:
        painted = Image.alpha_composite(photo.convert("RGBA"), layer.convert("RGBA"))
    stream = io.BytesIO()
    painted.convert("RGB").save(stream, "JPEG", quality=82)
    return replace(picture, jpeg=stream.getvalue())
