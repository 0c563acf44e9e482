"""Names that a person misspelt, and the nearest ones that exist."""

from collections.abc import Iterable
from difflib import get_close_matches

LIKE = 0.6  # difflib's own default: "fraems" is like "frames", "abc" is not


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the sentence "Did you mean X?", with a space before it; nothing if no known name is like this one.

    >>> did_you_mean("fraems", ["frames", "shots"])
    ' Did you mean frames?'
    >>> did_you_mean("frames", ["shots"])
    ''
    """
    near = get_close_matches(name, list(known), 1, LIKE) or get_close_matches(name.lower(), list(known), 1, LIKE)
    return f" Did you mean {near[0]}?" if near else ""
