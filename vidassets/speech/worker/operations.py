"""The operations of a worker, and the models that it keeps loaded."""

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from vidassets.speech.worker.framing import Message

Arrays = dict[str, np.ndarray]


class Operations:
    """Performs requests; a model is loaded by the first request that needs it, and kept until the process ends."""

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}

    def perform(self, request: dict[str, Any], arrays: Arrays) -> Message:
        """Return the answer to a request.

        Args:
            request: `operation`, `model` (its settings) and `arguments`.
            arrays: usually sound, float32 (N,) at 16 kHz.
        """
        operation, settings, arguments = request["operation"], request["model"], request["arguments"]
        if operation == "echo":
            return Message({"pid": os.getpid(), **arguments}, arrays)
        group, _, name = operation.partition(".")
        return getattr(self._model(group, settings), name)(arrays, **arguments)

    def _model(self, group: str, settings: dict[str, Any]) -> Any:
        key = json.dumps([group, settings], sort_keys=True)
        if key not in self._models:
            self._models[key] = _loaders()[group](**settings)
        return self._models[key]


def _loaders() -> dict[str, Callable[..., Any]]:
    from vidassets.speech.worker.activity import ActivityModel
    from vidassets.speech.worker.diarization import DiarizationModel
    from vidassets.speech.worker.recognition import RecognitionModel

    return {"activity": ActivityModel, "recognition": RecognitionModel, "diarization": DiarizationModel}
