"""Progress of work, as log records for anyone who wants to show it: what started and ended, and how far it is."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, TypeVar

PROGRESS = logging.getLogger("vidassets.progress")
PROGRESS.setLevel(logging.INFO)
PROGRESS.propagate = False

ALL_CLIPS = "all clips"  # in place of a clip's key, for an asset over all clips
Event = Literal["started", "done", "failed", "skipped"]
Item = TypeVar("Item")

# What this thread works on: asset and clip. A thread that reads ahead works on nothing.
_WORK: ContextVar[tuple[str, str] | None] = ContextVar("work", default=None)


@dataclass(frozen=True)
class Part:
    """How much of an asset of a clip is done.

    Attributes:
        done: units so far.
        total: units in all; None if that is not known.
        unit: what is counted, in the plural.
    """

    asset: str
    clip: str
    done: float
    total: float | None
    unit: str

    @property
    def fraction(self) -> float:
        """From 0 to 1; 0 if the total is not known."""
        return min(self.done / self.total, 1.0) if self.total else 0.0

    def __str__(self) -> str:
        of_total = f" of {self.total:,.0f}" if self.total else ""
        return f"{self.done:,.0f}{of_total} {self.unit}"


def report_progress(asset: str, clip: str, event: Event) -> None:
    """Log that work on a clip's asset has started, is done, failed, or was skipped."""
    PROGRESS.info("%s %s %s", asset, clip, event, extra={"clip_event": (asset, clip, event)})


@contextmanager
def working_on(asset: str, clip: str) -> Iterator[None]:
    """Say what the parts that are reported inside the block belong to."""
    token = _WORK.set((asset, clip))
    try:
        yield
    finally:
        _WORK.reset(token)


def report_part(done: float, total: float | None, unit: str) -> None:
    """Log how much of the current work is done. It costs nothing where nobody shows progress.

    Args:
        done: units so far.
        total: units in all; None if that is not known.
        unit: what is counted, in the plural.
    """
    if (work := _WORK.get()) and PROGRESS.handlers:
        PROGRESS.info("%s %s", *work, extra={"part": Part(*work, done, total, unit)})


def counted(items: Iterable[Item], unit: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items, and report how many have been worked on."""
    for number, item in enumerate(items):
        report_part(number, total, unit)
        yield item
