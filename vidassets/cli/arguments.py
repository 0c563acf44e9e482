"""What commands take: options that several share, and the parsing of keys, assets and settings."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from vidassets.cli.console import err, labelled
from vidassets.errors import InvalidKey, ProfileError, VidassetsError
from vidassets.names import did_you_mean

if TYPE_CHECKING:
    from vidassets.deployment import Deployment


class Kind(StrEnum):
    """What a video is. It decides which assets are made of it."""

    CLIP = "clip"
    EPISODE = "episode"
    BUILD = "build"


def _use_profile(name: str) -> str:
    """Set the variable of the profile, so that the processes which a command starts use the same one."""
    if name:
        is_path = "/" in name or name.endswith((".yaml", ".yml"))
        os.environ["VIDASSETS_PROFILE"] = str(Path(name).expanduser().absolute()) if is_path else name
    return name


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Clips = Annotated[str, typer.Option("--clips", help="Only these keys, separated by commas.")]
Profile = Annotated[
    str,
    typer.Option(
        "--profile", callback=_use_profile, help="A profile's name or path; without it, VIDASSETS_PROFILE, then cpu."
    ),
]


@contextmanager
def opened_deployment() -> Iterator["Deployment"]:
    """Yield the deployment; an error of ours becomes its message and exit code 2."""
    from vidassets.deployment import opened

    try:
        with opened(os.environ) as deployment:
            yield deployment
    except VidassetsError as error:
        labelled(err, "error", "red", str(error))
        raise typer.Exit(2) from error


def chosen_keys(deployment: "Deployment", clips: str) -> list[str]:
    """Return the keys that `--clips` names, in the order of registration; all without it."""
    return known_keys(deployment, [key.strip() for key in clips.split(",")]) if clips else deployment.keys()


def known_keys(deployment: "Deployment", wanted: Sequence[str]) -> list[str]:
    """Return these keys, in the order of registration.

    Raises:
        InvalidKey: a key that is not registered, such as an empty one.
    """
    registered = deployment.keys()
    if unknown := [key for key in wanted if key not in registered]:
        names = ", ".join(key or "(an empty key)" for key in unknown)
        raise InvalidKey(
            f"{names}: no clip has this key.{did_you_mean(unknown[0], registered)} "
            "`vidassets status` lists keys; `vidassets add` adds clips."
        )
    return [key for key in registered if key in wanted]


def parsed_settings(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Parse `asset.setting=value` texts; values are YAML."""
    settings: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        asset, dot, setting = name.partition(".")
        fix = "write asset.setting=value, such as frames.interval_s=5"
        if not (equals and dot and setting):
            raise ProfileError(f"--set {text}: {fix}.")
        try:
            settings.setdefault(asset, {})[setting] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ProfileError(
                f"--set {text}: {value!r} is not a YAML value; {fix}. Put text with special characters in quotes."
            ) from error
    return settings
