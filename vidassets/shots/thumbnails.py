"""Small pictures of every frame, borders cropped, in batches: what a shot model is fed.

A clip is never held: of an hour of video only the batch in hand exists, 0.2 MB at 48x27 pixels.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import cv2
import numpy as np

from vidassets.shots.borders import Borders

# (width, height) to decode to, whatever the clip's aspect ratio: the models squeeze their pictures anyway. Five times
# the 48x27 that TransNetV2 sees, so that a border is cut to a fifth of one of its pixels, and the pictures match those
# cropped and scaled at full size (benchmarks/shot_accuracy.py prints by how much scores differ).
STREAM_SIZE = (256, 144)
# TransNetV2 moves on by 50 frames at a time.
BATCH_FRAMES = 50


class ThumbnailBatch(NamedTuple):
    """Consecutive frames: `pts_s` float64 (N,), `pixels` uint8 (N, height, width, 3) RGB."""

    pts_s: np.ndarray
    pixels: np.ndarray


def thumbnails(
    pictures: Iterable[tuple[float, np.ndarray]], borders: Borders, frame_size: tuple[int, int]
) -> Iterator[ThumbnailBatch]:
    """Batches of `BATCH_FRAMES` pictures (the last may be smaller), cropped, then scaled by area.

    Args:
        pictures: (pts_s, RGB uint8 (height, width, 3)) of every frame in order of time, best of `STREAM_SIZE`.
        borders: what to cut away first.
        frame_size: (width, height) wanted.
    """
    stream = iter(pictures)
    while batch := list(islice(stream, BATCH_FRAMES)):
        small = [cv2.resize(borders.crop(pixels), frame_size, interpolation=cv2.INTER_AREA) for _, pixels in batch]
        yield ThumbnailBatch(np.array([pts_s for pts_s, _ in batch]), np.stack(small))
