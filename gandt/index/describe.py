"""What an index holds, for people and for machines."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass

from gandt.index.card import IndexCard
from gandt.index.folder import Index, Rejected, open_index

__all__ = ["IndexFacts", "describe"]


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """Numbers and names of one index folder."""

    folder: str
    card: IndexCard | None  # None in folders of other tools
    images: int  # to search
    dead: int  # rows whose images are gone from the pool or were replaced
    dimension: int
    shards: int
    bytes: int  # of the whole folder
    rejected: tuple[Rejected, ...]

    def lines(self) -> list[tuple[str, str]]:
        """Name and value, in words, in the order to print."""
        out = [("index", self.folder), ("images", f"{self.images:,} to search")]
        if self.dead:
            rows = "row" if self.dead == 1 else "rows"
            out.append(("gone", f"{self.dead:,} {rows} of images that left the pool or changed"))
        if self.card is None:
            out.append(("model", "not stated; gandt did not write this folder"))
        else:
            model = self.card.model
            how = model.preprocessing
            out.append(("model", f"{model.model}, weights sha256 {model.weights_sha256[:12]}…"))
            out.append(
                (
                    "pixels",
                    f"{how.size} x {how.size}, {how.interpolation}, "
                    + (
                        f"central crop {how.crop_fraction:g}"
                        if how.resize == "crop"
                        else "squashed to a square"
                    )
                    + f"; {self.card.decoding} decoding",
                )
            )
        out.append(
            (
                "vectors",
                f"{self.dimension} dimensions, {self.shards:,} "
                f"{'shard' if self.shards == 1 else 'shards'}, {self.bytes / 1e6:,.1f} MB in all",
            )
        )
        out.append(("search", self._search()))
        if self.rejected:
            out.append(("rejected", self._reasons()))
        return out

    def _search(self) -> str:
        if self.card is None or not self.card.search:
            return "exact, straight over the stored vectors"
        settings = self.card.search
        words = [str(settings.get("factory", "FAISS"))]
        if "recall" in settings:
            words.append(f"recall@{settings.get('recall_at', 100)} {settings['recall']:.3f}")
        if "rows" in settings:
            words.append(f"built over {settings['rows']:,} rows")
        return ", ".join(words)

    def _reasons(self) -> str:
        kinds = Counter(record.reason.partition(":")[0] for record in self.rejected)
        listed = ", ".join(f"{count:,} {reason}" for reason, count in kinds.most_common(5))
        number = len(self.rejected)
        return f"{number:,} {'image' if number == 1 else 'images'} ({listed})"

    def as_json(self) -> dict[str, object]:
        """The same for machines; values of plain JSON types."""
        card = self.card
        return {
            "index": self.folder,
            "images": self.images,
            "dead": self.dead,
            "dimension": self.dimension,
            "shards": self.shards,
            "bytes": self.bytes,
            "model": asdict(card.model) if card else None,
            "decoding": card.decoding if card else None,
            "search": dict(card.search) if card else {},
            "rejected": [asdict(record) for record in self.rejected],
        }


def describe(folder: str | os.PathLike[str]) -> IndexFacts:
    """Read the facts of an index folder, or of an index on S3.

    Raises
    ------
    IndexFolderError
        The folder is missing, damaged, or no index.
    """
    index: Index = open_index(folder)
    return IndexFacts(
        folder=index.uri,
        card=index.card,
        images=index.live_rows,
        dead=len(index.dead),
        dimension=index.dimension,
        shards=len(index.shards),
        bytes=sum(path.stat().st_size for path in index.folder.rglob("*") if path.is_file()),
        rejected=tuple(index.rejected()),
    )
