"""Saving a round: the files that `gandt select` would write, and seeds that it reads back."""

from __future__ import annotations

import csv
import hashlib
import json
import shlex
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from explore_pool import SHADES, shade
from PIL import Image

from gandt.cli.main import main
from gandt.embedding.runtime import load_embedder
from gandt.errors import GandtError, SeedError, UsageError
from gandt.groundtruth.manifest import read_source_refs
from gandt.index.folder import Index
from gandt.index.update import update_index
from gandt.labeling.queue_open import QueueOptions, open_queue
from gandt.pool.sources import open_pool
from gandt.selection.seeds import find_seeds
from gandt.selection.select import SelectOptions
from gandt.serving.service.explore.engine import Engine, NoSuchImage, Ref, UnusableRef
from gandt.serving.service.explore.saving.save import FileExists, Saved, SaveRequest, save_round
from gandt.types import FloatArray, Pixels

if TYPE_CHECKING:
    from conftest import MeanColor

WRITTEN = ("manifest", "selection.csv", "selection.parquet")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pool of 45 pictures, where commands are run."""
    for number in range(45):
        color = list(SHADES)[number % 3]
        shade(tmp_path / "pool" / f"{number:02d}.png", color, number)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def engine(project: Path, mean_color: MeanColor) -> Engine:
    """The pool by its mean colors."""
    update_index(open_pool([project / "pool"]), mean_color, project / "pool.index")
    return Engine(Index(project / "pool.index"), lambda: mean_color)


class TextColor:
    """An embedder whose texts are names of colors, under a name as CLIP models have it."""

    batch_size, device, concurrency = 4, "cpu", 2

    def __init__(self, inner: MeanColor) -> None:
        self.inner = inner
        self.card = replace(inner.card, model="toy:colors")

    def encode(self, pixels: Pixels) -> FloatArray:
        return self.inner.encode(pixels)

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        named = [next((rgb for name, rgb in SHADES.items() if name in text), 0) for text in texts]
        return self.encode(np.stack([np.full((2, 2, 3), rgb, dtype=np.uint8) for rgb in named]))


def ids(*numbers: int) -> list[Ref]:
    return [Ref(id=number) for number in numbers]


def uploads(folder: Path, color: str, *numbers: int) -> list[Ref]:
    paths = [shade(folder / "elsewhere" / f"{n}.png", color, n) for n in numbers]
    return [Ref(image=path.read_bytes()) for path in paths]


def request(
    seeds: dict[str, list[Ref]], name: str = "round1", *, replace: bool = False, **more: object
) -> SaveRequest:
    options = {"budget": 12, "duplicates": 1.0, **more}
    other, exclude = options.pop("other", "Other"), options.pop("exclude", ())
    return SaveRequest(name, replace, seeds, SelectOptions(**options), other, exclude)  # type: ignore[arg-type]


def files(folder: Path, name: str = "round1") -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).as_posix().startswith(f"{name}.")
    }


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command of ours in this process."""
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code


@pytest.fixture
def same_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Saved], None]:
    """Ask `gandt select` for what was saved, and compare byte for byte."""

    def check(saved: Saved) -> None:
        before = {name: (project / f"round1.{name}").read_bytes() for name in WRITTEN}
        for name in WRITTEN:
            (project / f"round1.{name}").unlink()
        run(saved.again, monkeypatch)
        for name, data in before.items():
            assert (project / f"round1.{name}").read_bytes() == data, name

    return check


# ------------------------------------------------------------------------ what gandt select writes


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"strategy": "nearest", "budget": 5},
        {"per_class": 3},
        {"quotas": {"blue": 4, "red": 2}},
        {"diversity": 0.5, "explore": 0.25, "random_seed": 3},
        {"min_similarity": 0.5, "duplicates": 0.9999, "strategy": "probe"},
        {"exclude": [Ref(id=3), Ref(id=9), Ref(id=3), Ref(id=4)], "other": "green"},
    ],
    ids=["defaults", "nearest", "per class", "quotas", "spread", "copies", "excluded"],
)
def test_the_files_are_those_of_gandt_select(
    engine: Engine, project: Path, same_again: Callable[[Saved], None], more: dict[str, object]
) -> None:
    seeds = {"red": ids(0, 6), "blue": ids(2), "green": ids(1)}
    saved = save_round(engine, project, request(seeds, **more))
    assert saved.candidates == len((project / "round1.manifest").read_text().splitlines()) > 0
    same_again(saved)


def test_with_the_real_model_and_uploads_they_are_as_well(
    project: Path, same_again: Callable[[Saved], None]
) -> None:
    """Vectors depend on the batch in their last bits; what is embedded together is embedded so."""
    model = load_embedder("efficientnet-lite0", device="cpu", runtime="torch")[0]
    update_index(open_pool([project / "pool"]), model, project / "pool.index")
    engine = Engine(Index(project / "pool.index"), lambda: model)
    red = uploads(project, "red", *range(100, 106))
    blue = uploads(project, "blue", 110, 111)
    for ref in (*red, *blue):
        engine.vectors([ref])  # as one drops them into the page, one by one
    seeds = {"red": [*red[:3], Ref(id=0), *red[3:]], "blue": [Ref(id=2), *blue]}
    saved = save_round(engine, project, request(seeds, budget=20))
    same_again(saved)


def test_seeds_are_read_back_as_they_were(engine: Engine, project: Path) -> None:
    new = uploads(project, "red", 100, 101)
    twelve = engine.pictures([12])[0].uri
    seeds = {
        "red": [Ref(id=9), new[0], Ref(uri=twelve), new[1], Ref(id=9), new[0]],
        "Other": [Ref(id=1)],
        'with, "marks" = and ü': [Ref(id=2), Ref(id=5)],
        " not [a] list ": [Ref(id=8)],
        "no seeds yet": [],
    }
    saved = save_round(engine, project, request(seeds))
    hashes = [hashlib.sha256(ref.image or b"").hexdigest() for ref in new]
    held = [str(project / f"round1.uploads/{value}.png") for value in hashes]
    pool = {n: str(project / f"pool/{n:02d}.png") for n in (1, 2, 5, 8, 9, 12)}
    found = find_seeds([str(project / "round1.seeds.csv")])
    assert [(seed.item.uri, seed.label) for seed in found] == [
        *((pool[9], "red"), (held[0], "red"), (pool[12], "red"), (held[1], "red")),
        (pool[1], "Other"),
        *((pool[n], 'with, "marks" = and ü') for n in (2, 5)),
        (pool[8], " not [a] list "),
    ]
    for path, ref in zip(held, new, strict=True):
        assert Path(path).read_bytes() == ref.image
    rows = list(csv.reader((project / "round1.seeds.csv").read_text("utf-8").splitlines()))
    assert rows[0] == ["image_path", "label"]
    assert rows[2] == [f"round1.uploads/{hashes[0]}.png", "red"], "the folder can be moved"
    about = {Path(file.path).name: file.about for file in saved.files}
    assert about == {
        "round1.seeds.csv": "8 seeds of 4 classes, for gandt select --seeds",
        "round1.uploads": "2 uploaded seeds, which the table names",
        "round1.manifest": "12 tasks, for gandt label and gandt launch",
        "round1.selection.csv": "why each image was chosen",
        "round1.selection.parquet": "the same for machines",
    }
    assert all(Path(file.path).is_absolute() and Path(file.path).exists() for file in saved.files)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tif", "gif", "bmp"])
def test_an_upload_is_called_by_its_content(
    engine: Engine, project: Path, mean_color: MeanColor, kind: str
) -> None:
    path = project / f"seed.{kind}"
    Image.new("RGB", (30, 30), (180, 30, 30)).save(path)
    save_round(engine, project, request({"red": [Ref(image=path.read_bytes())]}))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (project / f"round1.uploads/{sha256}.{kind}").read_bytes() == path.read_bytes()
    text = (project / "round1.selection.csv").read_text()
    assert str(project / f"round1.uploads/{sha256}.{kind}") in text
    assert ".gandt-save" not in text


def test_candidates_are_those_that_the_engine_shows(engine: Engine, project: Path) -> None:
    seeds = {"red": [*ids(0), *uploads(project, "red", 100)], "blue": ids(2)}
    asked = request(seeds, exclude=ids(3, 5))
    save_round(engine, project, asked)
    shown = engine.select(seeds, asked.options, exclude=asked.exclude).selection
    manifest = str(project / "round1.manifest")
    assert list(read_source_refs(manifest)) == [c.uri for c in shown.candidates]


def test_the_manifest_can_be_labeled_by_the_command_that_is_told(
    engine: Engine, project: Path
) -> None:
    saved = save_round(engine, project, request({"red": ids(0), "Other": ids(1)}))
    words = shlex.split(saved.next)
    assert words == ["gandt", "label", "round1.manifest", "--labels", "red,Other"]
    options = QueueOptions(tuple(words[4].split(",")))
    queue = open_queue(str(project / words[2]), str(project / "round1.answers"), options)
    try:
        assert len(queue.tasks) == saved.candidates
        assert queue.labels == ("red", "Other")
    finally:
        queue.close()


def test_commands_are_as_one_types_them_where_the_service_runs(
    engine: Engine, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = project / "my rounds"
    rounds.mkdir()
    saved = save_round(engine, rounds, request({"a,b": ids(0), "it's": ids(2)}, "-r"))
    assert shlex.split(saved.next) == [
        *("gandt", "label", "my rounds/-r.manifest", "--out", "my rounds/-r.answers")
    ], "labels with commas cannot be listed"
    monkeypatch.chdir(rounds)
    saved = save_round(engine, rounds, request({"it's": ids(2)}, "-s", other="not it"))
    assert shlex.split(saved.next) == [
        *("gandt", "label", "./-s.manifest", "--labels", "it's,not it")
    ]
    monkeypatch.chdir("/")
    saved = save_round(engine, rounds, request({"it's": ids(2)}, "t"))
    assert str(rounds).removeprefix("/") + "/t.manifest" in shlex.split(saved.next)


def test_texts_are_told_as_prompts(
    project: Path, mean_color: MeanColor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that embeds texts; a text cannot stand in a table of images."""
    model = TextColor(mean_color)
    update_index(open_pool([project / "pool"]), model, project / "pool.index")
    engine = Engine(Index(project / "pool.index"), lambda: model)
    import gandt.embedding.runtime as runtime

    monkeypatch.setattr(runtime, "load_embedder", lambda *name, **options: (model, "colors"))
    seeds = {
        "red": [Ref(text='"red" = $HOME; rm -rf'), Ref(id=0)],
        "blue": [Ref(text="blue"), Ref(text=" blue ")],
        "x=y": [Ref(text="green")],
    }
    saved = save_round(engine, project, request(seeds))
    words = shlex.split(saved.again)
    said = [words[at + 1] for at, word in enumerate(words) if word == "--prompt"]
    assert said == ['"red" = $HOME; rm -rf=red', "blue=blue"]
    assert "4 texts cannot stand in a table" in " ".join(saved.notes)
    assert "no --prompt can say ' blue ' of the class 'blue'." in saved.notes
    assert "no --prompt can say 'green' of the class 'x=y'." in saved.notes
    assert len(find_seeds([str(project / "round1.seeds.csv")])) == 1

    seeds = {"red": [Ref(text='"red" = $HOME; rm -rf'), Ref(id=0)], "blue": [Ref(text="blue")]}
    saved = save_round(engine, project, request(seeds, replace=True))
    before = {name: (project / f"round1.{name}").read_bytes() for name in WRITTEN}
    run(saved.again, monkeypatch)
    assert before == {name: (project / f"round1.{name}").read_bytes() for name in WRITTEN}

    saved = save_round(engine, project, request({"blue": [Ref(text="blue")]}, replace=True))
    assert not (project / "round1.seeds.csv").exists(), "it would be of the save before"
    assert "--seeds" not in saved.again
    before = {name: (project / f"round1.{name}").read_bytes() for name in WRITTEN}
    run(saved.again, monkeypatch)
    assert before == {name: (project / f"round1.{name}").read_bytes() for name in WRITTEN}


def test_what_was_set_aside_is_a_table_for_exclude(engine: Engine, project: Path) -> None:
    copy = Ref(image=(project / "pool" / "09.png").read_bytes())
    uri = str(project / "pool" / "06.png")
    aside = [Ref(id=3), Ref(uri=uri), copy, Ref(uri="/not/in/the/pool.png"), Ref(id=10**9)]
    saved = save_round(engine, project, request({"red": ids(0)}, budget=40, exclude=aside))
    rows = (project / "round1.set-aside.csv").read_text().splitlines()
    assert rows == ["image_path", *(str(project / "pool" / f"0{n}.png") for n in (3, 6, 9))]
    refs = set(read_source_refs(str(project / "round1.manifest")))
    assert not refs & set(rows)
    assert "3 images set aside, for gandt select --exclude" in {file.about for file in saved.files}


# ----------------------------------------------------------------------------- what is in the pool


def test_seeds_that_changed_or_are_gone_are_taken_as_gandt_select_takes_them(
    engine: Engine, project: Path, same_again: Callable[[Saved], None], mean_color: MeanColor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import gandt.embedding.runtime as runtime

    monkeypatch.setattr(runtime, "load_embedder", lambda *name, **options: (mean_color, "colors"))
    (project / "pool" / "00.png").unlink()
    shade(project / "pool" / "03.png", "red", 777)
    (project / "pool" / "06.png").write_bytes(b"no image any more")
    saved = save_round(engine, project, request({"red": ids(0, 3, 6), "blue": ids(2)}))
    assert "1 seed left out as unreadable" in " ".join(saved.notes)
    same_again(saved)


def test_images_in_tar_shards_are_seeds_too(
    project: Path, mean_color: MeanColor, same_again: Callable[[Saved], None]
) -> None:
    with tarfile.open(project / "shard.tar", "w") as shard:
        for path in sorted((project / "pool").iterdir()):
            shard.add(path, f"in/{path.name}")
    update_index(open_pool([project / "shard.tar"]), mean_color, project / "pool.index")
    engine = Engine(Index(project / "pool.index"), lambda: mean_color)
    saved = save_round(engine, project, request({"red": ids(0, 3), "blue": ids(2)}))
    found = [seed.item.uri for seed in find_seeds([str(project / "round1.seeds.csv")])]
    assert found[0] == f"{project}/shard.tar#in/00.png"
    same_again(saved)


def test_names_that_a_table_cannot_hold_are_told(project: Path, mean_color: MeanColor) -> None:
    """A folder of another tool may name images by relative paths or web addresses."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    update_index(open_pool([project / "pool"]), mean_color, project / "pool.index")
    (project / "pool.index" / "index.json").unlink()
    path = project / "pool.index" / "metadata" / "metadata_0000.parquet"
    absolute = pq.read_table(path)["image_path"].to_pylist()
    names = [f"pool/{n:02d}.png" if n % 2 else absolute[n] for n in range(45)]
    names[2] = "https://example.org/2.jpg"
    pq.write_table(pa.table({"image_path": names}), path)
    engine = Engine(Index(project / "pool.index"), lambda: mean_color)
    seeds = {"red": ids(0, 3), "blue": ids(2)}
    saved = save_round(engine, project, request(seeds, exclude=ids(5, 6)))
    assert [s.item.uri for s in find_seeds([str(project / "round1.seeds.csv")])] == [absolute[0]]
    told = " ".join(saved.notes)
    assert "2 seeds not in round1.seeds.csv" in told
    assert "pool/03.png, https://example.org/2.jpg." in told
    assert "1 image not in round1.set-aside.csv" in told
    lines = (project / "round1.manifest").read_text().splitlines()
    labels = {json.loads(line)["gandt-class"] for line in lines}
    assert labels == {"red", "blue"}, "they count all the same"


# --------------------------------------------------------------------------------------- refusals


def nothing_written(project: Path) -> bool:
    return not files(project) and not list(project.glob(".gandt-save-*"))


@pytest.mark.parametrize(
    ("seeds", "error"),
    [
        ({}, SeedError),
        ({"red": []}, SeedError),
        ({"Other": ids(0)}, SeedError),
        ({"red": ids(10**6)}, NoSuchImage),
        ({"red": [Ref(uri="/etc/passwd")]}, NoSuchImage),
        ({"red": [Ref(image=b"no image")]}, UnusableRef),
        ({"red": [Ref(image=b"\xff\xd8\xff broken")]}, UnusableRef),
        ({"red": [Ref(text="red")]}, UnusableRef),
        ({'["a", "b"]': ids(0)}, UsageError),
        ({" ": ids(0)}, UsageError),
        ({"a\r\nb": ids(0)}, UsageError),
        ({"a\ud800": ids(0)}, GandtError),
    ],
)
def test_seeds_that_cannot_be_used_leave_nothing(
    engine: Engine, project: Path, seeds: dict[str, list[Ref]], error: type[Exception]
) -> None:
    with pytest.raises(error):
        save_round(engine, project, request(seeds))
    assert nothing_written(project)


def test_where_nothing_is_chosen_nothing_is_written(engine: Engine, project: Path) -> None:
    with pytest.raises(UsageError, match="no image was chosen, so nothing is saved: "):
        save_round(engine, project, request({"red": ids(0)}, min_similarity=1.0))
    everything = ids(*range(45))
    with pytest.raises(UsageError, match="neither a seed nor excluded"):
        save_round(engine, project, request({"red": ids(0)}, exclude=everything))
    with pytest.raises(UsageError, match="a text cannot be excluded"):
        save_round(engine, project, request({"red": ids(0)}, exclude=[Ref(text="red")]))
    assert nothing_written(project)


def test_a_round_is_replaced_only_when_asked(engine: Engine, project: Path) -> None:
    save_round(engine, project, request({"red": ids(0)}, exclude=ids(3)))
    before = files(project)
    with pytest.raises(FileExists, match=r"round1\.seeds\.csv is there already"):
        save_round(engine, project, request({"blue": ids(2)}))
    assert files(project) == before
    save_round(engine, project, request({"blue": ids(2)}, replace=True))
    assert sorted(files(project)) == [
        *("round1.manifest", "round1.seeds.csv", "round1.selection.csv"),
        "round1.selection.parquet",
    ]
