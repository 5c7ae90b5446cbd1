"""`gandt manifest`: all images of a pool, or all texts of a table, as tasks; none is selected."""

from __future__ import annotations

from typing import Annotated

import typer

from gandt.cli.output import note, print_json
from gandt.errors import UsageError
from gandt.words import count

__all__ = ["MANIFEST_EXAMPLE", "manifest"]

MANIFEST_EXAMPLE = "gandt manifest photos/ --sample 500 --out sample.manifest"

_TEXT_COLUMNS = ("text", "source", "content", "sentence", "review")


def manifest(
    pool: Annotated[
        list[str],
        typer.Argument(
            metavar="POOL",
            help="Folders, globs, lists, tables, tar shards, manifests; local or s3://. With "
            "--text: tables or .txt files with a text on each line.",
            show_default=False,
        ),
    ],
    out: Annotated[str, typer.Option(help="Manifest to write, local or s3://.")] = "all.manifest",
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="So many, drawn at random; else all.", show_default=False),
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="The sources hold texts.")] = False,
    column: Annotated[
        str | None,
        typer.Option(help="Column of paths, or of texts, in tables.", show_default="as named"),
    ] = None,
    group_size: Annotated[
        int | None,
        typer.Option(min=1, help="Write tiled tasks of so many images.", show_default=False),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="Labels of tiled tasks, with commas between.", show_default=False),
    ] = None,
    uri_map: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FROM=TO",
            help="Rewrite references, as /local/photos=s3://bucket/photos.",
            show_default=False,
        ),
    ] = None,
    random_seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write a manifest of a whole pool, or of a sample.

    For a pool that is small enough to be labeled whole, or an unbiased sample to measure with.
    """
    from gandt.groundtruth.plain_manifest import Tiling, draw, write_images, write_texts
    from gandt.groundtruth.uri_map import UriMap
    from gandt.pool.sources import open_pool

    if out.endswith("/"):
        raise UsageError(f"--out {out} is a folder; name a file in it, as {out}all.manifest.")
    names = tuple(part.strip() for part in (labels or "").split(",") if part.strip())
    if (group_size is not None) != bool(names) or (text and group_size is not None):
        raise UsageError(
            "tiled tasks of images take --group-size and --labels together; other tasks take "
            "neither (their labels are given to `gandt launch` or `gandt label`)."
        )
    notes: list[str] = []
    if text:
        drawn = draw([entry for uri in pool for entry in _texts(uri, column)], sample, random_seed)
        tasks = write_texts(out, drawn)
    else:
        listed = open_pool(pool, column=column)
        drawn = draw([item.uri for item in listed], sample, random_seed)
        notes += [f"{uri} could not be listed: {reason}" for uri, reason in listed.problems]
        notes += [f"{n:,} {suffix} files are no images" for suffix, n in listed.ignored.items()]
        tiling = None if group_size is None else Tiling(group_size, names)
        tasks = write_images(out, drawn, uri_map=UriMap.parse(uri_map or []), tiling=tiling)
    noun = "text" if text else "image"
    if json:
        print_json({"manifest": out, "tasks": tasks, f"{noun}s": len(drawn), "notes": notes})
        return
    tiled = f" in {count(tasks, 'tiled task')}" if group_size else ""
    typer.echo(f"manifest  {out}: {count(len(drawn), noun)}{tiled}")
    for line in notes:
        note(f"note: {line}.")


def _texts(source: str, column: str | None) -> list[str]:
    """Read the texts of a table, or the lines of a text file."""
    from pathlib import PurePosixPath

    from gandt import storage
    from gandt.tables import TABLE_SUFFIXES, find_column, read_list, read_rows

    uri = storage.normalize(source)
    if PurePosixPath(uri).suffix.lower() not in TABLE_SUFFIXES:
        return list(read_list(uri, ()))
    wanted = (column,) if column else _TEXT_COLUMNS
    table = read_rows(uri, wanted)
    found = table.columns[find_column(table, wanted, "the texts")]
    empty = [number for number, cell in enumerate(found, start=1) if not cell]
    if empty:
        raise UsageError(
            f"{uri}: {count(len(empty), 'row')} without a text, the first is row {empty[0]}: take "
            "them out, for nobody can label them."
        )
    return [cell for cell in found if cell]
