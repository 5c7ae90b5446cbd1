"""What pip installs is what the checkout holds: every package, every page, the type marker."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ELSEWHERE = {"serving": "gandt.serving", "templates": "gandt.templates"}


@pytest.fixture(scope="module")
def settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def folders_with_code() -> dict[str, Path]:
    """Package name and folder, for every folder of the checkout that has an `__init__.py`."""
    found = {}
    for top, name in {"gandt": "gandt", **ELSEWHERE}.items():
        for init in (ROOT / top).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / top).parts
            found[".".join((name, *parts))] = init.parent
    return found


def test_every_folder_with_code_is_listed(settings: configparser.ConfigParser) -> None:
    """One that is not listed works in an editable install and is missing from the wheel."""
    listed = settings["options"]["packages"].split()
    assert sorted(listed) == sorted(folders_with_code())


def test_every_module_lies_in_a_package() -> None:
    packages = set(folders_with_code().values())
    for top in ("gandt", *ELSEWHERE):
        for path in (ROOT / top).rglob("*.py"):
            assert path.parent in packages, path


def test_the_version_is_read_from_the_package(settings: configparser.ConfigParser) -> None:
    assert settings["metadata"]["version"] == "attr: gandt._version.__version__"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    setuptools = pytest.importorskip("setuptools", minversion="77", reason="needs setuptools >= 77")
    assert setuptools
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("gandt", *ELSEWHERE, "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():  # building in the checkout would leave files there
            _copy(ROOT / name, source / name)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", str(source), "--wheel-dir", str(folder)),
            *("--no-deps", "--no-build-isolation", "--no-index", "--quiet"),
        ],
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        timeout=600,
    )
    (built,) = folder.glob("gandt-*.whl")
    return zipfile.ZipFile(built)


def _copy(source: Path, target: Path) -> None:
    import shutil

    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def test_the_wheel_holds_every_file_of_every_package(wheel: zipfile.ZipFile) -> None:
    with wheel:
        inside = set(wheel.namelist())
        metadata = wheel.read(next(n for n in inside if n.endswith("dist-info/METADATA"))).decode()
        commands = wheel.read(next(n for n in inside if n.endswith("entry_points.txt"))).decode()
    expected = {"gandt/py.typed"}
    for top, name in {"gandt": "gandt", **ELSEWHERE}.items():
        for path in (ROOT / top).rglob("*"):
            built_from = path.parent.name == "parts"  # worker pages ship as they were built
            if path.suffix in {".py", ".html", ".css", ".js", ".yaml"} and not built_from:
                inside_top = path.relative_to(ROOT / top).as_posix()
                expected.add(f"{name.replace('.', '/')}/{inside_top}")
    assert expected <= inside
    extra = {name for name in inside - expected if ".dist-info/" not in name}
    assert not extra
    assert "gandt = gandt.cli.main:main" in commands
    assert "Requires-Python: >=3.10" in metadata
    assert re.search(r"^License(-Expression)?: Apache-2.0$", metadata, re.MULTILINE)
