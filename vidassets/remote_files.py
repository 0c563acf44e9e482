"""Remote files opened by URL: S3, HTTP(S), members of tar files, and any other protocol of fsspec."""

import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

# Options of a URL: arguments of `s3.s3_client` for s3://, arguments of the fsspec file system for other protocols.
StorageOptions = Mapping[str, Any]

# Chosen here: a block holds one second of video at 4 Mbit/s; 32 blocks are cached, that is 16 MiB per remote file.
BLOCK_BYTES = 512 * 1024
KEPT_BLOCKS = 32
# The headers of a tar lie far apart if its members are videos: a whole block for each would fetch most of the tar.
HEADER_BLOCK_BYTES = 32 * 1024
_PLACED = re.compile(r"(?P<member>.+)#(?P<offset>[0-9]+)-(?P<size>[0-9]+)")
# A remote server that sends nothing for this long is an error.
SILENCE_S = 60


class IncompleteTar(OSError):
    """A file that is not a tar, or a tar that is damaged or cut off."""


@contextmanager
def open_url(url: str, options: StorageOptions | None = None, block_bytes: int = BLOCK_BYTES) -> Iterator[BinaryIO]:
    """Open a URL for reading; only the ranges that are used are fetched.

    Args:
        url: ``s3://bucket/key``, ``tar://member::url-or-path-of-the-tar``, or any URL that fsspec can open. A member
            with its place, ``tar://member#offset-size::…``, is opened without reading the headers of the tar.
        options: of the file system that holds the file, or the tar.
        block_bytes: length of the ranges.

    Raises:
        FileNotFoundError: the file does not exist.
        PermissionError: no permission to read it.
        OSError: it cannot be read for another reason.
        ImportError: a package that reads this protocol is not installed.
        ValueError: an unknown protocol.
    """
    if url.startswith("tar://"):
        member, place, tar_url = split_tar_url(url)
        offset, size_bytes = place or find_member(tar_url, member, options)
        with _open_path_or_url(tar_url, options, block_bytes) as tar, MemberFile(tar, offset, size_bytes) as file:
            yield cast(BinaryIO, file)
    elif url.startswith("s3://"):
        from vidassets.s3 import S3File, s3_client, split_url  # boto3 is an extra, and slow to import

        bucket, key = split_url(url)
        with (
            closing(s3_client(**options or {})) as client,
            S3File(client, bucket, key, block_bytes=block_bytes, kept_blocks=KEPT_BLOCKS) as file,
        ):
            yield cast(BinaryIO, file)
    else:
        filesystem, path = filesystem_of(url, options)
        opened: Any = filesystem.open(
            path, "rb", block_size=block_bytes, cache_type="blockcache", cache_options={"maxblocks": KEPT_BLOCKS}
        )
        with opened as file:
            yield file


def url_info(url: str, options: StorageOptions | None = None) -> tuple[str | None, int]:
    """Return the etag or checksum that the server gives for a URL, without quotes, and the size in bytes.

    Raises:
        OSError, ImportError, ValueError: see `open_url`.
    """
    if url.startswith("s3://"):
        with open_url(url, options) as file:
            found = cast(Any, file)
            return found.etag.strip('"'), found.size_bytes
    filesystem, path = filesystem_of(url, options)
    info = filesystem.info(path)
    etag = next((info[name] for name in ("ETag", "etag", "sha256", "md5") if info.get(name)), None)
    return None if etag is None else str(etag).strip('"'), int(info["size"] or 0)


def split_tar_url(url: str) -> tuple[str, tuple[int, int] | None, str]:
    """Split a tar:// URL into the member's name, its place if given (offset and size), and the tar's path or URL.

    >>> split_tar_url("tar://f/a.mp4::file:///x.tar"), split_tar_url("tar://a.mp4#512-20::s3://b/x.tar")
    (('f/a.mp4', None, 'file:///x.tar'), ('a.mp4', (512, 20), 's3://b/x.tar'))
    """
    member, _, tar_url = url.removeprefix("tar://").partition("::")
    if placed := _PLACED.fullmatch(member):
        return placed["member"], (int(placed["offset"]), int(placed["size"])), tar_url
    return member, None, tar_url


def holder_of(url: str) -> str:
    """Return the path or URL of a tar's member's tar; any other path or URL unchanged.

    >>> holder_of("tar://a.mp4::file:///x.tar"), holder_of("/a.mp4")
    ('file:///x.tar', '/a.mp4')
    """
    return split_tar_url(url)[2] if url.startswith("tar://") else url


def read_headers(tar_url: str, options: StorageOptions | None = None) -> Iterator[tarfile.TarInfo]:
    """Yield the header of every member of a tar, in order; the content between them is skipped.

    Raises:
        IncompleteTar: it is not a tar, or its end is missing.
        OSError: see `open_url`.
    """
    try:
        with (
            _open_path_or_url(tar_url, options, HEADER_BLOCK_BYTES) as file,
            tarfile.open(fileobj=file, mode="r:") as opened,
        ):
            yield from opened
    except tarfile.TarError as error:
        raise IncompleteTar(f"{tar_url}: not a complete tar ({error})") from error


def find_member(tar_url: str, member: str, options: StorageOptions | None = None) -> tuple[int, int]:
    """Return where a member's content begins in its tar, and its size. Reads the headers of all members.

    Of several members of this name, the last one counts, as when unpacking.

    Raises:
        OSError: see `read_headers`; FileNotFoundError if there is no such file in the tar.
    """
    found = None
    for header in read_headers(tar_url, options):
        if header.name == member and header.isreg() and not header.issparse():
            found = (header.offset_data, header.size)
    if found is None:
        raise FileNotFoundError(f"{tar_url}: the tar has no file {member}")
    return found


class MemberFile(io.RawIOBase):
    """A part of a seekable file, read as a file of its own: a member of a tar, which is stored as one piece."""

    def __init__(self, file: BinaryIO, offset: int, size_bytes: int) -> None:
        self._file, self._offset, self._size_bytes, self._at = file, offset, size_bytes, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Change the current position, without reading."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        """Return the current position, in bytes."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read up to the buffer's length into it."""
        n_bytes = max(0, min(len(buffer), self._size_bytes - self._at))
        self._file.seek(self._offset + self._at)
        data = self._file.read(n_bytes)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def filesystem_of(url: str, options: StorageOptions | None) -> tuple[Any, str]:
    """Return the fsspec file system of a URL, and its path there. Names and passwords for http(s) come from netrc."""
    arguments = dict(options or {})
    if url.startswith("http"):
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(sock_connect=SILENCE_S, sock_read=SILENCE_S)
        arguments.setdefault("client_kwargs", {"timeout": timeout, "trust_env": True})
    filesystem, path = fsspec.url_to_fs(url, **arguments)
    # The file may have been replaced since it was last listed.
    filesystem.invalidate_cache()
    return filesystem, path


@contextmanager
def _open_path_or_url(url: str, options: StorageOptions | None, block_bytes: int) -> Iterator[BinaryIO]:
    if "://" not in url or url.startswith("file://"):
        with Path(url.removeprefix("file://")).open("rb") as file:
            yield file
    else:
        with open_url(url, options, block_bytes) as file:
            yield file
