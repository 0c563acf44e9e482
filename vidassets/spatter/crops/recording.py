"""Read the frames of a recording in order: decode them ahead in a thread, convert them to BGR only when needed."""

from collections import deque
from collections.abc import Generator, Iterator
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
# Chosen here: passing a batch between threads costs 40 µs, decoding a frame of 640x360 110 µs; sixteen frames in memory
# are 6 MB at 640x360 and 200 MB at 4K.
BATCH_FRAMES = 4
BATCHES_AHEAD = 3


@dataclass(frozen=True, slots=True, eq=False)
class BuildFrame:
    """One frame of a recording.

    Attributes:
        video_frame: 0, 1, 2 … over every frame that decodes.
        pts_s: presentation time, as stored in the container.
        decoded: as decoded.
        size: width and height, upright.
        follows: whether this is known to be the frame right after the previous one, and both are undamaged.
        planes: the planes to compare with the next frame; None if they cannot be compared.
    """

    video_frame: int
    pts_s: float
    decoded: VideoFrame
    size: tuple[int, int]
    follows: bool
    planes: Planes | None = None


def read_frames(uri: str, storage_options: StorageOptions | None, problems: list[Problem]) -> Generator[BuildFrame]:
    """Yield the frames of a video; a frame that does not decode is added to `problems` and interrupts the sequence."""
    n_known_problems, was_damaged, size = 0, True, None
    for index, shown in enumerate(FrameReader(uri, storage_options, problems.append).all_frames()):
        last_size, size = size, _upright_size(shown.frame)
        if last_size not in (None, size):
            detail = f"at {shown.pts_s:.3f} s the picture size changes from {last_size} to {size} pixels: not compared"
            problems.append(Problem("size_change", detail))
        is_broken = shown.damaged or was_damaged or len(problems) > n_known_problems
        planes = planes_of(shown.frame)
        yield BuildFrame(index, shown.pts_s, shown.frame, size, follows=not is_broken, planes=planes)
        n_known_problems, was_damaged = len(problems), shown.damaged


def _upright_size(frame: VideoFrame) -> tuple[int, int]:
    return (frame.height, frame.width) if clockwise_turn(frame) in (90, 270) else (frame.width, frame.height)


@contextmanager
def read_ahead(items: Iterator[T]) -> Iterator[Iterator[T]]:
    """Yield an iterator over the same items, computed ahead in a thread; the thread ends with the block."""

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


class FramePixels:
    """The BGR pixels of the current two frames, each converted once, in memory that is reused.

    Page faults of freshly allocated memory would cost more than the conversion.
    """

    def __init__(self) -> None:
        self._converter = PixelConverter("bgr24")
        self._kept: list[tuple[BuildFrame | None, np.ndarray]] = [(None, np.empty((0, 0, 3), np.uint8))] * 2

    def pixels(self, frame: BuildFrame) -> np.ndarray:
        """Return uint8 (H, W, 3), upright; valid until the frame after the next one is converted."""
        slot = frame.video_frame % 2
        kept, pixels = self._kept[slot]
        if kept is not frame:
            converted = self._converter.convert(frame.decoded)
            pixels = pixels if pixels.shape == converted.shape else np.empty_like(converted)
            np.copyto(pixels, converted)
            self._kept[slot] = (frame, pixels)
        return pixels
