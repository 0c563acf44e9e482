"""How much crops without a label improve a classifier that has few crops with one."""

import polars as pl
from pydantic import Field

from vidassets.assets.spatter.crop_sets import CropChoice, open_crop_sets, split_of
from vidassets.graph.dataset_asset import dataset_asset
from vidassets.graph.partitions import builds
from vidassets.resources.store import Store
from vidassets.schemas import spatter as spatter_schemas


class ConsistencyComparison(CropChoice):
    """How many crops keep their label, and how long each training is."""

    n_labelled: list[int] = Field(
        default=[20, 40, 80], min_length=1, description="Numbers of crops that keep their label, each compared."
    )
    steps: int = Field(default=600, ge=1, description="Steps of each training.")
    max_crops: int = Field(
        default=20_000, ge=2, description="Maximum number of crops taken from each part: they are held in memory."
    )


def _gain(artifact: pl.DataFrame) -> str:
    lines = ["| crops with a label | without | supervised | with consistency |", "|---|---|---|---|"]
    for row in artifact.iter_rows(named=True):
        accuracies = f"{row['supervised_accuracy']:.1%} | {row['consistency_accuracy']:.1%}"
        lines.append(f"| {row['n_labelled']} | {row['n_unlabelled']} | {accuracies} |")
    return "\n".join(lines)


@dataset_asset(
    group="spatter_on_demand",
    kinds={"parquet", "pytorch"},
    version="1",
    schema=spatter_schemas.SpatterConsistency,
    partitions=builds,
    pool="spatter_training",
    preview=_gain,
    on_demand=True,
)
def spatter_consistency(spatter_index: pl.DataFrame, config: ConsistencyComparison, store: Store) -> pl.DataFrame:
    """Compare training on a few labels with training on the same labels and all other crops without labels.

    It shows whether labelling more is worthwhile: FixMatch's consistency training against supervised training of
    LeNet-5. Computed only when selected by name.
    """
    from vidassets.spatter.classifier.consistency import ConsistencySettings, compare_label_counts

    settings = ConsistencySettings(steps=config.steps, seed=config.seed)
    with open_crop_sets(spatter_index, store.open(), config, split_of(spatter_index, config)) as crops:
        return compare_label_counts(crops.train, crops.test, config.n_labelled, config.max_crops, settings)
