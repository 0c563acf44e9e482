"""Transcripts made in a line: who says what, from when to when."""

import dataframely as dy
import polars as pl

from vidassets.schemas.speech import SpeakerNames, Speakers, SpeakerTurns, Transcript, TranscriptWords
from vidassets.speech.shown_names import shown_name

CLIP = "a-clip"
Said = tuple[str | None, str, float, float]


def spoken(*said: Said, language: str = "en", separator: str = " ") -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of Transcript and of TranscriptWords; every text's words are equally long and leave no pause."""
    segments, words = [], []
    for index, (speaker, text, start_s, end_s) in enumerate(said):
        segment = {"clip": CLIP, "segment_index": index, "start_s": start_s, "end_s": end_s, "speaker": speaker}
        segments.append(segment | {"text": text, "language": language, "quality": "draft", "model": "none"})
        parts = text.split(separator) if separator else list(text)
        step_s = (end_s - start_s) / len(parts)
        words += [
            segment | {"text": part, "start_s": start_s + at * step_s, "end_s": start_s + (at + 1) * step_s}
            for at, part in enumerate(parts)
        ]
    words.sort(key=lambda word: word["start_s"])
    rows = [word | {"word_index": index, "timing": "aligned"} for index, word in enumerate(words)]
    return table_of(Transcript, segments), table_of(TranscriptWords, rows)


def voices_of(*said: Said) -> pl.DataFrame:
    """Rows of Speakers."""
    names = sorted({speaker for speaker, *_ in said if speaker})
    row = {"clip": CLIP, "total_s": 1.0, "overlapped_s": 0.0, "n_turns": 1, "count_basis": "given", "model": "none"}
    return table_of(Speakers, [row | {"speaker": name} for name in names])


def named(**people: str | None) -> pl.DataFrame:
    """Rows of SpeakerNames: named(S0="Ada", S1=None)."""
    row = {"clip": CLIP, "threshold": 0.8, "model": "none"}
    rows = [{"speaker": key, "name": shown_name(key, person), "person": person} for key, person in people.items()]
    return table_of(SpeakerNames, [row | own for own in rows])


def turns_of(*said: Said) -> pl.DataFrame:
    """Rows of SpeakerTurns."""
    rows = [
        {"clip": CLIP, "turn_index": index, "start_s": start_s, "end_s": end_s, "speaker": speaker}
        for index, (speaker, _, start_s, end_s) in enumerate(sorted(said, key=lambda span: span[2]))
        if speaker
    ]
    return table_of(SpeakerTurns, rows)


def table_of(schema: type[dy.Schema], rows: list[dict]) -> pl.DataFrame:
    """The rows as that table, checked; what they leave out is null."""
    columns = schema.create_empty().schema
    return schema.validate(pl.DataFrame([{name: row.get(name) for name in columns} for row in rows], schema=columns))
