"""Videos inside a dataset's tar files, listed without unpacking."""

import tarfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from vidassets.errors import SourceUnreadable
from vidassets.fingerprints import of_member
from vidassets.remote_files import IncompleteTar, read_headers
from vidassets.sources.listed_file import ListedFile, is_relevant
from vidassets.sources.remote import remote_errors
from vidassets.sources.source import Refused

KEPT_TARS = 16


def list_tar(tar: ListedFile, options: dict[str, Any]) -> Iterator[ListedFile | Refused]:
    """Yield all relevant members, with a uri of the form ``tar://member::url-of-the-tar``.

    A later member replaces an earlier one of the same name, as it does when unpacking. The headers of all members are
    read once; a process remembers them until the tar is replaced. A member of a remote tar costs a request.
    """
    holder = tar.uri if "://" in tar.uri else f"file://{tar.uri}"
    if "::" in tar.uri:
        yield Refused(tar.uri, SourceUnreadable(f"{tar.uri}: '::' separates URLs. Rename the tar."))
        return
    members, problem = _members(tar.uri, tar.fingerprint, tuple(sorted(options.items())))
    if problem is not None:
        why = f"{problem}. Copy it again. The first {len(members)} members were read."
        yield Refused(tar.uri, SourceUnreadable(why))
    for member in members:
        if not member.isdir() and is_relevant(member.name.removeprefix("./")):
            uri = f"tar://{member.name}::{holder}"
            if why := _unsafe(member, tar.size_bytes):
                shown = uri.encode(errors="backslashreplace").decode()
                yield Refused(shown, SourceUnreadable(f"{shown}: {why}. Create the tar again without it."))
            else:
                fingerprint = of_member(tar.fingerprint, member.offset_data, member.size)
                yield ListedFile(member.name, uri, member.size, fingerprint)


@lru_cache(KEPT_TARS)
def _members(
    uri: str, fingerprint: str, options: tuple[tuple[str, Any], ...]
) -> tuple[list[tarfile.TarInfo], str | None]:
    """Return the last member of each name, and what is wrong with the tar after them.

    Args:
        uri, options: of the tar.
        fingerprint: of the tar, so that a replaced one is read again.
    """
    members: dict[str, tarfile.TarInfo] = {}
    problem = None
    try:
        with remote_errors(uri):
            for member in read_headers(uri, dict(options)):
                members[member.name] = member
    except SourceUnreadable as error:
        if not isinstance(error.__cause__, IncompleteTar):
            raise
        problem = str(error.__cause__)
    return list(members.values()), problem


def _unsafe(member: tarfile.TarInfo, tar_size_bytes: int) -> str | None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        return "the path of this member leads out of its folder"
    if not member.isreg():
        return "a link or a device, not a file"
    if member.issparse():
        return "stored as a sparse file, in pieces"
    if member.offset_data + member.size > tar_size_bytes:
        return "cut off at the end of the tar"
    if "::" in member.name:
        return "'::' in a name separates URLs"
    if not member.name.isprintable() or member.name != member.name.encode(errors="replace").decode():
        return "its name is not printable UTF-8"
    return None
