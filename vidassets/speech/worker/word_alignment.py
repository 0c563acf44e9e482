"""When each word is said, by wav2vec 2.0 models as WhisperX uses them."""

# pyright: reportMissingImports=false
# (whisperx is in the worker's interpreter.)

from typing import Any

import numpy as np

from .installed import imported
from .punkt import provide_sentence_data

SAMPLE_RATE_HZ = 16_000


class Aligner:
    """Alignment models, loaded when their language is met.

    Args:
        models: folder or hub name by ISO 639-1, where not WhisperX's own choice.
        device: cpu or cuda:N.
        cache_folder: where downloads are kept; None: where their libraries keep them.
    """

    def __init__(self, models: dict[str, str], device: str, cache_folder: str | None) -> None:
        self._names, self._device, self._cache_folder = models, device, cache_folder
        self._loaded: dict[str, Any] = {}
        self._notices: dict[str, list[str]] = {}

    def provide(self, language: str) -> list[str]:
        """Make ready for a language; what a person should know of it, each time."""
        if language not in self._notices:
            self._notices[language] = self._load(language)
        return self._notices[language]

    def sentences(self, text: str, samples: np.ndarray, language: str) -> list[dict[str, Any]]:
        """Sentences of one window, with words and their times; empty where nothing could be aligned.

        Args:
            text: what is said in it.
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
            {"text": sentence["text"].strip(), "words": of_it}
            for sentence, of_it in zip(aligned["segments"], words, strict=True)
            if of_it
        ]

    def _load(self, language: str) -> list[str]:
        alignment = imported("whisperx.alignment")
        known = {**alignment.DEFAULT_ALIGN_MODELS_TORCH, **alignment.DEFAULT_ALIGN_MODELS_HF, **self._names}
        if language not in known:
            return [f"there is no alignment model for {language!r}: its words' times are interpolated"]
        self._loaded[language] = alignment.load_align_model(
            language, self._device, model_name=self._names.get(language), model_dir=self._cache_folder
        )
        return provide_sentence_data(alignment.PUNKT_LANGUAGES, language)


def _word(word: dict[str, Any]) -> dict[str, Any]:
    """Plain floats; `score` is null where WhisperX put the word between its neighbours."""
    times = {name: _plain(word.get(name)) for name in ("start", "end", "score")}
    return {"text": word["word"], "start_s": times["start"], "end_s": times["end"], "score": times["score"]}


def _plain(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
