"""What holds for every worker page: values stay text, nobody is shut out, nothing is lost."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gandt.labeling.templates import PAGES, read_stand_in

pytestmark = pytest.mark.browser

ATTACKS = [
    "</script><script>window.hacked = 1</script>",
    "{{ 7 | times: 6 }}{% assign x = 1 %}",
    "\"><img src=x onerror='window.hacked = 1'>",
    "' onclick='window.hacked = 1",
    "&lt;b&gt; &amp; ${window.hacked = 1} `",
    "שלום \u202e evil",
    "🎂 👩‍🔬 \u2028 end",
    "__proto__",
    "a" * 200,
]
QUESTION = ATTACKS[0] + " " + "w" * 150
SHORT = ["cat", "dog", "None of these two"]


def line(name: str, pictures: list[str], labels: list[str]) -> dict[str, object]:
    """A manifest's line for a page, its labels in it and every word in it an attack."""
    words = {
        "question": QUESTION,
        "instructions": ATTACKS[2],
        "positive_examples": [{"source-ref": pictures[0], "label": ATTACKS[2]}, pictures[1]],
        "negative_examples": [pictures[2]],
    }
    if name == "tiles":
        tiles: list[dict[str, object]] = [
            {"source-ref": pictures[0], "index": 0, "event_names": labels},
            {"source-ref": pictures[1] + '"><script>window.hacked = 1</script>', "index": 7},
        ]
        tiles[0]["other_category_label"] = "None \"of' </script>"
        tiles[0]["positive_examples"] = [pictures[0], 'x" onerror="window.hacked = 1']
        return {"source": json.dumps(tiles), "question": QUESTION, "instructions": ATTACKS[2]}
    if "text" in name:
        return {"source": " ".join(ATTACKS), "labels": labels, **words}
    return {"source-ref": pictures[0], "labels": labels, **words}


def plain(name: str, pictures: list[str]) -> dict[str, object]:
    if name == "tiles":
        tiles = [{"source-ref": p, "index": i} for i, p in enumerate(pictures)]
        return {"source": json.dumps([{**tiles[0], "event_names": SHORT}, *tiles[1:]])}
    if "text" in name:
        return {"source": "A few words to read, and a few more."}
    return {"source-ref": pictures[0]}


def shown_labels(desk: Any) -> list[str]:
    selector = ".gt-tile:first-child .gt-chip .gt-name, .gt-choice .gt-name"
    return [node.get_attribute("textContent") for node in desk.all(selector)]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("pre_annotation", [True, False])
def test_whatever_a_value_holds_it_stays_text(
    desk: Any, pictures: list[str], name: str, pre_annotation: bool
) -> None:
    record = line(name, pictures, ATTACKS)
    if name == "tiles" and not pre_annotation:
        record["tiles"] = json.loads(str(record["source"]))
    desk.open(name, record, pre_annotation=pre_annotation)
    assert shown_labels(desk)[: len(ATTACKS)] == ATTACKS
    assert desk.find("h1").get_attribute("textContent") == QUESTION
    assert ATTACKS[2] in desk.find("#gt-guide-body").get_attribute("textContent")
    assert desk.js("return window.hacked") is None


@pytest.mark.parametrize("name", PAGES)
def test_labels_can_be_baked_in_whatever_they_hold(
    desk: Any, pictures: list[str], name: str
) -> None:
    record = plain(name, pictures)
    if name == "tiles":
        record = {"source": str(record["source"]).replace("event_names", "unused")}
    baked = {"labels": ATTACKS, "question": ATTACKS[1], "instructions": ATTACKS[0]}
    desk.open(name, record, baked=baked, pre_annotation=name == "tiles")
    assert shown_labels(desk)[: len(ATTACKS)] == ATTACKS
    assert desk.find("h1").get_attribute("textContent") == ATTACKS[1]
    assert desk.js("return window.hacked") is None


def test_an_attack_that_is_a_label_comes_back_as_it_was(
    desk: Any, pictures: list[str], read: Any
) -> None:
    for number, attack in enumerate(ATTACKS, start=1):
        desk.open("image-classification", {"source-ref": pictures[0], "labels": ATTACKS})
        desk.keys(str(number), desk.ENTER)
        answers = read({"source-ref": pictures[0]}, desk.answer, classes=ATTACKS)
        assert list(answers.label) == [attack]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [320, 768, 3840])
def test_no_page_scrolls_sideways(desk: Any, pictures: list[str], name: str, width: int) -> None:
    desk.size(width, 640)
    desk.open(name, line(name, pictures, [*ATTACKS, *SHORT]))
    desk.js("document.getElementById('gt-guide').open = true")
    desk.keys("9")
    over = "const d = document.documentElement; return d.scrollWidth - d.clientWidth"
    assert desk.js(over) == 0
    desk.click("#gt-report")
    assert desk.js(over) == 0
    box = desk.js("return document.querySelector('dialog[open]').getBoundingClientRect().toJSON()")
    assert box["left"] >= 0
    assert box["right"] <= width


@pytest.mark.parametrize("dark", [False, True])
def test_a_button_that_does_nothing_yet_looks_like_it(
    desk: Any, pictures: list[str], dark: bool
) -> None:
    """No reason is chosen, so there is nothing to send."""
    desk.dark(dark)
    desk.open("image-classification", line("image-classification", pictures, SHORT))
    desk.click("#gt-report")

    def color() -> str:
        return str(desk.js("return getComputedStyle(arguments[0]).backgroundColor", send))

    send = desk.find("#gt-send-problem")
    assert not send.is_enabled()
    idle = color()
    desk.click("input[name='gt-reason']")
    assert send.is_enabled()
    assert color() != idle


PROBES = Path(__file__).parent
UNNAMED = (PROBES / "unnamed.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_every_control_has_a_name(desk: Any, pictures: list[str], name: str) -> None:
    desk.open(name, {**plain(name, pictures), "positive_examples": pictures[:2]}, labels=SHORT)
    if name == "bounding-box":
        desk.wait("document.querySelector('.gt-stage img')")
        desk.keys(desk.SPACE, "1")
    elif name == "text-spans":
        desk.keys(desk.RIGHT, "1")
    assert desk.js(UNNAMED) == []


@pytest.mark.parametrize("name", PAGES)
def test_tab_reaches_what_can_be_pressed_and_shows_where_it_is(
    desk: Any, pictures: list[str], name: str
) -> None:
    desk.open(name, plain(name, pictures), labels=SHORT)
    seen = []
    for _ in range(20):
        desk.keys(desk.TAB)
        found = desk.js(
            "const n = document.activeElement, s = getComputedStyle(n);"
            "return [n.id || n.className || n.tagName, s.outlineStyle + ' ' + s.outlineWidth]"
        )
        if found[0] == "BODY":
            break
        seen.append(found)
    assert "gt-submit" in [where for where, _ in seen]
    assert "gt-report" in [where for where, _ in seen]
    assert all(outline.startswith("solid") and not outline.endswith(" 0px") for _, outline in seen)


CONTRAST = (PROBES / "contrast.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_and_borders_stand_out(desk: Any, pictures: list[str], name: str, dark: bool) -> None:
    desk.dark(dark)
    record = {**plain(name, pictures), "instructions": "Look closely."}
    record |= {"positive_examples": pictures[:1], "negative_examples": pictures[1:2]}
    desk.open(name, record, labels=SHORT)
    desk.click("#gt-submit")
    assert desk.alert
    if name == "bounding-box":
        desk.wait("document.querySelector('.gt-stage img')")
        desk.keys(desk.SPACE)
    elif name == "text-spans":
        for number in "123":
            desk.keys(desk.RIGHT, desk.RIGHT, number)
    desk.keys("1")
    assert desk.js(CONTRAST) == []
    desk.click("#gt-report")
    assert desk.js(CONTRAST) == []


def test_the_keys_are_listed(desk: Any, pictures: list[str]) -> None:
    desk.open("tiles", plain("tiles", pictures))
    desk.keys("?")
    assert "Backspace" in desk.find("dialog[open]").text
    desk.keys(desk.ESCAPE)
    assert desk.all("dialog[open]") == []


class _Sink(http.server.BaseHTTPRequestHandler):
    """A desk that keeps what it is sent, and refuses while it is told to."""

    received: list[tuple[str, dict[str, Any]]]
    refuse = 0
    policy = ""
    folder: Path

    def do_GET(self) -> None:
        file = self.folder / self.path.lstrip("/")
        if file.is_file():
            self._reply(200, "text/html", file.read_bytes())
        else:
            self._reply(204, "text/plain", b"")  # the browser's own wish for an icon

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind = type(self)
        if kind.refuse:
            kind.refuse -= 1
            self._reply(503, "text/plain", b"")
            return
        kind.received.append((self.headers["Content-Type"], body))
        self._reply(200, "application/json", b'{"next": 2}')

    def _reply(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.policy:
            self.send_header("Content-Security-Policy", self.policy)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[tuple[str, type[_Sink]]]:
    kind = type("Sink", (_Sink,), {"received": [], "folder": tmp_path})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", kind
    server.shutdown()
    thread.join(120)
    server.server_close()


def test_the_stand_in_posts_an_answer_once(desk: Any, sink: tuple[str, type[_Sink]]) -> None:
    address, kind = sink
    desk.open(
        "text-classification",
        {"source": "x"},
        labels=SHORT,
        action="/answer?task=1&who=me",
        address=lambda name: f"{address}/{name}",
    )
    desk.js("document.addEventListener('crowd-saved', (e) => { window.saved = e.detail; })")
    desk.keys("1", desk.ENTER, desk.ENTER)
    assert desk.wait("window.saved") == {"next": 2}
    desk.keys(desk.ENTER)
    answer = {"category": '{"label":"cat"}', "problem": ""}
    assert kind.received == [("application/json", {"answerContent": answer})]


def test_an_answer_that_was_not_saved_can_be_sent_again(
    desk: Any, sink: tuple[str, type[_Sink]]
) -> None:
    address, kind = sink
    kind.refuse = 1
    desk.open(
        "text-classification",
        {"source": "x"},
        labels=SHORT,
        action="/answer",
        address=lambda name: f"{address}/{name}",
    )
    desk.keys("1", desk.ENTER)
    said = desk.wait("(document.getElementById('crowd-stand-in') || {}).textContent")
    assert said == "The answer was not saved (503). Submit it again."
    desk.js("document.addEventListener('crowd-saved', (e) => { window.saved = e.detail; })")
    desk.keys(desk.ENTER)
    assert desk.wait("window.saved")
    assert len(kind.received) == 1
    assert [message for message in desk.errors() if "503" not in message] == []


def test_plain_fields_become_what_ground_truth_makes_of_them(desk: Any, tmp_path: Path) -> None:
    page = tmp_path / "plain.html"
    page.write_text(
        f"<!DOCTYPE html><meta charset=utf-8><script>{read_stand_in()}</script><crowd-form>"
        "<input type=radio name=quality value=1><input type=radio name=quality value=3 checked>"
        "<input type=checkbox name=seen checked><input type=checkbox name=bad value=dark>"
        "<textarea name=note>é 🎂</textarea><input value=lost><input name=off value=x disabled>"
        "<input type=hidden name=h value='[]'><select name=s><option>a</select></crowd-form>",
        encoding="utf-8",
    )
    desk.driver.get(page.as_uri())
    desk.js("addEventListener('crowd-answer', (e) => { window.sent = [e.detail]; })")
    desk.click("crowd-button")  # the form adds one where there is none
    assert desk.answer == {
        "quality": {"1": False, "3": True},
        "seen": {"on": True},
        "bad": {"dark": False},
        "note": "é 🎂",
        "h": "[]",
        "s": "a",
    }
    assert "Preview" in desk.find("#crowd-stand-in").text


@pytest.mark.parametrize("name", PAGES)
def test_a_strict_content_security_policy_is_kept(
    desk: Any, sink: tuple[str, type[_Sink]], pictures: list[str], name: str
) -> None:
    """As the local page serves it: no script or style but those with the nonce."""
    address, kind = sink
    kind.policy = (
        "default-src 'none'; script-src 'nonce-r4nd0m'; style-src 'nonce-r4nd0m'; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )
    pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
    record = plain(name, [pixel])
    desk.open(
        name,
        record,
        labels=SHORT,
        action="/answer",
        nonce="r4nd0m",
        address=lambda file: f"{address}/{file}",
    )
    if name == "bounding-box":
        desk.wait("document.querySelector('.gt-stage img')")
        desk.keys(desk.SPACE)
    elif name == "text-spans":
        desk.keys(desk.RIGHT)
    desk.keys("1", desk.ENTER)
    desk.wait("window.sent.length")
    assert len(desk.answers) == 1
