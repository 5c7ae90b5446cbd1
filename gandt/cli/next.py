"""`gandt next`: the labels of all rounds so far become the next round, or the advice to stop."""

from __future__ import annotations

from typing import Annotated

import typer

from gandt.cli.goals import parse_goals
from gandt.cli.output import note, print_json
from gandt.cli.threads import one_blas_thread
from gandt.errors import UsageError

__all__ = ["NEXT_EXAMPLE", "next_"]

NEXT_EXAMPLE = (
    "gandt next --labels round*/labels.csv --target defect --budget 200 \\\n"
    "    --out round3.manifest --report round3.html"
)


def next_(
    more_labels: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="LABELS",
            help="More of --labels, as the shell expands round*/labels.csv.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="What people said so far: labels tables, folders of rounds or output manifests of "
            "all rounds, local or s3://. May be given several times.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Labeled examples, as `gandt select` takes them: a folder with a folder per "
            "class, or a table. May be given several times.",
            show_default=False,
        ),
    ] = None,
    index: Annotated[str, typer.Option(help="Index folder, local or s3://.")] = "pool.index",
    budget: Annotated[
        int, typer.Option(min=1, help="Images in all, those drawn uniformly and again included.")
    ] = 500,
    out: Annotated[
        str | None,
        typer.Option(help="Manifest to write, local or s3://.", show_default="round<N>.manifest"),
    ] = None,
    goal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=SHARE]",
            help="find (likeliest of rare classes), learn (uncertain and diverse) or balance (even "
            "counts). Mixed as --goal find=0.7 --goal learn=0.3.",
            show_default="find",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS",
            help="Class to find. May be given several times.",
            show_default="the rarer half",
        ),
    ] = None,
    other: Annotated[str, typer.Option(help="The contrast class; never one to find.")] = "Other",
    uniform: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Share drawn uniformly: only these tell how many are left, whatever was chosen.",
        ),
    ] = 0.05,
    neighbors: Annotated[
        int, typer.Option(min=1, help="Neighbors of a labeled image that become candidates.")
    ] = 50,
    again: Annotated[
        bool,
        typer.Option(
            "--again/--no-again",
            help="With learn: ask labeled images again where that tells more than a new one.",
        ),
    ] = True,
    price: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="What it costs to have one image labeled, all its answers together.",
            show_default=False,
        ),
    ] = None,
    value: Annotated[
        float | None,
        typer.Option(
            min=0, help="What one more image of a class to find is worth.", show_default=False
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Manifests, tables or lists whose images are left out, as those sent and not yet "
            "answered. May be given several times.",
            show_default=False,
        ),
    ] = None,
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
        typer.Option(metavar="HTML", help="Also write a contact sheet here.", show_default=False),
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
    """Choose what to label next, or say that it is enough.

    Says what was found, how many are left, and whether another round is worth it. Name the labels
    of all rounds every time. Writes a manifest as `gandt select` does, also where the advice is to
    stop; none where every image is labeled.
    """
    one_blas_thread()
    from gandt.active.rounds import RoundOptions
    from gandt.cli.next_output import ended, following, printed, shown
    from gandt.cli.page_name import check_page_name
    from gandt.groundtruth.uri_map import UriMap
    from gandt.rounds.next.files import check_destination, default_destination, write_plan
    from gandt.rounds.next.plan import Complete, plan_next

    if (price is None) != (value is None):
        given, missing = ("--price", "--value") if value is None else ("--value", "--price")
        raise UsageError(f"{given} tells nothing alone: give {missing} as well, or neither.")
    mapping = UriMap.parse(uri_map or [])
    options = RoundOptions(
        budget=budget,
        mix=parse_goals(goal or ["find"]),
        targets=tuple(target or ()),
        other=other,
        uniform=uniform,
        neighbors=neighbors,
        again=again,
        price=price,
        value=value,
        random_seed=random_seed,
    )
    if out is not None:
        check_destination(out)
    check_page_name("--report", report)
    try:
        plan = plan_next(
            index,
            [*(labels or ()), *(more_labels or ())],
            options,
            seeds=seeds or (),
            exclude=exclude or (),
            attribute=attribute,
            model=model,
            device=device,
        )
    except Complete as end:
        if json:
            files_ = dict.fromkeys(("manifest", "table", "parquet", "frontier", "report"))
            print_json({**files_, **end.as_json(), "next": []})
            return
        for line in ended(end):
            typer.echo(line)
        for line in end.known.notes:
            note(f"note: {shown(line)}")
        return
    if out is None:
        out = default_destination(plan.known.round)
    files = write_plan(out, plan, uri_map=mapping, report=report)
    commands = following(out, plan, launched=bool(uri_map))
    if json:
        print_json({**files.as_json(), **plan.as_json(), "next": commands})
        return
    for line in printed(plan, files, commands):
        typer.echo(line)
    for line in (*plan.notes, *files.notes):
        note(f"note: {shown(line)}")
