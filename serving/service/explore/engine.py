"""What the service is asked about one index: its images, their neighbors, candidates for seeds.

Reads an index folder, and loads the index's model when the first uploaded image or text has to
become a vector; writes nothing. Knows no HTTP. Images go by id, the number of their row in the
index, which stays theirs for good: rows are never rewritten.

One engine serves all threads of a process. The same seeds and options give the same candidates as
`gandt.select` does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gandt.index.folder import Index
from gandt.selection.memory import PoolMemory
from gandt.selection.seeds import Seed, make_seed_set
from gandt.selection.select import SelectOptions, select_candidates
from gandt.selection.strategies import DESCRIPTIONS
from gandt.serving.service.explore.refs import MadeVectors, NoSuchImage, Ref, UnusableRef
from gandt.types import Embedder, FloatArray, IntArray, Selection

__all__ = ["UPLOAD", "Chosen", "Engine", "NoSuchImage", "Picture", "Ref", "UnusableRef"]

UPLOAD = "upload:"  # begins the URI under which an uploaded image stands among the seeds
_COLUMN_BYTES = 512 << 20  # paths and hashes of four million images


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of an image without opening it."""

    id: int
    uri: str
    width: int | None  # pixels, as displayed; None in folders of other tools
    height: int | None
    label: str | None  # where it is known


@dataclass(frozen=True, slots=True)
class Chosen:
    """The candidates of a round, and where in the index they are."""

    selection: Selection
    ids: dict[str, int]  # URI of each candidate and of each copy it stands for -> id


class Engine:
    """Answers questions about one index. Safe to use from several threads.

    `memory` is what selections from the index share, for others that select from it.

    Parameters
    ----------
    load
        Gives the index's model; called once, at the first image or text.
    known
        URI -> class of images whose labels are known.
    max_pixels
        Larger uploads are refused before they are unpacked, as larger images of the pool are.
    """

    def __init__(
        self,
        index: Index,
        load: Callable[[], Embedder],
        *,
        known: Mapping[str, str] | None = None,
        max_pixels: int = 200_000_000,
    ) -> None:
        self.index = index
        index.keep_columns(_COLUMN_BYTES)
        self.labels = tuple(sorted(set((known or {}).values())))
        self._known = dict(known or {})
        self._made = MadeVectors(index, load, max_pixels)
        self.memory = PoolMemory(index)

    @property
    def total(self) -> int:
        """Number of live images."""
        return self.index.live_rows

    @property
    def texts(self) -> bool:
        """Whether the model embeds texts, as far as can be told without loading it."""
        return self._made.texts

    def facts(self) -> dict[str, object]:
        """Name, numbers and abilities, in plain JSON types."""
        card = self.index.card
        settings = card.search if card else {}
        return {
            "name": self.index.uri.rstrip("/").rpartition("/")[2],
            "images": self.total,
            "rows": self.index.rows,
            "dimension": self.index.dimension,
            "model": card.model.model if card else None,
            "text": self.texts,
            "search": str(settings.get("factory", "FAISS")) if settings else "exact",
            "strategies": [{"name": n, "about": about} for n, about in DESCRIPTIONS.items()],
            "labels": list(self.labels),
        }

    # ------------------------------------------------------------------------------- what is there

    def page(self, start: int, count: int) -> list[Picture]:
        """At most `count` images from a position among the live ones on, in the order of ids."""
        first = min(max(start, 0), self.total)
        positions = np.arange(first, min(first + max(count, 0), self.total), dtype=np.int64)
        dead = self.index.dead
        # dead[i] - i live rows precede dead row i: a position at or beyond that lies behind it.
        behind = np.searchsorted(dead - np.arange(len(dead)), positions, side="right")
        return self._describe(positions + behind)

    def pictures(self, ids: Sequence[int]) -> list[Picture]:
        """The images of these ids, in their order.

        Raises
        ------
        NoSuchImage
            An id is of no live row.
        """
        return self._describe(self._rows(ids))

    def ids(self, uris: Sequence[str]) -> dict[str, int]:
        """Ids of the live images among these URIs."""
        rows = np.setdiff1d(self.index.find("image_path", uris), self.index.dead)
        return dict(zip(self.index.uris(rows), rows.tolist(), strict=True))

    def _describe(self, rows: IntArray) -> list[Picture]:
        names = ("image_path", "width", "height")
        columns = [self.index.values(name, rows) for name in names]
        return [
            Picture(row, uri, width, height, self._known.get(uri))
            for row, uri, width, height in zip(rows.tolist(), *columns, strict=True)
        ]

    def _rows(self, ids: Sequence[int]) -> IntArray:
        for number in ids:
            if not self._is_live(number):
                raise NoSuchImage(
                    f"there is no image {number} in this pool; ids come from /v1/images, "
                    "/v1/search and /v1/select.",
                    Ref(id=number),
                )
        return np.array(ids, dtype=np.int64)

    def _is_live(self, number: int) -> bool:
        if not 0 <= number < self.index.rows:
            return False
        dead = self.index.dead
        place = int(np.searchsorted(dead, number))
        return place == len(dead) or int(dead[place]) != number

    def _row_of(self, ref: Ref, by_uri: Mapping[str, int]) -> int | None:
        """The row that a ref names; None for uploads and texts."""
        if ref.id is not None:
            return int(self._rows([ref.id])[0])
        if ref.uri is None:
            return None
        if ref.uri not in by_uri:
            raise NoSuchImage(
                f"{ref.uri} is not in this pool; give the URI as /v1/images lists it, or upload "
                "the image.",
                ref,
            )
        return by_uri[ref.uri]

    def _named(self, refs: Sequence[Ref]) -> list[int | None]:
        uris = [ref.uri for ref in refs if ref.uri is not None]
        by_uri = self.ids(uris) if uris else {}
        return [self._row_of(ref, by_uri) for ref in refs]

    # ------------------------------------------------------------------------------------- vectors

    def vectors(self, refs: Sequence[Ref]) -> FloatArray:
        """Unit vectors `(len(refs), d)`: stored ones of the pool's images, others made and kept.

        Raises
        ------
        NoSuchImage
            An id or URI is of no live image.
        UnusableRef
            An upload cannot be read as an image, or the model embeds no texts.
        ModelError, ModelMismatch
            The model cannot be had, or is not the index's.
        """
        return self._vectors(refs, self._named(refs))

    def _vectors(self, refs: Sequence[Ref], rows: Sequence[int | None]) -> FloatArray:
        out = np.empty((len(refs), self.index.dimension), dtype=np.float32)
        stored = [place for place, row in enumerate(rows) if row is not None]
        if stored:
            out[stored] = self.index.take(np.array([rows[place] for place in stored], np.int64))
        made = [place for place, row in enumerate(rows) if row is None]
        for place, vector in zip(made, self._made.of([refs[p] for p in made]), strict=True):
            out[place] = vector
        return out

    def model(self) -> Embedder:
        """The index's model, loaded when it is first asked for.

        Raises
        ------
        ModelError, ModelMismatch
            It cannot be had, or is not the index's.
        """
        return self._made.model()

    # ------------------------------------------------------------------------- search and selection

    def search(self, ref: Ref, k: int, exclude: Collection[int] = ()) -> list[tuple[int, float]]:
        """The `k` most similar live images, best first, as id and cosine similarity.

        An image of the pool is not its own neighbor; an upload may find itself. `exclude`: ids
        that are left out; those of no image are ignored.

        Raises
        ------
        NoSuchImage, UnusableRef, ModelError, ModelMismatch
            As `vectors` does.
        UsageError
            `k` is negative.
        """
        rows = self._named([ref])
        vector = self._vectors([ref], rows)
        hidden = {number for number in exclude if 0 <= number < self.index.rows}
        hidden |= {row for row in rows if row is not None}
        mask = None
        if hidden:
            mask = np.zeros(self.index.rows, dtype=np.bool_)
            mask[list(hidden)] = True
        count = min(k, self.total)
        found = self.memory.search().search(vector, count, exclude=mask)
        pairs = zip(found.ids[0].tolist(), found.scores[0].tolist(), strict=True)
        return [(row, score) for row, score in pairs if row >= 0]

    def select(
        self,
        seeds: Mapping[str, Sequence[Ref]],
        options: SelectOptions,
        *,
        other: str = "Other",
        exclude: Sequence[Ref] = (),
    ) -> Chosen:
        """Choose candidates, as `gandt.select` does.

        Parameters
        ----------
        seeds
            Per class its examples; a class without any is as good as not named.
        other
            The contrast class: its seeds say what is not wanted.
        exclude
            Images that must not be chosen, uploads by their bytes; what is not in the pool cannot
            be chosen anyway and is ignored.

        Raises
        ------
        NoSuchImage, UnusableRef, ModelError, ModelMismatch
            As `vectors` does.
        SeedError
            There is no class to look for.
        UsageError
            Nothing is left to choose from, or a text is to be excluded.
        """
        pairs = [(label, ref) for label, group in seeds.items() for ref in group]
        refs = [ref for _, ref in pairs]
        rows = self._named(refs)
        stored = np.array([row for row in rows if row is not None], np.int64)
        names = dict(zip(stored.tolist(), self.index.uris(stored), strict=True))
        hashes = dict(zip(stored.tolist(), self.index.values("sha256", stored), strict=True))
        by_class: dict[str, dict[str, Seed]] = {}
        for (label, ref), row, vector in zip(pairs, rows, self._vectors(refs, rows), strict=True):
            if row is not None:
                seed = Seed(names[row], vector, hashes[row] or "")
            elif ref.image is not None:
                sha256 = hashlib.sha256(ref.image).hexdigest()
                seed = Seed(UPLOAD + sha256, vector, sha256)
            else:
                seed = Seed(ref.text or "", vector, "")
            by_class.setdefault(label, {}).setdefault(seed.uri, seed)
        seed_set = make_seed_set(
            {label: list(group.values()) for label, group in by_class.items()}, other
        )
        left_out = self._left_out(exclude)
        selection = select_candidates(self.index, seed_set, options, left_out, memory=self.memory)
        if exclude and not len(left_out):
            selection = selection.with_notes("no image that is to be excluded is in the pool.")
        uris = [c.uri for c in selection.candidates]
        uris += [uri for c in selection.candidates for uri in c.duplicates]
        return Chosen(selection, self.ids(uris))

    def _left_out(self, refs: Sequence[Ref]) -> IntArray:
        for ref in refs:
            if ref.text is not None:
                raise UnusableRef("a text cannot be excluded; name images.", ref)
        given = [ref.id for ref in refs if ref.id is not None and self._is_live(ref.id)]
        uris = [ref.uri for ref in refs if ref.uri is not None]
        uploads = [hashlib.sha256(ref.image).hexdigest() for ref in refs if ref.image is not None]
        rows = np.array(given, dtype=np.int64)
        if uris:
            rows = np.union1d(rows, self.index.find("image_path", uris))
        if uploads:
            rows = np.union1d(rows, self.index.find("sha256", uploads))
        return np.unique(rows)
