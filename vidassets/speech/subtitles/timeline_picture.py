"""A picture of a clip's speech: a lane for every speaker with turns, words where there is room, and levels."""

from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from vidassets.speech.shown_names import shown_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_PX, DPI = 1100, 100
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX, LANE_PX = 120, 1088, 26, 44, 70
# The most lanes that are shown; the title gives the number of the rest.
MAX_LANES = 12
# Heights relative to a lane. Words are above the turns, levels below them.
TEXT_TOP, TURN_TOP, TURN_HEIGHT, LEVEL_HEIGHT = 0.04, 0.57, 0.14, 0.24
FONT_SIZE, TEXT_LINES = 6.5, 3
# Width of a character, measured for English in DejaVu Sans at that size and 100 dpi. Shorter lines are left out.
CHAR_PX, LEAST_CHARS = 5.5, 8
# The softest speech is about 50 dB below full scale, the loudest about 6 dB.
LEVEL_RANGE_DB = (-50.0, -6.0)
LANE_COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:purple", "tab:brown", "tab:pink", "tab:olive", "tab:cyan")
LEVEL_COLOURS = {"low": "0.75", "medium": "0.6", "high": "tab:orange", "emphasis": "tab:red"}
# Seconds between two ticks of the axis, and the greatest number of ticks.
TICKS_S, MAX_TICKS = (0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400), 12
NO_GLYPH = "\u25a1"


def draw_timeline(
    turns: pl.DataFrame,
    transcript: pl.DataFrame,
    words: pl.DataFrame,
    word_acoustics: pl.DataFrame,
    names: dict[str, str],
    span_s: tuple[float, float],
) -> bytes:
    """Return a PNG, 1100 pixels wide and 70 high per lane. Its size does not grow with the clip's duration.

    Args:
        turns: rows of `speech_schemas.SpeakerTurns` of a clip; they may overlap.
        transcript: rows of `speech_schemas.Transcript`.
        words: rows of `speech_schemas.TranscriptWords`.
        word_acoustics: rows of `speech_schemas.WordAcoustics`; may be empty.
        names: from `shown_names`.
        span_s: clip times at which the sound begins and ends.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    speakers = {*names, *turns["speaker"]}
    in_order = sorted(speakers, key=lambda speaker: int(speaker.removeprefix("S")))
    lanes: list[str | None] = [*in_order]
    if words["speaker"].null_count() or not lanes:
        lanes.append(None)
    shown = lanes[:MAX_LANES]
    height = TOP_PX + LANE_PX * len(shown) + BOTTOM_PX
    figure = Figure(figsize=(WIDTH_PX / DPI, height / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    begin_s, end_s = span_s[0], max(span_s[1], span_s[0] + 1)
    axes = figure.add_axes(
        (LEFT_PX / WIDTH_PX, BOTTOM_PX / height, (RIGHT_PX - LEFT_PX) / WIDTH_PX, LANE_PX * len(shown) / height),
        xlim=(begin_s, end_s),
        ylim=(len(shown), 0),
    )
    for lane, speaker in enumerate(shown):
        said = pl.col("speaker").eq_missing(speaker)
        _turns(axes, lane, turns.filter(said))
        _levels(axes, lane, word_acoustics.filter(said), (begin_s, end_s))
        _texts(axes, lane, transcript.filter(said), words.filter(said), (begin_s, end_s))
        axes.axhline(lane, color="0.9", linewidth=0.8)
    nobody = "no turn near" if len(words) else ""
    _label(axes, [_drawable(_short(names.get(name, shown_name(name)) if name else nobody, 17)) for name in shown])
    rest = f" ({len(lanes) - len(shown)} lanes not shown)" if len(lanes) > len(shown) else ""
    n_voices = sum(speaker is not None for speaker in lanes)
    counted = f"{n_voices} speaker{'s' * (n_voices != 1)}{rest}, {len(words)} word{'s' * (len(words) != 1)}"
    axes.set_title(counted if len(words) or len(turns) else "no speech", fontsize=9, loc="left")
    png = BytesIO()
    figure.savefig(png, format="png", pil_kwargs={"optimize": True})
    return png.getvalue()


def _label(axes: "Axes", lanes: list[str]) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    begin_s, end_s = axes.get_xlim()
    step_s = next((step_s for step_s in TICKS_S if (end_s - begin_s) / step_s <= MAX_TICKS), None)
    axes.xaxis.set_major_locator(MultipleLocator(step_s or (end_s - begin_s) / MAX_TICKS))
    axes.set_yticks([lane + 0.5 for lane in range(len(lanes))])
    axes.set_yticklabels(lanes, fontsize=8)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time_s, _: _clock(time_s)))
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("time on the clip's clock", fontsize=8)


def _turns(axes: "Axes", lane: int, turns: pl.DataFrame) -> None:
    spans = [(start_s, end_s - start_s) for start_s, end_s in turns.select("start_s", "end_s").iter_rows()]
    colour = LANE_COLOURS[lane % len(LANE_COLOURS)]
    # The edge keeps a turn visible that is thinner than a pixel.
    axes.broken_barh(spans, (lane + TURN_TOP, TURN_HEIGHT), facecolor=colour, edgecolor=colour, linewidth=0.5)


def _levels(axes: "Axes", lane: int, acoustics: pl.DataFrame, span_s: tuple[float, float]) -> None:
    """Draw a bar below each word, as high as the word is loud; if words share a column of pixels, the loudest."""
    column_s = (span_s[1] - span_s[0]) / (RIGHT_PX - LEFT_PX)
    loudest = (
        acoustics.drop_nulls("intensity_mean_db")
        .with_columns(column=((pl.col("start_s") - span_s[0]) / column_s).floor())
        .sort("intensity_mean_db", descending=True)
        .unique("column", keep="first", maintain_order=True)
    )
    if not len(loudest):
        return
    low_db, high_db = LEVEL_RANGE_DB
    share = ((loudest["intensity_mean_db"] - low_db) / (high_db - low_db)).clip(0.05, 1).to_numpy()
    width_s = np.maximum((loudest["end_s"] - loudest["start_s"]).to_numpy(), column_s)
    colours = [LEVEL_COLOURS.get(level or "medium", "0.6") for level in loudest["level"]]
    bottom = lane + TURN_TOP + TURN_HEIGHT + 0.03 + LEVEL_HEIGHT
    axes.bar(
        loudest["start_s"], -LEVEL_HEIGHT * share, width_s, bottom=bottom, align="edge", color=colours, linewidth=0
    )


def _texts(axes: "Axes", lane: int, transcript: pl.DataFrame, words: pl.DataFrame, span_s: tuple[float, float]) -> None:
    """Write each word at its time if all words of the segment fit, otherwise the part of the segment that fits."""
    column_s = (span_s[1] - span_s[0]) / (RIGHT_PX - LEFT_PX)
    spoken = dict(words.group_by("segment_index").agg(pl.struct("text", "start_s", "end_s")).iter_rows())
    until_s = pl.col("start_s").shift(-1, fill_value=span_s[1])
    segments = transcript.sort("start_s").select("segment_index", "text", "start_s", until_s.alias("until_s"))
    for index, text, start_s, until_s in segments.iter_rows():
        parts = spoken.get(index, [])
        if parts and all(len(word["text"]) * CHAR_PX <= (word["end_s"] - word["start_s"]) / column_s for word in parts):
            pieces = [(word["start_s"], word["text"]) for word in parts]
        else:
            n_chars = int((until_s - start_s) / column_s / CHAR_PX) - 1
            wrapped = wrap(text, n_chars, max_lines=TEXT_LINES, placeholder="…") if n_chars >= LEAST_CHARS else []
            pieces = [(start_s, "\n".join(wrapped))] if wrapped else []
        for at_s, piece in pieces:
            axes.text(
                at_s, lane + TEXT_TOP, _drawable(piece), fontsize=FONT_SIZE, va="top", clip_on=True, parse_math=False
            )  # fmt: skip


def _short(text: str, n_chars: int) -> str:
    """Cut the text to `n_chars` characters.

    >>> _short("a long name", 7)
    'a long…'
    """
    text = " ".join(text.split())
    return text if len(text) <= n_chars else text[: max(n_chars - 1, 1)].rstrip() + "…"


def _drawable(text: str) -> str:
    """Replace every character that the font lacks with a box."""
    from matplotlib.font_manager import findfont, get_font

    glyphs = get_font(findfont("DejaVu Sans")).get_charmap()
    return "".join(char if char == "\n" or ord(char) in glyphs else NO_GLYPH for char in text)


def _clock(time_s: float) -> str:
    """Format minutes and seconds, and hours if there are any.

    >>> _clock(75), _clock(3675.5)
    ('1:15', '1:01:15.5')
    """
    sign, tenths = "-" if time_s < 0 else "", round(abs(time_s) * 10)
    seconds, tenth = divmod(tenths, 10)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    whole = f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
    return sign + whole + (f".{tenth}" if tenth else "")
