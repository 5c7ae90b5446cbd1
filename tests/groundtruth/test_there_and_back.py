"""Labels that are written are read back as the same, whatever they and their tasks look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt import storage
from gandt.answers import BACKGROUND, Box, Kind, Mask, Span
from gandt.errors import ManifestError
from gandt.groundtruth.augment import LabeledTask, write_output_manifest
from gandt.groundtruth.check import check_manifest
from gandt.groundtruth.mask_images import decode_output_mask
from gandt.groundtruth.output import OutputRow, read_labels, read_output

A = "s3://gt-demo/pool/a.jpg"


def write(
    folder: Path,
    *rows: LabeledTask,
    kind: Kind,
    classes: Sequence[str] = (),
    image_sizes: Mapping[str, tuple[int, int]] | None = None,
    attribute: str = "event",
) -> None:
    uri = str(folder / "output.manifest")
    count = write_output_manifest(
        uri,
        rows,
        kind=kind,
        attribute=attribute,
        job_name="event",
        classes=classes,
        created=datetime(2024, 3, 5),
        image_sizes=image_sizes or {},
        mask_folder=str(folder / "masks"),
    )
    report = check_manifest(uri)
    assert report.ok, [str(finding) for finding in report.findings]
    assert count == report.tasks == len(rows)


def back(folder: Path, attribute: str = "event") -> tuple[OutputRow, ...]:
    return read_output(str(folder / "output.manifest"), attribute=attribute).rows


CLASSES = ("Cat", "Dog", "none of these", "猫", "a, b")
names = st.sampled_from(CLASSES)
# Two decimals, as they are written; what rounding does is shown above.
chances = st.none() | st.integers(1, 100).map(lambda percent: percent / 100)
sources = st.sampled_from(["human", "machine", "gold"])
images = st.text("abc é\u2028ü%#+", min_size=1, max_size=6).map(lambda n: f"s3://gt-demo/p/{n}.jpg")
texts = st.text("ab 🎂\n\u2028é", min_size=2, max_size=12).filter(lambda text: text.strip())


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    left, top = draw(st.floats(0, 300)), draw(st.floats(0, 300))
    width, height = draw(st.floats(0.25, 300)), draw(st.floats(0.25, 300))
    return Box(draw(names), left, top, width, height, draw(chances))


@st.composite
def text_tasks(draw: st.DrawFn) -> LabeledTask:
    text = draw(texts)
    spans = []
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text) - 1))
        spans.append(
            Span(draw(names), start, draw(st.integers(start + 1, len(text))), draw(chances))
        )
    return LabeledTask(text, draw(st.none() | st.just(tuple(spans))), None, source=draw(sources))


@st.composite
def multi_tasks(draw: st.DrawFn) -> LabeledTask:
    confidences = draw(st.dictionaries(names, st.integers(1, 100).map(lambda p: p / 100)))
    label = tuple(name for name, chance in confidences.items() if chance >= 0.5)
    given_up = draw(st.booleans())
    return LabeledTask(
        draw(images), None if given_up else label, 0.5, confidences, source=draw(sources)
    )


def tasks_of(kind: Kind) -> st.SearchStrategy[LabeledTask]:
    if kind == "spans":
        return text_tasks()
    if kind == "multi":
        return multi_tasks()
    label = names if kind == "single" else st.lists(boxes(), max_size=4).map(tuple)
    task = images if kind == "boxes" else images | texts
    return st.builds(LabeledTask, task, st.none() | label, chances, st.just({}), source=sources)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("there")


@pytest.mark.parametrize("kind", ["single", "multi", "boxes", "spans"])
@settings(max_examples=50)
@given(data=st.data())
def test_what_is_written_is_read_back(folder: Path, kind: Kind, data: st.DataObject) -> None:
    rows = data.draw(
        st.lists(tasks_of(kind), min_size=1, max_size=5, unique_by=lambda row: row.task)
    )
    sizes = {row.task: (600, 600) for row in rows}
    write(folder, *rows, kind=kind, classes=CLASSES, image_sizes=sizes)
    if all(row.label is None for row in rows):
        with pytest.raises(ManifestError, match="no label"):
            back(folder)
        return
    for row, found in zip(rows, back(folder), strict=True):
        assert found.task == row.task
        if row.label is None:
            assert (found.status, found.label) == ("unlabeled", None)
            continue
        assert found.kind == kind
        assert found.human == (row.source != "machine")
        if kind == "multi":
            assert isinstance(found.label, tuple)
            assert set(found.label) == set(row.label)  # type: ignore[arg-type]
            assert found.confidences == row.confidences
        else:
            assert found.label == row.label
        if kind == "single":
            assert found.confidence == row.confidence
        if kind == "boxes":
            assert found.image_size == (600, 600)


@settings(max_examples=50)
@given(rows=st.lists(multi_tasks(), min_size=1, max_size=5, unique_by=lambda row: row.task))
def test_labels_of_a_round_are_seeds_of_the_next(folder: Path, rows: list[LabeledTask]) -> None:
    write(folder, *rows, kind="multi", classes=CLASSES)
    labeled = [row for row in rows if row.label is not None]
    if not labeled:
        return
    seeds = read_labels(str(folder / "output.manifest")).images
    wanted = {(row.task, name) for row in labeled for name in row.label}  # type: ignore[union-attr]
    assert {(seed.uri, seed.label) for seed in seeds} == wanted


@settings(max_examples=30)
@given(data=st.data())
def test_masks_are_read_back(folder: Path, data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    codes = st.lists(st.integers(0, 2), min_size=height * width, max_size=height * width)
    pixels = np.array(data.draw(codes), np.uint8).reshape(height, width)
    mask = Mask(pixels, (BACKGROUND, "Cat", "Dog"), data.draw(chances))
    write(folder, LabeledTask(A, mask, None), kind="mask", attribute="parts-ref")
    row = back(folder, "parts-ref")[0]
    assert row.confidence == mask.confidence
    assert row.mask_uri is not None
    colors = row.metadata["internal-color-map"]
    found = decode_output_mask(storage.read_bytes(row.mask_uri), colors)  # type: ignore[arg-type]
    assert np.array_equal(found.pixels, pixels)
