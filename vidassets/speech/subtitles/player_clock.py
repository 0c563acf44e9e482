"""The clip's clock and a player's: `offset_s` is the clip's time at the player's 0.

What players do, asked of them with files whose first presentation time is 0.85 s:

| player | MP4, MOV | Matroska, WebM |
|---|---|---|
| a browser's video element (Chromium 156; the tests ask it again) | the clip's clock | the clip's clock |
| VLC 3.0 | the clip's clock | the clip's clock |
| mpv 0.35 | the clip's clock | from the earliest time of any stream; `--rebase-start-time=no`: the clip's clock |

So 0 is right for what is published; mpv beside a Matroska file is told its option, or is given files of another offset.
"""

from vidassets.speech.subtitles.cue import Cue


def to_ms(clip_time_s: float, offset_s: float) -> int:
    """Milliseconds of the player's clock, from 0 on: what lies before is shown at 0."""
    return max(round((clip_time_s - offset_s) * 1000), 0)


def shown_cues(cues: list[Cue], offset_s: float) -> list[tuple[int, int, Cue]]:
    """Begin and end in milliseconds of the player's clock, end after begin; none before the player's 0."""
    spans = ((to_ms(cue.start_s, offset_s), to_ms(cue.end_s, offset_s), cue) for cue in cues)
    return [(begin_ms, end_ms, cue) for begin_ms, end_ms, cue in spans if end_ms > begin_ms]
