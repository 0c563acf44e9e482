"""Speaker diarization with the weights from the package `resemblyzer`: the embedded default.

A `vidassets.speech.models.SpeakerModel`. It works well if the number of speakers is given; an estimated number is
unreliable, which the tables show. It detects no overlap: where two people speak at once it finds one, unless each has a
channel.
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
    """Resemblyzer's voice encoder on the CPU (0.02 s per second of speech), and clustering.

    Each of several channels is one person: nothing is clustered, and overlap is exact.
    """

    threads: int = Field(
        default=1, ge=1, le=256, description="CPU threads of torch; more than 1 is faster on idle cores"
    )

    def identity(self) -> dict[str, str]:
        """Return the model, the version of its package and the SHA-256 of its weights.

        Raises:
            ModelMissing: the package is not installed.
        """
        return {
            "model": MODEL,
            "resemblyzer": package_version("resemblyzer", INSTALL),
            "weights_sha256": sha256_of(_weights()),
        }

    def execution(self) -> dict[str, str | int]:
        """Return the device, always the CPU, and its threads."""
        return {"device": "cpu", "threads": self.threads}

    @property
    def name_threshold(self) -> float:
        """The default cosine similarity from which a speaker may be given a known person's name."""
        return NAME_THRESHOLD

    def infer_voices(self, clip: str, sound: Sound, activity: pl.DataFrame) -> bytes:
        """Return the embedding of every tenth of a second of speech, see `vidassets.speech.speakers.voice_windows`.

        Raises:
            ModelMissing: torch or the model's package is not installed.
        """
        from vidassets.speech.speakers.voice_windows import embed_windows

        return embed_windows(sound, activity, self._encoder, MODEL).to_bytes()

    def cluster_voices(self, clip: str, voices: bytes, options: SpeakerOptions) -> Diarization:
        """Return who speaks when, by clustering alone; needs neither torch nor the weights.

        Raises:
            EmbeddingMismatch: the voices are of another model.
            SpeechError: the voices cannot be read.
            InvalidSetting: the options contradict each other.
        """
        from vidassets.speech.speakers.diarization import diarize
        from vidassets.speech.speakers.voice_windows import VoiceWindows

        return diarize(clip, VoiceWindows.from_bytes(clip, voices, MODEL), options)

    def embed_samples(self, samples: np.ndarray) -> np.ndarray:
        """Return float32 (256,) of unit length: the embedding of the voice in float32 (N,) at 16 kHz.

        Raises:
            SpeechError: the samples are silent.
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
