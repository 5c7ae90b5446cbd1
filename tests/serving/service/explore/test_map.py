"""The map of the explore page, in a real Chromium on a real service."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk_browser import ENTER
from explore_browser import EVIL, IMPORT, PageVisitor
from explore_page import look
from explore_pool import ExplorePool

pytestmark = pytest.mark.browser

LEFT, SHIFT = "\ue012", 8


def test_a_point_of_the_map_opens_its_image(artist: PageVisitor, gallery: ExplorePool) -> None:
    artist.map()
    assert artist.text(".map-counted") == "47 in view"
    lonely = artist.js(
        "const view = document.getElementById('map').map, at = [...view.points.id].map((id, i) => "
        "view.spot(i)); const far = at.map(([x, y], i) => Math.min(...at.map(([a, b], j) => "
        "i === j ? 1e9 : Math.hypot(a - x, b - y)))); return view.points.id[far.indexOf("
        "Math.max(...far))];"
    )
    at = artist.on_map(lonely)
    artist.mouse("mouseMoved", at)
    uri = artist.store(
        "store.state.info && fetch('/v1/images/' + a[0]).then((r) => r.json())", lonely
    )
    assert artist.wait("document.querySelector('.map-card:not([hidden]) strong')?.textContent") in (
        Path(uri["uri"]).name,
        f"image {lonely}",
    )
    artist.press(at)
    artist.wait("document.getElementById('detail').open")
    assert Path(uri["uri"]).name in artist.text("#detail")


def test_from_near_the_map_shows_the_pictures_themselves(
    artist: PageVisitor, gallery: ExplorePool
) -> None:
    artist.map()
    drawn = "[...document.getElementById('map').map.layout.shown.values()].filter((s) => s.drawn)"
    artist.wait(f"{drawn}.length > 0")
    x, y = artist.on_map(gallery.id("red", 5))  # where two copies lie as well
    at = round(x), round(y)
    place = "document.getElementById('map').map.camera.toWorld(arguments[0], arguments[1])"
    left, top, *_ = artist.frame()
    pointed = artist.js(f"return {place}", at[0] - left, at[1] - top)
    for _ in range(4):
        artist.mouse("mouseWheel", at, deltaX=0, deltaY=-200)
    artist.wait("document.getElementById('map').map.camera.zoom > 3")
    artist.wait("document.querySelector('.map-counted').textContent !== '47 in view'")
    artist.wait(f"!document.getElementById('map').map.awake && {drawn}.length > 0")
    near = artist.on_map(gallery.id("red", 5))
    still = artist.js(f"return {place}", at[0] - left, at[1] - top)
    assert still == pytest.approx(pointed, abs=2)  # of 65,536: what one points at stays there
    red, green, blue, alpha = artist.js(
        "const canvas = document.querySelector('.map-marks'), view = document.getElementById('map')"
        ".map, box = view.frame.getBoundingClientRect(), fine = canvas.width / view.camera.width;"
        "return [...canvas.getContext('2d').getImageData((arguments[0] - box.left) * fine,"
        "(arguments[1] - box.top) * fine, 1, 1).data];",
        *near,
    )
    assert alpha == 255
    assert red > 2 * max(green, blue)


def test_a_box_and_a_line_list_the_images_within(artist: PageVisitor, gallery: ExplorePool) -> None:
    artist.map()
    left, top, right, bottom = artist.frame()
    corner, far = (left + 3, top + 3), (right - 3, bottom - 3)
    artist.drag(corner, (left + 200, top + 200), far, modifiers=SHIFT)
    artist.wait("document.querySelectorAll('#results-grid .cell').length === 47")
    assert "47 images" in artist.text("#results-head")
    artist.map()
    one = artist.on_map(gallery.id("blue", 2))
    around = [(one[0] + dx, one[1] + dy) for dx, dy in ((-9, -9), (9, -9), (9, 9), (-9, 9))]
    artist.click(".map-tools [title^='Draw a line']")
    artist.drag(*around, around[0])
    artist.wait("!document.getElementById('view-results').hidden")
    assert gallery.id("blue", 2) in artist.store("store.state.query.ids")
    assert len(artist.store("store.state.query.ids")) < 47


def test_a_class_is_shown_alone(artist: PageVisitor, gallery: ExplorePool) -> None:
    artist.map()
    artist.click(".map-class[data-label='2']")
    assert artist.text(".map-class[data-label='2'] .map-name") == "red"
    artist.wait("document.querySelector('.map-counted').textContent === '10 in view'")
    assert artist.js("return document.activeElement.getAttribute('aria-pressed')") == "true"
    artist.keys(ENTER)
    artist.wait("document.querySelector('.map-counted').textContent === '47 in view'")


def test_the_map_is_usable_by_keys(artist: PageVisitor, gallery: ExplorePool) -> None:
    artist.add_class("warm")
    artist.map()
    artist.js("document.querySelector('.map-tools select, .map-check input').focus()")
    artist.js("document.querySelector('.map-marks').focus()")
    artist.keys("+", "+", LEFT)
    artist.wait("document.getElementById('map').map.camera.zoom > 2")
    focused = artist.wait(
        "(() => { const v = document.getElementById('map').map; return v.focus >= 0 && !v.awake && "
        "v.points.id[v.focus]; })()"
    )
    artist.wait("document.getElementById('said').textContent.includes('in view')")
    artist.keys("1")
    artist.wait("document.querySelectorAll('.seed-tile').length === 1")
    assert artist.store("store.classOf(a[0])", focused) == "warm"
    assert artist.js("return document.getElementById('map').map.marks.at(-1).kind") == "seed"
    artist.keys("l")
    artist.wait("!document.getElementById('view-results').hidden")
    assert artist.store("store.state.query.ids[0]") == focused


def test_two_fingers_zoom_the_map(artist: PageVisitor, gallery: ExplorePool) -> None:
    artist.map()
    left, top, right, bottom = artist.frame()
    x, y = (left + right) / 2, (top + bottom) / 2
    for kind, apart in (("Start", 60), ("Move", 90), ("Move", 120), ("End", None)):
        points = [] if apart is None else [{"x": x - apart, "y": y}, {"x": x + apart, "y": y}]
        artist.browser.execute_cdp_cmd(
            "Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points}
        )
    zoom = artist.wait("document.getElementById('map').map.camera.zoom")
    assert zoom == pytest.approx(2, rel=0.1)
    assert not artist.js("return document.getElementById('detail').open")


def test_what_is_too_much_for_a_dense_screen_is_coarse_only_while_it_moves(
    artist: PageVisitor,
) -> None:
    look(artist, ratio=2)
    artist.map()
    width = artist.js("return document.querySelector('.map-frame').clientWidth")
    drawn = "document.querySelector('.map-dots').width"
    artist.wait(f"{drawn} > 1.5 * arguments[0]", width)
    seen = artist.browser.execute_async_script(
        "const done = arguments[0], view = document.getElementById('map').map, widths = [];"
        "view.heavy = true; let turn = 0; const frame = () => {"
        "widths.push(document.querySelector('.map-dots').width);"
        "view.camera.pan(3, 0); view.camera.arrive(); view.wake();"
        "if ((turn += 1) < 12) requestAnimationFrame(frame); else done(widths.slice(3)); };"
        "frame();"
    )
    assert sorted(seen)[len(seen) // 2] <= width
    artist.wait(f"{drawn} > 1.5 * arguments[0]", width)
    frames = artist.js("return document.getElementById('map').map.frames.length")
    artist.wait("document.querySelector('.map-counted').textContent")
    artist.browser.execute_async_script("setTimeout(arguments[0], 300)")
    # At rest it stays sharp, and nothing is drawn any more.
    assert artist.js(f"return {drawn}") > 1.5 * width
    assert artist.js("return document.getElementById('map').map.frames.length") <= frames + 1


def test_what_lies_within_agrees_with_looking_at_every_point(artist: PageVisitor) -> None:
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
    assert artist.browser.execute_async_script(script) == []


def test_names_stay_text(artist: PageVisitor, gallery: ExplorePool) -> None:
    artist.add_class(EVIL)
    artist.seed(gallery.ids["<b>bold.png"], 1)
    artist.candidates()
    artist.go("candidates")
    artist.focus(artist.candidates()[0]["id"], "found-grid")
    assert "<b>bold.png" in artist.wait("document.querySelector('.found-words')?.innerText")
    artist.map()
    assert EVIL in artist.text(".map-legend")
    assert (
        artist.js("return document.querySelectorAll('#panel b, #map b, .found b, [onerror]')") == []
    )
