"""The search for a better recipe of the classifier: accuracy against cost."""

from typing import Any

import polars as pl
from pydantic import Field

from vidassets.assets.spatter.crop_sets import CropChoice, open_crop_sets, split_of
from vidassets.graph.dataset_asset import dataset_asset
from vidassets.graph.declared_asset import AssetResult
from vidassets.graph.partitions import builds
from vidassets.graph.preview import picture
from vidassets.resources.store import Store
from vidassets.resources.trainer import Trainer
from vidassets.schemas import spatter as spatter_schemas


class RecipeSearch(CropChoice):
    """The space of recipes and the length of the search."""

    n_trials: int = Field(
        default=20, ge=1, description="Number of trials in total; a later search with more adds to the existing ones."
    )
    epochs: int = Field(default=20, ge=1, description="Maximum number of epochs per trial.")
    patience_epochs: int | None = Field(
        default=5, ge=1, description="Epochs without a lower validation loss before a trial stops. None: never stop."
    )
    architectures: list[str] = Field(
        default=["lenet5", "lenet5-classical"],
        min_length=1,
        description="Architectures to try, as named in the settings of `spatter_classifier`.",
    )
    widths: list[float] = Field(
        default=[0.25, 0.5, 1.0, 2.0], min_length=1, description="Factors on the width of LeNet's layers."
    )
    batch_sizes: list[int] = Field(default=[256, 512, 1024], min_length=1, description="Crops per step.")
    lowest_learning_rate: float = Field(default=1e-4, gt=0, description="Lower bound of Adam's learning rate.")
    highest_learning_rate: float = Field(default=1e-2, gt=0, description="Upper bound of Adam's learning rate.")


def _front(artifact: pl.DataFrame) -> str:
    from vidassets.spatter.classifier.report import draw_search

    return picture(draw_search(artifact), f"{len(artifact)} trials")


@dataset_asset(
    group="spatter_on_demand",
    kinds={"parquet", "optuna"},
    version="1",
    schema=spatter_schemas.SpatterSearch,
    partitions=builds,
    pool="spatter_training",
    preview=_front,
    on_demand=True,
)
def spatter_search(spatter_index: pl.DataFrame, config: RecipeSearch, trainer: Trainer, store: Store) -> AssetResult:
    """Search for a better recipe with Optuna: validation accuracy against parameters, Pareto front marked.

    Computed only when selected by name. An interrupted search resumes with the trial that it had begun.
    """
    from vidassets.spatter.classifier.recipe import Recipe
    from vidassets.spatter.classifier.search import SearchSpace, search_recipes

    recipe = Recipe(epochs=config.epochs, patience_epochs=config.patience_epochs, seed=config.seed)
    space = SearchSpace(
        tuple(config.architectures),
        tuple(config.widths),
        tuple(config.batch_sizes),
        (config.lowest_learning_rate, config.highest_learning_rate),
    )
    with open_crop_sets(spatter_index, store.open(), config, split_of(spatter_index, config)) as crops:
        trials = search_recipes(
            crops.train,
            crops.validation,
            recipe,
            space,
            trainer.execution(),
            n_trials=config.n_trials,
            data_hash=crops.data_hash,
            folder=trainer.checkpoint_folder(store, "spatter_search"),
        )
    metadata: dict[str, Any] = {"on_the_front": int(trials["pareto"].sum())}
    for best in trials.filter("pareto").sort("validation_accuracy").tail(1).iter_rows(named=True):
        names = ("architecture", "width", "batch_size", "learning_rate", "validation_accuracy")
        metadata |= {f"best_{name}": best[name] for name in names}
    return AssetResult(trials, metadata)
