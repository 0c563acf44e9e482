"""A picture of a clip's speech: pitch and intensity over time, and the words in the colours of their levels."""

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_PX, HEIGHT_PX, DPI = 1200, 400, 100
# Edges of the axes in pixels: left and right, then (top, bottom) of each.
LEFT_PX, RIGHT_PX = 60, 1184
PITCH_PX, INTENSITY_PX, WORDS_PX = (28, 170), (176, 286), (290, 362)
LEVEL_COLORS = {"low": "#4c8fd6", "medium": "#b0b0b0", "high": "#f0a020", "emphasis": "#d62728"}
UNKNOWN_COLOR = "#e4e4e4"
# Words are written vertically. Two written words are at least the height of a letter apart.
LETTER_PX, LETTER_POINTS, MAX_LETTERS = 9, 6.5, 16
PITCH_TICKS_HZ = (75, 150, 300, 600)
MIN_SHOWN_DB = -80.0


def draw_acoustics(clip: str, frames: pl.DataFrame, words: pl.DataFrame) -> bytes:
    """Return a PNG of 1200x400 pixels, at most 150 KB: pitch above intensity above words, on the same time axis.

    If a column of pixels holds several frames, it shows their median pitch and greatest intensity. Every word is
    coloured. Words are written where there is room, or not at all if more than half of them would be left out.

    Args:
        clip: key of the clip.
        frames: rows of `speech_schemas.AcousticFrames`.
        words: rows of `speech_schemas.WordAcoustics`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    figure = Figure(figsize=(WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    begin_s, end_s = _span(frames, words)
    pitch = figure.add_axes(_place(PITCH_PX), xlim=(begin_s, end_s), xticks=[], yscale="log")
    intensity = figure.add_axes(_place(INTENSITY_PX), xlim=(begin_s, end_s), xticks=[])
    strip = figure.add_axes(_place(WORDS_PX), xlim=(begin_s, end_s), ylim=(0, 1), yticks=[])
    columns = _by_column(frames, begin_s, end_s)

    pitch.plot(columns["pts_s"], columns["f0_hz"], ".", markersize=2.5, color="#5e3c99")
    pitch.set_ylim(PITCH_TICKS_HZ[0], PITCH_TICKS_HZ[-1])
    pitch.set_yticks(PITCH_TICKS_HZ, [str(hz) for hz in PITCH_TICKS_HZ])
    pitch.minorticks_off()
    pitch.set_ylabel("pitch, Hz", fontsize=8)
    pitch.set_title(clip, fontsize=9, loc="left", parse_math=False)
    patches = [Patch(color=color, label=level) for level, color in LEVEL_COLORS.items()]
    place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderpad": 0, "handlelength": 1}
    pitch.legend(handles=patches, ncols=len(patches), fontsize=8, frameon=False, **place)

    intensity.fill_between(columns["pts_s"], columns["intensity_db"], MIN_SHOWN_DB, color="0.75", linewidth=0)
    intensity.set_ylim(MIN_SHOWN_DB, 0)
    intensity.set_yticks((-60, -40, -20))
    intensity.set_ylabel("dBFS", fontsize=8)
    strip.set_xlabel("seconds", fontsize=8)
    colors = [LEVEL_COLORS.get(level, UNKNOWN_COLOR) for level in words["level"]]
    spans = list(zip(words["start_s"], words["end_s"] - words["start_s"], strict=True))
    # With many words, few could be written, and the white edges would hide the colours.
    legible = len(words) * LETTER_PX < 2 * (RIGHT_PX - LEFT_PX)
    strip.broken_barh(spans, (0, 1), facecolors=colors, edgecolor="white", linewidth=0.4 if legible else 0)
    for axes in (pitch, intensity):
        axes.broken_barh(
            spans, (0, 1), facecolors=colors, linewidth=0, alpha=0.18, transform=axes.get_xaxis_transform()
        )
    if legible:
        _write_words(words, strip, (RIGHT_PX - LEFT_PX) / (end_s - begin_s))
    for axes in (pitch, intensity, strip):
        axes.tick_params(labelsize=8)
    png = BytesIO()
    figure.savefig(png, format="png", pil_kwargs={"optimize": True})
    return png.getvalue()


def _span(frames: pl.DataFrame, words: pl.DataFrame) -> tuple[float, float]:
    """Return the first and last time of frames and words; (0, 1) if there are none."""
    times_s = pl.concat([frames["pts_s"], words["start_s"], words["end_s"]])
    return (times_s.min(), times_s.max()) if times_s.n_unique() > 1 else (0.0, 1.0)  # pyright: ignore


def _place(rows_px: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return (left, bottom, width, height), as fractions of the figure, of axes between two rows of pixels."""
    top, bottom = rows_px
    height = (bottom - top) / HEIGHT_PX
    return LEFT_PX / WIDTH_PX, 1 - bottom / HEIGHT_PX, (RIGHT_PX - LEFT_PX) / WIDTH_PX, height


def _by_column(frames: pl.DataFrame, begin_s: float, end_s: float) -> dict[str, np.ndarray]:
    """Return time, pitch (NaN where unvoiced) and intensity of each column of pixels that has a frame."""
    column_s = (end_s - begin_s) / (RIGHT_PX - LEFT_PX)
    shown = (
        frames.group_by(((pl.col("pts_s") - begin_s) / column_s).floor().alias("column"))
        .agg(pl.col("pts_s").mean(), pl.col("f0_hz").median(), pl.col("intensity_db").max())
        .sort("pts_s")
    )
    return {name: shown[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in shown.columns}


def _write_words(words: pl.DataFrame, strip: "Axes", px_per_s: float) -> None:
    """Write the words vertically where there is room, except words with letters that the font lacks."""
    from matplotlib.font_manager import FontProperties, fontManager, get_font

    letters = get_font(fontManager.findfont(FontProperties())).get_charmap()
    free_s = -np.inf
    for start_s, end_s, text in words.sort("start_s").select("start_s", "end_s", "text").iter_rows():
        middle_s = (start_s + end_s) / 2
        if middle_s < free_s or any(ord(letter) not in letters for letter in text):
            continue
        shown = text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 1] + "…"
        strip.text(
            middle_s, 0.5, shown, rotation=90, ha="center", va="center", fontsize=LETTER_POINTS, parse_math=False
        )
        free_s = middle_s + LETTER_PX / px_per_s
