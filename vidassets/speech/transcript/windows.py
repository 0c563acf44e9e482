"""Stretches of speech packed into windows of bounded length for recognition.

Source: "VAD Cut & Merge" of Bain et al., "WhisperX", Interspeech 2023. Done differently: a stretch longer than a window
is cut where the sound is quietest, not where the activity score is lowest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vidassets.media.sound import SAMPLE_RATE_HZ, Sound

QUIET_S = 0.1  # chosen here: pauses between words are seldom shorter

Stretch = tuple[float, float]


@dataclass(frozen=True)
class SpeechWindow:
    """Neighbouring stretches of speech, from the start of the first to the end of the last."""

    stretches: tuple[Stretch, ...]

    @property
    def start_s(self) -> float:
        """Clip time."""
        return self.stretches[0][0]

    @property
    def end_s(self) -> float:
        """Clip time."""
        return self.stretches[-1][1]


def pack_windows(
    stretches: Sequence[Stretch], window_s: float, quietest_s: Callable[[float, float], float]
) -> list[SpeechWindow]:
    """Pack stretches greedily into windows of at most `window_s`.

    Args:
        stretches: (start_s, end_s) in order, not overlapping.
        window_s: longest window.
        quietest_s: returns the best time for a cut between two times.
    """
    packed: list[list[Stretch]] = []
    for stretch in (part for whole in stretches for part in _cut(whole, window_s, quietest_s)):
        if packed and stretch[1] - packed[-1][0][0] <= window_s:
            packed[-1].append(stretch)
        else:
            packed.append([stretch])
    return [SpeechWindow(tuple(group)) for group in packed]


def quietest_moment(sound: Sound, start_s: float, end_s: float, channel: int) -> float:
    """Return the middle of the quietest 0.1 s between two times; the midpoint if the span is shorter than that."""
    samples = sound.samples(start_s, end_s, channel).astype(np.float64)
    width = round(QUIET_S * SAMPLE_RATE_HZ)
    if len(samples) <= width:
        return (start_s + end_s) / 2
    # (N + 1,): the energy of a window of samples is a difference of two cumulative sums.
    energy = np.concatenate([[0.0], np.cumsum(samples**2)])
    return start_s + (int(np.argmin(energy[width:] - energy[:-width])) + width / 2) / SAMPLE_RATE_HZ


def _cut(stretch: Stretch, window_s: float, quietest_s: Callable[[float, float], float]) -> list[Stretch]:
    start_s, end_s = stretch
    parts: list[Stretch] = []
    while end_s - start_s > window_s:
        # Cut in the second half of the window, so that no part is too short to recognise.
        at_s = quietest_s(start_s + window_s / 2, start_s + window_s)
        parts.append((start_s, at_s))
        start_s = at_s
    return [*parts, (start_s, end_s)]
