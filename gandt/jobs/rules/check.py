"""What a request for a labeling job must keep to, checked before anything is uploaded.

`check_request` goes through the service model (`model`), then through what only the
documentation says: how names, workforces, prices, times, functions and Regions go together
(`people`, `places`). `check_labels` does the same for the labels. Pure: each breach is a
sentence that names the field, what is wrong with it, and the option that repairs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gandt.jobs.regions import parse_arn, workforce
from gandt.jobs.rules.asked import Asked
from gandt.jobs.rules.labels import check_labels
from gandt.jobs.rules.model import check_model
from gandt.jobs.rules.people import PEOPLE_RULES, PRICES, allowed_prices
from gandt.jobs.rules.places import PLACE_RULES
from gandt.jobs.tasks import TaskType

__all__ = ["PRICES", "allowed_prices", "check_labels", "check_request"]


def check_request(request: Mapping[str, Any], task: TaskType) -> tuple[str, ...]:
    """List everything that the service would refuse or let fail; empty where there is nothing.

    What the model forbids is listed alone: the finer rules read a request of the right shape.
    """
    found = check_model(request)
    if found:
        return found
    human = request["HumanTaskConfig"]
    team = parse_arn(human["WorkteamArn"])
    asked = Asked(request, human, task, team, workforce(human["WorkteamArn"]))
    return tuple(sentence for rule in _RULES for sentence in rule(asked))


def _names(asked: Asked) -> Iterator[str]:
    name, task = asked.request["LabelAttributeName"], asked.task
    if name.endswith("-metadata"):
        yield (
            f"LabelAttributeName {name!r} ends in -metadata, which belongs to Ground Truth: give "
            "--attribute another ending."
        )
    elif name in ("source", "source-ref"):
        yield (
            f"LabelAttributeName {name!r} is the key of the data: give --attribute another name."
        )
    elif task.ref and not name.endswith("-ref"):
        yield (
            f"LabelAttributeName {name!r} must end in -ref, since --task {task.name} stores labels "
            f"as files: write --attribute {name}-ref."
        )
    elif not task.ref and name.endswith("-ref"):
        yield (
            f"LabelAttributeName {name!r} must not end in -ref for --task {task.name}: give "
            "--attribute another ending."
        )


def _tags(asked: Asked) -> Iterator[str]:
    seen = set()
    for tag in asked.request.get("Tags", ()):
        key = tag["Key"]
        if key in seen:
            yield f"Tags has the key {key!r} twice: give each --tag once."
        if key.lower().startswith("aws:"):
            yield f"Tags key {key!r} begins with aws:, which is AWS's own: rename the --tag."
        seen.add(key)


_RULES: tuple[Callable[[Asked], Iterator[str]], ...] = (
    _names,
    *PEOPLE_RULES,
    *PLACE_RULES,
    _tags,
)
