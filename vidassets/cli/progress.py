"""Progress on a terminal: which clip, which asset, how much time is left; nothing moves where nobody watches."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from vidassets.automation.work import PlannedRun
from vidassets.graph.step import PROGRESS


class _Shown(logging.Handler):
    """Moves the bar with every clip and asset; names what failed."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._task = progress.add_task("looking at what is to be done", total=None)

    def expect(self, runs: Sequence[PlannedRun]) -> None:
        """A wave begins."""
        done = int(self._progress.tasks[0].completed)
        self._progress.update(self._task, total=done + sum(len(run.cells) for run in runs))

    def emit(self, record: logging.LogRecord) -> None:
        """One event of one clip and asset."""
        asset, clip, state = record.__dict__["clip_event"]
        self._progress.update(self._task, description=f"{clip} [cyan]{asset}[/]")
        if state == "failed":
            self._progress.console.print(f"[red]failed[/] {clip} [cyan]{asset}[/]", highlight=False)
        if state != "started":
            self._progress.advance(self._task)


@contextmanager
def shown(console: Console) -> Iterator[_Shown]:
    """A progress bar while the block runs; tell it of each wave by `expect`."""
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("gone,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        handler = _Shown(progress)
        PROGRESS.addHandler(handler)
        try:
            yield handler
        finally:
            PROGRESS.removeHandler(handler)
