"""Opening of local and remote videos, with errors that say why a file cannot be opened."""

import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError
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
from vidassets.remote_files import StorageOptions, open_url

# The demuxers that may open a file, by ffmpeg's names: containers of video and sound. The others include playlists and
# lists, which open further files (concat, hls, dash, sdp), and still pictures, text and devices.
DEMUXERS = (
    *("matroska", "mov", "avi", "flv", "live_flv", "mpegts", "mpeg", "asf", "mxf", "gxf", "ogg", "nut", "dv", "wtv"),
    *("mpegvideo", "m4v", "h264", "hevc", "obu", "av1", "ivf"),
    *("wav", "w64", "aiff", "au", "caf", "flac", "mp3", "aac", "ac3", "eac3", "amr"),
)
# Chosen here: 8192 x 8192, above 8K video. A decoder may hold 17 pictures at once, 1.7 GB at this size.
MAX_PIXELS = 2**26
# Chosen here: above the streams of a television multiplex. ffmpeg opens a decoder for each, of a megabyte or more.
MAX_STREAMS = 256
# Options of every decoder.
DECODER_LIMITS = {"max_pixels": str(MAX_PIXELS)}


def is_remote(uri: str) -> bool:
    """Return whether `uri` is a URL and not a path.

    >>> is_remote("s3://bucket/a.mp4"), is_remote("/videos/a: b.mp4")
    (True, False)
    """
    scheme, separator, _ = uri.partition("://")
    return bool(separator) and scheme.isalnum() and scheme != "file"


def local_path(uri: str) -> Path:
    """Return the path of a local `uri` (a path or a ``file://`` URL), checked to be a regular file.

    Raises:
        SourceMissing: the file does not exist, or the link is broken.
        SourceUnreadable: a directory, a pipe, a device, or a path that cannot be inspected.
    """
    path = Path(uri.removeprefix("file://"))
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        what = "a link to a file that does not exist" if path.is_symlink() else "no such file"
        raise SourceMissing(f"{uri}: {what}. Restore the video, or remove it with `vidassets remove KEY`.") from None
    except (OSError, ValueError) as error:
        raise SourceUnreadable(
            f"{uri}: cannot be inspected ({error}). Check the name, and the permissions of its folder."
        ) from None
    if stat.S_ISDIR(mode):
        raise SourceUnreadable(f"{uri}: is a directory, not a video file. Give the path of a file inside it.")
    # Opening a pipe would block until something writes to it.
    if not stat.S_ISREG(mode):
        raise SourceUnreadable(f"{uri}: is a pipe, socket or device, not a file. Copy its content to a file first.")
    return path


class RangeFile:
    """A remote file, read in blocks on demand; any failure is raised as one of our own errors."""

    def __init__(self, uri: str, file: BinaryIO) -> None:
        self.name, self._file = uri, file

    def read(self, n_bytes: int = -1) -> bytes:
        """Read up to `n_bytes` bytes from the current position."""
        try:
            return self._file.read(n_bytes)
        except Exception as error:
            raise remote_failure(self.name, error) from error

    def seek(self, offset: int, whence: int = 0) -> int:
        """Change the current position, without reading."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the current position, in bytes."""
        return self._file.tell()


@contextmanager
def open_bytes(uri: str, storage_options: StorageOptions | None = None) -> Iterator[BinaryIO | RangeFile]:
    """Open a local or remote file for reading; of a remote file only the ranges that are used are fetched.

    Raises:
        SourceMissing: the file does not exist.
        SourceUnreadable: no permission, a directory, a server without range requests, or a protocol not installed.
    """
    if not is_remote(uri):
        try:
            file = local_path(uri).open("rb")
        except PermissionError:
            raise SourceUnreadable(
                f"{uri}: no permission to read it. Run `chmod u+r` on the file, or run as its owner."
            ) from None
        with file:
            yield file
        return
    with ExitStack() as opened:
        try:
            remote = opened.enter_context(open_url(uri, storage_options))
            if not remote.seekable():
                raise SourceUnreadable(
                    f"{uri}: the server supports no range requests. Download the file and use the copy."
                )
        except Exception as error:
            raise remote_failure(uri, error) from error
        yield RangeFile(uri, remote)


def remote_failure(uri: str, error: Exception) -> VidassetsError:
    """Return our own error for an error of a remote file system."""
    if isinstance(error, VidassetsError):
        return error
    # Over HTTP, fsspec raises FileNotFoundError for every failure; its cause is the real error.
    cause = error.__cause__
    if isinstance(cause, Exception) and type(cause).__module__.startswith("aiohttp"):
        error = FileNotFoundError() if getattr(cause, "status", None) in (404, 410) else cause
    if isinstance(error, FileNotFoundError):
        return SourceMissing(f"{uri}: not found. Check the address, or remove the clip with `vidassets remove KEY`.")
    if isinstance(error, ImportError):
        return SourceUnreadable(f"{uri}: {error}. For s3:// install `vidassets[s3]`; for http:// `aiohttp`.")
    if isinstance(error, PermissionError):
        return SourceUnreadable(f"{uri}: access denied ({error}). Check the credentials and the bucket's policy.")
    return SourceUnreadable(
        f"{uri}: cannot be read ({type(error).__name__}: {error}). Check the address, the network and the credentials."
    )


@contextmanager
def open_container(uri: str, storage_options: StorageOptions | None = None) -> Iterator[InputContainer]:
    """Open the demuxer of a video at its start, and close it when the block ends.

    Args:
        uri: a path, or a URL that `remote_files.open_url` can open (s3://, https:// …), which is read by ranges.
        storage_options: options of the URL, see `remote_files`.

    Raises:
        SourceMissing, SourceUnreadable: see `open_bytes`.
        EmptyVideo: the file has zero bytes.
        TruncatedVideo: an MP4 or MOV whose index was in the missing part.
        UnreadableVideo: no demuxer of `DEMUXERS` can read it, or it has `MAX_STREAMS` streams or more.
    """
    with open_bytes(uri, storage_options) as file:
        if not file.read(1):
            raise EmptyVideo(f"{uri}: zero bytes. Copy it again from its origin, or remove the clip.")
        file.seek(0)
        try:
            # The prefix keeps a name such as `a:b.mp4` from being parsed as a protocol. The whitelists keep a playlist
            # named like a video from opening other files: ffmpeg checks the format before it reads the header.
            source = file if isinstance(file, RangeFile) else f"file:{file.name}"
            options = {"format_whitelist": ",".join(DEMUXERS), "protocol_whitelist": "file", **DECODER_LIMITS}
            # At the limit, a demuxer fails with a MemoryError or leaves the other streams out.
            container = av.open(source, "r", options={**options, "max_streams": str(MAX_STREAMS)})
        except MemoryError:
            raise _too_many_streams(uri) from None
        except ArgumentError:
            raise UnreadableVideo(
                f"{uri}: its content is not a video or a sound, but for example a playlist, a picture or a text. "
                "Convert it, for example to MP4, or remove the clip with `vidassets remove KEY`."
            ) from None
        except FFmpegError as error:
            if _lost_its_index(file):
                raise TruncatedVideo(
                    f"{uri}: cut off: its index (moov) was in the part that is missing. Copy or record it again; "
                    "no picture can be decoded without the index."
                ) from None
            raise UnreadableVideo(
                f"{uri}: not a video that can be opened ({error.strerror}). Run `ffprobe` to see what the file "
                "contains, re-encode it, or remove the clip with `vidassets remove KEY`."
            ) from None
        with container:
            if len(container.streams) >= MAX_STREAMS:
                raise _too_many_streams(uri)
            yield container


def _too_many_streams(uri: str) -> UnreadableVideo:
    return UnreadableVideo(
        f"{uri}: has {MAX_STREAMS} streams or more, or its header is damaged and claims them. Copy the streams that "
        "matter into a new file, for example with `ffmpeg -map`, or remove the clip with `vidassets remove KEY`."
    )


def _lost_its_index(file: BinaryIO | RangeFile) -> bool:
    """Return whether an ISO media file (MP4, MOV) ends before its `moov` box does."""
    # Walk the top-level boxes: 4 bytes of size, 4 of type; size 1 puts the size in the next 8 bytes, 0 means "to the
    # end of the file".
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
    """Return the video stream marked as default, else the first; cover pictures do not count."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    marked = [s for s in streams if s.disposition & Disposition.default]
    return next(iter(marked or streams), None)


def video_stream(container: InputContainer, uri: str) -> VideoStream:
    """Return the stream of `find_video_stream`, checked to have a decoder.

    Raises:
        NoVideoStream: the container has no video stream.
        UnreadableVideo: there is no decoder for its codec, or its pictures have more than `MAX_PIXELS`.
    """
    stream = find_video_stream(container)
    if stream is None:
        held = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise NoVideoStream(
            f"{uri}: no video stream (streams found: {held}). Use the file with the pictures, or remove the clip."
        )
    if stream.codec_context is None:
        raise UnreadableVideo(f"{uri}: no decoder for its video stream. Re-encode it, for example as H.264.")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise UnreadableVideo(
            f"{uri}: its pictures have {width}x{height} pixels. Decoding takes memory for several of them, so the "
            f"limit is {MAX_PIXELS / 1e6:.0f} million pixels, such as 8192x8192. Re-encode it with smaller pictures."
        )
    return stream
