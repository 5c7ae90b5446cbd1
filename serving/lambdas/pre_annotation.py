"""Pre-annotation: one line of the manifest becomes what the template finds under `task.input`.

What that is, `gandt.task_input` says. A line that cannot be shown raises `ManifestError`. Ground
Truth then fails that object alone, and the log has the reason; `isHumanAnnotationRequired: false`
would pass it over as if it were done.

Reads and writes nothing. The event is that of the developer guide; its `version` differs between
documentation and service and is not looked at.
"""

from __future__ import annotations

from gandt.errors import ManifestError
from gandt.json_text import brief
from gandt.task_input import line_input

__all__ = ["handler"]


def handler(event: object, context: object = None) -> dict[str, object]:
    """Answer Ground Truth's question what to show for one object.

    Parameters
    ----------
    event
        `{"version", "labelingJobArn", "dataObject": {<the line of the manifest>}}`.
    context
        Lambda's; not used.

    Returns
    -------
    answer
        `{"taskInput": {…, "taskObject": …}, "isHumanAnnotationRequired": True}`.

    Raises
    ------
    ManifestError
        Where the line names nothing that could be shown.
    """
    line = event.get("dataObject") if isinstance(event, dict) else None
    if not isinstance(line, dict):
        raise ManifestError(
            f"The event has no dataObject with a line of the manifest ({brief(event)}): the "
            "function is made for the pre-annotation step of a Ground Truth job."
        )
    return {"taskInput": line_input(line), "isHumanAnnotationRequired": True}
