"""Problems found in a video that can still be read in part."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of a video: a code to group by, and a description of what is wrong and where."""

    code: str
    detail: str


OnProblem = Callable[[Problem], None]
