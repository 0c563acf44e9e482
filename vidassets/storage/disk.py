"""Errors of disks. Writers of Parquet, HDF5 or sound each report it in their own way, or wrongly."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidassets.errors import StoreUnreachable

PROBE_BYTES = 1 << 20  # chosen here: more than a writer leaves free of the block that did not fit

FIXES = {
    errno.ENOSPC: "The disk is full: free space on it, or set another folder in the profile.",
    errno.EDQUOT: "Your quota on this disk is used up: free space, or set another folder in the profile.",
    errno.EFBIG: "The file is larger than this file system or `ulimit -f` allows: set another folder in the profile.",
    errno.EROFS: "The disk can only be read: mount it for writing, or set another folder in the profile.",
    errno.EIO: "The disk reports a hardware error: check it, or set another folder in the profile.",
    errno.ELOOP: "A link leads back to itself: remove or correct the link.",
}
REST = (
    "Make sure that it is a folder, that this user may write to it and that the disk has space left, or set another "
    "folder in the profile."
)


def disk_error(error: OSError, path: Path, folder: str) -> StoreUnreachable:
    """Return an error of a disk with its fix.

    Args:
        error: of the operating system.
        path: of the file or folder, where the error does not name one.
        folder: what the path belongs to, as a sentence.
    """
    reason = error.strerror or str(error)
    return StoreUnreachable(f"{error.filename or path}: {reason}. {folder} {FIXES.get(error.errno or 0, REST)}")


@contextmanager
def writing_explained(path: Path, folder: str) -> Iterator[None]:
    """Raise any error of a writer as `StoreUnreachable` if the reason is that the disk takes no more.

    Args:
        path: that is written; the caller removes it.
        folder: what the path belongs to, as a sentence.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, StoreUnreachable):
        raise
    except BaseException as error:  # polars reports some errors as panics of Rust
        if problem := _refusal(path):
            raise disk_error(problem, path, folder) from error
        raise


def _refusal(path: Path) -> OSError | None:
    """Return why nothing can be appended to a file; None if it can."""
    try:
        with path.open("ab", buffering=0) as file:
            written = 0
            while written < PROBE_BYTES:
                written += file.write(bytes(PROBE_BYTES - written))
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None
