"""Convert clip times to a player's clock: `offset_s` is the clip time at which the player's clock is 0.

The clocks of players, measured with files whose first presentation time is 0.85 s:

| player | MP4, MOV | Matroska, WebM |
|---|---|---|
| a browser's video element (Chromium 156; also tested) | the clip's clock | the clip's clock |
| VLC 3.0 | the clip's clock | the clip's clock |
| mpv 0.35 | the clip's clock | from the earliest time of any stream; `--rebase-start-time=no`: the clip's clock |

So an offset of 0 is right for published files. For a Matroska file in mpv, use its option or files with another offset.
"""

from vidassets.speech.subtitles.cue import Cue


def to_ms(clip_time_s: float, offset_s: float) -> int:
    """Return milliseconds on the player's clock; times before its 0 become 0."""
    return max(round((clip_time_s - offset_s) * 1000), 0)


def shown_cues(cues: list[Cue], offset_s: float) -> list[tuple[int, int, Cue]]:
    """Return (begin, end, cue) in milliseconds on the player's clock, without cues that end before its 0."""
    spans = ((to_ms(cue.start_s, offset_s), to_ms(cue.end_s, offset_s), cue) for cue in cues)
    return [(begin_ms, end_ms, cue) for begin_ms, end_ms, cue in spans if end_ms > begin_ms]
