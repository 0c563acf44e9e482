"""Where trainings are written down besides the asset's own metadata: nowhere, or an MLflow server or folder.

An asset is handed a `Tracker`, whichever the profile names.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import dagster as dg
from pydantic import Field

from vidassets.errors import ModelMissing, TrackerUnreachable

INSTALL = "pip install 'vidassets[mlflow]'"
FINGERPRINT_TAG = "vidassets.fingerprint"


class TrackedRun(Protocol):
    """One training, as a tracker sees it."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Measures of an epoch; the same step may be told again."""
        ...

    def artifact(self, name: str, content: bytes) -> None:
        """A file of the training: a picture, the exported classifier."""
        ...


class Tracker(Protocol):
    """Where trainings are written down."""

    def run(self, name: str, fingerprint: str, parameters: Mapping[str, Any]) -> AbstractContextManager[TrackedRun]:
        """A context that gives a `TrackedRun`, and tells its end: whether it failed, where it did.

        Args:
            name: for people.
            fingerprint: of the training; one that was interrupted goes on under the same run.
            parameters: what it is made by.
        """
        ...


class NoTracker(dg.ConfigurableResource, extra="forbid"):
    """The default: the asset's own metadata tells of its training, nothing else does."""

    @contextmanager
    def run(self, name: str, fingerprint: str, parameters: Mapping[str, Any]) -> Iterator[TrackedRun]:
        """A run that is written nowhere."""
        yield _UntrackedRun()


class MlflowTracker(dg.ConfigurableResource, extra="forbid"):
    """MLflow: a server, or a SQLite file. A password is given as MLflow reads it, in MLFLOW_TRACKING_PASSWORD."""

    tracking_uri: str = Field(
        description="http(s)://… of a server, or sqlite:///path of a file; a relative path is below the working folder"
    )
    experiment: str = Field(default="spatter-classifier", min_length=1, description="made where it is not there")
    artifact_location: str | None = Field(
        default=None,
        description="where a new experiment keeps its files: a folder's or bucket's URL; None leaves it to MLflow",
    )

    @contextmanager
    def run(self, name: str, fingerprint: str, parameters: Mapping[str, Any]) -> Iterator[TrackedRun]:
        """A run in the experiment.

        Raises:
            ModelMissing: MLflow is not installed.
            TrackerUnreachable: it does not answer, or refuses.
        """
        with _told_with_the_mend(self.tracking_uri):
            client = _client(self.tracking_uri)
            run_id = self._run_id(client, name, fingerprint)
            for parameter, value in parameters.items():
                client.log_param(run_id, parameter, value)
        tracked = _MlflowRun(client, run_id, self.tracking_uri)
        try:
            yield tracked
        except BaseException:
            # What ended the training is the news: that the tracker fails as well is not.
            tracked.end("FAILED", quiet=True)
            raise
        tracked.end("FINISHED")

    def _run_id(self, client: Any, name: str, fingerprint: str) -> str:
        """The run of that training which has not finished, or a new one."""
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
    """Keeps nothing."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Nothing."""

    def artifact(self, name: str, content: bytes) -> None:
        """Nothing."""


class _MlflowRun:
    """A run of MLflow."""

    def __init__(self, client: Any, run_id: str, tracking_uri: str) -> None:
        self._client, self._run_id, self._tracking_uri = client, run_id, tracking_uri

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """See `TrackedRun`."""
        with _told_with_the_mend(self._tracking_uri):
            for name, value in values.items():
                self._client.log_metric(self._run_id, name, value, step=step)

    def artifact(self, name: str, content: bytes) -> None:
        """See `TrackedRun`."""
        with _told_with_the_mend(self._tracking_uri), TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_bytes(content)
            self._client.log_artifact(self._run_id, str(file))

    def end(self, status: str, quiet: bool = False) -> None:
        """Tell MLflow how it ended."""
        try:
            with _told_with_the_mend(self._tracking_uri):
                self._client.set_terminated(self._run_id, status)
        except TrackerUnreachable:
            if not quiet:
                raise


def _client(tracking_uri: str) -> Any:
    # Read by MLflow when it is imported: it would tell its makers of each use.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow import MlflowClient
    except ModuleNotFoundError as error:
        raise ModelMissing(
            f"{error.name} is not installed, and the profile names MLflow. `{INSTALL}`, or leave the key "
            "experiment_tracker out of the profile."
        ) from error
    return MlflowClient(tracking_uri=tracking_uri)


@contextmanager
def _told_with_the_mend(tracking_uri: str) -> Iterator[None]:
    try:
        yield
    except ModelMissing:
        raise
    except Exception as error:  # MLflow lets errors of its stores and of requests through
        raise TrackerUnreachable(
            f"{tracking_uri}: MLflow did not take it ({type(error).__name__}: {_first_line(error)}). See that it "
            "runs and can be written to, or leave the key experiment_tracker out of the profile. The training is kept."
        ) from error


def _first_line(error: Exception) -> str:
    """SQLAlchemy adds the statement, and where to read on."""
    return next(iter(str(error).splitlines()), "")
