"""Experiment trackers: trainings are recorded in MLflow, or only in the asset's own metadata.

An asset receives the `Tracker` that the profile names.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import dagster as dg
from pydantic import Field

from vidassets.credentials import credential_in, without_credentials
from vidassets.errors import ModelMissing, TrackerUnreachable

INSTALL = "pip install 'vidassets[mlflow]'"
FINGERPRINT_TAG = "vidassets.fingerprint"


class TrackedRun(Protocol):
    """One training in a tracker."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Record the measures of an epoch. The same step may be recorded again."""
        ...

    def artifact(self, name: str, content: bytes) -> None:
        """Record a file of the training, such as a picture or the exported classifier."""
        ...


class Tracker(Protocol):
    """A place where trainings are recorded."""

    def run(self, name: str, fingerprint: str, parameters: Mapping[str, Any]) -> AbstractContextManager[TrackedRun]:
        """Return a context for a `TrackedRun`. At its end the run is recorded as finished or failed.

        Args:
            name: a readable name.
            fingerprint: of the training. An interrupted training continues the same run.
            parameters: the settings of the training.
        """
        ...


class NoTracker(dg.ConfigurableResource, extra="forbid"):
    """The default: a training is recorded only in the asset's own metadata."""

    @contextmanager
    def run(self, name: str, fingerprint: str, parameters: Mapping[str, Any]) -> Iterator[TrackedRun]:
        """Yield a run that records nothing."""
        yield _UntrackedRun()


class MlflowTracker(dg.ConfigurableResource, extra="forbid"):
    """MLflow, as a server or a SQLite file. MLflow reads a password from MLFLOW_TRACKING_PASSWORD."""

    tracking_uri: str = Field(
        description="http(s)://… of a server, or sqlite:///path of a file, relative to the working directory."
    )
    experiment: str = Field(
        default="spatter-classifier",
        min_length=1,
        description="Name of the experiment; it is created if it does not exist.",
    )
    artifact_location: str | None = Field(
        default=None,
        description="URL of the folder or bucket for the files of a new experiment. None: MLflow's default.",
    )

    @contextmanager
    def run(self, name: str, fingerprint: str, parameters: Mapping[str, Any]) -> Iterator[TrackedRun]:
        """Yield a run in the experiment.

        Raises:
            ModelMissing: MLflow is not installed.
            TrackerUnreachable: MLflow does not answer, or reports an error.
        """
        with _named_error(self.tracking_uri):
            client = _client(self.tracking_uri)
            run_id = self._run_id(client, name, fingerprint)
            for parameter, value in parameters.items():
                client.log_param(run_id, parameter, value)
        tracked = _MlflowRun(client, run_id, self.tracking_uri)
        try:
            yield tracked
        except BaseException:
            # Raise the error that ended the training, even if the tracker fails as well.
            tracked.end("FAILED", quiet=True)
            raise
        tracked.end("FINISHED")

    def _run_id(self, client: Any, name: str, fingerprint: str) -> str:
        """Return the unfinished run of this training, or a new one."""
        experiment = client.get_experiment_by_name(self.experiment)
        experiment_id = (
            experiment.experiment_id
            if experiment
            else client.create_experiment(self.experiment, artifact_location=self.artifact_location)
        )
        wanted = f"tags.`{FINGERPRINT_TAG}` = '{fingerprint}' and attributes.status != 'FINISHED'"
        for run in client.search_runs([experiment_id], wanted, max_results=1):
            client.update_run(run.info.run_id, status="RUNNING")
            return run.info.run_id
        return client.create_run(experiment_id, run_name=name, tags={FINGERPRINT_TAG: fingerprint}).info.run_id


class _UntrackedRun:
    """A run that records nothing."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def artifact(self, name: str, content: bytes) -> None:
        """Do nothing."""


class _MlflowRun:
    """A run in MLflow."""

    def __init__(self, client: Any, run_id: str, tracking_uri: str) -> None:
        self._client, self._run_id, self._tracking_uri = client, run_id, tracking_uri

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """See `TrackedRun`."""
        with _named_error(self._tracking_uri):
            for name, value in values.items():
                self._client.log_metric(self._run_id, name, value, step=step)

    def artifact(self, name: str, content: bytes) -> None:
        """See `TrackedRun`."""
        with _named_error(self._tracking_uri), TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_bytes(content)
            self._client.log_artifact(self._run_id, str(file))

    def end(self, status: str, quiet: bool = False) -> None:
        """Record the end of the run in MLflow."""
        try:
            with _named_error(self._tracking_uri):
                self._client.set_terminated(self._run_id, status)
        except TrackerUnreachable:
            if not quiet:
                raise


def _client(tracking_uri: str) -> Any:
    # MLflow reads this when it is imported; by default it reports each use to its developers.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow import MlflowClient
    except ModuleNotFoundError as error:
        raise ModelMissing(
            f"{error.name} is not installed, but the profile names MLflow. `{INSTALL}`, or remove the key "
            "experiment_tracker from the profile."
        ) from error
    return MlflowClient(tracking_uri=tracking_uri)


@contextmanager
def _named_error(tracking_uri: str) -> Iterator[None]:
    """Raise errors of MLflow as `TrackerUnreachable`."""
    try:
        yield
    except ModelMissing:
        raise
    except Exception as error:  # noqa: BLE001 (MLflow passes on errors of its stores and of requests)
        raise TrackerUnreachable(
            f"{without_credentials(tracking_uri)}: recording in MLflow failed ({type(error).__name__}: "
            f"{without_credentials(_first_line(error))}). Check that "
            "MLflow runs and is writable, or remove the key experiment_tracker from the profile. The training is kept."
        ) from (None if credential_in(tracking_uri) else error)  # Dagster stores the texts of causes


def _first_line(error: Exception) -> str:
    """Return the first line of a message. SQLAlchemy adds the statement and a link after it."""
    return next(iter(str(error).splitlines()), "")
