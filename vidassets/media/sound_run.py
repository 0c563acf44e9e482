"""An unbroken run of sound, brought to 16 kHz and to the clip's clock, however the two clocks drift apart.

The samples of a run count one clock, the presentation times of its frames tell another. How far they are apart is
averaged over 4 s; where that moves by more than the times are exact, the sound between is stretched evenly: its pitch
moves with the drift (by 0.01 % typically) and nothing is repeated, left out or cut.
"""

import numpy as np

from vidassets.media.sound import SAMPLE_RATE_HZ

# Chosen here: long enough to average times in milliseconds to a few samples, short enough to follow a drift that turns.
KNOT_S = 4.0
# Half the width of the interpolating kernel, and its steps within a sample: its errors are those of 16 bits.
HALF_TAPS = 24
PHASES = 4096


class SoundRun:
    """Takes frames that follow each other; gives what is certain of their place.

    Args:
        rate_hz: of the frames.
        channels: of the frames.
        tick_s: how exact their times are.
        begins_s: clip time of the first sample, on a clock whose 0 is the grid's.
    """

    def __init__(self, rate_hz: int, channels: int, tick_s: float, begins_s: float) -> None:
        from soxr import ResampleStream

        self.rate_hz, self.channels, self._begins_s = rate_hz, channels, begins_s
        self._tolerance = tick_s / 2 * SAMPLE_RATE_HZ + 0.25
        self._resampler = ResampleStream(rate_hz, SAMPLE_RATE_HZ, channels, dtype="float32", quality="HQ")
        self._waiting: list[np.ndarray] = []
        self._n_waiting = self._n_frames_samples = 0
        self._offsets: list[float] = []
        self._counted: list[float] = []
        # Sound at the nominal rate, from `_sound_at` on; silence stands before it for the kernel.
        self._sound, self._sound_at = np.zeros((channels, HALF_TAPS), np.float32), -HALF_TAPS
        self._first: int | None = None
        self._first_offset = 0.0
        self._knots: list[tuple[float, float]] = []
        self._given = 0

    @property
    def expects_s(self) -> float:
        """When the next frame is due, by the count of samples alone."""
        return self._begins_s + self._n_frames_samples / self.rate_hz

    def push(self, samples: np.ndarray, pts_s: float | None) -> tuple[int, np.ndarray]:
        """Takes float32 (C, N) and its time; gives what is placed now: index on the grid, float32 (C, M), M often 0."""
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
        return self._give(int(self._knots[-1][0]))

    def finish(self) -> tuple[int, np.ndarray]:
        """The rest, as `push` gives it."""
        at_least = 1 if not self._knots else KNOT_S / 2 * self.rate_hz
        is_telling = self._n_waiting >= at_least
        self._resample(last=True)
        if is_telling:
            self._tie_knot()
        end = self._sound_at + self._sound.shape[1]
        self._sound = np.pad(self._sound, ((0, 0), (0, HALF_TAPS + 1)))
        return self._give(round(self._to_grid(end)))

    def _nothing(self) -> tuple[int, np.ndarray]:
        return 0, np.zeros((self.channels, 0), np.float32)

    def _resample(self, *, last: bool) -> None:
        chunk = np.concatenate(self._waiting, axis=1) if self._waiting else np.zeros((self.channels, 0), np.float32)
        resampled = self._resampler.resample_chunk(np.ascontiguousarray(chunk.T), last=last)
        self._sound = np.concatenate([self._sound, resampled.reshape(-1, self.channels).T], axis=1)
        self._waiting, self._n_waiting = [], 0

    def _tie_knot(self) -> None:
        """Remembers which nominal sample belongs where on the grid, in the middle of what came last."""
        if not self._offsets:
            return
        offset, counted = float(np.mean(self._offsets)), float(np.mean(self._counted))
        self._offsets, self._counted = [], []
        if not self._knots:
            self._first_offset = offset
        moved = offset - self._first_offset
        if self._knots and abs(moved - (self._knots[-1][0] - self._knots[-1][1])) <= self._tolerance:
            moved = self._knots[-1][0] - self._knots[-1][1]
        self._knots = [*self._knots[-1:], (counted + moved, counted)]

    def _line(self) -> tuple[float, float, float]:
        """Grid, nominal, and nominal samples per grid sample, of the line through the last two knots."""
        if len(self._knots) < 2:
            return 0.0, 0.0, 1.0
        (grid_a, nominal_a), (grid_b, nominal_b) = self._knots
        return grid_b, nominal_b, (nominal_b - nominal_a) / (grid_b - grid_a)

    def _to_grid(self, nominal: float) -> float:
        grid_b, nominal_b, slope = self._line()
        return grid_b + (nominal - nominal_b) / slope

    def _give(self, until: int) -> tuple[int, np.ndarray]:
        if self._first is None:
            self._first = round(self._begins_s * SAMPLE_RATE_HZ + self._first_offset)
            # A run that drifts from its first sample on began elsewhere than its first seconds tell on average.
            self._given = round(self._to_grid(0.0))
        at, grid = self._first + self._given, np.arange(self._given, until)
        if not len(grid):
            return self._nothing()
        grid_b, nominal_b, slope = self._line()
        nominal = nominal_b + (grid - grid_b) * slope
        placed = interpolated(self._sound, nominal - self._sound_at)
        spent = max(0, int(nominal[-1]) - HALF_TAPS - self._sound_at)
        self._sound, self._sound_at, self._given = self._sound[:, spent:], self._sound_at + spent, until
        return at, placed


def interpolated(samples: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """float32 (C, P): samples at fractional positions, by a sinc of 48 taps under a Kaiser window (beta 8).

    Args:
        samples: float32 (C, N).
        positions: float64 (P,), increasing, within the samples; beyond their ends lies silence.
    """
    nearest = np.round(positions).astype(np.int64)
    if np.abs(positions - nearest).max(initial=0) < 0.5 / PHASES:
        before, after = max(0, -nearest[0]), max(0, nearest[-1] + 1 - samples.shape[1])
        padded = np.pad(samples, ((0, 0), (before, after)))
        # Whole positions one apart: the samples themselves.
        if nearest[-1] - nearest[0] == len(nearest) - 1:
            return padded[:, nearest[0] + before : nearest[-1] + before + 1]
    kernel = _kernel()
    samples = np.pad(samples, ((0, 0), (HALF_TAPS + 1, HALF_TAPS + 1)))
    phases = np.round((positions - np.floor(positions)) * PHASES).astype(np.int64)
    firsts = np.clip(np.floor(positions).astype(np.int64) + 2, 0, samples.shape[1] - 2 * HALF_TAPS)
    windows = np.lib.stride_tricks.sliding_window_view(samples, 2 * HALF_TAPS, axis=1)
    # In pieces: the windows of a minute would be half a gigabyte.
    steps = range(0, len(positions), SAMPLE_RATE_HZ)
    parts = [
        np.einsum("cpt,pt->cp", windows[:, firsts[a : a + SAMPLE_RATE_HZ]], kernel[phases[a : a + SAMPLE_RATE_HZ]])
        for a in steps
    ]
    return np.concatenate(parts, axis=1)


def _kernel() -> np.ndarray:
    """float32 (PHASES + 1, 2 * HALF_TAPS): weights of the samples around a position, by its part of a sample."""
    shifts = np.arange(PHASES + 1)[:, None] / PHASES
    distances = np.arange(1 - HALF_TAPS, HALF_TAPS + 1)[None, :] - shifts
    window = np.i0(8.0 * np.sqrt(np.clip(1 - (distances / HALF_TAPS) ** 2, 0, None))) / np.i0(8.0)
    return (np.sinc(distances) * window).astype(np.float32)
