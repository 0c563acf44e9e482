"""What a model sees of a crop: a small square picture; turned at random while it learns, straight when it is judged."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vidassets.errors import ArtifactDamaged

Pixels = NDArray[np.uint8]
Colour = Literal["rgb", "gray"]

TARGET_PX = 32
# A square of the target's size, turned by up to 15° in one 1.25 times as large, reaches nothing outside of it:
# its corners lie at (cos 15° + sin 15°) / 2 = 0.61 of its side, the larger one's sides at 0.625.
MARGIN = 1.25
MAX_ROTATION_DEG = 15.0
JPEG_END = b"\xff\xd9"
# A baseline frame header, of the length that three components take and 8 bits: height and width follow.
JPEG_FRAME = b"\xff\xc0\x00\x11\x08"
REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}


def decode_crop(jpeg: bytes | Pixels, target_px: int | None = TARGET_PX) -> Pixels | None:
    """BGR, uint8 (height, width, 3); None where it is no JPEG, or one that has lost its end.

    A large crop is decoded at a half, quarter or eighth of its size: cheaper, and smoother than to leave pixels out.

    Args:
        jpeg: as h5py gives it: bytes, or uint8 (size,).
        target_px: both sides keep 1.25 times as many pixels, what `small_square` needs; None decodes it whole.
    """
    data = jpeg if isinstance(jpeg, bytes) else jpeg.tobytes()
    # The decoder paints what is missing gray and says nothing but a line on the terminal.
    if not data.endswith(JPEG_END):
        return None
    flag = cv2.IMREAD_COLOR if target_px is None else _reduced(data, round(target_px * MARGIN))
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _reduced(jpeg: bytes, at_least_px: int) -> int:
    """The flag to decode with; a JPEG of another kind is decoded whole."""
    at = jpeg.find(JPEG_FRAME) + len(JPEG_FRAME)
    side_px = min(int.from_bytes(jpeg[at : at + 2]), int.from_bytes(jpeg[at + 2 : at + 4]))
    if at >= len(JPEG_FRAME):
        for divisor, flag in REDUCED.items():
            if side_px >= divisor * at_least_px:
                return flag
    return cv2.IMREAD_COLOR


def exclusion(pixels: Pixels | None) -> str | None:
    """Why a decoded crop is not used; None where it is.

    >>> exclusion(None), exclusion(np.zeros((4, 4, 3), np.uint8)), exclusion(np.ones((4, 4, 3), np.uint8))
    ('undecodable', 'all black', None)
    """
    if pixels is None:
        return "undecodable"
    return None if pixels.any() else "all black"


def small_square(pixels: Pixels, target_px: int = TARGET_PX, rotation_deg: float = 0.0) -> Pixels:
    """The middle of a crop, uint8 (target_px, target_px, 3): both sides resized to 1.25 × the target, turned, cut out.

    A crop that is not square is squeezed into one, so that nothing of the spatter is cut off.

    Args:
        pixels: uint8 (height, width, 3).
        target_px: a side of the result.
        rotation_deg: counter-clockwise about the middle; up to 15° brings in nothing from outside.
    """
    side_px = round(target_px * MARGIN)
    # Two pixels a side are what linear interpolation looks at: of a larger reduction it would leave some out.
    reduced_much = max(pixels.shape[:2]) >= 2 * side_px
    square = cv2.resize(pixels, (side_px, side_px), interpolation=cv2.INTER_AREA if reduced_much else cv2.INTER_LINEAR)
    start = (side_px - target_px) // 2
    if not rotation_deg:
        return np.asarray(square[start : start + target_px, start : start + target_px], np.uint8)
    middle = (side_px - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), rotation_deg, 1.0)
    turn[:, 2] -= start  # turning and cutting out are one step
    return np.asarray(cv2.warpAffine(square, turn, (target_px, target_px), flags=cv2.INTER_LINEAR), np.uint8)


def unit_channels(squares: Pixels, colour: Colour = "rgb") -> NDArray[np.float32]:
    """Float32 (N, 3, side, side) in [0, 1], of BGR squares, uint8 (N, side, side, 3).

    Gray is the luma on all three channels: every model takes both.
    """
    n, side, _, _ = squares.shape
    # All squares as one tall picture: one call for a batch.
    tall = squares.reshape(n * side, side, 3)
    if colour == "gray" and n:
        tall = cv2.cvtColor(cv2.cvtColor(tall, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2RGB)
    elif n:
        tall = cv2.cvtColor(tall, cv2.COLOR_BGR2RGB)
    channels = np.asarray(tall, np.uint8).reshape(n, side, side, 3).transpose(0, 3, 1, 2)
    return np.multiply(channels, np.float32(1 / 255), dtype=np.float32, order="C")


def evaluation_transform(
    crop: bytes | Pixels, colour: Colour = "rgb", target_px: int = TARGET_PX
) -> NDArray[np.float32]:
    """What a model is given of one crop, float32 (3, target_px, target_px) in [0, 1]; always the same.

    Args:
        crop: a JPEG, bytes or uint8 (size,); or BGR pixels, uint8 (height, width, 3). Of a JPEG over 80 px the two
            differ by a level or two, since it is decoded smaller: give what the model was taught with.
        colour: rgb, or gray on three channels.
        target_px: a side of the result.

    Raises:
        ArtifactDamaged: a JPEG that does not decode.
    """
    pixels = crop if isinstance(crop, np.ndarray) and crop.ndim == 3 else decode_crop(crop, target_px)
    if pixels is None:
        raise ArtifactDamaged("A crop does not decode as JPEG. Leave out what the index excludes, or extract it again.")
    return unit_channels(small_square(pixels, target_px)[None], colour)[0]
