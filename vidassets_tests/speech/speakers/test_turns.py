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
    remove_overlap,
    tabulate_turns,
)
from vidassets_tests.speech.speakers.voices import activity, turns

FACTS = SpeakerFacts("given", None, "net")


def spans(table: pl.DataFrame) -> list[tuple[float, float, str]]:
    SpeakerTurns.validate(table)
    return table.select("start_s", "end_s", "speaker").rows()


def test_speakers_are_numbered_by_who_speaks_first():
    result = tabulate_turns("clip", [Turn(2.0, 3.0, 0), Turn(0.0, 1.0, 7)], {}, FACTS)
    assert spans(result.turns) == [(0.0, 1.0, "S0"), (2.0, 3.0, "S1")]


def test_turns_of_one_speaker_that_touch_become_one():
    result = tabulate_turns("clip", [Turn(0.0, 1.0, 0), Turn(1.0, 2.0, 0)], {}, FACTS)
    assert spans(result.turns) == [(0.0, 2.0, "S0")]


def test_overlap_is_kept_in_turns_and_counted():
    result = tabulate_turns("clip", [Turn(0.0, 5.0, 0), Turn(4.0, 8.0, 1)], {}, FACTS)
    assert spans(result.turns) == [(0.0, 5.0, "S0"), (4.0, 8.0, "S1")]
    assert result.speakers.select("total_s", "overlapped_s", "n_turns").rows() == [(5.0, 1.0, 1), (4.0, 1.0, 1)]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        pytest.param(
            [(0.0, 9.0, 0), (3.0, 4.0, 1)], [(0.0, 3.0, 0), (3.0, 4.0, 1), (4.0, 9.0, 0)], id="an interjection"
        ),
        pytest.param([(0.0, 5.0, 0), (4.0, 7.0, 1)], [(0.0, 4.0, 0), (4.0, 7.0, 1)], id="a change of turn"),
        pytest.param([(0.0, 2.0, 0), (0.0, 2.0, 1)], [(0.0, 2.0, 0)], id="together"),
        pytest.param([(0.0, 2.0, 0), (2.0, 3.0, 1)], [(0.0, 2.0, 0), (2.0, 3.0, 1)], id="touching"),
        pytest.param([], [], id="none"),
    ],
)
def test_exclusive_turns_never_overlap(turns, expected):
    assert [tuple(turn) for turn in remove_overlap([Turn(*turn) for turn in turns])] == expected


def test_an_embedding_is_stored_at_unit_length_and_null_where_there_is_none():
    result = tabulate_turns("clip", [Turn(0.0, 1.0, 0), Turn(1.0, 2.0, 1)], {0: np.array([3.0, 4.0])}, FACTS)
    Speakers.validate(result.speakers)
    assert result.speakers["embedding"].to_list() == [pytest.approx([0.6, 0.8]), None]


def test_no_turns_are_empty_valid_tables():
    result = tabulate_turns("clip", [], {}, FACTS)
    assert (spans(result.turns), spans(result.exclusive), len(Speakers.validate(result.speakers))) == ([], [], 0)


def test_each_channel_with_speech_is_a_speaker():
    both = pl.concat([activity((1.0, 4.0), channel=2), activity((0.0, 2.0), channel=1)])
    result = diarize_channels("clip", both, "a model")
    assert spans(result.turns) == [(0.0, 2.0, "S0"), (1.0, 4.0, "S1")]
    columns = result.speakers.select("count_basis", "overlapped_s", "embedding", "model").unique().rows()
    assert columns == [("channels", 1.0, None, "a model")]


def test_a_speakers_channel_is_the_one_whose_speech_overlaps_most_with_the_turns():
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
    table = turns((0.5, 2.0, "S0"), (1.25, 3.0, "S1"))
    assert read_rttm(to_rttm(table)).select("start_s", "end_s", "speaker").rows() == spans(table)


def test_a_line_that_is_no_rttm_is_named():
    with pytest.raises(SpeechError, match="line 2"):
        read_rttm("SPEAKER a 1 0.0 1.0 <NA> <NA> S0 <NA> <NA>\nSPEAKER a 1 zero 1.0 <NA> <NA> S0")
