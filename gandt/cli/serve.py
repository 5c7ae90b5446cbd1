"""`gandt serve`: selection over HTTP, and a page to explore a pool with."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Annotated

import typer

from gandt.cli.label import has_screen, listed
from gandt.cli.output import note
from gandt.errors import UsageError
from gandt.words import count

if TYPE_CHECKING:
    from pathlib import Path

    from gandt.selection.seeds import LabeledItem
    from gandt.serving.service.explore.engine import Engine
    from gandt.serving.service.explore.explorer import Explorer

__all__ = ["SERVE_EXAMPLE", "serve"]

SERVE_EXAMPLE = "gandt serve --index pool.index --seeds seeds/"

PORT = 8485
METHODS = ("pca", "umap")
VISITOR = "visitor"  # who comes by the only link, where nobody was named
GOODBYE = 5.0  # seconds for work that is under way when it ends


def serve(
    index: Annotated[str, typer.Option(help="Index folder, local or s3://.")] = "pool.index",
    seeds: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Labeled examples that the page starts with, in any form that gandt select takes. "
            "May be given several times.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Images whose class is known, in the same forms: the colors of the map. May be "
            "given several times.",
            show_default=False,
        ),
    ] = None,
    save_to: Annotated[
        str, typer.Option(help="Folder for what is saved on the page, on this machine.")
    ] = ".",
    save: Annotated[
        bool, typer.Option("--save/--no-save", help="Whether anything may be saved.")
    ] = True,
    map: Annotated[
        str, typer.Option(help="How the map is drawn: pca, or umap (pip install 'gandt[map]').")
    ] = "pca",
    people: Annotated[
        str | None,
        typer.Option(
            help="Names with commas between: each gets a link of their own, and nobody else "
            "comes in.",
            show_default="whoever is at this machine",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to serve on; 0.0.0.0 lets others in, by a link.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; 0 for any.", show_default="8485, or the next"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Where the index does not say, or its model has moved.", show_default=False
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Where uploads and texts are embedded.")] = "auto",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    json: Annotated[
        bool, typer.Option("--json", help="Print the links, and in the end the result, as JSON.")
    ] = False,
) -> None:
    """Explore a pool in the browser; select over HTTP.

    Programs find the API described at /openapi.json, and send the token of a link as a bearer.
    The index is served as it was when this started: after `gandt embed`, start it again.
    """
    import sys

    from gandt import storage
    from gandt.api import open_index
    from gandt.embedding.lazy import check_device_name
    from gandt.index.model import load_model_of
    from gandt.selection.seeds import find_seeds
    from gandt.serving.service.explore.access import Access, kept_secret
    from gandt.serving.service.explore.app import explorer_app
    from gandt.serving.service.explore.engine import Engine
    from gandt.serving.service.explore.explorer import Explorer
    from gandt.serving.service.explore.pictures.thumbnails import Thumbnails
    from gandt.serving.service.explore.pool_map.data import PoolMap
    from gandt.serving.service.explore.starting import starting_seeds
    from gandt.serving.service.run import bind, is_loopback, own_names
    from gandt.serving.service.run import serve as run

    names = listed(people, "--people")
    if len({name.casefold() for name in names}) < len(names):
        raise UsageError(f"--people {people} names somebody twice: each person has one link.")
    if map not in METHODS:
        raise UsageError(f"--map {map}: there is pca, and umap.")
    check_device_name(device)
    folder = _save_folder(save_to) if save else None
    opened = open_index(index)
    known: dict[str, str] = {}
    for item in find_seeds(labels or []):
        known.setdefault(item.item.uri, item.label)
    engine = Engine(opened, lambda: load_model_of(opened, model, device), known=known)
    in_pool = len(engine.ids(list(known)))
    items = find_seeds(seeds or [])
    cache = storage.cache_folder()
    bound = bind(host, port, usual=PORT)
    access = Access.for_people(
        names or ([] if is_loopback(host) else [VISITOR]),
        subject=storage.normalize(opened.uri),
        secret=kept_secret(cache / "links.key"),
    )
    explorer = Explorer(
        engine,
        access=access,
        thumbnails=Thumbnails(engine, cache),
        pool_map=PoolMap(engine, map, cache),
        save_folder=folder,
        seeds=starting_seeds(engine, items),
    )
    links = _links(access.tokens, bool(names), host, bound.getsockname()[1])

    def ready() -> None:
        if in_pool < len(known):
            note(
                f"note: {in_pool:,} of {count(len(known), 'image')} in --labels can be found in "
                "this pool; their paths have to be those of the index."
            )
        _announce(engine, items, folder, links, json, host, model)
        explorer.warming.start()
        if browser and len(links) == 1 and has_screen():
            import webbrowser

            webbrowser.open(next(iter(links.values())))

    # Selections compute in threads beside the one that answers; it should not wait long for a turn.
    sys.setswitchinterval(0.0005)
    run(explorer_app(explorer, names={*own_names(), host}), bound, on_ready=ready)
    _close(explorer, json)


def _save_folder(path: str) -> Path:
    import os
    from pathlib import Path

    from gandt import storage
    from gandt.serving.service.explore.saving.file_set import finish_saves

    if storage.is_remote(path):
        raise UsageError(f"--save-to {path}: name a folder of this machine, or --no-save.")
    folder = Path(storage.normalize(path))
    if not folder.is_dir():
        raise UsageError(f"--save-to {path} is no folder: make it first, or name another.")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"--save-to {path} may not be written to: name another, or --no-save.")
    finish_saves(folder)  # where the last one was killed while it saved
    return folder


def _links(tokens: dict[str, str], named: bool, host: str, port: int) -> dict[str, str]:
    from gandt.serving.service.run import public_host

    start = f"http://{public_host(host)}:{port}"
    if not tokens:
        return {"": f"{start}/"}
    return {name if named else "": f"{start}/enter/{token}" for name, token in tokens.items()}


def _announce(
    engine: Engine,
    items: list[LabeledItem],
    folder: Path | None,
    links: dict[str, str],
    json: bool,
    host: str,
    model: str | None,
) -> None:
    from gandt.serving.service.run import is_loopback

    if not is_loopback(host):
        note("note: links and images travel unencrypted; use it in a network that you trust.")
    facts = engine.facts()
    made_by = facts["model"] or model
    if made_by is None:
        note("note: the index does not say its model; --model lets uploads and texts be used.")
    if json:
        people = {name: link for name, link in links.items() if name}
        event = {"event": "serving", "url": links.get(""), "people": people}
        event |= {"index": engine.index.uri, "save": None if folder is None else str(folder)}
        typer.echo(json_module.dumps(event, ensure_ascii=False))
        return
    texts = ", which also embeds texts" if engine.texts else ""
    typer.echo(f"index     {engine.index.uri}: {count(engine.total, 'image')}")
    typer.echo(f"model     {made_by or 'not stated'}{texts}")
    if items:
        classes = count(len({item.label for item in items}), "class", "classes")
        typer.echo(f"seeds     {len(items):,} of {classes}")
    typer.echo(f"saves     {'nothing' if folder is None else f'to {folder}'}")
    for name, link in links.items():
        typer.echo(f"{name or 'open':<10}{link}")
    note("Ctrl-C stops it; programs read /openapi.json.")


def _close(explorer: Explorer, json: bool) -> None:
    """Say what was done, and end even where a piece of work does not."""
    import gc
    import os
    import sys

    done = explorer.summary()
    if json:
        typer.echo(json_module.dumps({"event": "closed", **done}, ensure_ascii=False))
    else:
        for name, value in done.items():
            typer.echo(f"{name:<12}{value:,}")
    if not explorer.close(GOODBYE):
        # A thread cannot be ended, and waiting for it could take as long as a download.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    gc.freeze()  # the interpreter would look through all of it once more, for seconds
