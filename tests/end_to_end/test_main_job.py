"""The whole main job with its defaults, on real pictures, in an empty folder, by the real program.

Needs no network: the model comes with the package.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEFECTS = 6  # among 60 pictures
SEEDS = 4


@pytest.fixture(scope="module")
def project(textiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photos/` and `more/` under neutral names, and `seeds/` of one class, as a user has them."""
    folder = tmp_path_factory.mktemp("project")
    nominal = sorted((textiles / "nominal").iterdir())[:54]
    defects = sorted((textiles / "global").iterdir())[: DEFECTS + SEEDS]
    for name in ("photos", "more", "seeds/defect"):
        (folder / name).mkdir(parents=True)
    for path in defects[:SEEDS]:
        shutil.copy(path, folder / "seeds" / "defect" / path.name)
    for number, path in enumerate(nominal + defects[SEEDS:]):
        place = "more" if number % 12 == 0 else "photos"
        shutil.copy(path, folder / place / f"{number * 37 % 60:02d}.jpg")
    (folder / "photos" / "broken.jpg").write_bytes(nominal[0].read_bytes()[:500])
    return folder


def gandt(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command line as it would be typed, wildcards and all."""
    scripts = Path(sys.executable).parent
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_three_commands_lead_from_photos_to_a_labeling_job(project: Path) -> None:
    embedded = gandt(project, "gandt embed photos/")
    assert embedded.stdout.splitlines()[-1] == "index     pool.index: 55 images to search"
    assert "rejected  1" in embedded.stdout
    assert embedded.stderr.startswith("model efficientnet-lite0")

    # The example of `gandt embed --help`: the pool grows, and only what is new is embedded.
    grown = gandt(project, "gandt embed photos/ more/*.jpg --index pool.index")
    assert "embedded  5 images" in grown.stdout
    assert "known     55 unchanged" in grown.stdout

    before = {path: path.stat().st_mtime_ns for path in (project / "pool.index").rglob("*")}
    selected = gandt(project, "gandt select --seeds seeds/ --budget 8 --report round1.html")
    assert selected.stdout.startswith("defect           8 candidates")
    after = {path: path.stat().st_mtime_ns for path in (project / "pool.index").rglob("*")}
    assert before == after  # selecting only reads

    lines = [json.loads(t) for t in (project / "selection.manifest").read_text().splitlines()]
    truth = {number * 37 % 60: number >= 54 for number in range(60)}
    found = [truth[int(Path(line["source-ref"]).stem)] for line in lines]
    assert sum(found) >= 5  # of 6 defects; chance would find 0.8 among 8
    with (project / "selection.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["uri"] for row in table] == [line["source-ref"] for line in lines]
    assert {row["class"] for row in table} == {"defect"}
    assert "data:image/" in (project / "round1.html").read_text()

    checked = gandt(project, "gandt validate selection.manifest --json")
    assert json.loads(checked.stdout)["errors"] == 0
    told = gandt(project, "gandt info")
    assert "efficientnet-lite0" in told.stdout
    assert "broken.jpg: " in told.stdout


@pytest.mark.slow
def test_the_three_calls_of_python_do_the_same(project: Path) -> None:
    import gandt as library

    report = library.embed(project / "photos", index=project / "again.index", runtime="torch")
    assert (report.progress.embedded, report.progress.rejected) == (55, 1)
    index = library.open_index(project / "again.index")
    assert index.live_rows == 55
    selection = library.select(index, project / "seeds", budget=5)
    assert len(selection) == 5
    assert selection.to_arrow().num_rows == 5
    assert all(candidate.label == "defect" for candidate in selection.candidates)
