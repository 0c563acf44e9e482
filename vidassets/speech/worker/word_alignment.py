"""Word times, by wav2vec 2.0 models as WhisperX uses them."""

# pyright: reportMissingImports=false
# (whisperx is in the worker's interpreter.)

from typing import Any

import numpy as np

from vidassets.speech.worker.installed import imported
from vidassets.speech.worker.punkt import provide_sentence_data

SAMPLE_RATE_HZ = 16_000


class Aligner:
    """Alignment models, loaded when their language first occurs.

    Args:
        models: folder or hub name by ISO 639-1, instead of WhisperX's default.
        device: cpu or cuda:N.
        cache_folder: folder for downloads; None: that of each library.
    """

    def __init__(self, models: dict[str, str], device: str, cache_folder: str | None) -> None:
        self._names, self._device, self._cache_folder = models, device, cache_folder
        self._loaded: dict[str, Any] = {}
        self._notices: dict[str, list[str]] = {}

    def provide(self, language: str) -> list[str]:
        """Load the model of a language if needed; return notes for people about it, each time."""
        if language not in self._notices:
            self._notices[language] = self._load(language)
        return self._notices[language]

    def sentences(self, text: str, samples: np.ndarray, language: str) -> list[dict[str, Any]]:
        """Return the sentences of one window with word times; empty if nothing could be aligned.

        Args:
            text: of the window.
            samples: float32 (N,) at 16 kHz.
            language: one that `provide` was called with.
        """
        if language not in self._loaded:
            return []
        model, metadata = self._loaded[language]
        whole = [{"start": 0.0, "end": len(samples) / SAMPLE_RATE_HZ, "text": text}]
        aligned = imported("whisperx.alignment").align(whole, model, metadata, samples, self._device)
        words = [[_word(word) for word in sentence["words"]] for sentence in aligned["segments"]]
        return [
            {"text": sentence["text"].strip(), "words": sentence_words}
            for sentence, sentence_words in zip(aligned["segments"], words, strict=True)
            if sentence_words
        ]

    def _load(self, language: str) -> list[str]:
        alignment = imported("whisperx.alignment")
        known = {**alignment.DEFAULT_ALIGN_MODELS_TORCH, **alignment.DEFAULT_ALIGN_MODELS_HF, **self._names}
        if language not in known:
            return [f"no alignment model for {language!r}: word times are interpolated"]
        self._loaded[language] = alignment.load_align_model(
            language, self._device, model_name=self._names.get(language), model_dir=self._cache_folder
        )
        return provide_sentence_data(alignment.PUNKT_LANGUAGES, language)


def _word(word: dict[str, Any]) -> dict[str, Any]:
    """Return plain floats; `score` is null if WhisperX placed the word between its neighbours."""
    times = {name: _plain(word.get(name)) for name in ("start", "end", "score")}
    return {"text": word["word"], "start_s": times["start"], "end_s": times["end"], "score": times["score"]}


def _plain(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
