"""A clip's sound as it is stored: a FLAC of 16 kHz and 16 bits, read by clip time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from vidassets.errors import SpeechError

SAMPLE_RATE_HZ = 16_000
# The length in a FLAC's STREAMINFO has 36 bits, and 0 means unknown: libsndfile then reports far more than this.
MAX_SAMPLES = 2**36
# A FLAC without a sample has an unknown length, which other programs take for the longest possible one. A sound without
# samples is stored as this title and a millisecond of silence, the shortest block.
NO_SOUND_TITLE = "no sound"
NO_SOUND_SAMPLES = 16

if TYPE_CHECKING:
    from soundfile import SoundFile


@dataclass(frozen=True)
class Sound:
    """A sound file. Only the samples that are asked for are read into memory.

    Attributes:
        path: a FLAC that `SoundWriter` wrote.
        start_s: clip time of the first sample.
        n_samples: samples per channel; may be 0.
        channels: number of channels, at least 1.
    """

    path: Path
    start_s: float
    n_samples: int
    channels: int

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a sound file.

        Raises:
            SpeechError: the file is missing, is not a FLAC, or does not have 16 kHz.
        """
        from soundfile import LibsndfileError, SoundFile

        try:
            with SoundFile(path) as file:
                rate_hz, comment = file.samplerate, file.comment
                n_samples = 0 if file.title == NO_SOUND_TITLE or file.frames >= MAX_SAMPLES else file.frames
                sound = cls(path, float(comment) if comment else 0.0, n_samples, file.channels)
        except (LibsndfileError, ValueError) as error:
            raise SpeechError(f"{path}: not a readable sound file ({error}). Recompute the clip's `audio`.") from None
        if rate_hz != SAMPLE_RATE_HZ:
            raise SpeechError(
                f"{path}: expected a sample rate of {SAMPLE_RATE_HZ} Hz, found {rate_hz}. Recompute the clip's `audio`."
            )
        return sound

    @property
    def duration_s(self) -> float:
        """The duration of the sound."""
        return self.n_samples / SAMPLE_RATE_HZ

    @property
    def end_s(self) -> float:
        """The clip time after the last sample."""
        return self.start_s + self.duration_s

    def samples(
        self, start_s: float | None = None, end_s: float | None = None, channel: int | None = None
    ) -> np.ndarray:
        """Return the samples between two clip times, float32 (N,) in [-1, 1]; fewer where the sound ends earlier.

        Args:
            start_s: clip time, rounded to the nearest sample; None: the first sample.
            end_s: clip time, not included, rounded likewise; None: after the last sample.
            channel: index of a channel, from 0; None: the mean of all channels.

        Raises:
            SpeechError: the sound does not have this channel, or the file is damaged.
        """
        first, last = self._index(start_s, 0), self._index(end_s, self.n_samples)
        if last <= first:
            return np.zeros(0, np.float32)
        from soundfile import SoundFile

        with SoundFile(self.path) as file:
            file.seek(first)
            return self._read(file, last - first, channel)

    def blocks(self, block_s: float, channel: int | None = None) -> Iterator[tuple[float, np.ndarray]]:
        """Yield the whole sound as blocks: clip time of the first sample, and float32 (N,). The last may be shorter.

        Args:
            block_s: length of a block in seconds; at least a sample is read.
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
            raise SpeechError(f"{self.path}: expected a finite time in seconds, or None, got {time_s}.")
        return min(self.n_samples, max(0, round((time_s - self.start_s) * SAMPLE_RATE_HZ)))

    def _read(self, file: "SoundFile", n_samples: int, channel: int | None) -> np.ndarray:
        if channel is not None and not 0 <= channel < self.channels:
            raise SpeechError(f"{self.path}: no channel {channel}. It has {self.channels}, counted from 0.")
        samples = file.read(n_samples, dtype="float32", always_2d=True)
        if len(samples) < n_samples:
            raise SpeechError(
                f"{self.path}: the file ends before its {self.n_samples} samples. Recompute the clip's `audio`."
            )
        if channel is not None:
            return np.ascontiguousarray(samples[:, channel])
        return samples[:, 0].copy() if self.channels == 1 else samples.mean(axis=1, dtype=np.float32)


class SoundWriter:
    """Writes a sound file block by block, as a context manager. The file appears on exit, but not after an error."""

    def __init__(self, path: Path, channels: int = 1, start_s: float = 0.0) -> None:
        from soundfile import SoundFile

        self._path, self._channels, self._n_samples = path, channels, 0
        self._partial = path.with_name(f".{path.name}.partial")
        self._file = SoundFile(self._partial, "w", SAMPLE_RATE_HZ, channels, subtype="PCM_16", format="FLAC")
        # `repr` is exact: it reads back as the same number.
        self._file.comment = repr(float(start_s))

    def write(self, samples: np.ndarray) -> None:
        """Append float32 (N,) or (C, N). Values outside [-1, 1] are clipped."""
        self._file.write(samples.T)
        self._n_samples += samples.shape[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and not self._n_samples:
            self._file.title = NO_SOUND_TITLE
            self._file.write(np.zeros((NO_SOUND_SAMPLES, self._channels), np.float32))
        self._file.close()
        if kind is not None:
            self._partial.unlink()
            return
        self._partial.replace(self._path)
