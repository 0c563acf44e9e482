"""A cue: what is on screen together; and the style that says how much of it, for how long."""

import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from vidassets.errors import InvalidSetting

DASH = "- "
# What flashes by is not read, yet is there; only more than five cues in one second are pushed later by it.
FLEETING_S = 0.2


def char_count(text: str) -> int:
    """Characters that take room.

    >>> char_count("e" + chr(0x301))
    1
    """
    return sum(unicodedata.category(char) not in ("Mn", "Me", "Cf") for char in text)


@dataclass(frozen=True)
class SubtitleStyle:
    """How much is shown, and for how long.

    Unless said otherwise the figures are of Netflix's "Timed text style guide", general requirements and English;
    frames are those of 24 fps.

    Attributes:
        max_chars_per_line: the dash of one of two speakers counts; marks that combine do not. Chinese wants 16,
            Japanese 13.
        max_lines: of one cue.
        max_chars_per_s: reading speed. A cue that is read more slowly than spoken lingers.
        min_duration_s: unless the next cue begins before.
        max_duration_s: a longer stretch is divided; of one word that is longer, the end goes.
        min_gap_s: between two cues: two frames.
        close_gap_s: a gap that is shorter flickers: it is closed to `min_gap_s`. Twelve frames.
        linger_s: longest stay after the last word for the sake of reading speed. Twelve frames; BBC: up to 1.5 s.
        pause_s: a cue never holds a longer silence; chosen here.
    """

    max_chars_per_line: int = 42
    max_lines: int = 2
    max_chars_per_s: float = 20.0
    min_duration_s: float = 5 / 6
    max_duration_s: float = 7.0
    min_gap_s: float = 2 / 24
    close_gap_s: float = 0.5
    linger_s: float = 0.5
    pause_s: float = 1.0

    def __post_init__(self) -> None:
        least = {"max_chars_per_line": 8, "max_lines": 1, "max_chars_per_s": 1.0, "min_duration_s": FLEETING_S}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise InvalidSetting(f"{name}: at least {bound:g}, got {getattr(self, name)}.")
        for name in ("min_gap_s", "close_gap_s", "linger_s", "pause_s"):
            if getattr(self, name) < 0:
                raise InvalidSetting(f"{name}: at least 0, got {getattr(self, name)}.")
        if self.max_duration_s < self.min_duration_s:
            raise InvalidSetting(f"max_duration_s: at least min_duration_s, {self.min_duration_s:g}.")


class CueWord(NamedTuple):
    """A word of a cue, on the clip's clock; `word_index` as in `TranscriptWords`."""

    word_index: int
    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Voice:
    """What one speaker says in a cue: lines of words; `separator` stands between two words of a line."""

    speaker: str | None
    lines: tuple[tuple[CueWord, ...], ...]
    separator: str = " "

    @property
    def words(self) -> tuple[CueWord, ...]:
        """Of all lines."""
        return tuple(word for line in self.lines for word in line)


@dataclass(frozen=True)
class Cue:
    """What is on screen together; times on the clip's clock, half-open."""

    start_s: float
    end_s: float
    voices: tuple[Voice, ...]

    @property
    def dash(self) -> str:
        """What every voice begins with."""
        return DASH if len(self.voices) > 1 else ""

    @property
    def text_lines(self) -> list[str]:
        """The lines as they are read."""
        return [
            (self.dash if not index else "") + voice.separator.join(word.text for word in line)
            for voice in self.voices
            for index, line in enumerate(voice.lines)
        ]
