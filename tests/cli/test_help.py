"""`--help` answers at once, in plain words, with an example that runs."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

COMMANDS = (
    *("embed", "select", "serve", "manifest", "label", "launch", "status", "wait", "stop"),
    *(
        "fetch",
        "aggregate",
        "report",
        "next",
        "autolabel",
        "simulate",
        "info",
        "validate",
        "teams",
        "template",
    ),
)
HEAVY = (
    *("torch", "numpy", "faiss", "pyarrow", "scipy", "PIL", "boto3", "rich", "open_clip", "timm"),
    *("fastapi", "pydantic", "starlette", "uvicorn", "prometheus_client"),
)


def example(help_text: str) -> list[str]:
    """The command after the last `Example:`, its continued lines joined."""
    text = help_text.rpartition("Example:\n")[2]
    return shlex.split(text.replace("\\\n", " "))


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from gandt.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        f"print(sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=600
    )
    assert "Find the few images worth labeling" in done.stdout
    assert done.stderr == "[]\n"


def test_help_lists_every_command_on_a_line(gandt: Run) -> None:
    text = gandt("--help").stdout
    listed = text.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    assert not any(line.endswith("...") for line in listed)
    assert gandt("-h").stdout == text


def test_no_arguments_show_the_help(gandt: Run) -> None:
    done = gandt(code=2)
    assert "Usage: gandt" in done.stdout + done.stderr


def test_the_version_is_one_line(gandt: Run) -> None:
    from gandt import __version__

    assert gandt("--version").stdout == f"gandt {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_ends_with_an_example(gandt: Run, command: str) -> None:
    text = gandt(command, "--help").stdout
    assert text.startswith(f"Usage: gandt {command}")
    assert example(text)[:2] == ["gandt", command]
    assert text.rstrip().splitlines()[-1].strip() in text.rpartition("Example:\n")[2]


def test_the_examples_run_as_written(gandt: Run, project: Path) -> None:
    """All but those that other tests run: with a model, a browser, or AWS."""
    (project / "round1.answers").mkdir()
    (project / "round1.answers" / "said.csv").write_text(
        "task,worker,label\npool/000.png,ann,red\npool/000.png,ben,red\npool/003.png,ann,red\n"
    )
    (project / "gold.csv").write_text("task,label\npool/000.png,red\n")
    ours = {"seeds/": "seeds.csv", "photos/": "pool/", "selection.manifest": "round1.manifest"}
    pages = (("template",), ("template", "list"), ("template", "render"), ("template", "save"))
    rounds = ("select", "validate", "info", "aggregate", "report", "manifest")
    for command in (*((name,) for name in rounds), *pages):
        words = [ours.get(word, word) for word in example(gandt(*command, "--help").stdout)]
        done = gandt(*words[1:])
        assert "error" not in done.stderr, done.stderr
    assert (project / "round1.manifest").is_file()
    assert "<html" in (project / "round1.html").read_text()
    assert (project / "round1" / "labels.csv").is_file()
