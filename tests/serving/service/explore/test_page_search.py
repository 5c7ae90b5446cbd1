"""The explore page in a real Chromium: search, who looks at it and how, what goes wrong."""

from __future__ import annotations

import base64
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import MeanColor
from PIL import Image

sys.path.append(str(Path(__file__).parents[3]))

from desk_browser import ENTER, Person
from explore_page import (
    ESCAPE,
    SlowWords,
    bring,
    classes,
    enter,
    focus,
    look,
    module,
    png,
    ready,
    results,
    said,
    seeds,
)
from explore_pool import ColorWords, ExplorePool, shade
from explore_program import ExploreThread

from gandt.index.update import update_index
from gandt.pool.sources import open_pool

pytestmark = pytest.mark.browser


class TestSearch:
    def test_by_text(self, guest: Person) -> None:
        guest.keys("/")
        guest.keys("green", ENTER)
        found = results(guest, "green")
        assert all(one.startswith("green") for one in found[:12])
        near = [float(one.rpartition(" ")[2]) for one in found]
        assert near == sorted(near, reverse=True)
        guest.browser.refresh()
        ready(guest)
        assert results(guest, "green")[:12] == found[:12]  # the address says what is shown

    def test_where_the_model_knows_no_texts_the_box_says_so(
        self, somebody: Person, tmp_path: Path
    ) -> None:
        shade(tmp_path / "pool" / "one.png", "red", 1)
        update_index(open_pool([str(tmp_path / "pool")]), MeanColor(), tmp_path / "pool.index")
        with ExploreThread(tmp_path / "pool.index", embedder=MeanColor()) as place:
            enter(somebody, place.links[""])
            box = "document.getElementById('search-text')"
            assert "knows no texts" in somebody.js(f"return {box}.placeholder")
            assert somebody.js(f"return {box}.disabled")
            why = somebody.js("return document.getElementById('search-why').textContent")
            assert why.startswith("The model of this index (mean-color) knows no texts")
            somebody.open("about:blank")

    @pytest.mark.parametrize("how", ["drop", "paste"])
    def test_by_an_image_that_is_dropped_or_pasted(self, guest: Person, how: str) -> None:
        bring(guest, png((40, 190, 40)), "meadow.png", how=how)
        found = results(guest, "meadow.png")
        assert all(one.startswith("green") for one in found[:12])
        assert guest.js("return document.querySelector('.query-picture').src").startswith("data:")
        guest.browser.back()
        guest.wait("!document.getElementById('view-pool').hidden")
        guest.browser.forward()
        assert results(guest, "meadow.png") == found

    def test_by_an_image_that_is_chosen(self, guest: Person, tmp_path: Path) -> None:
        path = shade(tmp_path / "lake.png", "blue", 7)
        guest.browser.find_element("css selector", "#search-file").send_keys(str(path))
        assert results(guest, "lake.png")[0].startswith("blue")

    def test_what_is_dropped_can_become_a_seed(self, guest: Person) -> None:
        classes(guest, "meadow", "Other")
        bring(guest, png((40, 190, 40)), "meadow.png")
        results(guest, "meadow.png")
        guest.click(".query-seed .chip")
        guest.wait("document.querySelector('.query-seed .chip.on')")
        assert list(seeds(guest)["meadow"][0]) == ["image"]

    def test_a_large_image_is_made_smaller_before_it_is_sent(self, guest: Person) -> None:
        guest.js(
            "const real = window.fetch; window.fetch = (path, options) => {"
            "if (path === '/v1/search') window.sent = JSON.parse(options.body).image;"
            "return real(path, options) }"
        )
        bring(guest, png((190, 40, 40), (3000, 1500)), "wall.png")
        results(guest, "wall.png")
        sent = Image.open(io.BytesIO(base64.b64decode(guest.js("return window.sent"))))
        assert (sent.format, sent.size) == ("JPEG", (1024, 512))

    @pytest.mark.parametrize(("name", "kind"), [("notes.txt", "text/plain"), ("x", "")])
    def test_what_is_no_image_is_said_to_be_none(self, guest: Person, name: str, kind: str) -> None:
        bring(guest, base64.b64encode(b"no image").decode(), name, kind)
        guest.wait("!document.getElementById('search-note').hidden")
        assert guest.text("#search-note") == f"“{name}” is not an image."

    def test_what_the_service_cannot_read_is_answered_with_its_sentence(
        self, guest: Person
    ) -> None:
        bring(guest, base64.b64encode(b"II*\0broken").decode(), "scan.tif", "image/tiff")
        guest.wait("!document.getElementById('results-state').hidden")
        assert "cannot be searched for" in guest.text("#results-state")
        assert guest.js("return document.activeElement.tagName") != "IFRAME"
        # The browser itself notes each reply of 4xx.
        assert all("422" in fault for fault in guest.faults())

    def test_a_busy_service_is_asked_again_by_itself(
        self, guest: Person, place: ExploreThread, words: SlowWords
    ) -> None:
        words.free.clear()
        with ThreadPoolExecutor(16) as many:
            asking = [
                many.submit(place.visitor().post, "/v1/search", {"text": f"red {number}"})
                for number in range(16)
            ]
            try:
                while sum(one.done() for one in asking) < 4:  # those that found no room
                    pass
                guest.keys("/")
                guest.keys("blue", ENTER)
                guest.wait("!document.getElementById('waiting').hidden")
                assert "busy. Trying again in" in guest.text("#waiting")
            finally:
                words.free.set()
        assert results(guest, "blue")[0].startswith("blue")
        assert guest.js("return document.getElementById('waiting').hidden")
        assert all("429" in fault for fault in guest.faults())


class TestEverywhere:
    def test_is_named_for_those_who_hear_it(self, guest: Person) -> None:
        classes(guest, "a")
        focus(guest, 2)
        guest.keys("1")
        nameless = (
            "[...document.querySelectorAll('button, input, a[href], select, summary')]"
            ".filter((one) => one.checkVisibility() && !(one.ariaLabel || one.textContent.trim()"
            " || one.labels?.length || one.getAttribute('aria-labelledby')))"
            ".map((one) => one.outerHTML)"
        )
        assert guest.js(f"return {nameless}") == []
        landmarks = "header, main, aside[aria-label], nav[aria-label], [role=search], [role=status]"
        assert guest.js(f"return document.querySelectorAll('{landmarks}').length") >= 6
        assert guest.js("return document.querySelectorAll('h1').length") == 1
        assert guest.js("return document.documentElement.lang") == "en"
        tabbed = "document.querySelectorAll('#pool-grid [tabindex=\"0\"]').length"
        assert guest.js(f"return {tabbed}") == 1  # one step of Tab for the whole grid
        grid = "document.getElementById('pool-grid')"
        rows = guest.js(f"return [{grid}.ariaRowCount, {grid}.ariaColCount].map(Number)")
        assert rows[0] == -(-361 // rows[1])
        assert "is a seed of a" in said(guest)

    def test_fits_a_narrow_screen(self, guest: Person) -> None:
        look(guest, 320, 640)
        guest.wait("Number(document.getElementById('pool-grid').ariaColCount) === 3")
        for tab in ("pool", "candidates", "map"):
            guest.click(f"#tab-{tab}")
            assert guest.js("return document.documentElement.scrollWidth") <= 320
            assert guest.js("return document.getElementById('stage').clientHeight") > 250
        guest.click("#tab-pool")
        guest.click("#panel-toggle")
        guest.wait("document.querySelector('#panel-seeds input').checkVisibility()")
        assert guest.js("return document.getElementById('panel-body').scrollWidth") <= 320
        guest.click("#panel-toggle")
        focus(guest, 2)
        guest.keys(ENTER)
        guest.wait("document.querySelectorAll('.near-tile').length")
        assert guest.js("return document.getElementById('detail').scrollWidth") <= 320

    def test_given_seeds_are_there_and_what_is_new_among_them_is_added(
        self, somebody: Person, photos: ExplorePool
    ) -> None:
        """What somebody removed last time stays away, until other seeds are given."""
        look(somebody)
        table = photos.folder / "given.csv"
        lines = [f"{photos.path('red', 1)},warm\n", f"{photos.path('blue', 1)},cold\n"]
        counts, kept = [], ""
        for given in lines[:1], lines[:1], lines:
            table.write_text("image_path,label\n" + "".join(given))
            with ExploreThread(photos.index, embedder=ColorWords(), seeds=[str(table)]) as place:
                enter(somebody, place.links[""], kept)
                if not kept:
                    module(
                        somebody,
                        "const { store } = await import('/static/store.js');"
                        "store.removeSeed('warm', 0); store.addClass('mine');"
                        f"store.addSeed('mine', {{ id: {photos.id('green', 1)} }}); done(1);",
                    )
                kept = somebody.js("return JSON.stringify(localStorage)")
                counts.append({name: len(refs) for name, refs in seeds(somebody).items()})
                somebody.open("about:blank")
        assert counts == [{"mine": 1}, {"mine": 1}, {"warm": 1, "cold": 1, "mine": 1}]
        assert somebody.faults() == []

    def test_is_dark_where_the_system_is(self, guest: Person) -> None:
        ground = "getComputedStyle(document.body).backgroundColor"
        light = guest.js(f"return {ground}")
        look(guest, prefers_color_scheme="dark")
        assert (light, guest.js(f"return {ground}")) == ("rgb(243, 245, 248)", "rgb(16, 21, 27)")

    def test_a_picture_that_is_gone_is_said_to_be(
        self, guest: Person, photos: ExplorePool, place: ExploreThread
    ) -> None:
        path = photos.path("green", 119)
        data = path.read_bytes()
        path.unlink()
        try:
            guest.open(f"{place.links['']}#pool?open={photos.id('green', 119)}")
            ready(guest)
            guest.wait("!document.querySelector('.detail-problem').hidden", seconds=20)
            assert len(guest.text(".detail-problem")) > 20
            guest.keys(ESCAPE)
            guest.wait("!document.querySelector('#detail[open]')")
            guest.open("about:blank")  # which ends what is still asked for
        finally:
            path.write_bytes(data)
        assert all("/v1/images/" in fault for fault in guest.faults())

    def test_a_service_that_stopped_is_said_to_have(self, somebody: Person, tmp_path: Path) -> None:
        look(somebody)
        rng = np.random.default_rng(0)
        for number in range(3):
            shade(tmp_path / "pool" / f"{number}.png", "red", int(rng.integers(1000)))
        update_index(open_pool([str(tmp_path / "pool")]), ColorWords(), tmp_path / "pool.index")
        with ExploreThread(tmp_path / "pool.index", embedder=ColorWords()) as place:
            enter(somebody, place.links[""])
        somebody.keys("/")
        somebody.keys("red", ENTER)
        somebody.wait("!document.getElementById('results-state').hidden")
        assert "cannot be reached" in somebody.text("#results-state")
        assert somebody.text("#results-state button") == "Try again"
        somebody.open("about:blank")
        somebody.faults()
