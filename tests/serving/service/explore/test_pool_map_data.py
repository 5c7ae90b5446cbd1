"""The map is made once, in the background, and kept for the next start of the server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import MeanColor, paint
from pool_engine import engine_of, picture

from gandt.errors import GandtError, UsageError
from gandt.index.folder import open_index
from gandt.report.pool_map import make_map
from gandt.serving.service.explore.engine import Engine
from gandt.serving.service.explore.pool_map.data import MapNotReady, PoolMap
from gandt.serving.service.explore.pool_map.files import load_map, map_name
from gandt.serving.service.explore.pool_map.process import MapFailed, make_apart


@pytest.fixture
def engine(colors: Path, tmp_path: Path) -> Engine:
    known = {
        str(path): ("red", "green", "blue")[int(path.stem) % 3]
        for path in colors.iterdir()
        if int(path.stem) < 30
    }
    return engine_of(tmp_path / "index", colors, known=known)


def finished(pool_map: PoolMap) -> dict[str, object]:
    deadline = time.monotonic() + 60
    while not (head := pool_map.head())["ready"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return head


def unpacked(data: bytes, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    assert len(data) == 10 * count
    ids = np.frombuffer(data, "<u4", count)
    xy = np.frombuffer(data, "<u2", 2 * count, 4 * count).reshape(count, 2)
    return ids, xy, np.frombuffer(data, "<u2", count, 8 * count)


def files(cache: Path) -> list[Path]:
    return sorted((cache / "maps").glob("*.npz"))


def test_the_first_question_begins_it_and_the_page_asks_again(engine: Engine) -> None:
    pool_map = PoolMap(engine)
    first = pool_map.head()
    assert first == {
        "method": "pca",
        "points": 0,
        "total": 60,
        "labels": ["blue", "green", "red"],
        "explained": None,
        "ready": False,
        "about": "60 images are being placed.",
    }
    head = finished(pool_map)
    assert (head["points"], head["total"]) == (60, 60)
    first_axis, second_axis = head["explained"]
    assert 1 >= first_axis >= second_axis > 0


def test_there_are_no_points_before_it_is_ready(engine: Engine) -> None:
    with pytest.raises(MapNotReady, match="still being made"):
        PoolMap(engine).points()


def test_points_are_ids_places_and_classes(engine: Engine) -> None:
    pool_map = PoolMap(engine)
    head = finished(pool_map)
    ids, xy, labels = unpacked(pool_map.points(), 60)
    made = make_map(engine.index)
    assert ids.tolist() == made.rows.tolist()
    assert (xy == made.xy).all()
    shown = [["", *head["labels"]][code] for code in labels]
    assert shown == [picture.label or "" for picture in engine.pictures(ids.tolist())]
    assert shown.count("") == 30


def test_it_is_made_once_however_many_ask(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool_map = PoolMap(engine, folder=tmp_path / "cache")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: finished(pool_map), range(16)))
    (kept,) = files(tmp_path / "cache")
    before = kept.stat().st_mtime_ns
    again = PoolMap(engine, folder=tmp_path / "cache")
    assert finished(again) == finished(pool_map)
    assert again.points() == pool_map.points()
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "array"])
def test_a_damaged_file_is_made_anew(engine: Engine, tmp_path: Path, damage: str) -> None:
    pool_map = PoolMap(engine, folder=tmp_path / "cache")
    finished(pool_map)
    (kept,) = files(tmp_path / "cache")
    data = kept.read_bytes()
    if damage == "array":
        np.save(kept.with_suffix(".npy"), np.arange(3))
        kept.with_suffix(".npy").replace(kept)
    else:
        kept.write_bytes({"cut": data[:300], "empty": b"", "text": b"no map"}[damage])
    again = PoolMap(engine, folder=tmp_path / "cache")
    finished(again)
    assert again.points() == pool_map.points()
    assert load_map(kept) is not None


def test_a_pool_that_changed_has_another_map(engine: Engine, colors: Path, tmp_path: Path) -> None:
    finished(PoolMap(engine, folder=tmp_path / "cache"))
    (colors / "000.png").unlink()
    paint(colors / "new.png", (9, 200, 9))
    later = engine_of(tmp_path / "index", colors)
    pool_map = PoolMap(later, folder=tmp_path / "cache")
    assert finished(pool_map)["points"] == 60
    ids, _, labels = unpacked(pool_map.points(), 60)
    assert set(range(61)) - set(ids.tolist()) == {0}
    assert not labels.any()
    assert len(files(tmp_path / "cache")) == 2


def test_old_maps_go(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "maps"
    folder.mkdir(parents=True)
    for number in range(30):
        path = folder / f"{number:032x}.npz"
        path.write_bytes(b"old")
        os.utime(path, (number + 1, number + 1))
    finished(PoolMap(engine, folder=tmp_path / "cache"))
    kept = files(tmp_path / "cache")
    assert len(kept) == 16
    assert folder / map_name(engine.index, "pca") in kept


def test_a_folder_that_cannot_be_written_does_not_matter(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert finished(PoolMap(engine, folder=tmp_path / "cache"))["points"] == 60


def test_an_empty_pool_has_an_empty_map(engine: Engine, colors: Path, tmp_path: Path) -> None:
    for path in colors.iterdir():
        path.unlink()
    (colors / "only.png").write_bytes(picture("red", kind="PNG"))
    engine_of(tmp_path / "index", colors)
    np.save(tmp_path / "index" / "dead.npy", np.arange(61, dtype=np.int64))
    empty = Engine(open_index(tmp_path / "index"), MeanColor)
    pool_map = PoolMap(empty)
    assert (finished(pool_map)["points"], pool_map.points()) == (0, b"")


def test_a_failure_is_said_and_tried_again_later(engine: Engine, tmp_path: Path) -> None:
    now = [0.0]
    pool_map = PoolMap(engine, clock=lambda: now[0])
    shard = next((tmp_path / "index" / "img_emb").iterdir())
    data = shard.read_bytes()
    shard.unlink()
    with pytest.raises(GandtError, match="could not be made"):
        finished(pool_map)
    shard.write_bytes(data)
    with pytest.raises(GandtError, match="could not be made"):
        pool_map.points()
    now[0] = 31.0
    assert finished(pool_map)["points"] == 60


def test_other_methods_do_not_exist(engine: Engine) -> None:
    with pytest.raises(UsageError, match="tsne"):
        PoolMap(engine, "tsne")


# ---------------------------------------------------------------------------- a process of its own


def test_a_umap_is_made_by_another_process(engine: Engine, colors: Path, tmp_path: Path) -> None:
    pytest.importorskip("umap", reason="needs umap-learn: pip install 'gandt[map]'")
    few = tmp_path / "few"
    few.mkdir()
    for name in ("000.png", "001.png", "002.png"):  # too few for neighborhoods: quickly made
        (few / name).write_bytes((colors / name).read_bytes())
    pool_map = PoolMap(engine_of(tmp_path / "few.index", few), "umap", tmp_path / "cache")
    head = finished(pool_map)
    assert (head["method"], head["points"], head["explained"]) == ("umap", 3, None)
    assert len(files(tmp_path / "cache")) == 1


def test_another_process_makes_the_same_map(engine: Engine, tmp_path: Path) -> None:
    make_apart(engine.index, "pca", tmp_path / "map.npz")
    made, apart = make_map(engine.index), load_map(tmp_path / "map.npz")
    assert apart is not None
    assert (apart.xy == made.xy).all()
    assert apart.about == made.about


def test_what_that_process_says_last_is_told(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(MapFailed, match="There is no map called tsne; choose one"):
        make_apart(engine.index, "tsne", tmp_path / "map.npz")


SERVER = """
import sys
from pathlib import Path
from gandt.index.folder import Index
from gandt.serving.service.explore.pool_map.process import make_apart
import os
folder = Path(sys.argv[1])
index = Index(folder)
(folder / "index.json").unlink()
os.mkfifo(folder / "index.json")  # who opens it waits for ever
print("ready", flush=True)
make_apart(index, "pca", folder / "map.npz")
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_that_process_does_not_outlive_the_server(
    engine: Engine, tmp_path: Path, end: signal.Signals
) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path / "index")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    children: list[str] = []
    until(
        lambda: children.extend(Path(CHILDREN.format(server.pid)).read_text().split()) or children
    )
    server.send_signal(end)
    server.wait(20)
    server.stdout.close()
    until(lambda: not is_running(int(children[0])))


CHILDREN = "/proc/{0}/task/{0}/children"


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
