"""Shots joined by cuts, dissolves and fades at known frames."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from recording import Clock, Picture, Truth


@dataclass(frozen=True)
class Shot:
    """One take. `draw(seconds)` returns its picture this many seconds after it first appears.

    `first_frame` is where the shot begins; with a dissolve or a fade of `transition_frames` into it, that is the
    transition's middle.
    """

    name: str
    first_frame: int
    draw: Callable[[float], Picture]
    enters_by: str = "cut"
    transition_frames: int = 0

    @property
    def visible_from(self) -> int:
        """The first frame that shows any of the shot (for a fade: the first darkened frame before it)."""
        return self.first_frame - self.transition_frames // 2

    @property
    def alone_from(self) -> int:
        """The first frame that shows only this shot."""
        return self.visible_from + self.transition_frames


@dataclass(frozen=True)
class Montage:
    """Shots in order, the first at frame 0."""

    shots: tuple[Shot, ...]
    n_frames: int
    clock: Clock

    def picture(self, frame: int) -> Picture:
        """Return the picture of frame 0, 1, 2 …"""
        index = max(i for i, shot in enumerate(self.shots) if shot.visible_from <= frame)
        shot = self.shots[index]
        if frame >= shot.alone_from:
            return self._take(shot, frame)
        before = self.shots[index - 1]
        progress = (frame - shot.visible_from + 1) / (shot.transition_frames + 1)
        if shot.enters_by == "dissolve":
            mixed = cv2.addWeighted(self._take(before, frame), 1 - progress, self._take(shot, frame), progress, 0)
            return np.asarray(mixed, np.uint8)
        lit, share = (before, 1 - 2 * progress) if progress < 0.5 else (shot, 2 * progress - 1)
        return np.round(self._take(lit, frame) * share).astype(np.uint8)

    def _take(self, shot: Shot, frame: int) -> Picture:
        return shot.draw(float((frame - shot.visible_from) / self.clock.frame_rate))

    def span_s(self, index: int) -> tuple[float, float]:
        """Return the half-open time span of shot `index`; a dissolve or fade is divided at its middle."""
        ends = [shot.first_frame for shot in self.shots[1:]] + [self.n_frames]
        return self.clock.pts_s(self.shots[index].first_frame), self.clock.pts_s(ends[index])

    def truth(self) -> Truth:
        """Return the fields `shots` and `transitions` of a truth file."""
        shots = []
        for index, shot in enumerate(self.shots):
            start_s, end_s = self.span_s(index)
            shots.append({"shot": index, "name": shot.name, "start_s": start_s, "end_s": end_s})
        transitions = [
            {
                "kind": shot.enters_by,
                "pts_s": self.clock.pts_s(shot.first_frame),
                "frame": shot.first_frame,
                "start_s": self.clock.pts_s(shot.visible_from),
                "end_s": self.clock.pts_s(shot.alone_from),
            }
            for shot in self.shots[1:]
        ]
        return {"shots": shots, "transitions": transitions}
