import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import dataframely as dy
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vidassets.definitions import GRAPH
from vidassets.errors import ArtifactDamaged, SchemaViolation
from vidassets.schemas import clips as clip_schemas
from vidassets.storage.store import ArtifactStore
from vidassets.storage.tables import check_foreign_key, write_parquet


class Words(dy.Schema):
    clip = dy.String(primary_key=True)
    start_s = dy.Float64(primary_key=True, min=0)
    text = dy.String(nullable=True)


class Embeddings(dy.Schema):
    clip = dy.String(primary_key=True)
    embedding = dy.Array(dy.Float32(), 3)


class Pictures(dy.Schema):
    image = dy.Struct({"bytes": dy.Binary(), "path": dy.String(nullable=True)})
    tags = dy.List(dy.String())
    embedding = dy.Array(dy.Float32(), 2)
    box = dy.Struct({"x": dy.Int32(), "y": dy.Int32()})
    taken_at = dy.Datetime(time_unit="us", time_zone="UTC")


def words(**columns: list) -> pl.DataFrame:
    rows = {"clip": ["a", "a"], "start_s": [0.0, 1.5], "text": ["hello", None]} | columns
    return pl.DataFrame(rows, schema_overrides={"text": pl.String})


def frames(n_frames: int) -> pl.DataFrame:
    columns = {
        "clip": "a",
        "frame_index": list(range(n_frames)),
        "pts_s": [float(index) for index in range(n_frames)],
        "wanted_s": [float(index) for index in range(n_frames)],
        "reason": "interval",
        "width": 8,
        "height": 6,
        "image": [{"bytes": jpeg(index), "path": None} for index in range(n_frames)],
        "sharpness": 1.0,
        "brightness": 0.5,
        "perceptual_hash": 2**63,
    }
    return pl.DataFrame(columns, schema=pl.Schema(clip_schemas.Frames))


def jpeg(gray: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 6), gray).save(buffer, "JPEG")
    return buffer.getvalue()


def test_a_table_comes_back_equal(store: ArtifactStore):
    store.write_table("words", "a", words(), Words)
    assert store.read_table("words", "a", Words).equals(words())


def test_an_empty_table_is_a_table(store: ArtifactStore):
    store.write_table("words", "a", words().clear(), Words)
    assert store.read_table("words", "a", Words).equals(words().clear())


def test_an_empty_table_of_pictures_is_a_table(store: ArtifactStore):
    store.write_table("frames", "a", frames(0), clip_schemas.Frames)
    assert store.read_table("frames", "a", clip_schemas.Frames).equals(frames(0))


def test_embeddings_keep_their_fixed_size(store: ArtifactStore):
    table = pl.DataFrame({"clip": ["a"], "embedding": [[0.1, 0.2, 0.3]]}, schema=pl.Schema(Embeddings))
    store.write_table("face_embeddings", "a", table, Embeddings)
    read = store.read_table("face_embeddings", "a", Embeddings)
    assert (read.equals(table), read.schema) == (True, table.schema)


def test_columns_are_stored_in_the_order_of_the_schema(store: ArtifactStore):
    store.write_table("words", "a", words().select("text", "start_s", "clip"), Words)
    assert store.read_table("words", "a").columns == ["clip", "start_s", "text"]


def test_only_the_columns_asked_for_are_read(store: ArtifactStore):
    store.write_table("words", "a", words(), Words)
    assert store.read_table("words", "a", Words, columns=["start_s"]).to_dict(as_series=False) == {
        "start_s": [0.0, 1.5]
    }


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param(words(start_s=[0.0, -1.5]), r"Words: start_s: min \(1 of 2 rows\)", id="out of range"),
        pytest.param(words(start_s=[0.0, None]), r"start_s: nullability \(1 of 2 rows\)", id="null"),
        pytest.param(words(start_s=[1.5, 1.5]), r"primary_key \(2 of 2 rows\)", id="key twice"),
        pytest.param(words(start_s=[0, 1]), "start_s is Int64, not Float64", id="another type is not cast"),
        pytest.param(words().drop("text"), "text is missing", id="column missing"),
        pytest.param(words(extra=[1, 2]), r"columns \['extra'\] are not declared", id="column too many"),
    ],
)
def test_a_table_that_breaks_its_schema_is_refused_with_column_rule_and_count(
    store: ArtifactStore, table: pl.DataFrame, message: str
):
    with pytest.raises(SchemaViolation, match=message):
        store.write_table("words", "a", table, Words)
    assert not store.exists("words", "a")


def test_a_refused_table_of_pictures_is_reported_without_the_pictures(store: ArtifactStore):
    with pytest.raises(SchemaViolation, match="brightness: max") as refusal:
        store.write_table("frames", "a", frames(1).with_columns(brightness=pl.lit(2.0)), clip_schemas.Frames)
    assert "JFIF" not in str(refusal.value)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda whole: whole[: len(whole) // 2], id="cut"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"not a table", id="text"),
    ],
)
def test_a_damaged_table_is_reported_with_the_fix(store: ArtifactStore, damage):
    store.write_table("words", "a", words(), Words)
    store.write_bytes("words", "a", "parquet", damage(store.read_bytes("words", "a", "parquet")))
    with pytest.raises(ArtifactDamaged, match=r"words/a\.parquet: .* vidassets run --force|vidassets run --force"):
        store.read_table("words", "a", Words)


def test_a_table_of_an_older_schema_is_reported(store: ArtifactStore):
    old = pl.DataFrame({"clip": ["a"], "start_s": [1]})
    with store.writing("words", "a", "parquet") as path:
        old.write_parquet(path)
    with pytest.raises(ArtifactDamaged, match="start_s is Int64, not Float64; text is missing"):
        store.read_table("words", "a", Words)


def test_a_few_dozen_pictures_are_a_row_group(tmp_path: Path):
    import pyarrow.parquet

    store = ArtifactStore(tmp_path)
    store.write_table("frames", "a", frames(70), clip_schemas.Frames)
    metadata = pyarrow.parquet.read_metadata(store.uri("frames", "a"))
    assert [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)] == [32, 32, 6]


def test_pictures_come_back_equal(store: ArtifactStore):
    store.write_table("frames", "a", frames(70), clip_schemas.Frames)
    assert store.read_table("frames", "a", clip_schemas.Frames).equals(frames(70))


def test_hugging_face_datasets_shows_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    store = ArtifactStore(tmp_path / "store")
    store.write_table("frames", "a", frames(40), clip_schemas.Frames)
    loaded = datasets.Dataset.from_parquet(store.uri("frames", "a"), cache_dir=str(tmp_path / "cache"))
    assert isinstance(loaded.features["image"], datasets.Image)
    assert (loaded[39]["image"].size, loaded[39]["image"].getpixel((0, 0))) == ((8, 6), 39)
    assert (loaded[39]["perceptual_hash"], loaded.num_rows) == (2**63, 40)


def test_hugging_face_datasets_reads_lists_arrays_structs_and_moments_beside_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    moment = datetime(2020, 1, 2, tzinfo=UTC)
    row = {"image": {"bytes": jpeg(0), "path": None}, "tags": ["x"], "embedding": [1.0, 2.0], "box": {"x": 1, "y": 2}}
    store = ArtifactStore(tmp_path / "store")
    table = pl.DataFrame([row | {"taken_at": moment}], schema=pl.Schema(Pictures))
    store.write_table("pictures", "a", table, Pictures)
    loaded = datasets.Dataset.from_parquet(store.uri("pictures", "a"), cache_dir=str(tmp_path / "cache"))[0]
    assert {name: loaded[name] for name in ("tags", "embedding", "box", "taken_at")} == {
        "tags": ["x"],
        "embedding": [1.0, 2.0],
        "box": {"x": 1, "y": 2},
        "taken_at": moment,
    }


@pytest.mark.parametrize("name", sorted(name for name, artifact in GRAPH.artifacts.items() if artifact.schema))
def test_every_table_is_written_so_that_other_programs_open_it_empty(tmp_path: Path, name: str):
    schema = GRAPH.artifacts[name].schema
    assert schema is not None
    write_parquet(schema.create_empty(), tmp_path / "a.parquet")
    found = pq.ParquetFile(tmp_path / "a.parquet")
    types = list(_types(found.schema_arrow))
    assert found.num_row_groups == 0
    assert not [column for column, dtype in types if pa.types.is_null(dtype)]
    # DuckDB needs the package pytz for these.
    assert not [column for column, dtype in types if pa.types.is_timestamp(dtype) and dtype.tz]


def _types(fields: Iterable[pa.Field]) -> Iterator[tuple[str, pa.DataType]]:
    for field in fields:
        yield field.name, field.type
        yield from _types(field.type.field(i) for i in range(field.type.num_fields))


def test_hugging_face_datasets_reads_an_empty_table_among_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    for name, table in {"a": frames(1).clear(), "b": frames(3)}.items():
        write_parquet(table, tmp_path / f"{name}.parquet")
    loaded = datasets.load_dataset("parquet", data_dir=str(tmp_path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.num_rows == 3


def test_rows_that_point_to_no_row_of_another_table_are_reported():
    descriptions = pl.DataFrame({"clip": ["a", "a", "a"], "frame_index": [0, 7, 7]})
    pictures = pl.DataFrame({"clip": ["a", "b"], "frame_index": [0, 7]})
    with pytest.raises(SchemaViolation, match=r"1 of its .* not in frames, the first \('a', 7\)"):
        check_foreign_key(
            descriptions, pictures, ["clip", "frame_index"], name="frame_descriptions", parent_name="frames"
        )


def test_rows_that_all_point_to_a_row_of_another_table_pass():
    pictures = pl.DataFrame({"clip": ["a", "b"], "frame_index": [0, 7]})
    check_foreign_key(pictures, pictures, ["clip", "frame_index"], name="frame_descriptions", parent_name="frames")
