"""PySceneDetect's AdaptiveDetector, fed frames and asked for its ratios. It is imported inside functions only."""

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np

from vidassets.shots.scorer import FrameScores

CONTENT_VALUE = "content_val"  # as PySceneDetect's statistics call it


class _Statistics:
    """Takes the place of PySceneDetect's StatsManager, of which the detector only calls `set_metrics`.

    The original keeps every number of an hour; this one the ratios that nobody has fetched.
    """

    def __init__(self, min_content_val: float) -> None:
        self._min_content_val = min_content_val
        self._content_values: dict[int, float] = {}
        self._ratios: list[float] = []

    def set_metrics(self, timecode: Any, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            if name == CONTENT_VALUE:
                self._content_values[timecode.frame_num] = float(value)
            elif name.startswith("adaptive_ratio"):
                changes = self._content_values.pop(timecode.frame_num, 0.0) >= self._min_content_val
                self._ratios.append(float(value) if changes else 0.0)

    def fetch(self) -> list[float]:
        ratios, self._ratios = self._ratios, []
        return ratios


def adaptive_scores(batches: Iterable[np.ndarray], window_width: int, min_content_val: float) -> Iterator[FrameScores]:
    """The ratio that decides over a cut, of each frame to the next one; 0 where the change is below `min_content_val`.

    PySceneDetect tells the ratio of the first frame of a shot; it is given to the frame before, with which a shot ends.
    Ends of the clip have no ratio and score 0: the cut's neighbours to compare with are missing there.

    Args:
        batches: uint8 (N, height, width, 3) RGB, consecutive.
        window_width: frames before and after which are compared with.
        min_content_val: least change of hue, saturation and value, 0 to 255.
    """
    from scenedetect.common import FrameTimecode
    from scenedetect.detectors import AdaptiveDetector

    detector: Any = AdaptiveDetector(window_width=window_width, min_content_val=min_content_val)
    detector.stats_manager = statistics = _Statistics(min_content_val)
    n_frames = n_scored = 0
    for pixels in batches:
        for picture in pixels:
            # Only frame numbers count for the ratio, so any frame rate does.
            detector.process_frame(FrameTimecode(n_frames, 25.0), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            n_frames += 1
        ratios = statistics.fetch()
        if ratios and n_scored == 0:
            ratios = [0.0] * (window_width - 1) + ratios
        n_scored += len(ratios)
        yield FrameScores(np.array(ratios, np.float32), None)
    yield FrameScores(np.zeros(n_frames - n_scored, np.float32), None)
