"""Videos on a local disk."""

import errno
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG

from vidassets.errors import SourceError, SourceMissing, SourceUnreadable
from vidassets.fingerprints import of_local_file
from vidassets.sources.listed_file import (
    SIDECAR_EXTENSION,
    SOUND_EXTENSIONS,
    VIDEO_EXTENSIONS,
    ListedFile,
    is_relevant,
)
from vidassets.sources.source import Refused


def list_file(path: Path) -> Iterator[ListedFile | Refused]:
    """Yield a file, and its sidecar if it has one."""
    sidecar = path.with_suffix(SIDECAR_EXTENSION)
    yield _entry(path, path.parent)
    if sidecar != path and sidecar.exists():
        yield _entry(sidecar, path.parent)


def list_folder(root: Path) -> Iterator[ListedFile | Refused]:
    """Yield all relevant files below a folder, in no defined order; each folder once, however many links lead to it."""
    seen: set[tuple[int, int]] = set()
    folders, linked = [root], []
    while folders or linked:
        # Real folders come before links, so that a file gets its real name and not that of a link.
        folder = folders.pop() if folders else linked.pop(0)
        try:
            found = folder.stat()
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
            for path in sorted(folder.iterdir()):
                if path.name.startswith("."):
                    continue
                if not path.is_dir():
                    yield from _wanted(path, root)
                elif path.is_symlink() and path.resolve() in root.parents:
                    yield _refused(path, SourceUnreadable, f"links to a folder above {root}. Remove the link.")
                else:
                    (linked if path.is_symlink() else folders).append(path)
        except OSError as error:
            yield _refused(folder, SourceUnreadable, read_problem(error))


def read_problem(error: OSError) -> str:
    """Return why a file or folder cannot be read, and how to fix it."""
    fix = {
        errno.ELOOP: "The link leads back to itself: remove or correct it",
        errno.EACCES: "Give this user permission to read it",
        errno.EPERM: "Give this user permission to read it",
        errno.ENAMETOOLONG: "Rename it",
    }.get(error.errno or 0, "Check the disk that holds it")
    return f"{error.strerror}. {fix}."


def _wanted(path: Path, root: Path) -> Iterator[ListedFile | Refused]:
    broken = path.is_symlink() and not path.exists()
    if is_relevant(path.name) or (broken and path.suffix.lower() in {"", *VIDEO_EXTENSIONS, *SOUND_EXTENSIONS}):
        yield _entry(path, root)


def _entry(path: Path, root: Path) -> ListedFile | Refused:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return _refused(path, SourceUnreadable, "its name is not UTF-8. Rename it.")
    try:
        found = path.stat()
        if not S_ISREG(found.st_mode):
            return _refused(path, SourceUnreadable, "neither a file nor a folder. Remove it from the folder.")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        return _refused(path, SourceMissing, "a link to a file that does not exist. Fix or remove the link.")
    except OSError as error:
        return _refused(path, SourceUnreadable, read_problem(error))
    return ListedFile(path.relative_to(root).as_posix(), str(path), found.st_size, of_local_file(found))


def _refused(path: Path, error: type[SourceError], why: str) -> Refused:
    shown = str(path).encode(errors="backslashreplace").decode()
    return Refused(shown, error(f"{shown}: {why}"))
