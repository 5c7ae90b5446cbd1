"""The queue: who gets which task, what an answer is, what a folder knows when opened again."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.errors import AnswerError, GandtError, ManifestError, UsageError
from gandt.groundtruth.responses import read_answers
from gandt.labeling.queue import Queue
from gandt.labeling.queue_open import QueueOptions, open_queue
from gandt.labeling.queue_store import Person
from gandt.labeling.queue_values import Conflict, NotYours

LABELS = ("cat", "dog", "Other")


class Clock:
    """A clock that stands still until somebody moves it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def image_lines(count: int, decoys: Sequence[int] = ()) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for number in range(count):
        line: dict[str, object] = {"source-ref": f"/pool/{number}.png"}
        if number in decoys:
            line["gandt-gold"] = "cat"
        lines.append(line)
    return lines


def tile_line(numbers: Sequence[int], golds: Mapping[int, str] | None = None) -> dict[str, object]:
    tiles: list[dict[str, object]] = [
        {"source-ref": f"/pool/{number}.png", "index": at} for at, number in enumerate(numbers)
    ]
    tiles[0] |= {"event_names": ["cat", "dog"], "other_category_label": "Other"}
    line: dict[str, object] = {"source": json.dumps(tiles)}
    if golds:
        line["gandt-golds"] = [golds.get(number) for number in numbers]
    return line


class Room:
    """A folder with a manifest, and desks opened on it one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, Clock()
        self.manifest, self.out = folder / "round1.manifest", folder / "round1.answers"
        self.queues: list[Queue] = []

    def write(self, lines: Sequence[Mapping[str, object]]) -> None:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self.manifest.write_text(text, encoding="utf-8")

    def open(
        self,
        lines: Sequence[Mapping[str, object]] | None = None,
        *,
        labels: Sequence[str] = LABELS,
        **options: Any,
    ) -> Queue:
        if lines is not None:
            self.write(lines)
        options = {"lease": 60.0, **options}
        queue = open_queue(
            str(self.manifest),
            str(self.out),
            QueueOptions(labels=tuple(labels), **options),
            clock=self.clock,
        )
        self.queues.append(queue)
        return queue

    def close(self) -> None:
        while self.queues:
            self.queues.pop().close()

    def read(self) -> dict[tuple[str, str], object]:
        """What `gandt aggregate` would read, by task and worker."""
        found = read_answers([str(self.out)])
        return dict(zip(zip(found.task, found.worker, strict=True), found.label, strict=True))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    room.close()


def says(label: str) -> dict[str, object]:
    return {"category": json.dumps({"label": label}), "problem": ""}


def cannot(reason: str = "I am not sure") -> dict[str, object]:
    return {"category": json.dumps({"label": ""}), "problem": reason}


def take(queue: Queue, person: Person, label: str = "cat") -> int | None:
    """Answer the next task; its number."""
    assignment = queue.next(person)
    if assignment is None:
        return None
    queue.answer(person, assignment.task.number, says(label))
    return assignment.task.number


def take_all(queue: Queue, person: Person) -> list[int]:
    return list(iter(lambda: take(queue, person), None))


class TestWhoGetsWhat:
    def test_one_person_gets_every_task_once_in_the_order_of_the_manifest(self, room: Room) -> None:
        queue = room.open(image_lines(5))
        ann = queue.join("ann")
        assert take_all(queue, ann) == [0, 1, 2, 3, 4]
        assert queue.next(ann) is None

    def test_a_task_stays_in_hand_until_it_is_answered(self, room: Room) -> None:
        queue = room.open(image_lines(3))
        ann = queue.join("ann")
        first = queue.next(ann)
        assert first == queue.next(ann)
        assert first is not None
        queue.answer(ann, first.task.number, says("cat"))
        assert queue.next(ann) != first

    def test_no_two_people_have_the_same_task_in_hand(self, room: Room) -> None:
        queue = room.open(image_lines(2))
        in_hand = [queue.next(queue.join(name)) for name in ("ann", "ben", "cleo")]
        assert [a and a.task.number for a in in_hand] == [0, 1, None]

    def test_as_many_people_as_wanted_answer_a_task(self, room: Room) -> None:
        queue = room.open(image_lines(4), workers=2)
        people = [queue.join(name) for name in ("ann", "ben", "cleo")]
        taken: Counter[int] = Counter()
        while any(numbers := [take(queue, person) for person in people]) or 0 in numbers:
            taken.update(number for number in numbers if number is not None)
            if numbers == [None] * 3:
                break
        assert taken == {0: 2, 1: 2, 2: 2, 3: 2}
        assert queue.progress(people[0]).places == 0

    def test_a_lease_that_ran_out_gives_the_task_to_others(self, room: Room) -> None:
        queue = room.open(image_lines(1))
        ann, ben = queue.join("ann"), queue.join("ben")
        assert queue.next(ann) is not None
        assert queue.next(ben) is None
        room.clock.now += 61
        assert take(queue, ben) == 0
        assert queue.next(ann) is None

    def test_who_is_still_at_work_keeps_the_task(self, room: Room) -> None:
        queue = room.open(image_lines(1))
        ann, ben = queue.join("ann"), queue.join("ben")
        queue.next(ann)
        for _ in range(4):
            room.clock.now += 30
            assert queue.renew(ann, 0)
            assert queue.next(ben) is None
        assert not queue.renew(ben, 0)

    def test_a_late_answer_counts_all_the_same(self, room: Room) -> None:
        queue = room.open(image_lines(1))
        ann, ben = queue.join("ann"), queue.join("ben")
        queue.next(ann)
        room.clock.now += 61
        take(queue, ben, "dog")
        queue.answer(ann, 0, says("cat"))
        assert room.read() == {("/pool/0.png", "ann"): "cat", ("/pool/0.png", "ben"): "dog"}

    def test_what_comes_next_can_be_asked_without_taking_it(self, room: Room) -> None:
        queue = room.open(image_lines(3))
        ann, ben = queue.join("ann"), queue.join("ben")
        queue.next(ann)
        ahead = queue.peek(ann, 0)
        assert ahead is not None
        assert ahead.number == 1
        assert take(queue, ben) == 1  # nobody holds it
        assert queue.next(ann).task.number == 0  # type: ignore[union-attr]


class TestAnswers:
    def test_the_same_answer_sent_again_changes_nothing(self, room: Room) -> None:
        queue = room.open(image_lines(2))
        ann = queue.join("ann")
        queue.next(ann)
        first = queue.answer(ann, 0, says("cat"))
        room.clock.now += 5
        assert queue.answer(ann, 0, says("cat")) == first
        assert queue.summary().answers == 1

    def test_another_answer_from_an_old_page_is_refused(self, room: Room) -> None:
        queue = room.open(image_lines(2))
        ann = queue.join("ann")
        queue.next(ann)
        queue.answer(ann, 0, says("cat"))
        with pytest.raises(Conflict, match="another window"):
            queue.answer(ann, 0, says("dog"))
        assert room.read() == {("/pool/0.png", "ann"): "cat"}

    def test_one_may_go_back_and_change_ones_own_answers(self, room: Room) -> None:
        queue = room.open(image_lines(4))
        ann = queue.join("ann")
        for _ in range(3):
            take(queue, ann)
        assert queue.before(ann) == 2
        assert queue.before(ann, 2) == 1
        assert queue.before(ann, 0) is None
        assert (queue.after(ann, 1), queue.after(ann, 2)) == (2, None)
        shown = queue.again(ann, 1)
        assert shown.previous == says("cat")
        queue.answer(ann, 1, says("dog"), revision=shown.revision)
        assert room.read()[("/pool/1.png", "ann")] == "dog"
        assert queue.summary().answers == 3
        files = list(room.out.glob("annotations/worker-response/iteration-1/1/*"))
        assert len(files) == 1
        room.close()
        with sqlite3.connect(room.out / "desk.sqlite") as database:
            kept = database.execute("SELECT task, content FROM replaced").fetchall()
        database.close()
        assert [(task, json.loads(text)) for task, text in kept] == [(1, says("cat"))]

    def test_nobody_answers_what_was_not_given_to_them(self, room: Room) -> None:
        queue = room.open(image_lines(3))
        ann, ben = queue.join("ann"), queue.join("ben")
        queue.next(ann)
        for person, task in ((ben, 0), (ann, 1), (ann, 99)):
            with pytest.raises(NotYours):
                queue.answer(person, task, says("cat"))
        with pytest.raises(NotYours):
            queue.again(ben, 0)
        assert queue.summary().answers == 0

    def test_times_are_those_of_the_desk_and_at_most_what_passed(self, room: Room) -> None:
        queue = room.open(image_lines(2))
        ann = queue.join("ann")
        queue.next(ann)
        room.clock.now += 12.5
        queue.answer(ann, 0, says("cat"), seconds=7.25)
        queue.next(ann)
        room.clock.now += 3
        queue.answer(ann, 1, says("cat"), seconds=1e6)
        answers = [response(room, task)[0] for task in (0, 1)]
        assert [answer["timeSpentInSeconds"] for answer in answers] == [7.25, 3.0]
        assert answers[0]["acceptanceTime"] == "2027-01-15T08:00:00.000Z"
        assert answers[0]["submissionTime"] == "2027-01-15T08:00:12.500Z"
        assert answers[0]["workerId"] == "ann"
        assert answers[0]["answerContent"] == says("cat")

    def test_progress_tells_pace_and_time_left(self, room: Room) -> None:
        queue = room.open(image_lines(10))
        ann = queue.join("ann")
        for _ in range(4):
            take(queue, ann)
            room.clock.now += 6
        now = queue.progress(ann)
        assert (now.done, now.left, now.seconds_each, now.seconds_left) == (4, 6, 6.0, 36.0)
        assert (now.answers, now.places, now.people) == (4, 6, 1)


def response(room: Room, task: int) -> list[dict[str, Any]]:
    (file,) = room.out.glob(f"annotations/worker-response/iteration-1/{task}/*.json")
    return list(json.loads(file.read_text(encoding="utf-8"))["answers"])


class TestSkips:
    def test_a_reason_is_kept_and_the_task_goes_to_others(self, room: Room) -> None:
        queue = room.open(image_lines(1), workers=2)
        people = [queue.join(name) for name in ("ann", "ben", "cleo")]
        queue.next(people[0])
        queue.answer(people[0], 0, cannot("It is too blurry"))
        assert queue.next(people[0]) is None
        assert take(queue, people[1]) == 0
        assert take(queue, people[2]) == 0
        assert queue.summary().skipped == 1
        assert [(who, why) for _, who, why in queue.problems()] == [("ann", "It is too blurry")]
        assert set(room.read()) == {("/pool/0.png", "ben"), ("/pool/0.png", "cleo")}

    def test_a_task_that_enough_people_cannot_answer_is_over(self, room: Room) -> None:
        """As in Ground Truth: when as many decline as should answer, the object expires."""
        queue = room.open(image_lines(2), workers=2)
        for name in ("ann", "ben"):
            person = queue.join(name)
            queue.next(person)
            queue.answer(person, 0, cannot())
        cleo = queue.join("cleo")
        assert take_all(queue, cleo) == [1]
        assert queue.finished() == [0]
        assert queue.progress(cleo).places == 1

    def test_a_problem_can_still_become_an_answer_and_the_other_way_round(self, room: Room) -> None:
        queue = room.open(image_lines(2))
        ann, ben = queue.join("ann"), queue.join("ben")
        queue.next(ann)
        queue.answer(ann, 0, cannot())
        queue.answer(ann, 0, says("dog"), revision=1)
        assert (queue.summary().answers, queue.summary().skipped) == (1, 0)
        assert room.read() == {("/pool/0.png", "ann"): "dog"}
        queue.answer(ann, 0, cannot(), revision=2)
        assert (queue.summary().answers, queue.summary().skipped) == (0, 1)
        assert take_all(queue, ben) == [1]

    def test_a_skip_from_a_page_without_a_field_for_it_is_no_vote(self, room: Room) -> None:
        queue = room.open(image_lines(2))
        ann = queue.join("ann")
        queue.next(ann)
        queue.answer(ann, 0, {}, skipped="No idea")
        take(queue, ann)
        assert set(room.read()) == {("/pool/1.png", "ann")}
        room.close()
        with (room.out / "skipped.csv").open(newline="") as file:
            assert list(csv.DictReader(file)) == [
                {"task": "/pool/0.png", "worker": "ann", "reason": "No idea"}
            ]


class TestDecoys:
    def test_they_come_evenly_though_the_manifest_has_them_in_one_heap(self, room: Room) -> None:
        decoys = range(5)
        queue = room.open(image_lines(30, decoys))
        order = take_all(queue, queue.join("ann"))
        assert sorted(order) == list(range(30))
        places = [at for at, number in enumerate(order) if number in decoys]
        assert [after - before for before, after in itertools.pairwise(places)] == [6] * 4
        rest = [number for number in order if number not in decoys]
        assert rest == sorted(rest)

    def test_they_come_at_other_places_for_other_people(self, room: Room) -> None:
        decoys = range(25, 30)
        queue = room.open(image_lines(30, decoys), workers=4)
        places = set()
        for name in ("ann", "ben", "cleo", "dora"):
            order = take_all(queue, queue.join(name))
            places.add(tuple((at, n) for at, n in enumerate(order) if n in decoys))
        assert len(places) > 1

    def test_nobody_sees_a_known_image_twice(self, room: Room) -> None:
        lines = image_lines(4) + [{"source-ref": "/pool/gold.png", "gandt-gold": "cat"}] * 3
        queue = room.open(lines, workers=2)
        ann, ben = queue.join("ann"), queue.join("ben")
        assert sum(number >= 4 for number in take_all(queue, ann)) == 1
        assert sum(number >= 4 for number in take_all(queue, ben)) == 1

    def test_in_tiled_tasks_the_repeated_image_is_left_out(self, room: Room) -> None:
        golds = {7: "cat", 8: "dog"}
        lines = [tile_line([0, 7, 8], golds), tile_line([1, 7, 2], golds), tile_line([7, 8], golds)]
        queue = room.open(lines, labels=())
        ann = queue.join("ann")
        hidden = {}
        for _ in range(2):
            assignment = queue.next(ann)
            assert assignment is not None
            hidden[assignment.task.number] = assignment.hidden
            queue.answer(ann, assignment.task.number, {"labels-0": '["cat"]', "problem": ""})
        # The third task has nothing that ann has not seen, unless it came first.
        assert queue.next(ann) is None
        assert hidden in ({0: (), 1: (1,)}, {2: (), 0: (1, 2)}, {0: (), 2: (0, 1)})

    def test_pages_cannot_tell_them_from_others(self, room: Room) -> None:
        from gandt.labeling.queue_tasks import page_input

        queue = room.open(image_lines(2, [1]))
        plain, decoy = (page_input(queue.tasks[n], LABELS, ours=False) for n in (0, 1))
        assert set(plain) == set(decoy)
        room.close()
        shutil.rmtree(room.out)
        queue = room.open([tile_line([0, 7], {7: "cat"})], labels=())
        assert "gold" not in json.dumps(page_input(queue.tasks[0], (), ours=False))


class TestTheFolder:
    def test_it_has_the_layout_of_a_job(self, room: Room) -> None:
        queue = room.open(image_lines(2, [1]))
        ann = queue.join("ann")
        take_all(queue, ann)
        room.close()
        assert (room.out / "manifests/output/output.manifest").read_bytes() == (
            room.manifest.read_bytes()
        )
        categories = json.loads((room.out / "annotation-tool/data.json").read_text())
        assert [label["label"] for label in categories["labels"]] == list(LABELS)
        assert "crowd-form" in (room.out / "annotation-tool/template.liquid").read_text()
        found = read_answers([str(room.out)], strict=True)
        assert found.classes == LABELS
        assert found.gold == {"/pool/1.png": "cat"}
        assert tuple(found.job) == ("round1.answers",) * 2

    def test_tiled_answers_are_read_back_image_by_image(self, room: Room) -> None:
        queue = room.open([tile_line([3, 4])], labels=())
        ann = queue.join("ann")
        queue.next(ann)
        queue.answer(ann, 0, {"labels-0": '["cat"]', "labels-1": '["Other"]', "problem": ""})
        assert room.read() == {
            ("/pool/3.png", "ann"): ("cat",),
            ("/pool/4.png", "ann"): ("Other",),
        }

    def test_reopening_goes_on_where_it_stopped(self, room: Room) -> None:
        queue = room.open(image_lines(4))
        ann = queue.join("ann")
        take(queue, ann)
        take(queue, ann)
        in_hand = queue.next(ann)
        token = ann.token
        room.close()
        queue = room.open()
        ann = queue.join("ANN")
        assert (ann.name, ann.token) == ("ann", token)
        assert queue.person_of(token) == ann
        assert queue.next(ann) == in_hand
        assert take_all(queue, ann) == [2, 3]
        assert queue.summary().new == 2

    def test_the_way_back_is_the_same_after_a_restart(self, room: Room) -> None:
        """What was corrected stays at its place in the row of answers."""
        queue = room.open(image_lines(4))
        ann = queue.join("ann")
        for _ in range(3):
            take(queue, ann)
            room.clock.now += 5
        queue.answer(ann, 0, says("dog"), revision=1)
        assert (queue.before(ann), queue.after(ann, 0)) == (2, 1)
        room.close()
        queue = room.open()
        ann = queue.join("ann")
        assert (queue.before(ann), queue.after(ann, 0)) == (2, 1)

    def test_a_page_that_was_open_while_the_desk_restarted_can_submit(self, room: Room) -> None:
        queue = room.open(image_lines(1))
        queue.next(queue.join("ann"))
        room.close()
        room.clock.now += 1000
        queue = room.open()
        queue.answer(queue.join("ann"), 0, says("dog"))
        assert room.read() == {("/pool/0.png", "ann"): "dog"}

    def test_files_that_got_lost_or_damaged_are_written_again(self, room: Room) -> None:
        queue = room.open(image_lines(4))
        take_all(queue, queue.join("ann"))
        room.close()
        before = room.read()
        responses = room.out / "annotations/worker-response/iteration-1"
        shutil.rmtree(responses / "0")
        next((responses / "1").iterdir()).write_text('{"answers": [')
        (responses / "2" / "2020-01-01_00-00-00.json").write_text('{"answers": []}')
        (room.out / "annotation-tool/data.json").unlink()
        (responses / "9").mkdir()
        (responses / "9" / "2020-01-01_00-00-00.json").write_text('{"answers": []}')
        queue = room.open()
        assert queue.repaired == 4
        assert room.read() == before
        room.close()
        assert room.open().repaired == 0

    def test_a_second_desk_on_the_same_folder_is_refused(self, room: Room) -> None:
        room.open(image_lines(2))
        with pytest.raises(AnswerError, match=r"open in another `gandt label`"):
            room.open()
        room.close()
        room.open()

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda room: room.write(image_lines(3)), r"another manifest.*output\.manifest"),
            (lambda room: {"labels": ("cat", "dog")}, r"labels cat, dog, Other: give the same"),
            (lambda room: {"template": "image-multi-select"}, r"another page.*--template"),
        ],
    )
    def test_what_changed_since_it_was_begun_is_an_error_with_a_remedy(
        self, room: Room, change: Callable[[Room], dict[str, Any] | None], said: str
    ) -> None:
        queue = room.open(image_lines(2))
        take(queue, queue.join("ann"))
        room.close()
        with pytest.raises(AnswerError, match=said):
            room.open(**(change(room) or {}))

    def test_it_is_not_made_among_other_files(self, room: Room) -> None:
        room.out.mkdir()
        (room.out / "thesis.tex").touch()
        with pytest.raises(UsageError, match=r"holds other files \(thesis\.tex\)"):
            room.open(image_lines(1))
        assert [path.name for path in room.out.iterdir()] == ["thesis.tex"]

    def test_a_remote_folder_is_refused(self, room: Room) -> None:
        room.write(image_lines(1))
        with pytest.raises(UsageError, match="kept on this machine"):
            open_queue(str(room.manifest), "s3://bucket/round1", QueueOptions(LABELS))

    def test_a_database_of_something_else_is_refused(self, room: Room) -> None:
        room.out.mkdir()
        (room.out / "desk.sqlite").write_bytes(b"this is no database, but long enough" * 50)
        with pytest.raises(AnswerError, match="cannot be read as the answers of a desk"):
            room.open(image_lines(1))
        assert b"no database" in (room.out / "desk.sqlite").read_bytes()

    def test_only_its_owner_may_read_what_opens_the_desk(self, room: Room) -> None:
        room.open(image_lines(1)).join("ann")
        files = list(room.out.glob("desk.sqlite*"))
        assert len(files) >= 1
        for file in files:
            assert file.stat().st_mode & 0o077 == 0, file


class TestManifestsAndLabels:
    @pytest.mark.parametrize(
        ("lines", "page"),
        [
            ([{"source-ref": "/a.png"}], "image-classification"),
            ([{"source": "some words"}], "text-classification"),
            ([tile_line([0, 1])], "tiles"),
        ],
    )
    def test_the_page_fits_what_is_asked_about(
        self, room: Room, lines: list[dict[str, object]], page: str
    ) -> None:
        labels = () if page == "tiles" else LABELS
        assert room.open(lines, labels=labels).page == page

    def test_without_labels_the_classes_that_images_were_chosen_for_are_offered(
        self, room: Room
    ) -> None:
        lines = [{"source-ref": "/a", "gandt-class": name} for name in ("cat", "dog", "cat")]
        queue = room.open(lines, labels=())
        assert queue.labels == ("cat", "dog", "Other")
        assert "chosen for" in queue.labels_origin

    def test_a_page_with_choices_of_its_own_needs_none(self, room: Room) -> None:
        page = room.folder / "own.html"
        page.write_text("<crowd-form><input type=radio name=kind value=a></crowd-form>")
        lines = [{"source-ref": "/a", "gandt-class": "cat"}]
        queue = room.open(lines, labels=(), template=str(page))
        assert queue.labels == ()
        queue.next(ann := queue.join("ann"))
        queue.answer(ann, 0, {"kind": {"a": True}})
        assert room.read() == {("/a", "ann"): "a"}

    def test_tiled_tasks_bring_their_labels(self, room: Room) -> None:
        assert room.open([tile_line([0, 1])], labels=("Other", "dog", "cat")).labels == LABELS

    @pytest.mark.parametrize(
        ("lines", "labels", "said"),
        [
            ([{"source-ref": "/a"}], (), "needs labels to offer"),
            ([{"source-ref": "/a"}], ("cat", "cat"), "there twice"),
            ([{"source-ref": "/a"}], ("cat", " "), "is empty"),
            ([tile_line([0])], ("cat", "bird"), "offer labels of their own"),
        ],
    )
    def test_labels_that_cannot_be_are_an_error(
        self, room: Room, lines: list[dict[str, object]], labels: tuple[str, ...], said: str
    ) -> None:
        with pytest.raises(UsageError, match=said):
            room.open(lines, labels=labels)

    @pytest.mark.parametrize(
        ("lines", "said"),
        [
            ([], "holds no task"),
            ([{"source-ref": "/a"}, {"what": 1}], r"round1\.manifest, line 2: .*gandt validate"),
            ([{"source-ref": "/a"}, {"source": "words"}], "line 1: image, line 2: text"),
        ],
    )
    def test_a_manifest_that_cannot_be_labeled_is_an_error(
        self, room: Room, lines: list[dict[str, object]], said: str
    ) -> None:
        with pytest.raises(ManifestError, match=said):
            room.open(lines)

    def test_a_manifest_that_is_missing_is_an_error_and_makes_no_folder(self, room: Room) -> None:
        with pytest.raises(GandtError, match=r"There is no file .*round1\.manifest"):
            room.open()
        assert not room.out.exists()


class TestPeople:
    def test_names_are_cleaned_and_compared_without_case(self, room: Room) -> None:
        queue = room.open(image_lines(1))
        assert queue.join("  Ann \t Lee ").name == "Ann Lee"
        assert queue.join("ann lee") == queue.join("ANN LEE")
        assert len(queue.people) == 1

    @pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x07b", "a\u202eb"])
    def test_a_name_that_cannot_be_shown_is_refused(self, room: Room, name: str) -> None:
        with pytest.raises(UsageError):
            room.open(image_lines(1)).join(name)

    def test_tokens_are_long_random_and_open_one_person_each(self, room: Room) -> None:
        queue = room.open(image_lines(1))
        people = [queue.join(name) for name in ("ann", "ben")]
        assert all(len(person.token) >= 32 for person in people)
        assert [queue.person_of(person.token) for person in people] == people
        for wrong in ("", people[0].token[:-1], people[0].token + "x", "\ud800", "é"):
            assert queue.person_of(wrong) is None


class TestReview:
    def test_a_correction_is_one_more_answer(self, room: Room) -> None:
        queue = room.open(image_lines(2))
        take(queue, queue.join("ann"), "cat")
        rev = queue.join("rev")
        assert queue.look_at(rev, 0).revision == 0
        queue.correct(rev, 0, says("dog"))
        assert room.read() == {("/pool/0.png", "ann"): "cat", ("/pool/0.png", "rev"): "dog"}
        queue.correct(rev, 0, says("Other"), revision=1)
        assert room.read()[("/pool/0.png", "rev")] == "Other"

    def test_what_others_still_answer_is_not_reviewed(self, room: Room) -> None:
        queue = room.open(image_lines(2), workers=2)
        take(queue, queue.join("ann"))
        for task in (0, 1, 7):
            with pytest.raises(NotYours):
                queue.correct(queue.join("rev"), task, says("dog"))

    def test_of_tiles_one_is_corrected_and_the_rest_is_no_vote(self, room: Room) -> None:
        queue = room.open([tile_line([3, 4, 5])], labels=())
        ann, rev = queue.join("ann"), queue.join("rev")
        queue.next(ann)
        queue.answer(ann, 0, {f"labels-{at}": '["cat"]' for at in range(3)} | {"problem": ""})
        assert queue.look_at(rev, 0, 1).hidden == (0, 2)
        queue.correct(rev, 0, {"labels-1": '["dog"]', "problem": ""}, position=1)
        queue.correct(rev, 0, {"labels-2": '["dog"]', "problem": ""}, position=2, revision=1)
        said = {task: label for (task, who), label in room.read().items() if who == "rev"}
        assert said == {"/pool/4.png": ("dog",), "/pool/5.png": ("dog",)}


# ------------------------------------------------------------------------------------ properties

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("next"), st.integers(0, 3)),
        st.tuples(st.just("answer"), st.integers(0, 3)),
        st.tuples(st.just("skip"), st.integers(0, 3)),
        st.tuples(st.just("change"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.integers(1, 100)),
        st.tuples(st.just("reopen"), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=50)
@given(
    steps=STEPS,
    tasks=st.integers(1, 8),
    workers=st.integers(1, 3),
    decoys=st.sets(st.integers(0, 7), max_size=3),
)
def test_whatever_people_do_nothing_is_lost_and_nobody_is_asked_twice(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, int]],
    tasks: int,
    workers: int,
    decoys: set[int],
) -> None:
    room = Room(tmp_path_factory.mktemp("room"))
    names = ("ann", "ben", "cleo", "dora")
    given_: dict[tuple[str, int], dict[str, object]] = {}
    shown: dict[tuple[str, int], int] = {}
    queue = room.open(image_lines(tasks, sorted(decoys)), workers=workers)
    try:
        for what, value in steps:
            room.clock.now += 0.1
            if what == "wait":
                room.clock.now += value
            elif what == "reopen":
                room.close()
                queue = room.open(workers=workers)
                assert queue.repaired == 0
            else:
                person = queue.join(names[value])
                if what == "change":
                    last = queue.before(person)
                    if last is not None:
                        old = queue.again(person, last)
                        content = says("dog") if old.previous != says("dog") else cannot()
                        queue.answer(person, last, content, revision=old.revision)
                        given_[person.name, last] = content
                    continue
                assignment = queue.next(person)
                if assignment is None:
                    continue
                number = assignment.task.number
                assert (person.name, number) not in given_  # never asked twice
                shown[person.name, number] = 1
                if what != "next":
                    content = says("cat") if what == "answer" else cannot()
                    queue.answer(person, number, content)
                    given_[person.name, number] = content
            votes = Counter(n for (_, n), c in given_.items() if not str(c["problem"]))
            skips = Counter(n for (_, n), c in given_.items() if str(c["problem"]))
            over = {n for n in range(tasks) if max(votes[n], skips[n]) >= workers}
            summary = queue.summary()
            assert set(queue.finished()) == over
            assert summary.answers == votes.total()
            assert summary.skipped == skips.total()
            assert summary.missing == sum(workers - votes[n] for n in range(tasks) if n not in over)
            for name in names:
                mine = {n for who, n in given_ if who == name}
                progress = queue.progress(queue.join(name))
                assert progress.done == len(mine)
                assert progress.left == len(set(range(tasks)) - over - mine)
        expected = {
            (f"/pool/{number}.png", name): json.loads(str(content["category"]))["label"]
            for (name, number), content in given_.items()
            if not content["problem"]
        }
        if expected:
            assert room.read() == expected
    finally:
        room.close()
        shutil.rmtree(room.folder)
