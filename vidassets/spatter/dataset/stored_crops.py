"""JPEGs of crops files, read a few at a time by many processes: each keeps its own files open."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidassets.errors import ArtifactDamaged, ArtifactMissing, NotACropsFile

Jpeg = NDArray[np.uint8] | bytes
MEND = "Extract its crops again: `vidassets run --force --select spatter_crops`."


class StoredCrops:
    """Reads crops files; opens each when it is first needed, and anew in a process that was forked or spawned.

    Args:
        files: where each file lies on this machine, by the name that the index has for it; a name without an entry
            is a path itself.
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
        """Close what this process has opened; a later read opens it again."""
        opened = self._opened.values() if self._process == os.getpid() else ()
        for file in opened:
            file.close()
        self._forget()

    def size(self, file: str, dataset: str) -> int:
        """How many crops a dataset holds.

        Raises:
            ArtifactMissing, ArtifactDamaged, NotACropsFile: as for `jpegs`.
        """
        return len(self._dataset(file, dataset))

    def datasets(self, file: str) -> list[str]:
        """The names of a file's datasets.

        Raises:
            ArtifactMissing, ArtifactDamaged: as for `jpegs`.
        """
        with self._reading(file):
            return list(self._file(file))

    def jpegs(self, file: str, dataset: str, which: slice | NDArray[np.int64]) -> list[Jpeg]:
        """Some crops of a dataset, in order.

        Many at once cost less than one by one.

        Args:
            file: as the index names it.
            dataset: of the file.
            which: a slice, or indices, ascending, none twice.

        Raises:
            ArtifactMissing: there is no such file.
            ArtifactDamaged: it is no HDF5, or cut, or holds fewer crops.
            NotACropsFile: it holds no such dataset of JPEG strings.
        """
        stored = self._dataset(file, dataset)
        with self._reading(file):
            if isinstance(which, slice):
                return list(stored[which])
            if which[-1] >= len(stored):
                raise IndexError(f"crop {which[-1]} of {len(stored)} in {dataset}")
            # One crop by its number takes half of what it takes by a list of one number.
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
            # Handles of the parent are not ours to use, nor to close.
            self._forget()
        if file not in self._opened:
            path = self._files.get(file, Path(file))
            if not path.is_file():
                raise ArtifactMissing(f"{file}: no crops file at {path}. {MEND}")
            self._opened[file] = h5py.File(path, "r")
        return self._opened[file]

    @contextmanager
    def _reading(self, file: str) -> Iterator[None]:
        # h5py has no errors of its own: a broken file shows as any of these.
        try:
            yield
        except (OSError, RuntimeError, KeyError, ValueError, IndexError, TypeError) as error:
            raise ArtifactDamaged(f"{file}: does not read as HDF5 ({error}). {MEND}") from error


def _checked(opened: Any, file: str, name: str) -> Any:
    import h5py

    dataset = opened.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise NotACropsFile(f"{file}: holds no dataset {name}, but {', '.join(list(opened)[:5]) or 'nothing'}. {MEND}")
    # JPEGs of variable length; older writers padded them to one length.
    if dataset.ndim != 1 or not (h5py.check_vlen_dtype(dataset.dtype) == np.uint8 or dataset.dtype.kind == "S"):
        raise NotACropsFile(
            f"{file}: {name} is {dataset.dtype} {dataset.shape}, not a list of JPEG byte strings. {MEND}"
        )
    return dataset
