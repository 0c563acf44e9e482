import json
import os
import signal
import subprocess
import sys

import cv2
import h5py
import numpy as np
import pytest

from vidassets.spatter.crops.crops_file import CropsFile
from vidassets_tests.spatter.crops.recordings import stored_crops


def jpeg(number: int) -> bytes:
    """A JPEG of its own content and size."""
    side = 8 + number % 7
    return cv2.imencode(".jpg", np.full((side, side + 2, 3), number % 256, np.uint8))[1].tobytes()


def write(path, n_crops: int, build: str = "bed.one") -> list[bytes]:
    crops = [jpeg(number) for number in range(n_crops)]
    with CropsFile(path, build, source="/videos/bed one.mp4", config={"min_area_px": 2000}) as file:
        for crop in crops:
            file.append(crop)
    return crops


def test_a_reader_gets_the_picture_of_every_crop(tmp_path):
    crops = write(tmp_path / "crops.h5", 30)
    with h5py.File(tmp_path / "crops.h5") as file:
        read = [cv2.imdecode(np.frombuffer(file["bed.one_0"][i], np.uint8), -1) for i in range(30)]
    expected = [cv2.imdecode(np.frombuffer(crop, np.uint8), -1) for crop in crops]
    assert all(map(np.array_equal, read, expected))


def test_datasets_hold_ten_thousand_crops_and_the_last_one_the_remainder(tmp_path):
    crops = write(tmp_path / "crops.h5", 20_003)
    with h5py.File(tmp_path / "crops.h5") as file:
        sizes = {name: len(file[name]) for name in file}
    assert sizes == {"bed.one_0": 10_000, "bed.one_1": 10_000, "bed.one_2": 3}
    with h5py.File(tmp_path / "crops.h5") as file:
        assert [bytes(crop) for name in sorted(file) for crop in file[name][:]] == crops


def test_a_full_dataset_has_no_empty_one_after_it(tmp_path):
    write(tmp_path / "crops.h5", 10_000)
    with h5py.File(tmp_path / "crops.h5") as file:
        assert list(file) == ["bed.one_0"]


def test_without_crops_the_file_is_valid_and_holds_no_dataset(tmp_path):
    write(tmp_path / "crops.h5", 0)
    assert stored_crops(tmp_path / "crops.h5") == []


def test_crops_are_compressed_by_gzip(tmp_path):
    crops = write(tmp_path / "crops.h5", 200)
    with h5py.File(tmp_path / "crops.h5") as file:
        dataset = file["bed.one_0"]
        assert (dataset.compression, dataset.id.get_storage_size() < sum(map(len, crops))) == ("gzip", True)


def test_attributes_hold_the_source_of_the_crops_and_the_settings(tmp_path):
    write(tmp_path / "crops.h5", 1)
    with h5py.File(tmp_path / "crops.h5") as file:
        assert sorted(file.attrs) == ["config", "source", "units", "version"]
        assert file.attrs["source"] == "/videos/bed one.mp4"
        assert json.loads(file.attrs["config"]) == {"min_area_px": 2000}


def test_appending_a_crop_returns_its_dataset_and_index(tmp_path):
    with CropsFile(tmp_path / "crops.h5", "b", source="s", config={}) as file:
        places = [file.append(jpeg(0)) for _ in range(10_001)]
    assert [places[0], places[9_999], places[10_000]] == [("b_0", 0), ("b_0", 9_999), ("b_1", 0)]


def test_half_a_jpeg_is_refused(tmp_path):
    with (
        CropsFile(tmp_path / "crops.h5", "b", source="s", config={}) as file,
        pytest.raises(ValueError, match="whole JPEG"),
    ):
        file.append(jpeg(0)[:-2])


def write_one_and_fail(path) -> None:
    with CropsFile(path, "b", source="s", config={}) as file:
        file.append(jpeg(5))
        raise TypeError("no JPEG")


def test_an_error_leaves_the_file_that_was_there(tmp_path):
    before = write(tmp_path / "crops.h5", 2)
    with pytest.raises(TypeError, match="no JPEG"):
        write_one_and_fail(tmp_path / "crops.h5")
    assert stored_crops(tmp_path / "crops.h5") == before
    assert [path.name for path in tmp_path.iterdir()] == ["crops.h5"]


WRITES_AND_IS_KILLED = """
import os, signal, sys
from pathlib import Path
from vidassets.spatter.crops.crops_file import CropsFile
with CropsFile(Path(sys.argv[1]), "b", source="s", config={}) as file:
    for _ in range(10_001):
        file.append(bytes(100) + bytes([255, 217]))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.runs
def test_a_killed_writer_leaves_no_half_file_and_the_next_one_is_not_disturbed(tmp_path):
    path = tmp_path / "crops.h5"
    killed = subprocess.run([sys.executable, "-c", WRITES_AND_IS_KILLED, str(path)], env=dict(os.environ))
    assert (killed.returncode, path.exists()) == (-signal.SIGKILL, False)
    crops = write(path, 3)
    assert stored_crops(path) == crops
    assert [file.name for file in tmp_path.iterdir()] == ["crops.h5"]
