"""A daily job that removes what killed processes left unfinished in the store."""

import dagster as dg

from vidassets.resources.store import Store
from vidassets.storage.store import STALE_AFTER_S

CRON = "17 4 * * *"


@dg.op(out=dg.Out(int), description="Remove unfinished writes without a new byte for a day; return their number.")
def remove_leftovers(context: dg.OpExecutionContext, store: Store) -> int:
    """Remove the leftovers of the store and log how many there were."""
    removed = store.open().sweep(STALE_AFTER_S)
    context.log.info("removed %d unfinished writes from %s", removed, store.root)
    return removed


@dg.job(executor_def=dg.in_process_executor, description="Removes unfinished writes of killed processes.")
def clean_store() -> None:
    """Remove the leftovers of the store."""
    remove_leftovers()


def daily_cleanup() -> dg.ScheduleDefinition:
    """Return the schedule of `clean_store`: every day at 4:17, on by default."""
    return dg.ScheduleDefinition(
        name="daily_cleanup",
        job=clean_store,
        cron_schedule=CRON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Removes staged files and multipart uploads that killed processes left in the store a day ago.",
    )
