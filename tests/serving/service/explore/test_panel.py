"""Seeds, live candidates and saving, in a real Chromium on a real service."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from desk_browser import ENTER
from explore_browser import EVIL, IMPORT, PageVisitor
from explore_pool import ColorWords, ExplorePool, shade
from explore_program import ExploreThread

from gandt.cli.main import main
from gandt.selection.seeds import find_seeds

pytestmark = pytest.mark.browser

DELETE, ESCAPE, RIGHT, BACKWARDS = "\ue017", "\ue00c", "\ue014", "\ue003"


def classes_of(found: list[dict[str, Any]]) -> dict[str, int]:
    names = [one["class"] for one in found]
    return {name: names.count(name) for name in sorted(set(names))}


# --------------------------------------------------------------------------- seeds and candidates


def test_seeds_are_picked_by_keys_and_candidates_follow(
    artist: PageVisitor, gallery: ExplorePool
) -> None:
    artist.add_class("warm")
    artist.seed(gallery.id("red", 0), 1)
    found = artist.candidates()
    assert {one["class"] for one in found} == {"warm"}
    assert "red" in found[0]["uri"]
    assert f"{len(found)} images in" in artist.text(".candidates-state")

    artist.add_class("cold")
    artist.seed(gallery.id("blue", 3), 2)
    best = {one["class"]: one["uri"] for one in reversed(artist.candidates())}
    assert "red" in best["warm"]
    assert "blue" in best["cold"]
    assert [row.split("\n")[1] for row in artist.js(
        "return [...document.querySelectorAll('.candidates-row')].map((row) => row.innerText)"
    )] == ["warm", "cold"]  # fmt: skip
    artist.go("candidates")
    assert [row.split("\n")[-2] for row in artist.js(
        "return [...document.querySelectorAll('.found-chips button')].map((one) => one.innerText)"
    )] == ["All", "warm", "cold"]  # fmt: skip
    first = "document.querySelector('.found-grid .cell')?.cell.image?.class"
    assert artist.wait(first) == "warm"  # in the order of the panel, not of the alphabet


def test_many_changes_at_once_are_one_question(artist: PageVisitor, gallery: ExplorePool) -> None:
    asked = "performance.getEntriesByType('resource').filter((e) => e.name.endsWith('select'))"
    artist.add_class("warm")
    for number in range(4):
        artist.store("store.addSeed('warm', { id: a[0] })", gallery.id("red", number))
    found = artist.candidates()
    assert artist.js(f"return {asked}.length") == 1
    artist.store("store.setActive('warm')")  # changes nothing that was asked
    artist.store("store.setView('candidates')")
    artist.quiet()
    assert artist.js(f"return {asked}.length") == 1
    assert not {one["id"] for one in found} & {gallery.id("red", number) for number in range(4)}


def test_seeds_are_removed_by_click_or_key_and_come_back(
    artist: PageVisitor, gallery: ExplorePool
) -> None:
    artist.add_class("warm")
    for number in range(3):
        artist.seed(gallery.id("red", number), 1)
    artist.wait("document.querySelectorAll('.seed-tile').length === 3")
    artist.click(".seed-tile")  # the newest is the first
    ids = "store.state.classes[0].seeds.map((seed) => seed.ref.id)"
    assert artist.store(ids) == [gallery.id("red", 0), gallery.id("red", 1)]
    artist.wait("document.activeElement.classList.contains('seed-tile')")
    artist.keys(RIGHT, DELETE)
    assert artist.store(ids) == [gallery.id("red", 1)]
    artist.keys(DELETE)
    assert artist.store(ids) == []
    assert artist.js("return document.activeElement.textContent") == "warm"
    artist.click("#undo")
    artist.click("#undo")
    assert artist.store(ids) == [gallery.id("red", 0), gallery.id("red", 1)]
    assert "became" not in artist.js("return document.querySelector('#undo').title")


def test_a_class_is_renamed_and_removed_and_both_can_be_undone(
    artist: PageVisitor, gallery: ExplorePool
) -> None:
    artist.add_class("warm")
    artist.add_class("cold")
    artist.seed(gallery.id("red", 0), 1)
    artist.store("store.setOption('quotas', { warm: 4 })")
    artist.click("[aria-label='Rename warm']")
    artist.wait("document.activeElement.value === 'warm'")
    artist.keys("cold", ENTER)
    assert "already" in artist.wait(
        "document.querySelector('.class-rename .panel-bad').textContent"
    )
    artist.js("document.activeElement.select()")
    artist.keys(EVIL, ENTER)
    artist.wait("document.querySelector('.class-name').textContent === arguments[0]", EVIL)
    assert artist.store("store.state.options.quotas[a[0]]", EVIL) == 4
    assert artist.candidates(4)[0]["class"] == EVIL
    artist.click("[aria-label^='Remove the class <img']")
    assert artist.store("store.state.classes.map((one) => one.name)") == ["cold"]
    artist.click("#toast .toast-action")
    assert artist.store("store.state.classes.map((one) => one.name)") == [EVIL, "cold"]
    artist.click("[aria-label='Rename cold']")
    artist.wait("document.activeElement.value === 'cold'")
    artist.keys("x", ESCAPE)
    assert artist.store("store.state.classes[1].name") == "cold"
    assert artist.js("return document.activeElement.textContent") == "cold"


def test_the_contrast_class_says_what_it_is(artist: PageVisitor, gallery: ExplorePool) -> None:
    artist.click(".seeds-other")
    assert "not wanted" in artist.text(".class-about")
    artist.seed(gallery.id("blue", 0), 1)
    assert "nothing to look for" in artist.text(".panel-hint")
    artist.quiet()
    assert artist.store("store.state.selection") is None
    artist.add_class("warm")
    artist.seed(gallery.id("red", 0), 2)
    assert classes_of(artist.candidates()).keys() == {"warm"}


def test_a_dropped_file_becomes_a_seed(artist: PageVisitor) -> None:
    artist.add_class("warm")
    artist.js(
        "const canvas = document.createElement('canvas'); canvas.width = canvas.height = 40;"
        "const pen = canvas.getContext('2d'); pen.fillStyle = '#c82828';"
        "pen.fillRect(0, 0, 40, 40); canvas.toBlob((blob) => {"
        "const dataTransfer = new DataTransfer(), card = document.querySelector('.class-card');"
        "dataTransfer.items.add(new File([blob], arguments[0], { type: 'image/png' }));"
        "for (const kind of ['dragenter', 'dragover', 'drop']) card.dispatchEvent("
        "new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer })); });",
        f"{EVIL}.png",
    )  # fmt: skip
    artist.wait("document.querySelector('.seed-tile img')?.naturalWidth > 0")
    assert artist.js("return document.getElementById('drop').hidden")
    assert artist.store("store.state.view") == "pool"  # it was no search
    found = artist.candidates()
    assert "upload" in found[0]["seed"]
    assert EVIL in artist.js(
        "return document.querySelector('.seed-tile').getAttribute('aria-label')"
    )


def test_all_of_it_is_there_after_a_reload(artist: PageVisitor, gallery: ExplorePool) -> None:
    artist.add_class("warm")
    artist.seed(gallery.id("red", 0), 1)
    artist.store("store.setAside(a[0])", gallery.id("red", 1))
    artist.store("store.setOption('budget', 7)")
    artist.candidates()
    artist.view("candidates")
    found = artist.candidates()
    assert len(found) == 7
    assert gallery.id("red", 1) not in {one["id"] for one in found}
    assert artist.text(".class-count") == "1"
    assert "1 image set aside" in artist.text(".seeds-aside")


# --------------------------------------------------------------------------- what comes, and how


def test_quotas_are_respected(artist: PageVisitor, gallery: ExplorePool) -> None:
    for number, (name, color) in enumerate([("warm", "red"), ("cold", "blue")], 1):
        artist.add_class(name)
        artist.seed(gallery.id(color, 0), number)
    artist.candidates()
    artist.click(".options summary")
    artist.js(
        "const how = document.querySelector('.option-row select'); how.value = 'quotas';"
        "how.dispatchEvent(new Event('change', { bubbles: true }))"
    )
    for name, count in (("warm", "3"), ("cold", "9")):
        field = artist.browser.find_element("css selector", f"[data-quota='{name}']")
        field.send_keys(4 * BACKWARDS, count)
    assert classes_of(artist.candidates()) == {"cold": 9, "warm": 3}
    assert "12 by class" in artist.text(".options-line")
    field.send_keys(4 * BACKWARDS)
    assert classes_of(artist.candidates()) == {"warm": 3}
    artist.add_class("green")
    artist.seed(gallery.id("green", 0), 3)
    assert classes_of(artist.candidates()) == {"green": 3, "warm": 3}  # as many as the others
    artist.browser.find_element("css selector", "[data-quota='warm']").send_keys(
        4 * BACKWARDS, "9999"
    )
    assert "are the most" in artist.text(".options-quotas")


def test_options_say_in_words_what_they_do(artist: PageVisitor, gallery: ExplorePool) -> None:
    artist.add_class("warm")
    artist.seed(gallery.id("red", 0), 1)
    artist.click(".options summary")
    artist.js(
        "for (const [id, value] of [['option-strategy', 'nearest'], ['option-explore', 0.5],"
        "['option-least', 0.2]]) { const field = document.getElementById(id); field.value = value;"
        "for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, "
        "{ bubbles: true })); }"
    )
    assert "Highest cosine" in artist.text("#option-strategy-about")
    assert "50 %" in artist.js(
        "return document.getElementById('option-explore').getAttribute('aria-valuetext')"
    )
    assert {one["why"] for one in artist.candidates()} == {"nearest", "explore"}
    assert "nearest · 50 % at random · ≥ 0.2" in artist.text(".options-line")


def test_copies_are_set_aside_and_shown_on_demand(
    artist: PageVisitor, gallery: ExplorePool
) -> None:
    artist.add_class("warm")
    artist.seed(gallery.id("red", 0), 1)
    [one] = [one for one in artist.candidates() if len(one["duplicates"]) >= 2]
    artist.go("candidates")
    artist.focus(one["id"], "found-grid")
    count = "document.querySelector('.found-grid').ariaRowCount && document.querySelectorAll"
    before = artist.js(f"return {count}('.found-grid .cell').length")
    artist.keys("d")
    artist.wait(
        f"{count}('.found-grid .cell').length === arguments[0]", before + len(one["duplicates"])
    )
    copies = artist.js(
        "return [...document.querySelectorAll('.found-grid .cell')].filter((node) => node.cell"
        ".image.copyOf).map((node) => node.getAttribute('aria-label'))"
    )
    assert len(copies) == len(one["duplicates"])
    assert all("near-copy of" in label for label in copies)
    artist.wait("document.activeElement.cell?.image.id === arguments[0]", one["id"])
    artist.keys("d")
    artist.wait(f"{count}('.found-grid .cell').length === arguments[0]", before)


def test_candidates_are_taken_moved_and_set_aside(
    artist: PageVisitor, gallery: ExplorePool
) -> None:
    artist.add_class("warm")
    artist.add_class("cold")
    artist.seed(gallery.id("red", 0), 1)
    first, second, third, *_ = [one["id"] for one in artist.candidates(3)]
    artist.go("candidates")
    artist.focus(first, "found-grid")
    detail = artist.wait("document.querySelector('.found-words')?.innerText")
    assert "red00.png, a seed of warm" in detail
    assert "similarity" in detail
    artist.keys("a")
    assert artist.store("store.classOf(a[0])", first) == "warm"
    artist.candidates()
    artist.focus(second, "found-grid")
    artist.keys("2")
    assert artist.store("store.classOf(a[0])", second) == "cold"
    artist.candidates()
    artist.focus(third, "found-grid")
    artist.keys("0")
    assert artist.store("[...store.state.setAside]") == [third]
    assert not {first, second, third} & {one["id"] for one in artist.candidates()}
    artist.click(".seeds-aside button")
    artist.wait("document.querySelectorAll('#results-grid .cell').length === 1")


def test_options_and_the_names_in_quotas_are_undone_as_well(
    artist: PageVisitor, gallery: ExplorePool
) -> None:
    artist.add_class("warm")
    artist.seed(gallery.id("red", 0), 1)
    artist.store("store.setOption('quotas', { warm: 4 })")
    artist.store("store.renameClass('warm', 'hot')")
    assert artist.store("store.state.options.quotas") == {"hot": 4}
    artist.click(".options summary")
    artist.js("document.getElementById('option-diversity').focus()")
    for _ in range(3):
        artist.keys(RIGHT)
    assert artist.store("store.state.options.diversity") == pytest.approx(0.3)
    artist.keys("u")  # all of the drawing is one step, and the slider shows it
    assert artist.js("return document.getElementById('option-diversity').value") == "0"
    assert "variety was changed" in artist.text("#toast")
    artist.keys("u")
    assert artist.store("store.state.options.quotas") == {"warm": 4}
    artist.keys("u")
    assert artist.store("store.state.options.quotas") is None
    assert artist.store("store.classOf(a[0])", gallery.id("red", 0)) == "warm"
    artist.quiet()


def test_who_never_was_here_is_told_what_to_do_first(
    artist: PageVisitor, gallery: ExplorePool
) -> None:
    artist.click("#pool-guide button")
    artist.wait("document.activeElement.matches('.class-new input')")
    artist.keys("warm", ENTER)
    artist.wait("document.getElementById('pool-guide').innerText.startsWith('Press 1 on an image')")
    artist.seed(gallery.id("red", 0), 1)
    artist.wait("document.getElementById('pool-guide').hidden")
    artist.quiet()


def test_seeds_from_outside_of_the_pool_are_seen(
    somebody: PageVisitor, gallery: ExplorePool, tmp_path: Path
) -> None:
    shade(tmp_path / "seeds" / "warm" / "mine & yours.png", "red", 77)
    with ExploreThread(
        gallery.index, embedder=ColorWords(), seeds=[str(tmp_path / "seeds")]
    ) as service:
        somebody.begin(service.links[""])
        somebody.wait("document.querySelector('.seed-tile img')?.naturalWidth === 40")
        somebody.candidates()
        somebody.go("candidates")
        somebody.focus(somebody.candidates()[0]["id"], "found-grid")
        words = somebody.wait("document.querySelector('.found-words')?.innerText")
        assert "mine & yours.png, a seed of warm" in words
        somebody.wait("document.querySelector('.found-pair.seedlike')?.naturalWidth === 40")
        somebody.open("about:blank")
    assert somebody.faults() == []


def test_images_that_left_the_pool_are_listed_as_such(
    artist: PageVisitor, gallery: ExplorePool
) -> None:
    ids = [gallery.id("red", 1), gallery.gone, gallery.id("blue", 1)]
    artist.store("store.setView('results', { ids: a[0], name: 'three' })", ids)
    label = "document.querySelectorAll('#results-grid .cell')[1]?.ariaLabel"
    assert "which left the pool" in artist.wait(f"{label}?.includes('left') && {label}")
    assert artist.js(
        "return document.querySelectorAll('#results-grid .cell')[2].ariaLabel"
    ).startswith("blue01.png")
    artist.open("about:blank")  # which ends what is still asked for
    # The browser itself notes each reply of 4xx: of the record, and of the picture.
    assert all("404" in fault for fault in artist.faults())


# --------------------------------------------------------------------------- saving


def test_what_is_saved_is_what_the_commands_read(
    artist: PageVisitor,
    gallery: ExplorePool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number, (name, color) in enumerate([("warm", "red"), ("cold", "blue")], 1):
        artist.add_class(name)
        artist.seed(gallery.id(color, 0), number)
    artist.store("store.setOption('budget', 10)")
    artist.candidates()
    field = artist.browser.find_element("css selector", "#save-name")
    field.clear()
    field.send_keys("a b", ENTER)
    assert not list(gallery.saves.iterdir())  # no such name: the field says what may stand there
    field.clear()
    field.send_keys("first", ENTER)
    artist.wait("!document.querySelector('.save-done').hidden")
    assert "10 candidates in first.manifest" in artist.text(".save-done")
    assert "gandt label" in artist.text(".save-next code")

    seeds = find_seeds([str(gallery.saves / "first.seeds.csv")])
    expected = {(str(gallery.path("red", 0)), "warm"), (str(gallery.path("blue", 0)), "cold")}
    assert {(seed.item.uri, seed.label) for seed in seeds} == expected

    def run(*arguments: object) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["gandt", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return dict(json.loads(capsys.readouterr().out))

    monkeypatch.chdir(gallery.saves)
    assert run("validate", "first.manifest", "--json")
    chosen = run(
        *("select", "--index", gallery.index, "--seeds", "first.seeds.csv", "--budget", 10),
        *("--duplicates", 1, "--out", "again.manifest", "--json"),
    )
    assert chosen["images"] == 10
    assert Path("again.manifest").read_bytes() == Path("first.manifest").read_bytes()


def test_files_of_that_name_are_only_replaced_when_one_says_so(
    artist: PageVisitor, gallery: ExplorePool
) -> None:
    artist.add_class("warm")
    artist.seed(gallery.id("red", 0), 1)
    artist.store("store.setOption('budget', 4)")
    artist.candidates()
    manifest = gallery.saves / "round1.manifest"
    for budget in (4, 3):
        artist.store("store.setOption('budget', a[0])", budget)
        artist.click(".save-form .primary")
        artist.wait("document.querySelector(arguments[0])?.offsetParent",
                 ".save-done" if budget == 4 else ".save .danger")  # fmt: skip
    assert len(manifest.read_text().splitlines()) == 4
    assert "round1" in artist.text(".save .panel-bad")
    artist.click(".save .danger")
    artist.wait("!document.querySelector('.save-done').hidden")
    assert len(manifest.read_text().splitlines()) == 3
    assert any("409" in fault for fault in artist.faults())  # the browser notes it; nothing else


def test_far_from_the_service_one_downloads(somebody: PageVisitor, gallery: ExplorePool) -> None:
    with ExploreThread(gallery.index, embedder=ColorWords()) as service:
        somebody.begin(service.links[""])
        somebody.add_class("a,b")
        somebody.seed(gallery.ids["<b>bold.png"], 1)
        somebody.candidates()
        assert "does not save" in somebody.text(".save")
        assert not somebody.browser.find_element("css selector", ".save-form").is_displayed()
        script = IMPORT.format(
            "save.js",
            "import('/static/store.js').then(({ store }) => done(m.seedsCsv(store)));",
        )
        seeds = somebody.browser.execute_async_script(script)
        table = gallery.folder / "downloaded.csv"
        table.write_text(seeds)
        [seed] = find_seeds([str(table)])
        assert (Path(seed.item.uri).name, seed.label) == ("<b>bold.png", "a,b")


def test_a_service_that_is_gone_is_said_and_asked_again(
    somebody: PageVisitor, gallery: ExplorePool
) -> None:
    service = ExploreThread(gallery.index, embedder=ColorWords())
    port = service.port
    somebody.begin(service.links[""])
    somebody.add_class("warm")
    somebody.seed(gallery.id("red", 0), 1)
    before = somebody.candidates()
    service.stop()
    somebody.store("store.addSeed('warm', { id: a[0] })", gallery.id("red", 1))
    assert "cannot be reached" in somebody.wait(
        "document.querySelector('.candidates .panel-bad [role=alert]')?.textContent"
    )
    assert somebody.store("store.state.selection")["candidates"] == before  # still to be seen
    with ExploreThread(gallery.index, embedder=ColorWords(), port=port):
        somebody.click(".candidates .panel-bad button")
        somebody.quiet()
        after = {one["id"] for one in somebody.candidates()}
        assert gallery.id("red", 1) not in after
        assert not somebody.browser.find_element(
            "css selector", ".candidates .panel-bad"
        ).is_displayed()
    somebody.faults()
