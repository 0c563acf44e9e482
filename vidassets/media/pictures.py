"""From a decoded frame to the pixels a person would see: turned upright, scaled, RGB or luma."""

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
        pts_s: its presentation time, in seconds, as the container tells it.
        wanted_s: the moment that was asked for.
        pixels: uint8 (H, W, 3) RGB or BGR, or (H, W) luma of full range; upright. Stored pixels: where the sample
            aspect ratio is not 1, a circle is an ellipse here. Pictures of the same frame share one array.
        damaged: something before it, which it may lean on, did not decode.
    """

    pts_s: float
    wanted_s: float
    pixels: np.ndarray
    damaged: bool = False


def clockwise_turn(frame: VideoFrame) -> int:
    """Degrees by which a player turns the frame clockwise, by its display matrix: 0, 90, 180 or 270."""
    return -90 * round(frame.rotation / 90) % 360


class Developer:
    """Makes pixels of frames, with one scaler for all of them.

    Args:
        pixel: "rgb24"; "bgr24" for the very values that OpenCV reads; "gray" for the luma, spread to 0 … 255.
        max_side_px: a larger picture is scaled down until its longer side is this long.
        size: (width, height) of the upright picture, whatever its aspect; not together with `max_side_px`.

    Raises:
        ValueError: a size that is not positive, or both sizes.
    """

    def __init__(self, pixel: Pixel, *, max_side_px: int | None = None, size: tuple[int, int] | None = None) -> None:
        if max_side_px is not None and size is not None:
            raise ValueError("give max_side_px or size, not both")
        if min(max_side_px if max_side_px is not None else 1, *(size or (1, 1))) < 1:
            raise ValueError(f"a picture has at least one pixel a side, got {max_side_px or size}")
        self._pixel, self._max_side_px, self._size = pixel, max_side_px, size
        # OpenCV converts bicubically, which tells in the chroma of odd heights and of more than 8 bits.
        self._interpolation = Interpolation.BICUBIC if pixel == "bgr24" else Interpolation.AREA
        self._reformatter = VideoReformatter()

    def develop(self, frame: VideoFrame) -> np.ndarray:
        """uint8 (H, W, 3) or (H, W), contiguous, upright."""
        turn = clockwise_turn(frame)
        width, height = self._stored_size(frame, lying=turn in (90, 270))
        scaled = self._reformatter.reformat(
            frame, width, height, format=self._pixel, interpolation=self._interpolation, threads=1
        )
        return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), k=-turn // 90))

    def _stored_size(self, frame: VideoFrame, *, lying: bool) -> tuple[int, int]:
        if self._size is not None:
            width, height = self._size
            return (height, width) if lying else (width, height)
        longer = max(frame.width, frame.height)
        if self._max_side_px is None or longer <= self._max_side_px:
            return frame.width, frame.height
        scale = self._max_side_px / longer
        return max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
