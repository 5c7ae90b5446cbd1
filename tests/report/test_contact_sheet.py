"""The contact sheet shows every seed and candidate, and needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gandt.errors import StorageError
from gandt.report.contact_sheet import ContactSheetSummary, write_contact_sheet
from gandt.types import Candidate, SeedSet, Selection

HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{x}}&amp;\x00\udcff"


class Page(HTMLParser):
    """The elements of a page with their attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of_class(self, name: str) -> list[dict[str, str | None]]:
        return [a for _, a in self.elements if name in (a.get("class") or "").split()]

    @property
    def images(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == "img"]

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def color_of(uri: str) -> tuple[int, int, int]:
    red, green, blue = hashlib.sha256(uri.encode("utf-8", "replace")).digest()[:3]
    return red, green, blue


def read_image(uri: str) -> bytes:
    if "missing" in uri:
        raise StorageError(f"There is no file {uri}: check the name.")
    if "gone" in uri:
        raise KeyError(uri)
    if "broken" in uri:
        return b"not an image"
    stream = io.BytesIO()
    Image.new("RGB", (200, 120), color_of(uri)).save(stream, "PNG")
    return stream.getvalue()


def seed_set(**uris: tuple[str, ...]) -> SeedSet:
    names = tuple(sorted(uris))
    vectors = tuple(np.zeros((len(uris[name]), 2), np.float32) for name in names)
    other = "Other" if "Other" in uris else None
    return SeedSet(names, tuple(uris[name] for name in names), vectors, other)


SEEDS = seed_set(cat=("/s/c1.jpg", "/s/c2.jpg"), dog=("a happy dog",), Other=("/s/o.jpg",))
PICKS = (
    Candidate("/p/a.jpg", "cat", 1, 0.9, 0.8, "/s/c2.jpg", "auto", ("/p/a2.jpg", "/p/a3.jpg")),
    Candidate("/p/b.jpg", "cat", 2, 0.7, 0.7, "/s/c1.jpg", "auto"),
    Candidate("/p/c.jpg", "cat", 3, float("nan"), 0.1, "/s/c1.jpg", "explore"),
    Candidate("s3://bucket/d e.jpg", "dog", 1, 0.5, 0.3, "a happy dog", "auto"),
)
SELECTION = Selection(PICKS, ("cat", "dog"), "auto", ("Dog ran out early.",))

Write = Callable[..., tuple[Page, str, ContactSheetSummary]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def run(
        selection: Selection = SELECTION, seeds: SeedSet = SEEDS, title: str = "Round 1"
    ) -> tuple[Page, str, ContactSheetSummary]:
        summary = write_contact_sheet(
            tmp_path / "sheet.html",
            selection,
            seeds,
            read_image=read_image,
            title=title,
            facts=[("Pool", "1,020 images"), ("Model", "efficientnet-lite0")],
        )
        html = (tmp_path / "sheet.html").read_bytes().decode()
        return Page(html), html, summary

    return run


class TestContent:
    def test_every_seed_and_candidate_is_shown(self, write: Write) -> None:
        page, html, summary = write()
        assert [image["alt"] for image in page.images] == [
            "seed 1: c1.jpg",
            "seed 2: c2.jpg",
            "a.jpg",
            "b.jpg",
            "c.jpg",
            "d e.jpg",
            "seed 1: o.jpg",
        ]
        assert summary.images == 7
        assert summary.unreadable == ()
        assert summary.size == len(html.encode())

    def test_each_picture_is_that_of_its_uri(self, write: Write) -> None:
        page, _, _ = write()
        for image, uri in zip(page.images[2:6], (pick.uri for pick in PICKS), strict=True):
            data = base64.b64decode(str(image["src"]).removeprefix("data:image/jpeg;base64,"))
            small = Image.open(io.BytesIO(data))
            assert small.size == (int(str(image["width"])), int(str(image["height"]))) == (160, 96)
            shown = small.getpixel((80, 48))
            assert np.abs(np.subtract(shown, color_of(uri))).max() < 6

    def test_title_facts_and_notes_stand_at_the_top(self, write: Write) -> None:
        page, _, _ = write()
        for words in ("Round 1", "1,020 images", "efficientnet-lite0", "Dog ran out early."):
            assert words in page.text.partition("3 candidates")[0]

    def test_a_candidate_shows_rank_score_similarity_and_name(self, write: Write) -> None:
        page, _, _ = write()
        assert "0.900sim 0.800a.jpg+ 2 near-copies/p/a2.jpg/p/a3.jpg" in page.text
        assert "\N{EN DASH}sim 0.100c.jpg" in page.text
        assert [a["title"] for a in page.of_class("name") if a.get("title")] == [
            pick.uri for pick in PICKS
        ]

    def test_images_drawn_at_random_are_marked(self, write: Write) -> None:
        page, _, _ = write()
        assert len(page.of_class("badged")) == len(page.of_class("badge")) == 1
        assert "1 of them at random, to explore" in page.text

    def test_a_candidate_leads_to_the_seed_it_resembles(self, write: Write) -> None:
        page, html, _ = write()
        (first, *_) = page.of_class("like")
        target = str(first["href"]).removeprefix("#")
        assert "seed 2: c2.jpg" in str(first["title"])
        (seed,) = [a for _, a in page.elements if a.get("id") == target]
        assert seed["title"] == "/s/c2.jpg"
        assert f".{target} {{ background-image: url(" in html

    def test_a_seed_that_is_a_text_is_shown_as_text(self, write: Write) -> None:
        page, _, _ = write()
        assert len(page.of_class("text")) == 1
        assert page.text.count("a happy dog") == 2  # among the seeds, and with its candidate

    def test_the_contrast_class_is_shown_and_not_asked_for(self, write: Write) -> None:
        page, _, _ = write()
        assert "Othercontrast: what is not wanted1 seed" in page.text.replace(" 1 seed", "1 seed")

    def test_a_class_without_candidates_says_so(self, write: Write) -> None:
        page, _, _ = write(Selection((), ("cat",), "auto"))
        assert "No image of the pool was selected for this class." in page.text

    def test_seeds_beyond_a_dozen_are_folded_away(self, write: Write) -> None:
        many = seed_set(cat=tuple(f"/s/{number}.jpg" for number in range(20)))
        page, html, _ = write(Selection((), ("cat",), "auto"), many)
        assert "8 more" in page.text
        assert len(page.images) == 20
        assert html.index("8 more") > html.index("/s/11.jpg")

    def test_the_same_selection_gives_the_same_bytes(self, write: Write) -> None:
        assert write()[1] == write()[1]


class TestBrokenImages:
    def test_a_sentence_stands_in_place_of_each(self, write: Write) -> None:
        picks = tuple(
            Candidate(f"/p/{name}.jpg", "cat", rank, 0.5, 0.5, "/s/missing.jpg", "auto")
            for rank, name in enumerate(("missing", "broken", "gone", "good"), start=1)
        )
        page, _, summary = write(
            Selection(picks, ("cat",), "auto"), seed_set(cat=("/s/missing.jpg",))
        )
        assert dict(summary.unreadable) == {
            "/s/missing.jpg": "There is no file /s/missing.jpg: check the name",
            "/p/missing.jpg": "There is no file /p/missing.jpg: check the name",
            "/p/broken.jpg": "it is not an image of a known format",
            "/p/gone.jpg": "it is no longer where the index found it",
        }
        assert summary.images == len(page.images) == 1
        assert page.text.count("Cannot be shown:") == len(page.of_class("broken")) == 4


class TestSafety:
    def test_hostile_names_stay_text(self, write: Write) -> None:
        pick = Candidate(HOSTILE, HOSTILE, 1, 0.5, 0.5, f"/{HOSTILE}", HOSTILE, (HOSTILE,))
        seeds = SeedSet((HOSTILE,), ((f"/{HOSTILE}", HOSTILE),), (np.zeros((2, 2), np.float32),))
        page, html, _ = write(
            Selection((pick,), (HOSTILE,), HOSTILE, (HOSTILE,)), seeds, title=HOSTILE
        )
        tags = {tag for tag, _ in page.elements}
        assert "script" not in tags
        assert not [key for _, attributes in page.elements for key in attributes if key[:2] == "on"]
        assert all(str(image["src"]).startswith("data:") for image in page.images)
        assert "\x00" not in html
        assert page.text.count("alert(1)</script>") >= 5

    def test_the_page_asks_for_nothing_from_anywhere(self, write: Write) -> None:
        page, html, _ = write()
        assert not re.findall(r"https?://|//[a-z]|@import|file:", html.replace("s3://bucket", ""))
        addresses = [
            value
            for _, attributes in page.elements
            for key, value in attributes.items()
            if key in ("src", "href", "srcset", "action", "data", "poster")
        ]
        assert addresses
        assert all(str(value).startswith(("data:image/jpeg;", "#")) for value in addresses)

    def test_the_policy_allows_this_style_and_nothing_else(self, write: Write) -> None:
        page, html, _ = write()
        (policy,) = [
            str(attributes["content"])
            for tag, attributes in page.elements
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy == (
            f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
            "base-uri 'none'; form-action 'none'"
        )
        assert not [1 for _, attributes in page.elements if "style" in attributes]

    def test_five_hundred_candidates_stay_below_ten_megabytes(self, tmp_path: Path) -> None:
        # Noise is the worst that JPEG can meet.
        rng = np.random.default_rng(0)
        stream = io.BytesIO()
        noise = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
        Image.fromarray(noise).save(stream, "JPEG", quality=95)
        picks = tuple(
            Candidate(f"/p/{n}.jpg", "cat", n, 0.5, 0.5, "/s/c1.jpg", "auto") for n in range(500)
        )
        summary = write_contact_sheet(
            tmp_path / "sheet.html",
            Selection(picks, ("cat",), "auto"),
            SEEDS,
            read_image=lambda uri: stream.getvalue(),
            title="Noise",
        )
        assert summary.size < 10_000_000


@pytest.mark.browser
def test_a_browser_decodes_every_picture_and_applies_the_style(
    write: Write, tmp_path: Path
) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    write()
    picture = tmp_path / "sheet.png"
    subprocess.run(
        [
            browser,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--hide-scrollbars",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--screenshot={picture}",
            "--window-size=1000,1800",
            str(tmp_path / "sheet.html"),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    seen = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    # Each image is one color of its own, and the page has no other place for it.
    uris = [pick.uri for pick in PICKS] + ["/s/c1.jpg", "/s/c2.jpg", "/s/o.jpg"]
    for uri in uris:
        near = np.abs(seen - color_of(uri)).max(axis=2) < 8
        assert near.sum() > 3000, f"{uri} is not on the page"
    # The policy lets the style through: without it the page would be white.
    light, dark = (246, 245, 242), (22, 22, 19)
    assert tuple(seen[2, 2]) in (light, dark)
