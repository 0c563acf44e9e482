"""Stored crops, index, training, evaluation and export, combined as in the assets."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from vidassets.spatter.classifier.evaluation import evaluate
from vidassets.spatter.classifier.onnx_export import export_onnx, max_difference
from vidassets.spatter.classifier.recipe import Execution, Recipe
from vidassets.spatter.classifier.training import Training, score_crops, train
from vidassets.spatter.dataset.index import index_crops
from vidassets.spatter.dataset.labels import BuildLabels
from vidassets.spatter.dataset.splits import crops_of
from vidassets.spatter.dataset.torch_crops import TorchCrops
from vidassets_tests.spatter.crops_files import build_crops, jpeg

BUILDS = {f"{flow}-{n}": flow for n in range(3) for flow in ("low", "high")}


def spatter(flow: str, rng: np.random.Generator) -> bytes:
    """Return the JPEG of a crop with a blob, small under low flow and large under high flow."""
    pixels = rng.integers(0, 30, (60, 60, 3), np.uint8)
    centre = tuple(rng.integers(25, 35, 2).tolist())
    cv2.circle(pixels, centre, int(rng.integers(8, 11) if flow == "low" else rng.integers(14, 17)), (200, 230, 255), -1)
    return jpeg(pixels)


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> dict[str, TorchCrops]:
    folder, rng = tmp_path_factory.mktemp("crops"), np.random.default_rng(0)
    builds = [build_crops(folder, key, [spatter(flow, rng) for _ in range(60)]) for key, flow in BUILDS.items()]
    index = index_crops(builds, {key: BuildLabels(gas_flow=flow) for key, flow in BUILDS.items()})
    files = {crops.file: crops.path for crops in builds}
    return {
        part: TorchCrops(crops_of(index, "split_build", part), files=files, augment=part == "train")
        for part in ("train", "validation", "test")
    }


def trained(parts: dict[str, TorchCrops], folder: Path, epochs: int = 20, workers: int = 0) -> Training:
    recipe, execution = Recipe(batch_size=16, epochs=epochs, min_steps=1), Execution("cpu", workers=workers)
    return train(parts["train"], parts["validation"], recipe, execution, data_hash="drawn", checkpoints=folder)


def test_gas_flow_is_recognised_on_builds_that_training_never_saw(parts, tmp_path):
    training, test = trained(parts, tmp_path), parts["test"]
    logits = score_crops(training.network, test, Execution("cpu"))
    evaluation = evaluate(logits, test.labels.numpy(), test.crops["build"].to_list(), split="build", part="test")
    assert evaluation.metrics["accuracy"].item() >= 0.95
    assert len(evaluation.builds) == 2
    assert max_difference(training.network, export_onnx(training.network, {})) < 1e-4


def test_crops_augmented_by_workers_give_the_same_network(parts, tmp_path):
    alone, ahead = trained(parts, tmp_path / "alone", 2), trained(parts, tmp_path / "ahead", 2, workers=1)
    assert alone.history.drop("seconds").equals(ahead.history.drop("seconds"))
