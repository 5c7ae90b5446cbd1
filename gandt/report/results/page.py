"""A results report as one HTML page that needs nothing else.

Pictures stand inside as data URIs, each once: where an image is shown a second time, the page's
script copies it from the first. A content security policy forbids the page to load anything.
Without the script everything is there but those copies and the pages of long groups. The page is
written as it comes, picture by picture.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from gandt.report.contact_sheet_parts import safe
from gandt.report.contact_sheet_style import STYLE
from gandt.report.gallery import Tile, Tiles
from gandt.report.page_head import page_head
from gandt.report.results.model import SOURCE_WORDS, Item, Passed, Results
from gandt.report.results.page_parts import card, chart_figure, color_rules, table
from gandt.report.results.parts import Section
from gandt.report.results.plan import Plan
from gandt.report.results.story import disputed_words, facts, headline, sections, title
from gandt.report.results.style import RESULTS_STYLE, SCRIPT
from gandt.words import count

__all__ = ["page"]

_NAMES_LISTED = 200  # of tasks without a label, by reason


def page(results: Results, plan: Plan, tiles: Tiles) -> Iterator[str]:
    """Yield the page in pieces; no piece is much larger than a picture."""
    name = title(results)
    parts = sections(results)
    writer = _Writer(results, plan, tiles)
    style = STYLE + RESULTS_STYLE + color_rules()
    yield "\n".join(
        [
            *page_head(name, style, SCRIPT),
            "<body>",
            '<a class="skip" href="#main">Skip to the results</a>',
            "<header>",
            '<p class="eyebrow">G&amp;T results</p>',
            f"<h1><bdi>{safe(name)}</bdi></h1>",
            _numbers(headline(results)),
            _facts(facts(results)),
            _notes(results.notes),
            "</header>",
            _navigation(parts, plan, results),
            '<main id="main">',
            "",
        ]
    )
    for part in parts:
        yield _section(part)
    yield from writer.examples()
    yield from writer.disputed()
    yield from writer.gallery()
    yield _passed(results.passed)
    yield _oddities(results)
    yield "\n".join(
        [
            "</main>",
            "<footer>This page holds everything it shows and asks nothing of any server.</footer>",
            f"<script>{SCRIPT}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


class _Writer:
    """Writes the parts with pictures; knows which pictures the page holds already."""

    def __init__(self, results: Results, plan: Plan, tiles: Tiles) -> None:
        self._results = results
        self._plan = plan
        self._tiles = tiles
        self._held: dict[int, str] = {}  # item → why its picture is missing, or ""

    def examples(self) -> Iterator[str]:
        if not self._plan.examples:
            return
        yield _open("examples", "Examples", "A few of each class, drawn at random.")
        yield self._toggle()
        name = ""
        for group in self._plan.examples:
            whole = next(
                g for g in self._plan.gallery if (g.label, g.source) == (group.label, group.source)
            )
            if group.label != name:
                name = group.label
                yield f'<div class="kind"><h3><bdi>{safe(name)}</bdi></h3></div>\n'
            shown = f"{len(group.items):,} of {len(whole.items):,}"
            yield (
                f'<div class="kind"><span class="by {group.source}">'
                f"{SOURCE_WORDS[group.source]}</span> <span>{shown}</span></div>\n"
            )
            yield from self._grid(group.items, group.label)
        yield "</section>\n"

    def disputed(self) -> Iterator[str]:
        if not self._plan.disputed:
            return
        heading, said = disputed_words(self._results)
        if any(item.certain is False for item in self._plan.disputed):
            said += " A dashed border means that the label is not certain."
        yield _open("disputed", heading, said)
        texts = " texts" if self._plan.disputed[0].text is not None else ""
        yield f'<ol class="grid large{texts}">\n'
        for item in self._plan.disputed:
            replies = self._results.replies.get(item.task, ())
            yield self._card(item, None, replies=replies)
        yield "</ol>\n</section>\n"

    def gallery(self) -> Iterator[str]:
        if not self._plan.gallery:
            return
        number = count(len(self._results.items), "item")
        said = f"All {number}, by class and by who labeled them, the least certain first."
        if any(item.certain is False for item in self._results.items):
            said += " A dashed border: not certain."
        yield _open("gallery", "Everything", said)
        yield (
            "<noscript><p>Pictures that are shown further up are not repeated here without the "
            "script of this page.</p></noscript>\n"
        )
        size = self._plan.page_size
        for group in self._plan.gallery:
            total = len(group.items)
            who = SOURCE_WORDS[group.source]
            yield (
                f'<details class="group" data-name="{safe(group.label)}, {who}"><summary>'
                f"<h3><bdi>{safe(group.label)}</bdi></h3>"
                f'<span class="by {group.source}">{who}</span><span>{total:,}</span></summary>\n'
            )
            for start in range(0, total, size):
                some = group.items[start : start + size]
                span = f"{start + 1:,}\N{EN DASH}{start + len(some):,} of {total:,}"
                yield f'<div class="page" data-range="{span}">\n'
                yield from self._grid(some, group.label)
                yield "</div>\n"
            yield "</details>\n"
        yield "</section>\n"

    def _grid(self, items: Sequence[Item], label: str) -> Iterator[str]:
        if items[0].text is not None:
            look = "texts"
        else:
            look = "large" if items[0].kind in ("boxes", "mask") else "small"
        yield f'<ul class="grid {look}">\n'
        for item in items:
            yield self._card(item, label)
        yield "</ul>\n"

    def _card(self, item: Item, label: str | None, *, replies: Sequence[object] = ()) -> str:
        tile = self._tile(item)
        html = card(item, tile, self._plan.colors, label=label, replies=replies)  # type: ignore[arg-type]
        return f"{html}\n"

    def _tile(self, item: Item) -> Tile | None:
        if item.text is not None:
            return None
        if item.number in self._held:
            reason = self._held[item.number]
            return Tile(None, reason) if reason else None
        tile = self._tiles.take(item)
        self._held[item.number] = tile.reason if tile.picture is None else ""
        return tile

    def _toggle(self) -> str:
        if self._results.kind not in ("boxes", "mask"):
            return ""
        what = "boxes" if self._results.kind == "boxes" else "masks"
        return (
            f'<label class="toggle"><input type="checkbox" id="drawn" checked> Show {what}</label>'
        )


# ---------------------------------------------------------------------------------- pieces


def _open(name: str, heading: str, words: str) -> str:
    return (
        f'<section id="{name}" aria-labelledby="{name}-name">\n<h2 id="{name}-name">'
        f"{safe(heading)}</h2>\n<p>{_with_code(words)}</p>\n"
    )


def _with_code(words: str) -> str:
    return re.sub("`([^`]+)`", r"<code>\1</code>", safe(words))


def _numbers(numbers: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f"<li><b>{safe(n)}</b><span>{safe(what)}</span></li>" for n, what in numbers)
    return f'<ul class="numbers-strip">{rows}</ul>'


def _facts(rows: Sequence[tuple[str, str]]) -> str:
    found = "".join(
        f"<div><dt>{safe(name)}</dt><dd><bdi>{safe(value)}</bdi></dd></div>" for name, value in rows
    )
    return f'<dl class="facts">{found}</dl>'


def _notes(notes: Sequence[str]) -> str:
    rows = "".join(f"<li>{safe(note)}</li>" for note in notes)
    return f'<ul class="notes">{rows}</ul>' if rows else ""


def _navigation(parts: Sequence[Section], plan: Plan, results: Results) -> str:
    links = [(part.name, part.title.partition(":")[0]) for part in parts]
    links += [("examples", "Examples")] if plan.examples else []
    links += (
        [("disputed", "Differences" if results.automatic else "Disputed")] if plan.disputed else []
    )
    links += [("gallery", "Everything")] if plan.gallery else []
    links += [("passed", "Without a label")] if results.passed else []
    links += [("oddities", "Oddities")] if results.oddities else []
    if len(links) < 2:
        return ""
    rows = "".join(f'<li><a href="#{name}">{safe(word)}</a></li>' for name, word in links)
    return f'<nav aria-label="Parts"><ul>{rows}</ul></nav>'


def _section(part: Section) -> str:
    rows = [_open(part.name, part.title, part.words)]
    if part.commands:
        rows.append(f'<pre class="commands" tabindex="0">{safe(chr(10).join(part.commands))}</pre>')
    grid = table(part.grid, part.title) if part.grid else ""
    panel = ['<div class="panel">', grid, "</div>"] if grid else []
    if part.charts:
        mixed = " mixed" if panel else ""
        charts = [chart_figure(chart) for chart in part.charts]
        rows += [f'<div class="charts{mixed}">', *charts, *panel, "</div>"]
    else:
        rows += panel
    return "\n".join([*rows, "</section>", ""])


def _passed(passed: Sequence[Passed]) -> str:
    if not passed:
        return ""
    counts = Counter((p.status, p.reason) for p in passed)
    rows = [_open("passed", "Without a label", "Tasks that came back with none, and why.")]
    for (status, reason), number in counts.most_common():
        tasks = [p.task for p in passed if (p.status, p.reason) == (status, reason)]
        names = "".join(f"<li><bdi>{safe(task[:300])}</bdi></li>" for task in tasks[:_NAMES_LISTED])
        if number > _NAMES_LISTED:
            names += f"<li>and {number - _NAMES_LISTED:,} more</li>"
        rows.append(
            f'<div class="kind"><h3>{safe(status)}</h3>'
            f"<span>{number:,}: {safe(reason)}</span></div>"
            f"<details><summary>{count(number, 'task')}</summary>"
            f'<ul class="listing">{names}</ul></details>'
        )
    return "\n".join([*rows, "</section>", ""])


def _oddities(results: Results) -> str:
    if not results.oddities:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{safe(kind)}</th><td class="num">{number:,}</td></tr>'
        for kind, number in sorted(results.oddities.items(), key=lambda pair: -pair[1])
    )
    said = "What was read among the answers but does not count as it stands; oddities.csv has each."
    return (
        f'{_open("oddities", "Oddities", said)}<div class="panel"><table><tbody>{rows}</tbody>'
        "</table></div>\n</section>\n"
    )
