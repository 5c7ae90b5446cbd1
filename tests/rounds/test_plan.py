"""A round in words: which image, for which class, like which labeled one, and what is advised."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from clustered_pools import clusters
from rounds_files import answer, write_index

from gandt.active.frontier import Frontier
from gandt.active.labeled import Examples, Labeled, Slice
from gandt.active.rounds import RoundOptions
from gandt.errors import UsageError
from gandt.index.folder import Index
from gandt.rounds.known.known import Known
from gandt.rounds.next.files import write_plan
from gandt.rounds.next.plan import Complete, Plan, plan_next, plan_round, unsure
from gandt.types import IntArray

CLASSES = ("Other", "common", "rare")
SIZES = (300, 300, 30)
VECTORS, TRUTH = clusters(SIZES, d=16, spread=0.7)
NAMES = [CLASSES[code] for code in TRUTH]
URIS = [f"/pool/{row:04d}.jpg" for row in range(len(TRUTH))]
SEEDS: IntArray = np.concatenate([np.flatnonzero(code == TRUTH)[:4] for code in range(3)])
NONE: IntArray = np.empty(0, np.int64)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return write_index(tmp_path / "pool.index", VECTORS, URIS)


@pytest.fixture
def seeds(tmp_path: Path) -> str:
    table = "".join(f"{URIS[row]},{NAMES[row]}\n" for row in SEEDS)
    (tmp_path / "seeds.csv").write_text(f"path,label\n{table}")
    return str(tmp_path / "seeds.csv")


def known(labeled: Labeled, **more: object) -> Known:
    given = {
        "examples": None,
        "example_uris": (),
        "left_out": NONE,
        "automatic": NONE,
        "checked": NONE,
        "frontier": Frontier(),
        "worker_accuracy": 0.85,
        "round": 3,
        "notes": (),
    }
    return Known(labeled, **{**given, **more})  # type: ignore[arg-type]


def seeded(rows: IntArray = SEEDS, **more: object) -> Labeled:
    return Labeled.of(rows, [NAMES[row] for row in rows], CLASSES, **more)  # type: ignore[arg-type]


def planned(index: Index, labeled: Labeled | None = None, **options: object) -> Plan:
    wanted = {"budget": 40, "targets": ("rare",), "uniform": 0.1, **options}
    return plan_round(index, known(labeled or seeded()), RoundOptions(**wanted))  # type: ignore[arg-type]


# ------------------------------------------------------------------------------ candidates


def test_candidates_are_the_images_of_the_round_in_its_order(index: Index) -> None:
    plan = planned(index, mix={"find": 0.5, "learn": 0.25, "balance": 0.25})
    candidates = plan.selection.candidates
    assert [each.uri for each in candidates] == [URIS[row] for row in plan.round.rows]
    assert tuple(each.why for each in candidates) == plan.round.goals
    assert [each.score for each in candidates] == plan.round.values.tolist()
    for name in plan.selection.classes:
        ranks = [each.rank for each in candidates if each.label == name]
        assert ranks == list(range(1, len(ranks) + 1))


def test_a_class_is_the_one_that_is_sought_else_the_likeliest(index: Index) -> None:
    plan = planned(index)
    for at, each in enumerate(plan.selection.candidates):
        likeliest = CLASSES[int(plan.round.expected[at].argmax())]
        assert each.label == ("rare" if each.why == "find" else likeliest)
    assert plan.selection.classes[0] == "rare"
    assert {each.label for each in plan.selection.candidates} == set(plan.selection.classes)


def test_a_seed_is_the_most_similar_labeled_image_of_the_class(index: Index) -> None:
    plan = planned(index)
    for row, each in zip(plan.round.rows, plan.selection.candidates, strict=True):
        mine = [seed for seed in SEEDS if NAMES[seed] == each.label]
        cosines = [float(index.take(np.array([row, seed])).prod(axis=0).sum()) for seed in mine]
        assert each.seed == URIS[mine[int(np.argmax(cosines))]]
        assert each.similarity == pytest.approx(max(cosines), abs=1e-5)


def test_the_contact_sheet_gets_the_seeds_that_are_named_and_no_other(index: Index) -> None:
    rows = np.concatenate([np.flatnonzero(code == TRUTH)[:25] for code in range(3)])
    seeds = planned(index, seeded(rows)).selection.seeds
    assert seeds is not None
    candidates = planned(index, seeded(rows)).selection.candidates
    for name, uris, vectors in zip(seeds.classes, seeds.uris, seeds.vectors, strict=True):
        assert set(uris) == {each.seed for each in candidates if each.label == name}
        stored = index.take(np.array([URIS.index(uri) for uri in uris], np.int64))
        assert np.array_equal(vectors, stored)


def test_an_image_that_is_asked_again_has_its_label_and_is_no_seed_of_itself(index: Index) -> None:
    rows = np.concatenate([np.flatnonzero(code == TRUTH)[:30] for code in (0, 1)])
    names = [NAMES[row] for row in rows]
    names[3], names[40] = names[40], names[3]  # two mistakes
    labeled = Labeled.of(rows, names, CLASSES, confidence=np.full(60, 0.85))
    options = {"budget": 16, "mix": {"learn": 1.0}, "targets": ("common",), "uniform": 0}
    again = [
        each
        for each in planned(index, labeled, **options).selection.candidates
        if each.why == "again"
    ]
    assert again
    said = {URIS[row]: name for row, name in zip(rows, names, strict=True)}
    for each in again:
        assert each.label == said[each.uri]
        assert each.seed != each.uri
        assert said[each.seed] == each.label


def test_an_example_beside_the_pool_is_a_seed_by_its_own_name(index: Index) -> None:
    rare = SEEDS[-4:]
    beside = Examples(VECTORS[rare], np.eye(3)[TRUTH[rare]])
    left_out = np.sort(rare)
    names = tuple(f"/seeds/{row}.jpg" for row in rare)
    found = known(seeded(SEEDS[:-4]), examples=beside, example_uris=names, left_out=left_out)
    plan = plan_round(index, found, RoundOptions(budget=20, targets=("rare",)))
    sought = [each for each in plan.selection.candidates if each.label == "rare"]
    assert sought
    rows = {uri: row for row, uri in enumerate(URIS)}
    for each in sought:
        cosines = VECTORS[rare] @ index.take(np.array([rows[each.uri]]))[0]
        assert each.seed == names[int(cosines.argmax())]
        assert each.similarity == pytest.approx(float(cosines.max()), abs=1e-3)
    assert not {each.uri for each in plan.selection.candidates} & {URIS[row] for row in left_out}


# ------------------------------------------------------------------------------ what is said


def test_groups_tell_what_each_goal_chose_and_how_many_finds_are_expected(index: Index) -> None:
    plan = planned(index, mix={"find": 0.5, "learn": 0.5}, targets=("rare", "common"), again=False)
    groups = plan.groups()
    chosen = {(each.goal, each.name): each.images for each in groups}
    assert chosen == {
        ("find", "common"): 9,
        ("find", "rare"): 9,
        ("learn", None): 18,
        ("uniform", None): 4,
    }
    rare = next(each for each in groups if each.name == "rare")
    sought = np.array([each == 2 for each in plan.round.sought])
    assert rare.finds == pytest.approx(plan.round.expected[sought, 2].sum())
    assert [each.finds for each in groups if each.goal != "find"] == [None, None]


def test_lines_carry_the_round_and_what_its_uniform_draw_was_drawn_from(index: Index) -> None:
    assert planned(index).keys == {
        "gandt-round": 3,
        "gandt-labeled": len(SEEDS),
        "gandt-unlabeled": len(URIS) - len(SEEDS),
    }


def test_workers_are_offered_all_classes_and_the_contrast_class_last(index: Index) -> None:
    assert planned(index).labels == ("common", "rare", "Other")
    only = Labeled.of(SEEDS[-4:], ["rare"] * 4, ("rare",))
    assert planned(index, only).labels == ("rare", "Other")
    assert planned(index, other="common").labels == ("Other", "rare", "common")


def test_unsure_labels_are_counted_by_class(index: Index) -> None:
    sure = np.full(len(SEEDS), 0.8)
    assert unsure(planned(index, seeded(confidence=sure)).known) == {}
    sure[[0, 5, 6]] = 0.79
    assert unsure(planned(index, seeded(confidence=sure)).known) == {"Other": 1, "common": 2}


def test_labels_in_vain_are_told_of_classes_that_any_was_chosen_for(index: Index) -> None:
    others = np.flatnonzero(TRUTH == 0)[4:9]
    rows = np.concatenate([SEEDS, others])
    sought = np.concatenate([np.full(len(SEEDS), -1), np.full(5, 2)])
    plan = planned(index, seeded(rows, sought=sought), targets=("rare", "common"))
    assert plan.targets == ("common", "rare")
    assert plan.dry() == {"rare": 5}


def test_with_one_class_alone_nothing_is_expected_or_estimated(index: Index) -> None:
    rare = SEEDS[-4:]
    alone = Labeled.of(rare, ["rare"] * 4, ("rare",))
    plan = planned(index, alone)
    assert not plan.contrast
    assert [(each.name, each.finds) for each in plan.groups()] == [("rare", None), (None, None)]
    assert plan.reasons[0].startswith("Nothing but rare is labeled, so nothing can be expected")
    assert len(plan.reasons) == 2
    said = plan.as_json()
    assert said["reasons"] == list(plan.reasons)
    assert said["outlooks"][0]["upper_left"] is None  # type: ignore[index]
    dear = planned(index, alone, price=3, value=2)
    assert dear.round.verdict.stop
    assert dear.reasons[0] == (
        "The next round is not worth its cost, even if each image were a find."
    )
    assert not planned(index, alone, price=1, value=2).round.verdict.stop
    common = Examples(VECTORS[SEEDS[4:8]], np.tile([0.0, 1.0], (4, 1)))
    two = known(
        Labeled.of(rare, ["rare"] * 4, ("rare", "zebra")),
        examples=common,
        example_uris=tuple("abcd"),
    )
    assert plan_round(index, two, RoundOptions(budget=20, targets=("rare",))).contrast
    assert planned(index).reasons == planned(index).round.verdict.reasons


def test_all_of_it_is_plain_json(index: Index) -> None:
    draw = Slice(SEEDS[:3], 400, 0)
    for plan in (planned(index), planned(index, seeded(slices=(draw,)), price=1, value=2)):
        said = plan.as_json()
        assert json.loads(json.dumps(said, allow_nan=False)) == said
        assert said["labeled"] == {"Other": 4, "common": 4, "rare": 4}
        assert sum(group["images"] for group in said["chosen"]) == said["images"] == 40  # type: ignore[attr-defined]
        assert said["stop"] is plan.round.verdict.stop
        assert said["reasons"] == list(plan.round.verdict.reasons)
    assert [each["remaining"] is None for each in planned(index).as_json()["estimates"]] == [  # type: ignore[attr-defined]
        True
    ] * 3


# --------------------------------------------------------------------------- what is refused


def test_near_copies_of_labeled_images_are_no_round(tmp_path: Path) -> None:
    some = VECTORS[SEEDS]
    index = write_index(
        tmp_path / "copies", np.concatenate([some, some]), [f"/{row}.jpg" for row in range(24)]
    )
    labeled = Labeled.of(np.arange(12), [NAMES[row] for row in SEEDS], CLASSES)
    with pytest.raises(Complete, match=r"near-copy of a labeled one.*gandt autolabel"):
        planned(index, labeled, uniform=0)


def test_a_pool_that_is_labeled_whole_has_no_next_round(index: Index) -> None:
    with pytest.raises(Complete, match="is labeled: there is no next round") as end:
        planned(index, seeded(np.arange(len(URIS))))
    assert len(end.value.known.labeled) == len(URIS)


def test_the_contrast_class_is_none_to_find(index: Index, seeds: str) -> None:
    options = RoundOptions(targets=("Other",))
    with pytest.raises(UsageError, match=r"--target Other: .* another contrast class"):
        plan_next(str(index.folder), [], options, seeds=[seeds])


# ------------------------------------------------------------------------- round after round


def play(index: Index, folder: Path, seeds: str, rounds: int, **options: object) -> list[Plan]:
    """Plan, write, have all answered, aggregate, and so on, through files alone."""
    truth = dict(zip(URIS, NAMES, strict=True))
    wanted = RoundOptions(**{"budget": 20, "targets": ("rare",), **options})  # type: ignore[arg-type]
    plans: list[Plan] = []
    labels: Sequence[str] = ()
    for number in range(1, rounds + 1):
        plan = plan_next(str(index.folder), labels, wanted, seeds=[seeds])
        manifest = folder / f"round{number}.manifest"
        write_plan(str(manifest), plan)
        answer(manifest, folder / f"round{number}", truth, seed=number)
        labels = [f"{folder}/round*/labels.csv"]
        plans.append(plan)
    plans.append(plan_next(str(index.folder), labels, wanted, seeds=[seeds]))
    return plans


def test_rounds_in_files_know_what_rounds_in_memory_would(
    index: Index, tmp_path: Path, seeds: str
) -> None:
    plans = play(index, tmp_path, seeds, 3, uniform=0.2)
    last = plans[-1].known
    assert [plan.known.round for plan in plans] == [1, 2, 3, 4]
    assert last.notes == ()
    drawn = [set(plan.round.slice.rows.tolist()) for plan in plans[:3]]
    assert [set(each.rows.tolist()) for each in last.labeled.slices] == drawn
    for each, plan in zip(last.labeled.slices, plans, strict=False):
        assert (each.unlabeled, each.before) == (
            plan.round.slice.unlabeled,
            len(plan.known.labeled),
        )
    sought = Counter(last.labeled.sought.tolist())
    assert sought[2] == sum(plan.round.goals.count("find") for plan in plans[:3])
    assert np.array_equal(last.frontier.rows, plans[2].round.frontier.rows)
    assert plans[-1].answered == tuple(str(tmp_path / f"round{n}") for n in (1, 2, 3))


def test_three_rounds_find_nearly_all_of_a_rare_class_and_then_labels_run_dry(
    index: Index, tmp_path: Path, seeds: str
) -> None:
    plans = play(index, tmp_path, seeds, 6)
    found = [plan.known.labeled.counts()[2] for plan in plans]
    assert found[3] >= 0.9 * SIZES[2]
    assert plans[-1].dry()["rare"] >= 60
    assert plans[-1].round.verdict.stop
    assert not plans[1].round.verdict.stop
    assert (
        "labels in a row were chosen to find it and did not" in plans[-1].round.verdict.reasons[0]
    )
