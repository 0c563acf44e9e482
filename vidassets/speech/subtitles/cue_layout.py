"""Lay out words as cues: which words are on screen together, on which line, from when to when.

Two people who speak at once share a cue if the words of each fit a line; each line begins with a dash, as broadcasters
do it (BBC "Subtitle guidelines", on several speakers; Netflix "Timed text style guide", on dual speakers). A quick
reply to a very short cue joins it likewise. Words that do not fit are shown in sequence; the earlier cue ends where the
later begins. Cues never overlap, and every word is shown exactly once.

The steps: words become runs (one speaker, no long pause), runs are split where somebody else joins in or leaves, then
into blocks that fit a cue; blocks are grouped into cues, and cues get their times and lines.
"""

import math
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np
import polars as pl

from vidassets.errors import SchemaViolation
from vidassets.speech.subtitles.cue import DASH, FLEETING_S, Cue, CueWord, SubtitleStyle, Voice, char_count

SENTENCE_ENDS = ".?!…。？！؟।"
CLAUSE_ENDS = ",;:–—，、；：،"
CLOSING_MARKS = "\"'”’)»]」』"
# Cost of each second that a cue lacks to be read: far above every other cost of a break, which only choose among
# layouts that can be read equally well. Chosen here.
LACKING_COST = 100.0
# ISO 639-1 and -3 codes of languages written without spaces between words.
UNSPACED_LANGUAGES = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})


@dataclass(frozen=True)
class _Run:
    """Words of a single speaker without a long pause; `together`: somebody else speaks at the same time."""

    speaker: str | None
    separator: str
    words: list[CueWord]
    together: bool = False

    @property
    def start_s(self) -> float:
        return self.words[0].start_s

    @property
    def end_s(self) -> float:
        return max(word.end_s for word in self.words)


def lay_out_cues(
    transcript: pl.DataFrame,
    words: pl.DataFrame,
    style: SubtitleStyle,
    span_s: tuple[float, float] = (-math.inf, math.inf),
) -> list[Cue]:
    """Return cues in order of time that do not overlap. Every word is in exactly one cue, in its speaker's order.

    A cue is shorter than `min_duration_s`, or faster to read than `max_chars_per_s`, only where the speech leaves no
    time for more.

    Args:
        transcript: rows of `speech_schemas.Transcript` of a clip.
        words: rows of `speech_schemas.TranscriptWords` of the same clip; blank words are left out.
        style: how much is shown, and for how long.
        span_s: clip times at which the clip begins and ends; no cue is outside of it.

    Raises:
        SchemaViolation: a segment of the transcript has text but no words.
    """
    _check_words(transcript, words)
    runs = list(_runs(transcript, words, style))
    runs = sorted(_split_at_overlaps(runs, style), key=lambda run: run.start_s)
    starts_s = [run.start_s for run in runs] + [span_s[1]]
    blocks = [
        block
        for run in runs
        for block in _blocks(run, style, until_s=starts_s[bisect_left(starts_s, run.end_s, hi=len(runs))])
    ]
    blocks.sort(key=lambda block: (block.start_s, block.words[0].word_index))
    return _timed_cues(list(_group(blocks, style)), style, span_s)


def _check_words(transcript: pl.DataFrame, words: pl.DataFrame) -> None:
    spoken = transcript.filter(pl.col("text").str.strip_chars() != "")
    if wordless := sorted(set(spoken["segment_index"]) - set(words["segment_index"])):
        clip = transcript["clip"][0]
        raise SchemaViolation(
            f"{clip}: segment {wordless[0]} of the transcript has text but no words. "
            f"Recompute it: `vidassets run --clips {clip} --force`."
        )


def _runs(transcript: pl.DataFrame, words: pl.DataFrame, style: SubtitleStyle) -> Iterator[_Run]:
    """Yield the words of each speaker, split at pauses and where the separator changes, speaker by speaker."""
    languages = dict(transcript.select("segment_index", "language").iter_rows())
    by_speaker: dict[str | None, list[tuple[str, CueWord]]] = {}
    columns = ("word_index", "text", "start_s", "end_s", "segment_index", "speaker")
    for word_index, text, start_s, end_s, segment, speaker in words.sort("word_index").select(columns).iter_rows():
        said = by_speaker.setdefault(speaker, [])
        if shown := _printable(text):
            # A word must not start before the previous word, or a cue would run backwards.
            start_s = max(start_s, said[-1][1].start_s) if said else start_s
            separator = "" if languages.get(segment) in UNSPACED_LANGUAGES else " "
            said.append((separator, CueWord(word_index, shown, start_s, max(start_s, end_s))))
    for speaker, said in by_speaker.items():
        runs: list[_Run] = []
        for separator, word in said:
            last = runs[-1] if runs else None
            if last and last.separator == separator and word.start_s - last.words[-1].end_s < style.pause_s:
                last.words.append(word)
            else:
                runs.append(_Run(speaker, separator, [word]))
        yield from runs


def _printable(text: str) -> str:
    """Return the text on a single line, without control characters."""
    return "".join(char for char in " ".join(text.split()) if unicodedata.category(char) != "Cc")


def _split_at_overlaps(runs: list[_Run], style: SubtitleStyle) -> Iterator[_Run]:
    """Split runs where a second speaker joins in or leaves, except runs that fit a line of a shared cue."""
    # Sweep over the edges of all runs and count how many are active.
    edges = sorted([(run.start_s, 1) for run in runs] + [(run.end_s, -1) for run in runs])
    bounds_s: list[float] = []  # begin, end, begin, end … of the stretches in which several speak
    active = 0
    for time_s, step in edges:
        if (active, step) in ((1, 1), (2, -1)):
            bounds_s.append(time_s)
        active += step
    for run in runs:
        stretches = _stretches(run, bounds_s, style)
        for stretch, pairs in groupby(zip(stretches, run.words, strict=True), key=lambda pair: pair[0]):
            yield _Run(run.speaker, run.separator, [word for _, word in pairs], together=stretch % 2 == 1)


def _stretches(run: _Run, bounds_s: list[float], style: SubtitleStyle) -> list[int]:
    """Return the stretch of each word: the number of bounds before it, which is odd while several people speak."""
    # A run that fits a line stays whole: it counts as overlapped if any part of it is.
    if _width(run.words, run.separator) <= style.max_chars_per_line - len(DASH):
        first = np.searchsorted(bounds_s, run.start_s, side="right")
        last = np.searchsorted(bounds_s, run.end_s, side="left")
        return [int(first % 2 == 1 or last > first)] * len(run.words)
    # A longer run is split: each word belongs to the stretch of its middle, and stretches never go backwards.
    middles_s = [(word.start_s + word.end_s) / 2 for word in run.words]
    return np.maximum.accumulate(np.searchsorted(bounds_s, middles_s, side="right")).tolist()


def _blocks(run: _Run, style: SubtitleStyle, until_s: float) -> list[_Run]:
    """Split the run into blocks that each fit a cue: with the most time to read them, and breaks of low `_break_cost`.

    `until_s` is the time at which the next run begins, or the clip ends.

    Dynamic programming from the end of the N words: best[i], (N + 1,), is the least cost of all words from i on, and
    past[i], (N,), is the word after the block that starts with word i.
    """
    words, n_words = run.words, len(run.words)
    max_lines = 1 if run.together else style.max_lines
    # A cue with a single line is never shared and needs no dash.
    room = style.max_chars_per_line - (len(DASH) if run.together and style.max_lines > 1 else 0)
    best = [0.0] * (n_words + 1)
    past = [n_words] * n_words
    for first in range(n_words - 1, -1, -1):
        best[first] = np.inf
        # Extend the block word by word, filling lines greedily, until it does not fit.
        n_lines, width, filled = 1, 0, 0
        for last in range(first, n_words):
            wide = char_count(words[last].text)
            if last > first and width + len(run.separator) + wide > room:
                n_lines, width = n_lines + 1, wide
            else:
                width += (len(run.separator) if last > first else 0) + wide
            filled += wide
            too_long = words[last].end_s - words[first].start_s > style.max_duration_s
            if last > first and (n_lines > max_lines or too_long):
                break
            # A cue costs 1, so few cues are best; then full cues, and breaks at the ends of sentences.
            emptiness = max(0.0, 1 - filled / (room * max_lines))
            # Time that the block lacks to be read: counted from its first word until the next one, or the lingering.
            next_s = words[last + 1].start_s if last + 1 < n_words else until_s
            stays_s = min(words[last].end_s + style.linger_s, next_s - style.min_gap_s) - words[first].start_s
            chars = filled + len(run.separator) * (last - first)
            lacking_s = max(0.0, _needed_s(chars, style) - stays_s)
            cost = 1 + emptiness**2 / 2 + _break_cost(words, last) + LACKING_COST * lacking_s + best[last + 1]
            if cost < best[first]:
                best[first], past[first] = cost, last + 1
    # Follow the best choices from the first word.
    blocks, first = [], 0
    while first < n_words:
        blocks.append(_Run(run.speaker, run.separator, words[first : past[first]], run.together))
        first = past[first]
    return blocks


def _needed_s(chars: int, style: SubtitleStyle) -> float:
    """Return the least duration of a cue with this many characters."""
    return min(max(style.min_duration_s, chars / style.max_chars_per_s), style.max_duration_s)


def _break_cost(words: list[CueWord], last: int) -> float:
    """Return the cost of ending a cue or line with the word `last`: 0 after a sentence, up to 0.5 within a clause.

    A pause after the word lowers the cost by its seconds.
    """
    if last + 1 == len(words):
        return 0.0
    mark = words[last].text.rstrip(CLOSING_MARKS)[-1:]
    if mark and mark in SENTENCE_ENDS:
        return 0.0
    pause_s = words[last + 1].start_s - words[last].end_s
    cost = 0.25 if mark and mark in CLAUSE_ENDS else 0.5
    return cost - min(max(pause_s, 0.0), cost)


def _group(blocks: list[_Run], style: SubtitleStyle) -> Iterator[list[_Run]]:
    """Yield the blocks of each cue: a single block, or blocks spoken at the same time, or a quick reply."""
    cue: list[_Run] = []
    for block in blocks:
        if cue and not _joins(block, cue, style):
            yield cue
            cue = []
        cue.append(block)
    if cue:
        yield cue


def _joins(block: _Run, cue: list[_Run], style: SubtitleStyle) -> bool:
    begin_s, end_s = cue[0].start_s, max(part.end_s for part in cue)
    # Time that the cue lacks to be read if the block begins another cue, and if the block joins it.
    alone_s = begin_s + _needed_s(_chars(cue), style) - (block.start_s - style.min_gap_s)
    joined_s = begin_s + _needed_s(_chars([*cue, block]), style) - max(end_s, block.end_s)
    at_once = block.together and all(part.together for part in cue) and block.start_s < end_s
    too_short = block.start_s - style.min_gap_s < begin_s + style.min_duration_s
    too_fast = alone_s > max(0.0, joined_s)
    room = style.max_chars_per_line - len(DASH)
    return (
        (at_once or too_short or too_fast)
        and len(cue) < style.max_lines
        and block.speaker not in [part.speaker for part in cue]
        and max(block.end_s, end_s) - begin_s <= style.max_duration_s
        and all(_width(part.words, part.separator) <= room for part in (*cue, block))
    )


def _width(words: list[CueWord], separator: str) -> int:
    return sum(char_count(word.text) for word in words) + len(separator) * (len(words) - 1)


def _chars(blocks: list[_Run]) -> int:
    """Return the number of characters that a cue of these blocks shows, without dashes."""
    return sum(_width(block.words, block.separator) for block in blocks)


def _timed_cues(groups: list[list[_Run]], style: SubtitleStyle, span_s: tuple[float, float]) -> list[Cue]:
    """Return the cues: as long as they are spoken, or longer if reading takes longer and other cues leave room."""
    begin_s, clip_end_s = span_s
    # Each cue leaves a fleeting time to every later one, so that all end within the clip: the latest end of each.
    fleeting_s = min(FLEETING_S, (clip_end_s - begin_s) / max(len(groups), 1))
    latest_s = [clip_end_s - (len(groups) - number) * fleeting_s for number in range(len(groups) + 1)]
    latest_s[0] = max(latest_s[0], begin_s)
    cues: list[Cue] = []
    free_s = begin_s  # end of the cue before
    for index, blocks in enumerate(groups):
        start_s = min(max(blocks[0].start_s, free_s), latest_s[index])
        spoken_s = max(block.end_s for block in blocks)
        # A cue that is read more slowly than spoken stays, but not for longer than `linger_s`.
        needed_s = _needed_s(_chars(blocks), style)
        end_s = max(spoken_s, min(start_s + needed_s, spoken_s + style.linger_s), start_s + style.min_duration_s)
        # Close a short gap to the next cue, or make room for it.
        if index + 1 < len(groups):
            next_s = min(groups[index + 1][0].start_s, latest_s[index + 1])
            if end_s > next_s - max(style.close_gap_s, style.min_gap_s):
                end_s = next_s - style.min_gap_s
        end_s = min(max(min(end_s, start_s + style.max_duration_s), start_s + fleeting_s), latest_s[index + 1])
        # A cue that is still too short begins before its first word, where nothing is shown.
        if end_s - start_s < needed_s:
            room_s = max(free_s + style.min_gap_s * bool(cues), begin_s)
            start_s = min(start_s, max(end_s - needed_s, start_s - style.lead_s, room_s))
            if cues and start_s - free_s < style.close_gap_s:
                cues[-1] = _kept_until(cues[-1], start_s - style.min_gap_s, style)
        free_s = end_s
        cues.append(Cue(start_s, end_s, tuple(_voice(block, style) for block in blocks)))
    return cues


def _kept_until(cue: Cue, end_s: float, style: SubtitleStyle) -> Cue:
    """Return the cue, extended to this time if it does not become longer than the longest cue."""
    return replace(cue, end_s=max(cue.end_s, min(end_s, cue.start_s + style.max_duration_s)))


def _voice(block: _Run, style: SubtitleStyle) -> Voice:
    """Break the block into as few lines as possible, at places of low `_break_cost` and into lines of equal width."""
    words, room = block.words, style.max_chars_per_line
    if _width(words, block.separator) <= room or len(words) == 1:
        return Voice(block.speaker, (tuple(words),), block.separator)
    whole = _width(words, block.separator)

    def cost(first: int, past: int) -> float:
        width = _width(words[first:past], block.separator)
        if width > room and past - first > 1:
            return np.inf
        # Each line costs 2, more than the other terms together, so that few lines come first.
        return 2 + (width / whole) ** 2 + _break_cost(words, past - 1) / 4

    # best[i]: the least cost of the first i words, and the first words of their lines.
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for past in range(1, len(words) + 1):
        best.append(min((best[first][0] + cost(first, past), (*best[first][1], first)) for first in range(past)))
    firsts = [*best[-1][1], len(words)]
    lines = tuple(tuple(words[first:past]) for first, past in pairwise(firsts))
    return Voice(block.speaker, lines, block.separator)
