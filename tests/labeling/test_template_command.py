"""`gandt template`: list, render, save."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from typer.testing import CliRunner

from gandt.cli.template import template
from gandt.errors import UsageError
from gandt.labeling.preview import show_image
from gandt.labeling.templates import PAGES, baked_labels
from gandt.labeling.widgets import WIDGETS

if TYPE_CHECKING:
    from s3_server import Bucket


def run(*words: str) -> tuple[str, str]:
    result = CliRunner().invoke(template, words)
    if result.exception:
        raise result.exception
    return result.stdout, result.stderr


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    path = tmp_path / "round 1.manifest"
    lines = [{"source-ref": str(tmp_path / "ä b.png")}, {"source-ref": "https://x.example/2.jpg"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


def test_list_names_every_page() -> None:
    out, _ = run("list")
    listed = [line.split()[0] for line in out.splitlines() if line.startswith(" ")]
    assert listed == [*PAGES, *(f"widget-{task}" for task in WIDGETS)]


def test_render_shows_a_line_of_the_manifest(manifest: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    said, _ = run("render", "image-classification", "--manifest", manifest, "--labels", "cat, dog",
                  "--out", str(page))  # fmt: skip
    text = page.read_text(encoding="utf-8")
    assert (tmp_path / "ä b.png").as_uri() in text
    assert baked_labels(text) == ("cat", "dog")
    assert "assets.crowd.aws" not in text
    assert said == f"page      {page}\n"


def test_render_takes_the_line_that_is_named(manifest: str) -> None:
    out, said = run("render", "bounding-box", "--manifest", manifest, "--line", "2")
    assert 'data-image="https://x.example/2.jpg"' in out
    assert "no labels to offer" in said


def test_a_line_beyond_the_end(manifest: str) -> None:
    with pytest.raises(UsageError, match="ends at line 2: there is no line 3"):
        run("render", "bounding-box", "--manifest", manifest, "--line", "3")


def test_save_writes_what_can_be_uploaded(tmp_path: Path) -> None:
    page = tmp_path / "tiles.liquid.html"
    run("save", "tiles", "--labels", "a,b", "--question", "{{ x }}?", "--out", str(page))
    text = page.read_text(encoding="utf-8")
    assert baked_labels(text) == ("a", "b")
    assert "assets.crowd.aws" in text
    assert "{{ x }}" not in text


def test_pictures_of_a_preview_need_no_signature(bucket: Bucket, tmp_path: Path) -> None:
    from gandt import storage

    storage.write_bytes(f"s3://{bucket.name}/a b.png", b"\x89PNG")
    assert show_image(f"s3://{bucket.name}/a b.png") == "data:image/png;base64,iVBORw=="
    missing = f"s3://{bucket.name}/missing.png"
    assert show_image(missing) == missing
    assert re.match(r"file:///.*/a%20b.png$", show_image(str(tmp_path / "a b.png")))
    assert show_image("https://x.example/1.jpg") == "https://x.example/1.jpg"


def test_seeds_are_shown_as_examples(tmp_path: Path) -> None:
    for label in ("cat", "dog", "Other"):
        for number in range(4):
            path = tmp_path / "seeds" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(path)
    page = tmp_path / "page.html"
    words = ["--labels", "cat,dog", "--examples", str(tmp_path / "seeds"), "--out", str(page)]
    _, said = run("save", "image-classification", *words)
    shown = re.findall(r"""hidden data-kind="(\w+)" data-src="{{ '(.*?)' \| g""", page.read_text())
    root = f"{tmp_path}/seeds"
    assert shown == [
        *(("good", f"{root}/{label}/{n}.png") for label in ("cat", "dog") for n in range(3)),
        *(("bad", f"{root}/Other/{n}.png") for n in range(3)),
    ]
    assert "workers of a job cannot see them" in said
