"""A training whose process is killed in its third epoch, before its checkpoint is saved. `python -m … FOLDER`."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from vidassets.spatter.classifier.recipe import Execution, Recipe
from vidassets.spatter.classifier.training import train
from vidassets_tests.spatter.classifier.toy_crops import ToyCrops

RECIPE = Recipe(epochs=5, batch_size=32, min_steps=1, seed=7)


def killed_in_epoch_3(row: dict[str, Any]) -> None:
    if row["epoch"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    train(
        ToyCrops(200, seed=1),
        ToyCrops(60, seed=2),
        RECIPE,
        Execution(device="cpu"),
        data_hash="toys",
        checkpoints=Path(sys.argv[1]),
        on_epoch=killed_in_epoch_3,
    )
