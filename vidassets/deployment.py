"""A deployment opened for a command: the definitions of its profile, its Dagster instance, its store."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import dagster as dg

from vidassets.automation.instance import database_errors, open_instance
from vidassets.automation.profiles import Profile
from vidassets.automation.registration import registered_keys
from vidassets.automation.work import Workload
from vidassets.definitions import GRAPH, Settings, build_definitions
from vidassets.errors import ProfileError
from vidassets.names import did_you_mean
from vidassets.resources.store import Store
from vidassets.storage.store import ArtifactStore

OPERATORS = {"and", "or", "not", "sinks", "roots"}  # of Dagster's selection syntax
ASSETS = "`vidassets status` lists the assets."


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

    def keys(self) -> list[str]:
        """Return the keys of all clips, in the order of registration."""
        return registered_keys(self.instance)

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
        maker = GRAPH.makers.get(name)
        if maker is None:
            raise ProfileError(f"--set {name}.…: there is no asset {name}.{did_you_mean(name, GRAPH.assets)} {ASSETS}")
        if maker != name:
            raise ProfileError(f"--set {name}.…: {name} is made by {maker}: write {maker}.{next(iter(values))}=….")
        asset = GRAPH.assets[name]
        in_profile = self.profile.assets.get(name, {})
        chosen = {**in_profile, **values}
        config = cast(type[dg.Config], asset.configured(chosen, "--set "))()
        defined = cast(type[dg.Config], asset.configured(in_profile))()
        asset.check_launch(config, asset.wanted_inputs(defined))
        return chosen

    def selected(self, select: Sequence[str]) -> set[str]:
        """Names of the assets that a selection means; all without one. A companion means the asset that makes it.

        Raises:
            ProfileError: no selection, an asset that does not exist, or one that no run makes.
        """
        if not select:
            return set(GRAPH.assets)
        graph = self.definitions.resolve_asset_graph()
        names: set[str] = set()
        for text in select:
            try:
                found = {key.to_user_string() for key in dg.AssetSelection.from_string(text).resolve(graph)}
            except dg.DagsterError as error:
                raise ProfileError(f"--select {text}: {_wrong_selection(text)}") from error
            made = {GRAPH.makers[name] for name in found if name in GRAPH.makers}
            if not made:
                raise ProfileError(f"--select {text}: selects nothing that a run makes. {ASSETS}")
            names |= made
        return names


def _wrong_selection(text: str) -> str:
    """Return what is wrong with a selection that Dagster refused."""
    names = [
        name for name in re.findall(r"(?<![\w:])[a-z_]\w*(?![\w:(])", text, re.IGNORECASE) if name not in OPERATORS
    ]
    for name in names:
        if name not in GRAPH.artifacts:
            return f"there is no asset {name}.{did_you_mean(name, GRAPH.artifacts)} {ASSETS}"
    return (
        "not a selection. Name assets, separated by commas: frames, 'shots*' (with all that is made from it), "
        f"'*shots' (with all that it is made from). {ASSETS}"
    )


@contextmanager
def opened(environment: Mapping[str, str]) -> Iterator[Deployment]:
    """The deployment that the environment names; its Dagster home is made if there is none."""
    settings = Settings.from_environment(environment)
    profile = settings.profile()
    store = profile.resources["store"]
    if not isinstance(store, Store):
        raise ProfileError(f"{settings.profile_path}: store: expected a vidassets.resources.store.Store.")
    with database_errors(settings.dagster_home), open_instance(settings.dagster_home) as instance:
        yield Deployment(settings, profile, instance, store.open())
