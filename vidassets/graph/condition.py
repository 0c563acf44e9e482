"""When automation makes an asset: its inputs are new, it is new, or it was missing when automation was turned on."""

from typing import Any

import dagster as dg


def up_to_date(with_some_inputs: bool = False) -> dg.AutomationCondition[Any]:
    """Dagster's `eager`, and once, when the sensor is turned on, what is missing then.

    `eager` alone leaves what was registered before the sensor ran. What failed is not tried again until its inputs
    change: a backfill or `vidassets run` does it.

    Args:
        with_some_inputs: also while inputs of some partitions are missing.
    """
    waits = dg.AutomationCondition.any_deps_missing()
    eager = dg.AutomationCondition.eager()
    backlog = (
        dg.AutomationCondition.initial_evaluation()
        & dg.AutomationCondition.missing()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    )
    if with_some_inputs:
        return (eager.without(~waits) | backlog).with_label("up_to_date")
    return (eager | (backlog & ~waits)).with_label("up_to_date")
