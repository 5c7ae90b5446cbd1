"""The explore page in a real Chromium: the grid, an image large, keys, the way back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[3]))

from desk_browser import ENTER, Person
from explore_page import (
    DELETE,
    DOWN,
    END,
    ESCAPE,
    EVIL,
    HERE,
    LEFT,
    PAGE_DOWN,
    RIGHT,
    TAB,
    chord,
    classes,
    focus,
    hover,
    module,
    ready,
    results,
    said,
    seeds,
    tile,
)
from explore_pool import ExplorePool
from explore_program import ExploreThread

pytestmark = pytest.mark.browser


class TestGrid:
    def test_shows_the_pool_with_its_name_and_its_size(self, guest: Person) -> None:
        assert guest.text("h1") == "G&T pool.index"
        assert "361 images" in guest.text("#pool-about")
        focus(guest, 2)
        assert guest.js(f"return {HERE}") == "blue000.png, 2 of 361".replace("000", "00")

    def test_scrolls_far_with_few_elements_and_few_requests(self, guest: Person) -> None:
        guest.wait(f"{tile(1)}?.classList.contains('shown')")
        guest.js(
            "window.most = 0; const seen = new MutationObserver(() => {"
            "most = Math.max(most, document.querySelectorAll('#pool-grid *').length) });"
            "seen.observe(document.getElementById('pool-grid'), {childList: true, subtree: true});"
            "document.getElementById('pool-grid').scrollTop = 1e9"
        )
        guest.wait(f"{tile(361)}?.classList.contains('shown')")
        assert 0 < guest.js("return most") < 400
        asked = guest.js(
            "return performance.getEntriesByType('resource')"
            ".filter((entry) => entry.name.includes('/thumbnail')).length"
        )
        assert asked < 150  # what was passed on the way was not asked for

    def test_a_pool_of_twenty_million_can_be_walked_to_its_end(self, guest: Person) -> None:
        """Taller than browsers let an element be."""
        found = module(
            guest,
            """
            const { Grid } = await import('/static/grid.js');
            const box = document.getElementById('pool-grid').cloneNode(false);
            box.id = 'many-grid';
            document.getElementById('view-pool').replaceChildren(box);
            const frame = () => new Promise((go) => setTimeout(go, 150));
            const asked = [];
            const records = (start, count) => Array.from({ length: count }, (_, at) => (
              { id: at % 9, uri: 'picture ' + (start + at), width: 4, height: 3 }));
            const grid = new Grid(box, { total: 20_000_000,
              fetch: async (start, count) => { asked.push(start);
                return records(start, count); } });
            await frame();
            const place = () => Number(document.activeElement.cell.index);
            const press = async (key, ctrlKey = false) => {
              document.activeElement.dispatchEvent(
                new KeyboardEvent('keydown', { key, ctrlKey, bubbles: true }));
              await frame();
              const [one, all] = [document.activeElement, box].map(
                (node) => node.getBoundingClientRect());
              return [place(), one.top >= all.top - 1 && one.bottom <= all.bottom + 1];
            };
            grid.focus(0);
            const walked = [];
            walked.push(await press('End', true), await press('ArrowUp'), await press('PageUp'));
            grid.focus(10_000_000);
            await frame();
            walked.push(await press('ArrowDown'), await press('PageDown'));
            walked.push(await press('ArrowLeft'));
            const before = place();
            box.scrollTop += 90;  // a turn of the wheel moves by as much as it says
            await frame();
            const top = grid.top;
            box.scrollTop += 120;
            await frame();
            const wheel = grid.top - top;
            walked.push(await press('Home', true));
            box.scrollTop = box.scrollHeight / 2;  // the bar is drawn to its middle
            await frame();
            const middle = Math.round(grid.top / grid.pitch) * grid.columns;
            done({ walked, wheel, middle, columns: grid.columns, high: box.scrollHeight,
              nodes: box.querySelectorAll('*').length, asked: asked.length, before });
            """,
        )
        columns, page = found["columns"], found["walked"][1][0] - found["walked"][2][0]
        assert [at for at, _ in found["walked"]] == [
            *(19_999_999, 19_999_999 - columns, 19_999_999 - columns - page),
            *(10_000_000 + columns, 10_000_000 + columns + page, 10_000_000 + columns + page - 1),
            0,
        ]
        assert all(seen for _, seen in found["walked"])
        assert found["wheel"] == pytest.approx(120, abs=1)
        assert found["middle"] == pytest.approx(10_000_000, rel=0.01)
        assert found["high"] < 16_000_000
        assert found["nodes"] < 400
        assert found["asked"] < 60

    def test_tiles_become_larger_and_smaller(self, guest: Person) -> None:
        focus(guest, 1)
        columns = "Number(document.getElementById('pool-grid').ariaColCount)"
        before = guest.js(f"return {columns}")
        guest.keys("+", "+")
        larger = guest.js(f"return {columns}")
        guest.keys("-", "-", "-", "-")
        assert larger < before < guest.js(f"return {columns}")
        assert guest.js(f"return {HERE}").startswith(EVIL)  # the focus stayed

    def test_a_name_that_looks_like_html_stays_a_text(self, guest: Person) -> None:
        focus(guest, 1)
        assert guest.js(f"return {HERE}") == f"{EVIL}, 1 of 361"
        guest.keys(ENTER)
        guest.wait("document.querySelectorAll('.near-tile').length")
        assert guest.text("#detail-title") == EVIL
        guest.keys("n")
        results(guest, EVIL)
        classes(guest, "<b>bold</b>")
        focus(guest, 1, "results")
        guest.keys("1")
        guest.wait("document.getElementById('toast').textContent.includes('<b>bold</b>')")
        assert guest.js("return document.querySelectorAll('b, img[src=x]').length") == 0
        assert "pool.index" in guest.js("return document.title")

    def test_the_pointer_brings_the_buttons_of_a_tile(self, guest: Person) -> None:
        classes(guest, "sky", "grass")
        guest.wait(f"{tile(3)}?.classList.contains('shown')")
        hover(guest, guest.js(f"return {tile(3)}"))
        guest.wait("document.querySelectorAll('.picker .pick').length === 4")
        guest.click(".pick[aria-label='Seed of grass']")
        assert list(seeds(guest)) == ["grass"]
        assert guest.js(f"return {tile(3)}.classList.contains('is-seed')")
        assert guest.js(f"return {tile(3)}.querySelector('.sign').textContent") == "2"
        guest.click(".toast-action")
        assert seeds(guest) == {}
        assert not guest.js(f"return {tile(3)}.classList.contains('is-seed')")


class TestAnImageLarge:
    def test_shows_what_it_is_and_what_is_like_it(
        self, guest: Person, photos: ExplorePool, place: ExploreThread
    ) -> None:
        guest.open(f"{place.links['']}#pool?open={photos.id('red', 3)}")
        ready(guest)
        guest.wait("document.querySelectorAll('.near-tile').length === 24")
        facts = guest.text(".facts")
        assert "40 \N{MULTIPLICATION SIGN} 30" in facts
        assert "crimson" in facts
        near = [float(t) for t in guest.text(".near-list").split()]
        assert near == sorted(near, reverse=True)
        assert near[0] > 0.99
        guest.wait("document.querySelector('.large').naturalWidth === 40")

    def test_arrows_walk_and_closing_leads_back_to_the_tile(self, guest: Person) -> None:
        focus(guest, 2)
        guest.keys(ENTER)
        guest.wait("document.querySelector('#detail[open]')")
        guest.keys(RIGHT, RIGHT, LEFT)
        guest.wait("document.getElementById('detail-title').textContent === 'blue01.png'")
        assert "3 of 361" in guest.text(".facts")
        guest.keys(ESCAPE)
        guest.wait(f"({HERE} || '').startsWith('blue01.png')")
        assert "open=" not in guest.browser.current_url

    def test_a_neighbor_opens_and_each_way_back_is_one_step(self, guest: Person) -> None:
        guest.click("#tab-map")
        guest.click("#tab-pool")
        focus(guest, 2)
        guest.keys(ENTER)
        title = "document.getElementById('detail-title').textContent"
        guest.wait("document.querySelectorAll('.near-tile').length === 24")
        neighbor = guest.js("return document.querySelector('.near-tile').ariaLabel.split(',')[0]")
        guest.click(".near-tile")
        guest.wait(f"{title} === arguments[0]", neighbor)
        guest.browser.back()
        guest.wait(f"{title} === 'blue00.png' && document.querySelector('#detail[open]')")
        guest.browser.back()
        guest.wait("!document.querySelector('#detail[open]')")
        guest.browser.forward()
        guest.wait("document.querySelector('#detail[open]')")
        guest.browser.back()
        guest.browser.back()
        guest.wait("!document.getElementById('view-map').hidden")

    def test_is_given_to_a_class_and_set_aside_from_there(self, guest: Person) -> None:
        classes(guest, "sky")
        focus(guest, 2)
        guest.keys(ENTER)
        guest.wait("document.querySelector('.detail-seeds .chip')")
        guest.click(".detail-seeds .chip")
        assert list(seeds(guest)) == ["sky"]
        assert (
            guest.js("return document.querySelector('.detail-seeds .chip').ariaPressed") == "true"
        )
        guest.keys("0")
        assert seeds(guest) == {}
        guest.wait("document.querySelector('.detail-seeds .aside').ariaPressed === 'true'")


class TestKeys:
    def test_a_whole_session_without_a_mouse(self, guest: Person) -> None:
        """Name a class, walk, pick seeds, set aside, look for neighbors, go back, undo."""
        guest.keys(TAB, ENTER)  # skip to the images
        guest.wait(f"({HERE} || '').endsWith('1 of 361')")
        guest.keys(RIGHT, "1")  # there is no class yet: the page asks for its name
        guest.wait("document.activeElement.matches('#panel-seeds input')")
        guest.keys("blue", ENTER, ESCAPE)
        guest.wait(f"({HERE} || '').startsWith('blue00.png')")
        guest.keys("1", RIGHT, "1", DOWN, DELETE)
        guest.wait(f"({HERE} || '').endsWith('set aside')")
        assert len(seeds(guest)["blue"]) == 2
        assert guest.js(f"return {tile(2)}.ariaLabel") == "blue00.png, 2 of 361, seed of blue"
        guest.keys("u")
        assert "was set aside" in said(guest)
        guest.wait(f"!({HERE} || '').endsWith('set aside')")
        chord(guest, END)
        guest.wait(f"({HERE} || '').startsWith('red')")
        guest.keys("n")
        results(guest, "Most like red")
        guest.wait("document.activeElement.matches('#results-grid [role=gridcell]')")
        guest.keys(PAGE_DOWN, "1")
        assert len(seeds(guest)["blue"]) == 3
        guest.browser.back()
        guest.wait(f"({HERE} || '').endsWith('361 of 361')")
        chord(guest, "z")
        guest.keys("u", "u")
        assert seeds(guest) == {}

    def test_help_names_them_and_letters_can_be_switched_off(self, guest: Person) -> None:
        focus(guest, 1)
        guest.keys("?")
        guest.wait("document.querySelector('#help[open]')")
        assert "set it aside" in guest.text("#help")
        guest.click("#help .check input")
        guest.keys(ESCAPE)
        guest.wait(f"({HERE} || '').startsWith(arguments[0])", EVIL)  # where it came from
        guest.keys("m", "?")
        assert guest.js("return document.querySelector('#help[open]') === null")
        assert not guest.js("return document.getElementById('view-pool').hidden")

    def test_seeds_stay_after_a_reload_and_moving_one_is_one_step(self, guest: Person) -> None:
        classes(guest, "a", "b")
        focus(guest, 4)
        guest.keys("1", "2")
        assert list(seeds(guest)) == ["b"]
        guest.browser.refresh()
        ready(guest)
        assert list(seeds(guest)) == ["b"]
        focus(guest, 4)
        guest.keys("1", "u")
        assert list(seeds(guest)) == ["b"]

    def test_seeds_that_are_other_images_now_are_taken_out(
        self, guest: Person, photos: ExplorePool
    ) -> None:
        """An index of the same name can hold other images under the same ids."""
        classes(guest, "a")
        focus(guest, 3)
        guest.keys("1", RIGHT, "1")
        guest.js(
            "const key = Object.keys(localStorage).find((k) => k.startsWith('gandt explore {') ||"
            "k.startsWith('gandt explore ['));"
            "const kept = JSON.parse(localStorage[key]);"
            "kept.classes[0].seeds[0].uri = '/another/picture.png';"
            "localStorage[key] = JSON.stringify(kept)"
        )
        guest.browser.refresh()
        ready(guest)
        guest.wait("document.getElementById('said').textContent.includes('left the pool')")
        assert len(seeds(guest)["a"]) == 1
