"""`gandt embed`: a pool of images becomes an index."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from gandt.cli.output import duration, note, print_json, show_progress
from gandt.errors import IndexFolderError
from gandt.words import count

if TYPE_CHECKING:
    from gandt.index.folder import Index
    from gandt.index.update import UpdateReport

__all__ = ["EMBED_EXAMPLE", "embed"]

EMBED_EXAMPLE = "gandt embed photos/ more/*.jpg --index pool.index"


class Runtime(str, Enum):
    """Values of `--runtime`."""

    auto = "auto"
    torch = "torch"
    openvino = "openvino"


class DecodeIn(str, Enum):
    """Values of `--decode-in`."""

    auto = "auto"
    threads = "threads"
    processes = "processes"


def embed(
    pool: Annotated[
        list[str],
        typer.Argument(
            metavar="POOL",
            help="Folders, images, globs, lists (txt, csv, jsonl, parquet), manifests, tar shards, "
            "s3://bucket/prefix; mixed freely.",
            show_default=False,
        ),
    ],
    index: Annotated[
        str, typer.Option(help="Index folder, local or s3://; created where absent.")
    ] = ("pool.index"),
    model: Annotated[
        str,
        typer.Option(
            help="efficientnet-lite0, open_clip NAME:TAG, timm:NAME.TAG, any of them with @FILE, "
            "or a model folder. auto: the model of an index that exists, else the default here."
        ),
    ] = "auto",
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda (all GPUs), cuda:N or mps.")
    ] = "auto",
    runtime: Annotated[
        Runtime, typer.Option(help="On a CPU: OpenVINO (where installed) or torch.")
    ] = Runtime.auto,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images a batch.", show_default="fitted")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Decode by the model's literal transform; slower.")
    ] = False,
    column: Annotated[
        str | None, typer.Option(help="Column of the paths in lists.", show_default="guessed")
    ] = None,
    max_pixels: Annotated[
        int, typer.Option(min=1, help="Reject larger images before unpacking them.")
    ] = 200_000_000,
    retry_rejected: Annotated[
        bool, typer.Option("--retry-rejected", help="Try images again that were rejected before.")
    ] = False,
    decode_workers: Annotated[
        int | None, typer.Option(min=1, help="Decoding workers.", show_default="one per core")
    ] = None,
    decode_in: Annotated[
        DecodeIn, typer.Option(help="auto: threads beside a CPU model, processes beside a GPU.")
    ] = DecodeIn.auto,
    shard_rows: Annotated[
        int | None, typer.Option(min=1, help="Rows a shard.", show_default="100000")
    ] = None,
    shard_seconds: Annotated[
        float | None,
        typer.Option(min=0, help="Commit a shard at this age.", show_default="60"),
    ] = None,
    memory: Annotated[
        str, typer.Option(help="Memory for building the search index of a large pool.")
    ] = "4G",
    recall: Annotated[
        float, typer.Option(min=0.01, max=1, help="Recall@100 that its searches must reach.")
    ] = 0.95,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Embed a pool of images, or bring its index up to date.

    Only new and changed images are embedded. Interrupt it at any moment and run it again.
    """
    import gandt

    with show_progress(quiet) as on_progress:
        report = gandt.embed(
            list(pool),
            index=index,
            model=model,
            device=device,
            runtime=runtime.value,
            batch_size=batch_size,
            exact=exact,
            max_pixels=max_pixels,
            column=column,
            retry_rejected=retry_rejected,
            decode_workers=decode_workers,
            decode_in=decode_in.value,
            shard_rows=shard_rows,
            shard_seconds=shard_seconds,
            memory=memory,
            recall=recall,
            on_start=(lambda line: None) if quiet else note,
            on_progress=on_progress,
        )
    done = report.progress
    opened = gandt.open_index(index)
    if json:
        print_json(
            {
                "index": str(index),
                "images": opened.live_rows,
                "embedded": done.embedded,
                "known": done.known,
                "rejected": done.rejected,
                "rejected_in_all": report.rejected_in_all,
                "gone": report.gone,
                "seconds": round(done.seconds, 2),
                "images_per_second": round(done.embedded / done.seconds, 1) if done.seconds else 0,
                "waiting": round(done.waiting, 3),
                "problems": [{"uri": uri, "reason": reason} for uri, reason in report.problems],
                "ignored": report.ignored,
            }
        )
    else:
        _say(report, opened)
    if not opened.live_rows:
        raise IndexFolderError(_why_empty(opened))


def _say(report: UpdateReport, index: Index) -> None:
    done = report.progress
    rate = f" ({done.embedded / done.seconds:.0f} images/s)" if done.embedded else ""
    typer.echo(f"embedded  {count(done.embedded, 'image')} in {duration(done.seconds)}{rate}")
    if done.known:
        typer.echo(f"known     {done.known:,} unchanged")
    if report.gone:
        typer.echo(f"gone      {report.gone:,} left the pool and are no longer searched")
    if report.rejected_in_all:
        again = (
            f"; {report.skipped_rejected:,} from earlier runs not tried again (--retry-rejected)"
            if report.skipped_rejected
            else ""
        )
        typer.echo(
            f"rejected  {report.rejected_in_all:,}{again}; `gandt info {index.uri}` says why"
        )
    if report.ignored:
        kinds = ", ".join(f"{suffix or 'no suffix'} {n:,}" for suffix, n in report.ignored.items())
        typer.echo(f"ignored   files that are no images: {kinds}")
    for uri, reason in report.problems[:5]:
        typer.echo(f"problem   {uri}: {reason}")
    if len(report.problems) > 5:
        typer.echo(f"problem   … and {len(report.problems) - 5:,} more")
    typer.echo(f"index     {index.uri}: {count(index.live_rows, 'image')} to search")


def _why_empty(index: Index) -> str:
    rejected = list(index.rejected())
    first = f"; first: {rejected[0].uri}: {rejected[0].reason}" if rejected else ""
    return (
        f"{index.uri} holds no image to search (rejected: {len(rejected):,}{first}); name JPEG, "
        "PNG, WebP, TIFF, BMP or GIF files that can be read."
    )
