"""References are rewritten by the longest prefix that ends where a name ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from gandt.errors import UsageError
from gandt.groundtruth.uri_map import UriMap, is_bucket_name


@pytest.mark.parametrize(
    ("rules", "uri", "expected"),
    [
        (["/photos=s3://bucket/p"], "/photos/a b.jpg", "s3://bucket/p/a b.jpg"),
        (["/photos/=s3://bucket/p/"], "/photos/x/é.jpg", "s3://bucket/p/x/é.jpg"),
        (["/photos=s3://bucket"], "/photos/a.jpg", "s3://bucket/a.jpg"),
        (["/photos=s3://bucket/p"], "/photos-2/a.jpg", None),
        (["/photos=s3://bucket/p"], "/photos#1/a.jpg", None),
        (["/photos/a.jpg=s3://bucket/z.jpg"], "/photos/a.jpg", "s3://bucket/z.jpg"),
        (["/=s3://bucket/all"], "/photos/a.jpg", "s3://bucket/all/photos/a.jpg"),
        (["s3://one/p=s3://two/q"], "s3://one/p/a.jpg", "s3://two/q/a.jpg"),
        (["s3://one/p=/data"], "s3://one/p/a.jpg", "/data/a.jpg"),
        (["s3://one/p=/"], "s3://one/p/a.jpg", "/a.jpg"),
        (["/a/dt=2024=s3://bucket/dt=2024"], "/a/dt=2024/x.jpg", "s3://bucket/dt=2024/x.jpg"),
        (["/a/s.tar=s3://bucket/s"], "/a/s.tar#x/1.jpg", "s3://bucket/s/x/1.jpg"),
        (["/a=s3://aaa", "/a/b=s3://bbb"], "/a/b/x.jpg", "s3://bbb/x.jpg"),
        (["/a/b=s3://bbb", "/a=s3://aaa"], "/a/c/x.jpg", "s3://aaa/c/x.jpg"),
        ([], "/a/x.jpg", None),
    ],
)
def test_rules_rewrite(rules: list[str], uri: str, expected: str | None) -> None:
    assert UriMap.parse(rules).apply(uri) == expected


def test_a_local_prefix_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rules = UriMap.parse(["photos=s3://bucket/p"])
    assert rules.apply(str(tmp_path / "photos" / "a.jpg")) == "s3://bucket/p/a.jpg"


@pytest.mark.parametrize(
    "text", ["", "/photos", "=s3://bucket/p", "/photos=bucket/p", "/a=s3://bbb=s3://ccc", " =/x"]
)
def test_a_malformed_rule_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="PREFIX=REPLACEMENT"):
        UriMap.parse([text])


def test_a_bucket_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="'My_Bucket'"):
        UriMap.parse(["/photos=s3://My_Bucket/p"])


def test_two_rules_for_one_prefix_are_refused() -> None:
    with pytest.raises(UsageError, match="two rules for /photos"):
        UriMap.parse(["/photos=s3://aaa", "/photos/=s3://bbb"])
    assert UriMap.parse(["/photos=s3://aaa", "/photos/=s3://aaa/"]).rules == (
        ("/photos", "s3://aaa"),
    )


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("abc", True), ("a.b-c.9", True), ("ab", False), ("Abc", False), ("a..b", False),
        ("-abc", False), ("abc-", False), ("a_b", False), ("a" * 63, True), ("a" * 64, False),
    ],
)  # fmt: skip
def test_bucket_names(name: str, good: bool) -> None:
    assert is_bucket_name(name) is good
