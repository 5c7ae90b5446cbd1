"""What programs and the page ask for, and what they get."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import struct
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from explore_pool import ColorWords, ExplorePool
from explore_program import ExploreThread, Reply, Visitor
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

import gandt
from gandt.index.folder import open_index
from gandt.serving.service.explore.wire.models import MAX_BUDGET, MAX_K, MAX_SEEDS

JSON = {"Content-Type": "application/json"}


def good(reply: Reply) -> Any:
    assert reply.status == 200, reply.text
    assert reply.headers["Content-Type"] == "application/json"
    return reply.json


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [Path(row["uri"]).name for row in rows]


def seeds_of(pool: ExplorePool, **more: Any) -> dict[str, Any]:
    seeds = {
        "red": [{"id": pool.id("red", 0)}, {"id": pool.id("red", 1)}],
        "blue": [{"uri": str(pool.path("blue", 2))}],
    }
    return {"seeds": seeds, "budget": 6, "duplicates": 1.0, **more}


# -------------------------------------------------------------------------------------- the pool


def test_info_says_what_is_here(ann: Visitor, pool: ExplorePool, service: ExploreThread) -> None:
    info = good(ann.get("/v1/info"))
    assert info["name"] == "pool.index"
    assert info["version"] == gandt.__version__
    assert (info["images"], info["rows"], info["dimension"]) == (45, 46, 4)
    assert (info["model"], info["text"], info["search"]) == ("toy:colors", True, "exact")
    assert {way["name"] for way in info["strategies"]} >= {"auto", "nearest", "probe"}
    assert info["labels"] == ["green", "red"]
    assert info["seeds"] == {
        "green": [{"id": pool.id("green", 3)}],
        "red": [{"uri": str(pool.folder / "seeds" / "red" / "mine.png")}],
    }
    assert info["save"] == {"folder": str(pool.saves)}
    assert info["limits"]["k"] == MAX_K
    assert info["limits"]["budget"] == MAX_BUDGET


def test_the_pool_is_paged_by_position_without_what_has_left_it(
    ann: Visitor, pool: ExplorePool
) -> None:
    seen: list[dict[str, Any]] = []
    for start in (0, 20, 40, 60):
        page = good(ann.get(f"/v1/images?start={start}&count=20"))
        assert (page["total"], page["start"]) == (45, start)
        seen += page["images"]
    assert {image["id"] for image in seen} == set(pool.ids.values())
    assert pool.gone not in {image["id"] for image in seen}
    assert len(seen) == 45
    assert good(ann.get("/v1/images"))["images"] == seen
    assert good(ann.get("/v1/images?count=0"))["images"] == []


def test_images_can_be_asked_for_by_their_ids(ann: Visitor, pool: ExplorePool) -> None:
    ids = [pool.id("blue", 3), pool.id("red", 0), pool.id("green", 9), pool.id("red", 0)]
    page = good(ann.get(f"/v1/images?ids={','.join(map(str, ids))}"))
    assert (page["total"], page["start"]) == (45, 0)
    assert page["images"] == [good(ann.get(f"/v1/images/{number}")) for number in ids]
    many = ",".join([str(ids[0])] * 1000)
    assert len(good(ann.get(f"/v1/images?ids={many}"))["images"]) == 1000


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        *(("ids=1,4000,2", 404, "no image 4000"), ("ids={gone}", 404, "no image {gone}")),
        *(("ids=1&start=0", 422, "leave out start"), ("ids=1&count=5", 422, "leave out start")),
        *(
            ("ids=", 422, "characters"),
            ("ids=1,", 422, "characters"),
            ("ids=,1", 422, "characters"),
        ),
        *(("ids=1,%202", 422, "characters"), ("ids=-1", 422, "char"), ("ids=01", 422, "char")),
        *(("ids=%D9%A3", 422, "characters"), ("ids=1%0A", 422, "characters")),
        *((f"ids={2**53}", 422, str(2**53 - 1)), (f"ids={'9' * 17}", 422, "characters")),
        *((f"ids={'1,' * 1000}1", 422, "1,001"), (f"ids={'1,' * 9000}1", 422, "9,001")),
    ],
)
def test_ids_of_an_address_are_read_as_strictly(
    ann: Visitor, pool: ExplorePool, query: str, status: int, words: str
) -> None:
    reply = ann.get(f"/v1/images?{query.format(gone=pool.gone)}")
    assert (reply.status, reply.json["field"]) == (status, "ids")
    assert words.format(gone=pool.gone) in reply.json["error"]


def test_one_image_says_its_size_and_what_is_known_of_it(ann: Visitor, pool: ExplorePool) -> None:
    number = pool.id("red", 0)
    assert good(ann.get(f"/v1/images/{number}")) == {
        "id": number,
        "uri": str(pool.path("red", 0)),
        "width": 40,
        "height": 30,
        "label": "red",
    }
    assert good(ann.get(f"/v1/images/{pool.id('blue', 0)}"))["label"] is None


def test_the_file_of_an_image_is_sent_as_it_is(ann: Visitor, pool: ExplorePool) -> None:
    reply = ann.get(f"/v1/images/{pool.id('blue', 4)}/file")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "image/png")
    assert reply.body == pool.path("blue", 4).read_bytes()
    assert reply.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    known = {"If-None-Match": reply.headers["ETag"]}
    again = ann.get(f"/v1/images/{pool.id('blue', 4)}/file", known)
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("size", [128, 256, 512, 1024])
def test_a_thumbnail_is_a_jpeg_that_browsers_may_ask_about(
    ann: Visitor, pool: ExplorePool, size: int
) -> None:
    path = f"/v1/images/{pool.id('green', 5)}/thumbnail?size={size}"
    reply = ann.get(path)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(reply.body)) as image:
        assert image.size == (40, 30)  # never larger than the picture
    assert reply.headers["Cache-Control"] == "private, no-cache"
    again = ann.get(path, {"If-None-Match": reply.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


def test_with_the_edition_a_browser_need_not_ask_for_a_day(ann: Visitor, pool: ExplorePool) -> None:
    """Without it an id would show the picture of another pool that was served here before."""
    edition = good(ann.get("/v1/info"))["edition"]
    for part in ("file", "thumbnail"):
        path = f"/v1/images/{pool.id('red', 3)}/{part}"
        kept = ann.get(f"{path}?v={edition}").headers["Cache-Control"]
        assert kept == "private, max-age=86400"
        assert ann.get(f"{path}?v=another").headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("part", ["", "/file", "/thumbnail"])
def test_what_is_no_image_of_the_pool_is_not_found(
    ann: Visitor, pool: ExplorePool, part: str
) -> None:
    for number in (pool.gone, 46, 2**53 - 1):
        reply = ann.get(f"/v1/images/{number}{part}")
        assert (reply.status, reply.json["field"]) == (404, "id")
        assert f"no image {number} in this pool" in reply.json["error"]


@pytest.mark.parametrize(
    "number",
    [
        *("-1", "007", "1.0", "+1", "1e3", "0x10", "1_000", "%201", "one", "1%00"),
        *("9" * 17, "9" * 5000, str(2**53), "%D9%A3", "%F0%9D%9F%99", "%EF%BC%91", "null"),
    ],
)
def test_an_id_is_written_in_one_way_only(ann: Visitor, number: str) -> None:
    for part in ("", "/file", "/thumbnail"):
        reply = ann.get(f"/v1/images/{number}{part}")
        assert (reply.status, reply.json["field"]) == (422, "id"), part


# ---------------------------------------------------------------------------------------- search


def test_neighbors_of_an_image_come_best_first_and_without_it(
    ann: Visitor, pool: ExplorePool
) -> None:
    number = pool.id("red", 0)
    found = good(ann.post("/v1/search", {"id": number, "k": 8}))
    assert all(name.startswith("red") for name in names(found["results"]))
    assert number not in {row["id"] for row in found["results"]}
    scores = [row["similarity"] for row in found["results"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 8
    assert found["took_ms"] >= 0
    fewer = good(ann.post("/v1/search", {"id": number, "k": 8, "exclude": [pool.id("red", 1)]}))
    assert pool.id("red", 1) not in {row["id"] for row in fewer["results"]}


def test_an_image_is_found_by_id_uri_and_bytes_alike(ann: Visitor, pool: ExplorePool) -> None:
    path = pool.path("green", 1)
    by_id = good(ann.post("/v1/search", {"id": pool.id("green", 1), "k": 5}))["results"]
    by_uri = good(ann.post("/v1/search", {"uri": str(path), "k": 5}))["results"]
    image = base64.b64encode(path.read_bytes()).decode()
    by_bytes = good(ann.post("/v1/search", {"image": image, "k": 6}))["results"]
    assert by_id == by_uri
    assert by_bytes[0]["id"] == pool.id("green", 1)
    assert [row["id"] for row in by_bytes[1:]] == [row["id"] for row in by_id]


def test_words_find_what_they_mean(ann: Visitor) -> None:
    found = good(ann.post("/v1/search", {"text": "something blue", "k": 10}))["results"]
    assert all(name.startswith("blue") for name in names(found))


# ---------------------------------------------------------------------------------------- select


def test_candidates_are_those_that_gandt_select_chooses(ann: Visitor, pool: ExplorePool) -> None:
    table = pool.folder / "same.csv"
    rows = [(pool.path("red", 0), "red"), (pool.path("red", 1), "red")]
    rows.append((pool.path("blue", 2), "blue"))
    table.write_text("image_path,label\n" + "".join(f"{p},{label}\n" for p, label in rows))
    expected = gandt.select(open_index(pool.index), str(table), budget=6, duplicates=1.0)
    found = good(ann.post("/v1/select", seeds_of(pool)))
    assert found["classes"] == ["blue", "red"]
    assert found["strategy"] == expected.strategy
    assert found["notes"] == list(expected.notes)
    assert [
        (row["uri"], row["class"], row["rank"], row["score"], row["similarity"], row["why"])
        for row in found["candidates"]
    ] == [
        (row.uri, row.label, row.rank, row.score, row.similarity, row.why)
        for row in expected.candidates
    ]
    for row in found["candidates"]:
        assert row["id"] == pool.ids[Path(row["uri"]).name]
        assert (row["width"], row["height"]) == (40, 30)
        assert row["seed"] in [{"id": pool.id("red", n)} for n in (0, 1)] + [
            {"id": pool.id("blue", 2)}
        ]


def test_a_seed_that_the_pool_does_not_hold_has_a_small_picture_and_nothing_else_has(
    ann: Visitor, pool: ExplorePool
) -> None:
    mine = pool.folder / "seeds" / "red" / "mine.png"
    data = mine.read_bytes()
    seen = ann.get(f"/v1/seed?{urlencode({'uri': mine})}")
    assert (seen.status, seen.headers["Content-Type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(seen.body)).size == (40, 30)
    again = {"If-None-Match": seen.headers["ETag"]}
    assert ann.get(f"/v1/seed?{urlencode({'uri': mine})}", again).status == 304
    for other in (
        pool.path("red", 1),
        pool.folder / "seeds.csv",
        f"{mine}/../mine.png",
        "/etc/passwd",
    ):
        assert ann.get(f"/v1/seed?{urlencode({'uri': other})}").status == 404
    try:
        mine.write_bytes(b"no image")
        assert ann.get(f"/v1/seed?{urlencode({'uri': mine})}").status == 415
        mine.unlink()
        gone = ann.get(f"/v1/seed?{urlencode({'uri': mine})}")
        assert (gone.status, gone.json["field"]) == (404, None)
    finally:
        mine.write_bytes(data)


def test_seeds_may_be_uploads_texts_and_files_that_the_page_started_with(
    ann: Visitor, pool: ExplorePool
) -> None:
    image, mine = pool.upload("green", 500), str(pool.folder / "seeds" / "red" / "mine.png")
    seeds = {"green": [{"image": image}], "red": [{"uri": mine}], "blue": [{"text": "blue"}]}
    found = good(ann.post("/v1/select", {"seeds": seeds, "budget": 9, "duplicates": 1.0}))
    sha256 = hashlib.sha256(base64.b64decode(image)).hexdigest()
    told = {row["class"]: row["seed"] for row in found["candidates"]}
    assert told["green"] == {"upload": sha256}
    assert told["blue"] == {"text": "blue"}
    assert told["red"] == {"uri": mine}
    for row in found["candidates"]:
        assert Path(row["uri"]).name.startswith(row["class"])


def test_options_do_what_they_say(ann: Visitor, pool: ExplorePool) -> None:
    def classes(**more: Any) -> list[str]:
        rows = good(ann.post("/v1/select", seeds_of(pool, **more)))["candidates"]
        return sorted(row["class"] for row in rows)

    assert classes(per_class=2) == ["blue"] * 2 + ["red"] * 2
    assert classes(quotas={"red": 5}) == ["red"] * 5
    assert classes(quotas={"red": 3, "blue": 1}) == ["blue"] + ["red"] * 3
    assert classes(other="blue") == ["red"] * 6
    excluded = [{"id": pool.id("red", n)} for n in range(2, 14)]
    rows = good(ann.post("/v1/select", seeds_of(pool, exclude=excluded)))["candidates"]
    assert not {row["id"] for row in rows} & {ref["id"] for ref in excluded}
    assert good(ann.post("/v1/select", seeds_of(pool, strategy="nearest")))["strategy"] == "nearest"
    assert classes(min_similarity=1.0) == []


def test_copies_stand_behind_the_candidate_that_they_are_copies_of(
    ann: Visitor, pool: ExplorePool
) -> None:
    request = seeds_of(pool, duplicates=0.5, budget=4, strategy="nearest")
    rows = good(ann.post("/v1/select", request))["candidates"]
    copies = [copy for row in rows for copy in row["duplicates"]]
    assert copies
    assert all(copy["id"] == pool.ids[Path(copy["uri"]).name] for copy in copies)


# ------------------------------------------------------------------------------------------ save


def test_what_is_saved_is_what_the_commands_read(ann: Visitor, pool: ExplorePool) -> None:
    request = seeds_of(pool, name="round1")
    request["seeds"]["green"] = [{"image": pool.upload("green", 501)}]
    saved = good(ann.post("/v1/save", request))
    assert saved["candidates"] == 6
    assert "gandt label" in saved["next"]
    assert "gandt select" in saved["again"]
    for file in saved["files"]:
        assert Path(file["path"]).exists()
        assert Path(file["path"]).parent == pool.saves
        assert file["about"]
    chosen = good(ann.post("/v1/select", seeds_of(pool, seeds=request["seeds"])))["candidates"]
    lines = (pool.saves / "round1.manifest").read_text().splitlines()
    assert {json.loads(line)["source-ref"] for line in lines} == {row["uri"] for row in chosen}

    again = ann.post("/v1/save", request)
    assert (again.status, again.json["field"]) == (409, "name")
    assert "round1" in again.json["error"]
    assert good(ann.post("/v1/save", {**request, "replace": True}))["candidates"] == 6


def test_nothing_is_saved_where_nothing_may_be(pool: ExplorePool) -> None:
    with ExploreThread(pool.index, embedder=ColorWords()) as service:
        ann = service.visitor()
        assert good(ann.get("/v1/info"))["save"] is None
        reply = ann.post("/v1/save", seeds_of(pool, name="round1"))
        assert (reply.status, "--save-to" in reply.json["error"]) == (409, True)


@pytest.mark.parametrize(
    "name", ["../up", "/etc/passwd", "a/b", "..", ".hidden", "", "a b", "x" * 65, "con", "a\n"]
)
def test_a_name_leads_nowhere_else(ann: Visitor, pool: ExplorePool, name: str) -> None:
    before = sorted(pool.folder.rglob("*"))
    reply = ann.post("/v1/save", seeds_of(pool, name=name))
    assert reply.status == 422, reply.text
    assert sorted(pool.folder.rglob("*")) == before


# ------------------------------------------------------------------------------- map, page, numbers


def test_the_map_is_ready_before_long_and_has_a_point_for_each_image(
    ann: Visitor, pool: ExplorePool
) -> None:
    for _ in range(200):
        head = good(ann.get("/v1/map"))
        if head["ready"]:
            break
        early = ann.get("/v1/map/points")
        assert early.status in (200, 503)
        assert early.status == 200 or early.headers["Retry-After"] == "1"
        time.sleep(0.05)
    assert (head["method"], head["points"], head["total"]) == ("pca", 45, 45)
    assert head["labels"] == ["green", "red"]
    reply = ann.get("/v1/map/points")
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert len(reply.body) == 45 * (4 + 4 + 2)
    assert set(struct.unpack("<45I", reply.body[: 4 * 45])) == set(pool.ids.values())
    labels = dict(zip(struct.unpack("<45I", reply.body[: 4 * 45]), _labels(reply), strict=True))
    assert labels[pool.id("red", 0)] == 1 + head["labels"].index("red")
    assert labels[pool.id("blue", 0)] == 0


def _labels(reply: Reply) -> tuple[int, ...]:
    return struct.unpack("<45H", reply.body[-2 * 45 :])


def test_the_page_loads_nothing_but_its_own_parts(ann: Visitor) -> None:
    page = ann.get("/")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
    assert nonce
    assert "img-src 'self' data: blob:" in policy
    assert "unsafe" not in policy
    loaded = re.findall(r"<(?:script|link|style|img|iframe)\b[^>]*>", page.text)
    assert loaded
    for tag in loaded:
        assert f'nonce="{nonce[1]}"' in tag
        address = re.search(r'(?:src|href)="([^"]+)"', tag)
        assert address is not None
        part = ann.get(address[1])
        kind = "text/javascript" if address[1].endswith(".js") else "text/css"
        assert (part.status, part.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
        same = ann.get(address[1], {"If-None-Match": part.headers["ETag"]})
        assert (same.status, same.body) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        *("app.py", "explore.html", "engine.py", "__init__.py", "nothing.js", "../guard.py"),
        *("..%2fguard.py", "%2e%2e/guard.py", "explore%2fmain.js", "", "main.js%00", "MAIN.JS"),
    ],
)
def test_a_part_is_one_of_a_list(ann: Visitor, name: str) -> None:
    reply = ann.get(f"/static/{name}", {"Accept": "*/*"})
    assert (reply.status, set(reply.json)) == (404, {"error", "field"})


def test_numbers_are_counted_by_route_and_nothing_else(ann: Visitor, pool: ExplorePool) -> None:
    def counted() -> dict[tuple[str, ...], float]:
        reply = ann.get("/metrics")
        assert reply.headers["Content-Type"].startswith("text/plain")
        return {
            (sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(reply.text)
            for sample in family.samples
        }

    ann.get("/nothing/0")
    ann.ask("BREW", "/v1/info")
    ann.get("/v1/info", {"Host": "evil.example"})
    before = counted()
    for number in range(30):
        ann.get(f"/v1/images/{number + 1000}")
        ann.get(f"/nothing/{number}")
        ann.ask(f"BREW{number}", "/v1/info")
    ann.post("/v1/search", {"image": pool.upload("red", 600), "k": 1})
    for _ in range(3):
        ann.get(f"/v1/images/{pool.id('red', 13)}/thumbnail?size=1024")
    after = counted()
    made, kept = (("gandt_thumbnail_misses_total",), 1), (("gandt_thumbnail_hits_total",), 2)
    for name, count in (made, kept):
        assert after[name] == before[name] + count
    key = ("method=GET", "route=/v1/images/{id}", "status=404")
    asked = ("gandt_requests_total", *key)
    assert after[asked] == before.get(asked, 0) + 30
    assert before["gandt_requests_total", "method=GET", "route=none", "status=421"] >= 1
    assert after["gandt_uploads_total",] == before["gandt_uploads_total",] + 1
    assert after["gandt_images",] == 45
    for gate in ("heavy", "pictures", "reading"):
        for name in ("working", "waiting"):
            assert after[f"gandt_gate_{name}", f"gate={gate}"] >= 0
        assert after["gandt_gate_refused_total", f"gate={gate}"] == 0
    assert not any("BREW" in part or "1000" in part for key in after for part in key)
    new = {key[0] for key in after if key not in before}
    assert len(after) - len(before) <= 60, new  # what 91 new addresses would exceed by far


def test_health_is_told_to_everybody(ann: Visitor) -> None:
    assert good(ann.get("/healthz")) == {"ok": True}


# ---------------------------------------------------------------------------- what cannot be meant

A = {"a": [{"id": 1}]}
WRONG: list[tuple[str, object, int, str | None, str]] = [
    ("search", {}, 422, None, "exactly one of id, uri, image and text"),
    ("search", {"id": 1, "text": "x"}, 422, None, "exactly one"),
    ("search", {"id": "1"}, 422, "id", "whole number"),
    ("search", {"id": True}, 422, "id", "whole number"),
    ("search", {"id": 1.5}, 422, "id", "whole number"),
    ("search", {"id": None}, 422, "id", "whole number"),
    ("search", {"id": -1}, 422, "id", "at least 0"),
    ("search", {"id": 10**30}, 422, "id", ""),
    ("search", {"id": 4000}, 404, "id", "no image 4000"),
    ("search", {"uri": "/etc/passwd"}, 404, "uri", "not in this pool"),
    ("search", {"uri": ""}, 422, "uri", "at least 1"),
    ("search", {"image": "no base64!"}, 422, "image", "base64"),
    ("search", {"image": "aGVsbG8gd29ybGQ="}, 422, "image", "no image"),
    ("search", {"text": ""}, 422, "text", "at least 1"),
    ("search", {"text": " \t"}, 422, "text", ""),
    ("search", {"text": "x" * 1001}, 422, "text", "more than 1000"),
    ("search", {"id": 1, "k": 0}, 422, "k", "at least 1"),
    ("search", {"id": 1, "k": MAX_K + 1}, 422, "k", f"at most {MAX_K}"),
    ("search", {"id": 1, "exclude": [1, "2"]}, 422, "exclude[1]", "whole number"),
    ("search", {"id": 1, "exclude": 1}, 422, "exclude", "list"),
    ("search", {"id": 1, "kk": 1}, 422, "kk", "no field that is known"),
    ("search", [], 422, None, "object"),
    ("search", "text", 422, None, "object"),
    ("search", None, 422, None, ""),
    ("select", {}, 422, "seeds", "missing"),
    ("select", {"seeds": {}}, 422, "seeds", "at least 1"),
    ("select", {"seeds": []}, 422, "seeds", "object"),
    ("select", {"seeds": {"cat": {"id": 1}}}, 422, "seeds.cat", "list"),
    ("select", {"seeds": {"cat": [1]}}, 422, "seeds.cat[0]", "object"),
    ("select", {"seeds": {"cat": [{"id": "1"}]}}, 422, "seeds.cat[0].id", "whole number"),
    ("select", {"seeds": {"cat": [{"id": 1}, {}]}}, 422, "seeds.cat[1]", "exactly one"),
    ("select", {"seeds": {"cat": [{"id": 4000}]}}, 404, "seeds.cat[0].id", "no image 4000"),
    ("select", {"seeds": {"cat": [{"image": "A"}]}}, 422, "seeds.cat[0].image", ""),
    ("select", {"seeds": {"cat": [{"image": "AAAA"}]}}, 422, "seeds.cat[0].image", "no image"),
    ("select", {"seeds": {"cat": [{"id": 1, "x": 2}]}}, 422, "seeds.cat[0].x", "no field"),
    ("select", {"seeds": {"a.b": [{"id": "1"}]}}, 422, 'seeds["a.b"][0].id', "whole number"),
    ("select", {"seeds": {"": [{"id": 1}]}}, 422, 'seeds[""]', ""),
    ("select", {"seeds": {" ": [{"id": 1}]}}, 422, 'seeds[" "]', ""),
    ("select", {"seeds": {"a\nb": [{"id": 1}]}}, 422, 'seeds["a\\nb"]', ""),
    ("select", {"seeds": {"x" * 201: [{"id": 1}]}}, 422, f'seeds["{"x" * 57}..."]', "200"),
    ("select", {"seeds": {"Other": [{"id": 1}]}}, 422, None, "nothing to look for"),
    ("select", {"seeds": {"a": [{"id": 1}] * (MAX_SEEDS + 1)}}, 422, "seeds.a", "more than"),
    (
        *("select", {"seeds": {"a": [{"id": 1}] * MAX_SEEDS, "b": [{"id": 1}]}}, 422),
        *("seeds", "2,001 in all"),
    ),
    ("select", {"seeds": A, "budget": 0}, 422, "budget", "at least 1"),
    ("select", {"seeds": A, "budget": MAX_BUDGET + 1}, 422, "budget", "at most"),
    ("select", {"seeds": A, "strategy": "best"}, 422, "strategy", "'nearest'"),
    ("select", {"seeds": A, "diversity": 1.1}, 422, "diversity", "at most 1"),
    ("select", {"seeds": A, "diversity": "1"}, 422, "diversity", "number"),
    ("select", {"seeds": A, "duplicates": 0}, 422, "duplicates", "above 0"),
    ("select", {"seeds": A, "min_similarity": -2}, 422, "min_similarity", "at least -1"),
    ("select", {"seeds": A, "quotas": {"b": 5}}, 422, "quotas.b", "has no seeds"),
    ("select", {"seeds": A, "quotas": {}}, 422, "quotas", "at least 1"),
    ("select", {"seeds": A, "quotas": {"a": 0}}, 422, "quotas.a", "at least 1"),
    ("select", {"seeds": A, "quotas": {"a": 1}, "per_class": 1}, 422, None, "exclude each other"),
    ("select", {"seeds": {**A, "b": [{"id": 2}]}, "per_class": 9000}, 422, "per_class", "18,000"),
    ("select", {"seeds": A, "quotas": {"a": -1}}, 422, "quotas.a", "at least"),
    ("select", {"seeds": A, "other": ""}, 422, "other", "at least 1"),
    ("select", {"seeds": A, "exclude": [{"text": "x"}]}, 422, "exclude[0].text", "text"),
    ("select", {"seeds": A, "exclude": [1]}, 422, "exclude[0]", "object"),
    ("select", {"seeds": A, "random_seed": -1}, 422, "random_seed", "at least 0"),
    ("save", {"seeds": A}, 422, "name", "missing"),
    ("save", {"seeds": A, "name": "x", "replace": 1}, 422, "replace", "true or false"),
]


@pytest.mark.parametrize(("call", "body", "status", "field", "words"), WRONG)
def test_an_error_is_one_sentence_with_its_field(
    ann: Visitor, call: str, body: object, status: int, field: str | None, words: str
) -> None:
    reply = ann.post(f"/v1/{call}", body)
    assert (reply.status, reply.json["field"]) == (status, field)
    sentence = reply.json["error"]
    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 400
    assert "pydantic" not in sentence


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *(("start=-1", "start"), ("start=x", "start"), ("count=1001", "count")),
        *(("count=1e2", "count"), ("start=%D9%A3", "start"), ("begin=1", "begin")),
        (f"start={'9' * 5000}", "start"),
    ],
)
def test_an_address_is_read_as_strictly(ann: Visitor, query: str, field: str) -> None:
    reply = ann.get(f"/v1/images?{query}")
    assert (reply.status, reply.json["field"]) == (422, field)


def test_a_value_that_is_named_twice_is_not_passed_over(ann: Visitor, pool: ExplorePool) -> None:
    for path in ("?ids=1&ids=2", "?start=1&count=2&start=2", f"/{pool.id('red', 1)}/file?v=a&v=b"):
        reply = ann.get(f"/v1/images{path}")
        assert (reply.status, "is named twice" in reply.json["error"]) == (422, True)
        assert reply.json["field"] in ("ids", "start", "v")


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/v1/info", "/v1/images/0", "/v1/images/0/file", "/static/main.js"]
)
def test_what_can_be_had_can_be_asked_about(ann: Visitor, path: str) -> None:
    """RFC 9110: HEAD is what GET is, without the body."""
    asked, had = ann.ask("HEAD", path), ann.get(path)
    assert (asked.status, asked.body) == (200, b"")
    for name in ("Content-Type", "Content-Length", "ETag"):
        assert asked.headers[name] == had.headers[name]
    assert ann.ask("HEAD", "/v1/images/4000").status == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *(("size=100", "size"), ("size=", "size"), ("size=0256", "size")),
        *(("width=256", "width"), ("size=256&x=1", "x")),
    ],
)
def test_there_are_four_sizes(ann: Visitor, pool: ExplorePool, query: str, field: str) -> None:
    reply = ann.get(f"/v1/images/{pool.id('red', 1)}/thumbnail?{query}")
    assert (reply.status, reply.json["field"]) == (422, field)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", "/v1/info"), ("DELETE", "/v1/images/1"), ("PUT", "/v1/select")),
        *(("GET", "/v1/select"), ("PATCH", "/healthz"), ("OPTIONS", "/v1/search")),
    ],
)
def test_another_method_is_not_allowed(ann: Visitor, method: str, path: str) -> None:
    reply = ann.ask(method, path)
    assert (reply.status, set(reply.json)) == (405, {"error", "field"})
    assert reply.headers["Allow"]


def test_a_model_that_has_no_words_says_so(pool: ExplorePool, tmp_path: Path) -> None:
    from pool_engine import engine_of

    engine_of(tmp_path / "plain.index", pool.folder / "pool")
    with ExploreThread(tmp_path / "plain.index") as service:
        ann = service.visitor()
        assert good(ann.get("/v1/info"))["text"] is False
        reply = ann.post("/v1/search", {"text": "blue"})
        assert (reply.status, reply.json["field"]) == (422, "text")
        assert "embeds no texts" in reply.json["error"]
        # An upload needs the model, which cannot be had here: no fault of whoever asks.
        reply = ann.post("/v1/search", {"image": pool.upload("red", 601)})
        assert (reply.status, reply.json["field"]) == (503, None)
        assert reply.headers["Retry-After"]
        assert ann.post("/v1/search", {"id": 0}).status == 200
