"""What finding shots needs of a model, and what is known of the models there are.

What does not belong here: the models themselves (`resources/shot_models.py`), which need packages of their own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from vidassets.errors import ProfileError


@dataclass(frozen=True)
class ShotModel:
    """A model's name, as the column `model` of `schemas.ShotScores` tells it, and what belongs to that name.

    Args:
        name: stored with every score.
        frame_size: (width, height) in pixels of the pictures that it scores.
        default_threshold: a shot ends where the score reaches it; on the model's own scale.
    """

    name: str
    frame_size: tuple[int, int]
    default_threshold: float


# Soucek and Lokoc, "TransNet V2", arXiv:2008.04838: 48x27 pictures, threshold 0.5. Of 130 transitions, measured for
# this project, that found 83 %, and 0.4 with black borders cropped first 98.5 %, neither with a false one;
# benchmarks/shot_accuracy.py shows both steps on fewer.
TRANSNETV2 = ShotModel("transnetv2", frame_size=(48, 27), default_threshold=0.4)

# PySceneDetect's own defaults: it scales to at least 256 px of width, and cuts at a ratio of 3.0.
SCENEDETECT_ADAPTIVE = ShotModel("scenedetect-adaptive", frame_size=(256, 144), default_threshold=3.0)


def shot_model(name: str) -> ShotModel:
    """The known model of that name.

    Raises:
        ProfileError: no model is called so.

    >>> shot_model("transnetv2").default_threshold
    0.4
    """
    known = {model.name: model for model in (TRANSNETV2, SCENEDETECT_ADAPTIVE)}
    if name not in known:
        raise ProfileError(
            f"{name}: no shot model of this name; known are {', '.join(known)}. Give a threshold with it."
        )
    return known[name]


class FrameScores(NamedTuple):
    """Scores of consecutive frames.

    `score`: float32 (N,), how likely a shot ends with this frame, on the model's own scale, ≥ 0.
    `many_hot`: float32 (N,), probability that the frame is any part of a transition; None if the model has no such.
    """

    score: np.ndarray
    many_hot: np.ndarray | None


class ShotScorer(Protocol):
    """What the topic needs of a model."""

    @property
    def model(self) -> ShotModel:
        """Name, picture size and default threshold."""
        ...

    def score(self, batches: Iterable[np.ndarray]) -> Iterator[FrameScores]:
        """One score for every frame, in their order; a score may come later than its frame, none is held for long.

        Args:
            batches: uint8 (N, height, width, 3) RGB pictures of `model.frame_size`, consecutive, N free.
        """
        ...
