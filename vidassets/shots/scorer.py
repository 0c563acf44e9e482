"""The interface of a shot model, and the constants of the known models.

The models themselves are in `resources/shot_models.py`, because they need packages of their own.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from vidassets.errors import ProfileError


@dataclass(frozen=True)
class ShotModel:
    """A shot model's name, input size and default threshold.

    Args:
        name: stored with every score, in the column `model` of `schemas.ShotScores`.
        frame_size: (width, height) in pixels of the pictures that it scores.
        default_threshold: score at which a shot ends, on the model's own scale.
        certain_score: score of a boundary that is real even if it makes a very short shot; infinite if high scores are
            no evidence of that.
    """

    name: str
    frame_size: tuple[int, int]
    default_threshold: float
    certain_score: float = math.inf


# Soucek and Lokoc, "TransNet V2", arXiv:2008.04838: 48x27 pictures, threshold 0.5. Measured for this project on 130
# transitions: that finds 83 %, and 0.4 with black borders cropped first finds 98.5 %, both without false positives.
# benchmarks/shot_accuracy.py shows both steps on fewer transitions. Flashes of one to four frames in real footage score
# up to 0.68, cuts that leave a shot of two to five frames mostly more than 0.75: see its table of short shots.
TRANSNETV2 = ShotModel("transnetv2", frame_size=(48, 27), default_threshold=0.4, certain_score=0.7)

# PySceneDetect's own defaults: it scales to at least 256 px of width, and cuts at a ratio of 3.0. A flash has as high a
# ratio as a cut, so no ratio is certain.
SCENEDETECT_ADAPTIVE = ShotModel("scenedetect-adaptive", frame_size=(256, 144), default_threshold=3.0)


KNOWN_MODELS = {model.name: model for model in (TRANSNETV2, SCENEDETECT_ADAPTIVE)}


def shot_model(name: str) -> ShotModel:
    """Return the known model of this name.

    Raises:
        ProfileError: no model has this name.

    >>> shot_model("transnetv2").default_threshold
    0.4
    """
    if name not in KNOWN_MODELS:
        raise ProfileError(
            f"{name}: no shot model of this name, known are {', '.join(KNOWN_MODELS)}. "
            "Set `threshold` for other models."
        )
    return KNOWN_MODELS[name]


def certain_score_of(name: str) -> float:
    """Return the `certain_score` of the model of this name; infinite if the model is not known.

    >>> certain_score_of("transnetv2"), certain_score_of("another model")
    (0.7, inf)
    """
    return KNOWN_MODELS[name].certain_score if name in KNOWN_MODELS else math.inf


class FrameScores(NamedTuple):
    """Scores of consecutive frames.

    `score`: float32 (N,), how likely a shot ends with this frame, on the model's own scale, ≥ 0.
    `many_hot`: float32 (N,), probability that the frame is part of a transition; None if the model has no such output.
    """

    score: np.ndarray
    many_hot: np.ndarray | None


class ShotScorer(Protocol):
    """Anything that scores frames: the interface of a shot model."""

    @property
    def model(self) -> ShotModel:
        """Name, picture size and default threshold."""
        ...

    def score(self, batches: Iterable[np.ndarray]) -> Iterator[FrameScores]:
        """Yield one score per frame, in order; a score may come a few frames later than its frame.

        Args:
            batches: uint8 (N, height, width, 3) RGB pictures of `model.frame_size`, consecutive, N free.
        """
        ...
