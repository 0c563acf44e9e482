"""The frames of a recording in order: decoded ahead in a thread, made BGR pixels only when somebody looks at them."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from av.video.frame import VideoFrame

from vidassets.media.opening import StorageOptions
from vidassets.media.pictures import PixelConverter, clockwise_turn
from vidassets.media.problems import Problem
from vidassets.media.sampling import FrameReader
from vidassets.spatter.crops.gate import Planes, planes_of

T = TypeVar("T")
# Chosen here: a hand-over between threads costs 40 µs, decoding a frame of 640x360 110 µs; sixteen frames in hand are
# 6 MB at 640x360 and 200 MB at 4K.
BATCH_FRAMES = 4
BATCHES_AHEAD = 3


@dataclass(frozen=True, slots=True, eq=False)
class BuildFrame:
    """One frame of a recording.

    Attributes:
        video_frame: 0, 1, 2 … over every frame that decodes.
        pts_s: its presentation time, as the container tells it.
        picture: as decoded; or BGR uint8 (H, W, 3).
        size: width and height, upright.
        follows: whether it is known to be the next frame after the one before it, and both are whole.
        planes: its samples, where they tell what differs before it is developed.
    """

    video_frame: int
    pts_s: float
    picture: VideoFrame | np.ndarray
    size: tuple[int, int]
    follows: bool
    planes: Planes | None = None


def frames_of_arrays(pictures: Iterable[tuple[float, np.ndarray]]) -> Iterator[BuildFrame]:
    """Frames of (pts_s, BGR uint8 (H, W, 3))."""
    for index, (pts_s, pixels) in enumerate(pictures):
        yield BuildFrame(index, pts_s, pixels, (pixels.shape[1], pixels.shape[0]), follows=index > 0)


def frames_of_video(uri: str, storage_options: StorageOptions | None, problems: list[Problem]) -> Generator[BuildFrame]:
    """Frames of a video; what does not decode is told in `problems`, and breaks the sequence."""
    n_told, was_damaged, size = 0, True, None
    for index, shown in enumerate(FrameReader(uri, storage_options, problems.append).all_frames()):
        last_size, size = size, _upright_size(shown.frame)
        if last_size not in (None, size):
            detail = f"at {shown.pts_s:.3f} s pictures go from {last_size} to {size} pixels: not compared"
            problems.append(Problem("size_change", detail))
        is_broken = shown.damaged or was_damaged or len(problems) > n_told
        planes = planes_of(shown.frame)
        yield BuildFrame(index, shown.pts_s, shown.frame, size, follows=not is_broken, planes=planes)
        n_told, was_damaged = len(problems), shown.damaged


def _upright_size(frame: VideoFrame) -> tuple[int, int]:
    return (frame.height, frame.width) if clockwise_turn(frame) in (90, 270) else (frame.width, frame.height)


@contextmanager
def read_ahead(items: Iterator[T]) -> Iterator[Iterator[T]]:
    """The same items, made in a thread while those before them are worked on; the thread ends with the block."""

    def decode() -> list[T]:
        return list(islice(items, BATCH_FRAMES))

    def in_order(pending: deque[Future[list[T]]]) -> Iterator[T]:
        while batch := pending.popleft().result():
            pending.append(decoder.submit(decode))
            yield from batch

    decoder = ThreadPoolExecutor(1, thread_name_prefix="decode")
    try:
        yield in_order(deque(decoder.submit(decode) for _ in range(BATCHES_AHEAD)))
    finally:
        decoder.shutdown(wait=True, cancel_futures=True)


class Darkroom:
    """BGR pixels of the two frames in hand, each developed once, in memory that is used again.

    Fresh memory of a picture's size costs more in page faults than developing the picture into it.
    """

    def __init__(self) -> None:
        self._converter = PixelConverter("bgr24")
        self._kept: list[tuple[BuildFrame | None, np.ndarray]] = [(None, np.empty((0, 0, 3), np.uint8))] * 2

    def pixels(self, frame: BuildFrame) -> np.ndarray:
        """uint8 (H, W, 3), upright; valid until the frame after the next one is asked for."""
        if isinstance(frame.picture, np.ndarray):
            return frame.picture
        slot = frame.video_frame % 2
        kept, sheet = self._kept[slot]
        if kept is not frame:
            developed = self._converter.convert(frame.picture)
            sheet = sheet if sheet.shape == developed.shape else np.empty_like(developed)
            np.copyto(sheet, developed)
            self._kept[slot] = (frame, sheet)
        return sheet
