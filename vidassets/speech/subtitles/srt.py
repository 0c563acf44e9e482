"""SubRip, which every player can show: only lines, with a dash before each of two speakers."""

import re

from vidassets.speech.subtitles.cue import Cue
from vidassets.speech.subtitles.player_clock import shown_cues

# SubRip has no escapes. A joiner without width keeps players from reading these as tags.
TAG_BEGINS = re.compile(r"<(?=[A-Za-z/])|\{(?=\\)")
WORD_JOINER = "\u2060"


def format_srt(cues: list[Cue], offset_s: float = 0.0) -> str:
    """Return the subtitles as SubRip text; empty without cues.

    Args:
        cues: from `lay_out_cues`.
        offset_s: clip time at which the player's clock is 0, see `player_clock`.
    """
    blocks = []
    for number, (begin_ms, end_ms, cue) in enumerate(shown_cues(cues, offset_s), start=1):
        lines = "\n".join(TAG_BEGINS.sub(lambda found: found[0] + WORD_JOINER, line) for line in cue.text_lines)
        blocks.append(f"{number}\n{_timestamp(begin_ms)} --> {_timestamp(end_ms)}\n{lines}\n")
    return "\n".join(blocks)


def _timestamp(time_ms: int) -> str:
    """Format hours, minutes, seconds and milliseconds.

    >>> _timestamp(3_723_004)
    '01:02:03,004'
    """
    seconds, ms = divmod(time_ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{ms:03}"
