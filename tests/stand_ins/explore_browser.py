"""Somebody at the explore page with a real Chromium, and a pool with copies and a strange name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from desk_browser import ENTER, Person
from explore_pool import ColorWords, ExplorePool, make_pool

from gandt.index.folder import open_index
from gandt.index.update import update_index
from gandt.pool.sources import open_pool

__all__ = ["EVIL", "IMPORT", "PageVisitor", "known_classes", "panel_pool"]

EVIL = "<img src=x onerror=alert(1)>"
IMPORT = "import('/static/{}').then((m) => {{ const done = arguments[arguments.length - 1]; {} }})"


class PageVisitor(Person):
    """Somebody at the explore page."""

    link = ""

    def wait(self, script: str, *arguments: object, seconds: float = 30) -> Any:
        """Wait for it; the first search of a process takes long where others are at work."""
        return super().wait(script, *arguments, seconds=seconds)

    def begin(self, link: str) -> None:
        """Come to the page for the first time, at its pool."""
        self.link = link
        self.open(link + "healthz")
        # Small tiles, so that all of the pool is in view.
        self.js("localStorage.clear(); localStorage['gandt explore tile size'] = 72")
        self.faults()
        self.view("pool")
        # To a model that sees colors alone, pictures of one color are nearly copies.
        self.store("store.setOption('duplicates', 1)")

    def view(self, name: str) -> None:
        """Load the page anew, at one of its views."""
        self.open("about:blank")
        self.open(f"{self.link}#{name}")
        self.wait("document.documentElement.dataset.ready === 'yes'")

    def go(self, name: str) -> None:
        """Go to another view of the page that is open."""
        self.js("location.hash = arguments[0]", f"#{name}")
        self.wait("!document.getElementById('view-' + arguments[0]).hidden", name)

    def store(self, what: str, *arguments: object) -> Any:
        """The value of an expression on the store, where `a` are the arguments."""
        script = IMPORT.format(
            "store.js", f"const store = m.store, a = [...arguments]; done({what});"
        )
        return self.browser.execute_async_script(script, *arguments)

    def add_class(self, name: str) -> None:
        self.wait("document.querySelector('.class-new input')").click()
        self.keys(name, ENTER)
        self.wait("[...document.querySelectorAll('.class-name')].at(-1).textContent", name)

    def focus(self, id: int, grid: str = "pool-grid") -> None:
        """Give the focus to the tile of an image."""
        tile = (
            "[...document.querySelectorAll('#' + arguments[0] + ' .cell, .' + arguments[0] + "
            "' .cell')].find((node) => node.cell.image?.id === arguments[1])"
        )
        self.wait(f"{tile}", grid, id)
        self.js(f"{tile}.focus()", grid, id)

    def seed(self, id: int, key: int) -> None:
        """Make an image of the pool a seed, as one does with the keyboard."""
        self.focus(id)
        self.keys(str(key))

    def candidates(self, least: int = 1) -> list[dict[str, Any]]:
        """What was chosen, once nothing is under way any more."""
        self.quiet()
        found = self.store("store.state.selection")["candidates"]
        assert len(found) >= least
        return list(found)

    def quiet(self) -> None:
        """Wait until the candidates answer to what the page holds."""
        script = IMPORT.format(
            "live.js",
            "const look = () => { const l = m.live, s = l.store.state; const body = JSON.stringify("
            "m.requestOf(l.store, false)); if (!s.busy && l.asked === body && (s.selection || "
            "l.error || body === 'null')) done(true); else setTimeout(look, 30); }; look();",
        )
        assert self.browser.execute_async_script(script)

    def mouse(self, kind: str, at: tuple[float, float], **more: object) -> None:
        values = {"type": kind, "x": at[0], "y": at[1], **more}
        self.browser.execute_cdp_cmd("Input.dispatchMouseEvent", values)

    def press(self, at: tuple[float, float]) -> None:
        self.mouse("mouseMoved", at)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, at, button="left", clickCount=1)

    def drag(self, *path: tuple[float, float], modifiers: int = 0) -> None:
        more: dict[str, object] = {"button": "left", "modifiers": modifiers}
        self.mouse("mouseMoved", path[0])
        self.mouse("mousePressed", path[0], clickCount=1, **more)
        for at in path[1:]:
            self.mouse("mouseMoved", at, buttons=1, **more)
        self.mouse("mouseReleased", path[-1], clickCount=1, **more)

    def map(self) -> None:
        """Go to the map, and wait until it stands."""
        self.go("map")
        self.wait("document.getElementById('map').map.points?.count")
        self.wait("document.querySelector('.map-counted').textContent")

    def on_map(self, id: int) -> tuple[float, float]:
        """Where an image is on the screen."""
        x, y = self.js(
            "const view = document.getElementById('map').map, box = view.frame"
            ".getBoundingClientRect(), [x, y] = view.spot(view.points.place(arguments[0]));"
            "return [box.left + x, box.top + y];",
            id,
        )
        return x, y

    def frame(self) -> list[float]:
        """The box of the map: left, top, right, bottom."""
        return list(
            self.js(
                "const b = document.querySelector('.map-frame').getBoundingClientRect();"
                "return [b.left, b.top, b.right, b.bottom];"
            )
        )


def panel_pool(folder: Path) -> ExplorePool:
    """45 pictures of three colors, two copies of a red one, and a name that looks like HTML."""
    pool = make_pool(folder)
    for name in ("red05-copy.png", "red05-again.png"):
        shutil.copy(pool.path("red", 5), pool.folder / "pool" / name)
    pool.path("green", 7).rename(pool.folder / "pool" / "<b>bold.png")
    update_index(open_pool([str(pool.folder / "pool")]), ColorWords(), pool.index)
    index = open_index(pool.index)
    for name in ("red05-copy.png", "red05-again.png", "<b>bold.png"):
        pool.ids[name] = int(index.find("image_path", [str(pool.folder / "pool" / name)])[0])
    return pool


def known_classes(pool: ExplorePool) -> dict[str, str]:
    """The classes that are known of some images: of one the name looks like HTML."""
    known = {str(pool.path("red", number)): "red" for number in range(10)}
    return known | {str(pool.path("blue", number)): EVIL for number in range(5)}
