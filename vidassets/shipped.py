"""Files that come with the package: profiles, requirements, the settings of the Dagster instance.

In a checkout they are in the project folder. A wheel has no project folder, so it carries them in
`vidassets/project_files/` under the same relative paths (`force-include` in pyproject.toml).
"""

import shlex
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = PACKAGE / "project_files"
IS_CHECKOUT = not _IN_WHEEL.is_dir()

FILES = PACKAGE.parent if IS_CHECKOUT else _IN_WHEEL
PROFILES = FILES / "resources"
DAGSTER_YAML = FILES / "dagster.yaml"

# Where `data/`, `.dagster_home/` and `.venv-speech/` are kept by default. Not in the folder of an installed package:
# the next update would delete them.
DEFAULT_HOME = PACKAGE.parent if IS_CHECKOUT else Path.home() / "vidassets"


def requirements_file(name: str) -> str:
    """Return the path of a file in `requirements/`, quoted for a shell."""
    return shlex.quote(str(FILES / "requirements" / name))
