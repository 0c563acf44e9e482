"""Shots out of stored scores: thresholds and lengths, no inference, a few milliseconds for an hour of video."""

from bisect import bisect
from typing import NamedTuple

import numpy as np
import polars as pl

from vidassets.errors import EmptyVideo, SchemaViolation
from vidassets.shots.scorer import shot_model

# Blinks of a few frames are flashes, not shots: 0.25 s is 6 frames of film. Chosen here.
MIN_LENGTH_S = 0.25
# A frame more likely than not part of a transition is held to be part of one.
TRANSITION_PROBABILITY = 0.5
# Of a cut at most the last and the first frame show any of the transition; what spans three or more is gradual.
GRADUAL_FRAMES = 3
# Presentation times are rounded to the container's clock: a length is not refused for less than this.
CLOCK_S = 1e-6


class _Boundary(NamedTuple):
    """Where a shot begins: its first frame, that frame's time, how strong, how."""

    frame: int
    start_s: float
    score: float
    transition: str


def shots_from_scores(
    clip: str,
    scores: pl.DataFrame,
    end_s: float,
    threshold: float | None = None,
    min_length_s: float = MIN_LENGTH_S,
) -> pl.DataFrame:
    """One row per shot, contiguous, half-open, covering the clip; columns in `schemas.Shots`.

    A transition is a run of frames which score at least `threshold`, or of which the model says that they are part of
    one. Its frames belong to the shots beside it, up to the middle of it. One that the clip begins or ends in (a fade
    from or to black) bounds nothing. Of boundaries that would leave a shot shorter than `min_length_s` the weaker go.

    Args:
        clip: partition key.
        scores: rows of `schemas.ShotScores` of one clip.
        end_s: end of the last frame, after its pts_s, on the same clock.
        threshold: on the model's own scale; None for the model's default.
        min_length_s: seconds.
    Raises:
        EmptyVideo: no scores.
        SchemaViolation: times that do not increase, or end_s not after them.
        ProfileError: a model without a default threshold, and no threshold given.
    """
    scores = scores.sort("video_frame")
    pts_s = scores["pts_s"].to_numpy()
    _check_times(clip, pts_s, end_s)
    if threshold is None:
        threshold = shot_model(scores["model"][0]).default_threshold
    score = scores["score"].to_numpy()
    many_hot = scores["many_hot"].fill_null(0.0).to_numpy()

    boundaries = _boundaries(pts_s, score, many_hot, threshold)
    kept = _far_enough_apart(boundaries, float(pts_s[0]), end_s, min_length_s)
    first = np.array([0, *(boundary.frame for boundary in kept)])
    past = np.append(first[1:], len(pts_s))
    start_s = pts_s[first]
    shot_end_s = np.append(start_s[1:], end_s)
    middle = _nearest(pts_s, (start_s + shot_end_s) / 2, first, past)
    return pl.DataFrame(
        {
            "clip": [clip] * len(first),
            "shot_index": pl.Series(range(len(first)), dtype=pl.Int32),
            "start_s": pl.Series(start_s, dtype=pl.Float64),
            "end_s": pl.Series(shot_end_s, dtype=pl.Float64),
            "n_frames": pl.Series(past - first, dtype=pl.Int64),
            "transition": ["start", *(boundary.transition for boundary in kept)],
            "transition_score": pl.Series([None, *(boundary.score for boundary in kept)], dtype=pl.Float32),
            "representative_s": pl.Series(pts_s[middle], dtype=pl.Float64),
        }
    )


def _check_times(clip: str, pts_s: np.ndarray, end_s: float) -> None:
    mend = f"Recompute its shot scores: `vidassets run --clips {clip} --force`."
    if len(pts_s) == 0:
        raise EmptyVideo(f"{clip}: no frame was scored, so there is no shot. {mend}")
    if backward := np.flatnonzero(np.diff(pts_s) < 0).tolist():
        raise SchemaViolation(
            f"{clip}: pts_s of video_frame {backward[0] + 1} is {pts_s[backward[0] + 1]}, before that of the frame "
            f"before it, {pts_s[backward[0]]}. {mend}"
        )
    if not end_s > pts_s[-1]:
        raise SchemaViolation(f"{clip}: end_s is {end_s}, but the last frame comes at {pts_s[-1]} s. {mend}")


def _boundaries(pts_s: np.ndarray, score: np.ndarray, many_hot: np.ndarray, threshold: float) -> list[_Boundary]:
    """Every transition that lies inside the clip, in order of time."""
    n_frames = len(score)
    inside = np.concatenate([[False], (score >= threshold) | (many_hot >= TRANSITION_PROBABILITY), [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    found: list[_Boundary] = []
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        reaching = np.flatnonzero(score[begin:end] >= threshold)
        # A shot of one frame may come first; a longer run there is a transition from nothing.
        if len(reaching) == 0 or end == n_frames or (begin == 0 and end > 1):
            continue
        peak = begin + int(np.argmax(score[begin:end]))
        if end - begin >= GRADUAL_FRAMES:
            transition = "gradual"
            # The score is highest in the middle of a transition: what reaches the threshold lies around it.
            middle_s = (pts_s[begin + reaching[0] + 1] + pts_s[begin + reaching[-1] + 1]) / 2
            frame = int(np.searchsorted(pts_s, middle_s))
        else:
            transition, frame = "cut", peak + 1
        found.append(_Boundary(frame, float(pts_s[frame]), float(score[peak]), transition))
    return found


def _far_enough_apart(
    boundaries: list[_Boundary], begin_s: float, end_s: float, min_length_s: float
) -> list[_Boundary]:
    """The boundaries that leave no shot too short, the strong chosen first, in order of time."""
    least_s = max(min_length_s - CLOCK_S, CLOCK_S / 2)
    times_s = [begin_s, end_s]
    kept: list[_Boundary] = []
    for boundary in sorted(boundaries, key=lambda boundary: (-boundary.score, boundary.frame)):
        at = bisect(times_s, boundary.start_s)
        before_s, after_s = times_s[at - 1], times_s[at] if at < len(times_s) else end_s
        if boundary.start_s - before_s >= least_s and after_s - boundary.start_s >= least_s:
            times_s.insert(at, boundary.start_s)
            kept.append(boundary)
    return sorted(kept)


def _nearest(pts_s: np.ndarray, wanted_s: np.ndarray, first: np.ndarray, past: np.ndarray) -> np.ndarray:
    """Of the frames first … past (excluded) of each shot the one nearest to wanted_s; the earlier of two."""
    after = np.clip(np.searchsorted(pts_s, wanted_s), first, past - 1)
    before = np.maximum(after - 1, first)
    return np.where(wanted_s - pts_s[before] <= pts_s[after] - wanted_s, before, after)
