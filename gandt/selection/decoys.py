"""Known images to plant among the candidates, so that answers tell how far a worker is right.

Left out of the gold set (`gandt.selection.gold_set`), and said: the seeds that tasks show as
examples, for their label stands beside them, and what turns out to be damaged. The rest is drawn so
that each class comes equally often, as far as there are images, for a worker who is wrong about one
class shows it only there; what an earlier round asked about comes last. Where the images stand in
the manifest is up to `gandt.groundtruth.gold`.

Known answers as a measure of workers: Oleson et al., "Programmatic gold: targeted and scalable
quality assurance in crowdsourcing", Human Computation 2011.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import zip_longest

import numpy as np

from gandt.errors import BadImage, SeedError, UsageError
from gandt.groundtruth.gold import gold_wanted
from gandt.groundtruth.tiles import TaskExamples
from gandt.pool.decode import decode
from gandt.pool.sources import read_item
from gandt.selection.exclude import Excluded
from gandt.selection.gold_set import READERS, GoldSet, KnownFile, nothing_left, unreadable_note
from gandt.types import Gold, KnownImage, Preprocessing, Selection
from gandt.words import count

__all__ = ["GOLD_SHARE", "check_share", "plant"]

GOLD_SHARE = 0.1  # of all images asked
# Only to see whether an image decodes to its end; small, so that JPEGs are shrunk on the way.
_GLANCE = Preprocessing(32, "squash", 1.0, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def check_share(share: float) -> float:
    """Give the share back.

    Raises
    ------
    UsageError
        It is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise UsageError(
            f"--gold-share {share:g} is not between 0 and 1: it is the share of known images "
            "among all that are asked, as 0.1."
        )
    return share


def plant(
    selection: Selection,
    gold: GoldSet,
    share: float = GOLD_SHARE,
    *,
    asked_before: Excluded | None = None,
    random_seed: int = 0,
) -> Selection:
    """Draw the known images of a round.

    Parameters
    ----------
    share
        Of all images asked, in (0, 1).
    asked_before
        What workers may have met already: drawn only where nothing else of the class is left.
    random_seed
        The same seed draws the same images.

    Returns
    -------
    selection
        With `gold`, and what a person should know of it among the notes.

    Raises
    ------
    UsageError
        The share is not between 0 and 1.
    SeedError
        No image is left to plant.
    """
    check_share(share)
    usable, notes = _not_given_away(selection, gold.images)
    rng = np.random.default_rng([random_seed, 3])
    old = asked_before or Excluded(frozenset())
    met = {k.item.uri for k in usable if k.item.uri in old.names or k.sha256 in old.sha256}
    strata = [
        sorted(stratum, key=lambda known: known.item.uri in met) for stratum in _strata(usable, rng)
    ]
    wanted = gold_wanted(len(selection), share)
    drawn, damaged = _draw(strata, wanted)
    if damaged:
        notes.append(unreadable_note(damaged))
    if not drawn:
        raise SeedError(nothing_left((*gold.notes, *notes)))
    if len(drawn) < wanted:
        least = len(drawn) / (len(drawn) + len(selection))
        notes.append(
            f"{len(drawn):,} of {count(wanted, 'gold image')} wanted: there are no more; as they "
            f"are, {least:.1%} of the images are known."
        )
    if again := sum(known.item.uri in met for known in drawn):
        were, its = ("was", "its") if again == 1 else ("were", "their")
        notes.append(
            f"{count(again, 'gold image')} {were} asked about before: of {its} class there are "
            "no others."
        )
    gone = {uri for uri, _ in damaged}
    missing = sorted(_labels(k for k in usable if k.item.uri not in gone) - _labels(drawn))
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        notes.append(f"no gold image of {', '.join(missing[:5])}{more}: the share is too small.")
    images = tuple(KnownImage(known.item.uri, known.labels) for known in drawn)
    planted = replace(selection, gold=Gold(images, share, random_seed))
    return planted.with_notes(*gold.notes, *notes)


def _not_given_away(
    selection: Selection, images: Sequence[KnownFile]
) -> tuple[list[KnownFile], list[str]]:
    """Leave out what workers see with its label, and what they are asked about anyway."""
    asked = {candidate.uri for candidate in selection.candidates}
    examples: set[str] = set()
    if selection.seeds is not None:
        shown = TaskExamples.from_seeds(selection.seeds)
        examples = {*shown.positive, *shown.negative}
        for uris, hashes in zip(selection.seeds.uris, selection.seeds.sha256, strict=False):
            pairs = zip(uris, hashes, strict=True)
            examples |= {sha256 for uri, sha256 in pairs if sha256 and uri in examples}
    kept = [k for k in images if k.item.uri not in examples and k.sha256 not in examples]
    free = [known for known in kept if known.item.uri not in asked]
    notes = []
    if number := len(images) - len(kept):
        are = "is a seed" if number == 1 else "are seeds"
        notes.append(f"{count(number, 'gold image')} {are} that tasks show as examples; left out.")
    if number := len(kept) - len(free):
        are = "is a candidate" if number == 1 else "are candidates"
        notes.append(f"{count(number, 'gold image')} {are} of this round; left out.")
    return free, notes


def _strata(images: Iterable[KnownFile], rng: np.random.Generator) -> list[list[KnownFile]]:
    """Images by label, or by labels, each stratum and the strata in a random order."""
    by_labels: dict[tuple[str, ...], list[KnownFile]] = defaultdict(list)
    for known in sorted(images, key=lambda known: known.item.uri):
        by_labels[known.labels].append(known)
    strata = [by_labels[labels] for labels in sorted(by_labels)]
    strata = [strata[place] for place in rng.permutation(len(strata))]
    return [[stratum[place] for place in rng.permutation(len(stratum))] for stratum in strata]


def _draw(
    strata: list[list[KnownFile]], wanted: int
) -> tuple[list[KnownFile], list[tuple[str, str]]]:
    """Take turns through the strata, and replace what turns out to be damaged."""
    damaged: dict[str, str] = {}
    sound: set[str] = set()
    with ThreadPoolExecutor(READERS) as readers:
        while True:
            good = [[k for k in stratum if k.item.uri not in damaged] for stratum in strata]
            # Within a turn by content: which class comes first shall follow no pattern.
            turns = [
                known
                for turn in zip_longest(*good)
                for known in sorted(filter(None, turn), key=lambda known: known.sha256)
            ]
            drawn = turns[:wanted]
            fresh = [k for k in drawn if not k.sound and k.item.uri not in sound]
            if not fresh:
                return drawn, list(damaged.items())
            for known, reason in zip(fresh, readers.map(_fault, fresh), strict=True):
                if reason:
                    damaged[known.item.uri] = reason
                else:
                    sound.add(known.item.uri)


def _fault(known: KnownFile) -> str:
    """Why an image would not be shown; empty for a sound one."""
    try:
        decode(read_item(known.item), _GLANCE)
    except BadImage as error:
        return str(error)
    return ""


def _labels(images: Iterable[KnownFile]) -> set[str]:
    return {name for known in images for name in known.labels}
