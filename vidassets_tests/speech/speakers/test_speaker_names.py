import numpy as np
import polars as pl
import pytest

from vidassets.errors import EmbeddingMismatch, SpeechError
from vidassets.schemas.speech import SpeakerNames, VoiceBank
from vidassets.speech.speakers.speaker_names import name_speakers, unplaced_decisions
from vidassets.speech.speakers.voice_bank import Reference, embed_references
from vidassets_tests.speech.speakers.voices import bank, decisions, speakers, turns

X, Y, NEAR_X = [1.0, 0.0], [0.0, 1.0], [0.8, 0.6]
TURNS = turns((0.0, 5.0, "S0"), (4.0, 9.0, "S1"))
BANK = bank(("ada", "a.wav", X), ("bea", "b.wav", Y))


def named(table: pl.DataFrame) -> list[tuple[str, str | None, str | None]]:
    return SpeakerNames.validate(table).select("speaker", "person", "source").rows()


def test_the_most_similar_voice_gives_the_name():
    names = name_speakers("clip", speakers(S0=X, S1=Y), TURNS, BANK, decisions(), 0.7)
    assert named(names) == [("S0", "ada", "voice bank"), ("S1", "bea", "voice bank")]


def test_below_the_threshold_there_is_no_name_but_the_most_similar_person_is_reported():
    names = name_speakers("clip", speakers(S0=NEAR_X), TURNS, BANK, decisions(), 0.81)
    assert named(names) == [("S0", None, None)]
    assert names.select("likest", "runner_up").row(0) == ("ada", "bea")
    assert names.select("similarity", "runner_up_similarity").row(0) == pytest.approx((0.8, 0.6))


def test_of_two_speakers_similar_to_one_person_only_the_more_similar_gets_the_name():
    names = name_speakers("clip", speakers(S0=NEAR_X, S1=X), TURNS, BANK, decisions(), 0.7)
    assert named(names) == [("S0", None, None), ("S1", "ada", "voice bank")]


def test_a_decision_stands_above_the_voice_bank():
    names = name_speakers("clip", speakers(S0=X, S1=Y), TURNS, BANK, decisions(("clip", 1.0, "cleo")), 0.7)
    assert named(names)[0] == ("S0", "cleo", "decision")


def test_a_decided_name_is_not_given_to_another_by_the_voice_bank():
    names = name_speakers("clip", speakers(S0=X, S1=Y), TURNS, BANK, decisions(("clip", 6.0, "ada")), 0.7)
    assert named(names) == [("S0", None, None), ("S1", "ada", "decision")]


def test_the_last_decision_on_a_speaker_counts():
    decided = decisions(("clip", 1.0, "cleo"), ("clip", 2.0, "dora"), ("other", 1.0, "eve"))
    assert named(name_speakers("clip", speakers(S0=X), TURNS, BANK, decided, 0.7)) == [("S0", "dora", "decision")]


def test_a_decision_for_nobody_takes_the_name_away():
    decided = decisions(("clip", 1.0, "cleo"), ("clip", 1.0, None))
    assert named(name_speakers("clip", speakers(S0=X), TURNS, BANK, decided, 0.7)) == [("S0", None, "decision")]


@pytest.mark.parametrize("at_s", [pytest.param(4.5, id="two speak"), pytest.param(20.0, id="nobody speaks")])
def test_a_decision_at_a_moment_that_is_not_one_speakers_names_nobody_and_is_reported(at_s):
    decided = decisions(("clip", at_s, "cleo"))
    assert named(name_speakers("clip", speakers(S0=None), TURNS, bank(), decided, 0.7)) == [("S0", None, None)]
    assert unplaced_decisions("clip", TURNS, decided)["person"].to_list() == ["cleo"]


def test_a_decision_outlives_a_new_numbering():
    renumbered = turns((0.0, 5.0, "S1"), (4.0, 9.0, "S0"))
    names = name_speakers("clip", speakers(S0=Y, S1=X), renumbered, bank(), decisions(("clip", 1.0, "cleo")), 0.7)
    assert named(names) == [("S0", None, None), ("S1", "cleo", "decision")]


def test_voices_of_another_model_are_not_compared():
    with pytest.raises(EmbeddingMismatch, match=r"net.*other"):
        name_speakers("clip", speakers(S0=X), TURNS, bank(("ada", "a.wav", X), model="other"), decisions(), 0.7)


def test_a_person_is_the_mean_of_their_recordings():
    two = bank(("ada", "a.wav", X), ("ada", "b.wav", Y))
    names = name_speakers("clip", speakers(S0=X), TURNS, two, decisions(), 0.7)
    assert names["similarity"][0] == pytest.approx(0.5**0.5)


class PeakDirection:
    """An encoder that describes a voice by its highest and its lowest sample."""

    def identity(self) -> dict[str, str]:
        return {"model": "net"}

    def embed_samples(self, samples: np.ndarray) -> np.ndarray:
        pair = np.array([samples.max(), samples.min()], np.float32)
        return pair / np.linalg.norm(pair)


def test_a_voice_bank_has_a_row_for_every_recording():
    ones = np.linspace(0, 1, 32_000, dtype=np.float32)
    table = embed_references([Reference("bea", "1.wav", ones), Reference("ada", "1.wav", ones)], PeakDirection())
    assert VoiceBank.validate(table).select("person", "speech_s", "embedding", "model").rows() == [
        ("ada", 2.0, [1.0, 0.0], "net"),
        ("bea", 2.0, [1.0, 0.0], "net"),
    ]


def test_a_recording_too_short_for_a_voice_is_refused_by_name():
    with pytest.raises(SpeechError, match=r"ada/1\.wav: 0\.5 s"):
        embed_references([Reference("ada", "1.wav", np.ones(8_000, np.float32))], PeakDirection())
