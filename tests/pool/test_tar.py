"""What tar shards promise: each image's bytes by one range, and no silence about damage."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gandt import storage
from gandt.errors import StorageError
from gandt.pool.tar import members, split_uri

_names = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/."), min_size=1, max_size=90
)


def shard(path: Path, files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def contents(path: Path) -> dict[str, bytes]:
    return {
        member.name: storage.read_bytes(path, offset=member.offset, size=member.size)
        for member in members(storage.stat(path))
    }


@given(
    files=st.dictionaries(_names, st.binary(max_size=1200), max_size=6),
    form=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_every_member_is_read_back_by_its_range(tmp_path, files, form):
    assert contents(shard(tmp_path / "s.tar", files, form)) == files


def test_long_and_deep_names(tmp_path):
    name = "/".join(["folder"] * 40) + "/" + "ü" * 100 + ".jpg"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert contents(shard(tmp_path / "s.tar", {name: b"1"}, form)) == {name: b"1"}


def test_hidden_members_links_and_folders_are_passed_over(tmp_path):
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        for name, kind in [("a", tarfile.DIRTYPE), ("b", tarfile.SYMTYPE), ("c", tarfile.LNKTYPE)]:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "x"
            archive.addfile(entry)
        for name in ("./a/x.jpg", "._x.jpg", "a/.hidden/x.jpg"):
            archive.addfile(tarfile.TarInfo(name))
    assert list(contents(tmp_path / "s.tar")) == ["./a/x.jpg"]


def test_the_first_of_equal_names_counts(tmp_path):
    path = shard(tmp_path / "s.tar", {"x": b"1"})
    with tarfile.open(path, "a") as archive:
        entry = tarfile.TarInfo("x")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"2"))
    assert contents(path) == {"x": b"1"}


def test_what_lies_before_the_cut_is_listed_and_the_cut_is_named(tmp_path):
    path = shard(tmp_path / "s.tar", {"a": b"1" * 2000, "b": b"2" * 2000, "c": b"3" * 2000})
    path.write_bytes(path.read_bytes()[:4000])  # within b
    found = []
    with pytest.raises(StorageError, match=r"s\.tar is cut off within b: copy it anew"):
        for member in members(storage.stat(path)):
            found.append(member.name)
    assert found == ["a"]


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100, b"\x1f\x8b" + b"x" * 600])
def test_what_is_no_tar_is_one_sentence(tmp_path, data):
    (tmp_path / "s.tar").write_bytes(data)
    with pytest.raises(StorageError, match="is not a whole uncompressed tar"):
        list(members(storage.stat(tmp_path / "s.tar")))


def test_uris_of_members():
    assert split_uri("/a/b.tar#c/d#e.jpg") == ("/a/b.tar", "c/d#e.jpg")
    assert split_uri("s3://b/k.TAR#x.jpg") == ("s3://b/k.TAR", "x.jpg")
    assert split_uri("/a/b.jpg#1") is None
