"""The pieces of the contact sheet: seeds, candidates and their pictures as HTML.

Pure functions from values to text; everything that comes from outside is escaped here. The page
around them is in `contact_sheet`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from gandt.report.thumbnails import Thumbnail, make_thumbnail
from gandt.types import Candidate, SeedSet, Selection
from gandt.words import count

__all__ = [
    "AT_RANDOM",
    "BESIDE",
    "Anchors",
    "Pictures",
    "card",
    "inset_rules",
    "is_image_uri",
    "number_text",
    "safe",
    "seed_anchors",
    "seed_strip",
]

AT_RANDOM = ("explore", "uniform")  # `Candidate.why` of the images drawn at random
BESIDE = (*AT_RANDOM, "again")  # of those that stand beside the ranking
_BADGES = (*BESIDE, "learn", "balance")  # of those that need not look like their class
_SEEDS_SHOWN = 12  # of a class; the others are folded away
_INSET_SIDE = 64  # pixels, of the seed in the corner of a candidate

Pictures = Mapping[str, Thumbnail | str]  # URI → thumbnail, or why there is none
Anchors = Mapping[tuple[str, str], str]  # (class, URI of a seed) → its name within the page


# ----------------------------------------------------------------------------------- seeds


def seed_anchors(seeds: SeedSet) -> dict[tuple[str, str], str]:
    """Give each seed a name within the page, by its class and URI."""
    return {
        (name, uri): f"seed-{place}-{number}"
        for place, (name, uris) in enumerate(zip(seeds.classes, seeds.uris, strict=True))
        for number, uri in enumerate(uris, start=1)
    }


def inset_rules(
    selection: Selection,
    anchors: Anchors,
    seed_pictures: Pictures,
) -> str:
    """Write style rules that hold each seed's picture once, however many candidates show it."""
    used = dict.fromkeys((c.label, c.seed) for c in selection.candidates)
    rules = []
    for label, uri in used:
        anchor, picture = anchors.get((label, uri)), seed_pictures.get(uri)
        if anchor and isinstance(picture, Thumbnail):
            small = make_thumbnail(picture.jpeg, _INSET_SIDE)
            rules.append(f'.{anchor} {{ background-image: url("{small.data_uri}"); }}\n')
    return "".join(rules)


def seed_strip(
    name: str,
    seeds: SeedSet,
    pictures: Pictures,
    anchors: Anchors,
) -> str:
    """Show the seeds of a class, the first dozen at once; nothing where it has none."""
    uris = dict(zip(seeds.classes, seeds.uris, strict=True)).get(name, ())
    if not uris:
        return ""
    cells = [
        _seed(number, uri, pictures.get(uri), anchors[name, uri])
        for number, uri in enumerate(uris, start=1)
    ]
    rows = [
        f'<div class="seeds"><h3>{count(len(cells), "seed")}</h3>',
        '<ul class="strip">',
        *cells[:_SEEDS_SHOWN],
        "</ul>",
    ]
    if len(cells) > _SEEDS_SHOWN:
        more = cells[_SEEDS_SHOWN:]
        rows += [
            f"<details><summary>{len(more):,} more</summary>",
            '<ul class="strip">',
            *more,
            "</ul></details>",
        ]
    return "\n".join([*rows, "</div>"])


def _seed(number: int, uri: str, picture: Thumbnail | str | None, anchor: str) -> str:
    if picture is None:
        return f'<li class="seed text" id="{anchor}"><b>{number}</b>{safe(uri)}</li>'
    return (
        f'<li class="seed" id="{anchor}" title="{safe(uri)}">'
        f"{_image(picture, f'seed {number}: {_name(uri)}')}<b>{number}</b></li>"
    )


# -------------------------------------------------------------------------------- candidates


def card(candidate: Candidate, picture: Thumbnail | str, anchors: Anchors) -> str:
    """Show one candidate: picture, rank, score, similarity, its seed, its copies."""
    badge = candidate.why if candidate.why in _BADGES else ""
    anchor = anchors.get((candidate.label, candidate.seed))
    like = prompt = ""
    if anchor and is_image_uri(candidate.seed):
        number = anchor.rpartition("-")[2]
        words = f"most similar to seed {number}: {_name(candidate.seed)}"
        like = (
            f'<a class="like {anchor}" href="#{anchor}" title="{safe(words)}" '
            f'aria-label="{safe(words)}"></a>'
        )
    elif anchor:
        prompt = f'<a class="name" href="#{anchor}">{safe(candidate.seed)}</a>'
    tip = f"{candidate.uri}\npicked by: {candidate.why}"
    if isinstance(picture, Thumbnail):
        tip += f"\n{picture.full_width} by {picture.full_height} pixels"
    rows = [
        f'<li class="card{" badged" if badge else ""}">',
        f'<div class="picture" title="{safe(tip)}">{_image(picture, _name(candidate.uri))}',
        f'<span class="rank">{candidate.rank:,}</span>',
        f'<span class="badge">{badge}</span>' if badge else "",
        f"{like}</div>",
        '<div class="words">',
        f'<span class="numbers"><b title="score">{number_text(candidate.score)}</b>',
        f'<span title="similarity to that seed">sim {number_text(candidate.similarity)}</span>',
        "</span>",
        f'<bdi class="name" title="{safe(candidate.uri)}">{safe(_name(candidate.uri))}</bdi>',
        prompt,
        _copies(candidate.duplicates),
        "</div></li>",
    ]
    return "".join(rows)


def _copies(uris: Sequence[str]) -> str:
    if not uris:
        return ""
    rows = "".join(f"<li>{safe(uri)}</li>" for uri in uris)
    what = count(len(uris), "near-copy", "near-copies")
    return f"<details><summary>+ {what}</summary><ul>{rows}</ul></details>"


def _image(picture: Thumbnail | str, name: str) -> str:
    if isinstance(picture, str):
        return f'<span class="broken">Cannot be shown: {safe(picture)}</span>'
    return (
        f'<img src="{picture.data_uri}" width="{picture.width}" height="{picture.height}" '
        f'alt="{safe(name)}" loading="lazy" decoding="async">'
    )


# ------------------------------------------------------------------------------------- text


def safe(value: str) -> str:
    """Escape for HTML text and quoted attributes; what Unicode cannot hold is spelled out."""
    whole = value.encode("utf-8", "backslashreplace").decode()
    return escape(
        "".join(
            char if char >= " " or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in whole
        ),
        quote=True,
    )


def _name(uri: str) -> str:
    return uri.rstrip("/").rpartition("/")[2] or uri


def is_image_uri(uri: str) -> bool:
    """Whether a seed is an image's URI, not a text that describes one."""
    return uri.startswith("/") or "://" in uri


def number_text(value: float) -> str:
    """Three decimals; a dash where there is no number."""
    if not math.isfinite(value):
        return "\N{EN DASH}"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.4g}"
