"""The interfaces of speech models. The resources that a profile names implement them."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import polars as pl

from vidassets.media.sound import Sound


@dataclass(frozen=True)
class RecognitionOptions:
    """What the speech recognition should do.

    Attributes:
        language: ISO 639-1; None: detected by the model, if it can.
        task: keep the spoken language, or translate to English.
        initial_prompt: text that the decoder treats as preceding the clip.
        hotwords: names and terms to expect.
    """

    language: str | None = None
    task: Literal["transcribe", "translate"] = "transcribe"
    initial_prompt: str | None = None
    hotwords: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecognizedSpeech:
    """The result of a recognition.

    Attributes:
        segments: rows of `speech_schemas.RecognizedSegments`.
        words: rows of `speech_schemas.RecognizedWords`.
        events: what people should know about the run: a halved batch, a missing alignment.
    """

    segments: pl.DataFrame
    words: pl.DataFrame
    events: list[str] = field(default_factory=list)


class SpeechModel(Protocol):
    """Finds speech and recognises its words."""

    def identity(self) -> dict[str, str]:
        """Return what of the model changes its results."""
        ...

    def execution(self) -> dict[str, str | int]:
        """Return the device used and other facts of the run that do not change the result."""
        ...

    @property
    def activity_threshold(self) -> float:
        """The default score from which a window is speech."""
        ...

    def score_speech(self, clip: str, sound: Sound) -> pl.DataFrame:
        """Return one row per window and channel, with the columns of `speech_schemas.SpeechScores`.

        Memory is bounded for sound of any length.
        """
        ...

    def recognize(
        self, clip: str, sound: Sound, activity: pl.DataFrame, options: RecognitionOptions
    ) -> RecognizedSpeech:
        """Recognise the words in the stretches of `activity` (rows of `speech_schemas.SpeechActivity`), per channel.

        Raises:
            LanguageUnsupported: the model does not support the language or the task.
        """
        ...


@dataclass(frozen=True)
class SpeakerOptions:
    """The number of speakers: exact, or bounds; None: estimated from the sound."""

    n_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None


@dataclass(frozen=True)
class Diarization:
    """Who speaks when.

    Attributes:
        turns: rows of `speech_schemas.SpeakerTurns`; they overlap if the model detects overlap.
        exclusive: the same columns; no two turns overlap.
        speakers: rows of `speech_schemas.Speakers`.
        events: what people should know about the run.
    """

    turns: pl.DataFrame
    exclusive: pl.DataFrame
    speakers: pl.DataFrame
    events: list[str] = field(default_factory=list)


class SpeakerModel(Protocol):
    """Distinguishes speakers by their voices."""

    def identity(self) -> dict[str, str]:
        """Return what of the model changes its results."""
        ...

    def execution(self) -> dict[str, str | int]:
        """Return the device used and other facts of the run that do not change the result."""
        ...

    @property
    def name_threshold(self) -> float:
        """The default cosine similarity from which a speaker may be given a known person's name."""
        ...

    def infer_voices(self, clip: str, sound: Sound, activity: pl.DataFrame) -> bytes:
        """Run the inference; return an .npz that `cluster_voices` of the same model reads.

        Args:
            clip: partition key.
            sound: of the clip.
            activity: rows of `speech_schemas.SpeechActivity`.
        """
        ...

    def cluster_voices(self, clip: str, voices: bytes, options: SpeakerOptions) -> Diarization:
        """Return the turns, from the result of `infer_voices`: clustering alone, no inference."""
        ...

    def embed_samples(self, samples: np.ndarray) -> np.ndarray:
        """Return the embedding of one voice, comparable with those of `speech_schemas.Speakers`.

        Args:
            samples: float32 (N,) at 16 kHz.
        Returns:
            float32 (D,) of unit length.
        """
        ...
