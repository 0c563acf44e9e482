"""Sound for tests of speech: the sample episode's and real footage's, and the ground truth."""

import json
import os
import re
from pathlib import Path

import av
import numpy as np
import pytest

from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets_tests.media.flac import write_flac

# PocketSphinx's text of the sample's first sentence, which says "two people".
FIRST_SENTENCE = "welcome to a short story about to people who went first"
FOOTAGE = os.environ.get("VIDASSETS_FOOTAGE")
needs_footage = pytest.mark.skipif(FOOTAGE is None, reason="VIDASSETS_FOOTAGE names no folder of real footage")
EPISODE = Path(__file__).parents[2] / "samples/episodes/pioneers/s01/e02/episode.mp4"


def truth() -> dict[str, list[dict]]:
    """See samples/README.md."""
    return json.loads(EPISODE.with_suffix(".truth.json").read_text())


def decoded(path: Path) -> np.ndarray:
    """Decode a file whose sound starts at 0: float32 (N,) at 16 kHz, the mean of the channels."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE_HZ)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        return np.concatenate([part.to_ndarray()[0] for part in frames + resampler.resample(None)])


def spoken(start_s: float, end_s: float) -> np.ndarray:
    """Return samples of a part of the sample episode."""
    return decoded(EPISODE)[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)]


def recording(folder: Path, samples: np.ndarray, start_s: float = 0.0) -> Sound:
    """Write samples, float32 (N,) or (channels, N), to a file and open it."""
    path = folder / "sound.flac"
    write_flac(path, samples, start_s)
    return Sound.open(path)


def plain(text: str) -> str:
    """Return a text in lower case without punctuation, words separated by single spaces, to compute word error rates.

    >>> plain("Don't go, he said.")
    "don't go he said"
    """
    return " ".join(re.sub(r"[^a-z' ]", " ", text.lower().replace("’", "'")).split())


def narration(folder: Path) -> tuple[str, list[tuple[str, float]]]:
    """Return the text of the footage's narration, and (word, start_s) from a machine alignment."""
    narration = json.loads((folder / "speech/narration.words.json").read_text())
    return plain(narration["text"]), [(plain(word["word"]), word["start"]) for word in narration["words"]]


def speech_in_a_hall(folder: Path) -> str:
    """Return the text of the footage's city-upon-a-hill, from the folder's README."""
    _, text = (folder / "README.md").read_text().split("**city-upon-a-hill, text.**")
    return plain(text)
