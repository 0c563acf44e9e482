"""From where a video was found to its partition key."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from pathlib import PurePosixPath

from vidassets.errors import InvalidKey, KeyCollision
from vidassets.keys import check_key
from vidassets.sources.source import Source

_EPISODE = re.compile(r"(?P<show>.+)/s(?P<season>[0-9]{1,4})/e(?P<episode>[0-9]{1,4})/episode")


def clip_key(root: str, path: str) -> str:
    """The key of a video found at ``path`` below ``root``; the same for the same names on every file system.

    The path below the root without its extension, lower case, `/` → `.`, what is not of ``[a-z0-9._-]`` → `-`, two
    dots or more in a row → one `-`, none at the beginning. Where letters or digits are lost in this, six hex digits of
    the name's hash follow. ``{show}/s{season}/e{episode}/episode.mp4`` gives ``show-s01e02``.

    Raises:
        InvalidKey: the path is not below the root, or leaves nothing that a key may be.

    >>> clip_key("/data", "/data/Kitchen/Take 1.MP4")
    'kitchen.take-1'
    >>> clip_key("/data", "/data/Office/S1/E2/episode.mkv")
    'office-s01e02'
    >>> clip_key("/data", "/data/東京/一.mp4"), clip_key("/data", "/data/東京/二.mp4")
    ('195004', 'def602')
    """
    below = PurePosixPath(path)
    if not below.is_relative_to(root) or below == PurePosixPath(root) or ".." in below.parts:
        raise InvalidKey(f"{path}: not a path below {root}. Give the folder that holds the video.")
    # Some file systems take names apart into letters and accents: composed again, they count as they look.
    name = unicodedata.normalize("NFC", str(below.relative_to(root).with_suffix(""))).lower()
    if episode := _EPISODE.fullmatch(name):
        name = f"{episode['show']}-s{int(episode['season']):02d}e{int(episode['episode']):02d}"
    key = re.sub(r"\.{2,}", "-", re.sub(r"[^a-z0-9._-]", "-", name.replace("/", ".")))
    if any(char.isalnum() and not char.isascii() for char in name):
        key = f"{key.rstrip('-')}-{sha256(name.encode()).hexdigest()[:6]}"
    if not name.startswith("."):  # a hidden file is no video
        key = key.lstrip("-.")
    try:
        return check_key(key)
    except InvalidKey as error:
        raise InvalidKey(f"{path}: {error}") from error


def key_collisions(sources: Iterable[Source]) -> dict[str, KeyCollision]:
    """An error for the uri of every source that shares its key with another, each naming all of them."""
    uris: defaultdict[str, list[str]] = defaultdict(list)
    for source in sources:
        uris[source.key].append(source.uri)
    return {
        uri: KeyCollision(f"{' and '.join(alike)}: would share the key {key!r}. Rename or move all but one.")
        for key, alike in uris.items()
        for uri in alike
        if len(alike) > 1
    }


def check_unique_keys(sources: Iterable[Source]) -> None:
    """Nothing, when no two sources share a key; for sources of several places.

    Raises:
        KeyCollision: names the videos that would share a key.
    """
    for collision in key_collisions(sources).values():
        raise collision
