"""A search for a better recipe of the classifier: accuracy against cost."""

from typing import Any

import polars as pl
from pydantic import Field

from vidassets.assets.spatter.classifier import execution_of
from vidassets.assets.spatter.crop_sets import CropChoice, open_crop_sets, split_of
from vidassets.graph.clip_asset import ClipResult
from vidassets.graph.dataset_asset import dataset_asset
from vidassets.graph.partitions import builds
from vidassets.graph.preview import picture
from vidassets.resources.store import Store
from vidassets.resources.trainer import Trainer
from vidassets.schemas import spatter as spatter_schemas


class RecipeSearch(CropChoice):
    """Where to look, and for how long."""

    n_trials: int = Field(default=20, ge=1, description="In all; a later search with more adds to those there are.")
    epochs: int = Field(default=20, ge=1, description="Of a trial, at most.")
    patience_epochs: int | None = Field(default=5, ge=1, description="As for the classifier.")
    architectures: list[str] = Field(default=["lenet5", "lenet5-classical"], min_length=1, description="By name.")
    widths: list[float] = Field(default=[0.25, 0.5, 1.0, 2.0], min_length=1, description="Of LeNet's layers.")
    batch_sizes: list[int] = Field(default=[256, 512, 1024], min_length=1, description="Crops a step.")
    lowest_learning_rate: float = Field(default=1e-4, gt=0, description="Of Adam.")
    highest_learning_rate: float = Field(default=1e-2, gt=0, description="Of Adam.")


def _front(artifact: pl.DataFrame) -> str:
    from vidassets.spatter.classifier.report import search_picture

    return picture(search_picture(artifact), f"{len(artifact)} trials")


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
def spatter_search(spatter_index: pl.DataFrame, config: RecipeSearch, trainer: Trainer, store: Store) -> ClipResult:
    """Recipes tried by Optuna: accuracy on validation crops against parameters, with the Pareto front marked.

    Made only when it is asked for by name. Interrupted, it goes on with the trial it was at.
    """
    from vidassets.spatter.classifier.recipe import Recipe
    from vidassets.spatter.classifier.search import SearchSpace, search

    recipe = Recipe(epochs=config.epochs, patience_epochs=config.patience_epochs, seed=config.seed)
    space = SearchSpace(
        tuple(config.architectures),
        tuple(config.widths),
        tuple(config.batch_sizes),
        (config.lowest_learning_rate, config.highest_learning_rate),
    )
    with open_crop_sets(spatter_index, store.open(), config, split_of(spatter_index, config)) as sets:
        trials = search(
            sets.train,
            sets.validation,
            recipe,
            space,
            execution_of(trainer),
            n_trials=config.n_trials,
            data_hash=sets.data_hash,
            folder=trainer.under_way(store, "spatter_search"),
        )
    best = trials.filter("pareto").sort("validation_accuracy").tail(1)
    metadata: dict[str, Any] = {"on_the_front": int(trials["pareto"].sum())}
    metadata |= {
        f"best_{name}": best[name].item()
        for name in ("architecture", "width", "batch_size", "learning_rate", "validation_accuracy")
        if len(best)
    }
    return ClipResult(trials, metadata)
