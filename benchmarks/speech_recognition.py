"""How well and how fast the embedded recognition hears: python -m benchmarks.speech_recognition [--footage FOLDER]

Data: the sample episode (two synthetic voices, one overlap of 1.1 s) and, where a folder of real footage is given (or
VIDASSETS_FOOTAGE names it), a clean narration, whose word times are a machine's, and a speech in an echoing hall.
WER is jiwer's, of texts in lower case without marks. Word starts are compared where jiwer finds the same word; their
median error is in ms, and how many lie within 0.2 s of the truth beside it. CPU-s are per second of sound.
"""

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from vidassets.media.sound import Sound
from vidassets.resources.embedded_speech import SileroPocketSphinx
from vidassets.speech.models import RecognitionOptions
from vidassets.speech.transcript.activity import MIN_SILENCE_S, PAD_S, find_speech
from vidassets_tests.speech.recordings import EPISODE, decoded, narration, recording, speech_in_a_hall, truth

CLOSE_S = 0.2


@dataclass(frozen=True)
class Recording:
    """A name, its sound, what is said, and (word, start_s) of every word where that is known."""

    name: str
    sound: Sound
    text: str
    starts: list[tuple[str, float]]


@dataclass(frozen=True)
class Setting:
    """A model, and how activity is cut out of its scores."""

    name: str
    model: SileroPocketSphinx
    min_silence_s: float = MIN_SILENCE_S
    pad_s: float = PAD_S


SETTINGS = [
    Setting("default", SileroPocketSphinx()),
    Setting("one pass", SileroPocketSphinx(second_pass=False)),
    Setting("pad 0.1 s", SileroPocketSphinx(), pad_s=0.1),
    Setting("silence 0.7 s", SileroPocketSphinx(), min_silence_s=0.7),
]


def recordings(folder: Path, footage: Path | None) -> list[Recording]:
    """The sample, and the footage's where it is."""

    def sound(path: Path) -> Sound:
        (folder / path.stem).mkdir()
        return recording(folder / path.stem, decoded(path))

    told = truth()
    starts = [(word["word"], word["start_s"]) for word in told["words"]]
    found = [Recording("sample episode", sound(EPISODE), " ".join(word for word, _ in starts), starts)]
    if footage is not None:
        text, starts = narration(footage)
        speech = footage / "speech"
        found.append(Recording("narration", sound(speech / "narration.opus"), text, starts))
        hall = sound(speech / "city-upon-a-hill.flac")
        found.append(Recording("hall", hall, speech_in_a_hall(footage), []))
    return found


def start_errors_s(words: pl.DataFrame, starts: list[tuple[str, float]]) -> np.ndarray:
    """Of the words that were heard as they were said."""
    said = [word for word, _ in starts]
    (chunks,) = jiwer.process_words(" ".join(said), " ".join(words["text"])).alignments
    return np.array(
        [
            words["start_s"][chunk.hyp_start_idx + at] - starts[chunk.ref_start_idx + at][1]
            for chunk in chunks
            if chunk.type == "equal"
            for at in range(chunk.ref_end_idx - chunk.ref_start_idx)
        ]
    )


def row_of(one: Recording, setting: Setting) -> list[str]:
    """Name, setting, words, WER, median error of starts, share within 0.2 s, CPU-s/s of activity and recognition."""
    options = RecognitionOptions(language="en")
    started = time.process_time()
    scores = setting.model.score_speech("benchmark", one.sound)
    activity = find_speech(
        "benchmark",
        scores,
        setting.model.activity_threshold,
        min_silence_s=setting.min_silence_s,
        pad_s=setting.pad_s,
    )
    cut = time.process_time()
    heard = setting.model.recognize("benchmark", one.sound, activity, options)
    done = time.process_time()
    errors_s = np.abs(start_errors_s(heard.words, one.starts)) if one.starts else np.array([])
    return [
        one.name,
        setting.name,
        str(len(one.text.split())),
        f"{jiwer.wer(one.text, ' '.join(heard.words['text'])):.3f}",
        f"{1000 * np.median(errors_s):.0f}" if one.starts else "–",
        f"{np.mean(errors_s <= CLOSE_S):.0%}" if one.starts else "–",
        f"{(cut - started) / one.sound.duration_s:.4f}",
        f"{(done - cut) / one.sound.duration_s:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--footage", type=Path, default=os.environ.get("VIDASSETS_FOOTAGE"))
    footage = parser.parse_args().footage
    table = Table("sound", "setting", "words", "WER", "starts, ms", "within 0.2 s", "activity CPU-s/s", "words CPU-s/s")
    with tempfile.TemporaryDirectory() as folder:
        found = recordings(Path(folder), footage)
        for setting in SETTINGS:
            row_of(found[0], setting)  # loads the models, which is not measured
            for one in found:
                table.add_row(*row_of(one, setting))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
