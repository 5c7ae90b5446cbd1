"""Further keys of a manifest's lines: what a round has to say of itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gandt.errors import UsageError
from gandt.groundtruth.check import check_manifest
from gandt.groundtruth.manifest import write_manifest
from gandt.groundtruth.uri_map import UriMap
from gandt.types import Candidate, Gold, KnownImage, Selection

KEYS = {"gandt-round": 3, "gandt-labeled": 350, "gandt-unlabeled": 4650}
PICKS = tuple(
    Candidate(f"/photos/{name}.jpg", "cat", rank, 0.5, 0.9, "/seeds/a.jpg", "find")
    for rank, name in enumerate("abc", start=1)
)


def written(path: Path, selection: Selection, **more: object) -> list[dict[str, object]]:
    write_manifest(str(path), selection, **more)  # type: ignore[arg-type]
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_keys_stand_on_every_line_and_nothing_else_changes(tmp_path: Path) -> None:
    selection = Selection(PICKS, ("cat",), "rounds")
    plain = written(tmp_path / "plain.manifest", selection)
    lines = written(tmp_path / "keys.manifest", selection, keys=KEYS)
    assert lines == [{**line, **KEYS} for line in plain]
    kinds = [kind for kind, _ in check_manifest(str(tmp_path / "keys.manifest")).kinds]
    assert kinds == ["local-path"]
    assert written(tmp_path / "none.manifest", selection, keys={}) == plain


def test_known_images_carry_them_too(tmp_path: Path) -> None:
    gold = Gold((KnownImage("/photos/g.jpg", ("cat",)),), 0.25)
    lines = written(tmp_path / "g.manifest", Selection(PICKS, ("cat",), "x", gold=gold), keys=KEYS)
    assert len(lines) == 4
    assert all(line.items() >= KEYS.items() for line in lines)
    assert [line["gandt-gold"] for line in lines if "gandt-gold" in line] == ["cat"]


def test_a_rewritten_line_names_its_pool_image_as_well(tmp_path: Path) -> None:
    mapping = UriMap.parse(["/photos=s3://bucket/photos"])
    selection = Selection(PICKS, ("cat",), "rounds")
    line = written(tmp_path / "m.manifest", selection, uri_map=mapping, keys=KEYS)[0]
    assert (line["source-ref"], line["gandt-pool-uri"]) == (
        "s3://bucket/photos/a.jpg",
        "/photos/a.jpg",
    )
    assert line["gandt-round"] == 3


@pytest.mark.parametrize("name", ["round", "gandt-class", "gandt-gold", "gandt-pool-uri"])
def test_a_key_that_is_not_ours_or_is_taken_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"^{name} cannot be a further key"):
        written(tmp_path / "m.manifest", Selection(PICKS, ("cat",), "x"), keys={name: 1})
    assert not (tmp_path / "m.manifest").exists()


def test_tiled_tasks_have_no_place_for_them(tmp_path: Path) -> None:
    selection = Selection(PICKS, ("cat",), "x")
    with pytest.raises(UsageError, match="tiled tasks cannot carry gandt-round"):
        written(tmp_path / "m.manifest", selection, keys={"gandt-round": 1}, group_size=2)
