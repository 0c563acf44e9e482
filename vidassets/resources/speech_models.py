"""What a profile calls a model of speech: a folder of this machine, or a name on the hub."""

import hashlib
from pathlib import Path

from vidassets.resources.packages import sha256_of


def local_or_hub(name: str) -> str:
    """An absolute path for what is there on this machine, `~` taken for home; any other name as it is."""
    path = Path(name).expanduser()
    return str(path.absolute()) if path.exists() else name


def model_identity(name: str) -> str:
    """A digest of every file of a folder; the name, where the hub has it.

    Files are read once a process, unless they change.
    """
    folder = Path(name).expanduser()
    if not folder.exists():
        return name
    files = sorted(one for one in (folder.rglob("*") if folder.is_dir() else [folder]) if one.is_file())
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(folder)} {sha256_of(file)}\n".encode())
    return f"sha256:{digest.hexdigest()}"
