"""A light consensus of the answers to one object, for whoever reads the output manifest at once.

A majority weighted by reliability; `gandt aggregate` judges the same answers with more care later.
What is not clear is said: a tie is no label but a list, and an answer that does not count stands
in `leftOut` with the reason. Pure functions; the order of answers decides nothing but which of two
answers of the same worker counts (the first that says anything).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gandt.serving.lambdas.reliability import weights
from gandt.serving.lambdas.votes import WHOLE, NoVote, Vote, read_vote, spell

__all__ = ["consensus"]

_DIGITS = 4  # of a confidence
_CLOSE = 1e-9  # sums of weights that differ by less are equal
_Ballot = dict[str, tuple[str, ...]]  # labels by worker


def consensus(
    responses: Sequence[Mapping[str, object]],
    *,
    classes: Sequence[str] = (),
    reliability: Mapping[str, float] | None = None,
) -> dict[str, object]:
    """Find what most of the workers say.

    Parameters
    ----------
    responses
        `{"workerId", "annotation"}`, the annotation decoded.
    classes
        The classes of the job where they are known; a label of none of them is no vote.
    reliability
        As `reliability.parse` gives it; None: all votes weigh the same.

    Returns
    -------
    label
        Of one label: `label` (None in a tie), `confidence` (its share of the weight), `votes`. Of
        several: `labels` (those with more than half of the weight), `confidences` of all that
        somebody chose, `votes`. Of tiles: `tiles`, the same by index. With `tie` and `leftOut`
        where there are any. Of boxes, spans and masks: nothing.
    """
    votes, left_out = _counted(responses, classes)
    result: dict[str, object] = {}
    if votes is not None:
        kind, ballots = votes
        table = reliability or {}
        if kind == "tiles":
            result["tiles"] = {
                index: _several(ballots[index], table) for index in sorted(ballots, key=int)
            }
        elif ballots:
            ballot = ballots[WHOLE]
            one = kind == "single"
            result = _one(ballot, table, len(classes)) if one else _several(ballot, table)
    if left_out:
        result["leftOut"] = left_out
    return result


def _counted(
    responses: Sequence[Mapping[str, object]], classes: Sequence[str]
) -> tuple[tuple[str, dict[str, _Ballot]] | None, list[dict[str, object]]]:
    """Read the votes: kind and ballots (None where there is nothing to vote on), and the rest."""
    left_out: list[dict[str, object]] = []
    ballots: dict[str, _Ballot] = {}
    kinds: set[str] = set()
    nested = False
    for response in responses:
        name = response.get("workerId")
        worker = name.strip() if isinstance(name, str) else ""
        try:
            if not worker:
                raise NoVote("it names no worker")
            if "error" in response:
                raise NoVote(str(response["error"]))
            vote = read_vote(response.get("annotation"))
            nested = nested or vote is None
            reasons = [] if vote is None else _enter(worker, vote, classes, ballots, kinds)
        except NoVote as error:
            reasons = [str(error)]
        left_out.extend({"workerId": name, "reason": reason} for reason in reasons)
    if nested:
        if kinds:
            left_out.append({"workerId": None, "reason": "the answers are of different kinds"})
        return None, left_out
    if len(kinds) > 1 and "tiles" in kinds:
        left_out.append({"workerId": None, "reason": "only some answers are those of tiles"})
        return None, left_out
    kind = next(iter(kinds)) if len(kinds) == 1 else "multi"
    return (kind, ballots), left_out


def _enter(
    worker: str,
    vote: Vote,
    classes: Sequence[str],
    ballots: dict[str, _Ballot],
    kinds: set[str],
) -> list[str]:
    """Put a vote into the ballots; gives the reasons for what does not count of it."""
    reasons = list(vote.problems)
    for target, texts in vote.labels.items():
        where = f"image {target}: " if target != WHOLE else ""
        spelled = {text: spell(text, classes) for text in texts}
        unknown = [text for text, name in spelled.items() if name is None]
        reasons.extend(f"{where}{text!r} is none of the classes" for text in unknown)
        labels = tuple(dict.fromkeys(name for name in spelled.values() if name is not None))
        if texts and not labels:
            continue
        ballot = ballots.setdefault(target, {})
        if worker in ballot:
            reasons.append(f"{where}the worker answered more than once; the first answer counts")
            continue
        ballot[worker] = labels
        kinds.add(vote.kind)
    if not vote.labels:
        kinds.add(vote.kind)
        reasons.append("no label was chosen")
    return reasons


def _one(ballot: _Ballot, table: Mapping[str, float], classes: int) -> dict[str, object]:
    chosen = {worker: labels[0] for worker, labels in ballot.items()}
    options = set(chosen.values())
    weight = weights(chosen, table, max(classes, len(options)))
    sums = {
        option: math.fsum(weight[worker] for worker, label in chosen.items() if label == option)
        for option in options
    }
    best = max(sums.values())
    first = sorted(option for option, total in sums.items() if _equal(total, best))
    share = round(best / math.fsum(weight.values()), _DIGITS)
    label = first[0] if len(first) == 1 else None
    result: dict[str, object] = {"label": label, "confidence": share, "votes": len(chosen)}
    if label is None:
        result["tie"] = first
    return result


def _several(ballot: _Ballot, table: Mapping[str, float]) -> dict[str, object]:
    weight = weights(ballot, table, 2)  # each label is a question of its own: yes or no
    total = math.fsum(weight.values())
    shares = {
        option: math.fsum(weight[w] for w, labels in ballot.items() if option in labels) / total
        for option in sorted({label for labels in ballot.values() for label in labels})
    }
    tie = [option for option, share in shares.items() if _equal(share, 0.5)]
    result: dict[str, object] = {
        "labels": [o for o, share in shares.items() if share > 0.5 and o not in tie],
        "confidences": {option: round(share, _DIGITS) for option, share in shares.items()},
        "votes": len(ballot),
    }
    if tie:
        result["tie"] = tie
    return result


def _equal(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=_CLOSE)
