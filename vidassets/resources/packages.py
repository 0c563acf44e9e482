"""Packages that a profile's models come from: their versions, their files, and the mend where one is missing.

None is imported for its version or its files: some leave traces in a process, some are slow.
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


def package_version(distribution: str, mend: str) -> str:
    """As it is installed.

    Raises:
        ModelMissing: it is not.
    """
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelMissing(f"{distribution} is not installed, and the profile names a model of it. `{mend}`") from error


def package_path(package: str, inside: str, mend: str) -> Path:
    """A file or folder that a package holds.

    Raises:
        ModelMissing: it is not there.
    """
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / inside if spec and spec.origin else Path(package) / inside
    if not path.exists():
        raise ModelMissing(f"{path}: not there, and the profile names a model of it. `{mend}`")
    return path


def required_module(module: str, mend: str) -> ModuleType:
    """The module, imported.

    Raises:
        ModelMissing: it, or something that it needs, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModelMissing(f"{error.name} is not installed, and the profile names a model of it. `{mend}`") from error


def sha256_of(path: Path) -> str:
    """Hex digest; read once a process, unless the file changes."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@cache
def _sha256(path: Path, _size_bytes: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
