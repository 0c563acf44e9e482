"""A cue, the words that are on screen together, and the style that sets how much it shows and for how long."""

import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from vidassets.errors import InvalidSetting

DASH = "- "
# The shortest cue. It can hardly be read, but delays the next cue only if a second has more than five cues.
FLEETING_S = 0.2


def char_count(text: str) -> int:
    """Count the characters that take up room.

    >>> char_count("e" + chr(0x301))
    1
    """
    return sum(unicodedata.category(char) not in ("Mn", "Me", "Cf") for char in text)


@dataclass(frozen=True)
class SubtitleStyle:
    """How much a cue shows, and for how long.

    Unless another source is given, the figures are from Netflix's "Timed text style guide", general requirements and
    English. Frames are at 24 fps.

    Attributes:
        max_chars_per_line: includes the dash in a cue of two speakers, but not combining marks. Use 16 for Chinese,
            13 for Japanese.
        max_lines: lines per cue.
        max_chars_per_s: reading speed. A cue that is read more slowly than spoken stays longer.
        min_duration_s: shortest cue, unless the next cue begins earlier.
        max_duration_s: longest cue. Longer speech is split; a single longer word is cut off.
        min_gap_s: gap between two cues: two frames.
        close_gap_s: shorter gaps flicker, so they are reduced to `min_gap_s`. Twelve frames.
        linger_s: longest time that a cue stays after its last word to be read. BBC: up to 1.5 s.
        lead_s: longest time that a cue begins before its first word, if it is too short to be read otherwise. Chosen
            here.
        pause_s: cues are split at silences of this length. Chosen here.
    """

    max_chars_per_line: int = 42
    max_lines: int = 2
    max_chars_per_s: float = 20.0
    min_duration_s: float = 5 / 6
    max_duration_s: float = 7.0
    min_gap_s: float = 2 / 24
    close_gap_s: float = 0.5
    linger_s: float = 1.5
    lead_s: float = 0.5
    pause_s: float = 1.0

    def __post_init__(self) -> None:
        least = {"max_chars_per_line": 8, "max_lines": 1, "max_chars_per_s": 1.0, "min_duration_s": FLEETING_S}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise InvalidSetting(f"{name} must be at least {bound:g}, got {getattr(self, name)}.")
        for name in ("min_gap_s", "close_gap_s", "linger_s", "lead_s", "pause_s"):
            if getattr(self, name) < 0:
                raise InvalidSetting(f"{name} must be at least 0, got {getattr(self, name)}.")
        if self.max_duration_s < self.min_duration_s:
            raise InvalidSetting(
                f"max_duration_s must be at least min_duration_s, {self.min_duration_s:g}, got {self.max_duration_s:g}."
            )


class CueWord(NamedTuple):
    """A word of a cue, on the clip's clock; `word_index` as in `TranscriptWords`."""

    word_index: int
    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Voice:
    """The lines of a single speaker in a cue. `separator` goes between two words of a line."""

    speaker: str | None
    lines: tuple[tuple[CueWord, ...], ...]
    separator: str = " "

    @property
    def words(self) -> tuple[CueWord, ...]:
        """The words of all lines."""
        return tuple(word for line in self.lines for word in line)


@dataclass(frozen=True)
class Cue:
    """The lines that are on screen together. Times are on the clip's clock, half-open."""

    start_s: float
    end_s: float
    voices: tuple[Voice, ...]

    @property
    def dash(self) -> str:
        """The text before each voice: a dash if the cue has several."""
        return DASH if len(self.voices) > 1 else ""

    @property
    def text_lines(self) -> list[str]:
        """The lines as shown."""
        return [
            (self.dash if not index else "") + voice.separator.join(word.text for word in line)
            for voice in self.voices
            for index, line in enumerate(voice.lines)
        ]
