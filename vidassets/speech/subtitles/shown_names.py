"""How a speaker is shown to people: name and colour."""

import polars as pl

# BBC "Subtitle guidelines", colours of speakers: white first, then yellow, cyan, green.
SPEAKER_COLOURS = ("#ffffff", "#ffff00", "#00ffff", "#00ff00")


def shown_names(speakers: pl.DataFrame, speaker_names: pl.DataFrame) -> dict[str, str]:
    """The name of every speaker: the person's where one is known, else "Speaker 1" for S0, "Speaker 2" for S1 ….

    Args:
        speakers: rows of `speech_schemas.Speakers` of one clip.
        speaker_names: rows of `speech_schemas.SpeakerNames` of the same clip; may be none.
    """
    people = dict(speaker_names.select("speaker", "person").iter_rows())
    return {speaker: people.get(speaker) or numbered(speaker) for speaker in speakers["speaker"].sort()}


def numbered(speaker: str) -> str:
    """A speaker nobody has named.

    >>> numbered("S0")
    'Speaker 1'
    """
    return f"Speaker {int(speaker.removeprefix('S')) + 1}"


def colour_of(speaker: str | None) -> str:
    """The colour of a speaker's words, #rrggbb; the first four differ."""
    return SPEAKER_COLOURS[int(speaker.removeprefix("S")) % len(SPEAKER_COLOURS)] if speaker else SPEAKER_COLOURS[0]
