"""The files of a round that is to be labeled.

Writes, each whole and in place of one of the same name, the manifest last, so that where it is the
others are::

    round3.selection.csv   .parquet   why each image was chosen
    round3.frontier.npz               which images were ever worth a score; spares time later
    round3.html                       with --report: the contact sheet
    round3.manifest                   the tasks, for `gandt label` and Ground Truth

Reads a manifest that is to be replaced, lest it be that of another round.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from gandt import storage
from gandt.errors import ManifestError, UsageError
from gandt.groundtruth.json_lines import read_objects
from gandt.groundtruth.manifest import is_manifest, write_manifest
from gandt.groundtruth.uri_map import UriMap
from gandt.pool.sources import find_items, read_item
from gandt.report.contact_sheet import write_contact_sheet
from gandt.report.selection_table import write_selection_table
from gandt.rounds.known.frontier_file import write_frontier
from gandt.rounds.next.plan import Plan
from gandt.words import count

__all__ = ["NextFiles", "check_destination", "default_destination", "write_plan"]


@dataclass(frozen=True, slots=True)
class NextFiles:
    """What was written."""

    manifest: str
    table: str
    parquet: str
    frontier: str
    report: str | None
    notes: tuple[str, ...]  # what a person should know of them

    def as_json(self) -> dict[str, object]:
        """Paths by what they are; None for the report where none was wanted."""
        values = asdict(self)
        del values["notes"]
        return values


def check_destination(out: str) -> None:
    """Refuse to write a manifest over what is none, before anything is computed.

    Raises
    ------
    UsageError
        `out` is a folder, or a file that is no manifest or that holds labels.
    StorageError
        It cannot be read.
    """
    if out.endswith("/") or storage.is_folder(out):
        folder = out.rstrip("/") if out.rstrip("/") != "s3:" else "s3://bucket"
        raise UsageError(
            f"--out {out} is a folder; name a file in it, as {folder}/round2.manifest."
        )
    if not storage.exists(out):
        return
    first = _first_line(out)
    if first is None:
        raise UsageError(f"--out {out} exists and is no manifest: name another file.")
    if any(key.endswith("-metadata") for key in first):
        raise UsageError(
            f"--out {out} holds labels, which would be lost: name another file, and give it to "
            "--labels."
        )


def default_destination(number: int) -> str:
    """Give the manifest of a round that nobody named: `round3.manifest`, here.

    Raises
    ------
    UsageError
        There is such a file, and it is not of this round: as `gandt select` writes the first one.
    StorageError
        It cannot be read.
    """
    out = f"round{number}.manifest"
    check_destination(out)
    if storage.exists(out) and (of := (_first_line(out) or {}).get("gandt-round")) != number:
        wrote = "no earlier `gandt next` wrote it" if of is None else f"is of round {of}"
        raise UsageError(
            f"{out} is there, and {wrote}: name the manifest of this round with --out."
        )
    return out


def write_plan(
    out: str, plan: Plan, *, uri_map: UriMap | None = None, report: str | None = None
) -> NextFiles:
    """Write a round; the same plan gives the same bytes.

    Parameters
    ----------
    out
        The manifest, local or `s3://`.
    uri_map
        Rewrites references.
    report
        Where to write a contact sheet; None writes none.

    Raises
    ------
    UsageError
        `out` holds another round than this one.
    ManifestError, StorageError
        A file cannot be written.
    """
    _check_round(out, plan.known.round)
    stem = out.removesuffix(".manifest")
    frontier = write_frontier(out, plan.round.frontier)
    table, parquet = write_selection_table(f"{stem}.selection.csv", plan.selection)
    notes = [] if report is None else _write_report(report, plan)
    summary = write_manifest(out, plan.selection, uri_map=uri_map, keys=plan.keys)
    if summary.unmapped:
        number = len(summary.unmapped)
        first = summary.unmapped[0]
        fit = "reference fits" if number == 1 else "references fit"
        notes.append(f"{number:,} {fit} no --uri-map rule; first: {first}.")
    return NextFiles(out, table, parquet, frontier, report, tuple(notes))


def _check_round(out: str, number: int) -> None:
    """A manifest that people are labeling must not change into that of the round after it."""
    if not storage.exists(out):
        return
    first = _first_line(out)
    before = None if first is None else first.get("gandt-round")
    if isinstance(before, int) and before != number:
        raise UsageError(
            f"--out {out} holds round {before}, and this is round {number}: name another file, as "
            f"round{number}.manifest."
        )


def _first_line(uri: str) -> dict[str, object] | None:
    """The first object of a manifest; None where the file is no manifest, {} where it is empty."""
    if not storage.stat(uri).size:
        return {}
    if not is_manifest(uri):
        return None
    try:
        return next((record for _, record in read_objects(uri)), {})
    except ManifestError:
        return None


def _write_report(path: str, plan: Plan) -> list[str]:
    selection, card = plan.selection, plan.index.card
    assert selection.seeds is not None
    uris = [each.uri for each in selection.candidates]
    uris += [uri for group in selection.seeds.uris for uri in group]
    items = find_items(uris)
    summary = write_contact_sheet(
        path,
        selection,
        selection.seeds,
        read_image=lambda uri: read_item(items[uri]),
        title=f"Round {plan.known.round} from {plan.index.uri.rstrip('/').rpartition('/')[2]}",
        facts=[
            ("images", f"{len(selection):,}"),
            ("labeled before", f"{len(plan.known.labeled):,}"),
            ("pool", f"{plan.index.live_rows:,} images"),
            ("goals", ", ".join(dict.fromkeys(group.goal for group in plan.groups()))),
            ("advice", "stop" if plan.round.verdict.stop else "go on"),
            ("model", card.model.model if card else "not stated"),
        ],
    )
    if not summary.unreadable:
        return []
    uri, reason = summary.unreadable[0]
    pictures = count(len(summary.unreadable), "picture")
    return [f"{pictures} cannot be shown in {path}; first: {uri}: {reason}."]
