"""Settings of assets: a config class with a profile's values as its defaults, and digests that tell settings apart."""

from collections.abc import Mapping
from copy import copy
from hashlib import sha256
from typing import Any, cast

import dagster as dg
from pydantic import create_model

from vidassets.errors import ProfileError
from vidassets.wrong_values import first_problem


def configured(
    asset: str, config_type: type[dg.Config] | None, settings: Mapping[str, Any], where: str = "assets: "
) -> type[dg.Config] | None:
    """A config class with these settings as its defaults; None for an asset without config.

    Args:
        asset: its name.
        config_type: the class of its settings.
        settings: by name.
        where: they were given, for the message of an error.
    Raises:
        ProfileError: a setting that the asset does not have, or out of its bounds.
    """
    if config_type is None:
        if settings:
            raise ProfileError(f"{where}{asset}: takes no settings, got {', '.join(settings)}; take them out.")
        return None
    try:
        chosen = config_type(**settings)
    except ValueError as error:
        raise ProfileError(f"{where}{asset}: {first_problem(error, config_type.model_fields)}") from error
    fields: dict[str, Any] = {}
    for name in settings:
        declared = copy(config_type.model_fields[name])
        declared.default = getattr(chosen, name)
        fields[name] = (declared.annotation, declared)
    return cast(type[dg.Config], create_model(config_type.__name__, __base__=config_type, **fields))


def digest(value: Any) -> str:
    """Eight hex digits that change with the value; the same on every machine and run.

    >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    True
    """
    return sha256(repr(_ordered(value)).encode()).hexdigest()[:8]


def plain(config: dg.Config | None) -> dict[str, Any]:
    """The settings of a config as plain values."""
    return config.model_dump(mode="json") if config else {}


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return [(key, _ordered(value[key])) for key in sorted(value)]
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    return value
