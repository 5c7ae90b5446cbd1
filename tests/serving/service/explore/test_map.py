"""The map of the explore page, in a real Chromium on a real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk_browser import CHROMIUM, DRIVER, ENTER, HOW
from explore_browser import EVIL, IMPORT, PageVisitor, known_classes, panel_pool
from explore_pool import ColorWords, ExplorePool
from explore_program import ExploreThread

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=HOW),
]

LEFT, SHIFT = "\ue012", 8


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> ExplorePool:
    return panel_pool(tmp_path_factory.mktemp("panel"))


@pytest.fixture(scope="module")
def service(pool: ExplorePool) -> Iterator[ExploreThread]:
    with ExploreThread(
        pool.index, embedder=ColorWords(), known=known_classes(pool), save_folder=pool.saves
    ) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[PageVisitor]:
    person = PageVisitor()
    person.browser.set_script_timeout(15)
    yield person
    person.browser.quit()


@pytest.fixture
def ann(browser: PageVisitor, service: ExploreThread) -> Iterator[PageVisitor]:
    """Somebody who never was here; at the end the console has nothing to complain about."""
    browser.begin(service.links[""])
    browser.faults()
    yield browser
    assert browser.faults() == []


def test_a_point_of_the_map_opens_its_image(ann: PageVisitor, pool: ExplorePool) -> None:
    ann.map()
    assert ann.text(".map-counted") == "47 in view"
    lonely = ann.js(
        "const view = document.getElementById('map').map, at = [...view.points.id].map((id, i) => "
        "view.spot(i)); const far = at.map(([x, y], i) => Math.min(...at.map(([a, b], j) => "
        "i === j ? 1e9 : Math.hypot(a - x, b - y)))); return view.points.id[far.indexOf("
        "Math.max(...far))];"
    )
    at = ann.on_map(lonely)
    ann.mouse("mouseMoved", at)
    uri = ann.store("store.state.info && fetch('/v1/images/' + a[0]).then((r) => r.json())", lonely)
    assert ann.wait("document.querySelector('.map-card:not([hidden]) strong')?.textContent") in (
        Path(uri["uri"]).name,
        f"image {lonely}",
    )
    ann.press(at)
    ann.wait("document.getElementById('detail').open")
    assert Path(uri["uri"]).name in ann.text("#detail")


def test_from_near_the_map_shows_the_pictures_themselves(
    ann: PageVisitor, pool: ExplorePool
) -> None:
    ann.map()
    drawn = "[...document.getElementById('map').map.layout.shown.values()].filter((s) => s.drawn)"
    ann.wait(f"{drawn}.length > 0")
    x, y = ann.on_map(pool.id("red", 5))  # where two copies lie as well
    at = round(x), round(y)
    place = "document.getElementById('map').map.camera.toWorld(arguments[0], arguments[1])"
    left, top, *_ = ann.frame()
    pointed = ann.js(f"return {place}", at[0] - left, at[1] - top)
    for _ in range(4):
        ann.mouse("mouseWheel", at, deltaX=0, deltaY=-200)
    ann.wait("document.getElementById('map').map.camera.zoom > 3")
    ann.wait("document.querySelector('.map-counted').textContent !== '47 in view'")
    ann.wait(f"!document.getElementById('map').map.awake && {drawn}.length > 0")
    near = ann.on_map(pool.id("red", 5))
    still = ann.js(f"return {place}", at[0] - left, at[1] - top)
    assert still == pytest.approx(pointed, abs=2)  # of 65,536: what one points at stays there
    red, green, blue, alpha = ann.js(
        "const canvas = document.querySelector('.map-marks'), view = document.getElementById('map')"
        ".map, box = view.frame.getBoundingClientRect(), fine = canvas.width / view.camera.width;"
        "return [...canvas.getContext('2d').getImageData((arguments[0] - box.left) * fine,"
        "(arguments[1] - box.top) * fine, 1, 1).data];",
        *near,
    )
    assert alpha == 255
    assert red > 2 * max(green, blue)


def test_a_box_and_a_line_list_the_images_within(ann: PageVisitor, pool: ExplorePool) -> None:
    ann.map()
    left, top, right, bottom = ann.frame()
    corner, far = (left + 3, top + 3), (right - 3, bottom - 3)
    ann.drag(corner, (left + 200, top + 200), far, modifiers=SHIFT)
    ann.wait("document.querySelectorAll('#results-grid .cell').length === 47")
    assert "47 images" in ann.text("#results-head")
    ann.map()
    one = ann.on_map(pool.id("blue", 2))
    around = [(one[0] + dx, one[1] + dy) for dx, dy in ((-9, -9), (9, -9), (9, 9), (-9, 9))]
    ann.click(".map-tools [title^='Draw a line']")
    ann.drag(*around, around[0])
    ann.wait("!document.getElementById('view-results').hidden")
    assert pool.id("blue", 2) in ann.store("store.state.query.ids")
    assert len(ann.store("store.state.query.ids")) < 47


def test_a_class_is_shown_alone(ann: PageVisitor, pool: ExplorePool) -> None:
    ann.map()
    ann.click(".map-class[data-label='2']")
    assert ann.text(".map-class[data-label='2'] .map-name") == "red"
    ann.wait("document.querySelector('.map-counted').textContent === '10 in view'")
    assert ann.js("return document.activeElement.getAttribute('aria-pressed')") == "true"
    ann.keys(ENTER)
    ann.wait("document.querySelector('.map-counted').textContent === '47 in view'")


def test_the_map_is_usable_by_keys(ann: PageVisitor, pool: ExplorePool) -> None:
    ann.add_class("warm")
    ann.map()
    ann.js("document.querySelector('.map-tools select, .map-check input').focus()")
    ann.js("document.querySelector('.map-marks').focus()")
    ann.keys("+", "+", LEFT)
    ann.wait("document.getElementById('map').map.camera.zoom > 2")
    focused = ann.wait(
        "(() => { const v = document.getElementById('map').map; return v.focus >= 0 && !v.awake && "
        "v.points.id[v.focus]; })()"
    )
    ann.wait("document.getElementById('said').textContent.includes('in view')")
    ann.keys("1")
    ann.wait("document.querySelectorAll('.seed-tile').length === 1")
    assert ann.store("store.classOf(a[0])", focused) == "warm"
    assert ann.js("return document.getElementById('map').map.marks.at(-1).kind") == "seed"
    ann.keys("l")
    ann.wait("!document.getElementById('view-results').hidden")
    assert ann.store("store.state.query.ids[0]") == focused


def test_two_fingers_zoom_the_map(ann: PageVisitor, pool: ExplorePool) -> None:
    ann.map()
    left, top, right, bottom = ann.frame()
    x, y = (left + right) / 2, (top + bottom) / 2
    for kind, apart in (("Start", 60), ("Move", 90), ("Move", 120), ("End", None)):
        points = [] if apart is None else [{"x": x - apart, "y": y}, {"x": x + apart, "y": y}]
        ann.browser.execute_cdp_cmd(
            "Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points}
        )
    zoom = ann.wait("document.getElementById('map').map.camera.zoom")
    assert zoom == pytest.approx(2, rel=0.1)
    assert not ann.js("return document.getElementById('detail').open")


def test_what_lies_within_agrees_with_looking_at_every_point(ann: PageVisitor) -> None:
    script = IMPORT.format(
        "map_space.js",
        """
        const n = 3000, bytes = new ArrayBuffer(10 * n), xy = new Uint16Array(bytes, 4 * n, 2 * n);
        const ids = new Uint32Array(bytes, 0, n), random = (most) => Math.floor(seed() * most);
        let state = 7;
        const seed = () => (state = (state * 48271) % 2147483647) / 2147483647;
        for (let i = 0; i < n; i++) {
          ids[i] = 5 * i;
          for (const at of [2 * i, 2 * i + 1]) xy[at] = i % 9 ? random(65536) : 65535 * random(2);
        }
        const points = new m.Points(bytes, n), every = [...ids.keys()], wrong = [];
        const pen = document.createElement('canvas').getContext('2d');
        const same = (what, found, expected) => {
          const ours = found.map((place) => points.id[place] / 5).sort((a, b) => a - b);
          if (ours.join() !== expected.join()) wrong.push([what, ours.length, expected.length]);
        };
        for (let turn = 0; turn < 40; turn++) {
          const path = Array.from({ length: 3 + random(6) }, () =>
            [seed() * 7e4 - 2e3, seed() * 7e4]);
          const shape = new Path2D();
          path.forEach(([x, y], at) => (at ? shape.lineTo(x, y) : shape.moveTo(x, y)));
          same('polygon', points.inside(path),
            every.filter((i) => pen.isPointInPath(shape, xy[2 * i], xy[2 * i + 1], 'evenodd')));
          const [x, y] = [seed() * 65536, seed() * 65536];
          const far = (i) => Math.hypot(xy[2 * i] - x, xy[2 * i + 1] - y);
          const nearest = points.nearest(x, y, 1e5);
          const least = Math.min(...every.map(far));
          if (Math.abs(far(points.id[nearest] / 5) - least) > 1e-9) wrong.push(['nearest', x, y]);
          if (points.id[points.place(5 * turn)] !== 5 * turn) wrong.push(['place']);
          if (points.place(5 * turn + 1) !== -1) wrong.push(['no place']);
        }
        const camera = new m.Camera();
        camera.resize(800, 600);
        const before = camera.toWorld(123, 456);
        camera.zoomAt(7, 123, 456);
        for (let going = true; going;) {
          going = camera.step(16);
          const now = camera.toWorld(123, 456);
          const away = Math.hypot(now[0] - before[0], now[1] - before[1]);
          if (away > 1) wrong.push(['anchor', away]);
        }
        done(wrong);
        """,
    )
    assert ann.browser.execute_async_script(script) == []


def test_names_stay_text(ann: PageVisitor, pool: ExplorePool) -> None:
    ann.add_class(EVIL)
    ann.seed(pool.ids["<b>bold.png"], 1)
    ann.candidates()
    ann.go("candidates")
    ann.focus(ann.candidates()[0]["id"], "found-grid")
    assert "<b>bold.png" in ann.wait("document.querySelector('.found-words')?.innerText")
    ann.map()
    assert EVIL in ann.text(".map-legend")
    assert ann.js("return document.querySelectorAll('#panel b, #map b, .found b, [onerror]')") == []
