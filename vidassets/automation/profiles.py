"""Profiles: one YAML file per deployment names its resources and the settings of its assets.

The top-level keys are Dagster's resource keys, each `{class: dotted.path.Of.Resource, field: value, …}`, and also
`assets: {asset: {setting: value}}` and `extends: other.yaml`. A value `{env: NAME}` is read from the environment when
a run starts and is never stored. The variable `VIDASSETS__KEY__FIELD=value` overrides the profile.
"""

import importlib
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from vidassets.credentials import SECRET_FIELD, credential_in
from vidassets.errors import ProfileError
from vidassets.names import did_you_mean
from vidassets.not_yaml import place_and_problem
from vidassets.resources.keys import DEFAULTS, REQUIRED_KEYS, RESOURCE_KEYS
from vidassets.shipped import PROFILES
from vidassets.wrong_values import first_problem

OVERRIDE_PREFIX = "VIDASSETS__"
GIVE_CREDENTIALS = (
    "Run databases and logs would keep it. Remove it here, and give it by the environment: `api_key: {env: NAME}` for "
    "an endpoint, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for S3, MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD for MLflow, or `{env: NAME}` as the whole value."
)


@dataclass(frozen=True)
class Profile:
    """The name of a profile, its resources by key, the settings of assets by name, and where these were given."""

    name: str
    resources: Mapping[str, dg.ConfigurableResource]
    assets: Mapping[str, Mapping[str, Any]]
    origins: Mapping[str, str]

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
        for name in sorted(set(self.assets) - set(names)):
            raise ProfileError(
                f"{self.origins[name]}there is no asset {name}.{did_you_mean(name, names)} "
                f"The assets are {', '.join(sorted(names))}."
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
    overrides = list(_overrides(environment))
    values = _read(path)
    origins = dict.fromkeys(_mapping(values.get("assets") or {}, f"{path}: assets"), f"{path}: assets: ")
    for variable, over in overrides:
        values = _merged(values, over)
        origins |= dict.fromkeys(over.get("assets", {}), f"{variable}: assets: ")
        origins |= {key: f"{origins.get(key, path)}, {variable}" for key in over.keys() & RESOURCE_KEYS}
    assets = _mapping(values.pop("assets", None) or {}, f"{path}: assets")
    unknown = sorted(set(values) - RESOURCE_KEYS)
    missing = sorted(REQUIRED_KEYS - set(values))
    if unknown or missing:
        wrong = f"unknown key {', '.join(unknown)}." if unknown else f"no {', '.join(missing)}."
        nearest = did_you_mean(unknown[0], RESOURCE_KEYS) if unknown else ""
        raise ProfileError(
            f"{path}: {wrong}{nearest} A profile has {', '.join(sorted(REQUIRED_KEYS))}, and may have "
            f"{', '.join(sorted(DEFAULTS))}, assets and extends."
        )
    values = {key: {"class": name} for key, name in DEFAULTS.items()} | values
    resources = {
        key: _resource(key, _mapping(fields, f"{path}: {key}"), origins.get(key, str(path)), home)
        for key, fields in values.items()
    }
    settings = {name: _mapping(chosen, f"{path}: assets: {name}") for name, chosen in assets.items()}
    _check_no_credentials(settings, f"{path}: assets")
    return Profile(path.stem, resources, settings, origins)


def _read(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    if path in seen:
        raise ProfileError(f"{path}: extends itself by way of {', '.join(map(str, seen))}. Remove one `extends`.")
    try:
        values = _mapping(yaml.safe_load(path.read_text(encoding="utf-8")), str(path))
    except FileNotFoundError as error:
        names = sorted(shipped.stem for shipped in PROFILES.glob("*.yaml"))
        raise ProfileError(
            f"{path}: no such profile.{did_you_mean(path.stem, names)} Set VIDASSETS_PROFILE to one of "
            f"{', '.join(names)}, or to the path of a YAML file."
        ) from error
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}. Give the path of a YAML file that can be read.") from error
    except (yaml.YAMLError, RecursionError) as error:
        problem = place_and_problem(error) if isinstance(error, yaml.YAMLError) else "nested too deep"
        raise ProfileError(f"{path}: {problem}. Correct the file.") from error
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path}: not YAML: it is not UTF-8 text. Save it as UTF-8.") from error
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


def _overrides(environment: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each variable that overrides the profile, and what it sets."""
    for variable, text in sorted(environment.items()):
        if not variable.startswith(OVERRIDE_PREFIX):
            continue
        key, _, field = variable.removeprefix(OVERRIDE_PREFIX).lower().partition("__")
        if not field:
            raise ProfileError(f"{variable}: should be {OVERRIDE_PREFIX}KEY__FIELD, such as VIDASSETS__STORE__ROOT.")
        try:
            over = {key: {field: yaml.safe_load(text)}}
        except yaml.YAMLError as error:
            raise ProfileError(f"{variable}: {place_and_problem(error)}. Put text in quotes.") from error
        yield variable, over if key in RESOURCE_KEYS else {"assets": over}


def _resource(key: str, fields: dict[str, Any], where: str, home: Path) -> dg.ConfigurableResource:
    _check_no_credentials(fields, f"{where}: {key}")
    dotted = str(fields.pop("class", ""))
    module, _, name = dotted.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name) if module else None
    except (ImportError, AttributeError) as error:
        raise ProfileError(
            f"{where}: {key}: class {dotted}: {_why_no_class(module, name, error)} Give a dotted path that imports."
        ) from error
    if not (isinstance(cls, type) and issubclass(cls, dg.ConfigurableResource)):
        raise ProfileError(
            f"{where}: {key}: `class: {dotted or '(none)'}` is not a dagster ConfigurableResource; name one."
        )
    if key == "store" and "root" in fields and "://" not in str(fields["root"]):
        fields["root"] = str(home / Path(str(fields["root"])).expanduser())
    try:
        return cls(**{name: _from_environment(value) for name, value in fields.items()})
    except ValueError as error:
        raise ProfileError(f"{where}: {key}: {first_problem(error, cls.model_fields)}") from error


def _why_no_class(module: str, name: str, error: Exception) -> str:
    if isinstance(error, AttributeError):
        classes = [found for found, value in vars(sys.modules[module]).items() if isinstance(value, type)]
        return f"{module} has no class {name}.{did_you_mean(name, classes)}"
    return f"there is no module {getattr(error, 'name', None) or module}."


def _check_no_credentials(value: Any, where: str, field: str = "") -> None:
    """Refuse a secret that is written out. Only the name of an environment variable is stored nowhere else.

    Raises:
        ProfileError: says where it is, without showing it.
    """
    if isinstance(value, dict):
        for name, item in value.items():
            if set(value) != {"env"}:
                _check_no_credentials(item, f"{where}: {name}", str(name))
    elif isinstance(value, list):
        for item in value:
            _check_no_credentials(item, where, field)
    elif isinstance(value, str) and (found := credential_in(value)):
        raise ProfileError(f"{where}: this URL contains {found}. {GIVE_CREDENTIALS}")
    elif value is not None and SECRET_FIELD.search(field):
        raise ProfileError(f"{where}: this is the secret itself. {GIVE_CREDENTIALS}")


def _from_environment(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"env"}:
        return dg.EnvVar(str(value["env"]))
    return value


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProfileError(f"{where}: expected `name: value` lines, got {type(value).__name__}.")
    return {str(key): item for key, item in value.items()}
