"""A model as one more rater: its predictions, weighed by how well they explain the answers.

A probe on embeddings has seen every image and the consensus on all *other* images, so what it says
of an image is a further opinion, independent of the answers to that image. The idea is CROWDLAB's
(Goh, Tkachenko, Mueller, "CROWDLAB: Supervised learning to infer consensus labels and quality
scores for data with multiple annotators", 2022), which averages model and votes with two weights.
Here the model enters the E-step as workers do, as a log-likelihood of each class:

    evidence(y) = weight * (log p(y | image) - 3/4 log p(y))

`weight` is the power of the prediction under which the answers are likeliest: 1 takes it as it is,
more where it is timid (it was fit to noisy labels), 0 where it tells nothing beyond the shares of
the classes. What is used is the lower end of the 95 % likelihood interval, so that a model which
was measured on few tasks says little, and one that is right by chance nothing; and of that 0.85,
since workers' common errors are in what the model learned.

A quarter of the class shares stays in because noisy answers flatten the shares that a consensus
estimates: rare classes look commoner than they are. Measured on three image sets with simulated
workers (`scripts/bench/model_rater.py`): taking them out fully costs up to 6 points of accuracy
where one class is common and workers are poor; leaving more in costs the recall of rare classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.aggregation.encode import Encoded
from gandt.aggregation.predictions import Predictions, align
from gandt.aggregation.single import Method, Single, aggregate_single
from gandt.aggregation.votes import count_votes, smoothed
from gandt.errors import UsageError

__all__ = [
    "MODEL_COLUMNS",
    "ModelEvidence",
    "Predictions",
    "apply_model",
    "disagreements",
    "model_evidence",
]

Floats = npt.NDArray[np.floating[Any]]
Codes = npt.NDArray[np.int32]

MODEL_COLUMNS = ("plain_label", "plain_confidence", "model_label", "model_confidence")

_SHARES_TAKEN_OUT = 0.75  # part of the model's own class shares that its evidence is freed of
_NEW = 0.85  # part of the evidence that counts: the probe learned some of the workers' own errors
_SHARE_ROWS = 0.2  # rows of nothing beyond the shares that a class's predictions are mixed with
_HEAVIEST = 8.0  # power of a prediction
_WEIGHTS = np.concatenate([np.linspace(0, 2, 41), np.linspace(2.1, _HEAVIEST, 60)])
_DROP = 1.92  # of the log-likelihood to the ends of the 95 % interval: half of chi-square(1)'s 3.84
_MEASURED_ON = 20_000  # tasks, evenly spaced; more do not move the weight
_ENOUGH_GOLD = 20  # known tasks from which on accuracies are measured on them alone
_LEAST = 1e-12  # of a probability in a logarithm
_TIE = 1e-6  # relative difference up to which two probabilities are equal


@dataclass(frozen=True, slots=True, eq=False)
class ModelEvidence:
    """What a model adds to the answers, and how good it is."""

    log_evidence: npt.NDArray[np.float64]  # (n, k); zeros where the model says nothing
    weight: float  # power of the prediction; 0: the model was left aside
    # Share of tasks that the model has right: by gold (20 known tasks or more), else as the plain
    # consensus expects, which is cautious, since a consensus is never sure. NaN: nothing is known.
    accuracy: float
    accuracy_of_average_worker: float  # of a random answer, measured the same way
    note: str  # a sentence for people


def model_evidence(
    predictions: Floats, data: Encoded, single: Single, *, gold: Codes | None = None
) -> ModelEvidence:
    """Weigh predictions by how well they explain the answers, and make them log-likelihoods.

    With `q` the plain consensus, `s` its class shares, `p` the prediction and `p_y` its mean, the
    weight `b` maximizes the likelihood of all answers, `sum_i log sum_y (p_iy / p_y)^b q_iy / Z_i`
    with `Z_i = sum_y s_y (p_iy / p_y)^b`. Tasks whose answers agree, and gold, count most; tasks
    that nobody answered do not count.

    Parameters
    ----------
    predictions
        (n, k) class probabilities in the order of `data`; rows of NaN or zeros say nothing.
    data, single
        The answers and the consensus without the model.
    gold
        (n,) class codes or -1; `single` knows them already, they only serve the accuracies.

    Raises
    ------
    UsageError
        Where the shape is not that of the consensus.
    """
    believed = np.asarray(single.probabilities, np.float64)
    if predictions.shape != believed.shape:
        raise UsageError(
            f"Predictions of shape {predictions.shape} do not fit answers of shape "
            f"{believed.shape}: one row per task, one column per class."
        )
    said = np.nan_to_num(np.asarray(predictions, np.float64), nan=0.0, posinf=0.0)
    totals = said.sum(axis=1)
    speaks = totals > 0
    evidence = np.zeros(believed.shape)
    measured = np.flatnonzero(speaks & _answered(data, gold))
    if believed.shape[1] < 2 or not len(measured):
        note = "The model says nothing about the answered tasks and was left aside."
        return ModelEvidence(evidence, 0.0, float("nan"), float("nan"), note)
    said[speaks] /= totals[speaks, None]
    accuracy, of_worker, figures = _accuracies(said, data, believed, measured, gold)

    average = said[measured].mean(axis=0)
    seen = believed[measured].sum(axis=0)
    # A class that few labels taught is held to "nothing beyond the shares".
    ratio = np.ones_like(said)
    ratio[speaks] = said[speaks] / np.maximum(average, _LEAST)
    ratio = np.log((seen * ratio + _SHARE_ROWS) / (seen + _SHARE_ROWS))
    sample = measured[:: -(-len(measured) // _MEASURED_ON)]
    shares = (seen + 0.5) / (seen.sum() + 0.5 * len(seen))
    weight = _NEW * _weigh(
        ratio[sample], np.log(shares), np.log(np.maximum(believed[sample], _LEAST))
    )
    if weight > 0:
        kept = (1 - _SHARES_TAKEN_OUT) * np.log(shares)
        evidence[speaks] = weight * (ratio[speaks] + kept)
        evidence[speaks] -= evidence[speaks].max(axis=1, keepdims=True)
    if weight > 0:
        note = f"A model counts as one more rater, with weight {weight:.2g}: {figures}."
    else:
        note = (
            "A model was left aside, since it tells no more than the shares of the classes: "
            f"{figures}."
        )
    return ModelEvidence(evidence, weight, accuracy, of_worker, note)


def apply_model(
    data: Encoded,
    plain: Single,
    predictions: Predictions,
    *,
    method: Method = "auto",
    gold: Codes | None = None,
) -> tuple[Single, dict[str, npt.NDArray[Any]], str]:
    """Consolidate again with a model as one more rater.

    Parameters
    ----------
    data, plain
        The answers and the consensus without the model.
    predictions
        Joined to the tasks and classes by name.
    method, gold
        As they were for `plain`.

    Returns
    -------
    The consensus with the model; the columns `MODEL_COLUMNS`, a row per task (label None and
    confidence NaN where nobody answered, or where the model says nothing); and a note for people.
    """
    believed = np.asarray(plain.probabilities, np.float64)
    aligned = align(predictions, data, believed.sum(axis=0))
    found = model_evidence(aligned, data, plain, gold=gold)
    single = plain
    if found.weight > 0:
        again = aggregate_single(data, method=method, gold=gold, log_evidence=found.log_evidence)
        single = _with_model_in_the_votes(data, again, found.log_evidence, gold)
    columns = _columns(data, believed, aligned, found.weight, gold)
    label = _names(single.probabilities, data.classes)
    told = np.array([name is not None for name in columns["plain_label"]], np.bool_)
    changed = int((told & (label != columns["plain_label"])).sum())
    note = found.note
    if found.weight > 0:
        note += f" It changes the label of {changed:,} of {int(told.sum()):,} answered tasks."
    return single, columns, note


def disagreements(columns: Mapping[str, Any]) -> npt.NDArray[np.int64]:
    """Rows where consensus and model differ, the surest pair first.

    Parameters
    ----------
    columns
        With `MODEL_COLUMNS`, such as the labels table.

    Returns
    -------
    Row numbers, by falling product of the two confidences; ties by row. The first are where either
    the workers or the model are wrong with confidence: look at these.
    """
    plain, model = (np.asarray(columns[name], object) for name in MODEL_COLUMNS[::2])
    sure = np.array(columns["plain_confidence"], np.float64)
    sure *= np.array(columns["model_confidence"], np.float64)
    rows = [i for i, (p, m) in enumerate(zip(plain, model, strict=True)) if None not in (p, m)]
    differ = np.array([row for row in rows if plain[row] != model[row]], np.int64)
    return differ[np.argsort(-sure[differ], kind="stable")]


def _weigh(ratio: Floats, log_shares: Floats, log_belief: Floats) -> float:
    """Find the lower end of the likelihood interval of the weight."""
    explained = log_belief - log_shares
    gains = np.array(
        [
            _log_sum(log_shares + weight * ratio + explained).sum()
            - _log_sum(log_shares + weight * ratio).sum()
            for weight in _WEIGHTS
        ]
    )
    best = int(gains.argmax())
    # Walk down from the best while it is still plausible.
    while best > 0 and gains[best - 1] >= gains.max() - _DROP:
        best -= 1
    return float(_WEIGHTS[best])


def _answered(data: Encoded, gold: Codes | None) -> npt.NDArray[np.bool_]:
    """(n,) tasks that somebody answered or gold knows."""
    asked = np.diff(data.start) > 0
    return np.asarray(asked if gold is None else asked | (gold >= 0), np.bool_)


def _log_sum(logs: Floats) -> Floats:
    highest = logs.max(axis=1)
    return np.asarray(highest + np.log(np.exp(logs - highest[:, None]).sum(axis=1)))


def _accuracies(
    said: Floats,
    data: Encoded,
    believed: Floats,
    measured: npt.NDArray[np.int64],
    gold: Codes | None,
) -> tuple[float, float, str]:
    """Of the model and of a random answer on the same tasks; and half a sentence with figures."""
    known = np.zeros(0, np.int64) if gold is None else measured[gold[measured] >= 0]
    truth = believed
    if by_gold := gold is not None and len(known) >= _ENOUGH_GOLD:
        measured = known
        truth = np.zeros_like(believed)
        truth[known, np.asarray(gold)[known]] = 1
    chosen = np.zeros(len(believed), np.bool_)
    chosen[measured] = True
    here = np.flatnonzero(chosen[data.task])
    task, answer = data.task[here], data.label[here]
    likeliest = said[measured].argmax(axis=1)
    accuracy = float(truth[measured, likeliest].mean())
    of_worker = float(truth[task, answer].mean()) if len(here) else float("nan")
    if by_gold:
        figures = (
            f"it is right on {accuracy:.1%} of {len(known):,} gold tasks, and {of_worker:.1%} of "
            "the answers to them are right"
        )
        return accuracy, of_worker, figures
    label = truth.argmax(axis=1)
    same = float((label[measured] == likeliest).mean())
    agreeing = float((label[task] == answer).mean()) if len(here) else float("nan")
    figures = (
        f"it agrees with the plain label of {same:.1%} of {len(measured):,} tasks, and "
        f"{agreeing:.1%} of the answers do"
    )
    return accuracy, of_worker, figures


def _with_model_in_the_votes(
    data: Encoded, single: Single, log_evidence: Floats, gold: Codes | None
) -> Single:
    """Let the model count in the vote shares too, which are a third of what is shown.

    Confidence is a mixture of posterior and smoothed vote shares. Shares that know nothing of the
    model would hold back every label that the model decides.
    """
    rest = 1 - single.calibration.weight
    if single.method not in ("dawid-skene", "one-coin") or rest == 0:
        return single
    shares = np.asarray(smoothed(count_votes(data)), np.float64)
    tilted = shares * np.exp(log_evidence - log_evidence.max(axis=1, keepdims=True))
    tilted /= tilted.sum(axis=1, keepdims=True)
    moved = rest * (tilted - shares)
    moved[np.diff(data.start) == 0] = 0  # shown as the posterior has it
    blind = single.blind
    if gold is not None and (gold >= 0).any():
        known = np.flatnonzero(gold >= 0)
        if blind is not None:
            blind = _normalized(blind + moved[known])
        moved[known] = 0
    return replace(single, probabilities=_normalized(single.probabilities + moved), blind=blind)


def _normalized(values: Floats) -> Floats:
    values = np.maximum(values, 0)
    return np.asarray(values / values.sum(axis=1, keepdims=True))


def _columns(
    data: Encoded, believed: Floats, said: Floats, weight: float, gold: Codes | None
) -> dict[str, npt.NDArray[Any]]:
    """`MODEL_COLUMNS`; the model's confidence is that of its prediction to the power `weight`."""
    told = _answered(data, gold)
    speaks = np.asarray(np.isfinite(said).all(axis=1), np.bool_)
    sharp = np.where(speaks[:, None], np.maximum(said, _LEAST), 1.0) ** (weight or 1.0)
    sharp /= sharp.sum(axis=1, keepdims=True)
    plain_label = _names(believed, data.classes)
    model_label = _names(sharp, data.classes)
    plain_label[~told] = None
    model_label[~speaks] = None
    return {
        "plain_label": plain_label,
        "plain_confidence": np.where(told, believed.max(axis=1, initial=0), np.nan),
        "model_label": model_label,
        "model_confidence": np.where(speaks, sharp.max(axis=1, initial=0), np.nan),
    }


def _names(probabilities: Floats, classes: Sequence[str]) -> npt.NDArray[np.object_]:
    """(n,) the likeliest class by name, the first of equals."""
    names = np.array([*classes, None], object)
    if not len(classes):
        return np.full(len(probabilities), None, object)
    top = probabilities >= probabilities.max(axis=1, keepdims=True) * (1 - _TIE)
    return np.asarray(names[top.argmax(axis=1)], object)
