"""Somebody with a real Chromium at the explore page: fixtures, and what hands and eyes do there."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from desk_browser import CHROMIUM, DRIVER, HOW, Person
from explore_browser import PageVisitor, known_classes, panel_pool
from explore_pool import ColorWords, ExplorePool, make_pool, shade
from explore_program import ExploreThread
from PIL import Image

from gandt.types import FloatArray

ESCAPE, RIGHT, LEFT, DOWN, END, CONTROL = "\ue00c", "\ue014", "\ue012", "\ue015", "\ue010", "\ue009"
PAGE_DOWN, DELETE, TAB = "\ue00f", "\ue017", "\ue004"
EVIL = "<img src=x onerror=document.title=1>&amp;.png"
EACH = 120
HERE = "document.activeElement.getAttribute('aria-label')"


class SlowWords(ColorWords):
    """Takes its time over texts when it is told to, as a large model does."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()
        self.free.set()

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        assert self.free.wait(30)
        return super().encode_text(texts)


# One browser, and each index once, for all tests: what a test leaves in the browser belongs to an
# origin, every module has servers of its own, and within a module whoever comes begins anew.
@pytest.fixture(scope="session")
def somebody() -> Iterator[PageVisitor]:
    """A browser."""
    if not CHROMIUM or not DRIVER:
        pytest.skip(HOW)
    person = PageVisitor()
    person.browser.set_script_timeout(30)
    yield person
    person.browser.quit()


@pytest.fixture(scope="module")
def words() -> SlowWords:
    return SlowWords()


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> ExplorePool:
    """361 pictures; the name of the first looks like HTML."""
    folder = tmp_path_factory.mktemp("page")
    shade(folder / "pool" / EVIL, "red", 500)
    return make_pool(folder, each=EACH)


@pytest.fixture(scope="module")
def place(photos: ExplorePool, words: SlowWords) -> Iterator[ExploreThread]:
    """A service whose model knows the names of colors."""
    known = {str(photos.path("red", 3)): "crimson"}
    with ExploreThread(photos.index, embedder=words, known=known, save_folder=photos.saves) as one:
        yield one


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> ExplorePool:
    """47 pictures with copies among them and a strange name."""
    return panel_pool(tmp_path_factory.mktemp("panel"))


@pytest.fixture(scope="module")
def studio(gallery: ExplorePool) -> Iterator[ExploreThread]:
    """A service of the gallery that knows some classes and saves."""
    known = known_classes(gallery)
    with ExploreThread(
        gallery.index, embedder=ColorWords(), known=known, save_folder=gallery.saves
    ) as one:
        yield one


@pytest.fixture
def artist(somebody: PageVisitor, studio: ExploreThread) -> Iterator[PageVisitor]:
    """Somebody who never was at the gallery; the console has nothing to complain about."""
    look(somebody)
    somebody.begin(studio.links[""])
    yield somebody
    assert somebody.faults() == []


@pytest.fixture
def guest(somebody: Person, place: ExploreThread) -> Iterator[Person]:
    """Somebody who comes to the page for the first time; it never complains on the console."""
    look(somebody)
    enter(somebody, place.links[""])
    yield somebody
    assert somebody.faults() == []


def enter(guest: Person, address: str, kept: str = "{}") -> None:
    """Come for the first time, or with what the browser kept."""
    guest.open(f"{address}healthz")
    script = "localStorage.clear(); Object.assign(localStorage, JSON.parse(arguments[0]))"
    guest.js(script, kept or "{}")
    guest.faults()
    guest.open(address)
    ready(guest)


def ready(guest: Person) -> None:
    """Wait until the page stands; where it says that it could not start, fail with its words."""
    failed = "document.querySelector('#boot:not([hidden]) h2')?.parentElement.innerText"
    stood = guest.wait(f"document.documentElement.dataset.ready || {failed}")
    assert stood == "yes", stood


def look(
    guest: Person, width: int = 1280, height: int = 800, ratio: int = 1, **features: str
) -> None:
    """How the screen is."""
    size = {"width": width, "height": height, "deviceScaleFactor": ratio, "mobile": False}
    guest.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    told = {"prefers-reduced-motion": "reduce", "prefers-color-scheme": "light", **features}
    media = [{"name": name.replace("_", "-"), "value": value} for name, value in told.items()]
    guest.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})


def chord(guest: Person, key: str) -> None:
    """A key while Ctrl is held."""
    from selenium.webdriver.common.action_chains import ActionChains

    held = ActionChains(guest.browser, duration=0).key_down(CONTROL)
    held.send_keys(key).key_up(CONTROL).perform()


def hover(guest: Person, element: Any) -> None:
    """Put the pointer on something."""
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(guest.browser, duration=0).move_to_element(element).perform()


def module(guest: Person, code: str) -> Any:
    """Run code as one more module of the page; what it gives to `done`."""
    guest.js(
        "window.given = undefined; const made = document.createElement('script');"
        "made.type = 'module'; made.nonce = document.querySelector('script[nonce]').nonce;"
        "made.textContent = 'const done = (value) => { window.given = {value}; };' + arguments[0];"
        "document.head.append(made)",
        code,
    )
    return guest.wait("window.given")["value"]


def classes(guest: Person, *names: str) -> None:
    """Have classes, as the panel adds them."""
    adding = "".join(f"store.addClass({json.dumps(name)});" for name in names)
    module(guest, f"const {{ store }} = await import('/static/store.js'); {adding} done(1);")


def seeds(guest: Person) -> dict[str, list[dict[str, Any]]]:
    found = module(
        guest, "const { store } = await import('/static/store.js'); done(store.seeds());"
    )
    return dict(found)


def tile(number: int, view: str = "pool") -> str:
    """A tile by its place from 1."""
    return f"document.querySelector('#{view}-grid [aria-label*=\", {number} of\"]')"


def focus(guest: Person, number: int, view: str = "pool") -> None:
    guest.wait(f"{tile(number, view)}?.classList.contains('shown')")
    guest.js(f"{tile(number, view)}.focus()")


def said(guest: Person) -> str:
    return str(guest.js("return document.getElementById('said').textContent"))


def results(guest: Person, head: str) -> list[str]:
    """Wait for results; the names of the tiles that are seen."""
    guest.wait("document.querySelector('#results-head')?.textContent.includes(arguments[0])", head)
    guest.wait(f"!document.querySelector('#results-grid[aria-busy]') && {tile(1, 'results')}")
    return list(
        guest.js(
            "return [...document.querySelectorAll('#results-grid [role=gridcell]')]"
            ".map((cell) => cell.ariaLabel)"
        )
    )


def png(color: tuple[int, int, int], size: tuple[int, int] = (60, 40)) -> str:
    stream = io.BytesIO()
    Image.new("RGB", size, color).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def bring(guest: Person, data: str, name: str, kind: str = "image/png", how: str = "drop") -> None:
    """Drop a file on the page, or paste it."""
    guest.js(
        "const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));"
        "const things = new DataTransfer();"
        "things.items.add(new File([bytes], arguments[1], { type: arguments[2] }));"
        "const event = arguments[3] === 'paste'"
        " ? new ClipboardEvent('paste', { clipboardData: things, bubbles: true, cancelable: true })"
        " : new DragEvent('drop', { dataTransfer: things, bubbles: true, cancelable: true });"
        "document.body.dispatchEvent(event)",
        *(data, name, kind, how),
    )
