"""A search whose process is killed in the second epoch of its second trial. `python -m … FOLDER`."""

import os
import signal
import sys
from pathlib import Path

from vidassets.spatter.classifier.recipe import Execution, Recipe
from vidassets.spatter.classifier.search import SearchSpace, search_recipes
from vidassets_tests.spatter.classifier.toy_crops import ToyCrops

RECIPE = Recipe(epochs=2)
SPACE = SearchSpace(widths=(0.1, 0.25), batch_sizes=(16, 32))


class MortalCrops(ToyCrops):
    """The process is killed when its fourth epoch begins."""

    epochs_begun = 0

    def set_epoch(self, epoch: int) -> None:
        self.epochs_begun += 1
        if self.epochs_begun == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        super().set_epoch(epoch)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    crops, validation = MortalCrops(64, seed=1), ToyCrops(40, seed=2)
    search_recipes(crops, validation, RECIPE, SPACE, Execution("cpu"), n_trials=3, data_hash="toys", folder=folder)
