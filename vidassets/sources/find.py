"""Finding the videos in a folder, a tar file or below a URL."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from vidassets.credentials import credential_in, without_credentials
from vidassets.errors import InvalidKey, SourceError, SourceMissing, SourceUnreadable
from vidassets.sources.archive import list_tar
from vidassets.sources.keys import clip_key, key_collisions
from vidassets.sources.listed_file import (
    COMPRESSED_TAR_ENDINGS,
    SIDECAR_EXTENSION,
    SOUND_EXTENSIONS,
    TAR_EXTENSION,
    VIDEO_EXTENSIONS,
    ListedFile,
)
from vidassets.sources.local import list_file, list_folder, read_problem
from vidassets.sources.remote import list_url
from vidassets.sources.source import KINDS, Kind, Refused, Source

GIVE_CREDENTIALS = (
    "The location of a video is stored and shown, and a signed link expires. Give the URL without it. For http(s), put "
    "`machine HOST login NAME password PASSWORD` into ~/.netrc, or a file that the variable NETRC names; for S3, give "
    "s3://bucket/key and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)


@dataclass(frozen=True)
class Found:
    """Videos, sorted by key, and refused files, sorted by uri: a bad file does not hide the others."""

    sources: list[Source]
    refused: list[Refused]


def find_videos(place: str | Path, kind: Kind, storage_options: dict[str, Any] | None = None) -> Found:
    """Return the videos and sounds of a place. Contents are not checked: `raw_clip` reports an empty or damaged file.

    A sound beside a video of the same name is taken for that video's sound, and left out. So are sounds among builds.

    Args:
        place: a video or sound file, a folder, a tar file, or the URL of one of these, such as ``s3://bucket/prefix``.
        kind: the kind of every video in it.
        storage_options: options of a URL, see `remote_files`.

    Raises:
        SourceMissing: the place does not exist, or contains no video.
        SourceUnreadable: the place cannot be listed.
        SourceError: an unknown kind.
    """
    if kind not in KINDS:
        raise SourceError(f"{kind!r}: not a kind of video. Give one of {', '.join(KINDS)}.")
    if found := credential_in(str(place)):
        raise SourceUnreadable(f"{without_credentials(str(place))}: this URL contains {found}. {GIVE_CREDENTIALS}")
    options = storage_options or {}
    listed = list(_listed(str(place), options))
    results = _sources((item for item in listed if isinstance(item, ListedFile)), kind, lambda name: clip_key("", name))
    results += [item for item in listed if isinstance(item, Refused)]
    for tar in (item for item in listed if isinstance(item, ListedFile) and item.extension == TAR_EXTENSION):
        members = list(list_tar(tar, options))
        entries = (item for item in members if isinstance(item, ListedFile))
        results += _sources(entries, kind, lambda name: clip_key("", PurePosixPath(name).name))
        results += [item for item in members if isinstance(item, Refused)]
    if not results:
        looked_for = " ".join(sorted([*_extensions(kind), TAR_EXTENSION]))
        raise SourceMissing(f"{place}: no video found. Looked for {looked_for}; give the folder that contains videos.")
    return _without_collisions(results)


def _listed(place: str, options: dict[str, Any]) -> Iterable[ListedFile | Refused]:
    if "://" in place and not place.startswith("file://"):
        return list_url(place, options)
    path = Path(place.removeprefix("file://")).expanduser().absolute()
    try:
        if path.is_dir():
            return list_folder(path.resolve())
        if path.exists() or path.is_symlink():
            return list_file(path)
    except OSError as error:
        raise SourceUnreadable(f"{place}: {read_problem(error)}") from error
    raise SourceMissing(f"{place}: nothing is there. Check the path, or mount the disk that holds it.")


def _sources(entries: Iterable[ListedFile], kind: Kind, key_of: Callable[[str], str]) -> list[Source | Refused]:
    results: list[Source | Refused] = []
    entries = list(entries)
    for entry in [entry for entry in entries if credential_in(entry.uri)]:
        # A listing may link to signed URLs.
        entries.remove(entry)
        shown = without_credentials(entry.uri)
        problem = f"{shown}: this URL contains {credential_in(entry.uri)}. {GIVE_CREDENTIALS}"
        results.append(Refused(shown, SourceUnreadable(problem)))
    sidecars = {_stem(entry): entry for entry in entries if entry.extension == SIDECAR_EXTENSION}
    videos = {_stem(entry) for entry in entries if entry.extension in VIDEO_EXTENSIONS}
    for entry in entries:
        if entry.name.lower().endswith(COMPRESSED_TAR_ENDINGS):
            problem = f"{entry.uri}: a compressed tar cannot be read at random positions. Decompress it to a .tar."
            results.append(Refused(entry.uri, SourceUnreadable(problem)))
        is_sound_of_video = entry.extension in SOUND_EXTENSIONS and _stem(entry) in videos
        if entry.extension not in _extensions(kind) or is_sound_of_video:
            continue
        sidecar = sidecars.get(_stem(entry))
        try:
            source = Source(key_of(entry.name), entry.uri, kind, entry.size_bytes, entry.fingerprint)
        except InvalidKey as error:
            results.append(Refused(entry.uri, error))
        else:
            with_sidecar = sidecar and replace(source, sidecar_uri=sidecar.uri, sidecar_fingerprint=sidecar.fingerprint)
            results.append(with_sidecar or source)
    return results


def _extensions(kind: Kind) -> frozenset[str]:
    return VIDEO_EXTENSIONS if kind == "build" else VIDEO_EXTENSIONS | SOUND_EXTENSIONS


def _stem(entry: ListedFile) -> PurePosixPath:
    return PurePosixPath(entry.name).with_suffix("")


def _without_collisions(results: list[Source | Refused]) -> Found:
    sources = [result for result in results if isinstance(result, Source)]
    refused = [result for result in results if isinstance(result, Refused)]
    # Keeping the first would let the order of a listing decide which video has the key: refuse all of them.
    collisions = key_collisions(sources)
    refused += [Refused(uri, error) for uri, error in collisions.items()]
    return Found(
        sorted((source for source in sources if source.uri not in collisions), key=lambda source: source.key),
        sorted(refused, key=lambda refusal: refusal.uri),
    )
