"""Scores of every frame by PySceneDetect's AdaptiveDetector, which is imported inside functions only."""

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np

from vidassets.shots.scorer import FrameScores

CONTENT_VALUE = "content_val"  # its name in PySceneDetect's statistics


class _Statistics:
    """Replacement for PySceneDetect's StatsManager, of which the detector only calls `set_metrics`.

    The original keeps every figure of the whole video; this class keeps only the ratios not yet fetched.
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
    """Yield the detector's ratio for each frame and the next one; 0 if the change is below `min_content_val`.

    PySceneDetect assigns the ratio of a cut to the first frame of the new shot. Here it is the score of the frame
    before, the last one of its shot. Frames at both ends of the clip lack neighbours to compare with and score 0.

    Args:
        batches: uint8 (N, height, width, 3) RGB, consecutive.
        window_width: number of frames before and after that a change is compared with.
        min_content_val: least change of hue, saturation and value, 0 to 255.
    """
    from scenedetect.common import FrameTimecode
    from scenedetect.detectors import AdaptiveDetector

    detector: Any = AdaptiveDetector(window_width=window_width, min_content_val=min_content_val)
    detector.stats_manager = statistics = _Statistics(min_content_val)
    n_frames = n_scored = 0
    for pixels in batches:
        for picture in pixels:
            # The ratio depends on frame numbers only, so any frame rate will do.
            detector.process_frame(FrameTimecode(n_frames, 25.0), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            n_frames += 1
        ratios = statistics.fetch()
        # The first ratio belongs to frame window_width - 1: frames before it score 0.
        if ratios and n_scored == 0:
            ratios = [0.0] * (window_width - 1) + ratios
        n_scored += len(ratios)
        yield FrameScores(np.array(ratios, np.float32), None)
    # The last frames have no ratio: they score 0.
    yield FrameScores(np.zeros(n_frames - n_scored, np.float32), None)
