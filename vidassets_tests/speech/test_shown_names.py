from vidassets.speech.shown_names import colour_of, shown_names
from vidassets_tests.speech.subtitles.transcripts import named, voices_of

TWO = voices_of(("S0", "", 0, 1), ("S1", "", 1, 2))


def test_a_speaker_is_called_by_the_person_or_by_number() -> None:
    assert shown_names(TWO, named(S0=None, S1="Ada")) == {"S0": "Speaker 1", "S1": "Ada"}


def test_without_names_all_are_numbered() -> None:
    assert shown_names(TWO, named()) == {"S0": "Speaker 1", "S1": "Speaker 2"}


def test_four_speakers_have_four_colours() -> None:
    assert len({colour_of(f"S{number}") for number in range(4)}) == 4
