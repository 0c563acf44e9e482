"""Turns as RTTM, the format of the diarization evaluations: one line per turn.

Source: NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan", appendix A.
"""

import polars as pl

from vidassets.errors import SpeechError


def to_rttm(turns: pl.DataFrame) -> str:
    """Return a SPEAKER line per turn, with times in seconds rounded to the millisecond; "" for no turns.

    Args:
        turns: rows of `speech_schemas.SpeakerTurns`; the clip's key becomes the name of the recording.
    """
    rows = turns.sort("start_s", "turn_index").select("clip", "start_s", "end_s", "speaker").iter_rows()
    return "".join(
        # The end is rounded, not the duration, so that turns that touch still touch.
        f"SPEAKER {clip} 1 {start_s:.3f} {round(end_s, 3) - round(start_s, 3):.3f} <NA> <NA> {speaker} <NA> <NA>\n"
        for clip, start_s, end_s, speaker in rows
    )


def read_rttm(text: str) -> pl.DataFrame:
    """Return one row per SPEAKER line, in their order: recording, start_s, end_s, speaker.

    Raises:
        SpeechError: a line is not RTTM.
    """
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        parts = line.split()
        if not parts or parts[0] != "SPEAKER":
            continue  # comments and other types of lines
        try:
            start_s, duration_s = float(parts[3]), float(parts[4])
            rows.append((parts[1], start_s, start_s + duration_s, parts[7]))
        except (IndexError, ValueError) as error:
            raise SpeechError(
                f"RTTM, line {number}: {line!r} is not `SPEAKER recording channel start duration <NA> <NA> speaker`, "
                "times in seconds. Correct or remove the line."
            ) from error
    schema = {"recording": pl.String, "start_s": pl.Float64, "end_s": pl.Float64, "speaker": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")
