"""A clip's sound as the project keeps it: a FLAC of 16 kHz and 16 bits, read by the clip's own time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from vidassets.errors import SpeechError

SAMPLE_RATE_HZ = 16_000
# STREAMINFO of a FLAC holds 36 bits for its length, and 0 for one that is not known: libsndfile then tells far more.
MAX_SAMPLES = 2**36

if TYPE_CHECKING:
    from soundfile import SoundFile


@dataclass(frozen=True)
class Sound:
    """A file of sound; reading takes the memory of what is asked for.

    Attributes:
        path: a FLAC that `SoundWriter` wrote.
        start_s: the clip's time at the first sample.
        n_samples: in each channel; may be 0.
        channels: 1 or more.
    """

    path: Path
    start_s: float
    n_samples: int
    channels: int

    @classmethod
    def open(cls, path: Path) -> Self:
        """The sound in a file.

        Raises:
            SpeechError: nothing is there, no FLAC, or not of 16 kHz.
        """
        from soundfile import LibsndfileError, SoundFile

        try:
            with SoundFile(path) as file:
                rate_hz, comment = file.samplerate, file.comment
                n_samples = 0 if file.frames >= MAX_SAMPLES else file.frames
                sound = cls(path, float(comment) if comment else 0.0, n_samples, file.channels)
        except (LibsndfileError, ValueError) as error:
            raise SpeechError(f"{path}: not a sound that can be read ({error}). Make the clip's audio again.") from None
        if rate_hz != SAMPLE_RATE_HZ:
            raise SpeechError(f"{path}: {rate_hz} Hz where {SAMPLE_RATE_HZ} are expected. Make the clip's audio again.")
        return sound

    @property
    def duration_s(self) -> float:
        """Of all samples."""
        return self.n_samples / SAMPLE_RATE_HZ

    @property
    def end_s(self) -> float:
        """The clip's time after the last sample."""
        return self.start_s + self.duration_s

    def samples(
        self, start_s: float | None = None, end_s: float | None = None, channel: int | None = None
    ) -> np.ndarray:
        """float32 (N,) in [-1, 1]: one channel, or the mean of all; what there is between two times of the clip.

        Args:
            start_s: rounded to the nearest sample; None: the first.
            end_s: likewise, not included; None: after the last.
            channel: 0, 1 …; None: the mean.

        Raises:
            SpeechError: there is no such channel, or the file is damaged.
        """
        first, last = self._index(start_s, 0), self._index(end_s, self.n_samples)
        if last <= first:
            return np.zeros(0, np.float32)
        from soundfile import SoundFile

        with SoundFile(self.path) as file:
            file.seek(first)
            return self._read(file, last - first, channel)

    def blocks(self, block_s: float, channel: int | None = None) -> Iterator[tuple[float, np.ndarray]]:
        """The whole sound in order, as (clip time of the first sample, float32 (N,)); only the last may be shorter.

        Args:
            block_s: length of a block; a sample at least.
            channel: as in `samples`.

        Raises:
            SpeechError: as in `samples`.
        """
        if not self.n_samples:
            return
        from soundfile import SoundFile

        block = max(1, round(block_s * SAMPLE_RATE_HZ))
        with SoundFile(self.path) as file:
            for first in range(0, self.n_samples, block):
                wanted = min(block, self.n_samples - first)
                yield self.start_s + first / SAMPLE_RATE_HZ, self._read(file, wanted, channel)

    def _index(self, time_s: float | None, otherwise: int) -> int:
        if time_s is None:
            return otherwise
        if not math.isfinite(time_s):
            raise SpeechError(f"{self.path}: a time is a finite number of seconds, got {time_s}. Give one, or None.")
        return min(self.n_samples, max(0, round((time_s - self.start_s) * SAMPLE_RATE_HZ)))

    def _read(self, file: "SoundFile", n_samples: int, channel: int | None) -> np.ndarray:
        if channel is not None and not 0 <= channel < self.channels:
            raise SpeechError(f"{self.path}: no channel {channel}, it has {self.channels}. They count from 0.")
        samples = file.read(n_samples, dtype="float32", always_2d=True)
        if len(samples) < n_samples:
            raise SpeechError(f"{self.path}: ends before its {self.n_samples} samples do. Make the clip's audio again.")
        if channel is not None:
            return np.ascontiguousarray(samples[:, channel])
        return samples[:, 0].copy() if self.channels == 1 else samples.mean(axis=1, dtype=np.float32)


class SoundWriter:
    """Writes a sound block by block; whole once the writer is left, and not there if an error is why."""

    def __init__(self, path: Path, channels: int = 1, start_s: float = 0.0) -> None:
        from soundfile import SoundFile

        self._path, self._channels, self._n_samples = path, channels, 0
        self._partial = path.with_name(f".{path.name}.partial")
        # Exact: the shortest text that reads back as the same number.
        self._comment = repr(float(start_s))
        self._file = SoundFile(self._partial, "w", SAMPLE_RATE_HZ, channels, subtype="PCM_16", format="FLAC")
        self._file.comment = self._comment

    def write(self, samples: np.ndarray) -> None:
        """Appends float32 (N,) or (C, N); what is beyond [-1, 1] is clipped."""
        self._file.write(samples.T)
        self._n_samples += samples.shape[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        if kind is not None:
            self._partial.unlink()
            return
        if not self._n_samples:
            # libsndfile writes no header before the first sample.
            self._partial.write_bytes(_flac_without_samples(self._channels, self._comment))
        self._partial.replace(self._path)


def write_sound(path: Path, samples: np.ndarray, start_s: float = 0.0) -> None:
    """Writes float32 (N,) or (C, N) at 16 kHz as a whole file; N may be 0."""
    with SoundWriter(path, 1 if samples.ndim == 1 else len(samples), start_s) as writer:
        writer.write(samples)


def _flac_without_samples(channels: int, comment: str) -> bytes:
    """The two metadata blocks of a FLAC (RFC 9639, sections 8.2 and 8.6) in which no frame follows."""
    block, bits = 4096, 16
    rate_to_length = SAMPLE_RATE_HZ << 44 | (channels - 1) << 41 | (bits - 1) << 36
    stream_info = block.to_bytes(2) * 2 + bytes(6) + rate_to_length.to_bytes(8) + bytes(16)
    entry = f"comment={comment}".encode()
    comments = b"".join(n.to_bytes(4, "little") + text for n, text in ((0, b""), (1, b""), (len(entry), entry)))
    return b"fLaC\x00" + len(stream_info).to_bytes(3) + stream_info + b"\x84" + len(comments).to_bytes(3) + comments
