"""The tag shared by all runs of one command: a budget "per run" holds over all of them."""

LAUNCH_TAG = ".dagster/vidassets/launch"  # a tag that begins with a dot is hidden in the UI
