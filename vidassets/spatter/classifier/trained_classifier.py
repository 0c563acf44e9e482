"""A trained classifier and what is made from it: evaluation, ONNX file, checkpoint, pictures.

Needs torch: import it inside functions only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from vidassets.spatter.classifier.checkpoint import export_checkpoint
from vidassets.spatter.classifier.evaluation import Evaluation, evaluate
from vidassets.spatter.classifier.onnx_export import export_onnx, max_difference
from vidassets.spatter.classifier.recipe import Execution, Recipe, fingerprint
from vidassets.spatter.classifier.report import draw_evaluation, draw_training
from vidassets.spatter.classifier.training import Training, score_crops, train
from vidassets.spatter.dataset.torch_crops import TorchCrops
from vidassets.spatter.dataset.transforms import Colour


class SplitCrops(Protocol):
    """The labelled crops of the three parts of a split."""

    @property
    def train(self) -> TorchCrops:
        """Crops to learn from."""
        ...

    @property
    def validation(self) -> TorchCrops:
        """Crops that decide which epoch is best and when training stops."""
        ...

    @property
    def test(self) -> TorchCrops:
        """Crops that training never sees."""
        ...

    @property
    def data_hash(self) -> str:
        """Hash of all three parts."""
        ...


@dataclass(frozen=True)
class EvaluatedTraining:
    """A training and its evaluations on the parts of the split that it did not learn from.

    Args:
        training: the result of `train`.
        evaluations: by part: validation, test.
        n_crops: crops learned from.
    """

    training: Training
    evaluations: Mapping[str, Evaluation]
    n_crops: int

    @property
    def metrics(self) -> pl.DataFrame:
        """Rows of `spatter_schemas.SpatterEvaluation`, one per part."""
        return pl.concat([evaluation.metrics for evaluation in self.evaluations.values()])

    @property
    def builds(self) -> pl.DataFrame:
        """Rows of `spatter_schemas.SpatterBuildAccuracy`, one per part and build."""
        return pl.concat([evaluation.builds for evaluation in self.evaluations.values()])

    def figures(self) -> dict[str, Any]:
        """Return the figures of a training that a person looks at first; None where a figure does not exist."""
        metrics = self.evaluations["test"].metrics
        return {
            "roc_auc": metrics["roc_auc"][0],
            "calibration_error": metrics["calibration_error"][0],
            "epochs": len(self.training.history),
            "best_epoch": self.training.best_epoch,
            "stopped_early": self.training.stopped_early,
            "resumed_after_epoch": self.training.resumed_after_epoch,
            "crops_learned_from": self.n_crops,
            "batch_size": self.training.batch_size,
            "device": self.training.device,
        }


@dataclass(frozen=True)
class TrainedClassifier:
    """The files made from one training.

    Args:
        evaluated: the training and its evaluations.
        onnx: see `onnx_export`.
        onnx_max_difference: between the ONNX file and the network in torch.
        checkpoint: see `checkpoint.export_checkpoint`.
        pictures: PNG by file name.
    """

    evaluated: EvaluatedTraining
    onnx: bytes
    onnx_max_difference: float
    checkpoint: bytes
    pictures: Mapping[str, bytes]


def train_classifier(
    crops: SplitCrops,
    split: str,
    recipe: Recipe,
    execution: Execution,
    *,
    colour: Colour,
    checkpoints: Path,
    on_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
) -> TrainedClassifier:
    """Train a classifier, evaluate it and export it.

    Args:
        crops: of the split.
        split: its column in `spatter_schemas.SpatterIndex`.
        recipe: see there.
        execution: see there.
        colour: of the crops.
        checkpoints: folder, see `train`.
        on_epoch: see `train`.

    Raises:
        TrainingError: the exported network differs from the trained one; for others see `train`.
    """
    evaluated = train_and_evaluate(crops, split, recipe, execution, checkpoints=checkpoints, on_epoch=on_epoch)
    notes = {
        "recipe": fingerprint(recipe, data=crops.data_hash),
        "split": split,
        "data_hash": crops.data_hash,
        "seed": recipe.seed,
        "architecture": recipe.architecture,
        "width": recipe.width,
    }
    training = evaluated.training
    onnx = export_onnx(training.network, notes, colour)
    return TrainedClassifier(
        evaluated=evaluated,
        onnx=onnx,
        onnx_max_difference=max_difference(training.network, onnx),
        checkpoint=export_checkpoint(training.network, notes),
        pictures={
            "evaluation.png": draw_evaluation(evaluated.evaluations["test"]),
            "learning_curves.png": draw_training(training.history),
        },
    )


def train_and_evaluate(
    crops: SplitCrops,
    split: str,
    recipe: Recipe,
    execution: Execution,
    *,
    checkpoints: Path,
    on_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
) -> EvaluatedTraining:
    """Train on the training part and evaluate on the validation and test parts. Arguments as in `train_classifier`."""
    training = train(
        crops.train,
        crops.validation,
        recipe,
        execution,
        data_hash=crops.data_hash,
        checkpoints=checkpoints,
        on_epoch=on_epoch,
    )
    evaluations = {}
    for name, part in (("validation", crops.validation), ("test", crops.test)):
        logits = score_crops(training.network, part, execution)
        builds = part.crops["build"].to_list()
        evaluations[name] = evaluate(logits, part.labels.numpy(), builds, split=split.removeprefix("split_"), part=name)
    return EvaluatedTraining(training, evaluations, len(crops.train))
