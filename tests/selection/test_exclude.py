"""What was labeled or sent before is found in any file that names images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gandt.errors import UsageError
from gandt.groundtruth.manifest import write_manifest
from gandt.groundtruth.uri_map import UriMap
from gandt.index.folder import Index, open_index
from gandt.index.update import update_index
from gandt.pool.sources import open_pool
from gandt.report.selection_table import write_selection_table
from gandt.selection.exclude import read_excluded
from gandt.types import Candidate, Selection

if TYPE_CHECKING:
    from conftest import MeanColor


@pytest.fixture
def index(colors: Path, tmp_path: Path, mean_color: MeanColor) -> Index:
    update_index(open_pool([colors]), mean_color, tmp_path / "pool.index", shard_rows=20)
    return open_index(tmp_path / "pool.index")


@pytest.fixture
def sent(colors: Path) -> Selection:
    """Images 5, 30 and 59 (one of each shard), the last standing for 58."""
    uris = [str(colors / f"{number:03d}.png") for number in (5, 30, 59, 58)]
    return Selection(
        (
            Candidate(uris[0], "a", 1, 0.9, 0.9, "/seed.png", "auto"),
            Candidate(uris[1], "b", 1, 0.8, 0.8, "/seed.png", "auto"),
            Candidate(uris[2], "b", 2, 0.7, 0.7, "/seed.png", "auto", (uris[3],)),
        ),
        ("a", "b"),
        "auto",
    )


def rows(index: Index, *files: Path | str) -> list[int]:
    return read_excluded([str(file) for file in files]).rows(index).tolist()


def test_no_files_exclude_nothing(index: Index) -> None:
    found = read_excluded([]).rows(index)
    assert (found.dtype, found.tolist()) == (np.int64, [])


@pytest.mark.parametrize("group_size", [None, 2])
@pytest.mark.parametrize("mapped", [False, True])
def test_a_manifest_excludes_what_it_sent(
    index: Index, sent: Selection, tmp_path: Path, group_size: int | None, mapped: bool
) -> None:
    """Also tiled tasks, and references that were rewritten for the job."""
    rules = [f"{tmp_path}/pool=s3://bucket/pool"] if mapped else []
    file = tmp_path / "round1.manifest"
    write_manifest(str(file), sent, group_size=group_size, uri_map=UriMap.parse(rules))
    assert ("s3://bucket" in file.read_text()) == mapped
    assert rows(index, file) == [5, 30, 59]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_selection_table_excludes_the_copies_too(
    index: Index, sent: Selection, tmp_path: Path, suffix: str
) -> None:
    write_selection_table(tmp_path / "s.csv", sent)
    assert rows(index, tmp_path / f"s.{suffix}") == [5, 30, 58, 59]


def test_a_labels_table_excludes_its_tasks(index: Index, colors: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(f"task,label,confidence\n{colors}/003.png,a,0.9\n{colors}/001.png,b,0.5\n")
    assert rows(index, file) == [1, 3]


def test_relative_names_are_relative_to_their_table(index: Index, colors: Path) -> None:
    (colors / "done.csv").write_text("path\n007.png\n./008.png\n")
    assert rows(index, colors / "done.csv") == [7, 8]


def test_the_output_manifest_of_a_job_excludes_all_its_lines(
    index: Index, colors: Path, tmp_path: Path
) -> None:
    file = tmp_path / "output.manifest"
    lines = [
        {"source-ref": "s3://bucket/009.png", "gandt-pool-uri": str(colors / "009.png")},
        {"source-ref": str(colors / "010.png"), "kind": 0, "kind-metadata": {}},
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert rows(index, file) == [9, 10]


def test_a_list_and_a_folder_exclude_what_they_name(
    index: Index, colors: Path, tmp_path: Path
) -> None:
    (colors / "done.txt").write_text(f"004.png\n{colors}/002.png\n")
    assert rows(index, colors / "done.txt") == [2, 4]
    assert rows(index, colors) == list(range(60))


def test_a_single_image_can_be_excluded(index: Index, colors: Path) -> None:
    assert rows(index, colors / "011.png") == [11]


def test_several_files_add_up(index: Index, colors: Path, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text(f"{colors}/001.png\n{colors}/002.png\n")
    (tmp_path / "two.txt").write_text(f"{colors}/002.png\n{colors}/003.png\n")
    assert rows(index, tmp_path / "one.txt", tmp_path / "two.txt") == [1, 2, 3]


def test_images_outside_the_pool_exclude_nothing(index: Index, tmp_path: Path) -> None:
    (tmp_path / "done.txt").write_text("/elsewhere/001.png\n")
    assert rows(index, tmp_path / "done.txt") == []


def test_a_file_that_does_not_exist_is_a_mistake(index: Index, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--exclude .*done\.txt: there is no such file"):
        rows(index, tmp_path / "done.txt")


def test_a_table_without_paths_is_a_mistake(index: Index, tmp_path: Path) -> None:
    (tmp_path / "done.csv").write_text("foo,bar\n1,2\n")
    with pytest.raises(UsageError, match="columns are: foo, bar"):
        rows(index, tmp_path / "done.csv")


def test_names_that_only_look_like_copies_do_no_harm(
    index: Index, sent: Selection, tmp_path: Path
) -> None:
    write_selection_table(tmp_path / "s.csv", sent)
    text = (tmp_path / "s.csv").read_text().splitlines()
    (tmp_path / "broken.csv").write_text("\n".join([*text[:3], text[3].partition('"')[0] + "x"]))
    assert rows(index, tmp_path / "broken.csv") == [5, 30, 59]
    shutil.copy(tmp_path / "s.csv", tmp_path / "again.csv")
    assert rows(index, tmp_path / "s.csv", tmp_path / "again.csv") == [5, 30, 58, 59]


def test_a_copied_folder_of_images_excludes_by_content(
    colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    update_index(open_pool([colors]), mean_color, tmp_path / "by-content")
    (tmp_path / "done").mkdir()
    shutil.copy(colors / "007.png", tmp_path / "done" / "renamed.png")
    index = open_index(tmp_path / "by-content")
    rows = read_excluded([str(tmp_path / "done")]).rows(index)
    assert [Path(uri).name for uri in index.uris(rows)] == ["007.png"]
