"""`gandt next`: what is printed, what is written, what is refused."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clustered_pools import clusters
from rounds_files import answer, write_index

if TYPE_CHECKING:
    from s3_server import Bucket

Say = Callable[..., tuple[str, str]]

CLASSES = ("Other", "common", "rare")
VECTORS, TRUTH = clusters((300, 300, 30), d=16, spread=0.7)
NAMES = [CLASSES[code] for code in TRUTH]
MANY = [f"kind-{number}" for number in range(25)]


def written(folder: Path, names: list[str], vectors: np.ndarray) -> Path:
    """An index of a pool and `seeds.csv`, four of each class; returns the folder."""
    uris = [f"{folder}/pool/{row:04d}.jpg" for row in range(len(names))]
    write_index(folder / "pool.index", vectors, uris)
    rows = [row for name in sorted(set(names)) for row in _first(names, name)]
    table = "".join(f'{uris[row]},"{names[row]}"\n' for row in rows)
    (folder / "seeds.csv").write_text(f"path,label\n{table}")
    return folder


def _first(names: list[str], name: str) -> list[int]:
    return [row for row, each in enumerate(names) if each == name][:4]


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    return written(tmp_path, NAMES, VECTORS)


def labeled(folder: Path, number: int, **how: object) -> None:
    """Have a manifest answered: `round1/` beside `round1.manifest`."""
    truth = {f"{folder}/pool/{row:04d}.jpg": name for row, name in enumerate(NAMES)}
    answer(folder / f"round{number}.manifest", folder / f"round{number}", truth, **how)  # type: ignore[arg-type]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def stripped(text: str) -> str:
    """Without the breaks that lay out long sentences."""
    return " ".join(text.split())


def test_the_first_round_goes_out_from_seeds(say: Say, pool: Path) -> None:
    out, err = say("next", "--seeds", "seeds.csv", "--target", "rare", "--budget", 20)
    words = [line.split() for line in out.splitlines()]
    assert words[0] == ["round", "1"]
    assert stripped(out).startswith(
        "round 1 labeled 12 of 630 images: Other 4, common 4, rare 4 find rare: 19 images, "
    )
    assert "finds expected uniform 1 image scored " in stripped(out)
    assert "left not known yet: only labels of images that were drawn uniformly tell" in stripped(
        out
    )
    assert "manifest round1.manifest table round1.selection.csv verdict go on rare: an" in stripped(
        out
    )
    assert out.splitlines()[-2:] == [
        "next             gandt label round1.manifest --labels common,rare,Other "
        "--out round1.answers",
        "                 gandt aggregate round1.answers --out round1/",
    ]
    assert err == ""
    assert [line["gandt-round"] for line in lines(pool / "round1.manifest")] == [1] * 20


def test_labels_of_all_rounds_as_the_shell_expands_them(say: Say, pool: Path) -> None:
    ask = ("--target", "rare", "--budget", 20)
    say("next", "--seeds", "seeds.csv", *ask, "--out", "round1.manifest")
    labeled(pool, 1)
    say(
        "next",
        "--seeds",
        "seeds.csv",
        "--labels",
        "round1/labels.csv",
        *ask,
        "--out",
        "r2.manifest",
    )
    (pool / "r2.manifest").rename(pool / "round2.manifest")
    labeled(pool, 2)
    files = ("round1/labels.csv", "round2/labels.csv")
    one = say("next", "--labels", *files, *ask, "--seeds", "seeds.csv", "--out", "a.manifest")[0]
    two = say("next", *files, "--seeds", "seeds.csv", *ask, "--out", "a.manifest")[0]
    three = say(
        *("next", "--labels", files[0], "--labels", files[1], *ask),
        *("--seeds", "seeds.csv", "--out", "a.manifest"),
    )[0]
    assert one == two == three
    assert one.startswith("round            3\nlabeled          52 of 630 images: ")
    assert "It says stop after 60 labels in a row that were chosen to find a class in vain" in (
        stripped(one)
    )
    assert "2 uniform draws limit what is left" in stripped(one)
    assert one.splitlines()[-1].split() == [
        *("gandt", "aggregate", "a.answers", "--out", "a/"),
        *("--previous", "round1/", "--previous", "round2/"),
    ]
    assert {line["gandt-labeled"] for line in lines(pool / "a.manifest")} == {52}


def test_lines_are_short_and_commands_whole(say: Say, pool: Path) -> None:
    out, _ = say("next", "--seeds", "seeds.csv", "--price", 1, "--value", 2, "--uniform", 0.5)
    assert max(map(len, out.splitlines())) <= 100
    name = "next             "
    command = next(line for line in out.splitlines() if line.startswith(name))
    assert shlex.split(command)[:4] == ["next", "gandt", "label", "round1.manifest"]


def test_it_says_stop_when_a_round_is_not_worth_its_price(say: Say, pool: Path) -> None:
    ask = ("next", "--seeds", "seeds.csv", "--target", "rare", "--budget", 20)
    out, _ = say(*ask, "--price", 100, "--value", 1)
    after = stripped(out.partition("verdict")[2])
    assert after.startswith("stop The next round costs 2,000.00 and is expected to find ")
    assert "to go on         gandt label round1.manifest " in out
    assert len(lines(pool / "round1.manifest")) == 20
    assert "go on" in stripped(say(*ask, "--price", 1, "--value", 100)[0])


def test_unsure_labels_are_said_and_what_to_do_with_them(say: Say, pool: Path) -> None:
    say("next", "--seeds", "seeds.csv", "--budget", 20, "--out", "round1.manifest")
    labeled(pool, 1, accuracy=(0.7, 0.7), seed=1)
    out, _ = say("next", "--seeds", "seeds.csv", "round1/", "--budget", 20)
    result = json.loads(say("next", "--seeds", "seeds.csv", "round1/", "--budget", 20, "--json")[0])
    number = sum(result["unsure"].values())
    assert number > 0
    assert f"unsure {number} labels below 0.8: " in stripped(out)
    assert "asked again (relabel.manifest of their round) each counts as what it says" in (
        stripped(out)
    )


def test_json_is_all_of_standard_output(say: Say, pool: Path) -> None:
    ask = ("--target", "rare", "--goal", "find=0.5", "--goal", "learn", "--budget", 20, "--json")
    out, err = say("next", "--seeds", "seeds.csv", *ask, "--exclude", "seeds.csv")
    result = json.loads(out)
    assert err == ""
    assert (result["round"], result["pool"], result["images"]) == (1, 630, 20)
    assert result["stop"] is False
    assert result["targets"] == ["rare"]
    assert [each["class"] for each in result["estimates"]] == list(CLASSES)
    chosen = Counter(line["gandt-why"] for line in lines(pool / "round1.manifest"))
    assert chosen == {each["goal"]: each["images"] for each in result["chosen"]}
    assert result["next"][0].startswith("gandt label round1.manifest ")
    for key in ("manifest", "table", "parquet", "frontier"):
        assert (pool / result[key]).stat().st_size > 0
    assert result["report"] is None
    assert any("nothing" in reason or "no uniform draw" in reason for reason in result["reasons"])


def test_many_classes_are_a_table(say: Say, tmp_path: Path) -> None:
    vectors, truth = clusters((30,) * 25, d=16, spread=0.4)
    written(tmp_path, [MANY[code] for code in truth], vectors)
    out, _ = say("next", "--seeds", "seeds.csv", "--budget", 60)
    rows = [line.split() for line in out.splitlines() if line.startswith("kind-")]
    assert len(rows) == 20
    assert "… and 5 more classes, with --json" in out
    assert "left (95%)  probe: at most  in vain  chosen  expected" in out
    assert all(row[1] == "4" for row in rows)
    assert "find 57 images for 25 classes, " in stripped(out)
    assert "17 more classes" in stripped(out)
    assert "No uniform draw limits what is left" in stripped(out)
    assert len(out.splitlines()) < 40


def test_where_no_class_is_sought_nothing_is_said_of_finds(say: Say, tmp_path: Path) -> None:
    vectors, truth = clusters((30,) * 25, d=16, spread=0.4)
    written(tmp_path, [MANY[code] for code in truth], vectors)
    ask = ("next", "--seeds", "seeds.csv", "--budget", 60, "--goal", "learn")
    out, _ = say(*ask)
    assert "left (95%)  probe: at most\n" in out
    assert "expected" not in out
    assert "only --price with --value can say stop" in stripped(out)
    chosen = json.loads(say(*ask, "--json")[0])["chosen"]
    assert [(each["goal"], each["class"]) for each in chosen] == [
        ("learn", None),
        ("uniform", None),
    ]


def test_images_left_out_are_counted_and_those_labeled_automatically_among_them(
    say: Say, pool: Path
) -> None:
    rows = "".join(f"{pool}/pool/{row:04d}.jpg,Other,machine\n" for row in range(600, 605))
    (pool / "auto.csv").write_text(f"task,label,source\n{rows}")
    ask = ("next", "--seeds", "seeds.csv", "--labels", "auto.csv", "--budget", 10)
    out, _ = say(*ask)
    assert "left out 5 images, all of them labeled automatically; what is said to be left is" in (
        stripped(out)
    )
    (pool / "sent.txt").write_text(f"{pool}/pool/0620.jpg\n")
    out, _ = say(*ask, "--exclude", "sent.txt")
    assert "left out 6 images, 5 of them labeled automatically; what is said" in stripped(out)


def test_automatic_labels_that_an_audit_refuted_are_said_not_to_be_used(
    say: Say, pool: Path
) -> None:
    rows = "".join(f"{pool}/pool/{row:04d}.jpg,Other,machine\n" for row in range(600, 605))
    (pool / "auto").mkdir()
    (pool / "auto" / "labels.csv").write_text(f"task,label,source\n{rows}")
    (pool / "auto" / "summary.json").write_text(
        '{"method": "autolabel", "audit": {"verdict": "refuted"}}'
    )
    for labels in ("auto/", "auto/labels.csv"):
        out, err = say("next", "--seeds", "seeds.csv", "--labels", labels, "--budget", 10)
        assert "left out" not in out
        assert err == "note: 5 automatic labels of auto are not used: its audit refuted them.\n"


def test_a_class_and_its_number_stand_on_one_line(say: Say, tmp_path: Path) -> None:
    vectors, truth = clusters((30,) * 25, d=16, spread=0.4)
    written(tmp_path, [f"some-{MANY[code].replace('-', 's-')}" for code in truth], vectors)
    out, _ = say("next", "--seeds", "seeds.csv", "--budget", 10)
    labeled, more = out.splitlines()[1:3]
    assert len(f"{labeled} some-kinds-11") <= 100  # the name alone would have had room
    assert labeled.endswith(" 4,")
    assert more.split()[:2] == ["some-kinds-11", "4,"]


def test_a_mapped_manifest_goes_to_ground_truth(say: Say, pool: Path) -> None:
    out, err = say(
        *("next", "--seeds", "seeds.csv", "--budget", 20),
        *("--uri-map", f"{pool}/pool=s3://bucket/pool"),
    )
    assert out.splitlines()[-1] == (
        "next             gandt launch round1.manifest --task image-classification "
        "--labels common,rare,Other"
    )
    line = lines(pool / "round1.manifest")[0]
    assert str(line["source-ref"]).startswith("s3://bucket/pool/")
    assert str(line["gandt-pool-uri"]).startswith(f"{pool}/pool/")
    assert err == ""
    err = say("next", "--seeds", "seeds.csv", "--uri-map", "/x=s3://bucket/x", "--budget", 20)[1]
    assert err.startswith("note: 20 references fit no --uri-map rule; first: ")


def test_a_class_that_a_list_with_commas_cannot_name_is_left_to_the_person(
    say: Say, tmp_path: Path
) -> None:
    vectors, truth = clusters((60, 60), d=16)
    written(tmp_path, [("Other", "cracked, wet")[code] for code in truth], vectors)
    out, _ = say("next", "--seeds", "seeds.csv", "--budget", 10)
    assert "gandt label round1.manifest --out round1.answers" in out


def test_labels_and_rounds_may_lie_on_s3(say: Say, pool: Path, bucket: Bucket) -> None:
    ask = ("next", "--seeds", "seeds.csv", "--target", "rare", "--budget", 20)
    say(*ask, "--out", "round1.manifest")
    labeled(pool, 1)
    for name in ("labels.parquet", "output.manifest", "workers.parquet", "answers.parquet"):
        bucket.put(f"jobs/round1/{name}", (pool / "round1" / name).read_bytes())
    bucket.put("jobs/round1.frontier.npz", (pool / "round1.frontier.npz").read_bytes())
    there, here = bucket.uri("jobs/round1/"), bucket.uri("jobs/round2.manifest")
    out, err = say(*ask, "--labels", there, "--out", here)
    assert out.startswith("round            2\n")
    assert err == ""
    assert out.splitlines()[-2:] == [
        f"next             gandt label {here} --labels common,rare,Other --out round2.answers",
        f"                 gandt aggregate round2.answers --out round2/ --previous {there}",
    ]
    say(*ask, "--labels", "round1/", "--out", "round2.manifest")
    assert bucket.get("jobs/round2.manifest") == (pool / "round2.manifest").read_bytes()


def test_the_contact_sheet_shows_images_and_the_seeds_they_resemble(
    say: Say, project: Path
) -> None:
    (project / "more.csv").write_text(
        (project / "seeds.csv").read_text() + "pool/001.png,green\npool/004.png,green\n"
    )
    ask = ("next", "--seeds", "more.csv", "--budget", 10, "--report", "r.html")
    out, err = say(*ask, "--out", "r.manifest")
    page = (project / "r.html").read_text()
    assert "contact sheet    r.html" in out
    assert err == (
        "note: 5 of 9 wanted: the other candidates are near-copies of these or of labeled images.\n"
    )
    assert page.count('<li class="card') == len(lines(project / "r.manifest"))
    assert "Round 1 from pool.index" in page
    assert 'class="like seed-' in page
    assert "<dt>advice</dt><dd>go on</dd>" in page


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "nothing is labeled yet"),
        (["--labels", ""], "--labels '' is no path; name a round's labels.csv"),
        (["--labels", "seeds.csv", " "], "--labels ' ' is no path; name a round's labels.csv"),
        (["--labels", "none.csv"], "--labels none.csv: there is no such file"),
        (["--labels", "empty.csv"], "empty.csv names no image"),
        (["--seeds", "seeds.csv", "--target", "rar"], "There is no class 'rar' among the labels"),
        (["--seeds", "seeds.csv", "--target", "Other"], "--target Other: the contrast class"),
        (["--seeds", "seeds.csv", "--budget", "0"], "Invalid value for '--budget'"),
        (["--seeds", "seeds.csv", "--uniform", "1.5"], "Invalid value for '--uniform'"),
        (["--seeds", "seeds.csv", "--price", "1"], "--price tells nothing alone: give --value"),
        (["--seeds", "seeds.csv", "--value", "1"], "--value tells nothing alone: give --price"),
        (["--seeds", "seeds.csv", "--goal", "find=x"], "--goal 'find=x': write find, learn or"),
        (["--seeds", "seeds.csv", "--goal", "find=-1"], "--goal 'find=-1': write find, learn or"),
        (["--seeds", "seeds.csv", "--goal", "explore"], "--goal 'explore': write find, learn or"),
        (["--seeds", "seeds.csv", "--goal", "find=0"], "no goal has a share above 0"),
        (
            ["--seeds", "seeds.csv", "--goal", "find=1", "--goal", "learn"],
            "shares of 1 leave nothing for learn",
        ),
        (["--seeds", "seeds.csv", "--goal", "find", "--goal", "find=1"], "names find twice"),
        (["--seeds", "seeds.csv", "--out", "pool.index"], "is a folder; name a file in it"),
        (["--seeds", "seeds.csv", "--out", "new/"], "is a folder; name a file in it"),
        (
            ["--seeds", "seeds.csv", "--out", "s3://"],
            "--out s3:// is a folder; name a file in it, as s3://bucket/round2.manifest",
        ),
        (["--seeds", "seeds.csv", "--out", "seeds.csv"], "exists and is no manifest"),
        (["--seeds", "seeds.csv", "--report", "round1.manifest"], "is no name of a page: name"),
    ],
)
def test_wrong_calls_are_one_sentence_and_write_nothing(
    say: Say, pool: Path, arguments: list[str], sentence: str
) -> None:
    (pool / "empty.csv").write_text("task,label\n")
    before = {path: path.stat().st_mtime_ns for path in pool.rglob("*")}
    out, err = say("next", *arguments, code=2)
    assert sentence in err
    assert out == ""
    assert {path: path.stat().st_mtime_ns for path in pool.rglob("*")} == before


def test_a_missing_index_is_said(say: Say, pool: Path) -> None:
    _, err = say("next", "--seeds", "seeds.csv", "--index", "no.index", code=1)
    assert err.startswith("gandt: no.index does not exist; name an index folder")


def test_goals_without_a_share_have_what_others_leave(say: Say, pool: Path) -> None:
    def mixed(*goals: str) -> Counter[object]:
        given = [part for goal in goals for part in ("--goal", goal)]
        ask = ("next", "--seeds", "seeds.csv", "--target", "rare", "--budget", 20, *given)
        say(*ask, "--uniform", 0, "--no-again")
        return Counter(line["gandt-why"] for line in lines(pool / "round1.manifest"))

    assert mixed("find", "learn") == {"find": 10, "learn": 10}
    assert mixed("find=0.6", "learn", "balance") == {"find": 12, "learn": 4, "balance": 4}
    assert mixed("find=70", "learn=30") == {"find": 14, "learn": 6}


def test_a_round_is_not_written_over_another(say: Say, pool: Path) -> None:
    ask = ("next", "--seeds", "seeds.csv", "--budget", 20, "--out", "round1.manifest")
    say(*ask)
    say(*ask)
    labeled(pool, 1)
    _, err = say(*ask, "--labels", "round1/", code=2)
    assert err == (
        "gandt: --out round1.manifest holds round 1, and this is round 2: name another file, as "
        "round2.manifest.\n"
    )


def test_each_round_is_written_under_its_number(say: Say, pool: Path) -> None:
    ask = ("next", "--seeds", "seeds.csv", "--budget", 20)
    say(*ask)
    labeled(pool, 1)
    out, _ = say(*ask, "--labels", "round1/")
    assert "gandt label round2.manifest" in out
    assert {line["gandt-round"] for line in lines(pool / "round2.manifest")} == {2}
    labeled(pool, 2)
    say(*ask, "--labels", "round1/", "round2/")
    assert {line["gandt-round"] for line in lines(pool / "round3.manifest")} == {3}


def test_what_select_wrote_is_not_replaced_by_a_name_that_nobody_gave(say: Say, pool: Path) -> None:
    line = f'{{"source-ref": "{pool}/pool/0001.jpg", "gandt-class": "rare"}}\n'
    (pool / "round1.manifest").write_text(line)
    _, err = say("next", "--seeds", "seeds.csv", "--budget", 20, code=2)
    assert err == (
        "gandt: round1.manifest is there, and no earlier `gandt next` wrote it: name the manifest "
        "of this round with --out.\n"
    )
    assert (pool / "round1.manifest").read_text() == line


def test_the_manifest_of_another_round_is_not_replaced_by_a_name_that_nobody_gave(
    say: Say, pool: Path
) -> None:
    ask = ("next", "--seeds", "seeds.csv", "--budget", 20)
    say(*ask)
    labeled(pool, 1)
    mine = (pool / "round1.manifest").replace(pool / "round2.manifest")
    before = mine.read_bytes()
    _, err = say(*ask, "--labels", "round1/", code=2)
    assert err.startswith("gandt: round2.manifest is there, and is of round 1: ")
    assert mine.read_bytes() == before


def test_where_all_is_labeled_it_says_what_is_known_and_writes_nothing(
    say: Say, pool: Path
) -> None:
    uris = [f"{pool}/pool/{row:04d}.jpg" for row in range(len(NAMES))]
    rows = [f"{uri},{name}\n" for uri, name in zip(uris, NAMES, strict=True)]
    (pool / "all.csv").write_text("path,label\n" + "".join(rows))
    before = sorted(pool.iterdir())
    out, err = say("next", "--labels", "all.csv")
    assert stripped(out) == (
        "labeled 630 of 630 images: Other 300, common 300, rare 30 verdict stop Every image of the "
        "pool is labeled: there is no next round."
    )
    assert err == ""
    result = json.loads(say("next", "--labels", "all.csv", "--json")[0])
    planned = json.loads(say("next", "--seeds", "seeds.csv", "--out", "r.manifest", "--json")[0])
    assert result.keys() == planned.keys()
    assert (result["stop"], result["images"], result["manifest"]) == (True, 0, None)
    assert result["reasons"] == ["Every image of the pool is labeled: there is no next round."]
    assert result["labeled"] == {"Other": 300, "common": 300, "rare": 30}
    for file in pool.glob("r.*"):
        file.unlink()
    (pool / "part.csv").write_text("path,label\n" + "".join(rows[5:]))
    (pool / "sent.txt").write_text("\n".join(uris[:5]))
    out, err = say("next", "--labels", "part.csv", "nowhere.csv", "--exclude", "sent.txt", code=2)
    assert "--labels nowhere.csv: there is no such file" in err
    (pool / "nowhere.csv").write_text("path,label\n/x.jpg,rare\n")
    out, err = say("next", "--labels", "part.csv", "nowhere.csv", "--exclude", "sent.txt")
    assert stripped(out).endswith(
        "left out 5 images verdict stop Every image of the pool is labeled or left out: there is "
        "no next round."
    )
    assert err.startswith("note: 1 labeled image not used, for the index does not hold them")
    assert not list(pool.glob("*.manifest"))
    assert [path for path in sorted(pool.iterdir()) if path in before] == before


def test_no_model_is_loaded_for_images_of_the_pool(say: Say, pool: Path) -> None:
    out, err = say("next", "--seeds", "seeds.csv", "--budget", 20, "--model", "no-such-model")
    assert out.startswith("round            1\n")
    assert err == ""
