"""Attribution of words to speakers: combines words and turns, which come from different models.

A word belongs to the speaker whose turn overlaps most with it. If the words come from several channels, each channel
recorded one person, to whom all words of the channel belong, also while another person speaks.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import polars as pl

from vidassets.schemas.speech import Transcript, TranscriptWords

# Chosen here: more than two pads of `find_speech` (0.13 s each), which turns may differ from their words by.
NEAREST_S = 0.4

Row = dict[str, Any]


def attribute_words(
    clip: str, segments: pl.DataFrame, words: pl.DataFrame, exclusive_turns: pl.DataFrame, nearest_s: float = NEAREST_S
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return segments of one speaker each, and words: tables of `speech_schemas.Transcript` and `TranscriptWords`.

    A segment is split where the speaker changes. A word outside all turns belongs to the nearest turn if that is
    within `nearest_s`; otherwise it has no speaker.

    Args:
        clip: partition key.
        segments: rows of `speech_schemas.RecognizedSegments`.
        words: rows of `speech_schemas.RecognizedWords`.
        exclusive_turns: rows of `speech_schemas.SpeakerTurns`, no two of which overlap.
        nearest_s: seconds.
    """
    turns = _Turns(exclusive_turns.sort("start_s"), nearest_s)
    words_of_segment: dict[int, list[Row]] = {}
    for word in words.sort("word_index").iter_rows(named=True):
        words_of_segment.setdefault(word["segment_index"], []).append(word)
    rows = segments.sort("segment_index").to_dicts()
    speaker_of_channel = _speakers_of_channels(rows, words_of_segment, turns)
    parts: list[tuple[Row, list[Row]]] = []
    for segment in rows:
        spoken = words_of_segment.get(segment["segment_index"], [])
        # A segment without words is attributed as a whole.
        speakers = [
            speaker_of_channel.get(segment["channel"]) if speaker_of_channel else turns.speaker(word)
            for word in spoken or [segment]
        ]
        parts += _split(segment, spoken, speakers)
    parts.sort(key=lambda part: part[0]["start_s"])
    return _tables(clip, parts)


@dataclass(frozen=True)
class _SpeakerTurn:
    """A turn with its speaker."""

    start_s: float
    end_s: float
    speaker: str

    def overlap_s(self, row: Row) -> float:
        return min(self.end_s, row["end_s"]) - max(self.start_s, row["start_s"])


class _Turns:
    """Turns in order, without overlap."""

    def __init__(self, turns: pl.DataFrame, nearest_s: float) -> None:
        self._turns = [_SpeakerTurn(*row) for row in turns.select("start_s", "end_s", "speaker").iter_rows()]
        self._start_s, self._end_s = turns["start_s"].to_list(), turns["end_s"].to_list()
        self._nearest_s = nearest_s

    def speaker(self, row: Row) -> str | None:
        """Return the speaker of the turn that overlaps most, else of the nearest; None if all are too far."""
        # A gap is a negative overlap, so the maximum finds the most overlapping or the nearest turn.
        best = max(self._around(row), key=lambda turn: turn.overlap_s(row), default=None)
        return best.speaker if best is not None and best.overlap_s(row) >= -self._nearest_s else None

    def overlaps_s(self, row: Row) -> list[tuple[str, float]]:
        """Return the speakers whose turns overlap with the row, and the overlap in seconds."""
        shared = [(turn.speaker, turn.overlap_s(row)) for turn in self._around(row)]
        return [(speaker, overlap_s) for speaker, overlap_s in shared if overlap_s > 0]

    def _around(self, row: Row) -> Sequence[_SpeakerTurn]:
        """Return the turns that overlap with the row, and the next turn on each side."""
        first, past = bisect_left(self._end_s, row["start_s"]), bisect_right(self._start_s, row["end_s"])
        return self._turns[max(0, first - 1) : past + 1]


def _speakers_of_channels(segments: list[Row], words_of_segment: dict[int, list[Row]], turns: _Turns) -> dict[int, str]:
    """Return the speaker of each channel if there are several channels: greedily by shared time, each speaker once."""
    if len({segment["channel"] for segment in segments}) < 2:
        return {}
    # Seconds that the words of a channel share with the turns of a speaker, by (channel, speaker).
    shared_s: defaultdict[tuple[int, str], float] = defaultdict(float)
    for segment in segments:
        for word in words_of_segment.get(segment["segment_index"], [segment]):
            for speaker, overlap_s in turns.overlaps_s(word):
                shared_s[segment["channel"], speaker] += overlap_s
    found: dict[int, str] = {}
    for channel, speaker in sorted(shared_s, key=lambda pair: -shared_s[pair]):
        if channel not in found and speaker not in found.values():
            found[channel] = speaker
    return found


def _split(segment: Row, words: list[Row], speakers: list[str | None]) -> list[tuple[Row, list[Row]]]:
    """Split a segment into parts of one speaker each, with their words."""
    if len(set(speakers)) == 1:
        return [(segment | {"speaker": speakers[0]}, [word | {"speaker": speakers[0]} for word in words])]
    attributed = [word | {"speaker": speaker} for word, speaker in zip(words, speakers, strict=True)]
    parts = [list(run) for _, run in groupby(attributed, key=lambda word: word["speaker"])]
    return [
        (
            segment
            | {"start_s": part[0]["start_s"], "end_s": part[-1]["end_s"], "speaker": part[0]["speaker"], "text": text},
            part,
        )
        for part, text in zip(parts, _texts(segment["text"], parts), strict=True)
    ]


def _texts(text: str, parts: list[list[Row]]) -> list[str]:
    """Return the text of each part, cut from the segment's text to keep its spacing.

    If a word does not occur in the segment's text, the text of each part is its words joined by spaces.
    """
    starts, reached = [], 0
    for part in parts:
        for at, word in enumerate(part):
            found = text.find(word["text"], reached)
            if found < 0:
                return [" ".join(word["text"] for word in part) for part in parts]
            reached = found + len(word["text"])
            starts += [found] if at == 0 else []
    return [text[start:end].strip() for start, end in zip([0, *starts[1:]], [*starts[1:], len(text)], strict=True)]


def _tables(clip: str, parts: list[tuple[Row, list[Row]]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    segments = [part | {"clip": clip, "segment_index": index} for index, (part, _) in enumerate(parts)]
    words = [
        word | {"clip": clip, "segment_index": index} for index, (_, spoken) in enumerate(parts) for word in spoken
    ]
    words.sort(key=lambda word: word["start_s"])
    words = [word | {"word_index": index} for index, word in enumerate(words)]
    return (
        _selected(segments, Transcript.create_empty()),
        _selected(words, TranscriptWords.create_empty()),
    )


def _selected(rows: list[Row], empty: pl.DataFrame) -> pl.DataFrame:
    """Return a table with the schema of `empty`, from the same columns of the rows."""
    return pl.DataFrame([{name: row[name] for name in empty.columns} for row in rows], schema=empty.schema)
