"""Find the contours of the difference between two frames, computing only the part that differs.

The steps (difference, gray, blur, threshold, dilation, contours) give what the plain algorithm gives on whole pictures
(`vidassets_tests/spatter/crops/reference.py`), but work on the smallest region that can affect the result.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from vidassets.spatter.crops.region import Region

DILATIONS = 3
KERNEL = (5, 5)
# Blur spreads a change by 2 px, dilation by 3 more. The computed region extends 3 px further, so that no change is near
# its border, where the blur mirrors pixels and the contour search clips.
SPREAD_PX = KERNEL[0] // 2 + DILATIONS
MARGIN_PX = SPREAD_PX + 3


def contours_of_change(
    earlier: np.ndarray, later: np.ndarray, region: Region, threshold: int, min_area_px: float
) -> Sequence[np.ndarray]:
    """Return the contours of the difference, int32 (N, 1, 2) each, in the order in which OpenCV finds them.

    If no contour can reach `min_area_px`, the result may be empty.

    Args:
        earlier, later: BGR uint8 (H, W, 3).
        region: outside of it the gray of the difference is at most `threshold`.
        threshold: a pixel has changed if its blurred difference is above this gray level.
        min_area_px: the smallest contour area that the caller needs.
    """
    height, width = earlier.shape[:2]
    if largest_area(region) < min_area_px:
        return ()
    # Gray of the difference within the region and its margin: uint8 (y2 - y1, x2 - x1).
    x1, y1, x2, y2 = region.grown(MARGIN_PX, width, height)
    gray = cv2.cvtColor(cv2.absdiff(earlier[y1:y2, x1:x2], later[y1:y2, x1:x2]), cv2.COLOR_BGR2GRAY)
    # Shrink to the bounding box of the differing pixels: a blurred pixel exceeds the threshold only if a pixel under
    # the kernel does.
    _, mask = cv2.threshold(gray, threshold, 255, cv2.THRESH_BINARY)
    left, top, box_width, box_height = cv2.boundingRect(mask)
    changed = Region(left, top, left + box_width, top + box_height)
    if not box_width or largest_area(changed) < min_area_px:
        return ()
    # Blur, threshold and dilate that box with its margin: uint8 (inner height, inner width).
    inner = changed.grown(MARGIN_PX, gray.shape[1], gray.shape[0])
    blurred = cv2.GaussianBlur(gray[inner.y1 : inner.y2, inner.x1 : inner.x2], KERNEL, 0)
    _, mask = cv2.threshold(blurred, threshold, 255, cv2.THRESH_BINARY)
    mask = cv2.dilate(mask, np.ones((3, 3), np.uint8), iterations=DILATIONS)
    # Find contours in the coordinates of the whole frame.
    offset = (x1 + inner.x1, y1 + inner.y1)
    contours, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE, offset=offset)
    return contours


def largest_area(changed: Region) -> int:
    """Return the largest contour area that changes within the region can cause.

    A contour runs through pixel centres, so each side counts one pixel less than the dilated region has.
    """
    width, height = changed.size
    return (width + 2 * SPREAD_PX - 1) * (height + 2 * SPREAD_PX - 1)
