"""WhisperX as a speech model: voice activity, recognition in batches, words aligned with the sound.

It runs in an interpreter of its own (requirements/speech.txt); here is what is asked of it, and what is made of the
answers. Long sound is never in memory as a whole.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
from pydantic import Field

from vidassets.media.sound import SAMPLE_RATE_HZ, Sound
from vidassets.resources.speech_models import local_or_hub, model_identity
from vidassets.resources.speech_worker import SpeechWorker, interpreter_path, speech_worker, versions
from vidassets.schemas.speech import SpeechScores
from vidassets.speech.models import RecognitionOptions, RecognizedSpeech
from vidassets.speech.transcript.model_words import Heard, recognized
from vidassets.speech.transcript.windows import Window, pack_windows, quietest_moment

# Whole windows (0.5 s) and whole frames (270 samples) of the activity model: blocks cut at its multiples score alike.
ACTIVITY_UNIT_SAMPLES = 216_000
ACTIVITY_UNITS = 8
ACTIVITY_MODEL = "pyannote segmentation of whisperx"
LANGUAGE_WINDOWS = 3  # chosen here: one may hold a quotation or a song


class WhisperXSpeech(dg.ConfigurableResource, extra="forbid"):
    """WhisperX: Whisper in batches by faster-whisper, words aligned by wav2vec 2.0, activity by pyannote's network."""

    python: str = Field(
        default=".venv-speech/bin/python", description="interpreter that has requirements/speech.txt installed"
    )
    model: str = Field(
        default="large-v3", min_length=1, description="name on the hub, or folder of a Whisper model for CTranslate2"
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="cpu, cuda, cuda:N, or auto: cuda where there is one, else cpu",
    )
    cpu_fallback: bool = Field(default=False, description="whether the CPU may do it where the GPU cannot; recorded")
    compute_type: str = Field(
        default="default",
        pattern=r"^(default|auto|float32|float16|bfloat16|int8|int8_float32|int8_float16|int8_bfloat16|int16)$",
        description="as CTranslate2 names it; default: float16 on a GPU, float32 on a CPU",
    )
    batch_size: int = Field(
        default=16, ge=1, le=512, description="windows at once; halved when a GPU's memory does not hold them"
    )
    beam_size: int = Field(default=5, ge=1, le=64, description="hypotheses that the decoder keeps")
    window_s: float = Field(
        default=30.0, ge=5, le=30, description="longest stretch recognised as one, s; Whisper takes 30 s at most"
    )
    align: bool = Field(default=True, description="whether words are aligned with the sound; else interpolated")
    alignment_models: dict[str, str] = Field(
        default={}, description="folder or hub name by ISO 639-1, where not WhisperX's own choice for the language"
    )
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads")
    cache_folder: str | None = Field(
        default=None, description="where downloads are kept; by default where their libraries keep them"
    )

    def identity(self) -> dict[str, str]:
        """Models, versions of what runs them, and the settings that change the words.

        Raises:
            ModelMissing: the interpreter or a package in it is not installed.
        """
        return {
            "model": model_identity(self.model),
            "alignment": "; ".join(f"{code} {model_identity(name)}" for code, name in self.alignment_models.items()),
            "align": str(self.align),
            "compute_type": self.compute_type,
            "beam_size": str(self.beam_size),
            "window_s": str(self.window_s),
            **versions(interpreter_path(self.python), "whisperx", "faster-whisper", "ctranslate2"),
        }

    def execution(self) -> dict[str, str | int]:
        """Device, compute type and batch really used, and each step by which they were lowered. Loads the model."""
        return self._worker().ask("recognition.describe", self._settings()).values

    @property
    def activity_threshold(self) -> float:
        """WhisperX's own onset."""
        return 0.5

    def score_speech(self, clip: str, sound: Sound) -> pl.DataFrame:
        """One row per frame of 17 ms and channel; columns in `speech_schemas.SpeechScores`. See `SpeechModel`."""
        tables: list[pl.DataFrame] = [SpeechScores.create_empty()]
        for channel in range(sound.channels):
            window = 0
            for middles_s, scores, step_s in self._scored_blocks(sound, channel):
                tables.append(_scores_table(clip, channel, window, middles_s, scores, step_s, sound.end_s))
                window += len(tables[-1])
        return pl.concat(tables)

    def recognize(
        self, clip: str, sound: Sound, activity: pl.DataFrame, options: RecognitionOptions
    ) -> RecognizedSpeech:
        """Sentences and words in the stretches of `activity`. See `SpeechModel`.

        Raises:
            LanguageUnsupported: the model does not know the language, or cannot translate.
            SpeechError: the worker failed or died.
        """
        heard: list[Heard] = []
        events: list[str] = []
        for (channel,), stretches in activity.sort("start_s").group_by("channel", maintain_order=True):
            windows = self._windows(sound, int(channel), stretches)
            language, probability = self._language(sound, int(channel), windows, options)
            for group in (windows[at : at + self.batch_size] for at in range(0, len(windows), self.batch_size)):
                answer = self._recognized(sound, int(channel), group, language, options)
                events += answer["events"]
                spoken_in = "en" if options.task == "translate" else language
                heard += [
                    Heard(int(channel), window, spoken_in, probability, one)
                    for window, one in zip(group, answer["windows"], strict=True)
                ]
        return recognized(clip, heard, f"whisperx {self.model}", events)

    def _scored_blocks(self, sound: Sound, channel: int) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
        """Middles of the frames (clip time), their scores, their step, block by block with room on both sides."""
        settings = {"device": self.device, "cpu_fallback": self.cpu_fallback, "threads": self.threads}
        unit_s = ACTIVITY_UNIT_SAMPLES / SAMPLE_RATE_HZ
        at = 0
        while at * unit_s < sound.duration_s:
            from_unit, until_unit = max(0, at - 1), at + ACTIVITY_UNITS + 1
            samples = sound.samples(sound.start_s + from_unit * unit_s, sound.start_s + until_unit * unit_s, channel)
            answer = self._worker().ask("activity.scores", settings, {"samples": samples})
            step_s, scores = answer.values["step_s"], answer.arrays["scores"]
            offsets_s = answer.values["middle_s"] + step_s * np.arange(len(scores)) + from_unit * unit_s
            kept = (offsets_s >= at * unit_s) & (offsets_s < (at + ACTIVITY_UNITS) * unit_s)
            kept &= offsets_s < sound.duration_s
            yield sound.start_s + offsets_s[kept], scores[kept], step_s
            at += ACTIVITY_UNITS

    def _windows(self, sound: Sound, channel: int, stretches: pl.DataFrame) -> list[Window]:
        return pack_windows(
            stretches.select("start_s", "end_s").rows(),
            self.window_s,
            lambda start_s, end_s: quietest_moment(sound, start_s, end_s, channel),
        )

    def _language(
        self, sound: Sound, channel: int, windows: list[Window], options: RecognitionOptions
    ) -> tuple[str, float | None]:
        if options.language is not None:
            return options.language, None
        longest = sorted(windows, key=lambda window: window.start_s - window.end_s)[:LANGUAGE_WINDOWS]
        answer = (
            self._worker()
            .ask("recognition.detect_language", self._settings(), _samples(sound, channel, longest))
            .values
        )
        return answer["language"], answer["probability"]

    def _recognized(
        self, sound: Sound, channel: int, windows: list[Window], language: str, options: RecognitionOptions
    ) -> dict[str, Any]:
        # A translation's words are not those in the sound: there is nothing to align them with.
        aligned = self.align and options.task == "transcribe"
        answer = self._worker().ask(
            "recognition.recognize",
            self._settings(),
            _samples(sound, channel, windows),
            language=language,
            task=options.task,
            initial_prompt=options.initial_prompt,
            hotwords=list(options.hotwords),
            align=aligned,
        )
        if not aligned:
            answer.values["events"].append("words are not aligned with the sound: their times are interpolated")
        return answer.values

    def _worker(self) -> SpeechWorker:
        return speech_worker(interpreter_path(self.python))

    def _settings(self) -> dict[str, Any]:
        return {
            "model": local_or_hub(self.model),
            "device": self.device,
            "cpu_fallback": self.cpu_fallback,
            "compute_type": self.compute_type,
            "batch_size": self.batch_size,
            "threads": self.threads,
            "beam_size": self.beam_size,
            "alignment_models": {code: local_or_hub(name) for code, name in self.alignment_models.items()},
            "cache_folder": self.cache_folder and local_or_hub(self.cache_folder),
        }


def _samples(sound: Sound, channel: int, windows: list[Window]) -> dict[str, np.ndarray]:
    return {str(at): sound.samples(one.start_s, one.end_s, channel) for at, one in enumerate(windows)}


def _scores_table(
    clip: str, channel: int, first: int, middles_s: np.ndarray, scores: np.ndarray, step_s: float, end_s: float
) -> pl.DataFrame:
    windows = pl.DataFrame({"middle_s": middles_s, "score": scores.astype(np.float32)})
    return windows.select(
        clip=pl.lit(clip),
        channel=pl.lit(channel, pl.Int32),
        window=pl.int_range(first, first + pl.len(), dtype=pl.Int64),
        start_s=pl.col("middle_s") - step_s / 2,
        end_s=pl.min_horizontal(pl.col("middle_s") + step_s / 2, pl.lit(end_s)),
        score="score",
        model=pl.lit(ACTIVITY_MODEL),
    )
