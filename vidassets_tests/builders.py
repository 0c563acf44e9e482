"""Small films, and a deployment in a folder that a test commands as a person does."""

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import dagster as dg
import polars as pl
from typer.testing import CliRunner

from vidassets.automation.work import Workload
from vidassets.cli.main import app
from vidassets.deployment import Deployment, opened
from vidassets.graph.lineage import Made, latest
from vidassets.shipped import PROFILES
from vidassets.storage.store import ArtifactStore
from vidassets_tests.shots.films import scene

CLIP_ASSETS = ["raw_clip", "shot_scores", "shots", "frames", "frame_descriptions", "description_document"]
DESCRIBED = ["frame_descriptions", "description_document"]
# `--select` of the assets above: a quarter of the work of a run over all assets.
VIDEO = ",".join(CLIP_ASSETS)
FILM_SIZE = (160, 90)
FILM_RATE = 10


def film(path: Path, scenes_s: Sequence[float] = (0.6,), place: int = 0, sidecar: Any = None) -> Path:
    """A video of 160x90 at 10 frames a second, a cut between scenes of these lengths; each place looks different."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(f"file:{path}", "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FILM_RATE))
        stream.width, stream.height = FILM_SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for index, seconds in enumerate(scenes_s):
            for pixels in scene(100 * place + index, round(seconds * FILM_RATE), FILM_SIZE):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    if sidecar is not None:
        path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read."""
        return json.loads(self.out)


@dataclass
class Home:
    """A deployment in a folder: `videos/`, `data/`, an instance of its own; commanded as a person does."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.path / "videos").mkdir(parents=True, exist_ok=True)
        (self.path / "dagster").mkdir(exist_ok=True)
        (self.path / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        self.environment = {
            "VIDASSETS_HOME": str(self.path),
            "DAGSTER_HOME": str(self.path / "dagster"),
            "VIDASSETS_PROFILE": "cpu-low-power",
            **self.environment,
        }

    @property
    def videos(self) -> Path:
        return self.path / "videos"

    @property
    def store(self) -> ArtifactStore:
        return ArtifactStore(self.path / "data")

    def copy(self, path: Path) -> "Home":
        """Copy the artifacts and the instance to another folder; the copy's clips are the same video files."""
        for folder in ("data", "dagster"):
            shutil.copytree(self.path / folder, path / folder)
        return Home(path)

    def profile(self, text: str) -> None:
        """Use a profile of these settings, on top of the cheap one."""
        path = self.path / "test.yaml"
        path.write_text(f"extends: {PROFILES / 'cpu-low-power.yaml'}\n{text}\n")
        self.environment["VIDASSETS_PROFILE"] = str(path)

    def command(self, *words: str, **environment: str) -> Said:
        """A command, in this process."""
        result = CliRunner().invoke(app, list(words), env={**self.environment, **environment})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    def process(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        """The same command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "vidassets.cli.main", *words],
            env=os.environ | self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def on_terminal(self, *words: str, columns: int = 80, **environment: str) -> str:
        """Return what a command prints on a terminal of this width, without its colours."""
        own, of_command = pty.openpty()
        fcntl.ioctl(of_command, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        process = subprocess.Popen(
            [sys.executable, "-m", "vidassets.cli.main", *words],
            env=inherited | self.environment | {"TERM": "xterm", **environment},
            stdin=of_command,
            stdout=of_command,
            stderr=of_command,
        )
        os.close(of_command)
        printed = b""
        with suppress(OSError):  # the end of a terminal that its last process has left
            while chunk := os.read(own, 65536):
                printed += chunk
        os.close(own)
        process.wait()
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed.decode()).replace("\r\n", "\n")

    @contextmanager
    def deployment(self, **environment: str) -> Iterator[Deployment]:
        """The opened deployment, to look into."""
        with opened(os.environ | self.environment | environment) as deployment:
            yield deployment

    def events(self) -> dict[tuple[str, str], int]:
        """(asset, clip) → the number of its latest event; compare two of these for what was done between."""
        with self.deployment() as deployment:
            return _events(deployment)

    def look(self, select: str = "") -> "Look":
        """Return events, runs, and the states of the selected assets, or of all."""
        with self.deployment() as deployment:
            return Look(_events(deployment), deployment.instance.get_runs_count(), _states(deployment, select))

    def partitions(self) -> dict[str, list[str]]:
        """Keys of each partition set that has some."""
        with self.deployment() as deployment:
            sets = {
                name: list(deployment.instance.get_dynamic_partitions(name)) for name in ("clips", "episodes", "builds")
            }
        return {name: keys for name, keys in sets.items() if keys}

    def table(self, asset: str, key: str) -> pl.DataFrame:
        """A stored table."""
        return self.store.read_table(asset, key)

    def states(self, **environment: str) -> dict[tuple[str, str], str]:
        """(asset, clip) → state, of all that is not up to date."""
        with self.deployment(**environment) as deployment:
            return _states(deployment)


@dataclass(frozen=True)
class Look:
    """A deployment at one moment: events by (asset, clip), runs that the instance holds, what is not up to date."""

    events: dict[tuple[str, str], int]
    n_runs: int
    states: dict[tuple[str, str], str]


def changed(before: Mapping[tuple[str, str], int], after: Mapping[tuple[str, str], int]) -> dict[str, list[str]]:
    """Clip → assets that were made since, in the order of the graph."""
    found: dict[str, list[str]] = {}
    for (asset, clip), number in after.items():
        if before.get((asset, clip)) != number:
            found.setdefault(clip, []).append(asset)
    return found


def _events(deployment: Deployment) -> dict[tuple[str, str], int]:
    return {(asset, clip): made.storage_id for asset in CLIP_ASSETS for clip, made in _made(deployment, asset).items()}


def _states(deployment: Deployment, select: str = "") -> dict[tuple[str, str], str]:
    clips = deployment.instance.get_dynamic_partitions("clips")
    board = deployment.workload(clips, select.split(",") if select else ()).board()
    states = {cell: str(found.state) for cell, found in board.cells.items()}
    return {cell: state for cell, state in states.items() if state != "up to date"}


def _made(deployment: Deployment, asset: str) -> dict[str, Made]:
    clips = deployment.instance.get_dynamic_partitions("clips")
    return latest(deployment.instance, dg.AssetKey(asset), clips)


def flat(text: str) -> str:
    """Return text that was folded at the width of a terminal as one line."""
    return " ".join(text.split())


def reasons(work: Workload) -> dict[str, str]:
    """Return why each asset over all clips waits, or what it lacks."""
    return {name: cell.reason for name, cell in work.unfinished().items()}
