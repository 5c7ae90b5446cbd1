"""`gandt embed` as a person meets it: progress, rejects, Ctrl-C, a kill, and what goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gandt.cli import output
from gandt.index.folder import open_index
from gandt.index.update import Progress

Say = Callable[..., tuple[str, str]]


def test_a_pool_that_is_up_to_date_needs_no_model(say: Say, project: Path) -> None:
    out, err = say("embed", "pool/")
    assert "known     60 unchanged" in out
    assert out.endswith("index     pool.index: 60 images to search\n")
    assert err == ""


def test_images_that_left_the_pool_are_no_longer_searched(say: Say, project: Path) -> None:
    for number in range(5):
        (project / "pool" / f"{number:03d}.png").unlink()
    out, _ = say("embed", "pool/", "--json")
    result = json.loads(out)
    assert (result["gone"], result["images"], result["embedded"]) == (5, 55, 0)


def test_another_model_is_refused(say: Say, project: Path) -> None:
    out, err = say("embed", "pool/", "--model", "efficientnet-lite0", code=1)
    assert out == ""
    assert "pool.index was made by mean-color and this run uses efficientnet-lite0" in err
    assert err.splitlines()[-1].startswith("gandt: ")


def test_what_cannot_be_embedded_is_counted_and_explained(say: Say, colors: Path) -> None:
    for path in sorted(colors.iterdir())[3:]:
        path.unlink()
    (colors / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short")
    (colors / "page.png").write_text("<html>")
    (colors / "notes.txt").write_text("not listed")
    out, _ = say("embed", "pool", "--runtime", "torch")
    assert "embedded  3 images" in out
    assert "rejected  2; `gandt info pool.index` says why" in out
    assert "ignored   files that are no images: .txt 1" in out
    out, _ = say("info")
    assert "page.png: not an image" in out
    assert "cut.jpg: " in out
    out, _ = say("embed", "pool", "--runtime", "torch", "--retry-rejected", "--json")
    result = json.loads(out)
    assert (result["known"], result["rejected"], result["rejected_in_all"]) == (3, 2, 2)


def test_a_pool_without_one_good_image_fails_with_the_first_reason(
    say: Say, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_text("just text")
    _, err = say("embed", "photo.jpg", "--runtime", "torch", code=1)
    assert err.splitlines()[-1] == (
        "gandt: pool.index holds no image to search (rejected: 1; first: "
        f"{tmp_path}/photo.jpg: not an image: no JPEG, PNG, WebP, TIFF, BMP or GIF); name JPEG, "
        "PNG, WebP, TIFF, BMP or GIF files that can be read."
    )


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["nowhere"], 1, "There is no file or folder"),
        (["https://example.com/a.jpg"], 1, "is a web address: download it"),
        (["pool", "--index", "seeds.csv"], 1, "seeds.csv is a file; name a folder"),
        (["pool", "--memory", "lots"], 2, "'lots' is not a size in bytes"),
        (["pool", "--exact"], 1, "was made with fast decoding and this run uses exact"),
        (["pool", "--runtime", "jax"], 2, "Invalid value for '--runtime'"),
        (["pool", "--batch-size", "0"], 2, "Invalid value for '--batch-size'"),
        (["hollow"], 1, "There are no images in"),
        ([], 2, "Missing argument 'POOL'"),
    ],
)
def test_a_mistake_is_one_sentence(
    say: Say, project: Path, arguments: list[str], code: int, sentence: str
) -> None:
    (project / "hollow").mkdir()
    out, err = say("embed", *arguments, code=code)
    assert out == ""
    assert sentence in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith(("gandt: ", "Error: "))


# --------------------------------------------------------------------------------------- progress


AT = Progress(
    total=1200,
    embedded=300,
    known=7,
    rejected=2,
    seconds=10,
    images_per_second=50.0,
    waiting=0.254,
)


def test_a_progress_line_says_rate_time_left_and_waiting() -> None:
    assert output.progress_line(AT) == (
        "302 of 1,200 images, 50 images/s, 18 s left, 7 known, 2 rejected, model waited 25%"
    )


def test_a_rate_that_is_not_known_yet_is_not_said() -> None:
    assert output.progress_line(replace(AT, images_per_second=0.0)) == (
        "302 of 1,200 images, 7 known, 2 rejected, model waited 25%"
    )


def test_progress_is_plain_lines_on_standard_error_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "PLAIN_SECONDS", 0.0)
    with output.show_progress(quiet=False) as show:
        show(AT)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == output.progress_line(AT) + "\n"


def test_quiet_shows_no_progress(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "PLAIN_SECONDS", 0.0)
    with output.show_progress(quiet=True) as show:
        show(AT)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_read_like_speech(seconds: float, text: str) -> None:
    assert output.duration(seconds) == text


# ------------------------------------------------------------------------------------ interrupted


def start(program: Path, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [program, "embed", "photos/", "--shard-rows", "8", "--runtime", "torch"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_shards(child: subprocess.Popen[str], folder: Path, more_than: int) -> None:
    until = time.monotonic() + 240
    while time.monotonic() < until:
        if len(list((folder / "pool.index" / "img_emb").glob("img_emb_*.npy"))) > more_than:
            return
        assert child.poll() is None, child.communicate(timeout=120)
        time.sleep(0.01)
    child.kill()
    raise AssertionError("no shard was committed within four minutes")


@pytest.mark.slow
def test_ctrl_c_and_a_kill_leave_a_whole_index_and_the_next_run_goes_on(
    program: Path, textiles: Path, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    pictures = sorted((textiles / "nominal").iterdir())[:200]
    for path in pictures:
        shutil.copy(path, tmp_path / "photos" / path.name)

    child = start(program, tmp_path)
    wait_for_shards(child, tmp_path, 0)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == (
        "gandt: stopped. What was committed is kept; run the same command to go on."
    )
    assert "Traceback" not in err
    assert "\x1b" not in err
    interrupted = open_index(tmp_path / "pool.index")
    assert 0 < interrupted.rows < 200

    child = start(program, tmp_path)
    wait_for_shards(child, tmp_path, len(interrupted.shards))
    child.kill()
    child.communicate(timeout=120)
    killed = open_index(tmp_path / "pool.index")
    assert interrupted.rows < killed.rows < 200

    child = start(program, tmp_path)
    out, _ = child.communicate(timeout=120)
    assert child.returncode == 0
    assert f"known     {killed.rows} unchanged" in out
    whole = open_index(tmp_path / "pool.index")
    assert len(whole.dead) == 0
    uris = whole.uris(np.arange(whole.rows))
    assert sorted(uris) == sorted(str(tmp_path / "photos" / path.name) for path in pictures)
