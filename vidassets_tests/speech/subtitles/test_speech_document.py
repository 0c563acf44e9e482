import json
from dataclasses import replace

import polars as pl
import pytest
from jsonschema import Draft202012Validator

from vidassets.errors import SchemaViolation
from vidassets.schemas.speech import Acoustics, AudioFacts, SegmentAcoustics, WordAcoustics
from vidassets.speech.subtitles.speech_document import SpeechTables, build_document, document_schema
from vidassets_tests.speech.subtitles.transcripts import CLIP, named, spoken, table_of, voices_of

SAID = (("S0", "hello there", 1.0, 2.0), ("S1", "welcome", 3.0, 4.0), (None, "what", 5.0, 5.5))
MODELS = {"recognition": {"name": "pocketsphinx", "version": "5.0.4"}}


def tables() -> SpeechTables:
    transcript, words = spoken(*SAID)
    sounds = {
        "clip": CLIP,
        "f0_median_hz": 201.23456789,
        "level": "high",
        "mfcc_mean": [0.5] * 13,
        "mfcc_std": [0.1] * 13,
    }
    times = ("start_s", "end_s", "speaker")
    return SpeechTables(
        audio_facts=facts(duration_s=6.0),
        transcript=transcript,
        words=words,
        speakers=voices_of(*SAID),
        speaker_names=named(S0="Ada", S1=None),
        word_acoustics=table_of(
            WordAcoustics, [sounds | row for row in words.select("word_index", "text", *times).to_dicts()]
        ),
        segment_acoustics=table_of(
            SegmentAcoustics, [sounds | row for row in transcript.select("segment_index", *times).to_dicts()]
        ),
    )


def facts(duration_s: float) -> pl.DataFrame:
    row = {"clip": CLIP, "has_audio": duration_s > 0, "channels": 1, "start_s": 0.0, "duration_s": duration_s}
    return table_of(AudioFacts, [row | {"holes": [], "problems": []}])


def document(given: SpeechTables, processing_s: float | None = 1.5) -> dict:
    return json.loads(build_document(CLIP, given, MODELS, processing_s))


def errors(given: dict) -> list[str]:
    return [error.message for error in Draft202012Validator(document_schema()).iter_errors(given)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(document_schema())


def test_a_document_keeps_the_schema() -> None:
    assert errors(document(tables())) == []


def test_the_metadata_reports_what_was_made_of_what_and_with_what() -> None:
    assert document(tables())["metadata"] == {
        "clip": CLIP,
        "duration_s": 6.0,
        "start_s": 0.0,
        "has_audio": True,
        "language": "en",
        "quality": "draft",
        "models": MODELS,
        "processing_s": 1.5,
        "unique_speakers": 2,
    }


def test_speakers_are_reported_with_their_names_and_segments() -> None:
    speakers = document(tables())["speakers"]

    assert {speaker: (facts["name"], facts["person"], facts["segments"]) for speaker, facts in speakers.items()} == {
        "S0": ("Ada", "Ada", [0]),
        "S1": ("Speaker 2", None, [1]),
    }


def test_a_segment_holds_its_words_with_their_features() -> None:
    first = document(tables())["segments"][0]

    assert [(word["word"], word["start_s"], word["end_s"]) for word in first["words"]] == [
        ("hello", 1.0, 1.5),
        ("there", 1.5, 2.0),
    ]
    assert first["words"][0]["acoustic_features"]["f0_median_hz"] == pytest.approx(201.23457, abs=1e-5)
    assert set(first["acoustic_features"]) == set(Acoustics.columns()) - {"clip", "start_s", "end_s", "speaker"}


def test_word_segments_are_all_words_in_order() -> None:
    assert [word["word"] for word in document(tables())["word_segments"]] == ["hello", "there", "welcome", "what"]


def test_a_clip_without_sound_has_a_valid_document() -> None:
    empty = {name: table.clear() for name, table in vars(tables()).items() if name != "audio_facts"}
    silent = document(SpeechTables(audio_facts=facts(duration_s=0.0), **empty), processing_s=None)

    assert errors(silent) == []
    assert silent["segments"] == silent["word_segments"] == []
    assert silent["metadata"]["language"] is None


def test_the_schema_refuses_a_field_that_it_does_not_tell_of() -> None:
    assert errors(document(tables()) | {"mood": "good"}) == [
        "Additional properties are not allowed ('mood' was unexpected)"
    ]


def test_a_number_that_is_not_finite_is_refused() -> None:
    given = tables()

    with pytest.raises(SchemaViolation, match="not finite"):
        document(replace(given, words=given.words.with_columns(end_s=pl.lit(float("nan")))))


def test_a_clip_without_facts_of_its_sound_is_refused() -> None:
    given = tables()

    with pytest.raises(SchemaViolation, match="found 0"):
        document(replace(given, audio_facts=given.audio_facts.clear()))
