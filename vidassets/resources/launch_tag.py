"""The tag shared by all runs of one command: they are found together in the UI, and a budget holds over all of them."""

LAUNCH_TAG = "vidassets/launch"
