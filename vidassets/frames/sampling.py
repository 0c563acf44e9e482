"""When to look at a clip: moments on its own clock, each with the reason why it is wanted."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import polars as pl

from vidassets.errors import InvalidSetting

Reason = Literal["interval", "shot_midpoint"]


class Moment(NamedTuple):
    """A moment at which the picture on screen is wanted."""

    wanted_s: float
    reason: Reason


def sample_times(
    first_pts_s: float, duration_s: float, interval_s: float = 10.0, max_frames: int | None = None
) -> list[float]:
    """Moments spread over a clip: the middle of each `interval_s` of it, so 5, 15, 25 … for ten seconds.

    A remainder of half an interval or less gets no moment of its own, but a clip that short gets one: its
    middle. Where that would be more than `max_frames`, the clip is cut in `max_frames` equal parts instead,
    and the middle of each is taken, so that its end is seen as well as its beginning.

    Args:
        first_pts_s: where the clip's clock begins; may be negative.
        duration_s: from there to the end of the last frame. 0 is a single picture of unknown length.
        interval_s: above 0.
        max_frames: at least 1, or None for no limit.

    Returns:
        At least one moment, in order, each before the end of the clip (at its beginning where it lasts 0 s).

    Raises:
        InvalidSetting: a value outside of these.

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
    # The last product may round up onto the end itself, where nothing is on screen.
    return [time_s for time_s in times_s if time_s < end_s] or [first_pts_s]


def shot_midpoints(shots: pl.DataFrame) -> list[float]:
    """Presentation times of the frame nearest each shot's middle, in order.

    The frame that the shots table calls representative is taken, rather than the mean of start and end, so that
    `pts_s` of the frame equals `representative_s` of its shot.

    Args:
        shots: columns in `schemas.Shots`.
    """
    return shots["representative_s"].sort().to_list()


def merge_moments(
    interval_s: Sequence[float], midpoints_s: Sequence[float] = (), max_frames: int | None = None
) -> list[Moment]:
    """Moments of both kinds in order of time; one that is wanted for both reasons is named by its interval.

    Two moments that differ can still fall on the same picture: `frames_table` keeps that picture once.

    Args:
        interval_s: from `sample_times`.
        midpoints_s: from `shot_midpoints`.
        max_frames: where more moments are given, this many of them are kept, evenly over their order.

    >>> merge_moments([5.0, 15.0], [2.0, 15.0])[1:]
    [Moment(wanted_s=5.0, reason='interval'), Moment(wanted_s=15.0, reason='interval')]
    """
    reasons: dict[float, Reason] = dict.fromkeys(midpoints_s, "shot_midpoint")
    reasons |= dict.fromkeys(interval_s, "interval")
    moments = [Moment(wanted_s, reasons[wanted_s]) for wanted_s in sorted(reasons)]
    if max_frames is None:
        return moments
    return [moments[index] for index in evenly_chosen(len(moments), max_frames)]


def evenly_chosen(n_items: int, at_most: int) -> list[int]:
    """Indices of `at_most` items of `n_items`: the middle one of each of as many equal parts.

    >>> evenly_chosen(10, 3)
    [1, 5, 8]
    """
    n_chosen = min(n_items, at_most)
    return [(2 * part + 1) * n_items // (2 * n_chosen) for part in range(n_chosen)]


def _check_settings(first_pts_s: float, duration_s: float, interval_s: float, max_frames: int | None) -> None:
    if not (math.isfinite(first_pts_s) and math.isfinite(duration_s) and duration_s >= 0):
        raise InvalidSetting(
            f"A clip that begins at {first_pts_s} s and lasts {duration_s} s cannot be sampled: both have to be "
            "finite, the length not negative. Materialise its raw_clip again, and look at the problems it lists."
        )
    if not (math.isfinite(interval_s) and interval_s > 0):
        raise InvalidSetting(f"interval_s is {interval_s}: set it above 0 seconds, such as 10.")
    if max_frames is not None and max_frames < 1:
        raise InvalidSetting(f"max_frames is {max_frames}: set it to 1 or more, or leave it out for no limit.")
