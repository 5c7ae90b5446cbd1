"""`gandt serve` as a process: other programs ask it, rounds are saved, and it ends in any way."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1]))

from conftest import MeanColor
from desk_program import DeskProgram, first_line
from serve_program import PROGRAM, Serving, upload

from gandt.cli.main import main
from gandt.embedding.runtime import load_embedder
from gandt.index.update import update_index
from gandt.pool.sources import open_pool
from gandt.selection.seeds import find_seeds

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: its exit code, and what it printed and said."""

    def command(folder: Path, *words: object) -> tuple[int, str, str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["gandt", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        printed, said = capsys.readouterr()
        return int(left.value.code or 0), printed, said

    return command


def saved_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "round1.manifest").read_text().splitlines()]


@pytest.fixture(scope="module")
def cloth(textiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pool of 28 textiles, and its index by the bundled model."""
    folder = tmp_path_factory.mktemp("cloth")
    (folder / "pool").mkdir()
    for kind, count in (("nominal", 20), ("global", 8)):
        for path in sorted((textiles / kind).iterdir())[:count]:
            shutil.copy(path, folder / "pool" / f"{kind}-{path.name}")
    for path in sorted((textiles / "global").iterdir())[10:12]:
        shutil.copy(path, folder / path.name)
    model = load_embedder("efficientnet-lite0", device="cpu", runtime="torch")[0]
    update_index(open_pool([folder / "pool"]), model, folder / "pool.index")
    return folder


@pytest.fixture
def project(colors: Path, mean_color: MeanColor) -> Path:
    """A pool of 60 colors; no program can load the model of its index, and few need it."""
    update_index(open_pool([colors]), mean_color, colors.parent / "pool.index")
    return colors.parent


SEEDS = {"red": [{"id": 0}, {"id": 3}], "blue": [{"id": 2}]}


# ------------------------------------------------------------------------ what other programs ask


@pytest.mark.slow
def test_a_program_finds_selects_and_saves_and_the_commands_go_on(cloth: Path, run: Run) -> None:
    with Serving(cloth, "--index", "pool.index", "--save-to", ".") as service:
        info = service.get("/v1/info")
        assert (info["name"], info["images"], info["rows"]) == ("pool.index", 28, 28)
        assert (info["model"], info["text"]) == ("efficientnet-lite0", False)
        assert info["save"] == {"folder": str(cloth)}
        listed = service.get("/v1/images?start=0&count=100")
        assert listed["total"] == 28
        by_name = {Path(image["uri"]).name: image for image in listed["images"]}
        defects = [image for name, image in by_name.items() if name.startswith("global")]

        # By id, by URI, and by the bytes of an image that the pool does not hold.
        new = sorted(cloth.glob("*.*g"))
        for ref in ({"id": defects[0]["id"]}, {"uri": defects[0]["uri"]}, upload(new[0])):
            found = service.post("/v1/search", {**ref, "k": 7})["results"]
            names = [Path(image["uri"]).name for image in found]
            assert sum(name.startswith("global") for name in names) >= 6, names
            assert defects[0]["uri"] not in [image["uri"] for image in found] or "image" in ref
        picture = service.ask("GET", f"/v1/images/{defects[0]['id']}/file")
        assert picture.body == Path(defects[0]["uri"]).read_bytes()
        small = service.ask("GET", f"/v1/images/{defects[0]['id']}/thumbnail?size=128")
        assert (small.status, small.headers["Content-Type"]) == (200, "image/jpeg")

        round_ = {
            "seeds": {
                "defect": [{"id": defects[0]["id"]}, upload(new[0]), upload(new[1])],
                "Other": [{"uri": by_name[name]["uri"]} for name in sorted(by_name)[-2:]],
            },
            "budget": 12,
            "exclude": [{"id": defects[5]["id"]}],
        }
        chosen = service.post("/v1/select", round_)["candidates"]
        saved = service.post("/v1/save", {**round_, "name": "round1"})
        assert saved["candidates"] == len(chosen) == 12
        again = service.ask("POST", "/v1/save", {**round_, "name": "round1"})
        assert (again.status, again.json["field"]) == (409, "name")
        events, said = service.stop()
    assert "Traceback" not in said
    assert events[-1]["event"] == "closed"

    seeds = find_seeds([str(cloth / "round1.seeds.csv")])
    assert [seed.label for seed in seeds] == ["defect"] * 3 + ["Other"] * 2
    written = ("manifest", "selection.csv", "selection.parquet")
    before = {name: (cloth / f"round1.{name}").read_bytes() for name in written}
    lines = [json.loads(line) for line in before["manifest"].splitlines()]
    assert [line["source-ref"] for line in lines] == [image["uri"] for image in chosen]
    assert run(cloth, *shlex.split(saved["again"])[1:])[0] == 0
    assert before == {name: (cloth / f"round1.{name}").read_bytes() for name in written}
    label = shlex.split(saved["next"])
    assert label[:2] == ["gandt", "label"]
    with DeskProgram(cloth, *label[2:]) as desk:
        ann = desk.visitor("ann")
        assert ann.answer("defect").status == 200
        assert desk.stop()["answers"] == 1


def test_the_map_and_the_page_are_there(project: Path) -> None:
    with Serving(project) as service:
        deadline = time.monotonic() + 30
        while not (head := service.get("/v1/map"))["ready"] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (head["method"], head["points"]) == ("pca", 60)
        assert len(service.ask("GET", "/v1/map/points").body) == 60 * (4 + 4 + 2)
        page = service.ask("GET", "/")
        assert page.status == 200 and b"pool.index" in page.body
        assert service.ask("GET", "/healthz").status == 200
        assert b"gandt_images 60.0" in service.ask("GET", "/metrics").body
        assert service.get("/openapi.json")["info"]["title"] == "gandt serve"
        service.stop()


# ----------------------------------------------------------------------------------- how it ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_it_ends_with_what_was_done(project: Path, number: int) -> None:
    with Serving(project) as service:
        service.get("/v1/images/0")
        events, said = service.stop(number)
    assert [event["event"] for event in events] == ["closed"]
    assert said == ""


def test_a_person_reads_the_link_and_a_summary(project: Path) -> None:
    process = subprocess.Popen(
        [str(PROGRAM), "serve", "--no-browser", "--port", "0"],
        cwd=project,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    printed = [first_line(process)]
    while "http://" not in printed[-1]:
        printed.append(process.stdout.readline())
        assert printed[-1], process.communicate(timeout=120)
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "60 images" in "".join(printed)
    assert "Traceback" not in said
    assert "Ctrl-C" in said
    assert len(printed) + len(rest.splitlines()) < 12


@pytest.mark.slow
def test_killed_while_it_saves_every_round_is_whole(project: Path) -> None:
    """Saves in a row, each replacing the last; SIGKILL in the middle, again and again."""
    rng = np.random.default_rng(0)
    for _ in range(2):
        with Serving(project, "--save-to", ".") as service:
            service.post("/v1/select", {"seeds": SEEDS, "budget": 9})  # from here on it is quick
            number = 0
            stop = threading.Event()

            def save(service: Serving = service, stop: threading.Event = stop) -> None:
                nonlocal number
                while not stop.is_set():
                    number += 1
                    seeds = {"red": [{"id": 0}], "blue": [{"id": 2}], f"n{number}": [{"id": 4}]}
                    body = {"name": "round1", "replace": True, "seeds": seeds, "budget": 9}
                    try:
                        assert service.ask("POST", "/v1/save", body).status == 200
                    except (OSError, http.client.HTTPException):
                        return

            thread = threading.Thread(target=save)
            thread.start()
            until = time.monotonic() + 60
            while number < 2 and time.monotonic() < until:
                time.sleep(0.01)
            time.sleep(0.3 * rng.random())
            service.kill()
            stop.set()
            thread.join()
        assert number > 1
        look(project)
    with Serving(project, "--save-to", ".") as service:  # finishes what was complete
        assert not list(project.glob(".gandt-save-*/*"))
        assert look(project)
        service.stop()


def look(folder: Path) -> bool:
    """Whether a manifest is there; if so, it is of the same save as the seeds."""
    if not (folder / "round1.manifest").exists():
        return False
    seeds = {seed.label for seed in find_seeds([str(folder / "round1.seeds.csv")])}
    assert {line["gandt-class"] for line in saved_lines(folder)} == seeds
    table = (folder / "round1.selection.csv").read_text()
    assert {line.split(",")[1] for line in table.splitlines()[1:]} == seeds
    return True


# ----------------------------------------------------------------------------------- wrong calls


def test_wrong_calls_are_one_sentence(project: Path, run: Run) -> None:
    (project / "a file").write_text("")
    (project / "empty").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words, told in (
            (["--index", "nothing.index"], "nothing.index does not exist"),
            (["--index", "a file"], "is a file, not an index folder"),
            (["--index", "empty"], "holds neither index.json nor img_emb/"),
            (["--port", port], f"Port {port} is taken"),
            (["--host", "192.0.2.7"], "is no address of this machine"),
            (["--people", "ann,ann"], "twice"),
            (["--people", "ann,,ben"], "empty name"),
            (["--save-to", "a file"], "a file"),
            (["--save-to", "a file/below"], "a file"),
            (["--map", "tsne"], "--map"),
            (["--seeds", "no-seeds"], "there is nothing at no-seeds"),
            (["--labels", "no-labels.csv"], "no-labels.csv"),
        ):
            code, printed, said = run(project, "serve", "--no-browser", *words)
            assert code in (1, 2), words
            assert said.startswith("gandt: ") and said.count("\n") == 1, said
            assert told in said, words
            assert printed == ""


def test_a_read_only_folder_is_said_before_anybody_saves(project: Path, run: Run) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    (project / "locked").mkdir(mode=0o500)
    code, _, said = run(project, "serve", "--no-browser", "--save-to", "locked")
    assert (code, "may not be written to" in said) == (2, True)


def test_a_map_that_needs_a_package_says_which(project: Path) -> None:
    """As where it is not installed, whether it is or not."""
    (project / "lib").mkdir()
    (project / "lib" / "sitecustomize.py").write_text("import sys; sys.modules['umap'] = None")
    environ = {"PYTHONPATH": str(project / "lib")}
    process = subprocess.run(
        [str(PROGRAM), "serve", "--no-browser", "--port", "0", "--map", "umap"],
        cwd=project,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode in (1, 2)
    assert "gandt[map]" in process.stderr
    assert "Traceback" not in process.stderr


def test_off_loopback_only_links_open(project: Path) -> None:
    with Serving(project, "--host", "0.0.0.0") as service:
        assert list(service.links) == [""]
        assert len(service.token) > 30
        assert service.get("/v1/info")["images"] == 60
        for token in ("", "x", service.token[:-1]):
            head = {"Authorization": f"Bearer {token}"}
            assert service.ask("GET", "/v1/info", headers=head).status == 401
        assert "unencrypted" in service.stop()[1]
    with Serving(project, "--host", "0.0.0.0", "--people", "ann,ben") as service:
        assert sorted(service.links) == ["ann", "ben"]
        assert len(set(service.links.values())) == 2
        assert service.get("/v1/info")["images"] == 60
        service.stop()
