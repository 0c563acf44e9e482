"""Fingerprints: short texts that change when a file is replaced, known without reading its content.

mtime_ns:1700000000000000000-5120       a local file: its modification time and size
etag:9f86d081-5120                      a remote object: its etag and size
etag:9f86d081-99840@1536-5120           a member of a tar: the tar's fingerprint, then the member's place in it
"""

import os
import re
from pathlib import Path

from vidassets.remote_files import StorageOptions, find_member, split_tar_url, url_info

_MEMBER = re.compile(r"(?P<tar>.+)@(?P<offset>[0-9]+)-(?P<size>[0-9]+)")


def of_local_file(found: os.stat_result) -> str:
    """Return the fingerprint of a local file."""
    return f"mtime_ns:{found.st_mtime_ns}-{found.st_size}"


def of_object(etag: str, size_bytes: int) -> str:
    """Return the fingerprint of a remote object."""
    return f"etag:{etag.strip(chr(34))}-{size_bytes}"


def of_member(tar: str, offset: int, size_bytes: int) -> str:
    """Return the fingerprint of a member of a tar: changed if the tar is replaced, because its place may be another."""
    return f"{tar}@{offset}-{size_bytes}"


def is_member_of(tar: str, fingerprint: str) -> bool:
    """Return whether a fingerprint is that of a member of the tar with the fingerprint `tar`."""
    found = _MEMBER.fullmatch(fingerprint)
    return found is not None and found["tar"] == tar


def current_fingerprint(uri: str, options: StorageOptions | None = None, known: str | None = None) -> str:
    """Return the fingerprint of a file as it is now.

    Args:
        uri: a path, or a URL as in `remote_files.open_url`.
        options: of the file system that holds the file, or its tar.
        known: an earlier fingerprint. If the tar is the same, a member is where it was, and no header is read.

    Raises:
        OSError, ImportError, ValueError: see `remote_files.open_url`; also OSError if the server gives no etag.
    """
    if uri.startswith("tar://"):
        member, place, tar_url = split_tar_url(uri)
        tar = current_fingerprint(tar_url, options)
        if known is not None and is_member_of(tar, known):
            return known
        return of_member(tar, *(place or find_member(tar_url, member, options)))
    if "://" not in uri or uri.startswith("file://"):
        return of_local_file(Path(uri.removeprefix("file://")).stat())
    etag, size_bytes = url_info(uri, options)
    if not etag:
        raise OSError("the server gives no etag, so a replaced file could not be detected. Use a local copy")
    return of_object(etag, size_bytes)


def located(uri: str, fingerprint: str) -> str:
    """Return the URL of a tar's member with its place in the tar, so that opening it reads no header; else `uri`.

    >>> located("tar://f/a.mp4::s3://bucket/x.tar", "etag:9f86d081-99840@1536-5120")
    'tar://f/a.mp4#1536-5120::s3://bucket/x.tar'
    """
    found = _MEMBER.fullmatch(fingerprint)
    if not uri.startswith("tar://") or found is None:
        return uri
    member, _, tar_url = split_tar_url(uri)
    return f"tar://{member}#{found['offset']}-{found['size']}::{tar_url}"
