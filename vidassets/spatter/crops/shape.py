"""Measure one spatter: brightness, eccentricity and orientation."""

import math
from typing import NamedTuple

import cv2
import numpy as np


class Shape(NamedTuple):
    """Measurements of a contour and its crop.

    Attributes:
        mean_brightness, peak_brightness: mean and maximum of the crop's gray, 0 … 1.
        eccentricity: of the ellipse with the contour's second moments; 0 for a circle, towards 1 for a line.
        orientation_deg: from the x axis to that ellipse's long axis, clockwise as seen, in [0, 180).
    """

    mean_brightness: float
    peak_brightness: float
    eccentricity: float
    orientation_deg: float


def shape_of(contour: np.ndarray, crop: np.ndarray) -> Shape:
    """Measure a contour, int32 (N, 1, 2), and its crop, BGR uint8 (H, W, 3).

    A contour that encloses no area has no ellipse: its eccentricity and orientation are 0.
    """
    gray = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    _, peak, _, _ = cv2.minMaxLoc(gray)
    eccentricity, orientation_deg = _ellipse(contour)
    return Shape(cv2.mean(gray)[0] / 255, peak / 255, eccentricity, orientation_deg)


def _ellipse(contour: np.ndarray) -> tuple[float, float]:
    # Second central moments, three scalars: the covariance of the enclosed area, times that area.
    moments = cv2.moments(contour)
    xx, yy, xy = moments["mu20"], moments["mu02"], moments["mu11"]
    spread = math.hypot(xx - yy, 2 * xy)
    # Its eigenvalues times two are xx + yy ± spread; the larger belongs to the long axis.
    longest = xx + yy + spread
    if moments["m00"] <= 0 or longest <= 0:
        return 0.0, 0.0
    # sqrt(1 - smaller / larger eigenvalue).
    eccentricity = math.sqrt(min(1.0, 2 * spread / longest))
    return eccentricity, math.degrees(0.5 * math.atan2(2 * xy, xx - yy)) % 180
