"""Files that people edit, outside of the store: what `watches` of an asset asks of them."""

from hashlib import sha256
from pathlib import Path


def content_of(path: str | None) -> str:
    """Changes when the file does: a digest of what it holds; of no file, and of one that cannot be read, a word."""
    if path is None:
        return "none"
    try:
        return sha256(Path(path).read_bytes()).hexdigest()[:16]
    except OSError as error:
        return f"unreadable: {type(error).__name__}"
