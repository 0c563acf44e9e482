"""The state of a training after an epoch, saved as one file. Needs torch: import it inside functions only."""

import os
import pickle
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vidassets.errors import ArtifactDamaged


@dataclass
class Progress:
    """The state from which a training resumes.

    It holds no random state: each epoch seeds its generators with the recipe's seed and the epoch's number.

    Args:
        network: weights after the last epoch.
        optimizer: Adam's moments.
        best: weights of the epoch with the lowest validation loss.
        history: a row of `spatter_schemas.SpatterTraining` per epoch, without `best`.
    """

    network: dict[str, Any]
    optimizer: dict[str, Any]
    best: dict[str, Any]
    history: list[dict[str, Any]] = field(default_factory=list)


def save_progress(progress: Progress, path: Path) -> None:
    """Write the checkpoint atomically, replacing the previous one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".part")
    with written.open("wb") as file:
        torch.save(asdict(progress), file)
        file.flush()
        os.fsync(file.fileno())
    written.replace(path)


def load_progress(path: Path, device: str) -> Progress | None:
    """Return the saved state of a training, or None if there is no checkpoint.

    Raises:
        ArtifactDamaged: the file is not a complete checkpoint.
    """
    if not path.is_file():
        return None
    try:
        return Progress(**torch.load(path, map_location=device, weights_only=True))
    except (RuntimeError, EOFError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise ArtifactDamaged(
            f"{path}: not a complete training checkpoint ({type(error).__name__}). Delete it; the training "
            "then starts from the beginning."
        ) from error


def delete_other_checkpoints(folder: Path, keep: str) -> None:
    """Delete the folders of trainings with other data or another recipe, which will not be resumed.

    Args:
        folder: holds a folder of checkpoints per training.
        keep: name of the folder that stays.
    """
    for other in folder.iterdir():
        if other.name != keep:
            with suppress(OSError):
                shutil.rmtree(other)


def export_checkpoint(network: nn.Module, notes: Mapping[str, Any]) -> bytes:
    """Return the weights and notes as `torch.load(…, weights_only=True)` reads them: keys `network` and `notes`."""
    file = BytesIO()
    torch.save({"network": network.state_dict(), "notes": dict(notes)}, file)
    return file.getvalue()


def copy_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of the weights, which further training does not change."""
    return {name: weights.detach().clone() for name, weights in network.state_dict().items()}
