"""How long a results report takes, and how much memory.

    python scripts/bench/report.py [--images 1400] [--format html pdf]

Real photos (from `$GANDT_DATA`, or the folder `shared/data` beside the checkout; without them the
textiles of the package `conformal_clip_data`) in an output manifest with two classes, one image in
three labeled by machine. Each format is written by a process of its own, so that the peak of memory
is its own; wall and CPU time are those of `write_report` alone, imports left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def photos(number: int) -> list[Path]:
    """So many photos, always the same ones; from the first again where there are fewer."""
    data = Path(os.environ.get("GANDT_DATA", Path(__file__).resolve().parents[3] / "shared/data"))
    found = [p for name in ("cats_dogs", "clothing") for p in sorted((data / name).rglob("*.jpg"))]
    if not found:
        import conformal_clip_data

        found = sorted(Path(conformal_clip_data.__file__).parent.rglob("*.jpg"))
    return list(itertools.islice(itertools.cycle(found), number))


def write_manifest(path: Path, images: list[Path]) -> None:
    """An output manifest as a finished classification job writes it."""
    with path.open("w") as file:
        for number, image in enumerate(images):
            name = "cat" if "cat" in image.name else "other"
            metadata = {
                "class-name": name,
                "confidence": round(0.5 + number % 50 / 100, 2),
                "job-name": "labeling-job/bench",
                "human-annotated": "no" if number % 3 == 0 else "yes",
                "creation-date": "2024-03-05T10:05:00.120431",
                "type": "groundtruth/image-classification",
            }
            line = {"source-ref": str(image), "bench": 0, "bench-metadata": metadata}
            file.write(json.dumps(line) + "\n")


def measure(manifest: str, out: str, format: str) -> None:
    """Write one report and print what it took, as JSON."""
    from gandt.report.results.write import write_report

    wall, cpu = time.perf_counter(), time.process_time()
    summary = write_report(manifest, out, format=format)  # type: ignore[arg-type]
    took = {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "pictures": summary.pictures,
        "file_mb": summary.size / 1e6,
    }
    print(json.dumps(took))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1400)
    parser.add_argument("--format", nargs="+", default=["html", "pdf"])
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(*args.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "output.manifest"
        write_manifest(manifest, photos(args.images))
        print(
            "| format | pictures | wall s | CPU s | peak MB | file MB |\n|---|---|---|---|---|---|"
        )
        for format in args.format:
            out = f"{folder}/report.{format}"
            command = [sys.executable, __file__, "--measure", str(manifest), out, format]
            took = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            print(
                f"| {format} | {took['pictures']:,} | {took['wall_s']:.1f} | {took['cpu_s']:.1f} "
                f"| {took['peak_mb']:.0f} | {took['file_mb']:.1f} |"
            )


if __name__ == "__main__":
    main()
