"""Advanced SubStation Alpha (ASS): karaoke by word, a colour for each speaker, and larger type for louder words."""

import unicodedata

from vidassets.speech.shown_names import colour_of, shown_name
from vidassets.speech.subtitles.cue import Cue, CueWord, Voice
from vidassets.speech.subtitles.player_clock import shown_cues, to_ms

WORD_JOINER = "\u2060"
# Words that are not spoken yet are grey. Colours are &HAABBGGRR.
UNSPOKEN = "&H00A0A0A0"
# Shares of the picture's height, so that two lines take a ninth of it. Chosen here.
FONT_SHARE, MARGIN_SHARE = 1 / 18, 1 / 20
# Height of a line with its outline, and a little more, since a player moves an event up that touches another.
LINE_SHARE = 1.15 * FONT_SHARE
# Tags before a word of each class of `emphasis_classes`; {\r} after the word resets them.
EMPHASIS_TAGS = {
    "emphasis": r"\fscx125\fscy125\b1",
    "high": r"\fscx112\fscy112",
    "low": r"\fscx85\fscy85",
    "raised": r"\i1",
}
# Values of the style's encoding. libass assumes left to right unless the direction is automatic.
ANY_CHARSET, AUTO_DIRECTION = 1, -1
STYLE_FIELDS = (
    "Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, "
    "StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, "
    "Encoding"
)
EVENT_FIELDS = "Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text"


def format_ass(
    cues: list[Cue],
    names: dict[str, str],
    emphasis: dict[int, tuple[str, ...]] | None = None,
    frame_size: tuple[int, int] = (1280, 720),
    offset_s: float = 0.0,
) -> str:
    """Return the subtitles as ASS text; valid also without cues. In a cue with two voices, each is an event.

    Events are in the order of the lines on screen, as in the other formats: a voice with others below it is moved up by
    their lines. Players draw the first of several events lowest, unless their margins keep them apart.

    Args:
        cues: from `lay_out_cues`.
        names: from `shown_names`; speakers without a name are numbered.
        emphasis: from `emphasis_classes`, by word_index.
        frame_size: (width, height) of the picture as shown; only the ratio matters.
        offset_s: clip time at which the player's clock is 0, see `player_clock`.
    """
    speakers = sorted({voice.speaker for cue in cues for voice in cue.voices if voice.speaker})
    lines = ["[Script Info]", "ScriptType: v4.00+", "WrapStyle: 2", "ScaledBorderAndShadow: yes"]
    lines += [f"PlayResX: {frame_size[0]}", f"PlayResY: {frame_size[1]}", "", "[V4+ Styles]", f"Format: {STYLE_FIELDS}"]
    encoding = AUTO_DIRECTION if any(_right_to_left(line) for cue in cues for line in cue.text_lines) else ANY_CHARSET
    lines += [_style(speaker, frame_size[1], encoding) for speaker in (None, *speakers)]
    lines += ["", "[Events]", f"Format: {EVENT_FIELDS}"]
    for begin_ms, end_ms, cue in shown_cues(cues, offset_s):
        begin_cs, end_cs = begin_ms // 10, max(end_ms // 10, begin_ms // 10 + 1)
        for number, voice in enumerate(cue.voices):
            # The number of lines below the voice, and the margin that leaves room for them; 0 is that of the style.
            n_below = sum(len(below.lines) for below in cue.voices[number + 1 :])
            margin = round(frame_size[1] * (MARGIN_SHARE + n_below * LINE_SHARE)) if n_below else 0
            name = names.get(voice.speaker, shown_name(voice.speaker)) if voice.speaker else ""
            fields = (
                "0",
                _timestamp(begin_cs),
                _timestamp(end_cs),
                voice.speaker or "Default",
                _field(name),
                *"00",
                str(margin),
                "",
            )
            text = cue.dash + _karaoke(voice, (begin_cs, end_cs), emphasis or {}, offset_s)
            lines.append(f"Dialogue: {','.join(fields)},{text}")
    return "\n".join(lines) + "\n"


def _style(speaker: str | None, height: int, encoding: int) -> str:
    red, green, blue = (colour_of(speaker)[at : at + 2] for at in (1, 3, 5))
    size, margin = round(height * FONT_SHARE), round(height * MARGIN_SHARE)
    colours = f"&H00{blue}{green}{red}".upper(), UNSPOKEN, "&H00000000", "&H80000000"
    look = "0,0,0,0,100,100,0,0,1"  # neither bold nor italic …, natural scale and spacing, an outline
    place = f"2,1,2,{margin},{margin},{margin},{encoding}"  # outline and shadow, bottom centre, the margins
    return f"Style: {speaker or 'Default'},Arial,{size},{','.join(colours)},{look},{place}"


def _karaoke(voice: Voice, span_cs: tuple[int, int], emphasis: dict[int, tuple[str, ...]], offset_s: float) -> str:
    r"""Return the lines with `{\k}` before each word: centiseconds until the next word. Their sum is the span."""
    begin_cs, end_cs = span_cs
    starts_cs = [begin_cs]
    for word in voice.words:
        starts_cs.append(min(max(to_ms(word.start_s, offset_s) // 10, starts_cs[-1]), end_cs))
    starts_cs.append(end_cs)
    # The time before the first word is a syllable without text.
    parts = [rf"{{\k{starts_cs[1] - begin_cs}}}"] if starts_cs[1] > begin_cs else []
    position = 1
    for index, line in enumerate(voice.lines):
        shown = []
        for word in line:
            shown.append(_word(word, starts_cs[position + 1] - starts_cs[position], emphasis))
            position += 1
        parts.append((r"\N" if index else "") + voice.separator.join(shown))
    return "".join(parts)


def _word(word: CueWord, duration_cs: int, emphasis: dict[int, tuple[str, ...]]) -> str:
    tags = "".join(EMPHASIS_TAGS.get(name, "") for name in emphasis.get(word.word_index, ()))
    return rf"{{\k{duration_cs}{tags}}}{_escaped(word.text)}" + (r"{\r}" if tags else "")


def _escaped(text: str) -> str:
    r"""Escape braces with a backslash. A joiner follows a backslash of the text, so that it does not become `\N`."""
    return text.replace("\\", "\\" + WORD_JOINER).replace("{", r"\{").replace("}", r"\}")


def _right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(char) in ("R", "AL") for char in text)


def _field(text: str) -> str:
    """Replace the characters that end a field."""
    return " ".join(text.replace(",", " ").split())


def _timestamp(time_cs: int) -> str:
    """Format hours, minutes, seconds and centiseconds.

    >>> _timestamp(372_300)
    '1:02:03.00'
    """
    seconds, cs = divmod(time_cs, 100)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{cs:02}"
