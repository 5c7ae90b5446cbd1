"""Index folders are shared with clip-retrieval and autofaiss: theirs open here, ours open there.

clip-retrieval writes `img_emb/img_emb_<n>.npy` and `metadata/metadata_<n>.parquet` with the column
`image_path` (and a caption); autofaiss reads the folder of `.npy` files as one matrix.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pyarrow import Table

from gandt.api import select
from gandt.embedding.runtime import load_embedder
from gandt.errors import IndexFolderError, ModelMismatch
from gandt.index.describe import describe
from gandt.index.folder import open_index
from gandt.index.update import update_index
from gandt.pool.decode import decode
from gandt.pool.sources import open_pool

if TYPE_CHECKING:
    from conftest import MeanColor

MODEL = "efficientnet-lite0"


def write_as_clip_retrieval(
    folder: Path, shards: list[tuple[list[str], np.ndarray]], digits: int = 1
) -> Path:
    """Write what `clip_retrieval.clip_inference` leaves with `--enable_text False`."""
    (folder / "img_emb").mkdir(parents=True)
    (folder / "metadata").mkdir()
    for number, (paths, matrix) in enumerate(shards):
        name = f"{number:0{digits}d}"
        np.save(folder / "img_emb" / f"img_emb_{name}.npy", matrix)
        table = Table.from_pydict({"image_path": paths})
        pq.write_table(table, folder / "metadata" / f"metadata_{name}.parquet")
    return folder


def units(rows: int, dimension: int = 8, seed: int = 0) -> np.ndarray:
    out = np.random.default_rng(seed).normal(size=(rows, dimension))
    return (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("digits", [1, 3])
def test_their_folder_opens_and_describes_itself(tmp_path: Path, dtype: type, digits: int) -> None:
    paths = [f"/photos/{number}.jpg" for number in range(13)]
    matrix = units(13)
    shards = [(paths[:6], matrix[:6].astype(dtype)), (paths[6:], matrix[6:].astype(dtype))]
    folder = write_as_clip_retrieval(tmp_path / "theirs", shards, digits)
    index = open_index(folder)
    assert (index.rows, index.live_rows, index.dimension, index.card) == (13, 13, 8, None)
    assert index.uris(np.array([12, 0, 6])) == [paths[12], paths[0], paths[6]]
    np.testing.assert_allclose(index.take(np.arange(13)), matrix, atol=2e-3)
    assert index.find("image_path", ["/photos/7.jpg", "/elsewhere.jpg"]).tolist() == [7]
    assert index.find("sha256", ["0" * 64]).tolist() == []
    facts = describe(folder)
    assert dict(facts.lines())["model"] == "not stated; gandt did not write this folder"
    assert facts.as_json()["model"] is None


def test_more_than_ten_shards_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    shards = [([f"/{number}.jpg"], units(1, seed=number)) for number in range(12)]
    index = open_index(write_as_clip_retrieval(tmp_path / "theirs", shards))
    assert index.uris(np.arange(12)) == [f"/{number}.jpg" for number in range(12)]


def test_vectors_that_are_not_of_unit_length_are_refused(tmp_path: Path) -> None:
    folder = write_as_clip_retrieval(tmp_path / "theirs", [(["/a.jpg", "/b.jpg"], 3 * units(2))])
    with pytest.raises(IndexFolderError, match="not of unit length; normalize"):
        open_index(folder)


def test_metadata_of_another_length_are_refused(tmp_path: Path) -> None:
    folder = write_as_clip_retrieval(tmp_path / "theirs", [(["/a.jpg"], units(2))])
    with pytest.raises(IndexFolderError, match=r"has 1 rows and img_emb_0\.npy has 2"):
        open_index(folder).uris(np.array([1]))


def test_a_folder_of_another_tool_is_not_written_to(
    tmp_path: Path, colors: Path, mean_color: MeanColor
) -> None:
    folder = write_as_clip_retrieval(tmp_path / "theirs", [(["/a.jpg"], units(1, 4))])
    with pytest.raises(IndexFolderError, match="another tool wrote it"):
        update_index(open_pool([colors]), mean_color, folder)
    assert not (folder / "index.json").exists()


def test_their_folder_can_be_selected_from_when_the_model_is_named(
    tmp_path: Path, colors: Path
) -> None:
    embedder, _ = load_embedder(MODEL, device="cpu", runtime="torch")
    files = sorted(colors.iterdir())[:24]
    how = embedder.card.preprocessing
    pixels = np.stack([decode(file.read_bytes(), how, exact=True).pixels for file in files])
    matrix = embedder.encode(pixels).astype(np.float16)
    paths = [str(file) for file in files]
    folder = write_as_clip_retrieval(tmp_path / "theirs", [(paths, matrix)])
    (tmp_path / "seeds" / "red").mkdir(parents=True)
    Image.new("RGB", (48, 40), (220, 30, 30)).save(tmp_path / "seeds" / "red" / "1.png")

    with pytest.raises(IndexFolderError, match="does not say which model made it; pass --model"):
        select(folder, tmp_path / "seeds")
    selection = select(
        folder, tmp_path / "seeds", model=MODEL, budget=3, strategy="nearest", duplicates=1.5
    )
    assert len(selection) == 3
    found = [int(Path(candidate.uri).stem) % 3 for candidate in selection.candidates]
    assert found == [0, 0, 0]  # every third picture of the pool is red


def test_a_model_of_another_dimension_is_refused(tmp_path: Path, colors: Path) -> None:
    folder = write_as_clip_retrieval(tmp_path / "theirs", [(["/a.jpg"], units(1))])
    (tmp_path / "seeds.csv").write_text(f"path,label\n{colors}/000.png,red\n")
    with pytest.raises(ModelMismatch, match=r"holds vectors of 8 dimensions and .* makes 1280"):
        select(folder, tmp_path / "seeds.csv", model=MODEL)


def test_seeds_in_their_folder_need_no_model(tmp_path: Path) -> None:
    paths = [f"/photos/{number}.jpg" for number in range(30)]
    folder = write_as_clip_retrieval(tmp_path / "theirs", [(paths, units(30))])
    with (tmp_path / "seeds.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), (paths[0], "a"), (paths[1], "b")])
    selection = select(folder, tmp_path / "seeds.csv", budget=4)
    assert len(selection) == 4
    assert not {paths[0], paths[1]} & {candidate.uri for candidate in selection.candidates}


def test_our_folder_reads_as_theirs(tmp_path: Path, colors: Path, mean_color: MeanColor) -> None:
    """As autofaiss does: every `.npy` of `img_emb/` in the order of names, nothing else needed."""
    update_index(open_pool([colors]), mean_color, tmp_path / "ours", shard_rows=7)
    shards = sorted((tmp_path / "ours" / "img_emb").glob("*.npy"))
    tables = sorted((tmp_path / "ours" / "metadata").glob("*.parquet"))
    assert len(shards) == len(tables) > 1
    matrix = np.concatenate([np.load(path, allow_pickle=False) for path in shards])
    assert (matrix.dtype, matrix.shape) == (np.float16, (60, 4))
    np.testing.assert_allclose(np.linalg.norm(matrix.astype(np.float32), axis=1), 1, atol=2e-3)
    paths = [path for table in tables for path in pq.read_table(table)["image_path"].to_pylist()]
    assert paths == [str(path) for path in sorted(colors.iterdir())]
    for name in ("img_emb", "metadata"):
        others = {path.suffix for path in (tmp_path / "ours" / name).iterdir()}
        assert len(others) == 1
