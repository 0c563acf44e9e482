"""Black borders: letterbox, pillarbox, or both.

A third of the picture being black hides as much of a change from a model that averages over the picture.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

# Luma of 8-bit RGB. Encoded black is 0, compression and noise lift it by some levels; chosen here.
BLACK_LUMA = 20.0
# Part of a row that may be brighter and the row still black: a channel's logo, specks; chosen here.
SPECK_FRACTION = 0.02
# A portrait film (9:16) in a landscape frame (16:9) keeps 0.32 of the width; what keeps less is a dark film.
LEAST_KEPT = 0.25
# Pictures spread over a clip among which one is bright up to its edges, in all but the darkest of films; chosen here.
BORDER_SAMPLES = 16


class Borders(NamedTuple):
    """Black border on each side, as a fraction of the frame's height (top, bottom) or width (left, right)."""

    top: float
    bottom: float
    left: float
    right: float

    def crop(self, pixels: np.ndarray) -> np.ndarray:
        """The view of pixels (height, width, …) inside the borders.

        >>> Borders(0.25, 0.25, 0, 0).crop(np.zeros((8, 6))).shape
        (4, 6)
        """
        height, width = pixels.shape[:2]
        top, left = round(self.top * height), round(self.left * width)
        return pixels[top : height - round(self.bottom * height), left : width - round(self.right * width)]


NO_BORDERS = Borders(0.0, 0.0, 0.0, 0.0)


def border_sample_times(first_pts_s: float, end_s: float) -> list[float]:
    """The moments whose pictures `find_borders` wants, in seconds on the clip's clock; the clip's ends left out.

    >>> border_sample_times(1.0, 17.0)[:2]
    [1.5, 2.5]
    """
    step_s = (end_s - first_pts_s) / BORDER_SAMPLES
    return [first_pts_s + (index + 0.5) * step_s for index in range(BORDER_SAMPLES)]


def find_borders(pictures: Iterable[np.ndarray]) -> Borders:
    """The borders that are black in every picture; none for a film too dark to tell.

    A black picture (a fade) says nothing and changes nothing. The brightest luma that each pixel ever has decides,
    so a film that changes its aspect ratio loses only what is black in all of it.

    Args:
        pictures: uint8 (height, width, 3) RGB, all of one size, uncropped; any number, a few spread over the clip do.
    """
    brightest: np.ndarray | None = None
    for pixels in pictures:
        brightest = pixels if brightest is None else np.maximum(brightest, pixels)
    if brightest is None:
        return NO_BORDERS
    luma = brightest @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    top, bottom = _black_ends(luma)
    left, right = _black_ends(luma.T)
    return Borders(top, bottom, left, right)


def _black_ends(luma: np.ndarray) -> tuple[float, float]:
    """Fractions of the rows (height, width) that are black from the top, and from the bottom."""
    n_rows = len(luma)
    lit = np.flatnonzero(np.quantile(luma, 1 - SPECK_FRACTION, axis=1) > BLACK_LUMA)
    if len(lit) == 0:
        return 0.0, 0.0
    # The outermost lit row beside a border is half border, wherever the picture was scaled: it goes too.
    top, bottom = ((rows + 1) if rows else 0 for rows in (int(lit[0]), n_rows - 1 - int(lit[-1])))
    if n_rows - top - bottom < LEAST_KEPT * n_rows:
        return 0.0, 0.0
    return top / n_rows, bottom / n_rows
