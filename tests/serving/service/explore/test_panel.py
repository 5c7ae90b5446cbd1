"""Seeds, live candidates and saving, in a real Chromium on a real service."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desk_browser import CHROMIUM, DRIVER, ENTER, HOW
from explore_browser import EVIL, IMPORT, PageVisitor, known_classes, panel_pool
from explore_pool import ColorWords, ExplorePool
from explore_program import ExploreThread

from gandt.cli.main import main
from gandt.selection.seeds import find_seeds

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=HOW),
]

DELETE, ESCAPE, RIGHT, BACKWARDS = "\ue017", "\ue00c", "\ue014", "\ue003"


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


def classes_of(found: list[dict[str, Any]]) -> dict[str, int]:
    names = [one["class"] for one in found]
    return {name: names.count(name) for name in sorted(set(names))}


# --------------------------------------------------------------------------- seeds and candidates


def test_seeds_are_picked_by_keys_and_candidates_follow(
    ann: PageVisitor, pool: ExplorePool
) -> None:
    ann.add_class("warm")
    ann.seed(pool.id("red", 0), 1)
    found = ann.candidates()
    assert {one["class"] for one in found} == {"warm"}
    assert "red" in found[0]["uri"]
    assert f"{len(found)} images in" in ann.text(".candidates-state")

    ann.add_class("cold")
    ann.seed(pool.id("blue", 3), 2)
    best = {one["class"]: one["uri"] for one in reversed(ann.candidates())}
    assert "red" in best["warm"]
    assert "blue" in best["cold"]
    assert [row.split("\n")[1] for row in ann.js(
        "return [...document.querySelectorAll('.candidates-row')].map((row) => row.innerText)"
    )] == ["warm", "cold"]  # fmt: skip


def test_many_changes_at_once_are_one_question(ann: PageVisitor, pool: ExplorePool) -> None:
    asked = "performance.getEntriesByType('resource').filter((e) => e.name.endsWith('select'))"
    ann.add_class("warm")
    for number in range(4):
        ann.store("store.addSeed('warm', { id: a[0] })", pool.id("red", number))
    found = ann.candidates()
    assert ann.js(f"return {asked}.length") == 1
    ann.store("store.setActive('warm')")  # changes nothing that was asked
    ann.store("store.setView('candidates')")
    ann.quiet()
    assert ann.js(f"return {asked}.length") == 1
    assert not {one["id"] for one in found} & {pool.id("red", number) for number in range(4)}


def test_seeds_are_removed_by_click_or_key_and_come_back(
    ann: PageVisitor, pool: ExplorePool
) -> None:
    ann.add_class("warm")
    for number in range(3):
        ann.seed(pool.id("red", number), 1)
    ann.wait("document.querySelectorAll('.seed-tile').length === 3")
    ann.click(".seed-tile")  # the newest is the first
    ids = "store.state.classes[0].seeds.map((seed) => seed.ref.id)"
    assert ann.store(ids) == [pool.id("red", 0), pool.id("red", 1)]
    ann.wait("document.activeElement.classList.contains('seed-tile')")
    ann.keys(RIGHT, DELETE)
    assert ann.store(ids) == [pool.id("red", 1)]
    ann.keys(DELETE)
    assert ann.store(ids) == []
    assert ann.js("return document.activeElement.textContent") == "warm"
    ann.click(".seeds-undo")
    ann.click(".seeds-undo")
    assert ann.store(ids) == [pool.id("red", 0), pool.id("red", 1)]
    assert "became" not in ann.js("return document.querySelector('.seeds-undo').title")


def test_a_class_is_renamed_and_removed_and_both_can_be_undone(
    ann: PageVisitor, pool: ExplorePool
) -> None:
    ann.add_class("warm")
    ann.add_class("cold")
    ann.seed(pool.id("red", 0), 1)
    ann.store("store.setOption('quotas', { warm: 4 })")
    ann.click("[aria-label='Rename warm']")
    ann.wait("document.activeElement.value === 'warm'")
    ann.keys("cold", ENTER)
    assert "already" in ann.wait("document.querySelector('.class-rename .panel-bad').textContent")
    ann.js("document.activeElement.select()")
    ann.keys(EVIL, ENTER)
    ann.wait("document.querySelector('.class-name').textContent === arguments[0]", EVIL)
    assert ann.store("store.state.options.quotas[a[0]]", EVIL) == 4
    assert ann.candidates(4)[0]["class"] == EVIL
    ann.click("[aria-label^='Remove the class <img']")
    assert ann.store("store.state.classes.map((one) => one.name)") == ["cold"]
    ann.click("#toast .toast-action")
    assert ann.store("store.state.classes.map((one) => one.name)") == [EVIL, "cold"]
    ann.click("[aria-label='Rename cold']")
    ann.wait("document.activeElement.value === 'cold'")
    ann.keys("x", ESCAPE)
    assert ann.store("store.state.classes[1].name") == "cold"
    assert ann.js("return document.activeElement.textContent") == "cold"


def test_the_contrast_class_says_what_it_is(ann: PageVisitor, pool: ExplorePool) -> None:
    ann.click(".seeds-other")
    assert "not wanted" in ann.text(".class-about")
    ann.seed(pool.id("blue", 0), 1)
    assert "nothing to look for" in ann.text(".panel-hint")
    ann.quiet()
    assert ann.store("store.state.selection") is None
    ann.add_class("warm")
    ann.seed(pool.id("red", 0), 2)
    assert classes_of(ann.candidates()).keys() == {"warm"}


def test_a_dropped_file_becomes_a_seed(ann: PageVisitor) -> None:
    ann.add_class("warm")
    ann.js(
        "const canvas = document.createElement('canvas'); canvas.width = canvas.height = 40;"
        "const pen = canvas.getContext('2d'); pen.fillStyle = '#c82828';"
        "pen.fillRect(0, 0, 40, 40); canvas.toBlob((blob) => {"
        "const dataTransfer = new DataTransfer(), card = document.querySelector('.class-card');"
        "dataTransfer.items.add(new File([blob], arguments[0], { type: 'image/png' }));"
        "for (const kind of ['dragenter', 'dragover', 'drop']) card.dispatchEvent("
        "new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer })); });",
        f"{EVIL}.png",
    )  # fmt: skip
    ann.wait("document.querySelector('.seed-tile img')?.naturalWidth > 0")
    assert ann.js("return document.getElementById('drop').hidden")
    assert ann.store("store.state.view") == "pool"  # it was no search
    found = ann.candidates()
    assert "upload" in found[0]["seed"]
    assert EVIL in ann.js("return document.querySelector('.seed-tile').getAttribute('aria-label')")


def test_all_of_it_is_there_after_a_reload(ann: PageVisitor, pool: ExplorePool) -> None:
    ann.add_class("warm")
    ann.seed(pool.id("red", 0), 1)
    ann.store("store.setAside(a[0])", pool.id("red", 1))
    ann.store("store.setOption('budget', 7)")
    ann.candidates()
    ann.view("candidates")
    found = ann.candidates()
    assert len(found) == 7
    assert pool.id("red", 1) not in {one["id"] for one in found}
    assert ann.text(".class-count") == "1"
    assert "1 image set aside" in ann.text(".seeds-aside")


# --------------------------------------------------------------------------- what comes, and how


def test_quotas_are_respected(ann: PageVisitor, pool: ExplorePool) -> None:
    for number, (name, color) in enumerate([("warm", "red"), ("cold", "blue")], 1):
        ann.add_class(name)
        ann.seed(pool.id(color, 0), number)
    ann.candidates()
    ann.click(".options summary")
    ann.js(
        "const how = document.querySelector('.option-row select'); how.value = 'quotas';"
        "how.dispatchEvent(new Event('change', { bubbles: true }))"
    )
    for name, count in (("warm", "3"), ("cold", "9")):
        field = ann.browser.find_element("css selector", f"[data-quota='{name}']")
        field.send_keys(4 * BACKWARDS, count)
    assert classes_of(ann.candidates()) == {"cold": 9, "warm": 3}
    assert "12 by class" in ann.text(".options-line")
    field.send_keys(4 * BACKWARDS)
    assert classes_of(ann.candidates()) == {"warm": 3}
    ann.add_class("green")
    ann.seed(pool.id("green", 0), 3)
    assert classes_of(ann.candidates()) == {"green": 3, "warm": 3}  # as many as the others
    ann.browser.find_element("css selector", "[data-quota='warm']").send_keys(4 * BACKWARDS, "9999")
    assert "are the most" in ann.text(".options-quotas")


def test_options_say_in_words_what_they_do(ann: PageVisitor, pool: ExplorePool) -> None:
    ann.add_class("warm")
    ann.seed(pool.id("red", 0), 1)
    ann.click(".options summary")
    ann.js(
        "for (const [id, value] of [['option-strategy', 'nearest'], ['option-explore', 0.5],"
        "['option-least', 0.2]]) { const field = document.getElementById(id); field.value = value;"
        "for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, "
        "{ bubbles: true })); }"
    )
    assert "Highest cosine" in ann.text("#option-strategy-about")
    assert "50 %" in ann.js(
        "return document.getElementById('option-explore').getAttribute('aria-valuetext')"
    )
    assert {one["why"] for one in ann.candidates()} == {"nearest", "explore"}
    assert "nearest · 50 % at random · ≥ 0.2" in ann.text(".options-line")


def test_copies_are_set_aside_and_shown_on_demand(ann: PageVisitor, pool: ExplorePool) -> None:
    ann.add_class("warm")
    ann.seed(pool.id("red", 0), 1)
    [one] = [one for one in ann.candidates() if len(one["duplicates"]) >= 2]
    ann.go("candidates")
    ann.focus(one["id"], "found-grid")
    count = "document.querySelector('.found-grid').ariaRowCount && document.querySelectorAll"
    before = ann.js(f"return {count}('.found-grid .cell').length")
    ann.keys("d")
    ann.wait(
        f"{count}('.found-grid .cell').length === arguments[0]", before + len(one["duplicates"])
    )
    copies = ann.js(
        "return [...document.querySelectorAll('.found-grid .cell')].filter((node) => node.cell"
        ".image.copyOf).map((node) => node.getAttribute('aria-label'))"
    )
    assert len(copies) == len(one["duplicates"])
    assert all("near-copy of" in label for label in copies)
    ann.wait("document.activeElement.cell?.image.id === arguments[0]", one["id"])
    ann.keys("d")
    ann.wait(f"{count}('.found-grid .cell').length === arguments[0]", before)


def test_candidates_are_taken_moved_and_set_aside(ann: PageVisitor, pool: ExplorePool) -> None:
    ann.add_class("warm")
    ann.add_class("cold")
    ann.seed(pool.id("red", 0), 1)
    first, second, third, *_ = [one["id"] for one in ann.candidates(3)]
    ann.go("candidates")
    ann.focus(first, "found-grid")
    detail = ann.wait("document.querySelector('.found-words')?.innerText")
    assert "red00.png, a seed of warm" in detail
    assert "similarity" in detail
    ann.keys("a")
    assert ann.store("store.classOf(a[0])", first) == "warm"
    ann.candidates()
    ann.focus(second, "found-grid")
    ann.keys("2")
    assert ann.store("store.classOf(a[0])", second) == "cold"
    ann.candidates()
    ann.focus(third, "found-grid")
    ann.keys("0")
    assert ann.store("[...store.state.setAside]") == [third]
    assert not {first, second, third} & {one["id"] for one in ann.candidates()}
    ann.click(".seeds-aside button")
    ann.wait("document.querySelectorAll('#results-grid .cell').length === 1")


# --------------------------------------------------------------------------- saving


def test_what_is_saved_is_what_the_commands_read(
    ann: PageVisitor,
    pool: ExplorePool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number, (name, color) in enumerate([("warm", "red"), ("cold", "blue")], 1):
        ann.add_class(name)
        ann.seed(pool.id(color, 0), number)
    ann.store("store.setOption('budget', 10)")
    ann.candidates()
    field = ann.browser.find_element("css selector", "#save-name")
    field.clear()
    field.send_keys("a b", ENTER)
    assert not list(pool.saves.iterdir())  # no such name: the field says what may stand there
    field.clear()
    field.send_keys("first", ENTER)
    ann.wait("!document.querySelector('.save-done').hidden")
    assert "10 candidates in first.manifest" in ann.text(".save-done")
    assert "gandt label" in ann.text(".save-next code")

    seeds = find_seeds([str(pool.saves / "first.seeds.csv")])
    expected = {(str(pool.path("red", 0)), "warm"), (str(pool.path("blue", 0)), "cold")}
    assert {(seed.item.uri, seed.label) for seed in seeds} == expected

    def run(*arguments: object) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["gandt", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return dict(json.loads(capsys.readouterr().out))

    monkeypatch.chdir(pool.saves)
    assert run("validate", "first.manifest", "--json")
    chosen = run(
        *("select", "--index", pool.index, "--seeds", "first.seeds.csv", "--budget", 10),
        *("--duplicates", 1, "--out", "again.manifest", "--json"),
    )
    assert chosen["images"] == 10
    assert Path("again.manifest").read_bytes() == Path("first.manifest").read_bytes()


def test_files_of_that_name_are_only_replaced_when_one_says_so(
    ann: PageVisitor, pool: ExplorePool
) -> None:
    ann.add_class("warm")
    ann.seed(pool.id("red", 0), 1)
    ann.store("store.setOption('budget', 4)")
    ann.candidates()
    manifest = pool.saves / "round1.manifest"
    for budget in (4, 3):
        ann.store("store.setOption('budget', a[0])", budget)
        ann.click(".save-form .primary")
        ann.wait("document.querySelector(arguments[0])?.offsetParent",
                 ".save-done" if budget == 4 else ".save .danger")  # fmt: skip
    assert len(manifest.read_text().splitlines()) == 4
    assert "round1" in ann.text(".save .panel-bad")
    ann.click(".save .danger")
    ann.wait("!document.querySelector('.save-done').hidden")
    assert len(manifest.read_text().splitlines()) == 3
    assert any("409" in fault for fault in ann.faults())  # the browser notes it; nothing else


def test_far_from_the_service_one_downloads(browser: PageVisitor, pool: ExplorePool) -> None:
    with ExploreThread(pool.index, embedder=ColorWords()) as service:
        browser.begin(service.links[""])
        browser.add_class("a,b")
        browser.seed(pool.ids["<b>bold.png"], 1)
        browser.candidates()
        assert "does not save" in browser.text(".save")
        assert not browser.browser.find_element("css selector", ".save-form").is_displayed()
        script = IMPORT.format(
            "save.js",
            "import('/static/store.js').then(({ store }) => done(m.seedsCsv(store)));",
        )
        seeds = browser.browser.execute_async_script(script)
        table = pool.folder / "downloaded.csv"
        table.write_text(seeds)
        [seed] = find_seeds([str(table)])
        assert (Path(seed.item.uri).name, seed.label) == ("<b>bold.png", "a,b")


def test_a_service_that_is_gone_is_said_and_asked_again(
    browser: PageVisitor, pool: ExplorePool
) -> None:
    service = ExploreThread(pool.index, embedder=ColorWords())
    port = service.port
    browser.begin(service.links[""])
    browser.add_class("warm")
    browser.seed(pool.id("red", 0), 1)
    before = browser.candidates()
    service.stop()
    browser.store("store.addSeed('warm', { id: a[0] })", pool.id("red", 1))
    assert "cannot be reached" in browser.wait(
        "document.querySelector('.candidates .panel-bad [role=alert]')?.textContent"
    )
    assert browser.store("store.state.selection")["candidates"] == before  # still to be seen
    with ExploreThread(pool.index, embedder=ColorWords(), port=port):
        browser.click(".candidates .panel-bad button")
        browser.quiet()
        after = {one["id"] for one in browser.candidates()}
        assert pool.id("red", 1) not in after
        assert not browser.browser.find_element(
            "css selector", ".candidates .panel-bad"
        ).is_displayed()
    browser.faults()
