"""Videos inside a dataset's tar files, listed without unpacking."""

import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from vidassets.errors import SourceError, SourceUnreadable
from vidassets.sources.listed_file import ListedFile, is_relevant
from vidassets.sources.remote import open_source
from vidassets.sources.source import Refused


def list_tar(tar: ListedFile, options: dict[str, Any]) -> Iterator[ListedFile | Refused]:
    """Yield all relevant members, with a uri of the form ``tar://member::url-of-the-tar``.

    A later member replaces an earlier one of the same name, as it does when unpacking. Opening a member reads the
    headers of all members of its tar: keep the tars of remote datasets to a few thousand members.
    """
    holder = tar.uri if "://" in tar.uri else f"file://{tar.uri}"
    if "::" in tar.uri:
        yield Refused(tar.uri, SourceUnreadable(f"{tar.uri}: '::' separates URLs. Rename the tar."))
        return
    members: dict[str, tarfile.TarInfo] = {}
    try:
        with open_source(tar.uri, options) as file, tarfile.open(fileobj=file, mode="r:") as opened:
            for member in opened:
                members[member.name] = member
    except (tarfile.TarError, SourceError) as error:
        problem = f"{tar.uri}: not a complete tar ({error}). Copy it again. The first {len(members)} members were read."
        yield Refused(tar.uri, SourceUnreadable(problem))
    for name, member in members.items():
        if not member.isdir() and is_relevant(name.removeprefix("./")):
            uri = f"tar://{name}::{holder}"
            if why := _unsafe(member, tar.size_bytes):
                shown = uri.encode(errors="backslashreplace").decode()
                yield Refused(shown, SourceUnreadable(f"{shown}: {why}. Create the tar again without it."))
            else:
                yield ListedFile(name, uri, member.size, f"{tar.fingerprint}@{member.offset_data}-{member.size}")


def _unsafe(member: tarfile.TarInfo, tar_size_bytes: int) -> str | None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        return "the path of this member leads out of its folder"
    if not member.isreg():
        return "a link or a device, not a file"
    if member.offset_data + member.size > tar_size_bytes:
        return "cut off at the end of the tar"
    if "::" in member.name:
        return "'::' in a name separates URLs"
    if not member.name.isprintable() or member.name != member.name.encode(errors="replace").decode():
        return "its name is not printable UTF-8"
    return None
