"""Small recordings of a powder bed under two gas flows, and a deployment that learns from them in seconds."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import yaml

from vidassets.automation.launch import launch
from vidassets.automation.profiles import load_profile
from vidassets.automation.registration import Registration, refresh, register
from vidassets.automation.work import Workload
from vidassets.definitions import GRAPH, Settings
from vidassets.deployment import Deployment
from vidassets.graph.lineage import Made, latest, latest_whole
from vidassets.resources.store import Store
from vidassets.shipped import PROFILES
from vidassets.sources.find import find_videos
from vidassets.storage.store import ArtifactStore
from vidassets_tests.builders import reasons
from vidassets_tests.spatter.crops.recordings import bed, with_blot, write_recording

CHAIN = "*spatter_verdicts,*spatter_drift,*spatter_types"
SETTINGS: dict[str, dict[str, Any]] = {
    "spatter_crops": {"min_area_px": 200, "layer_gap_frames": 5},
    "spatter_classifier": {"epochs": 8, "min_steps": 1, "learning_rate": 0.005},
    "spatter_types": {"n_clusters": [2, 3], "n_requests": 6},
}
# What a crop shows: the blot's colour, and how bright the bed is around it.
LOOKS = {"low": ((40, 150, 250), 12), "high": ((120, 250, 120), 60)}
FLASHES, BLOTS = 4, 6  # in a layer; in a flash
PAUSE_FRAMES = 9
ALL = "all"


def pictures(gas_flow: str, seed: int = 0, n_layers: int = 3) -> list[np.ndarray]:
    """BGR: in each layer flashes of six blots, a frame without any between them, then a pause."""
    rng, (color, level) = np.random.default_rng(seed), LOOKS[gas_flow]
    dark = np.full_like(bed(), level)
    shown = [dark] * 2
    for _ in range(n_layers):
        for _ in range(FLASHES):
            flash = dark
            for place in range(BLOTS):
                x, y = np.array((80 * (place % 3) + 40, 80 * (place // 3) + 40)) + rng.integers(-6, 7, 2)
                axes = (int(rng.integers(14, 22)), int(rng.integers(12, 18)))
                flash = with_blot(flash, (int(x), int(y)), axes, color, float(rng.uniform(0, 180)))
            shown += [flash, dark]
        shown += [dark] * PAUSE_FRAMES
    return shown


@dataclass(frozen=True)
class Worked:
    """What a run came to: (asset, key) pairs worked on; assets over all builds that failed or wait, with the cause."""

    cells: set[tuple[str, str]]
    failures: dict[str, str]
    waiting: dict[str, str]

    @property
    def assets(self) -> set[str]:
        """Names of what was worked on."""
        return {asset for asset, _ in self.cells}


@dataclass
class Builds:
    """A deployment of recordings in a folder: `videos/`, `data/`; its instance lives in memory."""

    path: Path
    instance: dg.DagsterInstance
    profile_path: Path

    @classmethod
    @contextmanager
    def at(cls, path: Path) -> "Iterator[Builds]":
        """Open an empty deployment with settings for small recordings."""
        (path / "videos").mkdir()
        with dg.DagsterInstance.ephemeral() as instance:
            builds = cls(path, instance, path / "test.yaml")
            builds.set()
            yield builds

    @property
    def videos(self) -> Path:
        return self.path / "videos"

    @property
    def store(self) -> ArtifactStore:
        return ArtifactStore(self.path / "data")

    @cached_property
    def deployment(self) -> Deployment:
        """As a command opens it."""
        profile = load_profile(self.profile_path, self.path, {})
        store = profile.resources["store"]
        assert isinstance(store, Store)
        return Deployment(Settings(self.path, self.profile_path, {}), profile, self.instance, store.open())

    def set(self, resources: Mapping[str, Any] | None = None, **assets: Mapping[str, Any]) -> None:
        """Put a profile in force: these settings of assets above those for small recordings, these resources."""
        settings = {name: {**SETTINGS.get(name, {}), **assets.get(name, {})} for name in {*SETTINGS, *assets}}
        base = str(PROFILES / "cpu-low-power.yaml")
        self.profile_path.write_text(yaml.safe_dump({"extends": base, "assets": settings, **(resources or {})}))
        self.__dict__.pop("deployment", None)

    def record(
        self, name: str, shows: str, sidecar: Mapping[str, Any] | None = None, seed: int = 0, n_layers: int = 3
    ) -> Path:
        """A recording in the folder of videos."""
        path = write_recording(self.videos / f"{name}.mp4", pictures(shows, seed, n_layers))
        if sidecar is not None:
            self.tell(name, **sidecar)
        return path

    def tell(self, name: str, **fields: Any) -> None:
        """Write a recording's sidecar."""
        (self.videos / f"{name}.json").write_text(json.dumps(fields))

    def add(self, folder: Path | None = None) -> Registration:
        """Register what is in the folder of videos, or in another."""
        return register(self.instance, self.store, find_videos(str(folder or self.videos), "build").sources)

    def work(self, select: str = CHAIN) -> Workload:
        """The work on all of them, after a look at whether the files have changed; as `vidassets run` does it."""
        refresh(self.instance, self.store)
        return self.deployment.workload(self.instance.get_dynamic_partitions("clips"), select.split(","))

    def run(self, select: str = CHAIN, **settings: Mapping[str, Any]) -> Worked:
        """The chain of spatter made, or what is selected; with settings for this launch."""
        refresh(self.instance, self.store)
        keys = self.instance.get_dynamic_partitions("clips")
        work = self.deployment.workload(keys, select.split(","), settings)
        return Worked(work.do(lambda runs: None), work.failures, reasons(work))

    def launch(self, assets: str, clips: tuple[str, str] | str | None = None) -> dg.DagsterRun:
        """One run of Dagster over assets, as the UI or a backfill launches it."""
        declared = GRAPH.assets
        keys = [key for name in assets.split(",") for key in declared[name].keys]
        return launch(self.deployment.definitions, self.instance, keys, clips)

    def made(self, asset: str, key: str = ALL) -> Made | None:
        """The latest materialisation of an artifact."""
        if key == ALL:
            return latest_whole(self.instance, dg.AssetKey(asset))
        return latest(self.instance, dg.AssetKey(asset), [key]).get(key)

    def figures(self, asset: str, key: str = ALL) -> dict[str, Any]:
        """The metadata of its latest materialisation, as plain values."""
        made = self.made(asset, key)
        return {name: value.value for name, value in made.metadata.items()} if made else {}

    def states(self, select: str = CHAIN) -> dict[tuple[str, str], str]:
        """(asset, key) → state and reason, of all that is not up to date."""
        work = self.work(select)
        cells = work.board().cells | {(name, ALL): cell for name, cell in work.dataset_cells().items()}
        states = {where: f"{cell.state}: {cell.reason}" for where, cell in cells.items()}
        return {where: state for where, state in states.items() if not state.startswith("up to date")}

    def table(self, asset: str, key: str = ALL) -> pl.DataFrame:
        """A stored table."""
        return self.store.read_table(asset, key)

    def blob(self, asset: str, extension: str, key: str = ALL) -> bytes:
        """A stored file."""
        return self.store.read_bytes(asset, key, extension)
