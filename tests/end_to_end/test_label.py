"""People at the desk: the real program, a real browser, and `gandt aggregate` on what comes out."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parents[1]))

from desk_browser import CHROMIUM, DOWN, DRIVER, ENTER, HOW, Person
from desk_program import PROGRAM, DeskProgram, Visitor, write_manifest

LABELS = ("cat", "dog", "Other")
EIGHT = ("T-Shirt", "Shirt", "Pants", "Dress", "Shoes", "Outwear", "Hat", "Other")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def people() -> Iterator[Callable[[int], Person]]:
    """Browsers, started when they are needed and kept for the module."""
    if not CHROMIUM or not DRIVER:
        pytest.skip(HOW)
    started: list[Person] = []

    def person(number: int) -> Person:
        while len(started) <= number:
            started.append(Person())
        return started[number]

    yield person
    for one in started:
        one.browser.quit()


@pytest.fixture
def ann(people: Callable[[int], Person]) -> Iterator[Person]:
    person = people(0)
    person.open("about:blank")
    person.faults()
    yield person
    assert person.faults() == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A manifest of twenty pictures, in the folder that the program runs in."""
    paths = []
    for number in range(20):
        paths.append(tmp_path / "pool" / f"{number:02d}.png")
        paths[-1].parent.mkdir(exist_ok=True)
        Image.new("RGB", (120, 80), (12 * number, 90, 200 - 9 * number)).save(paths[-1])
    write_manifest(tmp_path / "round1.manifest", [{"source-ref": str(path)} for path in paths])
    return tmp_path


def begin(folder: Path, *arguments: object, labels: Sequence[str] = LABELS) -> DeskProgram:
    return DeskProgram(folder, "round1.manifest", "--labels", ",".join(labels), *arguments)


def aggregate(folder: Path) -> dict[str, dict[str, str]]:
    """Run `gandt aggregate`; its labels by the name of the picture."""
    done = subprocess.run(
        [str(PROGRAM), "aggregate", "round1.answers", "--out", "round1/"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    with (folder / "round1" / "labels.csv").open(newline="") as file:
        return {Path(row["task"]).name: row for row in csv.DictReader(file)}


@pytest.mark.slow
def test_twenty_images_by_keyboard_and_by_mouse(ann: Person, folder: Path) -> None:
    """One person, every way of answering; the page is loaded again and goes on; labels come out."""
    with begin(folder) as desk:
        ann.open(desk.links[""])
        ann.named("Ann")
        expected = []
        for number in range(20):
            shown = ann.on_task(number)
            assert shown["progress"]["done"] == number
            assert ann.wait("document.querySelector('.gt-picture img').naturalWidth") == 120
            choice = number % 3
            if number % 4 == 0:
                ann.keys(str(choice + 1), ENTER)
            elif number % 4 == 1:
                ann.keys(*[DOWN] * (choice + 1), " ", ENTER)
            elif number % 4 == 2:
                ann.click(f".gt-choice:nth-of-type({choice + 1})")
                ann.click("#gt-submit")
            else:
                ann.browser.refresh()
                assert ann.on_task(number)["revision"] == 0
                ann.keys(str(choice + 1), ENTER)
            expected.append(LABELS[choice])
        ann.wait("document.title === 'Done'")
        assert "Every task has its answers." in ann.text()
        summary = desk.stop()
    assert (summary["answers"], summary["missing"]) == (20, 0)
    labels = aggregate(folder)
    assert [labels[f"{number:02d}.png"]["label"] for number in range(20)] == expected


def test_one_goes_back_changes_an_answer_and_goes_on(ann: Person, folder: Path) -> None:
    with begin(folder) as desk:
        ann.open(desk.links[""])
        ann.named("Ann")
        for number in range(3):
            ann.on_task(number)
            ann.keys("1", ENTER)
        ann.on_task(3)
        ann.keys("[")
        ann.on_task(2)
        ann.click("#desk-back")
        ann.on_task(1)
        assert "You said cat" in ann.text("#desk-before")
        assert ann.text('.gt-choice[aria-checked="true"]').startswith("cat")
        ann.keys("2", ENTER)
        ann.on_task(2)  # on through the later ones, as one came
        ann.keys("]")
        assert ann.on_task(3)["progress"]["done"] == 3
        ann.click("#gt-report")
        ann.js("document.querySelector('dialog[open] input').click()")
        ann.click("#gt-send-problem")
        ann.on_task(4)
        ann.keys("[")
        ann.on_task(3)
        assert "cannot be answered: The image does not load" in ann.text("#desk-before")
        summary = desk.stop()
    assert summary["people"] == {"Ann": {"answers": 3, "skipped": 1}}
    labels = aggregate(folder)
    assert [labels[f"0{n}.png"]["label"] for n in range(4)] == ["cat", "dog", "cat", ""]


@pytest.mark.slow
def test_two_people_at_once_and_a_killed_desk_lose_nothing(
    people: Callable[[int], Person], folder: Path
) -> None:
    """Two browsers by their links; SIGKILL in between; the page waits for the desk and goes on."""
    both = [people(0), people(1)]
    options = ("--people", "ann,ben", "--workers-per-task", "2")
    with begin(folder, *options) as desk:
        port, links = desk.port, desk.links
        for person, name in zip(both, ("ann", "ben"), strict=True):
            person.open(links[name])
            person.keys(ENTER)
        for number in range(6):
            for at, person in enumerate(both):
                person.on_task(number)
                person.keys(str(1 + (number + at) % 2), ENTER)
        for person in both:
            person.on_task(6)
        desk.kill()
    # What was accepted is in the folder as it lies there, with no desk to repair it.
    labels = aggregate(folder)
    assert sum(row["votes"] == "2" for row in labels.values()) == 6
    shutil.rmtree(folder / "round1")

    both[0].keys("3", ENTER)  # nobody is there to take it
    both[0].wait("!document.getElementById('desk-alert').hidden")
    assert "keep this page open" in both[0].text("#desk-alert")
    with begin(folder, *options, "--port", port) as desk:
        assert desk.links == links
        both[0].on_task(7)  # it was sent again by itself
        assert both[1].on_task(6)["revision"] == 0
        both[1].keys("3", ENTER)
        for person in both:
            person.on_task(7)
            person.browser.refresh()
            assert person.on_task(7)["progress"]["done"] == 7
        summary = desk.stop()
    assert summary["people"] == {
        "ann": {"answers": 7, "skipped": 0},
        "ben": {"answers": 7, "skipped": 0},
    }
    for person in both:
        person.open("about:blank")
        # The kill may have come in the middle of a picture.
        assert [said for said in person.faults() if "CONTENT_LENGTH_MISMATCH" not in said] == []
    labels = aggregate(folder)
    assert labels["06.png"]["label"] == "Other"


@pytest.mark.slow
def test_killed_at_any_moment_every_accepted_answer_is_there(folder: Path) -> None:
    """Again and again, in the middle of a burst of answers, without a browser."""
    lines = [{"source": f"text {number}"} for number in range(4000)]
    write_manifest(folder / "round1.manifest", lines)
    accepted: dict[int, str] = {}
    under_way: list[int] = []
    for turn in range(3):
        with begin(folder, "--workers-per-task", 1) as desk:
            ann: Visitor = desk.visitor("ann")
            until = time.monotonic() + 0.3 + 0.17 * turn
            while time.monotonic() < until:
                shown = ann.get().desk
                label = LABELS[shown["task"] % 3]
                assert ann.answer(label, shown).status == 200
                accepted[shown["task"]] = label
            # One more is under way when the end comes: it may count, now or when the folder is
            # opened again, or not at all.
            shown = ann.get().desk
            body = json.dumps({"answerContent": {"category": '{"label":"cat"}', "problem": ""}})
            head = {"Content-Type": "application/json", "Origin": desk.origin}
            ann.connection.request("POST", shown["action"], body, {**head, "Cookie": ann.cookie})
            desk.kill()
            under_way.append(shown["task"])
        found = {int(n.removeprefix("text ")): row for n, row in texts(folder).items()}
        answered = {n: row["label"] for n, row in found.items() if row["label"]}
        assert {n: answered.get(n) for n in accepted} == accepted
        assert {n: label for n, label in answered.items() if n not in accepted}.items() <= (
            dict.fromkeys(under_way, "cat").items()
        )
    assert len(accepted) > 10


def texts(folder: Path) -> dict[str, dict[str, str]]:
    shutil.rmtree(folder / "round1", ignore_errors=True)
    return aggregate(folder)


@pytest.mark.slow
def test_a_reviewer_corrects_by_clicking(ann: Person, folder: Path) -> None:
    with begin(folder) as desk:
        first = desk.visitor("ann")
        for number in range(20):
            first.answer(LABELS[number % 3])
        desk.stop()
    with begin(folder, "--review") as desk:
        assert urlsplit(desk.links[""]).path == "/review"
        ann.open(desk.links[""])
        ann.named("Rev")
        ann.wait("document.title === 'Review'")
        assert "20 finished" in ann.text()
        ann.click("#\\34 -0 a")
        assert ann.on_task(4)["review"] is True
        ann.keys("3", ENTER)
        ann.wait("document.title === 'Review' && document.getElementById('4-0')")
        assert "decided by Rev" in ann.text("#\\34 -0")
        assert "Rev: Other" in ann.text("#\\34 -0")
        assert ann.js("return location.hash") == "#4-0"
        assert "0 with different answers" in ann.text()
        desk.stop()
    decided = aggregate(folder)["04.png"]
    assert (decided["label"], decided["certain"], decided["votes"]) == ("Other", "true", "2")
    assert decided["reviewed_by"] == "Rev"


@pytest.mark.parametrize(("width", "height"), [(320, 568), (1280, 800), (3840, 2160)])
def test_the_desk_fits_small_and_large_screens(
    ann: Person, folder: Path, width: int, height: int
) -> None:
    def fits() -> None:
        wide = ann.js("return document.documentElement.scrollWidth")
        assert wide <= width
        cut = ann.js(
            "return [...document.querySelectorAll('button, a, input')].filter((e) => {"
            "const r = e.getBoundingClientRect();"
            "return r.width && (r.left < -1 || r.right > innerWidth + 1); }).length"
        )
        assert cut == 0

    ann.browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    try:
        with begin(folder, "--review", labels=EIGHT) as desk:
            ann.open(desk.origin)
            ann.wait("document.getElementById('name')")
            fits()
            ann.named("Somebody with a very long name, as people have them")
            ann.wait("document.title === 'Review'")
            fits()
            ann.open(desk.origin)
            ann.on_task(0)
            fits()
            assert ann.js(
                "const bar = document.querySelector('.gt-bar').getBoundingClientRect();"
                "return [...document.querySelectorAll('.gt-choice')]"
                ".every((choice) => choice.getBoundingClientRect().bottom <= bar.top)"
            )  # the picture leaves room for the answers
            assert ann.js("return document.querySelector('.gt-picture').offsetHeight") > 140
            bar = ann.js("return document.getElementById('desk').offsetHeight")
            assert bar <= 60
            for number in range(4):
                ann.on_task(number)
                ann.keys("1", ENTER)
            ann.on_task(4)  # by now it is known how fast it goes: told on every screen
            told = ann.js(
                "const more = document.getElementById('desk-more');"
                "return more.offsetHeight ? more.textContent : ''"
            )
            assert re.fullmatch(r"[\d,]+ an hour · about .* left", told)
            assert ann.js("return document.getElementById('desk').offsetHeight") <= 60
            fits()
            ann.keys("[")
            ann.on_task(3)
            fits()
    finally:
        ann.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_page_with_a_skip_button_fits_a_phone_too(ann: Person, folder: Path) -> None:
    """The bar of a page that has no way out of its own, while it says that it saved."""
    ann.browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 320, "height": 568, "deviceScaleFactor": 1, "mobile": False},
    )
    try:
        with begin(folder, "--template", "widget-image-classification") as desk:
            ann.open(desk.links[""])
            ann.named("Ann")
            ann.on_task(0)
            ann.wait("document.querySelector('crowd-image-classifier').shadowRoot")
            ann.keys("1")
            ann.click("crowd-button[form-action=submit]")
            ann.on_task(1)
            assert ann.text("#desk-saved") == "✓ Saved"
            assert ann.js("return document.documentElement.scrollWidth") <= 320
            assert ann.js("return document.getElementById('desk').offsetHeight") <= 60
            desk.stop()
    finally:
        ann.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_saved_is_never_said_of_an_answer_that_is_under_way(ann: Person, folder: Path) -> None:
    with begin(folder) as desk:
        ann.open(desk.links[""])
        ann.named("Ann")
        ann.on_task(0)
        ann.keys("1", ENTER)
        ann.on_task(1)
        assert ann.text("#desk-saved") == "✓ Saved"
        desk.process.send_signal(signal.SIGSTOP)
        try:
            ann.keys("2", ENTER)
            assert "Saved" not in ann.text("#desk-saved")
            ann.wait("document.getElementById('desk-saved').textContent === 'Saving …'")
        finally:
            desk.process.send_signal(signal.SIGCONT)
        ann.on_task(2)
        assert ann.text("#desk-saved") == "✓ Saved"
        desk.stop()


@pytest.mark.parametrize("width", [320, 1280])
def test_a_review_fits_whatever_a_label_is_called(ann: Person, folder: Path, width: int) -> None:
    long = "L" * 300
    ann.browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 640, "deviceScaleFactor": 1, "mobile": False},
    )
    try:
        with DeskProgram(folder, "round1.manifest", "--labels", f"{long},dog", "--review") as desk:
            desk.visitor("ann").answer(long)
            ann.open(desk.links[""])
            ann.named("Rev")
            ann.wait("document.querySelector('.grid li')")
            assert ann.js("return document.documentElement.scrollWidth") <= width
            desk.stop()
    finally:
        ann.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


PROBES = Path(__file__).parents[1] / "templates"
LIVE = ('id="desk-saved"', 'id="desk-alert"')  # empty until there is something to say


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everything_has_a_name_and_contrast(ann: Person, folder: Path, dark: bool) -> None:
    unnamed, contrast = (
        (PROBES / name).read_text(encoding="utf-8") for name in ("unnamed.js", "contrast.js")
    )
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]

    def look() -> None:
        assert [found for found in ann.js(unnamed) if not any(i in found for i in LIVE)] == []
        assert ann.js(contrast) == []

    ann.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        with begin(folder, "--review") as desk:
            ann.open(desk.origin)
            ann.wait("document.getElementById('name')")
            look()
            ann.named("Ann")
            ann.wait("document.title === 'Review'")
            ann.open(desk.origin)
            ann.on_task(0)
            look()
            ann.keys("1", ENTER)
            ann.on_task(1)
            ann.keys("[")
            ann.on_task(0)
            look()
            ann.keys("]")
            ann.on_task(1)
            ann.keys("1", ENTER)
            ann.on_task(2)
            ann.keys("1", ENTER)
            ann.on_task(3)
            with contextlib.closing(desk.visitor("Ann").connection):
                second = desk.visitors[-1]
                for _ in range(17):
                    second.answer("cat")
            ann.open(f"{desk.origin}/review")
            ann.wait("document.querySelectorAll('.grid li').length === 20")
            look()
            ann.open(desk.origin)
            ann.wait("document.title === 'Done'")
            look()
            ann.open(f"{desk.origin}/enter/wrong")
            look()
            until = time.monotonic() + 10
            while not ann.faults() and time.monotonic() < until:
                time.sleep(0.02)  # the page that is not there is one; the console says so later
    finally:
        ann.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
