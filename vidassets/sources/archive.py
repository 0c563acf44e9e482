"""Videos inside a dataset's tar files, listed where they lie: nothing is unpacked."""

import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from vidassets.errors import SourceError, SourceUnreadable
from vidassets.sources.listed_file import ListedFile, is_relevant
from vidassets.sources.remote import open_source
from vidassets.sources.source import Refused


def list_tar(tar: ListedFile, options: dict[str, Any]) -> Iterator[ListedFile | Refused]:
    """All members that matter, as ``tar://member::url-of-the-tar``, which fsspec opens.

    A later member of the same name replaces an earlier one, as it does when unpacking. Opening a member reads the
    headers of all members of its tar: keep tars of remote datasets to some thousand members.
    Whoever opens one keeps the context of `fsspec.open` while reading: the tar is closed with it.
    """
    holder = tar.uri if "://" in tar.uri else f"file://{tar.uri}"
    if "::" in tar.uri:
        yield Refused(tar.uri, SourceUnreadable(f"{tar.uri}: '::' in a path divides URLs. Rename the tar."))
        return
    members: dict[str, tarfile.TarInfo] = {}
    try:
        with open_source(tar.uri, options) as file, tarfile.open(fileobj=file, mode="r:") as opened:
            for member in opened:
                members[member.name] = member
    except (tarfile.TarError, SourceError) as error:
        problem = f"{tar.uri}: not a whole tar ({error}). Copy it again; {len(members)} members before that were read."
        yield Refused(tar.uri, SourceUnreadable(problem))
    for name, member in members.items():
        if not member.isdir() and is_relevant(name.removeprefix("./")):
            uri = f"tar://{name}::{holder}"
            if why := _unsafe(member, tar.size_bytes):
                shown = uri.encode(errors="backslashreplace").decode()
                yield Refused(shown, SourceUnreadable(f"{shown}: {why}. Make the tar again."))
            else:
                yield ListedFile(name, uri, member.size, f"{tar.fingerprint}@{member.offset_data}-{member.size}")


def _unsafe(member: tarfile.TarInfo, tar_size_bytes: int) -> str | None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        return "a member's path that would leave its folder"
    if not member.isreg():
        return "a link or a device, not a file"
    if member.offset_data + member.size > tar_size_bytes:
        return "cut short with its tar"
    if "::" in member.name:
        return "'::' in a name divides URLs"
    if not member.name.isprintable() or member.name != member.name.encode(errors="replace").decode():
        return "a name that is not printable UTF-8"
    return None
