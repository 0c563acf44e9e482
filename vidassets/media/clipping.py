"""Count the samples that were cut off at full scale. This has to happen before the sound is resampled or mixed."""

import numpy as np

# Full scale of 16 bits is 32767 / 32768; lossy codecs vary around it.
FULL_SCALE = 32_766 / 32_768
# Chosen here: a wave that only touches full scale stays at it for a sample or two.
MIN_RUN = 3


class Clipping:
    """Counts, block by block, the samples at full scale in runs of at least 3."""

    def __init__(self) -> None:
        self._open = np.zeros(0, np.int64)
        self._n_clipped = self._n_samples = 0

    def count(self, samples: np.ndarray) -> None:
        """Add the next block, float32 (C, N)."""
        channels, n_samples = samples.shape
        if len(self._open) != channels:
            self._close()
            self._open = np.zeros(channels, np.int64)
        self._n_samples += samples.size
        full = np.abs(samples) >= FULL_SCALE
        if not full.any():
            self._close()
            return
        for channel in range(channels):
            # Runs at full scale; the first continues the open run of the block before, if both touch the border.
            edges = np.diff(np.pad(full[channel].astype(np.int8), 1))
            starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
            lengths = ends - starts
            if len(starts) and starts[0] == 0:
                lengths[0] += self._open[channel]
            else:
                lengths = np.r_[self._open[channel], lengths]
            # A run that reaches the end of the block stays open.
            is_open = bool(full[channel, -1]) if n_samples else False
            self._open[channel] = lengths[-1] if is_open else 0
            done = lengths[:-1] if is_open else lengths
            self._n_clipped += int(done[done >= MIN_RUN].sum())

    @property
    def share(self) -> float | None:
        """The share of clipped samples in all channels, in [0, 1]; None: no samples yet."""
        self._close()
        return self._n_clipped / self._n_samples if self._n_samples else None

    def _close(self) -> None:
        self._n_clipped += int(self._open[self._open >= MIN_RUN].sum())
        self._open[:] = 0
