"""Synthesise sentences in two voices, with the time of each word. Needs the program `flite`."""

import shutil
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from recording import SAMPLE_RATE_HZ

SPEECH_PEAK = 0.5
SILENCE_RATIO = 0.01  # -40 dB below the sentence's peak: quieter sound at the start and end is cut off
WINDOW_S = 0.005


class VoiceError(RuntimeError):
    """The synthesiser is not installed, or its phones do not match the words."""


@dataclass(frozen=True)
class Utterance:
    """The sound of a sentence: float32 mono at 48 kHz without silence around it; words as (word, start_s, end_s)."""

    samples: NDArray[np.float32]
    words: list[tuple[str, float, float]]

    @property
    def duration_s(self) -> float:
        """Exact duration in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


def speak(text: str, voice: str) -> Utterance:
    """Synthesise `text` (lower case, no punctuation) in a flite voice such as `slt` or `rms`.

    Raises:
        VoiceError: flite is not installed, or it uses other phones for the sentence than for its words.
    """
    if shutil.which("flite") is None:
        raise VoiceError("the program flite is not on the path; on Debian: apt-get install flite.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        phones = _flite(text, voice, "-psdur", path)
        samples = _read_wave(path)
    first, last = _loud_span(samples)
    trimmed = samples[first:last] * np.float32(SPEECH_PEAK / np.abs(samples).max())
    ramp = np.linspace(0, 1, round(WINDOW_S * SAMPLE_RATE_HZ), dtype=np.float32)
    trimmed[: len(ramp)] *= ramp
    trimmed[-len(ramp) :] *= ramp[::-1]
    start_s, end_s = first / SAMPLE_RATE_HZ, last / SAMPLE_RATE_HZ
    words = [
        (word, max(word_start_s, start_s) - start_s, min(word_end_s, end_s) - start_s)
        for word, word_start_s, word_end_s in _word_spans(text, voice, phones)
    ]
    return Utterance(trimmed, words)


def _flite(text: str, voice: str, show: str, path: Path) -> list[str]:
    command = ["flite", "-voice", voice, show, "-t", text, "-o", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def _word_spans(text: str, voice: str, phones: list[str]) -> list[tuple[str, float, float]]:
    ends_s = [float(phone.split(":")[1]) for phone in phones]
    starts_s = [0.0, *ends_s[:-1]]
    spoken = [i for i, phone in enumerate(phones) if not phone.startswith("pau:")]
    spans, used = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for word in text.split():
            n_phones = sum(phone != "pau" for phone in _flite(word, voice, "-ps", Path(folder) / "word.wav"))
            of_word = spoken[used : used + n_phones]
            spans.append((word, starts_s[of_word[0]], ends_s[of_word[-1]]))
            used += n_phones
    if used != len(spoken):
        raise VoiceError(f"{text!r}: {len(spoken)} phones in the sentence, {used} in its words; word it differently.")
    return spans


def _read_wave(path: Path) -> NDArray[np.float32]:
    with wave.open(str(path)) as file:
        rate_hz, pcm = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)
    frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
    frame.sample_rate = rate_hz
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE_HZ)
    pieces = [piece.to_ndarray()[0] for piece in [*resampler.resample(frame), *resampler.resample(None)]]
    return np.concatenate(pieces)


def _loud_span(samples: NDArray[np.float32]) -> tuple[int, int]:
    window = round(WINDOW_S * SAMPLE_RATE_HZ)
    peaks = np.abs(samples[: len(samples) // window * window]).reshape(-1, window).max(axis=1)
    loud = np.flatnonzero(peaks > SILENCE_RATIO * np.abs(samples).max())
    return int(loud[0]) * window, int(loud[-1] + 1) * window
