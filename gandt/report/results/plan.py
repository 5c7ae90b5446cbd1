"""Which items a report shows where, and in which order their pictures are read."""

from __future__ import annotations

from dataclasses import dataclass

from gandt.report.overlay import palette
from gandt.report.results.facts import Group, class_order, disputed, examples, groups
from gandt.report.results.model import Item, Results

__all__ = ["Plan", "make_plan"]

MOST_WRONG = 24  # wrong labels of a machine that are shown


@dataclass(frozen=True, slots=True)
class Plan:
    """Which items a report shows where; pictures are read in this order."""

    examples: tuple[Group, ...]
    disputed: tuple[Item, ...]
    gallery: tuple[Group, ...]
    page_size: int
    colors: dict[str, str]  # by class, of boxes, masks and spans

    @property
    def items(self) -> list[Item]:
        """Every item shown, once, in the order in which it is first shown."""
        shown = [item for group in self.examples for item in group.items]
        shown += self.disputed
        shown += [item for group in self.gallery for item in group.items]
        return list({item.number: item for item in shown}.values())


def make_plan(results: Results, number: int, page_size: int, seed: int) -> Plan:
    """Decide which items a report shows where."""
    order = class_order(results)
    gallery = groups(results.items, order)
    return Plan(
        examples=tuple(examples(gallery, number, seed)),
        disputed=_disputed(results),
        gallery=tuple(gallery),
        page_size=page_size,
        colors=palette(order),
    )


def _disputed(results: Results) -> tuple[Item, ...]:
    if not results.replies:
        return ()
    if results.automatic is None:
        return tuple(disputed(results.items))
    by_task = {item.task: item for item in results.items}
    return tuple(by_task[task] for task in results.replies if task in by_task)[:MOST_WRONG]
