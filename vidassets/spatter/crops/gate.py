"""Find where two decoded frames can differ, by comparing their YUV planes before they are converted to BGR.

Most of a powder bed is the same from frame to frame. The planes of a decoded frame are half the size of its BGR pixels,
and comparing them costs a tenth of converting both frames and computing the gray of their difference. The skipped
region is provably below the threshold, so the result does not change.
"""

from typing import NamedTuple

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from vidassets.media.pictures import clockwise_turn
from vidassets.spatter.crops.region import Region

# The largest change of the gray of |BGR difference| per level of Y, U and V: the weights of gray times the largest
# coefficient of any matrix and range (BT.601, 709, 2020, SMPTE 240M, FCC; limited range).
# Y 255/219; U .114 * 2.142 (BT.2020) + .587 * .391 (601); V .299 * 1.793 (709) + .587 * .813 (601).
GRAY_PER_Y, GRAY_PER_U, GRAY_PER_V = 1.165, 0.475, 1.014
# Fixed-point conversion rounds each term of each channel of both frames; gray is rounded once more.
ROUNDING = 4.0
# Shares of the threshold per plane: if each plane differs by at most its share, the gray is at most the threshold.
SHARE_Y, SHARE_U, SHARE_V = 0.56, 0.12, 0.32

# In these formats, if both sides are even, one chroma sample colours exactly two by two pixels.
EIGHT_BIT_420 = frozenset({"yuv420p", "yuvj420p"})


class Planes(NamedTuple):
    """The planes of a frame in which each pixel depends on one sample of each plane, by a known matrix.

    Attributes:
        kind: format, size, matrix and range; only planes of the same kind can be compared.
        samples: Y uint8 (H, W), U and V uint8 (H / 2, W / 2); views of the frame's memory.
    """

    kind: tuple[object, ...]
    samples: tuple[np.ndarray, ...]


def planes_of(frame: VideoFrame) -> Planes | None:
    """Return the planes of a frame; None if it is rotated, has an odd side or another pixel format."""
    kind = (frame.format.name, frame.width, frame.height, frame.colorspace, frame.color_range)
    if kind[0] not in EIGHT_BIT_420 or frame.width % 2 or frame.height % 2 or clockwise_turn(frame):
        return None
    return Planes(kind, tuple(_samples(plane) for plane in frame.planes))


def changed_region(earlier: Planes, later: Planes, threshold: int) -> Region | None:
    """Return a region outside of which the gray of the difference is at most `threshold`; None if it is empty.

    The region is the whole picture if the frames differ in kind, or if rounding alone may reach the threshold.

    Args:
        earlier, later: planes of two frames.
        threshold: gray levels.
    """
    # Gray levels that the planes may contribute; half a level is lost when gray is rounded.
    budget = threshold + 0.5 - ROUNDING
    if budget < GRAY_PER_Y or earlier.kind != later.kind:
        height, width = later.samples[0].shape
        return Region(0, 0, width, height)
    # Levels by which the samples of each plane may differ without exceeding its share of the budget.
    shares = (SHARE_Y * budget / GRAY_PER_Y, SHARE_U * budget / GRAY_PER_U, SHARE_V * budget / GRAY_PER_V)
    # One box per plane, in pixels of the picture, around the samples that differ by more.
    boxes = [
        _differing(before, after, int(share), scale)
        for before, after, share, scale in zip(earlier.samples, later.samples, shares, (1, 2, 2), strict=True)
    ]
    regions = [box for box in boxes if box is not None]
    if not regions:
        return None
    # The smallest region that contains all boxes.
    lefts, tops, rights, bottoms = zip(*regions, strict=True)
    return Region(min(lefts), min(tops), max(rights), max(bottoms))


def _differing(earlier: np.ndarray, later: np.ndarray, at_most: int, scale: int) -> Region | None:
    """Return the bounding box, in pixels of the picture, of the samples that differ by more than `at_most`.

    Args:
        earlier, later: uint8 (h, w), the same plane of two frames.
        at_most: levels.
        scale: pixels of the picture per sample along each side.
    """
    # Most planes of most pairs differ by less; one pass that writes no memory finds that out.
    if cv2.norm(earlier, later, cv2.NORM_INF) <= at_most:
        return None
    difference = cv2.absdiff(earlier, later)
    _, mask = cv2.threshold(difference, at_most, 1, cv2.THRESH_BINARY, dst=difference)
    x, y, width, height = cv2.boundingRect(mask)
    return Region(scale * x, scale * y, scale * (x + width), scale * (y + height))


def _samples(plane: VideoPlane) -> np.ndarray:
    # A plane exposes its memory through the buffer protocol, which PyAV's type stubs do not declare.
    memory = np.frombuffer(plane, np.uint8, plane.height * plane.line_size)  # pyright: ignore[reportArgumentType, reportCallIssue]
    rows = memory.reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]
