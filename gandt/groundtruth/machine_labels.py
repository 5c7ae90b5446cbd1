"""Labels that a job gave by itself: automated labeling leaves no answers, only an output manifest.

Developer guide, "Automate Data Labeling": such lines say `"human-annotated": "no"`, and their
confidence is that of the model, set against the threshold that met the accuracy goal.
"""

from __future__ import annotations

from collections.abc import Mapping

from gandt.answers import Kind, Label
from gandt.groundtruth.json_lines import SOURCE
from gandt.groundtruth.output import label_attributes
from gandt.groundtruth.output_values import NoLabel, read_value

__all__ = ["labeled_by", "machine_label"]


def labeled_by(record: Mapping[str, object], attribute: str | None) -> str | None:
    """Name the job whose people gave a line its label, as the line says; None where none did.

    A job that was chained to an earlier one under the same attribute asks about nothing that has a
    label already (developer guide, "Chaining Labeling Jobs").
    """
    metadata = label_attributes(record).get(attribute or "", {})
    name = metadata.get("job-name")
    by_people = str(metadata.get("human-annotated")).lower() == "yes" and attribute in record
    return name if by_people and isinstance(name, str) else None


def machine_label(
    record: Mapping[str, object], attribute: str | None, kind: Kind
) -> tuple[Label, float] | str:
    """Read the automatic label of a line that nobody answered.

    Returns
    -------
    (label, confidence), or the end of a sentence that says why there is none.
    """
    automatic = {
        name: metadata
        for name, metadata in label_attributes(record).items()
        if str(metadata.get("human-annotated")).lower() == "no" and attribute in (None, name)
    }
    if not automatic:
        return "has no answer that counts"
    if len(automatic) > 1:
        return f"was labeled automatically by several jobs ({', '.join(automatic)}): name one"
    (name, metadata), text = next(iter(automatic.items())), record.get(SOURCE)
    try:
        value = read_value(record.get(name), metadata, text if isinstance(text, str) else None)
    except NoLabel as reason:
        return f"was labeled automatically, but {reason}"
    if value.kind != kind or value.label is None or value.confidence is None:
        return "was labeled automatically; see the job's output manifest"
    return value.label, value.confidence
