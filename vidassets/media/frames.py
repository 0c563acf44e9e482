"""Pictures of a video: those on screen at given moments, every one, or the keyframes.

All times are the container's own (`pts_s`), nothing shifted. What is on screen at t is the last picture that begins at
or before t; before the first one, the first. What does not decode is told to `on_problem` and left out; without
`on_problem`, an UnreadableVideo tells it after the last picture that does decode.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from vidassets.errors import UnreadableVideo
from vidassets.media.opening import StorageOptions
from vidassets.media.pictures import Developer, Picture, Pixel
from vidassets.media.problems import OnProblem, Problem
from vidassets.media.sampling import Source


def frames_at(
    uri: str,
    times_s: Iterable[float],
    *,
    max_side_px: int | None = None,
    pixel: Pixel = "rgb24",
    storage_options: StorageOptions | None = None,
    on_problem: OnProblem | None = None,
) -> Iterator[Picture]:
    """The pictures on screen at the wanted times, one for each, in order of time.

    The same pixels as decoding everything, at a fraction of the work: only the groups of pictures that hold a wanted
    one are decoded (and, of a remote file, read), up to it, leaving out what no other picture needs.

    Args:
        uri: a path, or a URL that fsspec knows.
        times_s: seconds, in any order; repeated times give repeated pictures.
        max_side_px: scale larger pictures down to this longer side.
        pixel: "rgb24", "bgr24" as OpenCV reads it, or "gray" for full-range luma.
        storage_options: for fsspec.
        on_problem: told of everything that does not decode.

    Raises:
        SourceMissing, SourceUnreadable, EmptyVideo, TruncatedVideo, UnreadableVideo, NoVideoStream.
        ValueError: a wanted time that is not finite.
    """
    developer = Developer(pixel, max_side_px=max_side_px)
    with _told(uri, on_problem) as report:
        for shown in Source(uri, storage_options, report).frames_at(times_s):
            pixels = developer.develop(shown.frame)
            for moment in shown.moments:
                yield Picture(shown.pts_s, moment.wanted_s, pixels, shown.damaged)


def every_frame(
    uri: str,
    *,
    size: tuple[int, int] | None = None,
    max_side_px: int | None = None,
    pixel: Pixel = "rgb24",
    storage_options: StorageOptions | None = None,
    on_problem: OnProblem | None = None,
) -> Iterator[Picture]:
    """Every picture, in order of presentation; `wanted_s` is its own time.

    Args:
        size: (width, height) of every picture, whatever its aspect; else a stream that changes its size gives
            pictures of several sizes.

    Other arguments and errors: see `frames_at`.
    """
    developer = Developer(pixel, max_side_px=max_side_px, size=size)
    with _told(uri, on_problem) as report:
        for shown in Source(uri, storage_options, report).all_frames():
            yield Picture(shown.pts_s, shown.pts_s, developer.develop(shown.frame), shown.damaged)


def keyframes(
    uri: str,
    *,
    max_side_px: int | None = None,
    pixel: Pixel = "rgb24",
    storage_options: StorageOptions | None = None,
    on_problem: OnProblem | None = None,
) -> Iterator[Picture]:
    """The pictures that decode on their own, in order of presentation, each decoded alone.

    Arguments and errors: see `frames_at`.
    """
    developer = Developer(pixel, max_side_px=max_side_px)
    with _told(uri, on_problem) as report:
        for shown in Source(uri, storage_options, report).keyframes():
            yield Picture(shown.pts_s, shown.pts_s, developer.develop(shown.frame), shown.damaged)


@contextmanager
def _told(uri: str, on_problem: OnProblem | None) -> Iterator[OnProblem]:
    """Whom to tell of problems; without `on_problem`, they are raised together in the end."""
    problems: list[Problem] = []
    yield on_problem or problems.append
    if problems:
        raise UnreadableVideo(
            f"{uri}: {len(problems)} problem(s), the first: {problems[0].detail}. Re-encode the file from its origin, "
            "or go on with what decodes by passing `on_problem`."
        )
