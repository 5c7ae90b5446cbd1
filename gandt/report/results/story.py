"""What a results report says, in the order it says it: titles, numbers, charts, tables.

The page and the PDF both tell this story, so that they cannot disagree; they differ in type and
paper only. Everything here is plain text, not yet escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gandt.report.chart_parts import percent
from gandt.report.results.charts import confidence_chart, count_chart, histogram_chart
from gandt.report.results.facts import (
    agreement_by_class,
    calibration,
    calibration_while_aggregating,
    class_order,
    confidence_histogram,
    confidence_spread,
    confusions,
    counts_by_class,
    sources_of,
    wilson,
)
from gandt.report.results.model import SOURCE_WORDS, Results, Source, WorkerRow
from gandt.report.results.parts import Cell, Chart, Grid, Section
from gandt.report.results.promise import promise_facts, promise_numbers, promise_sections
from gandt.report.results.trust import (
    agreement_chart,
    calibration_chart,
    confusion_chart,
    interval_picture,
)
from gandt.words import count

__all__ = ["disputed_words", "facts", "headline", "sections", "title"]

_KINDS = {
    "single": "one label for each",
    "multi": "any number of labels for each",
    "boxes": "boxes around things",
    "spans": "spans of text",
    "mask": "a class for every pixel",
}
_NONE: Mapping[Source, int] = {}
_UNITS = {
    "boxes": ("box", "boxes"),
    "spans": ("span", ""),
    "mask": ("marked class", "marked classes"),
}


def title(results: Results) -> str:
    """Name the report after its job, else after its file or folder."""
    jobs = [job.removeprefix("labeling-job/") for job in results.jobs if job]
    if jobs:
        return ", ".join(jobs[:3]) + (f" and {len(jobs) - 3} more" if len(jobs) > 3 else "")
    return results.source.rstrip("/").rpartition("/")[2] or results.source


def headline(results: Results) -> list[tuple[str, str]]:
    """Give the few numbers that matter most, as (number, what it is)."""
    items = results.items
    found = [(f"{len(items):,}", "labeled")]
    known = [item.certain for item in items if item.certain is not None]
    if known and results.automatic is None:  # of those, the promise and the audit tell
        found.append((percent(sum(known) / len(known)), "certain"))
    machine = sum(item.source == "machine" for item in items)
    if machine:
        found.append((percent(machine / len(items)), "labeled by machine"))
    if results.automatic is not None:
        found += promise_numbers(results.automatic)
    if results.alpha is not None:
        found.append((f"{results.alpha:.2f}", "Krippendorff's alpha"))
    measured = calibration(items) or calibration_while_aggregating(results.gold)
    if measured:
        low, high = wilson(measured.accuracy * measured.number, measured.number)
        span = f"{100 * low:.0f}\N{EN DASH}{percent(high)}"
        found.append((percent(measured.accuracy), f"right on gold ({span})"))
    if results.passed:
        found.append((f"{len(results.passed):,}", "without a label"))
    return found


def facts(results: Results) -> list[tuple[str, str]]:
    """Tell where the labels come from, as (name, value)."""
    found = [("Question", _KINDS[results.kind])]
    jobs = [job.removeprefix("labeling-job/") for job in results.jobs if job]
    if jobs:
        found.append(("Job" if len(jobs) == 1 else "Jobs", ", ".join(jobs[:5])))
    if results.created:
        found.append(("Labeled", _period(*results.created)))
    if results.attribute:
        found.append(("Label attribute", results.attribute))
    found.append(("Classes", f"{sum(not n.startswith('(') for n in class_order(results)):,}"))
    counts = {s: sum(item.source == s for item in results.items) for s in sources_of(results.items)}
    found.append(
        ("Labeled by", ", ".join(f"{SOURCE_WORDS[s]} {n:,}" for s, n in counts.items()) or "nobody")
    )
    for status in dict.fromkeys(passed.status for passed in results.passed):
        number = sum(passed.status == status for passed in results.passed)
        found.append((status.capitalize(), f"{number:,}"))
    if results.workers:
        found.append(("Workers", f"{len(results.workers):,}"))
    if results.answers is not None:
        found.append(("Answers", f"{results.answers:,}"))
    if results.method:
        found.append(("Method", results.method))
    if results.automatic is not None:
        found += promise_facts(results.automatic)
    return found


def sections(results: Results) -> list[Section]:
    """Tell the parts that are numbers; galleries and lists follow them."""
    parts = [_labels(results), _confidence(results), _calibration(results)]
    parts += [_agreement(results), _workers(results)]
    first = promise_sections(results.automatic) if results.automatic is not None else []
    return [*first, *(part for part in parts if part is not None)]


def disputed_words(results: Results) -> tuple[str, str]:
    """Give the title of the items on which not all agree, and what is said of them."""
    if results.automatic is not None:
        return "Where people said something else", (
            "Images of the sample for which people gave another label than the machine, which was "
            "surest of the first; the label is that of the people."
        )
    return "Most disputed", (
        "Where workers agree least, each answer with its worker; bold ones equal the label."
    )


# ---------------------------------------------------------------------------------- parts


def _labels(results: Results) -> Section | None:
    if not results.items:
        return None
    order = class_order(results)
    counts: Mapping[str, Mapping[Source, int]] = counts_by_class(results.items)
    sources = sources_of(results.items)
    total = sum(sum(by.values()) for by in counts.values())
    grid = Grid(
        ("class", *(SOURCE_WORDS[s] for s in sources)),
        frozenset(range(1, len(sources) + 1)),
        tuple(
            (name, *(f"{counts.get(name, _NONE).get(s, 0):,}" for s in sources)) for name in order
        ),
    )
    largest = order[0]
    most = sum(counts.get(largest, _NONE).values())
    words = count(total, *_UNITS.get(results.kind, ("label", "")))
    if total != len(results.items):
        words += f" on {count(len(results.items), 'item')}"
    words += f"; {largest} holds {percent(most / max(total, 1))}."
    empty = [name for name in order if name not in counts]
    if empty:
        words += f" Never used: {', '.join(empty[:8])}{' and others' if len(empty) > 8 else ''}."
    return Section(
        "labels",
        "Labels by class",
        words,
        (
            Chart("Count", lambda width: count_chart(order, counts, sources, width), grid),
            Chart(
                "Count, logarithmic scale",
                lambda width: count_chart(order, counts, sources, width, log=True),
            ),
        ),
    )


def _confidence(results: Results) -> Section | None:
    if not results.items:
        return None
    spreads, sources = confidence_spread(results.items), sources_of(results.items)
    if not spreads:
        return Section(
            "confidence",
            "Confidence",
            "No label states a confidence. A single worker's answer carries none.",
        )
    order = class_order(results)
    known = tuple(s for s in sources if any(s in by for by in spreads.values()))
    histograms = {s: confidence_histogram(results.items, s) for s in known}
    grid = Grid(
        ("class", "labeled by", "mean", "middle half", "n"),
        frozenset({2, 3, 4}),
        tuple(
            (
                name,
                SOURCE_WORDS[s],
                f"{by[s].mean:.3f}",
                f"{by[s].low:.2f} \N{EN DASH} {by[s].high:.2f}",
                f"{by[s].number:,}",
            )
            for name in order
            if (by := spreads.get(name))
            for s in known
            if s in by
        ),
    )
    words = "A dot is the mean of a class, its line the middle half of the labels."
    by_machine = results.method is None or results.automatic is not None
    if "human" in known and "machine" in known and by_machine:
        words += " Confidence of people and of machines is not on one scale."
    return Section(
        "confidence",
        "Confidence",
        words,
        (
            Chart(
                "Mean by class", lambda width: confidence_chart(order, spreads, known, width), grid
            ),
            Chart("Distribution", lambda width: histogram_chart(histograms, width)),
        ),
    )


def _calibration(results: Results) -> Section | None:
    found = calibration(results.items)
    held_out = ""
    if found is None:
        found = calibration_while_aggregating(results.gold)
        held_out = ", each judged as if its own had not been known"
    if found is None:
        if not results.gold:
            return None
        rows = tuple((_GOLD_WORDS.get(k, k), f"{v:.4g}") for k, v in results.gold.items())
        return Section(
            "calibration",
            "Against gold",
            "Measured while aggregating, on tasks whose answer was known.",
            grid=Grid(("measure", "value"), frozenset({1}), rows),
        )
    gap = found.confidence - found.accuracy
    said = "overconfident" if gap > 0.005 else "underconfident" if gap < -0.005 else "on the line"
    words = (
        f"On {count(found.number, 'label')} with a known answer{held_out}, "
        f"{percent(found.accuracy)} are right and the mean confidence is "
        f"{percent(found.confidence)}: {said}. Dots on the dashed "
        "line mean what they say; lines are 95\N{NO-BREAK SPACE}% intervals."
    )
    grid = Grid(
        ("confidence", "right", "95\N{NO-BREAK SPACE}% interval", "n"),
        frozenset({0, 1, 2, 3}),
        tuple(
            (
                f"{b.confidence:.3f}",
                f"{b.right:.3f}",
                f"{b.low:.2f} \N{EN DASH} {b.high:.2f}",
                f"{b.number:,}",
            )
            for b in found.bins
        ),
    )
    return Section(
        "calibration",
        "Calibration",
        words,
        (Chart("Reliability", lambda width: calibration_chart(found, width)),),
        grid,
    )


_GOLD_WORDS = {"tasks": "gold tasks", "ece": "calibration error", "log_loss": "log-loss"}


def _agreement(results: Results) -> Section | None:
    agreed = agreement_by_class(results.items)
    confused = confusions(results.confusions)
    if not agreed and results.alpha is None:
        return None
    words = "Agreement is the share of a task's answers that equal its label."
    if results.alpha is not None:
        words += (
            f" Krippendorff's alpha is {results.alpha:.3f}: 1 is perfect, 0 is what chance gives."
        )
    if results.class_alpha:
        words += " The alpha of a class asks only: this class or another?"
    charts = []
    if agreed:
        alphas = results.class_alpha
        grid = Grid(
            ("class", "agreement", "n", *(("alpha",) if alphas else ())),
            frozenset({1, 2, 3}),
            tuple(
                (
                    a.label,
                    f"{a.agreement:.3f}",
                    f"{a.number:,}",
                    *((f"{alphas[a.label]:.3f}" if a.label in alphas else "",) if alphas else ()),
                )
                for a in agreed
            ),
        )
        charts.append(
            Chart(
                "By class", lambda width: agreement_chart(agreed, results.class_alpha, width), grid
            )
        )
    if confused:
        grid = Grid(
            ("answered", "label", "answers", "share"),
            frozenset({2, 3}),
            tuple((c.answer, c.label, f"{c.number:,}", percent(c.share)) for c in confused),
        )
        charts.append(
            Chart("Commonest wrong answers", lambda width: confusion_chart(confused, width), grid)
        )
    return Section("agreement", "Agreement", words, tuple(charts))


def _workers(results: Results) -> Section | None:
    if not results.workers:
        return None

    def order(worker: WorkerRow) -> tuple[bool, float, str]:
        accuracy = 1.0 if worker.accuracy is None else worker.accuracy
        return (worker.reliable is not False, accuracy, worker.worker)

    ranked = sorted(results.workers, key=order)
    gold = any(worker.gold_answers for worker in ranked)
    timed = any(worker.median_seconds is not None for worker in ranked)
    columns = ["worker", "answers", "accuracy", "0 to 1, 95\N{NO-BREAK SPACE}% interval"]
    columns += ["on gold"] * gold + ["seconds"] * timed + ["remarks"]
    rows: list[tuple[Cell, ...]] = []
    for w in ranked:
        row: list[Cell] = [
            w.worker,
            f"{w.answers:,}",
            "" if w.accuracy is None else f"{w.accuracy:.2f}",
            interval_picture(w),
        ]
        if gold:
            said = "" if w.gold_accuracy is None else f"{w.gold_accuracy:.2f}"
            row.append(f"{said} of {w.gold_answers:,}" if said else "")
        if timed:
            row.append("" if w.median_seconds is None else f"{w.median_seconds:.1f}")
        remarks = ["not reliable"] * (w.reliable is False) + list(w.flags)
        row.append("; ".join(remarks))
        rows.append(tuple(row))
    marked = frozenset(n for n, w in enumerate(ranked) if w.reliable is False or w.flags)
    number = sum(w.reliable is False for w in ranked)
    words = f"{count(len(ranked), 'worker')}, the least reliable first."
    if number:
        words += f" {count(number, 'is', 'are')} not reliable."
    if gold:
        words += " An upright stroke is the accuracy on gold tasks."
    numeric = frozenset({1, 2} | ({4} if gold else set()) | ({4 + gold} if timed else set()))
    return Section(
        "workers", "Workers", words, grid=Grid(tuple(columns), numeric, tuple(rows), marked)
    )


def _period(first: str, last: str) -> str:
    """Write two moments as a person would: the day once, no seconds."""
    days = [re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)", moment) for moment in (first, last)]
    if not days[0] or not days[1]:
        return first if first == last else f"{first} to {last}"
    (day, start), (last_day, end) = days[0].groups(), days[1].groups()
    if day != last_day:
        return f"{day} {start} to {last_day} {end} UTC"
    return f"{day} {start} UTC" if start == end else f"{day}, {start} to {end} UTC"
