"""What a listing yields: files that matter here, by their names below a root."""

from dataclasses import dataclass
from pathlib import PurePosixPath

# What ffmpeg demuxes and cameras, editors and archives write.
VIDEO_EXTENSIONS = frozenset(
    f".{name}"
    for name in (
        *("3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg"),
        *("mpg", "mts", "mxf", "ogv", "ts", "vob", "webm", "wmv"),
    )
)
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
        """With its dot, lower case."""
        return PurePosixPath(self.name).suffix.lower()


def is_relevant(name: str) -> bool:
    """Whether a file's name is that of a video, a tar, or a sidecar; hidden files and truth files are none.

    >>> [is_relevant(name) for name in ("a/b.MP4", ".a/b.mp4", "b.truth.json", "b.json", "b.txt")]
    [True, False, False, True, False]
    """
    path = PurePosixPath(name.lower())
    # A part `..` hides nothing: whoever lists it has to tell.
    if any(part.startswith(".") and part != ".." for part in path.parts) or path.name.endswith(".truth.json"):
        return False
    known = path.suffix in VIDEO_EXTENSIONS or path.suffix in (TAR_EXTENSION, SIDECAR_EXTENSION)
    return known or path.name.endswith(COMPRESSED_TAR_ENDINGS)
