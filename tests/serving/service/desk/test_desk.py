"""The labeling desk over HTTP: coming in, tasks, answers, the way back, review."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from desk_program import DeskThread, Visitor
from PIL import Image

from gandt.groundtruth.responses import read_answers
from gandt.labeling.templates import Example

if TYPE_CHECKING:
    from s3_server import Bucket

Start = Callable[..., DeskThread]


def picture(path: Path, shade: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40), (shade, 120, 200)).save(path)
    return path


def labels_of(folder: Path) -> dict[tuple[str, str], object]:
    found = read_answers([str(folder)])
    names = [Path(task).name for task in found.task]
    return dict(zip(zip(names, found.worker, strict=True), found.label, strict=True))


class TestComingIn:
    def test_a_name_is_asked_once(self, start: Start) -> None:
        desk = start()
        ann = desk.visitor()
        assert "Who is labeling?" in ann.get().text
        came = ann.enter("Ann")
        assert (came.status, came.headers["Location"]) == (303, "/")
        assert ann.get().desk["person"] == "Ann"

    def test_somebody_else_can_sit_down(self, start: Start) -> None:
        visitor = start().visitor("Ann")
        assert visitor.get().desk["who"] == "/who"
        assert "Was here before: <bdi>Ann</bdi>." in visitor.get("/who").text
        visitor.enter("Ben")
        assert visitor.get().desk["person"] == "Ben"

    def test_a_bad_name_is_asked_again_with_the_reason(self, start: Start) -> None:
        reply = start().visitor().enter("x" * 70)
        assert reply.status == 422
        assert "has over 60 characters" in reply.text

    def test_with_people_only_links_let_in(self, start: Start) -> None:
        desk = start(people=("ann", "ben"))
        assert set(desk.links) == {"ann", "ben"}
        stranger = desk.visitor()
        assert stranger.get().status == 401
        assert stranger.get("/enter/" + "x" * 32).status == 404
        assert stranger.enter("mallory").status == 403
        assert stranger.cookie == ""
        ann, ben = desk.visitor("ann"), desk.visitor("ben")
        assert ann.get().desk["person"] == "ann"
        assert ben.get().desk["task"] != ann.get().desk["task"]

    def test_who_is_not_invited_any_more_stays_out(self, start: Start) -> None:
        desk = start(people=("ann", "ben"))
        ben, link = desk.visitor("ben"), urlsplit(desk.links["ben"]).path
        assert ben.get().status == 200
        port = desk.port
        desk.stop()
        again = start(people=("ann",), port=port)
        later = again.visitor()
        later.cookie = ben.cookie
        assert later.get().status == 401
        assert later.get(link).status == 404

    def test_the_cookie_is_for_the_server_alone(self, start: Start) -> None:
        reply = start(people=("ann",)).visitor().enter("ann")
        assert reply.status == 200  # a redirect from a link elsewhere would come without the cookie
        attributes = {part.strip().lower() for part in reply.headers["Set-Cookie"].split(";")[1:]}
        assert {"httponly", "samesite=strict", "path=/"} <= attributes

    def test_links_stay_the_same_after_a_restart(self, start: Start) -> None:
        desk = start(people=("ann", "ben"))
        ann = desk.visitor("ann")
        ann.answer("cat")
        port, links = desk.port, desk.links
        desk.stop()
        again = start(people=("ann", "ben"), port=port)
        assert again.links == links
        assert again.visitor().get().status == 401
        assert ann.get().desk["progress"]["done"] == 1  # with the cookie of before
        ann.connection.close()


class TestTasks:
    def test_the_page_is_that_of_ground_truth_jobs_with_a_bar(self, start: Start) -> None:
        page = start().visitor("ann").get()
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert page.headers["Cache-Control"] == "no-store"
        assert "https://assets.crowd.aws" not in page.text
        assert '<crowd-form data-action="/task/0/answer"' in page.text
        assert page.desk["ahead"] != page.images

    @pytest.mark.parametrize("page", ["image-classification", "widget-image-classification"])
    def test_examples_are_shown_under_names_that_tell_nothing(
        self, start: Start, tmp_path: Path, page: str
    ) -> None:
        """Only those that are shown: what lies beside them is not there for the desk."""
        folder = tmp_path / "seeds" / 'cat {x} "y"'
        shown, beside = picture(folder / "a.png", 10), picture(folder / "b.png", 20)
        ann = start(template=page, examples=[Example(str(shown), "cat")]).visitor("ann")
        text = ann.get().text
        assert "seeds" not in text
        addresses = {*re.findall(r"/image/[0-9a-f]{32}", text)}
        bodies = [ann.get(address).body for address in addresses]
        assert shown.read_bytes() in bodies
        assert beside.read_bytes() not in bodies
        assert "/image/none" not in text

    def test_examples_may_change_from_day_to_day(self, start: Start, tmp_path: Path) -> None:
        example = str(picture(tmp_path / "seeds" / "a.png", 10))
        desk = start(examples=[Example(example, "cat")])
        shown = desk.visitor("ann").get().images
        desk.stop()
        later = start().visitor("ann")
        (gone,) = set(shown) - set(later.get().images)
        assert later.get(gone).status == 404
        page = tmp_path / "round1.answers" / "annotation-tool" / "template.liquid"
        assert example not in page.read_text()

    def test_images_come_with_their_type_and_may_be_kept(self, start: Start) -> None:
        ann = start().visitor("ann")
        (address,) = ann.get().images
        image = ann.get(address)
        assert (image.status, image.headers["Content-Type"]) == (200, "image/png")
        assert image.body.startswith(b"\x89PNG")
        assert "max-age" in image.headers["Cache-Control"]
        tag = image.headers["ETag"]
        assert ann.get(address, {"If-None-Match": tag}).status == 304
        assert ann.ask("HEAD", address).headers["Content-Length"] == str(len(image.body))

    def test_an_answer_is_in_the_folder_before_the_reply(
        self, start: Start, tmp_path: Path
    ) -> None:
        ann = start().visitor("ann")
        for number, label in enumerate(("cat", "dog", "Other")):
            reply = ann.answer(label)
            assert reply.json == {"saved": True, "next": "/"}
            assert labels_of(tmp_path / "round1.answers")[f"{number}.png", "ann"] == label

    def test_everything_done_is_said(self, start: Start) -> None:
        desk = start()
        ann = desk.visitor("ann")
        for _ in range(6):
            assert ann.answer("cat").status == 200
        assert "Every task has its answers." in ann.get().text
        assert "round1.answers" in ann.get().text
        assert desk.stop()["finished"] == 6

    def test_who_has_to_wait_is_told_and_gets_what_comes_back(self, start: Start) -> None:
        desk = start(lease=1.2)
        people = [desk.visitor(f"p{n}") for n in range(7)]
        for person in people[:6]:
            person.get()
        assert "6 tasks are being answered by somebody else" in people[6].get().text
        assert people[6].get("/progress").json["ready"] is False
        time.sleep(1.3)
        assert people[6].get("/progress").json["ready"] is True
        assert people[6].get().desk["task"] == 0

    def test_back_shows_the_answer_and_changes_it(self, start: Start, tmp_path: Path) -> None:
        ann = start().visitor("ann")
        for _ in range(3):
            ann.answer("cat")
        now = ann.get().desk
        assert now["back"] == "/task/2"
        earlier = ann.get("/task/1").desk
        assert earlier["revision"] == 1
        assert json.loads(earlier["previous"]["category"]) == {"label": "cat"}
        assert (earlier["back"], earlier["forth"]) == ("/task/0", "/task/2")
        assert ann.answer("dog", earlier).json["next"] == "/task/2"
        assert labels_of(tmp_path / "round1.answers")["1.png", "ann"] == "dog"
        unseen = ann.get("/task/5")
        assert (unseen.status, unseen.headers["Location"]) == (303, "/")

    def test_skips_are_counted_and_listed(self, start: Start, tmp_path: Path) -> None:
        desk = start()
        ann = desk.visitor("ann")
        for sent in (
            {"skip": "No idea"},
            {"answerContent": {"category": '{"label":""}', "problem": "It is too blurry"}},
        ):
            assert ann.post(ann.get().desk["action"], sent).status == 200
        ann.answer("cat")
        summary = desk.stop()
        assert (summary["answers"], summary["skipped"]) == (1, 2)
        assert summary["people"] == {"ann": {"answers": 1, "skipped": 2}}
        table = (tmp_path / "round1.answers" / "skipped.csv").read_text()
        assert "0.png,ann,No idea\n" in table
        assert "1.png,ann,It is too blurry\n" in table

    def test_texts_and_tiles_have_their_pages(self, start: Start, tmp_path: Path) -> None:
        desk = start([{"source": "so <b>good</b>"}])
        text = desk.visitor("ann").get().text
        assert 'data-text="&#34;so \\u003cb&gt;good\\u003c/b&gt;&#34;"' in text
        desk.stop()
        paths = sorted((tmp_path / "pool").glob("*.png"))
        tiles: list[dict[str, object]] = [
            {"source-ref": str(path), "index": 3 * at} for at, path in enumerate(paths)
        ]
        tiles[0] |= {"event_names": ["cat"], "other_category_label": "Other"}
        manifest = [{"source": json.dumps(tiles)}]
        page = start(manifest, labels=(), out="tiles.answers").visitor("ann").get()
        assert len(page.images) == 6
        assert 'name="labels-15"' in page.text
        assert str(tmp_path) not in page.text

    def test_pages_of_crowd_elements_and_of_the_users_own_work_too(
        self, start: Start, tmp_path: Path
    ) -> None:
        own = tmp_path / "own.html"
        own.write_text(
            '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script><crowd-form>'
            '<img src="{{ task.input.source-ref | grant_read_access }}">'
            "<input type=radio name=kind value=a></crowd-form>"
        )
        for template, mark in (
            ("widget-image-classification", "<crowd-image-classifier"),
            (str(own), '<crowd-form data-action="/task/0/answer">'),
        ):
            out = f"{Path(template).stem}.answers"
            page = start(template=template, out=out).visitor("ann").get()
            assert mark in page.text
            assert page.text.count("/image/") >= 1
            assert page.desk["task"] == 0
            assert "https://assets.crowd.aws" not in page.text


class TestReview:
    def review(self, start: Start) -> tuple[DeskThread, Visitor]:
        desk = start(workers=2)
        for name, labels in (("ann", "cat cat dog"), ("ben", "cat dog dog")):
            person = desk.visitor(name)
            for label in labels.split():
                person.answer(label)
        desk.stop()
        desk = start(review=True, workers=2)
        reviewer = desk.visitor()
        assert reviewer.get("/review").headers["Location"] == "/"
        assert reviewer.enter("rev").headers["Location"] == "/review"
        return desk, reviewer

    def test_finished_labels_are_shown_by_class_with_who_said_what(self, start: Start) -> None:
        _, reviewer = self.review(start)
        text = reviewer.get("/review").text
        assert "<h1>3 finished</h1>" in text
        assert "1 with different answers · 3 tasks not finished yet" in text
        assert "<bdi>ann</bdi>: <bdi>cat</bdi>" in text
        assert text.count('class="disputed"') == 1
        assert reviewer.get("/review?only=disputed").text.count("<li id=") == 1
        assert reviewer.get("/review?label=dog").text.count("<h2>") == 1

    def test_a_correction_counts_as_the_reviewers_answer(
        self, start: Start, tmp_path: Path
    ) -> None:
        _, reviewer = self.review(start)
        shown = reviewer.get("/review/1/0").desk
        assert "ann: cat; ben: dog" in shown["note"]
        assert reviewer.answer("dog", shown).json["next"] == "/review#1-0"
        found = labels_of(tmp_path / "round1.answers")
        assert (found["1.png", "rev"], found["1.png", "ann"]) == ("dog", "cat")
        assert "<bdi>rev</bdi>: <bdi>dog</bdi>" in reviewer.get("/review").text
        assert reviewer.get("/review/5/0").headers["Location"] == "/review"  # not finished
        refused = reviewer.post("/review/5/0/answer", {"answerContent": {"a": 1}})
        assert refused.status == 403

    def test_a_known_answer_stands_whatever_a_reviewer_says(
        self, start: Start, lines: list[dict[str, object]]
    ) -> None:
        """`gandt aggregate` keeps it, so the page says so and shows no other label."""
        desk = start([{**lines[0], "gandt-gold": "cat"}, lines[1]], review=True)
        ann = desk.visitor("ann")
        for _ in range(2):
            ann.answer("cat")
        reviewer = desk.visitor("rev")
        shown = reviewer.get("/review/0/0").desk
        assert "Its known answer, cat, stands" in shown["note"]
        assert "decides" not in shown["note"]
        assert reviewer.answer("dog", shown).status == 200
        text = reviewer.get("/review").text
        assert "decided" not in text
        assert "<b>known answer</b> · cat 1, dog 1" in text
        assert "<h2><bdi>cat</bdi> <span>2</span></h2>" in text

    def test_without_the_option_there_is_no_review(self, start: Start) -> None:
        ann = start().visitor("ann")
        assert ann.get("/review").status == 404
        assert ann.post("/review/0/0/answer", {"answerContent": {"a": 1}}).status == 404


def test_images_on_s3_come_through_the_desk(start: Start, bucket: Bucket, tmp_path: Path) -> None:
    path = tmp_path / "big.png"
    noise = Image.effect_noise((1400, 1400), 90)
    noise.save(path)
    data = path.read_bytes()
    assert len(data) > 1 << 20  # so that it comes in pieces
    bucket.put("a b/é.png", data)
    uri = f"s3://{bucket.name}/a b/é.png"
    manifest = [{"source-ref": uri}, {"source-ref": f"s3://{bucket.name}/missing.png"}]
    ann = start(manifest).visitor("ann")
    page = ann.get()
    (address,) = page.images
    assert uri not in page.text
    image = ann.get(address)
    assert (image.status, image.headers["Content-Type"]) == (200, "image/png")
    assert image.body == data
    ann.answer("cat")
    assert ann.get(ann.get().images[0]).status == 404
