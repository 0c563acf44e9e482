"""A disk that takes no more, for real: a small file system in memory, and a limit on the length of files."""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from vidassets.errors import StoreUnreachable
from vidassets.storage.store import ArtifactStore
from vidassets_tests.builders import Home, film, flat
from vidassets_tests.s3_server import S3Bucket

pytestmark = pytest.mark.runs

MOUNTED_BYTES = 1 << 20


class Noise(dy.Schema):
    """Numbers that no compression makes smaller."""

    value = dy.Float64()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 1 MiB; skipped where this user may not mount one."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={MOUNTED_BYTES}", "tmpfs", folder]
        try:
            mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            mounted = False
        if not mounted:
            pytest.skip("no file system may be mounted here")
        yield Path(folder)
        subprocess.run(["umount", "--lazy", folder], check=True)


def noise(n_bytes: int) -> pl.DataFrame:
    import numpy as np

    return pl.DataFrame({"value": np.random.default_rng(0).random(n_bytes // 8)})


def write_sound(store: ArtifactStore) -> None:
    import numpy as np
    import soundfile

    with store.writing("audio", "a", "flac") as path:
        soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 2 * MOUNTED_BYTES), 16_000)


def write_hdf5(store: ArtifactStore) -> None:
    import h5py
    import numpy as np

    with store.writing("crops", "a", "h5") as path, h5py.File(path, "w") as file:
        file["crops"] = np.zeros(4 * MOUNTED_BYTES, np.uint8)


WRITES: dict[str, Callable[[ArtifactStore], None]] = {
    "bytes": lambda store: store.write_bytes("audio", "a", "flac", bytes(2 * MOUNTED_BYTES)),
    "parquet": lambda store: store.write_table("noise", "a", noise(2 * MOUNTED_BYTES), Noise),
    "flac": write_sound,
    "hdf5": write_hdf5,
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_full_disk_is_named_and_keeps_what_was_there(small_disk: Path, write: Callable[[ArtifactStore], None]):
    store = ArtifactStore(small_disk / "store")
    store.write_table("noise", "a", noise(800), Noise)
    with pytest.raises(StoreUnreachable, match=f"{small_disk}.*No space left on device.*The disk is full: free space"):
        write(store)
    assert store.read_table("noise", "a", Noise).height == 100
    files = [path.relative_to(small_disk).as_posix() for path in small_disk.rglob("*") if path.is_file()]
    assert files == ["store/noise/a.parquet"]


def test_a_full_folder_for_temporary_files_is_not_blamed_on_the_bucket(
    small_disk: Path, s3_bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch
):
    store = ArtifactStore(f"s3://{s3_bucket.name}/p", endpoint_url=s3_bucket.endpoint_url)
    store.write_bytes("audio", "b", "flac", bytes(2 * MOUNTED_BYTES))
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with pytest.raises(StoreUnreachable, match=f"{small_disk}.*No space left on device.*TMPDIR"):
        store.write_table("noise", "a", noise(2 * MOUNTED_BYTES), Noise)
    with pytest.raises(StoreUnreachable, match="TMPDIR"), store.local_path("audio", "b", "flac"):
        pass
    assert (s3_bucket.keys(), list(small_disk.iterdir())) == (["p/audio/b.flac"], [])


LIMITED = """
import sys
from vidassets.errors import StoreUnreachable
from vidassets.storage.store import ArtifactStore
from vidassets_tests.storage.test_full_disk import MOUNTED_BYTES, Noise, noise
try:
    ArtifactStore(sys.argv[1]).write_table("noise", "a", noise(2 * MOUNTED_BYTES), Noise)
except StoreUnreachable as error:
    print(error)
"""


def test_a_file_longer_than_the_limit_is_named(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MOUNTED_BYTES, MOUNTED_BYTES)),
    )
    assert "File too large" in done.stdout
    assert "ulimit -f" in done.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_full_disk_under_the_instance_is_one_line_and_code_2(small_disk: Path, tmp_path: Path):
    home = Home(tmp_path, {"DAGSTER_HOME": str(small_disk)})
    film(home.videos / "a.mp4")
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    for words in (["add", str(home.videos)], ["run"], ["status"], ["doctor"]):
        said = home.process(*words)
        _, err = said.communicate()
        assert said.returncode == 2, err
        assert "Traceback" not in err
        assert err.startswith("error ")
        assert "DAGSTER_HOME" in flat(err)
        assert str(small_disk) in flat(err)
