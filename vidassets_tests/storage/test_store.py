from contextlib import suppress
from pathlib import Path

import pytest

from vidassets.errors import ArtifactMissing, InvalidKey, StoreError, StoreUnreachable
from vidassets.storage.store import ArtifactStore
from vidassets_tests.s3_server import S3Bucket


def test_bytes_come_back_as_they_were_written(store: ArtifactStore):
    store.write_bytes("audio", "a", "flac", b"\x00\xff")
    assert store.read_bytes("audio", "a", "flac") == b"\x00\xff"


def test_an_empty_object_is_an_object(store: ArtifactStore):
    store.write_bytes("audio", "a", "flac", b"")
    assert store.read_bytes("audio", "a", "flac") == b""


def test_a_new_version_replaces_the_old_one(store: ArtifactStore):
    store.write_bytes("audio", "a", "flac", b"old and longer")
    store.write_bytes("audio", "a", "flac", b"new")
    assert store.read_bytes("audio", "a", "flac") == b"new"


def test_a_file_written_by_another_library_is_stored_when_the_block_ends(store: ArtifactStore):
    with store.writing("spatter_crops", "a", "h5") as path:
        path.write_bytes(b"HDF")
        assert not store.exists("spatter_crops", "a", "h5")
    assert store.read_bytes("spatter_crops", "a", "h5") == b"HDF"


def test_the_path_to_write_to_keeps_its_extension(store: ArtifactStore):
    with store.writing("spatter_crops", "a", "h5") as path:
        assert path.suffix == ".h5"
        path.touch()


def test_a_writer_that_fails_leaves_what_was_there(store: ArtifactStore):
    store.write_bytes("audio", "a", "flac", b"old")
    with suppress(ZeroDivisionError), store.writing("audio", "a", "flac") as path:
        path.write_bytes(b"half")
        raise ZeroDivisionError
    assert store.read_bytes("audio", "a", "flac") == b"old"
    assert store.sweep(0) == 0


def test_a_writer_that_leaves_no_file_is_reported(store: ArtifactStore):
    with pytest.raises(StoreError, match="left no file"), store.writing("audio", "a", "flac"):
        pass


def test_a_local_path_has_the_bytes_and_the_extension(store: ArtifactStore):
    store.write_bytes("audio", "a", "flac", b"fLaC")
    with store.local_path("audio", "a", "flac") as path:
        assert (path.suffix, path.read_bytes()) == (".flac", b"fLaC")


def test_an_error_of_the_reader_is_not_taken_for_a_missing_artifact(store: ArtifactStore):
    store.write_bytes("audio", "a", "flac", b"fLaC")
    with pytest.raises(FileNotFoundError, match="elsewhere"), store.local_path("audio", "a", "flac"):
        raise FileNotFoundError("elsewhere")


@pytest.mark.parametrize("read", ["read_bytes", "local_path", "read_table"])
def test_what_has_not_been_made_is_missing_with_the_command_that_makes_it(store: ArtifactStore, read: str):
    store.write_bytes("audio", "b", "flac", b"")
    arguments = ["audio", "a"] if read == "read_table" else ["audio", "a", "flac"]
    with pytest.raises(ArtifactMissing, match=r"vidassets run --select '\*audio' --clips a"):
        getattr(store, read)(*arguments).__enter__()


def test_the_artifact_of_an_unpartitioned_asset_is_made_without_naming_a_clip(store: ArtifactStore):
    with pytest.raises(ArtifactMissing, match=r"--select '\*description_costs'`"):
        store.read_table("description_costs", "all")


def test_stat_gives_the_size_and_a_new_version_after_each_write(store: ArtifactStore):
    assert store.stat("audio", "a", "flac") is None
    store.write_bytes("audio", "a", "flac", b"123")
    first = store.stat("audio", "a", "flac")
    store.write_bytes("audio", "a", "flac", b"456")
    second = store.stat("audio", "a", "flac")
    assert first
    assert second
    assert (first.size_bytes, second.size_bytes) == (3, 3)
    assert first.version != second.version


def test_keys_are_those_of_one_asset_and_extension_in_order(store: ArtifactStore):
    for asset, key, ext in [
        ("audio", "b.c", "flac"),
        ("audio", "a", "flac"),
        ("audio", "d", "json"),
        ("audio_x", "e", "flac"),
    ]:
        store.write_bytes(asset, key, ext, b"")
    store.records("audio").write_bytes("ab/f.flac", b"")
    assert store.keys("audio", "flac") == ["a", "b.c"]


def test_an_asset_without_artifacts_has_no_keys(store: ArtifactStore):
    assert store.keys("audio") == []


def test_a_temporary_file_is_never_listed(store: ArtifactStore):
    with store.writing("audio", "a", "flac") as path:
        path.touch()
        assert store.keys("audio", "flac") == []
        assert store.records("audio").list_names() == []


def test_a_deleted_artifact_is_gone(store: ArtifactStore):
    store.write_bytes("audio", "a", "flac", b"")
    store.delete("audio", "a", "flac")
    assert not store.exists("audio", "a", "flac")


def test_deleting_what_is_not_there_is_no_error(store: ArtifactStore):
    store.delete("audio", "a", "flac")


@pytest.mark.parametrize(
    ("asset", "key", "ext"),
    [
        pytest.param("audio", "..", "flac", id="parent"),
        pytest.param("audio", "a..b", "flac", id="two dots"),
        pytest.param("audio", "../../etc/passwd", "flac", id="path"),
        pytest.param("audio", "a/b", "flac", id="slash"),
        pytest.param("audio", ".a", "flac", id="hidden"),
        pytest.param("audio", "A", "flac", id="upper case"),
        pytest.param("audio", "a\n", "flac", id="trailing newline"),
        pytest.param("audio", "", "flac", id="empty"),
        pytest.param("audio", "a" * 201, "flac", id="too long"),
        pytest.param("audio", "ü", "flac", id="unicode"),
        pytest.param("../audio", "a", "flac", id="asset with a path"),
        pytest.param("", "a", "flac", id="empty asset"),
        pytest.param("audio", "a", "fl/ac", id="extension with a path"),
        pytest.param("audio", "a", ".flac", id="extension with its dot"),
    ],
)
def test_a_bad_name_is_refused_before_anything_is_touched(tmp_path: Path, asset: str, key: str, ext: str):
    store = ArtifactStore(tmp_path / "store")
    for call in (store.uri, store.stat, store.delete, store.read_bytes, store.exists):
        with pytest.raises(InvalidKey):
            call(asset, key, ext)
    with pytest.raises(InvalidKey):
        store.write_bytes(asset, key, ext, b"")
    with pytest.raises(InvalidKey), store.writing(asset, key, ext):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_probe_leaves_nothing_behind(store: ArtifactStore):
    store.check()
    assert store.sweep(0) == 0


def test_a_uri_of_a_folder_is_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert ArtifactStore("data").uri("shots", "a") == str(tmp_path / "data" / "shots" / "a.parquet")


def test_a_uri_of_a_bucket_is_where_other_clients_find_the_object(s3_bucket: S3Bucket):
    store = ArtifactStore(f"s3://{s3_bucket.name}/p", endpoint_url=s3_bucket.endpoint_url)
    store.write_bytes("audio", "a", "flac", b"fLaC")
    assert s3_bucket.keys() == ["p/audio/a.flac"]
    assert store.uri("audio", "a", "flac") == f"s3://{s3_bucket.name}/p/audio/a.flac"
    assert s3_bucket.client.get_object(Bucket=s3_bucket.name, Key="p/audio/a.flac")["Body"].read() == b"fLaC"


def test_a_bucket_needs_no_prefix(s3_bucket: S3Bucket):
    ArtifactStore(f"s3://{s3_bucket.name}", endpoint_url=s3_bucket.endpoint_url).write_bytes("audio", "a", "flac", b"")
    assert s3_bucket.keys() == ["audio/a.flac"]


def test_what_another_process_writes_is_seen_at_once(s3_bucket: S3Bucket):
    store = ArtifactStore(f"s3://{s3_bucket.name}", endpoint_url=s3_bucket.endpoint_url)
    assert store.keys("audio", "flac") == []
    s3_bucket.put("audio/a.flac", b"")
    assert store.keys("audio", "flac") == ["a"]


def test_keys_beyond_one_page_of_a_listing_are_all_listed(crowded_bucket: S3Bucket, s3_credentials: None):
    store = ArtifactStore(f"s3://{crowded_bucket.name}", endpoint_url=crowded_bucket.endpoint_url)
    assert store.keys("videos", "mp4") == [f"{number:04d}" for number in range(2_100)]


def test_a_store_is_a_folder_or_s3():
    with pytest.raises(StoreUnreachable, match="s3://BUCKET/PREFIX"):
        ArtifactStore("gs://bucket")
