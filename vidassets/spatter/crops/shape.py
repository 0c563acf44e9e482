"""What is measured of one spatter: how bright it is, how long against its breadth, and which way it points."""

import math
from typing import NamedTuple

import cv2
import numpy as np


class Shape(NamedTuple):
    """Measures of a contour and the crop it frames.

    Attributes:
        mean_brightness, peak_brightness: of the crop's gray, 0 … 1.
        eccentricity: of the ellipse with the contour's second moments; 0 a circle, towards 1 a line.
        orientation_deg: from the x axis to that ellipse's long axis, clockwise as seen, in [0, 180).
    """

    mean_brightness: float
    peak_brightness: float
    eccentricity: float
    orientation_deg: float


def shape_of(contour: np.ndarray, crop: np.ndarray) -> Shape:
    """Measures of a contour, int32 (N, 1, 2), and its crop, BGR uint8 (H, W, 3).

    A contour that encloses nothing has no ellipse: eccentricity and orientation 0.
    """
    gray = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    _, peak, _, _ = cv2.minMaxLoc(gray)
    eccentricity, orientation_deg = _ellipse(contour)
    return Shape(cv2.mean(gray)[0] / 255, peak / 255, eccentricity, orientation_deg)


def _ellipse(contour: np.ndarray) -> tuple[float, float]:
    moments = cv2.moments(contour)
    xx, yy, xy = moments["mu20"], moments["mu02"], moments["mu11"]
    spread = math.hypot(xx - yy, 2 * xy)
    # Eigenvalues of the covariance, times twice the area: (xx + yy ± spread).
    longest = xx + yy + spread
    if moments["m00"] <= 0 or longest <= 0:
        return 0.0, 0.0
    eccentricity = math.sqrt(min(1.0, 2 * spread / longest))
    return eccentricity, math.degrees(0.5 * math.atan2(2 * xy, xx - yy)) % 180
