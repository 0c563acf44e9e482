"""Extract the spatter of a recording: an HDF5 file of crops, a table of events, and a log of every frame.

The algorithm, for each pair of consecutive frames: take the absolute difference, convert it to gray, blur it 5x5,
threshold it, dilate it three times by 3x3 and find contours. Keep the contours whose area is within bounds and whose
pixels are not the recoater's blue light, and cut their bounding boxes from the earlier frame, or from the frame that is
brighter within the box: where a spatter appears at once, the earlier frame shows only the bed.

With `crop_from` earlier, the crops are byte for byte those of the classic algorithm, which always cuts from the earlier
frame, but steps that a cheaper test proves unnecessary are skipped.
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
from vidassets.spatter.crops.recording import BuildFrame, FramePixels, read_ahead, read_frames
from vidassets.spatter.crops.region import Region
from vidassets.spatter.crops.rows import Rows
from vidassets.spatter.crops.settings import ExtractionSettings
from vidassets.spatter.crops.shape import shape_of

# How often progress is reported: every 20 s of a recording at 25 fps.
PROGRESS_FRAMES = 500


@dataclass(frozen=True, eq=False)
class Extraction:
    """The result of an extraction, except for the crops file.

    Attributes:
        events: rows of `spatter_schemas.SpatterEvents`, one per crop, in the order of the crops.
        frame_log: rows of `spatter_schemas.SpatterFrameLog`, one per compared pair of frames.
        problems: frames that did not decode or could not be compared.
    """

    events: pl.DataFrame
    frame_log: pl.DataFrame
    problems: list[Problem]


class Spatter(NamedTuple):
    """One spatter on a pair of frames.

    Attributes:
        contour: int32 (N, 1, 2), pixels within the examined columns.
        area_px: enclosed by the contour.
        box: bounding box of the contour, pixels of the whole frame.
        crop: BGR uint8 (H, W, 3), a view of the frame that it is cut from.
        from_later: whether that is the later frame of the pair.
    """

    contour: np.ndarray
    area_px: float
    box: Region
    crop: np.ndarray
    from_later: bool


class FramePair(NamedTuple):
    """Two consecutive frames and the region that may have changed; None if no change can exceed the threshold."""

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
    """Find the spatter of a recording and write its crops.

    A separate thread decodes. Apart from the two tables, memory does not grow with the length of the recording.

    Args:
        build: partition key.
        uri: the recording, a path or a URL that fsspec supports.
        crops_path: the HDF5 file to write, see `crops_file`; left untouched if the extraction fails.
        settings: None for the defaults.
        on_progress: called every `PROGRESS_FRAMES` with the number of video frames seen.

    Raises:
        SourceMissing, SourceUnreadable, EmptyVideo, TruncatedVideo, UnreadableVideo, NoVideoStream.
        InvalidSetting: a bound outside of the picture, or a start after the last frame.
    """
    problems: list[Problem] = []
    with closing(read_frames(uri, storage_options, problems)) as frames:
        events, frame_log = extract_from_frames(
            build, uri, frames, crops_path, settings or ExtractionSettings(), on_progress
        )
    return Extraction(events, frame_log, problems)


def extract_from_frames(
    build: str,
    source: str,
    frames: Iterable[BuildFrame],
    crops_path: Path,
    settings: ExtractionSettings,
    on_progress: Callable[[int], None] | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Find the spatter on frames and write its crops; return the events and the frame log, see `Extraction`.

    Args:
        build: partition key.
        source: where the frames come from, for the crops file and errors.
        frames: in order of time; read in a separate thread.
        crops_path, settings, on_progress: see `extract_crops`.

    Raises:
        EmptyVideo: there is no frame.
        InvalidSetting: a bound outside of the picture, or a start after the last frame.
    """
    with _opencv_in_one_thread(), read_ahead(compare_frames(source, frames, settings)) as pairs:
        return _write_crops(build, source, pairs, crops_path, settings, on_progress)


@contextmanager
def _opencv_in_one_thread() -> Iterator[None]:
    """Limit OpenCV to one thread: with pictures of this size more cost CPU time and save none while another decodes."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _write_crops(
    build: str,
    source: str,
    pairs: Iterator[FramePair],
    crops_path: Path,
    settings: ExtractionSettings,
    on_progress: Callable[[int], None] | None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    events, log = Rows(spatter_schemas.SpatterEvents), Rows(spatter_schemas.SpatterFrameLog)
    frame_pixels, layers = FramePixels(), LayerCounter(settings.layer_gap_frames)
    with CropsFile(crops_path, build, source=source, config=asdict(settings)) as crops:
        for pair in pairs:
            earlier, spatters = pair.earlier, find_spatters(pair, frame_pixels, settings)
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
                    crop_video_frame=(pair.later if spatter.from_later else earlier).video_frame,
                    layer=layers.layer_at(frame),
                    **_columns(spatter),
                    dataset=dataset,
                    ds_idx=index,
                )
            if settings.max_crops is not None and len(events) >= settings.max_crops:
                break
    return events.table(), log.table()


class LayerCounter:
    """Numbers the layers of a build; a pause of more than `gap_frames` frames without spatter starts a new layer."""

    def __init__(self, gap_frames: int) -> None:
        self._gap_frames, self._layer = gap_frames, 0
        self._last: int | None = None

    def layer_at(self, frame: int) -> int:
        """Return the layer of a frame with spatter; call it for every such frame, in order."""
        if self._last is not None and frame - self._last > self._gap_frames:
            self._layer += 1
        self._last = frame
        return self._layer


def compare_frames(source: str, frames: Iterable[BuildFrame], settings: ExtractionSettings) -> Iterator[FramePair]:
    """Yield every pair of consecutive frames with the region that may have changed, found from their planes."""
    for earlier, later in pairwise(_from_start(source, frames, settings)):
        if later.follows:
            width, height = later.size
            # Without planes to compare, every examined column may have changed.
            changed = Region(settings.left_bound, 0, settings.right_bound or width, height)
            if earlier.planes is not None and later.planes is not None:
                region = changed_region(earlier.planes, later.planes, settings.difference_threshold)
                changed = region and region.within(changed)
            yield FramePair(earlier, later, changed)


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
        raise EmptyVideo(f"{source}: no frame could be decoded. Re-encode it from the original, or remove the clip.")
    if not n_started:
        raise InvalidSetting(
            f"{source}: start_frame is {settings.start_frame}, but the video has {n_frames} frames. Lower it."
        )


def _check_bounds(source: str, frame: BuildFrame, settings: ExtractionSettings) -> None:
    width, _ = frame.size
    for name, bound in (("left_bound", settings.left_bound + 1), ("right_bound", settings.right_bound or width)):
        if bound > width:
            raise InvalidSetting(f"{source}: {name} is outside of the picture, which is {width} px wide. Lower it.")


def find_spatters(pair: FramePair, frame_pixels: FramePixels, settings: ExtractionSettings) -> list[Spatter]:
    """Return the spatter of a pair of frames, in the order in which OpenCV finds contours."""
    if pair.changed is None or largest_area(pair.changed) < settings.min_area_px:
        return []
    # Cut both frames to the examined columns: BGR uint8 (H, W, 3).
    columns = slice(settings.left_bound, settings.right_bound)
    before, after = (frame_pixels.pixels(frame)[:, columns] for frame in (pair.earlier, pair.later))
    changed = pair.changed.moved(-settings.left_bound)
    # Find the contours, int32 (N, 1, 2) each, and keep those that pass the tests of area and colour.
    contours = contours_of_change(before, after, changed, settings.difference_threshold, settings.min_area_px)
    candidates = (_spatter(contour, before, after, settings) for contour in contours)
    return [spatter for spatter in candidates if spatter is not None]


def _spatter(
    contour: np.ndarray, before: np.ndarray, after: np.ndarray, settings: ExtractionSettings
) -> Spatter | None:
    """Return the contour as a spatter on one of two frames, BGR uint8; None if its area or colour rules it out."""
    area_px = cv2.contourArea(contour)
    if not settings.min_area_px <= area_px <= settings.max_area_px:
        return None
    # Crop the bounding box without the border that dilation added: uint8 (height - 3, width - 3, 3).
    x, y, width, height = cv2.boundingRect(contour)
    inside = slice(y + 2, y + height - 1), slice(x + 2, x + width - 1)
    crop, other = before[inside], after[inside]
    if not crop.size:
        return None
    light = cv2.sumElems(crop)
    from_later = False
    if settings.crop_from == "brighter" and sum(other_light := cv2.sumElems(other)) > sum(light):
        crop, light, from_later = other, other_light, True
    # Reject the recoater's light: more blue than green and red together.
    blue, green, red, _ = light
    if blue > green + red:
        return None
    left = settings.left_bound
    return Spatter(contour, area_px, Region(left + x, y, left + x + width, y + height), crop, from_later)


def _columns(spatter: Spatter) -> dict[str, Any]:
    box = spatter.box
    measures = {"box_x1": box.x1, "box_y1": box.y1, "box_x2": box.x2, "box_y2": box.y2, "area_px": spatter.area_px}
    return measures | shape_of(spatter.contour, spatter.crop)._asdict()
