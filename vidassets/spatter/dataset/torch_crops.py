"""Provide the crops of an index as a PyTorch dataset: crops are read, decoded and rotated on access."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from vidassets.errors import ArtifactDamaged, InvalidSetting
from vidassets.spatter.dataset.splits import with_class_share
from vidassets.spatter.dataset.stored_crops import FIX, Jpeg, StoredCrops
from vidassets.spatter.dataset.transforms import (
    MAX_ROTATION_DEG,
    TARGET_PX,
    Colour,
    decode_crop,
    small_square,
    unit_channels,
)
from vidassets.spatter.dataset.unpacked_crops import unpack

# Crops of one HDF5 dataset to read at once, a few MB. Chosen here.
READ_CROPS = 1024


class TorchCrops(Dataset[tuple[Tensor, Tensor]]):
    """A PyTorch dataset of crops with their labels.

    Item i is a crop, float32 (3, target_px, target_px) in [0, 1], and its label, float32: 0 low, 1 high, NaN unknown.
    It depends on the seed, the epoch and i, but not on the worker, the batch or the order. A `DataLoader` gets a batch
    with one read per HDF5 dataset. Each worker, forked or spawned, opens the files for itself.

    Args:
        crops: rows of `spatter_schemas.SpatterIndex` of one part, none excluded, see `splits.crops_of`.
        files: local path of each file of the index; a file without an entry is itself a path.
        augment: rotate each crop by up to ±15°, by a new angle in each epoch; only for training.
        colour: rgb, or gray repeated on three channels.
        high_share: share of high flow among the crops, above 0 and below 1; surplus crops of a class are left out.
        unpack_in: a folder to copy the JPEGs to now, about 3 KB each, which speeds up many epochs over shuffled crops.
            The caller deletes the folder.
        target_px: side of the pictures.
        seed: of the angles and of the choice of crops to leave out.

    Attributes:
        crops: the index rows of the items, in order.
        labels: float32 (len,).

    Raises:
        InvalidSetting: a row is excluded, or the share is out of bounds.
        OneClassOnly: a share is given, but one class has no crop.
    """

    def __init__(
        self,
        crops: pl.DataFrame,
        *,
        files: Mapping[str, Path] | None = None,
        augment: bool = False,
        colour: Colour = "rgb",
        high_share: float | None = None,
        unpack_in: Path | None = None,
        target_px: int = TARGET_PX,
        seed: int = 1234,
    ) -> None:
        if n_excluded := crops["excluded"].count():
            raise InvalidSetting(f"{n_excluded} of {crops.height} crops are excluded: give the rows of `crops_of`.")
        self.crops = crops if high_share is None else with_class_share(crops, high_share, seed)
        self.labels = torch.tensor(self.crops["label"].cast(pl.Float32).fill_null(float("nan")).to_numpy())
        self._augment, self._target_px, self._seed = augment, target_px, seed
        self._colour: Colour = colour
        self._stored = StoredCrops(files)
        # Number the HDF5 datasets; store the number and the index within the dataset of each item: int64 (N,) each.
        places = self.crops.select("file", "dataset").unique(maintain_order=True)
        self._places = places.rows()
        numbers = self.crops.join(
            places.with_row_index("place"), on=["file", "dataset"], how="left", maintain_order="left"
        )
        self._place = numbers["place"].to_numpy().astype(np.int64)
        self._ds_idx = self.crops["ds_idx"].to_numpy().astype(np.int64)
        # Shared memory, so that workers that live for many epochs see a new epoch.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._rotations: tuple[int, NDArray[np.float64]] | None = None
        self._unpacked = None if unpack_in is None else unpack(self._read(np.arange(len(self))), unpack_in, len(self))

    def set_epoch(self, epoch: int) -> None:
        """Rotate crops by the angles of this epoch, in all workers; call it before iterating over an epoch."""
        self._epoch.fill_(epoch)

    def close(self) -> None:
        """Close the files that this process has opened."""
        self._stored.close()
        if self._unpacked is not None:
            self._unpacked.close()

    def __len__(self) -> int:
        return self.crops.height

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """Return the items of a batch, in the order of `indices`.

        Raises:
            ArtifactMissing, ArtifactDamaged, NotACropsFile: a file is missing, damaged, or does not fit the index.
        """
        wanted = np.asarray(indices, np.int64)
        if len(wanted) and not (-len(self) <= wanted.min() and wanted.max() < len(self)):
            raise IndexError(f"items {wanted.min()} to {wanted.max()} of {len(self)}")
        wanted %= len(self) or 1
        # Decode, rotate and crop each to a BGR square: uint8 (B, target_px, target_px, 3).
        squares = np.empty((len(wanted), self._target_px, self._target_px, 3), np.uint8)
        angles = self._angles()[wanted] if self._augment else np.zeros(len(wanted))
        for at, (number, jpeg) in enumerate(zip(wanted, self._jpegs(wanted), strict=True)):
            if (pixels := decode_crop(jpeg, self._target_px)) is None:
                file, dataset = self._places[self._place[number]]
                raise ArtifactDamaged(f"{file}: crop {self._ds_idx[number]} of {dataset} no longer decodes. {FIX}")
            squares[at] = small_square(pixels, self._target_px, float(angles[at]))
        # Convert to float32 (B, 3, target_px, target_px) in [0, 1].
        pictures = torch.from_numpy(unit_channels(squares, self._colour))
        return list(zip(pictures.unbind(), self.labels[torch.from_numpy(wanted)].unbind(), strict=True))

    def _jpegs(self, wanted: NDArray[np.int64]) -> list[Jpeg]:
        if self._unpacked is not None:
            return list(self._unpacked.jpegs(wanted))
        # Read each crop once, even if `wanted` repeats it.
        numbers, back = np.unique(wanted, return_inverse=True)
        found = {
            int(number): jpeg for run, jpegs in self._read(numbers) for number, jpeg in zip(run, jpegs, strict=True)
        }
        return [found[number] for number in numbers[back].tolist()]

    def _read(self, numbers: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], list[Jpeg]]]:
        """Yield runs of item numbers and their JPEGs, in file order; each run is from one HDF5 dataset."""
        ordered = numbers[np.lexsort((self._ds_idx[numbers], self._place[numbers]))]
        # Split where the HDF5 dataset changes, then into runs of at most READ_CROPS.
        for of_dataset in np.split(ordered, np.flatnonzero(np.diff(self._place[ordered])) + 1):
            for start in range(0, len(of_dataset), READ_CROPS):
                run = of_dataset[start : start + READ_CROPS]
                file, dataset = self._places[self._place[run[0]]]
                yield run, self._stored.jpegs(file, dataset, self._ds_idx[run])

    def _angles(self) -> NDArray[np.float64]:
        """Return the rotation of every item in this epoch, degrees, float64 (N,)."""
        epoch = int(self._epoch)
        if self._rotations is None or self._rotations[0] != epoch:
            rng = np.random.default_rng((self._seed, epoch))
            self._rotations = epoch, rng.uniform(-MAX_ROTATION_DEG, MAX_ROTATION_DEG, len(self))
        return self._rotations[1]
