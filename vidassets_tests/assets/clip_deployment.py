"""A deployment of clips for tests of assets; its instance is in memory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import dagster as dg
import polars as pl
import yaml

from vidassets.automation.launch import launch
from vidassets.automation.profiles import load_profile
from vidassets.automation.registration import Registration, refresh, register
from vidassets.automation.status import Cell
from vidassets.automation.work import Workload
from vidassets.definitions import GRAPH, Settings
from vidassets.deployment import Deployment
from vidassets.graph.lineage import Made, latest, latest_whole
from vidassets.resources.store import Store
from vidassets.shipped import PROFILES
from vidassets.sources.find import find_videos
from vidassets.storage.store import ArtifactStore

ALL = "all"


@dataclass
class ClipDeployment:
    """A folder with `videos/` and `data/`, worked on as commands do.

    Class attributes:
        kind: of the videos.
        chain: what is selected unless a test says otherwise.
    """

    path: Path
    instance: dg.DagsterInstance

    kind: ClassVar[str] = "clip"
    chain: ClassVar[str] = ""

    @classmethod
    @contextmanager
    def at(cls, path: Path) -> Iterator[Self]:
        """Open an empty deployment in a folder."""
        (path / "videos").mkdir()
        with dg.DagsterInstance.ephemeral() as instance:
            opened = cls(path, instance)
            opened.set()
            yield opened

    @property
    def videos(self) -> Path:
        return self.path / "videos"

    @property
    def store(self) -> ArtifactStore:
        return ArtifactStore(self.path / "data")

    @property
    def clips(self) -> list[str]:
        return list(self.instance.get_dynamic_partitions("clips"))

    @cached_property
    def deployment(self) -> Deployment:
        """The deployment as a command opens it, under the profile in force."""
        profile = load_profile(self.path / "test.yaml", self.path, {})
        store = profile.resources["store"]
        assert isinstance(store, Store)
        return Deployment(Settings(self.path, self.path / "test.yaml", {}), profile, self.instance, store.open())

    def set(self, resources: Mapping[str, Any] | None = None, **assets: Mapping[str, Any]) -> None:
        """Use a profile with these resources and settings of assets."""
        base = str(PROFILES / "cpu-low-power.yaml")
        text = yaml.safe_dump({"extends": base, "assets": assets, **(resources or {})})
        (self.path / "test.yaml").write_text(text)
        self.__dict__.pop("deployment", None)

    def add(self, folder: Path | None = None) -> Registration:
        """Register what is in the folder of videos, or in another."""
        return register(self.instance, self.store, find_videos(str(folder or self.videos), self.kind).sources)

    def work(
        self, select: str = "", clips: list[str] | None = None, settings: Mapping[str, Mapping[str, Any]] | None = None
    ) -> Workload:
        """Return the work on all clips, or on some, after a look at whether files changed; as `vidassets run` does."""
        refresh(self.instance, self.store)
        return self.deployment.workload(clips or self.clips, (select or self.chain).split(","), settings)

    def launch(self, assets: str, clips: tuple[str, str] | str | None = None) -> dg.DagsterRun:
        """Launch a single run of Dagster over assets, as the UI or a backfill does."""
        declared = GRAPH.assets
        keys = [key for name in assets.split(",") for key in declared[name].keys]
        return launch(self.deployment.definitions, self.instance, keys, clips)

    def made(self, asset: str, key: str = ALL) -> Made | None:
        """Return the latest materialisation of an artifact."""
        if key == ALL:
            return latest_whole(self.instance, dg.AssetKey(asset))
        return latest(self.instance, dg.AssetKey(asset), [key]).get(key)

    def figures(self, asset: str, key: str = ALL) -> dict[str, Any]:
        """Return the metadata of the latest materialisation as plain values."""
        made = self.made(asset, key)
        return {name: value.value for name, value in made.metadata.items()} if made else {}

    def unsettled(self, select: str = "") -> dict[tuple[str, str], Cell]:
        """Return (asset, key) → cell of all that is not up to date."""
        work = self.work(select)
        cells = work.board().cells | {(name, ALL): cell for name, cell in work.dataset_cells().items()}
        return {where: cell for where, cell in cells.items() if cell.state.value != "up to date"}

    def table(self, asset: str, key: str = ALL) -> pl.DataFrame:
        """Return a stored table."""
        return self.store.read_table(asset, key)

    def blob(self, asset: str, extension: str, key: str = ALL) -> bytes:
        """Return a stored file."""
        return self.store.read_bytes(asset, key, extension)
