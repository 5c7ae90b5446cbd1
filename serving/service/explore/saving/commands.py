"""The commands that go on from what was saved, as one would type them where the service runs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from gandt import storage
from gandt.errors import UsageError
from gandt.selection.seeds import DEFAULT_OTHER, Prompt, parse_prompt
from gandt.selection.select import SelectOptions

__all__ = ["can_be_said", "label_command", "select_command"]

_OPTIONS = (
    *("budget", "per_class", "strategy", "min_similarity", "diversity", "explore", "duplicates"),
    "random_seed",
)


def label_command(folder: Path, name: str, classes: Sequence[str], other: str) -> str:
    """`gandt label` for a manifest; `classes` are those that candidates were chosen for."""
    words = ["gandt", "label", _typed(folder / f"{name}.manifest")]
    labels = [*classes, other]
    if not any("," in label or label != label.strip() for label in labels):
        words += ["--labels", ",".join(labels)]
    if _typed(folder) != ".":  # where it is, the answers go beside the manifest by themselves
        words += ["--out", _typed(folder / f"{name}.answers")]
    return shlex.join(words)


def select_command(
    index: str,
    folder: Path,
    name: str,
    options: SelectOptions,
    *,
    seeds: str | None,
    exclude: str | None,
    prompts: Iterable[Prompt],
    other: str,
) -> str:
    """`gandt select` for what was saved.

    Parameters
    ----------
    seeds, exclude
        Files in the folder; None where there are none.
    """
    words = ["gandt", "select", "--index", index if storage.is_remote(index) else _typed(index)]
    if seeds is not None:
        words += ["--seeds", _typed(folder / seeds)]
    for prompt in filter(can_be_said, prompts):
        words += ["--prompt", f"{prompt.text}={prompt.label}"]
    if exclude is not None:
        words += ["--exclude", _typed(folder / exclude)]
    if other != DEFAULT_OTHER:
        words += ["--other", other]
    usual = SelectOptions()
    # How many images is said once, for the command takes one of the three.
    unsaid = {"budget", "per_class"} if options.quotas else {"budget"} if options.per_class else ()
    for field in _OPTIONS:
        if field in unsaid:
            continue
        value = getattr(options, field)
        if value is not None and value != getattr(usual, field):
            words += [f"--{field.replace('_', '-')}", str(value)]
    for label, images in (options.quotas or {}).items():
        words += ["--quota", f"{label}={images}"]
    return shlex.join([*words, "--out", _typed(folder / f"{name}.manifest")])


def can_be_said(prompt: Prompt) -> bool:
    """Whether `--prompt` can say a text and its class."""
    try:
        return parse_prompt(f"{prompt.text}={prompt.label}") == prompt
    except UsageError:
        return False


def _typed(path: Path | str) -> str:
    whole = storage.normalize(path)
    try:
        relative = os.path.relpath(whole)
    except (ValueError, OSError):  # another drive; a working folder that is gone
        return whole
    if relative.startswith(".."):
        return whole
    return f"./{relative}" if relative.startswith("-") else relative
