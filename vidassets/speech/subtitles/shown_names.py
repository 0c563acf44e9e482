"""The name and the colour with which a speaker is shown."""

import polars as pl

# BBC "Subtitle guidelines", colours of speakers: white first, then yellow, cyan, green.
SPEAKER_COLOURS = ("#ffffff", "#ffff00", "#00ffff", "#00ff00")


def shown_names(speakers: pl.DataFrame, speaker_names: pl.DataFrame) -> dict[str, str]:
    """Return the name of every speaker: the person's if known, otherwise "Speaker 1" for S0, "Speaker 2" for S1 ….

    Args:
        speakers: rows of `speech_schemas.Speakers` of a clip.
        speaker_names: rows of `speech_schemas.SpeakerNames` of the same clip; may be empty.
    """
    people = dict(speaker_names.select("speaker", "person").iter_rows())
    return {speaker: people.get(speaker) or numbered(speaker) for speaker in speakers["speaker"].sort()}


def numbered(speaker: str) -> str:
    """Return the name of a speaker whom nobody has named.

    >>> numbered("S0")
    'Speaker 1'
    """
    return f"Speaker {int(speaker.removeprefix('S')) + 1}"


def colour_of(speaker: str | None) -> str:
    """Return the colour of a speaker's words, #rrggbb; the first four speakers have different colours."""
    return SPEAKER_COLOURS[int(speaker.removeprefix("S")) % len(SPEAKER_COLOURS)] if speaker else SPEAKER_COLOURS[0]
