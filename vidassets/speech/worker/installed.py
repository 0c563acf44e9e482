"""Imports of the packages of the worker's interpreter."""

import importlib
import os
import sys
from types import ModuleType

from vidassets.speech.worker.failure import WorkerFailure


def imported(module: str) -> ModuleType:
    """Import a module.

    Raises:
        WorkerFailure: the module, or one that it imports, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        requirements = os.environ.get("VIDASSETS_REQUIREMENTS", "requirements/speech.txt")
        raise WorkerFailure(
            "model_missing",
            f"{sys.executable}: {error.name} is not installed there. "
            f"`{sys.executable} -m pip install -r {requirements}`",
        ) from error
