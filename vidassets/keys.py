"""What a partition key is: the one rule that partitions, artifacts and sources share."""

import re

from vidassets.errors import InvalidKey
from vidassets.schemas.clips import KEY_PATTERN

# A file name holds 255 bytes: this leaves room for an extension and for the mark of a temporary name.
MAX_KEY_LENGTH = 200


def check_key(key: str) -> str:
    """The key itself, when it is one.

    Raises:
        InvalidKey: it is not of `schemas.KEY_PATTERN`, holds `..`, or is longer than 200 characters.

    >>> check_key("show-s01e02")
    'show-s01e02'
    """
    if not re.fullmatch(KEY_PATTERN.strip("^$"), key) or ".." in key or len(key) > MAX_KEY_LENGTH:
        raise InvalidKey(
            f"{key[: MAX_KEY_LENGTH + 1]!r}: not a key. A key is 1 to {MAX_KEY_LENGTH} of a-z 0-9 . _ -, "
            "does not begin with a dot and holds no two dots in a row: rename the video, or give its key so."
        )
    return key
