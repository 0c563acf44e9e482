"""The classifier of gas flow, trained on all labelled builds, with its evaluation and drift reference."""

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.assets.spatter.crop_sets import CropChoice, open_crop_sets, split_of
from vidassets.graph.artifact import Blob
from vidassets.graph.dataset_asset import dataset_asset
from vidassets.graph.declared_asset import AssetResult
from vidassets.graph.partitions import builds
from vidassets.graph.preview import picture
from vidassets.resources.experiment_tracker import TrackedRun, Tracker
from vidassets.resources.store import Store
from vidassets.resources.trainer import Trainer
from vidassets.schemas import spatter as spatter_schemas

if TYPE_CHECKING:
    from vidassets.spatter.classifier.recipe import Recipe

RANDOM = "split_random"


class ClassifierTraining(CropChoice):
    """The recipe of the classifier."""

    architecture: str = Field(
        default="lenet5",
        description="lenet5, lenet5-classical; with the extra `architectures` resnet18, resnet34, efficientnet-b0, "
        "efficientnet-b1, vit-tiny.",
    )
    width: float = Field(default=1.0, gt=0, description="Factor on the width of LeNet's layers; 1 as published.")
    epochs: int = Field(default=20, ge=1, description="Maximum number of epochs, unless min_steps requires more.")
    batch_size: int = Field(default=1024, ge=1, description="Maximum number of crops per step.")
    min_batches: int = Field(
        default=64, ge=1, description="Minimum number of batches per epoch: with few crops, batches are smaller."
    )
    min_steps: int = Field(
        default=1500, ge=1, description="Minimum number of training steps: with few crops, there are more epochs."
    )
    learning_rate: float = Field(default=1e-3, gt=0, description="Learning rate of Adam.")
    patience_epochs: int | None = Field(
        default=5, ge=1, description="Epochs without a lower validation loss before training stops. None: never stop."
    )
    compare_with_random: bool = Field(
        default=True,
        description="Train a second time on a split by random crop, as often reported, to show how much that "
        "overestimates the accuracy.",
    )


def recipe_of(config: ClassifierTraining) -> "Recipe":
    """Return the part of the config that the training takes."""
    from vidassets.spatter.classifier.recipe import Recipe

    return Recipe(**{field.name: getattr(config, field.name) for field in fields(Recipe)})


@dataset_asset(
    group="spatter_classifier",
    kinds={"onnx", "pytorch"},
    version="1",
    extension="onnx",
    partitions=builds,
    pool="spatter_training",
    also={
        "spatter_checkpoint": Blob(
            "pt", "The weights of `spatter_classifier` for torch: `network`, and `notes` on it."
        ),
        "spatter_training": spatter_schemas.SpatterTraining,
        "spatter_evaluation": spatter_schemas.SpatterEvaluation,
        "spatter_build_accuracy": spatter_schemas.SpatterBuildAccuracy,
        "spatter_drift_reference": Blob("npz", "Where crops lie in the eyes of `spatter_classifier`: what it knows."),
    },
)
def spatter_classifier(
    spatter_index: pl.DataFrame,
    config: ClassifierTraining,
    trainer: Trainer,
    experiment_tracker: Tracker,
    store: Store,
) -> AssetResult:
    """Train the classifier of low and high gas flow. ONNX: `crops` (N, 3, 32, 32) in [0, 1] → `logit`, `embedding`.

    It is evaluated on the strictest split that the labelled builds allow and, for comparison, on a split by random
    crop. An interrupted training resumes after its last epoch; on a CPU the same seed gives the same weights.
    """
    from vidassets.spatter.classifier.checkpoint import delete_other_checkpoints
    from vidassets.spatter.classifier.recipe import fingerprint
    from vidassets.spatter.classifier.trained_classifier import train_and_evaluate, train_classifier
    from vidassets.spatter.dataset.splits import advised_split
    from vidassets.spatter.verdicts.held_out import check_enough_held_out, held_out_drift_reference
    from vidassets.spatter.verdicts.prediction import model_name

    recipe, execution, split = recipe_of(config), trainer.execution(), split_of(spatter_index, config)
    opened, folder = store.open(), trainer.checkpoint_folder(store, "spatter_classifier")
    with open_crop_sets(spatter_index, opened, config, split) as crops:
        held_out = (crops.validation, crops.test)
        check_enough_held_out(held_out)
        name = fingerprint(recipe, data=crops.data_hash)
        delete_other_checkpoints(folder, keep=name)
        parameters = config.model_dump(mode="json") | {"split": split, "data_hash": crops.data_hash}
        with experiment_tracker.run(f"spatter_classifier {name}", name, parameters) as tracked:
            classifier = train_classifier(
                crops,
                split,
                recipe,
                execution,
                colour=config.colour,
                checkpoints=folder / name,
                on_epoch=_metrics_to(tracked),
            )
            reference = held_out_drift_reference(classifier.onnx, held_out).to_bytes()
            for file, content in {"spatter_classifier.onnx": classifier.onnx, **classifier.pictures}.items():
                tracked.artifact(file, content)
    evaluated = [classifier.evaluated]
    if config.compare_with_random and split != RANDOM:
        with open_crop_sets(spatter_index, opened, config, RANDOM) as crops:
            evaluated.append(train_and_evaluate(crops, RANDOM, recipe, execution, checkpoints=folder / name))
    also = {
        "spatter_checkpoint": classifier.checkpoint,
        "spatter_training": classifier.evaluated.training.history,
        "spatter_evaluation": pl.concat([training.metrics for training in evaluated]),
        "spatter_build_accuracy": pl.concat([training.builds for training in evaluated]),
        "spatter_drift_reference": reference,
    }
    tested = also["spatter_evaluation"].filter(pl.col("part") == "test")
    advice = advised_split(spatter_index)
    metadata: dict[str, Any] = {f"test_accuracy_by_{row['split']}": row["accuracy"] for row in tested.to_dicts()}
    metadata |= {"advised_split": f"{advice.split}: {advice.reason}"}
    metadata |= {name: value for name, value in classifier.evaluated.figures().items() if value is not None}
    metadata["onnx_max_difference"] = classifier.onnx_max_difference
    pictures = [picture(png, name) for name, png in classifier.pictures.items()]
    metadata["preview"] = dg.MetadataValue.md("\n\n".join(pictures))
    return AssetResult(classifier.onnx, metadata, data_version=model_name(classifier.onnx), also=also)


def _metrics_to(tracked: TrackedRun) -> Callable[[dict[str, Any]], None]:
    """Return a function that passes a row of the training history on to the tracker."""

    def on_epoch(row: dict[str, Any]) -> None:
        tracked.metrics(row["epoch"], {name: value for name, value in row.items() if name != "epoch"})

    return on_epoch
