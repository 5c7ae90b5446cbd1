"""Labels by row of an index: evidence put together, and uniform draws found again.

Order counts, for estimates rest on what was labeled before each uniform draw: seeds first, then
files without the number of a round in the order given, then rounds by their number; what automatic
labels left to people is a round as well. People's checks of automatic labels have no round; they
stand before the first one that counted them. An image that was asked again (`again`) has more
evidence than before: probabilities are multiplied, answers add up. Of any other image that several
files name the later label counts.

Labeled images may leave the pool. A draw could not hit those that were labeled before it, so that
it says of the others what it said before; those labeled later go with it as what was found since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gandt.active.labeled import Gone, Labeled, Slice
from gandt.active.logistic import Floats
from gandt.errors import UsageError
from gandt.index.folder import Index
from gandt.rounds.known.labels import Asked, LabelFile, LabelRow
from gandt.types import IntArray
from gandt.words import count

__all__ = ["Evidence", "live_rows"]

_UNNUMBERED, _SEEDS = 0, -1  # in place of the number of a round, and of a file
_GONE = -1  # in place of the row of an image that the index does not hold
_AGAIN, _UNIFORM, _AUDIT = "again", "uniform", "audit"
_FOR_A_CLASS = ("select", "find")  # what chose an image in order to find a class

_Told = tuple[str, float, int]  # label, confidence, answers
_Draw = tuple[int, int, int]  # a round, and what its lines say of its uniform draw
_Place = tuple[int, int, LabelRow]  # row of the index, number of the file, what it says


@dataclass(slots=True)
class _Entry:
    """What is known of one image: `before` the last round that asked about it, and `now`."""

    file: int
    round: int
    sought: str
    before: list[_Told]
    now: list[_Told]


@dataclass(slots=True)
class _Gone:
    """What was said last of an image that the index does not hold any more, and what drew it."""

    label: str
    confidence: float
    drawn: set[_Draw]


class Evidence:
    """Labels by row of the index, in the order in which the rows were first labeled.

    Parameters
    ----------
    accuracy
        Mean share of right answers of the workers: the confidence of labels that have none.
    """

    def __init__(self, index: Index, accuracy: float) -> None:
        self.index = index
        self.accuracy = accuracy
        self.notes: list[str] = []
        self.last_round = 0  # the highest number of a round; files without one count as round 1
        self._entries: dict[int, _Entry] = {}
        self._automatic: set[int] = set()
        self.checked: list[int] = []  # rows of which people checked an automatic label
        self.chosen: set[int] = set()  # rows that were chosen to find a class
        self.lost: dict[str, int] = {}  # notes on draws that estimates leave out; images of each
        self._unexplained: dict[int, None] = {}  # rows asked again of which nothing was known
        self._replaced: dict[int, None] = {}
        # By round and what its lines say of the draw: rows that were drawn uniformly.
        self._drawn: dict[_Draw, set[int]] = defaultdict(set)
        # Labeled images that the index does not hold: label and confidence; their places by name.
        self._gone: list[_Gone] = []
        self._gone_at: dict[str, int] = {}
        self._stood: dict[int, tuple[int, int]] = {}  # before a round: labeled images, and gone
        self._unsure = 0  # labels without a confidence

    @property
    def automatic(self) -> IntArray:
        """Sorted rows with an automatic label, and none of people."""
        return np.array(sorted(self._automatic.difference(self._entries)), np.int64)

    def add_seeds(self, seeds: Mapping[int, str]) -> None:
        """Note seeds by their row, before anything else; nobody doubts them."""
        for row, name in seeds.items():
            self._entries[row] = _Entry(_SEEDS, _SEEDS, "", [], [(name, 1.0, 1)])

    def add_gone(self, seeds: Iterable[tuple[str, str]]) -> None:
        """Note names and classes of seeds that the pool held once, before anything else."""
        for uri, name in seeds:
            self._put_gone((uri,), name, 1.0, None)

    def add_files(self, files: Sequence[LabelFile]) -> None:
        """Note the labels of files, by round and in the order of the files; once, all together.

        Raises
        ------
        UsageError
            None of their images is in the index.
        """
        names = {name for file in files for row in file.rows for name in row.names}
        live = live_rows(self.index, "image_path", sorted(names))
        missing: dict[str, None] = {}
        unanswered: dict[str, int | None] = {}
        held = False
        rounds: dict[int, list[_Place]] = defaultdict(list)
        late: list[_Place] = []
        for at, file in enumerate(files):
            with_machine = any(said.source == "machine" for said in file.rows)
            for said in file.rows:
                row = next((live[name][-1] for name in said.names if name in live), None)
                if said.label is None:
                    unanswered[said.names[0]] = row
                elif row is None:
                    missing[said.names[0]] = None
                held = held or (row is not None and said.label is not None)
                if row is None:
                    if said.label is None or said.source == "machine":
                        continue
                    row = _GONE
                number = said.asked.round if said.asked is not None else _UNNUMBERED
                audit = said.asked is not None and said.asked.why == _AUDIT
                if audit and row != _GONE:
                    self.checked.append(row)
                if number == _UNNUMBERED and (with_machine or audit):
                    late.append((row, at, said))
                else:
                    rounds[number].append((row, at, said))
        self._say_missing(missing, held)
        for number in sorted(rounds):
            told = max(said.asked.labeled if said.asked else -1 for _, _, said in rounds[number])
            if told > len(self._entries) + len(self._gone):
                self._add(late)
                late = []
            self._stood[number] = len(self._entries), len(self._gone)
            self.last_round = max(self.last_round, number)
            self._add(rounds[number])
        self._add(late)
        self.last_round = max(self.last_round, 1)
        labeled = self._automatic.union(self._entries)
        self._say_what_is_odd([name for name, row in unanswered.items() if row not in labeled])

    def _add(self, places: Sequence[_Place]) -> None:
        """Note what was said at a time."""
        for row, file, said in places:
            asked = said.asked
            sure = self.accuracy if said.confidence is None else said.confidence
            if row == _GONE and said.label is not None:
                self._put_gone(said.names, said.label, sure, asked)
                continue
            if asked is not None and asked.why == _UNIFORM and asked.round:
                self._drawn[_draw_of(asked)].add(row)
            if said.label is None:
                continue
            if said.source == "machine":
                self._automatic.add(row)
                continue
            why = asked.why if asked is not None else ""
            if why in _FOR_A_CLASS and said.source == "human" and row not in self._entries:
                self.chosen.add(row)
            self._unsure += said.confidence is None
            self._put(row, (said.label, sure, said.answers), asked, file)

    def _put(self, row: int, told: _Told, asked: Asked | None, file: int) -> None:
        """Note one label; rounds come in their order."""
        number = _UNNUMBERED if asked is None else asked.round
        again = asked is not None and asked.why == _AGAIN
        entry = self._entries.get(row)
        if entry is None:
            if again:
                self._unexplained[row] = None
            sought = asked.sought if asked is not None else ""
            self._entries[row] = _Entry(file, number, sought, [], [told])
            return
        if (file, number) == (entry.file, entry.round):
            entry.now.append(told)  # on several lines of one job
            return
        if not again:
            if {told[0]} != {name for name, _, _ in entry.now}:
                self._replaced[row] = None
            entry.before = []
        elif number != entry.round:  # else two files of one round tell of the same answers
            entry.before += entry.now
        entry.now, entry.file, entry.round = [told], file, number

    def _put_gone(self, names: Sequence[str], label: str, sure: float, asked: Asked | None) -> None:
        """Note a label of an image that the index does not hold."""
        at = next((self._gone_at[name] for name in names if name in self._gone_at), None)
        if at is None:
            at = len(self._gone)
            self._gone.append(_Gone(label, sure, set()))
        self._gone_at.update(dict.fromkeys(names, at))
        gone = self._gone[at]
        gone.label, gone.confidence = label, sure
        if asked is not None and asked.why == _UNIFORM and asked.round:
            gone.drawn.add(_draw_of(asked))

    def _say_missing(self, missing: Mapping[str, None], held: bool) -> None:
        if not missing:
            return
        first = next(iter(missing))
        number = count(len(missing), "labeled image")
        if not held:
            raise UsageError(
                f"--labels: the index {self.index.uri} holds none of {number}; first: {first}. "
                "Check that it is the index of this pool; where jobs know the images by other "
                "names, their manifests must be written with --uri-map, which keeps the pool's."
            )
        gone = len(set(self.index.uris(self.index.find("image_path", list(missing)))))
        dead = f" ({gone:,} gone from the pool or replaced since)" if gone else ""
        self.notes.append(
            f"{number} not used, for the index does not hold them{dead}; first: {first}."
        )

    def _say_what_is_odd(self, unanswered: Sequence[str]) -> None:
        if unanswered:
            self.notes.append(
                f"{count(len(unanswered), 'image')} without a label, for nobody answered or "
                f"the job failed; first: {unanswered[0]}."
            )
        if self._unsure:
            self.notes.append(
                f"{count(self._unsure, 'label')} without a confidence, as of single answers: "
                f"taken for right with probability {self.accuracy:.2f}, the mean of the workers."
            )
        for rows, what in (
            (self._replaced, "labeled differently by several sources: the later label counts"),
            (self._unexplained, "asked again, but first labels are missing: name all rounds"),
        ):
            if rows:
                first = self.index.uris(np.array([next(iter(rows))], np.int64))[0]
                self.notes.append(f"{count(len(rows), 'image')} {what}; first: {first}.")

    def labeled(self, more_classes: Iterable[str], excluded: IntArray) -> Labeled:
        """Put the evidence together.

        Parameters
        ----------
        more_classes
            Those of examples beside the pool.
        excluded
            Live rows that are not to be asked.
        """
        entries = list(self._entries.values())
        names = {name for entry in entries for name, _, _ in entry.before + entry.now}
        classes = tuple(sorted(names | set(more_classes)))
        place = {name: code for code, name in enumerate(classes)}
        self._say_alike(classes)
        m, k = len(entries), len(classes)
        probabilities, answers = np.empty((m, k)), np.empty(m, np.int64)
        for at, entry in enumerate(entries):
            told = entry.before + entry.now
            probabilities[at] = _together([_belief(place[name], sure, k) for name, sure, _ in told])
            answers[at] = sum(count for _, _, count in told)
        unknown = {entry.sought for entry in entries} - set(classes) - {""}
        if unknown:
            self.notes.append(
                f"earlier rounds looked for {', '.join(sorted(unknown))}, of which nothing is "
                "labeled here: name the seeds as well (--seeds)."
            )
        return Labeled(
            np.array(list(self._entries), np.int64),
            probabilities,
            classes,
            np.array([place.get(entry.sought, -1) for entry in entries], np.int64),
            answers,
            tuple(self._slices(excluded)),
        )

    def _say_alike(self, classes: Sequence[str]) -> None:
        spelled: dict[str, str] = {}
        for name in classes:
            first = spelled.setdefault(" ".join(name.split()).casefold(), name)
            if first != name:
                self.notes.append(
                    f"{first!r} and {name!r} count as two classes; give them one spelling if they "
                    "are one."
                )

    def _slices(self, excluded: IntArray) -> Iterator[Slice]:
        """Draws that still speak of all that is labeled or may be asked today."""
        order = {row: at for at, row in enumerate(self._entries)}
        automatic = self.automatic
        shut = np.setdiff1d(np.union1d(automatic, excluded), list(self._entries))
        asked_of = self.index.live_rows - len(shut)
        for draw in sorted(set(self._drawn).union(*(each.drawn for each in self._gone))):
            (number, before, unlabeled), rows = draw, sorted(self._drawn.get(draw, ()))
            stood, missing = self._stood[number]
            since = tuple(
                Gone(each.label, each.confidence, draw in each.drawn)
                for each in self._gone[missing:]
            )
            seen = len(rows) + sum(each.drawn for each in since)
            before_gone = before - stood  # of those labeled before it, which it could not draw
            # Images that left the pool without a label; below 0: that came into it.
            gone = before + unlabeled - asked_of - before_gone - len(since)
            reason = ""
            if before < 0 or unlabeled < seen:
                reason = "its lines do not say what it was drawn from"
            elif not 0 <= before_gone <= missing:
                are = "is" if missing == 1 else "are"
                lost = f", and {missing:,} that {are} not in the pool any more" if missing else ""
                reason = (
                    f"{before:,} images were labeled before it then, {stood:,} now{lost}; labels "
                    "or images were added or left out since: name the same files every round"
                )
            elif gone < 0:
                were = "was" if gone == -1 else "were"
                reason = (
                    f"it was drawn from {count(unlabeled, 'image')}; {-gone:,} that came into the "
                    f"pool since, or {were} left out then, could not be drawn"
                )
            elif gone and len(shut):
                left_out = (
                    "automatic labels were made" if len(automatic) else "images were excluded"
                )
                lost = ", or are not in the pool any more" if self._gone else ""
                reason = (
                    f"it was drawn before the {left_out}, also from images that are left out "
                    f"now{lost}"
                )
            elif unlabeled - gone < seen:
                reason = "of the images that it was drawn from too many have left the pool since"
            elif any(order.get(row, stood) < stood for row in rows):
                reason = "an image of it stands among those labeled before; name all files as then"
            if reason:
                note = f"the uniform draw of round {number} is left out of estimates: {reason}."
                self.notes.append(note)
                self.lost[note] = seen
            else:
                yield Slice(np.array(rows, np.int64), unlabeled - gone, stood, since)


def _draw_of(asked: Asked) -> _Draw:
    """What tells the uniform draws of rounds apart."""
    return asked.round, asked.labeled, asked.unlabeled


def live_rows(index: Index, column: str, wanted: Sequence[str]) -> dict[str, list[int]]:
    """Live rows by their value in a column; one look at the column, however many are wanted."""
    rows = np.setdiff1d(index.find(column, wanted), index.dead)
    out: dict[str, list[int]] = {}
    for row, value in zip(rows.tolist(), index.values(column, rows), strict=True):
        out.setdefault(value, []).append(row)
    return out


def _belief(code: int, confidence: float, k: int) -> Floats:
    """Probabilities of the classes; that of the label is never below another, ties included."""
    sure = max(confidence, (1 + 1e-6) / k) if k > 1 else 1.0
    out = np.full(k, (1 - sure) / max(k - 1, 1))
    out[code] = sure
    return out


def _together(beliefs: Sequence[Floats]) -> Floats:
    """Multiply independent evidence; where nothing is possible any more, the last counts."""
    out = beliefs[0]
    for belief in beliefs[1:]:
        product = out * belief
        total = product.sum()
        out = product / total if total > 0 else belief
    return out
