"""Recognition by PocketSphinx: English, draft quality, with a time for each word.

Source: Huggins-Daines et al., "PocketSphinx: A free, real-time continuous speech recognition system", ICASSP 2006,
with the acoustic model, dictionary and trigrams of American English from the package `pocketsphinx`. Its confidence is
near 1 even for wrong words, so no confidence is stored.
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
from vidassets.progress import counted
from vidassets.schemas.speech import RecognizedSegments, RecognizedWords
from vidassets.speech.transcript.windows import SpeechWindow, pack_windows, quietest_moment

FRAME_S = 0.01
LANGUAGE = "en"
FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")  # silence, breath and noise, as in the model's `noisedict`
PRONUNCIATION = re.compile(r"\(\d+\)$")


@dataclass(frozen=True)
class DecodedWord:
    """A word with its times, in seconds of the decoded samples or of the clip."""

    text: str
    start_s: float
    end_s: float


class WordDecoder(Protocol):
    """Recognises the words of one utterance, independently of earlier ones."""

    def words(self, samples: np.ndarray) -> list[DecodedWord]:
        """Return the words in order, with times in seconds from the first sample.

        Args:
            samples: float32 (N,) in [-1, 1] at 16 kHz.
        """
        ...


class SphinxDecoder:
    """PocketSphinx; thread-safe, one utterance at a time.

    Args:
        model: folder with the acoustic model, the language model and the dictionary of American English.
        second_pass: whether to run a second, flat search over the words of the first.
    """

    def __init__(self, model: Path, second_pass: bool) -> None:
        from pocketsphinx import Decoder as PocketSphinx

        self._lock = threading.Lock()
        self._decoder = PocketSphinx(
            hmm=str(model / "en-us"),
            lm=str(model / "en-us.lm.bin"),
            dict=str(model / "cmudict-en-us.dict"),
            cmn="batch",  # normalise by the mean of the utterance, not of all before it
            fwdflat=second_pass,
            loglevel="FATAL",
        )

    def words(self, samples: np.ndarray) -> list[DecodedWord]:
        """Return the words, without silence, breath and noise. See `WordDecoder`."""
        pcm = np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16).tobytes()
        with self._lock:
            # Reset the noise estimate, which would otherwise carry over from the previous utterance.
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
    """Return a dictionary entry without the number of its pronunciation.

    >>> spelling("the(2)"), spelling("don't")
    ('the', "don't")
    """
    return PRONUNCIATION.sub("", entry)


def recognize_stretches(
    clip: str, sound: Sound, activity: pl.DataFrame, decoder: WordDecoder, longest_s: float, model: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return segments and words, with the columns of `speech_schemas.RecognizedSegments` and `RecognizedWords`.

    A segment is a stretch of speech with at least one word, from its first word to its last. A stretch longer than
    `longest_s` is decoded in parts, cut where it is quietest, so only one part is in memory at a time.

    Args:
        clip: partition key.
        sound: of the clip.
        activity: rows of `speech_schemas.SpeechActivity`.
        decoder: recognises the words.
        longest_s: seconds.
        model: name and version, stored with every segment.
    """
    parts = list(_parts(sound, activity, longest_s))
    decoded = [
        (channel, words)
        for channel, part in counted(parts, "stretches of speech", len(parts))
        if (words := _words_of(decoder, sound, channel, part))
    ]
    # By the start of the first word, then by channel.
    decoded.sort(key=lambda part: (part[1][0].start_s, part[0]))
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
        for index, (channel, words) in enumerate(decoded)
    ]
    placed = [(index, word) for index, (_, words) in enumerate(decoded) for word in words]
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


def _parts(sound: Sound, activity: pl.DataFrame, longest_s: float) -> Iterator[tuple[int, SpeechWindow]]:
    for channel, *stretch in activity.sort("channel", "start_s").select("channel", "start_s", "end_s").iter_rows():

        def quietest_s(start_s: float, end_s: float, channel: int = channel) -> float:
            return quietest_moment(sound, start_s, end_s, channel)

        # Stretches are not packed together: the trigram decoder treats each one as a sentence.
        yield from ((channel, part) for part in pack_windows([(stretch[0], stretch[1])], longest_s, quietest_s))


def _words_of(decoder: WordDecoder, sound: Sound, channel: int, part: SpeechWindow) -> list[DecodedWord]:
    """Return the words with clip times, none of which is after the end of the part."""
    words = decoder.words(sound.samples(part.start_s, part.end_s, channel))
    return [
        DecodedWord(word.text, part.start_s + word.start_s, min(part.start_s + word.end_s, part.end_s))
        for word in words
    ]
