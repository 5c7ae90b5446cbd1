"""`gandt select --gold`: from planting known images to workers rated by them."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gandt.cli.main import main

Say = Callable[..., tuple[str, str]]

ASK = ("select", "--seeds", "seeds.csv", "--duplicates", 1)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def gold(project: Path) -> Path:
    for number, label in enumerate(["red"] * 3 + ["blue"] * 3 + ["Other"] * 3):
        path = project / "gold" / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (24, 20), (number, 20 * number, 200 - number)).save(path)
    return project / "gold"


class TestWhatIsSaid:
    def test_the_table_of_what_is_known_lies_beside_the_manifest(
        self, say: Say, project: Path, gold: Path
    ) -> None:
        out, err = say(*ASK, "--budget", 18, "--gold", "gold/", "--out", "r.manifest")
        assert "r.manifest: 20 images" in out
        assert "r.gold.csv: 2 known images, 10.0% of what is asked" in out
        planted = [line for line in lines(project / "r.manifest") if "gandt-gold" in line]
        assert [(row["task"], row["label"]) for row in rows(project / "r.gold.csv")] == [
            (line["source-ref"], line["gandt-gold"]) for line in planted
        ]
        assert err.startswith("note: 3 images of the pool are seeds")

    def test_json_has_it_too(self, say: Say, project: Path, gold: Path) -> None:
        ask = (*ASK, "--budget", 12, "--out", "r.manifest", "--json")
        out, _ = say(*ask, "--gold", "gold", "--gold-share", 0.25)
        result = json.loads(out)
        assert result["gold"] == {"table": "r.gold.csv", "images": 4, "asked": 4}
        assert (result["images"], sum(result["classes"].values())) == (16, 12)
        assert json.loads(say(*ask[:-2], "x.manifest", "--json")[0])["gold"] is None

    def test_table_and_contact_sheet_show_candidates_alone(
        self, say: Say, project: Path, gold: Path
    ) -> None:
        ask = (*ASK, "--budget", 12, "--out", "r.manifest", "--report", "r.html")
        say(*ask, "--gold", "gold/", "--gold-share", 0.3)
        with_gold = (project / "r.selection.csv").read_bytes(), (project / "r.html").read_bytes()
        say(*ask)
        assert with_gold == (
            (project / "r.selection.csv").read_bytes(),
            (project / "r.html").read_bytes(),
        )

    def test_an_old_table_is_not_taken_for_that_of_this_manifest(
        self, say: Say, gold: Path
    ) -> None:
        say(*ASK, "--budget", 12, "--gold", "gold/", "--out", "r.manifest")
        _, err = say(*ASK, "--budget", 12, "--out", "r.manifest")
        assert "note: r.gold.csv is of an earlier run: this manifest holds no known images." in err

    def test_the_manifest_is_valid_in_both_shapes(self, say: Say, gold: Path) -> None:
        for more in ((), ("--group-size", 5)):
            say(*ASK, "--budget", 20, "--gold", "gold/", "--gold-share", 0.5, *more)
            report = json.loads(say("validate", "selection.manifest", "--json")[0])
            assert report["errors"] == 0
            assert {code for code, _ in report["kinds"]} == {"local-path"}

    def test_images_that_come_again_are_said(self, say: Say, gold: Path) -> None:
        out, err = say(
            *ASK, "--budget", 40, "--gold", "gold/", "--gold-share", 0.3, "--group-size", 10
        )
        assert "9 known images, 29.8% of what is asked" in out
        assert "note: 9 of 17 gold images wanted" in err
        assert "note: gold images come 8 times again, each in different tasks" in err

    def test_an_address_that_tells_is_said(self, say: Say, project: Path, gold: Path) -> None:
        ask = (*ASK, "--budget", 18, "--gold", "gold/")
        _, err = say(*ask, "--uri-map", f"{project}=s3://my-bucket")
        assert "from the address of 2 gold images a worker who looks can tell that they are" in err
        assert "first: s3://my-bucket/gold/" in err

    def test_labels_that_one_choice_cannot_give_are_said(
        self, say: Say, project: Path, gold: Path
    ) -> None:
        (project / "known.csv").write_text('path,label\ngold/red/0.png,"[""red"",""blue""]"\n')
        ask = (*ASK, "--budget", 9, "--gold", "known.csv", "--out", "r.manifest")
        _, err = say(*ask)
        assert "1 gold image has several labels, which only workers who may choose several" in err
        assert rows(project / "r.gold.csv")[0]["label"] == '["blue", "red"]'
        assert "several labels" not in say(*ask, "--group-size", 5)[1]

    def test_the_key_for_pages_without_a_lambda_can_be_left_out(
        self, say: Say, project: Path
    ) -> None:
        say(*ASK, "--budget", 9, "--group-size", 5)
        assert all("tiles" in line for line in lines(project / "selection.manifest"))
        page, _ = say("template", "render", "tiles", "--manifest", "selection.manifest",
                      "--no-lambda")  # fmt: skip
        assert page.count('class="gt-tile-data"') >= 5
        say(*ASK, "--budget", 9, "--group-size", 5, "--no-tiles-key")
        assert all(set(line) == {"source"} for line in lines(project / "selection.manifest"))


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("options", "code", "says"),
        [
            (("--gold-share", 0.2), 2, "--gold-share 0.2 has nothing to take: give --gold"),
            (("--gold", "gold", "--gold-share", 0), 2, "--gold-share 0 is not between 0 and 1"),
            (("--gold", "gold", "--gold-share", 1), 2, "--gold-share 1 is not between 0 and 1"),
            (("--gold", "nowhere"), 1, "--gold: there is nothing at nowhere"),
            (("--gold", "selection.csv"), 1, "is a selection, whose classes are guesses"),
        ],
    )
    def test_with_a_sentence(
        self, say: Say, project: Path, gold: Path, options: tuple[object, ...], code: int, says: str
    ) -> None:
        say(*ASK, "--budget", 3)
        (project / "selection.manifest").unlink()
        _, err = say(*ASK, *options, code=code)
        assert says in err
        assert err.count("\n") == 1
        assert not (project / "selection.manifest").exists()


# ------------------------------------------------------------------- a round on real photographs

WORKERS = {"anna": 0.97, "ben": 0.9, "cleo": 0.93, "spam": 0.3}  # share of right answers


@pytest.fixture(scope="module")
def textile_project(textiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photos/` under neutral names with an index, `seeds/` and `gold/`, a folder per class."""
    folder = tmp_path_factory.mktemp("textiles")
    sound = sorted((textiles / "nominal").iterdir())
    flawed = sorted((textiles / "global").iterdir())
    for place, files in {
        "seeds/defect": flawed[:4], "gold/defect": flawed[4:16], "gold/Other": sound[:12],
    }.items():  # fmt: skip
        (folder / place).mkdir(parents=True)
        for path in files:
            shutil.copy(path, folder / place / path.name)
    (folder / "photos").mkdir()
    for number, path in enumerate([*flawed[16:32], *sound[12:44]]):
        shutil.copy(path, folder / "photos" / f"{number * 17 % 48:02d}.jpg")
    run(folder, "embed", "photos/", "--runtime", "torch")
    return folder


def run(folder: Path, *arguments: object) -> str:
    """Run the program in this process, where the model's libraries are loaded once."""
    text = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(text), redirect_stderr(text):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["gandt", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
    assert not left.value.code, text.getvalue()
    return text.getvalue()


def truth(uri: str) -> str:
    path = Path(uri)
    if path.parent.parent.name == "gold":
        return path.parent.name
    return "defect" if {n * 17 % 48: n < 16 for n in range(48)}[int(path.stem)] else "Other"


class Crowd:
    """Workers of known skill, who say the same of an image whenever they see it."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.answers: dict[tuple[str, str], str] = {}

    def says(self, worker: str, uri: str) -> str:
        if (worker, uri) not in self.answers:
            right = self.rng.random() < WORKERS[worker]
            wrong = {"defect": "Other", "Other": "defect"}[truth(uri)]
            self.answers[worker, uri] = truth(uri) if right else wrong
        return self.answers[worker, uri]

    def accuracy(self, worker: str, known: set[str]) -> float:
        return sum(self.says(worker, uri) == truth(uri) for uri in known) / len(known)


def check_round(folder: Path, known: set[str], crowd: Crowd, listed: str) -> dict[str, str]:
    """Rated by the known answers, which are labels of their own kind; gives these."""
    labels = {row["task"]: row for row in rows(folder / "labels.csv")}
    assert {task for task, row in labels.items() if row["source"] == "gold"} == known
    workers = {row["worker"]: row for row in rows(folder / "workers.csv")}
    assert set(workers) == set(WORKERS)
    for name, row in workers.items():
        assert int(row["gold_answers"]) == len(known)
        assert float(row["gold_accuracy"]) == pytest.approx(crowd.accuracy(name, known), abs=1e-3)
    assert "known answers" in workers["spam"]["flags"]
    assert f"{len(known)} known answers" in listed
    assert all(labels[task]["certain"] == "true" for task in known)
    return {task: labels[task]["label"] for task in known}


@pytest.mark.slow
def test_single_images_from_planting_to_the_next_round(textile_project: Path) -> None:
    folder = textile_project
    run(folder, "select", "--seeds", "seeds/", "--gold", "gold/", "--gold-share", 0.4,
        "--budget", 24, "--out", "round1.manifest")  # fmt: skip
    asked = [str(line["source-ref"]) for line in lines(folder / "round1.manifest")]
    known = {row["task"] for row in rows(folder / "round1.gold.csv")}
    assert (len(asked), len(known)) == (40, 16)
    crowd = Crowd(seed=5)
    with (folder / "round1.answers.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["task", "worker", "label"])
        table.writerows((t, w, crowd.says(w, t)) for t in asked for w in WORKERS)
    for source in (("--manifest", "round1.manifest"), ("--gold", "round1.gold.csv")):
        listed = run(folder, "aggregate", "round1.answers.csv", *source, "--out", "round1/")
        given = check_round(folder / "round1", known, crowd, listed)
        assert given == {task: truth(task) for task in known}
        assert rows(folder / "round1" / "oddities.csv") == []

    # The round is seed of the next one: what was gold is a seed once, and nobody is asked again.
    again = run(folder, "select", "--seeds", "round1/", "--seeds", "seeds/", "--budget", 10,
                "--exclude", "round1.manifest", "--out", "round2.manifest")  # fmt: skip
    assert "24 images excluded." in again
    assert not set(asked) & {str(line["source-ref"]) for line in lines(folder / "round2.manifest")}

    # And with the same known images once more.
    third = run(folder, "select", "--seeds", "round1/", "--seeds", "gold/", "--gold", "gold/",
                "--budget", 10, "--out", "round3.manifest", "--json")  # fmt: skip
    assert json.loads(third[: third.rindex("}") + 1])["gold"]["images"] == 1


@pytest.mark.slow
def test_tiled_tasks_of_a_job_folder(textile_project: Path) -> None:
    folder = textile_project
    run(folder, "select", "--seeds", "seeds/", "--gold", "gold/", "--gold-share", 0.45,
        "--budget", 36, "--group-size", 8, "--out", "tiles.manifest")  # fmt: skip
    asked = lines(folder / "tiles.manifest")
    known = {row["task"] for row in rows(folder / "tiles.gold.csv")}
    job = folder / "job"
    crowd = Crowd(seed=6)
    none = {"Other": "None of the above", "defect": "defect"}
    for number, line in enumerate(asked):
        answers = []
        for minute, worker in enumerate(WORKERS):
            content = {
                f"labels-{tile['index']}": json.dumps(
                    [none[crowd.says(worker, tile["source-ref"])]]
                )
                for tile in json.loads(str(line["source"]))
            }
            answers.append(
                {
                    "answerContent": content,
                    "submissionTime": f"2024-03-05T09:{10 + minute}:{number:02d}Z",
                    "workerId": worker,
                }
            )
        place = job / f"annotations/worker-response/iteration-1/{number}"
        place.mkdir(parents=True)
        (place / "2024-03-05_09:15:00.json").write_text(json.dumps({"answers": answers}))
    (job / "manifests" / "output").mkdir(parents=True)
    shutil.copy(folder / "tiles.manifest", job / "manifests" / "output" / "output.manifest")

    repeated = sum(len(json.loads(str(line["source"]))) for line in asked) - 36 - len(known)
    assert repeated > 0  # 24 known images where the share takes 29
    listed = run(folder, "aggregate", "job/", "--strict", "--out", "tiled/")
    given = check_round(folder / "tiled", known, crowd, listed)
    assert given == {t: "" if truth(t) == "Other" else '["defect"]' for t in known}
    assert len(rows(folder / "tiled" / "labels.csv")) == 36 + len(known)
    output = {str(line["source-ref"]): line for line in lines(folder / "tiled" / "output.manifest")}
    assert {task for task, line in output.items() if "gandt-gold" in line} == known
