"""How words are set apart by how they sound, for subtitles that show it."""

import polars as pl


def emphasis_classes(word_acoustics: pl.DataFrame, raised_semitones: float = 4.0) -> dict[int, tuple[str, ...]]:
    """How words are set apart, by word_index: by their level, and "raised" where the pitch is well above the speaker's.

    Args:
        word_acoustics: rows of `speech_schemas.WordAcoustics`.
        raised_semitones: above the speaker's median; four semitones are heard as a change of tone. Chosen here.
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
