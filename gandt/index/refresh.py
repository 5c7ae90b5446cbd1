"""Keep the search of an index folder fit for its size: plan, build, measure, write it down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gandt.index.ann import FILE_NAME, SearchSettings
from gandt.index.build import BuildReport, Progress, build
from gandt.index.card import CARD_NAME, write_card
from gandt.index.folder import Index
from gandt.index.plan import IndexPlan, format_bytes, plan_index
from gandt.index.writer import writer_lock

__all__ = ["plan_sentence", "refresh_search", "report_sentence"]

STALE = 0.2  # share of rows added since the build from which it pays to build anew


def refresh_search(
    folder: Path,
    *,
    memory_bytes: int,
    recall: float,
    cores: int,
    on_plan: Callable[[IndexPlan], None] = lambda plan: None,
    publish: Callable[[Path], None] = lambda path: None,
    progress: Progress = lambda stage, done, total: None,
) -> BuildReport | None:
    """Build `search.faiss` where the pool is too large for exact search; else do nothing.

    An index that exists is kept until a fifth of the rows came after it (those are searched
    exactly meanwhile), or until another recall is wanted.

    Parameters
    ----------
    memory_bytes
        What the build may hold at once.
    recall
        Wanted share of the true nearest 100 rows that a search finds.
    on_plan
        Called before a build begins, with what it will take.
    publish
        Called with each file right after it is written or deleted.

    Raises
    ------
    UsageError
        Nothing fits the memory; the message says what would.
    IndexFolderError
        Another process writes to the folder.
    """
    with writer_lock(folder):
        index = Index(folder)
        card = index.card
        if card is None or not index.live_rows:
            return None
        plan = plan_index(
            index.live_rows, index.dimension, memory_bytes=memory_bytes, recall=recall, cores=cores
        )
        if plan.kind == "exact":
            if card.search:
                write_card(folder, replace(card, search={}))
                publish(folder / CARD_NAME)
                (folder / FILE_NAME).unlink(missing_ok=True)
                publish(folder / FILE_NAME)
            return None
        if card.search:
            settings = SearchSettings.from_json(card.search)
            fresh = settings.rows >= (1 - STALE) * index.rows
            if fresh and settings.recall_wanted == recall:
                return None
        on_plan(plan)
        report = build(index, plan, folder, progress=progress)
        publish(folder / FILE_NAME)
        write_card(folder, replace(card, search=report.as_json()))
        publish(folder / CARD_NAME)
        return report


def plan_sentence(plan: IndexPlan) -> str:
    """What a build will make and take, before it begins."""
    return (
        f"building the search index {plan.factory}: {format_bytes(plan.disk_bytes)} on disk, up to "
        f"{format_bytes(plan.memory_bytes)} of memory, about {plan.build_seconds / 60:.1f} min; "
        f"{plan.why}"
    )


def report_sentence(report: BuildReport) -> str:
    """What was built and measured."""
    settings = report.settings
    outcome = "" if report.reached else f", short of the {settings.recall_wanted:.3f} wanted"
    return (
        f"built {format_bytes(report.disk_bytes)}: recall@{settings.recall_at} "
        f"{settings.recall:.3f} over {report.queries} queries{outcome} (nprobe {settings.nprobe}, "
        f"{settings.oversampling} looked up per image wanted)"
    )
