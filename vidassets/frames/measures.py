"""Measures of a single picture. All take its luma: uint8 (height, width), 0 black to 255 white."""

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
Rgb = NDArray[np.uint8]

# Sharpness depends on size, so every picture is measured at this width.
SHARPNESS_WIDTH_PX = 256
# A picture one pixel wide would be enlarged to gigabytes: beyond 1:16 the height is squeezed.
SHARPNESS_MAX_HEIGHT_PX = 16 * SHARPNESS_WIDTH_PX
# Bars decode to a few levels above black, and a brightened copy lifts them further. Chosen here.
BLACKEST_BAR_LEVEL = 32
# A 9:20 phone video inside 16:9 keeps 0.25 of the width. If less than this would be kept, the picture is dark.
SMALLEST_PICTURE_SHARE = 0.2
HASH_INPUT_PX = 32
HASH_SIDE = 8


def luma(rgb: Rgb) -> Luma:
    """Return the luma (Rec. 601, full range) of a picture, uint8 (height, width).

    Args:
        rgb: uint8 (height, width, 3).
    """
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def brightness(luma: Luma) -> float:
    """Return the mean luma, 0 black to 1 white."""
    return float(luma.mean()) / 255


def sharpness(luma: Luma) -> float:
    """Return the variance of the Laplacian at 256 px width, in squared 8-bit levels; 0 for a flat picture.

    Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000. Done differently: the
    picture is scaled to a fixed width first, so that pictures of different sizes can be compared.
    """
    height, width = luma.shape
    scaled_height = round(height * SHARPNESS_WIDTH_PX / width)
    size = (SHARPNESS_WIDTH_PX, min(max(1, scaled_height), SHARPNESS_MAX_HEIGHT_PX))
    # Area averaging is for shrinking only: when enlarging it repeats pixels, and their edges would count as detail.
    interpolation = cv2.INTER_AREA if width > SHARPNESS_WIDTH_PX else cv2.INTER_LINEAR
    scaled = cv2.resize(luma, size, interpolation=interpolation)  # uint8 (scaled_height, 256)
    return float(cv2.Laplacian(scaled, cv2.CV_64F).var())


def perceptual_hash(luma: Luma) -> int:
    """Return a 64-bit hash that hardly changes under transcoding, blur, scaling or a change of brightness.

    Bars are cropped, the picture is shrunk to 32x32, and each of the 8x8 lowest frequencies of its cosine
    transform gives one bit: whether it is above their median. Rows first, most significant bit first.

    Two pictures are alike if few bits differ; for unrelated pictures about 32 differ.

    Source: Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010. Done differently: bars
    are cropped, and coefficients are rounded, because otherwise a flat picture would hash its rounding errors.
    """
    # Shrink the picture inside its bars: uint8 (32, 32).
    small = cv2.resize(without_black_bars(luma), (HASH_INPUT_PX, HASH_INPUT_PX), interpolation=cv2.INTER_AREA)
    # Keep the lowest frequencies of the cosine transform: float32 (8, 8).
    frequencies = cv2.dct(small.astype(np.float32))[:HASH_SIDE, :HASH_SIDE].round(1)
    # One bit per frequency: bool (8, 8), packed row by row into 64 bits.
    bits = frequencies > np.median(frequencies)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def without_black_bars(luma: Luma) -> Luma:
    """Return the part of a picture inside its letterbox or pillarbox bars: a view, or all of it if there are no bars.

    A bar is a run of lines along an edge with no pixel above `BLACKEST_BAR_LEVEL`. Bars come in pairs of equal width:
    the narrower of two opposite edges counts for both, so that a dark ground is not taken for a bar. If hardly
    anything would remain, the picture is dark and is returned whole.
    """
    height, width = luma.shape
    # The brightest pixel of each row (height,) gives the bars at top and bottom, of each column (width,) those beside.
    top = _bar_width(luma.max(axis=1))
    left = _bar_width(luma.max(axis=0))
    inside = luma[top : height - top, left : width - left]
    if inside.shape[0] < SMALLEST_PICTURE_SHARE * height or inside.shape[1] < SMALLEST_PICTURE_SHARE * width:
        return luma
    return inside


def _bar_width(brightest_of_line: Luma) -> int:
    """Return the lines to cut at both edges: the narrower of the two bars, or half of all lines if all are dark."""
    bright = np.flatnonzero(brightest_of_line > BLACKEST_BAR_LEVEL)
    n_lines = len(brightest_of_line)
    if not len(bright):
        return n_lines // 2
    return int(min(bright[0], n_lines - 1 - bright[-1]))
