"""The name and the colour with which a speaker is shown, on every page, in subtitles, documents and tables.

`S0` is the speaker's key, which joins the tables of a clip; people read the name.
"""

import polars as pl

# BBC "Subtitle guidelines", colours of speakers: white first, then yellow, cyan, green.
SPEAKER_COLOURS = ("#ffffff", "#ffff00", "#00ffff", "#00ff00")


def shown_names(speakers: pl.DataFrame, speaker_names: pl.DataFrame) -> dict[str, str]:
    """Return the name of every speaker, see `shown_name`.

    Args:
        speakers: rows of `speech_schemas.Speakers` of a clip.
        speaker_names: rows of `speech_schemas.SpeakerNames` of the same clip; may be empty.
    """
    people = dict(speaker_names.select("speaker", "person").iter_rows())
    return {speaker: shown_name(speaker, people.get(speaker)) for speaker in speakers["speaker"].sort()}


def shown_name(speaker: str, person: str | None = None) -> str:
    """Return the name of a speaker: the person's if known, otherwise the number of the speaker, counted from 1.

    >>> shown_name("S0"), shown_name("S1", "Ada")
    ('Speaker 1', 'Ada')
    """
    return person or f"Speaker {int(speaker.removeprefix('S')) + 1}"


def colour_of(speaker: str | None) -> str:
    """Return the colour of a speaker's words, #rrggbb; the first four speakers have different colours."""
    return SPEAKER_COLOURS[int(speaker.removeprefix("S")) % len(SPEAKER_COLOURS)] if speaker else SPEAKER_COLOURS[0]
