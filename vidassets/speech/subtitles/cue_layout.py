"""Words become cues: what is on screen together, on which line, from when to when.

Two people who speak at once share a cue, a line and a dash each, as broadcasters have it (BBC "Subtitle guidelines",
on several speakers; Netflix "Timed text style guide", on dual speakers), while their words fit a line each; so does a
quick reply to what is too short to stand alone. What does not fit is shown in sequence, the earlier cue cut short
where the later begins: cues never overlap. No word is left out or said twice.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import polars as pl

from vidassets.errors import SchemaViolation
from vidassets.speech.subtitles.cue import DASH, FLEETING_S, Cue, CueWord, SubtitleStyle, Voice, char_count

SENTENCE_ENDS = ".?!…。？！؟।"
CLAUSE_ENDS = ",;:–—，、；：،"
CLOSING_MARKS = "\"'”’)»]」』"
# ISO 639-1 and -3 of what is written without spaces between words.
UNSPACED_LANGUAGES = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})


@dataclass(frozen=True)
class _Run:
    """Words of one speaker without a long pause; `together`: while another speaks."""

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


def lay_out_cues(transcript: pl.DataFrame, words: pl.DataFrame, style: SubtitleStyle) -> list[Cue]:
    """Cues in order of time, none overlapping the next; every word in one of them, in its speaker's order.

    Args:
        transcript: rows of `speech_schemas.Transcript` of one clip.
        words: rows of `speech_schemas.TranscriptWords` of the same clip; blank ones are left out.
        style: how much is shown, and for how long.
    Raises:
        SchemaViolation: a segment of the transcript has text and no words.
    """
    _check_words(transcript, words)
    runs = list(_runs(transcript, words, style))
    blocks = [block for run in _parted(runs, style) for block in _blocks(run, style)]
    blocks.sort(key=lambda block: (block.start_s, block.words[0].word_index))
    return _timed(list(_shared(blocks, style)), style)


def _check_words(transcript: pl.DataFrame, words: pl.DataFrame) -> None:
    spoken = transcript.filter(pl.col("text").str.strip_chars() != "")
    if wordless := sorted(set(spoken["segment_index"]) - set(words["segment_index"])):
        clip = transcript["clip"][0]
        raise SchemaViolation(
            f"{clip}: segment {wordless[0]} of its transcript has text and no words. "
            f"Recompute it: `vidassets run --clips {clip} --force`."
        )


def _runs(transcript: pl.DataFrame, words: pl.DataFrame, style: SubtitleStyle) -> Iterator[_Run]:
    """Every speaker's words, divided at pauses; speaker by speaker."""
    languages = dict(transcript.select("segment_index", "language").iter_rows())
    by_speaker: dict[str | None, list[tuple[str, CueWord]]] = {}
    columns = ("word_index", "text", "start_s", "end_s", "segment_index", "speaker")
    for word_index, text, start_s, end_s, segment, speaker in words.sort("word_index").select(columns).iter_rows():
        said = by_speaker.setdefault(speaker, [])
        if shown := _printable(text):
            # No word before the one it follows: a cue would run backwards.
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
    """The text on one line, without control characters."""
    return "".join(char for char in " ".join(text.split()) if unicodedata.category(char) != "Cc")


def _parted(runs: list[_Run], style: SubtitleStyle) -> Iterator[_Run]:
    """The runs, divided where a second speaker joins in or leaves; those that a line of a shared cue holds are not."""
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
    """For every word the stretch that it stands in, counted by the bounds before it: odd while several speak."""
    if _width(run.words, run.separator) <= style.max_chars_per_line - len(DASH):
        first = np.searchsorted(bounds_s, run.start_s, side="right")
        last = np.searchsorted(bounds_s, run.end_s, side="left")
        return [int(first % 2 == 1 or last > first)] * len(run.words)
    middles_s = [(word.start_s + word.end_s) / 2 for word in run.words]
    return np.maximum.accumulate(np.searchsorted(bounds_s, middles_s, side="right")).tolist()


def _blocks(run: _Run, style: SubtitleStyle) -> list[_Run]:
    """The run, divided so that each part fits a cue: the cheapest way, by the costs in `_break_cost`.

    Best first words are found from the end: best[i] is the least cost of everything from word i on.
    """
    words, n_words = run.words, len(run.words)
    max_lines = 1 if run.together else style.max_lines
    # With one line a cue is never shared.
    room = style.max_chars_per_line - (len(DASH) if run.together and style.max_lines > 1 else 0)
    best = [0.0] * (n_words + 1)
    past = [n_words] * n_words
    for first in range(n_words - 1, -1, -1):
        best[first] = np.inf
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
            emptiness = max(0.0, 1 - filled / (room * max_lines))
            cost = 1 + emptiness**2 / 2 + _break_cost(words, last) + best[last + 1]
            if cost < best[first]:
                best[first], past[first] = cost, last + 1
    blocks, first = [], 0
    while first < n_words:
        blocks.append(_Run(run.speaker, run.separator, words[first : past[first]], run.together))
        first = past[first]
    return blocks


def _break_cost(words: list[CueWord], last: int) -> float:
    """What it costs to end a cue or a line with that word: nothing after a sentence, half a cue within a clause."""
    if last + 1 == len(words):
        return 0.0
    mark = words[last].text.rstrip(CLOSING_MARKS)[-1:]
    if mark and mark in SENTENCE_ENDS:
        return 0.0
    pause_s = words[last + 1].start_s - words[last].end_s
    cost = 0.25 if mark and mark in CLAUSE_ENDS else 0.5
    return cost - min(max(pause_s, 0.0), cost)


def _shared(blocks: list[_Run], style: SubtitleStyle) -> Iterator[list[_Run]]:
    """Blocks that stand in one cue: those of speakers who speak at once, and quick replies."""
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
    at_once = block.together and all(part.together for part in cue) and block.start_s < end_s
    too_short = block.start_s - style.min_gap_s < begin_s + style.min_duration_s
    room = style.max_chars_per_line - len(DASH)
    return (
        (at_once or too_short)
        and len(cue) < style.max_lines
        and block.speaker not in [part.speaker for part in cue]
        and max(block.end_s, end_s) - begin_s <= style.max_duration_s
        and all(_width(part.words, part.separator) <= room for part in (*cue, block))
    )


def _width(words: list[CueWord], separator: str) -> int:
    return sum(char_count(word.text) for word in words) + len(separator) * (len(words) - 1)


def _timed(shared: list[list[_Run]], style: SubtitleStyle) -> list[Cue]:
    """Cues with their times: as long as spoken, longer where reading wants it and the next leaves room."""
    cues: list[Cue] = []
    free_s = -np.inf
    for index, blocks in enumerate(shared):
        start_s = max(blocks[0].start_s, free_s)
        spoken_s = max(block.end_s for block in blocks)
        chars = sum(_width(block.words, block.separator) for block in blocks)
        read_s = min(start_s + chars / style.max_chars_per_s, spoken_s + style.linger_s)
        end_s = max(spoken_s, read_s, start_s + style.min_duration_s)
        if index + 1 < len(shared):
            next_s = shared[index + 1][0].start_s
            if end_s > next_s - max(style.close_gap_s, style.min_gap_s):
                end_s = next_s - style.min_gap_s
        end_s = max(min(end_s, start_s + style.max_duration_s), start_s + FLEETING_S)
        free_s = end_s
        cues.append(Cue(start_s, end_s, tuple(_voice(block, style) for block in blocks)))
    return cues


def _voice(block: _Run, style: SubtitleStyle) -> Voice:
    """The block on as few lines as hold it, broken where `_break_cost` is low and the lines are alike."""
    words, room = block.words, style.max_chars_per_line
    if _width(words, block.separator) <= room or len(words) == 1:
        return Voice(block.speaker, (tuple(words),), block.separator)
    whole = _width(words, block.separator)

    def cost(first: int, past: int) -> float:
        width = _width(words[first:past], block.separator)
        if width > room and past - first > 1:
            return np.inf
        # A line more costs as much as anything else can: few lines first.
        return 2 + (width / whole) ** 2 + _break_cost(words, past - 1) / 4

    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for past in range(1, len(words) + 1):
        best.append(min((best[first][0] + cost(first, past), (*best[first][1], first)) for first in range(past)))
    firsts = [*best[-1][1], len(words)]
    lines = tuple(tuple(words[first:past]) for first, past in pairwise(firsts))
    return Voice(block.speaker, lines, block.separator)
