"""The classes by which subtitles emphasise words."""

import polars as pl


def emphasis_classes(word_acoustics: pl.DataFrame, raised_semitones: float = 4.0) -> dict[int, tuple[str, ...]]:
    """Return the classes of emphasised words, by word_index: the level if not medium, and "raised" for a high pitch.

    Args:
        word_acoustics: rows of `speech_schemas.WordAcoustics`.
        raised_semitones: least distance above the speaker's median pitch. Four semitones, chosen here, are audible as a
            change of tone.
    """
    rows = word_acoustics.select("word_index", "level", "f0_to_speaker_semitones").iter_rows()
    classes = {
        word_index: (
            *((level,) if level and level != "medium" else ()),
            *(("raised",) if semitones is not None and semitones >= raised_semitones else ()),
        )
        for word_index, level, semitones in rows
    }
    return {word_index: found for word_index, found in classes.items() if found}
