"""A clip's video as assets see it: its `raw_clip` row and its decoded pictures."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from vidassets.media.pictures import Picture
    from vidassets.media.problems import Problem


@dataclass(frozen=True)
class ClipFile:
    """A clip's `raw_clip` row, with methods that decode its pictures on demand."""

    clip: str
    uri: str
    first_pts_s: float
    duration_s: float
    row: dict[str, Any]

    @classmethod
    def from_table(cls, raw_clip: pl.DataFrame) -> "ClipFile":
        """Build a ClipFile from the stored `raw_clip` table, which has one row."""
        row = raw_clip.row(0, named=True)
        return cls(row["clip"], row["uri"], row["first_pts_s"], row["duration_s"], row)

    @property
    def end_s(self) -> float:
        """Return the time at which the last frame ends."""
        return self.first_pts_s + self.duration_s

    def pictures_at(
        self, times_s: Iterable[float], on_problem: "Callable[[Problem], None]", max_side_px: int | None = None
    ) -> "Iterator[Picture]":
        """Yield the RGB picture on screen at each of these times; see `media.frames.frames_at`."""
        from vidassets.media.frames import frames_at

        return frames_at(self.uri, list(times_s), max_side_px=max_side_px, on_problem=on_problem)

    def every_picture(self, size: tuple[int, int], on_problem: "Callable[[Problem], None]") -> "Iterator[Picture]":
        """Yield every frame in presentation order, RGB, scaled to (width, height)."""
        from vidassets.media.frames import every_frame

        return every_frame(self.uri, size=size, on_problem=on_problem)


def problem_lines(problems: "Iterable[Problem]") -> str:
    """Return the problems as a Markdown list, or an empty string if there are none."""
    return "\n".join(f"- **{problem.code}**: {problem.detail}" for problem in problems)
