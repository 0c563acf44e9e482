"""What a classifier is made by: the settings that change its weights, and those that only change how fast it learns."""

import hashlib
import json
from dataclasses import asdict, dataclass
from math import ceil

from vidassets.errors import InvalidSetting

# Chosen here, not tuned: on the 400 crops of the sample builds (20 epochs, one seed) batches of 8 did better than
# batches of 2 to 4 where crops were split at random, and worse than batches of 2 where split by layer.
SMALLEST_BATCH = 8


@dataclass(frozen=True)
class Recipe:
    """Binary cross-entropy with logits, Adam. Architecture, epochs, batch size, rate and seed are by default those for
    which 98.38 % was reported on 598,933 crops of six recordings, split by random crop: so crops of one layer stood on
    both sides. Patience, and more steps where crops are few, are added here; that figure was not measured with them.

    Args:
        architecture: see `architectures.network_of`.
        width: of LeNet's layers, 1 as published.
        epochs: at most.
        batch_size: crops a step, at most.
        min_batches: of an epoch: where crops are few, batches are smaller, so that the network learns in steps enough.
            64 batches of 1024 are 65,536 crops: with as many, it changes nothing. 1 leaves batch_size as it is.
        min_steps: of a training: where crops are few, epochs are more, and patience is as much longer. 1 leaves
            epochs as they are.
        learning_rate: of Adam.
        patience_epochs: training stops after so many epochs without a lower validation loss; None: never.
        seed: of the first weights, of the order of crops, of dropout.
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
        """Refuse what cannot be trained by.

        Raises:
            InvalidSetting: not a number above zero, or a seed below zero.
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

    def batch_of(self, n_crops: int) -> int:
        """Crops a step, of so many in all.

        >>> Recipe().batch_of(359_000), Recipe().batch_of(6_400), Recipe().batch_of(240)
        (1024, 100, 8)
        """
        return min(self.batch_size, max(SMALLEST_BATCH, n_crops // self.min_batches))

    def epochs_of(self, n_crops: int) -> int:
        """Epochs over so many crops, at most.

        >>> Recipe().epochs_of(359_000), Recipe().epochs_of(240)
        (20, 50)
        """
        steps = ceil(n_crops / self.batch_of(n_crops))
        return max(self.epochs, ceil(self.min_steps / max(1, steps)))

    def patience_of(self, n_crops: int) -> int | None:
        """Patience over so many crops, in epochs; None where there is no end to it.

        >>> Recipe().patience_of(359_000), Recipe().patience_of(240)
        (5, 13)
        """
        patience = self.patience_epochs
        return None if patience is None else ceil(patience * self.epochs_of(n_crops) / self.epochs)


@dataclass(frozen=True)
class Execution:
    """Where the training runs.

    Args:
        device: cpu, mps, cuda, cuda:N, or auto: the first there is of cuda, mps, cpu.
        threads: of torch on the CPU.
        workers: processes that read crops ahead; 0 reads them in the training process.
    """

    device: str = "auto"
    threads: int = 1
    workers: int = 0


def fingerprint(recipe: Recipe, **circumstances: object) -> str:
    """16 hex digits that tell two trainings apart: what they are made by, and what else changes their last digits.

    >>> fingerprint(Recipe(), data="a") == fingerprint(Recipe(), data="b")
    False
    """
    told = json.dumps(asdict(recipe) | circumstances, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]
