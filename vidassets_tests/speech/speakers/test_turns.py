import numpy as np
import polars as pl
import pytest

from vidassets.errors import SpeechError
from vidassets.schemas.speech import Speakers, SpeakerTurns
from vidassets.speech.speakers.rttm import read_rttm, to_rttm
from vidassets.speech.speakers.turns import (
    SpeakerFacts,
    Turn,
    channels_of_speakers,
    diarize_channels,
    exclusive,
    tabulate_turns,
)
from vidassets_tests.speech.speakers.voices import activity, turns

TOLD = SpeakerFacts("given", None, "net")


def spans(table: pl.DataFrame) -> list[tuple[float, float, str]]:
    SpeakerTurns.validate(table)
    return table.select("start_s", "end_s", "speaker").rows()


def test_speakers_are_numbered_by_who_speaks_first():
    told = tabulate_turns("clip", [Turn(2.0, 3.0, 0), Turn(0.0, 1.0, 7)], {}, TOLD)
    assert spans(told.turns) == [(0.0, 1.0, "S0"), (2.0, 3.0, "S1")]


def test_turns_of_one_speaker_that_touch_become_one():
    told = tabulate_turns("clip", [Turn(0.0, 1.0, 0), Turn(1.0, 2.0, 0)], {}, TOLD)
    assert spans(told.turns) == [(0.0, 2.0, "S0")]


def test_overlap_is_kept_in_turns_and_counted():
    told = tabulate_turns("clip", [Turn(0.0, 5.0, 0), Turn(4.0, 8.0, 1)], {}, TOLD)
    assert spans(told.turns) == [(0.0, 5.0, "S0"), (4.0, 8.0, "S1")]
    assert told.speakers.select("total_s", "overlapped_s", "n_turns").rows() == [(5.0, 1.0, 1), (4.0, 1.0, 1)]


@pytest.mark.parametrize(
    ("given", "apart"),
    [
        pytest.param(
            [(0.0, 9.0, 0), (3.0, 4.0, 1)], [(0.0, 3.0, 0), (3.0, 4.0, 1), (4.0, 9.0, 0)], id="a word thrown in"
        ),
        pytest.param([(0.0, 5.0, 0), (4.0, 7.0, 1)], [(0.0, 4.0, 0), (4.0, 7.0, 1)], id="a change of turn"),
        pytest.param([(0.0, 2.0, 0), (0.0, 2.0, 1)], [(0.0, 2.0, 0)], id="together"),
        pytest.param([(0.0, 2.0, 0), (2.0, 3.0, 1)], [(0.0, 2.0, 0), (2.0, 3.0, 1)], id="touching"),
        pytest.param([], [], id="none"),
    ],
)
def test_exclusive_turns_hold_each_moment_once(given, apart):
    assert [tuple(turn) for turn in exclusive([Turn(*turn) for turn in given])] == apart


def test_an_embedding_is_stored_at_unit_length_and_null_where_there_is_none():
    told = tabulate_turns("clip", [Turn(0.0, 1.0, 0), Turn(1.0, 2.0, 1)], {0: np.array([3.0, 4.0])}, TOLD)
    Speakers.validate(told.speakers)
    assert told.speakers["embedding"].to_list() == [pytest.approx([0.6, 0.8]), None]


def test_no_turns_are_empty_valid_tables():
    told = tabulate_turns("clip", [], {}, TOLD)
    assert (spans(told.turns), spans(told.exclusive), len(Speakers.validate(told.speakers))) == ([], [], 0)


def test_each_channel_with_speech_is_a_speaker():
    both = pl.concat([activity((1.0, 4.0), channel=2), activity((0.0, 2.0), channel=1)])
    told = diarize_channels("clip", both, "a model")
    assert spans(told.turns) == [(0.0, 2.0, "S0"), (1.0, 4.0, "S1")]
    columns = told.speakers.select("count_basis", "overlapped_s", "embedding", "model").unique().rows()
    assert columns == [("channels", 1.0, None, "a model")]


def test_a_speakers_channel_is_that_whose_speech_the_turns_hold_most_of():
    both = pl.concat([activity((0.0, 2.0), channel=1), activity((1.0, 4.0), channel=2)])
    assert channels_of_speakers(turns((0.0, 2.0, "S0"), (1.0, 4.0, "S1")), both) == {"S0": 1, "S1": 2}


def test_a_speaker_of_many_stretches_has_one_channel():
    spoken = pl.concat([activity((0.0, 1.0), (5.0, 6.0), channel=0), activity((0.5, 2.0), channel=1)])
    assert channels_of_speakers(turns((0.0, 1.0, "S0"), (5.0, 6.0, "S0")), spoken) == {"S0": 0}


def test_without_speech_no_speaker_has_a_channel():
    assert channels_of_speakers(turns(), activity()) == {}
    assert channels_of_speakers(turns((0.0, 1.0, "S0")), activity()) == {}


def test_rttm_has_one_line_a_turn():
    text = to_rttm(turns((0.5, 2.0, "S0"), (1.25, 3.0, "S1")))
    assert text.splitlines()[1] == "SPEAKER clip 1 1.250 1.750 <NA> <NA> S1 <NA> <NA>"


def test_rttm_reads_back_as_the_same_turns():
    told = turns((0.5, 2.0, "S0"), (1.25, 3.0, "S1"))
    assert read_rttm(to_rttm(told)).select("start_s", "end_s", "speaker").rows() == spans(told)


def test_a_line_that_is_no_rttm_is_named():
    with pytest.raises(SpeechError, match="line 2"):
        read_rttm("SPEAKER a 1 0.0 1.0 <NA> <NA> S0 <NA> <NA>\nSPEAKER a 1 zero 1.0 <NA> <NA> S0")
