"""Tables of what a recogniser in batches heard in its windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import polars as pl

from vidassets.schemas.speech import RecognizedSegments, RecognizedWords
from vidassets.speech.models import RecognizedSpeech
from vidassets.speech.transcript.windows import Window
from vidassets.speech.transcript.word_times import PlacedWord, fill_times, place_words, words_of


@dataclass(frozen=True)
class Heard:
    """What was heard in one window.

    Attributes:
        channel: of the sound.
        window: the stretches of speech in it.
        language: of the text, ISO 639-1.
        language_probability: None where it was given.
        answer: `text`, `confidence`, and, where words were aligned, `sentences` of `text` and `words`: each `text`,
            `start_s`, `end_s` (seconds of the window) and `score`, null where it could not be aligned.
    """

    channel: int
    window: Window
    language: str
    language_probability: float | None
    answer: dict[str, Any]


def recognized(clip: str, heard: Sequence[Heard], model: str, events: Sequence[str] = ()) -> RecognizedSpeech:
    """Sentences and words in order of time; windows without a word leave nothing."""
    spoken = [one for one in heard if one.answer["text"]]
    sentences = [(one, text, words) for one in spoken for text, words in _sentences(one)]
    sentences.sort(key=lambda sentence: (sentence[2][0].start_s, sentence[0].channel))
    segments = [
        (
            clip,
            index,
            one.channel,
            words[0].start_s,
            words[-1].end_s,
            text,
            one.language,
            one.language_probability,
            one.answer["confidence"],
            "production",
            model,
        )
        for index, (one, text, words) in enumerate(sentences)
    ]
    placed = [(index, word) for index, (_, _, words) in enumerate(sentences) for word in words]
    rows = [
        (clip, at, index, word.start_s, word.end_s, word.text, word.confidence, word.timing)
        for at, (index, word) in enumerate(placed)
    ]
    lost = sum("sentences" in one.answer and not one.answer["sentences"] for one in spoken)
    if lost:
        events = [*events, f"{lost} of {len(spoken)} windows could not be aligned: their words' times are interpolated"]
    return RecognizedSpeech(
        pl.DataFrame(segments, schema=RecognizedSegments.create_empty().schema, orient="row"),
        pl.DataFrame(rows, schema=RecognizedWords.create_empty().schema, orient="row"),
        list(dict.fromkeys(events)),
    )


def _sentences(heard: Heard) -> list[tuple[str, list[PlacedWord]]]:
    window, aligned = heard.window, heard.answer.get("sentences")
    if not aligned:
        text = heard.answer["text"]
        return [(text, place_words(words_of(text, heard.language), window.stretches))]
    words = [
        (word["text"], _clip_time(window, word["start_s"]), _clip_time(window, word["end_s"]), word["score"])
        for sentence in aligned
        for word in sentence["words"]
    ]
    placed = iter(fill_times(words, window.start_s, window.end_s))
    return [(sentence["text"], list(islice(placed, len(sentence["words"])))) for sentence in aligned]


def _clip_time(window: Window, offset_s: float | None) -> float | None:
    return None if offset_s is None else window.start_s + offset_s
