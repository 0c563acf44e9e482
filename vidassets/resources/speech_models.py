"""Names of speech models in a profile: a local folder, or a name on the hub."""

import hashlib
from pathlib import Path

from vidassets.resources.packages import sha256_of


def local_or_hub(name: str) -> str:
    """Return the absolute path if it exists on this machine (`~` is expanded), else the name unchanged."""
    path = Path(name).expanduser()
    return str(path.absolute()) if path.exists() else name


def model_identity(name: str) -> str:
    """Return a digest of all files of a folder; for a model on the hub, its name.

    Files are read once per process, unless they change.
    """
    folder = Path(name).expanduser()
    if not folder.exists():
        return name
    files = sorted(path for path in (folder.rglob("*") if folder.is_dir() else [folder]) if path.is_file())
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(folder)} {sha256_of(file)}\n".encode())
    return f"sha256:{digest.hexdigest()}"
