"""Remote files opened by URL: S3, HTTP(S), members of tar files, and any other protocol of fsspec."""

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
# A remote server that sends nothing for this long is an error.
SILENCE_S = 60


@contextmanager
def open_url(url: str, options: StorageOptions | None = None) -> Iterator[BinaryIO]:
    """Open a URL for reading; only the ranges that are used are fetched.

    Args:
        url: ``s3://bucket/key``, ``tar://member::url-or-path-of-the-tar``, or any URL that fsspec can open.
        options: of the file system that holds the file, or the tar.

    Raises:
        FileNotFoundError: the file does not exist.
        PermissionError: no permission to read it.
        OSError: it cannot be read for another reason.
        ImportError: a package that reads this protocol is not installed.
        ValueError: an unknown protocol.
    """
    if url.startswith("tar://"):
        member, _, tar_url = url.removeprefix("tar://").partition("::")
        with _open_tar(tar_url, options) as tar, _member(tar, member, url) as file:
            yield file
    elif url.startswith("s3://"):
        from vidassets.s3 import S3File, s3_client, split_url  # boto3 is an extra, and slow to import

        bucket, key = split_url(url)
        with (
            closing(s3_client(**options or {})) as client,
            S3File(client, bucket, key, block_bytes=BLOCK_BYTES, kept_blocks=KEPT_BLOCKS) as file,
        ):
            yield cast(BinaryIO, file)
    else:
        filesystem, path = _filesystem(url, options)
        opened: Any = filesystem.open(
            path, "rb", block_size=BLOCK_BYTES, cache_type="blockcache", cache_options={"maxblocks": KEPT_BLOCKS}
        )
        with opened as file:
            yield file


def url_etag(url: str, options: StorageOptions | None = None) -> str | None:
    """Return the etag or checksum that the server gives for a URL, without quotes; None if it gives none.

    Raises:
        OSError, ImportError, ValueError: see `open_url`.
    """
    if url.startswith("s3://"):
        with open_url(url, options) as file:
            return cast(Any, file).etag.strip('"')
    if url.startswith("tar://"):
        return None
    filesystem, path = _filesystem(url, options)
    info = filesystem.info(path)
    found = next((info[name] for name in ("ETag", "etag", "sha256", "md5") if info.get(name)), None)
    return None if found is None else str(found).strip('"')


def _filesystem(url: str, options: StorageOptions | None) -> tuple[Any, str]:
    arguments = dict(options or {})
    if url.startswith("http"):
        from aiohttp import ClientTimeout

        arguments.setdefault("client_kwargs", {"timeout": ClientTimeout(sock_connect=SILENCE_S, sock_read=SILENCE_S)})
    filesystem, path = fsspec.url_to_fs(url, **arguments)
    # The file may have been replaced since it was last listed.
    filesystem.invalidate_cache()
    return filesystem, path


@contextmanager
def _open_tar(url: str, options: StorageOptions | None) -> Iterator[BinaryIO]:
    if "://" not in url or url.startswith("file://"):
        with Path(url.removeprefix("file://")).open("rb") as file:
            yield file
    else:
        with open_url(url, options) as file:
            yield file


@contextmanager
def _member(tar: BinaryIO, member: str, url: str) -> Iterator[BinaryIO]:
    try:
        opened = tarfile.open(fileobj=tar, mode="r:")  # noqa: SIM115 - the errors below are those of opening only
        # Of several members with this name, this is the last one, as when unpacking.
        file = opened.extractfile(member)
    except KeyError as error:
        raise FileNotFoundError(f"{url}: the tar has no such member") from error
    except tarfile.TarError as error:
        raise OSError(f"{url}: not a complete tar ({error})") from error
    if file is None:
        raise IsADirectoryError(f"{url}: not a file")
    with opened, file:
        yield cast(BinaryIO, file)
