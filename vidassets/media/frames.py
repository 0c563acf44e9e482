"""Pictures of a video: those on screen at given times, or every one.

All times are the container's own (`pts_s`), unshifted. The picture on screen at t is the last one that begins at or
before t; before the first picture, it is the first. Pictures that do not decode are left out and reported to
`on_problem`. Without `on_problem`, an UnreadableVideo is raised after the last picture that does decode.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from vidassets.errors import UnreadableVideo
from vidassets.media.pictures import Picture, Pixel, PixelConverter
from vidassets.media.problems import OnProblem, Problem
from vidassets.media.sampling import FrameReader, ShownFrame
from vidassets.remote_files import StorageOptions


def frames_at(
    uri: str,
    times_s: Iterable[float],
    *,
    max_side_px: int | None = None,
    pixel: Pixel = "rgb24",
    storage_options: StorageOptions | None = None,
    on_problem: OnProblem | None = None,
) -> Iterator[Picture]:
    """Yield the picture on screen at each wanted time, in order of time.

    The pixels are the same as when decoding everything, at a fraction of the cost: only the groups of pictures that
    hold a wanted one are decoded (and, for a remote file, read), and only up to it. Pictures that no other picture
    depends on are skipped.

    Args:
        uri: a path, or a URL that `remote_files.open_url` can open.
        times_s: seconds, in any order; a repeated time gives a repeated picture.
        max_side_px: scale larger pictures down to this length of the longer side.
        pixel: "rgb24", "bgr24" as read by OpenCV, or "gray" for full-range luma.
        storage_options: options of the URL, see `remote_files`.
        on_problem: called with every problem found.

    Raises:
        SourceMissing, SourceUnreadable, EmptyVideo, TruncatedVideo, UnreadableVideo, NoVideoStream.
        ValueError: a wanted time is not finite.
    """
    converter = PixelConverter(pixel, max_side_px=max_side_px)
    with _collected(uri, on_problem) as report:
        for shown in FrameReader(uri, storage_options, report).frames_at(times_s):
            pixels = converter.convert(shown.frame)
            for wanted in shown.wanted_times:
                yield Picture(shown.pts_s, wanted.wanted_s, pixels, shown.damaged)


def every_frame(
    uri: str,
    *,
    size: tuple[int, int] | None = None,
    max_side_px: int | None = None,
    pixel: Pixel = "rgb24",
    between_s: tuple[float, float] | None = None,
    storage_options: StorageOptions | None = None,
    on_problem: OnProblem | None = None,
) -> Iterator[Picture]:
    """Yield every picture in presentation order; `wanted_s` is the picture's own time.

    As in a player, a picture whose time is before that of an earlier picture is left out: the clock went backwards.
    What is left out is reported once.

    Args:
        between_s: also leave out pictures outside these times, because their times are damaged.
        size: (width, height) to scale every picture to, ignoring its aspect ratio. Without it, a stream that changes
            its size gives pictures of several sizes.

    The other arguments and the errors are those of `frames_at`.
    """
    converter = PixelConverter(pixel, max_side_px=max_side_px, size=size)
    with _collected(uri, on_problem) as report:
        reader = FrameReader(uri, storage_options, report)
        for shown in _plausible(reader.all_frames(), between_s, reader.report):
            yield Picture(shown.pts_s, shown.pts_s, converter.convert(shown.frame), shown.damaged)


def _plausible(
    frames: Iterator[ShownFrame], between_s: tuple[float, float] | None, report: OnProblem
) -> Iterator[ShownFrame]:
    reached_s, back_from_s = -math.inf, None
    for shown in frames:
        if between_s is not None and not between_s[0] <= shown.pts_s <= between_s[1]:
            report(Problem("pts_jump", "pictures whose times are damaged are left out"))
        elif shown.pts_s < reached_s:
            back_from_s = reached_s if back_from_s is None else back_from_s
            report(
                Problem("clock_backward", f"its clock goes back from {back_from_s:.3f} s: earlier times are left out")
            )
        else:
            reached_s = shown.pts_s
            yield shown


@contextmanager
def _collected(uri: str, on_problem: OnProblem | None) -> Iterator[OnProblem]:
    """Yield a function that takes problems. Without `on_problem`, raise all of them together at the end."""
    problems: list[Problem] = []
    yield on_problem or problems.append
    if problems:
        raise UnreadableVideo(
            f"{uri}: {len(problems)} problem(s), the first: {problems[0].detail}. Re-encode the file from its origin, "
            "or pass `on_problem` to continue with the pictures that decode."
        )
