"""From requests to the engine's calls and back: what runs in the threads behind the gates.

A ref of a request becomes one of the engine, and is remembered with its place in the request, so
that an error names the field that it is about. Knows no HTTP.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from gandt.errors import BadImage
from gandt.selection.select import SelectOptions
from gandt.serving.service.explore.engine import (
    UPLOAD,
    Chosen,
    Engine,
    NoSuchImage,
    Picture,
    Ref,
    UnusableRef,
)
from gandt.serving.service.explore.gate import TooLate
from gandt.serving.service.explore.saving import save
from gandt.serving.service.explore.wire.models import (
    MAX_BUDGET,
    MAX_COUNT,
    MAX_ID,
    MAX_IMAGE,
    MAX_SEEDS,
    PageQuery,
    RefIn,
    SaveRequest,
    SearchRequest,
    SelectRequest,
)
from gandt.serving.service.explore.wire.replies import (
    CandidateOut,
    Duplicate,
    FoundOut,
    ImageOut,
    ImagesOut,
    RefOut,
    SavedFile,
    SaveOut,
    SearchOut,
    SelectOut,
)
from gandt.serving.service.explore.wire.sent import field_path
from gandt.serving.service.images import NotShown

__all__ = ["BadField", "StillSaving", "Work", "image_out"]


class BadField(Exception):
    """A value of a request cannot be used; says which."""

    def __init__(self, message: str, field: str | None, status: int = 422) -> None:
        super().__init__(message)
        self.field, self.status = field, status


class StillSaving(TooLate):
    """Nobody waits any longer for files that are still being written."""


def image_out(picture: Picture) -> ImageOut:
    """An image as the API shows it."""
    return ImageOut(
        id=picture.id,
        uri=picture.uri,
        width=picture.width,
        height=picture.height,
        label=picture.label,
    )


class _Places:
    """The engine's refs of one request, and where in it each stands."""

    def __init__(self, outside: Mapping[str, Callable[[], bytes]]) -> None:
        self._outside = outside
        self._places: dict[int, tuple[Ref, str]] = {}
        self.names: dict[str, str] = {}  # SHA-256 -> URI of the seeds from outside of the pool

    def ref(self, sent: RefIn, *location: str | int) -> Ref:
        kind = sent.kind
        if kind is None:
            place = field_path(location) or None
            subject = place or "The body"
            raise BadField(f"{subject} has to have exactly one of id, uri, image and text.", place)
        path = field_path((*location, kind))
        if kind == "image":
            ref = Ref(image=_decoded(sent.image, path))
        elif kind == "uri" and sent.uri in self._outside:
            data = self._outside[sent.uri]()
            self.names[hashlib.sha256(data).hexdigest()] = sent.uri
            ref = Ref(image=data)
        else:
            ref = Ref(**{kind: getattr(sent, kind)})
        self._places[id(ref)] = ref, path
        return ref

    def path_of(self, ref: Ref | None) -> str | None:
        if ref is None:
            return None
        known = self._places.get(id(ref))
        if known is not None:
            return known[1]
        return next((path for mine, path in self._places.values() if mine == ref), None)


def _decoded(text: str, path: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadField(f"{path} is no base64.", path) from None
    if len(data) > MAX_IMAGE:
        raise BadField(f"{path} has {len(data):,} bytes, more than {MAX_IMAGE:,}.", path, 413)
    return data


class Work:
    """What is done for a request.

    Parameters
    ----------
    outside
        Seeds that the pool does not hold: URI -> their bytes. No other file is ever read for a URI.
    save_folder
        Where selections are saved; nowhere where None.
    """

    def __init__(
        self,
        engine: Engine,
        outside: Mapping[str, Callable[[], bytes]],
        save_folder: Path | None,
    ) -> None:
        self.engine, self.outside, self.save_folder = engine, outside, save_folder
        self.uploads = 0  # images that requests brought and that could be used

    def images(self, query: PageQuery) -> ImagesOut:
        """A page of the pool, or the images of some ids."""
        if not query.ids:
            pictures, start = self.engine.page(query.start, query.count), query.start
        else:
            pictures, start = self._of_ids(query.ids, query.model_fields_set), 0
        found = [image_out(picture) for picture in pictures]
        return ImagesOut(total=self.engine.total, start=start, images=found)

    def _of_ids(self, text: str, given: Collection[str]) -> list[Picture]:
        if not {"start", "count"}.isdisjoint(given):
            raise BadField("ids name the images; leave out start and count.", "ids")
        ids = [int(number) for number in text.split(",")]
        if len(ids) > MAX_COUNT:
            raise BadField(f"ids holds {len(ids):,}; {MAX_COUNT:,} are the most.", "ids")
        if max(ids) > MAX_ID:
            raise BadField(f"ids has to hold numbers of at most {MAX_ID}.", "ids")
        try:
            return self.engine.pictures(ids)
        except NoSuchImage as error:
            raise BadField(_sentence(error), "ids", 404) from error

    def seed(self, uri: str) -> bytes:
        """The bytes of a seed that the pool does not hold."""
        if uri not in self.outside:
            raise BadField("There is no seed of this URI outside of the pool.", "uri", 404)
        try:
            return self.outside[uri]()
        except BadImage as error:
            raise NotShown(f"This picture cannot be had: {error}.", 404) from error

    def image(self, number: int) -> ImageOut:
        """One image."""
        return image_out(self.engine.pictures([number])[0])

    def search(self, request: SearchRequest) -> SearchOut:
        """The images most similar to one."""
        began = time.monotonic()
        places = _Places(self.outside)
        ref = places.ref(request)
        try:
            found = self.engine.search(ref, request.k, request.exclude)
        except UnusableRef as error:
            raise _located(error, places) from error
        pictures = self.engine.pictures([number for number, _ in found])
        self._count([ref])
        results = [
            FoundOut(
                id=picture.id,
                uri=picture.uri,
                width=picture.width,
                height=picture.height,
                label=picture.label,
                similarity=score,
            )
            for picture, (_, score) in zip(pictures, found, strict=True)
        ]
        return SearchOut(results=results, took_ms=_since(began))

    def select(self, request: SelectRequest) -> SelectOut:
        """The images worth labeling."""
        began = time.monotonic()
        options, places = _options(request), _Places(self.outside)
        seeds, exclude = _refs(request, places)
        try:
            chosen = self.engine.select(seeds, options, other=request.other, exclude=exclude)
        except UnusableRef as error:
            raise _located(error, places) from error
        refs = [ref for group in seeds.values() for ref in group]
        self._count(refs)
        texts = {ref.text for ref in refs if ref.text is not None}
        selection = chosen.selection
        return SelectOut(
            candidates=self._candidates(chosen, texts, places.names),
            classes=list(selection.classes),
            strategy=selection.strategy,
            notes=list(selection.notes),
            took_ms=_since(began),
        )

    def _candidates(
        self, chosen: Chosen, texts: set[str], names: Mapping[str, str]
    ) -> list[CandidateOut]:
        rows = chosen.selection.candidates
        pictures = self.engine.pictures([chosen.ids[row.uri] for row in rows])
        of_pool = self.engine.ids(list({row.seed for row in rows}))
        return [
            CandidateOut(
                id=picture.id,
                uri=picture.uri,
                width=picture.width,
                height=picture.height,
                label=row.label,
                rank=row.rank,
                score=row.score,
                similarity=row.similarity,
                seed=_seed_out(row.seed, of_pool, texts, names),
                why=row.why,
                duplicates=[Duplicate(id=chosen.ids[uri], uri=uri) for uri in row.duplicates],
            )
            for row, picture in zip(rows, pictures, strict=True)
        ]

    def save(self, request: SaveRequest) -> SaveOut:
        """Write a selection as files."""
        if self.save_folder is None:
            raise BadField("Nothing is saved here: start it with --save-to FOLDER.", None, 409)
        places = _Places(self.outside)
        seeds, exclude = _refs(request, places)
        wanted = save.SaveRequest(
            name=request.name,
            replace=request.replace,
            seeds=seeds,
            options=_options(request),
            other=request.other,
            exclude=exclude,
        )
        try:
            saved = save.save_round(self.engine, self.save_folder, wanted)
        except save.FileExists as error:
            raise BadField(str(error), "name", 409) from error
        except save.BadName as error:
            raise BadField(_sentence(error), "name") from error
        except UnusableRef as error:
            raise _located(error, places) from error
        self._count([ref for group in seeds.values() for ref in group])
        return SaveOut(
            files=[SavedFile(path=file.path, about=file.about) for file in saved.files],
            candidates=saved.candidates,
            next=saved.next,
            again=saved.again,
            notes=list(saved.notes),
        )

    def _count(self, refs: Sequence[Ref]) -> None:
        self.uploads += sum(ref.image is not None for ref in refs)


def _refs(request: SelectRequest, places: _Places) -> tuple[dict[str, list[Ref]], list[Ref]]:
    count = sum(map(len, request.seeds.values()))
    if count > MAX_SEEDS:
        raise BadField(f"seeds holds {count:,} in all; {MAX_SEEDS:,} are the most.", "seeds")
    seeds = {
        name: [places.ref(ref, "seeds", name, place) for place, ref in enumerate(group)]
        for name, group in request.seeds.items()
    }
    return seeds, [places.ref(ref, "exclude", place) for place, ref in enumerate(request.exclude)]


def _options(request: SelectRequest) -> SelectOptions:
    targets = [name for name, group in request.seeds.items() if group and name != request.other]
    for name in request.quotas or {}:
        if name not in targets:
            path = field_path(("quotas", name))
            raise BadField(f"{path} is of no class to look for: it has no seeds.", path)
    for field, images in (
        ("per_class", (request.per_class or 0) * len(targets)),
        ("quotas", sum((request.quotas or {}).values())),
    ):
        if images > MAX_BUDGET:
            sentence = f"{field} asks for {images:,} images in all; {MAX_BUDGET:,} are the most."
            raise BadField(sentence, field)
    return SelectOptions(
        budget=request.budget,
        per_class=request.per_class,
        strategy=request.strategy,
        min_similarity=request.min_similarity,
        diversity=request.diversity,
        explore=request.explore,
        duplicates=request.duplicates,
        random_seed=request.random_seed,
        quotas=request.quotas,
    )


def _seed_out(
    uri: str, of_pool: Mapping[str, int], texts: set[str], names: Mapping[str, str]
) -> RefOut:
    if uri in of_pool:
        return RefOut(id=of_pool[uri])
    if uri.startswith(UPLOAD):
        sha256 = uri.removeprefix(UPLOAD)
        return RefOut(uri=names[sha256]) if sha256 in names else RefOut(upload=sha256)
    return RefOut(text=uri) if uri in texts else RefOut(uri=uri)


def _located(error: UnusableRef, places: _Places) -> Exception:
    """Let an error name its field; one that is of no field stays what it is."""
    status = 404 if isinstance(error, NoSuchImage) else 422
    return BadField(_sentence(error), places.path_of(error.ref), status)


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}"


def _since(began: float) -> float:
    return round(1000 * (time.monotonic() - began), 1)
