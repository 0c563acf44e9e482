"""What PocketSphinx hears in stretches of speech: English, of draft quality, word by word.

Source: Huggins-Daines et al., "PocketSphinx: A free, real-time continuous speech recognition system", ICASSP 2006,
with the acoustic model, dictionary and trigrams of American English that the package `pocketsphinx` holds. Its own
confidence is near 1 also where it is wrong, so none is told.
"""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from vidassets.media.sound import Sound
from vidassets.schemas.speech import RecognizedSegments, RecognizedWords
from vidassets.speech.transcript.windows import Window, pack_windows, quietest_moment

FRAME_S = 0.01
LANGUAGE = "en"
FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")  # silence, breath, noise: as the model's `noisedict` writes them
PRONUNCIATION = re.compile(r"\(\d+\)$")


@dataclass(frozen=True)
class DecodedWord:
    """A word, and when: seconds of the samples that it was heard in, or of the clip."""

    text: str
    start_s: float
    end_s: float


class Decoder(Protocol):
    """Hears words in one utterance, whatever it heard before."""

    def words(self, samples: np.ndarray) -> list[DecodedWord]:
        """In order, in seconds from the first sample.

        Args:
            samples: float32 (N,) in [-1, 1] at 16 kHz.
        """
        ...


class SphinxDecoder:
    """PocketSphinx; one utterance at a time, from whatever thread.

    Args:
        model: folder with the acoustic model, the language model and the dictionary of American English.
        second_pass: whether what a first search found is searched again, flat.
    """

    def __init__(self, model: Path, second_pass: bool) -> None:
        from pocketsphinx import Decoder as PocketSphinx

        self._lock = threading.Lock()
        self._decoder = PocketSphinx(
            hmm=str(model / "en-us"),
            lm=str(model / "en-us.lm.bin"),
            dict=str(model / "cmudict-en-us.dict"),
            cmn="batch",  # by the utterance's own mean, not that of all before it
            fwdflat=second_pass,
            loglevel="FATAL",
        )

    def words(self, samples: np.ndarray) -> list[DecodedWord]:
        """See `Decoder`; silence, breath and noise are no words."""
        pcm = np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16).tobytes()
        with self._lock:
            # It would go on from the noise of the utterance before: of another clip, or of none.
            self._decoder.reinit_feat()
            self._decoder.start_utt()
            if pcm:
                self._decoder.process_raw(pcm, full_utt=True)
            self._decoder.end_utt()
            return [
                DecodedWord(spelling(part.word), part.start_frame * FRAME_S, (part.end_frame + 1) * FRAME_S)
                for part in self._decoder.seg() or ()
                if not FILLER.fullmatch(part.word)
            ]


def spelling(entry: str) -> str:
    """A dictionary's entry without the number of its pronunciation.

    >>> spelling("the(2)"), spelling("don't")
    ('the', "don't")
    """
    return PRONUNCIATION.sub("", entry)


def recognize_stretches(
    clip: str, sound: Sound, activity: pl.DataFrame, decoder: Decoder, longest_s: float, model: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Segments and words; columns in `speech_schemas.RecognizedSegments` and `RecognizedWords`.

    A segment is a stretch of speech in which a word was heard, from its first word to its last. A stretch longer than
    `longest_s` is decoded in parts, cut where it is quietest: no more than a part is in memory.

    Args:
        clip: partition key.
        sound: of the clip.
        activity: rows of `speech_schemas.SpeechActivity`.
        decoder: hears the words.
        longest_s: seconds.
        model: name and version, stored with every segment.
    """
    heard = [
        (channel, words)
        for channel, part in _parts(sound, activity, longest_s)
        if (words := _words_of(decoder, sound, channel, part))
    ]
    heard.sort(key=lambda one: (one[1][0].start_s, one[0]))
    segments = [
        {
            "clip": clip,
            "segment_index": index,
            "channel": channel,
            "start_s": words[0].start_s,
            "end_s": words[-1].end_s,
            "text": " ".join(word.text for word in words),
            "language": LANGUAGE,
            "language_probability": None,
            "confidence": None,
            "quality": "draft",
            "model": model,
        }
        for index, (channel, words) in enumerate(heard)
    ]
    placed = [(index, word) for index, (_, words) in enumerate(heard) for word in words]
    rows = [
        {
            "clip": clip,
            "word_index": at,
            "segment_index": index,
            "start_s": word.start_s,
            "end_s": word.end_s,
            "text": word.text,
            "confidence": None,
            "timing": "decoder",
        }
        for at, (index, word) in enumerate(placed)
    ]
    return (
        pl.DataFrame(segments, schema=RecognizedSegments.create_empty().schema),
        pl.DataFrame(rows, schema=RecognizedWords.create_empty().schema),
    )


def _parts(sound: Sound, activity: pl.DataFrame, longest_s: float) -> Iterator[tuple[int, Window]]:
    for channel, *stretch in activity.sort("channel", "start_s").select("channel", "start_s", "end_s").iter_rows():

        def quietest_s(start_s: float, end_s: float, channel: int = channel) -> float:
            return quietest_moment(sound, start_s, end_s, channel)

        # One by one: a pause is where the sentences of a decoder of trigrams end.
        yield from ((channel, part) for part in pack_windows([(stretch[0], stretch[1])], longest_s, quietest_s))


def _words_of(decoder: Decoder, sound: Sound, channel: int, part: Window) -> list[DecodedWord]:
    """Words on the clip's clock; none reaches beyond the part."""
    words = decoder.words(sound.samples(part.start_s, part.end_s, channel))
    return [
        DecodedWord(word.text, part.start_s + word.start_s, min(part.start_s + word.end_s, part.end_s))
        for word in words
    ]
