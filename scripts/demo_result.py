"""Count what the demo found, how many labels are right, and what people had to look at."""

import csv
import json
import sys
from pathlib import Path

NAMED = {"defect": "defect", "nominal": "Other"}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main(folder: Path) -> None:
    truth = {row["name"]: NAMED[row["label"]] for row in rows(folder / "truth.csv")}
    lines = (folder / "round1.manifest").read_text().splitlines()
    picked = [Path(json.loads(line)["source-ref"]).name for line in lines]
    found = sum(truth[name] == "defect" for name in picked)
    defects = sum(label == "defect" for label in truth.values())
    chance = len(picked) * defects / len(truth)
    print(f"{found} of the {defects} defects are among the {len(picked)} candidates.")
    print(f"Chance would give {chance:.1f}: that is {found / chance:.0f} times their share.")
    for name, what in (
        ("round1", "labels by people in the first round"),
        ("round2", "labels by people in the second"),
        ("auto", "automatic labels, those that people checked among them,"),
    ):
        labels = rows(folder / name / "labels.csv")
        right = sum(row["label"] == truth[Path(row["task"]).name] for row in labels)
        print(f"{right} of {len(labels)} {what} are right.")
    for name in ("round1.html", "round1-report.html", "simulation/simulation.html"):
        print(f"Look at {folder.resolve() / name} in a browser.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
