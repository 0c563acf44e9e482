import numpy as np
import polars as pl
import pytest

from vidassets.media.sound import Sound
from vidassets.resources.pyannote_speakers import PyannoteSpeakers
from vidassets.schemas.speech import Speakers, SpeakerTurns
from vidassets.speech.models import SpeakerOptions
from vidassets.speech.speakers.model_turns import ModelTurns, tabulate_model_turns
from vidassets.speech.speakers.turns import SpeakerFacts
from vidassets_tests.media.flac import write_flac

EMBEDDINGS = np.array([[3.0, 4.0], [np.nan, 1.0], [0.0, 0.0]], np.float32)


def tables(turns, exclusive=(), duration_s=100.0, start_s=0.0, labels=("A", "B", "C")):
    found = ModelTurns(turns, exclusive, labels, EMBEDDINGS[: len(labels)])
    return tabulate_model_turns("talk", found, start_s, duration_s, SpeakerFacts("estimated", None, "m"))


def spans(table):
    return table.select("start_s", "end_s", "speaker").rows()


def test_speakers_are_named_in_the_order_in_which_they_speak():
    result = tables([(5.0, 6.0, "A"), (1.0, 2.0, "B")])
    assert spans(result.turns) == [(1.0, 2.0, "S0"), (5.0, 6.0, "S1")]


def test_overlap_is_kept_and_measured():
    result = tables([(0.0, 10.0, "A"), (4.0, 6.0, "B"), (5.0, 7.0, "C")])
    assert len(result.turns) == 3
    assert result.speakers["overlapped_s"].to_list() == pytest.approx([3.0, 2.0, 2.0])
    assert result.speakers["total_s"].to_list() == [10.0, 2.0, 2.0]


def test_exclusive_turns_never_overlap():
    turns = [(0.0, 5.0, "A"), (4.0, 8.0, "B"), (4.5, 4.6, "A")]
    assert spans(tables(turns, exclusive=turns).exclusive) == [(0.0, 5.0, "S0"), (5.0, 8.0, "S1")]


def test_times_are_the_clips_and_within_the_sound():
    assert spans(tables([(-0.1, 3.2, "A")], duration_s=3.0, start_s=7.0).turns) == [(7.0, 10.0, "S0")]


def test_a_voice_is_of_unit_length_or_null():
    result = tables([(0.0, 1.0, "A"), (1.0, 2.0, "B"), (2.0, 3.0, "C")])
    assert result.speakers["embedding"].to_list() == [pytest.approx([0.6, 0.8]), None, None]


@pytest.mark.parametrize("turns", [[], [(0.0, 1.0, "A"), (0.5, 2.0, "B")]], ids=["nobody", "two"])
def test_tables_keep_their_schemas(turns):
    result = tables(turns, exclusive=turns)
    SpeakerTurns.validate(result.turns)
    SpeakerTurns.validate(result.exclusive)
    Speakers.validate(result.speakers)


def test_a_call_with_a_person_on_each_channel_needs_no_network(tmp_path):
    write_flac(tmp_path / "call.flac", np.zeros((2, 80_000), np.float32))
    stretches = {"start_s": [0.0, 1.0], "end_s": [2.0, 4.0], "channel": [1, 0]}
    pyannote = PyannoteSpeakers(python=str(tmp_path / "no interpreter"))
    voices = pyannote.infer_voices("call", Sound.open(tmp_path / "call.flac"), pl.DataFrame(stretches))
    result = pyannote.cluster_voices("call", voices, SpeakerOptions())
    assert result.turns.select("start_s", "end_s", "speaker").rows() == [(0.0, 2.0, "S0"), (1.0, 4.0, "S1")]
    assert result.speakers["count_basis"].unique().to_list() == ["channels"]
