"""Profiles: one YAML file per deployment names its resources and the settings of its assets.

The top-level keys are Dagster's resource keys, each `{class: dotted.path.Of.Resource, field: value, …}`, and also
`assets: {asset: {setting: value}}` and `extends: other.yaml`. A value `{env: NAME}` is read from the environment when
a run starts and is never stored. The variable `VIDASSETS__KEY__FIELD=value` overrides the profile.
"""

import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from vidassets.errors import ProfileError
from vidassets.resources.keys import DEFAULTS, REQUIRED_KEYS, RESOURCE_KEYS
from vidassets.shipped import PROFILES

OVERRIDE_PREFIX = "VIDASSETS__"


@dataclass(frozen=True)
class Profile:
    """The name of a profile, its resources by key, and the settings of assets by name."""

    name: str
    resources: Mapping[str, dg.ConfigurableResource]
    assets: Mapping[str, Mapping[str, Any]]

    def identities(self) -> dict[str, dict[str, str]]:
        """Return what changes the results of each resource, which is part of the code version of assets that use it."""
        return {
            key: resource.identity()  # type: ignore[attr-defined]
            for key, resource in self.resources.items()
            if hasattr(resource, "identity")
        }

    def check_assets(self, names: Collection[str]) -> None:
        """Refuse settings for an asset that does not exist.

        Raises:
            ProfileError: names it, and lists the assets that exist.
        """
        if unknown := sorted(set(self.assets) - set(names)):
            raise ProfileError(
                f"{self.name}: assets: no asset {', '.join(unknown)}. The assets are {', '.join(sorted(names))}."
            )


def load_profile(path: Path, home: Path, environment: Mapping[str, str]) -> Profile:
    """Return the profile in a file, with the overrides from the environment.

    Args:
        path: of the YAML file.
        home: the folder that a relative store root is resolved against.
        environment: variables; only `VIDASSETS__…` are read here.
    Raises:
        ProfileError: no such file, not YAML, an unknown key, class or field, a value out of bounds.
    """
    values = _with_overrides(_read(path), environment, path)
    assets = _mapping(values.pop("assets", None) or {}, f"{path}: assets")
    unknown = sorted(set(values) - RESOURCE_KEYS)
    missing = sorted(REQUIRED_KEYS - set(values))
    if unknown or missing:
        raise ProfileError(
            f"{path}: {'unknown key ' + ', '.join(unknown) if unknown else 'no ' + ', '.join(missing)}. "
            f"A profile has {', '.join(sorted(REQUIRED_KEYS))}, and may have {', '.join(sorted(DEFAULTS))}, "
            "assets and extends."
        )
    values = {key: {"class": name} for key, name in DEFAULTS.items()} | values
    resources = {key: _resource(key, _mapping(fields, f"{path}: {key}"), path, home) for key, fields in values.items()}
    settings = {name: _mapping(chosen, f"{path}: assets: {name}") for name, chosen in assets.items()}
    return Profile(path.stem, resources, settings)


def _read(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    if path in seen:
        raise ProfileError(f"{path}: extends itself by way of {', '.join(map(str, seen))}. Remove one `extends`.")
    try:
        values = _mapping(yaml.safe_load(path.read_text(encoding="utf-8")), str(path))
    except FileNotFoundError as error:
        names = ", ".join(sorted(shipped.stem for shipped in PROFILES.glob("*.yaml")))
        raise ProfileError(
            f"{path}: no such profile. Set VIDASSETS_PROFILE to one of {names}, or to the path of a YAML file."
        ) from error
    except yaml.YAMLError as error:
        raise ProfileError(f"{path}: not YAML: {error}") from error
    base = values.pop("extends", None)
    if base is None:
        return values
    candidates = (path.parent / str(base), PROFILES / str(base))
    found = next((candidate for candidate in candidates if candidate.exists()), None)
    if found is None:
        raise ProfileError(
            f"{path}: extends {base}, which is neither in the same folder nor in {PROFILES}. Correct the name."
        )
    return _merged(_read(found, (*seen, path)), values)


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the fields of `over`; a resource of another class replaces the whole resource."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and value.get("class") in (None, old.get("class")):
            value = _merged(old, value)
        result[key] = value
    return result


def _with_overrides(values: dict[str, Any], environment: Mapping[str, str], path: Path) -> dict[str, Any]:
    for variable, text in sorted(environment.items()):
        if not variable.startswith(OVERRIDE_PREFIX):
            continue
        key, _, field = variable.removeprefix(OVERRIDE_PREFIX).lower().partition("__")
        if not field:
            raise ProfileError(f"{variable}: should be {OVERRIDE_PREFIX}KEY__FIELD, such as VIDASSETS__STORE__ROOT.")
        try:
            over = {key: {field: yaml.safe_load(text)}}
        except yaml.YAMLError as error:
            raise ProfileError(f"{variable}={text}: not YAML: {error}. Put text in quotes.") from error
        values = _merged(values, over if key in RESOURCE_KEYS else {"assets": over})
    return values


def _resource(key: str, fields: dict[str, Any], path: Path, home: Path) -> dg.ConfigurableResource:
    dotted = str(fields.pop("class", ""))
    module, _, name = dotted.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name) if module else None
    except (ImportError, AttributeError) as error:
        raise ProfileError(f"{path}: {key}: class {dotted}: {error}. Give a dotted path that imports.") from error
    if not (isinstance(cls, type) and issubclass(cls, dg.ConfigurableResource)):
        raise ProfileError(
            f"{path}: {key}: `class: {dotted or '(none)'}` is not a dagster ConfigurableResource; name one."
        )
    if key == "store" and "root" in fields and "://" not in str(fields["root"]):
        fields["root"] = str(home / Path(str(fields["root"])).expanduser())
    try:
        return cls(**{name: _from_environment(value) for name, value in fields.items()})
    except ValueError as error:
        raise ProfileError(f"{path}: {key}: {error}\nIt takes: {', '.join(cls.model_fields)}.") from error


def _from_environment(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"env"}:
        return dg.EnvVar(str(value["env"]))
    return value


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProfileError(f"{where}: expected `name: value` lines, got {type(value).__name__}.")
    return {str(key): item for key, item in value.items()}
