"""The rule for partition keys, shared by partitions, artifacts and sources."""

import re

from vidassets.errors import InvalidKey
from vidassets.schemas.clips import KEY_PATTERN

# A file name has up to 255 bytes: this leaves room for an extension and for the prefix of a staged file.
MAX_KEY_LENGTH = 200


def check_key(key: str) -> str:
    """Return the key if it is valid.

    Raises:
        InvalidKey: it does not match `KEY_PATTERN`, contains `..`, or is longer than 200 characters.

    >>> check_key("show-s01e02")
    'show-s01e02'
    """
    if not is_key(key):
        raise InvalidKey(
            f"{key[: MAX_KEY_LENGTH + 1]!r}: not a key. A key has 1 to {MAX_KEY_LENGTH} of the characters a-z 0-9 . "
            "_ -, does not start with a dot and has no two dots in a row: rename the video, or give another key."
        )
    return key


def is_key(key: str) -> bool:
    """Return whether a text is a valid key. Partitions that someone added by hand may have other names.

    >>> is_key("show-s01e02"), is_key("my clip")
    (True, False)
    """
    return bool(re.fullmatch(KEY_PATTERN.strip("^$"), key)) and ".." not in key and len(key) <= MAX_KEY_LENGTH
