"""Which known images are drawn, and which are left out and why."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gandt
from gandt.errors import GandtError, PoolError, SeedError, UsageError
from gandt.index.update import update_index
from gandt.pool.sources import open_pool
from gandt.types import Selection

if TYPE_CHECKING:
    from conftest import MeanColor
    from s3_server import Bucket

Choose = Callable[..., Selection]
COLORS = {"red": (220, 30, 40), "blue": (30, 40, 220), "Other": (40, 210, 40)}


@pytest.fixture
def choose(colors: Path, tmp_path: Path, mean_color: MeanColor) -> Choose:
    """Select from an index of `pool/`, with seeds that it holds: no model is needed."""
    update_index(open_pool([colors]), mean_color, tmp_path / "pool.index")
    rows = [(0, "red"), (3, "red"), (6, "red"), (9, "red"), (2, "blue"), (5, "blue"), (8, "blue")]
    table = "".join(f"pool/{number:03d}.png,{label}\n" for number, label in rows)
    (tmp_path / "seeds.csv").write_text(f"path,label\n{table}")

    def select(gold: object, share: float = 0.2, **options: Any) -> Selection:
        options = {"budget": 20, "duplicates": 1.0} | options
        return gandt.select(
            tmp_path / "pool.index",
            tmp_path / "seeds.csv",
            gold=gold,  # type: ignore[arg-type]
            gold_share=share,
            **options,
        )

    return select


def paint(path: Path, number: int, label: str) -> Path:
    """A picture of about the color of its class, different from all others."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    red, green, blue = COLORS[label]
    image = Image.new("RGB", (24, 20), (red, green, blue))
    image.putpixel((number % 24, number // 24), (number, 255 - number, 7))
    image.save(path)
    return path


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """A folder per class: 12 red, 6 blue, 3 of neither."""
    number = 0
    for label, count in (("red", 12), ("blue", 6), ("Other", 3)):
        for _ in range(count):
            paint(tmp_path / "gold" / label / f"{number:02d}.png", number, label)
            number += 1
    return tmp_path / "gold"


def drawn(selection: Selection) -> dict[str, tuple[str, ...]]:
    assert selection.gold is not None
    return {Path(image.uri).name: image.labels for image in selection.gold.images}


def counts(selection: Selection) -> Counter[str]:
    return Counter(label for labels in drawn(selection).values() for label in labels)


class TestDraw:
    def test_the_share_is_of_all_that_is_asked_beyond_the_budget(
        self, choose: Choose, gold: Path
    ) -> None:
        selection = choose(gold, share=0.2)
        assert len(selection) == 20
        assert len(drawn(selection)) == 5
        assert selection.gold is not None
        assert selection.gold.share == 0.2
        assert not [note for note in selection.notes if "gold" in note]

    def test_classes_come_equally_often_as_far_as_they_go(self, choose: Choose, gold: Path) -> None:
        assert counts(choose(gold, share=9 / 29)) == {"red": 3, "blue": 3, "Other": 3}
        assert counts(choose(gold, share=15 / 35)) == {"red": 6, "blue": 6, "Other": 3}
        assert counts(choose(gold, share=18 / 38)) == {"red": 9, "blue": 6, "Other": 3}

    def test_neighbors_in_the_list_are_of_different_classes(
        self, choose: Choose, gold: Path
    ) -> None:
        selection = choose(gold, share=9 / 29)
        labels = [labels for labels in drawn(selection).values()]
        assert [set(labels[i : i + 3]) for i in (0, 3, 6)] == [
            {("red",), ("blue",), ("Other",)}
        ] * 3

    def test_the_random_seed_decides(self, choose: Choose, gold: Path) -> None:
        one, same, other = (choose(gold, random_seed=seed) for seed in (0, 0, 1))
        assert one.gold == same.gold
        assert set(drawn(one)) != set(drawn(other))

    def test_what_an_earlier_round_asked_about_comes_last(
        self, choose: Choose, gold: Path, tmp_path: Path
    ) -> None:
        first = choose(gold, share=9 / 29)
        assert first.gold is not None
        (tmp_path / "round1.txt").write_text(
            "".join(f"{image.uri}\n" for image in first.gold.images)
        )
        second = choose(gold, share=9 / 29, exclude=[tmp_path / "round1.txt"])
        assert counts(second) == {"red": 3, "blue": 3, "Other": 3}
        met = set(drawn(first)) & set(drawn(second))
        assert {drawn(second)[name] for name in met} == {("Other",)}
        assert (
            "3 gold images were asked about before: of their class there are no others."
            in second.notes
        )

    def test_where_there_are_too_few_all_are_taken_and_it_is_said(
        self, choose: Choose, gold: Path
    ) -> None:
        selection = choose(gold, share=0.8)
        assert len(drawn(selection)) == 21
        assert selection.notes[-1] == (
            "21 of 80 gold images wanted: there are no more; as they are, 51.2% of the images are "
            "known."
        )

    def test_a_share_too_small_for_every_class_is_said(self, choose: Choose, gold: Path) -> None:
        selection = choose(gold, share=0.05)
        (label,) = counts(selection)
        others = ", ".join(sorted({"red", "blue", "Other"} - {label}))
        assert f"no gold image of {others}: the share is too small." in selection.notes

    def test_several_labels_of_an_image_stay_together(
        self, choose: Choose, gold: Path, tmp_path: Path
    ) -> None:
        rows = ['gold/red/00.png,"[""red"", ""blue""]"', "gold/blue/12.png,blue"]
        (tmp_path / "gold.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
        selection = choose(tmp_path / "gold.csv", share=0.1)
        assert drawn(selection) == {"00.png": ("blue", "red"), "12.png": ("blue",)}

    def test_without_gold_nothing_is_planted(self, choose: Choose) -> None:
        assert choose(()).gold is None


class TestSources:
    def test_folders_and_tables_mixed(self, choose: Choose, gold: Path, tmp_path: Path) -> None:
        (tmp_path / "more.csv").write_text("path,label\npool/020.png,red\n")
        selection = choose([tmp_path / "more.csv", gold], share=0.6)
        assert len(drawn(selection)) == 22

    def test_the_labels_of_a_finished_round(
        self, choose: Choose, gold: Path, tmp_path: Path
    ) -> None:
        labels = "task,label,certain,source\n" + "".join(
            f"{path},{path.parent.name},{sure},human\n"
            for path, sure in ((gold / "red" / "00.png", True), (gold / "red" / "01.png", False))
        )
        (tmp_path / "labels.csv").write_text(labels)
        assert drawn(choose(tmp_path / "labels.csv")) == {"00.png": ("red",)}

    def test_a_folder_on_s3(self, choose: Choose, gold: Path, bucket: Bucket) -> None:
        for path in sorted(gold.rglob("*.png")):
            bucket.put(f"gold/{path.relative_to(gold)}", path.read_bytes())
        selection = choose(bucket.uri("gold/"))
        assert selection.gold is not None
        assert len(selection.gold.images) == 5
        assert all(image.uri.startswith(bucket.uri("gold/")) for image in selection.gold.images)


class TestLeftOut:
    def test_gold_in_the_pool_is_no_candidate(self, choose: Choose, tmp_path: Path) -> None:
        usual = {candidate.uri for candidate in choose(()).candidates}
        known = sorted(usual)[:4]
        rows = "".join(f"{uri},red\n" for uri in known)
        (tmp_path / "gold.csv").write_text(f"path,label\n{rows}")
        selection = choose(tmp_path / "gold.csv", share=0.1)
        asked = {candidate.uri for candidate in selection.candidates}
        assert len(asked) == 20
        assert not asked & set(known)
        assert len(drawn(selection)) == 2
        assert "4 images of the pool are gold images; left out." in selection.notes

    def test_a_copy_of_gold_in_the_pool_is_no_candidate(
        self, choose: Choose, tmp_path: Path
    ) -> None:
        first = choose(()).candidates[0].uri
        (tmp_path / "gold" / "red").mkdir(parents=True)
        shutil.copy(first, tmp_path / "gold" / "red" / "copy.png")
        selection = choose(tmp_path / "gold")
        assert first not in {candidate.uri for candidate in selection.candidates}
        assert set(drawn(selection)) == {"copy.png"}
        assert "1 image of the pool is a gold image; left out." in selection.notes

    def test_seeds_that_tasks_show_as_examples(self, choose: Choose, tmp_path: Path) -> None:
        """The first three of each class: only the fourth red one is left."""
        selection = choose(tmp_path / "seeds.csv", share=0.1)
        assert set(drawn(selection)) == {"009.png"}
        assert "6 gold images are seeds that tasks show as examples; left out." in selection.notes

    def test_a_copy_of_such_a_seed(self, choose: Choose, gold: Path, tmp_path: Path) -> None:
        shutil.copy(tmp_path / "pool" / "000.png", gold / "red" / "seed.png")
        selection = choose(gold, share=0.8)
        assert "seed.png" not in drawn(selection)
        assert "1 gold image is a seed that tasks show as examples; left out." in selection.notes

    def test_the_same_picture_counts_once(self, choose: Choose, gold: Path) -> None:
        shutil.copy(gold / "red" / "00.png", gold / "red" / "again.png")
        selection = choose(gold, share=0.8)
        assert {"00.png", "again.png"} - set(drawn(selection)) == {"again.png"}
        assert "1 gold image left out as the same picture again." in selection.notes

    def test_a_picture_of_two_minds_does_not_count(self, choose: Choose, gold: Path) -> None:
        shutil.copy(gold / "red" / "00.png", gold / "blue" / "same.png")
        selection = choose(gold, share=0.8)
        assert not {"00.png", "same.png"} & set(drawn(selection))
        (note,) = (note for note in selection.notes if "different labels" in note)
        assert note.startswith("1 gold picture left out, for it has different labels")
        assert f"{gold}/blue/same.png and {gold}/red/00.png" in note

    def test_damaged_images_are_replaced_by_sound_ones(self, choose: Choose, gold: Path) -> None:
        for path in sorted((gold / "red").iterdir())[:11]:
            path.write_bytes(path.read_bytes()[:60] + bytes([len(path.name)]) + path.name.encode())
        selection = choose(gold, share=9 / 29)
        assert counts(selection) == {"red": 1, "blue": 5, "Other": 3}
        (note,) = (note for note in selection.notes if "unreadable" in note)
        assert note.startswith("11 gold images left out as unreadable; first: ")

    def test_an_image_that_is_gone_is_said(
        self, choose: Choose, gold: Path, tmp_path: Path
    ) -> None:
        rows = "gold/red/00.png,red\ngold/red/nowhere.png,red\n"
        (tmp_path / "gold.csv").write_text(f"path,label\n{rows}")
        selection = choose(tmp_path / "gold.csv")
        assert set(drawn(selection)) == {"00.png"}
        assert (
            f"1 gold image left out as unreadable; first: {gold}/red/nowhere.png: no such file."
            in selection.notes
        )


class TestErrors:
    @pytest.mark.parametrize("share", [0, 1, -0.5, 1.5, float("nan")])
    def test_a_share_that_is_none(self, choose: Choose, gold: Path, share: float) -> None:
        with pytest.raises(UsageError, match="not between 0 and 1"):
            choose(gold, share=share)

    def test_a_class_that_workers_are_not_offered(self, choose: Choose, gold: Path) -> None:
        (gold / "blue").rename(gold / "Blue")
        with pytest.raises(SeedError, match=r"'Blue'.*rename it to one of theirs \(blue, red\)"):
            choose(gold)

    def test_the_choice_for_no_class_has_the_name_that_it_is_given(
        self, choose: Choose, gold: Path
    ) -> None:
        (gold / "Other").rename(gold / "green")
        with pytest.raises(SeedError, match=r"or to 'Other' for images of none"):
            choose(gold)
        assert counts(choose(gold, share=9 / 29, other="green"))["green"] == 3

    def test_none_and_a_class_at_once(self, choose: Choose, gold: Path, tmp_path: Path) -> None:
        rows = 'gold/red/00.png,"[""red"", ""Other""]"\n'
        (tmp_path / "gold.csv").write_text(f"path,label\n{rows}")
        with pytest.raises(SeedError, match="of Other and of red, which contradict each other"):
            choose(tmp_path / "gold.csv")

    @pytest.mark.parametrize(
        ("make", "error", "says"),
        [
            (lambda folder: None, SeedError, "--gold: there is nothing at"),
            (lambda folder: folder.mkdir(), PoolError, "--gold: There are no images in"),
            (lambda folder: paint(folder / "a.png", 1, "red"), SeedError, "no class folders"),
            (
                lambda folder: paint(folder / "red" / "a.png", 1, "red").write_bytes(b"no image"),
                SeedError,
                "no gold image can be planted: 1 gold image left out as unreadable; first: ",
            ),
        ],
    )  # fmt: skip
    def test_sources_that_hold_no_gold(
        self,
        choose: Choose,
        tmp_path: Path,
        make: Callable[[Path], object],
        error: type[GandtError],
        says: str,
    ) -> None:
        make(tmp_path / "known")
        with pytest.raises(error, match=says):
            choose(tmp_path / "known")

    def test_nothing_but_examples(self, choose: Choose, tmp_path: Path) -> None:
        (tmp_path / "gold.csv").write_text("path,label\npool/000.png,red\n")
        with pytest.raises(SeedError, match="is a seed that tasks show as examples; left out"):
            choose(tmp_path / "gold.csv")
