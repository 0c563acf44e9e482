"""Run a worker: `python -I …/vidassets/speech/worker/__main__.py`, requests on its input, answers on its output.

The interpreter has WhisperX and pyannote, but neither vidassets nor its dependencies. So the package is registered here
from its folder, and the modules of this folder import nothing of it except `vidassets.devices` and `vidassets.errors`.
"""

import importlib.util
import sys
from pathlib import Path


def main() -> None:
    """Serve until the process that asks is gone."""
    package = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location(
        package.name, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{package}: not a Python package.")
    sys.modules[package.name] = importlib.util.module_from_spec(spec)
    importlib.import_module(f"{package.name}.speech.worker.serving").serve()


if __name__ == "__main__":
    main()
