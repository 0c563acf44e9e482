"""Opening a video wherever it lies, and saying in our own words why one does not open."""

import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import av
import fsspec
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from vidassets.errors import (
    EmptyVideo,
    NoVideoStream,
    SourceMissing,
    SourceUnreadable,
    TruncatedVideo,
    UnreadableVideo,
    VidassetsError,
)

StorageOptions = Mapping[str, Any]

# Chosen here: one block holds a second of 4 Mbit/s video; 32 blocks are kept, so 16 MiB a remote file.
BLOCK_BYTES = 512 * 1024
KEPT_BLOCKS = 32
# A remote server that says nothing for so long is reported, not waited for.
SILENCE_S = 60


def is_remote(uri: str) -> bool:
    """Whether `uri` is a URL and not a path.

    >>> is_remote("s3://bucket/a.mp4"), is_remote("/videos/a: b.mp4")
    (True, False)
    """
    scheme, separator, _ = uri.partition("://")
    return bool(separator) and scheme.isalnum() and scheme != "file"


def local_path(uri: str) -> Path:
    """The file at a local `uri` (a path, or ``file://`` and one), known to be a regular file.

    Raises:
        SourceMissing: nothing is there, or the link is broken.
        SourceUnreadable: a directory, a pipe, a device, or a path that may not be looked at.
    """
    path = Path(uri.removeprefix("file://"))
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        what = "a link to a file that is gone" if path.is_symlink() else "no such file"
        raise SourceMissing(f"{uri}: {what}. Put the video back, or take it out with `vidassets remove`.") from None
    except (OSError, ValueError) as error:
        raise SourceUnreadable(
            f"{uri}: cannot be looked at ({error}). Check its name and its folder's rights."
        ) from None
    if stat.S_ISDIR(mode):
        raise SourceUnreadable(f"{uri}: a directory where a video file is expected. Name a file inside it.")
    # Opening a pipe would wait for a writer that may never come.
    if not stat.S_ISREG(mode):
        raise SourceUnreadable(f"{uri}: a pipe, socket or device, not a file. Copy its content into a file first.")
    return path


class RangeFile:
    """A remote file read by the blocks that are asked for; whatever goes wrong under way is a SourceUnreadable."""

    def __init__(self, uri: str, file: BinaryIO) -> None:
        self.name, self._file = uri, file

    def read(self, n_bytes: int = -1) -> bytes:
        """Up to `n_bytes` bytes from the present position."""
        try:
            return self._file.read(n_bytes)
        except Exception as error:
            raise _remote_failure(self.name, error) from error

    def seek(self, offset: int, whence: int = 0) -> int:
        """Moves the present position; reads nothing."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The present position, in bytes."""
        return self._file.tell()


@contextmanager
def open_bytes(uri: str, storage_options: StorageOptions | None = None) -> Iterator[BinaryIO | RangeFile]:
    """The bytes of a local or remote file, seekable; a remote one is read by ranges, only where it is asked for.

    Raises:
        SourceMissing: nothing is there.
        SourceUnreadable: permission, a directory, a server that answers no ranges, a protocol not installed.
    """
    if not is_remote(uri):
        try:
            file = local_path(uri).open("rb")
        except PermissionError:
            raise SourceUnreadable(
                f"{uri}: no permission to read it. `chmod u+r` the file, or run as its owner."
            ) from None
        with file:
            yield file
        return
    options = dict(storage_options or {})
    try:
        if uri.startswith("http"):
            from aiohttp import ClientTimeout

            options.setdefault("client_kwargs", {"timeout": ClientTimeout(sock_connect=SILENCE_S, sock_read=SILENCE_S)})
        filesystem, path = fsspec.url_to_fs(uri, **options)
        # What was listed earlier may have been replaced since.
        filesystem.invalidate_cache()
        remote = filesystem.open(
            path, "rb", block_size=BLOCK_BYTES, cache_type="blockcache", cache_options={"maxblocks": KEPT_BLOCKS}
        )
        if (getattr(remote, "details", None) or {}).get("type") == "directory":
            raise SourceUnreadable(f"{uri}: a prefix where a video is expected. Name an object below it.")
        if not remote.seekable():
            raise SourceUnreadable(f"{uri}: its server answers no range requests. Download the file and use the copy.")
    except Exception as error:
        raise _remote_failure(uri, error) from error
    with remote:
        yield RangeFile(uri, remote)


def _remote_failure(uri: str, error: Exception) -> VidassetsError:
    """Our own error for whatever a remote file system raised: each has types of its own."""
    if isinstance(error, VidassetsError):
        return error
    # Over HTTP, fsspec says "not found" whatever went wrong; what did is the cause.
    cause = error.__cause__
    if isinstance(cause, Exception) and type(cause).__module__.startswith("aiohttp"):
        error = FileNotFoundError() if getattr(cause, "status", None) in (404, 410) else cause
    if isinstance(error, FileNotFoundError):
        return SourceMissing(f"{uri}: nothing is there. Check the address, or take it out with `vidassets remove`.")
    if isinstance(error, ImportError):
        return SourceUnreadable(f"{uri}: {error}. For s3:// install `vidassets[s3]`; for http:// `aiohttp`.")
    if isinstance(error, PermissionError):
        return SourceUnreadable(f"{uri}: access denied ({error}). Check the credentials and the bucket's policy.")
    return SourceUnreadable(
        f"{uri}: cannot be read ({type(error).__name__}: {error}). Check the address, the network and the credentials."
    )


@contextmanager
def open_container(uri: str, storage_options: StorageOptions | None = None) -> Iterator[InputContainer]:
    """The demuxer of a video, at its beginning; closed on leaving.

    Args:
        uri: a path, or a URL that fsspec knows (s3://, https:// …), which is read by ranges.
        storage_options: for fsspec (`endpoint_url`, `key` …).

    Raises:
        SourceMissing, SourceUnreadable: see `open_bytes`.
        EmptyVideo: zero bytes.
        TruncatedVideo: an MP4 or MOV whose index lies in the part that is gone.
        UnreadableVideo: no demuxer knows it.
    """
    with open_bytes(uri, storage_options) as file:
        if not file.read(1):
            raise EmptyVideo(f"{uri}: zero bytes. Copy it again from where it came, or take it out.")
        file.seek(0)
        try:
            # The prefix keeps a name such as `a:b.mp4` from being read as a protocol, and the whitelist a playlist
            # that calls itself a video from opening anything else.
            source = file if isinstance(file, RangeFile) else f"file:{file.name}"
            container = av.open(source, "r", options={"protocol_whitelist": "file"})
        except FFmpegError as error:
            if _lost_its_index(file):
                raise TruncatedVideo(
                    f"{uri}: cut off: its index (moov) was in the part that is missing. Copy or record it again; "
                    "nothing of it can be shown without the index."
                ) from None
            raise UnreadableVideo(
                f"{uri}: not a video that can be opened ({error.strerror}). `ffprobe` shows what it holds; "
                "re-encode it, or take it out with `vidassets remove`."
            ) from None
        with container:
            yield container


def _lost_its_index(file: BinaryIO | RangeFile) -> bool:
    """Whether an ISO media file (MP4, MOV) ends before its `moov` box does."""
    end, at, first = file.seek(0, 2), 0, True
    while True:
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            return not first
        size, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if first and kind not in (b"ftyp", b"wide", b"mdat", b"free", b"skip", b"moov", b"pnot"):
            return False
        size = int.from_bytes(header[8:16], "big") if size == 1 else size or end - at
        if kind == b"moov":
            return at + size > end
        at, first = at + max(size, 8), False


def find_video_stream(container: InputContainer) -> VideoStream | None:
    """The stream to look at: the default one if one is so marked, else the first; cover pictures do not count."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    marked = [s for s in streams if s.disposition & Disposition.default]
    return next(iter(marked or streams), None)


def video_stream(container: InputContainer, uri: str) -> VideoStream:
    """Like `find_video_stream`, and with a decoder.

    Raises:
        NoVideoStream: the container holds none.
        UnreadableVideo: its codec is unknown here.
    """
    stream = find_video_stream(container)
    if stream is None:
        held = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise NoVideoStream(
            f"{uri}: no video stream, it holds {held}. Take it out, or give the file with the pictures."
        )
    if stream.codec_context is None:
        raise UnreadableVideo(f"{uri}: no decoder for its video stream. Re-encode it, as H.264 for instance.")
    return stream
