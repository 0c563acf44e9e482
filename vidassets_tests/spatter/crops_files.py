"""Small crops files in the shared layout, and the events that belong to them."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import h5py
import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidassets.spatter.dataset.index import BuildCrops
from vidassets.spatter.dataset.transforms import Colour, decode_crop, small_square, unit_channels

CROPS_PER_DATASET = 10_000


def picture(number: int, size: tuple[int, int] = (60, 48)) -> NDArray[np.uint8]:
    """BGR, uint8 (height, width, 3): a gradient, with a bright square whose place depends on the number."""
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows, columns, rows + columns], axis=2).astype(np.uint8) + 20
    y, x = divmod(number % 12, 4)
    pixels[y * height // 3 : (y + 1) * height // 3, x * width // 4 : (x + 1) * width // 4] = 230
    return pixels


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Encode a picture as the extraction does."""
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def model_input(crop: bytes | NDArray[np.uint8], colour: Colour = "rgb") -> NDArray[np.float32]:
    """Return a crop as models get it, without rotation: float32 (3, 32, 32); from a JPEG, or BGR (height, width, 3)."""
    pixels = crop if isinstance(crop, np.ndarray) and crop.ndim == 3 else decode_crop(crop)
    assert pixels is not None
    return unit_channels(small_square(pixels)[None], colour)[0]


def jpegs(n: int, first: int = 0) -> list[bytes]:
    """Return the JPEGs of n different pictures."""
    return [jpeg(picture(number)) for number in range(first, first + n)]


def write_crops_file(
    path: Path, build: str, crops: Sequence[bytes], per_dataset: int = CROPS_PER_DATASET, padded: bool = False
) -> Path:
    """Write datasets `{build}_{n}` of JPEGs, gzip: uint8 of variable length, or padded to one length."""
    with h5py.File(path, "w") as file:
        for start in range(0, len(crops), per_dataset):
            some, name = crops[start : start + per_dataset], f"{build}_{start // per_dataset}"
            if padded:
                file.create_dataset(name, data=np.array(some), compression="gzip")
                continue
            dataset = file.create_dataset(name, (len(some),), h5py.vlen_dtype(np.uint8), compression="gzip")
            for index, crop in enumerate(some):
                dataset[index] = np.frombuffer(crop, np.uint8)
    return path


def events(build: str, layers: Sequence[int], per_dataset: int = CROPS_PER_DATASET) -> pl.DataFrame:
    """Return the columns of `spatter_schemas.SpatterEvents` that locate a crop; one row for each of `layers`."""
    numbers = range(len(layers))
    return pl.DataFrame(
        {
            "clip": [build for _ in numbers],
            "event_index": list(numbers),
            "dataset": [f"{build}_{number // per_dataset}" for number in numbers],
            "ds_idx": [number % per_dataset for number in numbers],
            "layer": list(layers),
        },
        schema={
            "clip": pl.String,
            "event_index": pl.Int32,
            "dataset": pl.String,
            "ds_idx": pl.Int32,
            "layer": pl.Int32,
        },
    )


def build_crops(
    folder: Path,
    build: str,
    crops: Sequence[bytes],
    n_layers: int = 1,
    per_dataset: int = CROPS_PER_DATASET,
    padded: bool = False,
) -> BuildCrops:
    """A build on the disk, its crops shared out over layers in order."""
    path = write_crops_file(folder / f"{build}.h5", build, crops, per_dataset, padded)
    layers = [number * n_layers // len(crops) for number in range(len(crops))]
    return BuildCrops(build, file=f"s3://store/{build}.h5", path=path, events=events(build, layers, per_dataset))
