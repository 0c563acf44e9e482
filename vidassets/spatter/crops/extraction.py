"""Hours of a build become crops of its spatter, a table of them, and a log of every frame.

Crops are byte for byte what the plain algorithm gives: of each pair of consecutive frames the difference, gray, blurred
5x5, thresholded, dilated three times by 3x3; of its contours those of the right area that are not the recoater's blue
light; cut from the earlier frame, on which nothing is drawn. What a cheaper test shows to be needless is not done.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import polars as pl

from vidassets.errors import EmptyVideo, InvalidSetting
from vidassets.media.opening import StorageOptions
from vidassets.media.problems import Problem
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.crops.contours import contours_of_change, largest_area
from vidassets.spatter.crops.crops_file import CropsFile
from vidassets.spatter.crops.gate import changed_region
from vidassets.spatter.crops.recording import BuildFrame, Darkroom, frames_of_arrays, frames_of_video, read_ahead
from vidassets.spatter.crops.region import Region
from vidassets.spatter.crops.rows import Rows
from vidassets.spatter.crops.settings import ExtractionSettings
from vidassets.spatter.crops.shape import shape_of

# A new frame number is told so often: every 20 s of a recording at 25 fps.
PROGRESS_FRAMES = 500


@dataclass(frozen=True, eq=False)
class Extraction:
    """What came of a recording.

    Attributes:
        events: rows of `spatter_schemas.SpatterEvents`, one per crop, in the crops' order.
        frame_log: rows of `spatter_schemas.SpatterFrameLog`, one per pair of frames that was compared.
        problems: what did not decode, or could not be compared.
    """

    events: pl.DataFrame
    frame_log: pl.DataFrame
    problems: list[Problem]


class Spatter(NamedTuple):
    """One spatter on the earlier frame of a pair; the crop is a view of that frame."""

    contour: np.ndarray
    area_px: float
    box: Region
    crop: np.ndarray


class Pair(NamedTuple):
    """Two consecutive frames, and the part of the columns looked at outside of which they cannot differ enough."""

    earlier: BuildFrame
    later: BuildFrame
    changed: Region | None


def extract_crops(
    build: str,
    uri: str,
    crops_path: Path,
    settings: ExtractionSettings | None = None,
    *,
    storage_options: StorageOptions | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Extraction:
    """Finds the spatter of a recording, and writes its crops.

    Decoding goes on in a thread of its own. Memory does not grow with the recording, but for the two tables.

    Args:
        build: partition key.
        uri: the recording, a path or a URL that fsspec knows.
        crops_path: where the HDF5 file will be, see `crops_file`; not touched where extraction fails.
        settings: None for the defaults.
        on_progress: told the number of video frames seen, now and then.

    Raises:
        SourceMissing, SourceUnreadable, EmptyVideo, TruncatedVideo, UnreadableVideo, NoVideoStream.
        InvalidSetting: a bound outside of the picture, or a start behind the end.
    """
    problems: list[Problem] = []
    settings = settings or ExtractionSettings()
    with (
        _opencv_in_one_thread(),
        closing(frames_of_video(uri, storage_options, problems)) as frames,
        read_ahead(compared(uri, frames, settings)) as pairs,
    ):
        return _extract(build, uri, pairs, crops_path, settings, problems, on_progress)


@contextmanager
def _opencv_in_one_thread() -> Iterator[None]:
    """Its own threads cost CPU time, and on pictures of this size save none: decoding has the other core."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def extract_from_arrays(
    build: str,
    pictures: Iterable[tuple[float, np.ndarray]],
    crops_path: Path,
    settings: ExtractionSettings | None = None,
) -> Extraction:
    """The same of (pts_s, BGR uint8 (H, W, 3)), in order of time."""
    settings = settings or ExtractionSettings()
    pairs = compared(build, frames_of_arrays(pictures), settings)
    return _extract(build, "arrays", pairs, crops_path, settings, [], None)


def _extract(
    build: str,
    source: str,
    pairs: Iterator[Pair],
    crops_path: Path,
    settings: ExtractionSettings,
    problems: list[Problem],
    on_progress: Callable[[int], None] | None,
) -> Extraction:
    events, log = Rows(spatter_schemas.SpatterEvents), Rows(spatter_schemas.SpatterFrameLog)
    darkroom, layers = Darkroom(), LayerCount(settings.layer_gap_frames)
    with CropsFile(crops_path, build, source=source, config=asdict(settings)) as crops:
        for pair in pairs:
            earlier, spatters = pair.earlier, spatters_of(pair, darkroom, settings)
            if on_progress is not None and earlier.video_frame % PROGRESS_FRAMES == 0:
                on_progress(earlier.video_frame)
            if settings.max_crops is not None:
                spatters = spatters[: settings.max_crops - len(events)]
            frame = earlier.video_frame - settings.start_frame
            log.append(clip=build, frame=frame, pts_s=earlier.pts_s, n_spatters=len(spatters))
            for spatter in spatters:
                dataset, index = crops.append(cv2.imencode(".jpg", spatter.crop)[1].tobytes())
                events.append(
                    clip=build,
                    event_index=len(events),
                    frame=frame,
                    video_frame=earlier.video_frame,
                    pts_s=earlier.pts_s,
                    layer=layers.at(frame),
                    **_columns(spatter),
                    dataset=dataset,
                    ds_idx=index,
                )
            if settings.max_crops is not None and len(events) >= settings.max_crops:
                break
    return Extraction(events.table(), log.table(), problems)


class LayerCount:
    """Numbers layers: one begins with spatter more than `gap_frames` frames after the last."""

    def __init__(self, gap_frames: int) -> None:
        self._gap_frames, self._layer = gap_frames, 0
        self._last: int | None = None

    def at(self, frame: int) -> int:
        """The layer of spatter on this frame; asked in order, for every frame that has some."""
        if self._last is not None and frame - self._last > self._gap_frames:
            self._layer += 1
        self._last = frame
        return self._layer


def compared(source: str, frames: Iterable[BuildFrame], settings: ExtractionSettings) -> Iterator[Pair]:
    """Every frame with the one that follows it, the cheap part of their comparison done."""
    for earlier, later in pairwise(_from_start(source, frames, settings)):
        if later.follows:
            width, height = later.size
            changed = Region(settings.left_bound, 0, settings.right_bound or width, height)
            if earlier.planes is not None and later.planes is not None:
                region = changed_region(earlier.planes, later.planes, settings.difference_threshold)
                changed = region and region.within(changed)
            yield Pair(earlier, later, changed)


def _from_start(source: str, frames: Iterable[BuildFrame], settings: ExtractionSettings) -> Iterator[BuildFrame]:
    n_frames = n_started = 0
    for frame in frames:
        n_frames += 1
        if frame.video_frame < settings.start_frame:
            continue
        if not n_started:
            _check_bounds(source, frame, settings)
        n_started += 1
        yield frame
    if not n_frames:
        raise EmptyVideo(f"{source}: no picture decodes. Re-encode it from its origin, or take the clip out.")
    if not n_started:
        raise InvalidSetting(f"{source}: start_frame is {settings.start_frame} of {n_frames} frames. Set it lower.")


def _check_bounds(source: str, frame: BuildFrame, settings: ExtractionSettings) -> None:
    width, _ = frame.size
    for name, bound in (("left_bound", settings.left_bound + 1), ("right_bound", settings.right_bound or width)):
        if bound > width:
            raise InvalidSetting(f"{source}: {name} lies outside of a picture of {width} px. Set it lower.")


def spatters_of(pair: Pair, darkroom: Darkroom, settings: ExtractionSettings) -> list[Spatter]:
    """The spatter on the earlier frame of a pair, in the order in which OpenCV finds contours."""
    if pair.changed is None or largest_area(pair.changed) < settings.min_area_px:
        return []
    columns = slice(settings.left_bound, settings.right_bound)
    before, after = (darkroom.pixels(frame)[:, columns] for frame in (pair.earlier, pair.later))
    changed = pair.changed.moved(-settings.left_bound)
    contours = contours_of_change(before, after, changed, settings.difference_threshold, settings.min_area_px)
    found = (_spatter(contour, before, settings) for contour in contours)
    return [spatter for spatter in found if spatter is not None]


def _spatter(contour: np.ndarray, pixels: np.ndarray, settings: ExtractionSettings) -> Spatter | None:
    """The contour as a spatter of these pixels, unless its area or its colour says that it is none."""
    area_px = cv2.contourArea(contour)
    if not settings.min_area_px <= area_px <= settings.max_area_px:
        return None
    x, y, width, height = cv2.boundingRect(contour)
    crop = pixels[y + 2 : y + height - 1, x + 2 : x + width - 1]
    if not crop.size:
        return None
    blue, green, red, _ = cv2.sumElems(crop)
    if blue > green + red:
        return None
    left = settings.left_bound
    return Spatter(contour, area_px, Region(left + x, y, left + x + width, y + height), crop)


def _columns(spatter: Spatter) -> dict[str, Any]:
    box = spatter.box
    measures = {"box_x1": box.x1, "box_y1": box.y1, "box_x2": box.x2, "box_y2": box.y2, "area_px": spatter.area_px}
    return measures | shape_of(spatter.contour, spatter.crop)._asdict()
