"""Bringing an index up to date: only what is new is embedded, nothing is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from itertools import chain, count
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gandt.errors import ModelMismatch, PoolError
from gandt.index import update
from gandt.index.folder import Index, open_index
from gandt.index.update import Progress, update_index
from gandt.pool.sources import open_pool

if TYPE_CHECKING:
    from conftest import MeanColor

CHILD = """
import sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from conftest import MeanColor
from gandt.index.update import update_index
from gandt.pool.sources import open_pool

class Slow(MeanColor):
    def encode(self, pixels):
        time.sleep(0.01)
        return super().encode(pixels)

print("ready", flush=True)
update_index(
    open_pool([{pool!r}]), Slow(), Path({index!r}), shard_rows=7, shard_seconds=0.05,
    decode_in={kind!r}, decode_workers=2,
)
print("done", flush=True)
"""


def names(index: Index) -> list[str]:
    live = np.setdiff1d(np.arange(index.rows), index.dead)
    return [Path(uri).name for uri in index.uris(live)]


def spoil(pool: Path) -> list[str]:
    """Add files that cannot be images; returns their names."""
    (pool / "cut.png").write_bytes((pool / "000.png").read_bytes()[:100])
    (pool / "empty.jpg").write_bytes(b"")
    (pool / "page.jpg").write_text("<html>not an image</html>")
    return ["cut.png", "empty.jpg", "page.jpg"]


def test_every_image_is_embedded_or_rejected_with_a_reason(
    colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    bad = spoil(colors)
    report = update_index(open_pool([colors]), mean_color, tmp_path / "index")
    index = open_index(tmp_path / "index")
    assert names(index) == [f"{number:03d}.png" for number in range(60)]
    rejected = list(index.rejected())
    assert sorted(Path(record.uri).name for record in rejected) == bad
    assert all(record.reason for record in rejected)
    assert (report.progress.embedded, report.progress.rejected) == (60, 3)


def test_a_second_run_embeds_nothing(colors: Path, tmp_path: Path, mean_color: MeanColor) -> None:
    spoil(colors)
    update_index(open_pool([colors]), mean_color, tmp_path / "index")
    report = update_index(open_pool([colors]), mean_color, tmp_path / "index")
    assert (report.progress.embedded, report.progress.known) == (0, 60)
    assert (report.progress.rejected, report.skipped_rejected) == (0, 3)


def test_rejected_images_are_tried_again_when_asked_or_changed(
    colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    spoil(colors)
    update_index(open_pool([colors]), mean_color, tmp_path / "index")
    shutil.copy(colors / "001.png", colors / "cut.png")
    report = update_index(open_pool([colors]), mean_color, tmp_path / "index")
    assert (report.progress.embedded, report.rejected_in_all) == (1, 2)
    report = update_index(open_pool([colors]), mean_color, tmp_path / "index", retry_rejected=True)
    assert (report.progress.rejected, report.rejected_in_all) == (2, 2)


def test_changed_images_are_embedded_anew_and_gone_ones_no_longer_searched(
    colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    update_index(open_pool([colors]), mean_color, tmp_path / "index")
    shutil.copy(colors / "001.png", colors / "000.png")
    os.utime(colors / "000.png", ns=(1, 1))
    (colors / "059.png").unlink()
    report = update_index(open_pool([colors]), mean_color, tmp_path / "index")
    assert (report.progress.embedded, report.gone) == (1, 1)
    index = open_index(tmp_path / "index")
    assert sorted(names(index)) == [f"{number:03d}.png" for number in range(59)]
    row = index.find("image_path", [str(colors / "000.png")])[-1]
    assert index.take(np.array([row]))[0, :3].argmax() == 1  # now the green of 001


def test_a_second_pool_adds_to_the_index_and_takes_nothing_away(
    colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    (tmp_path / "more").mkdir()
    shutil.move(colors / "059.png", tmp_path / "more" / "059.png")
    update_index(open_pool([colors]), mean_color, tmp_path / "index")
    report = update_index(open_pool([tmp_path / "more"]), mean_color, tmp_path / "index")
    assert (report.progress.embedded, report.gone) == (1, 0)
    assert len(names(open_index(tmp_path / "index"))) == 60


def test_progress_ends_at_the_total(colors: Path, tmp_path: Path, mean_color: MeanColor) -> None:
    seen: list[Progress] = []
    report = update_index(
        open_pool([colors]), mean_color, tmp_path / "index", on_progress=seen.append
    )
    assert [progress.embedded for progress in seen] == sorted(p.embedded for p in seen)
    assert report.progress.total == report.progress.embedded == 60
    assert 0 <= report.progress.waiting <= 1


def test_how_long_it_takes_to_start_says_nothing_of_what_is_left(
    colors: Path, tmp_path: Path, mean_color: MeanColor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen seconds to the first batch of four, half a second to each of the others."""
    clock = chain([0.0], count(16.0, 0.5))
    monkeypatch.setattr(update, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    seen: list[Progress] = []
    update_index(open_pool([colors]), mean_color, tmp_path / "index", on_progress=seen.append)
    assert [at.images_per_second for at in seen] == [0, 0, *[8] * 13]
    assert [at.seconds_left for at in seen[:2]] == [None, None]
    assert seen[-1].seconds_left == 0


def test_another_model_is_refused_before_anything_is_written(
    colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    update_index(open_pool([colors]), mean_color, tmp_path / "index")
    other = type(mean_color)(weights="1" * 64)
    with pytest.raises(ModelMismatch, match="made by mean-color"):
        update_index(open_pool([colors]), other, tmp_path / "index")
    assert len(open_index(tmp_path / "index").shards) == 1


def test_a_pool_without_images_is_an_error(tmp_path: Path, mean_color: MeanColor) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PoolError, match="no images"):
        update_index(open_pool([tmp_path / "empty"]), mean_color, tmp_path / "index")


@pytest.mark.parametrize(("kind", "kills"), [("threads", 10), ("processes", 2)])
def test_killed_at_random_moments_every_image_is_accounted_for(
    colors: Path, tmp_path: Path, mean_color: MeanColor, kind: str, kills: int
) -> None:
    bad = spoil(colors)
    folder = tmp_path / "index"
    program = CHILD.format(
        tests=str(Path(__file__).parents[1]), pool=str(colors), index=str(folder), kind=kind
    )
    rng = random.Random(11)
    killed = 0
    sizes = []
    while killed < kills:
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.0, 0.25 if kind == "threads" else 1.5))
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=120)
        assert child.returncode in (-signal.SIGKILL, 0)
        killed += 1
        if (folder / "index.json").exists():
            index = open_index(folder)  # opens whole, whenever it was killed
            assert np.isfinite(index.take(np.arange(index.rows))).all()
            sizes.append(index.rows)
    assert sizes == sorted(sizes)

    update_index(open_pool([colors]), mean_color, folder)
    uncut = update_index(open_pool([colors]), mean_color, tmp_path / "uncut")
    resumed, whole = open_index(folder), open_index(tmp_path / "uncut")
    assert names(resumed) == names(whole)
    assert resumed.rows == whole.rows == uncut.progress.embedded
    np.testing.assert_array_equal(resumed.take(np.arange(60)), whole.take(np.arange(60)))
    assert sorted(Path(record.uri).name for record in resumed.rejected()) == bad
    assert not [path.name for path in folder.rglob("*") if ".tmp" in path.name]
