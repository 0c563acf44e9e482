"""A shot model whose package is on no machine."""

import dagster as dg

from vidassets.errors import ModelMissing


class AbsentModel(dg.ConfigurableResource, extra="forbid"):
    """What a profile may name before anybody installed it."""

    device: str = "cpu"

    def identity(self) -> dict[str, str]:
        raise ModelMissing("no-such-model is not installed, and the profile names it. `pip install no-such-model`")
