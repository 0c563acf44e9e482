"""JPEGs laid out plainly in one file, so that many epochs over shuffled crops unpack each of them once.

A chunk of a crops file holds several crops: whoever reads one of them unpacks them all.
"""

import mmap
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class UnpackedCrops:
    """Reads JPEGs of a plain file by their numbers; every process maps it for itself, the memory is shared.

    Args:
        path: of the file; whoever made its folder takes it away.
        starts: int64 (N,), where each JPEG begins.
        sizes: int64 (N,), bytes of each.
    """

    def __init__(self, path: Path, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
        self._path, self._starts, self._sizes = path, starts, sizes
        self._mapped: mmap.mmap | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_mapped": None}

    def jpegs(self, numbers: NDArray[np.int64]) -> list[bytes]:
        """JPEGs in the order asked for."""
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
    """A new file in the folder with the JPEGs of items 0 to n - 1.

    Args:
        batches: numbers of items and their JPEGs, in any order, each once.
        folder: on a local disk with room for them, some 3 KB each.
        n: of items.
    """
    starts, sizes = np.zeros(n, np.int64), np.zeros(n, np.int64)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".jpegs", delete=False) as file:
        for numbers, jpegs in batches:
            for number, jpeg in zip(numbers.tolist(), jpegs, strict=True):
                starts[number], sizes[number] = file.tell(), len(jpeg)
                file.write(bytes(jpeg))
    return UnpackedCrops(Path(file.name), starts, sizes)
