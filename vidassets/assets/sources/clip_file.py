"""A clip's video as assets see it: what `raw_clip` tells of it, and its pictures."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from vidassets.media.pictures import Picture
    from vidassets.media.problems import Problem


@dataclass(frozen=True)
class ClipFile:
    """The one row of a clip's `raw_clip`, and ways to its pictures; nothing is decoded until asked for."""

    clip: str
    uri: str
    first_pts_s: float
    duration_s: float
    row: dict[str, Any]

    @classmethod
    def from_table(cls, raw_clip: pl.DataFrame) -> "ClipFile":
        """From the stored table."""
        row = raw_clip.row(0, named=True)
        return cls(row["clip"], row["uri"], row["first_pts_s"], row["duration_s"], row)

    @property
    def end_s(self) -> float:
        """Where the last frame ends."""
        return self.first_pts_s + self.duration_s

    def pictures_at(
        self, times_s: Iterable[float], on_problem: "Callable[[Problem], None]", max_side_px: int | None = None
    ) -> "Iterator[Picture]":
        """The RGB pictures on screen at these moments, exact; `media.frames.frames_at`."""
        from vidassets.media.frames import frames_at

        return frames_at(self.uri, list(times_s), max_side_px=max_side_px, on_problem=on_problem)

    def every_picture(self, size: tuple[int, int], on_problem: "Callable[[Problem], None]") -> "Iterator[Picture]":
        """Every frame in order of time, RGB, scaled to (width, height)."""
        from vidassets.media.frames import every_frame

        return every_frame(self.uri, size=size, on_problem=on_problem)


def problem_lines(problems: "Iterable[Problem]") -> str:
    """Problems as a Markdown list; empty where there are none."""
    return "\n".join(f"- **{one.code}**: {one.detail}" for one in problems)
