"""Versions and files of the packages that models come from, with errors that say how to install a missing package.

Versions and files are found without importing the package, because some imports are slow or have side effects.
"""

import hashlib
import importlib
import importlib.metadata
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

from vidassets.errors import ModelMissing
from vidassets.shipped import requirements_file

INSTALL = f"pip install --no-deps --require-hashes -r {requirements_file('embedded.txt')}"


def package_version(distribution: str, how_to_fix: str) -> str:
    """Return the installed version.

    Raises:
        ModelMissing: the package is not installed.
    """
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelMissing(
            f"{distribution} is not installed, but the profile names a model of it. `{how_to_fix}`"
        ) from error


def package_path(package: str, inside: str, how_to_fix: str) -> Path:
    """Return the path of a file or folder in a package.

    Raises:
        ModelMissing: it does not exist.
    """
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / inside if spec and spec.origin else Path(package) / inside
    if not path.exists():
        raise ModelMissing(f"{path}: does not exist, but the profile names a model of it. `{how_to_fix}`")
    return path


def required_module(module: str, how_to_fix: str) -> ModuleType:
    """Import a module.

    Raises:
        ModelMissing: the module, or one that it imports, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModelMissing(
            f"{error.name} is not installed, but the profile names a model of it. `{how_to_fix}`"
        ) from error


def sha256_of(path: Path) -> str:
    """Return the hex digest of a file, read once per process unless the file changes."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@cache
def _sha256(path: Path, _size_bytes: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
