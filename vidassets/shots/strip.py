"""The shot strip: a picture of each shot above the curve of the scores, on one time axis."""

from io import BytesIO

import cv2
import numpy as np
import polars as pl

from vidassets.shots.scorer import shot_model

WIDTH_PX, HEIGHT_PX, DPI = 900, 260, 100
# Position of the axes in pixels: left and right side, then (top, bottom) of each.
LEFT_PX, RIGHT_PX = 56, 884
PICTURES_PX, CURVE_PX = (26, 106), (112, 214)
# Background of alternating greys, so that a shot is visible even if there is no room for its picture.
GREYS = (46, 78)
# 32 levels per channel: the difference is invisible at this size, and the PNG has half the bytes.
LEVELS_MASK = 0xF8


def shot_strip(
    shots: pl.DataFrame,
    scores: pl.DataFrame,
    thumbnails: list[tuple[float, np.ndarray]],
    threshold: float | None = None,
) -> bytes:
    """Draw a PNG of 900x260 pixels: a picture per shot, as wide as the shot is long, above the curve of the scores.

    Args:
        shots: rows of `schemas.Shots` of one clip.
        scores: rows of `schemas.ShotScores` of the same clip.
        thumbnails: (pts_s, RGB uint8 (height, width, 3)), any sizes; each shot shows the thumbnail nearest its
            middle, or grey if none is inside the shot.
        threshold: height of the threshold line; None for the model's default.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    begin_s, end_s = float(shots["start_s"][0]), float(shots["end_s"][-1])
    model = scores["model"][0]
    threshold = shot_model(model).default_threshold if threshold is None else threshold

    figure = Figure(figsize=(WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    row = figure.add_axes(_place(PICTURES_PX), xticks=[], yticks=[])
    row.imshow(_pictures(shots, thumbnails), extent=(begin_s, end_s, 0, 1), aspect="auto", interpolation="nearest")
    row.set_title(f"{shots['clip'][0]}: {len(shots)} shot{'s' * (len(shots) > 1)}", fontsize=9, loc="left")
    row.set_title(model, fontsize=8, loc="right", color="0.4")

    curve = figure.add_axes(_place(CURVE_PX), xlim=(begin_s, end_s))
    times_s, peaks = _peaks(scores, begin_s, end_s)
    for start_s in shots["start_s"][1:]:
        curve.axvline(start_s, color="0.85", linewidth=0.7)
    curve.fill_between(times_s, peaks, step="mid", color="tab:blue", linewidth=0.6)
    curve.axhline(threshold, color="tab:red", linewidth=0.8, linestyle="--")
    # A ratio has no upper bound: the curve is cut off at four times the threshold.
    curve.set_ylim(0, 1.0 if threshold <= 1 else 4 * threshold)
    curve.set_yticks([0, threshold, curve.get_ylim()[1]])
    curve.set_xlabel("seconds", fontsize=8)
    curve.set_ylabel("score", fontsize=8)
    curve.tick_params(labelsize=8)
    png = BytesIO()
    figure.savefig(png, format="png", pil_kwargs={"optimize": True})
    return png.getvalue()


def _place(rows_px: tuple[int, int]) -> tuple[float, float, float, float]:
    """Convert (top, bottom) in pixels to matplotlib's (left, bottom, width, height) in fractions of the figure."""
    top, bottom = rows_px
    return (
        LEFT_PX / WIDTH_PX,
        1 - bottom / HEIGHT_PX,
        (RIGHT_PX - LEFT_PX) / WIDTH_PX,
        (bottom - top) / HEIGHT_PX,
    )


def _pictures(shots: pl.DataFrame, thumbnails: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """Draw the row of pictures, uint8 (height, width, 3), time from left to right."""
    height, width = PICTURES_PX[1] - PICTURES_PX[0], RIGHT_PX - LEFT_PX
    begin_s, end_s = shots["start_s"][0], shots["end_s"][-1]
    # Bounds of S shots in seconds and in columns of pixels: (S + 1,).
    bounds_s = np.append(shots["start_s"].to_numpy(), end_s)
    columns = np.round((bounds_s - begin_s) / (end_s - begin_s) * width).astype(int)
    thumbnails = sorted(thumbnails, key=lambda thumbnail: thumbnail[0])
    thumbnail_s = np.array([pts_s for pts_s, _ in thumbnails])
    row = np.empty((height, width, 3), np.uint8)
    for index, (left, right) in enumerate(zip(columns[:-1].tolist(), columns[1:].tolist(), strict=True)):
        slot = row[:, left:right]
        slot[:] = GREYS[index % 2]
        # Thumbnails first … past (excluded) are inside this shot: show the one nearest its middle.
        first, past = np.searchsorted(thumbnail_s, bounds_s[index : index + 2])
        if right > left and past > first:
            from_middle_s = np.abs(thumbnail_s[first:past] - bounds_s[index : index + 2].mean())
            _paste(slot, thumbnails[first + int(np.argmin(from_middle_s))][1])
        if index and right - left > 3:
            slot[:, 0] = 255
    return row & LEVELS_MASK


def _paste(slot: np.ndarray, pixels: np.ndarray) -> None:
    """Paste the picture centred into the slot, scaled to the slot's height and cropped at its sides if too wide."""
    height, width = slot.shape[:2]
    scaled_width = max(1, round(pixels.shape[1] * height / pixels.shape[0]))
    scaled = cv2.resize(pixels, (scaled_width, height), interpolation=cv2.INTER_AREA)
    surplus = max(0, scaled_width - width) // 2
    shown = scaled[:, surplus : surplus + width]
    left = (width - shown.shape[1]) // 2
    slot[:, left : left + shown.shape[1]] = shown


def _peaks(scores: pl.DataFrame, begin_s: float, end_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the time and highest score of each column of pixels, so that a long clip keeps its peaks."""
    column_s = (end_s - begin_s) / (RIGHT_PX - LEFT_PX)
    by_column = (
        scores.group_by(((pl.col("pts_s") - begin_s) / column_s).floor().alias("column"))
        .agg(pl.col("score").max())
        .sort("column")
    )
    return begin_s + (by_column["column"].to_numpy() + 0.5) * column_s, by_column["score"].to_numpy()
