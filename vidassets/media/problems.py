"""What is found wrong with a video that can still be read in part."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a code to group by, and where and what in words."""

    code: str
    detail: str


OnProblem = Callable[[Problem], None]
