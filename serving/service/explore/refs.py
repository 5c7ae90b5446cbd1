"""What a request may name: images of the pool, uploads and texts; and their vectors.

Uploads are decoded as the pool's images are and under the same limits. Their vectors and those of
texts are kept in memory by content, so that the model runs once for each. Reads no file.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gandt.embedding.lazy import embeds_text
from gandt.errors import BadImage, ModelMismatch, UsageError
from gandt.index.folder import Index
from gandt.pool.decode import decode
from gandt.types import Embedder, FloatArray, Pixels, Preprocessing

__all__ = ["MadeVectors", "NoSuchImage", "Ref", "UnusableRef"]

# Tells whether an upload can be decoded, where no card says how it will be.
_ANY = Preprocessing(224, "crop", 1.0, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_KEPT = 4096  # vectors of uploads and texts; 20 MB at 1,280 dimensions


@dataclass(frozen=True, slots=True)
class Ref:
    """What may be searched for or serve as a seed: exactly one of these.

    Raises
    ------
    UsageError
        None is given, or several are.
    """

    id: int | None = None
    uri: str | None = None
    image: bytes | None = None  # a whole file
    text: str | None = None

    def __post_init__(self) -> None:
        given = [v for v in (self.id, self.uri, self.image, self.text) if v is not None]
        if len(given) != 1:
            raise UsageError(
                f"{len(given)} of id, uri, image and text are given; give exactly one."
            )


class UnusableRef(UsageError):
    """An upload that is no image, or a text for a model that embeds none."""

    def __init__(self, message: str, ref: Ref | None = None) -> None:
        super().__init__(message)
        self.ref = ref  # the one that is at fault, as it was passed


class NoSuchImage(UnusableRef):
    """An id or URI of which the index has no live row."""


class MadeVectors:
    """Vectors of uploads and texts. Safe to use from several threads.

    Parameters
    ----------
    load
        Gives the index's model; called once, at the first image or text.
    max_pixels
        Larger uploads are refused before they are unpacked.
    """

    def __init__(self, index: Index, load: Callable[[], Embedder], max_pixels: int) -> None:
        self._index = index
        self._load = load
        self._max_pixels = max_pixels
        self._embedder: Embedder | None = None
        self._loading = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], FloatArray] = OrderedDict()
        self._keeping = threading.Lock()

    @property
    def texts(self) -> bool:
        """Whether the model embeds texts, as far as can be told without loading it.

        Folders that do not name their model are of clip-retrieval, whose models do.
        """
        if self._embedder is not None:
            return embeds_text(self._embedder.card.model)
        card = self._index.card
        return card is None or embeds_text(card.model.model)

    def model(self) -> Embedder:
        """The index's model, loaded when it is first asked for.

        Raises
        ------
        ModelError, ModelMismatch
            It cannot be had, or is not the index's.
        """
        with self._loading:
            if self._embedder is None:
                loaded = self._load()
                if loaded.card.dimension != self._index.dimension:
                    raise ModelMismatch(
                        f"{loaded.card.model} makes vectors of {loaded.card.dimension} dimensions "
                        f"and {self._index.uri} holds {self._index.dimension}; name the model that "
                        "made it."
                    )
                self._embedder = loaded
            return self._embedder

    def of(self, refs: Sequence[Ref]) -> list[FloatArray]:
        """Unit vectors `(d,)` of uploads and texts, in their order.

        Raises
        ------
        UnusableRef
            An upload cannot be read as an image, or the model embeds no texts.
        ModelError, ModelMismatch
            The model cannot be had, or is not the index's.
        """
        keys = [_key(ref) for ref in refs]
        found: dict[tuple[str, str], FloatArray] = {}
        with self._keeping:
            for key in keys:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    found[key] = self._kept[key]
        wanted = {key: ref for key, ref in zip(keys, refs, strict=True) if key not in found}
        images = [key for key, ref in wanted.items() if ref.image is not None]
        texts = [key for key, ref in wanted.items() if ref.text is not None]
        fresh = dict(zip(images, self._embed_images([wanted[k] for k in images]), strict=True))
        fresh |= zip(texts, self._embed_texts([wanted[k] for k in texts]), strict=True)
        with self._keeping:
            self._kept |= fresh
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        found |= fresh
        return [found[key] for key in keys]

    def _embed_images(self, refs: Sequence[Ref]) -> list[FloatArray]:
        if not refs:
            return []
        if self._embedder is None:
            # What is no image is refused at once, and not when a model is there that nobody needs.
            card = self._index.card
            preprocessing = card.model.preprocessing if card else _ANY
            for ref in refs:
                self._decoded(ref, preprocessing)
        embedder = self.model()
        out: list[FloatArray] = []
        for start in range(0, len(refs), embedder.batch_size):
            batch = refs[start : start + embedder.batch_size]
            pixels = [self._decoded(ref, embedder.card.preprocessing) for ref in batch]
            out += list(embedder.encode(np.stack(pixels)))
        return out

    def _decoded(self, ref: Ref, preprocessing: Preprocessing) -> Pixels:
        card = self._index.card
        exact = card is not None and card.decoding == "exact"
        try:
            return decode(
                ref.image or b"", preprocessing, exact=exact, max_pixels=self._max_pixels
            ).pixels
        except BadImage as error:
            raise UnusableRef(
                f"the uploaded file is no image that can be used: {error}.", ref
            ) from error
        except MemoryError as error:
            raise UnusableRef(
                "there is not enough memory to decode the uploaded image; send a smaller one.", ref
            ) from error

    def _embed_texts(self, refs: Sequence[Ref]) -> list[FloatArray]:
        if not refs:
            return []
        blank = [ref for ref in refs if not (ref.text or "").strip()]
        if blank:
            raise UnusableRef("the text is empty; write what to look for.", blank[0])
        refusal = UnusableRef(
            "the model of this index embeds no texts; search with an image, or embed the pool "
            "with a CLIP model.",
            refs[0],
        )
        if not self.texts:
            raise refusal
        embedder = self.model()
        if not self.texts:  # only the model itself said so
            raise refusal
        return list(embedder.encode_text([ref.text or "" for ref in refs]))


def _key(ref: Ref) -> tuple[str, str]:
    if ref.image is not None:
        return "image", hashlib.sha256(ref.image).hexdigest()
    return "text", ref.text or ""
