"""WebVTT (W3C): captions for a browser's video element, with speakers and word times."""

from vidassets.speech.shown_names import colour_of, shown_name
from vidassets.speech.subtitles.cue import Cue, CueWord, Voice
from vidassets.speech.subtitles.player_clock import shown_cues, to_ms

# Styles of the classes of `emphasis_classes`; a page may replace them.
EMPHASIS_CSS = (
    ("emphasis", "font-weight: bold"),
    ("high", "font-weight: bold"),
    ("low", "opacity: 0.8"),
    ("raised", "font-style: italic"),
)


def format_webvtt(
    cues: list[Cue],
    names: dict[str, str],
    emphasis: dict[int, tuple[str, ...]] | None = None,
    note: str = "",
    offset_s: float = 0.0,
) -> str:
    """Return the captions as WebVTT text; valid also without cues.

    `::cue(:past)` and `::cue(:future)` apply to words, except in a cue of two voices: times in a cue must increase, but
    those of two voices overlap.

    Args:
        cues: from `lay_out_cues`.
        names: from `shown_names`; speakers without a name are numbered.
        emphasis: from `emphasis_classes`, by word_index.
        note: a comment at the top, such as the model and quality of the words.
        offset_s: clip time at which the player's clock is 0, see `player_clock`.
    """
    emphasis = emphasis or {}
    blocks = ["WEBVTT", *([f"NOTE {_escaped(' '.join(note.split()))}"] if note.strip() else []), _style(cues)]
    for number, (begin_ms, end_ms, cue) in enumerate(shown_cues(cues, offset_s), start=1):
        span_ms = (begin_ms, end_ms) if len(cue.voices) == 1 else (end_ms, end_ms)
        payload = "\n".join(
            _named(voice.speaker, cue.dash + _timed_words(voice, span_ms, emphasis, offset_s), names)
            for voice in cue.voices
        )
        blocks.append(f"{number}\n{_timestamp(begin_ms)} --> {_timestamp(end_ms)}\n{payload}")
    return "\n\n".join(block for block in blocks if block) + "\n"


def _style(cues: list[Cue]) -> str:
    speakers = sorted({voice.speaker for cue in cues for voice in cue.voices if voice.speaker})
    if not cues:
        return ""
    rules = [f"::cue(.{speaker}) {{ color: {colour_of(speaker)} }}" for speaker in speakers]
    rules += [f"::cue(.{name}) {{ {css} }}" for name, css in EMPHASIS_CSS]
    return "\n".join(["STYLE", *rules])


def _named(speaker: str | None, text: str, names: dict[str, str]) -> str:
    if speaker is None:
        return text
    name = _escaped(" ".join(names.get(speaker, shown_name(speaker)).split()))
    return f"<v.{speaker} {name}>{text}</v>"


def _timed_words(voice: Voice, span_ms: tuple[int, int], emphasis: dict[int, tuple[str, ...]], offset_s: float) -> str:
    """Return the lines. A word's time precedes it if it is later than the previous time and inside the span."""
    last_ms, end_ms = span_ms
    lines = []
    for line in voice.lines:
        parts = []
        for word in line:
            at_ms = to_ms(word.start_s, offset_s)
            inside = last_ms < at_ms < end_ms
            last_ms = at_ms if inside else last_ms
            parts.append((f"<{_timestamp(at_ms)}>" if inside else "") + _word(word, emphasis))
        lines.append(voice.separator.join(parts))
    return "\n".join(lines)


def _word(word: CueWord, emphasis: dict[int, tuple[str, ...]]) -> str:
    classes = "".join(f".{name}" for name in emphasis.get(word.word_index, ()))
    return f"<c{classes}>{_escaped(word.text)}</c>" if classes else _escaped(word.text)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _timestamp(time_ms: int) -> str:
    """Format hours, minutes, seconds and milliseconds.

    >>> _timestamp(3_723_004)
    '01:02:03.004'
    """
    seconds, ms = divmod(time_ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"
