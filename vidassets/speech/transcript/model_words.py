"""Tables from the output of a recognition model, window by window."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import polars as pl

from vidassets.schemas.speech import RecognizedSegments, RecognizedWords
from vidassets.speech.models import RecognizedSpeech
from vidassets.speech.transcript.windows import SpeechWindow
from vidassets.speech.transcript.word_times import PlacedWord, fill_times, place_words, words_of


@dataclass(frozen=True)
class WindowText:
    """The recognised text of one window.

    Attributes:
        channel: of the sound.
        window: the stretches of speech in it.
        language: of the text, ISO 639-1.
        language_probability: None if the language was given.
        answer: `text`, `confidence` and, if words were aligned, `sentences` of `text` and `words`; each word has
            `text`, `start_s`, `end_s` (seconds of the window) and `score`, null if it could not be aligned.
    """

    channel: int
    window: SpeechWindow
    language: str
    language_probability: float | None
    answer: dict[str, Any]


def tabulate_words(clip: str, texts: Sequence[WindowText], model: str, events: Sequence[str] = ()) -> RecognizedSpeech:
    """Return sentences and words in order of time; windows without text are left out."""
    spoken = [window for window in texts if window.answer["text"]]
    # (window, text of the sentence, words of the sentence), by the start of the first word, then by channel.
    sentences = [(window, text, words) for window in spoken for text, words in _sentences(window)]
    sentences.sort(key=lambda sentence: (sentence[2][0].start_s, sentence[0].channel))
    segments = [
        (
            clip,
            index,
            window.channel,
            words[0].start_s,
            words[-1].end_s,
            text,
            window.language,
            window.language_probability,
            window.answer["confidence"],
            "production",
            model,
        )
        for index, (window, text, words) in enumerate(sentences)
    ]
    placed = [(index, word) for index, (_, _, words) in enumerate(sentences) for word in words]
    rows = [
        (clip, at, index, word.start_s, word.end_s, word.text, word.confidence, word.timing)
        for at, (index, word) in enumerate(placed)
    ]
    lost = sum("sentences" in window.answer and not window.answer["sentences"] for window in spoken)
    if lost:
        events = [
            *events,
            f"{lost} of {len(spoken)} windows could not be aligned: the times of their words are interpolated",
        ]
    return RecognizedSpeech(
        pl.DataFrame(segments, schema=RecognizedSegments.create_empty().schema, orient="row"),
        pl.DataFrame(rows, schema=RecognizedWords.create_empty().schema, orient="row"),
        list(dict.fromkeys(events)),
    )


def _sentences(recognized: WindowText) -> list[tuple[str, list[PlacedWord]]]:
    """Return (text, words with clip times) of each sentence; a window without alignment is one sentence."""
    window, aligned = recognized.window, recognized.answer.get("sentences")
    if not aligned:
        text = recognized.answer["text"]
        return [(text, place_words(words_of(text, recognized.language), window.stretches))]
    words = [
        (word["text"], _clip_time(window, word["start_s"]), _clip_time(window, word["end_s"]), word["score"])
        for sentence in aligned
        for word in sentence["words"]
    ]
    placed = iter(fill_times(words, window.start_s, window.end_s))
    return [(sentence["text"], list(islice(placed, len(sentence["words"])))) for sentence in aligned]


def _clip_time(window: SpeechWindow, offset_s: float | None) -> float | None:
    return None if offset_s is None else window.start_s + offset_s
