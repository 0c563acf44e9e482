"""Runs a worker: `python -I …/vidassets/speech/worker/__main__.py`, requests on its input, answers on its output.

The interpreter has WhisperX and pyannote, and need not have vidassets: this folder becomes a package under a name of
its own, which is why its modules import each other relatively.
"""

import importlib.util
import sys
from pathlib import Path

PACKAGE = "speech_worker"


def main() -> None:
    """Serve until the other side is gone."""
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder}: no Python package there.")
    sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    importlib.import_module(f"{PACKAGE}.serving").serve()


if __name__ == "__main__":
    main()
