"""The dynamic partition sets; a video's kind decides in which its key is registered, and so what is made of it."""

import dagster as dg

clips = dg.DynamicPartitionsDefinition(name="clips")
episodes = dg.DynamicPartitionsDefinition(name="episodes")
builds = dg.DynamicPartitionsDefinition(name="builds")

SETS_OF_KIND = {"clip": (clips,), "episode": (clips, episodes), "build": (clips, builds)}


def set_names(kind: str) -> tuple[str, ...]:
    """Names of the partition sets that a video of this kind belongs to.

    >>> set_names("episode")
    ('clips', 'episodes')
    """
    return tuple(str(partitions.name) for partitions in SETS_OF_KIND[kind])
