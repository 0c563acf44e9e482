"""Resample an unbroken run of frames to 16 kHz and align it with the clip's clock, even if the two clocks drift.

A run has two clocks: the count of its samples, and the presentation times of its frames. The offset between them is
averaged over 4 s. If the average moves by more than the precision of the times, the sound in between is stretched
evenly: its pitch changes with the drift (typically by 0.01 %), and nothing is repeated, left out or cut.

Three time axes are used here, all in samples at 16 kHz. "Nominal" counts the resampled samples of the run. "Grid"
counts the samples of the output, aligned with the clip's clock and starting at the run's first sample. `_first` is the
clip's sample at grid 0.
"""

import numpy as np

from vidassets.media.sound import SAMPLE_RATE_HZ

# Chosen here: long enough to average times in milliseconds to a few samples, short enough to follow a changing drift.
KNOT_S = 4.0
# Half the width of the interpolation kernel, and its steps per sample. Its errors are as small as those of 16 bits.
HALF_TAPS = 24
PHASES = 4096


class SoundRun:
    """Takes consecutive frames, and returns their samples once their place on the clip's clock is known.

    Args:
        rate_hz: sample rate of the frames.
        channels: number of channels of the frames.
        tick_s: precision of the frames' times.
        begins_s: time of the first sample, since the clip's sample 0.
    """

    def __init__(self, rate_hz: int, channels: int, tick_s: float, begins_s: float) -> None:
        from soxr import ResampleStream

        self.rate_hz, self.channels, self._begins_s = rate_hz, channels, begins_s
        self._tolerance = tick_s / 2 * SAMPLE_RATE_HZ + 0.25
        self._resampler = ResampleStream(rate_hz, SAMPLE_RATE_HZ, channels, dtype="float32", quality="HQ")
        # Frames that are not resampled yet, (C, N) each; their samples; and the samples of all frames so far.
        self._waiting: list[np.ndarray] = []
        self._n_waiting = self._n_frames_samples = 0
        # Since the last knot: offset of each frame's time from the count of samples, and that count.
        self._offsets: list[float] = []
        self._counted: list[float] = []
        # Resampled sound, (C, N), from nominal sample `_sound_at` on; it begins with silence for the kernel.
        self._sound, self._sound_at = np.zeros((channels, HALF_TAPS), np.float32), -HALF_TAPS
        self._first: int | None = None
        self._first_offset = 0.0
        # The last two pairs of (grid, nominal) that belong together.
        self._knots: list[tuple[float, float]] = []
        # Grid samples that were returned already.
        self._given = 0

    @property
    def expects_s(self) -> float:
        """The time at which the next frame is due by the count of samples alone."""
        return self._begins_s + self._n_frames_samples / self.rate_hz

    def push(self, samples: np.ndarray, pts_s: float | None) -> tuple[int, np.ndarray]:
        """Add a frame, float32 (C, N), and its time if known; return the samples that can be placed now.

        Returns:
            The clip's sample at which they begin, and float32 (C, M) at 16 kHz. M is often 0.
        """
        if pts_s is not None:
            self._offsets.append((pts_s - self.expects_s) * SAMPLE_RATE_HZ)
            self._counted.append(self._n_frames_samples * SAMPLE_RATE_HZ / self.rate_hz)
        self._waiting.append(samples)
        self._n_waiting += samples.shape[1]
        self._n_frames_samples += samples.shape[1]
        if self._n_waiting < KNOT_S * self.rate_hz:
            return self._nothing()
        self._resample(last=False)
        self._tie_knot()
        if len(self._knots) < 2:
            return self._nothing()
        return self._place(int(self._knots[-1][0]))

    def finish(self) -> tuple[int, np.ndarray]:
        """Return the remaining samples, as `push` does."""
        # A knot over less than half the usual time would be too inexact, unless it is the only one.
        least_samples = 1 if not self._knots else KNOT_S / 2 * self.rate_hz
        is_long_enough = self._n_waiting >= least_samples
        self._resample(last=True)
        if is_long_enough:
            self._tie_knot()
        end = self._sound_at + self._sound.shape[1]
        self._sound = np.pad(self._sound, ((0, 0), (0, HALF_TAPS + 1)))
        return self._place(round(self._to_grid(end)))

    def _nothing(self) -> tuple[int, np.ndarray]:
        return 0, np.zeros((self.channels, 0), np.float32)

    def _resample(self, *, last: bool) -> None:
        chunk = np.concatenate(self._waiting, axis=1) if self._waiting else np.zeros((self.channels, 0), np.float32)
        resampled = self._resampler.resample_chunk(np.ascontiguousarray(chunk.T), last=last)
        self._sound = np.concatenate([self._sound, resampled.reshape(-1, self.channels).T], axis=1)
        self._waiting, self._n_waiting = [], 0

    def _tie_knot(self) -> None:
        """Append a knot: the grid position of the nominal sample in the middle of the frames since the last knot."""
        if not self._offsets:
            return
        # Means over the frames: how far their times are from the count, and at which count.
        offset, counted = float(np.mean(self._offsets)), float(np.mean(self._counted))
        self._offsets, self._counted = [], []
        if not self._knots:
            self._first_offset = offset
        # The drift since the run began; if it changed by less than the precision of the times, it is kept.
        moved = offset - self._first_offset
        if self._knots and abs(moved - (self._knots[-1][0] - self._knots[-1][1])) <= self._tolerance:
            moved = self._knots[-1][0] - self._knots[-1][1]
        self._knots = [*self._knots[-1:], (counted + moved, counted)]

    def _line(self) -> tuple[float, float, float]:
        """Return the line through the last two knots: grid, nominal, and nominal samples per grid sample."""
        if len(self._knots) < 2:
            return 0.0, 0.0, 1.0
        (grid_a, nominal_a), (grid_b, nominal_b) = self._knots
        return grid_b, nominal_b, (nominal_b - nominal_a) / (grid_b - grid_a)

    def _to_grid(self, nominal: float) -> float:
        grid_b, nominal_b, slope = self._line()
        return grid_b + (nominal - nominal_b) / slope

    def _place(self, until: int) -> tuple[int, np.ndarray]:
        """Return the clip's sample and the sound, (C, M), of the grid from `_given` to `until`."""
        if self._first is None:
            self._first = round(self._begins_s * SAMPLE_RATE_HZ + self._first_offset)
            # The first offset is an average over seconds. If the run drifts from its first sample on, that sample
            # is elsewhere: extend the line back to it.
            self._given = round(self._to_grid(0.0))
        first, grid = self._first + self._given, np.arange(self._given, until)
        if not len(grid):
            return self._nothing()
        # (M,): the nominal position of every grid sample.
        grid_b, nominal_b, slope = self._line()
        nominal = nominal_b + (grid - grid_b) * slope
        placed = interpolate(self._sound, nominal - self._sound_at)
        # Drop what the kernel will not reach again.
        spent = max(0, int(nominal[-1]) - HALF_TAPS - self._sound_at)
        self._sound, self._sound_at, self._given = self._sound[:, spent:], self._sound_at + spent, until
        return first, placed


def interpolate(samples: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the samples at fractional positions, float32 (C, P), by a sinc of 48 taps under a Kaiser window (beta 8).

    Args:
        samples: float32 (C, N); silence is assumed beyond both ends.
        positions: float64 (P,), increasing.
    """
    nearest = np.round(positions).astype(np.int64)
    if np.abs(positions - nearest).max(initial=0) < 0.5 / PHASES:
        before, after = max(0, -nearest[0]), max(0, nearest[-1] + 1 - samples.shape[1])
        padded = np.pad(samples, ((0, 0), (before, after)))
        # Consecutive whole positions: return the samples themselves.
        if nearest[-1] - nearest[0] == len(nearest) - 1:
            return padded[:, nearest[0] + before : nearest[-1] + before + 1]
    kernel = _kernel()
    samples = np.pad(samples, ((0, 0), (HALF_TAPS + 1, HALF_TAPS + 1)))
    # (P,): the kernel of each position, and the first of the 48 samples under it.
    phases = np.round((positions - np.floor(positions)) * PHASES).astype(np.int64)
    firsts = np.clip(np.floor(positions).astype(np.int64) + 2, 0, samples.shape[1] - 2 * HALF_TAPS)
    windows = np.lib.stride_tricks.sliding_window_view(samples, 2 * HALF_TAPS, axis=1)  # (C, N', 48), a view
    # A second at a time: the windows of a minute would take half a gigabyte.
    steps = range(0, len(positions), SAMPLE_RATE_HZ)
    parts = [
        np.einsum("cpt,pt->cp", windows[:, firsts[a : a + SAMPLE_RATE_HZ]], kernel[phases[a : a + SAMPLE_RATE_HZ]])
        for a in steps
    ]
    return np.concatenate(parts, axis=1)


def _kernel() -> np.ndarray:
    """Return float32 (PHASES + 1, 2 * HALF_TAPS): weights of the samples around a position, by its fraction."""
    shifts = np.arange(PHASES + 1)[:, None] / PHASES
    distances = np.arange(1 - HALF_TAPS, HALF_TAPS + 1)[None, :] - shifts
    window = np.i0(8.0 * np.sqrt(np.clip(1 - (distances / HALF_TAPS) ** 2, 0, None))) / np.i0(8.0)
    return (np.sinc(distances) * window).astype(np.float32)
