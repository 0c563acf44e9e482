"""Progress on a terminal: which clip, which asset, how much time is left. Nothing is drawn without a terminal."""

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

from vidassets.automation.plan import PlannedRun
from vidassets.graph.progress import PROGRESS


class _ProgressBar(logging.Handler):
    """Advances a bar with every clip and asset, and prints what failed."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._task = progress.add_task("looking for work", total=None)

    def expect(self, runs: Sequence[PlannedRun]) -> None:
        """Add the runs of a wave that is about to begin."""
        done = int(self._progress.tasks[0].completed)
        self._progress.update(self._task, total=done + sum(len(run.cells) for run in runs))

    def emit(self, record: logging.LogRecord) -> None:
        """Show one event of one clip and asset."""
        asset, clip, event = record.__dict__["clip_event"]
        self._progress.update(self._task, description=f"{clip} [cyan]{asset}[/]")
        if event == "failed":
            self._progress.console.print(f"[red]failed[/] {clip} [cyan]{asset}[/]", highlight=False)
        if event != "started":
            self._progress.advance(self._task)


@contextmanager
def shown(console: Console) -> Iterator[_ProgressBar]:
    """Show a progress bar while the block runs; call its `expect` before each wave of runs."""
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        handler = _ProgressBar(progress)
        PROGRESS.addHandler(handler)
        try:
            yield handler
        finally:
            PROGRESS.removeHandler(handler)
