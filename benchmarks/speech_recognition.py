"""Accuracy and speed of the embedded recognition: python -m benchmarks.speech_recognition [--footage FOLDER]

Data: the sample episode (two synthetic voices, one overlap of 1.1 s) and, where a folder of real footage is given (or
VIDASSETS_FOOTAGE names it), a clean narration, whose word times are from a machine, and a speech in an echoing
hall. WER is by jiwer, on texts in lower case without punctuation. Starts are compared for words that jiwer matches:
the median error in ms, and the share within 0.2 s of the truth. CPU-s are per second of sound.
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
    """A recording: its name, sound and text, and (word, start_s) of every word if known."""

    name: str
    sound: Sound
    text: str
    starts: list[tuple[str, float]]


@dataclass(frozen=True)
class Setting:
    """A model, and the settings of voice activity."""

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
    """Return the sample, and the footage if there is any."""

    def sound(path: Path) -> Sound:
        (folder / path.stem).mkdir()
        return recording(folder / path.stem, decoded(path))

    episode = truth()
    starts = [(word["word"], word["start_s"]) for word in episode["words"]]
    found = [Recording("sample episode", sound(EPISODE), " ".join(word for word, _ in starts), starts)]
    if footage is not None:
        text, starts = narration(footage)
        speech = footage / "speech"
        found.append(Recording("narration", sound(speech / "narration.opus"), text, starts))
        hall = sound(speech / "city-upon-a-hill.flac")
        found.append(Recording("hall", hall, speech_in_a_hall(footage), []))
    return found


def start_errors_s(words: pl.DataFrame, starts: list[tuple[str, float]]) -> np.ndarray:
    """Return the errors of the starts of all correctly recognised words."""
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


def row_of(sample: Recording, setting: Setting) -> list[str]:
    """Return name, setting, words, WER, median error of starts, share within 0.2 s, CPU-s/s of activity and words."""
    options = RecognitionOptions(language="en")
    started = time.process_time()
    scores = setting.model.score_speech("benchmark", sample.sound)
    activity = find_speech(
        "benchmark",
        scores,
        setting.model.activity_threshold,
        min_silence_s=setting.min_silence_s,
        pad_s=setting.pad_s,
    )
    cut = time.process_time()
    recognized = setting.model.recognize("benchmark", sample.sound, activity, options)
    done = time.process_time()
    errors_s = np.abs(start_errors_s(recognized.words, sample.starts)) if sample.starts else np.array([])
    return [
        sample.name,
        setting.name,
        str(len(sample.text.split())),
        f"{jiwer.wer(sample.text, ' '.join(recognized.words['text'])):.3f}",
        f"{1000 * np.median(errors_s):.0f}" if sample.starts else "–",
        f"{np.mean(errors_s <= CLOSE_S):.0%}" if sample.starts else "–",
        f"{(cut - started) / sample.sound.duration_s:.4f}",
        f"{(done - cut) / sample.sound.duration_s:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--footage", type=Path, default=os.environ.get("VIDASSETS_FOOTAGE"))
    footage = parser.parse_args().footage
    table = Table("sound", "setting", "words", "WER", "starts, ms", "within 0.2 s", "activity CPU-s/s", "words CPU-s/s")
    with tempfile.TemporaryDirectory() as folder:
        found = recordings(Path(folder), footage)
        for setting in SETTINGS:
            row_of(found[0], setting)  # load the models before measuring
            for sample in found:
                table.add_row(*row_of(sample, setting))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
