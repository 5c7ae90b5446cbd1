"""What sources promise: every image once, in order, and nothing left out silently."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.errors import BadImage, PoolError, UsageError
from gandt.pool.globs import matches
from gandt.pool.sources import open_pool, read_item
from gandt.types import Item


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of images, some of them with names that other tools stumble over."""
    for name in (
        "a.jpg",
        "b/c.PNG",
        "b/d e+f%20.jpeg",
        "b/ü#1.webp",
        "z/é.tiff",
        "notes.txt",
        "b/x",
    ):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(name.encode())
    return tmp_path / "photos"


IMAGES = ["a.jpg", "b/c.PNG", "b/d e+f%20.jpeg", "b/ü#1.webp", "z/é.tiff"]


def names(pool, root: Path) -> list[str]:
    return [item.uri.removeprefix(f"{root}/") for item in pool]


def shard(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


# --------------------------------------------------------------------------------- folders


def test_a_folder_gives_its_images_in_order_and_counts_the_rest(root):
    pool = open_pool([root])
    assert names(pool, root) == IMAGES
    assert pool.ignored == {".txt": 1, "(no suffix)": 1}
    assert pool.problems == []


def test_an_item_holds_what_the_file_is(root):
    os.utime(root / "a.jpg", ns=(5, 7))
    item = next(iter(open_pool([root])))
    assert item == Item(str(root / "a.jpg"), 5, "7")
    assert read_item(item) == b"a.jpg"


def test_every_iteration_is_the_same(root):
    pool = open_pool([root, root / "b"])
    assert list(pool) == list(pool)
    assert pool.ignored == {".txt": 1, "(no suffix)": 2}


def test_relative_and_home_folders(root, monkeypatch):
    monkeypatch.chdir(root.parent)
    monkeypatch.setenv("HOME", str(root.parent))
    assert names(open_pool(["photos/b/.."]), root) == IMAGES
    assert names(open_pool(["~/photos"]), root) == IMAGES


def test_problems_within_a_folder_are_reported_and_the_rest_goes_on(root):
    (root / "b/gone.jpg").symlink_to(root / "nowhere.jpg")
    (root / "b/up").symlink_to(root)
    pool = open_pool([root])
    assert names(pool, root) == IMAGES
    assert pool.problems == [(str(root / "b/gone.jpg"), "its link leads nowhere")]


def test_overlapping_sources_give_each_image_once_the_first_counts(root):
    pool = open_pool([root / "z", root / "b/c.PNG", root, root / "b", str(root / "*.jpg")])
    assert names(pool, root) == ["z/é.tiff", "b/c.PNG", "a.jpg", "b/d e+f%20.jpeg", "b/ü#1.webp"]
    assert pool.problems == []


def test_an_empty_folder_is_an_error_that_says_what_was_there(root):
    (root / "empty").mkdir()
    with pytest.raises(PoolError, match=r"There are no images in .*empty: name a folder"):
        list(open_pool([root / "empty"]))
    (root / "empty/readme.md").touch()
    with pytest.raises(PoolError, match=r"\(other files: 1 \.md\)"):
        list(open_pool([root / "empty"]))
    pool = open_pool([root / "empty", root / "z"])
    assert names(pool, root) == ["z/é.tiff"]
    assert pool.problems == [(str(root / "empty"), "it holds no images")]


@pytest.mark.parametrize("source", ["nowhere", "nowhere/*.jpg", "https://example.com/a.jpg"])
def test_a_source_that_is_not_there_is_an_error(root, source, monkeypatch):
    monkeypatch.chdir(root)
    with pytest.raises(PoolError):
        list(open_pool([source]))


def test_no_source_is_an_error():
    with pytest.raises(PoolError, match="No source of images"):
        open_pool([])


# ----------------------------------------------------------------------- files and patterns


def test_single_files_are_taken_whatever_their_suffix(root):
    assert names(open_pool([root / "b/x", root / "a.jpg"]), root) == ["b/x", "a.jpg"]


def test_patterns(root):
    def matched(*patterns: str) -> list[str]:
        return names(open_pool([str(root / pattern) for pattern in patterns]), root)

    assert matched("*.jpg") == ["a.jpg"]
    assert matched("b/*") == ["b/c.PNG", "b/d e+f%20.jpeg", "b/ü#1.webp"]
    assert matched("[bz]/?.*") == ["b/c.PNG", "z/é.tiff"]
    assert matched("?") == ["b/c.PNG", "b/d e+f%20.jpeg", "b/ü#1.webp", "z/é.tiff"]  # folders
    assert matched("**/*.jpg") == ["a.jpg"]
    assert matched("**/d*") == ["b/d e+f%20.jpeg"]
    assert matched("**") == IMAGES
    assert matched("b/x*", "a*") == ["a.jpg"]  # x has no suffix of an image
    with pytest.raises(PoolError, match="There are no images in"):
        matched("*.gif")


def test_hidden_files_match_no_pattern(root):
    (root / ".hidden.jpg").touch()
    (root / ".cache").mkdir()
    (root / ".cache/x.jpg").touch()
    assert names(open_pool([str(root / "*.jpg")]), root) == ["a.jpg"]
    assert names(open_pool([str(root / "**/*.jpg")]), root) == ["a.jpg"]


def test_recursive_patterns_survive_loops(root):
    (root / "b/up").symlink_to(root)
    assert names(open_pool([str(root / "**/*.PNG")]), root) == ["b/c.PNG"]


def test_a_name_that_looks_like_a_pattern_is_taken_literally_if_it_exists(root):
    (root / "[1].jpg").write_bytes(b"x")
    (root / "1.jpg").write_bytes(b"x")
    assert names(open_pool([root / "[1].jpg"]), root) == ["[1].jpg"]


@given(st.text("ab.*?/[]!+^-\\", max_size=8), st.text("ab./+^-\\", max_size=8))
def test_patterns_never_break_and_stars_stay_within_a_name(pattern, name):
    if matches(pattern, name) and "**" not in pattern.split("/"):
        assert name.count("/") == pattern.count("/")


@given(st.lists(st.text("ab.", min_size=1, max_size=3), min_size=1, max_size=4))
def test_two_stars_reach_any_depth(parts):
    name = "/".join(parts)
    assert matches("**", name)
    assert matches(f"**/{parts[-1]}", name)
    assert matches(f"**/**/{parts[-1]}", name)
    assert matches(f"{parts[0]}/**/*", name) == (len(parts) > 1)
    assert not matches("**/c", name)


# ----------------------------------------------------------------------------------- lists


def listing(root: Path, name: str, entries: list[str]) -> Path:
    path = root / name
    if path.suffix == ".txt":
        path.write_text("\n".join(entries), encoding="utf-8")
    elif path.suffix == ".csv":
        lines = [f'cat,"{entry}"' for entry in entries]
        path.write_text("\n".join(["label,file", *lines]), encoding="utf-8")
    elif path.suffix == ".tsv":
        path.write_text("\n".join(["Image Path", *entries]), encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({"n": [1] * len(entries), "filename": entries}), path)
    else:
        key = "source-ref" if path.suffix == ".manifest" else "image"
        path.write_text("\n".join(json.dumps({key: entry}) for entry in entries), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["l.txt", "l.csv", "l.tsv", "l.jsonl", "l.parquet"])
def test_lists_are_relative_to_their_folder_and_keep_their_order(root, name):
    entries = [
        "z/é.tiff",
        "a.jpg",
        f"{root}/b/c.PNG",
        "./b/../a.jpg",
        "b/d e+f%20.jpeg",
        "b/ü#1.webp",
    ]
    pool = open_pool([listing(root, name, entries)])
    assert names(pool, root) == ["z/é.tiff", "a.jpg", *IMAGES[1:4]]
    assert all(item.size > 0 and item.version for item in pool)


@pytest.mark.parametrize("name", ["l.manifest", "l.jsonl"])
def test_a_ground_truth_manifest_names_its_images(root, name):
    lines = [json.dumps({"source-ref": f"{root}/{name}", "label": 1}) for name in IMAGES[::-1]]
    (root / name).write_text("\n".join(lines), encoding="utf-8")
    assert names(open_pool([root / name]), root) == IMAGES[::-1]


def test_the_column_may_be_named(root):
    (root / "t.csv").write_text("path,other\na.jpg,b/c.PNG\n")
    assert names(open_pool([root / "t.csv"]), root) == ["a.jpg"]
    assert names(open_pool([root / "t.csv"], column="other"), root) == ["b/c.PNG"]
    with pytest.raises(UsageError, match="has no column nope; its columns are: path, other"):
        list(open_pool([root / "t.csv"], column="nope"))
    (root / "t.csv").write_text("foo,bar\n1,2\n")
    with pytest.raises(UsageError, match="no column of image paths; its columns are: foo, bar"):
        list(open_pool([root / "t.csv"]))


def test_rows_without_a_path_are_counted(root):
    (root / "t.csv").write_text("path,n\na.jpg,1\n,2\n,3\n")
    pool = open_pool([root / "t.csv"])
    assert names(pool, root) == ["a.jpg"]
    assert pool.problems == [(str(root / "t.csv"), "2 of its rows name no image")]


def test_listed_images_that_do_not_exist_are_yielded_so_that_they_are_counted(root):
    entries = ["gone.jpg", "a.jpg", "b", "https://example.com/x.jpg", "s.tar#x.jpg"]
    items = list(open_pool([listing(root, "l.txt", entries)]))
    assert [item.size for item in items] == [-1, 5, -1, -1, -1]
    assert items[3].uri == "https://example.com/x.jpg"
    for item, reason in zip(
        [items[0], items[2], items[3], items[4]],
        ["no such file", "a folder, not an image", "a web address", "no such file"],
        strict=True,
    ):
        with pytest.raises(BadImage, match=reason):
            read_item(item)


def test_listed_files_need_no_suffix_of_an_image(root):
    assert names(open_pool([listing(root, "l.txt", ["b/x", "notes.txt"])]), root) == [
        "b/x",
        "notes.txt",
    ]


# ------------------------------------------------------------------------------------- tar


def test_a_shard_gives_its_images_and_their_bytes(root):
    path = shard(root / "s.tar", {"1.jpg": b"one", "1.json": b"{}", "d/ü 2.png": b"two"})
    pool = open_pool([path])
    items = list(pool)
    assert [item.uri for item in items] == [f"{path}#1.jpg", f"{path}#d/ü 2.png"]
    assert [read_item(item) for item in items] == [b"one", b"two"]
    assert all(item.container == str(path) for item in items)
    assert pool.ignored == {".json": 1}


def test_shards_in_folders_and_lists(root):
    path = shard(root / "b/s.tar", {"1.jpg": b"one", "2.jpg": b"two"})
    inside = [f"b/s.tar#{name}" for name in ("1.jpg", "2.jpg")]
    assert names(open_pool([root]), root) == sorted([*IMAGES, *inside])
    assert names(open_pool([listing(root, "l.txt", ["b/s.tar"])]), root) == inside
    pool = open_pool([listing(root, "l.txt", [f"{path}#2.jpg", "b/s.tar#3.jpg"])])
    found, missing = pool
    assert read_item(found) == b"two"
    with pytest.raises(BadImage, match="no such member"):
        read_item(missing)


def test_a_damaged_shard_is_a_problem_and_the_rest_goes_on(root):
    path = shard(root / "s.tar", {"1.jpg": b"1" * 2000, "2.jpg": b"2" * 2000})
    path.write_bytes(path.read_bytes()[:3500])
    (root / "t.tar.gz").write_bytes(b"\x1f\x8b")
    pool = open_pool([root])
    assert names(pool, root) == ["a.jpg", *IMAGES[1:4], "s.tar#1.jpg", "z/é.tiff"]
    assert [uri for uri, _ in pool.problems] == [str(path), str(root / "t.tar.gz")]
    assert "cut off within 2.jpg" in pool.problems[0][1]
    assert "unpack it" in pool.problems[1][1]


def test_a_compressed_tar_by_itself_is_an_error(root):
    (root / "t.tgz").write_bytes(b"\x1f\x8b")
    with pytest.raises(PoolError, match="is compressed"):
        open_pool([root / "t.tgz"])


def test_a_shard_that_shrank_is_noticed(root):
    path = shard(root / "s.tar", {"1.jpg": b"1" * 2000})
    [item] = open_pool([path])
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BadImage, match="become shorter"):
        read_item(item)


# ------------------------------------------------------------------------------ covering


def test_absence_means_gone_only_where_all_was_listed(root):
    path = shard(root.parent / "s.tar", {"1.jpg": b"1"})
    pool = open_pool([root / "b", path, root / "a.jpg", str(root / "z/*.tiff")])
    list(pool)
    assert pool.covers(f"{root}/b/was-here.jpg")
    assert pool.covers(f"{root}/b/deep/down.jpg")
    assert pool.covers(f"{path}#2.jpg")
    assert not pool.covers(f"{root}/a2.jpg")
    assert not pool.covers(f"{root}/bb/x.jpg")
    assert not pool.covers(f"{root}/z/x.tiff")


def test_what_could_not_be_listed_is_not_taken_for_gone(root):
    path = shard(root / "s.tar", {"1.jpg": b"1" * 2000, "2.jpg": b"2" * 2000})
    path.write_bytes(path.read_bytes()[:3500])
    (root / "link").symlink_to(root / "nowhere")
    pool = open_pool([root])
    list(pool)
    assert not pool.covers(f"{path}#2.jpg")
    assert not pool.covers(f"{root}/link/x.jpg")
    assert pool.covers(f"{root}/x.jpg")


def test_a_shard_deleted_from_a_folder_is_gone(root):
    pool = open_pool([root])
    list(pool)
    assert pool.covers(f"{root}/s.tar#1.jpg")


# --------------------------------------------------------------------------------- reading


def test_unreadable_files_are_bad_images(root):
    item = next(iter(open_pool([root])))
    (root / "a.jpg").unlink()
    with pytest.raises(BadImage, match="There is no file"):
        read_item(item)
    with pytest.raises(BadImage, match="too large for an image"):
        read_item(Item("/x.jpg", 1 << 40, "1"))


def test_a_listed_file_that_appears_later_is_read(root):
    [item] = open_pool([listing(root, "l.txt", ["late.jpg"])])
    (root / "late.jpg").write_bytes(b"here")
    assert read_item(item) == b"here"
