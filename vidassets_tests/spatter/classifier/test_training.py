import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from vidassets.devices import resolve_device
from vidassets.errors import ArtifactDamaged, DeviceUnavailable, InvalidSetting, OneClassOnly, TrainingError
from vidassets.schemas import spatter as spatter_schemas
from vidassets.spatter.classifier.recipe import Execution, Recipe, fingerprint
from vidassets.spatter.classifier.training import HOW_TO_FIX, Training, score_crops, train
from vidassets_tests.spatter.classifier import killed_training
from vidassets_tests.spatter.classifier.toy_crops import ToyCrops

CPU = Execution(device="cpu")
RECIPE = Recipe(epochs=3, batch_size=32, min_batches=1, min_steps=1)


def trained(folder: Path, recipe: Recipe = RECIPE, n_crops: int = 128, **others) -> Training:
    settings = {"execution": CPU, "data_hash": "toys", "checkpoints": folder} | others
    return train(ToyCrops(n_crops, seed=1), ToyCrops(60, seed=2), recipe, **settings)


def same_weights(first: Training, second: Training) -> bool:
    pairs = zip(first.network.state_dict().values(), second.network.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def losses(training: Training) -> pl.DataFrame:
    return training.history.drop("seconds")


def test_two_sizes_of_spatter_are_distinguished(tmp_path):
    training = trained(tmp_path, Recipe(batch_size=16, epochs=8, min_steps=1), n_crops=256)
    test = ToyCrops(200, seed=3)
    assert ((score_crops(training.network, test, CPU) > 0) == test.labels.numpy()).mean() >= 0.98


def test_the_same_seed_gives_the_same_weights_and_losses(tmp_path):
    first, second = trained(tmp_path / "first"), trained(tmp_path / "second")
    assert same_weights(first, second)
    assert losses(first).equals(losses(second))


def test_another_seed_gives_other_weights(tmp_path):
    assert not same_weights(trained(tmp_path), trained(tmp_path, replace(RECIPE, seed=1)))


@pytest.mark.runs
def test_crops_read_ahead_by_workers_give_the_same_weights(tmp_path):
    ahead = trained(tmp_path / "ahead", execution=Execution(device="cpu", workers=2))
    assert same_weights(ahead, trained(tmp_path))


@pytest.mark.runs
def test_a_killed_training_resumes_to_the_same_weights(tmp_path):
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "vidassets_tests.spatter.classifier.killed_training", str(folder)]
    assert subprocess.run(command, check=False).returncode == -9
    crops, validation, recipe = ToyCrops(200, seed=1), ToyCrops(60, seed=2), killed_training.RECIPE

    resumed = train(crops, validation, recipe, CPU, data_hash="toys", checkpoints=folder)
    uninterrupted = train(crops, validation, recipe, CPU, data_hash="toys", checkpoints=tmp_path / "whole")

    assert (resumed.resumed_after_epoch, uninterrupted.resumed_after_epoch) == (2, 0)
    assert same_weights(resumed, uninterrupted)
    assert losses(resumed).equals(losses(uninterrupted))


def test_a_network_with_dropout_and_batch_normalisation_resumes_alike(tmp_path):
    pytest.importorskip("transformers", reason="the extra `architectures` is not installed")
    recipe = Recipe(architecture="efficientnet-b0", epochs=2, batch_size=16, min_steps=1)

    class Interrupted(Exception): ...

    def interrupt(row):
        if row["epoch"] == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        trained(tmp_path / "broken", recipe, n_crops=17, on_epoch=interrupt)
    resumed, whole = trained(tmp_path / "broken", recipe, n_crops=17), trained(tmp_path / "whole", recipe, n_crops=17)
    assert resumed.resumed_after_epoch == 1
    assert same_weights(resumed, whole)


def test_a_finished_training_is_not_repeated(tmp_path):
    first, rows = trained(tmp_path), []
    again = trained(tmp_path, on_epoch=rows.append)
    assert (again.resumed_after_epoch, rows) == (3, [])
    assert same_weights(first, again)
    assert again.history.equals(first.history)


@pytest.mark.parametrize(
    "circumstances",
    [
        pytest.param({"data_hash": "others"}, id="data"),
        pytest.param({"recipe": replace(RECIPE, learning_rate=2e-3)}, id="recipe"),
    ],
)
def test_a_checkpoint_of_other_circumstances_is_left_alone(tmp_path, circumstances):
    trained(tmp_path)
    settings = {"recipe": RECIPE, "execution": CPU, "data_hash": "toys", "checkpoints": tmp_path} | circumstances
    assert train(ToyCrops(128, seed=1), ToyCrops(60, seed=2), **settings).resumed_after_epoch == 0
    assert len(list(tmp_path.iterdir())) == 2


def test_the_weights_are_those_of_the_epoch_with_the_lowest_validation_loss(tmp_path):
    # The learning rate is far too large: losses go up and down.
    training = trained(
        tmp_path, Recipe(epochs=6, batch_size=16, min_batches=1, min_steps=1, learning_rate=0.05, patience_epochs=None)
    )
    validation = ToyCrops(60, seed=2)
    # In batches of the training's size: a CPU may choose another kernel, and round otherwise, for larger ones.
    logits = torch.from_numpy(score_crops(training.network, validation, CPU, batch_size=16)).double()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, validation.labels.double()).item()
    assert (
        loss == training.history["validation_loss"].min() == training.history.filter("best")["validation_loss"].item()
    )
    assert training.best_epoch == training.history.filter("best")["epoch"].item() < 6


def test_training_stops_when_patience_has_run_out(tmp_path):
    training = trained(
        tmp_path, Recipe(epochs=50, batch_size=16, min_batches=1, min_steps=1, learning_rate=0.02, patience_epochs=2)
    )
    assert training.stopped_early
    assert training.history.height == training.best_epoch + 2 < 50


def test_the_history_is_as_declared(tmp_path):
    training = trained(tmp_path)
    spatter_schemas.SpatterTraining.validate(training.history, cast=False)
    assert training.history["epoch"].to_list() == [1, 2, 3]
    assert (training.device, training.stopped_early) == ("cpu", False)


def test_a_last_batch_of_one_crop_is_left_out(tmp_path):
    training = trained(tmp_path, replace(RECIPE, epochs=1, batch_size=32), n_crops=33)
    right_of_32 = training.history["train_accuracy"].item() * 32
    assert right_of_32 == round(right_of_32)


def test_few_crops_are_learned_in_smaller_batches(tmp_path):
    training = trained(tmp_path, Recipe(epochs=1, min_steps=1), n_crops=640)
    assert training.batch_size == 10


def test_few_crops_are_learned_in_more_epochs(tmp_path):
    # 640 crops are 64 batches of 10: two epochs make 100 steps at least.
    training = trained(tmp_path, Recipe(epochs=1, min_steps=100), n_crops=640)
    assert (len(training.history), training.stopped_early) == (2, False)


@pytest.mark.parametrize(
    ("recipe", "n_crops", "epochs", "patience"),
    [
        pytest.param(Recipe(), 65_536 * 2, 20, 5, id="many crops change nothing"),
        pytest.param(Recipe(), 240, 50, 13, id="patience grows with the epochs"),
        pytest.param(Recipe(patience_epochs=None), 240, 50, None, id="no patience stays none"),
        pytest.param(Recipe(min_steps=1), 240, 20, 5, id="one step leaves the epochs as they are"),
        pytest.param(Recipe(), 0, 1500, 375, id="no crop"),
    ],
)
def test_few_crops_need_more_epochs(recipe, n_crops, epochs, patience):
    assert (recipe.epochs_for(n_crops), recipe.patience_for(n_crops)) == (epochs, patience)


def test_torch_is_left_as_it_was(tmp_path):
    torch.set_num_threads(2)
    before = torch.get_rng_state(), torch.get_num_threads(), torch.backends.cudnn.deterministic
    trained(tmp_path, replace(RECIPE, epochs=1))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (torch.get_num_threads(), torch.backends.cudnn.deterministic)
    torch.set_num_threads(1)


def test_a_broken_checkpoint_is_named(tmp_path):
    trained(tmp_path)
    (checkpoint,) = tmp_path.iterdir()
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(ArtifactDamaged, match=f"{checkpoint}.*Delete it"):
        trained(tmp_path)


def of_labels(labels: list[float]) -> ToyCrops:
    crops = ToyCrops(len(labels))
    crops.labels = torch.tensor(labels)
    return crops


@pytest.mark.parametrize(
    ("crops", "error", "message"),
    [
        pytest.param(of_labels([1.0, 1.0]), OneClassOnly, "All 2 crops .* label 1; both", id="one class"),
        pytest.param(of_labels([]), TrainingError, "There is no crop to learn from", id="none"),
        pytest.param(of_labels([0.0, 1.0, np.nan]), TrainingError, "has no label", id="unlabelled"),
    ],
)
def test_crops_that_cannot_be_learned_from_are_refused(tmp_path, crops, error, message):
    with pytest.raises(error, match=message):
        train(crops, ToyCrops(4), RECIPE, CPU, data_hash="", checkpoints=tmp_path)


def test_a_set_without_validation_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="There is no crop for validation"):
        train(ToyCrops(4), of_labels([]), RECIPE, CPU, data_hash="", checkpoints=tmp_path)


def test_a_loss_that_runs_away_ends_the_training(tmp_path):
    with pytest.raises(TrainingError, match=r"Epoch \d.*Lower learning_rate, now 1e\+20"):
        trained(tmp_path, replace(RECIPE, learning_rate=1e20))


@pytest.mark.parametrize("device", ["cuda:99", "cpu:1", "tpu"])
def test_an_unknown_device_is_refused(device):
    with pytest.raises(DeviceUnavailable, match=f"{device}: .*Set device to auto or cpu"):
        resolve_device(device, HOW_TO_FIX, allow_mps=True)


def test_auto_is_the_cpu_if_there_is_no_other_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto", HOW_TO_FIX, allow_mps=True) == "cpu"


@pytest.mark.parametrize(
    "setting", ["epochs", "batch_size", "min_batches", "min_steps", "learning_rate", "patience_epochs"]
)
def test_a_recipe_of_zero_is_refused(setting):
    with pytest.raises(InvalidSetting, match=f"{setting} 0: must be above 0"):
        Recipe(**{setting: 0})


def test_a_fingerprint_does_not_change_between_processes():
    assert fingerprint(Recipe(), data="a") == "bb837d894b074e45"
