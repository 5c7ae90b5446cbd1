"""Going back at the desk: every page shows the earlier answer again, as it was drawn."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parents[1]))

from desk_browser import CHROMIUM, DOWN, DRIVER, ENTER, HOW, Person
from desk_program import DeskThread, write_manifest

pytestmark = pytest.mark.browser

LABELS = ("cat", "dog", "Other")
TEXT = "Ann met \U0001f469\u200d\U0001f52c Ben in Oslo"
LEFT, RIGHT, SHIFT = "\ue012", "\ue014", "\ue008"
FRAMES = "new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(true), 60)))"


@pytest.fixture(scope="module")
def browser() -> Iterator[Person]:
    if not CHROMIUM or not DRIVER:
        pytest.skip(HOW)
    person = Person()
    yield person
    person.browser.quit()


@pytest.fixture
def ann(browser: Person) -> Iterator[Person]:
    browser.open("about:blank")
    browser.faults()
    yield browser
    assert browser.faults() == []


def drag(person: Person, selector: str, start: tuple[int, int], by: tuple[int, int]) -> None:
    """Draw with the mouse, from a place beside the upper left corner of an element."""
    from selenium.webdriver.common.action_chains import ActionChains

    area = person.js(
        "let n = document, r; for (const s of arguments[0].split(' >>> ')) {"
        "n = n.querySelector(s); r = n.getBoundingClientRect(); n = n.shadowRoot || n; }"
        "return [r.left, r.top]",
        selector,
    )
    chain = ActionChains(person.browser, duration=0)
    pointer = chain.w3c_actions.pointer_action
    x, y = (round(edge + offset) for edge, offset in zip(area, start, strict=True))
    pointer.move_to_location(x, y).pointer_down()
    pointer.move_to_location(x + by[0] // 2, y + by[1] // 2)
    pointer.move_to_location(x + by[0], y + by[1]).pointer_up()
    chain.perform()


@dataclass(frozen=True)
class Case:
    """A page, how it is answered and changed with keys and mouse, and what it then shows."""

    page: str | None
    line: Callable[[Path], Mapping[str, object]]
    answer: Callable[[Person], None]
    change: Callable[[Person], None]
    shown: str  # JavaScript: what can be seen of the answer
    labels: tuple[str, ...] = LABELS
    ready: str = "true"


def picture(folder: Path) -> dict[str, object]:
    return {"source-ref": str(folder / "0.png")}


def text(folder: Path) -> dict[str, object]:
    return {"source": TEXT}


def tiles(folder: Path) -> dict[str, object]:
    listed: list[dict[str, object]] = [
        {"source-ref": str(folder / f"{n}.png"), "index": 5 * n} for n in range(3)
    ]
    listed[0] |= {"event_names": ["cat", "dog"], "other_category_label": "Neither"}
    return {"source": json.dumps(listed)}


def keys(*pressed: str) -> Callable[[Person], None]:
    return lambda person: person.keys(*pressed)


def draw_boxes(person: Person) -> None:
    person.keys("1")
    drag(person, ".gt-stage", (20, 20), (90, 70))
    person.keys("\ue00c", "2")  # Escape: the next one is not this one
    drag(person, ".gt-stage", (200, 60), (120, 90))


def move_box(person: Person) -> None:
    person.js("document.querySelector('.gt-box').focus()")
    person.keys(RIGHT)


def draw_widget(person: Person) -> None:
    person.keys("2")
    drag(person, "crowd-bounding-box >>> .stage", (30, 30), (80, 60))


def move_widget(person: Person) -> None:
    person.js(
        "document.querySelector('crowd-bounding-box').shadowRoot.querySelector('.box').focus()"
    )
    person.keys(RIGHT)


FIRST_BOX = {
    "boxes": "document.querySelector('.gt-box')",
    "widget, boxes": "document.querySelector('crowd-bounding-box').shadowRoot"
    ".querySelector('button.box')",
}
CHOSEN = (
    "[...document.querySelectorAll('.gt-choice[aria-checked=true] .gt-name')]"
    ".map((n) => n.textContent)"
)
WIDGET = "document.querySelector('{}').shadowRoot"
TICKED = (
    "[..." + WIDGET + ".querySelectorAll('.choice:has(:checked) .name')].map((n) => n.textContent)"
)
CASES = {
    "one label": Case(None, picture, keys("2"), keys("1"), CHOSEN),
    "several labels": Case("image-multi-select", picture, keys("1", "3"), keys("3"), CHOSEN),
    "a text": Case(None, text, keys(DOWN, DOWN, " "), keys("1"), CHOSEN),
    "tiles": Case(
        None,
        tiles,
        keys("1", "2", ENTER, "0", ENTER, "-"),
        keys("2"),
        "[...document.querySelectorAll('.gt-tile')].map((t) =>"
        " [...t.querySelectorAll('[aria-pressed=true] .gt-name')].map((n) => n.textContent))",
        labels=(),
    ),
    "boxes": Case(
        "bounding-box",
        picture,
        draw_boxes,
        move_box,
        "[...document.querySelectorAll('.gt-box')].map((n) => n.getAttribute('aria-label'))",
        ready="document.querySelector('.gt-stage > img')",
    ),
    "no box": Case(
        "bounding-box",
        picture,
        keys("0"),
        draw_boxes,
        "[document.querySelector('.gt-nothing').getAttribute('aria-pressed'),"
        " document.querySelectorAll('.gt-box').length]",
        ready="document.querySelector('.gt-stage > img')",
    ),
    "spans": Case(
        "text-spans",
        text,
        keys(RIGHT, "1", RIGHT, RIGHT, RIGHT, "2"),
        keys(RIGHT, "3"),
        "[...document.querySelectorAll('.gt-seg')].map((n) => [n.dataset.label, n.textContent])",
    ),
    "widget, one label": Case(
        "widget-image-classification",
        picture,
        keys("2"),
        keys("3"),
        TICKED.format("crowd-image-classifier"),
    ),
    "widget, several labels": Case(
        "widget-image-multi-select",
        picture,
        keys("1", "2"),
        keys("2"),
        TICKED.format("crowd-image-classifier-multi-select"),
    ),
    "widget, boxes": Case(
        "widget-bounding-box",
        picture,
        draw_widget,
        move_widget,
        "[..." + WIDGET.format("crowd-bounding-box") + ".querySelectorAll('button.box')]"
        ".map((n) => n.textContent + ' ' + n.style.left + ' ' + n.style.width)",
        ready=WIDGET.format("crowd-bounding-box") + ".querySelector('img').naturalWidth",
    ),
}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Case], DeskThread]]:
    running: list[DeskThread] = []

    def begin(case: Case, **options: Any) -> DeskThread:
        pool = tmp_path / "pool"
        pool.mkdir(exist_ok=True)
        for number in range(3):
            Image.new("RGB", (640, 400), (70 * number, 90, 160)).save(pool / f"{number}.png")
        first = case.line(pool)
        write_manifest(tmp_path / "round1.manifest", [first, {**first, "gandt-turn": 2}])
        running.append(
            DeskThread(
                tmp_path, "round1.manifest", labels=case.labels, template=case.page, **options
            )
        )
        return running[-1]

    yield begin
    for desk in running:
        desk.stop()


def submit(person: Person) -> None:
    """Submit with the button that the page has for it."""
    person.js(
        "(document.getElementById('gt-submit')"
        " || document.querySelector('crowd-button[form-action=submit]')).click()"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_back_shows_the_answer_and_only_a_change_is_saved(
    ann: Person, start: Callable[[Case], DeskThread], name: str
) -> None:
    case = CASES[name]
    desk = start(case)
    ann.open(desk.links[""])
    ann.named("Ann")
    ann.on_task(0)
    ann.wait(case.ready)
    case.answer(ann)
    seen = ann.js(f"return {case.shown}")
    assert any(seen), seen
    submit(ann)
    ann.on_task(1)
    ann.wait(case.ready)
    assert ann.js(f"return {case.shown}") != seen  # nothing of it is left on the next page
    (who,) = desk.queue.people

    ann.keys("[")
    assert ann.on_task(0)["revision"] == 1
    ann.wait(case.ready)
    assert ann.wait(
        f"JSON.stringify({case.shown}) === arguments[0]",
        json.dumps(seen, separators=(",", ":"), ensure_ascii=False),
    )
    first = desk.queue.again(who, 0).previous
    submit(ann)
    ann.on_task(1)
    assert desk.queue.again(who, 0).revision == 1
    assert desk.queue.again(who, 0).previous == first

    ann.keys("[")
    ann.on_task(0)
    ann.wait(case.ready)
    case.change(ann)
    changed = ann.js(f"return {case.shown}")
    assert changed != seen
    submit(ann)
    ann.on_task(1)
    assert desk.queue.again(who, 0).revision == 2
    assert desk.queue.again(who, 0).previous != first
    ann.keys("[")
    ann.on_task(0)
    ann.wait(case.ready)
    assert ann.wait(
        f"JSON.stringify({case.shown}) === arguments[0]",
        json.dumps(changed, separators=(",", ":"), ensure_ascii=False),
    )

    submit(ann)
    ann.on_task(1)
    ann.wait(case.ready)
    case.answer(ann)
    submit(ann)
    ann.wait("document.title === 'Done'")
    ann.wait(FRAMES)  # what still ran of the page before would be a fault by now


@pytest.mark.parametrize("name", ["boxes", "tiles", "spans", "widget, boxes"])
def test_going_back_does_not_throw_away_what_was_drawn(
    ann: Person, start: Callable[[Case], DeskThread], name: str
) -> None:
    """Backspace deletes or undoes, so once too often is no way back; Back itself asks."""
    case = CASES[name]
    desk = start(case)
    ann.open(desk.links[""])
    ann.named("Ann")
    ann.on_task(0)
    ann.wait(case.ready)
    case.answer(ann)
    submit(ann)
    ann.on_task(1)
    ann.wait(case.ready)
    case.answer(ann)
    seen = ann.js(f"return {case.shown}")
    if "boxes" in name:
        ann.js(f"{FIRST_BOX[name]}.focus()")
        ann.keys(*["\ue003"] * 2)  # Backspace: the box is gone, the other one stays
        assert len(ann.js(f"return {case.shown}")) == len(seen) - 1
        case.answer(ann)
    else:
        ann.keys("[")
    ann.click("#desk-back")
    assert ann.on_task(1)["revision"] == 0
    assert "not submitted" in ann.text("#desk-alert")
    ann.click("#desk-alert button")
    ann.on_task(0)
    ann.keys("[")  # there is nothing before the first
    ann.keys("]")
    ann.on_task(1)
    ann.wait(case.ready)
    ann.keys("[")  # nothing new here: no question
    ann.on_task(0)


ASKS = "!dispatchEvent(new Event('beforeunload', { cancelable: true }))"  # before it leaves


@pytest.mark.parametrize("name", ["boxes", "tiles", "spans", "widget, boxes"])
def test_a_changed_answer_is_asked_for_by_whatever_way_the_page_is_left(
    ann: Person, start: Callable[[Case], DeskThread], name: str
) -> None:
    case = CASES[name]
    desk = start(case)
    ann.open(desk.links[""])
    ann.named("Ann")
    ann.on_task(0)
    ann.wait(case.ready)
    assert ann.js(f"return {ASKS}") is False
    case.answer(ann)
    assert ann.js(f"return {ASKS}") is True
    submit(ann)
    ann.on_task(1)
    ann.wait(case.ready)
    ann.keys("[")
    ann.on_task(0)
    ann.wait(case.ready)
    ann.wait(f"{case.shown}.length")
    assert ann.js(f"return {ASKS}") is False  # what was answered before is not lost
    case.change(ann)
    assert ann.js(f"return {ASKS}") is True
    ann.keys("]")
    assert "not submitted" in ann.text("#desk-alert")
    assert ann.on_task(0)["revision"] == 1
    ann.click("#desk-alert button")
    ann.on_task(1)
    ann.wait(case.ready)
    assert ann.js(f"return {ASKS}") is False


def test_controls_of_somebodys_own_page_are_filled_in_again(
    ann: Person, start: Callable[..., DeskThread], tmp_path: Path
) -> None:
    own = tmp_path / "own.html"
    own.write_text(
        '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script><crowd-form>'
        "<label><input type=radio name=kind value=a>a</label>"
        "<label><input type=radio name=kind value=b>b</label>"
        "<label><input type=checkbox name=sure value=yes>sure</label>"
        "<textarea name=words aria-label=words></textarea>"
        "<select name=size aria-label=size><option>small<option>large</select>"
        "<input type=hidden name=page value=7></crowd-form>"
    )
    desk = start(Case(str(own), picture, keys(), keys(), "", labels=()))
    ann.open(desk.links[""])
    ann.named("Ann")
    ann.on_task(0)
    ann.click("[value=b]")
    ann.click("[value=yes]")
    ann.click("textarea")
    ann.keys("ümläut </textarea>")
    ann.js("document.querySelector('select').value = 'large'")
    submit(ann)
    ann.on_task(1)
    ann.click("#desk-back")
    ann.on_task(0)
    assert ann.js(
        "return [...document.querySelectorAll('input, textarea, select')]"
        ".map((n) => ['radio', 'checkbox'].includes(n.type) ? n.checked : n.value)"
    ) == [False, True, True, "ümläut </textarea>", "large", "7"]
    submit(ann)
    ann.on_task(1)
    assert desk.queue.again(desk.queue.people[0], 0).revision == 1


def test_a_reviewer_begins_with_what_was_drawn(
    ann: Person, start: Callable[..., DeskThread]
) -> None:
    """Boxes are corrected, not drawn again; the correction decides."""
    case = CASES["boxes"]
    desk = start(case, review=True)
    first = desk.visitor("Ben")
    box = {"label": "cat", "left": 100, "top": 80, "width": 200, "height": 120}
    answer = {
        "boundingBox": json.dumps(
            {"boundingBoxes": [box], "inputImageProperties": {"width": 640, "height": 400}}
        ),
        "problem": "",
    }
    for _ in range(2):
        shown = first.get().desk
        assert first.post(shown["action"], {"answerContent": answer}).status == 200
    ann.open(f"{desk.origin}/review")
    ann.named("Rev")
    ann.wait("document.querySelector('.grid li')")
    ann.click(".grid li a")
    assert ann.on_task(0)["whose"] == "Ben"
    ann.wait("document.querySelector('.gt-box')")
    assert "Ben said 1 box" in ann.text("#desk-before")
    move_box(ann)
    submit(ann)
    ann.wait("document.title === 'Review' && document.querySelector('.grid li')")
    assert "decided by Rev" in ann.text()
    moved = json.loads(str(dict(desk.queue.said(0))["Rev"]["boundingBox"]))["boundingBoxes"]
    assert moved[0]["left"] > 100
    assert [moved[0][edge] for edge in ("top", "width", "height")] == [80, 200, 120]


@pytest.mark.slow
def test_the_next_page_comes_with_the_answer_and_leaves_nothing_behind(
    ann: Person, start: Callable[..., DeskThread], tmp_path: Path
) -> None:
    """One document for all pages: none is loaded, no listener stays, a reload shows the same."""
    case = CASES["one label"]
    desk = start(case)
    desk.stop()
    lines = [{**case.line(tmp_path / "pool"), "gandt-turn": number} for number in range(30)]
    write_manifest(tmp_path / "round2.manifest", lines)
    desk = DeskThread(tmp_path, "round2.manifest", out="round2.answers", labels=LABELS)
    try:
        ann.open(desk.links[""])
        ann.named("Ann")
        ann.on_task(0)
        ann.js("window.before = 'the same window'")
        for number in range(20):
            assert ann.on_task(number)["progress"]["done"] == number
            assert ann.js(f"return {CHOSEN}") == []
            ann.keys(str(1 + number % 3), ENTER, ENTER)  # pressed twice by accident: one answer
        ann.on_task(20)
        assert ann.js("return window.before") == "the same window"
        assert ann.text("#desk-saved") in ("✓ Saved", "")
        ann.browser.refresh()
        assert ann.on_task(20)["progress"]["done"] == 20
        assert ann.js("return window.before") is None
        (who,) = desk.queue.people
        said = [desk.queue.again(who, number).previous for number in range(20)]
        assert [json.loads(str(dict(one or {})["category"]))["label"] for one in said] == [
            LABELS[number % 3] for number in range(20)
        ]
        assert [desk.queue.again(who, number).revision for number in range(20)] == [1] * 20
    finally:
        desk.stop()


def test_what_a_page_had_under_way_ends_with_it(
    ann: Person, start: Callable[..., DeskThread]
) -> None:
    """Timers, and pictures on their way: none meets the page that follows."""
    desk = start(CASES["one label"])
    ann.open(desk.links[""])
    ann.named("Ann")
    ann.on_task(0)
    ann.js(
        "window.late = [];"
        "setTimeout(() => { late.push('once'); }, 150);"
        "setInterval(() => { late.push('again'); }, 150);"
        "window.shown = document.querySelector('.gt-picture img');"
    )
    ann.keys("1", ENTER)
    ann.on_task(1)
    ann.wait("new Promise((done) => setTimeout(() => done(true), 400))")
    assert ann.js("return late") == []
    assert ann.js("return shown.getAttribute('src')") is None  # so it can neither load nor fail
    ann.keys(
        "1", ENTER
    )  # what was chosen is said a moment later; the last page has no place for it
    ann.wait("document.title === 'Done'")
    ann.wait(FRAMES)
