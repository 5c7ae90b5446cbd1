"""Lay out the demo: a pool under neutral names, seeds, and the truth (kept out of the pool).

The pictures are simulated textiles from the package `conformal-clip-data` (MIT): 1,000 without
fault and 20 with a shifted weave ("global" defects, 2 %); 5 more of those are the seeds.
"""

import csv
import hashlib
import shutil
import sys
from pathlib import Path

import conformal_clip_data

NOMINAL, DEFECTS, SEEDS = 1000, 20, 5


def main(target: Path) -> None:
    source = Path(conformal_clip_data.__file__).parent / "data" / "textile_images" / "simulated"
    nominal = sorted((source / "nominal").iterdir())[:NOMINAL]
    defects = sorted((source / "global").iterdir())[: DEFECTS + SEEDS]
    photos, seeds = target / "photos", target / "seeds" / "defect"
    photos.mkdir(parents=True)
    seeds.mkdir(parents=True)
    for path in defects[:SEEDS]:
        shutil.copy(path, seeds / path.name)
    with (target / "truth.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "label"])
        for label, paths in (("nominal", nominal), ("defect", defects[SEEDS:])):
            for path in paths:
                # The package numbers each class from 1; a hash of the bytes gives nothing away.
                name = hashlib.sha256(path.read_bytes()).hexdigest()[:12] + ".jpg"
                shutil.copy(path, photos / name)
                writer.writerow([name, label])
    print(
        f"pool   {photos}: {len(list(photos.iterdir())):,} pictures, "
        f"{DEFECTS} of them with a defect ({DEFECTS / (NOMINAL + DEFECTS):.1%})"
    )
    print(f"seeds  {target / 'seeds'}: {SEEDS} other defects")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
