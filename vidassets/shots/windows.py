"""Overlapping windows over a stream of pictures, as TransNetV2 is run by its authors.

Source: Soucek and Lokoc, "TransNet V2", arXiv:2008.04838, and their inference code: windows of 100 frames, moved on
by 50; only the middle 50 of a window are scored, so each has 25 frames of context or more; both ends are padded with
their own picture. What is done differently: the pictures stream, so that an hour of video need not lie in memory.
"""

from collections.abc import Iterable, Iterator

import numpy as np

WINDOW_FRAMES = 100
STRIDE_FRAMES = 50
MARGIN_FRAMES = 25


def windows(batches: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, int]]:
    """Windows (100, height, width, 3), each with n: frames 25 … 25 + n of it are the next n frames of the stream.

    Args:
        batches: uint8 (N, height, width, 3), consecutive; N is free, also 0.

    >>> [(w.shape[0], n) for w, n in windows([np.zeros((70, 27, 48, 3), np.uint8)])]
    [(100, 50), (100, 20)]
    """
    held: np.ndarray | None = None
    for batch in batches:
        if len(batch) == 0:
            continue
        held = np.repeat(batch[:1], MARGIN_FRAMES, axis=0) if held is None else held
        held = np.concatenate([held, batch])
        while len(held) >= WINDOW_FRAMES:
            yield held[:WINDOW_FRAMES], STRIDE_FRAMES
            held = held[STRIDE_FRAMES:]
    while held is not None and (left := len(held) - MARGIN_FRAMES) > 0:
        padded = np.concatenate([held, np.repeat(held[-1:], max(0, WINDOW_FRAMES - len(held)), axis=0)])
        yield padded[:WINDOW_FRAMES], min(STRIDE_FRAMES, left)
        held = held[STRIDE_FRAMES:]
