"""What is said, and when each word is: WhisperX, one group of windows at a time.

Source: Bain, Huh, Han and Zisserman, "WhisperX: Time-accurate speech transcription of long-form audio", Interspeech
2023. What is done differently: windows are cut by the process that asks, which holds the sound; this one never sees
more than one group of them.
"""

# pyright: reportMissingImports=false
# (whisperx and ctranslate2 are in the worker's interpreter.)

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .devices import device_name, resolve_device
from .failure import WorkerFailure
from .framing import Message
from .installed import imported
from .memory import FittingBatch, empty_cache
from .word_alignment import Aligner

SAMPLE_RATE_HZ = 16_000


class RecognitionModel:
    """Whisper by faster-whisper, and the alignment models of the languages met.

    Args:
        model: folder of a CTranslate2 model, or its name on the hub.
        device: auto, cpu, cuda or cuda:N.
        cpu_fallback: whether the CPU may stand in for a GPU that is missing or too small.
        compute_type: as CTranslate2 names it.
        batch_size: windows at once.
        threads: on the CPU.
        beam_size: hypotheses that are kept.
        alignment_models: folder or hub name by ISO 639-1, where not WhisperX's own choice.
        cache_folder: where downloads are kept; None: where their libraries keep them.
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
        self._batch = FittingBatch(batch_size, "windows")
        self._alignment_models = alignment_models
        self._device, self._fallen_back = resolve_device(device, cpu_fallback)
        self._load()

    def describe(self, _arrays: dict[str, np.ndarray]) -> Message:
        """The device and the batch really used, and each step by which they were lowered."""
        return Message(
            {
                "device": device_name(self._device),
                "compute_type": self._pipeline.model.model.compute_type,
                "batch_size": self._batch.size,
                "lowered": "; ".join(self._fallen_back + self._batch.steps),
            }
        )

    def detect_language(self, arrays: dict[str, np.ndarray]) -> Message:
        """Which language it likely is, from the mean over some windows of speech.

        Args:
            arrays: windows, each float32 (N,) of 30 s at most, by any name.
        Returns:
            `language`, ISO 639-1, and its `probability`; null, and None, where the model knows English only.
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
        """What is said in each window.

        Args:
            arrays: windows, float32 (N,) each, of 30 s at most; their order is that of the answer.
            language: ISO 639-1, of the sound.
            task: transcribe or translate.
            initial_prompt: text that the decoder is to think went before.
            hotwords: to expect.
            align: whether words are to be aligned with the sound.
        Returns:
            `windows`: for each, its `text`, `confidence` and `sentences`, each with words whose times are seconds of
            the window, null where they could not be aligned; no sentences where there was no alignment. `events`.
        Raises:
            WorkerFailure: the language or the task is not in this model.
        """
        self._check(language, task)
        steps_before = len(self._fallen_back + self._batch.steps)
        windows = list(arrays.values())
        heard = self._transcribe(windows, language, task, initial_prompt, hotwords)
        events = (self._fallen_back + self._batch.steps)[steps_before:]
        answers = [{"text": one["text"].strip(), "confidence": _confidence(one)} for one in heard]
        if align:
            events += self._align(answers, windows, language)
        return Message({"windows": answers, "events": events})

    def _load(self) -> None:
        kind, _, index = self._device.partition(":")
        self._pipeline = imported("whisperx.asr").load_model(
            self._name,
            kind,  # CTranslate2 knows "cuda" and an index, never "cuda:0"
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
            # Both are passed: with a language alone, a pipeline that has another at hand raises ValueError.
            return self._pipeline.transcribe(sound, batch_size=batch_size, language=language, task=task)["segments"]

        try:
            return self._batch.attempt(run) if windows else []
        except WorkerFailure:
            if not self._cpu_fallback or self._device == "cpu":
                raise
        self._fallen_back.append(f"{self._device} does not hold one window: on the CPU, as the profile allows")
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
                f"{self._name} does not know the language {language!r}; it knows {', '.join(sorted(known))}.",
            )
        if task == "translate" and not self._multilingual:
            raise WorkerFailure("language_unsupported", f"{self._name} knows English only, and cannot translate.")


def _windows_given() -> Any:
    """What WhisperX takes for a voice activity model: it hands over windows that were found before."""
    vad = imported("whisperx.vads.vad").Vad

    class WindowsGiven(vad):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            super().__init__(0.5)
            self._spans: list[dict[str, float]] = []

        def put(self, windows: list[np.ndarray]) -> np.ndarray:
            ends = np.cumsum([len(samples) for samples in windows])
            # Half a sample on, so that seconds times rate never round down to the sample before.
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
    """The compute type, float32 where a fallback to the CPU cannot have the one of the GPU.

    Raises:
        WorkerFailure: the device does not have it.
    """
    supported = imported("ctranslate2").get_supported_compute_types(kind)
    if wanted in supported or wanted in {"default", "auto"}:
        return wanted
    if cpu_fallback and kind == "cpu":
        return "float32"
    raise WorkerFailure(
        "invalid_setting",
        f"compute_type {wanted!r} is not to be had on {kind}; there are {', '.join(sorted(supported))}, "
        "and `default` takes the usual one. Change it for speech_model in the profile.",
    )


def _confidence(heard: dict[str, Any]) -> float | None:
    """The geometric mean of its tokens' probabilities."""
    value = heard.get("avg_logprob")
    return None if value is None or not np.isfinite(value) else float(min(1.0, np.exp(value)))
