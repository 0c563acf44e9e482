"""Text and word times by WhisperX, one group of windows at a time.

Source: Bain, Huh, Han and Zisserman, "WhisperX: Time-accurate speech transcription of long-form audio", Interspeech
2023. Done differently: windows are cut by the process that asks, which holds the sound; the worker never has more
than one group of them.
"""

# pyright: reportMissingImports=false
# (whisperx and ctranslate2 are in the worker's interpreter.)

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from vidassets.devices import FittingBatch, device_name, empty_cache
from vidassets.errors import DeviceUnavailable
from vidassets.speech.worker.devices import MEMORY_TOO_SMALL, choose_device
from vidassets.speech.worker.failure import WorkerFailure
from vidassets.speech.worker.framing import Message
from vidassets.speech.worker.installed import imported
from vidassets.speech.worker.word_alignment import Aligner

SAMPLE_RATE_HZ = 16_000


class RecognitionModel:
    """Whisper by faster-whisper, and the alignment models of the languages that occur.

    Args:
        model: folder of a CTranslate2 model, or its name on the hub.
        device: auto, cpu, cuda or cuda:N.
        cpu_fallback: use the CPU if the GPU is missing or its memory too small.
        compute_type: as CTranslate2 names it.
        batch_size: windows per batch.
        threads: on the CPU.
        beam_size: hypotheses that the decoder keeps.
        alignment_models: folder or hub name by ISO 639-1, instead of WhisperX's default.
        cache_folder: folder for downloads; None: that of each library.
    """

    def __init__(
        self,
        model: str,
        device: str,
        cpu_fallback: bool,
        compute_type: str,
        batch_size: int,
        threads: int,
        beam_size: int,
        alignment_models: dict[str, str],
        cache_folder: str | None,
    ) -> None:
        import torch

        torch.set_num_threads(threads)
        self._settings = {"compute_type": compute_type, "threads": threads, "beam_size": beam_size}
        self._name, self._cache_folder, self._cpu_fallback = model, cache_folder, cpu_fallback
        self._windows = _windows_given()
        self._batch_size = batch_size
        self._batch = FittingBatch("windows at once", MEMORY_TOO_SMALL.format("windows"))
        self._alignment_models = alignment_models
        self._device, self._fallen_back = choose_device(device, cpu_fallback)
        self._load()

    def describe(self, _arrays: dict[str, np.ndarray]) -> Message:
        """Return the device and batch size used, and each reduction of them."""
        return Message(
            {
                "device": device_name(self._device),
                "compute_type": self._pipeline.model.model.compute_type,
                "batch_size": self._batch.size(self._batch_size),
                "lowered": "; ".join(self._fallen_back + self._batch.steps),
            }
        )

    def detect_language(self, arrays: dict[str, np.ndarray]) -> Message:
        """Detect the language, from the mean over some windows of speech.

        Args:
            arrays: windows, each float32 (N,) of at most 30 s, by any name.
        Returns:
            `language`, ISO 639-1, and its `probability`; en and None if the model supports only English.
        """
        if not self._multilingual:
            return Message({"language": "en", "probability": None})
        totals: dict[str, float] = {}
        for samples in arrays.values():
            for token, probability in self._language_scores(samples):
                totals[token[2:-2]] = totals.get(token[2:-2], 0.0) + float(probability) / len(arrays)
        language = max(totals, key=totals.__getitem__)
        return Message({"language": language, "probability": min(1.0, totals[language])})

    def recognize(
        self,
        arrays: dict[str, np.ndarray],
        language: str,
        task: str,
        initial_prompt: str | None,
        hotwords: list[str],
        align: bool,
    ) -> Message:
        """Recognise the text of each window.

        Args:
            arrays: windows, float32 (N,) each, of at most 30 s, in the order of the answer.
            language: ISO 639-1, of the sound.
            task: transcribe or translate.
            initial_prompt: text that the decoder treats as preceding the window.
            hotwords: names and terms to expect.
            align: align words with the sound.
        Returns:
            `windows`: for each, its `text`, `confidence` and, with alignment, `sentences` of words whose times are
            seconds of the window, null if they could not be aligned. `events`.
        Raises:
            WorkerFailure: the model does not support the language or the task.
        """
        self._check(language, task)
        steps_before = len(self._fallen_back + self._batch.steps)
        windows = list(arrays.values())
        texts = self._transcribe(windows, language, task, initial_prompt, hotwords)
        events = (self._fallen_back + self._batch.steps)[steps_before:]
        answers = [{"text": text["text"].strip(), "confidence": _confidence(text)} for text in texts]
        if align:
            events += self._align(answers, windows, language)
        return Message({"windows": answers, "events": events})

    def _load(self) -> None:
        kind, _, index = self._device.partition(":")
        self._pipeline = imported("whisperx.asr").load_model(
            self._name,
            kind,  # CTranslate2 takes "cuda" and an index, not "cuda:0"
            device_index=int(index or 0),
            compute_type=_compute_type(self._settings["compute_type"], kind, self._cpu_fallback),
            asr_options={"beam_size": self._settings["beam_size"]},
            vad_model=self._windows,
            download_root=self._cache_folder,
            threads=self._settings["threads"],
        )
        self._multilingual = bool(self._pipeline.model.model.is_multilingual)
        self._aligner = Aligner(self._alignment_models, self._device, self._cache_folder)

    def _transcribe(
        self, windows: list[np.ndarray], language: str, task: str, initial_prompt: str | None, hotwords: list[str]
    ) -> list[dict[str, Any]]:
        sound = self._windows.put(windows)
        self._pipeline.options = dataclasses.replace(
            self._pipeline.options, initial_prompt=initial_prompt, hotwords=", ".join(hotwords) or None
        )

        def run(batch_size: int) -> list[dict[str, Any]]:
            # With a language but no task, a pipeline that was used with another language raises ValueError.
            return self._pipeline.transcribe(sound, batch_size=batch_size, language=language, task=task)["segments"]

        try:
            return self._batch.attempt(self._batch_size, run) if windows else []
        except DeviceUnavailable:
            if not self._cpu_fallback or self._device == "cpu":
                raise
        self._fallen_back.append(
            f"The memory of {self._device} does not hold one window: the CPU is used, as the profile allows"
        )
        self._device = "cpu"
        del self._pipeline, self._aligner
        empty_cache()
        self._load()
        return self._transcribe(windows, language, task, initial_prompt, hotwords)

    def _align(self, answers: list[dict[str, Any]], windows: list[np.ndarray], language: str) -> list[str]:
        events = self._aligner.provide(language)
        for answer, samples in zip(answers, windows, strict=True):
            answer["sentences"] = self._aligner.sentences(answer["text"], samples, language) if answer["text"] else []
        return events

    def _language_scores(self, samples: np.ndarray) -> Sequence[tuple[str, float]]:
        audio = imported("whisperx.audio")
        samples = samples[: audio.N_SAMPLES]
        n_mels = self._pipeline.model.feat_kwargs.get("feature_size") or 80
        features = audio.log_mel_spectrogram(samples, n_mels=n_mels, padding=audio.N_SAMPLES - len(samples))
        return self._pipeline.model.model.detect_language(self._pipeline.model.encode(features))[0]

    def _check(self, language: str, task: str) -> None:
        known = imported("whisperx.utils").LANGUAGES if self._multilingual else {"en": "english"}
        if language not in known:
            raise WorkerFailure(
                "language_unsupported",
                f"{self._name} does not support the language {language!r}, only {', '.join(sorted(known))}.",
            )
        if task == "translate" and not self._multilingual:
            raise WorkerFailure("language_unsupported", f"{self._name} supports only English, and cannot translate.")


def _windows_given() -> Any:
    """Return a voice activity model for WhisperX that returns windows found earlier."""
    vad = imported("whisperx.vads.vad").Vad

    class WindowsGiven(vad):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            super().__init__(0.5)
            self._spans: list[dict[str, float]] = []

        def put(self, windows: list[np.ndarray]) -> np.ndarray:
            ends = np.cumsum([len(samples) for samples in windows])
            # Plus half a sample, so that seconds times rate never round down to the previous sample.
            edges = (np.concatenate([[0], ends]) + 0.5) / SAMPLE_RATE_HZ
            self._spans = [{"start": start, "end": end} for start, end in itertools.pairwise(edges)]
            return np.concatenate([*windows, np.zeros(1, np.float32)])

        def __call__(self, _file: Any) -> list[dict[str, float]]:
            return self._spans

        @staticmethod
        def preprocess_audio(audio: np.ndarray) -> np.ndarray:
            return audio

        @staticmethod
        def merge_chunks(segments: list[dict[str, float]], *_args: Any, **_settings: Any) -> list[dict[str, float]]:
            return segments

    return WindowsGiven()


def _compute_type(wanted: str, kind: str, cpu_fallback: bool) -> str:
    """Return the compute type, or float32 if the CPU replaces a GPU and does not support it.

    Raises:
        WorkerFailure: the device does not support it.
    """
    supported = imported("ctranslate2").get_supported_compute_types(kind)
    if wanted in supported or wanted in {"default", "auto"}:
        return wanted
    if cpu_fallback and kind == "cpu":
        return "float32"
    raise WorkerFailure(
        "invalid_setting",
        f"compute_type {wanted!r} is not supported on {kind}; supported are {', '.join(sorted(supported))}, and "
        "`default`. Change it for speech_model in the profile.",
    )


def _confidence(text: dict[str, Any]) -> float | None:
    """Return the geometric mean of the tokens' probabilities."""
    value = text.get("avg_logprob")
    return None if value is None or not np.isfinite(value) else float(min(1.0, np.exp(value)))
