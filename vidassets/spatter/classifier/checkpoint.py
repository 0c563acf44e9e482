"""A training as it stands after an epoch, kept whole in one file. Needs torch: import it inside functions only."""

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
    """What a training needs to go on.

    No random state: each epoch draws from generators seeded by the recipe's seed and its own number.

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


def save(progress: Progress, path: Path) -> None:
    """Put the file into its place, whole or not at all, over the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".part")
    with written.open("wb") as file:
        torch.save(asdict(progress), file)
        file.flush()
        os.fsync(file.fileno())
    written.replace(path)


def load(path: Path, device: str) -> Progress | None:
    """The training that was left there; None where none was.

    Raises:
        ArtifactDamaged: the file is not a checkpoint of a training.
    """
    if not path.is_file():
        return None
    try:
        return Progress(**torch.load(path, map_location=device, weights_only=True))
    except (RuntimeError, EOFError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise ArtifactDamaged(
            f"{path}: not a whole checkpoint of a training ({type(error).__name__}). Delete it, and the training "
            "begins anew."
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


def copy_of(network: nn.Module) -> dict[str, torch.Tensor]:
    """Its weights, apart from what training does to it next."""
    return {name: weights.detach().clone() for name, weights in network.state_dict().items()}
