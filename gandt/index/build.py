"""Build `search.faiss`: train on a sample, add the stored rows block by block, measure, write.

Reads a `VectorStore`, never all of it into memory; writes one file, whole or not at all. The
number of lists to look into is not guessed but measured: stored vectors serve as queries, exact
search tells what they should find, and `nprobe` (and with coarse codes the number of rows looked
at) grows until the wanted recall holds. Recall@k as in Jégou, Douze and Schmid (2011), "Product
quantization for nearest neighbor search", but aware of ties: a row counts if it is as near as the
k-th true neighbor, whichever of several equal rows it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gandt.errors import UsageError
from gandt.index import search as exact
from gandt.index.ann import FILE_NAME, AnnIndex, SearchSettings, load_faiss
from gandt.index.kernel import exact_scores, widened_blocks
from gandt.index.plan import TRAINING_ROUNDS, IndexPlan
from gandt.storage import atomic_path
from gandt.types import FloatArray, IntArray, VectorStore

__all__ = ["BuildReport", "Progress", "build"]

Progress = Callable[[str, int, int], None]  # stage, done, in all (0 where unknown)

_ADD_ROWS = 1 << 16
_TIE = 1e-6  # cosine
_QUERIES = 200
_NEIGHBORS = 100


@dataclass(frozen=True, slots=True)
class BuildReport:
    """A built index: its settings and what was measured."""

    settings: SearchSettings
    disk_bytes: int
    queries: int  # that the recall was measured with

    @property
    def reached(self) -> bool:
        """Whether the measured recall is the wanted one or better."""
        return self.settings.recall >= self.settings.recall_wanted

    def as_json(self) -> dict[str, Any]:
        """The settings for `index.json`."""
        return self.settings.as_json()


def build(
    store: VectorStore,
    plan: IndexPlan,
    folder: Path,
    *,
    progress: Progress | None = None,
    seed: int = 0,
) -> BuildReport:
    """Build and write the search index of a store.

    Parameters
    ----------
    plan
        Of kind `"ivf"`.
    folder
        Where `search.faiss` goes. A reader of an older one keeps it until it reopens.
    progress
        Called with the stage (`"train"`, `"add"`, `"measure"`), what is done and what there is.
    seed
        Of the samples and of k-means.

    Raises
    ------
    UsageError
        The plan is for exact search, for another dimension, or the store holds no live row.
    StorageError
        The file cannot be written.
    """
    live = store.rows - len(store.dead)
    if plan.kind != "ivf" or plan.dimension != store.dimension or live == 0:
        raise UsageError(
            f"A plan for {plan.kind} search over {plan.dimension} dimensions builds no index over "
            f"{live:,} vectors of {store.dimension}; plan anew for this pool."
        )
    tell: Progress = progress or (lambda stage, done, total: None)
    rng = np.random.default_rng(seed)
    faiss = load_faiss()
    index = faiss.index_factory(store.dimension, plan.factory, faiss.METRIC_INNER_PRODUCT)
    _train(store, plan, index, rng, seed, tell)
    rows = store.rows
    _add(store, index, tell)
    settings = SearchSettings(
        factory=plan.factory,
        rows=rows,
        vectors=int(index.ntotal),
        dimension=store.dimension,
        nprobe=min(plan.nprobe, plan.lists),
        oversampling=plan.oversampling,
        recall=0.0,
        recall_at=min(_NEIGHBORS, max(live - 1, 1)),
        recall_wanted=plan.recall,
    )
    sample = exact.sample_rows(store, _QUERIES, rng)
    settings = _tuned(AnnIndex(store, index, settings), plan.lists, sample, tell)
    path = folder / FILE_NAME
    with atomic_path(path) as temporary:
        faiss.write_index(index, str(temporary))
    return BuildReport(settings, path.stat().st_size, len(sample))


def _train(
    store: VectorStore,
    plan: IndexPlan,
    index: Any,
    rng: np.random.Generator,
    seed: int,
    tell: Progress,
) -> None:
    sample = exact.sample_rows(store, plan.training_rows, rng)
    tell("train", 0, len(sample))
    vectors: FloatArray = np.empty((len(sample), store.dimension), dtype=np.float32)
    for at in range(0, len(sample), _ADD_ROWS):
        vectors[at : at + _ADD_ROWS] = store.take(sample[at : at + _ADD_ROWS])
    rng.shuffle(vectors)  # code training takes the first rows, and pools are sorted by folder
    clustering = index.cp
    clustering.seed = seed
    clustering.niter = TRAINING_ROUNDS
    clustering.min_points_per_centroid = 1  # silences a warning to stderr; the plan sees to it
    clustering.max_points_per_centroid = 1 << 20
    index.train(vectors)
    tell("train", len(sample), len(sample))


def _add(store: VectorStore, index: Any, tell: Progress) -> None:
    import torch

    dead = store.dead
    buffer = torch.zeros((_ADD_ROWS, store.dimension), dtype=torch.float32)
    for first, rows, block in widened_blocks(store, 0, buffer):
        alive = np.ones(rows, dtype=bool)
        low, high = np.searchsorted(dead, (first, first + rows))
        alive[dead[low:high] - first] = False
        vectors: FloatArray = torch.nn.functional.normalize(block[:rows], dim=1).numpy()
        numbers = np.flatnonzero(alive)
        index.add_with_ids(
            vectors if len(numbers) == rows else vectors[numbers],
            (numbers + first).astype(np.int64),
        )
        tell("add", first + rows, store.rows)


def _tuned(ann: AnnIndex, lists: int, sample: IntArray, tell: Progress) -> SearchSettings:
    """Find the least `nprobe`, then the least oversampling, that reach the wanted recall.

    Where nothing does, the settings with the best recall measured.
    """
    start, k = ann.settings, ann.settings.recall_at
    measure = _Recall(ann, sample, k)
    best = start
    tries = 0
    oversampling = start.oversampling
    while oversampling <= 16 * start.oversampling:
        nprobe, previous = start.nprobe, -1.0
        while True:
            tell("measure", tries, 0)
            tries += 1
            recall = measure(nprobe, oversampling)
            if recall > best.recall:
                best = replace(
                    start, nprobe=nprobe, oversampling=oversampling, recall=round(recall, 4)
                )
            if recall >= start.recall_wanted or nprobe >= lists or recall - previous < 0.002:
                break
            nprobe, previous = min(2 * nprobe, lists), recall
        if recall >= start.recall_wanted:
            while nprobe > 1 and (less := measure(nprobe // 2, oversampling)) >= (
                start.recall_wanted
            ):
                nprobe, recall = nprobe // 2, less
            return replace(start, nprobe=nprobe, oversampling=oversampling, recall=round(recall, 4))
        oversampling *= 2
    return best


class _Recall:
    """Recall@k of stored vectors as queries, each one's own row left out."""

    def __init__(self, ann: AnnIndex, sample: IntArray, k: int) -> None:
        self._ann, self._sample, self._k = ann, sample, k
        self._queries = ann.store.take(sample)
        truth = exact.search(ann.store, self._queries, k + 1)
        others = np.where(truth.ids == sample[:, None], -np.inf, truth.scores)
        # Among k + 1 or more copies of one image, the row itself may be missing from its result.
        self._kth = -np.sort(-others, axis=1)[:, k - 1]

    def __call__(self, nprobe: int, oversampling: int) -> float:
        ann, k = self._ann, self._k
        ids = ann.candidates(self._queries, (k + 1) * oversampling, nprobe)
        which, place = np.nonzero((ids >= 0) & (ids != self._sample[:, None]))
        scores = exact_scores(ann.store, self._queries, which, ids[which, place])
        good = np.bincount(
            which, weights=scores >= self._kth[which] - _TIE, minlength=len(self._sample)
        )
        return float(np.minimum(good, k).mean() / k)
