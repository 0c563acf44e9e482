"""Progress of runs: one log record per clip and asset, for whatever wants to show it."""

import logging

PROGRESS = logging.getLogger("vidassets.progress")
PROGRESS.setLevel(logging.INFO)
PROGRESS.propagate = False


def report_progress(asset: str, clip: str, event: str) -> None:
    """Log that work on a clip's asset has started, is done, failed, or was skipped."""
    PROGRESS.info("%s %s %s", asset, clip, event, extra={"clip_event": (asset, clip, event)})
