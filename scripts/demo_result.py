"""Count what the demo found, and how many of its labels are right, beside the plain majority."""

import csv
import json
import sys
from pathlib import Path


def main(folder: Path) -> None:
    with (folder / "truth.csv").open() as file:
        truth = {row["name"]: row["label"] for row in csv.DictReader(file)}
    lines = (folder / "round1.manifest").read_text().splitlines()
    picked = [Path(json.loads(line)["source-ref"]).name for line in lines]
    found = sum(truth[name] == "defect" for name in picked)
    defects = sum(label == "defect" for label in truth.values())
    chance = len(picked) * defects / len(truth)
    print(f"{found} of the {defects} defects are among the {len(picked)} candidates.")
    print(f"Chance would give {chance:.1f}: that is {found / chance:.0f} times their share.")
    with (folder / "round1" / "labels.csv").open() as file:
        labels = list(csv.DictReader(file))
    named = {"defect": "defect", "nominal": "Other"}
    right = sum(row["label"] == named[truth[Path(row["task"]).name]] for row in labels)
    sure = [row for row in labels if row["certain"] == "true"]
    sure_right = sum(row["label"] == named[truth[Path(row["task"]).name]] for row in sure)
    print(f"{right} of {len(labels)} labels are right; of the {len(sure)} certain, {sure_right}.")
    for name in ("round1.html", "round1-report.html"):
        print(f"Look at {folder.resolve() / name} in a browser.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
