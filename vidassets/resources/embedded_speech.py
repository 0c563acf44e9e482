"""Speech detection by silero-vad and recognition by PocketSphinx: on the CPU, with weights from their packages.

`identity()` is what changes the results and so is part of the code version; `execution()` does not change them and is
only recorded.
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
    """English only, in draft quality: good enough to find a passage, not to publish. Needs no account or download."""

    longest_s: float = Field(
        default=30.0,
        ge=5,
        le=300,
        description="longest stretch decoded in one piece, s; longer ones are cut where quietest; 3 MB per minute",
    )
    second_pass: bool = Field(
        default=True,
        description="run PocketSphinx's second search; without it, recognition takes about three quarters of the time",
    )

    def identity(self) -> dict[str, str]:
        """Return the models, package versions, SHA-256 of the weights, and the settings that change the words.

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
        """Return the device: always one CPU thread."""
        return {"device": "cpu", "threads": 1}

    @property
    def activity_threshold(self) -> float:
        """The default score of speech; silero-vad's own 0.5 misses soft speech in meetings. See `activity.PAD_S`."""
        return 0.35

    def score_speech(self, clip: str, sound: Sound) -> pl.DataFrame:
        """Return one row per 32 ms and channel, with the columns of `speech_schemas.SpeechScores`. See `SpeechModel`.

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
        """Recognise the words in the stretches of `activity`, one segment for each. See `SpeechModel`.

        The decoder does not support a prompt or hotwords: they are not used, which is reported as an event.

        Raises:
            LanguageUnsupported: the language is not English, or a translation is requested without a language.
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
    # A language tag may include a region: en-GB.
    language = None if options.language is None else options.language.lower().split("-")[0]
    if language not in (None, LANGUAGE):
        raise LanguageUnsupported(
            f"{clip}: its language is given as {options.language!r}, but PocketSphinx supports only 'en'. "
            f"Correct `language`, or use {OTHER_MODEL}."
        )
    if options.task == "translate" and language is None:
        raise LanguageUnsupported(
            f"{clip}: PocketSphinx does not translate, and cannot detect whether a translation is needed. "
            f"Set `language: en` if the clip is in English, or use {OTHER_MODEL}."
        )


def _events(options: RecognitionOptions) -> list[str]:
    events = []
    if options.language is None:
        events.append("PocketSphinx does not detect the language: English was assumed")
    if options.initial_prompt:
        events.append("PocketSphinx does not support a prompt: `initial_prompt` was not used")
    if options.hotwords:
        events.append(f"PocketSphinx does not support hotwords: {', '.join(options.hotwords)} were not used")
    return events
