"""The executor of every run: in this process; steps go on for clips whose inputs were made, though others failed."""

import dagster as dg

# A batch step yields its output before it raises for the clips that failed (graph/step.py); with this, steps below
# start once that output is there, instead of waiting for a success that does not come.
isolating_executor = dg.in_process_executor.configured(
    {"step_dependency_config": {"require_upstream_step_success": False}}, name="in_process_isolating"
)
