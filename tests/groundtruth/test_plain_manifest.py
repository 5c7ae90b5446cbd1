"""A manifest of everything: what goes in comes out as tasks, in order, within the limits."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.errors import ManifestError, UsageError
from gandt.groundtruth.asked_tasks import asked_task
from gandt.groundtruth.check import check_manifest
from gandt.groundtruth.plain_manifest import Tiling, draw, write_images, write_texts
from gandt.groundtruth.uri_map import UriMap


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_image_is_a_line(tmp_path: Path) -> None:
    out = tmp_path / "all.manifest"
    assert write_images(str(out), ["/p/a.jpg", "/p/ü b.jpg"]) == 2
    assert records(out) == [{"source-ref": "/p/a.jpg"}, {"source-ref": "/p/ü b.jpg"}]


def test_rewritten_references_keep_the_name_in_the_pool(tmp_path: Path) -> None:
    out = tmp_path / "all.manifest"
    write_images(str(out), ["/p/a.jpg"], uri_map=UriMap.parse(["/p=s3://bucket/p"]))
    assert records(out) == [{"source-ref": "s3://bucket/p/a.jpg", "gandt-pool-uri": "/p/a.jpg"}]


def test_tiles_are_dealt_round_and_read_back(tmp_path: Path) -> None:
    out = tmp_path / "all.manifest"
    uris = [f"/p/{number}.jpg" for number in range(5)]
    assert write_images(str(out), uris, tiling=Tiling(2, ("cat", "dog"))) == 3
    tasks = [asked_task(record, "here") for record in records(out)]
    assert [task.names for task in tasks] == [
        ("/p/0.jpg", "/p/3.jpg"),
        ("/p/1.jpg", "/p/4.jpg"),
        ("/p/2.jpg",),
    ]
    assert tasks[0].classes == ("cat", "dog", "None of the above")


def test_texts_are_sources_and_pass_the_check(tmp_path: Path) -> None:
    out = tmp_path / "texts.manifest"
    texts = ['says "yes"', "two\nlines\u2028three", "😀"]
    assert write_texts(str(out), texts) == 3
    assert [record["source"] for record in records(out)] == texts
    assert check_manifest(str(out)).ok


def test_an_empty_or_endless_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="Text 2 is empty"):
        write_texts(str(tmp_path / "m"), ["a", " "])
    with pytest.raises(ManifestError, match=r"Number 1 .* 20,000 characters"):
        write_texts(str(tmp_path / "m"), ["a" * 20_001])


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 5))
def test_a_sample_has_its_size_and_repeats_nothing(there: int, sample: int, seed: int) -> None:
    drawn = draw(range(there), sample, seed)
    assert len(drawn) == min(there, sample)
    assert len(set(drawn)) == len(drawn) and set(drawn) <= set(range(there))
    assert drawn == draw(range(there), sample, seed)


def test_a_sample_comes_in_random_order() -> None:
    """Folder by folder, people would see one class in a row."""
    drawn = draw(range(1000), 200, 0)
    assert 60 < sum(a < b for a, b in pairwise(drawn)) < 140


def test_no_sample_is_everything_and_zero_is_refused() -> None:
    assert draw("abc", None, 0) == ["a", "b", "c"]
    with pytest.raises(UsageError, match="--sample 0"):
        draw("abc", 0, 0)
