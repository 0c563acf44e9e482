"""Speech found by silero-vad and heard by PocketSphinx: both on the CPU, weights inside their packages, draft quality.

`identity()` is what changes their results and so makes the code version of what is computed; `execution()` is what
does not, and is only recorded.
"""

from pathlib import Path

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.errors import LanguageUnsupported
from vidassets.media.sound import Sound
from vidassets.resources.model_cache import cached
from vidassets.resources.packages import INSTALL, package_path, package_version, required_module
from vidassets.resources.speech_models import model_identity
from vidassets.speech.models import RecognitionOptions, RecognizedSpeech
from vidassets.speech.transcript.silero import SileroNetwork, score_speech
from vidassets.speech.transcript.sphinx import LANGUAGE, SphinxDecoder, recognize_stretches

EMBEDDED = "pip install 'vidassets[embedded]'"
OTHER_MODEL = "a profile whose speech_model is vidassets.resources.whisperx_speech.WhisperXSpeech"


class SileroPocketSphinx(dg.ConfigurableResource, extra="forbid"):
    """Draft quality, English only: to find a passage by, not to publish. Any machine, no account, no download."""

    longest_s: float = Field(
        default=30.0,
        ge=5,
        le=300,
        description="longest stretch heard as one, s; a longer one is cut where it is quietest; some 3 MB a minute",
    )
    second_pass: bool = Field(
        default=True,
        description="whether PocketSphinx searches twice; once takes some three quarters of the time",
    )

    def identity(self) -> dict[str, str]:
        """Models, versions of their packages, SHA-256 of their weights, and the settings that change the words.

        Raises:
            ModelMissing: a package is not installed.
        """
        return {
            "model": "silero-vad, pocketsphinx en-us",
            "silero-vad": package_version("silero-vad", INSTALL),
            "silero_weights": model_identity(str(_silero_weights())),
            "pocketsphinx": package_version("pocketsphinx", INSTALL),
            "pocketsphinx_weights": model_identity(str(_sphinx_model())),
            "longest_s": str(self.longest_s),
            "second_pass": str(self.second_pass),
            "activity_threshold": str(self.activity_threshold),
        }

    def execution(self) -> dict[str, str | int]:
        """It runs on one thread of the CPU, whatever the machine."""
        return {"device": "cpu", "threads": 1}

    @property
    def activity_threshold(self) -> float:
        """Below silero-vad's own 0.5, which loses soft speech of meetings; see `activity.PAD_S`."""
        return 0.35

    def score_speech(self, clip: str, sound: Sound) -> pl.DataFrame:
        """One row per 32 ms and channel; columns in `speech_schemas.SpeechScores`. See `SpeechModel`.

        Raises:
            ModelMissing: silero-vad or onnxruntime is not installed.
        """
        required_module("onnxruntime", EMBEDDED)
        weights, version = _silero_weights(), package_version("silero-vad", INSTALL)
        network = cached((SileroNetwork, model_identity(str(weights))), lambda: SileroNetwork(weights))
        return score_speech(clip, sound, network, f"silero-vad {version}")

    def recognize(
        self, clip: str, sound: Sound, activity: pl.DataFrame, options: RecognitionOptions
    ) -> RecognizedSpeech:
        """The words in the stretches of `activity`, a segment for each. See `SpeechModel`.

        What the decoder cannot be told, a prompt or hotwords, is not used, and that is an event.

        Raises:
            LanguageUnsupported: another language than English, or a translation of something not said to be English.
            ModelMissing: pocketsphinx is not installed.
        """
        _check(clip, options)
        required_module("pocketsphinx", INSTALL)
        version = package_version("pocketsphinx", INSTALL)
        segments, words = recognize_stretches(
            clip, sound, activity, self._decoder(), self.longest_s, f"pocketsphinx {version} en-us"
        )
        return RecognizedSpeech(segments, words, _events(options))

    def _decoder(self) -> SphinxDecoder:
        model = _sphinx_model()
        key = (SphinxDecoder, model_identity(str(model)), self.second_pass)
        return cached(key, lambda: SphinxDecoder(model, self.second_pass))


def _silero_weights() -> Path:
    return package_path("silero_vad", "data/silero_vad_16k_sequence.onnx", INSTALL)


def _sphinx_model() -> Path:
    return package_path("pocketsphinx", "model/en-us", INSTALL)


def _check(clip: str, options: RecognitionOptions) -> None:
    # A tag may name a region as well: en-GB.
    language = None if options.language is None else options.language.lower().split("-")[0]
    if language not in (None, LANGUAGE):
        raise LanguageUnsupported(
            f"{clip}: its language is said to be {options.language!r}, and PocketSphinx knows no other than 'en'. "
            f"Correct `language`, or use {OTHER_MODEL}."
        )
    if options.task == "translate" and language is None:
        raise LanguageUnsupported(
            f"{clip}: PocketSphinx does not translate, and cannot tell whether there is anything to translate. "
            f"Say `language: en` if it is English already, or use {OTHER_MODEL}."
        )


def _events(options: RecognitionOptions) -> list[str]:
    events = []
    if options.language is None:
        events.append("PocketSphinx does not judge the language: the sound was taken for English")
    if options.initial_prompt:
        events.append("PocketSphinx takes no prompt: `initial_prompt` was not used")
    if options.hotwords:
        events.append(f"PocketSphinx takes no hotwords: not used were {', '.join(options.hotwords)}")
    return events
