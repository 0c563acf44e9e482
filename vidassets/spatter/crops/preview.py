"""Draw the result of an extraction: spatter over time with layers, a histogram of sizes, and a sheet of crops."""

from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl

WIDTH_PX, HEIGHT_PX, DPI = 900, 480, 100
N_BINS = 220
SHEET_COLUMNS, SHEET_ROWS, TILE_PX = 10, 4, 52
# Two alternating greys distinguish neighbouring layers.
LAYER_GREYS = ("0.93", "0.86")
# 32 levels per channel: no visible difference on tiles of this size, and half the bytes of the PNG.
LEVELS_MASK = 0xF8


def extraction_preview(events: pl.DataFrame, frame_log: pl.DataFrame, crops_path: Path) -> bytes:
    """Return the preview of a build as a PNG of 900x480 pixels, smaller than 150 KB.

    Args:
        events: rows of `spatter_schemas.SpatterEvents` of one build.
        frame_log: rows of `spatter_schemas.SpatterFrameLog` of the same build.
        crops_path: the crops file of the same build.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    _draw_counts(figure.add_axes((0.07, 0.62, 0.91, 0.31)), events, frame_log)
    _draw_sizes(figure.add_axes((0.07, 0.11, 0.25, 0.36)), events)
    sheet = figure.add_axes((0.36, 0.03, 0.62, 0.44), xticks=[], yticks=[])
    sheet.imshow(_sheet(events, crops_path), interpolation="nearest")
    sheet.set_title("crops, evenly over time", fontsize=9, loc="left")
    png = BytesIO()
    figure.savefig(png, format="png", pil_kwargs={"optimize": True})
    return png.getvalue()


def _draw_counts(axes: Any, events: pl.DataFrame, frame_log: pl.DataFrame) -> None:
    begin_s, end_s = (0.0, 1.0) if frame_log.is_empty() else (frame_log["pts_s"][0], frame_log["pts_s"][-1])
    end_s = max(end_s, begin_s + 1e-3)
    layers = events.group_by("layer").agg(start=pl.col("pts_s").min(), end=pl.col("pts_s").max()).sort("layer")
    for layer, start_s, layer_end_s in layers.iter_rows():
        axes.axvspan(start_s, layer_end_s, color=LAYER_GREYS[layer % 2], linewidth=0)
    counts, edges_s = np.histogram(events["pts_s"].to_numpy(), bins=N_BINS, range=(begin_s, end_s))
    axes.bar(edges_s[:-1], counts, width=(end_s - begin_s) / N_BINS, align="edge", color="tab:red", linewidth=0)
    axes.set_xlim(begin_s, end_s)
    axes.set_xlabel("seconds", fontsize=8)
    axes.set_ylabel(f"crops in {(end_s - begin_s) / N_BINS:.2g} s", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.set_title(
        f"{len(events)} crops on {(frame_log['n_spatters'] > 0).sum()} of {len(frame_log)} frames, "
        f"{len(layers)} layer{'s' * (len(layers) != 1)}",
        fontsize=9,
        loc="left",
    )


def _draw_sizes(axes: Any, events: pl.DataFrame) -> None:
    axes.hist(events["area_px"].to_numpy(), bins=30, color="tab:blue")
    axes.set_title("sizes", fontsize=9, loc="left")
    axes.set_xlabel("area, px", fontsize=8)
    axes.tick_params(labelsize=8)


def _sheet(events: pl.DataFrame, crops_path: Path) -> np.ndarray:
    """Return crops on one scale, each centred in its tile: RGB uint8 (rows * tile, columns * tile, 3)."""
    import h5py

    sheet = np.full((SHEET_ROWS * TILE_PX, SHEET_COLUMNS * TILE_PX, 3), 255, np.uint8)
    n_tiles = SHEET_ROWS * SHEET_COLUMNS
    # Choose crops evenly over time: indices (at most n_tiles,).
    shown = np.unique(np.linspace(0, len(events) - 1, n_tiles).round().astype(int)) if len(events) else []
    with h5py.File(crops_path, "r") as file:
        crops = [_crop(file, *events.select("dataset", "ds_idx").row(int(index))) for index in shown]
    # Scale all crops by the same factor, so that the largest fits a tile.
    longest = max((max(crop.shape[:2]) for crop in crops), default=1)
    scale = min(1.0, (TILE_PX - 4) / longest)
    for number, crop in enumerate(crops):
        row, column = divmod(number, SHEET_COLUMNS)
        tile = sheet[row * TILE_PX : (row + 1) * TILE_PX, column * TILE_PX : (column + 1) * TILE_PX]
        small = np.asarray(cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        top, left = ((TILE_PX - side) // 2 for side in small.shape[:2])
        tile[top : top + small.shape[0], left : left + small.shape[1]] = small[..., ::-1] & LEVELS_MASK
    return sheet


def _crop(file: Any, dataset: str, index: int) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(file[dataset][index], np.uint8), cv2.IMREAD_COLOR))
