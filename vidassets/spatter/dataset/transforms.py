"""Transform a crop into the input of a model: a small square picture, rotated at random only in training."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Colour = Literal["rgb", "gray"]

TARGET_PX = 32
# A square rotated by up to 15° about the middle of a square 1.25 times as large stays inside it: its corners reach
# (cos 15° + sin 15°) / 2 = 0.61 of its side from the middle, and the sides of the larger square are at 0.625.
MARGIN = 1.25
MAX_ROTATION_DEG = 15.0
JPEG_END = b"\xff\xd9"
# A baseline frame header for 8 bits and three components; height and width follow.
JPEG_FRAME = b"\xff\xc0\x00\x11\x08"
REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}


def decode_crop(jpeg: bytes | Pixels, target_px: int | None = TARGET_PX) -> Pixels | None:
    """Return BGR, uint8 (height, width, 3); None if the bytes are not a complete JPEG.

    A large crop is decoded at a half, quarter or eighth of its size, cheaper and smoother than dropping pixels.

    Args:
        jpeg: as h5py returns it: bytes, or uint8 (size,).
        target_px: both sides keep at least 1.25 times as many pixels, as `small_square` needs; None: decode all.
    """
    data = jpeg if isinstance(jpeg, bytes) else jpeg.tobytes()
    # The decoder fills missing data with gray and only prints a warning.
    if not data.endswith(JPEG_END):
        return None
    flag = cv2.IMREAD_COLOR if target_px is None else _reduced(data, round(target_px * MARGIN))
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _reduced(jpeg: bytes, at_least_px: int) -> int:
    """Return the flag to decode with; a JPEG that is not baseline is decoded at full size."""
    at = jpeg.find(JPEG_FRAME) + len(JPEG_FRAME)
    side_px = min(int.from_bytes(jpeg[at : at + 2]), int.from_bytes(jpeg[at + 2 : at + 4]))
    if at >= len(JPEG_FRAME):
        for divisor, flag in REDUCED.items():
            if side_px >= divisor * at_least_px:
                return flag
    return cv2.IMREAD_COLOR


def exclusion(pixels: Pixels | None) -> str | None:
    """Return why a decoded crop is not used; None if it is used.

    >>> exclusion(None), exclusion(np.zeros((4, 4, 3), np.uint8)), exclusion(np.ones((4, 4, 3), np.uint8))
    ('undecodable', 'all black', None)
    """
    if pixels is None:
        return "undecodable"
    return None if pixels.any() else "all black"


def small_square(pixels: Pixels, target_px: int = TARGET_PX, rotation_deg: float = 0.0) -> Pixels:
    """Return the middle of a crop, uint8 (target_px, target_px, 3).

    Both sides are resized to 1.25 × the target, then the middle is rotated and cut out. A crop that is not square is
    squeezed into a square, so that no part of the spatter is cut off by its shape.

    Args:
        pixels: uint8 (height, width, 3).
        target_px: side of the result.
        rotation_deg: counter-clockwise about the middle; up to 15° needs no pixels from outside.
    """
    side_px = round(target_px * MARGIN)
    # Linear interpolation reads two pixels per side; a reduction by two or more needs area averaging.
    reduced_much = max(pixels.shape[:2]) >= 2 * side_px
    square = cv2.resize(pixels, (side_px, side_px), interpolation=cv2.INTER_AREA if reduced_much else cv2.INTER_LINEAR)
    start = (side_px - target_px) // 2
    if not rotation_deg:
        return np.asarray(square[start : start + target_px, start : start + target_px], np.uint8)
    middle = (side_px - 1) / 2
    # Rotate about the middle and cut out in one step.
    rotation = cv2.getRotationMatrix2D((middle, middle), rotation_deg, 1.0)
    rotation[:, 2] -= start
    return np.asarray(cv2.warpAffine(square, rotation, (target_px, target_px), flags=cv2.INTER_LINEAR), np.uint8)


def unit_channels(squares: Pixels, colour: Colour = "rgb") -> NDArray[np.float32]:
    """Convert BGR squares, uint8 (N, side, side, 3), to float32 (N, 3, side, side) in [0, 1].

    Gray is the luma, repeated on all three channels, so that every model accepts both.
    """
    n, side, _, _ = squares.shape
    # Join all squares to one tall picture, (N * side, side, 3), to convert a batch in one call.
    tall = squares.reshape(n * side, side, 3)
    if colour == "gray" and n:
        tall = cv2.cvtColor(cv2.cvtColor(tall, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2RGB)
    elif n:
        tall = cv2.cvtColor(tall, cv2.COLOR_BGR2RGB)
    channels = np.asarray(tall, np.uint8).reshape(n, side, side, 3).transpose(0, 3, 1, 2)
    return np.multiply(channels, np.float32(1 / 255), dtype=np.float32, order="C")
