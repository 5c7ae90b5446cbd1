"""Fixtures that several rooms share: real images, an embedder whose vectors can be worked out."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from gandt.errors import ModelError
from gandt.types import FloatArray, ModelCard, Pixels, Preprocessing

if TYPE_CHECKING:
    from s3_server import Bucket, S3Server

# Read once at import by the hub's client: no test waits for a network.
os.environ["HF_HUB_OFFLINE"] = "1"

# A shell that runs the tests in the background has them ignore Ctrl-C, and with them the programs
# that they start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Timings on shared machines say nothing; what is slow shows in --durations. Every run sees the same
# examples; `--hypothesis-profile explore` looks for new ones.
_PROFILE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("gandt", _PROFILE, derandomize=True)
settings.register_profile("explore", _PROFILE, max_examples=1000)
settings.load_profile("gandt")

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent / "stand_ins")]
pytest_plugins = ["aws_fixtures"]

DATA = Path(os.environ.get("GANDT_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Labeled image sets for measuring; not part of the project."""
    if not DATA.is_dir():
        pytest.skip(f"no labeled image sets at {DATA}; name their folder with GANDT_DATA")
    return DATA


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's credentials, settings or model cache."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


class MeanColor:
    """An embedder that sees the mean color alone, so expected vectors can be written down."""

    batch_size = 4
    device = "cpu"
    concurrency = 2

    def __init__(self, weights: str = "0" * 64) -> None:
        self.card = ModelCard(
            "mean-color",
            weights,
            4,
            Preprocessing(32, "crop", 1.0, "bicubic", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        )

    def encode(self, pixels: Pixels) -> FloatArray:
        means = pixels.reshape(len(pixels), -1, 3).mean(axis=1) / 255
        vectors = np.concatenate([means, np.full((len(pixels), 1), 0.1)], axis=1)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        raise ModelError("the mean color has no text tower")


@pytest.fixture
def mean_color() -> MeanColor:
    return MeanColor()


def paint(path: Path, color: tuple[int, int, int], *, size: tuple[int, int] = (48, 40)) -> Path:
    """Write a picture of one color with a little grain, so that files differ."""
    grain = np.random.default_rng(sum(color) + len(path.name)).integers(-4, 5, (*size[::-1], 3))
    values = np.clip(np.array(color) + grain, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


@pytest.fixture
def colors(tmp_path: Path) -> Path:
    """A pool of 60 small pictures: reds, greens and blues of many shades."""
    rng = np.random.default_rng(7)
    for number in range(60):
        color = rng.integers(0, 90, 3)
        color[number % 3] = rng.integers(160, 256)
        paint(
            tmp_path / "pool" / f"{number:03d}.png", (int(color[0]), int(color[1]), int(color[2]))
        )
    return tmp_path / "pool"


@pytest.fixture(scope="session")
def textiles() -> Iterator[Path]:
    """The simulated textiles of conformal-clip-data: real files, a test dependency."""
    package = pytest.importorskip(
        "conformal_clip_data", reason="pip install 'gandt[test]' brings conformal-clip-data"
    )
    yield Path(package.__file__).parent / "data" / "textile_images" / "simulated"


_buckets = itertools.count()
_clients: dict[int, object] = {}  # making one takes a quarter of a second


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A real S3 API on loopback, which fails when it is told to."""
    pytest.importorskip(
        "moto.moto_server.werkzeug_app",
        reason="needs moto's S3 server and flask: pip install 'gandt[test]' brings them",
    )
    from s3_server import S3Server

    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def bucket(
    s3_server: S3Server, _own_home: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bucket]:
    """An empty bucket of the server, which every client of this test finds by the environment."""
    from s3_server import ENVIRONMENT, Bucket

    from gandt.storage import s3_client

    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(s3_client, "_clients", _clients)
    s3_server.reset()
    yield Bucket(s3_server, f"bucket-{next(_buckets)}")
    s3_server.reset()
