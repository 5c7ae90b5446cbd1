"""The contact sheet: a selection as one page that a person can look through in a minute.

Reads the images of a selection and of its seeds through a function that the caller gives; writes
one HTML file that needs nothing else: thumbnails stand inside as data URIs, there is no script,
and a content security policy forbids the page to load anything. For each class it shows the seeds,
how similarity falls off along the candidates, and each candidate with its rank, score, similarity,
the seed that it resembles most, and its near-copies. The idea is the photographer's contact print.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gandt import storage
from gandt.errors import GandtError
from gandt.report.contact_sheet_parts import (
    AT_RANDOM,
    BESIDE,
    Anchors,
    Pictures,
    card,
    inset_rules,
    is_image_uri,
    number_text,
    safe,
    seed_anchors,
    seed_strip,
)
from gandt.report.contact_sheet_style import STYLE
from gandt.report.page_head import page_head
from gandt.report.thumbnails import Thumbnail, make_thumbnail
from gandt.types import Candidate, SeedSet, Selection
from gandt.words import count

__all__ = ["ContactSheetSummary", "write_contact_sheet"]

_SEED_SIDE = 112  # pixels
_LEGEND = (
    "Each picture has its rank above and, in the corner, the seed that it resembles most. The bold "
    "number is the score, which compares candidates of one class only; sim is the cosine "
    "similarity to that seed. A class is a hint, not yet a label."
)
_READERS = 8  # threads: reading from S3 is mostly waiting


@dataclass(frozen=True, slots=True)
class ContactSheetSummary:
    """What a contact sheet shows, and what it could not."""

    path: str
    images: int  # pictures shown: candidates and seeds
    unreadable: tuple[tuple[str, str], ...]  # (URI, reason), in the order of the page
    size: int  # bytes of the file


def write_contact_sheet(
    path: str | os.PathLike[str],
    selection: Selection,
    seeds: SeedSet,
    *,
    read_image: Callable[[str], bytes],
    title: str,
    facts: Sequence[tuple[str, str]] = (),
    side: int = 160,
) -> ContactSheetSummary:
    """Write a selection as one self-contained HTML page.

    A picture that cannot be read leaves a sentence in its place. The same selection over the same
    images gives the same bytes. 500 candidates take about 3 MB.

    Parameters
    ----------
    read_image
        Gives the bytes of an image file by its URI; called from several threads. What it raises
        becomes the sentence in place of the picture.
    facts
        What a reader should know about the whole, as (name, value), shown at the top.
    side
        Longer side of a candidate's thumbnail, in pixels.

    Raises
    ------
    StorageError
        Where the page cannot be written.
    """
    seed_uris = [uri for uris in seeds.uris for uri in uris if is_image_uri(uri)]
    picked = [candidate.uri for candidate in selection.candidates]
    pictures = _thumbnails(picked, read_image, side)
    seed_pictures = _thumbnails(seed_uris, read_image, _SEED_SIDE)
    page = _page(selection, seeds, pictures, seed_pictures, title, facts)
    data = page.encode()
    destination = os.fspath(path)
    storage.write_bytes(destination, data)
    found = [*seed_pictures.items(), *pictures.items()]
    unreadable = dict((uri, reason) for uri, reason in found if isinstance(reason, str))
    shown = sum(isinstance(picture, Thumbnail) for _, picture in found)
    return ContactSheetSummary(destination, shown, tuple(unreadable.items()), len(data))


def _thumbnails(
    uris: Sequence[str], read_image: Callable[[str], bytes], side: int
) -> dict[str, Thumbnail | str]:
    def load(uri: str) -> Thumbnail | str:
        try:
            return make_thumbnail(read_image(uri), side)
        except LookupError:
            return "it is no longer where the index found it"
        except (GandtError, OSError) as error:
            return str(error).rstrip(".") or type(error).__name__

    distinct = list(dict.fromkeys(uris))
    with ThreadPoolExecutor(_READERS) as readers:
        return dict(zip(distinct, readers.map(load, distinct), strict=True))


# ------------------------------------------------------------------------------------ page


def _page(
    selection: Selection,
    seeds: SeedSet,
    pictures: Pictures,
    seed_pictures: Pictures,
    title: str,
    facts: Sequence[tuple[str, str]],
) -> str:
    anchors = seed_anchors(seeds)
    style = STYLE + inset_rules(selection, anchors, seed_pictures)
    labels = [candidate.label for candidate in selection.candidates]
    classes = list(dict.fromkeys((*selection.classes, *labels)))
    contrast = [name for name in seeds.classes if name not in classes]
    by_class = {name: [c for c in selection.candidates if c.label == name] for name in classes}
    sections = [
        *(
            _class_section(place, name, by_class[name], seeds, pictures, seed_pictures, anchors)
            for place, name in enumerate(classes)
        ),
        *(_contrast_section(name, seeds, seed_pictures, anchors) for name in contrast),
    ]
    return "\n".join(
        [
            *page_head(title, style),
            "<body>",
            "<header>",
            '<p class="eyebrow">G&amp;T contact sheet</p>',
            f"<h1>{safe(title)}</h1>",
            *_facts(facts),
            *_notes(selection.notes),
            f'<p class="legend">{_LEGEND}</p>',
            "</header>",
            *_navigation([(name, len(by_class[name])) for name in classes]),
            "<main>",
            *sections,
            "</main>",
            "<footer>This page holds everything it shows and asks nothing of any server.</footer>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _facts(facts: Sequence[tuple[str, str]]) -> list[str]:
    rows = [f"<div><dt>{safe(name)}</dt><dd>{safe(value)}</dd></div>" for name, value in facts]
    return ['<dl class="facts">', *rows, "</dl>"] if rows else []


def _notes(notes: Sequence[str]) -> list[str]:
    rows = [f"<li>{safe(note)}</li>" for note in notes]
    return ['<ul class="notes">', *rows, "</ul>"] if rows else []


def _navigation(classes: Sequence[tuple[str, int]]) -> list[str]:
    if len(classes) < 2:
        return []
    rows = [
        f'<li><a href="#class-{place}">{safe(name)} <span>{count:,}</span></a></li>'
        for place, (name, count) in enumerate(classes)
    ]
    return ['<nav aria-label="Classes"><ul>', *rows, "</ul></nav>"]


# --------------------------------------------------------------------------------- classes


def _class_section(
    place: int,
    name: str,
    candidates: Sequence[Candidate],
    seeds: SeedSet,
    pictures: Pictures,
    seed_pictures: Pictures,
    anchors: Anchors,
) -> str:
    rows = [
        f'<section id="class-{place}" aria-labelledby="name-{place}">',
        '<div class="head"><div>',
        f'<h2 id="name-{place}">{safe(name)}</h2>',
        f"<p>{_counts(candidates)}</p></div>",
        _curve([c.similarity for c in candidates if c.why not in BESIDE]),
        "</div>",
        seed_strip(name, seeds, seed_pictures, anchors),
    ]
    if candidates:
        cards = (card(c, pictures[c.uri], anchors) for c in candidates)
        rows += ['<ol class="grid">', *cards, "</ol>"]
    else:
        rows.append('<p class="none">No image of the pool was selected for this class.</p>')
    return "\n".join([*filter(None, rows), "</section>"])


def _contrast_section(
    name: str,
    seeds: SeedSet,
    seed_pictures: Pictures,
    anchors: Anchors,
) -> str:
    what = "contrast: what is not wanted" if name == seeds.other else "no candidates asked for"
    return "\n".join(
        [
            "<section>",
            f'<div class="head"><div><h2>{safe(name)}</h2><p>{what}</p></div></div>',
            seed_strip(name, seeds, seed_pictures, anchors),
            "</section>",
        ]
    )


def _counts(candidates: Sequence[Candidate]) -> str:
    if not candidates:
        return "no candidates"
    parts = [count(len(candidates), "candidate")]
    explored = sum(c.why in AT_RANDOM for c in candidates)
    if explored:
        parts.append(f"{explored:,} of them at random, to explore")
    copies = sum(len(c.duplicates) for c in candidates)
    if copies:
        parts.append(f"{count(copies, 'near-copy', 'near-copies')} folded in")
    return " · ".join(parts)


def _curve(similarities: Sequence[float]) -> str:
    """Draw how similarity falls along the ranks; a cliff in it is where a class ends."""
    values = [value for value in similarities if math.isfinite(value)]
    if len(values) < 3 or max(values) <= min(values):
        return ""
    low, high = min(values), max(values)
    width = 100 / (len(values) - 1)
    points = " ".join(
        f"{place * width:.2f},{32 - 30 * (value - low) / (high - low):.2f}"
        for place, value in enumerate(values)
    )
    span = f"similarity from {number_text(high)} down to {number_text(low)}"
    return (
        f'<figure class="curve"><svg viewBox="0 0 100 34" preserveAspectRatio="none" role="img" '
        f'aria-label="{span}"><polygon points="0,34 {points} 100,34"/>'
        f'<polyline points="{points}"/></svg>'
        f"<figcaption><span>{span}</span></figcaption></figure>"
    )
