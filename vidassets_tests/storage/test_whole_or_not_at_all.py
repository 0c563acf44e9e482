import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from vidassets.storage.store import ArtifactStore
from vidassets_tests.s3_server import S3Bucket

pytestmark = pytest.mark.runs

WRITES_HALF = """
with store.writing("audio", "a", "flac") as path:
    path.write_bytes(b"half")
    print("ready", flush=True)
    import time; time.sleep(600)
"""
REPLACES_FOR_EVER = """
for turn in range(10**9):
    store.write_bytes("audio", "a", "flac", bytes([turn % 256]) * 300_000)
    print("ready", flush=True)
"""


@contextmanager
def writer(place: dict[str, str], body: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes; killed without warning at the end."""
    program = f"from vidassets.storage.store import ArtifactStore\nstore = ArtifactStore(**{place!r})\n{body}"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            os.kill(process.pid, signal.SIGKILL)


def test_a_writer_killed_half_way_leaves_nothing_visible(place: dict[str, str], store: ArtifactStore):
    with writer(place, WRITES_HALF):
        pass
    assert (store.exists("audio", "a", "flac"), store.keys("audio", "flac")) == (False, [])


def test_a_writer_killed_while_it_replaces_leaves_one_whole_version(place: dict[str, str], store: ArtifactStore):
    with writer(place, REPLACES_FOR_EVER):
        pass
    left = store.read_bytes("audio", "a", "flac")
    assert left == left[:1] * 300_000


def test_a_reader_has_whole_versions_while_another_process_replaces_them(place: dict[str, str], store: ArtifactStore):
    with writer(place, REPLACES_FOR_EVER):
        for _ in range(20):
            found = store.read_bytes("audio", "a", "flac")
            assert found == found[:1] * 300_000
            with store.local_path("audio", "a", "flac") as path, path.open("rb") as opened:
                found = opened.read()
            assert found == found[:1] * 300_000


def test_of_many_concurrent_writers_one_wins_completely(store: ArtifactStore):
    def write(number: int) -> None:
        store.write_bytes("audio", "a", "flac", bytes([number]) * 10_000 * (number + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    left = store.read_bytes("audio", "a", "flac")
    assert left == left[:1] * 10_000 * (left[0] + 1)
    assert store.sweep(0) == 0


def test_what_a_killed_writer_left_is_swept(tmp_path):
    store = ArtifactStore(tmp_path)
    with writer({"root": str(tmp_path)}, WRITES_HALF):
        pass
    [staged] = (tmp_path / "audio").iterdir()
    assert (store.sweep(), store.leftovers(0)) == (0, [str(staged)])
    assert (store.sweep(0), store.sweep(0)) == (1, 0)
    assert list((tmp_path / "audio").iterdir()) == []


def test_a_staged_file_is_kept_for_a_day_after_its_last_byte(tmp_path):
    store = ArtifactStore(tmp_path)
    with store.writing("audio", "a", "flac") as path:
        path.write_bytes(b"fLaC")
        now = path.stat().st_mtime
        os.utime(path, (now, now - 23 * 3600))
        assert store.sweep() == 0
    with suppress(ZeroDivisionError), store.writing("audio", "b", "flac") as path:
        path.write_bytes(b"half")
        os.utime(path, (now, now - 25 * 3600))
        assert (store.sweep(), path.exists()) == (1, False)
        raise ZeroDivisionError
    assert store.keys("audio", "flac") == ["a"]


def test_objects_are_never_swept(place: dict[str, str], store: ArtifactStore):
    store.write_bytes("audio", "a", "flac", b"fLaC")
    assert (store.leftovers(0), store.sweep(0), store.read_bytes("audio", "a", "flac")) == ([], 0, b"fLaC")


def test_sweeping_beside_writers_disturbs_none(store: ArtifactStore):
    def write(number: int) -> None:
        store.write_bytes("audio", f"{number}", "flac", bytes([number]) * 10_000)
        store.sweep()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    assert len(store.keys("audio", "flac")) == 24


def test_an_upload_that_was_never_completed_is_swept(s3_bucket: S3Bucket):
    store = ArtifactStore(f"s3://{s3_bucket.name}/p", endpoint_url=s3_bucket.endpoint_url)
    s3_bucket.client.create_multipart_upload(Bucket=s3_bucket.name, Key="p/audio/a.flac")
    s3_bucket.client.create_multipart_upload(Bucket=s3_bucket.name, Key="elsewhere/a.flac")
    assert store.leftovers(0) == ["p/audio/a.flac"]
    assert (store.sweep(0), store.sweep(0)) == (1, 0)
    [left] = s3_bucket.client.list_multipart_uploads(Bucket=s3_bucket.name)["Uploads"]
    assert left["Key"] == "elsewhere/a.flac"


def test_an_upload_is_kept_for_a_day_after_its_last_part(s3_bucket: S3Bucket):
    # moto reports that every upload was begun in 2010, as if the upload had taken years: its parts decide.
    store = ArtifactStore(f"s3://{s3_bucket.name}/p", endpoint_url=s3_bucket.endpoint_url)
    target = {"Bucket": s3_bucket.name, "Key": "p/audio/a.flac"}
    upload = s3_bucket.client.create_multipart_upload(**target)["UploadId"]
    part = s3_bucket.client.upload_part(**target, UploadId=upload, PartNumber=1, Body=b"fLaC")
    assert (store.sweep(), store.leftovers(), store.leftovers(0)) == (0, [], ["p/audio/a.flac"])
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3_bucket.client.complete_multipart_upload(**target, UploadId=upload, MultipartUpload=parts)
    assert (store.sweep(0), store.read_bytes("audio", "a", "flac")) == (0, b"fLaC")


@pytest.mark.parametrize("place", ["bucket"], indirect=True)
def test_an_object_too_large_for_one_put_arrives_whole(store: ArtifactStore):
    with store.writing("audio", "a", "flac") as path, path.open("wb") as file:
        file.truncate(101 * 2**20)
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    with store.local_path("audio", "a", "flac") as path, path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        assert (file.read(), path.stat().st_size) == (b"!", 101 * 2**20)
