import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from vidassets.errors import ModelMissing, TrackerUnreachable
from vidassets.resources.experiment_tracker import MlflowTracker, NoTracker

# MLflow's own models use what SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture
def tracker(folder, request) -> MlflowTracker:
    return MlflowTracker(
        tracking_uri=f"sqlite:///{folder / 'runs.db'}",
        experiment=request.node.name,
        artifact_location=(folder / "files").as_uri(),
    )


def runs(tracker: MlflowTracker) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=tracker.tracking_uri)
    return list(client.search_runs([client.get_experiment_by_name(tracker.experiment).experiment_id]))


def test_a_training_is_recorded_with_its_settings(tracker):
    with tracker.run("spatter", "f" * 16, {"architecture": "lenet5", "seed": 1234}) as run:
        run.metrics(1, {"validation_loss": 0.5})
        run.metrics(2, {"validation_loss": 0.25})
    (written,) = runs(tracker)
    assert written.data.params == {"architecture": "lenet5", "seed": "1234"}
    assert written.data.metrics == {"validation_loss": 0.25}
    assert (written.info.run_name, written.info.status) == ("spatter", "FINISHED")


def test_a_file_is_kept_byte_for_byte(tracker, folder):
    with tracker.run("spatter", "f" * 16, {}) as run:
        run.artifact("classifier.onnx", b"\x00\xff")
    assert [file.read_bytes() for file in (folder / "files").rglob("classifier.onnx")] == [b"\x00\xff"]


def test_a_failed_training_is_recorded_as_failed(tracker):
    with pytest.raises(ZeroDivisionError), tracker.run("spatter", "f" * 16, {}):
        _ = 1 / 0
    assert [run.info.status for run in runs(tracker)] == ["FAILED"]


def test_an_interrupted_training_continues_the_same_run(tracker):
    with pytest.raises(KeyboardInterrupt), tracker.run("spatter", "f" * 16, {"seed": 1}):
        raise KeyboardInterrupt
    with tracker.run("spatter", "f" * 16, {"seed": 1}) as run:
        run.metrics(2, {"validation_loss": 0.25})
    (written,) = runs(tracker)
    assert (written.info.status, written.data.metrics) == ("FINISHED", {"validation_loss": 0.25})


def test_another_training_is_another_run(tracker):
    for fingerprint in ("a" * 16, "b" * 16):
        with pytest.raises(KeyboardInterrupt), tracker.run("spatter", fingerprint, {}):
            raise KeyboardInterrupt
    assert len(runs(tracker)) == 2


def test_a_finished_training_is_not_overwritten(tracker):
    for seed in (1, 2):
        with tracker.run("spatter", "f" * 16, {"seed": seed}):
            pass
    assert len(runs(tracker)) == 2


def test_a_store_that_cannot_be_written_is_named(tmp_path, folder):
    (tmp_path / "file").write_bytes(b"no database, and long enough to be read as one" * 100)
    tracker = MlflowTracker(tracking_uri=f"sqlite:///{tmp_path / 'file'}")
    with (
        pytest.raises(TrackerUnreachable, match=f"sqlite:///{tmp_path}/file: .*remove the key experiment_tracker"),
        tracker.run("spatter", "f" * 16, {}),
    ):
        pass


def test_a_password_of_a_database_is_never_shown():
    tracker = MlflowTracker(tracking_uri="nodatabase://name:very-secret@127.0.0.1:1/runs")
    with pytest.raises(TrackerUnreachable) as caught, tracker.run("spatter", "f" * 16, {}):
        pass
    assert str(caught.value).startswith("nodatabase://***@127.0.0.1:1/runs: ")
    assert "very-secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_mlflow_the_error_names_the_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    tracker = MlflowTracker(tracking_uri="sqlite:///runs.db")
    with pytest.raises(ModelMissing, match=r"pip install 'vidassets\[mlflow\]'"), tracker.run("spatter", "f" * 16, {}):
        pass


# For a resource without fields, Dagster 1.13 uses an attribute that pydantic 2 deprecates.
@pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")
def test_no_tracker_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with NoTracker().run("spatter", "f" * 16, {"seed": 1}) as run:
        run.metrics(1, {"validation_loss": 0.5})
        run.artifact("curve.png", b"png")
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_setting_is_refused():
    with pytest.raises(ValidationError, match="experimnt"):
        MlflowTracker(tracking_uri="sqlite:///runs.db", experimnt="spatter")  # type: ignore[call-arg]


@pytest.mark.runs
def test_mlflow_is_not_imported_before_it_is_used():
    script = "import sys, vidassets.resources.experiment_tracker; print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
