"""Voices told apart by the weights that come inside the package `resemblyzer`: the embedded default.

A `vidassets.speech.models.SpeakerModel`. Good with the number of speakers given; an estimated number is a guess, and
the tables say so. It never hears two at once: where they speak together it hears one, unless each has a channel.
"""

from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
from pydantic import Field

from vidassets.media.sound import Sound
from vidassets.resources.model_cache import cached
from vidassets.resources.packages import INSTALL, package_path, package_version, required_module, sha256_of
from vidassets.speech.models import Diarization, SpeakerOptions
from vidassets.speech.speakers.voice_encoder import MODEL, NAME_THRESHOLD, VoiceEncoder, load_encoder

EMBEDDED = "pip install 'vidassets[embedded]'"


class ResemblyzerSpeakers(dg.ConfigurableResource, extra="forbid"):
    """Resemblyzer's voice encoder on the CPU, 0.02 s for a second of speech, and clustering.

    A sound of several channels is one person on each: nothing is clustered, and overlap is true.
    """

    threads: int = Field(default=1, ge=1, le=256, description="CPU threads of torch; more than one pays on idle cores")

    def identity(self) -> dict[str, str]:
        """Model, version of its package, SHA-256 of its weights.

        Raises:
            ModelMissing: the package is not installed.
        """
        return {
            "model": MODEL,
            "resemblyzer": package_version("resemblyzer", INSTALL),
            "weights_sha256": sha256_of(_weights()),
        }

    def execution(self) -> dict[str, str | int]:
        """It runs on the CPU, whatever the machine."""
        return {"device": "cpu", "threads": self.threads}

    @property
    def name_threshold(self) -> float:
        """The cosine from which on a voice may be a known person's, unless a person says otherwise."""
        return NAME_THRESHOLD

    def infer_voices(self, clip: str, sound: Sound, activity: pl.DataFrame) -> bytes:
        """The embedding of every tenth of a second of speech, see `vidassets.speech.speakers.voice_windows`.

        Raises:
            ModelMissing: torch or the model's package is not installed.
        """
        from vidassets.speech.speakers.voice_windows import embed_windows

        return embed_windows(sound, activity, self._encoder, MODEL).to_bytes()

    def cluster_voices(self, clip: str, voices: bytes, options: SpeakerOptions) -> Diarization:
        """Who speaks when; clustering alone. Needs neither torch nor the weights.

        Raises:
            EmbeddingMismatch: the voices are of another model.
            SpeechError: they cannot be read.
            InvalidSetting: the options contradict each other.
        """
        from vidassets.speech.speakers.diarization import diarize
        from vidassets.speech.speakers.voice_windows import VoiceWindows

        return diarize(clip, VoiceWindows.from_bytes(clip, voices, MODEL), options)

    def embed_samples(self, samples: np.ndarray) -> np.ndarray:
        """float32 (256,), unit length, of the voice in float32 (N,) at 16 kHz.

        Raises:
            SpeechError: it is silent.
            ModelMissing: torch or the model's package is not installed.
        """
        from vidassets.speech.speakers.voice_windows import embed_samples

        return embed_samples(samples, self._encoder)

    @property
    def _encoder(self) -> VoiceEncoder:
        required_module("torch", EMBEDDED)
        key = (type(self), *self.identity().values(), self.threads)
        return cached(key, lambda: load_encoder(_weights(), self.threads))


def _weights() -> Path:
    return package_path("resemblyzer", "pretrained.pt", INSTALL)
