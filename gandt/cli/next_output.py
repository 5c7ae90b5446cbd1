"""What `gandt next` says: the state, what was chosen, what is left, whether to stop, what to do."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from gandt.active.stop import DRY_RUN
from gandt.rounds.next.plan import UNSURE, unsure
from gandt.words import count

if TYPE_CHECKING:
    from gandt.index.folder import Index
    from gandt.rounds.known.known import Known
    from gandt.rounds.next.files import NextFiles
    from gandt.rounds.next.plan import Complete, Plan

__all__ = ["ended", "following", "printed", "shown"]

WIDTH = 100  # characters of a line; commands are not broken, so that they can be copied
INDENT = 17
FEW = 3  # classes to find up to which each has sentences; beyond, a line in a table
SHOWN = 20  # lines of that table, before the rest is only counted
NAME = 24  # characters of a class name in it
_TOGETHER = "\N{NO-BREAK SPACE}"  # between words of one line; printed as a space

Lines = list[tuple[str, str]]


def printed(plan: Plan, files: NextFiles, commands: list[str]) -> list[str]:
    """Lay out all of it, the verdict and the next commands last."""
    few = len(plan.targets) <= FEW
    written: Lines = [("manifest", files.manifest), ("table", files.table)]
    if files.report is not None:
        written.append(("contact sheet", files.report))
    verdict = "stop" if plan.round.verdict.stop else "go on"
    number = ("round", f"{plan.known.round}")
    known = _known(plan.index, plan.known, left_out="; what is said to be left is of the others")
    lines = _laid_out([number, *known, *_chosen(plan, few=few)])
    lines += _laid_out(_left(plan)) if few else _table(plan)
    lines += _laid_out([*written, ("verdict", verdict), *_reasons(plan, few=few)])
    names = ["to go on" if plan.round.verdict.stop else "next", *[""] * len(commands)]
    lines += [f"{name:<{INDENT}}{text}" for name, text in zip(names, commands, strict=False)]
    return lines


def ended(end: Complete) -> list[str]:
    """Lay out what is known where there is no next round."""
    return _laid_out([*_known(end.index, end.known), ("verdict", "stop"), ("", end.reason)])


def following(out: str, plan: Plan, *, launched: bool) -> list[str]:
    """The commands that go on from here.

    Parameters
    ----------
    launched
        Whether the manifest is for a job of Ground Truth.
    """
    stem = out.removesuffix(".manifest")
    offered = ["--labels", ",".join(plan.labels)]
    if any("," in name for name in plan.labels):
        offered = []
    if launched:
        return [shlex.join(["gandt", "launch", out, "--task", "image-classification", *offered])]
    here = stem.rpartition("/")[2] if "://" in stem else stem  # answers are kept on this machine
    label = ["gandt", "label", out, *offered, "--out", f"{here}.answers"]
    folder = f"{here}/" if stem != out else f"{here}.labels/"
    aggregate = ["gandt", "aggregate", f"{here}.answers", "--out", folder]
    for earlier in plan.answered:
        aggregate += ["--previous", f"{shown(earlier)}/"]
    return [shlex.join(label), shlex.join(aggregate)]


def _known(index: Index, known: Known, *, left_out: str = "") -> Lines:
    counts = dict(zip(known.labeled.classes, known.labeled.counts().tolist(), strict=True))
    images = f"{len(known.labeled):,} of {count(index.live_rows, 'image')}"
    by_class = f": {_counted(counts)}" if len(known.labeled) else ""
    lines = [("labeled", f"{images}{by_class}")]
    if known.examples is not None:
        examples = count(len(known.examples.vectors), "example")
        lines.append(("", f"and {examples} that the pool does not hold"))
    doubted = unsure(known)
    if doubted:
        number = sum(doubted.values())
        lines.append(
            (
                "unsure",
                f"{count(number, 'label')} below {UNSURE:g}: {_counted(doubted)}; until they are "
                "asked again (relabel.manifest of their round) each counts as what it says",
            )
        )
    if len(known.left_out):
        automatic, number = len(known.automatic), len(known.left_out)
        of = f"{'all' if automatic == number else f'{automatic:,}'} of them labeled automatically"
        text = count(number, "image") + (f", {of}" if automatic else "")
        lines.append(("left out", f"{text}{left_out}"))
    return lines


def _chosen(plan: Plan, *, few: bool) -> Lines:
    lines: Lines = []
    groups = plan.groups()
    found = [group for group in groups if group.name is not None]
    for group in found if few else ():
        finds = "" if group.finds is None else f", {_finds(group.finds)}"
        lines.append((group.goal, f"{group.name}: {count(group.images, 'image')}{finds}"))
    if found and not few:
        images = count(sum(group.images for group in found), "image")
        expected = _finds(sum(group.finds or 0.0 for group in found))
        lines.append(("find", f"{images} for {len(found):,} classes, {expected}"))
    for group in groups:
        if group.name is None:
            before = ", labeled before" if group.goal == "again" else ""
            lines.append((group.goal, f"{count(group.images, 'image')}{before}"))
    return [*lines, ("scored", f"{plan.round.scored:.1%} of the pool")]


def _left(plan: Plan) -> Lines:
    """What uniform draws say; of the contrast class nobody asks."""
    estimates = [each for each in plan.round.estimates if each.name in plan.targets]
    if not any(each.drawn for each in estimates):
        return [("left", "not known yet: only labels of images that were drawn uniformly tell")]
    return [("left" if at == 0 else "", each.sentence()) for at, each in enumerate(estimates)]


def _table(plan: Plan) -> list[str]:
    """What the sentences say, a line for each class to find."""
    groups = {group.name: group for group in plan.groups() if group.name is not None}
    estimates = {each.name: each for each in plan.round.estimates}
    dry = plan.dry()
    rows = [("", "found", "left (95%)", "probe: at most", "in vain", "chosen", "expected")]
    for each in plan.round.outlooks[:SHOWN]:
        known, group = estimates[each.name], groups.get(each.name)
        rows.append(
            (
                each.name if len(each.name) <= NAME else f"{each.name[: NAME - 1]}…",
                f"{known.found:,}",
                f"{known.low:,} to {known.high:,}" if known.drawn else "-",
                "blind" if each.blind else f"{each.upper_left:,.0f}",
                f"{dry[each.name]:,}" if each.name in dry else "-",
                f"{group.images:,}" if group else "0",
                _about(group.finds or 0.0) if group else "-",
            )
        )
    columns = range(len(rows[0]) if groups or dry else 4)  # the last ones tell of what is sought
    wide = [max(len(row[at]) for row in rows) for at in columns]
    wide[0] = max(wide[0], INDENT - 2)
    lines = ["  ".join([row[0].ljust(wide[0]), *map(str.rjust, row[1:], wide[1:])]) for row in rows]
    more = len(plan.round.outlooks) - SHOWN
    return [*lines, f"… and {more:,} more classes, with --json"] if more > 0 else lines


def _reasons(plan: Plan, *, few: bool) -> Lines:
    verdict, dry = plan.round.verdict, plan.dry()
    said = []
    if dry and not verdict.stop:
        so_far = f"; so far: {_counted(dry)}" if few else ""
        said.append(
            f"It says stop after {DRY_RUN} labels in a row that were chosen to find a class in "
            f"vain{so_far}."
        )
    if not dry and not any(group.name for group in plan.groups()):
        said.append(
            "Nothing was chosen to find a class, so that only --price with --value can say stop."
        )
    if few:
        return [("", text) for text in (*said, *plan.reasons)]
    # Those that are not of one class; what is said of each stands in the table.
    of_class = {text for each in plan.round.outlooks for text in each.sentences()}
    said += [text for text in verdict.reasons if text not in of_class]
    if verdict.stop and all(each.exhausted for each in plan.round.outlooks):
        said.append(
            f"For each class {DRY_RUN} labels in a row or more were chosen to find it in vain."
        )
    blind = [each.name for each in plan.round.outlooks if each.blind]
    if blind:
        said.append(
            f"The probe is blind to {', '.join(blind[:3])}{' and others' if blind[3:] else ''}: it "
            "hardly tells them from the rest, so that only uniform draws say what is left."
        )
    draws = max((each.audited for each in plan.round.outlooks), default=0)
    if draws:
        said.append(
            f"Left is what {count(draws, 'uniform draw')} cannot rule out; the probe's estimate "
            "cannot see what the probe does not know."
        )
    else:
        said.append(
            "No uniform draw limits what is left; the probe's estimate cannot see what the probe "
            "does not know."
        )
    return [("", text) for text in said]


def _finds(number: float) -> str:
    return f"{_about(number)} finds expected"


def _about(number: float) -> str:
    return f"{number:.1f}" if number < 9.95 else f"{number:,.0f}"


def _counted(counts: Mapping[str, int]) -> str:
    """`defect 31, Other 319`; of many classes the largest."""
    ordered = sorted(counts.items(), key=lambda each: -each[1])
    most = 8
    text = ", ".join(f"{name}{_TOGETHER}{number:,}" for name, number in ordered[:most])
    more = len(ordered) - most
    return f"{text} and {count(more, 'more class', 'more classes')}" if more > 0 else text


def _laid_out(lines: Iterable[tuple[str, str]]) -> list[str]:
    """Names in a column; long sentences go on below themselves."""
    out = []
    for name, text in lines:
        whole = wrap(
            text.replace(" %", f"{_TOGETHER}%"),  # "95 %" stays together, as do class and number
            WIDTH,
            initial_indent=f"{name:<{INDENT}}",
            subsequent_indent=" " * INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
        out += [line.replace(_TOGETHER, " ") for line in whole]
    return out


def shown(text: str) -> str:
    """Give paths as a person would write them here."""
    return text.replace(f"{Path.cwd()}/", "")
