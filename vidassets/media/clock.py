"""Convert between seconds and ticks. A presentation time is a whole number of ticks of its stream's time base."""

import math
from fractions import Fraction

# No recording pauses for longer: a time further away from the others is damaged. Chosen here.
LONGEST_HOLE_S = 86_400.0


def seconds(tick: int, time_base: Fraction) -> float:
    """Return the time of a tick, in seconds.

    >>> seconds(1536, Fraction(1, 12288))
    0.125
    """
    return float(tick * time_base)


def last_tick_at(time_s: float, time_base: Fraction) -> int:
    """Return the last tick whose time in seconds, as a float, is at or before `time_s`.

    Times are compared as floats, so that the `pts_s` of a frame finds this frame.

    >>> all(last_tick_at(seconds(tick, Fraction(1, 30000)), Fraction(1, 30000)) == tick for tick in range(999))
    True

    Raises:
        ValueError: `time_s` is not a finite number.
    """
    if not math.isfinite(time_s):
        raise ValueError(f"expected a finite time in seconds, got {time_s}")
    tick = math.floor(Fraction(time_s) / time_base)
    while seconds(tick + 1, time_base) <= time_s:
        tick += 1
    while seconds(tick, time_base) > time_s:
        tick -= 1
    return tick
