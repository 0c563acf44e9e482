"""Turn stored scores into shots by thresholds and lengths, without inference: milliseconds for an hour of video."""

from bisect import bisect
from typing import NamedTuple

import numpy as np
import polars as pl

from vidassets.errors import EmptyVideo, SchemaViolation
from vidassets.shots.scorer import certain_score_of, shot_model

# A few frames are a flash, not a shot, unless the model is certain: 0.25 s is 6 frames at 24 fps. Chosen here.
MIN_LENGTH_S = 0.25
# A frame that is more likely than not part of a transition counts as part of it.
TRANSITION_PROBABILITY = 0.5
# A cut affects at most the last frame and the first one: a transition of three or more frames is gradual.
GRADUAL_FRAMES = 3
# Presentation times are rounded to the container's clock: lengths are compared with this tolerance, seconds.
CLOCK_S = 1e-6


class _Boundary(NamedTuple):
    """The start of a shot: its first frame, that frame's time, the peak score and the kind of transition."""

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
    certain_score: float | None = None,
) -> pl.DataFrame:
    """Return one row per shot, contiguous, half-open and covering the clip, with the columns of `schemas.Shots`.

    A transition is a run of frames that score at least `threshold` or that the model counts as part of a transition.
    It is split in its middle between the two shots. A transition at the start or end of the clip (a fade from or to
    black) is no boundary. If a shot would be shorter than `min_length_s`, the weaker boundary is dropped, unless it
    scores at least `certain_score`.

    Args:
        clip: partition key.
        scores: rows of `schemas.ShotScores` of one clip.
        end_s: end of the last frame, on the same clock; later than its pts_s.
        threshold: on the model's own scale; None for the model's default.
        min_length_s: seconds.
        certain_score: on the model's own scale; None for the model's default, infinite for an unknown model.
    Raises:
        EmptyVideo: there are no scores.
        SchemaViolation: times decrease, or end_s is not after the last one.
        ProfileError: no threshold is given and the model has no default.
    """
    scores = scores.sort("video_frame")
    pts_s = scores["pts_s"].to_numpy()
    _check_times(clip, pts_s, end_s)
    if threshold is None:
        threshold = shot_model(scores["model"][0]).default_threshold
    if certain_score is None:
        certain_score = certain_score_of(scores["model"][0])
    score = scores["score"].to_numpy()
    many_hot = scores["many_hot"].fill_null(0.0).to_numpy()

    boundaries = _boundaries(pts_s, score, many_hot, threshold)
    kept = _far_enough_apart(boundaries, float(pts_s[0]), end_s, min_length_s, certain_score)
    # For each of S shots: its first frame, the frame past its last one, and both times, each of shape (S,).
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
    fix = f"Recompute its shot scores: `vidassets run --clips {clip} --force`."
    if len(pts_s) == 0:
        raise EmptyVideo(f"{clip}: no frame was scored, so there are no shots. {fix}")
    if backward := np.flatnonzero(np.diff(pts_s) < 0).tolist():
        raise SchemaViolation(
            f"{clip}: pts_s of video_frame {backward[0] + 1} is {pts_s[backward[0] + 1]}, less than that of the "
            f"previous frame, {pts_s[backward[0]]}. {fix}"
        )
    if not end_s > pts_s[-1]:
        raise SchemaViolation(f"{clip}: end_s is {end_s}, but the last frame comes at {pts_s[-1]} s. {fix}")


def _boundaries(pts_s: np.ndarray, score: np.ndarray, many_hot: np.ndarray, threshold: float) -> list[_Boundary]:
    """Return one boundary per transition inside the clip, in order of time.

    Args:
        pts_s: float64 (N,), one per frame, as are `score` and `many_hot`.
        score: float32 (N,).
        many_hot: float32 (N,).
        threshold: on the scale of `score`.
    """
    n_frames = len(score)
    # Whether each frame is in a transition, padded with False at both ends: bool (N + 2,).
    inside = np.concatenate([[False], (score >= threshold) | (many_hot >= TRANSITION_PROBABILITY), [False]])
    # Runs of True as [begin, end) pairs of frame indices: int (2 * runs,).
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    found: list[_Boundary] = []
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        # Frames of the run, relative to begin, whose score reaches the threshold.
        reaching = np.flatnonzero(score[begin:end] >= threshold)
        # A clip may begin with a shot of one frame. A longer run at the start is a fade-in, one at the end a fade-out.
        if len(reaching) == 0 or end == n_frames or (begin == 0 and end > 1):
            continue
        peak = begin + int(np.argmax(score[begin:end]))
        if end - begin >= GRADUAL_FRAMES:
            transition = "gradual"
            # The score peaks in the middle of a transition, so the frames that reach the threshold surround it.
            middle_s = (pts_s[begin + reaching[0] + 1] + pts_s[begin + reaching[-1] + 1]) / 2
            frame = int(np.searchsorted(pts_s, middle_s))
        else:
            # Of frames with equal times, the first: a shot ends before its end time.
            transition, frame = "cut", int(np.searchsorted(pts_s, pts_s[peak + 1]))
        found.append(_Boundary(frame, float(pts_s[frame]), float(score[peak]), transition))
    return found


def _far_enough_apart(
    boundaries: list[_Boundary], begin_s: float, end_s: float, min_length_s: float, certain_score: float
) -> list[_Boundary]:
    """Return the boundaries that leave no shot too short or are certain, in order of time; stronger ones come first."""
    shortest_s = CLOCK_S / 2
    times_s = [begin_s, end_s]
    kept: list[_Boundary] = []
    for boundary in sorted(boundaries, key=lambda boundary: (-boundary.score, boundary.frame)):
        at = bisect(times_s, boundary.start_s)
        least_s = shortest_s if boundary.score >= certain_score else max(min_length_s - CLOCK_S, shortest_s)
        before_s, after_s = times_s[at - 1], times_s[at] if at < len(times_s) else end_s
        if boundary.start_s - before_s >= least_s and after_s - boundary.start_s >= least_s:
            times_s.insert(at, boundary.start_s)
            kept.append(boundary)
    return sorted(kept)


def _nearest(pts_s: np.ndarray, wanted_s: np.ndarray, first: np.ndarray, past: np.ndarray) -> np.ndarray:
    """Return, for each shot, its frame nearest to wanted_s, the earlier of two equally near.

    Args:
        pts_s: float64 (N,), one per frame.
        wanted_s: float64 (S,), one per shot.
        first: int (S,), first frame of each shot.
        past: int (S,), the frame past the last one of each shot.
    Returns:
        int (S,), frame indices.
    """
    # The first frame at or after wanted_s and the frame before it, both limited to the shot.
    after = np.clip(np.searchsorted(pts_s, wanted_s), first, past - 1)
    before = np.maximum(after - 1, first)
    return np.where(wanted_s - pts_s[before] <= pts_s[after] - wanted_s, before, after)
