"""Clips without sound, without speech, of other rates and layouts, late, and damaged: none fails, all are reported."""

import json
from io import BytesIO

import numpy as np
import polars as pl
import pysubs2
import pytest
import webvtt
from jsonschema import Draft202012Validator

from vidassets.definitions import GRAPH
from vidassets.media.sound import Sound
from vidassets.speech.speakers.rttm import read_rttm
from vidassets.speech.subtitles.speech_document import document_schema
from vidassets_tests.assets.speech.conftest import CLICK_S, LATE_S, TONE_HZ, TONE_S, Everything
from vidassets_tests.assets.speech.spoken_clips import SpokenClips
from vidassets_tests.media.sounds import click_times

SPEECH = {
    artifact.name: artifact
    for asset in GRAPH.clip_assets
    if asset.group.startswith("speech_")
    for artifact in asset.artifacts
}
NO_SOUND, WORDLESS = "workshop", ["workshop", "silent", "tone"]
EVERY_CLIP = [*WORDLESS, "one-word", "8-khz", "96-khz", "surround", "late", "damaged", "no-picture"]
# What is there whether or not somebody speaks.
OF_THE_SOUND = {"audio_facts", "speech_scores", "acoustic_frames"}
SAID = "it takes about ninety minutes"


@pytest.fixture(scope="module")
def clips(everything: Everything) -> SpokenClips:
    return everything.clips


def sound(clips: SpokenClips, clip: str) -> Sound:
    return Sound.open(clips.path / "data" / "audio" / f"{clip}.flac")


def facts(clips: SpokenClips, clip: str) -> dict:
    return clips.table("audio_facts", clip).row(0, named=True)


def words(clips: SpokenClips, clip: str) -> list[str]:
    return clips.table("transcript_words", clip)["text"].to_list()


def test_nothing_fails_and_everything_is_made_of_every_clip(everything: Everything):
    assert everything.heard.failed == {}
    missing = {clip: set(SPEECH) - everything.heard.made[clip] for clip in EVERY_CLIP}
    assert {clip: names for clip, names in missing.items() if names} == {}


@pytest.mark.parametrize("clip", WORDLESS)
@pytest.mark.parametrize(
    "table", sorted(name for name, artifact in SPEECH.items() if artifact.schema and name not in OF_THE_SOUND)
)
def test_where_nobody_speaks_the_tables_of_speech_are_empty_and_valid(clips: SpokenClips, clip: str, table: str):
    schema = SPEECH[table].schema
    assert schema is not None
    assert len(schema.validate(clips.table(table, clip))) == 0


@pytest.mark.parametrize("clip", WORDLESS)
def test_where_nobody_speaks_the_files_are_empty_and_valid(clips: SpokenClips, clip: str):
    assert len(webvtt.from_string(clips.blob("subtitles", "vtt", clip).decode())) == 0
    assert len(pysubs2.SSAFile.from_string(clips.blob("subtitles_ass", "ass", clip).decode(), format_="ass")) == 0
    assert clips.blob("subtitles_srt", "srt", clip) == b""
    assert len(read_rttm(clips.blob("speaker_turns_rttm", "rttm", clip).decode())) == 0
    with np.load(BytesIO(clips.blob("voices", "npz", clip)), allow_pickle=False) as arrays:
        assert all(arrays[name] is not None for name in arrays.files)


@pytest.mark.parametrize("clip", EVERY_CLIP)
def test_every_document_keeps_its_schema(clips: SpokenClips, clip: str):
    document = json.loads(clips.blob("speech_document", "json", clip))
    assert list(Draft202012Validator(document_schema()).iter_errors(document)) == []
    assert document["metadata"]["has_audio"] == (clip != NO_SOUND)


def test_of_a_clip_without_sound_the_sound_is_empty_and_says_so(clips: SpokenClips):
    assert (sound(clips, NO_SOUND).n_samples, facts(clips, NO_SOUND)["has_audio"]) == (0, False)
    assert all(clips.table(name, NO_SOUND).is_empty() for name in ("speech_scores", "acoustic_frames"))


@pytest.mark.parametrize(
    ("clip", "asset", "says"),
    [
        ("workshop", "audio", "No sound: the file has no audio stream."),
        ("workshop", "word_acoustics", "This clip has no sound."),
        ("workshop", "transcript", "No speech was found in this clip."),
        ("silent", "audio", "silence"),
        ("silent", "transcript", "No speech was found in this clip."),
        ("tone", "transcript", "No speech was found in this clip."),
        ("tone", "speaker_turns", "Nobody speaks in this clip."),
        ("tone", "speaker_names", "Nobody speaks in this clip."),
        ("tone", "subtitles", "This clip contains no speech, so its subtitles are empty."),
    ],
)
def test_what_is_empty_says_why(clips: SpokenClips, clip: str, asset: str, says: str):
    assert says in clips.figures(asset, clip)["preview"]


def test_of_silence_there_are_scores_and_no_level(clips: SpokenClips):
    row = facts(clips, "silent")
    assert (row["has_audio"], row["loudness_lufs"], row["peak_dbfs"]) == (True, None, None)
    assert (clips.table("speech_scores", "silent")["score"] < 0.5).all()
    assert clips.table("acoustic_frames", "silent")["intensity_db"].unique().to_list() == [-120.0]


def test_one_word_is_heard(clips: SpokenClips):
    assert words(clips, "one-word") == ["welcome"]
    assert clips.table("speakers", "one-word").select("speaker", "n_turns").rows() == [("S0", 1)]


@pytest.mark.parametrize("clip", ["96-khz", "surround"])
def test_words_are_heard_at_any_rate_and_from_any_layout(clips: SpokenClips, clip: str):
    assert words(clips, clip) == SAID.split()


def test_of_a_narrow_sound_the_speech_is_found_and_where_it_is(clips: SpokenClips):
    spans = [clips.table("speaker_turns", clip).select("start_s", "end_s").row(0) for clip in ("8-khz", "96-khz")]
    assert spans[0] == pytest.approx(spans[1], abs=0.1)


@pytest.mark.parametrize(
    ("clip", "source"),
    [("8-khz", (8000, "1 channels")), ("96-khz", (96_000, "1 channels")), ("surround", (16_000, "5.1"))],
)
def test_what_the_sound_was_is_reported(clips: SpokenClips, clip: str, source: tuple[int, str]):
    row = facts(clips, clip)
    assert (row["source_sample_rate_hz"], row["source_layout"], row["channels"]) == (*source, 1)


def test_a_second_of_the_sound_is_that_second_of_a_clip_that_begins_late(clips: SpokenClips):
    assert clips.table("raw_clip", "late")["first_pts_s"].to_list() == pytest.approx([LATE_S])
    samples = sound(clips, "late").samples(CLICK_S - 0.1, CLICK_S + 0.1)
    assert click_times(samples, CLICK_S - 0.1) == pytest.approx([CLICK_S], abs=1e-4)
    assert [(hole["start_s"], hole["end_s"]) for hole in facts(clips, "late")["holes"]] == [(0.0, LATE_S)]


def test_a_tone_has_its_pitch_and_its_level_where_it_sounds_and_nowhere_else(clips: SpokenClips):
    frames = clips.table("acoustic_frames", "late")
    start_s, end_s = TONE_S
    inside = frames.filter(pl.col("pts_s").is_between(start_s + 0.05, end_s - 0.05))
    assert inside["f0_hz"].to_list() == pytest.approx([TONE_HZ] * len(inside), abs=0.1)
    level_db = 20 * np.log10(0.25 / 2**0.5)
    assert inside["intensity_db"].to_list() == pytest.approx([level_db] * len(inside), abs=0.05)
    outside = frames.filter(~pl.col("pts_s").is_between(start_s - 0.05, end_s + 0.05))
    assert outside["f0_hz"].drop_nulls().to_list() == []


def test_of_a_damaged_middle_the_hole_is_marked_and_what_lies_around_it_is_heard(clips: SpokenClips):
    row = facts(clips, "damaged")
    [hole] = row["holes"]
    assert hole["cause"].startswith("does not decode")
    assert [problem["code"] for problem in row["problems"]] == ["decode_error"]
    rows = clips.table("transcript_words", "damaged").select("text", "start_s", "end_s").rows()
    assert [text for text, _, end_s in rows if end_s <= hole["start_s"]][:5] == SAID.split()
    assert "story" in [text for text, start_s, _ in rows if start_s >= hole["end_s"]]
    assert f"{hole['start_s']:.3f}-{hole['end_s']:.3f} s" in clips.figures("audio", "damaged")["preview"]
