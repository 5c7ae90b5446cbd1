"""From an index and seeds to candidates: quotas, exclusions, copies; the same bytes each time."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gandt.errors import SeedError, UsageError
from gandt.groundtruth.manifest import write_manifest
from gandt.index.card import IndexCard
from gandt.index.folder import Index, open_index
from gandt.index.update import update_index
from gandt.index.writer import IndexWriter
from gandt.pool.sources import open_pool
from gandt.report.selection_table import write_selection_table
from gandt.selection.seeds import embed_seeds, find_seeds
from gandt.selection.select import SelectOptions, select_candidates
from gandt.types import Embedded, Item, ModelCard, Preprocessing, SeedSet, Selection

if TYPE_CHECKING:
    from conftest import MeanColor

Select = Callable[..., Selection]
NOTHING = np.empty(0, dtype=np.int64)
CLASSES = {"blue": (40, 40, 230), "green": (40, 230, 40), "red": (230, 40, 40)}


def plain(path: Path, color: tuple[int, int, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 40), color).save(path)
    return path


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """One seed each of red, green and blue."""
    for name, color in CLASSES.items():
        plain(tmp_path / "seeds" / name / "seed.png", color)
    return tmp_path / "seeds"


@pytest.fixture
def index(colors: Path, tmp_path: Path, mean_color: MeanColor) -> Index:
    update_index(open_pool([colors]), mean_color, tmp_path / "pool.index", shard_rows=25)
    return open_index(tmp_path / "pool.index")


@pytest.fixture
def choose(index: Index, seeds: Path, mean_color: MeanColor) -> Select:
    """Select from the index by the seeds; every test asks in its own words."""

    def select(
        *, sources: Sequence[Path] = (seeds,), left_out: Sequence[int] = (), **options: object
    ) -> Selection:
        opened = open_index(index.folder)
        items = find_seeds([str(source) for source in sources])
        seed_set, _ = embed_seeds(items, [], opened, lambda: mean_color)
        # Single colors are all alike after centering, unless a test asks for copies.
        wanted = SelectOptions(**{"duplicates": 1.5, "budget": 12, **options})  # type: ignore[arg-type]
        return select_candidates(opened, seed_set, wanted, np.array(left_out, dtype=np.int64))

    return select


def names(selection: Selection, label: str | None = None) -> list[str]:
    return [Path(c.uri).name for c in selection.candidates if label in (None, c.label)]


def primary(path: str) -> str:
    with Image.open(path) as image:
        means = np.asarray(image).reshape(-1, 3).mean(axis=0)
    return ("red", "green", "blue")[int(means.argmax())]


def per_class(selection: Selection) -> dict[str, int]:
    return dict(Counter(candidate.label for candidate in selection.candidates))


# ------------------------------------------------------------------------------- who gets what


def test_candidates_have_the_color_of_their_class(choose: Select) -> None:
    selection = choose(strategy="nearest")
    assert selection.classes == ("blue", "green", "red")
    assert per_class(selection) == {"blue": 4, "green": 4, "red": 4}
    assert all(primary(candidate.uri) == candidate.label for candidate in selection.candidates)


def test_each_class_is_listed_best_first_with_the_seed_it_answers_to(
    choose: Select, seeds: Path
) -> None:
    selection = choose(strategy="nearest", budget=30)
    for name in selection.classes:
        group = [c for c in selection.candidates if c.label == name]
        assert [c.rank for c in group] == list(range(1, len(group) + 1))
        assert [c.score for c in group] == sorted((c.score for c in group), reverse=True)
        assert {c.seed for c in group} == {str(seeds / name / "seed.png")}
        assert {c.why for c in group} == {"nearest"}
        assert all(0 < c.similarity <= 1.0001 for c in group)


@pytest.mark.parametrize("strategy", ["auto", "nearest", "prototype", "diffusion", "contrast"])
@pytest.mark.parametrize(("budget", "counts"), [(12, [4, 4, 4]), (13, [4, 4, 5]), (2, [1, 1])])
def test_the_budget_is_met_and_split_evenly(
    choose: Select, strategy: str, budget: int, counts: list[int]
) -> None:
    selection = choose(strategy=strategy, budget=budget)
    assert sorted(per_class(selection).values()) == counts
    assert len(set(names(selection))) == budget


def test_per_class_is_met_by_each_class(choose: Select) -> None:
    assert per_class(choose(per_class=5)) == {"blue": 5, "green": 5, "red": 5}


def test_quotas_are_met_by_the_classes_they_name_and_others_get_none(choose: Select) -> None:
    selection = choose(quotas={"red": 7, "blue": 2})
    assert per_class(selection) == {"blue": 2, "red": 7}
    assert selection.classes == ("blue", "green", "red")
    assert selection.notes == ()


def test_a_quota_that_cannot_be_met_goes_to_nobody_else(choose: Select) -> None:
    selection = choose(quotas={"red": 4, "blue": 500}, left_out=range(10))
    assert per_class(selection) == {"blue": 46, "red": 4}
    assert any(note.startswith("50 of 504 wanted") for note in selection.notes)


@pytest.mark.parametrize("ask", [{"quotas": {"red": 5, "blue": 3, "green": 1}}, {"per_class": 5}])
@pytest.mark.parametrize("explore", [0.1, 0.3, 0.5, 1.0])
def test_what_is_drawn_at_random_counts_towards_the_images_of_a_class(
    choose: Select, ask: dict[str, object], explore: float
) -> None:
    wanted = ask.get("quotas", dict.fromkeys(CLASSES, 5))
    selection = choose(**ask, explore=explore)
    assert per_class(selection) == wanted
    assert len(set(names(selection))) == len(selection)


def test_seeds_of_a_class_without_a_quota_are_rivals_all_the_same(
    random_index: tuple[Index, SeedSet],
) -> None:
    index, seeds = random_index

    def scores(seed_set: SeedSet, **quotas: int) -> dict[str, float]:
        options = SelectOptions(quotas=quotas, duplicates=1.5)
        found = select_candidates(index, seed_set, options, NOTHING).candidates
        return {c.uri: c.score for c in found if c.label == "a"}

    without_b = SeedSet(
        seeds.classes[:2], seeds.uris[:2], seeds.vectors[:2], "Other", seeds.sha256[:2]
    )
    both = scores(seeds, a=40, b=10)
    assert both.items() <= scores(seeds, a=55).items()
    assert not both.items() <= scores(without_b, a=55).items()


@settings(max_examples=25)
@given(
    quotas=st.dictionaries(st.sampled_from(["a", "b"]), st.integers(1, 40), min_size=1),
    explore=st.floats(0, 1),
    diversity=st.sampled_from([0.0, 0.7]),
    shortlist=st.sampled_from([None, 9]),
)
def test_quotas_are_never_exceeded_nor_left_short_while_images_remain(
    quotas: dict[str, int],
    explore: float,
    diversity: float,
    shortlist: int | None,
    random_index: tuple[Index, SeedSet],
) -> None:
    index, seeds = random_index
    options = SelectOptions(
        quotas=quotas,
        explore=explore,
        diversity=diversity,
        shortlist=shortlist,
        strategy="nearest",
        duplicates=1.5,
    )
    counts = per_class(select_candidates(index, seeds, options, NOTHING))
    assert all(counts.get(name, 0) <= quotas.get(name, 0) for name in ("a", "b"))
    if sum(quotas.values()) <= index.live_rows:
        assert counts == quotas
    else:
        assert sum(counts.values()) == index.live_rows


@pytest.fixture(scope="module")
def random_index(tmp_path_factory: pytest.TempPathFactory) -> tuple[Index, SeedSet]:
    """An index of 55 random vectors and seeds of two classes and a contrast."""
    vectors = np.random.default_rng(3).normal(size=(60, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    how = Preprocessing(32, "crop", 1.0, "bicubic", (0.0,) * 3, (1.0,) * 3)
    folder = tmp_path_factory.mktemp("random") / "pool.index"
    card = IndexCard(ModelCard("random", "0" * 64, 8, how), "fast")
    with IndexWriter(folder, card, shard_rows=17) as writer:
        images = [Embedded(Item(f"/{n}.png", 1, "1"), f"{n:064}", 8, 8) for n in range(55)]
        writer.add(images, vectors[:55])
    seeds = SeedSet(
        ("Other", "a", "b"),
        (("/o",), ("/a1", "/a2"), ("/b",)),
        (vectors[55:56], vectors[56:58], vectors[58:59]),
        "Other",
        (("",), ("", ""), ("",)),
    )
    return open_index(folder), seeds


@settings(max_examples=25)
@given(
    budget=st.integers(1, 80),
    explore=st.floats(0, 1),
    diversity=st.sampled_from([0.0, 0.4, 1.0]),
    strategy=st.sampled_from(["nearest", "auto", "probe"]),
)
def test_budgets_are_never_exceeded_nor_left_short_while_images_remain(
    budget: int,
    explore: float,
    diversity: float,
    strategy: str,
    random_index: tuple[Index, SeedSet],
) -> None:
    index, seeds = random_index
    options = SelectOptions(
        budget=budget,
        explore=explore,
        diversity=diversity,
        strategy=strategy,
        duplicates=1.5,
    )
    selection = select_candidates(index, seeds, options, NOTHING)
    assert len(selection) == min(budget, index.live_rows)
    assert len({candidate.uri for candidate in selection.candidates}) == len(selection)


def test_a_budget_beyond_the_pool_takes_all_of_it_and_says_so(choose: Select) -> None:
    selection = choose(budget=500)
    assert sorted(names(selection)) == [f"{number:03d}.png" for number in range(60)]
    assert any(
        note.startswith("60 of 500 wanted: the pool holds no more") for note in selection.notes
    )


def test_a_budget_below_the_number_of_classes_says_who_goes_without(choose: Select) -> None:
    selection = choose(budget=2)
    assert per_class(selection) == {"blue": 1, "green": 1}
    assert selection.notes == (
        "no candidate for red; the budget of 2 is smaller than the number of classes, 3.",
    )


# ----------------------------------------------------------------------------- what is left out


def test_seeds_in_the_pool_are_left_out_under_any_name(
    choose: Select, colors: Path, seeds: Path
) -> None:
    shutil.copy(colors / "000.png", seeds / "red" / "another name.png")
    selection = choose(sources=[seeds], budget=60)
    assert "000.png" not in names(selection)
    assert any(note.startswith("1 image of the pool is a seed itself") for note in selection.notes)


def test_seeds_equal_to_the_pool_leave_nothing_to_choose(
    choose: Select, colors: Path, tmp_path: Path
) -> None:
    shutil.copytree(colors, tmp_path / "all" / "any")
    with pytest.raises(UsageError, match="holds no image that is neither a seed nor excluded"):
        choose(sources=[tmp_path / "all"])


def test_rows_left_out_are_not_chosen_and_counted(choose: Select) -> None:
    selection = choose(budget=60, left_out=[0, 1, 2, 59])
    assert len(selection) == 56
    assert not {"000.png", "001.png", "002.png", "059.png"} & set(names(selection))
    assert "4 images excluded." in selection.notes


def test_exploring_a_shortlisted_pool_draws_no_seed_and_nothing_excluded(
    choose: Select, colors: Path, seeds: Path
) -> None:
    shutil.copy(colors / "000.png", seeds / "red" / "again.png")
    ask = {"left_out": range(1, 30), "explore": 1.0, "budget": 60, "shortlist": 6}
    assert sorted(names(choose(**ask))) == [f"{number:03d}.png" for number in range(30, 60)]


def test_images_gone_from_the_pool_are_never_chosen(
    choose: Select, colors: Path, index: Index, mean_color: MeanColor
) -> None:
    gone = names(choose(strategy="nearest", budget=9))
    for name in gone:
        (colors / name).unlink()
    update_index(open_pool([colors]), mean_color, index.folder)
    assert not set(gone) & set(names(choose(budget=60)))
    assert not set(gone) & set(names(choose(budget=60, explore=1.0)))


def test_near_copies_collapse_to_one_that_lists_them(
    choose: Select, colors: Path, index: Index, mean_color: MeanColor
) -> None:
    first = names(choose(strategy="nearest", budget=3), "red")[0]
    for number in range(3):
        shutil.copy(colors / first, colors / f"copy{number}.png")
    update_index(open_pool([colors]), mean_color, index.folder)
    selection = choose(strategy="nearest", budget=6)
    best = next(candidate for candidate in selection.candidates if candidate.label == "red")
    family = {Path(uri).name for uri in (best.uri, *best.duplicates)}
    assert family == {first, "copy0.png", "copy1.png", "copy2.png"}
    assert len(set(names(selection)) & family) == 1
    assert "3 near-copies set aside." in selection.notes


def test_near_copies_of_seeds_are_left_out(choose: Select, colors: Path, seeds: Path) -> None:
    with Image.open(colors / "000.png") as image:
        image.save(seeds / "red" / "again.bmp")  # other bytes, the same picture
    selection = choose(sources=[seeds], budget=60, duplicates=0.99999)
    assert "000.png" not in names(selection)
    assert any("of seeds left out" in note for note in selection.notes)


def test_min_similarity_is_kept_and_the_shortfall_explained(choose: Select) -> None:
    selection = choose(budget=60, min_similarity=0.97)
    assert 0 < len(selection) < 60
    assert all(candidate.similarity >= 0.97 for candidate in selection.candidates)
    assert f"{len(selection)} of 60 wanted: no other image reaches a similarity of 0.97." in (
        selection.notes
    )


def test_the_contrast_class_is_never_a_target(choose: Select, seeds: Path) -> None:
    (seeds / "blue").rename(seeds / "Other")
    for strategy in ("auto", "nearest", "contrast", "probe"):
        selection = choose(sources=[seeds], strategy=strategy, budget=20)
        assert selection.classes == ("green", "red")
        assert set(per_class(selection)) == {"green", "red"}
        assert selection.seeds is not None
        assert selection.seeds.other == "Other"


# ------------------------------------------------------------------------- spreading, exploring


def test_explored_images_are_marked_and_take_their_share(choose: Select) -> None:
    selection = choose(budget=20, explore=0.25)
    explored = [candidate for candidate in selection.candidates if candidate.why == "explore"]
    assert (len(explored), len(selection)) == (5, 20)
    assert len(set(names(selection))) == 20
    for name in selection.classes:
        ranks = [c.rank for c in selection.candidates if c.label == name]
        assert ranks == list(range(1, len(ranks) + 1))


def test_exploring_draws_every_image_equally_often(choose: Select) -> None:
    """100 draws of 15 from 60: each image 25 times, give or take 4.5 standard deviations."""
    counts: Counter[str] = Counter()
    for random_seed in range(100):
        counts.update(names(choose(budget=15, explore=1.0, random_seed=random_seed)))
    assert len(counts) == 60
    assert sum(counts.values()) == 1500
    spread = np.sqrt(100 * 0.25 * 0.75)
    assert max(abs(count - 25) for count in counts.values()) < 4.5 * spread


def test_diversity_changes_the_picks_and_not_their_number(choose: Select) -> None:
    best = choose(strategy="nearest", diversity=0.0)
    spread = choose(strategy="nearest", diversity=0.9)
    assert per_class(best) == per_class(spread)
    assert set(names(best)) != set(names(spread))


# ------------------------------------------------------------------------------------ large pools


@pytest.mark.parametrize("strategy", ["nearest", "auto", "probe", "diffusion"])
def test_a_pool_larger_than_the_shortlist_still_meets_the_budget(
    choose: Select, strategy: str
) -> None:
    selection = choose(strategy=strategy, budget=12, shortlist=9)
    assert per_class(selection) == {"blue": 4, "green": 4, "red": 4}
    assert all(primary(candidate.uri) == candidate.label for candidate in selection.candidates)


def test_nearest_is_the_same_through_a_shortlist(choose: Select) -> None:
    whole = choose(strategy="nearest", budget=12)
    short = choose(strategy="nearest", budget=12, shortlist=20)
    assert names(short) == names(whole)
    np.testing.assert_allclose(
        [c.score for c in short.candidates], [c.score for c in whole.candidates], atol=1e-6
    )


# ----------------------------------------------------------------------------------- the same again


def written(selection: Selection, folder: Path) -> list[bytes]:
    folder.mkdir()
    write_manifest(str(folder / "s.manifest"), selection)
    write_selection_table(folder / "s.csv", selection)
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("strategy", ["auto", "probe"])
def test_the_same_question_gives_the_same_bytes(
    choose: Select, tmp_path: Path, strategy: str
) -> None:
    ask = {"strategy": strategy, "budget": 15, "explore": 0.2, "diversity": 0.3}
    first, second = (written(choose(**ask), tmp_path / name) for name in ("1", "2"))
    assert len(first) == 3
    assert first == second


def test_another_random_seed_explores_other_images(choose: Select) -> None:
    first, second = (choose(budget=12, explore=0.5, random_seed=seed) for seed in (0, 1))
    assert names(first) != names(second)


OTHER_PROCESS = """
import sys
import gandt
from gandt.groundtruth.manifest import write_manifest
from gandt.report.selection_table import write_selection_table

selection = gandt.select(sys.argv[1], sys.argv[2], budget=15, explore=0.2)
write_manifest(sys.argv[3] + "/s.manifest", selection)
write_selection_table(sys.argv[3] + "/s.csv", selection)
"""


def test_two_processes_write_the_same_bytes(index: Index, colors: Path, tmp_path: Path) -> None:
    with (tmp_path / "seeds.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("path", "label"), (colors / "000.png", "red"), (colors / "002.png", "blue")]
        )
    found = []
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        subprocess.run(
            [sys.executable, "-c", OTHER_PROCESS, index.folder, tmp_path / "seeds.csv", number],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": number},
            check=True,
            timeout=600,
        )
        found.append([path.read_bytes() for path in sorted((tmp_path / number).iterdir())])
    assert len(found[0]) == 3
    assert found[0] == found[1]


# ---------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"budget": 0}, "budget is 0; it must be at least 1"),
        ({"per_class": -2}, "per_class is -2; it must be at least 1"),
        ({"explore": 1.5}, "explore is 1.5; it must be from 0 to 1"),
        ({"diversity": -0.1}, "diversity is -0.1; it must be from 0 to 1"),
        ({"duplicates": 0.0}, "duplicates is 0.0; it must be above 0"),
        ({"quotas": {"red": 3, "blue": 0}}, "quota of class blue is 0; it must be at least 1"),
        ({"quotas": {}}, "quotas names no class"),
        ({"quotas": {"red": 3}, "per_class": 2}, "per_class and quotas exclude each other"),
        ({"strategy": "best"}, "No strategy is called 'best': choose one of auto, nearest"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        SelectOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["purple", "Other"])
def test_a_quota_for_a_class_that_is_not_looked_for_is_refused(
    choose: Select, seeds: Path, name: str
) -> None:
    (seeds / "blue").rename(seeds / "Other")
    sentence = f"a quota for class '{name}', which is none to look for: .* green, red"
    with pytest.raises(UsageError, match=sentence):
        choose(quotas={"red": 3, name: 3})


def test_seeds_of_another_dimension_are_refused(index: Index) -> None:
    seeds = SeedSet(("a",), (("/a",),), (np.ones((1, 3), np.float32),))
    with pytest.raises(SeedError, match=r"seeds have 3 dimensions and .* has 4"):
        select_candidates(index, seeds, SelectOptions(), NOTHING)


def test_contrast_never_takes_what_is_nearer_to_the_contrast_class(
    colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    """However large the budget: of reds, greens and blues, only the reds are nearer to red."""
    update_index(open_pool([colors]), mean_color, tmp_path / "contrast")
    index = open_index(tmp_path / "contrast")
    red, other = np.eye(4, dtype=np.float32)[:1], np.eye(4, dtype=np.float32)[1:3]
    seeds = SeedSet(("Other", "red"), (("g", "b"), ("r",)), (other, red), "Other")
    options = SelectOptions(budget=60, strategy="contrast")
    selection = select_candidates(index, seeds, options, np.empty(0, np.int64))
    numbers = [int(Path(row.uri).stem) for row in selection.candidates]
    assert numbers and all(number % 3 == 0 for number in numbers)
    assert any("nearer to the contrast class" in note for note in selection.notes)
