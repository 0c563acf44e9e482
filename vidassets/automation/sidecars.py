"""Looks at the sidecars of videos when these are added, so that a mistake is not found only by the first run."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from vidassets.assets.spatter.crops import SpatterExtraction, settings_for_recording
from vidassets.errors import VidassetsError
from vidassets.sources.sidecar import read_sidecar
from vidassets.sources.source import Source

THREADS = 16  # chosen here: most of the time goes into waiting for a remote store


def sidecar_problems(sources: Iterable[Source]) -> dict[str, str]:
    """Return, by uri, what is wrong with the sidecars of these videos: the file, the line or field, how to fix it.

    The fields that an asset reads are checked for builds. Other fields may hold anything.
    """
    with_sidecar = [source for source in sources if source.sidecar_uri is not None]
    with ThreadPoolExecutor(THREADS) as threads:
        problems = zip(with_sidecar, threads.map(_problem, with_sidecar), strict=True)
        return {str(source.sidecar_uri): problem for source, problem in problems if problem}


def _problem(source: Source) -> str | None:
    from vidassets.spatter.dataset.labels import labels_from_fields

    try:
        document = read_sidecar(source.sidecar_uri, fingerprint=source.sidecar_fingerprint) or {}
        if source.kind == "build":
            labels_from_fields(document, str(source.sidecar_uri))
            settings_for_recording(SpatterExtraction(), document, str(source.sidecar_uri))
    except VidassetsError as error:
        return str(error)
    return None
