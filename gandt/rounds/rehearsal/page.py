"""The page of a rehearsal: plots, what was reached, how it was played, and what it does not tell.

One HTML file that needs nothing else and may load nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gandt.report.charts_svg import render_svg
from gandt.report.contact_sheet_parts import safe
from gandt.report.contact_sheet_style import STYLE
from gandt.report.curves import curve_rules
from gandt.report.page_head import page_head
from gandt.rounds.rehearsal.plots import accuracy_plot, found_plot
from gandt.rounds.rehearsal.rehearsal import Rehearsal
from gandt.rounds.rehearsal.words import (
    NAMES,
    amount,
    commonest,
    conclusion,
    how_played,
    joined,
    milestones,
    share,
    sought,
    standings,
    stop_sentence,
    what_it_does_not_tell,
)

__all__ = ["rehearsal_page"]

_WIDE = (520.0, 340.0)  # of a plot beside another
_NARROW = (336.0, 330.0)  # on a phone
_MANY = 8  # classes, beyond which the title counts them

_STYLE = """
main > section > p, main > section > ul { max-width: 80ch; }
main > section > p { margin: 6px 0 0; color: var(--soft); }
main > section > ul { margin: 8px 0 0; padding: 0 0 0 18px; }
main li { margin: 0 0 6px; overflow-wrap: anywhere; }
main li b { font-weight: 620; }
.lead { margin: 10px 0 0; max-width: 70ch; font-size: 1.15rem; }
.plots { display: grid; gap: 14px; margin: 14px 0 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 540px), 1fr)); }
.plot { margin: 0; padding: 14px 18px 10px; min-width: 0; max-width: 720px;
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  box-shadow: var(--shade); }
.plot svg { display: block; width: 100%; height: auto; font-family: inherit; }
.plot svg.wide { display: none; }
.plot .bold { font-weight: 620; }
@media (min-width: 720px) {
  .plot svg.wide { display: block; }
  .plot svg.narrow { display: none; }
}
.scroll { overflow-x: auto; margin: 14px 0 0; width: fit-content; max-width: 100%;
  background: linear-gradient(to left, var(--page) 60%, transparent) right / 40px 100% local,
    linear-gradient(to left, var(--line), transparent) right / 16px 100% scroll;
  background-repeat: no-repeat; }
table { border-collapse: collapse; font-size: 14px; }
th, td { padding: 5px 0 5px 26px; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
caption { padding: 0 0 4px; color: var(--soft); text-align: left; }
th { color: var(--soft); font-weight: 500; font-size: 12px; }
th:first-child { padding-left: 0; text-align: left; }
tbody th { color: var(--text); font-size: 14px; max-width: 40ch; overflow: hidden;
  text-overflow: ellipsis; }
tbody tr:first-child :is(th, td) { font-weight: 650; }
@media (max-width: 480px) { th, td { padding-left: 14px; } }
.even tbody tr:first-child :is(th, td) { font-weight: 400; }
@media print {
  .plots { grid-template-columns: 1fr 1fr; }
  .plot { break-inside: avoid; }
}
@media (forced-colors: active) {
  .plot svg { forced-color-adjust: none; background: #fff; }
}
"""


def rehearsal_page(played: Rehearsal) -> str:
    """Write the page."""
    title = f"Rehearsal: {_named(played)}"
    style = STYLE + _STYLE + curve_rules(".plot")
    return "\n".join(
        [
            *page_head(title, style),
            "<body>",
            "<header>",
            '<p class="eyebrow">G&amp;T rehearsal</p>',
            f"<h1><bdi>{safe(title)}</bdi></h1>",
            f'<p class="lead">gandt found {safe(conclusion(played))}.</p>',
            _facts(played),
            "</header>",
            "<main>",
            *_reached(played),
            *_per_class(played),
            *_stop(played),
            *_played(played),
            *_limits(played),
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _named(played: Rehearsal) -> str:
    if len(played.targets) > _MANY:
        return f"{len(played.targets)} classes among {played.images:,} images"
    return f"{joined(played.targets)} among {played.images:,} images"


def _facts(played: Rehearsal) -> str:
    ours = played.means("rounds")[-1]
    facts = [
        ("found", f"{amount(sum(ours.found))} of {sum(played.there):,}"),
        ("labeled by people", f"{amount(ours.labels)} ({share(ours.labels / played.open)})"),
        *([("answers", amount(ours.answers))] if played.options.workers else []),
        ("by chance it would be", amount(round(_by_chance(played, ours.labels), 1))),
    ]
    if played.options.workers:
        facts.append(("people's labels right", share(ours.right)))
    rows = "".join(
        f"<div><dt>{safe(name)}</dt><dd>{safe(value)}</dd></div>" for name, value in facts
    )
    return f'<dl class="facts">{rows}</dl>'


def _by_chance(played: Rehearsal, labels: float) -> float:
    return sum(played.there) * labels / played.open


def _reached(played: Rehearsal) -> list[str]:
    plots = []
    for draw in (found_plot, accuracy_plot):
        wide, narrow = (
            render_svg(draw(played, *_WIDE), "wide"),
            render_svg(draw(played, *_NARROW, brief=True), "narrow"),
        )
        plots.append(f'<figure class="plot">{wide}\n{narrow}</figure>')
    return [
        '<section id="reached">',
        "<h2>What was reached</h2>",
        _table(milestones(played), _until(played)),
        '<div class="plots">',
        *plots,
        "</div>",
        _table(standings(played), "In the end"),
        _list(_legend(played)),
        "</section>",
    ]


def _until(played: Rehearsal) -> str:
    spent = "Answers given" if played.again else "Images labeled"
    draws = f"; means of {played.options.repeat} draws" if played.options.repeat > 1 else ""
    return f"{spent} until so many of {sum(played.there):,} were found{draws}"


def _legend(played: Rehearsal) -> Iterator[tuple[str, str]]:
    """What the lines, rows and columns are."""
    yield (
        ", ".join(milestones(played)[0][1:]),
        "told by the end of a round; a dash where the rounds played did not get so far",
    )
    words = {
        "rounds": "the rounds as gandt next plans them",
        "scan": "the same with the whole pool as candidates",
        "nearest": "one ranking by the most similar seed, worked off",
        "random": "images as they come",
    }
    for strategy in played.games:
        yield NAMES[strategy], words[strategy]
    yield "chance", "what is expected of random order; its dashed line among what was found"
    reached = {strategy: played.means(strategy)[-1].reached for strategy in played.games}
    right = (
        "the share of all images with the right label, where people's labels stand and a probe "
        "labels the rest"
    )
    if reached["rounds"] < reached.get("random", 0.0):
        right += (
            ". Rounds that look for a class show little of the others, so random order reaches "
            "more: rehearse with the goal learn where that is what you want"
        )
    yield "pool right", right
    name, level = commonest(played)
    yield f"all {name}", f"what calling every image {name} would reach, {share(level)}"
    if played.options.target_accuracy is not None:
        draws = ", fewest to most of the draws" if played.options.repeat > 1 else ""
        yield (
            "automatic",
            f"what gandt autolabel would have labeled in the end under a promise of "
            f"{played.options.target_accuracy:.0%}{draws}. They were counted and left in: every "
            "round chose among all images that people had not labeled",
        )


def _per_class(played: Rehearsal) -> list[str]:
    if len(played.targets) < 2:
        return []
    means = {strategy: played.means(strategy)[-1] for strategy in played.games}
    head = ["", "to find", *(NAMES[strategy] for strategy in means)]
    rows = [
        [name, f"{played.there[t]:,}", *(amount(mean.found[t]) for mean in means.values())]
        for t, name in enumerate(played.targets)
    ]
    return [
        '<section id="classes">',
        "<h2>Found, by class</h2>",
        _table([head, *rows], "In the end", even=True),
        "</section>",
    ]


def _stop(played: Rehearsal) -> list[str]:
    stops = played.stops()
    said = [f"Stop {safe(stop_sentence(played))}."]
    if any(stops):
        said.append(
            "It says so when 60 labels in a row were chosen to find a class and did not. What is "
            "expected to be left is an estimate, no promise: it rests on what the probe knows."
        )
    else:
        said.append("More --rounds would show where, and what is left then.")
    rows = [
        [
            f"draw {draw}",
            f"{stop.labels:,}",
            f"{sum(stop.found):,}",
            f"{sum(stop.left):,}",
            f"{sum(stop.at_most):,.0f}",
        ]
        if stop
        else [f"draw {draw}", *["\N{EN DASH}"] * 4]
        for draw, stop in enumerate(stops, start=1)
    ]
    head = ["", "labeled", "found", "left", "expected at most"]
    table = (
        [_table([head, *rows], "In each draw", even=True)] if len(stops) > 1 and any(stops) else []
    )
    return [
        '<section id="stop">',
        "<h2>When to stop</h2>",
        *(f"<p>{sentence}</p>" for sentence in said),
        *table,
        "</section>",
    ]


def _played(played: Rehearsal) -> list[str]:
    options = played.options
    rows = [
        ("Sought", sought(played)),
        ("Played", how_played(played)),
        (
            "Each round",
            f"{options.uniform:.0%} drawn uniformly, candidates from {options.neighbors} neighbors "
            "of what is labeled",
        ),
        ("Files", f"index {played.index}, truth {played.truth}"),
        *(("Note", note) for note in played.notes),
    ]
    return [
        '<section id="played">',
        "<h2>How it was played</h2>",
        _list(rows),
        "</section>",
    ]


def _limits(played: Rehearsal) -> list[str]:
    items = []
    for sentence in what_it_does_not_tell(played):
        head, _, rest = sentence.partition(". ")
        items.append(f"<li><b>{safe(head)}.</b> {safe(rest)}</li>")
    return [
        '<section id="limits">',
        "<h2>What it does not tell</h2>",
        "<ul>",
        *items,
        "</ul>",
        "</section>",
    ]


def _list(rows: Iterable[tuple[str, str]]) -> str:
    """Write names with what is to be said of each."""
    items = "".join(f"<li><b>{safe(name)}</b>: {safe(text)}</li>" for name, text in rows)
    return f"<ul>{items}</ul>"


def _table(rows: Sequence[Sequence[str]], caption: str, *, even: bool = False) -> str:
    """Write a table with a head and row names; the first row stands out unless all are even."""
    head = "".join(f'<th scope="col">{safe(cell)}</th>' for cell in rows[0])
    body = "".join(
        f'<tr><th scope="row"><bdi>{safe(row[0])}</bdi></th>'
        + "".join(f"<td>{safe(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows[1:]
    )
    kind = ' class="even"' if even else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{safe(caption)}">'
        f"<table{kind}><caption>{safe(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
