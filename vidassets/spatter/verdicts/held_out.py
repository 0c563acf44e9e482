"""The drift reference of a classifier, from the labelled crops that it did not learn from. Imports torch lazily."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vidassets.errors import InputsAwaited
from vidassets.spatter.verdicts.drift import MIN_CROPS_A_CLASS, DriftReference, fit_drift_reference
from vidassets.spatter.verdicts.prediction import CropClassifier

if TYPE_CHECKING:
    from vidassets.spatter.dataset.torch_crops import TorchCrops

BATCH_CROPS = 1024


def check_enough_held_out(parts: "Sequence[TorchCrops]") -> None:
    """Check before a training that the drift reference, which is computed after it, will have enough crops.

    Args:
        parts: the validation and test crops.

    Raises:
        InputsAwaited: there are too few crops of a class.
    """
    labels = np.concatenate([part.labels.numpy() for part in parts])
    n_low, n_high = int((labels == 0).sum()), int((labels == 1).sum())
    if min(n_low, n_high) < MIN_CROPS_A_CLASS:
        raise InputsAwaited(
            f"{n_low} crops of low and {n_high} of high gas flow are held out to judge a classifier (two fifths of all "
            f"crops); at least {MIN_CROPS_A_CLASS} of each are needed. Label more builds, or longer ones."
        )


def held_out_drift_reference(onnx: bytes, parts: "Sequence[TorchCrops]") -> DriftReference:
    """Return the drift reference of crops that the classifier did not learn from.

    Args:
        onnx: the classifier.
        parts: the validation and test crops.
    """
    import torch

    classifier = CropClassifier(onnx)
    embeddings, labels, builds = [], [], []
    for part in parts:
        # Batch by batch: crops (B, 3, 32, 32) → embeddings (B, D).
        for start in range(0, len(part), BATCH_CROPS):
            items = part.__getitems__(range(start, min(start + BATCH_CROPS, len(part))))
            pictures = torch.stack([picture for picture, _ in items]).numpy()
            embeddings.append(classifier.score(pictures).embedding)
        labels.append(part.labels.numpy().astype(int))
        builds += part.crops["build"].to_list()
    return fit_drift_reference(np.concatenate(embeddings), np.concatenate(labels), np.array(builds), classifier.model)
