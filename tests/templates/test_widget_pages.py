"""Pages of crowd elements, previewed: the stand-ins of the widgets answer as Ground Truth's do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gandt.answers import Box
from gandt.labeling.render import render_page
from gandt.labeling.widgets import WIDGETS, builtin_input, earlier_attribute, widget_page

pytestmark = pytest.mark.browser

HOSTILE = [
    "</script><script>window.hacked = 1</script>",
    "\"><img src=x onerror='window.hacked = 1'>",
    "' onclick='window.hacked = 1",
    "{{ 7 | times: 6 }}",
    "&lt;b&gt; ${window.hacked = 1}",
    "שלום \u202e evil",
    "🎂 👩‍🔬 \u2028 end",
    "__proto__",
    "a" * 200,
]
SINGLE = ["image-classification", "text-classification", "video-classification"]
MULTI = ["image-multi-select", "text-multi-select"]
BOXES = {
    "image_size": [{"width": 400, "height": 300, "depth": 3}],
    "annotations": [
        {"class_id": 0, "left": 40, "top": 30, "width": 100, "height": 60},
        {"class_id": 1, "left": 200.5, "top": 150.25, "width": 120, "height": 90},
    ],
}
BOXES_TYPE = {"class-map": {"0": "cat", "1": "dog"}, "type": "groundtruth/object-detection"}


@pytest.fixture(scope="session")
def mask(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("mask") / "0.png"
    image = Image.new("RGB", (400, 300), "#ffffff")
    image.paste("#2ca02c", (0, 0, 200, 300))
    image.save(path)
    return str(path)


@pytest.fixture
def records(pictures: list[str], mask: str) -> Callable[[str], dict[str, object]]:
    """A line of a manifest for each task."""

    def record(task: str) -> dict[str, object]:
        if WIDGETS[task].data == "text":
            return {"source": "Dear friend,\n\n  the parcel <came> today."}
        line: dict[str, object] = {"source-ref": pictures[0]}
        if WIDGETS[task].earlier is None:
            return line
        line |= {"boxes": BOXES, "boxes-metadata": BOXES_TYPE, "parts-ref": mask}
        return line | {
            "parts-ref-metadata": {
                "internal-color-map": {
                    "0": {"class-name": "BACKGROUND", "hex-color": "#ffffff"},
                    "1": {"class-name": "cat", "hex-color": "#2ca02c"},
                },
                "type": "groundtruth/semantic-segmentation",
            }
        }

    return record


class Page:
    """The page of one task, open before a worker."""

    def __init__(self, desk: Any, record: Callable[[str], dict[str, object]]) -> None:
        self.desk, self.record = desk, record

    def open(
        self,
        task: str,
        labels: Sequence[str] = ("cat", "dog"),
        *,
        record: Mapping[str, object] | None = None,
        policy: str | None = None,
        **words: Any,
    ) -> None:
        line = self.record(task) if record is None else record
        prior = WIDGETS[task].earlier is not None
        text = widget_page(task, previous_attribute=earlier_attribute(task, line), **words)
        self.show(text, builtin_input(line, labels, prior=prior), policy=policy)

    def show(self, text: str, given: dict[str, object], *, policy: str | None = None) -> None:
        page = render_page(
            text,
            given,
            grant_read_access=lambda uri: Path(uri).as_uri(),
            stand_in=True,
            nonce="r4nd0m" if policy else None,
        )
        if policy:
            head = f'<head><meta http-equiv="Content-Security-Policy" content="{policy}">'
            page = page.replace("<head>", head, 1)
        file = self.desk.folder / "page.html"
        file.write_text(page, encoding="utf-8")
        self.desk.driver.get(file.as_uri())
        self.desk.js(
            "window.sent = []; document.addEventListener('crowd-answer',"
            " (e) => { window.sent.push(e.detail); if (!window.through) e.preventDefault(); })"
        )

    ROOT = "document.querySelector('[name]:not(meta)').shadowRoot"

    def all(self, selector: str) -> list[Any]:
        return list(
            self.desk.js(f"return [...{self.ROOT}.querySelectorAll(arguments[0])]", selector)
        )

    def texts(self, selector: str) -> list[str]:
        return [node.get_attribute("textContent") for node in self.all(selector)]

    def wait_for(self, selector: str) -> Any:
        return self.desk.wait(f"{self.ROOT}.querySelector(arguments[0])", selector)

    def drawn(self, number: int) -> None:
        self.desk.wait(f"{self.ROOT}.querySelectorAll('.box').length === {number}")

    def submit(self) -> None:
        self.desk.click("crowd-button")

    @property
    def alert(self) -> str:
        (node,) = self.all(".alert")
        return str(node.text) if node.is_displayed() else ""

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Drag over the picture, in its own pixels."""
        from selenium.webdriver.common.action_chains import ActionBuilder

        frame = self.desk.js(f"return {self.ROOT}.querySelector('.stage').getBoundingClientRect()")
        scale = frame["width"] / 400
        actions = ActionBuilder(self.desk.driver, duration=0)
        for number, (x, y) in enumerate((start, end)):
            actions.pointer_action.move_to_location(
                round(frame["left"] + x * scale), round(frame["top"] + y * scale)
            )
            if number == 0:
                actions.pointer_action.pointer_down()
        actions.pointer_action.pointer_up()
        actions.perform()


@pytest.fixture
def page(desk: Any, records: Callable[[str], dict[str, object]]) -> Page:
    return Page(desk, records)


class TestChoosing:
    @pytest.mark.parametrize("task", SINGLE)
    def test_one_label_by_keyboard(self, page: Page, read: Any, task: str) -> None:
        page.open(task)
        page.desk.keys("1", "2", page.desk.ENTER)
        name = "crowd-image-classifier" if task.startswith("image") else "crowd-classifier"
        assert page.desk.answer == {name: {"label": "dog"}}
        assert list(read(page.record(task), page.desk.answer).label) == ["dog"]

    @pytest.mark.parametrize("task", SINGLE)
    def test_one_label_by_mouse(self, page: Page, task: str) -> None:
        page.open(task)
        page.all(".choice")[0].click()
        page.submit()
        assert next(iter(page.desk.answer.values())) == {"label": "cat"}

    @pytest.mark.parametrize("task", MULTI)
    def test_several_labels(self, page: Page, read: Any, task: str) -> None:
        page.open(task, ["cat", "dog", "cow"])
        page.desk.keys("3", "1", "2", "2")
        page.submit()
        assert list(page.desk.answer.values()) == [{"labels": ["cat", "cow"]}]
        assert next(iter(page.desk.answer)).endswith("classifier-multi-select")
        (label,) = read(page.record(task), page.desk.answer).label
        assert set(label) == {"cat", "cow"}

    @pytest.mark.parametrize("task", [*SINGLE, *MULTI])
    def test_something_has_to_be_chosen(self, page: Page, task: str) -> None:
        page.open(task)
        page.desk.keys(page.desk.ENTER)
        assert page.alert.startswith("Choose a")
        page.desk.keys("1", page.desk.ENTER)
        assert page.alert == ""
        assert len(page.desk.answers) == 1

    @pytest.mark.parametrize("task", ["text-classification", "text-multi-select"])
    def test_a_text_keeps_its_lines(self, page: Page, task: str) -> None:
        page.open(task)
        text = page.desk.find("classification-target").get_property("innerText")
        assert text.splitlines() == ["Dear friend,", "", "  the parcel <came> today."]

    def test_with_tab_and_space_alone(self, page: Page) -> None:
        page.open("image-multi-select")
        desk = page.desk
        desk.keys(desk.TAB, desk.TAB, desk.SPACE)
        while desk.js("return document.activeElement.localName") != "crowd-button":
            desk.keys(desk.TAB)
        desk.keys(desk.ENTER)
        assert desk.answer == {"crowd-image-classifier-multi-select": {"labels": ["dog"]}}

    @pytest.mark.parametrize("number", range(1, len(HOSTILE) + 1))
    def test_whatever_a_label_is_it_comes_back(self, page: Page, read: Any, number: int) -> None:
        page.open("image-classification", HOSTILE, question=HOSTILE[0], instructions=HOSTILE[1])
        assert page.texts(".choice .name") == HOSTILE
        assert page.texts("h1") == [HOSTILE[0]]
        assert HOSTILE[1] in page.desk.find("short-instructions").text
        page.desk.keys(str(number), page.desk.ENTER)
        label = HOSTILE[number - 1]
        assert page.desk.answer == {"crowd-image-classifier": {"label": label}}
        answers = read(page.record("image-classification"), page.desk.answer, classes=HOSTILE)
        assert list(answers.label) == [label]
        assert page.desk.js("return window.hacked") is None

    def test_a_template_written_as_the_guide_does(self, page: Page, pictures: list[str]) -> None:
        """Single quotes, bare keys, a comma at the end; and plain fields beside the widget."""
        page.show(
            '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script><crowd-form>'
            '<crowd-image-classifier name="kind" src="{{ task.input.taskObject | grant_read_access '
            "}}\" header='What is it?' categories=\"['Cat', 'It\\'s a dog',]\" overlay=\"{ "
            "boundingBox: { labels: ['x'], value: [{label: 'x', left: 1, top: 2, width: 30, "
            'height: 40},] }, }"></crowd-image-classifier>'
            '<input type="hidden" name="shown" value="yes"></crowd-form>',
            {"taskObject": pictures[0]},
        )
        page.drawn(1)
        page.desk.keys("2", page.desk.ENTER)
        assert page.desk.answer == {"kind": {"label": "It's a dog"}, "shown": "yes"}


class TestJudging:
    @pytest.mark.parametrize("task", ["verify-bounding-box", "verify-segmentation"])
    def test_a_comment_is_stored_where_there_is_one(self, page: Page, read: Any, task: str) -> None:
        page.open(task, ["good", "bad"])
        page.desk.keys("2", page.desk.ENTER)
        assert page.desk.answer == {"crowd-image-classifier": {"label": "bad"}}
        page.open(task, ["good", "bad"])
        page.all(".answer summary")[0].click()
        page.all("textarea")[0].send_keys(" 1 is too wide. ")
        page.all(".choice")[1].click()
        page.submit()
        expected = {"label": "bad", "workerComment": "1 is too wide."}
        assert page.desk.answer == {"crowd-image-classifier": expected}
        assert list(read(page.record(task), page.desk.answer).label) == ["bad"]

    def test_the_earlier_boxes_lie_where_they_were_drawn(self, page: Page) -> None:
        page.open("verify-bounding-box", ["good", "bad"])
        page.drawn(2)
        assert page.texts(".box") == ["cat", "dog"]
        places = page.desk.js(
            f"const r = {page.ROOT}, s = r.querySelector('.stage').getBoundingClientRect();"
            "return [...r.querySelectorAll('.box')].map((n) => n.getBoundingClientRect())"
            ".map((b) => [b.left - s.left, b.top - s.top, b.width, b.height]"
            ".map((v) => v * 400 / s.width))"
        )
        assert places == [
            pytest.approx([40, 30, 100, 60], abs=0.5),
            pytest.approx([200.5, 150.25, 120, 90], abs=0.5),
        ]
        assert page.all("button.box") == []  # nothing to grab

    @pytest.mark.parametrize("task", ["verify-segmentation", "adjust-segmentation"])
    def test_the_earlier_areas_cover_the_picture(self, page: Page, task: str) -> None:
        page.open(task, ["good", "bad"])
        page.wait_for(".mask")
        mask = f"{page.ROOT}.querySelector('.mask')"
        assert page.desk.wait(f"{mask}.naturalWidth === 400")
        assert page.texts("[aria-label=Colors] li") == ["cat"]


class TestBoxes:
    def test_a_box_by_mouse(self, page: Page, read: Any) -> None:
        page.open("bounding-box", ["cat", "dog"])
        page.wait_for(".stage img[src]")
        page.desk.wait(f"{page.ROOT}.querySelector('.stage').clientWidth > 300")
        page.desk.keys("2")
        page.drag((40, 30), (140, 90))
        page.drawn(1)
        page.submit()
        answer = page.desk.answer["boundingBox"]
        assert answer["inputImageProperties"] == {"width": 400, "height": 300}
        (box,) = answer["boundingBoxes"]
        assert box.pop("label") == "dog"
        assert box == pytest.approx({"left": 40, "top": 30, "width": 100, "height": 60}, abs=2)
        assert all(isinstance(value, int) for value in box.values())
        assert "initialValueModified" not in answer
        (found,) = read(page.record("bounding-box"), page.desk.answer).label
        assert found == (Box("dog", box["left"], box["top"], box["width"], box["height"]),)

    def test_boxes_by_keyboard(self, page: Page) -> None:
        page.open("bounding-box", ["cat", "dog"])
        desk = page.desk
        page.wait_for(".stage img[src]")
        desk.wait(f"{page.ROOT}.querySelector('.stage img').naturalWidth")
        page.all("#add")[0].send_keys(desk.ENTER)
        desk.keys(desk.RIGHT, desk.UP, desk.UP)
        desk.chord(desk.SHIFT, desk.RIGHT, desk.DOWN)
        page.drawn(1)
        page.all("#add")[0].send_keys(desk.SPACE)
        page.drawn(2)
        desk.keys(desk.DELETE)
        page.drawn(1)
        page.submit()
        assert desk.answer["boundingBox"]["boundingBoxes"] == [
            {"label": "cat", "left": 137, "top": 92, "width": 137, "height": 104}
        ]

    def test_a_box_stays_within_the_picture(self, page: Page) -> None:
        page.open("bounding-box", ["cat"])
        page.wait_for(".stage img[src]")
        page.desk.wait(f"{page.ROOT}.querySelector('.stage').clientWidth > 300")
        page.drag((300, 200), (430, 310))
        page.drawn(1)
        page.submit()
        (box,) = page.desk.answer["boundingBox"]["boundingBoxes"]
        assert (box["left"] + box["width"], box["top"] + box["height"]) == (400, 300)

    def test_a_box_is_moved_no_farther_than_the_edge(self, page: Page) -> None:
        page.open("adjust-bounding-box")
        page.drawn(2)
        page.drag((90, 60), (5, 5))
        page.drag((260, 200), (395, 295))
        page.submit()
        first, second = page.desk.answer["boundingBox"]["boundingBoxes"]
        assert first == {"label": "cat", "left": 0, "top": 0, "width": 100, "height": 60}
        assert second == {"label": "dog", "left": 280, "top": 210, "width": 120, "height": 90}

    def test_no_box_is_an_answer(self, page: Page, read: Any) -> None:
        page.open("bounding-box", ["cat"])
        page.desk.wait(f"{page.ROOT}.querySelector('.stage img').naturalWidth")
        page.desk.wait(f"{page.ROOT}.querySelector('.stage').clientWidth > 300")
        page.submit()
        assert page.desk.answer["boundingBox"]["boundingBoxes"] == []
        assert list(read(page.record("bounding-box"), page.desk.answer).label) == [()]

    def test_earlier_boxes_are_there_and_left_alone(self, page: Page, read: Any) -> None:
        page.open("adjust-bounding-box")
        page.drawn(2)
        page.submit()
        assert page.desk.answer == {
            "boundingBox": {
                "boundingBoxes": [
                    {"label": "cat", "left": 40, "top": 30, "width": 100, "height": 60},
                    {"label": "dog", "left": 200.5, "top": 150.25, "width": 120, "height": 90},
                ],
                "inputImageProperties": {"width": 400, "height": 300},
                "initialValueModified": False,
            }
        }
        (found,) = read(page.record("adjust-bounding-box"), page.desk.answer).label
        assert [box.label for box in found] == ["cat", "dog"]

    def test_earlier_boxes_are_moved_and_removed(self, page: Page) -> None:
        page.open("adjust-bounding-box")
        page.drawn(2)
        page.drag((90, 60), (110, 80))
        page.all("[aria-label='Remove box 2']")[0].click()
        page.drawn(1)
        page.submit()
        answer = page.desk.answer["boundingBox"]
        assert answer["initialValueModified"] is True
        (box,) = answer["boundingBoxes"]
        assert (box["left"], box["top"]) == pytest.approx((60, 50), abs=2)
        assert (box["width"], box["height"]) == (100, 60)


class TestPreview:
    @pytest.mark.parametrize("task", ["semantic-segmentation", "adjust-segmentation"])
    def test_painting_is_left_to_ground_truth(self, page: Page, task: str) -> None:
        page.open(task)
        page.submit()
        assert page.alert == "This is a preview: painting needs the script of Ground Truth."
        assert page.desk.answers == []

    @pytest.mark.parametrize("task", ["image-classification", "bounding-box"])
    def test_a_broken_picture_says_so(self, page: Page, task: str) -> None:
        page.open(task, record={"source-ref": "/nowhere/1.jpg"})
        page.wait_for(".broken")
        assert "cannot be loaded" in page.texts(".broken")[0]
        page.desk.keys("1", page.desk.ENTER)
        assert len(page.desk.answers) == (task == "image-classification")

    def test_labels_that_cannot_be_read_are_said(self, page: Page) -> None:
        page.open("image-classification", [])
        assert "`categories` is no list of names" in page.texts(".broken")[0]
        page.submit()
        assert page.desk.answers == []

    def test_the_answer_is_posted_as_any_other(self, page: Page) -> None:
        page.open("image-classification")
        page.desk.js(
            "window.fetch = (_, how) => { window.posted = how.body; return new Promise(() => 0); };"
            "document.querySelector('crowd-form').dataset.action = '/answer'; window.through = 1;"
        )
        page.desk.keys("1", page.desk.ENTER)
        posted = json.loads(page.desk.wait("window.posted"))
        assert posted == {"answerContent": {"crowd-image-classifier": {"label": "cat"}}}

    @pytest.mark.parametrize("task", WIDGETS)
    def test_a_strict_content_security_policy_is_kept(self, page: Page, task: str) -> None:
        page.open(
            task,
            policy="default-src 'none'; script-src 'nonce-r4nd0m'; style-src 'nonce-r4nd0m'; "
            "img-src file:; media-src file:",
        )
        page.wait_for("h1")
        if "bounding-box" in task:
            page.desk.wait(f"{page.ROOT}.querySelector('.stage').clientWidth > 300")
        page.desk.keys("1")
        page.submit()
        assert len(page.desk.answers) == ("segmentation" not in task or "verify" in task)

    @pytest.mark.parametrize("task", WIDGETS)
    def test_no_page_scrolls_sideways(self, page: Page, task: str) -> None:
        page.open(task, HOSTILE, question=HOSTILE[-1], instructions=HOSTILE[-1])
        if WIDGETS[task].data == "image":
            page.desk.wait(f"{page.ROOT}.querySelector('.stage img').naturalWidth")
        over = "const d = document.documentElement; return d.scrollWidth - d.clientWidth"
        for width in (3840, 700, 320):
            page.desk.size(width, 640)
            assert page.desk.js(over) == 0
        page.submit()
        assert page.desk.js(over) == 0

    @pytest.mark.parametrize("task", WIDGETS)
    def test_every_control_has_a_name(self, page: Page, task: str) -> None:
        page.open(task)
        if "bounding-box" in task:
            page.desk.wait(f"{page.ROOT}.querySelector('.stage').clientWidth > 300")
        tree = page.desk.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        roles = {"button", "radio", "checkbox", "textbox", "image", "heading"}
        nodes = [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in tree
            if not node["ignored"] and node["role"]["value"] in roles
        ]
        assert ("button", "Submit") in nodes
        assert [role for role, name in nodes if not name] == []

    @pytest.mark.parametrize("task", ["verify-segmentation", "adjust-bounding-box"])
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    def test_text_and_borders_stand_out(self, page: Page, task: str, dark: bool) -> None:
        page.desk.dark(dark)
        page.open(task)
        page.desk.wait(f"{page.ROOT}.querySelector('.stage').clientWidth > 300")
        page.desk.keys("1")
        probe = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
        within = (
            f"const root = {page.ROOT};"
            "const page = { createElement: (name) => document.createElement(name),"
            " querySelectorAll: (what) => [...root.querySelectorAll(what.replace('body ', ''))]"
            ".filter((node) => !node.closest('.stage')) };"
            "return ((document) => {" + probe + "})(page)"
        )
        assert page.desk.js(within) == []
