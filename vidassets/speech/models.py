"""What the speech assets ask of a model: the resources of a profile answer it, each in its own way."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import polars as pl

from vidassets.media.sound import Sound


@dataclass(frozen=True)
class RecognitionOptions:
    """What a person asks of the recognition.

    Attributes:
        language: ISO 639-1; None: judged by the model, if it can.
        task: the words as spoken, or in English.
        initial_prompt: text that the decoder is to think went before.
        hotwords: names and terms to expect.
    """

    language: str | None = None
    task: Literal["transcribe", "translate"] = "transcribe"
    initial_prompt: str | None = None
    hotwords: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecognizedSpeech:
    """What was heard.

    Attributes:
        segments: rows of `speech_schemas.RecognizedSegments`.
        words: rows of `speech_schemas.RecognizedWords`.
        events: what happened on the way that a person should know: a batch halved, an alignment missing.
    """

    segments: pl.DataFrame
    words: pl.DataFrame
    events: list[str] = field(default_factory=list)


class SpeechModel(Protocol):
    """Finds speech, and the words in it."""

    def identity(self) -> dict[str, str]:
        """What of the model changes its results."""
        ...

    def execution(self) -> dict[str, str | int]:
        """The device really used, and what else is of the run, not of the result."""
        ...

    @property
    def activity_threshold(self) -> float:
        """The score above which a window is speech, unless a person says otherwise."""
        ...

    def score_speech(self, clip: str, sound: Sound) -> pl.DataFrame:
        """One row per window and channel; columns in `speech_schemas.SpeechScores`. Bounded memory, any length."""
        ...

    def recognize(
        self, clip: str, sound: Sound, activity: pl.DataFrame, options: RecognitionOptions
    ) -> RecognizedSpeech:
        """The words in the stretches of `activity` (rows of `speech_schemas.SpeechActivity`), channel by channel.

        Raises:
            LanguageUnsupported: the model does not know the language, or cannot do the task.
        """
        ...


@dataclass(frozen=True)
class SpeakerOptions:
    """How many voices there are: exactly, or within bounds; None: judged from the sound."""

    n_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None


@dataclass(frozen=True)
class Diarization:
    """Who speaks when.

    Attributes:
        turns: rows of `speech_schemas.SpeakerTurns`; overlap is kept where the model hears it.
        exclusive: the same columns; no two hold the same moment.
        speakers: rows of `speech_schemas.Speakers`.
        events: what happened on the way that a person should know.
    """

    turns: pl.DataFrame
    exclusive: pl.DataFrame
    speakers: pl.DataFrame
    events: list[str] = field(default_factory=list)


class SpeakerModel(Protocol):
    """Tells voices apart."""

    def identity(self) -> dict[str, str]:
        """What of the model changes its results."""
        ...

    def execution(self) -> dict[str, str | int]:
        """The device really used, and what else is of the run, not of the result."""
        ...

    @property
    def name_threshold(self) -> float:
        """The cosine from which on a voice may be a known person's, unless a person says otherwise."""
        ...

    def infer_voices(self, clip: str, sound: Sound, activity: pl.DataFrame) -> bytes:
        """All that costs an inference: an .npz whose arrays `turns` of the same model understands.

        Args:
            clip: its key.
            sound: of the clip.
            activity: rows of `speech_schemas.SpeechActivity`.
        """
        ...

    def cluster_voices(self, clip: str, voices: bytes, options: SpeakerOptions) -> Diarization:
        """Turns from what `voices` gave: clustering alone, no inference."""
        ...

    def embed_samples(self, samples: np.ndarray) -> np.ndarray:
        """Of one voice: float32 (D,), unit length, from float32 (N,) at 16 kHz; comparable with that of `Speakers`."""
        ...
