"""Interpolated times for words without an alignment: between their neighbours, by the length of the words."""

from collections.abc import Sequence
from dataclasses import dataclass

from vidassets.speech.transcript.windows import Stretch

WITHOUT_SPACES = frozenset({"ja", "zh", "yue", "th", "lo", "my", "km"})


@dataclass(frozen=True)
class PlacedWord:
    """A word with its times; `timing` as in `speech_schemas.RecognizedWords`."""

    text: str
    start_s: float
    end_s: float
    confidence: float | None
    timing: str


def words_of(text: str, language: str | None) -> list[str]:
    """Return the words of a text, or its characters if the language is written without spaces.

    >>> words_of("two words", "en"), words_of("你好", "zh")
    (['two', 'words'], ['你', '好'])
    """
    return [char for char in text if not char.isspace()] if language in WITHOUT_SPACES else text.split()


def place_words(words: Sequence[str], stretches: Sequence[Stretch]) -> list[PlacedWord]:
    """Spread words over stretches of speech, never into the silence between them, in proportion to their letters.

    Args:
        words: in order.
        stretches: (start_s, end_s) in order; at least one.
    """
    n_letters = sum(len(word) for word in words)
    speech_s = sum(end_s - start_s for start_s, end_s in stretches)
    placed: list[PlacedWord] = []
    done = 0
    for word in words:
        start_s = _moment(stretches, speech_s * done / n_letters, at_end=False)
        done += len(word)
        end_s = _moment(stretches, speech_s * done / n_letters, at_end=True)
        placed.append(PlacedWord(word, start_s, max(start_s, end_s), None, "interpolated"))
    return placed


def fill_times(
    words: Sequence[tuple[str, float | None, float | None, float | None]], start_s: float, end_s: float
) -> list[PlacedWord]:
    """Return words with times in bounds and in order; words without times share the gap between their neighbours.

    Args:
        words: (text, start_s, end_s, score); times without a score do not come from an alignment and are ignored.
        start_s: lower bound of all times.
        end_s: upper bound of all times.
    """
    placed: list[PlacedWord] = []
    waiting: list[str] = []
    reached_s = start_s
    for text, word_start_s, word_end_s, score in words:
        if word_start_s is None or word_end_s is None or score is None:
            waiting.append(text)
            continue
        at_s = min(max(word_start_s, reached_s), end_s)
        placed += place_words(waiting, [(reached_s, at_s)])
        waiting = []
        reached_s = min(max(word_end_s, at_s), end_s)
        placed.append(PlacedWord(text, at_s, reached_s, min(1.0, max(0.0, score)), "aligned"))
    return placed + place_words(waiting, [(reached_s, end_s)])


def _moment(stretches: Sequence[Stretch], spoken_s: float, at_end: bool) -> float:
    """Return the time after `spoken_s` seconds of speech; on a boundary, the end of a stretch or the next start."""
    for start_s, end_s in stretches:
        if spoken_s < end_s - start_s or (at_end and spoken_s <= end_s - start_s + 1e-9):
            return min(start_s + spoken_s, end_s)
        spoken_s -= end_s - start_s
    return stretches[-1][1]
