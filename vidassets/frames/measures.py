"""What can be measured on one picture. All measures take its luma: uint8 (height, width), 0 black to 255 white."""

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
Rgb = NDArray[np.uint8]

# Sharpness depends on size: every picture is measured at this width.
SHARPNESS_WIDTH_PX = 256
# A picture of one column of pixels would be enlarged to gigabytes: beyond 1:16 it is squeezed.
SHARPNESS_MAX_HEIGHT_PX = 16 * SHARPNESS_WIDTH_PX
# Bars decode to some levels above black, and a brightened copy lifts them further. Chosen here.
BLACKEST_BAR_LEVEL = 32
# A 9:20 telephone video inside 16:9 keeps 0.25 of the width; less than this is a dark picture, not one with bars.
SMALLEST_PICTURE_SHARE = 0.2
HASH_INPUT_PX = 32
HASH_SIDE = 8


def luma(rgb: Rgb) -> Luma:
    """Luma (Rec. 601, full range) of a picture, uint8 (height, width).

    Args:
        rgb: uint8 (height, width, 3).
    """
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def brightness(luma: Luma) -> float:
    """Mean luma, 0 black to 1 white."""
    return float(luma.mean()) / 255


def sharpness(luma: Luma) -> float:
    """Variance of the Laplacian of the luma at 256 px width, in squared 8-bit levels; 0 for a flat picture.

    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000. Done differently: the picture
    is brought to one width first, so that pictures of different sizes compare.
    """
    height, width = luma.shape
    scaled_height = round(height * SHARPNESS_WIDTH_PX / width)
    size = (SHARPNESS_WIDTH_PX, min(max(1, scaled_height), SHARPNESS_MAX_HEIGHT_PX))
    # Area averaging is for shrinking only; on enlarging it repeats pixels, whose edges would count as detail.
    interpolation = cv2.INTER_AREA if width > SHARPNESS_WIDTH_PX else cv2.INTER_LINEAR
    return float(cv2.Laplacian(cv2.resize(luma, size, interpolation=interpolation), cv2.CV_64F).var())


def perceptual_hash(luma: Luma) -> int:
    """64-bit hash that a transcode, a blur, a change of size or of brightness leaves (nearly) as it is.

    Bars are cropped, the picture is shrunk to 32x32, and each of the 8x8 lowest frequencies of its cosine
    transform gives one bit: whether it is above their median. Rows first, most significant bit first. Zauner,
    "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010. Done differently: the bars, and
    coefficients are rounded, as else a flat picture would hash its rounding errors.

    Two pictures are called alike by their `hash_distance`.
    """
    small = cv2.resize(without_black_bars(luma), (HASH_INPUT_PX, HASH_INPUT_PX), interpolation=cv2.INTER_AREA)
    frequencies = cv2.dct(small.astype(np.float32))[:HASH_SIDE, :HASH_SIDE].round(1)
    bits = frequencies > np.median(frequencies)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def hash_distance(first: int, second: int) -> int:
    """Number of bits, 0 to 64, in which two perceptual hashes differ; about 32 for unrelated pictures.

    >>> hash_distance(0b1011, 0b0010)
    2
    """
    return (first ^ second).bit_count()


def without_black_bars(luma: Luma) -> Luma:
    """The part of a picture inside its letterbox or pillarbox bars: a view, or the whole where there are none.

    A bar is a run of lines along an edge with no pixel above the darkest levels. Bars come in pairs of one width:
    the narrower one of two opposite edges counts for both, so that a dark floor is not taken for a bar. A picture
    that would all but vanish is dark, and is returned whole.
    """
    height, width = luma.shape
    top = _bar_width(luma.max(axis=1))
    left = _bar_width(luma.max(axis=0))
    inside = luma[top : height - top, left : width - left]
    if inside.shape[0] < SMALLEST_PICTURE_SHARE * height or inside.shape[1] < SMALLEST_PICTURE_SHARE * width:
        return luma
    return inside


def _bar_width(brightest_of_line: Luma) -> int:
    """Lines that both edges can lose: the narrower bar of the two; half of all where all are dark."""
    bright = np.flatnonzero(brightest_of_line > BLACKEST_BAR_LEVEL)
    n_lines = len(brightest_of_line)
    if not len(bright):
        return n_lines // 2
    return int(min(bright[0], n_lines - 1 - bright[-1]))
