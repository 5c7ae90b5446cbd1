"""Where labeled examples come from, what is refused, and what is not embedded twice."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import gandt
from gandt.errors import GandtError, ManifestError, ModelError, SeedError, UsageError
from gandt.index.folder import Index, open_index
from gandt.index.update import update_index
from gandt.pool.sources import open_pool
from gandt.selection.seeds import Prompt, embed_seeds, find_seeds, parse_prompt
from gandt.types import Embedder

if TYPE_CHECKING:
    from conftest import MeanColor


def picture(path: Path, color: tuple[int, int, int] = (200, 20, 20)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 40), color).save(path)
    return path


def found(*sources: Path, attribute: str | None = None) -> list[tuple[str, str]]:
    seeds = find_seeds([str(source) for source in sources], attribute=attribute)
    return [(Path(seed.item.uri).name, seed.label) for seed in seeds]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures, red, green and blue, that tables may name."""
    for name, color in (("r", (220, 9, 9)), ("g", (9, 220, 9)), ("b", (9, 9, 220))):
        picture(tmp_path / "pictures" / f"{name}.png", color)
    return tmp_path / "pictures"


@pytest.fixture
def index(colors: Path, tmp_path: Path, mean_color: MeanColor) -> Index:
    update_index(open_pool([colors]), mean_color, tmp_path / "pool.index")
    return open_index(tmp_path / "pool.index")


def never() -> NoReturn:
    raise AssertionError("no model is needed here")


# ------------------------------------------------------------------------------------- folders


def test_a_folder_of_class_folders_names_the_classes(tmp_path: Path) -> None:
    picture(tmp_path / "seeds" / "cat" / "1.png")
    picture(tmp_path / "seeds" / "cat" / "deeper" / "2.png")
    picture(tmp_path / "seeds" / "big dog 🐕" / "3.png")
    (tmp_path / "seeds" / "cat" / "notes.txt").write_text("not an image")
    assert sorted(found(tmp_path / "seeds")) == [
        ("1.png", "cat"),
        ("2.png", "cat"),
        ("3.png", "big dog 🐕"),
    ]


def test_several_sources_add_up_and_count_each_image_once(tmp_path: Path) -> None:
    picture(tmp_path / "one" / "cat" / "1.png")
    picture(tmp_path / "two" / "dog" / "2.png")
    both = [tmp_path / "one", tmp_path / "two", tmp_path / "one"]
    assert found(*both) == [("1.png", "cat"), ("2.png", "dog")]


def test_loose_images_are_refused_with_the_way_out(tmp_path: Path) -> None:
    picture(tmp_path / "seeds" / "1.png")
    with pytest.raises(SeedError, match="no class folders; make one folder per class"):
        found(tmp_path / "seeds")
    picture(tmp_path / "seeds" / "cat" / "2.png")
    with pytest.raises(SeedError, match="1 image beside its class folders; move"):
        found(tmp_path / "seeds")


def test_nothing_at_the_path_is_said(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match=r"there is nothing at .*seeds; name a folder"):
        found(tmp_path / "seeds")


def test_an_image_is_no_source_of_seeds(pictures: Path) -> None:
    with pytest.raises(SeedError, match=r"r\.png is neither a table .* nor an output manifest"):
        found(pictures / "r.png")


# --------------------------------------------------------------------------------------- tables


def as_csv(path: Path, rows: Sequence[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)


def as_json_lines(path: Path, rows: Sequence[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def as_parquet(path: Path, rows: Sequence[dict[str, str]]) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)


WRITERS: dict[str, Callable[[Path, Sequence[dict[str, str]]], None]] = {
    ".csv": as_csv,
    ".tsv": as_csv,
    ".jsonl": as_json_lines,
    ".parquet": as_parquet,
}


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize(
    ("path", "label"), [("path", "label"), ("image_path", "class"), ("task", "label")]
)
def test_a_table_needs_a_path_and_a_label(
    pictures: Path, suffix: str, path: str, label: str
) -> None:
    """Also the labels table of a finished round: `task` and `label` among other columns."""
    rows = [
        {path: str(pictures / "r.png"), label: "red", "confidence": "0.9"},
        {path: "g.png", label: "green", "confidence": "0.8"},  # beside the table
        {path: "b.png", label: "", "confidence": ""},  # not labeled yet
    ]
    WRITERS[suffix](pictures / f"seeds{suffix}", rows)
    assert found(pictures / f"seeds{suffix}") == [("r.png", "red"), ("g.png", "green")]


def test_a_table_without_the_columns_says_which_there_are(tmp_path: Path) -> None:
    (tmp_path / "seeds.csv").write_text("foo,bar\n1,2\n")
    with pytest.raises(UsageError, match="columns are: foo, bar"):
        found(tmp_path / "seeds.csv")


def test_a_selection_is_no_table_of_labels(tmp_path: Path) -> None:
    (tmp_path / "s.selection.csv").write_text("uri,class,rank,score,why\n/a.png,cat,1,0.5,auto\n")
    with pytest.raises(SeedError, match="classes are guesses that nobody has checked"):
        found(tmp_path / "s.selection.csv")


def test_a_table_without_one_labeled_row_is_refused(tmp_path: Path) -> None:
    (tmp_path / "seeds.csv").write_text("path,label\na.png,\n")
    with pytest.raises(SeedError, match="no row with both a path and a label"):
        found(tmp_path / "seeds.csv")


def a_round(folder: Path, *rows: tuple[Path, str, bool]) -> Path:
    """The folder that `gandt aggregate` writes, as far as seeds are concerned."""
    folder.mkdir()
    columns = zip(*((str(path), label, sure) for path, label, sure in rows), strict=True)
    table = dict(zip(("task", "label", "certain"), map(list, columns), strict=True))
    pq.write_table(pa.table(table), folder / "labels.parquet")
    return folder


def test_a_finished_round_gives_its_certain_labels(pictures: Path, tmp_path: Path) -> None:
    rows = ((pictures / "r.png", "red", True), (pictures / "g.png", "green", False))
    folder = a_round(tmp_path / "round1", *rows)
    assert found(folder) == [("r.png", "red")]
    assert found(folder / "labels.parquet") == [("r.png", "red")]


def test_several_labels_of_an_image_make_it_a_seed_of_each(pictures: Path, tmp_path: Path) -> None:
    boxes = '[{"label": "cat", "left": 1, "top": 1, "width": 5, "height": 5}]'
    rows = ((pictures / "r.png", '["red", "warm"]', True), (pictures / "g.png", boxes, True))
    seeds = found(a_round(tmp_path / "round1", *rows))
    assert seeds == [("r.png", "red"), ("r.png", "warm"), ("g.png", "cat")]


def test_a_round_without_a_certain_label_is_no_seed(pictures: Path, tmp_path: Path) -> None:
    folder = a_round(tmp_path / "round1", (pictures / "r.png", "red", False))
    with pytest.raises(SeedError, match="no label that is certain"):
        found(folder)


# ----------------------------------------------------------------------------- output manifests


def job_line(uri: Path, name: str, label: int, attribute: str = "kind") -> str:
    """As SageMaker Ground Truth writes it for an image classification job."""
    metadata = {
        "class-name": name,
        "confidence": 0.95,
        "type": "groundtruth/image-classification",
        "job-name": "labeling-job/kind",
        "human-annotated": "yes",
        "creation-date": "2024-05-18T09:12:44.313000",
    }
    line = {"source-ref": str(uri), attribute: label, f"{attribute}-metadata": metadata}
    return json.dumps(line) + "\n"


@pytest.mark.parametrize("name", ["output.manifest", "output.jsonl"])
def test_the_output_of_a_job_is_the_seeds_of_the_next_round(pictures: Path, name: str) -> None:
    file = pictures / name
    file.write_text(
        job_line(pictures / "r.png", "red", 0)
        + job_line(pictures / "g.png", "green", 1)
        + json.dumps({"source-ref": str(pictures / "b.png")})  # a line nobody answered yet
        + "\n"
    )
    assert found(file) == [("r.png", "red"), ("g.png", "green")]


def test_of_several_jobs_one_must_be_named(pictures: Path) -> None:
    file = pictures / "output.manifest"
    file.write_text(
        job_line(pictures / "r.png", "red", 0, "color")
        + job_line(pictures / "g.png", "grass", 1, "thing")
    )
    with pytest.raises(ManifestError, match="several jobs"):
        found(file)
    assert found(file, attribute="thing") == [("g.png", "grass")]


def test_a_manifest_without_labels_is_no_source_of_seeds(pictures: Path) -> None:
    file = pictures / "input.manifest"
    file.write_text(json.dumps({"source-ref": str(pictures / "r.png")}) + "\n")
    with pytest.raises(ManifestError, match="no labels in it"):
        found(file)


# --------------------------------------------------------------------------------------- vectors


def test_seeds_are_grouped_by_class_with_unit_vectors(
    index: Index, mean_color: MeanColor, tmp_path: Path
) -> None:
    picture(tmp_path / "seeds" / "red" / "1.png", (220, 9, 9))
    picture(tmp_path / "seeds" / "red" / "2.png", (180, 30, 9))
    picture(tmp_path / "seeds" / "Other" / "3.png", (9, 9, 220))
    seeds, unreadable = embed_seeds(
        find_seeds([str(tmp_path / "seeds")]), [], index, lambda: mean_color
    )
    assert (seeds.classes, seeds.targets, seeds.other) == (("Other", "red"), ("red",), "Other")
    assert [[Path(uri).name for uri in group] for group in seeds.uris] == [
        ["3.png"],
        ["1.png", "2.png"],
    ]
    assert [vectors.argmax(axis=1).tolist() for vectors in seeds.vectors] == [[2], [0, 0]]
    for vectors in seeds.vectors:
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert not unreadable
    assert all(len(sha) == 64 for group in seeds.sha256 for sha in group)


def test_any_class_can_be_the_contrast(index: Index, mean_color: MeanColor, pictures: Path) -> None:
    as_csv(
        pictures / "s.csv",
        [{"path": "r.png", "label": "yes"}, {"path": "g.png", "label": "no"}],
    )
    items = find_seeds([str(pictures / "s.csv")])
    seeds, _ = embed_seeds(items, [], index, lambda: mean_color, other="no")
    assert (seeds.targets, seeds.other) == (("yes",), "no")


def test_seeds_that_the_index_holds_are_not_embedded_again(colors: Path, index: Index) -> None:
    as_csv(colors / "s.csv", [{"path": f"00{n}.png", "label": "any"} for n in range(3)])
    seeds, _ = embed_seeds(find_seeds([str(colors / "s.csv")]), [], index, never)
    np.testing.assert_array_equal(seeds.vectors[0], index.take(np.arange(3)))
    assert list(seeds.sha256[0]) == index.values("sha256", np.arange(3))


def test_a_seed_that_changed_since_is_embedded_anew(
    colors: Path, index: Index, mean_color: MeanColor
) -> None:
    picture(colors / "000.png", (9, 9, 220))  # it was red
    as_csv(colors / "s.csv", [{"path": "000.png", "label": "any"}])
    seeds, _ = embed_seeds(find_seeds([str(colors / "s.csv")]), [], index, lambda: mean_color)
    assert seeds.vectors[0].argmax() == 2


def test_an_image_that_can_no_longer_be_read_is_still_a_seed(colors: Path, index: Index) -> None:
    as_csv(colors / "s.csv", [{"path": "000.png", "label": "any"}])
    (colors / "000.png").unlink()
    seeds, _ = embed_seeds(find_seeds([str(colors / "s.csv")]), [], index, never)
    np.testing.assert_array_equal(seeds.vectors[0], index.take(np.array([0])))


# -------------------------------------------------------------------------------------- mistakes


def test_unreadable_seeds_are_listed_while_their_class_has_others(
    index: Index, mean_color: MeanColor, tmp_path: Path
) -> None:
    picture(tmp_path / "seeds" / "red" / "1.png")
    (tmp_path / "seeds" / "red" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    seeds, unreadable = embed_seeds(
        find_seeds([str(tmp_path / "seeds")]), [], index, lambda: mean_color
    )
    assert len(seeds.vectors[0]) == 1
    assert [Path(uri).name for uri, _ in unreadable] == ["cut.png"]
    assert unreadable[0][1]


def test_a_class_without_a_readable_seed_is_refused(
    index: Index, mean_color: MeanColor, tmp_path: Path
) -> None:
    picture(tmp_path / "seeds" / "red" / "1.png")
    (tmp_path / "seeds" / "blue").mkdir()
    (tmp_path / "seeds" / "blue" / "cut.png").write_bytes(b"")
    items = find_seeds([str(tmp_path / "seeds")])
    with pytest.raises(SeedError, match=r"class blue has no readable seed \(1 of 2 seed images"):
        embed_seeds(items, [], index, lambda: mean_color)


def test_seeds_of_the_contrast_class_alone_are_refused(
    index: Index, mean_color: MeanColor, tmp_path: Path
) -> None:
    picture(tmp_path / "seeds" / "Other" / "1.png")
    items = find_seeds([str(tmp_path / "seeds")])
    with pytest.raises(SeedError, match="all seeds are of the contrast class 'Other'"):
        embed_seeds(items, [], index, lambda: mean_color)


def test_no_seeds_at_all_are_refused(index: Index) -> None:
    with pytest.raises(SeedError, match="there are no seeds; give --seeds a folder"):
        embed_seeds([], [], index, never)


# --------------------------------------------------------------------------------------- prompts


@pytest.mark.parametrize(
    ("value", "text", "label"),
    [
        ("rust on steel=defect", "rust on steel", "defect"),
        (" a = b =c ", "a = b", "c"),
        ("a cat 🐈=big cat", "a cat 🐈", "big cat"),
    ],
)
def test_a_prompt_is_a_text_and_a_class(value: str, text: str, label: str) -> None:
    assert parse_prompt(value) == Prompt(text, label)


@pytest.mark.parametrize("value", ["rust", "=defect", "rust=", " = ", ""])
def test_half_a_prompt_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="write TEXT=CLASS, for example"):
        parse_prompt(value)


TINY_CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture
def clip(tmp_path: Path) -> Embedder:
    """A small open_clip model with random weights, loaded as a user would name it."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    from gandt.embedding.runtime import load_embedder

    torch.manual_seed(0)
    (tmp_path / "clip").mkdir()
    state = open_clip.CLIP(**TINY_CLIP).state_dict()
    save_file(
        {name: tensor.contiguous() for name, tensor in state.items()},
        tmp_path / "clip" / "open_clip_model.safetensors",
    )
    how = {"size": 32, "mode": "RGB", "mean": [0.5] * 3, "std": [0.5] * 3}
    how |= {"interpolation": "bicubic", "resize_mode": "shortest"}
    (tmp_path / "clip" / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": TINY_CLIP, "preprocess_cfg": how})
    )
    embedder, _ = load_embedder(str(tmp_path / "clip"), device="cpu", runtime="torch")
    return embedder


def test_texts_are_seeds_beside_images(clip: Embedder, colors: Path, tmp_path: Path) -> None:
    update_index(open_pool([colors]), clip, tmp_path / "clip.index")
    index = open_index(tmp_path / "clip.index")
    shutil.copytree(colors, tmp_path / "seeds" / "paint")
    prompts = [Prompt("a red wall", "wall"), Prompt("wet paint", "paint")]
    seeds, _ = embed_seeds(find_seeds([str(tmp_path / "seeds")]), prompts, index, lambda: clip)
    assert seeds.classes == ("paint", "wall")
    assert (len(seeds.uris[0]), seeds.uris[1]) == (61, ("a red wall",))
    np.testing.assert_allclose(seeds.vectors[1], clip.encode_text(["a red wall"]), atol=1e-6)
    assert seeds.sha256[1] == ("",)


def test_a_model_without_words_refuses_prompts(index: Index) -> None:
    from gandt.embedding.runtime import load_embedder

    embedder, _ = load_embedder("efficientnet-lite0", device="cpu", runtime="torch")
    with pytest.raises(ModelError, match="no text tower"):
        embed_seeds([], [Prompt("a cat", "cat")], index, lambda: embedder)


def test_every_refusal_is_one_of_ours(tmp_path: Path) -> None:
    (tmp_path / "seeds.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(GandtError, match=r"seeds\.parquet"):
        found(tmp_path / "seeds.parquet")


def test_seeds_that_a_machine_labeled_are_said(index: Index, colors: Path, tmp_path: Path) -> None:
    rows = [f"{colors}/{row:03d}.png,red,{who}" for row, who in enumerate(("human", "machine"))]
    (tmp_path / "seeds.csv").write_text("\n".join(["task,label,source", *rows, ""]))
    selection = gandt.select(index, tmp_path / "seeds.csv", budget=3)
    assert "1 seed is an automatic label, which no person has checked." in selection.notes
