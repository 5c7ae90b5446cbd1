"""`gandt serve` over pools of all sorts: images gone, no model, other tools, tar shards, S3."""

from __future__ import annotations

import shutil
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.append(str(Path(__file__).parents[1]))

from conftest import MeanColor, paint
from serve_program import Serving, upload

from gandt.index.folder import Index
from gandt.index.update import update_index
from gandt.pool.sources import open_pool
from gandt.selection.seeds import find_seeds

if TYPE_CHECKING:
    from s3_server import Bucket

SEEDS = {"red": [{"id": 0}, {"id": 3}], "blue": [{"id": 2}]}


def tasks(folder: Path) -> int:
    return len((folder / "round1.manifest").read_text().splitlines())


@pytest.fixture
def project(colors: Path, mean_color: MeanColor) -> Path:
    """A pool of 60 colors; no program can load the model of its index, and few need it."""
    update_index(open_pool([colors]), mean_color, colors.parent / "pool.index")
    return colors.parent


def test_where_the_model_cannot_be_had_all_else_works(project: Path) -> None:
    """The index is of a model that this machine does not have."""
    with Serving(project, "--save-to", ".") as service:
        assert service.ask("GET", "/v1/images/0/thumbnail?size=128").status == 200
        assert len(service.post("/v1/search", {"id": 0, "k": 5})["results"]) == 5
        saved = service.post("/v1/save", {"seeds": SEEDS, "budget": 10, "name": "round1"})
        assert saved["candidates"] == tasks(project) > 3
        for path, body in (
            ("/v1/search", {**upload(project / "pool" / "000.png"), "k": 3}),
            ("/v1/select", {"seeds": {"red": [upload(project / "pool" / "000.png")]}}),
            ("/v1/save", {"seeds": {"red": [upload(project / "pool" / "000.png")]}, "name": "b"}),
        ):
            reply = service.ask("POST", path, body)
            assert reply.status in (422, 503), reply.body
            assert "mean-color" in reply.json["error"]
        assert service.ask("POST", "/v1/search", {"text": "red"}).status == 422
        assert not list(project.glob("b.*"))
        service.stop()


def test_gone_and_rejected_images_are_not_there(project: Path, mean_color: MeanColor) -> None:
    (project / "pool" / "000.png").unlink()
    paint(project / "pool" / "003.png", (250, 10, 10))
    (project / "pool" / "bad.png").write_bytes(b"no image")
    update_index(open_pool([project / "pool"]), mean_color, project / "pool.index")
    with Serving(project) as service:
        info = service.get("/v1/info")
        assert (info["images"], info["rows"]) == (59, 61)
        listed = service.get("/v1/images?start=0&count=100")["images"]
        assert len(listed) == 59
        assert not {0, 3} & {image["id"] for image in listed}
        for path in ("/v1/images/0", "/v1/images/3/file", "/v1/images/3/thumbnail"):
            assert service.ask("GET", path).status == 404
        for ref in ({"id": 3}, {"uri": str(project / "pool" / "bad.png")}):
            assert service.ask("POST", "/v1/search", ref).status == 404
        service.stop()


def test_a_folder_of_clip_retrieval_is_served(project: Path) -> None:
    (project / "pool.index" / "index.json").unlink()
    with Serving(project) as service:
        assert service.get("/v1/info")["model"] is None
        assert service.ask("GET", "/v1/images/7/thumbnail").status == 200
        assert len(service.post("/v1/select", {"seeds": SEEDS, "budget": 6})["candidates"]) == 6
        reply = service.ask("POST", "/v1/search", upload(project / "pool" / "000.png"))
        assert reply.status in (422, 503)
        assert "--model" in reply.json["error"]
        service.stop()


def test_images_in_a_tar_shard_are_served(project: Path, mean_color: MeanColor) -> None:
    with tarfile.open(project / "shard.tar", "w") as shard:
        for path in sorted((project / "pool").iterdir()):
            shard.add(path, f"in/{path.name}")
    update_index(open_pool([project / "shard.tar"]), mean_color, project / "tar.index")
    data = (project / "pool" / "004.png").read_bytes()
    shutil.rmtree(project / "pool")
    with Serving(project, "--index", "tar.index") as service:
        image = service.get("/v1/images?start=4&count=1")["images"][0]
        assert image["uri"] == f"{project}/shard.tar#in/004.png"
        assert service.ask("GET", f"/v1/images/{image['id']}/file").body == data
        assert service.ask("GET", f"/v1/images/{image['id']}/thumbnail").status == 200
        service.stop()


def test_an_index_and_images_on_s3_are_served(
    colors: Path, bucket: Bucket, mean_color: MeanColor
) -> None:
    from gandt.index.remote import writing

    for path in sorted(colors.iterdir()):
        bucket.put(f"pool/ü {path.name}", path.read_bytes())
    with writing(bucket.uri("pool.index")) as working:
        update_index(
            open_pool([bucket.uri("pool")]), mean_color, working.folder, publish=working.publish
        )
    with Serving(colors.parent, "--index", bucket.uri("pool.index"), "--save-to", ".") as service:
        assert service.get("/v1/info")["name"] == "pool.index"
        image = service.get("/v1/images?start=5&count=1")["images"][0]
        assert image["uri"] == bucket.uri("pool/ü 005.png")
        file = service.ask("GET", f"/v1/images/{image['id']}/file")
        assert file.body == (colors / "005.png").read_bytes()
        assert service.ask("GET", f"/v1/images/{image['id']}/thumbnail").status == 200
        saved = service.post("/v1/save", {"seeds": SEEDS, "budget": 6, "name": "round1"})
        assert "--index s3://" in saved["again"]
        seeds = find_seeds([str(colors.parent / "round1.seeds.csv")])
        assert seeds[0].item.uri == bucket.uri("pool/ü 000.png")

        # S3 refuses from here on: what the index holds goes on, and pictures say why not.
        bucket.server.fail(path="pool/", status="403 Forbidden", code="ExpiredToken", times=99999)
        again = {"seeds": SEEDS, "budget": 6, "name": "round2"}
        assert service.post("/v1/save", again)["candidates"] == 6
        missing = service.ask("GET", "/v1/images/9/file")
        assert missing.status in (404, 503), missing.body
        assert missing.json["error"]
        service.stop()
    names = ("manifest", "selection.csv", "selection.parquet")
    one, two = (
        [(colors.parent / f"{r}.{n}").read_bytes() for n in names] for r in ("round1", "round2")
    )
    assert one == two


def test_what_changes_meanwhile_is_served_as_it_was_opened(
    project: Path, mean_color: MeanColor
) -> None:
    with Serving(project, "--save-to", ".") as service:
        before = service.post("/v1/select", {"seeds": SEEDS, "budget": 20})["candidates"]
        for number in range(60, 80):
            paint(project / "pool" / f"{number:03d}.png", (200, number, number))
        (project / "pool" / "001.png").unlink()
        update_index(open_pool([project / "pool"]), mean_color, project / "pool.index")
        assert Index(project / "pool.index").live_rows == 79
        info = service.get("/v1/info")
        assert (info["images"], info["rows"]) == (60, 60)
        assert service.get("/v1/images?start=0&count=1000")["total"] == 60
        assert service.post("/v1/select", {"seeds": SEEDS, "budget": 20})["candidates"] == before
        assert service.ask("POST", "/v1/search", {"id": 70}).status == 404

        # Then all images are deleted: their pictures are gone, and their vectors are not.
        shutil.rmtree(project / "pool")
        for path in ("/v1/images/0/file", "/v1/images/0/thumbnail"):
            reply = service.ask("GET", path)
            assert (reply.status, bool(reply.json["error"])) == (404, True), path
        assert service.post("/v1/select", {"seeds": SEEDS, "budget": 20})["candidates"] == before
        saved = service.post("/v1/save", {"seeds": SEEDS, "budget": 9, "name": "round1"})
        assert saved["candidates"] == tasks(project) > 3
        service.stop()
