"""The results page holds everything, once, and needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gandt.answers import Mask
from gandt.errors import StorageError, UsageError
from gandt.groundtruth.mask_images import encode_mask
from gandt.report.results.write import ReportSummary, write_report

Make = Callable[..., Path]
MakeRow = Callable[..., dict[str, object]]
MakePhoto = Callable[..., str]

HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{x}}&amp;"
VOID = {"meta", "img", "input", "br", "link"}
SVG = {"svg", "rect", "line", "circle", "polygon", "text", "title"}


class Page(HTMLParser):
    """The elements of a page, the text between them, and whether they are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def of_class(self, name: str) -> list[dict[str, str | None]]:
        return [a for _, a in self.elements if name in (a.get("class") or "").split()]

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


Write = Callable[..., tuple[Page, str, ReportSummary]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def run(source: Path | str, **options: object) -> tuple[Page, str, ReportSummary]:
        out = tmp_path / "report.html"
        summary = write_report(str(source), str(out), **options)  # type: ignore[arg-type]
        html = out.read_bytes().decode()
        page = Page(html)
        assert page.open == []
        assert summary.size == len(html.encode())
        return page, html, summary

    return run


class TestContent:
    def test_the_head_says_what_came_back(self, write: Write, pets: Path) -> None:
        page, _, summary = write(pets)
        head = page.text.partition("Labels by class")[0]
        for words in ("round1", "5labeled", "80 %certain", "0.25Krippendorff", "1without a label"):
            assert words in head.replace("\N{NO-BREAK SPACE}", " ")
        for words in ("dawid-skene", "human 4, machine 1", "One worker is not reliable."):
            assert words in head
        assert (summary.labeled, summary.passed, summary.classes) == (5, 1, 3)

    def test_all_parts_are_there_and_can_be_reached(self, write: Write, pets: Path) -> None:
        page, _, _ = write(pets)
        ids = {a["id"] for _, a in page.elements if a.get("id")}
        links = [str(a["href"])[1:] for a in page.of("a")]
        assert set(links) <= ids
        for name in ("labels", "confidence", "agreement", "workers", "examples", "disputed"):
            assert name in links
        for name in ("gallery", "passed", "oddities"):
            assert name in links
        assert "calibration" not in ids

    def test_gold_adds_the_calibration(self, write: Write, pets: Path, tmp_path: Path) -> None:
        gold = tmp_path / "gold.csv"
        gold.write_text("task,label\npool/a/1.jpg,cat\npool/dog.jpg,cat\n")
        page, _, _ = write(pets, gold=str(gold))
        # 0.95 and right, 0.7 and wrong: off by 0.05 and by 0.7, half each.
        assert "ECE 0.375" in page.text
        assert "gold says cat" in page.text

    def test_every_picture_is_held_once(self, write: Write, pets: Path) -> None:
        page, html, summary = write(pets)
        held = [a["src"] for a in page.of("img") if a.get("src")]
        assert len(held) == len(set(held)) == html.count("data:image/") == summary.pictures == 3
        copies = [str(a["data-of"]) for a in page.of("img") if a.get("data-of")]
        assert copies
        assert set(copies) <= {str(a.get("id")) for a in page.of("img")}

    def test_each_picture_is_that_of_its_file(
        self, write: Write, pets: Path, tmp_path: Path
    ) -> None:
        # Both files are called 1.jpg.
        page, _, _ = write(pets)
        for number, folder in ((0, "a"), (1, "b")):
            (image,) = (a for a in page.of("img") if a.get("id") == f"p{number}")
            data = base64.b64decode(str(image["src"]).partition(",")[2])
            shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)
            file = Image.open(tmp_path / "pool" / folder / "1.jpg").resize(shown.shape[1::-1])
            assert np.abs(shown - np.asarray(file, float)).mean() < 8

    def test_a_disputed_item_shows_each_answer_with_its_worker(
        self, write: Write, pets: Path
    ) -> None:
        _, html, _ = write(pets)
        part = html[html.index('id="disputed"') : html.index('id="gallery"')]
        answers = re.findall(r'<ul class="votes".*?</ul>', part)
        assert len(answers) == 2
        # The dog first: one of two votes; then the second cat: two of three.
        assert "tied: cat = dog" in part.partition(answers[0])[0]
        rows = [re.findall(r"<li( class=agrees)?><bdi>(\w+)</bdi>.*?(w\d)<", a) for a in answers]
        assert rows == [
            [("", "cat", "w3"), (" class=agrees", "dog", "w1")],
            [(" class=agrees", "cat", "w1"), (" class=agrees", "cat", "w2"), ("", "dog", "w3")],
        ]

    def test_flagged_workers_stand_out(self, write: Write, pets: Path) -> None:
        page, _, _ = write(pets)
        assert len(page.of_class("marked")) == 1
        assert "not reliable; Right on 4 of 10 gold tasks." in page.text
        assert "0.75 of 4" in page.text

    def test_long_groups_are_cut_into_pages(
        self, write: Write, make_round: Make, make_label: MakeRow
    ) -> None:
        labels = [make_label(f"a text, number {n}", "x") for n in range(250)]
        page, _, _ = write(make_round(labels), page_size=100)
        ranges = [a["data-range"] for a in page.of_class("page")]
        assert ranges == ["1–100 of 250", "101–200 of 250", "201–250 of 250"]  # noqa: RUF001

    def test_progress_is_told_for_every_picture(self, write: Write, pets: Path) -> None:
        calls: list[tuple[int, int]] = []
        write(pets, on_progress=lambda done, total: calls.append((done, total)))
        assert calls == [(n, 5) for n in range(1, 6)]

    def test_the_same_source_gives_the_same_bytes(self, write: Write, pets: Path) -> None:
        assert write(pets, seed=3)[1] == write(pets, seed=3)[1]


class TestBrokenImages:
    def test_a_gray_tile_says_why(self, write: Write, pets: Path) -> None:
        page, _, summary = write(pets)
        assert [reason for _, reason in summary.unreadable] == [
            "there is no such file; it left the pool or moved",
            "it is not an image of a known format",
        ]
        said = "Cannot be shown: there is no such file"
        assert page.text.count(said) == 2  # an example, the gallery

    def test_a_note_tells_images_that_are_gone_from_broken_ones(
        self, write: Write, pets: Path
    ) -> None:
        _, _, summary = write(pets)
        (gone, _), (broken, _) = summary.unreadable
        assert summary.notes[-2:] == (
            f"1 of 5 pictures left the pool or moved; first: {gone}.",
            f"1 of 5 pictures cannot be shown; first: {broken}: it is not an image of a known "
            "format.",
        )

    def test_a_broken_mask_leaves_the_picture(
        self,
        write: Write,
        make_round: Make,
        make_label: MakeRow,
        make_photo: MakePhoto,
        tmp_path: Path,
    ) -> None:
        runs = {"size": [60, 80], "classes": ["BACKGROUND", "cat"], "counts": {"cat": [1, 2]}}
        row = make_label(make_photo(tmp_path / "1.jpg"), json.dumps(runs))
        _, _, summary = write(make_round([row], summary={"kind": "mask"}))
        assert "do not fit" in summary.unreadable[0][1]
        assert summary.pictures == 1
        assert summary.notes[-1].startswith("1 of 1 picture cannot be shown; first: ")


class TestDrawings:
    def test_boxes_lie_over_the_image_in_its_own_pixels(
        self,
        write: Write,
        make_round: Make,
        make_label: MakeRow,
        make_photo: MakePhoto,
        tmp_path: Path,
    ) -> None:
        box = {"label": "dog", "left": -5, "top": 10, "width": 45, "height": 20, "confidence": 0.8}
        row = make_label(make_photo(tmp_path / "1.jpg"), json.dumps([box]))
        page, _, _ = write(make_round([row], summary={"kind": "boxes"}))
        assert {a["viewbox"] for a in page.of_class("over")} == {"0 0 80 60"}
        frame = page.of_class("halo")[0]
        # Cut at the border of the image.
        assert [frame[k] for k in ("x", "y", "width", "height")] == ["0.0", "10.0", "40.0", "20.0"]
        assert "dog 80" in page.text

    def test_no_box_is_an_answer(
        self,
        write: Write,
        make_round: Make,
        make_label: MakeRow,
        make_photo: MakePhoto,
        tmp_path: Path,
    ) -> None:
        row = make_label(make_photo(tmp_path / "1.jpg"), "[]")
        page, _, summary = write(make_round([row], summary={"kind": "boxes", "classes": ["dog"]}))
        assert "(no box)" in page.text
        assert "Never used: dog" in page.text
        assert (summary.labeled, summary.classes) == (1, 1)

    def test_a_mask_covers_its_pixels_and_no_others(
        self,
        write: Write,
        make_round: Make,
        make_label: MakeRow,
        make_photo: MakePhoto,
        tmp_path: Path,
    ) -> None:
        pixels = np.zeros((60, 80), np.uint8)
        pixels[:30] = 1
        mask = Mask(pixels, ("BACKGROUND", "cat"))
        row = make_label(make_photo(tmp_path / "1.jpg"), json.dumps(mask.as_json()))
        page, _, _ = write(make_round([row], summary={"kind": "mask"}))
        self.check_mask(page)

    def test_a_mask_of_a_job_is_read_from_its_png(
        self, write: Write, make_photo: MakePhoto, tmp_path: Path
    ) -> None:
        pixels = np.zeros((60, 80), np.uint8)
        pixels[:30] = 1
        png, colors = encode_mask(Mask(pixels, ("BACKGROUND", "cat"), 0.8))
        (tmp_path / "mask.png").write_bytes(png)
        make_photo(tmp_path / "1.jpg")
        line = {
            "source-ref": "1.jpg",
            "parts-ref": "mask.png",
            "parts-ref-metadata": {
                "internal-color-map": colors,
                "type": "groundtruth/semantic-segmentation",
                "human-annotated": "yes",
            },
        }
        (tmp_path / "output.manifest").write_text(json.dumps(line))
        page, _, summary = write(tmp_path / "output.manifest")
        assert summary.unreadable == ()
        self.check_mask(page)

    def check_mask(self, page: Page) -> None:
        (layer,) = (a for a in page.of_class("mask") if a.get("src"))
        data = base64.b64decode(str(layer["src"]).partition(",")[2])
        alpha = np.asarray(Image.open(io.BytesIO(data)))[:, :, 3]
        assert alpha.shape == (60, 80)
        assert (alpha[:30] > 0).all()
        assert (alpha[30:] == 0).all()

    def test_spans_are_marked_in_their_text(
        self, write: Write, make_round: Make, make_label: MakeRow
    ) -> None:
        span = {"label": "Place", "startOffset": 13, "endOffset": 19, "confidence": 0.64}
        row = make_label("Zoë moved to Kraków. 🎂", json.dumps([span]))
        page, html, _ = write(make_round([row], summary={"kind": "spans"}))
        assert re.search(r"moved to <mark class=\"k0\">Kraków<b>Place 0\.64</b></mark>\.", html)
        assert page.of("img") == []


class TestSafety:
    def test_nothing_from_outside_becomes_markup(
        self, write: Write, make_round: Make, make_label: MakeRow, make_worker: MakeRow
    ) -> None:
        folder = make_round(
            [
                make_label(f"{HOSTILE}.jpg", HOSTILE, agreement=0.5, tied=[HOSTILE, "b"]),
                make_label(f"a text: {HOSTILE}", "b\x00\ufeff\N{RIGHT-TO-LEFT OVERRIDE}", votes=1),
            ],
            workers=[make_worker(HOSTILE, flags=[HOSTILE])],
            answers=[{"task": f"{HOSTILE}.jpg", "worker": HOSTILE, "label": HOSTILE}],
            summary={
                "kind": "single",
                "notes": [HOSTILE],
                "attribute": HOSTILE,
                "method": HOSTILE,
                "classes": [HOSTILE],
                "oddities": {HOSTILE: 1},
            },
            lines=[
                {
                    "source-ref": f"{HOSTILE}.jpg",
                    "x": 0,
                    "x-metadata": {
                        "type": "groundtruth/image-classification",
                        "job-name": HOSTILE,
                        "creation-date": HOSTILE,
                    },
                }
            ],
        )
        page, html, _ = write(folder)
        assert len(page.of("script")) == 1
        assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
        assert [a for a in page.of("img") if a.get("src") == "x"] == []
        assert "alert(1)" in page.text
        assert html.count("<script>") == 1

    def test_the_page_may_load_nothing(self, write: Write, pets: Path) -> None:
        page, html, _ = write(pets)
        (policy,) = (a["content"] for a in page.of("meta") if a.get("http-equiv"))
        assert str(policy).startswith("default-src 'none'; img-src data:;")
        for tag in ("style", "script"):
            body = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
            assert body is not None
            digest = base64.b64encode(hashlib.sha256(body[1].encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in str(policy)
        assert not re.search(r"(?:https?:)?//", re.sub(r"data:[^\"]*", "", html))
        assert not [a for _, a in page.elements if a.get("style")]


class TestReading:
    """For people who do not see the page, or not much of it."""

    def test_every_picture_has_words(self, write: Write, pets: Path) -> None:
        page, _, _ = write(pets)
        assert all("alt" in a for a in page.of("img"))
        assert all(a.get("aria-label") or a.get("aria-hidden") for a in page.of("svg"))

    def test_headings_go_down_one_step_at_a_time(self, write: Write, pets: Path) -> None:
        page, _, _ = write(pets)
        levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b - a <= 1 for a, b in itertools.pairwise(levels))

    def test_tables_name_their_rows_and_columns(self, write: Write, pets: Path) -> None:
        page, _, _ = write(pets)
        assert {a.get("scope") for a in page.of("th")} == {"row", "col"}

    def test_no_id_is_given_twice(self, write: Write, pets: Path) -> None:
        page, _, _ = write(pets)
        ids = [a["id"] for _, a in page.elements if a.get("id")]
        assert len(ids) == len(set(ids))


class TestOddSources:
    @pytest.mark.parametrize("format", ["html", "pdf"])
    @pytest.mark.parametrize("name", ["nothing", "one", "no confidence", "long", "many classes"])
    def test_every_size_of_result_makes_a_report(
        self, tmp_path: Path, make_round: Make, make_label: MakeRow, name: str, format: str
    ) -> None:
        rows = {
            "nothing": [make_label("/1.jpg", None)],
            "one": [make_label("/1.jpg", "x")],
            "no confidence": [make_label(f"/{n}.jpg", "x", confidence=None) for n in range(3)],
            "long": [make_label("a text " * 20_000, "W" * 3_000), make_label("b", "\u202e" * 9)],
            "many classes": [make_label(f"text {n}", f"class {n}") for n in range(120)],
        }[name]
        out = tmp_path / f"report.{format}"
        summary = write_report(str(make_round(rows)), str(out), format=format)  # type: ignore[arg-type]
        assert out.stat().st_size == summary.size > 1_000

    def test_a_manifest_of_failures_only(self, write: Write, tmp_path: Path) -> None:
        lines = [
            {"source-ref": f"s3://b/{n}.jpg", "a-metadata": {"failure-reason": "tasks expired"}}
            for n in range(3)
        ]
        path = tmp_path / "output.manifest"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        page, _, summary = write(path)
        assert (summary.labeled, summary.passed) == (0, 3)
        assert "failed3: tasks expired" in page.text

    def test_wrong_calls_are_refused_before_anything_is_read(self, tmp_path: Path) -> None:
        for options in ({"format": "docx"}, {"page_size": 0}, {"examples": -1}):
            with pytest.raises(UsageError):
                write_report("nowhere", str(tmp_path / "x"), **options)  # type: ignore[arg-type]

    def test_a_failed_report_leaves_the_old_one(
        self, write: Write, pets: Path, tmp_path: Path
    ) -> None:
        _, before, _ = write(pets)

        def stop(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_report(str(pets), str(tmp_path / "report.html"), on_progress=stop)
        assert (tmp_path / "report.html").read_text() == before
        assert sorted(p.name for p in tmp_path.iterdir()) == ["pool", "report.html", "round1"]

    def test_a_source_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError):
            write_report(str(tmp_path / "none"), str(tmp_path / "x.html"))


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 1280])
def test_a_browser_shows_all_pictures_and_never_scrolls_sideways(
    write: Write, pets: Path, tmp_path: Path, width: int
) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    _, html, _ = write(pets, page_size=1)
    # Chromium's window has a least width, so the page is made narrow inside of it.
    probe = (
        f"document.documentElement.style.width = '{width}px';"
        "document.title = document.body.clientWidth + ' ' + document.body.scrollWidth;"
    )
    digest = base64.b64encode(hashlib.sha256(probe.encode()).digest()).decode()
    html = html.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    html = html.replace("</body>", f"<script>{probe}</script></body>")
    (tmp_path / "probed.html").write_text(html)
    done = subprocess.run(
        [
            browser,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={max(width, 500)},900",
            "--virtual-time-budget=3000",
            "--dump-dom",
            f"file://{tmp_path / 'probed.html'}",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    copies = re.findall(r'<img data-of="[^"]+"[^>]*>', done.stdout)
    assert copies
    assert all('src="data:image/' in copy for copy in copies)  # the script ran, and could
    assert 'class="pager"' in done.stdout
    found = re.search(r"<title>(\d+) (\d+)</title>", done.stdout)
    assert found is not None
    inner, wide = map(int, found.groups())
    assert wide == inner == width
