"""The names of artifacts: `{asset}/{key}.{ext}`, and nothing that could leave its folder."""

import re

from vidassets.errors import InvalidKey
from vidassets.keys import check_key

ASSET_PATTERN = r"[a-z0-9_]+"
EXTENSION_PATTERN = r"[a-z0-9]+"


def check_asset(asset: str) -> str:
    """The asset's name itself, when it is of ``[a-z0-9_]+``; `InvalidKey` otherwise."""
    if not re.fullmatch(ASSET_PATTERN, asset):
        raise InvalidKey(f"{asset!r}: not an asset's name. It is made of a-z, 0-9 and _ only: rename the asset.")
    return asset


def check_extension(ext: str) -> str:
    """The extension itself, without a dot, when it is of ``[a-z0-9]+``; `InvalidKey` otherwise."""
    if not re.fullmatch(EXTENSION_PATTERN, ext):
        raise InvalidKey(f"{ext!r}: not an extension. It is made of a-z and 0-9 only, without its dot.")
    return ext


def artifact_name(asset: str, key: str, ext: str) -> str:
    """Where an artifact lies below the store's root.

    Raises:
        InvalidKey: any of the three is not what it should be.

    >>> artifact_name("face_tracks", "show-s01e02", "parquet")
    'face_tracks/show-s01e02.parquet'
    """
    return f"{check_asset(asset)}/{check_key(key)}.{check_extension(ext)}"


def record_name(asset: str, name: str) -> str:
    """Where a record lies: as an artifact, with one folder between if the name holds one ``/``.

    Raises:
        InvalidKey: a part of it is no key, there are two folders, or there is no extension.

    >>> record_name("paid_calls", "ab/ab12.json")
    'paid_calls/ab/ab12.json'
    """
    *folder, file = name.split("/")
    if len(folder) > 1:
        raise InvalidKey(f"{name!r}: a record's name holds at most one '/'.")
    key, _, ext = file.rpartition(".")
    return "/".join([check_asset(asset), *map(check_key, folder), f"{check_key(key)}.{check_extension(ext)}"])
