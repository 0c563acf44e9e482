import polars as pl

from vidassets.speech.subtitles.emphasis import emphasis_classes


def test_a_word_is_set_apart_by_its_level_and_by_a_raised_pitch() -> None:
    acoustics = pl.DataFrame(
        {
            "word_index": [0, 1, 2, 3],
            "level": ["medium", "emphasis", None, "low"],
            "f0_to_speaker_semitones": [0.0, 4.5, None, -5.0],
        }
    )

    assert emphasis_classes(acoustics) == {1: ("emphasis", "raised"), 3: ("low",)}
