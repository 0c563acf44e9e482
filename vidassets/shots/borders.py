"""Find black borders: letterbox, pillarbox, or both.

A model averages over the picture: if a third of it is black, a third of every change is hidden.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

# Luma of 8-bit RGB. Encoded black is 0; compression and noise lift it by a few levels. Chosen here.
BLACK_LUMA = 20.0
# Fraction of a row that may be brighter while the row still counts as black (a logo, specks). Chosen here.
SPECK_FRACTION = 0.02
# A portrait video (9:16) in a landscape frame (16:9) keeps 0.32 of the width. If less is kept, the video is dark.
LEAST_KEPT = 0.25
# Number of sampled pictures: enough that one is bright up to its edges, except in very dark videos. Chosen here.
BORDER_SAMPLES = 16


class Borders(NamedTuple):
    """Black border on each side, as a fraction of the frame's height (top, bottom) or width (left, right)."""

    top: float
    bottom: float
    left: float
    right: float

    def crop(self, pixels: np.ndarray) -> np.ndarray:
        """Return the view of pixels (height, width, …) inside the borders.

        >>> Borders(0.25, 0.25, 0, 0).crop(np.zeros((8, 6))).shape
        (4, 6)
        """
        height, width = pixels.shape[:2]
        top, left = round(self.top * height), round(self.left * width)
        return pixels[top : height - round(self.bottom * height), left : width - round(self.right * width)]


NO_BORDERS = Borders(0.0, 0.0, 0.0, 0.0)


def border_sample_times(first_pts_s: float, end_s: float) -> list[float]:
    """Return the times to sample for `find_borders`, in seconds on the clip's clock: the middles of equal parts.

    >>> border_sample_times(1.0, 17.0)[:2]
    [1.5, 2.5]
    """
    step_s = (end_s - first_pts_s) / BORDER_SAMPLES
    return [first_pts_s + (index + 0.5) * step_s for index in range(BORDER_SAMPLES)]


def find_borders(pictures: Iterable[np.ndarray]) -> Borders:
    """Return the borders that are black in every picture, or none if the video is too dark to decide.

    A black picture (a fade) has no effect. The highest value of each pixel over all pictures decides, so a video that
    changes its aspect ratio loses only what is black throughout.

    Args:
        pictures: uint8 (height, width, 3) RGB, all of one size, uncropped; a few, spread over the clip, are enough.
    """
    # Highest value of each pixel over all pictures: uint8 (height, width, 3).
    brightest: np.ndarray | None = None
    for pixels in pictures:
        brightest = pixels if brightest is None else np.maximum(brightest, pixels)
    if brightest is None:
        return NO_BORDERS
    luma = brightest @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601: float64 (height, width)
    top, bottom = _black_ends(luma)
    left, right = _black_ends(luma.T)
    return Borders(top, bottom, left, right)


def _black_ends(luma: np.ndarray) -> tuple[float, float]:
    """Return the fraction of rows of luma (height, width) that are black from the top, and from the bottom."""
    n_rows = len(luma)
    # Indices of rows that are not black: one value per row, ignoring the brightest specks.
    lit = np.flatnonzero(np.quantile(luma, 1 - SPECK_FRACTION, axis=1) > BLACK_LUMA)
    if len(lit) == 0:
        return 0.0, 0.0
    # In a scaled picture the outermost lit row beside a border is half border, so it is cut too.
    top, bottom = ((rows + 1) if rows else 0 for rows in (int(lit[0]), n_rows - 1 - int(lit[-1])))
    if n_rows - top - bottom < LEAST_KEPT * n_rows:
        return 0.0, 0.0
    return top / n_rows, bottom / n_rows
