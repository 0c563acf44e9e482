"""A deployment opened for a command: the definitions of its profile, its Dagster instance, its store."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import dagster as dg

from vidassets.automation.profiles import Profile
from vidassets.automation.work import Workload
from vidassets.definitions import GRAPH, Settings, build_definitions
from vidassets.errors import ProfileError
from vidassets.graph.dagster_internals import InstanceRef
from vidassets.resources.store import Store
from vidassets.shipped import DAGSTER_YAML
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
    instance: dg.DagsterInstance
    store: ArtifactStore

    @cached_property
    def definitions(self) -> dg.Definitions:
        """The graph under this profile; built when asked for, so that `doctor` can tell why it cannot be.

        Raises:
            ProfileError: settings that an asset does not take.
            ModelMissing: a package that the profile names is not installed.
        """
        return build_definitions(self.profile, self.settings.environment)

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
            select: a Dagster asset selection, such as `frames+`; empty for all but those on demand.
            settings: by asset, above the profile's.
            force: make it again, whatever its state.
        Raises:
            ProfileError: no such asset or setting.
        """
        names = self.selected(select)
        chosen = {name: self._above_profile(name, values) for name, values in (settings or {}).items()}
        return Workload(
            self.definitions,
            self.instance,
            self.store,
            GRAPH.artifacts,
            [asset for asset in GRAPH.clip_assets if asset.name in names],
            [asset for asset in GRAPH.dataset_assets if asset.name in names and (select or not asset.on_demand)],
            clips,
            chosen,
            force,
            self.profile.assets,
        )

    def _above_profile(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """An asset's settings in the profile, with those given for a launch above them."""
        asset = GRAPH.assets.get(name)
        if asset is None:
            known = ", ".join(sorted(GRAPH.assets))
            raise ProfileError(f"--set {name}.…: there is no asset {name}; there are {known}.")
        in_profile = self.profile.assets.get(name, {})
        chosen = {**in_profile, **values}
        config, defined = (cast(type[dg.Config], asset.configured(values))() for values in (chosen, in_profile))
        asset.check_launch(config, asset.wanted_inputs(defined))
        return chosen

    def selected(self, select: Sequence[str]) -> set[str]:
        """Names of the assets that a selection means; all without one."""
        graph = self.definitions.resolve_asset_graph()
        made_here = set(GRAPH.assets)
        if not select:
            return made_here
        keys: set[str] = set()
        for text in select:
            try:
                found = {key.to_user_string() for key in dg.AssetSelection.from_string(text).resolve(graph)}
            except dg.DagsterError as error:
                raise ProfileError(f"--select {text}: {error}. Name assets: {', '.join(sorted(made_here))}.") from error
            if not found & made_here:
                raise ProfileError(
                    f"--select {text}: selects nothing that a run makes. Name assets: {', '.join(sorted(made_here))}."
                )
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
        yield Deployment(settings, profile, instance, store.open())


def _dagster_home(settings: Settings) -> Path:
    home = settings.dagster_home
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "dagster.yaml").exists():
            shutil.copy(DAGSTER_YAML, home / "dagster.yaml")
    except OSError as error:
        raise ProfileError(
            f"{home}: {error.strerror}; runs and events are kept there. Set DAGSTER_HOME to a folder that can be "
            "written, or give this user permission."
        ) from error
    return home.resolve()
