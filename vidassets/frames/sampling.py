"""Which times of a clip to sample, on its own clock, and the reason for each."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import polars as pl

from vidassets.errors import InvalidSetting

Reason = Literal["interval", "shot_midpoint"]


class SampleTime(NamedTuple):
    """A time at which the picture on screen is sampled, and why."""

    wanted_s: float
    reason: Reason


def sample_times(
    first_pts_s: float, duration_s: float, interval_s: float = 10.0, max_frames: int | None = None
) -> list[float]:
    """Return the middle of each `interval_s` of a clip: 5, 15, 25 … for an interval of ten seconds.

    A remainder of half an interval or less is not sampled, unless the whole clip is that short: then its middle is.
    If there would be more than `max_frames` times, the clip is divided into `max_frames` equal parts instead and the
    middle of each is returned, so that its end is covered as well as its beginning.

    Args:
        first_pts_s: start of the clip's clock; may be negative.
        duration_s: from there to the end of the last frame. 0 is a single picture of unknown length.
        interval_s: above 0.
        max_frames: at least 1, or None for no limit.

    Returns:
        At least one time, in order, each before the end of the clip (at its start if it lasts 0 s).

    Raises:
        InvalidSetting: a value is outside these ranges.

    >>> sample_times(first_pts_s=0.0, duration_s=30.0)
    [5.0, 15.0, 25.0]
    >>> sample_times(first_pts_s=0.5, duration_s=4.0)
    [2.5]
    """
    _check_settings(first_pts_s, duration_s, interval_s, max_frames)
    end_s = first_pts_s + duration_s
    n_intervals = math.ceil(duration_s / interval_s - 0.5)
    if n_intervals < 1:
        return [first_pts_s + duration_s / 2]
    if max_frames is not None and n_intervals > max_frames:
        n_intervals, interval_s = max_frames, duration_s / max_frames
    times_s = (first_pts_s + interval_s * (k + 0.5) for k in range(n_intervals))
    # The last product may round up to the end itself, where nothing is on screen.
    return [time_s for time_s in times_s if time_s < end_s] or [first_pts_s]


def shot_midpoints(shots: pl.DataFrame) -> list[float]:
    """Return the presentation time of the frame nearest each shot's middle, in order.

    This is `representative_s` of the shot rather than the mean of start and end, so that it equals `pts_s` of the
    sampled frame.

    Args:
        shots: columns in `schemas.Shots`.
    """
    return shots["representative_s"].sort().to_list()


def merge_times(
    interval_s: Sequence[float], midpoints_s: Sequence[float] = (), max_frames: int | None = None
) -> list[SampleTime]:
    """Merge times of both kinds in order; a time with both reasons counts as `interval`.

    Two different times can still fall on the same picture: `frames_table` keeps that picture once.

    Args:
        interval_s: from `sample_times`.
        midpoints_s: from `shot_midpoints`.
        max_frames: if there are more times, this many are kept, chosen evenly.

    >>> merge_times([5.0, 15.0], [2.0, 15.0])[1:]
    [SampleTime(wanted_s=5.0, reason='interval'), SampleTime(wanted_s=15.0, reason='interval')]
    """
    reasons: dict[float, Reason] = dict.fromkeys(midpoints_s, "shot_midpoint")
    reasons |= dict.fromkeys(interval_s, "interval")
    times = [SampleTime(wanted_s, reasons[wanted_s]) for wanted_s in sorted(reasons)]
    if max_frames is None:
        return times
    return [times[index] for index in evenly_chosen(len(times), max_frames)]


def evenly_chosen(n_items: int, at_most: int) -> list[int]:
    """Return the indices of at most `at_most` of `n_items` items: the middle item of each of that many equal parts.

    >>> evenly_chosen(10, 3)
    [1, 5, 8]
    """
    n_chosen = min(n_items, at_most)
    return [(2 * part + 1) * n_items // (2 * n_chosen) for part in range(n_chosen)]


def _check_settings(first_pts_s: float, duration_s: float, interval_s: float, max_frames: int | None) -> None:
    if not (math.isfinite(first_pts_s) and math.isfinite(duration_s) and duration_s >= 0):
        raise InvalidSetting(
            f"A clip that begins at {first_pts_s} s and lasts {duration_s} s cannot be sampled: both must be finite "
            "and the duration not negative. Materialise its raw_clip again and look at the problems it lists."
        )
    if not (math.isfinite(interval_s) and interval_s > 0):
        raise InvalidSetting(f"interval_s is {interval_s}: set it above 0 seconds, such as 10.")
    if max_frames is not None and max_frames < 1:
        raise InvalidSetting(f"max_frames is {max_frames}: set it to 1 or more, or leave it out for no limit.")
