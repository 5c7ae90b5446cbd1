"""What came back of a labeling job, in pictures: `gandt report`.

Reads any Ground Truth output manifest, or a folder that `gandt aggregate` or `gandt autolabel`
wrote, and the images or texts that it names; writes one self-contained HTML page, or a PDF. Both
show how many labels each class has from people and from machines, how sure they are and whether
that is borne out where the truth is known, how far workers agree and how good each is, what is
promised of automatic labels and what people found who checked them, examples of each class, what is
disputed, every item, and what came back without a label. The idea is the analysis notebook that
came with Ground Truth's examples, carried further.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gandt import storage
from gandt.errors import UsageError
from gandt.report.gallery import Progress, Tiles, side_for
from gandt.report.results.facts import class_order
from gandt.report.results.page import page
from gandt.report.results.pdf import write_pdf
from gandt.report.results.plan import make_plan
from gandt.report.results.source import read_results
from gandt.words import count

__all__ = ["ReportSummary", "write_report"]


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """What a report shows, and what it could not."""

    path: str
    format: str
    labeled: int  # items with a label
    passed: int  # tasks without one: failed, not labeled yet, unreadable
    classes: int
    pictures: int  # images shown; of text tasks 0
    unreadable: tuple[tuple[str, str], ...]  # (task, reason), in the order of the report
    pages: int  # of the PDF; 1 for HTML
    size: int  # bytes of the file
    notes: tuple[str, ...]


def write_report(
    source: str,
    out: str,
    *,
    format: Literal["html", "pdf"] = "html",
    attribute: str | None = None,
    gold: str | None = None,
    examples: int = 12,
    page_size: int = 100,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> ReportSummary:
    """Write what came back of a job as one HTML page or as a PDF.

    The same source and seed give the same bytes. Images that cannot be read leave a gray tile with
    the reason. A page of 1,400 images has about 12 MB.

    Parameters
    ----------
    source
        An output manifest, or the folder of a round; local or `s3://`. Relative names of images
        are looked for beside the manifest.
    out
        File to write, local or `s3://`.
    attribute
        The label attribute of a manifest that has several.
    gold
        Table of known answers (a column of tasks, one of labels): adds the calibration diagram.
    examples
        Examples of each class and source, drawn at random.
    page_size
        Items on a page of the gallery.
    seed
        Of the examples.
    on_progress
        Called with (pictures done, of how many).

    Raises
    ------
    UsageError
        Where a number is out of range, or several attributes could be meant.
    StorageError, ManifestError, AnswerError
        Where the source cannot be read, or the report not be written.
    """
    if format not in ("html", "pdf"):
        raise UsageError(f"A report is html or pdf, not {format!r}.")
    if examples < 0 or page_size < 1:
        raise UsageError("A report needs a page size of at least 1 and no negative examples.")
    results = read_results(source, attribute=attribute, gold=gold)
    plan = make_plan(results, examples, page_size, seed)
    pictures = plan.items
    side = side_for(len(pictures), results.kind)
    large = {item.number for item in plan.disputed}
    tiles = Tiles(pictures, side, plan.colors, on_progress, large)
    pages = 1
    try:
        with _file(out) as path:
            if format == "html":
                _write_pieces(path, page(results, plan, tiles))
            else:
                pages = write_pdf(path, results, plan, tiles)
            size = path.stat().st_size
    finally:
        tiles.close()
    return ReportSummary(
        path=out,
        format=format,
        labeled=len(results.items),
        passed=len(results.passed),
        classes=sum(not name.startswith("(") for name in class_order(results)),
        pictures=tiles.shown,
        unreadable=tuple(tiles.unreadable),
        pages=pages,
        size=size,
        notes=(*results.notes, *_about(tiles)),
    )


def _about(tiles: Tiles) -> Iterator[str]:
    """Say which pictures the report lacks."""
    gone = set(tiles.gone)
    broken = [(task, reason) for task, reason in tiles.unreadable if task not in gone]
    of = f"of {count(tiles.number, 'picture')}"
    if gone:
        yield f"{len(tiles.gone):,} {of} left the pool or moved; first: {tiles.gone[0]}."
    if broken:
        task, reason = broken[0]
        yield f"{len(broken):,} {of} cannot be shown; first: {task}: {reason}."


@contextmanager
def _file(out: str) -> Iterator[Path]:
    """Yield a file to write, which becomes `out` if the block succeeds."""
    if not storage.is_remote(out):
        with storage.atomic_path(out) as path:
            yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report"
        yield path
        storage.write_bytes(out, path.read_bytes())


def _write_pieces(path: Path, pieces: Iterable[str]) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece.encode())
