"""A desk that serves a few small pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parents[3]))

from desk_program import DeskThread, write_manifest

Start = Callable[..., DeskThread]


def picture(path: Path, shade: int = 90, size: tuple[int, int] = (60, 40)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade % 256, 120, 200)).save(path)
    return path


@pytest.fixture
def lines(tmp_path: Path) -> list[dict[str, object]]:
    """Six images to label."""
    paths = [picture(tmp_path / "pool" / f"{n}.png", 40 * n) for n in range(6)]
    return [{"source-ref": str(path)} for path in paths]


@pytest.fixture
def start(tmp_path: Path, lines: list[dict[str, object]]) -> Iterator[Start]:
    """Start desks on a manifest, in this process; they are ended with the test."""
    running: list[DeskThread] = []

    def begin(
        manifest: Sequence[Mapping[str, object]] | None = None,
        *,
        labels: Sequence[str] = ("cat", "dog", "Other"),
        **options: Any,
    ) -> DeskThread:
        path = tmp_path / "round1.manifest"
        if manifest is not None or not path.exists():
            write_manifest(path, lines if manifest is None else manifest)
        running.append(DeskThread(tmp_path, path.name, labels=labels, **options))
        return running[-1]

    yield begin
    for desk in running:
        desk.stop()
