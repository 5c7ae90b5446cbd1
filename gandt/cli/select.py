"""`gandt select`: seeds and an index become the candidates of a labeling job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gandt.cli.output import note, print_json
from gandt.errors import ManifestError, UsageError
from gandt.words import count

if TYPE_CHECKING:
    from gandt.groundtruth.manifest import ManifestSummary
    from gandt.types import Selection

__all__ = ["SELECT_EXAMPLE", "select"]

SELECT_EXAMPLE = (
    "gandt select --seeds seeds/ --budget 200 \\\n    --out round1.manifest --report round1.html"
)

STRATEGIES = "auto, nearest, prototype, diffusion, contrast or probe"


def select(
    seeds: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Labeled examples: a folder with a folder per class, a table with path and label, "
            "a labels table, or an output manifest. May be given several times.",
            show_default=False,
        ),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT=CLASS",
            help='Text seed for CLIP models, as "rust on steel=defect".',
            show_default=False,
        ),
    ] = None,
    index: Annotated[str, typer.Option(help="Index folder, local or s3://.")] = "pool.index",
    out: Annotated[str, typer.Option(help="Manifest to write, local or s3://.")] = (
        "selection.manifest"
    ),
    budget: Annotated[
        int | None, typer.Option(min=1, help="Images to choose in all.", show_default="500")
    ] = None,
    per_class: Annotated[
        int | None,
        typer.Option(min=1, help="Images per class, instead of --budget.", show_default=False),
    ] = None,
    quota: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS=N",
            help="Images of one class, instead of --budget; classes not named get none. May be "
            "given several times.",
            show_default=False,
        ),
    ] = None,
    strategy: Annotated[str, typer.Option(help=f"One of {STRATEGIES}.")] = "auto",
    other: Annotated[
        str, typer.Option(help="The contrast class: its seeds say what is not wanted.")
    ] = "Other",
    min_similarity: Annotated[
        float | None,
        typer.Option(
            min=-1, max=1, help="Stop at this cosine to the nearest seed.", show_default=False
        ),
    ] = None,
    diversity: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Spread the candidates: 0 takes the best, 1 the most different."
        ),
    ] = 0.0,
    explore: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the budget drawn at random.")
    ] = 0.0,
    duplicates: Annotated[
        float | None,
        typer.Option(
            min=-1,
            max=1,
            help="Similarity from which images count as copies; 1 keeps all but exact ones.",
            show_default="measured",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Manifests, selections, labels tables or lists whose images are left out. May be "
            "given several times.",
            show_default=False,
        ),
    ] = None,
    gold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Images whose labels are known, in any form that --seeds takes: some are planted "
            "among the others, beyond the budget, and tell how far each worker is right. May be "
            "given several times.",
            show_default=False,
        ),
    ] = None,
    gold_share: Annotated[
        float | None,
        typer.Option(help="Share of gold among all images asked.", show_default="0.1"),
    ] = None,
    group_size: Annotated[
        int | None,
        typer.Option(min=1, help="Write tiled tasks of so many images.", show_default=False),
    ] = None,
    tiles_key: Annotated[
        bool,
        typer.Option(
            "--tiles-key/--no-tiles-key",
            help="Tiled tasks: repeat the images under `tiles`, for pages without a Lambda.",
        ),
    ] = True,
    uri_map: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FROM=TO",
            help="Rewrite references, as /local/photos=s3://bucket/photos.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        str | None,
        typer.Option(help="Also write a contact sheet (HTML) here.", show_default=False),
    ] = None,
    attribute: Annotated[
        str | None,
        typer.Option(help="Label attribute of output manifests with several.", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Where the index does not say, or its model has moved.", show_default=False
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Where seeds are embedded.")] = "auto",
    random_seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Choose the images that are worth a person's look.

    Writes a Ground Truth manifest and, beside it, a table that says why each image was chosen.
    """
    import gandt
    from gandt import storage
    from gandt.cli.page_name import check_page_name
    from gandt.groundtruth.gold import write_gold_table
    from gandt.groundtruth.manifest import TaskExamples, write_manifest
    from gandt.groundtruth.uri_map import UriMap
    from gandt.report.selection_table import write_selection_table

    if not seeds and not prompt:
        raise UsageError(
            "there are no seeds; give --seeds a folder with one folder of images per class, a "
            "table or an output manifest, or --prompt a text."
        )
    if gold_share is not None and not gold:
        raise UsageError(
            f"--gold-share {gold_share:g} has nothing to take: give --gold the known images, a "
            "folder with one folder per class or a table with labels."
        )
    if out.endswith("/"):
        raise UsageError(f"--out {out} is a folder; name a file in it, as {out}round1.manifest.")
    check_page_name("--report", report)
    shares = {"--budget": budget, "--per-class": per_class, "--quota": quota or None}
    given = [option for option, value in shares.items() if value is not None]
    if len(given) > 1:
        raise UsageError(
            f"{' and '.join(given)} exclude each other: each says how many images; give one."
        )
    mapping = UriMap.parse(uri_map or [])
    selection = gandt.select(
        index,
        seeds or [],
        prompts=prompt or [],
        model=model,
        device=device,
        attribute=attribute,
        exclude=exclude or [],
        other=other,
        gold=gold or [],
        gold_share=0.1 if gold_share is None else gold_share,
        budget=500 if budget is None else budget,
        per_class=per_class,
        quotas=_quotas(quota) if quota else None,
        strategy=strategy,
        min_similarity=min_similarity,
        diversity=diversity,
        explore=explore,
        duplicates=duplicates,
        random_seed=random_seed,
    )
    assert selection.seeds is not None
    if not len(selection):
        raise ManifestError(
            f"no image was chosen, so {out} is not written: {' '.join(selection.notes)}"
        )
    summary = write_manifest(
        out,
        selection,
        group_size=group_size,
        uri_map=mapping,
        examples=TaskExamples.from_seeds(selection.seeds),
        tiles_key=tiles_key,
    )
    table, parquet = write_selection_table(_beside(out), selection)
    beside = f"{out.removesuffix('.manifest')}.gold.csv"
    known = beside if summary.known else None
    if known is not None:
        write_gold_table(known, summary.known)
    notes = [*selection.notes, *_notes_on_gold(summary)]
    if known is None and not storage.is_remote(beside) and storage.exists(beside):
        notes.append(f"{beside} is of an earlier run: this manifest holds no known images.")
    if summary.unmapped:
        notes.append(
            f"{count(len(summary.unmapped), 'reference')} fit no --uri-map rule and stay as they "
            f"are; first: {summary.unmapped[0]}."
        )
    if summary.dropped_examples:
        notes.append(
            f"{count(len(summary.dropped_examples), 'example picture')} left out of the tasks to "
            "keep within Ground Truth's limit of 20,000 characters."
        )
    if group_size and tiles_key and not summary.tiles_key:
        notes.append(
            "the images do not stand under `tiles` as well, or lines would be too long: a page of "
            "tiled tasks needs the pre-annotation Lambda."
        )
    if report is not None:
        notes += _write_report(report, selection, index)
    if json:
        print_json(
            {
                "manifest": out,
                "table": table,
                "parquet": parquet,
                "report": report,
                "tasks": summary.tasks,
                "images": summary.images,
                "strategy": selection.strategy,
                "classes": {name: _chosen(selection, name) for name in selection.classes},
                "gold": known
                and {"table": known, "images": len(summary.known), "asked": summary.known_asked},
                "notes": notes,
            }
        )
        return
    for name in selection.classes:
        chosen = [row for row in selection.candidates if row.label == name]
        span = ""
        if chosen:
            values = [row.similarity for row in chosen]
            span = f", similarity {max(values):.2f} to {min(values):.2f}"
        copies = sum(len(row.duplicates) for row in chosen)
        if copies:
            span += f", standing for {count(copies, 'copy', 'copies')} more"
        typer.echo(f"{name:<16} {count(len(chosen), 'candidate')}{span}")
    tasks = f" in {count(summary.tasks, 'tiled task')}" if group_size else ""
    typer.echo(f"manifest         {out}: {count(summary.images, 'image')}{tasks}")
    if known is not None:
        share = summary.known_asked / summary.images
        typer.echo(
            f"gold             {known}: {count(len(summary.known), 'known image')}, "
            f"{share:.1%} of what is asked"
        )
    typer.echo(f"table            {table}")
    if report is not None:
        typer.echo(f"contact sheet    {report}")
    for line in notes:
        note(f"note: {line}")


def _quotas(values: list[str]) -> dict[str, int]:
    quotas: dict[str, int] = {}
    for value in values:
        name, _, number = value.rpartition("=")
        name, number = name.strip(), number.strip()
        if not (name and number.isascii() and number.isdecimal() and len(number) < 10):
            raise UsageError(f"--quota {value!r}: write CLASS=N, for example --quota cat=50.")
        if name in quotas:
            raise UsageError(f"--quota names class {name} twice; name it once.")
        quotas[name] = int(number)
    return quotas


def _chosen(selection: Selection, name: str) -> int:
    return sum(row.label == name for row in selection.candidates)


def _notes_on_gold(summary: ManifestSummary) -> list[str]:
    notes = []
    again = summary.known_asked - len(summary.known)
    if again:
        notes.append(
            f"gold images come {count(again, 'time')} again, each in different tasks; more of "
            "them would tell more."
        )
    several = sum(isinstance(label, list) for _, label in summary.known)
    if several and summary.group_size is None:
        have = "has" if several == 1 else "have"
        notes.append(
            f"{count(several, 'gold image')} {have} several labels, which only workers who may "
            "choose several can give."
        )
    if summary.telling:
        number = len(summary.telling)
        it, its = ("it is", "its") if number == 1 else ("they are", "their")
        notes.append(
            f"from the address of {count(number, 'gold image')} a worker who looks can tell that "
            f"{it} known, or {its} class: copy to other names; first: {summary.telling[0]}."
        )
    return notes


def _beside(out: str) -> str:
    """Name the table: `round1.selection.csv` for `round1.manifest`, nothing said twice."""
    stem = out.removesuffix(".manifest")
    return f"{stem}.csv" if stem.endswith("selection") else f"{stem}.selection.csv"


def _write_report(path: str, selection: Selection, index: str) -> list[str]:
    from gandt.api import open_index
    from gandt.pool.sources import find_items, read_item
    from gandt.report.contact_sheet import write_contact_sheet

    assert selection.seeds is not None
    uris = [row.uri for row in selection.candidates]
    uris += [uri for group in selection.seeds.uris for uri in group]
    items = find_items(uris)
    opened = open_index(index)
    model = opened.card.model.model if opened.card else "not stated"
    summary = write_contact_sheet(
        path,
        selection,
        selection.seeds,
        read_image=lambda uri: read_item(items[uri]),
        title=f"Candidates from {index.rstrip('/').rpartition('/')[2]}",
        facts=[
            ("candidates", f"{len(selection.candidates):,}"),
            ("pool", count(opened.live_rows, "image")),
            ("strategy", selection.strategy),
            ("model", model),
        ],
    )
    if not summary.unreadable:
        return []
    uri, reason = summary.unreadable[0]
    return [
        f"{count(len(summary.unreadable), 'picture')} cannot be shown in {path}; first: {uri}: "
        f"{reason}."
    ]
