"""The settings of a training: the recipe, which determines the weights, and the execution, which does not."""

import hashlib
import json
from dataclasses import asdict, dataclass
from math import ceil

from vidassets.errors import InvalidSetting

# Chosen here, not tuned: on the 400 crops of the sample builds (20 epochs, one seed), batches of 8 were better than
# batches of 2 to 4 on the split by random crop, and worse than batches of 2 on the split by layer.
SMALLEST_BATCH = 8


@dataclass(frozen=True)
class Recipe:
    """The settings that determine the weights. The loss is binary cross-entropy with logits, the optimizer Adam.

    The defaults of architecture, epochs, batch size, learning rate and seed are those for which an accuracy of 98.38 %
    was reported on 598,933 crops of six recordings. That split was by random crop, so crops of a layer were in both
    training and test. Patience and the minimum numbers are added here; the figure was measured without them.

    Args:
        architecture: see `architectures.build_network`.
        width: factor on the width of LeNet's layers, 1 as published.
        epochs: maximum, unless min_steps requires more.
        batch_size: maximum number of crops per step.
        min_batches: minimum per epoch. With few crops, batches are smaller, so that there are enough steps. From
            65,536 crops on (64 batches of 1024) it has no effect. 1 leaves batch_size unchanged.
        min_steps: minimum per training. With few crops, there are more epochs and patience grows in proportion. 1
            leaves epochs unchanged.
        learning_rate: of Adam.
        patience_epochs: epochs without a lower validation loss before training stops. None: never stop.
        seed: of initial weights, order of crops and dropout.
    """

    architecture: str = "lenet5"
    width: float = 1.0
    epochs: int = 20
    batch_size: int = 1024
    min_batches: int = 64
    min_steps: int = 1500
    learning_rate: float = 1e-3
    patience_epochs: int | None = 5
    seed: int = 1234

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InvalidSetting: a number is not above zero, or the seed is below zero.
        """
        positive = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "min_batches": self.min_batches,
            "min_steps": self.min_steps,
            "learning_rate": self.learning_rate,
            "patience_epochs": 1 if self.patience_epochs is None else self.patience_epochs,
        }
        for name, value in positive.items():
            if not value > 0:
                raise InvalidSetting(f"{name} {value}: must be above 0.")
        if self.seed < 0:
            raise InvalidSetting(f"seed {self.seed}: must be 0 or more.")

    def batch_size_for(self, n_crops: int) -> int:
        """Return the number of crops per step for a training set of n_crops.

        >>> Recipe().batch_size_for(359_000), Recipe().batch_size_for(6_400), Recipe().batch_size_for(240)
        (1024, 100, 8)
        """
        return min(self.batch_size, max(SMALLEST_BATCH, n_crops // self.min_batches))

    def epochs_for(self, n_crops: int) -> int:
        """Return the maximum number of epochs for a training set of n_crops.

        >>> Recipe().epochs_for(359_000), Recipe().epochs_for(240)
        (20, 50)
        """
        steps = ceil(n_crops / self.batch_size_for(n_crops))
        return max(self.epochs, ceil(self.min_steps / max(1, steps)))

    def patience_for(self, n_crops: int) -> int | None:
        """Return the patience in epochs for a training set of n_crops; None if it is unlimited.

        >>> Recipe().patience_for(359_000), Recipe().patience_for(240)
        (5, 13)
        """
        patience = self.patience_epochs
        return None if patience is None else ceil(patience * self.epochs_for(n_crops) / self.epochs)


@dataclass(frozen=True)
class Execution:
    """The settings of a training that do not determine its weights, apart from rounding.

    Args:
        device: cpu, mps, cuda, cuda:N, or auto: the first available of cuda, mps, cpu.
        threads: CPU threads of torch.
        workers: processes that read crops ahead; 0 reads them in the training process.
    """

    device: str = "auto"
    threads: int = 1
    workers: int = 0


def fingerprint(recipe: Recipe, **circumstances: object) -> str:
    """Return 16 hex digits that identify a training.

    Args:
        recipe: of the training.
        circumstances: what else affects the weights: data, device, versions ….

    >>> fingerprint(Recipe(), data="a") == fingerprint(Recipe(), data="b")
    False
    """
    content = json.dumps(asdict(recipe) | circumstances, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
