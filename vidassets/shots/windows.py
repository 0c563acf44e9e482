"""Overlapping windows over a stream of pictures, as in the authors' inference code of TransNetV2.

Source: Soucek and Lokoc, "TransNet V2", arXiv:2008.04838, and their inference code: windows of 100 frames advance by
50. Only the middle 50 frames of a window are scored, so each has at least 25 frames of context. Both ends of the clip
are padded with their own picture. Done differently: the pictures stream, so that a long video need not fit in memory.
"""

from collections.abc import Iterable, Iterator

import numpy as np

WINDOW_FRAMES = 100
STRIDE_FRAMES = 50
MARGIN_FRAMES = 25


def windows(batches: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, int]]:
    """Yield windows (100, height, width, 3), each with n: its frames 25 to 25 + n are the next n frames of the stream.

    Args:
        batches: uint8 (N, height, width, 3), consecutive; N may vary and may be 0.

    >>> [(w.shape[0], n) for w, n in windows([np.zeros((70, 27, 48, 3), np.uint8)])]
    [(100, 50), (100, 20)]
    """
    held: np.ndarray | None = None  # frames not yet passed, uint8 (held frames, height, width, 3)
    for batch in batches:
        if len(batch) == 0:
            continue
        # Pad the start with 25 copies of the first frame.
        held = np.repeat(batch[:1], MARGIN_FRAMES, axis=0) if held is None else held
        held = np.concatenate([held, batch])
        while len(held) >= WINDOW_FRAMES:
            yield held[:WINDOW_FRAMES], STRIDE_FRAMES
            held = held[STRIDE_FRAMES:]
    # At the end, pad the last windows with copies of the last frame.
    while held is not None and (left := len(held) - MARGIN_FRAMES) > 0:
        padded = np.concatenate([held, np.repeat(held[-1:], max(0, WINDOW_FRAMES - len(held)), axis=0)])
        yield padded[:WINDOW_FRAMES], min(STRIDE_FRAMES, left)
        held = held[STRIDE_FRAMES:]
