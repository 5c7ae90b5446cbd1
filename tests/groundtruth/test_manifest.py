"""Selections become manifests that hold exactly what Ground Truth asks for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.errors import ManifestError, UsageError
from gandt.groundtruth.check import check_manifest
from gandt.groundtruth.manifest import (
    TaskExamples,
    is_manifest,
    read_every_name,
    read_source_refs,
    write_manifest,
)
from gandt.groundtruth.uri_map import UriMap
from gandt.types import Candidate, SeedSet, Selection

GOLDEN = Path(__file__).parent / "golden"


def candidate(uri: str, rank: int = 1, label: str = "Wedding", score: float = 0.75) -> Candidate:
    return Candidate(uri, label, rank, score, 0.8, "s3://gt-demo/seeds/w.jpg", "nearest")


def selection(*uris: str, classes: tuple[str, ...] = ("Birthday", "Wedding")) -> Selection:
    picks = tuple(candidate(uri, rank) for rank, uri in enumerate(uris, start=1))
    return Selection(picks, classes, "nearest")


def tasks(path: Path) -> list[list[dict[str, object]]]:
    lines = path.read_text().splitlines()
    return [json.loads(json.loads(line)["source"]) for line in lines]


FIVE = tuple(f"s3://gt-demo/pool/{name}.jpg" for name in ("a", "c d", "é", "50%", "e"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "round1.manifest"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("manifests")


class TestImagesOnLines:
    def test_bytes_are_the_golden_ones(self, out: Path) -> None:
        picks = (
            candidate("/photos/a.jpg", 1, "Birthday", 0.912345678),
            candidate("/photos/c d.jpg", 2, "Birthday", 0.5),
            candidate("/photos/é.jpg", 1, "Wedding", float("nan")),
        )
        chosen = Selection(picks, ("Birthday", "Wedding"), "nearest")
        write_manifest(str(out), chosen, uri_map=UriMap.parse(["/photos=s3://gt-demo/pool"]))
        assert out.read_bytes() == (GOLDEN / "images.manifest").read_bytes()

    def test_each_line_holds_the_reference_as_it_is(self, out: Path) -> None:
        summary = write_manifest(str(out), selection(*FIVE))
        lines = [json.loads(line) for line in out.read_text().splitlines()]
        assert [line["source-ref"] for line in lines] == list(FIVE)
        assert (summary.tasks, summary.images, summary.group_size) == (5, 5, None)
        assert not any(key.startswith("$") or key == "source" for line in lines for key in line)

    def test_an_empty_selection_is_refused_and_writes_nothing(self, out: Path) -> None:
        with pytest.raises(ManifestError, match="The selection is empty"):
            write_manifest(str(out), selection())
        assert not out.exists()

    def test_a_name_that_is_no_unicode_is_refused(self, out: Path) -> None:
        with pytest.raises(ManifestError, match="rename the file"):
            write_manifest(str(out), selection("/photos/\udcff.jpg"))

    def test_a_reference_beyond_the_limit_is_refused(self, out: Path) -> None:
        with pytest.raises(ManifestError, match="20,000 characters"):
            write_manifest(str(out), selection(f"s3://gt-demo/{'x' * 20_000}.jpg"))

    def test_rules_that_fit_nothing_are_reported(self, out: Path) -> None:
        chosen = selection("/photos/a.jpg", "/elsewhere/b.jpg")
        summary = write_manifest(
            str(out), chosen, uri_map=UriMap.parse(["/photos=s3://gt-demo/pool"])
        )
        assert summary.unmapped == ("/elsewhere/b.jpg",)
        assert summary.rewritten == 1
        assert list(read_source_refs(str(out))) == ["s3://gt-demo/pool/a.jpg", "/elsewhere/b.jpg"]


class TestTiledTasks:
    def test_bytes_are_the_golden_ones(self, out: Path) -> None:
        examples = TaskExamples(("s3://gt-demo/ex/p.jpg",), (), "None of the above")
        write_manifest(str(out), selection(*FIVE), group_size=3, examples=examples)
        assert out.read_bytes() == (GOLDEN / "tiles.manifest").read_bytes()

    def test_images_are_dealt_round_and_keep_their_place(self, out: Path) -> None:
        write_manifest(str(out), selection(*FIVE), group_size=2)
        dealt = [[tile["index"] for tile in task] for task in tasks(out)]
        assert dealt == [[0, 3], [1, 4], [2]]
        found = {tile["index"]: tile["source-ref"] for task in tasks(out) for tile in task}
        assert found == dict(enumerate(FIVE))

    def test_only_the_first_image_carries_what_concerns_the_task(self, out: Path) -> None:
        write_manifest(str(out), selection(*FIVE), group_size=2)
        for first, *others in tasks(out):
            assert first["event_names"] == ["Birthday", "Wedding"]
            assert first["other_category_label"] == "None of the above"
            assert first["positive_examples"] == first["negative_examples"] == []
            assert all(set(tile) == {"source-ref", "index"} for tile in others)

    @pytest.mark.parametrize("size", [0, -1])
    def test_a_group_of_no_images_is_a_usage_error(self, out: Path, size: int) -> None:
        with pytest.raises(UsageError, match="give 1 or more"):
            write_manifest(str(out), selection(*FIVE), group_size=size)

    def test_a_class_may_not_be_named_like_the_choice_for_none(self, out: Path) -> None:
        chosen = selection(*FIVE, classes=("Other",))
        with pytest.raises(ManifestError, match="rename one of them"):
            write_manifest(
                str(out), chosen, group_size=2, examples=TaskExamples(other_label="Other")
            )

    def test_examples_give_way_before_a_task_grows_too_long(self, out: Path) -> None:
        uris = tuple(f"s3://gt-demo/{'x' * 700}/{number}.jpg" for number in range(40))
        examples = tuple(f"s3://gt-demo/{'y' * 900}/{number}.jpg" for number in range(10))
        summary = write_manifest(
            str(out), selection(*uris), group_size=20, examples=TaskExamples(examples, examples)
        )
        kept = tasks(out)[0][0]
        assert kept["positive_examples"] == list(examples[: len(kept["positive_examples"])])
        assert (
            len(summary.dropped_examples)
            + sum(len(kept[key]) for key in ("positive_examples", "negative_examples"))
            == 20
        )
        assert 0 < len(summary.dropped_examples) < 20
        assert check_manifest(str(out)).ok

    def test_a_task_too_long_even_so_is_refused_with_the_size_that_fits(self, out: Path) -> None:
        uris = tuple(f"s3://gt-demo/{'x' * 990}/{number}.jpg" for number in range(40))
        with pytest.raises(ManifestError, match="use --group-size 19") as refused:
            write_manifest(str(out), selection(*uris), group_size=20)
        assert "20,000" in str(refused.value)
        write_manifest(str(out), selection(*uris), group_size=19)
        assert check_manifest(str(out)).ok

    def test_examples_come_from_seeds_and_are_rewritten_too(self, out: Path) -> None:
        vectors = tuple(np.zeros((1, 2), np.float32) for _ in range(3))
        uris = (("/s/b1.jpg", "/s/b2.jpg"), ("/s/o.jpg",), ("a bride in white", "/s/w.jpg"))
        seeds = SeedSet(("Birthday", "Other", "Wedding"), uris, vectors, other="Other")
        examples = TaskExamples.from_seeds(seeds, per_class=1)
        assert examples == TaskExamples(("/s/b1.jpg", "/s/w.jpg"), ("/s/o.jpg",), "Other")
        write_manifest(
            str(out),
            selection(*FIVE),
            group_size=5,
            examples=examples,
            uri_map=UriMap.parse(["/s=s3://gt-demo/seeds"]),
        )
        first = tasks(out)[0][0]
        assert first["positive_examples"] == [
            "s3://gt-demo/seeds/b1.jpg",
            "s3://gt-demo/seeds/w.jpg",
        ]
        assert first["negative_examples"] == ["s3://gt-demo/seeds/o.jpg"]
        assert first["other_category_label"] == "Other"


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
uri_lists = st.lists(names.map(lambda name: f"s3://gt-demo/{name}.jpg"), min_size=1, max_size=12)
group_sizes = st.none() | st.integers(1, 15)


class TestAnyNames:
    @settings(deadline=None, max_examples=60)
    @given(uris=uri_lists, size=group_sizes)
    def test_what_is_written_is_read_again(
        self, folder: Path, uris: list[str], size: int | None
    ) -> None:
        path = folder / "any.manifest"
        write_manifest(str(path), selection(*uris), group_size=size)
        found = list(read_source_refs(str(path)))
        if size is not None:
            order = [
                tile["index"]
                for line in path.read_bytes().split(b"\n")
                if line
                for tile in json.loads(json.loads(line)["source"])
            ]
            found = [uri for _, uri in sorted(zip(order, found, strict=True))]
        assert found == uris
        # One object on each line for any program, whatever it takes for the end of a line.
        text = path.read_bytes().decode()
        assert text.splitlines() == text.split("\n")[:-1]

    @settings(deadline=None, max_examples=60)
    @given(uris=uri_lists, size=group_sizes)
    def test_what_is_written_to_s3_names_has_no_errors(
        self, folder: Path, uris: list[str], size: int | None
    ) -> None:
        path = folder / "checked.manifest"
        write_manifest(str(path), selection(*uris), group_size=size)
        report = check_manifest(str(path))
        assert not [finding for finding in report.findings if finding.severity == "error"]
        assert report.images == len(uris)
        assert report.buckets == (("gt-demo", len(uris)),)


class TestReading:
    def test_blank_lines_line_ends_and_a_byte_order_mark_are_borne(self, out: Path) -> None:
        out.write_bytes(
            b'\xef\xbb\xbf{"source-ref":"s3://gt-demo/a.jpg"}\r\n\r\n'
            b'{"source-ref":"s3://gt-demo/b.jpg","extra":[1]}'
        )
        assert list(read_source_refs(str(out))) == ["s3://gt-demo/a.jpg", "s3://gt-demo/b.jpg"]

    def test_tiled_tasks_are_unfolded(self) -> None:
        found = list(read_source_refs(str(GOLDEN / "output.tiles.manifest")))
        assert found == [f"s3://gt-demo/pool/{name}.jpg" for name in ("a", "c d", "c d")]

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ('{"source-ref": "s3://gt-demo/a.jpg"', "line 2 is not one complete JSON object"),
            ('["s3://gt-demo/a.jpg"]', "line 2 holds a JSON list"),
            ('{"source": "The food was delicious"}', "line 2 asks about a text"),
            ('{"source-ref": 3}', "line 2 has a `source-ref` that is not a string"),
            ('{"uri": "s3://gt-demo/a.jpg"}', "line 2 has neither"),
            ('{"source": "[{\\"source-ref\\": 1}]"}', "line 2 has a tile with no"),
        ],
    )
    def test_a_line_without_image_is_named(self, out: Path, line: str, reason: str) -> None:
        out.write_text(f'{{"source-ref": "s3://gt-demo/ok.jpg"}}\n{line}\n')
        with pytest.raises(ManifestError, match=reason):
            list(read_source_refs(str(out)))

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (b'{"source-ref": "s3://b/a.jpg"}\n', True),
            (b'\xef\xbb\xbf{"source": "[]"}\n', True),
            (b'{"uri": "s3://b/a.jpg"}\n', False),
            (b'{"source-ref": 1}\n', False),
            (b"uri,label\n/a.jpg,x\n", False),
            (b"\xff\xd8\xff\xe0", False),
            (b"{broken", False),
            (b"", False),
        ],
    )
    def test_a_manifest_is_told_by_its_first_object(
        self, tmp_path: Path, content: bytes, expected: bool
    ) -> None:
        path = tmp_path / "pool.jsonl"
        path.write_bytes(content)
        assert is_manifest(str(path)) is expected

    def test_a_manifest_is_told_by_its_suffix(self) -> None:
        assert is_manifest("s3://gt-demo/round1.manifest")

    @pytest.mark.parametrize("size", [None, 2])
    def test_rewritten_references_keep_their_name_in_the_pool(
        self, out: Path, size: int | None
    ) -> None:
        photos = [f"/photos/{number}.jpg" for number in range(3)]
        rules = UriMap.parse(["/photos=s3://gt-demo/pool"])
        write_manifest(str(out), selection(*photos), group_size=size, uri_map=rules)
        found = set(read_every_name(str(out)))
        assert found == {*photos, *(f"s3://gt-demo/pool/{number}.jpg" for number in range(3))}
        assert check_manifest(str(out)).findings == ()

    def test_every_name_of_a_line_that_is_no_task_is_an_error(self, out: Path) -> None:
        out.write_text('{"x": 1}\n')
        with pytest.raises(ManifestError, match=r"line 1 has neither"):
            list(read_every_name(str(out)))
