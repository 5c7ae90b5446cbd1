"""Many answers, one label: the one call, whatever the answers are.

Answers come in as a table or as `Answers`; the kind decides who makes labels of them (single labels
`one_label`, sets of labels `multilabel`, boxes, spans and masks the modules of `shapes`); a
`Consensus` comes out. Nothing is read from disk and nothing is random.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from gandt.aggregation.consensus import Consensus
from gandt.aggregation.settings import NONE_LABEL, Settings
from gandt.answers import Answers, Kind
from gandt.errors import UsageError

if TYPE_CHECKING:
    from gandt.aggregation.decisions import Decision

__all__ = ["aggregate"]


def aggregate(
    answers: Any,
    *,
    method: str = "auto",
    kind: str = "auto",
    gold: Any = None,
    previous: Any = None,
    include_previous: bool = False,
    model: Any = None,
    classes: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
    min_confidence: float = 0.8,
    min_answers: int = 1,
    min_ratings: int = 2,
    min_proportion: float = 0.5,
    reliability_threshold: float = 0.8,
    none_label: str = NONE_LABEL,
    iou: float = 0.5,
    smoothing: float = 0.5,
) -> Consensus:
    """Make one label per task, with an honest confidence, of what several workers answered.

    Parameters
    ----------
    answers
        A DataFrame, an Arrow table, a dict of columns, a list of dicts, or `Answers`. Columns
        `task`, `worker`, `label`; `seconds_spent` and `submitted_at` are used where they are. Of
        several answers of a worker to a task the first counts; rows without a label do not. An
        answer of `Answers` that decides is its task's label; see `gandt.aggregation.decisions`.
    method
        "auto" takes what measures best. For single labels also "majority", "weighted", "one-coin",
        "dawid-skene"; for single labels and sets of labels "agreement": a label is certain where at
        least `min_ratings` workers gave it and they are more than `min_proportion` of those who
        answered the task; workers who agree with certain labels on no more than
        `reliability_threshold` are filtered and the rest is counted again.
    kind
        "single", "multi", "boxes", "spans" or "mask"; "auto" goes by the answers.
    gold
        Known answers: `{task: label}`, a table of `task` and `label`, or a `Consensus`. Their
        tasks get that label, workers are rated by them, and `Consensus.gold` says how the consensus
        does on them when it is not told.
    previous
        Answers of earlier jobs, one table or a list of them. They tell how reliable workers are;
        their tasks stay apart, even where the same image was shown.
    include_previous
        Count the votes of earlier jobs on a task of the same name as well, and show their tasks.
    model
        `gandt.aggregation.model_rater.Predictions`, out of fold: one more rater, weighed by how
        well it explains the answers. Labels then also carry the plain consensus and the model's
        label, each with its confidence. Only for single labels.
    classes
        The classes in their order. A label that is none of them does not count. Ties go to the
        first; `tied` names all of them.
    tasks
        Every task that was asked about; those without an answer get a row without a label.
    min_confidence, min_answers
        What a label needs to be certain.
    none_label
        In sets of labels, the answer that means "no label applies".
    iou
        Overlap from which two workers' boxes are of the same thing.
    smoothing
        How much the pixels around a pixel of a mask have to say; 0 is nothing.

    Returns
    -------
    Consensus
        `labels`: a row per task in order of `tasks`, then of appearance. A task that nobody
        answered has label None, confidence 0, agreement NaN, no votes, and is not certain. Gold has
        confidence 1 and is certain. `workers`: a row per worker of this job (with
        `include_previous`, of all).

    Raises
    ------
    AnswerError
        The answers, or gold, cannot be understood.
    UsageError
        An option has no such value, or does not fit the kind of the answers.

    Examples
    --------
    >>> consensus = aggregate(
    ...     {
    ...         "task": ["a", "a", "a", "b", "b", "b"],
    ...         "worker": ["ann", "bob", "cy", "ann", "bob", "cy"],
    ...         "label": ["cat", "cat", "cat", "dog", "dog", "cat"],
    ...     }
    ... )
    >>> list(consensus.labels["label"])
    ['cat', 'dog']
    """
    from gandt.aggregation.gold import read_gold
    from gandt.aggregation.kinds import as_columns, find_kind

    settings = Settings(
        method=method,
        include_previous=include_previous,
        min_confidence=min_confidence,
        min_answers=min_answers,
        min_ratings=min_ratings,
        min_proportion=min_proportion,
        reliability_threshold=reliability_threshold,
        none_label=none_label,
        iou=iou,
        smoothing=smoothing,
    )
    answers = as_columns(answers)
    earlier = [as_columns(job) for job in _jobs(previous)]
    if any(isinstance(job, Answers) and any(job.decides) for job in (answers, *earlier)):
        from gandt.aggregation.decisions import apply_decisions, set_apart

        decided: dict[str, Decision] = {}
        rest: list[Any] = []
        for place, job in enumerate((*earlier, answers)):
            job, made = set_apart(job) if isinstance(job, Answers) else (job, {})
            rest.append(job)
            if include_previous or place == len(earlier):
                decided |= made
        consensus = aggregate(
            rest[-1],
            method=method,
            kind=kind,
            gold=gold,
            previous=rest[:-1] or None,
            include_previous=include_previous,
            model=model,
            classes=classes,
            tasks=tasks if tasks is not None or not decided else rest[-1].tasks,
            min_confidence=min_confidence,
            min_answers=min_answers,
            min_ratings=min_ratings,
            min_proportion=min_proportion,
            reliability_threshold=reliability_threshold,
            none_label=none_label,
            iou=iou,
            smoothing=smoothing,
        )
        return apply_decisions(consensus, decided, none_label=none_label)
    found = find_kind(answers, kind)
    if classes is not None and isinstance(classes, str):
        raise UsageError(f"classes is the text {classes!r}; give a list of names.")
    known, notes = read_gold(gold, answers, found)
    for job in earlier:
        known = read_gold(None, job, found)[0] | known
    if model is not None and type(model).__name__ != "Predictions":
        raise UsageError(
            f"model is a {type(model).__name__}; give gandt.aggregation.model_rater.Predictions."
        )
    if found == "single":
        from gandt.aggregation.one_label import consolidate_labels

        return consolidate_labels(
            answers,
            settings,
            gold=cast("dict[str, str]", known),
            previous=earlier,
            model=model,
            classes=classes,
            tasks=tasks,
            notes=notes,
        )
    if model is not None:
        raise UsageError(
            f"model= helps where each task has one label; leave it out for answers of kind "
            f"{found!r}."
        )
    from gandt.aggregation.kinds import as_answers

    ready = as_answers(answers, found, classes=classes, tasks=tasks)
    jobs = [as_answers(job, found) for job in earlier]
    for given, read in zip((answers, *earlier), (ready, *jobs), strict=True):
        if given is not read:  # of a table; what `Answers` bring along was said by who read them
            notes += _left_out(read)
    if found == "multi":
        from gandt.aggregation.multilabel import consolidate_sets

        return consolidate_sets(
            ready,
            settings,
            gold=cast("dict[str, tuple[str, ...]]", known),
            previous=jobs,
            classes=classes,
            notes=notes,
        )
    return _shapes(ready, found, settings, known, jobs, notes)


def _jobs(previous: Any) -> list[Any]:
    """Earlier jobs as a list; one table, or rows of one, is one job."""
    if previous is None:
        return []
    if isinstance(previous, (list, tuple)) and not (
        previous and all(isinstance(job, dict) and not _is_table(job) for job in previous)
    ):
        return list(previous)
    return [previous]


def _is_table(job: dict[Any, Any]) -> bool:
    """Whether a dict holds columns and not one row."""
    return hasattr(job.get("task"), "__len__") and not isinstance(job.get("task"), str)


def _left_out(answers: Answers) -> list[str]:
    """How many rows of a table do not count, and why."""
    kinds = [oddity.kind for oddity in answers.oddities]
    return [
        f"{kinds.count(kind):,} answers {why}."
        for kind, why in (
            ("empty", "have no label and were left out"),
            ("duplicate", "are a worker's second to a task and were left out"),
        )
        if kind in kinds
    ]


def _shapes(
    answers: Answers,
    kind: Kind,
    settings: Settings,
    gold: dict[str, Any],
    jobs: list[Answers],
    notes: list[str],
) -> Consensus:
    """Hand boxes, spans and masks to the modules of their names."""
    from dataclasses import replace
    from importlib import import_module

    from gandt.aggregation.jobs import join_answers

    if settings.method != "auto":
        raise UsageError(
            f"method is {settings.method!r}, but for answers of kind {kind!r} there is one only; "
            "leave it at auto."
        )
    joined, earlier = join_answers(answers, jobs, merge=settings.include_previous)
    choices: dict[str, tuple[str, str, dict[str, float]]] = {
        "boxes": ("boxes", "aggregate_boxes", {"iou": settings.iou}),
        "spans": ("spans", "aggregate_spans", {}),
        "mask": ("masks", "aggregate_masks", {"smoothing": settings.smoothing}),
    }
    module, function, options = choices[kind]
    solve = getattr(import_module(f"gandt.aggregation.shapes.{module}"), function)
    consensus: Consensus = solve(
        joined,
        gold=gold,
        previous=earlier,
        min_confidence=settings.min_confidence,
        min_answers=settings.min_answers,
        **options,
    )
    return replace(consensus, notes=tuple(dict.fromkeys([*notes, *consensus.notes])))
