"""The pages that come with G&T, and what can be baked into them."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.errors import StorageError, UsageError
from gandt.labeling.render import render_page
from gandt.labeling.templates import (
    PAGES,
    Example,
    bake,
    baked_labels,
    read_stand_in,
    read_template,
    signed_source,
)

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"


def settings(page: str) -> dict[str, object]:
    found = re.search(r'id="gt-settings">(.*?)</script>', page, re.S)
    assert found
    return dict(json.loads(found[1]))


def test_every_page_is_a_file_that_ground_truth_takes() -> None:
    ours = (path.name for path in TEMPLATES.glob("*.html") if not path.name.startswith("widget-"))
    assert sorted(ours) == sorted(f"{name}.liquid.html" for name in PAGES)
    for name in PAGES:
        assert len(read_template(name)) <= 128_000


def test_a_template_of_ones_own_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "own.html"
    path.write_bytes("\ufeff<crowd-form>é</crowd-form>".encode())
    assert read_template(str(path)) == "<crowd-form>é</crowd-form>"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="image-classification"):
        read_template("image-clasification")


def test_a_template_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.html"
    path.write_bytes(b"caf\xe9")
    with pytest.raises(StorageError, match="not UTF-8"):
        read_template(str(path))


def test_the_stand_in_could_stand_in_any_page() -> None:
    assert "</script" not in read_stand_in(widgets=True).lower()


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, unique=True
    ).filter(lambda names: all(name.strip() for name in names)),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_what_is_baked_in_comes_out_of_liquid_as_it_was(names: list[str], words: str) -> None:
    page = bake(read_template("text-classification"), labels=names, question=words)
    assert baked_labels(page) == tuple(names)
    rendered = render_page(page, {"source": "x"}, grant_read_access=str)
    assert settings(rendered) == {"labels": names, "question": words}


@pytest.mark.parametrize(
    "name", ["{{ task.input.source }}", "{% raw %}", "</script>", "<!--", "%}{{", "a\u2028b"]
)
def test_marks_of_liquid_and_html_in_a_label_are_only_text(name: str) -> None:
    page = bake(read_template("tiles"), labels=[name, "x"])
    assert page.count("</script>") == read_template("tiles").count("</script>")
    assert settings(render_page(page, {}, grant_read_access=str))["labels"] == [name, "x"]


def shown(page: str) -> list[tuple[str, str, object]]:
    pattern = (
        r'<span class="gt-example" hidden data-kind="(\w+)" data-src="(.*?)" '
        r'data-label="(.*?)"></span>'
    )
    return [
        (kind, html.unescape(source), json.loads(html.unescape(label)))
        for kind, source, label in re.findall(pattern, page)
    ]


def test_examples_reach_the_worker_signed_and_named() -> None:
    label = 'a "cat" </script>{{ x }}'
    page = bake(
        read_template("image-classification"),
        labels=[label, "dog"],
        examples=[
            Example("s3://b/it's é.jpg", label),
            Example("s3://b/2.jpg", "Other", good=False),
        ],
    )
    rendered = render_page(
        page, {"source-ref": "s3://b/x.jpg"}, grant_read_access=lambda uri: f"signed&{uri}"
    )
    assert shown(rendered) == [
        ("good", "signed&s3://b/it's é.jpg", label),
        ("bad", "signed&s3://b/2.jpg", "Other"),
    ]


def test_an_example_that_liquid_cannot_name_is_refused() -> None:
    for uri in ("s3://b/'\".jpg", "s3://b/}}.jpg"):
        with pytest.raises(UsageError, match="rename it"):
            signed_source(uri)


def test_baking_again_keeps_what_is_not_given() -> None:
    once = bake(read_template("tiles"), labels=["a"], question="What?")
    twice = bake(once, instructions="Look.")
    assert settings(twice) == {"labels": ["a"], "question": "What?", "instructions": "Look."}
    assert bake(once) == once


@pytest.mark.parametrize(("labels", "message"), [(["a", " "], "empty"), (["a", "b", "a"], "twice")])
def test_labels_have_to_be_names(labels: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bake(read_template("tiles"), labels=labels)


def test_a_template_without_a_place_for_labels_is_refused() -> None:
    assert baked_labels("<crowd-form></crowd-form>") is None
    with pytest.raises(UsageError, match="no place"):
        bake("<crowd-form></crowd-form>", labels=["a"])


def test_pages_are_what_their_parts_make() -> None:
    script = ROOT / "scripts" / "build_pages.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, timeout=600
    )
    assert (done.returncode, done.stdout) == (0, ""), "run scripts/build_pages.py"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing_but_the_crowd_elements(name: str) -> None:
    addresses = re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]+[^\s\"'<)]*", read_template(name))
    assert addresses == ["https://assets.crowd.aws/crowd-html-elements.js"]
    assert not re.search(r"\bimport\b|innerHTML|document\.write|eval\(", read_template(name))
