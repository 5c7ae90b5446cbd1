"""`gandt embed` end to end against its own limits, and against clip-retrieval.

    python scripts/bench/embed.py [--images 2000] [--rounds 3] [--model efficientnet-lite0]
    python scripts/bench/embed.py --clip-retrieval VENV/bin/python [--images 800]

On a CPU the decoder and the model share the cores, so the limit of the whole is `1 / (1/F + 1/D)`:
F the bare forward pass in the same runtime, D decoding alone on all cores. All three are measured
in turn over the same files and the rounds are interleaved, since a shared machine changes its speed
within seconds. The model's loading is left out of this comparison.

The second form embeds one folder with one architecture (random weights; ViT-S-32-alt) in both
programs, everything included. clip-retrieval has pins of its own and lives in its own environment:
`pip install torch==2.14.1 torchvision==0.29.1 clip-retrieval 'setuptools<80'`.

Files are photos of cats, dogs and clothes from `$GANDT_DATA` (0.05 to 0.15 megapixels), or textiles
of the package conformal-clip-data.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

from gandt.embedding.decoding import CHUNK, DecodingOptions, start_decoder
from gandt.embedding.runtime import load_embedder
from gandt.index.update import update_index
from gandt.pool.sources import open_pool
from gandt.types import Embedder, Item

PEER_MODEL = "ViT-S-32-alt"


def photos(count: int, folder: Path) -> Path:
    data = Path(os.environ.get("GANDT_DATA", Path(__file__).resolve().parents[3] / "shared/data"))
    files = sorted((data / "cats_dogs").rglob("*.jpg")) + sorted((data / "clothing").rglob("*.jpg"))
    if not files:
        import conformal_clip_data

        files = sorted(Path(conformal_clip_data.__file__).parent.rglob("*.jpg"))
    pool = folder / "pool"
    pool.mkdir()
    for number, file in enumerate(islice(files, count)):
        shutil.copy(file, pool / f"{number:05d}.jpg")
    return pool


def forward_speed(embedder: Embedder, batches: list[np.ndarray]) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(embedder.concurrency) as executor:
        deque(executor.map(embedder.encode, batches), maxlen=0)
    return sum(len(batch) for batch in batches) / (time.perf_counter() - started)


def decode_speed(embedder: Embedder, items: list[Item]) -> tuple[float, list[np.ndarray]]:
    decoder = start_decoder(DecodingOptions(embedder.card.preprocessing, False, 10**9))
    started = time.perf_counter()
    waiting = [decoder.submit(items[at : at + CHUNK]) for at in range(0, len(items), CHUNK)]
    pictures = [picture for result in waiting for picture in result()]
    seconds = time.perf_counter() - started
    decoder.close()
    size = embedder.batch_size
    pixels = [picture.pixels for picture in pictures if picture.pixels is not None]
    batches = [np.stack(pixels[at : at + size]) for at in range(0, len(pixels), size)]
    return len(items) / seconds, batches


def against_limits(pool: Path, model: str, runtime: str, rounds: int, scratch: Path) -> None:
    embedder, line = load_embedder(model, device="cpu", runtime=runtime)
    items = list(open_pool([pool]))
    rows: list[tuple[float, float, float, float]] = []
    for number in range(rounds):
        decode, batches = decode_speed(embedder, items)
        forward = forward_speed(embedder, batches)
        report = update_index(open_pool([pool]), embedder, scratch / f"index-{number}")
        whole = report.progress.embedded / report.progress.seconds
        limit = 1 / (1 / forward + 1 / decode)
        rows.append((forward, decode, whole, whole / limit))
        print(
            f"round {number + 1}: forward {forward:.0f}, decode {decode:.0f}, limit {limit:.0f}, "
            f"embed {whole:.0f} images/s = {whole / limit:.2f} of the limit, model waited "
            f"{report.progress.waiting:.0%}",
            file=sys.stderr,
        )
    forward, decode, whole, share = (
        statistics.median(column) for column in zip(*rows, strict=True)
    )
    print(f"{line}; {len(items):,} images, median of {rounds} rounds\n")
    print("| forward F | decode D | limit 1/(1/F+1/D) | gandt embed | share of the limit |")
    print("| --- | --- | --- | --- | --- |")
    limit = 1 / (1 / forward + 1 / decode)
    print(f"| {forward:.0f} | {decode:.0f} | {limit:.0f} | {whole:.0f} | **{share:.2f}** |")


PEER = """
import sys
import open_clip, torch
original = open_clip.create_model_and_transforms
def random_weights(name, pretrained=None, *rest, **options):
    options.pop("cache_dir", None)
    return original(name, pretrained=None, *rest, **options)
open_clip.create_model_and_transforms = random_weights
if __name__ == "__main__":
    from clip_retrieval.clip_inference.main import main
    main(sys.argv[1], sys.argv[2], input_format="files", batch_size=32, num_prepro_workers=2,
         enable_text=False, enable_metadata=False, use_jit=False, write_batch_size=100000,
         clip_model="open_clip:" + sys.argv[3] + "/random", mclip_model="",
         distribution_strategy="sequential", output_partition_count=1)
"""


def random_model(folder: Path) -> Path:
    import open_clip
    from safetensors.torch import save_file

    model = open_clip.create_model(PEER_MODEL, pretrained=None)
    target = folder / "model"
    target.mkdir()
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, target / "open_clip_model.safetensors")
    config = {
        "model_cfg": open_clip.get_model_config(PEER_MODEL),
        "preprocess_cfg": dict(model.visual.preprocess_cfg),
    }
    (target / "open_clip_config.json").write_text(json.dumps(config))
    return target


def against_clip_retrieval(python: Path, pool: Path, rounds: int, scratch: Path) -> None:
    model = random_model(scratch)
    script = scratch / "peer.py"
    script.write_text(PEER)
    count = len(list(pool.iterdir()))
    gandt = Path(sys.executable).with_name("gandt")
    rows = []
    for number in range(rounds):
        theirs = _seconds(
            [str(python), str(script), str(pool), str(scratch / f"peer-{number}"), PEER_MODEL]
        )
        out = scratch / f"ours-{number}"
        ours = _seconds(
            [str(gandt), "embed", str(pool), "--index", str(out), "--model", str(model), "-q"]
        )
        embedded = sum(len(np.load(file)) for file in (out / "img_emb").glob("*.npy"))
        peers = sum(len(np.load(file)) for file in (scratch / f"peer-{number}").rglob("*.npy"))
        assert embedded == peers == count, (embedded, peers, count)
        rows.append((theirs, ours))
        print(f"round {number + 1}: {theirs:.1f} s, gandt {ours:.1f} s", file=sys.stderr)
    theirs = statistics.median(row[0] for row in rows)
    ours = statistics.median(row[1] for row in rows)
    ratio = statistics.median(row[0] / row[1] for row in rows)
    print(f"{PEER_MODEL}, {count:,} images, everything included, median of {rounds} rounds\n")
    print("| clip-retrieval | gandt embed | ratio |")
    print("| --- | --- | --- |")
    print(f"| {count / theirs:.1f} images/s | {count / ours:.1f} images/s | **{ratio:.2f}** |")


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    # The first line of what failed is worth more than its silence.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--runtime", default="auto", choices=["auto", "torch", "openvino"])
    parser.add_argument("--clip-retrieval", type=Path, metavar="PYTHON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        pool = photos(options.images, scratch)
        if options.clip_retrieval:
            against_clip_retrieval(options.clip_retrieval, pool, options.rounds, scratch)
        else:
            against_limits(pool, options.model, options.runtime, options.rounds, scratch)


if __name__ == "__main__":
    main()
