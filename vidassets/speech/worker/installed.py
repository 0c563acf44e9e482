"""Imports of what the worker's interpreter is for."""

import importlib
import os
import sys
from types import ModuleType

from .failure import WorkerFailure


def imported(module: str) -> ModuleType:
    """The module.

    Raises:
        WorkerFailure: it, or what it needs, is not installed here.
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
