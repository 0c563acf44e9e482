"""The cost of turning a stored crop into a tensor: python -m benchmarks.spatter_dataset [--crops N] [--file CROPS.h5]

Data: generated crops (bright blots with noise, sides of 45 to 150 px as the extraction finds them) in datasets of
10,000; or a crops file of your own. Every way reads the same crops in the same shuffled order, batches of 1024, with
augmentation, one thread, in one process; ways take turns. CPU-ms are of the process, the best of three rounds.

- old: an earlier reader of such files: for each crop it opens the file, reads, decodes, and transforms a Pillow picture
  (resize to 1.25 × the target, rotation, centre crop, tensor).
- old, file kept open: the same, but it opens the file once.
- dataset, one by one: `TorchCrops`, an item at a time.
- dataset, by batch: `TorchCrops` as a `DataLoader` reads it.
- dataset, unpacked: the same with JPEGs copied uncompressed beforehand; the last line shows the cost of the copy.
- decoding alone: `cv2.imdecode` of the same JPEGs in memory; a lower bound for every reader.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import polars as pl
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from vidassets.spatter.crops.crops_file import CropsFile
from vidassets.spatter.dataset.torch_crops import TorchCrops

BATCH = 1024
TARGET_PX = 32
ROUNDS = 3
Batch = Callable[[np.ndarray], object]


def blot(rng: np.random.Generator) -> np.ndarray:
    """Return a bright ellipse on noise, BGR uint8."""
    height, width = rng.integers(45, 150, 2)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = 220 * np.exp(-(x**2 + y**2) / rng.uniform(0.05, 0.4))
    noise = rng.normal(8, 4, (height, width, 3))
    return np.clip(light[..., None] * np.array([0.6, 0.8, 1.0]) + noise, 0, 255).astype(np.uint8)


def generated(path: Path, n_crops: int) -> Path:
    """Write a crops file with 2,000 different pictures."""
    rng = np.random.default_rng(1)
    jpegs = [cv2.imencode(".jpg", blot(rng))[1].tobytes() for _ in range(2000)]
    with CropsFile(path, "build", source="generated", config={}) as file:
        for number in range(n_crops):
            file.append(jpegs[number % len(jpegs)])
    return path


def rows_of(path: Path) -> pl.DataFrame:
    """Return the crops of a file as rows of an index; the labels are invented."""
    with h5py.File(path) as file:
        places = [(name, number) for name, stored in file.items() for number in range(len(stored))]
    return pl.DataFrame(places, schema={"dataset": pl.String, "ds_idx": pl.Int32}, orient="row").with_columns(
        file=pl.lit(str(path)),
        label=(pl.int_range(pl.len()) % 2).cast(pl.Int8),
        build=pl.lit("build"),
        layer=pl.lit(0, pl.Int32),
        excluded=pl.lit(None, pl.String),
    )


def old_transform(jpeg: bytes, rng: np.random.Generator) -> Tensor:
    """Decode a JPEG and transform it step by step with Pillow."""
    picture = Image.fromarray(cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), -1), cv2.COLOR_BGR2RGB))
    side, start = TARGET_PX * 5 // 4, TARGET_PX // 8
    picture = picture.resize((side, side), Image.Resampling.BILINEAR).rotate(rng.uniform(-15, 15))
    picture = picture.crop((start, start, start + TARGET_PX, start + TARGET_PX))
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float().div(255)


def ways(path: Path, rows: pl.DataFrame, unpacked: TorchCrops) -> dict[str, Batch]:
    """Return functions that take the numbers of a batch and return its tensor."""
    rng = np.random.default_rng(2)
    places = rows.select("dataset", "ds_idx").rows()
    kept = h5py.File(path)
    crops = TorchCrops(rows, augment=True)
    in_memory = [np.frombuffer(jpeg, np.uint8) for stored in kept.values() for jpeg in stored[:1000]]

    def old(numbers: np.ndarray) -> object:
        pictures = []
        for number in numbers:
            dataset, ds_idx = places[number]
            with h5py.File(path) as file:
                pictures.append(old_transform(file[dataset][ds_idx], rng))
        return torch.stack(pictures)

    def old_kept_open(numbers: np.ndarray) -> object:
        return torch.stack([old_transform(kept[places[number][0]][places[number][1]], rng) for number in numbers])

    def one_by_one(numbers: np.ndarray) -> object:
        return torch.stack([crops[int(number)][0] for number in numbers])

    def by_batch(numbers: np.ndarray) -> object:
        return torch.stack([picture for picture, _ in crops.__getitems__(numbers.tolist())])

    def by_batch_unpacked(numbers: np.ndarray) -> object:
        return torch.stack([picture for picture, _ in unpacked.__getitems__(numbers.tolist())])

    def decoding_alone(numbers: np.ndarray) -> object:
        return [cv2.imdecode(in_memory[number % len(in_memory)], cv2.IMREAD_COLOR) for number in numbers]

    return {
        "old": old,
        "old, file kept open": old_kept_open,
        "dataset, one by one": one_by_one,
        "dataset, by batch": by_batch,
        "dataset, unpacked": by_batch_unpacked,
        "decoding alone": decoding_alone,
    }


def measured(path: Path, folder: Path) -> Table:
    """Measure CPU and wall milliseconds per crop of every way."""
    rows = rows_of(path)
    shuffled = np.random.default_rng(3).permutation(rows.height)
    started = time.process_time()
    unpacked = TorchCrops(rows, augment=True, unpack_in=folder)
    unpack_ms = (time.process_time() - started) / rows.height * 1000
    readers = ways(path, rows, unpacked)
    cpu_ms: dict[str, list[float]] = {name: [] for name in readers}
    wall_ms: dict[str, list[float]] = {name: [] for name in readers}
    # The first round warms up: files, datasets, the page cache.
    for turn in range(ROUNDS + 1):
        batch = shuffled[turn * BATCH : (turn + 1) * BATCH]
        for name, read in readers.items():
            cpu, wall = time.process_time(), time.perf_counter()
            read(batch)
            if turn:
                cpu_ms[name].append((time.process_time() - cpu) / len(batch) * 1000)
                wall_ms[name].append((time.perf_counter() - wall) / len(batch) * 1000)
    table = Table(
        "way", "CPU-ms a crop", "wall-ms", "× old", title=f"{rows.height} crops, {path.stat().st_size / 1e6:.0f} MB"
    )
    for name in readers:
        times = min(cpu_ms["old"]) / min(cpu_ms[name])
        table.add_row(name, f"{min(cpu_ms[name]):.4f}", f"{min(wall_ms[name]):.4f}", f"{times:.1f}")
    table.add_row("unpacking, once", f"{unpack_ms:.4f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crops", type=int, default=100_000)
    parser.add_argument("--file", type=Path, help="a crops file instead of generated crops")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.file or generated(Path(folder) / "build.h5", arguments.crops)
        Console(width=100).print(measured(path, Path(folder)))


if __name__ == "__main__":
    main()
