"""The check finds whatever would make a job fail, and says where and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.errors import StorageError
from gandt.groundtruth.check import check_manifest
from gandt.groundtruth.findings import ManifestReport
from gandt.groundtruth.manifest import TaskExamples, write_manifest
from gandt.types import Candidate, Selection

GOLDEN = Path(__file__).parent / "golden"
GOOD = '{"source-ref": "s3://gt-demo/ok.jpg"}'

Check = Callable[..., ManifestReport]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    def run(*lines: str | bytes, **options: int) -> ManifestReport:
        path = tmp_path / "checked.manifest"
        encoded = (line if isinstance(line, bytes) else line.encode() for line in lines)
        path.write_bytes(b"".join(line + b"\n" for line in encoded))
        return check_manifest(str(path), **options)

    return run


def image(uri: str, **others: object) -> str:
    return json.dumps({"source-ref": uri, **others}, ensure_ascii=False)


def tile(*images: object) -> str:
    return json.dumps({"source": json.dumps(images)})


FIRST = {
    "source-ref": "s3://gt-demo/a.jpg",
    "index": 0,
    "event_names": ["Birthday", "Wedding"],
    "positive_examples": ["s3://gt-demo/p.jpg"],
    "negative_examples": [],
    "other_category_label": "None of the above",
}


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.manifest")), ids=lambda path: path.name)
def test_good_manifests_have_no_errors(path: Path) -> None:
    report = check_manifest(str(path))
    assert report.ok, [str(finding) for finding in report.findings]
    assert report.tasks > 0


class TestNumbers:
    def test_a_report_counts_tasks_images_buckets_and_labels(self) -> None:
        report = check_manifest(str(GOLDEN / "output.classification.manifest"))
        assert (report.tasks, report.images, report.tiles, report.texts) == (5, 5, 0, 0)
        assert report.buckets == (("gt-demo", 5),)
        assert report.labels == (("event", (("Birthday", 1), ("Wedding", 2))),)
        assert (report.labeled, report.failed) == ((("event", 3),), (("event", 1),))
        assert report.describe() == (
            "5 tasks: 5 images",
            "5 images in s3://gt-demo",
            "labels of 'event': Birthday 1, Wedding 2",
            "'event': 3 labeled, 1 failed, 1 not labeled",
            "no problem found",
        )

    def test_tiles_count_their_images(self) -> None:
        report = check_manifest(str(GOLDEN / "tiles.manifest"))
        assert (report.tasks, report.images, report.tiles) == (2, 5, 2)

    def test_boxes_and_masks_are_counted_by_class(self) -> None:
        report = check_manifest(str(GOLDEN / "output.others.manifest"))
        assert dict(report.labels) == {
            "boxes": (("Dog", 1),),
            "boxes-check": (("bad", 1),),
            "parts-ref": (("BACKGROUND", 1), ("house", 1)),
        }


class TestWholeFile:
    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"", "empty"),
            (b"\n\n", "empty"),
            (b'{\n  "source-ref": "s3://gt-demo/a.jpg"\n}\n', "not-json-lines"),
            (b'[{"source-ref": "s3://gt-demo/a.jpg"}]\n', "not-json-lines"),
            (b'[\n{"source-ref": "s3://gt-demo/a.jpg"}\n]\n', "not-json-lines"),
            (GOOD.encode("utf-16"), "encoding"),
            (GOOD.encode("utf-16-le"), "encoding"),
            (b"\xef\xbb\xbf" + GOOD.encode(), "byte-order-mark"),
            (b"\xef\xbb\xbf[1]", "byte-order-mark"),
        ],
    )
    def test_what_is_no_json_lines_is_said_once(
        self, tmp_path: Path, content: bytes, code: str
    ) -> None:
        path = tmp_path / "x.manifest"
        path.write_bytes(content)
        report = check_manifest(str(path))
        assert code in dict(report.kinds)
        assert len(report.findings) == 1 or content == b"\xef\xbb\xbf[1]"
        assert not report.ok

    def test_a_blank_line_between_is_an_error_and_at_the_end_harmless(self, check: Check) -> None:
        report = check(GOOD, "", " ", image("s3://gt-demo/b.jpg"), "", "")
        assert [(f.line, f.code) for f in report.findings] == [(2, "blank-line"), (3, "blank-line")]

    def test_more_objects_than_a_job_takes(self, check: Check) -> None:
        report = check(*(image(f"s3://gt-demo/{n}.jpg") for n in range(100_001)))
        assert dict(report.kinds) == {"many-objects": 1}
        assert report.ok

    def test_texts_and_images_in_one_manifest(self, check: Check) -> None:
        assert dict(check(GOOD, '{"source": "hello"}').kinds) == {"mixed": 1}

    def test_findings_of_a_kind_are_capped_and_all_counted(self, check: Check) -> None:
        report = check(*(image(f"/photos/{n}.jpg") for n in range(50)), "nonsense", max_findings=3)
        assert dict(report.kinds) == {"local-path": 50, "not-json": 1}
        assert (report.errors, report.warnings, len(report.findings)) == (1, 50, 4)

    def test_a_missing_file_is_a_storage_error(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError):
            check_manifest(str(tmp_path / "none.manifest"))


LINES = [
    # what stands on the second line, severity, code, key, part of the message or remedy
    ('{"source-ref": "s3://gt-demo/a.jpg"', "error", "not-json", None, "complete JSON object"),
    ('"s3://gt-demo/a.jpg"', "error", "not-json", None, "JSON string"),
    ("null", "error", "not-json", None, "JSON constant"),
    ("[" * 100_000, "error", "not-json", None, "beyond what can be read"),
    (b'{"source-ref": "s3://gt-demo/\xe9.jpg"}', "error", "not-json", None, "not UTF-8"),
    (GOOD + GOOD, "error", "not-json", None, "Extra data"),
    ("{}", "error", "source", None, "no `source-ref` or `source`"),
    (image("s3://gt-demo/a.jpg", source="x"), "error", "source", None, "both"),
    ('{"source-ref": 3}', "error", "source-type", "source-ref", "not a string"),
    ('{"source-ref": null}', "error", "source-type", "source-ref", "not a string"),
    ('{"source": [{"source-ref": "x"}]}', "error", "source-type", "source", "JSON text inside"),
    ('{"source": ""}', "error", "empty", "source", "empty"),
    ('{"source": "[]"}', "error", "tile", "source", "json.dumps"),
    ('{"source": "[{\\"source-ref\\": "}', "error", "tile", "source", "json.dumps"),
    (image(" "), "error", "empty", "source-ref", "empty"),
    (image("a.jpg"), "error", "relative", "source-ref", "s3://bucket/key"),
    (image("https://x.org/a.jpg"), "error", "scheme", "source-ref", "https://"),
    (image("s3a://gt-demo/a.jpg"), "error", "scheme", "source-ref", "s3a://"),
    (image("S3://gt-demo/a.jpg"), "error", "scheme", "source-ref", "S3://"),
    (image("s3://GT_demo/a.jpg"), "error", "bucket", "source-ref", "'GT_demo'"),
    (image("s3:///a.jpg"), "error", "bucket", "source-ref", "''"),
    (image("s3://gt-demo"), "error", "no-object", "source-ref", "folder"),
    (image("s3://gt-demo/pool/"), "error", "no-object", "source-ref", "folder"),
    (image(f"s3://gt-demo/{'é' * 600}.jpg"), "error", "long-key", "source-ref", "1,024 bytes"),
    (image("/photos/a.jpg"), "warning", "local-path", "source-ref", "--uri-map"),
    (image("s3://gt-demo/a.jpg "), "warning", "blanks", "source-ref", "blank"),
    (image("s3://gt-demo/a.tif"), "warning", "suffix", "source-ref", ".jpg, .jpeg, .png"),
    (image("s3://gt-demo/c%20d.jpg"), "warning", "percent", "source-ref", "URL-encoded"),
    (image("s3://gt-demo/e\u0301.jpg"), "warning", "decomposed", "source-ref", "code points"),
    (image("s3://gt-demo/s.tar#a.jpg"), "warning", "shard-member", "source-ref", "shard"),
    (image("s3://gt-demo/ok.jpg"), "warning", "repeat", "source-ref", "stands on line 1 too"),
    (image("s3://gt-demo/a.jpg", **{"$x": 1}), "error", "dollar-name", "$x", "begins with $"),
    (image("s3://gt-demo/a.jpg", x=float("nan")), "error", "not-finite", None, "NaN"),
    (image("s3://gt-demo/a.jpg", x=float("-inf")), "error", "not-finite", None, "-Infinity"),
    (GOOD.replace("ok.jpg", 'a.jpg", "x": 1e999, "y": "'), "error", "not-finite", None, "1e999"),
    ('{"source-ref": "s3://b/a.jpg", "x": 1, "x": 2}', "error", "repeated-key", "x", "twice"),
    ('{"source-ref": "s3://bbb/a.jpg", "x": {"y": 1, "y": 1}}', "error", "repeated-key", "y", "tw"),
    ('{"source-ref": "s3://bbb/\\ud800.jpg"}', "error", "surrogate", "source-ref", "half"),
    (image("s3://gt-demo/a.jpg", x="y" * 20_001), "error", "long-attribute", "x", "20,001 char"),
    (image("s3://gt-demo/a.jpg", x="é" * 15_000), "warning", "long-attribute", "x", "30,000 byt"),
    (image("s3://gt-demo/a.jpg", x=["y" * 20_000]), "error", "long-attribute", "x", "20,004"),
    (
        image("s3://gt-demo/a.jpg", **{f"x{n}": "y" * 19_000 for n in range(6)}),
        "error",
        "long-line",
        None,
        "100,000 are allowed",
    ),
    (
        image("s3://gt-demo/a.jpg", **{f"x{n}": "é" * 9_900 for n in range(6)}),
        "warning",
        "long-line",
        None,
        "count bytes",
    ),
    (
        json.dumps({"source": json.dumps([FIRST])[:-2] + ', "index": 0}]'}),
        "error",
        "repeated-key",
        "source.index",
        "twice",
    ),
    (tile({**FIRST, "x": float("inf")}), "error", "not-finite", "source", "Infinity"),
    (tile(FIRST, 3), "error", "tile", "source[1]", "not an object"),
    (tile(FIRST, {"index": 1}), "error", "tile", "source[1].source-ref", "no `source-ref`"),
    (tile({**FIRST, "index": "0"}), "error", "tile-index", "source[0].index", "'0'"),
    (tile({**FIRST, "index": True}), "error", "tile-index", "source[0].index", "True"),
    (tile({**FIRST, "index": -1}), "error", "tile-index", "source[0].index", "-1"),
    (tile(FIRST, FIRST), "error", "tile-index", "source[1].index", "line 2"),
    (tile({**FIRST, "source-ref": "s3://gt-demo/"}), "error", "no-object", None, "folder"),
    (tile({**FIRST, "event_names": []}), "error", "event-names", None, "non-empty"),
    (tile({**FIRST, "event_names": ["a", "a"]}), "error", "event-names", None, "different"),
    (tile({**FIRST, "event_names": ["a", 1]}), "error", "event-names", None, "names"),
    (tile({**FIRST, "positive_examples": "x"}), "error", "examples", None, "list of references"),
    (tile({**FIRST, "negative_examples": ["a.jpg"]}), "error", "relative", None, "neither"),
    (tile({**FIRST, "other_category_label": ""}), "error", "other-label", None, "empty"),
    (tile({**FIRST, "other_category_label": "Wedding"}), "error", "other-label", None, "class"),
    (tile({"source-ref": "s3://gt-demo/a.jpg", "index": 0}), "warning", "task-keys", None, "no ev"),
]


@pytest.mark.parametrize(("line", "severity", "code", "key", "words"), LINES)
def test_a_problem_is_found_on_its_line(
    check: Check, line: str | bytes, severity: str, code: str, key: str | None, words: str
) -> None:
    report = check(GOOD, line)
    found = [finding for finding in report.findings if finding.code == code]
    assert found, [str(finding) for finding in report.findings]
    finding = found[0]
    assert (finding.line, finding.severity) == (2, severity)
    assert key is None or finding.key == key
    assert words in str(finding)
    assert "\n" not in str(finding)
    assert report.ok == (not any(f.severity == "error" for f in report.findings))


def test_the_same_index_in_two_tasks_must_be_the_same_image(check: Check) -> None:
    other = {**FIRST, "source-ref": "s3://gt-demo/b.jpg"}
    assert check(tile(FIRST), tile(FIRST)).findings == ()
    report = check(tile(FIRST), tile(other))
    assert [(f.line, f.code) for f in report.findings] == [(2, "tile-index")]


CLASSIFIED = json.loads((GOLDEN / "output.classification.manifest").read_text().splitlines()[0])
MULTI = json.loads((GOLDEN / "output.multilabel.manifest").read_text().splitlines()[0])
BOXES = json.loads((GOLDEN / "output.others.manifest").read_text().splitlines()[0])
MASK = json.loads((GOLDEN / "output.others.manifest").read_text().splitlines()[2])


@pytest.mark.parametrize(
    ("record", "path", "value", "key"),
    [
        (CLASSIFIED, ["event"], -1, "event"),
        (CLASSIFIED, ["event"], "zero", "event"),
        (CLASSIFIED, ["event"], ..., "event-metadata"),
        (CLASSIFIED, ["event-metadata"], "x", "event-metadata"),
        (CLASSIFIED, ["event-metadata", "type"], ..., "event-metadata"),
        (CLASSIFIED, ["event-metadata", "class-name"], ..., "event-metadata.class-name"),
        (CLASSIFIED, ["event-metadata", "class-name"], 3, "event-metadata.class-name"),
        (CLASSIFIED, ["event-metadata", "confidence"], 1.5, "event-metadata.confidence"),
        (CLASSIFIED, ["event-metadata", "human-annotated"], 1, "event-metadata.human-annotated"),
        (CLASSIFIED, ["event-metadata", "creation-date"], "today", "event-metadata.creation-date"),
        (MULTI, ["animals"], 6, "animals"),
        (MULTI, ["animals"], [6, None], "animals"),
        (MULTI, ["animals-metadata", "class-map", "6"], ..., "animals-metadata.class-map"),
        (MULTI, ["animals-metadata", "class-map"], ["Cat"], "animals-metadata.class-map"),
        (MULTI, ["animals-metadata", "confidence-map"], ..., "animals-metadata.confidence-map"),
        (BOXES, ["boxes", "annotations"], ..., "boxes"),
        (BOXES, ["boxes", "image_size"], ..., "boxes"),
        (BOXES, ["boxes", "annotations", 0, "left"], ..., "boxes.annotations[0]"),
        (BOXES, ["boxes", "annotations", 0, "class_id"], 9, "boxes.annotations[0]"),
        (BOXES, ["boxes-metadata", "objects"], [], "boxes-metadata.objects"),
        (MASK, ["parts-ref"], "mask.png", "parts-ref"),
        (MASK, ["parts-ref-metadata", "internal-color-map"], 1, None),
        (MASK, ["parts-ref-metadata", "internal-color-map", "1", "class-name"], ..., None),
    ],
)
def test_a_label_out_of_shape_is_found(
    check: Check, record: object, path: list[str | int], value: object, key: str | None
) -> None:
    damaged = json.loads(json.dumps(record))
    place = damaged
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    assert check(json.dumps(record)).findings == ()
    report = check(json.dumps(damaged))
    assert report.findings, damaged
    assert key is None or report.findings[0].key == key


def test_a_label_attribute_that_no_job_could_have_is_found(check: Check) -> None:
    text = json.dumps(CLASSIFIED).replace('"event', '"my_event')
    assert dict(check(text).kinds) == {"attribute-name": 1}


# ------------------------------------------------------------- any one damage to what we write

plain = st.text("abcdefghijklmnopqrstuvwxyz0123456789-é ü", min_size=1, max_size=12)
uri_lists = st.lists(
    plain.map(lambda name: f"s3://gt-demo/pool/{name}.jpg"), min_size=1, max_size=9, unique=True
)
damages = st.sampled_from(["remove", "number", "null", "list", "empty", "dollar", "twice", "cut"])


def damage(record: dict[str, object], key: str, how: str) -> str:
    """Damage one key; returns the line."""
    value = record.pop(key)
    if how == "remove":
        return json.dumps(record)
    if how == "dollar":
        return json.dumps({**record, f"${key}": value})
    if how == "twice":
        text = json.dumps({**record, key: value})
        return f'{text[:-1]}, "{key}": {json.dumps(value)}}}'
    if how == "cut":
        return json.dumps({**record, key: value})[:-1]
    wrong = {"number": 7.5, "null": None, "list": [7.5], "empty": ""}[how]
    return json.dumps({**record, key: wrong})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@settings(deadline=None, max_examples=150)
@given(
    uris=uri_lists,
    size=st.none() | st.integers(1, 4),
    data=st.data(),
    how=damages,
)
def test_any_single_damage_is_found(
    folder: Path, uris: list[str], size: int | None, data: st.DataObject, how: str
) -> None:
    picks = tuple(
        Candidate(uri, "Cat", rank, 0.5, 0.5, uris[0], "nearest") for rank, uri in enumerate(uris)
    )
    path = folder / "any.manifest"
    examples = TaskExamples(("s3://gt-demo/p.jpg",), ("s3://gt-demo/n.jpg",))
    write_manifest(
        str(path), Selection(picks, ("Cat",), "nearest"), group_size=size, examples=examples
    )
    assert check_manifest(str(path)).findings == ()
    lines = path.read_text().splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    record = json.loads(lines[number])
    if size is None:
        lines[number] = damage(record, "source-ref", how)
    else:
        tiles = json.loads(record["source"])
        place = data.draw(st.integers(0, len(tiles) - 1))
        key = data.draw(st.sampled_from(sorted(tiles[place])))
        if how in ("dollar", "cut"):
            lines[number] = damage(record, "source", how)
        else:
            broken = damage(dict(tiles[place]), key, how)
            texts = [json.dumps(tile) for tile in tiles]
            texts[place] = broken
            lines[number] = json.dumps({"source": f"[{', '.join(texts)}]"})
    path.write_text("".join(f"{line}\n" for line in lines))
    report = check_manifest(str(path))
    assert report.findings, (how, lines[number])
    assert {finding.line for finding in report.findings} <= {0, number + 1}
