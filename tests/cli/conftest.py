"""The real program, run as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gandt.cli.main import main
from gandt.index.update import update_index
from gandt.pool.sources import open_pool

if TYPE_CHECKING:
    from conftest import MeanColor

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Say = Callable[..., tuple[str, str]]


@pytest.fixture
def program() -> Path:
    """The script that pip puts beside the interpreter."""
    return Path(sys.executable).parent / "gandt"


@pytest.fixture
def gandt(program: Path, tmp_path: Path) -> Run:
    """Run the program in the test's folder; standard output and error apart."""

    def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(program), *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run the program in this process, where the model's libraries are loaded once."""

    def run(*arguments: object, code: int = 0) -> tuple[str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["gandt", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        assert (left.value.code or 0) == code, said.err
        return said.out, said.err

    return run


@pytest.fixture
def project(colors: Path, tmp_path: Path, mean_color: MeanColor) -> Path:
    """A folder with an index of `pool/` and `seeds.csv`, whose images the index holds.

    So no command needs a model, which would take most of the time.
    """
    update_index(open_pool([colors]), mean_color, tmp_path / "pool.index")
    rows = [("pool/000.png", "red"), ("pool/003.png", "red"), ("pool/002.png", "blue")]
    table = "".join(f"{path},{label}\n" for path, label in rows)
    (tmp_path / "seeds.csv").write_text(f"path,label\n{table}")
    return tmp_path
