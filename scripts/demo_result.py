"""Count how many of the demo's candidates are defects, beside what chance would give."""

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
    print(f"Look at {folder.resolve() / 'round1.html'} in a browser.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
