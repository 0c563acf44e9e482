"""The names of artifacts: `{asset}/{key}.{ext}`, and nothing that could leave its folder."""

import re

from vidassets.errors import InvalidKey
from vidassets.keys import check_key

ASSET_PATTERN = r"[a-z0-9_]+"
EXTENSION_PATTERN = r"[a-z0-9]+"


def check_asset(asset: str) -> str:
    """Return the asset's name if it matches ``[a-z0-9_]+``; raise `InvalidKey` otherwise."""
    if not re.fullmatch(ASSET_PATTERN, asset):
        raise InvalidKey(f"{asset!r}: not a valid asset name. Rename the asset, using only a-z, 0-9 and _.")
    return asset


def check_extension(ext: str) -> str:
    """Return the extension, without a dot, if it matches ``[a-z0-9]+``; raise `InvalidKey` otherwise."""
    if not re.fullmatch(EXTENSION_PATTERN, ext):
        raise InvalidKey(f"{ext!r}: not a valid extension. Use only a-z and 0-9, without the dot.")
    return ext


def artifact_name(asset: str, key: str, ext: str) -> str:
    """Return the name of an artifact below the store's root.

    Raises:
        InvalidKey: one of the three parts is invalid.

    >>> artifact_name("face_tracks", "show-s01e02", "parquet")
    'face_tracks/show-s01e02.parquet'
    """
    return f"{check_asset(asset)}/{check_key(key)}.{check_extension(ext)}"


def record_name(asset: str, name: str) -> str:
    """Return the name of a record below the store's root. Its own name may contain one folder.

    Raises:
        InvalidKey: a part is not a valid key, the name contains two folders, or it has no extension.

    >>> record_name("paid_calls", "ab/ab12.json")
    'paid_calls/ab/ab12.json'
    """
    *folder, file = name.split("/")
    if len(folder) > 1:
        raise InvalidKey(f"{name!r}: the name of a record may contain at most one '/'.")
    key, _, ext = file.rpartition(".")
    return "/".join([check_asset(asset), *map(check_key, folder), f"{check_key(key)}.{check_extension(ext)}"])
