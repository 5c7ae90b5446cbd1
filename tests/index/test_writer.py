"""Appending to an index: what is committed, what survives, what is searched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.errors import IndexFolderError, ModelMismatch
from gandt.index.card import IndexCard
from gandt.index.folder import open_index
from gandt.index.writer import IndexWriter
from gandt.types import Embedded, FloatArray, Item, ModelCard, Preprocessing

CARD = IndexCard(
    ModelCard("toy", "ab" * 32, 4, Preprocessing(8, "crop", 1.0, "bicubic", (0,) * 3, (1,) * 3)),
    "fast",
)


def item(name: str, version: str = "1") -> Item:
    return Item(f"/pool/{name}.jpg", 10, version)


def embedded(name: str, version: str = "1") -> Embedded:
    return Embedded(item(name, version), "f" * 64, 4, 3)


def vectors(*seeds: int) -> FloatArray:
    rows = np.stack([np.random.default_rng(seed).standard_normal(4) for seed in seeds])
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_what_is_added_is_found_again_in_order(tmp_path: Path) -> None:
    with IndexWriter(tmp_path, CARD, shard_rows=2) as writer:
        writer.add([embedded("a"), embedded("b"), embedded("c")], vectors(1, 2, 3))
    index = open_index(tmp_path)
    assert index.uris(np.array([2, 0, 1])) == ["/pool/c.jpg", "/pool/a.jpg", "/pool/b.jpg"]
    assert [shard.rows for shard in index.shards] == [2, 1]
    np.testing.assert_allclose(index.take(np.array([2, 0])), vectors(3, 1), atol=1e-3)


def test_the_layout_is_that_of_clip_retrieval(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    with IndexWriter(tmp_path, CARD) as writer:
        writer.add([embedded("a")], vectors(1))
        writer.reject(item("b"), "truncated")
    matrix = np.load(tmp_path / "img_emb" / "img_emb_0000.npy", allow_pickle=False)
    assert matrix.dtype == np.float16
    assert matrix.shape == (1, 4)
    table = pq.read_table(tmp_path / "metadata" / "metadata_0000.parquet")
    assert table.column_names == ["image_path", "size", "version", "sha256", "width", "height"]
    rejected = pq.read_table(tmp_path / "rejected" / "rejected_0000.parquet").to_pylist()
    assert [(row["uri"], row["reason"]) for row in rejected] == [("/pool/b.jpg", "truncated")]
    assert json.loads((tmp_path / "index.json").read_text())["model"] == "toy"


def test_status_knows_embedded_rejected_changed_and_new(tmp_path: Path) -> None:
    with IndexWriter(tmp_path, CARD) as writer:
        writer.add([embedded("a")], vectors(1))
        writer.reject(item("b"), "truncated")
    with IndexWriter(tmp_path, CARD) as writer:
        assert writer.status(item("a")) == "embedded"
        assert writer.status(item("b")) == "rejected"
        assert writer.status(item("a", "2")) == "new"
        assert writer.status(item("b", "2")) == "new"
        assert writer.status(item("c")) == "new"


def test_a_changed_image_replaces_its_row_in_searches(tmp_path: Path) -> None:
    with IndexWriter(tmp_path, CARD) as writer:
        writer.add([embedded("a"), embedded("b")], vectors(1, 2))
    with IndexWriter(tmp_path, CARD) as writer:
        writer.status(item("b"))
        writer.add([embedded("a", "2")], vectors(3))
        writer.finish(lambda uri: True)
    assert open_index(tmp_path).dead.tolist() == [0]


def test_an_image_that_left_is_not_searched_and_comes_back_without_embedding(
    tmp_path: Path,
) -> None:
    with IndexWriter(tmp_path, CARD) as writer:
        writer.add([embedded("a"), embedded("b")], vectors(1, 2))
    with IndexWriter(tmp_path, CARD) as writer:
        writer.status(item("a"))
        assert writer.finish(lambda uri: True) == 1
    assert open_index(tmp_path).dead.tolist() == [1]
    with IndexWriter(tmp_path, CARD) as writer:
        assert writer.status(item("a")) == "embedded"
        assert writer.status(item("b")) == "embedded"
        assert writer.finish(lambda uri: True) == 0
    assert open_index(tmp_path).dead.tolist() == []


def test_only_images_that_the_listing_covers_can_be_gone(tmp_path: Path) -> None:
    with IndexWriter(tmp_path, CARD) as writer:
        writer.add([embedded("a"), embedded("b")], vectors(1, 2))
    with IndexWriter(tmp_path, CARD) as writer:
        assert writer.finish(lambda uri: uri.endswith("b.jpg")) == 1
    assert open_index(tmp_path).dead.tolist() == [1]


def test_a_recovered_image_is_no_longer_rejected(tmp_path: Path) -> None:
    with IndexWriter(tmp_path, CARD) as writer:
        writer.reject(item("a"), "truncated")
        writer.reject(item("b"), "empty")
    with IndexWriter(tmp_path, CARD) as writer:
        writer.add([embedded("a", "2")], vectors(1))
    assert [record.uri for record in open_index(tmp_path).rejected()] == ["/pool/b.jpg"]


def test_a_rejected_image_that_left_the_pool_is_forgotten(tmp_path: Path) -> None:
    with IndexWriter(tmp_path, CARD) as writer:
        writer.reject(item("a"), "truncated")
    with IndexWriter(tmp_path, CARD) as writer:
        writer.finish(lambda uri: True)
    assert list(open_index(tmp_path).rejected()) == []


def test_two_live_rows_of_one_image_are_repaired(tmp_path: Path) -> None:
    """What a kill between a shard and `dead.npy` leaves."""
    with IndexWriter(tmp_path, CARD) as writer:
        writer.add([embedded("a")], vectors(1))
    with IndexWriter(tmp_path, CARD) as writer:
        writer.add([embedded("a", "2")], vectors(2))
    (tmp_path / "dead.npy").unlink()
    with IndexWriter(tmp_path, CARD):
        pass
    assert open_index(tmp_path).dead.tolist() == [0]


def test_a_shard_without_vectors_does_not_exist(tmp_path: Path) -> None:
    """What a kill between the metadata and the vectors of a shard leaves."""
    with IndexWriter(tmp_path, CARD, shard_rows=1) as writer:
        writer.add([embedded("a"), embedded("b")], vectors(1, 2))
    (tmp_path / "img_emb" / "img_emb_0001.npy").unlink()
    assert open_index(tmp_path).rows == 1
    with IndexWriter(tmp_path, CARD) as writer:
        assert writer.status(item("b")) == "new"
        writer.add([embedded("b")], vectors(2))
    assert open_index(tmp_path).uris(np.arange(2)) == ["/pool/a.jpg", "/pool/b.jpg"]


def test_a_second_writer_is_refused_and_readers_are_not(tmp_path: Path) -> None:
    with IndexWriter(tmp_path, CARD) as writer:
        writer.add([embedded("a")], vectors(1))
        writer.flush()
        with pytest.raises(IndexFolderError, match="another process"), IndexWriter(tmp_path, CARD):
            pass
        assert open_index(tmp_path).rows == 1


def test_another_model_is_refused_with_both_names(tmp_path: Path) -> None:
    with IndexWriter(tmp_path, CARD):
        pass
    model = ModelCard("other", "cd" * 32, 4, CARD.model.preprocessing)
    with (
        pytest.raises(ModelMismatch, match=r"made by toy .* uses other"),
        IndexWriter(tmp_path, IndexCard(model, "fast")),
    ):
        pass


def test_another_decoding_is_refused(tmp_path: Path) -> None:
    with IndexWriter(tmp_path, CARD):
        pass
    with (
        pytest.raises(ModelMismatch, match="fast decoding"),
        IndexWriter(tmp_path, IndexCard(CARD.model, "exact")),
    ):
        pass


def test_a_folder_of_another_tool_is_read_and_not_written(tmp_path: Path) -> None:
    with IndexWriter(tmp_path, CARD) as writer:
        writer.add([embedded("a")], vectors(1))
    (tmp_path / "index.json").unlink()
    assert open_index(tmp_path).card is None
    with pytest.raises(IndexFolderError, match="another tool"), IndexWriter(tmp_path, CARD):
        pass


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": 99}', '{"format": 1}'])
def test_a_damaged_index_json_is_named(tmp_path: Path, damage: str) -> None:
    (tmp_path / "index.json").write_text(damage)
    with pytest.raises(IndexFolderError, match=r"index\.json"):
        open_index(tmp_path)


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    with IndexWriter(tmp_path, CARD) as writer:
        writer.add([embedded("a")], vectors(1))
    (tmp_path / "img_emb" / "img_emb_0000.npy").write_bytes(b"nothing")
    with pytest.raises(IndexFolderError, match=r"img_emb_0000\.npy"):
        open_index(tmp_path)


def test_vectors_that_are_not_of_unit_length_are_refused(tmp_path: Path) -> None:
    (tmp_path / "img_emb").mkdir()
    np.save(tmp_path / "img_emb" / "img_emb_0000.npy", np.full((3, 4), 2, np.float16))
    with pytest.raises(IndexFolderError, match="unit length"):
        open_index(tmp_path)


@given(
    runs=st.lists(
        st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("12"), max_size=8),
        min_size=1,
        max_size=5,
    ),
    shard_rows=st.integers(1, 4),
)
def test_after_any_history_the_live_rows_are_the_last_listing(
    tmp_path_factory: pytest.TempPathFactory, runs: list[dict[str, str]], shard_rows: int
) -> None:
    folder = tmp_path_factory.mktemp("index")
    for listing in runs:
        with IndexWriter(folder, CARD, shard_rows=shard_rows) as writer:
            fresh = [
                (name, version)
                for name, version in listing.items()
                if writer.status(item(name, version)) == "new"
            ]
            if fresh:
                writer.add(
                    [embedded(name, version) for name, version in fresh],
                    vectors(*range(len(fresh))),
                )
            writer.finish(lambda uri: True)
    index = open_index(folder)
    live = np.setdiff1d(np.arange(index.rows), index.dead)
    found = dict(zip(index.uris(live), index.values("version", live), strict=True))
    assert found == {f"/pool/{name}.jpg": version for name, version in runs[-1].items()}
    assert len(found) == len(live)
    shutil.rmtree(folder)
