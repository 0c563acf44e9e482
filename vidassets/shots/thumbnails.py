"""Small pictures of every frame, borders cropped, in batches: the input of a shot model.

Only the current batch is in memory, 0.2 MB at 48x27 pixels, however long the video is.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import cv2
import numpy as np

from vidassets.shots.borders import Borders

# (width, height) to decode to, whatever the clip's aspect ratio: the models ignore it anyway. Five times the 48x27 of
# TransNetV2, so that a border is cut to a fifth of one of its pixels and the result matches pictures cropped and scaled
# at full size (benchmarks/shot_accuracy.py prints the difference in scores).
STREAM_SIZE = (256, 144)
# TransNetV2 advances by 50 frames at a time.
BATCH_FRAMES = 50


class ThumbnailBatch(NamedTuple):
    """Consecutive frames: `pts_s` float64 (N,), `pixels` uint8 (N, height, width, 3) RGB."""

    pts_s: np.ndarray
    pixels: np.ndarray


def thumbnails(
    pictures: Iterable[tuple[float, np.ndarray]], borders: Borders, frame_size: tuple[int, int]
) -> Iterator[ThumbnailBatch]:
    """Yield batches of `BATCH_FRAMES` pictures (the last may be smaller), cropped, then scaled by area.

    Args:
        pictures: (pts_s, RGB uint8 (height, width, 3)) of every frame in order of time, preferably of `STREAM_SIZE`.
        borders: cropped first.
        frame_size: (width, height) of the result.
    """
    stream = iter(pictures)
    while batch := list(islice(stream, BATCH_FRAMES)):
        small = [cv2.resize(borders.crop(pixels), frame_size, interpolation=cv2.INTER_AREA) for _, pixels in batch]
        yield ThumbnailBatch(np.array([pts_s for pts_s, _ in batch]), np.stack(small))
