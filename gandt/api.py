"""The three calls that do the main job: `embed`, `open_index`, `select`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gandt.errors import IndexFolderError, UsageError
from gandt.index.folder import Index
from gandt.index.folder import open_index as open_index_folder
from gandt.storage import is_remote
from gandt.types import Embedder, Selection

if TYPE_CHECKING:
    from gandt.index.update import Progress, UpdateReport

__all__ = ["embed", "open_index", "select"]

PathLike = str | os.PathLike[str]
MAX_PIXELS = 200_000_000


def embed(
    pool: PathLike | Sequence[PathLike],
    *,
    index: PathLike = "pool.index",
    model: str = "auto",
    device: str = "auto",
    runtime: Literal["auto", "torch", "openvino"] = "auto",
    batch_size: int | None = None,
    exact: bool = False,
    max_pixels: int = MAX_PIXELS,
    column: str | None = None,
    retry_rejected: bool = False,
    decode_workers: int | None = None,
    decode_in: Literal["auto", "threads", "processes"] = "auto",
    shard_rows: int | None = None,
    shard_seconds: float | None = None,
    memory: str = "4G",
    recall: float = 0.95,
    on_start: Callable[[str], None] = lambda line: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> UpdateReport:
    """Bring an index up to date with a pool of images.

    Only new and changed images are embedded; images that left the pool are no longer searched.
    Killed at any moment, it leaves a whole index, and the next call goes on where it stopped.

    Parameters
    ----------
    pool
        Folders, files, globs, lists, manifests, tar shards and `s3://` prefixes, mixed freely.
    index
        The index folder, local or `s3://`; created where absent.
    model
        See `gandt.embedding.models`. `"auto"` takes the model of an index that exists, and the
        default of the machine otherwise.
    device
        `"auto"`, `"cpu"`, `"cuda"` (all GPUs), `"cuda:N"` or `"mps"`.
    runtime
        `"auto"` takes OpenVINO on a CPU where it is installed.
    exact
        Decode JPEGs by the model's literal transform instead of the fast one.
    max_pixels
        Larger images are rejected before they are unpacked.
    column
        Column of the paths in CSV, JSONL and Parquet lists, where it cannot be guessed.
    retry_rejected
        Try images again that earlier runs rejected.
    memory, recall
        For the search index that large pools get: what its build may hold, and the share of the
        true nearest 100 images that a search must find.
    on_start, on_progress
        Called with one line about what comes next (model and device, then the plan of a search
        index and what was measured), and after every batch.

    Raises
    ------
    PoolError, StorageError, ModelError, IndexFolderError, ModelMismatch
    """
    from gandt.embedding.decoding import cores
    from gandt.embedding.lazy import LazyEmbedder, check_device_name
    from gandt.index.card import read_card
    from gandt.index.plan import parse_bytes
    from gandt.index.refresh import plan_sentence, refresh_search, report_sentence
    from gandt.index.remote import writing
    from gandt.index.update import update_index
    from gandt.index.writer import SHARD_ROWS, SHARD_SECONDS
    from gandt.pool.sources import open_pool

    check_device_name(device)
    budget = parse_bytes(memory)
    sources = [pool] if isinstance(pool, str | os.PathLike) else list(pool)
    opened = open_pool(sources, column=column)
    if not is_remote(index) and Path(index).exists() and not Path(index).is_dir():
        raise IndexFolderError(f"{index} is a file; name a folder, new or with an index in it.")

    def load(name: str) -> Embedder:
        from gandt.embedding.runtime import load_embedder

        loaded, line = load_embedder(name, device=device, runtime=runtime, batch_size=batch_size)
        on_start(line)
        return loaded

    with writing(index) as working:
        card = read_card(working.folder)
        if card is not None and model in ("auto", card.model.model):
            known = card.model
            embedder: Embedder = LazyEmbedder(known, lambda: load(known.model))
        else:
            for _ in opened:  # a pool without images is said before a model is loaded for it
                break
            embedder = load(model)
        report = update_index(
            opened,
            embedder,
            working.folder,
            exact=exact,
            max_pixels=max_pixels,
            retry_rejected=retry_rejected,
            decode_workers=decode_workers,
            decode_in=decode_in,
            shard_rows=shard_rows or SHARD_ROWS,
            shard_seconds=SHARD_SECONDS if shard_seconds is None else shard_seconds,
            publish=working.publish,
            on_progress=on_progress,
        )
        try:
            built = refresh_search(
                working.folder,
                memory_bytes=budget,
                recall=recall,
                cores=cores(),
                on_plan=lambda plan: on_start(plan_sentence(plan)),
                publish=working.publish,
            )
        except UsageError as error:  # the vectors are safe, and exact search needs no index
            on_start(f"no search index was built, searches stay exact: {error}")
            return report
        if built is not None:
            on_start(report_sentence(built))
        return report


def open_index(folder: PathLike) -> Index:
    """Open an index of gandt or clip-retrieval for reading; takes milliseconds.

    Of an index on `s3://` a copy is kept on this machine; what it lacks is fetched first.

    Raises
    ------
    IndexFolderError
        The folder is missing, damaged, or no index.
    StorageError
        It cannot be fetched from S3.
    """
    return open_index_folder(folder)


def select(
    index: Index | PathLike,
    seeds: PathLike | Sequence[PathLike] = (),
    *,
    prompts: Sequence[str] = (),
    model: str | None = None,
    device: str = "auto",
    attribute: str | None = None,
    exclude: Sequence[PathLike] = (),
    other: str = "Other",
    gold: PathLike | Sequence[PathLike] = (),
    gold_share: float = 0.1,
    **options: Any,
) -> Selection:
    """Choose the images that are worth a person's look.

    Parameters
    ----------
    index
        An index, or the path or `s3://` URI of one.
    seeds
        Labeled examples: a folder with a folder per class, a table with path and label, or an
        output manifest.
    prompts
        Texts that stand for a class, as `"rust on steel=defect"`, for models that embed texts.
    model
        Needed where the index does not say which model made it, or that model has moved.
    attribute
        The label attribute of output manifests that hold several.
    exclude
        Manifests, selections and tables whose images are left out.
    other
        The contrast class: its seeds say what is not wanted.
    gold
        Images whose labels are known, from the same sources as seeds: some are drawn and asked as
        well, beyond the budget, so that the answers tell how far each worker is right.
    gold_share
        The share of gold images among all that are asked, in (0, 1).
    **options
        Fields of `gandt.selection.select.SelectOptions`: `budget`, `per_class`, `quotas`,
        `strategy`, `min_similarity`, `diversity`, `explore`, `duplicates`, `random_seed`.

    Raises
    ------
    SeedError, IndexFolderError, ModelMismatch, UsageError
    """
    from gandt.index.model import load_model_of
    from gandt.selection.decoys import check_share, plant
    from gandt.selection.exclude import read_excluded
    from gandt.selection.gold_set import read_gold_set
    from gandt.selection.seeds import embed_seeds, find_seeds, parse_prompt
    from gandt.selection.select import SelectOptions, select_candidates

    chosen = SelectOptions(**options)
    opened = index if isinstance(index, Index) else open_index(index)
    sources = [seeds] if isinstance(seeds, str | os.PathLike) else list(seeds)
    texts = [parse_prompt(prompt) for prompt in prompts]
    check_share(gold_share)
    known = [gold] if isinstance(gold, str | os.PathLike) else list(gold)
    items = find_seeds([os.fspath(source) for source in sources], attribute=attribute)
    gold_set = None
    if known:
        gold_set = read_gold_set(
            [os.fspath(source) for source in known],
            opened,
            classes={item.label for item in items} | {text.label for text in texts},
            other=other,
            attribute=attribute,
        )
    seed_set, unreadable = embed_seeds(
        items,
        texts,
        opened,
        lambda: load_model_of(opened, model, device),
        other=other,
        exact=opened.card is not None and opened.card.decoding == "exact",
        max_pixels=MAX_PIXELS,
    )
    excluded = read_excluded([os.fspath(path) for path in exclude])
    left_out = excluded.rows(opened)
    gold_rows = None if gold_set is None else gold_set.rows(opened)
    selection = select_candidates(opened, seed_set, chosen, left_out, gold_rows)
    if exclude and not len(left_out):
        selection = selection.with_notes("no image that is to be excluded is in the pool.")
    if unreadable:
        first, reason = unreadable[0]
        number = "1 seed" if len(unreadable) == 1 else f"{len(unreadable):,} seeds"
        note = f"{number} left out as unreadable; first: {first}: {reason}."
        selection = selection.with_notes(note)
    machine = sum(item.machine for item in items)
    if machine:
        number = (
            "1 seed is an automatic label"
            if machine == 1
            else f"{machine:,} seeds are automatic labels"
        )
        selection = selection.with_notes(f"{number}, which no person has checked.")
    if gold_set is None or not len(selection):
        return selection
    return plant(
        selection, gold_set, gold_share, asked_before=excluded, random_seed=chosen.random_seed
    )
