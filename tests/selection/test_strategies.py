"""Every strategy: finite, deterministic, finds an easy class, bears odd pools. Then each rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from gandt.errors import SeedError, UsageError
from gandt.selection.context import Context
from gandt.selection.contrast import kept
from gandt.selection.probe import background_rows, fit_one_class, within_span
from gandt.selection.scores import log_ranks, margins, seed_weights, standardize
from gandt.selection.spaces import moments, unit
from gandt.selection.strategies import DESCRIPTIONS, STRATEGIES, strategy
from gandt.types import FloatArray

NO_CONTRAST = np.empty((0, 32), np.float32)


def clusters(seed: int, per_class: int = 40, classes: int = 4) -> tuple[FloatArray, np.ndarray]:
    """Vectors around class centers, all with one strong direction in common; and the classes."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(classes, 32)) * 1.5
    labels = np.repeat(np.arange(classes), per_class)
    vectors = 6 + centers[labels] + rng.normal(size=(len(labels), 32))
    return unit(vectors.astype(np.float32)), labels


def question(seeds: int = 3, targets: int = 2, contrast: int = 0) -> tuple[Context, np.ndarray]:
    """Ask for the first classes, with seeds that are no candidates; and the candidates' classes."""
    vectors, labels = clusters(0)
    chosen = [np.flatnonzero(labels == target)[:seeds] for target in range(targets)]
    against = np.flatnonzero(labels == 3)[:contrast]
    rest = np.setdiff1d(np.arange(len(labels)), np.concatenate([*chosen, against]))
    context = Context(
        candidates=vectors[rest],
        background=vectors,
        targets=tuple(f"class {target}" for target in range(targets)),
        seeds=tuple(vectors[rows] for rows in chosen),
        contrast=vectors[against],
    )
    return context, labels[rest]


@pytest.fixture(params=sorted(STRATEGIES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_strategy_is_described() -> None:
    assert DESCRIPTIONS.keys() == STRATEGIES.keys()


def test_an_unknown_strategy_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="prototype"):
        strategy("best")


@pytest.mark.parametrize(("seeds", "contrast"), [(1, 0), (3, 0), (12, 0), (3, 4)])
def test_an_easy_class_comes_first(name: str, seeds: int, contrast: int) -> None:
    context, labels = question(seeds, contrast=contrast)
    scores = strategy(name)(context)
    assert scores.shape == (2, len(labels))
    assert scores.dtype == np.float32
    for target in range(2):
        first = labels[np.argsort(-scores[target], kind="stable")[:20]]
        assert (first == target).mean() >= 0.9


def test_the_same_question_gets_the_same_answer(name: str) -> None:
    once = strategy(name)(question()[0])
    again = strategy(name)(question()[0])
    np.testing.assert_array_equal(once, again)


def test_the_order_of_classes_does_not_matter(name: str) -> None:
    context, _ = question()
    swapped = Context(
        context.candidates,
        context.background,
        context.targets[::-1],
        context.seeds[::-1],
        context.contrast,
    )
    # Solvers stop at a tolerance, and a rank may flip where two scores are almost equal.
    straight, other = strategy(name)(context), strategy(name)(swapped)
    for first, second in zip(straight, other[::-1], strict=True):
        assert np.corrcoef(first, second)[0, 1] > 0.999


def test_a_class_alone_is_a_question_of_its_own(name: str) -> None:
    context, labels = question()
    scores = strategy(name)(context.alone(1))
    assert scores.shape == (1, len(labels))
    assert (labels[np.argsort(-scores[0])[:20]] == 1).mean() >= 0.9


@settings(deadline=None, max_examples=15)
@given(
    rows=st.integers(0, 40),
    seeds=st.integers(1, 8),
    targets=st.integers(1, 3),
    contrast=st.integers(0, 3),
    kind=st.sampled_from(["random", "constant", "duplicated", "single axis"]),
)
def test_odd_pools_get_finite_scores(
    rows: int, seeds: int, targets: int, contrast: int, kind: str
) -> None:
    rng = np.random.default_rng(rows)
    count = rows + seeds * targets + contrast
    if kind == "random":
        vectors = unit(rng.normal(size=(count, 16)).astype(np.float32))
    elif kind == "constant":
        vectors = np.tile(unit(np.ones((1, 16), np.float32)), (count, 1))
    elif kind == "duplicated":
        vectors = unit(rng.normal(size=(3, 16)).astype(np.float32))[rng.integers(0, 3, count)]
    else:
        vectors = np.zeros((count, 16), np.float32)
        vectors[:, 0] = 1
    start = rows + seeds * targets
    context = Context(
        candidates=vectors[:rows],
        background=vectors[:rows],
        targets=tuple("abc"[:targets]),
        seeds=tuple(vectors[rows + c * seeds : rows + (c + 1) * seeds] for c in range(targets)),
        contrast=vectors[start:],
    )
    for each in STRATEGIES.values():
        scores = each(context)
        assert scores.shape == (targets, rows)
        assert np.isfinite(scores).all()


def test_a_class_without_seeds_is_refused() -> None:
    vectors = np.eye(32, dtype=np.float32)
    with pytest.raises(SeedError, match="'b' has no seed"):
        Context(vectors, vectors, ("a", "b"), (vectors[:1], vectors[:0]), NO_CONTRAST)
    with pytest.raises(SeedError, match="No class"):
        Context(vectors, vectors, (), (), NO_CONTRAST)


def test_vectors_of_two_models_are_refused() -> None:
    vectors = np.eye(32, dtype=np.float32)
    with pytest.raises(UsageError, match="32 dimensions"):
        Context(vectors, vectors, ("a",), (np.eye(8, dtype=np.float32),), NO_CONTRAST)
    with pytest.raises(UsageError, match="one array per class"):
        Context(vectors, vectors, ("a",), (), NO_CONTRAST)


def test_moments_and_neighbors_may_be_handed_in() -> None:
    from gandt.selection.graph import candidate_neighbors

    context, _ = question()
    pool = moments(context.background)
    given_both = Context(
        context.candidates,
        context.background,
        context.targets,
        context.seeds,
        context.contrast,
        pool_moments=pool,
        neighbors=candidate_neighbors(context.candidates, pool),
    )
    np.testing.assert_array_equal(strategy("auto")(context), strategy("auto")(given_both))


def test_nearest_is_the_best_cosine() -> None:
    vectors = np.eye(32, dtype=np.float32)
    half = unit(vectors[:1] + vectors[1:2])
    context = Context(half, half, ("a",), (vectors[:3],), NO_CONTRAST)
    np.testing.assert_allclose(strategy("nearest")(context), [[np.sqrt(0.5)]], rtol=1e-6)


def test_contrast_puts_what_is_nearer_to_other_below_all_else() -> None:
    axes = np.eye(32, dtype=np.float32)
    candidates = unit(np.stack([axes[0] + 2 * axes[1], axes[5], 2 * axes[0] + axes[1]]))
    context = Context(candidates, candidates, ("a",), (axes[:1],), axes[1:2])
    scores = strategy("contrast")(context)
    assert np.argsort(-scores[0]).tolist() == [2, 1, 0]
    assert kept(scores).tolist() == [[False, True, True]]
    np.testing.assert_allclose(scores[0, 2], 2 / np.sqrt(5) - 1, rtol=1e-5)


def test_contrast_ignores_the_farthest_and_nearest_tenth_of_the_seeds() -> None:
    axes = np.eye(32, dtype=np.float32)
    eight = np.tile(unit(axes[:1] + axes[1:2]), (8, 1))
    seeds = np.concatenate([axes[:1], eight, -axes[:1]])
    context = Context(axes[:1], axes[:1], ("a",), (seeds,), NO_CONTRAST)
    np.testing.assert_allclose(strategy("contrast")(context), [[np.sqrt(0.5) - 1]], rtol=1e-5)


def test_a_mislabeled_seed_weighs_less() -> None:
    vectors, labels = clusters(1)
    centered = unit(vectors - vectors.mean(axis=0))
    own = np.flatnonzero(labels == 0)[:4]
    wrong = np.flatnonzero(labels == 2)[:1]
    weights = seed_weights(centered[np.concatenate([own, wrong])], centered)
    assert weights.sum() == pytest.approx(1)
    assert weights[4] < 0.8 * weights[:4].min()


def test_two_seeds_cannot_outvote_each_other() -> None:
    vectors, _ = clusters(1)
    assert seed_weights(vectors[[0, 100]], vectors).tolist() == [0.5, 0.5]


def test_a_mislabeled_seed_costs_auto_less_than_nearest() -> None:
    vectors, labels = clusters(2, per_class=60)
    lost = {}
    for each in ("auto", "nearest"):
        found = []
        for wrong in (False, True):
            seeds = np.concatenate([[70 if wrong else 4], [0, 1, 2, 3]])
            rest = np.setdiff1d(np.arange(len(labels)), seeds)
            context = Context(
                vectors[rest], vectors, ("a",), (vectors[seeds],), np.empty((0, 32), np.float32)
            )
            ranking = np.argsort(-strategy(each)(context)[0], kind="stable")
            found.append((labels[rest][ranking[:50]] == 0).mean())
        lost[each] = found[0] - found[1]
    assert lost["auto"] < lost["nearest"]


def test_the_probe_keeps_seeds_of_the_pool_out_of_its_background() -> None:
    vectors, _ = clusters(0)
    context = Context(vectors, vectors, ("a",), (vectors[:30],), NO_CONTRAST)
    rows = background_rows(context)
    assert len(rows) > 0
    assert rows.min() >= 30
    assert len(rows) <= 200


def test_the_probe_weighs_both_sides_alike_and_meets_its_optimum() -> None:
    vectors, labels = clusters(0)
    positives, negatives = vectors[labels == 0][:5], vectors[labels == 1]
    w = fit_one_class(positives, negatives).astype(np.float64)
    rows = np.concatenate([positives, negatives]).astype(np.float64)
    signs = np.repeat([1.0, -1.0], [5, 40])
    weight = np.repeat([45 / 2 / 5, 45 / 2 / 40], [5, 40])

    def slope(intercept: float) -> np.ndarray:
        pull = -weight * signs / (1 + np.exp(signs * (rows @ w + intercept)))
        return np.append(rows.T @ pull + w, pull.sum())

    # At the optimum the intercept's slope vanishes somewhere, and there all others do too.
    intercept = brentq(lambda value: slope(value)[-1], -50, 50)
    assert np.abs(slope(intercept)).max() < 0.01


@pytest.mark.parametrize("shape", [(5, 12), (12, 5), (6, 6)])
def test_coordinates_within_the_span_keep_all_products(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    basis, coordinates = within_span(rows)
    np.testing.assert_allclose(coordinates @ basis.T, rows, atol=1e-6)
    np.testing.assert_allclose(coordinates @ coordinates.T, rows @ rows.T, atol=1e-5)


def test_margins_take_the_best_rival_off_each_target() -> None:
    scores = np.array([[1.0, 0.5, 0.2], [0.1, 0.2, 0.6]])
    np.testing.assert_allclose(margins(scores, 2, 0.5), [[0.75, 0.0], [-0.2, -0.1]])
    np.testing.assert_allclose(margins(scores[:, :1], 1, 0.5), scores[:, :1])


def test_ranks_start_at_the_best_and_ties_go_to_the_lower_row() -> None:
    ranked = log_ranks(np.array([[0.0], [5.0], [5.0]]))
    np.testing.assert_allclose(ranked.ravel(), -np.log([12, 10, 11]))


def test_standardizing_leaves_a_constant_column_at_zero() -> None:
    scores = standardize(np.array([[1e-3, 1.0], [1e-3, 3.0]]))
    assert scores.tolist() == [[0, -1], [0, 1]]
