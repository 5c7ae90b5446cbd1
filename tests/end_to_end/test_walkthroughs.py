"""The walkthroughs run as written, command by command, and print what they show."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from console_blocks import blocks, run_blocks
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from aws_fixtures import Aws

TEXT = (Path(__file__).parents[2] / "docs" / "walkthroughs.md").read_text("utf-8")
VIEWS = ("R-CC", "L-CC", "R-MLO", "L-MLO", "INVALID")


def mammogram(view: str, rng: np.random.Generator) -> Image.Image:
    """A phantom: a bright half disc at the chest wall, with the muscle's corner in a side view."""
    picture = Image.new("L", (120, 160), 8)
    draw = ImageDraw.Draw(picture)
    if view == "INVALID":
        draw.text((20, 70), "TEST PATTERN", fill=200)
    else:
        wide = int(rng.integers(55, 80))
        draw.pieslice((-wide, 20, wide, 140), -90, 90, fill=int(rng.integers(90, 140)))
        if view.endswith("MLO"):
            draw.polygon([(0, 0), (45, 0), (0, 90)], fill=190)
    noise = rng.normal(0, 6, (160, 120))
    picture = Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if view[0] == "R" else picture


def archive(folder: Path) -> dict[str, str]:
    """`mammograms/`, `examples/` and `views.toml`; the view of each picture, by path."""
    rng = np.random.default_rng(1)
    truth = {}
    for number in range(60):
        view = VIEWS[min(int(rng.integers(0, 9)) // 2, 4)]
        path = folder / "mammograms" / f"{number:04d}.png"
        path.parent.mkdir(exist_ok=True)
        mammogram(view, rng).save(path)
        truth[str(path)] = view
    for view in VIEWS:
        for number in range(2):
            path = folder / "examples" / view / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            mammogram(view, rng).save(path)
    (folder / "views.toml").write_text(blocks(TEXT, "toml")[0])
    return truth


def pets(folder: Path) -> dict[str, str]:
    """`photos/` of 1,300 small pictures; the animal of each, by path."""
    rng = np.random.default_rng(2)
    truth = {}
    (folder / "photos").mkdir()
    for number in range(1300):
        pet = ("cat", "dog")[number % 2]
        path = folder / "photos" / f"{number:04d}.jpg"
        pixels = rng.integers(0, 120, (16, 16, 3)) + (100 if pet == "cat" else 0)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        truth[str(path)] = pet
    return truth


@pytest.mark.slow
def test_the_walkthroughs_run_in_order(aws: Aws) -> None:
    # Long paths are shortened in what is printed, and pytest's folders have long ones.
    with tempfile.TemporaryDirectory(prefix="gt-") as folder:
        walk(aws, Path(folder))


def walk(aws: Aws, folder: Path) -> None:
    from simulated_workers import crew

    bucket = aws.bucket("clinic-groundtruth", cors=False)
    aws.iam.role("GroundTruth")
    truth = archive(folder) | pets(folder)

    def between(command: str) -> None:
        """What the reader waits for: people work."""
        found = re.match(r"gandt wait ([\w-]+)", command)
        if found:
            aws.sagemaker.work(found[1], crew(4, accuracy=0.95), truth=truth, over=2.0)

    assert run_blocks(TEXT, folder, between) >= 10
    assert {"views", "pets"} == set(aws.sagemaker.jobs)
    assert bucket.keys("groundtruth/images/")
