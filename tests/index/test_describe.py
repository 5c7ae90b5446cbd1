"""The facts of an index, in words and for machines."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gandt.errors import IndexFolderError
from gandt.index.card import read_card, write_card
from gandt.index.describe import describe
from gandt.index.update import update_index
from gandt.pool.sources import open_pool

if TYPE_CHECKING:
    from conftest import MeanColor


@pytest.fixture
def folder(colors: Path, tmp_path: Path, mean_color: MeanColor) -> Path:
    (colors / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (colors / "empty.png").write_bytes(b"")
    update_index(open_pool([colors]), mean_color, tmp_path / "index")
    (colors / "007.png").unlink()
    update_index(open_pool([colors]), mean_color, tmp_path / "index")
    return tmp_path / "index"


def test_facts_are_counted(folder: Path) -> None:
    facts = describe(folder)
    assert (facts.images, facts.dead, facts.dimension, facts.shards) == (59, 1, 4, 1)
    assert facts.bytes == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert sorted(Path(record.uri).name for record in facts.rejected) == ["cut.png", "empty.png"]


def test_facts_in_words(folder: Path) -> None:
    lines = dict(describe(folder).lines())
    assert lines["index"] == str(folder)
    assert lines["images"] == "59 to search"
    assert lines["gone"] == "1 row of images that left the pool or changed"
    assert lines["model"] == "mean-color, weights sha256 000000000000…"
    assert lines["pixels"] == "32 x 32, bicubic, central crop 1; fast decoding"
    assert lines["vectors"].startswith("4 dimensions, 1 shard, 0.0 MB")
    assert lines["search"] == "exact, straight over the stored vectors"
    assert lines["rejected"].startswith("2 images (")


def test_a_built_search_index_is_told_with_its_recall(folder: Path) -> None:
    card = read_card(folder)
    assert card is not None
    search = {"factory": "IVF64,SQ8", "rows": 60, "recall": 0.9731, "recall_at": 100}
    write_card(folder, replace(card, search=search))
    lines = dict(describe(folder).lines())
    assert lines["search"] == "IVF64,SQ8, recall@100 0.973, built over 60 rows"


def test_facts_for_machines_are_plain_json(folder: Path) -> None:
    value = json.loads(json.dumps(describe(folder).as_json()))
    assert (value["images"], value["dead"], value["decoding"]) == (59, 1, "fast")
    assert value["model"]["model"] == "mean-color"
    assert value["model"]["preprocessing"]["size"] == 32
    assert {Path(record["uri"]).name for record in value["rejected"]} == {"cut.png", "empty.png"}
    assert all(record["reason"] for record in value["rejected"])


@pytest.mark.parametrize("kind", ["missing", "file", "empty"])
def test_what_is_no_index_is_said(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "x.index"
    if kind == "file":
        place.write_text("")
    if kind == "empty":
        place.mkdir()
    expected = {
        "missing": "does not exist; name an index folder, or create one",
        "file": "is a file, not an index folder",
        "empty": "holds neither index.json nor img_emb/",
    }
    with pytest.raises(IndexFolderError, match=expected[kind]):
        describe(place)
