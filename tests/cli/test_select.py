"""`gandt select`, `info` and `validate` over an index: what is printed, what is written."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Say = Callable[..., tuple[str, str]]


def tasks(manifest: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in manifest.read_text().splitlines()]


def test_defaults_choose_from_the_index_in_this_folder(gandt: Run, project: Path) -> None:
    done = gandt("select", "--seeds", "seeds.csv", "--budget", 8, "--duplicates", 1)
    first = [line.split() for line in done.stdout.splitlines()]
    assert [words[:2] for words in first[:2]] == [["blue", "4"], ["red", "4"]]
    assert first[2] == ["manifest", "selection.manifest:", "8", "images"]
    assert done.stderr == "note: 3 images of the pool are seeds themselves; left out.\n"
    lines = tasks(project / "selection.manifest")
    assert [line["gandt-class"] for line in lines] == ["blue"] * 4 + ["red"] * 4
    assert all(Path(line["source-ref"]).is_file() for line in lines)
    assert len((project / "selection.csv").read_text().splitlines()) == 9


def test_json_is_all_of_standard_output(say: Say, project: Path) -> None:
    ask = ["select", "--seeds", "seeds.csv", "--per-class", 3, "--duplicates", 1, "--json"]
    out, err = say(*ask, "--out", "r.manifest", "--report", "r.html")
    result = json.loads(out)
    assert result["classes"] == {"blue": 3, "red": 3}
    assert (result["tasks"], result["images"], result["strategy"]) == (6, 6, "auto")
    for key in ("manifest", "table", "parquet", "report"):
        assert (project / result[key]).stat().st_size > 0
    assert result["notes"] == ["3 images of the pool are seeds themselves; left out."]
    assert err == ""


def test_each_class_gets_its_quota(say: Say, project: Path) -> None:
    ask = ["select", "--seeds", "seeds.csv", "--quota", "red=5", "--quota", "blue=2"]
    out, _ = say(*ask, "--duplicates", 1, "--json")
    assert json.loads(out)["classes"] == {"blue": 2, "red": 5}


@pytest.mark.parametrize(
    ("quotas", "sentence"),
    [
        (["red"], "--quota 'red': write CLASS=N, for example --quota cat=50."),
        (["red=many"], "--quota 'red=many': write CLASS=N"),
        (["=3"], "--quota '=3': write CLASS=N"),
        (["red=-1"], "--quota 'red=-1': write CLASS=N"),
        (["red=" + "9" * 5000], "write CLASS=N"),
        (["red=0"], "the quota of class red is 0; it must be at least 1"),
        (["red=1", "red=2"], "--quota names class red twice"),
        (["purple=3"], "a quota for class 'purple', which is none to look for"),
    ],
)
def test_a_quota_that_makes_no_sense_is_refused(
    say: Say, project: Path, quotas: list[str], sentence: str
) -> None:
    given = [part for quota in quotas for part in ("--quota", quota)]
    _, err = say("select", "--seeds", "seeds.csv", *given, code=2)
    assert sentence in err
    assert not (project / "selection.manifest").exists()


def test_tiled_tasks_with_rewritten_references_validate(say: Say, project: Path) -> None:
    say(
        *("select", "--seeds", "seeds.csv", "--budget", 9, "--duplicates", 1),
        *("--group-size", 4, "--uri-map", f"{project}/pool=s3://bucket/pool"),
    )
    result = json.loads(say("validate", "selection.manifest", "--json")[0])
    assert result["ok"]
    assert (result["errors"], result["warnings"]) == (0, 0)
    text = (project / "selection.manifest").read_text()
    assert len(text.splitlines()) == 3
    assert "s3://bucket/pool/" in text


def test_what_was_sent_is_not_sent_again(say: Say, project: Path) -> None:
    ask = ["select", "--seeds", "seeds.csv", "--budget", 10, "--duplicates", 1]
    say(*ask, "--out", "one.manifest")
    say(*ask, "--out", "two.manifest", "--exclude", "one.manifest")
    one, two = (
        {task["source-ref"] for task in tasks(project / name)}
        for name in ("one.manifest", "two.manifest")
    )
    assert (len(one), len(two), one & two) == (10, 10, set())


def test_notes_go_to_standard_error(say: Say, project: Path) -> None:
    out, err = say("select", "--seeds", "seeds.csv", "--duplicates", 1)
    assert "57 of 500 wanted" in err
    assert "wanted" not in out


def test_info_says_what_the_index_holds(say: Say, project: Path) -> None:
    out, _ = say("info")
    facts = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert facts["index"] == "pool.index"
    assert facts["images"] == "60 to search"
    assert facts["model"].startswith("mean-color, weights sha256 000000000000")
    assert facts["search"].startswith("exact")
    machine = json.loads(say("info", project / "pool.index", "--json")[0])
    assert (machine["images"], machine["dimension"]) == (60, 4)
    assert machine["rejected"] == []


def test_a_closed_pipe_is_no_accident(program: Path, project: Path) -> None:
    """`gandt info | head -1`"""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [program, "info"], cwd=project, stdout=writer, stderr=subprocess.PIPE, text=True,
        check=False, timeout=600,
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == ""


def test_validate_fails_where_a_job_would(say: Say, tmp_path: Path) -> None:
    (tmp_path / "bad.manifest").write_text('{"source-ref": "s3://bucket/a.jpg"}\n{"no": 1}\n')
    out, _ = say("validate", "bad.manifest", code=1)
    assert "line 2" in out
    assert "1 error" in out
    assert not json.loads(say("validate", "bad.manifest", "--json", code=1)[0])["ok"]


def test_strict_lets_warnings_fail(say: Say, tmp_path: Path) -> None:
    (tmp_path / "local.manifest").write_text('{"source-ref": "/photos/a.jpg"}\n')
    say("validate", "local.manifest")
    say("validate", "local.manifest", "--strict", code=1)


def test_names_of_every_kind_survive(say: Say, project: Path) -> None:
    """Spaces, quotes, signs and other scripts; nothing is lost or escaped."""
    label = 'a "big" dog/🐕, 100%'
    quoted = label.replace('"', '""')
    (project / "s.csv").write_text(f'path,label\npool/000.png,"{quoted}"\n')
    out, _ = say("select", "--seeds", "s.csv", "--budget", 2, "--duplicates", 1, "--json")
    assert json.loads(out)["classes"] == {label: 2}
    assert {task["gandt-class"] for task in tasks(project / "selection.manifest")} == {label}


# ------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "there are no seeds; give --seeds a folder"),
        (["--seeds", "nowhere"], 1, "there is nothing at nowhere; name a folder"),
        (["--seeds", "pool"], 1, "holds images but no class folders; make one folder per class"),
        (["--seeds", "pool/000.png"], 1, "neither a table"),
        (["--index", "no.index"], 1, "no.index does not exist; name an index folder, or create"),
        (["--index", "seeds.csv"], 1, "seeds.csv is a file, not an index folder"),
        (["--index", "pool"], 1, "pool holds neither index.json nor img_emb/"),
        (["--strategy", "best"], 2, "No strategy is called 'best': choose one of auto"),
        (["--uri-map", "x"], 2, "--uri-map 'x' holds no such pair: write PREFIX=REPLACEMENT"),
        (["--exclude", "gone.csv"], 2, "--exclude gone.csv: there is no such file"),
        (["--prompt", "a cat"], 2, "--prompt 'a cat': write TEXT=CLASS"),
        (["--budget", "-3"], 2, "Invalid value for '--budget'"),
        (["--out", "new/"], 2, "--out new/ is a folder; name a file in it"),
        (["--budgets", "3"], 2, "No such option"),
        (["--budget", "9", "--per-class", "3"], 2, "--budget and --per-class exclude each other"),
        (["--per-class", "3", "--quota", "red=1"], 2, "--per-class and --quota exclude each other"),
        (["--report", "selection.manifest"], 2, "--report selection.manifest is no name of a page"),
        (["--min-similarity", "0.99999"], 1, "no image was chosen, so selection.manifest is not"),
        (["--exclude", "pool"], 2, "holds no image that is neither a seed nor excluded"),
    ],
)
def test_a_mistake_is_one_sentence(
    say: Say, project: Path, arguments: list[str], code: int, sentence: str
) -> None:
    given = [] if not arguments or "--seeds" in arguments else ["--seeds", "seeds.csv"]
    out, err = say("select", *given, *arguments, code=code)
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith(("gandt: ", "Error: "))
    assert sentence in last
    assert not (project / "selection.manifest").exists()


def test_debug_shows_where_a_mistake_came_from(program: Path, project: Path) -> None:
    done = subprocess.run(
        [program, "--debug", "info", "no.index"], cwd=project, capture_output=True, text=True,
        check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_damage_is_named_with_the_file(say: Say, project: Path) -> None:
    shard = next((project / "pool.index" / "img_emb").iterdir())
    shard.write_bytes(shard.read_bytes()[:-10])
    _, err = say("info", code=1)
    assert err.count("\n") == 1
    assert "img_emb_0000.npy is no shard of vectors (its last 10 bytes are missing)" in err
    (project / "pool.index" / "index.json").write_text("{")
    _, err = say("select", "--seeds", "seeds.csv", code=1)
    assert "index.json cannot be read" in err


@pytest.mark.parametrize("command", ["select --seeds seeds.csv", "embed pool", "info"])
@pytest.mark.parametrize("place", ["metadata/metadata_0000", "rejected/rejected_0000"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_tables_are_named_too(
    say: Say, project: Path, command: str, place: str, damage: str
) -> None:
    file = project / "pool.index" / f"{place}.parquet"
    if damage == "cut":
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"PAR1 and no more")
    else:
        file.unlink(missing_ok=True)
    needed = {"metadata": ("select", "embed"), "rejected": ("embed", "info")}
    reads = command.split()[0] in needed[file.parent.name]
    fails = reads and (damage == "cut" or file.parent.name == "metadata")
    _, err = say(*command.split(), code=1 if fails else 0)
    assert (f"gandt: pool.index/{place}.parquet cannot be read" in err) == fails


def test_a_manifest_that_cannot_be_written_is_said(say: Say, project: Path) -> None:
    (project / "out").write_text("a file where a folder must be")
    _, err = say("select", "--seeds", "seeds.csv", "--out", "out/x.manifest", code=1)
    assert err.count("gandt: ") == 1
    assert "out" in err
