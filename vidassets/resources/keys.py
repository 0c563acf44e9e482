"""The resource keys of a profile: what an asset's parameter must be called to be handed a resource."""

# What a profile may leave out, and the class that then stands behind the key.
DEFAULTS = {
    "experiment_tracker": "vidassets.resources.experiment_tracker.NoTracker",
    "trainer": "vidassets.resources.trainer.Trainer",
}
REQUIRED_KEYS = frozenset({"store", "shot_model", "speech_model", "speaker_model", "describer"})
RESOURCE_KEYS = REQUIRED_KEYS | frozenset(DEFAULTS)
