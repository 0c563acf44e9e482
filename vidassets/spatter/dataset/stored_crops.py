"""Read JPEGs from crops files, a few at a time; each process keeps its own files open."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidassets.errors import ArtifactDamaged, ArtifactMissing, NotACropsFile

Jpeg = NDArray[np.uint8] | bytes
# Far more than the JPEG of a whole 8K frame: memory for a longer string is never reserved.
MAX_JPEG_BYTES = 64 * 1024 * 1024
FIX = "Extract its crops again: `vidassets run --force --select spatter_crops`."


class StoredCrops:
    """Reads crops files; opens each on first use, and again in a process that was forked or spawned.

    Args:
        files: local path of each file, by its name in the index; a name without an entry is itself a path.
    """

    def __init__(self, files: Mapping[str, Path] | None = None) -> None:
        self._files = dict(files or {})
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {"_files": self._files}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._opened: dict[str, Any] = {}
        self._datasets: dict[tuple[str, str], Any] = {}

    def close(self) -> None:
        """Close the files that this process has opened; a later read opens them again."""
        opened = self._opened.values() if self._process == os.getpid() else ()
        for file in opened:
            file.close()
        self._forget()

    def size(self, file: str, dataset: str) -> int:
        """Return the number of crops in a dataset.

        Raises:
            ArtifactMissing, ArtifactDamaged, NotACropsFile: as for `jpegs`.
        """
        return len(self._dataset(file, dataset))

    def datasets(self, file: str) -> list[str]:
        """Return the names of a file's datasets.

        Raises:
            ArtifactMissing, ArtifactDamaged: as for `jpegs`.
        """
        with self._reading(file):
            return list(self._file(file))

    def jpegs(self, file: str, dataset: str, which: slice | NDArray[np.int64]) -> list[Jpeg]:
        """Return some crops of a dataset, in order; reading many at once is cheaper than one by one.

        Args:
            file: name of the file in the index.
            dataset: name of the dataset in the file.
            which: a slice, or ascending indices without repeats.

        Raises:
            ArtifactMissing: the file does not exist.
            ArtifactDamaged: the file is not HDF5, is truncated, or has fewer crops.
            NotACropsFile: the file has no such dataset of JPEG strings.
        """
        stored = self._dataset(file, dataset)
        with self._reading(file):
            if isinstance(which, slice):
                return list(stored[which])
            if which[-1] >= len(stored):
                raise IndexError(f"crop {which[-1]} of {len(stored)} in {dataset}")
            # Reading a single crop by its number takes half as long as by a list of one number.
            return [stored[int(which[0])]] if len(which) == 1 else list(stored[which])

    def _dataset(self, file: str, name: str) -> Any:
        with self._reading(file):
            opened = self._file(file)
            if (file, name) not in self._datasets:
                self._datasets[file, name] = _checked(opened, file, name)
            return self._datasets[file, name]

    def _file(self, file: str) -> Any:
        import h5py

        if self._process != os.getpid():
            # After a fork, the parent's handles must be neither used nor closed.
            self._forget()
        if file not in self._opened:
            path = self._files.get(file, Path(file))
            if not path.is_file():
                raise ArtifactMissing(f"{file}: no crops file at {path}. {FIX}")
            self._opened[file] = h5py.File(path, "r")
        return self._opened[file]

    @contextmanager
    def _reading(self, file: str) -> Iterator[None]:
        # h5py has no error classes of its own: a damaged file raises any of these.
        try:
            yield
        except (OSError, RuntimeError, KeyError, ValueError, IndexError, TypeError) as error:
            raise ArtifactDamaged(f"{file}: cannot be read as HDF5 ({error}). {FIX}") from error


def _checked(opened: Any, file: str, name: str) -> Any:
    """Return the dataset of JPEGs; HDF5 that others wrote may point into other files, which are never opened."""
    import h5py

    link = opened.get(name, getlink=True) if "/" not in name else None
    dataset = opened[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(dataset, h5py.Dataset):
        raise NotACropsFile(
            f"{file}: has no dataset {name} of its own, but {', '.join(list(opened)[:5]) or 'none'}. {FIX}"
        )
    if dataset.external is not None or dataset.is_virtual:
        raise NotACropsFile(f"{file}: {name} has its content in another file. {FIX}")
    # JPEGs of variable length, or padded to one length.
    is_text = dataset.dtype.kind == "S" and dataset.dtype.itemsize <= MAX_JPEG_BYTES
    if dataset.ndim != 1 or not (h5py.check_vlen_dtype(dataset.dtype) == np.uint8 or is_text):
        raise NotACropsFile(
            f"{file}: {name} is {dataset.dtype} {dataset.shape}, not a list of JPEG byte strings. {FIX}"
        )
    return dataset
