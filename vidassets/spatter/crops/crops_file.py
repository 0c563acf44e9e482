"""Write the crops of a build to one HDF5 file, as they are found. The file appears only when it is complete.

Its datasets are called `{build}_{n}`, n = 0, 1, 2 …, and hold up to 10,000 JPEG byte strings each; the last dataset
holds the remainder, and a build without spatter has no dataset. To decode a crop:
`cv2.imdecode(np.frombuffer(file[dataset][i], np.uint8), -1)`.

The byte strings have a fixed length and are padded with zeros, which HDF5 strips on reading. HDF5 stores strings of
variable length outside of the chunks, where gzip does not compress them: the fixed length makes the file 30 % smaller
and reading a crop faster.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
from isal import isal_zlib

FORMAT_VERSION = "1"
CROPS_PER_DATASET = 10_000
UNITS = {"crops": "JPEG of 8-bit BGR, pixels of the video as stored", "order": "frame, then contour as found"}
# Reading one crop decompresses a whole chunk. With the crops of ten minutes, chunks of 16, 32 and 64 KiB gave files of
# 21.6, 20.3 and 20.0 MB; a random crop took 74, 92 and 171 µs to read, a crop in order 25, 14 and 11 µs.
CHUNK_BYTES = 32 * 1024
# Every JPEG ends with this marker, so the zeros of the padding are never part of the picture.
END_OF_IMAGE = b"\xff\xd9"


class CropsFile:
    """A context manager that writes a crops file; `path` appears when the block ends without an error.

    At most one dataset of crops is in memory, about 20 MB.

    Args:
        path: the file to write; an existing file is replaced.
        build: partition key, the first part of the datasets' names.
        source: path or URL of the recording.
        config: the settings of the extraction.
    """

    def __init__(self, path: Path, build: str, *, source: str, config: Mapping[str, Any]) -> None:
        self._path, self._build = path, build
        self._attributes = {
            "source": source,
            "config": json.dumps(dict(config), sort_keys=True),
            "version": FORMAT_VERSION,
            "units": json.dumps(UNITS),
        }
        self._unfinished = path.with_name(f".{path.name}.part")
        self._jpegs: list[bytes] = []
        self._n_datasets = 0

    def __enter__(self) -> Self:
        self._file = h5py.File(self._unfinished, "w")
        self._file.attrs.update(self._attributes)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._write_dataset()
            self._file.close()
            if kind is None:
                self._unfinished.replace(self._path)
        finally:
            self._file.close()
            self._unfinished.unlink(missing_ok=True)

    def append(self, jpeg: bytes) -> tuple[str, int]:
        """Add a crop; return the name of its dataset and its index in that dataset.

        Raises:
            ValueError: the bytes are not a complete JPEG.
        """
        if not jpeg.endswith(END_OF_IMAGE):
            raise ValueError(f"{self._path}: a crop must be a whole JPEG; these {len(jpeg)} bytes do not end like one.")
        if len(self._jpegs) == CROPS_PER_DATASET:
            self._write_dataset()
        self._jpegs.append(jpeg)
        return self._name, len(self._jpegs) - 1

    @property
    def _name(self) -> str:
        return f"{self._build}_{self._n_datasets}"

    def _write_dataset(self) -> None:
        if not self._jpegs:
            return
        length = max(map(len, self._jpegs))
        rows = min(len(self._jpegs), max(1, CHUNK_BYTES // length))
        dataset = self._file.create_dataset(
            self._name, (len(self._jpegs),), f"S{length}", chunks=(rows,), compression="gzip"
        )
        for start in range(0, len(self._jpegs), rows):
            chunk = b"".join(jpeg.ljust(length, b"\0") for jpeg in self._jpegs[start : start + rows])
            # Compress as HDF5's gzip filter would, in a quarter of its time.
            packed = isal_zlib.compress(chunk.ljust(rows * length, b"\0"), 1)
            dataset.id.write_direct_chunk((start,), packed)
        self._jpegs, self._n_datasets = [], self._n_datasets + 1
