"""A deployment opened for a command: the definitions of its profile, its Dagster instance, its store."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.instance import InstanceRef

from vidassets.automation.profiles import Profile
from vidassets.automation.work import Workload
from vidassets.definitions import CLIP_ASSETS, DATASET_ASSETS, PROJECT, Settings, build_definitions
from vidassets.errors import ProfileError
from vidassets.resources.store import Store
from vidassets.storage.store import ArtifactStore

# A command draws its own progress: the run's captured output would go through it. The event log keeps all events.
NO_CAPTURE = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}


@dataclass(frozen=True)
class Deployment:
    """What every command needs."""

    settings: Settings
    profile: Profile
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    store: ArtifactStore

    def workload(
        self,
        clips: Sequence[str],
        select: Sequence[str] = (),
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        force: bool = False,
    ) -> Workload:
        """The work on some clips.

        Args:
            clips: keys.
            select: a Dagster asset selection, such as `frames+`; empty for all.
            settings: by asset, above the profile's.
            force: make it again, whatever its state.
        Raises:
            ProfileError: no such asset or setting.
        """
        names = self.selected(select)
        for name, values in (settings or {}).items():
            asset = next((one for one in CLIP_ASSETS if one.name == name), None)
            if asset is None:
                raise ProfileError(f"--set {name}.…: there is no asset {name}; there are {', '.join(sorted(names))}.")
            asset.configured(values)
        return Workload(
            self.definitions,
            self.instance,
            self.store,
            [asset for asset in CLIP_ASSETS if asset.name in names],
            [asset for asset in DATASET_ASSETS if asset.name in names],
            clips,
            settings or {},
            force,
        )

    def selected(self, select: Sequence[str]) -> set[str]:
        """Names of the assets that a selection means; all without one."""
        graph = self.definitions.resolve_asset_graph()
        made_here = {one.name for one in (*CLIP_ASSETS, *DATASET_ASSETS)}
        if not select:
            return made_here
        keys: set[str] = set()
        for text in select:
            try:
                found = {key.to_user_string() for key in dg.AssetSelection.from_string(text).resolve(graph)}
            except dg.DagsterError as error:
                raise ProfileError(f"--select {text}: {error}. Name assets: {', '.join(sorted(made_here))}.") from error
            if not found:
                raise ProfileError(f"--select {text}: selects nothing. Name assets: {', '.join(sorted(made_here))}.")
            keys |= found
        return keys & made_here


@contextmanager
def opened(environment: Mapping[str, str]) -> Iterator[Deployment]:
    """The deployment that the environment names; its Dagster home is made if there is none."""
    settings = Settings.from_environment(environment)
    profile = settings.profile()
    store = profile.resources["store"]
    if not isinstance(store, Store):
        raise ProfileError(f"{settings.profile_path}: store: expected a vidassets.resources.store.Store.")
    reference = InstanceRef.from_dir(str(_dagster_home(settings)), overrides=NO_CAPTURE)
    with dg.DagsterInstance.from_ref(reference) as instance:
        yield Deployment(settings, profile, build_definitions(profile, environment), instance, store.open())


def _dagster_home(settings: Settings) -> Path:
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists() and (PROJECT / "dagster.yaml").exists():
        shutil.copy(PROJECT / "dagster.yaml", home / "dagster.yaml")
    return home.resolve()
