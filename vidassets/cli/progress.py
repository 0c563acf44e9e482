"""Progress of a run: a bar on a terminal, lines of text anywhere else."""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from vidassets.automation.plan import PlannedRun
from vidassets.cli.console import printable
from vidassets.progress import ALL_CLIPS, PROGRESS, Part

SLOW_S = 1.0  # an asset of a clip that took longer gets a line of its own
LINE_EVERY_S = 5.0  # while something happens, a line at least this often says how far the run is


class ShownProgress(logging.Handler, ABC):
    """Counts the assets of clips that have ended, and knows how far the current one is."""

    def __init__(self) -> None:
        super().__init__()
        self.total = self.ended = 0

    def expect(self, runs: Sequence[PlannedRun]) -> None:
        """Add the runs of a wave that is about to begin."""
        self.total = self.ended + sum(len(run.cells) for run in runs if run.clips)
        self.show_counts()

    def emit(self, record: logging.LogRecord) -> None:
        """Show one event, or how far the current asset of a clip is."""
        if part := record.__dict__.get("part"):
            self.show_part(part)
            return
        asset, clip, event = record.__dict__["clip_event"]
        self.ended += event != "started" and clip != ALL_CLIPS  # the totals are of clips
        self.show_event(asset, printable(clip), event)

    def show_counts(self) -> None:
        """Show that the total has changed."""

    @abstractmethod
    def show_event(self, asset: str, clip: str, event: str) -> None:
        """Show that work on an asset of a clip has started or ended."""

    @abstractmethod
    def show_part(self, part: Part) -> None:
        """Show how far the current asset of a clip is."""


class _Bar(ShownProgress):
    """A bar that advances with each asset of a clip and, inside a long one, with its parts."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._task = progress.add_task("looking for work", total=None)

    def show_counts(self) -> None:
        self._progress.update(self._task, total=self.total)

    def show_event(self, asset: str, clip: str, event: str) -> None:
        self._progress.update(self._task, completed=self.ended, description=f"{clip} {asset}")
        if event == "failed":
            self._progress.console.print(Text.assemble(("failed", "red"), f" {clip} ", (asset, "cyan")))

    def show_part(self, part: Part) -> None:
        done = self.ended + part.fraction
        self._progress.update(self._task, completed=done, description=f"{printable(part.clip)} {part.asset}: {part}")


class ProgressLines(ShownProgress):
    """A line for each failure and each slow asset of a clip, and one every few seconds. A log file stays readable."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._console = console
        self._clock = clock
        self._began = self._last_line = clock()
        self._started: dict[tuple[str, str], float] = {}  # by asset and clip

    def show_event(self, asset: str, clip: str, event: str) -> None:
        """Print a line if the event is worth one, or if none was printed for a while."""
        now = self._clock()
        if event == "started":
            self._started[asset, clip] = now
        elif event == "failed":
            self._print(f"failed {clip} {asset}")
        # What another process has made has not been started here.
        seconds = 0.0 if event == "started" else now - self._started.pop((asset, clip), now)
        if event == "done" and seconds >= SLOW_S:
            self._print(f"{clip} {asset}: done in {seconds:.1f} s")
        if now - self._last_line >= LINE_EVERY_S:
            self._print(f"{clip} {asset}")

    def show_part(self, part: Part) -> None:
        """Print how far an asset is, if no line was printed for a while."""
        if self._clock() - self._last_line >= LINE_EVERY_S:
            self._print(f"{printable(part.clip)} {part.asset}: {part}")

    def _print(self, text: str) -> None:
        self._last_line = self._clock()
        minutes, seconds = divmod(int(self._last_line - self._began), 60)
        self._console.print(Text(f"[{self.ended}/{self.total}, {minutes}:{seconds:02d}] {text}"))


@contextmanager
def shown(console: Console) -> Iterator[ShownProgress]:
    """Show progress while the block runs; call `expect` of the yielded object before each wave of runs.

    Args:
        console: a terminal gets a bar; a file or a pipe gets lines.
    """
    if not console.file.isatty():
        with _listening(ProgressLines(console)) as lines:
            yield lines
        return
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=12 if console.width < 100 else 24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress, _listening(_Bar(progress)) as bar:
        yield bar


@contextmanager
def _listening(handler: ShownProgress) -> Iterator[ShownProgress]:
    PROGRESS.addHandler(handler)
    try:
        yield handler
    finally:
        PROGRESS.removeHandler(handler)
