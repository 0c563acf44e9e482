"""A clip's video as assets see it: its `raw_clip` row and its decoded pictures."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from vidassets.errors import SourceChanged

if TYPE_CHECKING:
    from vidassets.media.pictures import Picture
    from vidassets.media.problems import Problem


@dataclass(frozen=True)
class ClipFile:
    """A clip's `raw_clip` row, with methods that decode its pictures on demand.

    What is decoded is of the content that the row describes: if the file was replaced, `SourceChanged` is raised.
    """

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

    @property
    def has_pictures(self) -> bool:
        """Whether the clip has a video stream; without one it is sound alone, and has no pictures to decode."""
        return self.row["video_codec"] is not None

    @contextmanager
    def opened(self) -> Iterator[str]:
        """Yield the path or URL to read the file from; its content is checked before and after the block.

        Raises:
            SourceChanged: it is not the content that `raw_clip` describes.
            SourceMissing, SourceUnreadable: the file cannot be reached.
        """
        from vidassets.fingerprints import located
        from vidassets.media.hashing import content_hash, unchanging

        recorded = self.row["fingerprint"]
        with unchanging(self.uri, known=recorded) as fingerprint:
            uri = located(self.uri, fingerprint)
            # A file that was only copied or touched has the same content.
            if fingerprint != recorded and content_hash(uri) != self.row["content_hash"]:
                raise SourceChanged(
                    f"{self.uri}: is not the file that `raw_clip` describes: it was replaced, or is still being "
                    "written. Run again once it is complete: `vidassets run`."
                )
            yield uri

    def pictures_at(
        self, times_s: Iterable[float], on_problem: "Callable[[Problem], None]", max_side_px: int | None = None
    ) -> "Iterator[Picture]":
        """Yield the RGB picture on screen at each of these times; see `media.frames.frames_at`."""
        from vidassets.media.frames import frames_at

        if not self.has_pictures:
            return
        with self.opened() as uri:
            yield from frames_at(uri, list(times_s), max_side_px=max_side_px, on_problem=on_problem)

    def every_picture(self, size: tuple[int, int], on_problem: "Callable[[Problem], None]") -> "Iterator[Picture]":
        """Yield every frame in presentation order, RGB, scaled to (width, height)."""
        from vidassets.media.clock import LONGEST_HOLE_S
        from vidassets.media.frames import every_frame

        if not self.has_pictures:
            return
        with self.opened() as uri:
            between_s = (self.first_pts_s - LONGEST_HOLE_S, self.end_s)
            yield from every_frame(uri, size=size, between_s=between_s, on_problem=on_problem)


# What the page of a visual asset says about a clip without a video stream.
SOUND_ALONE = "No pictures: the file contains sound alone."


def problem_lines(problems: "Iterable[Problem]") -> str:
    """Return the problems as a Markdown list, or an empty string if there are none."""
    return "\n".join(f"- **{problem.code}**: {problem.detail}" for problem in problems)
