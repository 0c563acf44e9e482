"""Files found by a listing, and which of them are relevant: videos, sounds, tars and sidecars."""

from dataclasses import dataclass
from pathlib import PurePosixPath

# Containers that ffmpeg can demux and that cameras, editors and archives write.
VIDEO_EXTENSIONS = frozenset(
    f".{name}"
    for name in (
        *("3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg"),
        *("mpg", "mts", "mxf", "ogv", "ts", "vob", "webm", "wmv"),
    )
)
# Sound alone is a clip without pictures.
SOUND_EXTENSIONS = frozenset((".aac", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma"))
TAR_EXTENSION = ".tar"
SIDECAR_EXTENSION = ".json"
COMPRESSED_TAR_ENDINGS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


@dataclass(frozen=True)
class ListedFile:
    """A file of a listing."""

    name: str  # below the root, parts joined by `/`
    uri: str
    size_bytes: int
    fingerprint: str

    @property
    def extension(self) -> str:
        """The extension with its dot, in lower case."""
        return PurePosixPath(self.name).suffix.lower()


def is_relevant(name: str) -> bool:
    """Return whether a name is that of a video, a sound, a tar or a sidecar, and neither hidden nor a truth file.

    >>> [is_relevant(name) for name in ("a/b.MP4", "a.wav", ".a/b.mp4", "b.truth.json", "b.json", "b.txt")]
    [True, True, False, False, True, False]
    """
    path = PurePosixPath(name.lower())
    # A part `..` is not a hidden file: the caller has to refuse it.
    if any(part.startswith(".") and part != ".." for part in path.parts) or path.name.endswith(".truth.json"):
        return False
    known = path.suffix in VIDEO_EXTENSIONS | SOUND_EXTENSIONS or path.suffix in (TAR_EXTENSION, SIDECAR_EXTENSION)
    return known or path.name.endswith(COMPRESSED_TAR_ENDINGS)
