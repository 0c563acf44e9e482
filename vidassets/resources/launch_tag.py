"""The tag that the runs of one command share: a budget "per run" is over all of them."""

LAUNCH_TAG = "vidassets/launch"
