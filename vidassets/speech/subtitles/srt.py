"""SubRip: what every player shows. No voices, no word times: the lines, and a dash where two people speak."""

import re

from vidassets.speech.subtitles.cue import Cue
from vidassets.speech.subtitles.player_clock import shown_cues

# SubRip has no escapes: a joiner of no width keeps a player from taking these for tags.
TAG_BEGINS = re.compile(r"<(?=[A-Za-z/])|\{(?=\\)")
WORD_JOINER = "\u2060"


def format_srt(cues: list[Cue], offset_s: float = 0.0) -> str:
    """The subtitles as SubRip, UTF-8; without a cue the empty text.

    Args:
        cues: of `lay_out_cues`.
        offset_s: the clip's time at the player's 0, see `player_clock`.
    """
    blocks = []
    for number, (begin_ms, end_ms, cue) in enumerate(shown_cues(cues, offset_s), start=1):
        lines = "\n".join(TAG_BEGINS.sub(lambda found: found[0] + WORD_JOINER, line) for line in cue.text_lines)
        blocks.append(f"{number}\n{_timestamp(begin_ms)} --> {_timestamp(end_ms)}\n{lines}\n")
    return "\n".join(blocks)


def _timestamp(time_ms: int) -> str:
    """Hours, minutes, seconds, milliseconds.

    >>> _timestamp(3_723_004)
    '01:02:03,004'
    """
    seconds, ms = divmod(time_ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{ms:03}"
