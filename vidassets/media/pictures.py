"""Conversion of decoded frames to the pixels that a player shows: upright, scaled, RGB or luma."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

Pixel = Literal["rgb24", "bgr24", "gray"]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture of a video.

    Attributes:
        pts_s: presentation time in seconds, as stored in the container.
        wanted_s: the time that was requested.
        pixels: uint8 (H, W, 3) RGB or BGR, or (H, W) full-range luma; upright. Sample aspect ratio is not applied: if
            it is not 1, a circle appears as an ellipse. Pictures of the same frame share one array.
        damaged: an earlier picture, on which this one may depend, did not decode.
    """

    pts_s: float
    wanted_s: float
    pixels: np.ndarray
    damaged: bool = False


def clockwise_turn(frame: VideoFrame) -> int:
    """Return the clockwise rotation given by the frame's display matrix: 0, 90, 180 or 270 degrees."""
    return -90 * round(frame.rotation / 90) % 360


class PixelConverter:
    """Converts frames to arrays of pixels, reusing one scaler.

    Args:
        pixel: "rgb24"; "bgr24" for exactly the values that OpenCV reads; "gray" for luma, stretched to 0 … 255.
        max_side_px: scale larger pictures down to this length of the longer side.
        size: (width, height) to scale the upright picture to, ignoring its aspect ratio. Excludes `max_side_px`.

    Raises:
        ValueError: a size is not positive, or both sizes are given.
    """

    def __init__(self, pixel: Pixel, *, max_side_px: int | None = None, size: tuple[int, int] | None = None) -> None:
        if max_side_px is not None and size is not None:
            raise ValueError("give max_side_px or size, not both")
        if min(max_side_px if max_side_px is not None else 1, *(size or (1, 1))) < 1:
            raise ValueError(f"a picture has at least one pixel a side, got {max_side_px or size}")
        self._pixel, self._max_side_px, self._size = pixel, max_side_px, size
        # OpenCV interpolates bicubically, which matters for chroma at odd heights and at more than 8 bits.
        self._interpolation = Interpolation.BICUBIC if pixel == "bgr24" else Interpolation.AREA
        self._reformatter = VideoReformatter()

    def convert(self, frame: VideoFrame) -> np.ndarray:
        """Return the frame's pixels, uint8 (H, W, 3) or (H, W), contiguous, upright."""
        turn = clockwise_turn(frame)
        width, height = self._size_before_turn(frame, sideways=turn in (90, 270))
        scaled = self._reformatter.reformat(
            frame, width, height, format=self._pixel, interpolation=self._interpolation, threads=1
        )
        return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), k=-turn // 90))

    def _size_before_turn(self, frame: VideoFrame, *, sideways: bool) -> tuple[int, int]:
        if self._size is not None:
            width, height = self._size
            return (height, width) if sideways else (width, height)
        longer = max(frame.width, frame.height)
        if self._max_side_px is None or longer <= self._max_side_px:
            return frame.width, frame.height
        scale = self._max_side_px / longer
        return max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
