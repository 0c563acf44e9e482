"""The classifier of gas flow, learned from all labelled builds; how good it is, and where its judgement ends."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl
from pydantic import Field

from vidassets.assets.spatter.crop_sets import CropChoice, CropSets, open_crop_sets, split_of
from vidassets.errors import InputsAwaited
from vidassets.graph.artifact import Blob
from vidassets.graph.clip_asset import ClipResult
from vidassets.graph.dataset_asset import dataset_asset
from vidassets.graph.partitions import builds
from vidassets.graph.preview import picture
from vidassets.resources.experiment_tracker import TrackedRun, Tracker
from vidassets.resources.store import Store
from vidassets.resources.trainer import Trainer
from vidassets.schemas import spatter as spatter_schemas

if TYPE_CHECKING:
    from vidassets.spatter.classifier.evaluation import Evaluation
    from vidassets.spatter.classifier.recipe import Execution, Recipe
    from vidassets.spatter.classifier.training import Training

RANDOM = "split_random"


class ClassifierTraining(CropChoice):
    """What a classifier is made by."""

    architecture: str = Field(
        default="lenet5",
        description="lenet5, lenet5-classical; with the extra `architectures` resnet18, resnet34, efficientnet-b0, "
        "efficientnet-b1, vit-tiny.",
    )
    width: float = Field(default=1.0, gt=0, description="Of LeNet's layers; 1 as published.")
    epochs: int = Field(default=20, ge=1, description="At most, unless min_steps asks for more.")
    batch_size: int = Field(default=1024, ge=1, description="Crops a step, at most.")
    min_batches: int = Field(default=64, ge=1, description="Of an epoch: where crops are few, batches are smaller.")
    min_steps: int = Field(default=1500, ge=1, description="Of the training: where crops are few, epochs are more.")
    learning_rate: float = Field(default=1e-3, gt=0, description="Of Adam.")
    patience_epochs: int | None = Field(
        default=5, ge=1, description="Training stops after so many epochs without a lower validation loss. None: never."
    )
    compare_with_random: bool = Field(
        default=True,
        description="Train once more on a split by random crop, as is often reported: how much too good that looks.",
    )


@dataclass(frozen=True)
class _Learned:
    """A training, and what it is worth on each part that it did not learn from."""

    training: "Training"
    evaluations: "dict[str, Evaluation]"
    sets: CropSets

    def table(self, name: str) -> pl.DataFrame:
        """A table of all its evaluations: metrics, builds."""
        return pl.concat([getattr(one, name) for one in self.evaluations.values()])


def recipe_of(config: ClassifierTraining) -> "Recipe":
    """The config as the training takes it."""
    from vidassets.spatter.classifier.recipe import Recipe

    names = (
        "architecture",
        "width",
        "epochs",
        "batch_size",
        "min_batches",
        "min_steps",
        "learning_rate",
        "patience_epochs",
        "seed",
    )
    return Recipe(**{name: getattr(config, name) for name in names})


def execution_of(trainer: Trainer) -> "Execution":
    """The resource as the training takes it."""
    from vidassets.spatter.classifier.recipe import Execution

    return Execution(trainer.device, trainer.threads, trainer.workers)


@dataset_asset(
    group="spatter",
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
) -> ClipResult:
    """Low or high gas flow from a crop, as ONNX: input `crops` (N, 3, 32, 32) in [0, 1], outputs `logit`, `embedding`.

    Judged on the strictest split that the labelled builds allow, and beside it on one by random crop. An interrupted
    training goes on from its last epoch; the same seed gives the same weights on a CPU.
    """
    from vidassets.spatter.classifier.onnx_export import export_onnx, max_difference
    from vidassets.spatter.classifier.recipe import fingerprint
    from vidassets.spatter.verdicts.prediction import model_name

    recipe, split = recipe_of(config), split_of(spatter_index, config)
    opened, folder = store.open(), trainer.under_way(store, "spatter_classifier")
    with open_crop_sets(spatter_index, opened, config, split) as sets:
        _check_enough(sets)
        told = fingerprint(recipe, data=sets.data_hash)
        _forget_others(folder, told)
        parameters = config.model_dump(mode="json") | {"split": split, "data_hash": sets.data_hash}
        with experiment_tracker.run(f"spatter_classifier {told}", told, parameters) as tracked:
            learned = _learn(sets, split, recipe, trainer, folder / told, tracked)
            notes = {"recipe": told, "split": split, "data_hash": sets.data_hash} | {"seed": config.seed}
            notes |= {"architecture": config.architecture, "width": config.width}
            onnx = export_onnx(learned.training.network, notes, config.colour)
            reference = _drift_reference(onnx, sets)
            pictures = _pictures(learned)
            tracked.artifact("spatter_classifier.onnx", onnx)
            for name, content in pictures.items():
                tracked.artifact(name, content)
    evaluations, accuracies = learned.table("metrics"), learned.table("builds")
    if config.compare_with_random and split != RANDOM:
        with open_crop_sets(spatter_index, opened, config, RANDOM) as sets:
            leaky = _learn(sets, RANDOM, recipe, trainer, folder / told, None)
        evaluations, accuracies = (
            pl.concat([evaluations, leaky.table("metrics")]),
            pl.concat([accuracies, leaky.table("builds")]),
        )
    also = {
        "spatter_checkpoint": _checkpoint(learned.training, notes),
        "spatter_training": learned.training.history,
        "spatter_evaluation": evaluations,
        "spatter_build_accuracy": accuracies,
        "spatter_drift_reference": reference,
    }
    difference = max_difference(learned.training.network, onnx)
    metadata = _figures(learned, evaluations, spatter_index) | {"onnx_max_difference": difference}
    metadata["preview"] = dg.MetadataValue.md("\n\n".join(picture(png, name) for name, png in pictures.items()))
    return ClipResult(onnx, metadata, data_version=model_name(onnx), also=also)


def _learn(
    sets: CropSets, split: str, recipe: "Recipe", trainer: Trainer, checkpoints: Path, tracked: TrackedRun | None
) -> _Learned:
    from vidassets.spatter.classifier.evaluation import evaluate
    from vidassets.spatter.classifier.training import score, train

    def on_epoch(row: dict[str, Any]) -> None:
        if tracked is not None:
            tracked.metrics(row["epoch"], {name: value for name, value in row.items() if name != "epoch"})

    execution = execution_of(trainer)
    training = train(
        sets.train,
        sets.validation,
        recipe,
        execution,
        data_hash=sets.data_hash,
        checkpoints=checkpoints,
        on_epoch=on_epoch,
    )
    evaluations = {}
    for part, crops in (("validation", sets.validation), ("test", sets.test)):
        logits = score(training.network, crops, execution)
        evaluations[part] = evaluate(
            logits, crops.labels.numpy(), crops.crops["build"].to_list(), split=split.removeprefix("split_"), part=part
        )
    return _Learned(training, evaluations, sets)


def _check_enough(sets: CropSets) -> None:
    """Refuse crops too few for the drift reference before they are learned from, not after.

    Raises:
        InputsAwaited: naming how many there are, and how many it takes.
    """
    import numpy as np

    from vidassets.spatter.verdicts.drift import MIN_CROPS_A_CLASS

    judged = np.concatenate([crops.labels.numpy() for crops in (sets.validation, sets.test)])
    n_low, n_high = int((judged == 0).sum()), int((judged == 1).sum())
    if min(n_low, n_high) < MIN_CROPS_A_CLASS:
        raise InputsAwaited(
            f"{n_low} crops of low and {n_high} of high flow to judge a classifier by, two fifths of all; it takes "
            f"{MIN_CROPS_A_CLASS} of each. Label more builds, or longer ones."
        )


def _forget_others(folder: Path, told: str) -> None:
    """Checkpoints of trainings that nobody goes on with: other data, another recipe."""
    for other in folder.iterdir():
        if other.name != told:
            with suppress(OSError):
                shutil.rmtree(other)


def _drift_reference(onnx: bytes, sets: CropSets) -> bytes:
    """Where the embeddings of crops lie that it has not learned from: what a new build is compared with."""
    import numpy as np
    import torch

    from vidassets.spatter.verdicts.drift import fit_drift_reference
    from vidassets.spatter.verdicts.prediction import CropClassifier

    classifier = CropClassifier(onnx)
    embeddings, labels, of_builds = [], [], []
    for crops in (sets.validation, sets.test):
        for start in range(0, len(crops), 1024):
            items = crops.__getitems__(range(start, min(start + 1024, len(crops))))
            pictures = torch.stack([picture for picture, _ in items]).numpy()
            embeddings.append(classifier.score(pictures).embedding)
        labels.append(crops.labels.numpy().astype(int))
        of_builds += crops.crops["build"].to_list()
    return fit_drift_reference(
        np.concatenate(embeddings), np.concatenate(labels), np.array(of_builds), classifier.model
    ).to_bytes()


def _checkpoint(training: "Training", notes: dict[str, Any]) -> bytes:
    """The weights for torch: `torch.load(…, weights_only=True)["network"]`."""
    import torch

    written = BytesIO()
    torch.save({"network": training.network.state_dict(), "notes": notes}, written)
    return written.getvalue()


def _pictures(learned: _Learned) -> dict[str, bytes]:
    from vidassets.spatter.classifier.report import evaluation_picture, training_picture

    return {
        "evaluation.png": evaluation_picture(learned.evaluations["test"]),
        "learning_curves.png": training_picture(learned.training.history),
    }


def _figures(learned: _Learned, evaluations: pl.DataFrame, index: pl.DataFrame) -> dict[str, Any]:
    from vidassets.spatter.dataset.splits import advised_split

    training, tested = learned.training, evaluations.filter(pl.col("part") == "test")
    advice = advised_split(index)
    figures: dict[str, Any] = {
        f"test_accuracy_by_{row['split']}": row["accuracy"] for row in tested.iter_rows(named=True)
    }
    figures |= {
        "advised_split": f"{advice.split}: {advice.reason}",
        "roc_auc": tested["roc_auc"][0],
        "calibration_error": tested["calibration_error"][0],
        "epochs": len(training.history),
        "best_epoch": training.best_epoch,
        "stopped_early": training.stopped_early,
        "resumed_after_epoch": training.resumed_after_epoch,
        "crops_learned_from": len(learned.sets.train),
        "batch_size": training.batch_size,
        "device": training.device,
    }
    return {name: value for name, value in figures.items() if value is not None}
