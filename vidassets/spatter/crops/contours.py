"""The contours of what differs between two frames, at the cost of the part that does.

Difference, gray, blur, threshold, dilation and contours are those of the plain algorithm on whole pictures
(`vidassets_tests/spatter/crops/reference.py`), done only as far as they can matter.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from vidassets.spatter.crops.region import Region

DILATIONS = 3
KERNEL = (5, 5)
# Blur spreads a change by 2 px, dilation by 3 more. What is computed reaches further, so that neither its own border,
# which blur mirrors, nor the search for contours along it is where a change is.
SPREAD_PX = KERNEL[0] // 2 + DILATIONS
MARGIN_PX = SPREAD_PX + 3


def contours_of_change(
    earlier: np.ndarray, later: np.ndarray, region: Region, threshold: int, min_area_px: float
) -> Sequence[np.ndarray]:
    """Contours of what differs, int32 (N, 1, 2) each, in the order in which OpenCV finds them in whole pictures.

    May leave out all of them where none reaches `min_area_px`.

    Args:
        earlier, later: BGR uint8 (H, W, 3).
        region: outside of it the gray of the difference is at most `threshold`.
        threshold: gray levels of the blurred difference above which a pixel is changed.
        min_area_px: the smallest contour area that is of use.
    """
    height, width = earlier.shape[:2]
    if largest_area(region) < min_area_px:
        return ()
    x1, y1, x2, y2 = region.grown(MARGIN_PX, width, height)
    gray = cv2.cvtColor(cv2.absdiff(earlier[y1:y2, x1:x2], later[y1:y2, x1:x2]), cv2.COLOR_BGR2GRAY)
    # A blurred pixel is above the threshold only where one under its kernel is.
    _, mask = cv2.threshold(gray, threshold, 255, cv2.THRESH_BINARY)
    left, top, box_width, box_height = cv2.boundingRect(mask)
    changed = Region(left, top, left + box_width, top + box_height)
    if not box_width or largest_area(changed) < min_area_px:
        return ()
    inner = changed.grown(MARGIN_PX, gray.shape[1], gray.shape[0])
    blurred = cv2.GaussianBlur(gray[inner.y1 : inner.y2, inner.x1 : inner.x2], KERNEL, 0)
    _, mask = cv2.threshold(blurred, threshold, 255, cv2.THRESH_BINARY)
    mask = cv2.dilate(mask, np.ones((3, 3), np.uint8), iterations=DILATIONS)
    offset = (x1 + inner.x1, y1 + inner.y1)
    contours, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE, offset=offset)
    return contours


def largest_area(changed: Region) -> int:
    """The area of the largest contour that changes within the region can have; a contour runs through pixel centres."""
    width, height = changed.size
    return (width + 2 * SPREAD_PX - 1) * (height + 2 * SPREAD_PX - 1)
