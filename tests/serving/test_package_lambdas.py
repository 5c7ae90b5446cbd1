"""The zip for AWS Lambda: the same bytes each time, complete, quick to start, run as it will be.

The last test is the other side of Lambda's runtime interface, and the handlers in it are those of
the unpacked zip.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "package-lambdas"
STACK = ROOT / "serving" / "lambdas" / "stack.yaml"
HANDLERS = ("pre_annotation", "post_annotation")
KEY = "out/Job 1/annotations/consolidated-annotation/consolidation-request/iteration-1/1:2.json"


def package(
    target: Path, *options: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(SCRIPT), "--out", str(target), *options],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=600,
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("zip") / "gandt-lambdas.zip"
    done = package(target)
    assert done.returncode == 0, done.stderr
    assert re.search(r"bytes  sha256 [0-9a-f]{64}$", done.stdout.strip())
    return target


def alone(archive: Path, program: str) -> str:
    """Run a program that sees the zip and the standard library, and nothing else."""
    start = f"import sys; sys.path.insert(0, {str(archive)!r}); "
    command = [sys.executable, "-I", "-S", "-c", start + program]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout


def test_the_same_sources_make_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    again = tmp_path / "elsewhere" / "again.zip"
    assert package(again, folder=tmp_path).returncode == 0
    assert again.read_bytes() == archive.read_bytes()
    assert [path.name for path in again.parent.iterdir()] == ["again.zip"]


def test_names_are_sorted_and_dates_and_modes_are_fixed(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        entries = opened.infolist()
    assert [e.filename for e in entries] == sorted(e.filename for e in entries)
    assert {e.date_time for e in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {e.external_attr >> 16 for e in entries} == {0o100644}
    assert all(e.filename.endswith(".py") and "__pycache__" not in e.filename for e in entries)


@pytest.mark.parametrize("name", HANDLERS)
def test_the_zip_imports_alone(archive: Path, name: str) -> None:
    program = (
        f"import importlib; m = importlib.import_module('gandt.serving.lambdas.{name}'); "
        "print(m.__file__, callable(m.handler))"
    )
    place, found = alone(archive, program).split()
    assert (place.startswith(str(archive)), found) == (True, "True")


@pytest.mark.parametrize("name", HANDLERS)
def test_the_import_is_the_standard_library_and_quick(archive: Path, name: str) -> None:
    program = (
        f"before = set(sys.modules); import gandt.serving.lambdas.{name}; import time; "
        "print(time.process_time()); "
        "print(*{n.partition('.')[0] for n in set(sys.modules) - before})"
    )
    runs = [alone(archive, program).splitlines() for _ in range(3)]
    assert set(runs[0][1].split()) <= {*sys.stdlib_module_names, "gandt"}
    # The processor time of the whole process, its start included.
    assert min(float(seconds) for seconds, _ in runs) < 0.1


def test_the_reliability_of_workers_travels_in_the_zip(tmp_path: Path) -> None:
    workers = tmp_path / "workers.csv"
    workers.write_text("worker,answers,accuracy\nann,40,0.95\nbob,40,0.55\nnew,0,\n")
    target = tmp_path / "weighted.zip"
    assert package(target, "--workers", str(workers)).returncode == 0
    program = "import gandt.serving.lambdas.post_annotation as p; print(p._reliability())"
    assert alone(target, program).strip() == "{'ann': 0.95, 'bob': 0.55, '': 0.75}"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (None, "No such file"),
        ("worker\nann\n", "no columns worker and accuracy"),
        ("worker,accuracy\nann,7\n", "workers.csv:2: 7.0 is no accuracy"),
        ("worker,accuracy\nann,high\n", "could not convert"),
    ],
)
def test_a_broken_workers_table_is_refused(tmp_path: Path, table: str | None, says: str) -> None:
    workers = tmp_path / "workers.csv"
    if table is not None:
        workers.write_text(table)
    done = package(tmp_path / "a.zip", "--workers", str(workers))
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a.zip").exists()


# ------------------------------------------------------------------------------------ the stack


def test_cloudformation_finds_nothing_wrong_with_the_stack() -> None:
    pytest.importorskip("cfnlint", reason="pip install 'gandt[test]' brings cfn-lint")
    program = "import sys; from cfnlint.runner import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(STACK)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "")


def test_the_stack_names_functions_that_exist_and_jobs_may_invoke() -> None:
    text = STACK.read_text(encoding="utf-8")
    handlers = re.findall(r"Handler: (\S+)", text)
    assert handlers == [f"gandt.serving.lambdas.{name}.handler" for name in HANDLERS]
    names = re.findall(r"FunctionName: !Sub (\S+)", text)
    assert len(names) == 2
    assert all("LabelingFunction" in name for name in names)
    longest = int(re.findall(r"\{0,(\d+)\}", text)[0]) + 1
    assert max(len(name.replace("${Name}", "x" * longest)) for name in names) <= 64


def test_no_role_has_a_wildcard_for_actions_or_all_resources() -> None:
    text = STACK.read_text(encoding="utf-8")
    actions = set(re.findall(r"\b(?:s3|logs|kms|sts|lambda|iam):[A-Z*]\w*\*?", text))
    assert actions == {
        *("s3:GetObject", "s3:PutObject", "kms:Decrypt", "kms:GenerateDataKey"),
        *("logs:CreateLogStream", "logs:PutLogEvents", "sts:AssumeRole"),
    }
    assert not re.search(r"Resource: [\"']?\*", text)


# ---------------------------------------------------------------------- as Lambda runs the zip


class Lambda:
    """The service's side of the runtime interface: hands out events, takes the answers."""

    def __init__(self) -> None:
        self.events: Queue[tuple[str, Any]] = Queue()
        self.answers: Queue[tuple[str, str, Any]] = Queue()
        side = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                name, event = side.events.get()
                body = json.dumps(event).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", name)
                self.send_header("Lambda-Runtime-Deadline-Ms", "9999999999999")
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:::function")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                name, kind = self.path.split("/")[-2:]
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                side.answers.put((name, kind, json.loads(body)))

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ask(self, name: str, event: object) -> tuple[str, Any]:
        self.events.put((name, event))
        answered, kind, body = self.answers.get(timeout=60)
        assert answered == name
        return kind, body


@pytest.fixture
def runtime() -> Iterator[Lambda]:
    side = Lambda()
    yield side
    side.server.shutdown()
    side.server.server_close()


@pytest.fixture
def start(runtime: Lambda, archive: Path, tmp_path: Path) -> Iterator[Any]:
    """Start a function of the unpacked zip; it ends with the test."""
    if importlib.util.find_spec("awslambdaric") is None:
        pytest.skip("needs awslambdaric: pip install 'gandt[test]' brings it")
    folder = tmp_path / "task"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    running: list[subprocess.Popen[bytes]] = []

    def call(name: str) -> Path:
        settings = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime.server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "gandt-LabelingFunction",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_LOG_GROUP_NAME": "group",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "PYTHONPATH": str(folder),
        }
        with (tmp_path / "log").open("wb") as log:
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "awslambdaric", f"gandt.serving.lambdas.{name}.handler"],
                    cwd=folder,
                    env={**os.environ, **settings},
                    stdout=log,
                    stderr=log,
                )
            )
        return folder

    yield call
    for process in running:
        process.kill()
        process.wait(timeout=120)


def test_lambdas_own_runtime_runs_the_pre_annotation_function(runtime: Lambda, start: Any) -> None:
    folder = start("pre_annotation")
    tiles = [{"source-ref": "s3://pool/é 1.jpg", "index": 0}]
    kind, answer = runtime.ask("1", {"dataObject": {"source": json.dumps(tiles)}})
    assert (kind, answer["taskInput"]["taskObject"]) == ("response", tiles)
    kind, error = runtime.ask("2", {"dataObject": {"other": 1}})
    assert (kind, error["errorType"]) == ("error", "ManifestError")
    assert "neither source nor source-ref" in error["errorMessage"]
    assert str(folder) in "".join(error["stackTrace"])
    kind, answer = runtime.ask("3", {"dataObject": {"source": "after an error"}})
    assert (kind, answer["taskInput"]["taskObject"]) == ("response", "after an error")


def test_lambdas_own_runtime_runs_the_post_annotation_function(
    bucket: Any, runtime: Lambda, start: Any
) -> None:
    contents = ['{"category": "{\\"label\\": \\"Café\\"}"}', '{"category": "\\ud83d"}']
    batch = [
        {
            "datasetObjectId": str(number),
            "dataObject": {"s3Uri": "s3://pool/1.jpg"},
            "annotations": [{"workerId": "ann", "annotationData": {"content": content}}],
        }
        for number, content in enumerate(contents)
    ]
    event = {
        "labelAttributeName": "kind",
        "labelCategories": None,
        "payload": {"s3Uri": bucket.put(KEY, json.dumps(batch).encode())},
    }
    start("post_annotation")
    kind, answer = runtime.ask("1", event)
    assert kind == "response"
    good, odd = (part["consolidatedAnnotation"]["content"]["kind"] for part in answer)
    assert (good["label"], good["confidence"]) == ("Café", 1.0)
    assert odd["responses"] == [{"workerId": "ann", "annotation": contents[1]}]
    kind, error = runtime.ask("2", event | {"payload": {"s3Uri": bucket.uri("none.json")}})
    assert (kind, error["errorType"]) == ("error", "StorageError")
