"""Who said which words: words and turns, which come from different models, brought together.

A word is its speaker's whose turn holds most of it. Where the words come from several channels, each recorded one
person: all words of a channel are its person's, also while another speaks.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import polars as pl

from vidassets.schemas.speech import Transcript, TranscriptWords

# Chosen here: two pads of `find_speech`. A turn that begins or ends later than its words does so by less.
NEAREST_S = 0.4

Row = dict[str, Any]


def attribute_words(
    clip: str, segments: pl.DataFrame, words: pl.DataFrame, exclusive_turns: pl.DataFrame, nearest_s: float = NEAREST_S
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Segments of one speaker each, and their words; columns in `speech_schemas.Transcript` and `TranscriptWords`.

    A segment in which the speaker changes is split there. A word that no turn holds is the nearest turn's within
    `nearest_s`; one that is farther from all of them has no speaker.

    Args:
        clip: partition key.
        segments: rows of `speech_schemas.RecognizedSegments`.
        words: rows of `speech_schemas.RecognizedWords`.
        exclusive_turns: rows of `speech_schemas.SpeakerTurns`, of which no two hold one moment.
        nearest_s: seconds.
    """
    turns = _Turns(exclusive_turns.sort("start_s"), nearest_s)
    of_segment: dict[int, list[Row]] = {}
    for word in words.sort("word_index").iter_rows(named=True):
        of_segment.setdefault(word["segment_index"], []).append(word)
    rows = segments.sort("segment_index").to_dicts()
    of_channel = _speakers_of_channels(rows, of_segment, turns)
    parts: list[tuple[Row, list[Row]]] = []
    for segment in rows:
        spoken = of_segment.get(segment["segment_index"], [])
        # A segment without words of its own is attributed as one.
        speakers = [
            of_channel.get(segment["channel"]) if of_channel else turns.speaker(word) for word in spoken or [segment]
        ]
        parts += _split(segment, spoken, speakers)
    parts.sort(key=lambda part: part[0]["start_s"])
    return _tables(clip, parts)


@dataclass(frozen=True)
class _Turn:
    start_s: float
    end_s: float
    speaker: str

    def overlap_s(self, row: Row) -> float:
        return min(self.end_s, row["end_s"]) - max(self.start_s, row["start_s"])


class _Turns:
    """Turns in order, none of them overlapping another."""

    def __init__(self, turns: pl.DataFrame, nearest_s: float) -> None:
        self._turns = [_Turn(*row) for row in turns.select("start_s", "end_s", "speaker").iter_rows()]
        self._start_s, self._end_s = turns["start_s"].to_list(), turns["end_s"].to_list()
        self._nearest_s = nearest_s

    def speaker(self, row: Row) -> str | None:
        """Of the turn that holds most of the row, else of the nearest; the earlier of two; None: none is near."""
        # A gap to a turn is an overlap below 0, so one comparison tells both.
        best = max(self._around(row), key=lambda turn: turn.overlap_s(row), default=None)
        return best.speaker if best is not None and best.overlap_s(row) >= -self._nearest_s else None

    def overlaps_s(self, row: Row) -> list[tuple[str, float]]:
        """Speakers whose turns share time with the row, and how much, s."""
        shared = [(turn.speaker, turn.overlap_s(row)) for turn in self._around(row)]
        return [(speaker, overlap_s) for speaker, overlap_s in shared if overlap_s > 0]

    def _around(self, row: Row) -> Sequence[_Turn]:
        """The turns that share a moment with the row, and one more on each side."""
        first, past = bisect_left(self._end_s, row["start_s"]), bisect_right(self._start_s, row["end_s"])
        return self._turns[max(0, first - 1) : past + 1]


def _speakers_of_channels(segments: list[Row], of_segment: dict[int, list[Row]], turns: _Turns) -> dict[int, str]:
    """Each channel's person, where there are several channels: those that share most time first, no person twice."""
    if len({segment["channel"] for segment in segments}) < 2:
        return {}
    shared_s: defaultdict[tuple[int, str], float] = defaultdict(float)
    for segment in segments:
        for word in of_segment.get(segment["segment_index"], [segment]):
            for speaker, overlap_s in turns.overlaps_s(word):
                shared_s[segment["channel"], speaker] += overlap_s
    found: dict[int, str] = {}
    for channel, speaker in sorted(shared_s, key=lambda pair: -shared_s[pair]):
        if channel not in found and speaker not in found.values():
            found[channel] = speaker
    return found


def _split(segment: Row, words: list[Row], speakers: list[str | None]) -> list[tuple[Row, list[Row]]]:
    """The parts of a segment, each of one speaker, with their words."""
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
    """What each part is of the segment's text, which knows how words are spaced; its words where the text lacks one."""
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
    """Of each row, the columns that the empty table has."""
    return pl.DataFrame([{name: row[name] for name in empty.columns} for row in rows], schema=empty.schema)
