"""The plain algorithm: one thread, only OpenCV, whole pictures. Extraction must equal it byte for byte."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np


class ReferenceCrop(NamedTuple):
    frame: int
    box_xyxy: tuple[int, int, int, int]
    area_px: float
    jpeg: bytes


def pictures_by_opencv(path: Path) -> Iterator[np.ndarray]:
    """Yield every picture, BGR, decoded by one thread."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    while True:
        found, picture = capture.read()
        if not found:
            return
        yield picture


def reference_crops(
    pictures: Iterable[np.ndarray],
    *,
    start_frame: int = 0,
    left_bound: int = 0,
    right_bound: int | None = None,
    min_area_px: float = 2000,
    max_area_px: float = 15000,
    difference_threshold: int = 20,
) -> Iterator[ReferenceCrop]:
    kernel = np.ones((3, 3), np.uint8)
    earlier = None
    for video_frame, picture in enumerate(pictures):
        if video_frame < start_frame:
            continue
        later = picture[:, left_bound:right_bound]
        if earlier is not None:
            gray = cv2.cvtColor(cv2.absdiff(earlier, later), cv2.COLOR_BGR2GRAY)
            blurred = cv2.GaussianBlur(gray, (5, 5), 0)
            _, mask = cv2.threshold(blurred, difference_threshold, 255, cv2.THRESH_BINARY)
            mask = cv2.dilate(mask, kernel, iterations=3)
            contours, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
            for contour in contours:
                x, y, width, height = cv2.boundingRect(contour)
                area_px = cv2.contourArea(contour)
                crop = earlier[y + 2 : y + height - 1, x + 2 : x + width - 1]
                if not min_area_px <= area_px <= max_area_px or not crop.size:
                    continue
                if np.sum(crop[:, :, 0]) > np.sum(crop[:, :, 1]) + np.sum(crop[:, :, 2]):
                    continue
                box = (left_bound + x, y, left_bound + x + width, y + height)
                jpeg = cv2.imencode(".jpg", crop)[1].tobytes()
                yield ReferenceCrop(video_frame - 1 - start_frame, box, area_px, jpeg)
        earlier = later
