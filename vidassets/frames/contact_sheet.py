"""The contact sheet: one picture that shows the sampled frames of a clip in a grid, each with its time."""

import math

import cv2
import numpy as np
import polars as pl

from vidassets.errors import ArtifactDamaged, InvalidSetting
from vidassets.frames.measures import Rgb
from vidassets.frames.sampling import evenly_chosen
from vidassets.frames.table import encode_jpeg

MAX_BYTES = 150_000
GAP_PX = 8
LABEL_PX = 20
BACKGROUND = (24, 24, 27)
INK = (212, 212, 216)
# Chosen here: below quality 35 blocks become visible, and a smaller sheet looks better than a coarser one.
JPEG_QUALITIES = (85, 75, 65, 50, 35)


def contact_sheet(frames: pl.DataFrame, max_pictures: int = 24, width_px: int = 960) -> bytes:
    """Draw a JPEG of at most 150 KB: thumbnails in order of time, each with its time (m:ss.s) beneath it.

    Aspect ratios are kept, and no picture is enlarged. If there are more than `max_pictures` frames, that many are
    chosen evenly.

    Args:
        frames: columns in `schemas.Frames`, at least one row.
        max_pictures: 1 to 100.
        width_px: largest width of the sheet, at least 320.

    Raises:
        ArtifactDamaged: the table has no row, or an image does not decode.
        InvalidSetting: a value is outside these ranges.
    """
    if not 1 <= max_pictures <= 100 or width_px < 320:
        raise InvalidSetting(
            f"A contact sheet of {max_pictures} pictures, {width_px} px wide: set 1 to 100 pictures, at least 320 px."
        )
    if frames.is_empty():
        raise ArtifactDamaged("The table of frames has no rows, so no contact sheet: materialise the frames again.")
    chosen = frames.sort("pts_s")[evenly_chosen(len(frames), max_pictures)]
    while True:
        sheet = _sheet(chosen, width_px)
        for quality in JPEG_QUALITIES:
            jpeg = encode_jpeg(sheet, quality)
            if len(jpeg) <= MAX_BYTES:
                return jpeg
        width_px = width_px * 3 // 4


def time_label(time_s: float) -> str:
    """Format a time as m:ss.s, or h:mm:ss.s from one hour on.

    >>> time_label(59.96), time_label(3725.0)
    ('1:00.0', '1:02:05.0')
    """
    tenths = round(abs(time_s) * 10)
    minutes, tenths_of_minute = divmod(tenths, 600)
    hours, minutes_of_hour = divmod(minutes, 60)
    seconds = f"{tenths_of_minute // 10:02d}.{tenths_of_minute % 10}"
    sign = "-" if time_s < 0 and tenths else ""
    return f"{sign}{hours}:{minutes_of_hour:02d}:{seconds}" if hours else f"{sign}{minutes_of_hour}:{seconds}"


def _sheet(chosen: pl.DataFrame, width_px: int) -> Rgb:
    """Draw the pictures in a grid of at most this width."""
    aspect = float(np.median(chosen["height"] / chosen["width"]))
    n_columns = _columns(len(chosen), aspect)
    widest_px = int(chosen["width"].to_numpy().max())
    cell_px = min(max(1, (width_px - GAP_PX) // n_columns - GAP_PX), widest_px)
    cells = [_cell(row, cell_px, max(1, round(cell_px * aspect))) for row in chosen.iter_rows(named=True)]
    return _grid(cells, n_columns)


def _columns(n_pictures: int, aspect: float) -> int:
    """Return the columns of a grid of about 16:9, or one more if that leaves fewer gaps in the last row."""
    at_16_9 = min(n_pictures, math.ceil(math.sqrt(n_pictures * aspect * 16 / 9)))
    return min((at_16_9, min(n_pictures, at_16_9 + 1)), key=lambda n_columns: -n_pictures % n_columns)


def _cell(row: dict, width_px: int, height_px: int) -> Rgb:
    """Draw a thumbnail centred in a box of this size, with its time beneath."""
    bgr = cv2.imdecode(np.frombuffer(row["image"]["bytes"], np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ArtifactDamaged(
            f"{row['clip']}: the image of frame {row['frame_index']} does not decode: materialise the frames again."
        )
    height, width, _ = bgr.shape
    scale = min(1.0, width_px / width, height_px / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    thumbnail = cv2.cvtColor(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    cell = np.full((height_px + LABEL_PX, width_px, 3), BACKGROUND, np.uint8)
    left, top = (width_px - size[0]) // 2, (height_px - size[1]) // 2
    cell[top : top + size[1], left : left + size[0]] = thumbnail
    _write_centred(cell, time_label(row["pts_s"]))
    return cell


def _write_centred(cell: Rgb, text: str) -> None:
    """Write a line of text, centred in the strip at the bottom of a cell."""
    height, width, _ = cell.shape
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.42
    (text_width, text_height), _ = cv2.getTextSize(text, font, scale, 1)
    origin = ((width - text_width) // 2, height - (LABEL_PX - text_height) // 2)
    cv2.putText(cell, text, origin, font, scale, INK, 1, cv2.LINE_AA)


def _grid(cells: list[Rgb], n_columns: int) -> Rgb:
    """Arrange cells of equal size row by row on the background."""
    height, width, _ = cells[0].shape
    n_rows = math.ceil(len(cells) / n_columns)
    step_x, step_y = width + GAP_PX, height + GAP_PX
    sheet = np.full((n_rows * step_y + GAP_PX, n_columns * step_x + GAP_PX, 3), BACKGROUND, np.uint8)
    for index, cell in enumerate(cells):
        row, column = divmod(index, n_columns)
        top, left = GAP_PX + row * step_y, GAP_PX + column * step_x
        sheet[top : top + height, left : left + width] = cell
    return sheet
