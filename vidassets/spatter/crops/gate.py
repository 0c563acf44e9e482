"""Where two decoded frames can differ at all, read off their planes before any colour is made.

Most of a powder bed is the same from frame to frame. The planes of a decoded frame are half the size of its BGR pixels,
and comparing them costs a tenth of making, comparing and graying those. What is left out is provably below the
threshold, so nothing that is found changes.
"""

from typing import NamedTuple

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from vidassets.media.pictures import clockwise_turn
from vidassets.spatter.crops.region import Region

# Gray levels by which the gray of |BGR difference| can change for each level of Y, U, V: the weights of gray times the
# largest coefficient that any matrix and range has (BT.601, 709, 2020, SMPTE 240M, FCC; limited range).
# Y 255/219; U .114 * 2.142 (BT.2020) + .587 * .391 (601); V .299 * 1.793 (709) + .587 * .813 (601).
GRAY_PER_Y, GRAY_PER_U, GRAY_PER_V = 1.165, 0.475, 1.014
# Fixed-point conversion rounds each term of each channel, of both frames, and gray once more.
ROUNDING = 4.0
# How the threshold is shared among the planes: where each plane differs by no more than its share, gray stays below.
SHARE_Y, SHARE_U, SHARE_V = 0.56, 0.12, 0.32

# Here one chroma sample colours exactly its two by two pixels, when both sides are even.
EIGHT_BIT_420 = frozenset({"yuv420p", "yuvj420p"})


class Planes(NamedTuple):
    """The samples of a frame whose pixels each depend on one sample of each plane, by a known matrix.

    `kind` is what two frames need in common; `samples` are Y, U, V: uint8 (H, W) and half that, on the frame's memory.
    """

    kind: tuple[object, ...]
    samples: tuple[np.ndarray, ...]


def planes_of(frame: VideoFrame) -> Planes | None:
    """The planes of a frame; None where they do not tell: turned, odd sides, other pixel formats."""
    kind = (frame.format.name, frame.width, frame.height, frame.colorspace, frame.color_range)
    if kind[0] not in EIGHT_BIT_420 or frame.width % 2 or frame.height % 2 or clockwise_turn(frame):
        return None
    return Planes(kind, tuple(_samples(plane) for plane in frame.planes))


def changed_region(earlier: Planes, later: Planes, threshold: int) -> Region | None:
    """A region outside of which the gray of the difference is at most `threshold`; None where that is everywhere.

    The whole picture where the two are of different kinds, or rounding alone may reach the threshold.
    """
    budget = threshold + 0.5 - ROUNDING
    if budget < GRAY_PER_Y or earlier.kind != later.kind:
        height, width = later.samples[0].shape
        return Region(0, 0, width, height)
    shares = (SHARE_Y * budget / GRAY_PER_Y, SHARE_U * budget / GRAY_PER_U, SHARE_V * budget / GRAY_PER_V)
    found = [
        _differing(before, after, int(share), scale)
        for before, after, share, scale in zip(earlier.samples, later.samples, shares, (1, 2, 2), strict=True)
    ]
    regions = [region for region in found if region is not None]
    if not regions:
        return None
    lefts, tops, rights, bottoms = zip(*regions, strict=True)
    return Region(min(lefts), min(tops), max(rights), max(bottoms))


def _differing(earlier: np.ndarray, later: np.ndarray, at_most: int, scale: int) -> Region | None:
    """The bounding box, in pixels of the picture, of samples that differ by more than `at_most`."""
    # Most planes of most pairs do not: one pass that writes nothing tells.
    if cv2.norm(earlier, later, cv2.NORM_INF) <= at_most:
        return None
    difference = cv2.absdiff(earlier, later)
    _, mask = cv2.threshold(difference, at_most, 1, cv2.THRESH_BINARY, dst=difference)
    x, y, width, height = cv2.boundingRect(mask)
    return Region(scale * x, scale * y, scale * (x + width), scale * (y + height))


def _samples(plane: VideoPlane) -> np.ndarray:
    # A plane lends its memory as a buffer, which PyAV's types do not tell.
    memory = np.frombuffer(plane, np.uint8, plane.height * plane.line_size)  # pyright: ignore[reportArgumentType, reportCallIssue]
    rows = memory.reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]
