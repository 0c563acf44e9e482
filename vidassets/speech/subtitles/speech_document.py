"""Everything known about a clip's speech as a JSON document, for programs that do not read Parquet.

`speech_document.schema.json` next to this file describes every field. The version in its `$id` changes with it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import polars as pl

from vidassets.errors import SchemaViolation
from vidassets.speech.shown_names import shown_names

# Columns that the document has elsewhere; the other columns of Acoustics become `acoustic_features`.
NOT_FEATURES = ("clip", "word_index", "segment_index", "start_s", "end_s", "speaker", "text")
# Microseconds, and far more precise than any feature.
DECIMALS = 6


@dataclass(frozen=True)
class SpeechTables:
    """The tables of a clip, each with the columns of the schema of the same name in `speech_schemas`."""

    audio_facts: pl.DataFrame
    transcript: pl.DataFrame
    words: pl.DataFrame
    speakers: pl.DataFrame
    speaker_names: pl.DataFrame
    word_acoustics: pl.DataFrame
    segment_acoustics: pl.DataFrame


def document_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the document."""
    return json.loads(files("vidassets.speech.subtitles").joinpath("speech_document.schema.json").read_text("utf-8"))


def build_document(
    clip: str, tables: SpeechTables, models: Mapping[str, Mapping[str, str]], processing_s: float | None
) -> bytes:
    """Return the document as JSON, UTF-8; valid also for a clip without sound.

    Args:
        clip: key of the clip.
        tables: the clip's tables.
        models: the identity of the model of each step ("recognition", "speakers" …): name, version and other facts.
        processing_s: seconds that computing the speech assets took; None: not known.

    Raises:
        SchemaViolation: a number in a table is not finite, or `audio_facts` does not have a single row.
    """
    if len(tables.audio_facts) != 1:
        raise SchemaViolation(
            f"{clip}: expected a single row in `audio_facts`, found {len(tables.audio_facts)}. {_how_to_fix(clip)}"
        )
    words = _words(tables)
    document = {
        "$schema": document_schema()["$id"],
        "metadata": {
            "clip": clip,
            "duration_s": tables.audio_facts["duration_s"][0],
            "start_s": tables.audio_facts["start_s"][0],
            "has_audio": tables.audio_facts["has_audio"][0],
            "language": _language(tables.transcript),
            "quality": tables.transcript["quality"][0] if len(tables.transcript) else None,
            "models": {step: dict(model) for step, model in models.items()},
            "processing_s": processing_s,
            "unique_speakers": len(tables.speakers),
        },
        "speakers": _speakers(tables),
        "segments": _segments(tables, words),
        "word_segments": [
            {key: word[key] for key in ("word", "start_s", "end_s", "confidence", "timing", "speaker")}
            for word in words
        ],
    }
    try:
        return json.dumps(_rounded(document), ensure_ascii=False, indent=1, allow_nan=False).encode()
    except ValueError as error:
        raise SchemaViolation(f"{clip}: a number in its speech tables is not finite. {_how_to_fix(clip)}") from error


def _how_to_fix(clip: str) -> str:
    return f"Recompute them: `vidassets run --clips {clip} --force`."


def _language(transcript: pl.DataFrame) -> str | None:
    """Return the language of most of the speech, by duration."""
    spoken = transcript.drop_nulls("language").group_by("language").agg((pl.col("end_s") - pl.col("start_s")).sum())
    return spoken.sort(["end_s", "language"], descending=[True, False])["language"][0] if len(spoken) else None


def _features(acoustics: pl.DataFrame, index: str) -> dict[int, dict[str, Any]]:
    rows = acoustics.iter_rows(named=True)
    return {row[index]: {name: value for name, value in row.items() if name not in NOT_FEATURES} for row in rows}


def _words(tables: SpeechTables) -> list[dict[str, Any]]:
    """Return the words in order, including `segment_index`, which the document leaves out."""
    features = _features(tables.word_acoustics, "word_index")
    return [
        {
            "word": row["text"],
            "start_s": row["start_s"],
            "end_s": row["end_s"],
            "confidence": row["confidence"],
            "timing": row["timing"],
            "speaker": row["speaker"],
            "acoustic_features": features.get(row["word_index"]),
            "segment_index": row["segment_index"],
        }
        for row in tables.words.sort("word_index").iter_rows(named=True)
    ]


def _segments(tables: SpeechTables, words: list[dict[str, Any]]) -> list[dict[str, Any]]:
    features = _features(tables.segment_acoustics, "segment_index")
    of_segment: dict[int, list[dict[str, Any]]] = {}
    for word in words:
        of_segment.setdefault(word["segment_index"], []).append(
            {key: value for key, value in word.items() if key != "segment_index"}
        )
    return [
        {
            "start_s": row["start_s"],
            "end_s": row["end_s"],
            "speaker": row["speaker"],
            "text": row["text"],
            "language": row["language"],
            "confidence": row["confidence"],
            "words": of_segment.get(row["segment_index"], []),
            "acoustic_features": features.get(row["segment_index"]),
        }
        for row in tables.transcript.sort("segment_index").iter_rows(named=True)
    ]


def _speakers(tables: SpeechTables) -> dict[str, dict[str, Any]]:
    """Return the speakers by id; `segments` are positions in the document's list of segments."""
    names = shown_names(tables.speakers, tables.speaker_names)
    people = dict(tables.speaker_names.select("speaker", "person").iter_rows())
    said_by = tables.transcript.sort("segment_index")["speaker"].to_list()
    return {
        row["speaker"]: {
            "name": names[row["speaker"]],
            "person": people.get(row["speaker"]),
            "total_s": row["total_s"],
            "overlapped_s": row["overlapped_s"],
            "segments": [position for position, speaker in enumerate(said_by) if speaker == row["speaker"]],
        }
        for row in tables.speakers.sort("speaker").iter_rows(named=True)
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, (list, tuple)) else value
