"""Partition keys of videos, derived from where they were found."""

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
    """Return the key of a video found at ``path`` below ``root``; it is the same on every file system.

    The key is the path below the root without its extension, in lower case, with `/` → `.`, characters outside
    ``[a-z0-9._-]`` → `-`, and two or more dots in a row → one `-`. Leading dots and dashes are removed. If letters or
    digits are lost this way, six hex digits of the name's hash are appended.
    ``{show}/s{season}/e{episode}/episode.mp4`` gives ``show-s01e02``.

    Raises:
        InvalidKey: the path is not below the root, or no valid key remains.

    >>> clip_key("/data", "/data/Kitchen/Take 1.MP4")
    'kitchen.take-1'
    >>> clip_key("/data", "/data/Office/S1/E2/episode.mkv")
    'office-s01e02'
    >>> clip_key("/data", "/data/東京/一.mp4"), clip_key("/data", "/data/東京/二.mp4")
    ('195004', 'def602')
    """
    below = PurePosixPath(path)
    if not below.is_relative_to(root) or below == PurePosixPath(root) or ".." in below.parts:
        raise InvalidKey(f"{path}: not a path below {root}. Give the folder that contains the video.")
    # Some file systems decompose names into letters and accents. NFC makes equal names equal again.
    name = unicodedata.normalize("NFC", str(below.relative_to(root).with_suffix(""))).lower()
    if episode := _EPISODE.fullmatch(name):
        name = f"{episode['show']}-s{int(episode['season']):02d}e{int(episode['episode']):02d}"
    key = re.sub(r"\.{2,}", "-", re.sub(r"[^a-z0-9._-]", "-", name.replace("/", ".")))
    if any(char.isalnum() and not char.isascii() for char in name):
        key = f"{key.rstrip('-')}-{sha256(name.encode()).hexdigest()[:6]}"
    if not name.startswith("."):  # a hidden file is not a video
        key = key.lstrip("-.")
    try:
        return check_key(key)
    except InvalidKey as error:
        raise InvalidKey(f"{path}: {error}") from error


def key_collisions(sources: Iterable[Source]) -> dict[str, KeyCollision]:
    """Return an error for each source that shares its key with another, by uri. Each error names all of them."""
    uris: defaultdict[str, list[str]] = defaultdict(list)
    for source in sources:
        uris[source.key].append(source.uri)
    return {
        uri: KeyCollision(f"{' and '.join(alike)}: would share the key {key!r}. Rename or move all but one.")
        for key, alike in uris.items()
        for uri in alike
        if len(alike) > 1
    }
