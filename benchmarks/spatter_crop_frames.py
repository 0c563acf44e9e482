"""Which frame of a pair should give a crop, and should faint crops be left out?

    python -m benchmarks.spatter_crop_frames [--folder FOLDER] [--seeds 5] [--builds 6] [--minutes 1.5]

Data: builds drawn by `samples/long_builds.py`; half of their spatters start as an ember, half appear at once, which
leaves an empty bed on the earlier frame. For each seed, the builds of each flow are divided into builds to learn from,
one for validation and two for the test, the same for all ways; the two unlabelled builds are in every test. Each way
extracts the crops of all builds and trains the default recipe, without rotations.

Ways: crops of the earlier or of the brighter frame; all of them, or for training and test only those with a peak of at
least `--faint` of full brightness. Accuracy: of single crops of the test builds. Verdicts: test builds whose mean
probability is on the right side of 0.5. The trivial answer is the flow of most test crops. `--folder` keeps the
recordings for another call.
"""

import argparse
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import h5py
import numpy as np
import polars as pl
import torch
from rich.console import Console
from rich.table import Table

from vidassets.spatter.classifier.recipe import Execution, Recipe
from vidassets.spatter.classifier.training import score_crops, train
from vidassets.spatter.crops.extraction import extract_crops
from vidassets.spatter.crops.settings import ExtractionSettings
from vidassets.spatter.dataset.transforms import decode_crop, small_square, unit_channels

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "samples"))
FRAMES: tuple[Literal["earlier", "brighter"], ...] = ("earlier", "brighter")
N_VALIDATION, N_TEST = 1, 2


@dataclass
class Crops:
    """Crops in memory: float32 (N, 3, 32, 32), labels float32 (N,), build and peak brightness of each."""

    pictures: torch.Tensor
    labels: torch.Tensor
    builds: np.ndarray
    peaks: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.pictures[index], self.labels[index]

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: there is no augmentation."""

    def of(self, builds: list[str], least_peak: float) -> "Crops":
        """Return the crops of these builds that are bright enough."""
        kept = np.isin(self.builds, builds) & (self.peaks >= least_peak)
        rows = torch.from_numpy(np.flatnonzero(kept))
        return Crops(self.pictures[rows], self.labels[rows], self.builds[kept], self.peaks[kept])


class Row(NamedTuple):
    """The figures of one training."""

    accuracy: float
    bright_accuracy: float
    verdicts: float
    trivial: float


def drawn(folder: Path, arguments: argparse.Namespace) -> list[Path]:
    """Draw the recordings that are missing; return all but the one with light and dark exchanged."""
    from long_builds import drawn_builds, write_builds

    builds = drawn_builds(arguments.minutes, arguments.minutes, arguments.builds)[:-1]
    paths = [folder / f"{build.name}.mp4" for build in builds]
    write_builds([b for b, path in zip(builds, paths, strict=True) if not path.with_suffix(".json").exists()], folder)
    return paths


def extracted(videos: list[Path], crop_from: Literal["earlier", "brighter"], folder: Path) -> Crops:
    """Return the crops of all builds."""
    squares, tables = [], []
    for video in videos:
        path = folder / f"{video.stem}.h5"
        events = extract_crops(video.stem, str(video), path, ExtractionSettings(crop_from=crop_from)).events
        with h5py.File(path, "r") as file:
            for (dataset,), rows in events.group_by("dataset", maintain_order=True):
                jpegs: Any = file[str(dataset)]
                pictures = [decode_crop(bytes(jpeg)) for jpeg in jpegs[: len(rows)]]
                squares += [small_square(pixels) for pixels in pictures if pixels is not None]
        tables.append(events.select("clip", "peak_brightness"))
    table = pl.concat(tables)
    labels = table["clip"].str.contains("high").cast(pl.Float32).to_numpy()
    pictures = torch.from_numpy(unit_channels(np.stack(squares)))
    return Crops(pictures, torch.from_numpy(labels), table["clip"].to_numpy(), table["peak_brightness"].to_numpy())


def divided(builds: list[str], seed: int) -> tuple[list[str], list[str], list[str]]:
    """Return the builds to learn from, for validation and for the test."""
    rng = np.random.default_rng(seed)
    parts: tuple[list[str], list[str], list[str]] = ([], [], [b for b in builds if b.startswith("new-")])
    for flow in ("low", "high"):
        order = rng.permutation([build for build in builds if build.startswith(f"{flow}-")]).tolist()
        for part, names in zip(parts, (order[3:], order[:1], order[1:3]), strict=True):
            part += names
    return parts


def trained(crops: Crops, builds: list[str], seed: int, faint: float, least_peak: float) -> Row:
    """Train on some builds and return the figures of the held-out ones."""
    train_builds, validation_builds, test_builds = divided(builds, seed)
    test = crops.of(test_builds, least_peak)
    execution = Execution(device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        training = train(
            crops.of(train_builds, least_peak),
            crops.of(validation_builds, least_peak),
            Recipe(seed=seed),
            execution,
            data_hash="benchmark",
            checkpoints=Path(folder),
        )
    logits, labels = score_crops(training.network, test, execution), test.labels.numpy()
    right = (logits > 0) == (labels > 0.5)
    probability = 1 / (1 + np.exp(-logits))
    verdicts = [(probability[test.builds == b].mean() > 0.5) == ("high" in b) for b in test_builds]
    trivial = max(labels.mean(), 1 - labels.mean())
    return Row(right.mean(), right[test.peaks >= faint].mean(), float(np.mean(verdicts)), float(trivial))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.5)
    parser.add_argument("--builds", type=int, default=6, help="of each flow; at least 4")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--faint", type=float, default=0.1)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    table = Table("crops from", "crops", "faint", "left out", "seed", *Row._fields, title="held-out builds")
    with nullcontext(arguments.folder) if arguments.folder else tempfile.TemporaryDirectory() as name:
        videos = drawn(Path(name), arguments)
        for crop_from in FRAMES:
            with tempfile.TemporaryDirectory() as folder:
                crops = extracted(videos, crop_from, Path(folder))
            share = (crops.peaks < arguments.faint).mean()
            for least_peak in (0.0, arguments.faint):
                head = (crop_from, str(len(crops)), f"{share:.1%}", "faint" if least_peak else "none")
                builds = [video.stem for video in videos]
                rows = [trained(crops, builds, n, arguments.faint, least_peak) for n in range(arguments.seeds)]
                for seed, row in enumerate([*rows, Row(*np.mean(rows, axis=0))]):
                    seed_name = str(seed) if seed < len(rows) else "mean"
                    table.add_row(*head, seed_name, *(f"{value:.3f}" for value in row))
                    print(*head, seed_name, *(f"{value:.3f}" for value in row), flush=True)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
