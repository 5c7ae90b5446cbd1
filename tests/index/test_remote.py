"""An index on S3: a copy here, whole shards there, one writer at a time."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gandt.errors import IndexFolderError, ModelMismatch, StorageError
from gandt.index.card import IndexCard, write_card
from gandt.index.describe import describe
from gandt.index.folder import open_index
from gandt.index.remote import mirror_folder, writing
from gandt.index.writer import IndexWriter
from gandt.storage import s3
from gandt.types import Embedded, FloatArray, Item, ModelCard, Preprocessing

if TYPE_CHECKING:
    from s3_server import Bucket

CARD = IndexCard(
    ModelCard("toy", "ab" * 32, 4, Preprocessing(8, "crop", 1.0, "bicubic", (0,) * 3, (1,) * 3)),
    "fast",
)


def embedded(name: str, version: str = "1") -> Embedded:
    return Embedded(Item(f"s3://pool/{name}.jpg", 10, version), "f" * 64, 4, 3)


def vectors(count: int) -> FloatArray:
    rows = np.random.default_rng(count).standard_normal((count, 4))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def append(index: str, *names: str, reject: str = "", shard_rows: int = 2) -> None:
    with (
        writing(index) as working,
        IndexWriter(working.folder, CARD, shard_rows=shard_rows, publish=working.publish) as writer,
    ):
        if reject:
            writer.reject(embedded(reject).item, "truncated")
        writer.add([embedded(name) for name in names], vectors(len(names)))


def names(index: str) -> list[str]:
    opened = open_index(index)
    live = np.setdiff1d(np.arange(opened.rows), opened.dead)
    return [Path(uri).stem for uri in opened.uris(live)]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Go to another machine and back: one with a cache folder of its own."""

    def go(name: str) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))

    return go


# --------------------------------------------------------------------------------- there and back


def test_what_is_written_here_is_read_there(bucket: Bucket, elsewhere) -> None:
    index = bucket.uri("work/pool.index/")
    append(index, "a", "b", "c", reject="x")
    assert bucket.keys() == [
        "work/pool.index/img_emb/img_emb_0000.npy",
        "work/pool.index/img_emb/img_emb_0001.npy",
        "work/pool.index/index.json",
        "work/pool.index/metadata/metadata_0000.parquet",
        "work/pool.index/metadata/metadata_0001.parquet",
        "work/pool.index/rejected/rejected_0000.parquet",
    ]
    elsewhere("laptop")
    opened = open_index(index)
    assert opened.uri == index.rstrip("/")
    assert names(index) == ["a", "b", "c"]
    np.testing.assert_allclose(opened.take(np.arange(3)), vectors(3), atol=1e-3)
    assert [record.reason for record in opened.rejected()] == ["truncated"]
    facts = describe(index)
    assert (facts.folder, facts.images, facts.shards) == (index.rstrip("/"), 3, 2)
    append(index, "d")
    elsewhere("cache")
    assert names(index) == ["a", "b", "c", "d"]


def test_a_copy_that_is_up_to_date_costs_one_listing(bucket: Bucket) -> None:
    index = bucket.uri("i")
    append(index, "a", "b", "c")
    bucket.server.reset()
    open_index(index)
    assert dict(bucket.server.requests) == {"GET": 1}
    append(index, "d")
    folder = mirror_folder(index)
    (folder / "img_emb" / "img_emb_0001.npy").unlink()
    (folder / "index.json").write_bytes(b"another size")
    bucket.server.reset()
    assert names(index) == ["a", "b", "c", "d"]
    assert dict(bucket.server.requests) == {"GET": 1 + 2, "HEAD": 2}


def test_paths_of_any_spelling_lead_to_one_copy(bucket: Bucket) -> None:
    append(bucket.uri("ünder ground/i"), "a")
    opened = open_index(Path(bucket.uri("ünder ground/i/")))
    assert opened.live_rows == 1
    assert opened.folder == mirror_folder(bucket.uri("ünder ground/i/"))
    assert mirror_folder("s3://a/b-c") != mirror_folder("s3://a/b/c")


def test_the_copy_of_an_index_made_anew_is_made_anew(bucket: Bucket) -> None:
    index = bucket.uri("i")
    append(index, "a", "b", "c", "d")
    for key in bucket.keys("i/"):
        bucket.delete(key)
    with pytest.raises(
        IndexFolderError, match=r"There is no index at s3://.*/i; check the name, or"
    ):
        open_index(index)
    append(index, "e")
    assert names(index) == ["e"]


def test_other_objects_beside_an_index_are_left_alone(bucket: Bucket) -> None:
    index = bucket.uri("i")
    append(index, "a")
    bucket.put("i/notes.txt", b"mine")
    bucket.put("i/img_emb/readme.npy", b"mine")
    open_index(index)
    assert not (mirror_folder(index) / "notes.txt").exists()
    append(index, "b")
    assert bucket.get("i/notes.txt") == b"mine"


def test_errors_name_the_index_and_not_the_copy(bucket: Bucket) -> None:
    index = bucket.uri("i")
    append(index, "a")
    other = IndexCard(ModelCard("other", "cd" * 32, 4, CARD.model.preprocessing), "fast")
    with (
        pytest.raises(ModelMismatch, match=rf"^{index} was made by toy"),
        writing(index) as working,
        IndexWriter(working.folder, other, publish=working.publish),
    ):
        pass
    bucket.put("i/index.json", b"{")
    with pytest.raises(IndexFolderError, match=rf"^{index}/index.json cannot be read"):
        open_index(index)


def test_a_local_index_is_its_own_folder(tmp_path: Path) -> None:
    append(str(tmp_path / "i"), "a")
    assert names(str(tmp_path / "i")) == ["a"]
    assert open_index(tmp_path / "i").uri == str(tmp_path / "i")


# ------------------------------------------------------------------------------- cut off anywhere


class Killed(BaseException):
    pass


def test_an_upload_cut_off_anywhere_leaves_whole_shards_and_the_next_run_goes_on(
    bucket: Bucket, elsewhere
) -> None:
    uploads = 6  # card, rejected, two shards of two files
    for cut in range(uploads + 1):
        index = bucket.uri(f"cut-{cut}")
        left = cut

        def cut_off(publish):
            def publish_or_die(path: Path) -> None:
                nonlocal left
                if left == 0:
                    raise Killed
                left -= 1
                publish(path)

            return publish_or_die

        try:
            with (
                writing(index) as working,
                IndexWriter(
                    working.folder, CARD, shard_rows=2, publish=cut_off(working.publish)
                ) as writer,
            ):
                writer.reject(embedded("x").item, "truncated")
                writer.add([embedded(name) for name in "abcd"], vectors(4))
        except Killed:
            assert cut < uploads
        elsewhere(f"reader-{cut}")
        there = names(index) if bucket.keys(f"cut-{cut}/") else []
        assert there == list("abcd")[: len(there)] and len(there) % 2 == 0
        elsewhere("cache")
        with (
            writing(index) as working,
            IndexWriter(working.folder, CARD, shard_rows=2, publish=working.publish) as writer,
        ):
            todo = [n for n in "abcd" if writer.status(embedded(n).item) == "new"]
            assert todo == list("abcd")[len(there) :]
            writer.add([embedded(name) for name in todo], vectors(4)[len(there) :])
        elsewhere(f"reader-{cut}")
        assert names(index) == list("abcd")
        elsewhere("cache")


def test_where_s3_fails_the_run_ends_and_the_lock_goes(bucket: Bucket) -> None:
    index = bucket.uri("i")
    append(index, "a", "b")
    bucket.server.fail(
        times=99, method="PUT", path="img_emb_0001", status="403 Forbidden", code="AccessDenied"
    )
    with pytest.raises(StorageError, match="lacks the permission s3:PutObject"):
        append(index, "c")
    bucket.server.reset()
    assert "i/writer.lock" not in set(bucket.keys())
    assert names(index) == ["a", "b"]
    append(index, "c")
    assert names(index) == ["a", "b", "c"]


# ------------------------------------------------------------------------------------ one writer


def test_another_machine_is_kept_out_and_told_how_to_break_a_dead_lock(
    bucket: Bucket, elsewhere
) -> None:
    index = bucket.uri("i")
    with writing(index):
        elsewhere("other machine")
        with pytest.raises(
            IndexFolderError,
            match=r"is being written by .* on .*, process \d+, since 20\d\d-.*; wait for that "
            rf"run to finish, or, if it is dead, "
            rf"remove its lock with `aws s3 rm {index}/writer.lock`\.$",
        ):
            append(index, "a")
    append(index, "a")
    assert "i/writer.lock" not in set(bucket.keys())


def test_two_writers_of_one_machine_do_not_meet(bucket: Bucket) -> None:
    index = bucket.uri("i")
    with (
        writing(index),
        pytest.raises(IndexFolderError, match="another process of this machine; wait for it"),
    ):
        append(index, "a")


def test_the_lock_of_a_run_killed_on_this_machine_is_replaced(bucket: Bucket, elsewhere) -> None:
    index = bucket.uri("i")
    with writing(index):
        content = bucket.get("i/writer.lock")
    bucket.put("i/writer.lock", content)  # as a kill leaves it
    append(index, "a")
    assert "i/writer.lock" not in set(bucket.keys())
    assert names(index) == ["a"]


def test_a_run_whose_lock_was_broken_stops_before_it_does_harm(bucket: Bucket, elsewhere) -> None:
    index = bucket.uri("i")
    append(index, "a")
    with pytest.raises(IndexFolderError, match="was removed or taken over while this run wrote"):  # noqa: SIM117
        with (
            writing(index) as working,
            IndexWriter(working.folder, CARD, publish=working.publish) as writer,
        ):
            writer.add([embedded("b")], vectors(1))
            s3.delete(f"{index}/writer.lock")
            elsewhere("other machine")
            append(index, "c")
            before = {key: bucket.get(key) for key in bucket.keys("i/")}
            writer.flush()
    assert before == {key: bucket.get(key) for key in bucket.keys("i/")}
    assert names(index) == ["a", "c"]


def test_a_lock_that_is_no_lock_is_still_one(bucket: Bucket) -> None:
    bucket.put("i/writer.lock", b"by hand")
    with pytest.raises(
        IndexFolderError, match=r"written by somebody on another machine.*aws s3 rm"
    ):
        append(bucket.uri("i"), "a")


# ---------------------------------------------------------------------------------------- readers


def test_a_reader_beside_a_writer_sees_what_is_committed(bucket: Bucket) -> None:
    index = bucket.uri("i")
    append(index, "a")
    with (
        writing(index) as working,
        IndexWriter(working.folder, CARD, publish=working.publish) as writer,
    ):
        writer.add([embedded("b")], vectors(1))
        assert names(index) == ["a"]
        writer.flush()
        assert names(index) == ["a", "b"]


def test_many_readers_fetch_once(bucket: Bucket, elsewhere) -> None:
    index = bucket.uri("i")
    append(index, *"abcdef")
    elsewhere("fresh")
    bucket.server.reset()
    bucket.server.latency = 0.01
    found: list[list[str]] = []
    threads = [threading.Thread(target=lambda: found.append(names(index))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == [list("abcdef")] * 6
    assert bucket.server.requests["GET"] == 6 + 7  # a listing each, and every file once


def test_a_change_in_the_middle_of_fetching_is_no_trouble(bucket: Bucket, elsewhere) -> None:
    index = bucket.uri("i")
    append(index, "a", "b")
    elsewhere("fresh")
    card = json.loads(bucket.get("i/index.json"))
    bucket.put("i/dead.npy", b"gone before it is read")

    def change() -> None:
        bucket.put("i/index.json", json.dumps({**card, "written_by": "a newer one"}).encode())
        bucket.delete("i/dead.npy")

    bucket.server.fail(path="dead.npy", method="HEAD", before=change)
    assert names(index) == ["a", "b"]
    assert names(index) == ["a", "b"]
    there = json.loads((mirror_folder(index) / "index.json").read_text())
    assert there["written_by"] == "a newer one"
    assert not (mirror_folder(index) / "dead.npy").exists()


def test_a_search_index_travels_with_its_settings(bucket: Bucket, elsewhere) -> None:
    index = bucket.uri("i")
    append(index, "a")
    with writing(index) as working:
        (working.folder / "search.faiss").write_bytes(b"faiss")
        working.publish(working.folder / "search.faiss")
        write_card(working.folder, IndexCard(CARD.model, "fast", {"factory": "IVF1"}))
        working.publish(working.folder / "index.json")
    elsewhere("laptop")
    opened = open_index(index)
    assert opened.card is not None and opened.card.search == {"factory": "IVF1"}
    assert (opened.folder / "search.faiss").read_bytes() == b"faiss"
    elsewhere("cache")
    with writing(index) as working:
        (working.folder / "search.faiss").unlink()
        working.publish(working.folder / "search.faiss")
    elsewhere("laptop")
    assert not (open_index(index).folder / "search.faiss").exists()


def test_files_that_a_killed_fetch_left_are_swept(bucket: Bucket) -> None:
    index = bucket.uri("i")
    append(index, "a")
    left = mirror_folder(index) / "img_emb" / ".0123456789ab.tmp.npy"
    left.write_bytes(b"half")
    open_index(index)
    assert not left.exists()
