"""The crops of an index as a torch dataset: read, decoded and turned when they are asked for."""

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
from vidassets.spatter.dataset.stored_crops import MEND, Jpeg, StoredCrops
from vidassets.spatter.dataset.transforms import (
    MAX_ROTATION_DEG,
    TARGET_PX,
    Colour,
    decode_crop,
    small_square,
    unit_channels,
)
from vidassets.spatter.dataset.unpacked_crops import unpack

# Chosen here: of one dataset in memory at once, some MB.
READ_CROPS = 1024


class TorchCrops(Dataset[tuple[Tensor, Tensor]]):
    """Item i: a crop, float32 (3, target_px, target_px) in [0, 1], and its label, float32: 0 low, 1 high, NaN unknown.

    A `DataLoader` takes a batch at once, in one read per HDF5 dataset. Files are opened by each worker for itself,
    forked or spawned. What an item is depends on seed, epoch and its number, not on worker, batch or order.

    Args:
        crops: rows of `spatter_schemas.SpatterIndex`, none excluded: of one part, see `splits.crops_of`.
        files: where the index's files lie on this machine; a file without an entry is a path itself.
        augment: turn each crop by up to ±15°, another angle each epoch; for the training part only.
        colour: rgb, or gray on three channels.
        high_share: share of high flow among all, above 0 and below 1; leaves out crops of the class that is too many.
        unpack_in: a folder for a plain copy of the JPEGs, some 3 KB each, made now: for many epochs over crops that
            are shuffled. The folder is the caller's to take away.
        target_px: a side of the pictures.
        seed: of the angles, and of which crops are left out.

    Attributes:
        crops: the rows that items are made of, in order: labels, builds, layers by number.
        labels: float32 (len,).

    Raises:
        InvalidSetting: an excluded row, or a share out of its bounds.
        OneClassOnly: a share of classes of which one has no crop.
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
        places = self.crops.select("file", "dataset").unique(maintain_order=True)
        self._places = places.rows()
        numbers = self.crops.join(
            places.with_row_index("place"), on=["file", "dataset"], how="left", maintain_order="left"
        )
        self._place = numbers["place"].to_numpy().astype(np.int64)
        self._ds_idx = self.crops["ds_idx"].to_numpy().astype(np.int64)
        # Shared memory: workers that live for many epochs see it change.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._turns: tuple[int, NDArray[np.float64]] | None = None
        self._unpacked = None if unpack_in is None else unpack(self._read(np.arange(len(self))), unpack_in, len(self))

    def set_epoch(self, epoch: int) -> None:
        """Turn crops by the angles of this epoch from now on, in all workers; call it before an epoch's iteration."""
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
        """Items of a batch, in the order asked for.

        Raises:
            ArtifactMissing, ArtifactDamaged, NotACropsFile: a file is gone, broken, or not of this index.
        """
        wanted = np.asarray(indices, np.int64)
        if len(wanted) and not (-len(self) <= wanted.min() and wanted.max() < len(self)):
            raise IndexError(f"items {wanted.min()} to {wanted.max()} of {len(self)}")
        wanted %= len(self) or 1
        squares = np.empty((len(wanted), self._target_px, self._target_px, 3), np.uint8)
        angles = self._angles()[wanted] if self._augment else np.zeros(len(wanted))
        for at, (number, jpeg) in enumerate(zip(wanted, self._jpegs(wanted), strict=True)):
            if (pixels := decode_crop(jpeg, self._target_px)) is None:
                file, dataset = self._places[self._place[number]]
                raise ArtifactDamaged(
                    f"{file}: crop {self._ds_idx[number]} of {dataset} does not decode any more. {MEND}"
                )
            squares[at] = small_square(pixels, self._target_px, float(angles[at]))
        pictures = torch.from_numpy(unit_channels(squares, self._colour))
        return list(zip(pictures.unbind(), self.labels[torch.from_numpy(wanted)].unbind(), strict=True))

    def _jpegs(self, wanted: NDArray[np.int64]) -> list[Jpeg]:
        if self._unpacked is not None:
            return list(self._unpacked.jpegs(wanted))
        numbers, back = np.unique(wanted, return_inverse=True)
        found = {
            int(number): jpeg for run, jpegs in self._read(numbers) for number, jpeg in zip(run, jpegs, strict=True)
        }
        return [found[number] for number in numbers[back].tolist()]

    def _read(self, numbers: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], list[Jpeg]]]:
        """Items in the order they lie in the files, some of one HDF5 dataset at a time."""
        ordered = numbers[np.lexsort((self._ds_idx[numbers], self._place[numbers]))]
        for of_dataset in np.split(ordered, np.flatnonzero(np.diff(self._place[ordered])) + 1):
            for start in range(0, len(of_dataset), READ_CROPS):
                run = of_dataset[start : start + READ_CROPS]
                file, dataset = self._places[self._place[run[0]]]
                yield run, self._stored.jpegs(file, dataset, self._ds_idx[run])

    def _angles(self) -> NDArray[np.float64]:
        epoch = int(self._epoch)
        if self._turns is None or self._turns[0] != epoch:
            rng = np.random.default_rng((self._seed, epoch))
            self._turns = epoch, rng.uniform(-MAX_ROTATION_DEG, MAX_ROTATION_DEG, len(self))
        return self._turns[1]
