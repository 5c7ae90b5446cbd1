"""Public names exist, are documented, and load no more than they need."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import gandt

ROOT = Path(__file__).parents[1]
HOME = Path.home()  # of whoever runs this; the tests themselves get another
SHIPPED = sorted(
    path
    for folder in ("gandt", "serving", "templates")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)


def modules() -> list[str]:
    found = [found.name for found in pkgutil.walk_packages(gandt.__path__, "gandt.")]
    return ["gandt", *found, "gandt.serving", "gandt.templates"]


@pytest.fixture(scope="module", params=modules())
def module(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(request.param)


def test_every_module_says_what_it_is(module: ModuleType) -> None:
    assert module.__doc__
    assert module.__doc__.strip()


def test_every_public_name_exists(module: ModuleType) -> None:
    names = getattr(module, "__all__", [])
    assert sorted(set(names)) == sorted(names)
    for name in names:
        assert hasattr(module, name), name


def test_every_public_function_and_class_is_documented(module: ModuleType) -> None:
    for name in getattr(module, "__all__", []):
        value = getattr(module, name)
        if inspect.isfunction(value) or inspect.isclass(value):
            assert value.__doc__, name


def test_the_package_exports_what_it_promises() -> None:
    assert gandt.__all__ == ["__version__", "embed", "open_index", "select"]
    assert re.fullmatch(r"\d+\.\d+\.\d+\w*", gandt.__version__)
    assert all(callable(getattr(gandt, name)) for name in gandt.__all__[1:])
    with pytest.raises(AttributeError, match="'gandt' has no attribute 'embd'"):
        gandt.embd  # noqa: B018


def loaded_by(statement: str) -> set[str]:
    program = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=600
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("statement", ["import gandt", "import gandt.serving"])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    heavy = {"torch", "faiss", "numpy", "pyarrow", "scipy", "PIL", "boto3", "typer", "rich"}
    assert not loaded_by(statement) & heavy


def test_files_of_the_formats_are_read_without_torch() -> None:
    statement = "import gandt.groundtruth.check, gandt.report.contact_sheet, gandt.pool.sources"
    assert not loaded_by(statement) & {"torch", "faiss", "timm", "open_clip", "boto3"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_ships_speaks_of_nothing_but_itself(path: Path) -> None:
    """No path of somebody's home, nothing unfinished, no import of the folders' bare names."""
    text = path.read_text(encoding="utf-8")
    for word in (re.escape(f"{HOME}/"), r"\bTODO\b", r"\bFIXME\b"):
        assert not re.search(word, text), word
    assert not re.search(r"^\s*(import|from) (serving|templates)\b", text, re.MULTILINE)
