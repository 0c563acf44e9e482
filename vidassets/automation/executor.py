"""The executor of every run: in one process, and steps continue with the clips whose inputs were made."""

import dagster as dg

# A batch step yields its output before it raises for the clips that failed (graph/step.py). With this setting, the
# steps below start once that output exists; without it they would wait for the step to succeed, which it does not.
isolating_executor = dg.in_process_executor.configured(
    {"step_dependency_config": {"require_upstream_step_success": False}}, name="in_process_isolating"
)
