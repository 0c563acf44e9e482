import cv2
import numpy as np
import polars as pl
import pytest

from vidassets.spatter.classifier.evaluation import evaluate
from vidassets.spatter.classifier.report import draw_evaluation, draw_search, draw_training
from vidassets.spatter.classifier.search import pareto_front

MAX_BYTES = 150_000


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG")
    assert len(png) < MAX_BYTES
    height, width = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    return width, height


def history(n_epochs: int) -> pl.DataFrame:
    epochs = np.arange(1, n_epochs + 1)
    return pl.DataFrame(
        {
            "epoch": epochs,
            "train_loss": 0.7 / epochs,
            "train_accuracy": 1 - 0.4 / epochs,
            "validation_loss": 0.75 / epochs + 0.02 * epochs,
            "validation_accuracy": 0.98 - 0.4 / epochs,
            "seconds": 1.0,
            "best": epochs == min(6, n_epochs),
        }
    )


@pytest.mark.parametrize("n_epochs", [1, 20])
def test_a_training_is_a_small_png(n_epochs):
    assert size_of(draw_training(history(n_epochs))) == (900, 300)


def evaluation_of(n_builds: int, n_crops: int = 3000, label: int | None = None):
    rng = np.random.default_rng(1)
    build = rng.integers(0, n_builds, n_crops)
    labels = build % 2 if label is None else np.full(n_crops, label)
    logits = rng.normal(np.where(labels == 1, 2.0, -2.0), 1.5)
    return evaluate(logits, labels, [f"job-{b:02}.left.low" for b in build], split="build", part="test")


@pytest.mark.parametrize(
    "evaluation",
    [
        pytest.param(evaluation_of(4), id="four builds"),
        pytest.param(evaluation_of(40), id="forty builds"),
        pytest.param(evaluation_of(1, n_crops=1), id="one crop"),
        pytest.param(evaluation_of(2, label=1), id="one class"),
        pytest.param(evaluate(np.ones(1), np.ones(1), ["x" * 200], split="build", part="test"), id="a long name"),
    ],
)
def test_an_evaluation_is_a_small_png(evaluation):
    assert size_of(draw_evaluation(evaluation)) == (1000, 640)


def trials(n_trials: int, n_failed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(2)
    n_parameters = rng.choice([4059, 15579, 61241, 242_000], n_trials)
    accuracy = 0.99 - 2 / np.sqrt(n_parameters) * rng.random(n_trials)
    failed = np.arange(n_trials) < n_failed
    return pl.DataFrame(
        {
            "trial": np.arange(n_trials),
            "architecture": rng.choice(["lenet5", "lenet5-classical"], n_trials).astype(object),
            "state": np.where(failed, "failed", "complete").astype(object),
            "validation_accuracy": accuracy,
            "n_parameters": n_parameters,
            "pareto": pareto_front(accuracy, n_parameters) & ~failed,
        },
        schema_overrides={"architecture": pl.String, "state": pl.String},
    )


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(trials(1), id="one trial"),
        pytest.param(trials(40, n_failed=3), id="forty trials"),
        pytest.param(trials(2, n_failed=2), id="all failed"),
    ],
)
def test_a_search_is_a_small_png(table):
    assert size_of(draw_search(table)) == (800, 400)
