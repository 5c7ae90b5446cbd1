"""Tables of answers are read under the names people give their columns; rounds come back whole."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt import rle
from gandt.answers import KINDS, Answers, Box, Kind, Label, Mask, Span
from gandt.errors import AnswerError, UsageError
from gandt.groundtruth.answer_tables import read_gold
from gandt.groundtruth.label_values import LeftOut, parse_label
from gandt.groundtruth.responses import read_answers


def written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def kinds(answers: Answers) -> Counter[str]:
    return Counter(oddity.kind for oddity in answers.oddities)


class TestColumns:
    @pytest.mark.parametrize(
        "header",
        [
            "task,worker,label",
            "Task ID;Annotator;Answer",
            "image\tuser_id\tchoice",
            "source-ref,workerId,label",
            "item,performer,output",
        ],
    )
    def test_usual_names_are_understood(self, tmp_path: Path, header: str) -> None:
        mark = next(mark for mark in ",;\t" if mark in header)
        text = f"{header}\n" + mark.join(["a.jpg", "w1", "Cat"]) + "\n"
        answers = read_answers([written(tmp_path, "a.csv", text)])
        assert answers.columns() == {"task": ["a.jpg"], "worker": ["w1"], "label": ["Cat"]}

    def test_label_studio_exports(self, tmp_path: Path) -> None:
        text = (
            "id,image,choice,annotator,annotation_id,created_at,updated_at,lead_time\n"
            '7,/data/a.jpg,"{""choices"": [""Cat"", ""Dog""]}",1,5,2024-03-05T09:12:09.870Z,'
            "2024-03-05T10:00:00Z,8.5\n"
        )
        answers = read_answers([written(tmp_path, "export.csv", text)])
        assert answers.columns() == {
            "task": ["/data/a.jpg"],
            "worker": ["1"],
            "label": [("Cat", "Dog")],
            "submitted_at": ["2024-03-05T09:12:09.870Z"],
            "seconds_spent": [8.5],
        }

    def test_other_names_can_be_said(self, tmp_path: Path) -> None:
        uri = written(tmp_path, "a.csv", "bild,wer,was,task\na.jpg,w1,Cat,1\n")
        with pytest.raises(AnswerError, match="its columns are: bild, wer, was, task"):
            read_answers([uri])
        columns = {"task": "bild", "worker": "wer", "label": "was"}
        assert list(read_answers([uri], columns=columns).task) == ["a.jpg"]

    def test_a_said_column_that_is_not_there_is_a_wrong_call(self, tmp_path: Path) -> None:
        uri = written(tmp_path, "a.csv", "task,worker,label\na,w,x\n")
        with pytest.raises(UsageError, match="has no column nobody"):
            read_answers([uri], columns={"worker": "nobody"})
        with pytest.raises(UsageError, match="'who' is no column"):
            read_answers([uri], columns={"who": "worker"})

    def test_optional_columns_and_the_job_of_the_caller(self, tmp_path: Path) -> None:
        text = "task,worker,label,job,seconds\na,w1,x,J1,2.5\na,w2,y,,nan\n"
        answers = read_answers([written(tmp_path, "a.csv", text)], job="mine")
        assert answers.job == ["J1", "mine"]
        assert answers.seconds_spent == [2.5, None]


class TestCells:
    def test_json_lines_with_lists_make_several_labels(self, tmp_path: Path) -> None:
        lines = [
            {"task": "a", "worker": "w", "label": ["Cat", "Dog"]},
            {"task": "b", "worker": "w", "label": "Cat"},
            {"task": "c", "worker": "w", "label": []},
            {"task": "d", "worker": "w", "label": None},
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        answers = read_answers([written(tmp_path, "a.jsonl", text)])
        assert answers.kind == "multi"
        assert list(answers.label) == [("Cat", "Dog"), ("Cat",)]
        assert kinds(answers) == {"empty": 2}

    def test_a_broken_json_line_costs_one_row(self, tmp_path: Path) -> None:
        text = '{"task": "a", "worker": "w", "label": "x"}\n{"task": "b", "wor\n'
        answers = read_answers([written(tmp_path, "a.jsonl", text)])
        assert len(answers) == 1
        (oddity,) = answers.oddities
        assert oddity.kind == "unreadable" and oddity.where.endswith("a.jsonl:2")

    def test_a_table_without_rows_is_said_to_be_empty(self, tmp_path: Path) -> None:
        empty = written(tmp_path, "empty.csv", "task,worker,label\n")
        with pytest.raises(AnswerError, match=r"empty\.csv: The table has no row"):
            read_answers([empty])

    def test_a_job_that_could_never_be_written_again_costs_its_row(self, tmp_path: Path) -> None:
        rows = [{"task": name, "worker": "w", "label": "x", "job": "j"} for name in "ab"]
        rows[0]["job"] = "\ud800"
        text = "".join(json.dumps(row) + "\n" for row in rows)
        answers = read_answers([written(tmp_path, "a.jsonl", text)])
        assert list(answers.task) == ["b"]
        assert kinds(answers) == {"unreadable": 1}

    def test_lists_as_pandas_prints_them(self, tmp_path: Path) -> None:
        text = "task,worker,label\na,w,\"['Cat', 'Dog']\"\n"
        assert list(read_answers([written(tmp_path, "a.csv", text)]).label) == [("Cat", "Dog")]

    def test_a_bracket_alone_is_no_list(self, tmp_path: Path) -> None:
        text = "task,worker,label\na,w,[unclear]\n"
        assert list(read_answers([written(tmp_path, "a.csv", text)]).label) == ["[unclear]"]

    @pytest.mark.parametrize("cell", ["", "  ", "nan", "NaN", "null", "<NA>"])
    def test_cells_without_value_are_counted(self, tmp_path: Path, cell: str) -> None:
        text = f"task,worker,label\na,w,{cell}\nb,w,x\nc,{cell},x\n{cell},w,x\n"
        answers = read_answers([written(tmp_path, "a.csv", text)])
        assert list(answers.task) == ["b"]
        assert kinds(answers) == {"empty": 3}

    def test_none_is_a_label_like_any_other(self, tmp_path: Path) -> None:
        text = "task,worker,label\na,w,None\n"
        assert list(read_answers([written(tmp_path, "a.csv", text)]).label) == ["None"]

    def test_boxes_and_spans_as_json(self, tmp_path: Path) -> None:
        box = {"label": "Dog", "left": 1, "top": 2, "width": 3, "height": 4}
        lines = [
            {"task": "a", "worker": "w", "label": [box]},
            {"task": "b", "worker": "w", "label": []},
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        answers = read_answers([written(tmp_path, "a.jsonl", text)])
        assert answers.kind == "boxes"
        assert list(answers.label) == [(Box("Dog", 1, 2, 3, 4),), ()]

    def test_parquet_with_numbers(self, tmp_path: Path) -> None:
        table = pa.table({"task": [0, 1], "worker": [7, 8], "label": [1.0, float("nan")]})
        pq.write_table(table, tmp_path / "a.parquet")
        answers = read_answers([str(tmp_path / "a.parquet")])
        assert answers.columns() == {"task": ["0"], "worker": ["7"], "label": ["1.0"]}
        assert kinds(answers) == {"empty": 1}

    def test_classes_of_the_caller_hold_for_tables(self, tmp_path: Path) -> None:
        text = "task,worker,label\na,w,cat\nb,w,Horse\n"
        answers = read_answers([written(tmp_path, "a.csv", text)], classes=["Cat"])
        assert list(answers.label) == ["Cat"]
        assert kinds(answers) == {"spelling": 1, "unknown label": 1}


class TestWithAManifest:
    def test_rows_are_known_by_reference_or_name_and_strangers_kept(self, tmp_path: Path) -> None:
        manifest = written(
            tmp_path,
            "in.manifest",
            '{"source-ref": "s3://b/a.jpg", "gandt-pool-uri": "/photos/a.jpg"}\n'
            '{"source-ref": "s3://b/b.jpg"}\n{"source": "some text"}\n',
        )
        rows = "s3://b/a.jpg,w1,x\n/photos/a.jpg,w2,x\nsome text,w1,y\nstranger,w1,x\n"
        table = written(tmp_path, "a.csv", f"task,worker,label\n{rows}stranger,w2,x\n")
        answers = read_answers([table], manifest=manifest)
        assert list(answers.task) == [
            *("/photos/a.jpg", "/photos/a.jpg", "some text"),
            *("stranger", "stranger"),
        ]
        assert answers.tasks == ["/photos/a.jpg", "s3://b/b.jpg", "some text", "stranger"]
        assert kinds(answers) == {"unknown task": 1, "unanswered": 1}


class TestFolders:
    def test_a_folder_of_tables_is_read_whole(self, tmp_path: Path) -> None:
        written(tmp_path, "a.csv", "task,worker,label\na,w,x\n")
        written(tmp_path, "sub/b.jsonl", '{"task": "b", "worker": "w", "label": "y"}\n')
        written(tmp_path, "notes.txt", "nothing")
        written(tmp_path, "gold.csv", "task,label\na,x\n")
        answers = read_answers([str(tmp_path)])
        assert list(answers.task) == ["a", "b"]
        assert answers.gold == {"a": "x"} and answers.oddities == ()

    def test_the_crowd_sets_are_read(self, data_folder: Path) -> None:
        answers = read_answers([str(data_folder / "crowd" / "bluebirds")])
        assert (answers.kind, len(answers), len(answers.gold)) == ("single", 4212, 108)
        assert answers.oddities == ()


MASK = Mask(np.array([[0, 1, 1], [2, 0, 1]], np.uint8), ("BACKGROUND", "house", "tree"))
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
    lambda t: t.strip() == t and t not in {"nan", "NaN", "NAN", "<NA>", "null", "NULL"}
)
NUMBERS = st.floats(-1e6, 1e6)
PARTS = {
    "boxes": st.builds(Box, TEXTS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.none() | NUMBERS),
    "spans": st.builds(Span, TEXTS, st.integers(0, 99), st.integers(0, 99), st.none() | NUMBERS),
}


@st.composite
def masks(draw: st.DrawFn) -> Mask:
    names = draw(st.lists(TEXTS.filter(lambda t: t != "BACKGROUND"), unique=True, max_size=3))
    height, width = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    cells = st.integers(0, len(names))
    pixels = draw(st.lists(cells, min_size=height * width, max_size=height * width))
    shaped = np.array(pixels, np.uint8).reshape(height, width)
    return Mask(shaped, ("BACKGROUND", *names))


LABELS: dict[Kind, st.SearchStrategy[Label]] = {
    "single": TEXTS,
    "multi": st.lists(TEXTS, unique=True, max_size=4).map(tuple),
    "boxes": st.lists(PARTS["boxes"], max_size=3).map(tuple),
    "spans": st.lists(PARTS["spans"], max_size=3).map(tuple),
    "mask": masks(),
}


class TestRounds:
    @pytest.mark.parametrize("kind", KINDS)
    @given(data=st.data())
    def test_what_was_written_is_read(
        self, kind: Kind, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        labels = data.draw(st.lists(LABELS[kind], min_size=1, max_size=4))
        tasks = [f"/photos/{number}.jpg" for number in range(len(labels))]
        told = Answers(
            kind=kind,
            task=tasks,
            worker=["w"] * len(labels),
            label=labels,
            job=["J"] * len(labels),
            submitted_at=["2024-03-05T09:12:09.870Z", *[None] * (len(labels) - 1)],
            seconds_spent=[1.25] * len(labels),
        )
        folder = tmp_path_factory.mktemp("round")
        pq.write_table(told.to_arrow(), folder / "answers.parquet")
        (folder / "summary.json").write_text(json.dumps({"schema": 1, "kind": kind}))
        (folder / "labels.csv").write_text("task,label\n")
        answers = read_answers([str(folder)])
        assert answers.oddities == ()
        assert answers.kind == kind
        assert answers.columns() == told.columns()

    def test_classes_and_lines_come_back_too(self, tmp_path: Path) -> None:
        told = Answers("single", ["/p/a.jpg"], ["w"], ["Cat"])
        pq.write_table(told.to_arrow(), tmp_path / "answers.parquet")
        summary = {"schema": 1, "kind": "single", "classes": ["Dog", "Cat"]}
        written(tmp_path, "summary.json", json.dumps(summary))
        lines = '{"source-ref": "/p/a.jpg", "k": 1}\n{"source-ref": "/p/b.jpg"}\n'
        written(tmp_path, "output.manifest", lines)
        answers = read_answers([str(tmp_path)])
        assert answers.classes == ("Dog", "Cat")
        assert answers.tasks == ["/p/a.jpg", "/p/b.jpg"]
        assert answers.lines["/p/a.jpg"] == {"source-ref": "/p/a.jpg", "k": 1}

    def test_a_round_joins_a_new_job(self, tmp_path: Path) -> None:
        told = Answers("multi", ["a", "b"], ["w", "w"], [("Cat",), ()])
        (tmp_path / "r").mkdir()
        pq.write_table(told.to_arrow(), tmp_path / "r" / "answers.parquet")
        written(tmp_path, "r/summary.json", '{"kind": "multi"}')
        table = written(tmp_path, "a.csv", "task,worker,label\nc,w,Dog\n")
        answers = read_answers([str(tmp_path / "r"), table])
        assert list(answers.label) == [("Cat",), (), ("Dog",)]


class TestParseLabel:
    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("single", ""),
            ("single", ["x"]),
            ("multi", 5),
            ("multi", [["x"]]),
            ("boxes", [{"label": "x"}]),
            ("boxes", "x"),
            ("spans", [{"label": "x", "startOffset": "a", "endOffset": 1}]),
            ("mask", "x"),
            ("mask", {"size": [2, 2], "classes": ["BACKGROUND"], "counts": {"x": [4]}}),
            ("mask", {"size": [2, 2], "classes": ["BACKGROUND", "x"], "counts": {"x": [9]}}),
            ("mask", {"size": [2, 2], "classes": ["BACKGROUND", "x"], "counts": {"x": [-4, 8]}}),
            ("mask", {"size": [10**9, 10**9], "classes": ["BACKGROUND"], "counts": {}}),
            ("mask", {"size": [2, 2], "classes": ["BACKGROUND", "x"], "counts": {"x": "~"}}),
        ],
    )
    def test_what_is_not_of_the_kind_is_refused(self, kind: Kind, value: object) -> None:
        with pytest.raises(LeftOut):
            parse_label(kind, value)

    def test_both_spellings_of_run_lengths_are_the_same_mask(self) -> None:
        pixels = np.array([[0, 1, 1], [0, 0, 1]], np.uint8)
        written = Mask(pixels, ("BACKGROUND", "x")).as_json()
        assert written["counts"] == {"x": [2, 1, 1, 2]}
        compressed = {**written, "counts": {"x": rle.to_coco_string([2, 1, 1, 2])}}
        assert parse_label("mask", compressed) == parse_label("mask", written)

    def test_an_unknown_kind_is_a_wrong_call(self) -> None:
        with pytest.raises(UsageError):
            parse_label("polygon", "x")  # type: ignore[arg-type]


class TestGold:
    def test_automatic_labels_are_no_known_answers(self, tmp_path: Path) -> None:
        uri = written(tmp_path, "g.csv", "task,label,source\na.jpg,Cat,human\nb.jpg,Dog,machine\n")
        with pytest.raises(AnswerError, match="1 automatic label, which nobody knows to be right"):
            read_gold(uri)

    def test_any_table_with_a_task_and_a_label(self, tmp_path: Path) -> None:
        uri = written(tmp_path, "g.csv", "uri,gold\na.jpg,Cat\na.jpg,Cat\nb.jpg,Dog\n")
        assert read_gold(uri) == {"a.jpg": "Cat", "b.jpg": "Dog"}

    def test_lists_are_several_labels(self, tmp_path: Path) -> None:
        uri = written(tmp_path, "g.jsonl", '{"image": "a.jpg", "truth": ["Cat", "Dog"]}\n')
        assert read_gold(uri) == {"a.jpg": ("Cat", "Dog")}

    def test_the_kind_can_be_said(self, tmp_path: Path) -> None:
        uri = written(tmp_path, "g.csv", "task,label\na.jpg,Cat\n")
        assert read_gold(uri, kind="multi") == {"a.jpg": ("Cat",)}

    def test_contradictions_and_gaps_are_errors(self, tmp_path: Path) -> None:
        with pytest.raises(AnswerError, match="two known answers"):
            read_gold(written(tmp_path, "g.csv", "task,label\na,Cat\na,Dog\n"))
        with pytest.raises(AnswerError, match="row 2: there is no label"):
            read_gold(written(tmp_path, "g.csv", "task,label\na,Cat\nb,\n"))
        with pytest.raises(UsageError, match="the known label"):
            read_gold(written(tmp_path, "g.csv", "task,score\na,1\n"))
