"""Seeds that the pool does not hold teach automatic labels, and prove nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rounds_files import NOON

from gandt.active.autolabel import AutoOptions, autolabel
from gandt.index.folder import open_index
from gandt.index.update import update_index
from gandt.pool.sources import open_pool
from gandt.rounds.automatic.automatic import Sources, label_automatically
from gandt.rounds.automatic.words import Automatic
from gandt.rounds.known.known import read_known

if TYPE_CHECKING:
    from conftest import MeanColor

OPTIONS = AutoOptions(target_accuracy=0.7, percentile=0, copies=False)


@pytest.fixture
def project(
    colors: Path, tmp_path: Path, mean_color: MeanColor, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """60 pictures, red, green and blue by turns; labels of 24 red and green ones, blue seeds."""
    update_index(open_pool([colors]), mean_color, tmp_path / "pool.index")
    rows = [f"{colors / f'{n:03d}.png'},{('red', 'green')[n % 3]}" for n in range(36) if n % 3 < 2]
    (tmp_path / "labels.csv").write_text("\n".join(["task,label", *rows]) + "\n")
    for number in (2, 5, 8, 11, 14):
        seed = tmp_path / "seeds" / "blue" / f"{number}.png"
        seed.parent.mkdir(parents=True, exist_ok=True)
        seed.write_bytes((colors / f"{number:03d}.png").read_bytes() + b"more")
    monkeypatch.setattr("gandt.index.model.load_model_of", lambda *_: mean_color)
    return tmp_path


def run(project: Path, *seeds: str, out: str = "auto") -> Automatic:
    sources = Sources([str(project / "labels.csv")], seeds=[str(project / name) for name in seeds])
    return label_automatically(
        str(project / "pool.index"), sources, str(project / out), OPTIONS, now=NOON
    )


def test_they_teach(project: Path, mean_color: MeanColor) -> None:
    index = open_index(project / "pool.index")
    made = run(project, "seeds").made
    known = read_known(
        index,
        [str(project / "labels.csv")],
        seeds=[str(project / "seeds")],
        load=lambda: mean_color,
    )
    taught = autolabel(index, known.labeled, OPTIONS, examples=known.examples)
    alone = autolabel(index, known.labeled, OPTIONS)
    assert made.rows.tolist() == taught.rows.tolist()
    assert made.confidence.tolist() == taught.confidence.tolist()
    assert made.confidence.tolist() != alone.confidence.tolist()


def test_they_are_no_cases_and_that_is_said(project: Path) -> None:
    made = run(project, "seeds")
    assert made.made.thresholds.cases <= 24
    assert made.by_class()["blue"] == 0
    assert made.notes == ("5 seeds that the pool does not hold: to learn from, not to prove by.",)
    assert "5 seeds" in str(made.summary()["notes"])
