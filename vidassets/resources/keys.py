"""The resource keys of a profile: what an asset's parameter must be called to be handed a resource."""

RESOURCE_KEYS = frozenset({"store", "shot_model", "describer"})
