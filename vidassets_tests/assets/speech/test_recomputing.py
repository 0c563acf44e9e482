"""A clip of two voices from day to day: a setting changes, a run follows, and only what hangs on it is made again."""

from collections.abc import Iterator

import numpy as np
import pytest
import webvtt

from vidassets_tests.assets.speech.spoken_clips import Heard, SpokenClips, sentence, talking_film

CLIP = "two-voices"
DOCUMENTS = {"subtitles", "subtitles_srt", "subtitles_ass", "speech_document"}
ACOUSTICS = {"word_acoustics", "segment_acoustics"} | DOCUMENTS
WORDS = {"transcript", "transcript_words"} | ACOUSTICS
TURNS = {"speaker_turns", "exclusive_turns", "speakers", "speaker_turns_rttm", "speaker_names"} | WORDS
ACTIVITY = {"speech_activity", "recognized_segments", "recognized_words", "voices"} | TURNS
# What hangs on a setting; never among it the scores, or, but for those of the activity, what was heard.
SETTINGS = {
    "subtitles.max_chars_per_line=20": {"subtitles", "subtitles_srt", "subtitles_ass"},
    "word_acoustics.low_db=-4.0": ACOUSTICS,
    "transcript.nearest_s=0.1": WORDS,
    "speaker_turns.n_speakers=1": TURNS,
    "speech_activity.threshold=0.6": ACTIVITY,
}


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SpokenClips, dict[str, Heard], dict[str, str]]]:
    """What was recomputed after each change of a setting, and the subtitles after it."""
    with SpokenClips.at(tmp_path_factory.mktemp("days")) as clips:
        talking_film(clips.videos / f"{CLIP}.mkv", np.concatenate([sentence("ninety"), sentence("story")]))
        clips.set(speaker_turns={"n_speakers": 2})
        clips.add()
        days, texts = {"first": clips.run(), "again": clips.run()}, {}
        for setting in SETTINGS:
            name, _, value = setting.partition("=")
            asset, _, field = name.partition(".")
            clips.set(**{asset: {field: float(value) if "." in value else int(value)}})
            days[setting] = clips.run()
            texts[setting] = clips.blob("subtitles", "vtt", CLIP).decode()
        yield clips, days, texts


def test_what_is_up_to_date_is_not_made_again(days):
    _, done, _ = days
    assert (done["again"].made, done["again"].failed) == ({}, {})


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_makes_again_what_hangs_on_it_and_nothing_else(days, setting: str):
    _, done, _ = days
    assert (done[setting].made, done[setting].failed) == ({CLIP: SETTINGS[setting]}, {})


def test_the_first_run_separates_the_voices_and_the_last_is_given_that_there_is_one(days):
    clips, _, texts = days
    assert "<v.S1 " in texts["transcript.nearest_s=0.1"]
    assert clips.table("speakers", CLIP).select("speaker", "count_basis").rows() == [("S0", "given")]
    assert clips.table("transcript", CLIP)["speaker"].unique().to_list() == ["S0"]


def test_shorter_lines_are_shorter(days):
    _, _, texts = days
    shown = [cue.text for cue in webvtt.from_string(texts["subtitles.max_chars_per_line=20"]).captions]
    assert "it takes about\nninety minutes" in shown
    assert max(len(line) for text in shown for line in text.splitlines()) <= 20
