"""The resource keys of a profile. An asset's parameter with such a name receives the resource."""

# Keys that a profile may leave out, and the class that is used then.
DEFAULTS = {
    "experiment_tracker": "vidassets.resources.experiment_tracker.NoTracker",
    "trainer": "vidassets.resources.trainer.Trainer",
}
REQUIRED_KEYS = frozenset({"store", "shot_model", "speech_model", "speaker_model", "describer"})
RESOURCE_KEYS = REQUIRED_KEYS | frozenset(DEFAULTS)
