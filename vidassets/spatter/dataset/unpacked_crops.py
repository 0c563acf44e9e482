"""Copy JPEGs uncompressed to one file, so that many epochs over shuffled crops decompress each crop once.

A chunk of a crops file contains several crops, and reading one of them decompresses them all.
"""

import mmap
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class UnpackedCrops:
    """Reads JPEGs from a plain file by their numbers; every process maps the file, and the memory is shared.

    Args:
        path: the file; the owner of its folder deletes it.
        starts: int64 (N,), offset of each JPEG.
        sizes: int64 (N,), bytes of each JPEG.
    """

    def __init__(self, path: Path, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
        self._path, self._starts, self._sizes = path, starts, sizes
        self._mapped: mmap.mmap | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_mapped": None}

    def jpegs(self, numbers: NDArray[np.int64]) -> list[bytes]:
        """Return the JPEGs in the order of `numbers`."""
        if not len(numbers):
            return []
        if self._mapped is None:
            with self._path.open("rb") as file:
                self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        places = zip(self._starts[numbers].tolist(), self._sizes[numbers].tolist(), strict=True)
        return [self._mapped[start : start + size] for start, size in places]

    def close(self) -> None:
        """Unmap the file; a later read maps it again."""
        if self._mapped is not None:
            self._mapped.close()
            self._mapped = None


def unpack(
    batches: Iterable[tuple[NDArray[np.int64], Sequence[bytes | NDArray[np.uint8]]]], folder: Path, n: int
) -> UnpackedCrops:
    """Write the JPEGs of items 0 to n - 1 to a new file in the folder.

    Args:
        batches: numbers of items and their JPEGs, in any order, each once.
        folder: on a local disk with enough space, about 3 KB per JPEG.
        n: number of items.
    """
    starts, sizes = np.zeros(n, np.int64), np.zeros(n, np.int64)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".jpegs", delete=False) as file:
        for numbers, jpegs in batches:
            for number, jpeg in zip(numbers.tolist(), jpegs, strict=True):
                starts[number], sizes[number] = file.tell(), len(jpeg)
                file.write(bytes(jpeg))
    return UnpackedCrops(Path(file.name), starts, sizes)
