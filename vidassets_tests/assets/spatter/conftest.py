"""One deployment of small recordings that all tests of this folder look at: good and bad ones, and what they came to.

Its classifier's training is killed in the middle, and goes on with the run that follows.
"""

import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from vidassets_tests.assets.spatter.deployed_builds import CHAIN, Builds, Worked, pictures
from vidassets_tests.spatter.crops.recordings import bed, broken_in_the_middle, write_recording

LABELLED = {"high": "right", "low": "left"}
# What a recorder may leave behind; none of them is labelled.
ODD = ["broken", "cut", "gray", "odd-size", "one-frame", "quiet"]


@dataclass
class Learned:
    """The deployment, how the killed training ended, and what the run after it did."""

    builds: Builds
    killed: int
    mlflow_uri: str
    worked: Worked


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Learned]:
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    from sqlalchemy import exc

    folder = tmp_path_factory.mktemp("learned")
    with Builds.at(folder) as builds:
        for seed, (flow, position) in enumerate(LABELLED.items()):
            builds.record(flow, flow, {"gas_flow": flow, "position": position}, seed)
        record_odd_ones(builds.videos)
        builds.add()
        builds.run("*spatter_index")
        store = str(builds.path / "data")
        script = "vidassets_tests.assets.spatter.killed_classifier"
        killed = subprocess.run([sys.executable, "-m", script, store], check=False).returncode
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        tracker = {
            "class": "vidassets.resources.experiment_tracker.MlflowTracker",
            "tracking_uri": uri,
            "artifact_location": (folder / "mlflow").as_uri(),
        }
        builds.set({"experiment_tracker": tracker})
        with warnings.catch_warnings():
            # MLflow's own models use what SQLAlchemy 2.1 warns of.
            warnings.filterwarnings("ignore", category=exc.SADeprecationWarning)
            worked = builds.run(CHAIN)
        yield Learned(builds, killed, uri, worked)


def record_odd_ones(videos: Path) -> None:
    """Recordings that differ from what is expected, each in its own way."""
    shown = pictures("high", seed=7)
    write_recording(
        videos / "odd-size.mkv",
        [np.pad(picture, ((0, 1), (0, 1), (0, 0)), mode="edge") for picture in shown],
        pixel_format="yuv444p",
    )
    write_recording(videos / "gray.mkv", shown, codec="ffv1", pixel_format="gray")
    write_recording(videos / "one-frame.mp4", shown[:1])
    write_recording(videos / "quiet.mp4", [bed()] * 20)
    broken_in_the_middle(videos / "cut.mp4", shown)
    (videos / "broken.mp4").write_bytes(b"no video" * 99)
