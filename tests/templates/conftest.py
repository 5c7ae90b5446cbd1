"""A real Chromium, and worker pages in it: rendered with real data, filled in, read back."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gandt.answers import Answers
from gandt.groundtruth.responses import read_answers
from gandt.labeling.render import render_page, task_input
from gandt.labeling.templates import bake, read_template

CHROMIUM, DRIVER = shutil.which("chromium") or "", shutil.which("chromedriver") or ""
HOW = "needs Chromium: apt-get install chromium chromium-driver, and pip install 'gandt[test]'"
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--force-prefers-reduced-motion",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no test leaves this machine
)


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason=HOW)
    if not CHROMIUM or not DRIVER:
        pytest.skip(HOW)
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield browser
    browser.quit()


class Desk:
    """One worker at one page."""

    # as WebDriver numbers the keys
    ENTER, TAB, SPACE, ESCAPE, BACKSPACE, DELETE = (
        "\ue007",
        "\ue004",
        " ",
        "\ue00c",
        "\ue003",
        "\ue017",
    )
    LEFT, UP, RIGHT, DOWN = "\ue012", "\ue013", "\ue014", "\ue015"
    SHIFT, CONTROL, ALT = "\ue008", "\ue009", "\ue00a"

    def __init__(self, driver: Any, folder: Path) -> None:
        self.driver, self.folder, self.pages = driver, folder, 0
        self.size(1280, 800)
        self.dark(False)

    # ------------------------------------------------------------------------------ the page

    def size(self, width: int, height: int, *, touch: bool = False) -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch},
        )
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})

    def dark(self, on: bool) -> None:
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(
        self,
        name: str,
        record: Mapping[str, object],
        *,
        labels: Sequence[str] = (),
        pre_annotation: bool = True,
        baked: Mapping[str, Any] | None = None,
        action: str | None = None,
        nonce: str | None = None,
        stand_in: bool = True,
        address: Callable[[str], str] | None = None,
    ) -> None:
        page = render_page(
            bake(read_template(name), **(baked or {})),
            task_input(record, labels=labels, pre_annotation=pre_annotation),
            grant_read_access=lambda uri: Path(uri).as_uri() if uri.startswith("/") else uri,
            stand_in=stand_in,
            action=action,
            nonce=nonce,
        )
        self.pages += 1
        file = self.folder / f"{name}-{self.pages}.html"
        file.write_text(page, encoding="utf-8")
        self.driver.get(address(file.name) if address else file.as_uri())
        self.js(
            "window.sent = []; document.addEventListener('crowd-answer',"
            " (e) => { window.sent.push(e.detail); if (!arguments[0]) e.preventDefault(); })",
            action is not None,
        )

    def js(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def shoot(self, path: Path) -> None:
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        path.write_bytes(base64.b64decode(shot["data"]))

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def wait(self, script: str, *arguments: object) -> Any:
        from selenium.webdriver.support.ui import WebDriverWait

        def ask(_: Any) -> Any:
            return self.js(f"return {script}", *arguments)

        return WebDriverWait(self.driver, 5, 0.03).until(ask, f"never true: {script}")

    # ---------------------------------------------------------------------------- the worker

    def keys(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def chord(self, held: str, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        chain = ActionChains(self.driver, duration=0).key_down(held)
        for key in keys:
            chain = chain.send_keys(key)
        chain.key_up(held).perform()

    def click(self, selector: str) -> None:
        self.find(selector).click()

    def button(self, text: str, within: str = "body") -> Any:
        """The visible button with this text."""
        for button in self.all(f"{within} button"):
            if button.is_displayed() and (
                button.text.strip().split("\n")[0] == text
                or button.get_attribute("aria-label") == text
            ):
                return button
        raise AssertionError(f"no button {text!r}")

    def drag(self, selector: str, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Drag with the mouse, in pixels from the element's top left corner."""
        from selenium.webdriver.common.action_chains import ActionBuilder

        box = self.js("return arguments[0].getBoundingClientRect().toJSON()", self.find(selector))
        actions = ActionBuilder(self.driver, duration=0)
        pointer = actions.pointer_action
        x, y = box["left"], box["top"]
        pointer.move_to_location(round(x + start[0]), round(y + start[1])).pointer_down()
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        pointer.move_to_location(round(x + middle[0]), round(y + middle[1]))
        pointer.move_to_location(round(x + end[0]), round(y + end[1])).pointer_up()
        actions.perform()

    # ----------------------------------------------------------------------------- the result

    def touch(self, *places: tuple[float, float]) -> None:
        """Put a finger down, move it from place to place on the page, and lift it."""
        for number, (x, y) in enumerate(places):
            kind = "touchMove" if number else "touchStart"
            point = {"type": kind, "touchPoints": [{"x": x, "y": y}]}
            self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", point)
        self.driver.execute_cdp_cmd(
            "Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []}
        )

    @property
    def answers(self) -> list[dict[str, Any]]:
        return list(self.js("return window.sent"))

    @property
    def answer(self) -> dict[str, Any]:
        (only,) = self.answers
        return dict(only)

    @property
    def alert(self) -> str:
        box = self.find("#gt-alert")
        return str(box.text) if box.is_displayed() else ""

    def errors(self) -> list[str]:
        """What the console complained about; missing pictures are no fault of the page."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE" and "ERR_FILE_NOT_FOUND" not in entry["message"]
        ]


@pytest.fixture
def desk(driver: Any, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(driver, tmp_path)
    driver.get_log("browser")
    yield desk
    assert desk.errors() == []


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Four small pictures of different shapes."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for number, size in enumerate(((400, 300), (300, 400), (640, 200), (64, 64))):
        path = folder / f"a b&{number}é.png"
        Image.new("RGB", size, (40 + 50 * number, 120, 200 - 40 * number)).save(path)
        paths.append(str(path))
    return paths


class Reader:
    """What G&T makes of answers: they are stored as Ground Truth stores them, and read back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, record: Mapping[str, object], *answers: Mapping[str, object], **settings: Any
    ) -> Answers:
        place = self.folder / "job" / "annotations" / "worker-response" / "iteration-1" / "0"
        place.mkdir(parents=True, exist_ok=True)
        submissions = [
            {
                "answerContent": answer,
                "submissionTime": f"2026-03-05T09:12:{number:02d}.000Z",
                "workerId": f"private.eu-west-1.{number:016x}",
            }
            for number, answer in enumerate(answers)
        ]
        (place / "2026-03-05_09-13-00.json").write_text(json.dumps({"answers": submissions}))
        manifest = self.folder / "input.manifest"
        manifest.write_text(json.dumps(record) + "\n", encoding="utf-8")
        return read_answers([str(self.folder / "job")], manifest=str(manifest), **settings)


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)
