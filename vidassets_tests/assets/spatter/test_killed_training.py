"""A killed training resumes, ends like an uninterrupted one, and is logged to the tracker of the profile."""

import signal
from pathlib import Path
from urllib.parse import urlparse

import pytest

from vidassets.assets.spatter.classifier import spatter_classifier
from vidassets.resources.experiment_tracker import NoTracker
from vidassets.resources.store import Store
from vidassets.resources.trainer import Trainer
from vidassets_tests.assets.spatter.conftest import LABELLED, Learned
from vidassets_tests.assets.spatter.deployed_builds import SETTINGS
from vidassets_tests.assets.spatter.killed_classifier import KILLED_IN_EPOCH

# MLflow's own models use what SQLAlchemy 2.1 warns of.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture(scope="module")
def mlflow_run(learned: Learned):
    """Return the only run in MLflow, and the client."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=learned.mlflow_uri)
    experiment = client.get_experiment_by_name("spatter-classifier")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    return client, run


def test_a_killed_training_goes_on_after_the_last_epoch_that_was_kept(learned: Learned):
    assert learned.killed == -signal.SIGKILL
    figures = learned.builds.figures("spatter_classifier")
    assert (figures["resumed_after_epoch"], figures["epochs"]) == (KILLED_IN_EPOCH - 1, 8)
    assert learned.builds.table("spatter_training")["epoch"].to_list() == list(range(1, 9))


def test_a_training_that_was_killed_ends_with_the_bytes_of_one_that_was_not(learned: Learned, tmp_path: Path):
    builds = learned.builds
    config = spatter_classifier.configured(SETTINGS["spatter_classifier"])
    assert config is not None
    uninterrupted = spatter_classifier.function(
        builds.table("spatter_index"),
        config(),
        Trainer(folder=str(tmp_path)),
        NoTracker(),
        Store(root=str(builds.path / "data")),
    )
    assert uninterrupted.metadata["resumed_after_epoch"] == 0
    assert uninterrupted.value == builds.blob("spatter_classifier", "onnx")


def test_a_classifier_is_judged_on_the_strictest_split_and_beside_it_on_one_by_crop(learned: Learned):
    evaluation = learned.builds.table("spatter_evaluation")
    assert evaluation.select("split", "part").rows() == [
        (split, part) for split in ("layer", "random") for part in ("validation", "test")
    ]
    figures = learned.builds.figures("spatter_classifier")
    assert {"test_accuracy_by_layer", "test_accuracy_by_random"} < set(figures)
    assert set(learned.builds.table("spatter_build_accuracy")["build"]) == set(LABELLED)


def test_the_tracker_of_the_profile_holds_what_a_training_was_made_by_and_its_measures(learned: Learned, mlflow_run):
    client, run = mlflow_run
    assert run.info.status == "FINISHED"
    assert (run.data.params["epochs"], run.data.params["split"]) == ("8", "split_layer")
    history = client.get_metric_history(run.info.run_id, "validation_loss")
    kept = learned.builds.table("spatter_training")
    assert {point.step: point.value for point in history} == dict(
        kept.filter(kept["epoch"] >= KILLED_IN_EPOCH).select("epoch", "validation_loss").iter_rows()
    )


def test_the_tracker_of_the_profile_holds_the_classifier_and_its_pictures(learned: Learned, mlflow_run):
    _, run = mlflow_run
    folder = Path(urlparse(run.info.artifact_uri).path)
    assert {file.name for file in folder.iterdir()} == {
        "spatter_classifier.onnx",
        "evaluation.png",
        "learning_curves.png",
    }
    assert (folder / "spatter_classifier.onnx").read_bytes() == learned.builds.blob("spatter_classifier", "onnx")


def test_every_store_in_a_bucket_has_its_own_checkpoints(monkeypatch, tmp_path: Path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first, second = (
        Trainer().checkpoint_folder(Store(root=f"s3://bucket/{name}"), "spatter_classifier") for name in "ab"
    )
    assert first != second
    assert first == Trainer().checkpoint_folder(Store(root="s3://bucket/a"), "spatter_classifier")
