"""The tag that the runs of one command share: a budget "per run" is over all of them."""

LAUNCH_TAG = ".dagster/vidassets/launch"  # hidden in the UI, as its dot says
