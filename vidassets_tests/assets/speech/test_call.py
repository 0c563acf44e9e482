"""A call with a person on each channel: two speakers by channel, overlap kept, words and features each their own."""

from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest
import webvtt

from vidassets.media.sound import Sound
from vidassets_tests.assets.speech.spoken_clips import SpokenClips, sentence, silence, talking_film

CLIP = "call"
GRACE, EILEEN = "the program begins with one simple question", "it takes about ninety minutes"


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SpokenClips]:
    """Grace from 0.2 to 3.2 s on the left, Eileen from 1.65 to 3.26 s on the right."""
    left, right = sentence("program"), np.concatenate([silence(1.5), sentence("ninety")])
    length = max(len(left), len(right))
    with SpokenClips.at(tmp_path_factory.mktemp("call")) as clips:
        both = np.stack([np.pad(side, (0, length - len(side))) for side in (left, right)])
        talking_film(clips.videos / f"{CLIP}.mkv", both, layout="stereo")
        clips.set(audio={"separate_channels": True})
        clips.add()
        assert clips.run().failed == {}
        yield clips


def test_each_channel_is_kept_apart(call: SpokenClips):
    assert Sound.open(call.path / "data" / "audio" / f"{CLIP}.flac").channels == 2
    assert call.table("audio_facts", CLIP)["channels"].to_list() == [2]


def test_each_channel_is_a_speaker_and_their_overlap_is_kept(call: SpokenClips):
    turns = call.table("speaker_turns", CLIP).select("speaker", "start_s", "end_s").rows()
    assert [speaker for speaker, *_ in turns] == ["S0", "S1"]
    (_, *grace), (_, *eileen) = turns
    assert [*grace, *eileen] == pytest.approx([0.2, 3.22, 1.65, 3.265], abs=0.1)
    speakers = call.table("speakers", CLIP)
    assert speakers["count_basis"].unique().to_list() == ["channels"]
    assert speakers["overlapped_s"].to_list() == pytest.approx([1.57] * 2, abs=0.1)


def test_in_the_exclusive_turns_nobody_speaks_at_the_same_time(call: SpokenClips):
    turns = call.table("exclusive_turns", CLIP).sort("start_s")
    assert (turns["start_s"][1:] >= turns["end_s"][:-1]).all()


def test_the_words_of_a_channel_are_its_persons_also_while_both_speak(call: SpokenClips):
    words = call.table("transcript_words", CLIP)
    said = {who: " ".join(words.filter(speaker=who).sort("start_s")["text"]) for who in ("S0", "S1")}
    assert said == {"S0": GRACE, "S1": EILEEN}


def test_a_word_sounds_like_its_own_channel_while_both_speak(call: SpokenClips):
    together = call.table("word_acoustics", CLIP).filter((pl.col("start_s") > 1.7) & (pl.col("end_s") < 3.2))
    pitch_hz = dict(together.group_by("speaker").agg(pl.col("f0_median_hz").median()).iter_rows())
    assert 80 < pitch_hz["S0"] < 130 < 150 < pitch_hz["S1"] < 230


def test_the_subtitles_of_a_call_do_not_overlap_and_hold_every_word(call: SpokenClips):
    captions = webvtt.from_string(call.blob("subtitles", "vtt", CLIP).decode()).captions
    edges = [ms for cue in captions for ms in (cue.start_time.in_milliseconds(), cue.end_time.in_milliseconds())]
    assert edges == sorted(edges)
    shown = " ".join(cue.text for cue in captions).split()
    assert sorted(word for word in shown if word != "-") == sorted(f"{GRACE} {EILEEN}".split())
