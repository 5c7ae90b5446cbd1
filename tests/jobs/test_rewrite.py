"""Manifests with their images on S3: what changes, what stays, and that answers find back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.errors import ManifestError, StorageError
from gandt.groundtruth.asked_tasks import asked_task, read_asked
from gandt.groundtruth.json_lines import MAX_ATTRIBUTE, MAX_LINE, dump
from gandt.groundtruth.manifest import TaskExamples, read_every_name, write_manifest
from gandt.jobs.rewrite import manifest_bytes, manifest_images, rewrite_manifest
from gandt.labeling.check import check_template
from gandt.labeling.templates import read_template
from gandt.types import Candidate, Selection

Record = dict[str, object]


def manifest(folder: Path, *records: Record) -> str:
    path = folder / "m.manifest"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return str(path)


def tiles(*references: str, **first: object) -> Record:
    listed: list[Record] = [{"source-ref": r, "index": i} for i, r in enumerate(references)]
    listed[0] |= first
    return {"source": json.dumps(listed)}


def decoded(record: Record) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(str(record["source"]))
    return found


def selection(names: list[str]) -> Selection:
    candidates = tuple(
        Candidate(name, "cat", rank, 0.5, 0.5, "/seeds/cat.jpg", "nearest")
        for rank, name in enumerate(names, start=1)
    )
    return Selection(candidates, ("cat", "dog"), "nearest")


S3 = {f"/p/{name}": f"s3://b/gt/images/{name}" for name in ("a.jpg", "b.jpg", "c ü.jpg", "e.jpg")}


# ----------------------------------------------------------------------------- images of a manifest


def test_all_images_are_listed_once_in_order(tmp_path: Path) -> None:
    uri = manifest(
        tmp_path,
        {"source-ref": "/p/b.jpg"},
        {"source": "a text about /p/x.jpg"},
        tiles(
            "/p/a.jpg", "s3://x/y b.png", "/p/b.jpg",
            positive_examples=["/p/e.jpg"], negative_examples=["/p/a.jpg", "/p/f.jpg"],
        ),
        {"source-ref": "/p/clip.MP4"},
        {"source-ref": "s3://x/frames.json"},
        {"source-ref": "s3://x/y b.png", "gandt-pool-uri": "/p/y b.png"},
        {"source-ref": "/shards/x.tar#a.jpg"},
    )  # fmt: skip
    assert manifest_images(uri) == [
        *("/p/b.jpg", "/p/a.jpg", "/p/e.jpg", "/p/f.jpg", "s3://x/y b.png", "/shards/x.tar#a.jpg")
    ]


def test_names_relative_to_the_manifest_become_whole(tmp_path: Path) -> None:
    uri = manifest(
        tmp_path, {"source-ref": "sub/a.jpg"}, {"source-ref": f"file://{tmp_path}/sub/a.jpg"}
    )
    whole = f"{tmp_path}/sub/a.jpg"
    assert manifest_images(uri) == [whole]
    for record in rewrite_manifest(uri, {whole: "s3://b/a.jpg"}, tiles_key=False):
        assert record == {"source-ref": "s3://b/a.jpg", "gandt-pool-uri": whole}


@pytest.mark.parametrize("rewrite", [False, True])
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"label": 1}', r"line 2 has neither a `source-ref` nor a `source` that is a string"),
        ('{"source-ref": 7}', r"line 2 has a `source-ref` that is not a string"),
        ("[]", r"line 2 holds a JSON list where an object is needed"),
        ('{"source": "[{\\"index\\": 1}]"}', r"line 2 has a tile with no `source-ref`"),
    ],
)
def test_a_line_that_is_no_task_is_named(
    tmp_path: Path, line: str, reason: str, rewrite: bool
) -> None:
    path = tmp_path / "m.manifest"
    path.write_text(f'{{"source-ref": "/p/a.jpg"}}\n{line}\n')
    with pytest.raises(ManifestError, match=reason):
        if rewrite:
            rewrite_manifest(str(path), {}, tiles_key=False)
        else:
            manifest_images(str(path))


def test_a_missing_manifest_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="There is no file"):
        manifest_images(str(tmp_path / "gone.manifest"))


# ------------------------------------------------------------------------------ what is rewritten


def test_an_image_is_renamed_and_keeps_its_name_in_the_pool(tmp_path: Path) -> None:
    labels: Record = {
        "cat-or-dog": 0,
        "cat-or-dog-metadata": {"class-name": "cat", "confidence": 0.93, "type": "groundtruth/x"},
        "gandt-rank": 3,
        "mine": {"path": "/p/a.jpg", "n": [1, 2.5, None, "ü\u2028"]},
    }
    uri = manifest(
        tmp_path,
        {"source-ref": "/p/c ü.jpg", **labels},
        {"source-ref": "/p/a.jpg", "gandt-pool-uri": "/pool/one.jpg"},
        {"source-ref": "s3://old/x.jpg", "gandt-pool-uri": "/p/a.jpg"},
        {"source": "about /p/a.jpg", "n": 1},
        {"source-ref": "/p/clip.mp4"},
    )
    first, *rest = rewrite_manifest(uri, S3, tiles_key=True)
    assert list(first.items()) == [
        ("source-ref", "s3://b/gt/images/c ü.jpg"),
        *labels.items(),
        ("gandt-pool-uri", "/p/c ü.jpg"),
    ]
    assert rest == [
        {"source-ref": "s3://b/gt/images/a.jpg", "gandt-pool-uri": "/pool/one.jpg"},
        {"source-ref": "s3://old/x.jpg", "gandt-pool-uri": "/p/a.jpg"},
        {"source": "about /p/a.jpg", "n": 1},
        {"source-ref": "/p/clip.mp4"},
    ]


def test_examples_beside_an_image_are_renamed_and_those_beside_a_text_are_texts(
    tmp_path: Path,
) -> None:
    examples = {"positive_examples": ["/p/e.jpg"], "negative_examples": ["s3://x/y.jpg", 7]}
    uri = manifest(
        tmp_path,
        {"source-ref": "s3://x/a.jpg", **examples},
        {"source": "a text", "positive_examples": ["/p/b.jpg"]},
        {"source-ref": "s3://x/b.jpg", "positive_examples": "/p/a.jpg"},
    )
    assert manifest_images(uri) == ["s3://x/a.jpg", "/p/e.jpg", "s3://x/y.jpg", "s3://x/b.jpg"]
    assert rewrite_manifest(uri, S3, tiles_key=False) == (
        {
            "source-ref": "s3://x/a.jpg",
            "positive_examples": ["s3://b/gt/images/e.jpg"],
            "negative_examples": ["s3://x/y.jpg", 7],
        },
        {"source": "a text", "positive_examples": ["/p/b.jpg"]},
        {"source-ref": "s3://x/b.jpg", "positive_examples": "/p/a.jpg"},
    )


def test_tiles_and_their_examples_are_renamed(tmp_path: Path) -> None:
    first = {"positive_examples": ["/p/e.jpg", "s3://x/y.jpg"], "negative_examples": ["/p/b.jpg"]}
    first |= {"event_names": ["cat"], "other_category_label": "None"}
    uri = manifest(
        tmp_path,
        {**tiles("/p/a.jpg", "s3://x/z.jpg", "/p/c ü.jpg", **first), "gandt-golds": [None, "x", 1]},
    )
    (record,) = rewrite_manifest(uri, S3, tiles_key=False)
    assert decoded(record) == [
        {
            "source-ref": "s3://b/gt/images/a.jpg",
            "index": 0,
            "positive_examples": ["s3://b/gt/images/e.jpg", "s3://x/y.jpg"],
            "negative_examples": ["s3://b/gt/images/b.jpg"],
            "event_names": ["cat"],
            "other_category_label": "None",
        },
        {"source-ref": "s3://x/z.jpg", "index": 1},
        {"source-ref": "s3://b/gt/images/c ü.jpg", "index": 2},
    ]
    assert record["gandt-pool-uris"] == ["/p/a.jpg", "s3://x/z.jpg", "/p/c ü.jpg"]
    assert record["gandt-golds"] == [None, "x", 1]
    assert "tiles" not in record


def test_names_in_the_pool_that_are_there_already_stay(tmp_path: Path) -> None:
    task = tiles("/p/a.jpg", "/p/b.jpg")
    uri = manifest(
        tmp_path,
        {**task, "gandt-pool-uris": ["/pool/1", "/pool/2"]},
        {**task, "gandt-pool-uris": ["too short"]},  # nobody could use these
    )
    found = rewrite_manifest(uri, S3, tiles_key=False)
    assert [record["gandt-pool-uris"] for record in found] == [
        ["/pool/1", "/pool/2"],
        ["/p/a.jpg", "/p/b.jpg"],
    ]


def test_a_second_rewriting_changes_nothing(tmp_path: Path) -> None:
    uri = manifest(tmp_path, {"source-ref": "/p/a.jpg"}, tiles("/p/a.jpg", "/p/b.jpg"))
    once = rewrite_manifest(uri, S3, tiles_key=True)
    (tmp_path / "again.manifest").write_bytes(manifest_bytes(once))
    assert rewrite_manifest(str(tmp_path / "again.manifest"), S3, tiles_key=True) == once


# --------------------------------------------------------------------------- pages without a Lambda


def test_the_decoded_list_stands_where_our_page_reads_it(tmp_path: Path) -> None:
    uri = str(tmp_path / "m.manifest")
    examples = TaskExamples(("/p/e.jpg",), ())
    write_manifest(uri, selection(["/p/a.jpg", "/p/b.jpg"]), group_size=2, examples=examples)
    page = read_template("tiles")
    (record,) = rewrite_manifest(uri, S3, tiles_key=True)
    assert record["tiles"] == decoded(record)
    findings = check_template(page, [(1, record)], pre_annotation=False)
    assert [finding for finding in findings if finding.severity == "error"] == []


def test_a_list_that_is_there_never_falls_behind(tmp_path: Path) -> None:
    task = tiles("/p/a.jpg", "/p/b.jpg")
    uri = manifest(tmp_path, {**task, "tiles": decoded(task)}, {**task, "tiles": ["of my own"]})
    found = rewrite_manifest(uri, S3, tiles_key=False)
    assert found[0]["tiles"] == decoded(found[0])
    assert found[1]["tiles"] == ["of my own"]
    with pytest.raises(ManifestError, match=r"m\.manifest, line 2 has a key `tiles` of its own"):
        rewrite_manifest(uri, S3, tiles_key=True)


# ---------------------------------------------------------------------------------------- limits


def long(count: int, length: int) -> dict[str, str]:
    """Images whose names on S3 have so many characters."""
    return {
        f"/p/{n:04d}.jpg": "s3://b/" + f"{n:04d}.jpg".rjust(length - 7, "x") for n in range(count)
    }


def test_a_task_that_grows_too_long_is_named_with_a_size_that_fits(tmp_path: Path) -> None:
    to_s3 = long(40, 700)
    uri = manifest(tmp_path, {"source": "a text"}, tiles(*to_s3))
    assert len(Path(uri).read_text()) < MAX_ATTRIBUTE
    with pytest.raises(ManifestError) as raised:
        rewrite_manifest(uri, to_s3, tiles_key=False)
    assert str(raised.value).startswith(f"{uri}, line 2, with its images on S3, takes ")
    assert "its task has 40 images, so make the manifest anew with a smaller --group-size (2" in (
        str(raised.value)
    )
    fitting = int(str(raised.value).partition("--group-size (")[2].partition(",")[0])
    smaller = manifest(tmp_path, tiles(*list(to_s3)[:fitting]))
    (record,) = rewrite_manifest(smaller, to_s3, tiles_key=False)
    assert len(str(record["source"])) <= MAX_ATTRIBUTE


def test_a_whole_line_may_grow_too_long_too(tmp_path: Path) -> None:
    to_s3 = long(20, 500)
    others = {f"k{number}": "x" * 19_000 for number in range(5)}
    uri = manifest(tmp_path, {**tiles(*to_s3), **others})
    with pytest.raises(ManifestError, match=rf"line 1.* where Ground Truth allows {MAX_LINE:,}"):
        rewrite_manifest(uri, to_s3, tiles_key=False)
    uri = manifest(tmp_path, {"source-ref": "/p/0000.jpg", **others, "more": "y" * 4_800})
    with pytest.raises(ManifestError, match="take keys out of it that the job does not need"):
        rewrite_manifest(uri, to_s3, tiles_key=False)


def test_a_redundant_list_makes_room(tmp_path: Path) -> None:
    to_s3 = long(30, 600)  # 19,000 characters each time
    others = {f"k{number}": "x" * 17_000 for number in range(4)}
    task = tiles(*to_s3)
    uri = manifest(tmp_path, {**task, **others, "tiles": decoded(task)})
    (record,) = rewrite_manifest(uri, to_s3, tiles_key=False)
    assert "tiles" not in record  # a Lambda decodes `source`
    with pytest.raises(ManifestError, match="smaller --group-size"):
        rewrite_manifest(uri, to_s3, tiles_key=True)


# ----------------------------------------------------------------------------------------- bytes


def test_what_cannot_be_written_is_said_with_its_place() -> None:
    with pytest.raises(ManifestError, match=r"^Task 2 cannot be written: .* NaN or infinite"):
        manifest_bytes([{"source": "a"}, {"source": "b", "x": float("nan")}])


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(list(S3)) | st.sampled_from(["s3://x/y.jpg", "/p/none.jpg"])


@given(
    lines=st.lists(
        st.tuples(
            st.lists(names, min_size=1, max_size=4),
            st.booleans(),
            st.dictionaries(
                st.sampled_from(["a", "b-metadata", "gandt-class"]), values, max_size=3
            ),
        ),
        max_size=6,
    ),
    tiles_key=st.booleans(),
)
def test_answers_find_back_to_the_pool(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[tuple[list[str], bool, Record]],
    tiles_key: bool,
) -> None:
    folder = tmp_path_factory.mktemp("rewrite")
    records = [
        {**(tiles(*named) if tiled else {"source-ref": named[0]}), **others}
        for named, tiled, others in lines
    ]
    uri = manifest(folder, *records)
    rewritten = rewrite_manifest(uri, S3, tiles_key=tiles_key)
    (folder / "on-s3.manifest").write_bytes(manifest_bytes(rewritten))
    problems: list[str] = []
    asked = read_asked(str(folder / "on-s3.manifest"), lambda *note: problems.append(note[2]))
    assert problems == []
    assert len(asked) == len(records)
    for number, (named, tiled, others) in enumerate(lines):
        task = asked[number]
        expected = tuple(named) if tiled else (named[0],)
        assert task.names == expected == asked_task(records[number], "").names
        shown = task.references if tiled else (task.record["source-ref"],)
        assert shown == tuple(S3.get(name, name) for name in expected)
        assert {key: task.record[key] for key in others} == others
    local = {name for named, tiled, _ in lines for name in (named if tiled else named[:1])}
    assert local <= set(read_every_name(str(folder / "on-s3.manifest")))
    assert json.loads(dump(list(rewritten))) == list(rewritten)
