"""The engine behind the service: images by id, neighbors, and the candidates of `gandt.select`."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from conftest import MeanColor
from PIL import Image

import gandt
from gandt.errors import ModelError, ModelMismatch, SeedError, UsageError
from gandt.index.folder import open_index
from gandt.index.model import load_model_of
from gandt.index.update import update_index
from gandt.pool.decode import decode
from gandt.pool.sources import open_pool
from gandt.selection.select import SelectOptions
from gandt.serving.service.explore.engine import UPLOAD, Engine, NoSuchImage, Ref, UnusableRef
from gandt.types import Candidate, FloatArray, Pixels, Selection


def never() -> NoReturn:
    raise AssertionError("nothing here needs the model")


@pytest.fixture
def folder(colors: Path, tmp_path: Path, mean_color: MeanColor) -> Path:
    """An index of sixty colors, of which four have left the pool and one has changed."""
    update_index(open_pool([colors]), mean_color, tmp_path / "pool.index", shard_rows=25)
    for number in (0, 25, 26, 59):
        (colors / f"{number:03d}.png").unlink()
    Image.new("RGB", (20, 30), (250, 10, 10)).save(colors / "030.png")
    update_index(open_pool([colors]), mean_color, tmp_path / "pool.index")
    return tmp_path / "pool.index"


@pytest.fixture
def engine(folder: Path) -> Engine:
    return Engine(open_index(folder), never)


def file_of(color: tuple[int, int, int], size: tuple[int, int] = (40, 30)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, color).save(stream, "PNG")
    return stream.getvalue()


# ------------------------------------------------------------------------------- what is there


def test_pages_hold_every_live_image_once_in_the_order_of_ids(engine: Engine) -> None:
    assert (engine.total, engine.index.rows) == (56, 61)
    whole = engine.page(0, 1000)
    assert [picture.id for picture in whole] == [
        row for row in range(61) if row not in (0, 25, 26, 30, 59)
    ]
    for count in (1, 7, 56):
        pieces = [engine.page(start, count) for start in range(0, 56, count)]
        assert [picture for page in pieces for picture in page] == whole


@pytest.mark.parametrize(("start", "count"), [(56, 5), (10**30, 5), (3, 0), (3, -1)])
def test_a_page_beyond_the_end_is_empty(engine: Engine, start: int, count: int) -> None:
    assert engine.page(start, count) == []


def test_a_picture_is_what_the_index_says(folder: Path, colors: Path) -> None:
    uri = str(colors / "001.png")
    engine = Engine(open_index(folder), never, known={uri: "green", "/elsewhere": "blue"})
    assert engine.labels == ("blue", "green")
    [one, changed] = engine.pictures([1, 60])
    assert (one.id, one.uri, one.width, one.height, one.label) == (1, uri, 48, 40, "green")
    assert (changed.uri, changed.width, changed.height) == (str(colors / "030.png"), 20, 30)
    assert changed.label is None


def test_ids_are_of_live_rows_alone(engine: Engine, colors: Path) -> None:
    asked = [str(colors / f"{number:03d}.png") for number in (0, 1, 30, 999)]
    assert engine.ids(asked) == {asked[1]: 1, asked[2]: 60}


@pytest.mark.parametrize("number", [-1, 0, 26, 30, 59, 61, 2**70])
def test_an_id_of_no_live_row_is_no_image(engine: Engine, number: int) -> None:
    ref = Ref(id=number)
    for ask in (
        lambda: engine.pictures([1, number]),
        lambda: engine.vectors([Ref(id=1), ref]),
        lambda: engine.search(ref, 3),
        lambda: engine.select({"a": [ref]}, SelectOptions()),
    ):
        with pytest.raises(NoSuchImage, match=f"there is no image {number} in this pool") as caught:
            ask()
        assert caught.value.ref == ref


def test_facts_tell_what_the_index_is(engine: Engine) -> None:
    facts = engine.facts()
    assert (facts["name"], facts["images"], facts["rows"]) == ("pool.index", 56, 61)
    assert (facts["model"], facts["dimension"], facts["search"]) == ("mean-color", 4, "exact")
    assert facts["text"] is False
    strategies = facts["strategies"]
    assert isinstance(strategies, list)
    assert strategies[0]["name"] == "auto"


# -------------------------------------------------------------------------------------- vectors


@pytest.mark.parametrize(
    "given", [{}, {"id": 1, "uri": "/a"}, {"image": b"", "text": ""}], ids=["none", "two", "empty"]
)
def test_a_ref_is_exactly_one_thing(given: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="give exactly one"):
        Ref(**given)  # type: ignore[arg-type]


def test_images_of_the_pool_have_their_stored_vectors(engine: Engine, colors: Path) -> None:
    refs = [Ref(id=7), Ref(uri=str(colors / "030.png")), Ref(id=7)]
    np.testing.assert_array_equal(engine.vectors(refs), engine.index.take(np.array([7, 60, 7])))


def test_an_upload_goes_through_what_the_pool_went_through(folder: Path, colors: Path) -> None:
    engine = Engine(open_index(folder), MeanColor)
    data = (colors / "007.png").read_bytes()
    vector = engine.vectors([Ref(image=data)])
    np.testing.assert_allclose(vector, engine.index.take(np.array([7])), atol=1e-3)


def test_uploads_beside_an_exact_index_are_decoded_exactly(
    tmp_path: Path, mean_color: MeanColor
) -> None:
    large = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (600, 900, 3), dtype=np.uint8)
    )
    (tmp_path / "pool").mkdir()
    large.save(tmp_path / "pool" / "a.jpg")
    data = (tmp_path / "pool" / "a.jpg").read_bytes()
    wanted = {}
    for exact in (False, True):
        index = tmp_path / f"{exact}.index"
        update_index(open_pool([tmp_path / "pool"]), mean_color, index, exact=exact)
        engine = Engine(open_index(index), lambda: mean_color)
        pixels = decode(data, mean_color.card.preprocessing, exact=exact).pixels
        wanted[exact] = mean_color.encode(pixels[None])
        np.testing.assert_array_equal(engine.vectors([Ref(image=data)]), wanted[exact])
    assert (wanted[False] != wanted[True]).any()


class Counting(MeanColor):
    """Counts the images that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0

    def encode(self, pixels: Pixels) -> FloatArray:
        self.encoded += len(pixels)
        return super().encode(pixels)


def test_an_upload_is_embedded_once(folder: Path) -> None:
    counting = Counting()
    engine = Engine(open_index(folder), lambda: counting)
    files = [Ref(image=file_of((number, 0, 200))) for number in range(9)]
    first = engine.vectors([*files, files[0]])
    assert counting.encoded == 9
    np.testing.assert_array_equal(engine.vectors(files[::-1]), first[8::-1])
    engine.search(files[3], 2)
    engine.select({"a": files[2:5]}, SelectOptions(budget=3))
    assert counting.encoded == 9


def test_the_model_is_loaded_once_however_many_ask(folder: Path) -> None:
    loaded: list[MeanColor] = []
    gate = threading.Barrier(8)

    def load() -> MeanColor:
        loaded.append(MeanColor())
        return loaded[-1]

    engine = Engine(open_index(folder), load)

    def ask(number: int) -> int:
        gate.wait()
        return engine.search(Ref(image=file_of((number, 0, 200))), 1)[0][0]

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(8)))
    assert len(loaded) == 1
    assert found == [engine.search(Ref(image=file_of((n, 0, 200))), 1)[0][0] for n in range(8)]


def test_a_model_that_cannot_be_had_is_asked_for_again(folder: Path) -> None:
    """A download that failed may go well the next time."""
    answers = iter([ModelError("no network"), MeanColor()])

    def load() -> MeanColor:
        answer = next(answers)
        if isinstance(answer, ModelError):
            raise answer
        return answer

    engine = Engine(open_index(folder), load)
    with pytest.raises(ModelError, match="no network"):
        engine.search(Ref(image=file_of((1, 2, 3))), 1)
    assert len(engine.search(Ref(image=file_of((1, 2, 3))), 1)) == 1


PNG = file_of((1, 2, 3))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"%PDF-1.7 of no use", "not an image"),
        (PNG[: len(PNG) // 2], "truncated"),
        (file_of((1, 2, 3), (1000, 1001)), "too many pixels: 1000 x 1001"),
    ],
)
def test_what_is_no_image_is_refused_with_its_reason(
    folder: Path, data: bytes, reason: str
) -> None:
    engine = Engine(open_index(folder), MeanColor, max_pixels=1_000_000)
    bad = Ref(image=data)
    refs = [Ref(id=1), Ref(image=PNG), bad]
    with pytest.raises(UnusableRef, match=f"no image that can be used: .*{reason}") as caught:
        engine.select({"a": refs}, SelectOptions())
    assert caught.value.ref is bad


class Words(MeanColor):
    """Embeds the name of a color as the color."""

    def __init__(self) -> None:
        super().__init__()
        self.card = replace(self.card, model="toy:words")

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        colors = {"red": 0, "green": 1, "blue": 2}
        return np.eye(4, dtype=np.float32)[[colors[text] for text in texts]]


@pytest.fixture
def words(colors: Path, tmp_path: Path) -> Engine:
    update_index(open_pool([colors]), Words(), tmp_path / "words.index")
    return Engine(open_index(tmp_path / "words.index"), Words)


def test_texts_are_seeds_and_questions_where_the_model_embeds_them(words: Engine) -> None:
    assert words.texts
    assert words.facts()["text"] is True
    assert words.search(Ref(text="green"), 1)[0][0] % 3 == 1
    chosen = words.select({"sea": [Ref(text="blue")]}, SelectOptions(budget=4, duplicates=1.5))
    assert {candidate.seed for candidate in chosen.selection.candidates} == {"blue"}
    assert all(number % 3 == 2 for number in chosen.ids.values())


@pytest.mark.parametrize("text", ["", "  "])
def test_a_text_that_says_nothing_is_refused(words: Engine, text: str) -> None:
    with pytest.raises(UnusableRef, match="the text is empty"):
        words.search(Ref(text=text), 1)


def test_a_text_is_refused_without_loading_a_model_that_embeds_none(engine: Engine) -> None:
    assert not engine.texts
    with pytest.raises(UnusableRef, match="embeds no texts"):
        engine.search(Ref(text="red"), 3)


def test_of_a_folder_that_names_no_model_the_model_itself_tells(folder: Path) -> None:
    (folder / "index.json").unlink()
    engine = Engine(open_index(folder), MeanColor)
    assert engine.texts  # clip-retrieval's models do
    with pytest.raises(UnusableRef, match="embeds no texts"):
        engine.search(Ref(text="red"), 3)
    assert not engine.texts


def test_a_model_of_another_dimension_is_refused(tmp_path: Path) -> None:
    (tmp_path / "img_emb").mkdir()
    (tmp_path / "metadata").mkdir()
    np.save(tmp_path / "img_emb" / "img_emb_0.npy", np.eye(3, dtype=np.float16))
    engine = Engine(open_index(tmp_path), MeanColor)
    with pytest.raises(ModelMismatch, match=r"vectors of 4 dimensions and .* holds 3"):
        engine.search(Ref(image=PNG), 3)


# --------------------------------------------------------------------------------------- search


def test_neighbors_are_the_most_similar_others_best_first(engine: Engine) -> None:
    live = np.array([picture.id for picture in engine.page(0, 100)])
    vectors = engine.index.take(live)
    for number in (1, 33, 60):
        found = engine.search(Ref(id=number), 9)
        cosines = vectors @ engine.index.take(np.array([number]))[0]
        cosines[live == number] = -2
        np.testing.assert_allclose([s for _, s in found], np.sort(cosines)[::-1][:9], atol=1e-6)
        assert number not in [row for row, _ in found]
        by_uri = engine.search(Ref(uri=engine.pictures([number])[0].uri), 9)
        assert by_uri == found


def test_what_is_excluded_is_not_found(engine: Engine) -> None:
    first = [row for row, _ in engine.search(Ref(id=1), 6)]
    later = engine.search(Ref(id=1), 99, exclude=[*first[:3], 0, 1, -5, 10**12])
    assert [row for row, _ in later][:3] == first[3:]
    assert len(later) == 56 - 1 - 3


def test_no_more_is_found_than_there_is(engine: Engine) -> None:
    assert len(engine.search(Ref(id=1), 10**9)) == 55
    assert engine.search(Ref(id=1), 0) == []


# ------------------------------------------------------------------------------------ selection


@pytest.fixture(scope="module")
def cloth(textiles: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Eighty pieces of cloth, indexed by the bundled model, and five more that are not."""
    base = tmp_path_factory.mktemp("cloth")
    files = sorted(textiles.rglob("*.jpg"))
    chosen = files[:: len(files) // 85][:85]
    for name in ("pool", "others"):
        (base / name).mkdir()
    for number, file in enumerate(chosen):
        shutil.copy(file, base / ("pool" if number < 80 else "others") / f"{number:03d}.jpg")
    gandt.embed(base / "pool", index=base / "pool.index", device="cpu", runtime="torch")
    return base / "pool.index", base / "others"


def labeled(path: Path, rows: Sequence[tuple[str | Path, str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("image_path", "label"), *rows])
    return path


def in_its_words(selection: Selection, uploads: dict[str, str]) -> list[Candidate]:
    """Candidates with uploads named as files are; numbers to what two batches may differ by."""
    return [
        replace(
            candidate,
            seed=uploads.get(candidate.seed, candidate.seed),
            score=round(candidate.score, 4),
            similarity=round(candidate.similarity, 4),
        )
        for candidate in selection.candidates
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"budget": 12},
        {"budget": 12, "strategy": "nearest", "duplicates": 0.8},
        {"per_class": 4, "strategy": "contrast"},
        {"quotas": {"hole": 5, "stain": 2}, "strategy": "prototype", "diversity": 0.5},
        {"budget": 20, "explore": 0.4, "random_seed": 3, "min_similarity": 0.9},
        {"budget": 9, "shortlist": 20},
    ],
    ids=str,
)
def test_candidates_are_those_of_gandt_select(
    cloth: tuple[Path, Path], tmp_path: Path, options: dict[str, object]
) -> None:
    folder, others = cloth
    index = open_index(folder)
    engine = Engine(index, lambda: load_model_of(index, device="cpu"))
    uris = index.uris(np.arange(index.rows))
    files = sorted(others.iterdir())
    seeds = {
        "hole": [Ref(id=3), Ref(uri=uris[40]), Ref(image=files[0].read_bytes())],
        "stain": [Ref(id=60), Ref(image=files[1].read_bytes()), Ref(id=60)],
        "Other": [Ref(uri=uris[10]), Ref(id=11)],
        "empty": [],
    }
    holes, stains, rest = [uris[3], uris[40], files[0]], [uris[60], files[1]], [uris[10], uris[11]]
    table = labeled(
        tmp_path / "seeds.csv",
        [
            *((path, "hole") for path in holes),
            *((path, "stain") for path in stains),
            *((path, "Other") for path in rest),
        ],
    )
    excluded = labeled(tmp_path / "sent.csv", [(uris[row], "") for row in (5, 6, 7, 8)])
    exclude = [Ref(id=5), Ref(uri=uris[6]), Ref(id=7), Ref(image=Path(uris[8]).read_bytes())]
    wanted = gandt.select(index, table, exclude=[excluded], device="cpu", **options)
    chosen = engine.select(seeds, SelectOptions(**options), exclude=exclude)  # type: ignore[arg-type]
    uploads = {UPLOAD + hashlib.sha256(f.read_bytes()).hexdigest(): str(f) for f in files}
    assert in_its_words(chosen.selection, uploads) == in_its_words(wanted, {})
    assert len(wanted.candidates) >= 6
    assert chosen.selection.notes == wanted.notes
    assert chosen.selection.classes == wanted.classes == ("hole", "stain")
    named = {c.uri for c in wanted.candidates} | {
        u for c in wanted.candidates for u in c.duplicates
    }
    assert chosen.ids == {uri: uris.index(uri) for uri in named}


def test_an_upload_that_the_pool_holds_is_a_seed_of_the_pool(folder: Path, colors: Path) -> None:
    engine = Engine(open_index(folder), MeanColor)
    data = (colors / "007.png").read_bytes()
    chosen = engine.select({"a": [Ref(image=data)]}, SelectOptions(budget=60, duplicates=1.5))
    assert 7 not in chosen.ids.values()
    assert chosen.selection.notes[0] == "1 image of the pool is a seed itself; left out."
    name = UPLOAD + hashlib.sha256(data).hexdigest()
    assert {candidate.seed for candidate in chosen.selection.candidates} == {name}


def test_what_is_to_be_excluded_may_have_left_the_pool(engine: Engine, colors: Path) -> None:
    gone = [Ref(id=0), Ref(id=10**6), Ref(uri="/no/such.png"), Ref(image=b"of nothing")]
    options = SelectOptions(budget=5, duplicates=1.5)
    chosen = engine.select({"a": [Ref(id=1)]}, options, exclude=gone)
    assert len(chosen.selection) == 5
    assert chosen.selection.notes[-1] == "no image that is to be excluded is in the pool."
    best = [Ref(id=number) for number in chosen.ids.values()]
    again = engine.select({"a": [Ref(id=1)]}, options, exclude=best)
    assert not set(again.ids) & set(chosen.ids)


@pytest.mark.parametrize(
    ("seeds", "sentence"),
    [
        ({}, "there are no seeds"),
        ({"a": []}, "there are no seeds"),
        ({"Other": [Ref(id=1)], "a": []}, "all seeds are of the contrast class 'Other'"),
    ],
)
def test_there_has_to_be_something_to_look_for(
    engine: Engine, seeds: dict[str, list[Ref]], sentence: str
) -> None:
    with pytest.raises(SeedError, match=sentence):
        engine.select(seeds, SelectOptions())


def test_a_text_cannot_be_excluded(engine: Engine) -> None:
    with pytest.raises(UnusableRef, match="a text cannot be excluded"):
        engine.select({"a": [Ref(id=1)]}, SelectOptions(), exclude=[Ref(text="red")])


def test_many_at_once_get_what_each_would_alone(folder: Path) -> None:
    engine = Engine(open_index(folder), MeanColor)
    strategies = ("auto", "nearest", "diffusion", "probe")

    def ask(number: int) -> object:
        ref = Ref(id=1 + number % 20) if number % 3 else Ref(image=file_of((number, 90, 9)))
        if number % 2:
            return engine.search(ref, 5)
        options = SelectOptions(
            budget=7, strategy=strategies[number % 4], random_seed=number % 5, shortlist=30
        )
        chosen = engine.select({"a": [ref], "b": [Ref(id=40)]}, options)
        return chosen.selection.candidates, chosen.ids

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(60)))
    alone = Engine(open_index(folder), MeanColor)
    engine = alone
    assert found == [ask(number) for number in range(60)]


def test_metadata_are_read_once(engine: Engine, folder: Path) -> None:
    def ask() -> object:
        options = SelectOptions(budget=6, duplicates=1.5)
        chosen = engine.select({"a": [Ref(id=1)]}, options)
        return chosen.selection.candidates, chosen.ids, engine.page(3, 9)

    first = ask()
    shutil.rmtree(folder / "metadata")
    assert ask() == first
